//! Whether what a user registers can be a user's, and whether anybody looked at it lately.

use super::Lint;
use crate::moment::Day;
use crate::net::{Family, Range};
use crate::register::owner::{Ground, Key, Registration, Role, Scope};
use crate::register::report::FindingKind;
use crate::register::shared::SharedKind;
use crate::text;

/// Verified longer ago than this is unverified.
const VERIFIED_DAYS_MAX: i32 = 366;
/// The shortest prefixes that a user by default plausibly has.
const USER_LENGTH_MIN: [(Family, u8); 2] = [(Family::V4, 20), (Family::V6, 36)];
/// Inside a user's range there are fewer other organisations than this.
const OTHERS_MAX: usize = 3;
/// How many registrations inside a range are looked at.
const INSIDE_MAX: usize = 10_000;
/// The longest IPv6 prefix that is a network.
const NETWORK_LENGTH_MAX: u8 = 64;

impl Lint<'_> {
    pub(super) fn check_verified(&mut self, registration: &Registration, today: Day) {
        let is_old = |verified: &Day| verified.number() < today.number() - VERIFIED_DAYS_MAX;
        let verified = registration.verified.filter(|_| registration.scope == Scope::Stated);
        if let Some(verified) = verified.filter(is_old) {
            self.find(FindingKind::Unverified, registration, |key, id| {
                format!("{key} of {id} was last verified on {verified} (ask whether it is still theirs)")
            });
        }
    }

    pub(super) fn check_long_prefix(&mut self, registration: &Registration) {
        let Key::Range(range) = registration.key else { return };
        let is_long =
            range.family() == Family::V6 && range.size_less_one() < (1 << (128 - NETWORK_LENGTH_MAX)) - 1;
        if is_long && registration.role == Role::User {
            self.find(FindingKind::LongPrefix, registration, |key, id| {
                format!("{key} of {id} is less than a /64, and hosts move inside one (register the /64)")
            });
        }
    }

    /// KVK numbers and contacts of owners.
    pub(super) fn check_owners(&mut self) {
        let register = self.register;
        for owner in &register.owners {
            let file = &register.sources[usize::from(owner.source)];
            if let Some(kvk) = owner.kvk.as_deref().filter(|kvk| is_placeholder(kvk)) {
                self.findings.push(FindingKind::KvkForm, file, owner.line, || {
                    format!(
                        "kvk {kvk} of {} is no number that is given out (leave it empty, or correct it)",
                        owner.id
                    )
                });
            }
            if owner.ground == Some(Ground::Other) {
                let known = Ground::ALL.map(Ground::as_str)[..Ground::ALL.len() - 1].join(", ");
                self.findings.push(FindingKind::UnknownGround, file, owner.line, || {
                    format!(
                        "the ground of {} is none of {known}: its alerts will be held (correct it)",
                        owner.id
                    )
                });
            }
            for contact in owner.contacts.iter().filter(|contact| !is_deliverable(contact)) {
                self.findings.push(FindingKind::BadContact, file, owner.line, || {
                    let shown = text::show(contact.as_bytes(), 60);
                    format!("contact {shown} of {} cannot be delivered to (correct it)", owner.id)
                });
            }
        }
    }

    /// Ranges that are a user's by default alone, and may be a network's.
    pub(super) fn check_users(&mut self) {
        let registrations = &self.register.registrations;
        let mut ranges: Vec<(Range, u32)> = Vec::with_capacity(registrations.len());
        for (registration, number) in registrations.iter().zip(0..) {
            if let Key::Range(range) = registration.key {
                ranges.push((range, number));
            }
        }
        ranges.sort_unstable();
        for registration in registrations.iter().filter(|it| it.role == Role::User && !it.is_role_stated) {
            let Key::Range(range) = registration.key else { continue };
            if is_wide(range) {
                self.find(FindingKind::UserTooWide, registration, |key, id| {
                    format!("{key} of {id} is wide for a user (state its role: user, or network if others are in it)")
                });
                continue;
            }
            let others = self.others_inside(registration, range, &ranges);
            if others >= OTHERS_MAX {
                self.find(FindingKind::UserTooWide, registration, |key, id| {
                    format!("{key} of {id} has {others} other organisations inside (state its role: user, or network)")
                });
            }
        }
    }

    /// How many other organisations register something inside, up to [`OTHERS_MAX`].
    fn others_inside(&self, registration: &Registration, range: Range, ranges: &[(Range, u32)]) -> usize {
        let organisation = |it: &Registration| self.register.owners[it.owner as usize].organisation;
        let start = ranges.partition_point(|(other, _)| other.first() < range.first());
        let near =
            ranges[start..].iter().take(INSIDE_MAX).take_while(|(other, _)| other.first() <= range.last());
        let mut others: Vec<u32> = Vec::new();
        for (other, number) in near {
            let of = organisation(&self.register.registrations[*number as usize]);
            let counts = range.contains(*other) && *other != range && of != organisation(registration);
            if counts && others.len() < OTHERS_MAX && !others.contains(&of) {
                others.push(of);
            }
        }
        others.len()
    }

    /// Addresses of clouds belong to whoever rents them now.
    pub(super) fn check_cloud(&mut self, registration: &Registration) {
        let Key::Range(range) = registration.key else { return };
        let is_cloud = |address| self.register.shared.kind_of(address) == Some(SharedKind::Cloud);
        let may_be = registration.role == Role::User && registration.valid_until.is_none();
        if may_be && is_cloud(range.first()) && is_cloud(range.last()) {
            self.find(FindingKind::CloudWithoutEnd, registration, |key, id| {
                format!("{key} of {id} is a cloud's and may be another's tomorrow (give it a valid_until)")
            });
        }
    }
}

fn is_wide(range: Range) -> bool {
    let length =
        USER_LENGTH_MIN.iter().find(|(family, _)| *family == range.family()).map_or(0, |(_, length)| *length);
    range.size_less_one() > (1 << (range.family().address_bits() - length)) - 1
}

/// All digits the same, or counted up: what is typed to get past a form.
fn is_placeholder(kvk: &str) -> bool {
    kvk == "12345678" || kvk.bytes().all(|digit| Some(digit) == kvk.bytes().next())
}

/// Whether an address of mail may be one on the Internet: its reader has checked the form only lightly.
fn is_deliverable(contact: &str) -> bool {
    let Some((local, domain)) = contact.rsplit_once('@') else { return false };
    let has_dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    !has_dots && domain.trim_end_matches('.').contains('.') && local.len() <= 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_undeliverable_addresses_are_told_apart() {
        assert!(["00000000", "11111111", "12345678"].iter().all(|kvk| is_placeholder(kvk)));
        assert!(!is_placeholder("90000001"));
        assert!(["a@b.nl", "a.b+c@d.e.nl"].iter().all(|contact| is_deliverable(contact)));
        assert!([".a@b.nl", "a.@b.nl", "a..b@c.nl", "a@localhost", "a"].iter().all(|it| !is_deliverable(it)));
    }

    #[test]
    fn a_users_width_ends_at_20_and_36() {
        let wide = |text: &str| is_wide(Range::read(text.as_bytes()).unwrap());
        assert!(!wide("91.192.0.0/20") && wide("91.192.0.0/19") && wide("91.192.0.0 - 91.192.16.0"));
        assert!(!wide("2a02::/36") && wide("2a02::/35"));
    }
}
