//! What is registered against what public databases say.

use super::Lint;
use crate::net::{Asn, Family, Range};
use crate::register::owner::{Key, Registration, Role, Scope};
use crate::register::report::FindingKind;
use std::collections::{HashMap, HashSet};

/// AS numbers that nobody is given: documentation, private use, transition (IANA's special-purpose AS numbers).
const SPECIAL_ASNS: [(u32, u32); 7] = [
    (0, 0),
    (23_456, 23_456),
    (64_496, 64_511),
    (64_512, 65_534),
    (65_535, 65_551),
    (4_200_000_000, 4_294_967_294),
    (u32::MAX, u32::MAX),
];

impl Lint<'_> {
    /// Stated ranges against those of the RIPE database.
    pub(super) fn check_public(&mut self) {
        let register = self.register;
        let mut ranges: Vec<(Range, u32)> = Vec::new();
        let mut allocated: HashMap<u32, Vec<Range>> = HashMap::new();
        for (registration, number) in register.registrations.iter().zip(0..) {
            let Key::Range(range) = registration.key else { continue };
            ranges.push((range, number));
            if registration.scope != Scope::Stated {
                allocated.entry(self.organisation(registration)).or_default().push(range);
            }
        }
        if allocated.is_empty() {
            return;
        }
        allocated.values_mut().for_each(|ranges| ranges.sort_unstable());
        for registration in register.registrations.iter().filter(|it| it.scope == Scope::Stated) {
            let Key::Range(range) = registration.key else { continue };
            let own = allocated.get(&self.organisation(registration)).map_or(&[][..], Vec::as_slice);
            if own.iter().any(|other| other.overlaps(range)) && !is_covered(range, own) {
                self.find(FindingKind::WiderThanAllocation, registration, |key, id| {
                    format!(
                        "{key} is wider than what {id} has in the RIPE database (register what is theirs)"
                    )
                });
            }
        }
        ranges.sort_unstable_by_key(|&(range, number)| {
            (range.first(), std::cmp::Reverse(range.last()), number)
        });
        self.check_newer(&ranges);
    }

    /// Users inside a foreign organisation's RIPE object that is newer: the nearest one around counts.
    fn check_newer(&mut self, ranges: &[(Range, u32)]) {
        let register = self.register;
        let mut open: Vec<(Range, &Registration)> = Vec::new();
        for &(range, number) in ranges {
            let registration = &register.registrations[number as usize];
            while open.pop_if(|(around, _)| around.last() < range.first()).is_some() {}
            if registration.scope != Scope::Stated {
                open.push((range, registration));
                continue;
            }
            let around =
                open.iter().rev().find(|(around, _)| around.contains(range)).map(|(_, around)| *around);
            let is_newer = |around: &&Registration| {
                self.organisation(around) != self.organisation(registration)
                    && around.verified.is_some_and(|changed| {
                        registration.verified.is_none_or(|verified| verified < changed)
                    })
            };
            let Some(around) = around.filter(|_| registration.role == Role::User).filter(is_newer) else {
                continue;
            };
            let (other, whole, changed) = (self.id(around), &around.key, around.verified);
            let changed = changed.map(|day| day.to_string()).unwrap_or_default();
            self.find(FindingKind::InsideNewer, registration, |key, id| {
                format!(
                    "{key} of {id} lies in {whole} of {other}, changed on {changed} (verify whose it is now)"
                )
            });
        }
    }

    /// AS numbers that nobody has, or that announce nothing.
    pub(super) fn check_asns(&mut self) {
        let register = self.register;
        let origins = &register.origins;
        let announced: HashSet<Asn> = origins.pairs().iter().map(|pair| pair.1).collect();
        for registration in register.registrations.iter().filter(|it| it.scope == Scope::Stated) {
            let Key::Asn(asn) = registration.key else { continue };
            let is_special = SPECIAL_ASNS.iter().any(|&(first, last)| (first..=last).contains(&asn.0));
            if is_special {
                self.find(FindingKind::AsnUnknown, registration, |key, id| {
                    format!("{key} of {id} is an AS number that nobody is given (correct it)")
                });
            } else if !origins.is_empty() && !announced.contains(&asn) {
                self.find(FindingKind::AsnUnknown, registration, |key, id| {
                    format!("{key} of {id} announces nothing in the tables (correct it, or remove it)")
                });
            }
        }
    }

    fn organisation(&self, registration: &Registration) -> u32 {
        self.register.owners[registration.owner as usize].organisation
    }
}

/// Whether sorted ranges hold all of a range together.
fn is_covered(range: Range, sorted: &[Range]) -> bool {
    let mut next = Some(range.first().bits());
    for part in sorted.iter().filter(|part| part.family() == range.family()) {
        let Some(wanted) = next else { return true };
        if part.first().bits() > wanted {
            break;
        }
        if part.last().bits() >= wanted {
            next = part.last().bits().checked_add(1);
        }
    }
    next.is_none_or(|wanted| wanted > range.last().bits() || is_past(range.family(), wanted))
}

fn is_past(family: Family, bits: u128) -> bool {
    bits > family.highest_bits()
}
