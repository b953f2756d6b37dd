//! The status page: one document, rendered here, without scripts.
//!
//! What an operator asks first stands first: is it well, what is it doing, what waits, what happened. Whatever comes from
//! outside (names of dumps and feeds, messages) is escaped twice: as all foreign text is, and for HTML.

use super::board::{Board, EndedRun, Intake, Running};
use super::snapshot::{Pace, bytes, duration, seconds_since, state, why};
use crate::pipeline::State;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds between two renderings by the browser.
const REFRESH_SECONDS: u32 = 10;
/// Runs shown.
const RUNS_SHOWN_MAX: usize = 25;
/// Feeds of the queue that are named.
const FEEDS_SHOWN_MAX: usize = 5;

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5d6672;--line:#e2e5ea;--good:#1a7f4b;--busy:#1f62c9;--warn:#a15c00;--bad:#c02b2b}
@media(prefers-color-scheme:dark){:root{--bg:#12151a;--card:#1b2028;--ink:#e7eaee;--soft:#98a2af;--line:#2c333e;--good:#4cc38a;--busy:#6ea8fe;--warn:#e5a54b;--bad:#f07a7a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:68rem;padding:1rem;background:var(--bg);color:var(--ink);font:1rem/1.45 system-ui,sans-serif}
header{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline;margin-bottom:1rem}
h1{font-size:1.3rem;margin:0}
h2{font-size:.8rem;margin:0 0 .6rem;color:var(--soft);text-transform:uppercase;letter-spacing:.06em}
.state{font-weight:700;padding:.1rem .7rem;border-radius:1rem;color:#fff;background:var(--good)}
@media(prefers-color-scheme:dark){.state{color:#12151a}}
.state.running{background:var(--busy)}.state.high-water,.state.stopping{background:var(--warn)}.state.fault{background:var(--bad)}
.soft{color:var(--soft)}.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1rem;margin-bottom:1rem}
.why{border-color:var(--warn);border-left-width:.35rem}.why.fault{border-color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1rem;margin-bottom:1rem}
.tiles section{margin:0}
.big{font-size:1.7rem;font-weight:650;line-height:1.15;font-variant-numeric:tabular-nums}
.run+.run{margin-top:.9rem}
.name{overflow-wrap:anywhere;font-weight:600}
progress{display:block;width:100%;height:.6rem;margin:.35rem 0;accent-color:var(--busy)}
ol{list-style:none;margin:0;padding:0}
li{display:grid;grid-template-columns:1fr auto;gap:.1rem 1rem;padding:.55rem 0;border-top:1px solid var(--line);overflow-wrap:anywhere}
li:first-child{border-top:0;padding-top:0}li:last-child{padding-bottom:0}
li .more{grid-column:1/-1;font-size:.9rem}
li .when{text-align:right;white-space:nowrap}
b{font-weight:600;font-variant-numeric:tabular-nums}
a{color:inherit}
footer{color:var(--soft);font-size:.85rem}
";

/// The page.
pub(super) fn page(board: &Board, now: SystemTime) -> String {
    let mut out = String::with_capacity(16 << 10);
    let state = state(board);
    push(
        &mut out,
        format_args!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=refresh content={REFRESH_SECONDS}><title>dijkwacht: {state}</title><style>{STYLE}</style>\
         <header><h1>dijkwacht</h1><span class=\"state {state}\">{state}</span><span class=soft>up {}</span></header><main>",
            duration(seconds_since(board.started, now)),
        ),
    );
    if let Some(why) = why(&board.intake) {
        let is_fault = if matches!(board.intake, Intake::Fault { .. }) { " fault" } else { "" };
        push(&mut out, format_args!("<section class=\"why{is_fault}\">{}</section>", Escaped(&why)));
    }
    push_running(&mut out, board, now);
    push_tiles(&mut out, board, now);
    push_problems(&mut out, board, now);
    push_recent(&mut out, board, now);
    push(
        &mut out,
        format_args!(
            "</main><footer>Version {}, index {}. The same for programs: <a href=/status.json>status.json</a>, <a href=/metrics>metrics</a>.</footer></html>\n",
            env!("CARGO_PKG_VERSION"),
            board.index.id.get(..16).unwrap_or_default(),
        ),
    );
    out
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to a String cannot fail");
}

fn push_running(out: &mut String, board: &Board, now: SystemTime) {
    if board.running.iter().all(Option::is_none) {
        return;
    }
    out.push_str("<section><h2>Running</h2>");
    for running in board.running.iter().flatten() {
        push_run(out, running, now);
    }
    out.push_str("</section>");
}

fn push_run(out: &mut String, running: &Running, now: SystemTime) {
    let (pace, meter) = (Pace::of(running, now), &running.meter);
    push(out, format_args!("<div class=run><div class=name>{}</div>", Escaped(&running.dump)));
    match meter.ratio() {
        Some(ratio) => push(out, format_args!("<progress max=1 value={ratio:.4}></progress>")),
        None => out.push_str("<progress></progress>"),
    }
    push(out, format_args!("<span class=soft>{} · ", Escaped(&running.feed)));
    if let Some(ratio) = meter.ratio() {
        push(out, format_args!("{:.0} % · ", ratio * 100.0));
    }
    push(out, format_args!("{} at {}/s", bytes(meter.bytes()), bytes(pace.bytes_per_second)));
    match pace.seconds_left {
        Some(left) if meter.lines() == 0 => push(out, format_args!(" · {} left", duration(left))),
        _ => push(out, format_args!(" · {} alerts", grouped(meter.lines()))),
    }
    out.push_str("</span></div>");
}

fn push_tiles(out: &mut String, board: &Board, now: SystemTime) {
    let since = |at: Option<SystemTime>| {
        at.map(|at| format!(", oldest {}", unbroken(&duration(seconds_since(at, now))))).unwrap_or_default()
    };
    out.push_str("<div class=tiles>");
    push_waiting(out, board, since(board.queue.oldest));
    let more = format!(
        "published; {}, {} seen before, {} retries",
        alarming(board.failed, "failed"),
        grouped(board.already_published),
        grouped(board.retries)
    );
    push_tile(out, "Runs", &grouped(board.published), &more, "");
    let books = &board.books;
    let more =
        format!("in {} of {}", counted(books.matched, "match", "es"), counted(books.records, "record", "s"));
    push_tile(out, "Alerts", &grouped(books.alerts), &more, "");
    if let Some(spool) = board.spool {
        let unix =
            |seconds: Option<i64>| seconds.map(|at| UNIX_EPOCH + Duration::from_secs(at.max(0) as u64));
        let held = format!(
            "{} with held alerts{}",
            plural(spool.held.count, "run", "s"),
            since(unix(spool.held.oldest))
        );
        push_tile(
            out,
            "For a person",
            &grouped(spool.held.count),
            &held,
            if spool.held.count > 0 { "warn" } else { "" },
        );
        let status = spool.status;
        let more = format!(
            "{}{}; {} being sent, {}",
            plural(status.unclaimed, "claim", "s"),
            since(unix(spool.unclaimed.oldest)),
            grouped(status.cur),
            alarming(status.failed, "failed")
        );
        push_tile(out, "For mailers", &grouped(status.unclaimed), &more, "");
    }
    let index = &board.index;
    let more = format!(
        "{}, {}",
        counted(index.owners, "owner", "s"),
        counted(index.registrations, "registration", "s")
    );
    push_tile(out, "Index age", &duration(seconds_since(index.built, now)), &more, "");
    out.push_str("</div>");
}

fn push_waiting(out: &mut String, board: &Board, oldest: String) {
    let queue = &board.queue;
    let unready =
        if queue.unready > 0 { format!(", {} not whole yet", grouped(queue.unready)) } else { String::new() };
    let unreported = match queue.unreported {
        0 => String::new(),
        lists => format!(", {} without the report that they need", grouped(lists)),
    };
    let again =
        if queue.again > 0 { format!(", {} to be tried again", grouped(queue.again)) } else { String::new() };
    let mut feeds: Vec<(&String, &u64)> = queue.by_feed.iter().collect();
    feeds.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let mut by_feed: Vec<String> = feeds
        .iter()
        .take(FEEDS_SHOWN_MAX)
        .map(|(name, count)| format!("{} {}", Escaped(name), grouped(**count)))
        .collect();
    if feeds.len() > FEEDS_SHOWN_MAX {
        by_feed.push(format!("and {} more feeds", feeds.len() - FEEDS_SHOWN_MAX));
    }
    let by_feed = if by_feed.is_empty() { String::new() } else { format!("<br>{}", by_feed.join(", ")) };
    let more = format!("{}{oldest}{unready}{unreported}{again}{by_feed}", unbroken(&bytes(queue.bytes)));
    push_tile(out, "Waiting", &grouped(queue.ready), &more, "");
}

fn push_tile(out: &mut String, title: &str, value: &str, more: &str, class: &str) {
    push(
        out,
        format_args!(
            "<section><h2>{title}</h2><div class=\"big {class}\">{value}</div><div class=soft>{more}</div></section>"
        ),
    );
}

fn push_problems(out: &mut String, board: &Board, now: SystemTime) {
    if board.problems.is_empty() && board.reloads.last_error.is_none() {
        return;
    }
    out.push_str("<section><h2>Problems</h2><ol>");
    for (at, problem) in &board.problems {
        let when = duration(seconds_since(*at, now));
        push(
            out,
            format_args!(
                "<li><span>{}</span><span class=\"when soft\">{when} ago</span></li>",
                Escaped(problem)
            ),
        );
    }
    out.push_str("</ol></section>");
}

fn push_recent(out: &mut String, board: &Board, now: SystemTime) {
    out.push_str("<section><h2>Runs</h2>");
    if board.recent.is_empty() {
        out.push_str("<span class=soft>none since the start</span>");
    }
    out.push_str("<ol>");
    for ended in board.recent.iter().take(RUNS_SHOWN_MAX) {
        push_ended(out, ended, now);
    }
    out.push_str("</ol></section>");
}

fn push_ended(out: &mut String, ended: &EndedRun, now: SystemTime) {
    let (class, word) = match ended.state {
        State::Published => ("good", "published"),
        State::AlreadyPublished => ("soft", "seen before"),
        State::DryRun => ("soft", "dry run"),
        State::Failed => ("bad", "no notices"),
    };
    let when = duration(seconds_since(ended.ended, now));
    push(
        out,
        format_args!(
            "<li><span class=name>{}</span><span class=\"when {class}\">{word}</span><span class=\"more soft\">{} · {when} ago · {:.2} s",
            Escaped(&ended.dump),
            Escaped(&ended.feed),
            ended.seconds,
        ),
    );
    match &ended.error {
        Some(error) => {
            push(out, format_args!("</span><span class=\"more bad\">{}</span></li>", Escaped(error)))
        }
        None => {
            let books = &ended.books;
            push(
                out,
                format_args!(
                    " · {}</span><span class=more><b>{}</b> {}, <b>{}</b> matched, <b>{}</b> {} for <b>{}</b> {}",
                    bytes(books.bytes),
                    grouped(books.records),
                    plural(books.records, "record", "s"),
                    grouped(books.matched),
                    grouped(books.alerts),
                    plural(books.alerts, "alert", "s"),
                    grouped(books.owners),
                    plural(books.owners, "owner", "s"),
                ),
            );
            let reasons = |counts: &mut dyn Iterator<Item = (&'static str, u64)>| {
                let some: Vec<&str> =
                    counts.filter(|(_, count)| *count > 0).map(|(reason, _)| reason).collect();
                some.join(", ")
            };
            for (count, word, why) in [
                (books.held, "held", reasons(&mut books.held_by.iter())),
                (books.rejected, "rejected", reasons(&mut books.rejected_by.iter())),
            ] {
                if count > 0 {
                    push(
                        out,
                        format_args!(", <span class=warn><b>{}</b> {word} ({why})</span>", grouped(count)),
                    );
                }
            }
            if let Some(blown) = &ended.fuse {
                push(
                    out,
                    format_args!("<br><span class=warn>{}: all held</span>", Escaped(&blown.to_string())),
                );
            }
            out.push_str("</span></li>");
        }
    }
}

/// A number that none of is good, in red where there is any.
fn alarming(count: u64, word: &str) -> String {
    let class = if count > 0 { "bad" } else { "soft" };
    format!("<span class={class}>{} {word}</span>", grouped(count))
}

/// With spaces that do not break.
fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// `1 claim`, `2 claims`.
fn counted(count: u64, word: &str, ending: &str) -> String {
    format!("{} {}", grouped(count), plural(count, word, ending))
}

fn plural(count: u64, word: &str, ending: &str) -> String {
    format!("{word}{}", if count == 1 { "" } else { ending })
}

/// `1 234 567`, with spaces that do not break.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// Text in HTML, outside and inside of quoted attributes.
struct Escaped<'t>(&'t str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for char in self.0.chars() {
            match char {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                char if crate::text::is_hostile(char) => write!(f, "\\u{{{:x}}}", u32::from(char))?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        let text = Escaped("<script>alert('1')</script>&\"\u{202e}\n").to_string();
        assert_eq!(text, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\\u{202e}\\u{a}");
    }

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1\u{202f}000"), (1_234_567, "1\u{202f}234\u{202f}567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
