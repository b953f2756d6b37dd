//! The board as JSON (`/status.json`) and as one line (systemd's `STATUS=`).

use super::board::{Board, EndedRun, Intake, Running};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Whether anybody should come and look.
pub(super) fn state(board: &Board) -> &'static str {
    match &board.intake {
        Intake::Stopping => "stopping",
        Intake::Fault { .. } => "fault",
        Intake::HighWater { .. } => "high-water",
        Intake::Open if board.running.iter().any(Option::is_some) => "running",
        Intake::Open => "idle",
    }
}

/// All that is known, for programs. Times are seconds since 1970, other numbers integers but ratios and durations.
pub(super) fn json(board: &Board, now: SystemTime) -> Value {
    let unix = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let feeds: serde_json::Map<String, Value> = board
        .feeds
        .iter()
        .map(|(name, feed)| {
            let last = feed.last_success.map(unix);
            (name.clone(), json!({"published": feed.published, "failed": feed.failed, "last_success": last}))
        })
        .collect();
    let problems: Vec<Value> =
        board.problems.iter().map(|(at, said)| json!({"at": unix(*at), "problem": said})).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": state(board),
        "why": why(&board.intake),
        "now": unix(now),
        "started": unix(board.started),
        "running": board.running.iter().flatten().map(|running| running_json(running, now)).collect::<Vec<_>>(),
        "queue": {
            "ready": board.queue.ready,
            "unready": board.queue.unready,
            "unreported": board.queue.unreported,
            "again": board.queue.again,
            "bytes": board.queue.bytes,
            "oldest_seconds": board.queue.oldest.map(|at| seconds_since(at, now)),
            "by_feed": board.queue.by_feed,
        },
        "runs": {
            "published": board.published,
            "already_published": board.already_published,
            "failed": board.failed,
            "retries": board.retries,
        },
        "books": board.books,
        "feeds": feeds,
        "recent": board.recent.iter().map(|ended| ended_json(ended, unix(ended.ended))).collect::<Vec<_>>(),
        "problems": problems,
        "spool": board.spool.map(|spool| spool.status),
        "unclaimed": board.spool.map(|spool| spool.status.unclaimed),
        "index": {
            "id": board.index.id,
            "owners": board.index.owners,
            "registrations": board.index.registrations,
            "bytes": board.index.bytes,
            "build_seconds": board.index.build_seconds,
            "built": unix(board.index.built),
            "loaded": unix(board.index.loaded),
            "age_seconds": seconds_since(board.index.built, now),
        },
        "reloads": {
            "succeeded": board.reloads.succeeded,
            "failed": board.reloads.failed,
            "last": board.reloads.last.map(unix),
            "last_error": board.reloads.last_error,
        },
    })
}

fn running_json(running: &Running, now: SystemTime) -> Value {
    let pace = Pace::of(running, now);
    json!({
        "feed": running.feed,
        "dump": running.dump,
        "bytes_stored": running.bytes_stored,
        "bytes": running.meter.bytes(),
        "alerts": running.meter.lines(),
        "ratio": running.meter.ratio(),
        "seconds": pace.seconds,
        "bytes_per_second": pace.bytes_per_second,
        "seconds_left": pace.seconds_left,
    })
}

fn ended_json(ended: &EndedRun, at: u64) -> Value {
    json!({
        "ended": at,
        "feed": ended.feed,
        "dump": ended.dump,
        "run": ended.run,
        "state": ended.state.as_str(),
        "error": ended.error,
        "books": ended.books,
        "fuse": ended.fuse,
        "seconds": ended.seconds,
        "lag_seconds": ended.lag_seconds,
    })
}

/// How fast a run is.
pub(super) struct Pace {
    pub(super) seconds: f64,
    pub(super) bytes_per_second: u64,
    /// Until all is scanned, where its size is known.
    pub(super) seconds_left: Option<u64>,
}

impl Pace {
    pub(super) fn of(running: &Running, now: SystemTime) -> Self {
        let seconds = now.duration_since(running.started).unwrap_or_default().as_secs_f64();
        let bytes = running.meter.bytes();
        let bytes_per_second = (bytes as f64 / seconds.max(0.001)) as u64;
        let left = running.meter.bytes_of().checked_sub(bytes).filter(|_| bytes_per_second > 0);
        Self { seconds, bytes_per_second, seconds_left: left.map(|left| left.div_ceil(bytes_per_second)) }
    }
}

/// Why dumps are not taken.
pub(super) fn why(intake: &Intake) -> Option<String> {
    match intake {
        Intake::Open => None,
        Intake::Stopping => Some("stopping".to_owned()),
        Intake::HighWater { unclaimed, max } => {
            Some(format!("input stopped: {unclaimed} claims wait for mailers, and {max} may"))
        }
        Intake::Fault { reason, .. } => Some(format!("input stopped: {reason}")),
    }
}

/// One line: feed, percent, rate, time left, alerts, what waits, the index's age.
pub(super) fn status_line(board: &Board, now: SystemTime) -> String {
    let mut parts: Vec<String> = why(&board.intake).into_iter().collect();
    parts.extend(board.running.iter().flatten().map(|running| running_line(running, now)));
    if parts.is_empty() {
        parts.push("idle".to_owned());
    }
    let waiting = board.queue.ready + board.queue.unready + board.queue.unreported + board.queue.again;
    if waiting > 0 {
        parts.push(format!("{waiting} waiting"));
    }
    parts.push(format!("index {} old", duration(seconds_since(board.index.built, now))));
    parts.join("; ")
}

fn running_line(running: &Running, now: SystemTime) -> String {
    let pace = Pace::of(running, now);
    let mut line = format!("{}:", running.feed);
    if let Some(ratio) = running.meter.ratio() {
        line.push_str(&format!(" {} %", (ratio * 100.0) as u64));
    }
    line.push_str(&format!(" {}/s", bytes(pace.bytes_per_second)));
    if let Some(left) = pace.seconds_left {
        line.push_str(&format!(", {} left", duration(left)));
    }
    format!("{line}, {} alerts", running.meter.lines())
}

pub(super) fn seconds_since(at: SystemTime, now: SystemTime) -> u64 {
    now.duration_since(at).unwrap_or_default().as_secs()
}

/// `45 s`, `12 min`, `3 h`, `5 d`: as much as a person wants to know.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `950 B`, `1.2 MB`, `34 GB`.
pub(super) fn bytes(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_as_a_person_reads_them() {
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 d")]
        {
            assert_eq!(duration(seconds), text);
        }
        for (count, text) in
            [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (1_234_567, "1.2 MB"), (512_000_000, "512 MB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
