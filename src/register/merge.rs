//! Rows put together: by owner within a source, then over sources, then by organisation.

use crate::moment::Day;
use crate::register::Register;
use crate::register::owner::{Constituency, Ground, Key, Owner, OwnerId, Registration};
use crate::register::read::Progress;
use crate::register::report::{FindingKind, Report};
use crate::register::row::{Attribute, Row, Wrong, quote};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// Most owners of a register; an index refers to them in 24 bits.
const OWNERS_MAX: usize = 1 << 24;
/// Most registrations of a register.
const REGISTRATIONS_MAX: usize = 1 << 27;
/// Most contacts of an owner.
const CONTACTS_MAX: usize = 64;
/// What is written for a KVK number that nobody knows; it unites nobody.
const KVK_PLACEHOLDER: &str = "00000000";
/// More owners than one organisation is likely to have entries.
const UNION_OWNERS_USUAL_MAX: usize = 100;
/// Bytes between two calls of the progress hook.
const PROGRESS_BYTES: u64 = 1 << 20;

/// An owner as far as its rows have been read.
#[derive(Debug)]
struct Draft {
    id: OwnerId,
    source: u16,
    line: u32,
    /// By [`Attribute`].
    attributes: [Option<Stated>; Attribute::ALL.len()],
    contacts: Vec<String>,
}

/// The value of an attribute, and where it was said first.
#[derive(Debug)]
struct Stated {
    text: String,
    source: u16,
    line: u32,
}

/// Owners by their lower-cased id.
#[derive(Debug, Default)]
struct Ids(HashMap<Box<[u8]>, u32>);

impl Ids {
    fn get(&self, id: &str) -> Option<u32> {
        let mut lower = [0; OwnerId::BYTES_MAX];
        let lower = lower.get_mut(..id.len())?;
        lower.copy_from_slice(id.as_bytes());
        lower.make_ascii_lowercase();
        self.0.get(&*lower).copied()
    }

    fn insert(&mut self, id: &OwnerId, owner: u32) {
        self.0.insert(id.as_str().to_ascii_lowercase().into_bytes().into(), owner);
    }
}

/// Where the rows of one source go.
pub(super) struct Sink<'p> {
    file: &'p str,
    source: u16,
    /// What was found in this source.
    pub(super) report: Report,
    owners: Vec<Draft>,
    ids: Ids,
    /// Owners are positions in this source's `owners`.
    registrations: Vec<Registration>,
    progress: &'p dyn Fn(Progress),
    /// Stored bytes of the source that were read.
    read: Rc<Cell<u64>>,
    progress_at: u64,
}

impl<'p> Sink<'p> {
    pub(super) fn new(
        file: &'p str,
        source: u16,
        bytes: u64,
        read: Rc<Cell<u64>>,
        progress: &'p dyn Fn(Progress),
    ) -> Self {
        Self {
            file,
            source,
            report: Report { bytes, ..Report::default() },
            read,
            owners: Vec::new(),
            ids: Ids::default(),
            registrations: Vec::new(),
            progress,
            progress_at: 0,
        }
    }

    /// Its position among the sources.
    pub(super) fn source(&self) -> u16 {
        self.source
    }

    /// Tells how far reading is, now and then.
    pub(super) fn progress(&mut self, bytes_read: usize) {
        self.progress_to(bytes_read as u64);
    }

    /// The same, for a source that is read as a stream.
    pub(super) fn progress_of_source(&mut self) {
        self.progress_to(self.read.get());
    }

    fn progress_to(&mut self, bytes_read: u64) {
        if bytes_read.saturating_sub(self.progress_at) >= PROGRESS_BYTES {
            self.progress_at = bytes_read;
            (self.progress)(Progress { source: self.source, bytes_read, bytes_total: self.report.bytes });
        }
    }

    pub(super) fn find(&mut self, kind: FindingKind, line: u32, text: impl FnOnce() -> String) {
        self.report.findings.push(kind, self.file, line, text);
    }

    /// Counts what a public database has that cannot be read: nobody here can correct it.
    pub(super) fn skip(&mut self, line: u32, wrong: impl FnOnce() -> Wrong) {
        self.report.skipped += 1;
        self.find(FindingKind::Skipped, line, wrong);
    }

    pub(super) fn bad_row(&mut self, line: u32, wrong: Wrong) {
        self.report.rows += 1;
        self.report.bad_rows += 1;
        self.find(FindingKind::BadRow, line, || wrong);
    }

    /// Takes a row whole, or reports why it contradicts an earlier one.
    pub(super) fn row(&mut self, row: Row<'_>) {
        let line = row.line;
        match self.take(row) {
            Ok(()) => self.report.rows += 1,
            Err(wrong) => self.bad_row(line, wrong),
        }
    }

    /// Takes what rows that are counted already come to.
    pub(super) fn tell(&mut self, row: Row<'_>) {
        let line = row.line;
        if let Err(wrong) = self.take(row) {
            self.skip(line, || wrong);
        }
    }

    fn take(&mut self, row: Row<'_>) -> Result<(), Wrong> {
        let owner = self.owner_of(row.owner_id);
        let checked = match owner {
            Some(owner) => check_agreement(&self.owners[owner as usize], &row),
            None => check_contacts(row.owner_id, &[], &row),
        };
        checked?;
        check_room(self.owners.len(), self.registrations.len() + row.claims.len())?;
        let owner = owner.unwrap_or_else(|| self.add_owner(&row));
        let draft = &mut self.owners[owner as usize];
        draft.take(&row, self.source);
        let (source, line, verified) = (self.source, row.line, row.verified);
        self.registrations.extend(row.claims.into_iter().map(|claim| Registration {
            owner,
            key: claim.key,
            role: claim.role,
            verified,
            valid_from: claim.valid.from,
            valid_until: claim.valid.until,
            is_role_stated: claim.is_role_stated,
            scope: claim.scope,
            source,
            line,
        }));
        Ok(())
    }

    /// Files are mostly sorted by owner: the last one is tried first.
    fn owner_of(&self, id: &str) -> Option<u32> {
        let last = self.registrations.last().map(|registration| registration.owner);
        let last = last.filter(|&owner| self.owners[owner as usize].id.as_str() == id);
        last.or_else(|| self.ids.get(id))
    }

    fn add_owner(&mut self, row: &Row<'_>) -> u32 {
        let owner = self.owners.len() as u32;
        let id = OwnerId::new(row.owner_id).expect("the format checked the row's owner_id");
        self.ids.insert(&id, owner);
        self.owners.push(Draft {
            id,
            source: self.source,
            line: row.line,
            attributes: Default::default(),
            contacts: Vec::new(),
        });
        owner
    }
}

impl Draft {
    /// Takes what a row adds; what it repeats stays as it was.
    fn take(&mut self, row: &Row<'_>, source: u16) {
        for (stated, text) in self.attributes.iter_mut().zip(&row.attributes) {
            if let (None, Some(text)) = (&stated, text) {
                *stated = Some(Stated { text: text.to_string(), source, line: row.line });
            }
        }
        self.take_contacts(row.contacts.iter().map(Cow::as_ref));
    }

    fn take_contacts<'c>(&mut self, contacts: impl Iterator<Item = &'c str>) {
        for contact in contacts {
            if !is_among(&self.contacts, contact) && self.contacts.len() < CONTACTS_MAX {
                self.contacts.push(contact.to_owned());
            }
        }
    }

    fn text(&self, attribute: Attribute) -> Option<&str> {
        self.attributes[attribute as usize].as_ref().map(|stated| stated.text.as_str())
    }
}

/// Whether so many are within the limits.
fn check_room(owners: usize, registrations: usize) -> Result<(), Wrong> {
    if owners <= OWNERS_MAX && registrations <= REGISTRATIONS_MAX {
        return Ok(());
    }
    Err(format!(
        "register is full: more than {OWNERS_MAX} owners or {REGISTRATIONS_MAX} registrations (split it)"
    ))
}

/// Whether a row may be added to what its source says of its owner already.
fn check_agreement(draft: &Draft, row: &Row<'_>) -> Result<(), Wrong> {
    for attribute in Attribute::ALL {
        let (Some(stated), Some(text)) =
            (&draft.attributes[attribute as usize], &row.attributes[attribute as usize])
        else {
            continue;
        };
        if !attribute.agree(&stated.text, text) {
            let (new, old) = (quote(text.as_bytes()), quote(stated.text.as_bytes()));
            let (field, line) = (attribute.field(), stated.line);
            return Err(format!(
                "{field} {new} of {} differs from {old} on line {line} (make them equal, or use two owner_ids)",
                draft.id
            ));
        }
    }
    check_contacts(draft.id.as_str(), &draft.contacts, row)
}

/// Whether there is room for the contacts that a row adds to those that are known.
fn check_contacts(id: &str, known: &[String], row: &Row<'_>) -> Result<(), Wrong> {
    if known.len() + row.contacts.len() <= CONTACTS_MAX {
        return Ok(());
    }
    let added = row.contacts.iter().filter(|contact| !is_among(known, contact)).count();
    if known.len() + added <= CONTACTS_MAX {
        return Ok(());
    }
    Err(format!("owner {id} has more than {CONTACTS_MAX} contacts (use one address for a group)"))
}

fn is_among(contacts: &[String], contact: &str) -> bool {
    contacts.iter().any(|known| known.eq_ignore_ascii_case(contact))
}

/// All sources, as far as they were added.
#[derive(Default)]
pub(super) struct Merge {
    sources: Vec<String>,
    owners: Vec<Draft>,
    ids: Ids,
    registrations: Vec<Registration>,
    pub(super) report: Report,
}

impl Merge {
    /// Adds the next source in order of precedence.
    pub(super) fn add(&mut self, sink: Sink<'_>) {
        self.sources.push(sink.file.to_owned());
        self.report.rows += sink.report.rows;
        self.report.bad_rows += sink.report.bad_rows;
        self.report.skipped += sink.report.skipped;
        self.report.bytes += sink.report.bytes;
        self.report.findings.append(sink.report.findings);
        if self.owners.is_empty() {
            (self.owners, self.ids, self.registrations) = (sink.owners, sink.ids, sink.registrations);
            return;
        }
        let numbers: Vec<u32> = sink.owners.into_iter().map(|draft| self.add_owner(draft)).collect();
        self.registrations.extend(sink.registrations.into_iter().map(|registration| {
            let owner = numbers[registration.owner as usize];
            Registration { owner, ..registration }
        }));
        if let Err(wrong) = check_room(self.owners.len(), self.registrations.len()) {
            self.report.findings.push(FindingKind::BadSource, sink.file, 1, || wrong);
        }
    }

    /// The owner's number among all sources.
    fn add_owner(&mut self, draft: Draft) -> u32 {
        let Some(owner) = self.ids.get(draft.id.as_str()) else {
            let owner = self.owners.len() as u32;
            self.ids.insert(&draft.id, owner);
            self.owners.push(draft);
            return owner;
        };
        let known = &mut self.owners[owner as usize];
        for attribute in Attribute::ALL {
            let Some(new) = &draft.attributes[attribute as usize] else { continue };
            let Some(old) = &known.attributes[attribute as usize] else { continue };
            if attribute.agree(&old.text, &new.text) {
                continue;
            }
            let (field, id) = (attribute.field(), &known.id);
            let (file, line) = (&self.sources[usize::from(old.source)], old.line);
            self.report.findings.push(FindingKind::Disagreement, &self.sources[usize::from(new.source)], new.line, || {
                let (new, old) = (quote(new.text.as_bytes()), quote(old.text.as_bytes()));
                format!("{field} {new} of {id} differs from {old} in {file}:{line}, which is used (make them equal)")
            });
        }
        for (known, new) in known.attributes.iter_mut().zip(draft.attributes) {
            if known.is_none() {
                *known = new;
            }
        }
        known.take_contacts(draft.contacts.iter().map(String::as_str));
        owner
    }

    /// The number of the owner with this id.
    pub(super) fn owner(&self, id: &str) -> Option<u32> {
        self.ids.get(id)
    }

    /// Unites owners into organisations, and keeps each registration once.
    pub(super) fn finish(mut self) -> (Register, Report) {
        let organisations = self.unite();
        self.report_unknown_owners();
        self.drop_duplicates();
        let owners = self
            .owners
            .into_iter()
            .zip(organisations)
            .map(|(draft, organisation)| draft.into_owner(organisation));
        let register = Register {
            owners: owners.collect(),
            registrations: self.registrations,
            sources: self.sources,
            ..Register::default()
        };
        (register, self.report)
    }

    /// The lowest owner number of each owner's organisation.
    fn unite(&mut self) -> Vec<u32> {
        let mut groups = Groups::new(self.owners.len());
        for attribute in [Attribute::Kvk, Attribute::RipeOrg] {
            let mut firsts: HashMap<&str, (u32, usize)> = HashMap::new();
            for (owner, draft) in self.owners.iter().enumerate() {
                let text = draft.text(attribute).filter(|&text| text != KVK_PLACEHOLDER);
                let Some(text) = text else { continue };
                let (first, count) = firsts.entry(text).or_insert((owner as u32, 0));
                *count += 1;
                groups.unite(*first, owner as u32);
                if *count == UNION_OWNERS_USUAL_MAX + 1 {
                    let file = &self.sources[usize::from(draft.source)];
                    self.report.findings.push(FindingKind::WideUnion, file, draft.line, || {
                        let (field, text) = (attribute.field(), quote(text.as_bytes()));
                        format!(
                            "{field} {text} unites more than {UNION_OWNERS_USUAL_MAX} owners (is it a placeholder? then leave it empty)"
                        )
                    });
                }
            }
        }
        for (owner, draft) in self.owners.iter().enumerate() {
            if let Some(other) = draft.text(Attribute::SameAs).and_then(|id| self.ids.get(id)) {
                groups.unite(owner as u32, other);
            }
        }
        (0..self.owners.len() as u32).map(|owner| groups.lowest(owner)).collect()
    }

    fn report_unknown_owners(&mut self) {
        for draft in &self.owners {
            for attribute in [Attribute::SameAs, Attribute::Link] {
                let Some(stated) = &draft.attributes[attribute as usize] else { continue };
                for id in stated.text.split(';').filter(|id| self.ids.get(id).is_none()) {
                    let file = &self.sources[usize::from(stated.source)];
                    self.report.findings.push(FindingKind::UnknownOwner, file, stated.line, || {
                        let field = attribute.field();
                        format!(
                            "{field} {id} of {} is in no source (add that owner, or correct the id)",
                            draft.id
                        )
                    });
                }
            }
        }
    }

    /// Keeps the first of registrations that agree in owner, key, role and validity, with the last day of verification.
    fn drop_duplicates(&mut self) {
        let mut doubles = doubles(&self.registrations);
        if doubles.is_empty() {
            return;
        }
        doubles.sort_unstable();
        for &(second, first) in &doubles {
            let verified = self.registrations[second as usize].verified;
            let kept = &mut self.registrations[first as usize];
            kept.verified = kept.verified.max(verified);
            let (kept, double) = (&self.registrations[first as usize], &self.registrations[second as usize]);
            self.report.duplicates += 1;
            // Two sources may well say the same; in one it is a slip.
            if kept.source == double.source {
                let file = &self.sources[usize::from(double.source)];
                self.report.findings.push(FindingKind::Duplicate, file, double.line, || {
                    let id = &self.owners[double.owner as usize].id;
                    format!("{} of {id} is on line {} already (leave one out)", double.key, kept.line)
                });
            }
        }
        let mut at = 0;
        let mut gone = doubles.iter().map(|&(second, _)| second).peekable();
        self.registrations.retain(|_| {
            let keep = gone.next_if_eq(&at).is_none();
            at += 1;
            keep
        });
    }
}

impl Draft {
    fn into_owner(self, organisation: u32) -> Owner {
        let [name, kvk, ripe_org, same_as, constituency, sector, ground, link] =
            self.attributes.map(|stated| stated.map(|stated| stated.text));
        drop(same_as);
        Owner {
            id: self.id,
            name,
            kvk,
            ripe_org,
            constituency: constituency.as_deref().and_then(Constituency::read),
            sector,
            ground: ground.as_deref().map(Ground::read),
            contacts: self.contacts,
            links: link.iter().flat_map(|link| link.split(';')).filter_map(OwnerId::new).collect(),
            organisation,
            source: self.source,
            line: self.line,
        }
    }
}

/// Registrations that say what an earlier one says: (position, position of the first).
fn doubles(registrations: &[Registration]) -> Vec<(u32, u32)> {
    let said = |at: u32| {
        let registration = &registrations[at as usize];
        (
            registration.owner,
            &registration.key,
            registration.role,
            registration.valid_from,
            registration.valid_until,
        )
    };
    // Digests sort faster than what they stand for; only equal ones are looked at.
    let mut order: Vec<(u64, u32)> = registrations.iter().map(digest).zip(0..).collect();
    order.sort_unstable();
    let mut doubles = Vec::new();
    for run in order.chunk_by(|one, other| one.0 == other.0).filter(|run| run.len() > 1) {
        let mut run: Vec<u32> = run.iter().map(|&(_, at)| at).collect();
        run.sort_by(|&one, &other| said(one).cmp(&said(other)).then(one.cmp(&other)));
        for same in run.chunk_by(|&one, &other| said(one) == said(other)) {
            doubles.extend(same[1..].iter().map(|&at| (at, same[0])));
        }
    }
    doubles
}

/// Equal for registrations that are doubles, and seldom else.
fn digest(registration: &Registration) -> u64 {
    let (first, last) = match &registration.key {
        Key::Range(range) => (range.first().bits(), range.last().bits()),
        Key::Asn(asn) => (u128::from(asn.0), 0),
        Key::Domain(domain) => {
            let mut hasher = DefaultHasher::new();
            domain.hash(&mut hasher);
            (u128::from(hasher.finish()), 1)
        }
    };
    let day = |day: Option<Day>| day.map_or(i32::MIN, Day::number) as u32;
    let days = u64::from(day(registration.valid_from)) << 32 | u64::from(day(registration.valid_until));
    let parts = [
        u64::from(registration.owner) << 8 | registration.role as u64,
        days,
        first as u64,
        (first >> 64) as u64,
        last as u64,
        (last >> 64) as u64,
    ];
    parts.into_iter().fold(0, |digest: u64, part| {
        // The multiplier of splitmix64; any odd one with mixed bits would do.
        let mixed = (digest ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 29
    })
}

/// Sets of owners that are united step by step (union-find, the lowest number at the root).
struct Groups(Vec<u32>);

impl Groups {
    fn new(owners: usize) -> Self {
        Self((0..owners as u32).collect())
    }

    fn lowest(&mut self, owner: u32) -> u32 {
        let mut root = owner;
        while self.0[root as usize] != root {
            let above = self.0[self.0[root as usize] as usize];
            self.0[root as usize] = above;
            root = above;
        }
        root
    }

    fn unite(&mut self, one: u32, other: u32) {
        let (one, other) = (self.lowest(one), self.lowest(other));
        self.0[one.max(other) as usize] = one.min(other);
    }
}
