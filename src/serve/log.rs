//! The log: a line for each thing that an operator may want to know, never one for a record.
//!
//! It goes to the journal with fields where standard error is the journal (`JOURNAL_STREAM`), else to standard error as text or
//! as JSON lines. A thread of its own writes, so that a stream that is full or closed holds nobody up: lines that find no room
//! are lost, and the next that is written says how many.

use crate::config::LogFormat;
use crate::moment::Moment;
use crate::text::{push_json, show};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Lines that wait for a slow stream.
const LINES_WAITING_MAX: usize = 1024;
/// Characters of a message or a field.
const TEXT_CHARS_MAX: usize = 4096;
/// How long the last lines are waited for at the end.
const CLOSE_WAIT: Duration = Duration::from_millis(500);
const JOURNAL: &str = "/run/systemd/journal/socket";

/// How much a line matters, as syslog numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    /// An operator must act.
    Error = 3,
    /// The result is less than asked.
    Warn = 4,
    /// Something began or ended.
    Info = 6,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

struct Line {
    at: SystemTime,
    level: Level,
    message: String,
    fields: Vec<(&'static str, String)>,
}

enum Order {
    Write(Line),
    /// Answered when all before it is written.
    Flush(SyncSender<()>),
}

/// Where lines are handed in. Nothing here blocks or fails.
pub(super) struct Log {
    orders: SyncSender<Order>,
    lost: std::sync::Arc<AtomicU64>,
}

impl Log {
    /// Starts the thread that writes.
    pub(super) fn open(format: LogFormat) -> std::io::Result<Self> {
        let (orders, received) = sync_channel(LINES_WAITING_MAX);
        let lost = std::sync::Arc::new(AtomicU64::new(0));
        let sink = Sink::choose(format);
        let count = std::sync::Arc::clone(&lost);
        std::thread::Builder::new().name("log".into()).spawn(move || write_all(&received, &sink, &count))?;
        Ok(Self { orders, lost })
    }

    pub(super) fn error(&self, message: impl Into<String>, fields: &[(&'static str, &str)]) {
        self.say(Level::Error, message.into(), fields);
    }

    pub(super) fn warn(&self, message: impl Into<String>, fields: &[(&'static str, &str)]) {
        self.say(Level::Warn, message.into(), fields);
    }

    pub(super) fn info(&self, message: impl Into<String>, fields: &[(&'static str, &str)]) {
        self.say(Level::Info, message.into(), fields);
    }

    fn say(&self, level: Level, message: String, fields: &[(&'static str, &str)]) {
        let fields = fields.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let line = Line { at: SystemTime::now(), level, message, fields };
        if self.orders.try_send(Order::Write(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits a little for what is not yet written.
    pub(super) fn close(&self) {
        let (done, wait) = sync_channel(1);
        if self.orders.try_send(Order::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(CLOSE_WAIT);
        }
    }
}

fn write_all(orders: &Receiver<Order>, sink: &Sink, lost: &AtomicU64) {
    for order in orders {
        match order {
            Order::Flush(done) => drop(done.try_send(())),
            Order::Write(line) => {
                let count = lost.swap(0, Ordering::Relaxed);
                if count > 0 {
                    let message = format!("{count} lines of the log were lost: nobody read them in time");
                    sink.write(&Line { at: line.at, level: Level::Warn, message, fields: Vec::new() });
                }
                sink.write(&line);
            }
        }
    }
}

enum Sink {
    Journal(UnixDatagram),
    Text,
    Json,
}

impl Sink {
    fn choose(format: LogFormat) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Text => Self::Text,
            LogFormat::Auto => match UnixDatagram::unbound() {
                Ok(socket) if is_journal() && socket.connect(JOURNAL).is_ok() => Self::Journal(socket),
                _ => Self::Text,
            },
        }
    }

    fn write(&self, line: &Line) {
        match self {
            Self::Journal(socket) if socket.send(&journal_entry(line)).is_ok() => {}
            Self::Journal(_) | Self::Text => write_stderr(&text_line(line)),
            Self::Json => write_stderr(&json_line(line)),
        }
    }
}

/// If nobody can hear it, nothing changes.
fn write_stderr(bytes: &[u8]) {
    let _ = std::io::stderr().write_all(bytes);
}

/// `JOURNAL_STREAM` is device:inode of the stream that systemd made (systemd.exec(5)).
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stderr = std::fs::metadata("/proc/self/fd/2").map(|file| format!("{}:{}", file.dev(), file.ino()));
    stderr.is_ok_and(|stderr| stderr == stream)
}

fn time_text(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = since.subsec_millis() * 1_000_000;
    Moment::from_unix(since.as_secs() as i64, millis).map(Moment::id_text).unwrap_or_default()
}

fn shown(text: &str) -> String {
    // Messages are escaped where foreign text enters them; escaping again would double backslashes.
    match text.chars().any(crate::text::is_hostile) || text.len() > TEXT_CHARS_MAX {
        true => show(text.as_bytes(), TEXT_CHARS_MAX),
        false => text.to_owned(),
    }
}

fn text_line(line: &Line) -> Vec<u8> {
    let mut text = format!("{} {:<5} {}", time_text(line.at), line.level.as_str(), shown(&line.message));
    for (key, value) in &line.fields {
        text.push_str(&format!(" {key}={}", shown(value)));
    }
    text.push('\n');
    text.into_bytes()
}

fn json_line(line: &Line) -> Vec<u8> {
    let mut out = Vec::new();
    let (time, message) = (time_text(line.at), shown(&line.message));
    let fields = line.fields.iter().map(|(key, value)| (*key, value.as_str()));
    let all = [("time", &time[..]), ("level", line.level.as_str()), ("message", &message)];
    for (i, (key, value)) in all.into_iter().chain(fields).enumerate() {
        out.extend_from_slice(if i == 0 { b"{\"" } else { b",\"" });
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":\"");
        push_json(&mut out, value);
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
    out
}

/// As the journal's native protocol has it: `KEY=value` lines; a value of several lines follows its length.
fn journal_entry(line: &Line) -> Vec<u8> {
    let mut out = Vec::new();
    let priority = (line.level as u8).to_string();
    push_field(&mut out, "MESSAGE", &shown(&line.message));
    push_field(&mut out, "PRIORITY", &priority);
    push_field(&mut out, "SYSLOG_IDENTIFIER", "dijkwacht");
    for (key, value) in &line.fields {
        push_field(&mut out, &format!("DIJKWACHT_{}", key.to_ascii_uppercase()), &shown(value));
    }
    out
}

fn push_field(out: &mut Vec<u8>, key: &str, value: &str) {
    out.extend_from_slice(key.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        let fields = vec![("feed", "partner".to_owned()), ("dump", "a\x1b[2Jb".to_owned())];
        Line {
            at: UNIX_EPOCH + Duration::from_millis(1_500),
            level: Level::Warn,
            message: message.into(),
            fields,
        }
    }

    #[test]
    fn a_line_as_text_json_and_journal_entry() {
        let line = line("run failed");
        assert_eq!(
            String::from_utf8(text_line(&line)).unwrap(),
            "1970-01-01T00:00:01.5Z warn  run failed feed=partner dump=a\\u{1b}[2Jb\n"
        );
        let json: serde_json::Value = serde_json::from_slice(&json_line(&line)).unwrap();
        assert_eq!(json["dump"], "a\x1b[2Jb");
        assert_eq!(
            String::from_utf8(journal_entry(&line)).unwrap(),
            "MESSAGE=run failed\nPRIORITY=4\nSYSLOG_IDENTIFIER=dijkwacht\nDIJKWACHT_FEED=partner\nDIJKWACHT_DUMP=a\\u{1b}[2Jb\n"
        );
    }

    #[test]
    fn a_message_cannot_forge_a_second_line() {
        let text = String::from_utf8(text_line(&line("a\n1970 error forged"))).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert!(
            String::from_utf8(journal_entry(&line("a\nPRIORITY=0")))
                .unwrap()
                .starts_with("MESSAGE=a\\nPRIORITY=0\n")
        );
    }
}
