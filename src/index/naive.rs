//! The oracle: lookups by linear search, straight from the rules.
//!
//! It shares nothing with the index but the types, and is not fast: for tests and for doubt.

use std::cmp::Ordering;

use crate::net::{Address, Prefix, special_blocks, special_exceptions};
use crate::register::{Key, Register, Registration};

/// All registrations that hold the address, in the order that [`Index::covering`](super::Index::covering) gives.
#[must_use]
pub fn covering(register: &Register, address: Address) -> Vec<&Registration> {
    let mut found: Vec<_> = register.registrations.iter().filter(|row| holds(row, address)).collect();
    found.sort_by(|a, b| compare(register, a, b));
    found
}

/// Whether the registration holds the address: the address lies in it and, if special, it lies in the special block.
#[must_use]
pub fn holds(registration: &Registration, address: Address) -> bool {
    let Key::Range(range) = &registration.key else { return false };
    let allowed = match address.special() {
        Some(block) => block.range().contains(*range),
        None => true,
    };
    range.holds(address) && allowed
}

/// All registrations that hold each address of the prefix, in the same order.
#[must_use]
pub fn covering_prefix(register: &Register, prefix: Prefix) -> Vec<&Registration> {
    let witnesses = witnesses(prefix);
    let holds_all = |row: &&Registration| {
        let Key::Range(range) = &row.key else { return false };
        range.contains(prefix.range()) && witnesses.iter().all(|&address| holds(row, address))
    };
    let mut found: Vec<_> = register.registrations.iter().filter(holds_all).collect();
    found.sort_by(|a, b| compare(register, a, b));
    found
}

/// Addresses of the prefix such that a range around it holds all of it if it holds these: its first, the first of each
/// special block inside, and the first after each exception.
fn witnesses(prefix: Prefix) -> Vec<Address> {
    let starts = special_blocks().iter().map(|block| block.first());
    let after = special_exceptions().iter().filter_map(|exception| {
        let last = exception.last();
        let next = last.bits().checked_add(1)?;
        (next <= last.family().highest_bits()).then(|| Address::from_bits(last.family(), next))
    });
    std::iter::once(prefix.first())
        .chain(starts)
        .chain(after)
        .filter(|&address| prefix.holds(address))
        .collect()
}

/// All registrations that hold a part of the prefix and do not reach around it, in no order.
#[must_use]
pub fn inside(register: &Register, prefix: Prefix) -> Vec<&Registration> {
    let whole = prefix.range();
    let is_inside = |row: &&Registration| {
        let Key::Range(range) = &row.key else { return false };
        !range.contains(whole) && range.held_parts().iter().any(|part| part.overlaps(whole))
    };
    register.registrations.iter().filter(is_inside).collect()
}

/// All registrations of domains that hold the name, in no order: it is the domain, or ends in it after a dot.
#[must_use]
pub fn covering_name<'r>(register: &'r Register, host: &str) -> Vec<&'r Registration> {
    let holds = |row: &&Registration| match &row.key {
        Key::Domain(domain) => host == domain || host.ends_with(&format!(".{domain}")),
        _ => false,
    };
    register.registrations.iter().filter(holds).collect()
}

/// Fewest addresses first, then the earlier source, then the earlier line, then by first address, role, owner and dates.
fn compare(register: &Register, a: &Registration, b: &Registration) -> Ordering {
    let size = |row: &Registration| match &row.key {
        Key::Range(range) => range.size_less_one(),
        _ => 0,
    };
    let first = |row: &Registration| match &row.key {
        Key::Range(range) => range.first().bits(),
        _ => 0,
    };
    let owner = |row: &Registration| register.owners[row.owner as usize].id.as_str().to_ascii_lowercase();
    let dates = |row: &Registration| (row.valid_from, row.valid_until, row.verified);
    size(a)
        .cmp(&size(b))
        .then_with(|| a.source.cmp(&b.source))
        .then_with(|| a.line.cmp(&b.line))
        .then_with(|| first(a).cmp(&first(b)))
        .then_with(|| a.role.cmp(&b.role))
        .then_with(|| owner(a).cmp(&owner(b)))
        .then_with(|| dates(a).cmp(&dates(b)))
}
