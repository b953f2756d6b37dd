//! The host of a URL, `host:port` or bare name, where it may be an address.
//!
//! A record may fill no address and be about `http://192.0.2.1:8443/`: the literal then stands in for the address
//! ([`stand_in`]). It does so only in the first of the names that are filled: one behind a name is another's.

use super::Reject;
use super::columns::read_port;
use super::format::Names;
use crate::net::Address;
use std::borrow::Cow;

/// The first of several names that is no address.
pub(super) fn first_name<'r>(names: impl IntoIterator<Item = Option<Cow<'r, str>>>) -> Option<Cow<'r, str>> {
    names.into_iter().flatten().find(|name| literal(name).is_none())
}

/// All of several names that are no address, each once, in order.
pub(super) fn all_names<'r>(names: impl IntoIterator<Item = Option<Cow<'r, str>>>) -> Names<'r> {
    let mut all = Names::new();
    for name in names.into_iter().flatten() {
        if literal(&name).is_none() && !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// The address that a host name, `host:port` or URL has in the place of a name.
pub(super) fn literal(text: &str) -> Option<Address> {
    Address::read(authority(text).0.as_bytes())
}

/// The address, and the port if any, that stand in the place of a name; `address` where readers do not agree which host is
/// meant.
pub(super) fn stand_in(text: &str) -> Result<Option<(Address, Option<u16>)>, Reject> {
    if whole_authority(text).contains('\\') {
        return Err(Reject::Address);
    }
    let (host, port) = authority(text);
    let port = port.and_then(|port| read_port(port.as_bytes()).flatten());
    Ok(Address::read(host.as_bytes()).map(|address| (address, port)))
}

/// The host and the port, if any, of a host name, `host:port`, `[address]:port` or URL. A backslash ends the host for
/// some readers and not for others: what holds one is left as it is, and is no address.
pub(super) fn authority(text: &str) -> (&str, Option<&str>) {
    let rest = whole_authority(text);
    if rest.contains('\\') {
        return (rest, None);
    }
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let bracketed = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    // What is followed by anything but a port is no address in brackets.
    if let Some((host, after)) = bracketed.filter(|(_, after)| after.is_empty() || after.starts_with(':')) {
        return (host, after.strip_prefix(':'));
    }
    match rest.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, Some(port)),
        _ => (rest, None),
    }
}

/// What stands between the scheme and the path, if any.
fn whole_authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}
