//! Foreign text made safe: escapes for terminals, logs and messages; host names in canonical form.

/// Escapes what must not reach a terminal, the journal or a message: controls, C1, bidirectional marks, invalid UTF-8.
/// At most `max` characters, then `…`.
pub fn show(bytes: &[u8], max: usize) -> String {
    todo!()
}

/// Appends `text` as the inside of a JSON string: controls, C1 and bidirectional marks escaped, the rest as UTF-8.
pub fn push_json(out: &mut Vec<u8>, text: &str) {
    todo!()
}

/// The canonical host of a name, URL, `host:port` or `user@host`: lower case, A-labels, no final dot, port or path;
/// `None` for an IP literal or what is no host name (IntelMQ's fqdn rules).
pub fn host_name(text: &str) -> Option<String> {
    todo!()
}
