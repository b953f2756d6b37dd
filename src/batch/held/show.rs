//! `held show`: what waits, line by line.

use super::{Content, HeldPlace, Rivals, SelectionWords, each_run, is_overdue, moment};
use crate::alert::Told;
use crate::batch::failure::Failure;
use crate::batch::output::{note, print_json, print_lines};
use crate::moment::Moment;
use crate::policy::Hold;
use crate::spool::{RunName, find_reference_key};
use crate::text::show;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// One alert that waits, as `held show --json` prints it.
#[derive(Serialize)]
struct Shown<'h> {
    run: &'h RunName,
    alert_id: Uuid,
    reason: Option<&'static str>,
    owner_id: &'h str,
    owner_name: Option<&'h str>,
    contacts: &'h [String],
    #[serde(serialize_with = "moment")]
    since: Moment,
    overdue: bool,
    /// Its number in the dump; absent where only a reference stands in the line, and the spool's key does not lead from it.
    record: Option<u64>,
    /// Under whom the same finding is held too; a release to one of them decides for all.
    rivals: Vec<&'h str>,
    alert: &'h RawValue,
}

/// `held show`: each alert that waits, whole; 1 if there is none.
pub fn held_show(place: &HeldPlace, selection: &SelectionWords, as_json: bool) -> Result<u8, Failure> {
    let found = place.find()?;
    let selection = selection.read(found.at)?;
    let key = find_reference_key(&found.path).map_err(Failure::Spool)?;
    let mut count = 0_u64;
    each_run(&found, &selection, |held| {
        let mut file = Content::default();
        let rivals = Rivals::of(&held);
        for (at, line) in held.lines.iter().enumerate() {
            if !line.waits() || !selection.has(&held, line) {
                continue;
            }
            count += 1;
            let text = file.line(&held, line)?;
            let alert: &RawValue = serde_json::from_slice(text.trim_ascii_end())
                .map_err(|error| Failure::Data(format!("{}: {error}", held.run())))?;
            let facts = held.facts(line);
            let shown = Shown {
                run: held.run(),
                alert_id: line.alert_id,
                reason: line.reason.map(Hold::as_str),
                owner_id: &facts.owner_id,
                owner_name: facts.name.as_deref(),
                contacts: &facts.contacts,
                since: held.published,
                overdue: is_overdue(&found.config.overdue, line, &held, found.at),
                record: Told::read(&text).and_then(|told| told.record(held.run().as_str(), key.as_ref())),
                rivals: rivals.of_line(&held, at),
                alert,
            };
            match as_json {
                true => print_json(&shown)?,
                false => print_lines(&shown_text(&shown, &text))?,
            }
        }
        Ok(())
    })?;
    if count == 0 {
        note(format_args!("nothing that waits is selected"));
    }
    Ok(u8::from(count == 0))
}

fn shown_text(shown: &Shown<'_>, line: &[u8]) -> Vec<String> {
    let told = Told::read(line);
    let value = |key: &str| {
        let told = told.as_ref()?;
        told.text(key)
            .map(|text| show(text.as_bytes(), 256))
            .or_else(|| told.number(key).map(|n| n.to_string()))
    };
    let overdue = if shown.overdue { ", overdue" } else { "" };
    let contacts = match shown.contacts {
        [] => "no contact".to_owned(),
        contacts => contacts.join(", "),
    };
    let name = shown.owner_name.map(|name| format!(" ({})", show(name.as_bytes(), 128))).unwrap_or_default();
    let record = shown.record.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    let mut lines = vec![
        format!(
            "{}  {}  since {}{overdue}",
            shown.alert_id,
            shown.reason.unwrap_or("unknown"),
            shown.since.whole_seconds()
        ),
        format!("  run      {}, record {record}", shown.run),
        format!("  owner    {}{name}: {}", shown.owner_id, show(contacts.as_bytes(), 512)),
    ];
    for (title, keys) in [
        ("finding ", &["classification.identifier", "severity", "time.source"][..]),
        (
            "address ",
            &["source.ip", "source.network", "source.port", "protocol.transport", "source.fqdn"][..],
        ),
        ("matched ", &["extra.match.rule", "extra.match.registration"][..]),
        ("tlp     ", &["extra.tlp"][..]),
    ] {
        let words: Vec<String> = keys.iter().filter_map(|key| value(key)).collect();
        if !words.is_empty() {
            lines.push(format!("  {title} {}", words.join(" ")));
        }
    }
    if !shown.rivals.is_empty() {
        lines.push(format!("  also     {}", shown.rivals.join(", ")));
    }
    lines
}
