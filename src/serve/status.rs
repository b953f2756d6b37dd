//! `dijkwacht status`: asks the daemon what its page shows.

use super::snapshot::{bytes, duration};
use super::standing::ServeError;
use crate::config::Config;
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(5);
/// Of an answer.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// The daemon's `/status.json`.
pub fn status_json(config: &Path) -> Result<Value, ServeError> {
    let address = Config::read(config).map_err(ServeError::Config)?.metrics_listen;
    let what = "[metrics] listen is missing: without it the daemon answers nobody";
    let address = address.ok_or_else(|| ServeError::Lacking { config: config.into(), what })?;
    ask(address).map_err(|error| ServeError::NoAnswer { address, error })
}

fn ask(address: SocketAddr) -> io::Result<Value> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    write!(stream, "GET /status.json HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not a daemon's");
    let body = memchr::memmem::find(&answer, b"\r\n\r\n").ok_or_else(odd)? + 4;
    let is_ok = answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200");
    serde_json::from_slice(&answer[body..]).ok().filter(|_| is_ok).ok_or_else(odd)
}

/// The same for people.
pub fn status_text(status: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let up = number(&status["now"]).saturating_sub(number(&status["started"]));
    let mut lines = vec![format!("{}, up {}", text(&status["state"]), duration(up))];
    lines.extend(status["why"].as_str().map(|why| format!("  {why}")));
    for run in status["running"].as_array().into_iter().flatten() {
        let percent =
            run["ratio"].as_f64().map(|ratio| format!(" {:.0} %", ratio * 100.0)).unwrap_or_default();
        let left =
            run["seconds_left"].as_u64().map(|left| format!(", {} left", duration(left))).unwrap_or_default();
        let rate = bytes(number(&run["bytes_per_second"]));
        lines.push(format!(
            "running  {}/{}:{percent} {rate}/s{left}",
            text(&run["feed"]),
            text(&run["dump"])
        ));
    }
    let queue = &status["queue"];
    lines.push(format!(
        "queue    {} ready, {} not whole yet, {} to be tried again, {}",
        number(&queue["ready"]),
        number(&queue["unready"]),
        number(&queue["again"]),
        bytes(number(&queue["bytes"]))
    ));
    match number(&queue["unreported"]) {
        0 => {}
        lists => {
            lines.push(format!("         {lists} without the report that they need (FILE.toml beside FILE)"))
        }
    }
    let runs = &status["runs"];
    lines.push(format!(
        "runs     {} published, {} published before, {} failed",
        number(&runs["published"]),
        number(&runs["already_published"]),
        number(&runs["failed"])
    ));
    lines.push(format!(
        "spool    {} claims to be taken, {} held",
        number(&status["unclaimed"]),
        number(&status["spool"]["held"])
    ));
    let index = &status["index"];
    lines.push(format!(
        "index    {} owners, {} registrations, {} old",
        number(&index["owners"]),
        number(&index["registrations"]),
        duration(number(&index["age_seconds"]))
    ));
    lines.extend(status["reloads"]["last_error"].as_str().map(|error| format!("reload   failed: {error}")));
    for problem in status["problems"].as_array().into_iter().flatten().take(5) {
        lines.push(format!("problem  {}", text(&problem["problem"])));
    }
    lines.join("\n") + "\n"
}
