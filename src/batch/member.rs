//! `index info --owner`: what a member has in the register, as one page to confirm each year.

use super::failure::Failure;
use super::output::{print_json, print_lines};
use crate::index::{Index, OwnerIx, OwnerView};
use crate::moment::Day;
use crate::register::Role;
use crate::text::show;
use serde_json::json;

/// Longest text of the page that is shown whole.
const SHOWN_CHARS_MAX: usize = 256;

/// A registration of any kind.
struct Held {
    key: String,
    role: Role,
    verified: Option<Day>,
    valid_from: Option<Day>,
    valid_until: Option<Day>,
    place: String,
}

/// Prints the page; 1 if there is no such owner.
pub(super) fn member(index: &Index, id: &str, as_json: bool) -> Result<u8, Failure> {
    let Some(owner) = index.owner_of_id(id) else { return Ok(1) };
    let (view, held) = (index.owner(owner), held(index, owner));
    let assignments = index.assignments().filter(|it| it.owner == owner).count();
    match as_json {
        true => print_json(&page_json(&view, &held, assignments))?,
        false => print_lines(&page(index, &view, &held, assignments))?,
    }
    Ok(0)
}

fn held(index: &Index, owner: OwnerIx) -> Vec<Held> {
    let place = |source: u16, line: u32| format!("{}:{line}", index.source_name(source));
    let ranges = index.claims().filter(|claim| claim.owner == owner).map(|claim| Held {
        key: index.registered(&claim).to_string(),
        role: claim.role,
        verified: claim.verified,
        valid_from: claim.valid_from,
        valid_until: claim.valid_until,
        place: place(claim.source, claim.line),
    });
    let domains = index.domains().filter(|claim| claim.owner == owner).map(|claim| Held {
        key: claim.domain.to_owned(),
        role: claim.role,
        verified: claim.verified,
        valid_from: claim.valid_from,
        valid_until: claim.valid_until,
        place: place(claim.source, claim.line),
    });
    let asns = index.asns().filter(|claim| claim.owner == owner).map(|claim| Held {
        key: claim.asn.to_string(),
        role: claim.role,
        verified: claim.verified,
        valid_from: claim.valid_from,
        valid_until: claim.valid_until,
        place: place(claim.source, claim.line),
    });
    ranges.chain(domains).chain(asns).collect()
}

fn page(index: &Index, owner: &OwnerView<'_>, held: &[Held], assignments: usize) -> Vec<String> {
    let shown = |text: &str| show(text.as_bytes(), SHOWN_CHARS_MAX);
    let line = |what: &str, text: String| format!("{what:<14}{text}");
    let mut lines = vec![line("owner", shown(owner.id))];
    lines.extend(owner.name.map(|name| line("name", shown(name))));
    lines.extend(owner.constituency.map(|constituency| line("constituency", constituency.to_string())));
    lines.extend(owner.sector.map(|sector| line("sector", shown(sector))));
    lines.extend(owner.contacts().map(|contact| line("contact", shown(contact))));
    lines.extend(owner.links().map(|link| line("link", shown(link))));
    let others =
        index.united(owner.organisation).map(|other| index.owner(other)).filter(|other| other.id != owner.id);
    lines.extend(others.map(|other| line("same as", shown(other.id))));
    lines.push(line("registrations", held.len().to_string()));
    let day = |word: &str, day: Option<Day>| day.map_or(String::new(), |day| format!("  {word} {day}"));
    lines.extend(held.iter().map(|it| {
        let days =
            [day("from", it.valid_from), day("until", it.valid_until), day("verified", it.verified)].concat();
        format!("  {:<8}{}{days}  ({})", it.role, shown(&it.key), shown(&it.place))
    }));
    if assignments > 0 {
        lines.push(line("customers", format!("{assignments} networks inside these, of the RIPE database")));
    }
    lines
}

fn page_json(owner: &OwnerView<'_>, held: &[Held], assignments: usize) -> serde_json::Value {
    let day = |day: Option<Day>| day.map(|day| day.to_string());
    let registration = |it: &Held| {
        json!({
            "registration": it.key, "role": it.role.as_str(), "verified": day(it.verified),
            "valid_from": day(it.valid_from), "valid_until": day(it.valid_until), "place": it.place,
        })
    };
    json!({
        "owner_id": owner.id,
        "name": owner.name,
        "constituency": owner.constituency.map(|constituency| constituency.as_str()),
        "sector": owner.sector,
        "contacts": owner.contacts().collect::<Vec<_>>(),
        "link": owner.links().collect::<Vec<_>>(),
        "registrations": held.iter().map(registration).collect::<Vec<_>>(),
        "assignments": assignments,
    })
}
