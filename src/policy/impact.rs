//! Whose address space becomes whose by a new index: what the choice for an address comes to on one day, under both.
//!
//! Lists of registrations may differ and choose the same recipient, and be equal and choose another, since a contact is gone or
//! owners are united: so it is the choice that is compared. Names and AS numbers that records name are no space.

use super::choose::{Evidence, Outcome, choose};
use crate::index::{BothOwners, Claim, Index, ListIx, Named, OwnerIx, each_stretch};
use crate::moment::Day;
use crate::net::{Family, Range};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{AddAssign, SubAssign};
use std::path::Path;

/// Whom a finding about an address would be told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Whose {
    /// Nobody.
    Nobody,
    /// Nobody before a person decides: a conflict, or nobody has a contact.
    Held,
    /// An owner.
    Of(Named),
}

/// How much address space. It does not wrap around: there is no more than all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Space {
    /// IPv4 addresses.
    pub ipv4: u64,
    /// IPv6 addresses; one less than all there are at most.
    pub ipv6: u128,
}

impl Space {
    fn of(range: Range) -> Self {
        let addresses = range.size_less_one().saturating_add(1);
        match range.family() {
            Family::V4 => Self { ipv4: addresses as u64, ipv6: 0 },
            Family::V6 => Self { ipv4: 0, ipv6: addresses },
        }
    }

    /// IPv6 in /64s, of which a part counts whole: one network of hosts each.
    #[must_use]
    pub const fn ipv6_64s(self) -> u64 {
        self.ipv6.div_ceil(1 << 64) as u64
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The larger share of `whole`, by family; of a family in which there was nothing, none is a share.
    fn share(self, whole: Self) -> f64 {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        share(self.ipv4 as f64, whole.ipv4 as f64).max(share(self.ipv6 as f64, whole.ipv6 as f64))
    }
}

impl AddAssign for Space {
    fn add_assign(&mut self, other: Self) {
        self.ipv4 += other.ipv4;
        self.ipv6 = self.ipv6.saturating_add(other.ipv6);
    }
}

impl SubAssign for Space {
    fn sub_assign(&mut self, other: Self) {
        self.ipv4 = self.ipv4.saturating_sub(other.ipv4);
        self.ipv6 = self.ipv6.saturating_sub(other.ipv6);
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ipv4, self.ipv6_64s()) {
            (v4, 0) => write!(f, "{v4} IPv4 addresses"),
            (0, v6) => write!(f, "{v6} IPv6 /64s"),
            (v4, v6) => write!(f, "{v4} IPv4 addresses and {v6} IPv6 /64s"),
        }
    }
}

/// What becomes of one owner's space.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OwnerSpace {
    /// What was its own.
    pub before: Space,
    /// What was not, and is.
    pub gained: Space,
    /// What was, and is not.
    pub lost: Space,
}

impl OwnerSpace {
    /// What is its own.
    #[must_use]
    pub fn after(&self) -> Space {
        let mut after = self.before;
        after += self.gained;
        after -= self.lost;
        after
    }

    /// What moves.
    #[must_use]
    pub fn moved(&self) -> Space {
        let mut moved = self.gained;
        moved += self.lost;
        moved
    }
}

/// The space that becomes another's from one index to the next.
pub struct Impact<'i> {
    old: &'i Index,
    new: &'i Index,
    /// By who was told before and who is now.
    pub moves: BTreeMap<(Whose, Whose), Space>,
    /// All owners who are told of any address, before or now; those of whom nothing moves too.
    pub owners: BTreeMap<Named, OwnerSpace>,
    /// What was anybody's, or held.
    pub covered: Space,
    /// All that moves.
    pub moved: Space,
}

impl<'i> Impact<'i> {
    /// What changes from `old` to `new`, as the day sees both. Costs a pass over both and a choice for each of their lists.
    #[must_use]
    pub fn between(old: &'i Index, new: &'i Index, day: Day) -> Self {
        let both = BothOwners::of(old, new);
        let mut before = Choices::of(old, day, |owner| both.new_of(owner));
        let mut now = Choices::of(new, day, Named::New);
        let (moves, owners) = (BTreeMap::new(), BTreeMap::new());
        let mut impact = Self { old, new, moves, owners, covered: Space::default(), moved: Space::default() };
        each_stretch(old, new, |stretch| {
            impact.take(before.whose(stretch.old), now.whose(stretch.new), Space::of(stretch.range));
        });
        impact
    }

    fn take(&mut self, before: Whose, now: Whose, space: Space) {
        if before != Whose::Nobody {
            self.covered += space;
        }
        if let Whose::Of(owner) = before {
            self.owners.entry(owner).or_default().before += space;
        }
        if before == now {
            return;
        }
        self.moved += space;
        *self.moves.entry((before, now)).or_default() += space;
        if let Whose::Of(owner) = before {
            self.owners.entry(owner).or_default().lost += space;
        }
        if let Whose::Of(owner) = now {
            self.owners.entry(owner).or_default().gained += space;
        }
    }

    /// The owner_id, or a word where it is nobody's.
    #[must_use]
    pub fn name(&self, whose: Whose) -> &'i str {
        match whose {
            Whose::Nobody => "nobody",
            Whose::Held => "(held)",
            Whose::Of(owner) => self.id(owner),
        }
    }

    /// The owner_id.
    #[must_use]
    pub fn id(&self, owner: Named) -> &'i str {
        match owner {
            Named::New(owner) => self.new.owner(owner).id,
            Named::Old(owner) => self.old.owner(owner).id,
        }
    }

    /// Refuses a change that moves more than this share of all that was covered, or of what was one owner's, unless it is the
    /// very one that is accepted.
    ///
    /// Families are not added up. What is all new (an owner, or the first of a family) is a share of nothing, and counts where
    /// it takes from others.
    ///
    /// # Errors
    /// When it moves more; the message names the largest movers and what accepts this very change.
    pub fn check(&self, share_max: f64, accepted: Option<&str>) -> Result<(), TooMuch> {
        let share = self.moved.share(self.covered);
        let movers = || self.owners.iter().filter(|(_, space)| !space.moved().is_empty());
        let mut over: Vec<(f64, Named, &OwnerSpace)> = movers()
            .map(|(owner, space)| (space.moved().share(space.before), *owner, space))
            .filter(|(of_own, ..)| share > share_max || *of_own > share_max)
            .collect();
        let hash = change_hash(self.old, self.new);
        if (share <= share_max && over.is_empty()) || accepted == Some(&hash[..]) {
            return Ok(());
        }
        over.sort_by_key(|(_, owner, space)| (std::cmp::Reverse(space.moved()), *owner));
        let said = |(of_own, owner, space): &(f64, Named, &OwnerSpace)| {
            let id = self.id(*owner);
            let whole = if space.before.is_empty() { ", all new".to_owned() } else { percent(*of_own) };
            format!("{id} gains {} and loses {}{whole}", space.gained, space.lost)
        };
        Err(TooMuch {
            share,
            share_max,
            hash,
            movers: over.iter().take(MOVERS_MAX).map(said).collect(),
            movers_count: over.len(),
        })
    }
}

/// As [`Impact::check`], of an index that is to be written over what is at `path`; without a share nothing is compared, and an index
/// that is missing or cannot be read is no obstacle.
///
/// # Errors
/// When it moves more.
pub fn check_change(
    path: &Path,
    new: &Index,
    day: Day,
    share_max: Option<f64>,
    accepted: Option<&str>,
) -> Result<(), TooMuch> {
    let Some(share_max) = share_max else { return Ok(()) };
    match Index::open(path) {
        Ok(old) if old.id() != new.id() => Impact::between(&old, new, day).check(share_max, accepted),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Movers that are named.
const MOVERS_MAX: usize = 5;

fn percent(share: f64) -> String {
    format!(" ({:.1} % of its own)", share * 100.0)
}

/// What names the change from exactly this index to exactly that one: 16 hexadecimal digits.
fn change_hash(old: &Index, new: &Index) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&old.id()).update(&new.id());
    hasher.finalize().to_hex()[..16].to_owned()
}

/// A new index moves more of the space than may move without a person's word.
#[derive(Debug)]
pub struct TooMuch {
    share: f64,
    share_max: f64,
    /// What accepts exactly this change.
    pub hash: String,
    movers: Vec<String>,
    movers_count: usize,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, share_max, hash, movers, movers_count } = self;
        let more = match movers_count - movers.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        write!(
            f,
            "the new index would move {:.1} % of the registered space, and more than [register] change_max = {share_max} of \
             all or of one owner's: {}{more} (the old index stays; build with another -o and look with dijkwacht index diff, \
             or accept exactly this change: dijkwacht index build --accept-changes {hash})",
            share * 100.0,
            movers.join("; "),
        )
    }
}

impl std::error::Error for TooMuch {}

/// What the choice comes to for each list of an index; lists repeat.
struct Choices<'i, N> {
    index: &'i Index,
    day: Day,
    name: N,
    known: HashMap<ListIx, Whose>,
    claims: Vec<Claim>,
}

impl<'i, N: Fn(OwnerIx) -> Named> Choices<'i, N> {
    fn of(index: &'i Index, day: Day, name: N) -> Self {
        Self { index, day, name, known: HashMap::new(), claims: Vec::new() }
    }

    fn whose(&mut self, list: ListIx) -> Whose {
        if let Some(whose) = self.known.get(&list) {
            return *whose;
        }
        self.claims.clear();
        self.claims.extend(self.index.listed(list));
        let whose = match choose(Evidence::of_address(&self.claims), self.day, self.index) {
            Outcome::Nobody => Whose::Nobody,
            Outcome::Winner(line) => Whose::Of((self.name)(line.owner)),
            Outcome::Conflict(_) | Outcome::NoContact(_) => Whose::Held,
        };
        self.known.insert(list, whose);
        whose
    }
}
