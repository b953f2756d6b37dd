//! What changes between two indexes: whose addresses, which owners, which registrations.
//!
//! Both are walked at once, interval by interval ([`each_stretch`]). Two intervals agree when their lists name the same owners, in
//! the same order, as the same roles with the same validity.

use std::collections::HashMap;

use super::coverage::{Coverage, range_of};
use super::flatten::Bits;
use super::{ClaimKey, Covering, Index, OwnerIx};
use crate::moment::Day;
use crate::net::{Asn, Family, Range};
use crate::register::Role;

/// What happens to addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChangeKind {
    /// Nobody held them; now somebody does.
    Gained,
    /// Somebody held them; now nobody does.
    Lost,
    /// Their registrations are others.
    Changed,
}

/// A range of addresses that changes in one way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// How.
    pub kind: ChangeKind,
    /// Which addresses.
    pub range: Range,
    /// The owners in the old index, most specific first, each once.
    pub old: Vec<OwnerIx>,
    /// The owners in the new index.
    pub new: Vec<OwnerIx>,
}

/// The difference between two indexes.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// Addresses that were held by nobody.
    pub gained: Coverage,
    /// Addresses that are held by nobody any more.
    pub lost: Coverage,
    /// Addresses whose registrations are others.
    pub changed: Coverage,
    /// The changes, IPv4 first, in order of address, neighbours different; at most [`CHANGES_MAX`](Self::CHANGES_MAX), while the sets above are whole.
    pub changes: Vec<Change>,
    /// owner_ids that are new.
    pub owners_added: Vec<String>,
    /// owner_ids that are gone.
    pub owners_removed: Vec<String>,
    /// owner_ids of which something else changed: name, constituency, sector, contacts, links, or whom they are united with.
    pub owners_changed: Vec<String>,
    /// Registrations of any kind that only the new one has, whatever their source and line.
    pub registrations_added: u64,
    /// Registrations of any kind that only the old one has.
    pub registrations_removed: u64,
    /// Whether the ids differ. They may although all else is equal: when only the order of sources changed.
    pub ids_differ: bool,
}

impl Difference {
    /// Most changes that are listed.
    pub const CHANGES_MAX: usize = 1 << 20;

    /// What changes from `old` to `new`. Costs a few passes over both.
    #[must_use]
    pub fn between(old: &Index, new: &Index) -> Self {
        let mut difference = Self { ids_differ: old.id() != new.id(), ..Self::default() };
        if !difference.ids_differ {
            return difference;
        }
        let owners = BothOwners::of(old, new);
        difference.compare_owners(old, new, &owners);
        difference.compare_registrations(old, new, &owners);
        let mut walk = Walk { old, new, owners: &owners, difference: &mut difference, kinds: HashMap::new() };
        each_stretch(old, new, |stretch| walk.take(stretch));
        difference
    }

    /// Whether both decide equally.
    #[must_use]
    pub fn is_none(&self) -> bool {
        !self.ids_differ
    }

    fn compare_owners(&mut self, old: &Index, new: &Index, owners: &BothOwners) {
        for owner in new.owners().filter(|&owner| !owners.is_old(owner)) {
            self.owners_added.push(new.owner(owner).id.to_owned());
        }
        for owner in old.owners() {
            let id = old.owner(owner).id;
            match owners.new_of(owner) {
                Named::Old(_) => self.owners_removed.push(id.to_owned()),
                Named::New(now) if !same_owner(old, owner, new, now) => {
                    self.owners_changed.push(new.owner(now).id.to_owned())
                }
                Named::New(_) => {}
            }
        }
    }

    fn compare_registrations(&mut self, old: &Index, new: &Index, owners: &BothOwners) {
        let mut before = registrations(old, |owner| owners.new_of(owner));
        let mut after = registrations(new, Named::New);
        before.sort_unstable();
        after.sort_unstable();
        let (mut before, mut after) = (before.into_iter().peekable(), after.into_iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(before), Some(after)) => before.cmp(after),
            };
            if order.is_le() {
                before.next();
            }
            if order.is_ge() {
                after.next();
            }
            self.registrations_removed += u64::from(order.is_lt());
            self.registrations_added += u64::from(order.is_gt());
        }
    }
}

/// An owner of either index, by its position in the new one if it is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Named {
    /// In the new index, and perhaps in the old one.
    New(OwnerIx),
    /// In the old index only.
    Old(OwnerIx),
}

/// Which owners of the old index are in the new one: those of the same owner_id, in any case.
#[derive(Debug)]
pub struct BothOwners {
    new_of: Vec<Named>,
    is_old: Vec<bool>,
}

impl BothOwners {
    /// The owners of both.
    #[must_use]
    pub fn of(old: &Index, new: &Index) -> Self {
        let mut is_old = vec![false; new.owners().len()];
        let name = |owner| match new.owner_of_id(old.owner(owner).id) {
            Some(now) => {
                is_old[now.0 as usize] = true;
                Named::New(now)
            }
            None => Named::Old(owner),
        };
        let new_of = old.owners().map(name).collect();
        Self { new_of, is_old }
    }

    /// An owner of the old index.
    ///
    /// # Panics
    /// When the position is not from that index.
    #[must_use]
    pub fn new_of(&self, old: OwnerIx) -> Named {
        self.new_of[old.0 as usize]
    }

    fn is_old(&self, new: OwnerIx) -> bool {
        self.is_old[new.0 as usize]
    }
}

/// Whether an owner is told, and united, as before.
fn same_owner(old: &Index, before: OwnerIx, new: &Index, now: OwnerIx) -> bool {
    let (a, b) = (old.owner(before), new.owner(now));
    let united = |index: &Index, owner| {
        index.united(owner).map(|owner| index.owner(owner).id.to_ascii_lowercase()).collect::<Vec<_>>()
    };
    (a.id, a.name, a.constituency, a.ground, a.sector) == (b.id, b.name, b.constituency, b.ground, b.sector)
        && a.contacts().eq(b.contacts())
        && a.links().eq(b.links())
        && united(old, before) == united(new, now)
}

/// What is registered, comparable over indexes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What<'i> {
    Range(Family, u128, u128),
    Domain(&'i str),
    Asn(Asn),
}

type Dates = [Option<Day>; 3];

fn registrations<'i>(
    index: &'i Index,
    name: impl Fn(OwnerIx) -> Named,
) -> Vec<(What<'i>, Named, Role, Dates)> {
    let mut all = Vec::with_capacity(index.counts().registrations as usize);
    for claim in index.claims() {
        let ClaimKey::Range(range) = claim.key else { continue };
        let what = What::Range(range.family(), range.first().bits(), range.last().bits());
        all.push((
            what,
            name(claim.owner),
            claim.role,
            [claim.valid_from, claim.valid_until, claim.verified],
        ));
    }
    for claim in index.domains() {
        let dates = [claim.valid_from, claim.valid_until, claim.verified];
        all.push((What::Domain(claim.domain), name(claim.owner), claim.role, dates));
    }
    for claim in index.asns() {
        let dates = [claim.valid_from, claim.valid_until, claim.verified];
        all.push((What::Asn(claim.asn), name(claim.owner), claim.role, dates));
    }
    all
}

/// Addresses that both indexes hold alike all along: by one list of registrations in each, of which one may be empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// The addresses.
    pub range: Range,
    /// The list of the old index.
    pub old: ListIx,
    /// The list of the new index.
    pub new: ListIx,
}

/// Position of a list of registrations in an index. Where equal, the registrations are; the converse does not hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ListIx(u32);

impl Index {
    /// The registrations of a list of this index, in the order of [`Index::covering`].
    pub fn listed(&self, list: ListIx) -> Covering<'_> {
        self.finder().list(list.0)
    }
}

/// Calls with each stretch that any of the two holds, IPv4 first, in order of address.
pub fn each_stretch(old: &Index, new: &Index, mut call: impl FnMut(Stretch)) {
    stretches(Family::V4, &old.intervals4(), &new.intervals4(), &mut call);
    stretches(Family::V6, &old.intervals6(), &new.intervals6(), &mut call);
}

fn stretches<K: Bits + Into<u128>>(
    family: Family,
    old: &[(K, u32)],
    new: &[(K, u32)],
    call: &mut impl FnMut(Stretch),
) {
    let mut borders: Vec<K> = old.iter().chain(new).map(|&(first, _)| first).collect();
    borders.sort_unstable();
    borders.dedup();
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    let mut heads = (0, 0);
    for (at, &first) in borders.iter().enumerate() {
        if let Some(&(_, head)) = old.next_if(|interval| interval.0 == first) {
            heads.0 = head;
        }
        if let Some(&(_, head)) = new.next_if(|interval| interval.0 == first) {
            heads.1 = head;
        }
        let last = borders.get(at + 1).map_or(K::LAST, |next| next.before());
        if heads != (0, 0)
            && let Some(range) = range_of(family, first.into(), last.into())
        {
            call(Stretch { range, old: ListIx(heads.0), new: ListIx(heads.1) });
        }
    }
}

/// The walk over the stretches of both.
struct Walk<'i> {
    old: &'i Index,
    new: &'i Index,
    owners: &'i BothOwners,
    difference: &'i mut Difference,
    /// By old and new head: what happens, `None` if nothing does. Heads repeat.
    kinds: HashMap<(u32, u32), Option<ChangeKind>>,
}

impl Walk<'_> {
    fn take(&mut self, Stretch { range, old, new }: Stretch) {
        let heads = (old.0, new.0);
        if let Some(kind) = self.kind(heads) {
            self.push(kind, range, heads);
        }
    }

    fn kind(&mut self, heads: (u32, u32)) -> Option<ChangeKind> {
        let (old, new, owners) = (self.old, self.new, self.owners);
        *self.kinds.entry(heads).or_insert_with(|| match heads {
            (0, 0) => None,
            (0, _) => Some(ChangeKind::Gained),
            (_, 0) => Some(ChangeKind::Lost),
            (before, after) => {
                let before = old.finder().list(before).map(|claim| {
                    (owners.new_of(claim.owner), claim.role, claim.valid_from, claim.valid_until)
                });
                let after = new
                    .finder()
                    .list(after)
                    .map(|claim| (Named::New(claim.owner), claim.role, claim.valid_from, claim.valid_until));
                (!before.eq(after)).then_some(ChangeKind::Changed)
            }
        })
    }

    fn push(&mut self, kind: ChangeKind, range: Range, heads: (u32, u32)) {
        let (family, ends) = (range.family(), (range.first().bits(), range.last().bits()));
        let difference = &mut *self.difference;
        match kind {
            ChangeKind::Gained => &mut difference.gained,
            ChangeKind::Lost => &mut difference.lost,
            ChangeKind::Changed => &mut difference.changed,
        }
        .push(family, ends.0, ends.1);
        let (old, new) = (owners_of(self.old, heads.0), owners_of(self.new, heads.1));
        if let Some(last) = difference.changes.last_mut()
            && last.range.last().bits().wrapping_add(1) == ends.0
            && last.range.family() == family
            && (last.kind, &last.old, &last.new) == (kind, &old, &new)
            && let Some(joined) = range_of(family, last.range.first().bits(), ends.1)
        {
            last.range = joined;
        } else if difference.changes.len() < Difference::CHANGES_MAX {
            difference.changes.push(Change { kind, range, old, new });
        }
    }
}

/// The owners of a list, each once.
fn owners_of(index: &Index, head: u32) -> Vec<OwnerIx> {
    let mut owners = Vec::new();
    for claim in index.finder().list(head) {
        if !owners.contains(&claim.owner) {
            owners.push(claim.owner);
        }
    }
    owners
}
