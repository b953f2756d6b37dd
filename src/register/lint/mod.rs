//! What is allowed but unwise: it never fails a build, but a person should look at it once.
//!
//! All of it is near-linear in the number of registrations: they are sorted once, and swept.

mod public;
mod usage;

use crate::moment::Day;
use crate::net::{Address, Family, Prefix, Range, special_blocks};
use crate::register::Register;
use crate::register::owner::{Key, Registration, Role};
use crate::register::report::{FindingKind, Findings};
use std::collections::BTreeMap;

/// Widest IPv4 range that one organisation plausibly holds: a /8, as the first universities and firms got.
const IPV4_WIDEST_LENGTH: u8 = 8;
/// Widest IPv6 range that one organisation plausibly holds: a /19, the largest allocations in Europe.
const IPV6_WIDEST_LENGTH: u8 = 19;
/// What expires within so many days is told.
const SOON_DAYS: i32 = 30;
/// Rivals of one registration that are looked at before it is called harmless.
const RIVALS_MAX: usize = 64;

/// Finds what is allowed but unwise; `today` decides what has expired.
///
/// Of equal registrations the finding stands at the later line, of crossing ones at that with the higher first address; one
/// rival is named for each.
///
/// ```
/// use dijkwacht::moment::Day;
/// use dijkwacht::register::{ReadOptions, Register, lint};
///
/// let text = "owner_id,network,contact\na,192.0.2.0/24,a@example.nl\nb,192.0.2.0/24,b@example.nl\n";
/// let (register, _) = Register::read_bytes(&[("r.csv", text.as_bytes())], &ReadOptions::default()).unwrap();
/// let findings = lint(&register, Day::read(b"2026-11-22").unwrap());
/// assert!(findings.iter().any(|it| it.text.starts_with("192.0.2.0/24 of b is also registered by a on line 2")));
/// ```
pub fn lint(register: &Register, today: Day) -> Findings {
    lint_with(register, &LintOptions { today, clouds: &[] })
}

/// What lint knows beside the register.
#[derive(Clone, Copy, Debug)]
pub struct LintOptions<'o> {
    /// Decides what has expired, and what was not verified for too long.
    pub today: Day,
    /// Addresses of clouds.
    pub clouds: &'o [Range],
}

/// As [`lint`], with more to go by.
pub fn lint_with(register: &Register, options: &LintOptions<'_>) -> Findings {
    let mut lint = Lint { register, findings: Findings::default() };
    for registration in &register.registrations {
        lint.check_width(registration);
        lint.check_special(registration);
        lint.check_expiry(registration, options.today);
        lint.check_verified(registration, options.today);
        lint.check_long_prefix(registration);
    }
    lint.check_contacts();
    lint.check_owners();
    lint.check_ranges();
    lint.check_names();
    lint.check_users();
    lint.check_clouds(options.clouds);
    lint.check_public();
    lint.check_asns();
    lint.findings
}

struct Lint<'r> {
    register: &'r Register,
    findings: Findings,
}

impl<'r> Lint<'r> {
    fn find(&mut self, kind: FindingKind, at: &Registration, text: impl FnOnce(&str, &str) -> String) {
        let (register, owner) = (self.register, at.owner as usize);
        let file = &register.sources[usize::from(at.source)];
        self.findings
            .push(kind, file, at.line, || text(&at.key.to_string(), register.owners[owner].id.as_str()));
    }

    fn check_width(&mut self, registration: &Registration) {
        let too_wide = match &registration.key {
            Key::Range(range) => range.size_less_one() > widest(range.family()),
            Key::Asn(_) | Key::Domain(_) => false,
        };
        if too_wide {
            self.find(FindingKind::TooWide, registration, |key, id| {
                format!("{key} of {id} is more than one organisation is likely to hold (register its parts)")
            });
        }
    }

    fn check_special(&mut self, registration: &Registration) {
        let Key::Range(range) = registration.key else { return };
        let Some(block) = first_special_in(range) else { return };
        if block.range().contains(range) {
            self.find(FindingKind::Special, registration, |key, id| {
                format!("{key} of {id} lies in {block}, which is nobody's on the Internet (is that meant?)")
            });
        } else {
            self.find(FindingKind::Special, registration, |key, id| {
                format!("{key} of {id} holds {block}, which is nobody's on the Internet and is cut out (register the rest)")
            });
        }
    }

    fn check_expiry(&mut self, registration: &Registration, today: Day) {
        if let Some(until) = registration.valid_until.filter(|&until| until < today) {
            self.find(FindingKind::Expired, registration, |key, id| {
                format!("{key} of {id} was valid until {until} (remove it, or give it a later day)")
            });
        }
        let is_soon = |until: &Day| (today.number()..=today.number() + SOON_DAYS).contains(&until.number());
        if let Some(until) = registration.valid_until.filter(is_soon) {
            self.find(FindingKind::ExpiresSoon, registration, |key, id| {
                format!("{key} of {id} is valid until {until} (ask whether it stays theirs)")
            });
        }
    }

    /// Owners with registrations in whose whole organisation nobody has a contact.
    fn check_contacts(&mut self) {
        let owners = &self.register.owners;
        let mut reachable = vec![false; owners.len()];
        for owner in owners.iter().filter(|owner| !owner.contacts.is_empty()) {
            reachable[owner.organisation as usize] = true;
        }
        let mut seen = vec![false; owners.len()];
        for registration in &self.register.registrations {
            let owner = registration.owner as usize;
            let reported = std::mem::replace(&mut seen[owner], true);
            if reported || reachable[owners[owner].organisation as usize] {
                continue;
            }
            self.find(FindingKind::NoContact, registration, |key, id| {
                format!("{id}, who registers {key}, has no contact, nor has its organisation (add one, or nobody is told)")
            });
        }
    }

    /// Equal and crossing ranges of different organisations in one role and source.
    fn check_ranges(&mut self) {
        let mut ranges: Vec<Place> = Vec::with_capacity(self.register.registrations.len());
        for (number, registration) in self.register.registrations.iter().enumerate() {
            if let Key::Range(range) = registration.key {
                ranges.push((registration.source, registration.role, range, number as u32));
            }
        }
        ranges.sort_unstable();
        for run in ranges.chunk_by(|one, other| one.2 == other.2 && (one.0, one.1) == (other.0, other.1)) {
            self.check_equal(run.iter().map(|place| place.3));
        }
        let family = |place: &Place| (place.0, place.1, place.2.family());
        for group in ranges.chunk_by(|one, other| family(one) == family(other)) {
            self.check_crossing(group);
        }
    }

    /// AS numbers and domains of different organisations in one role and source.
    fn check_names(&mut self) {
        let registrations = &self.register.registrations;
        let said = |number: u32| {
            let registration = &registrations[number as usize];
            (registration.source, registration.role, &registration.key)
        };
        let numbers = 0..registrations.len() as u32;
        let mut names: Vec<u32> =
            numbers.filter(|&number| !matches!(said(number).2, Key::Range(_))).collect();
        names.sort_by(|&one, &other| said(one).cmp(&said(other)));
        for run in names.chunk_by(|&one, &other| said(one) == said(other)) {
            self.check_equal(run.iter().copied());
        }
    }

    /// Registrations of one key, role and source, by line.
    fn check_equal(&mut self, run: impl Iterator<Item = u32> + Clone) {
        for (place, number) in run.clone().enumerate().skip(1) {
            let later = &self.register.registrations[number as usize];
            let Some(rival) = self.rival(later, run.clone().take(place)) else { continue };
            let (other, line) = (self.id(rival), rival.line);
            self.find(FindingKind::Conflict, later, |key, id| {
                format!("{key} of {id} is also registered by {other} on line {line} (decide whose it is: alerts would be held)")
            });
        }
    }

    /// Walks ranges of one role, source and family by first address, with all those open that may still cross one.
    fn check_crossing(&mut self, group: &[Place]) {
        let mut open: BTreeMap<(Address, u32), ()> = BTreeMap::new();
        for same_start in group.chunk_by(|one, other| one.2.first() == other.2.first()) {
            let start = same_start[0].2.first();
            while open.first_key_value().is_some_and(|(&(last, _), ())| last < start) {
                open.pop_first();
            }
            // What is open starts before these, and so crosses those that end after it.
            for &(_, _, range, number) in same_start {
                let crossed = open.range(..(range.last(), 0)).map(|(&(_, number), ())| number);
                let later = &self.register.registrations[number as usize];
                let Some(rival) = self.rival(later, crossed) else { continue };
                let (other, rival_key, line) = (self.id(rival), &rival.key, rival.line);
                self.find(FindingKind::Crossing, later, |key, id| {
                    format!("{key} of {id} crosses {rival_key} of {other} on line {line} (part them: alerts in both would be held)")
                });
            }
            open.extend(same_start.iter().map(|&(_, _, range, number)| ((range.last(), number), ())));
        }
    }

    /// The first of others that is another organisation's and valid on some same day.
    fn rival(&self, later: &Registration, others: impl Iterator<Item = u32>) -> Option<&'r Registration> {
        let register = self.register;
        let others = others.take(RIVALS_MAX).map(|number| &register.registrations[number as usize]);
        let organisation = |it: &Registration| register.owners[it.owner as usize].organisation;
        let mut rivals =
            others.filter(|other| organisation(other) != organisation(later) && other.meets(later));
        rivals.next()
    }

    fn id(&self, registration: &Registration) -> &'r str {
        self.register.owners[registration.owner as usize].id.as_str()
    }
}

/// Source, role, range and number of a registration: what the sweeps sort by.
type Place = (u16, Role, Range, u32);

/// The size, less one, of the widest plausible range.
fn widest(family: Family) -> u128 {
    let length = match family {
        Family::V4 => IPV4_WIDEST_LENGTH,
        Family::V6 => IPV6_WIDEST_LENGTH,
    };
    (1 << (family.address_bits() - length)) - 1
}

/// The first special block that shares an address with the range.
fn first_special_in(range: Range) -> Option<Prefix> {
    let blocks = special_blocks();
    let at = blocks.partition_point(|block| block.last() < range.first());
    blocks.get(at).copied().filter(|block| block.range().overlaps(range))
}
