//! Who is told besides the recipient, or instead of it.
//!
//! A network's owner may get a copy of what its customer is told ([`Notify`]): the copy is an alert for the network owner's own
//! registration, and says nothing of who else is registered. A link organisation may be told on behalf of a member
//! ([`LinkMode`]): that alert names the member, since the member asked for it in the register.
//!
//! Nobody gets a copy of what is held, or of what its label keeps to the recipient (AMBER+STRICT, RED).

use super::choose::{Evidence, Outcome, Owners, choose_network};
use super::decision::{Line, Rule};
use crate::index::OwnerIx;
use crate::moment::Day;
use crate::register::Role;

/// Whether the owner of the network hears what its user is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Notify {
    /// The recipient alone.
    #[default]
    First,
    /// Where that is a user, the network's owner too.
    UserAndNetwork,
}

/// What the link organisations of a recipient are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LinkMode {
    /// Nothing.
    #[default]
    Off,
    /// A copy each.
    Copy,
    /// All of it; the member is told only if none of them has a contact.
    Instead,
}

/// Who else is told, as the operator decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Copies {
    /// The network's owner.
    pub notify: Notify,
    /// Link organisations.
    pub link_mode: LinkMode,
}

impl Notify {
    /// All.
    pub const ALL: [Self; 2] = [Self::First, Self::UserAndNetwork];

    /// Its word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::UserAndNetwork => "user-and-network",
        }
    }
}

impl LinkMode {
    /// All.
    pub const ALL: [Self; 3] = [Self::Off, Self::Copy, Self::Instead];

    /// Its word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Copy => "copy",
            Self::Instead => "instead",
        }
    }
}

impl Copies {
    /// All who are told, the recipient first where it is among them; each once. As if the organisations in `without` were not
    /// registered.
    pub(super) fn lines<O: Owners>(
        self,
        told: Line,
        evidence: Evidence<'_>,
        days: (Day, Day),
        without: &[OwnerIx],
        owners: &O,
    ) -> Vec<Line> {
        let links = match self.link_mode {
            LinkMode::Off => Vec::new(),
            LinkMode::Copy | LinkMode::Instead => links_of(told, without, owners),
        };
        let instead = self.link_mode == LinkMode::Instead && !links.is_empty();
        let mut lines = if instead { Vec::new() } else { vec![told] };
        lines.extend(links);
        if self.notify == Notify::UserAndNetwork && told.rule.role() == Role::User {
            lines.extend(network_of(told, evidence, days, without, owners));
        }
        let mut seen: Vec<OwnerIx> = Vec::new();
        lines.retain(|line| {
            let is_new = !seen.contains(&line.owner);
            seen.push(line.owner);
            is_new
        });
        lines
    }
}

/// A line for each link organisation of the entry that is told, through an entry of it that has a contact.
fn links_of<O: Owners>(told: Line, without: &[OwnerIx], owners: &O) -> Vec<Line> {
    let organisation = owners.organisation(told.owner);
    let is_other = |link: &OwnerIx| {
        let link = owners.organisation(*link);
        link != organisation && !without.contains(&link)
    };
    let others = owners.links(told.owner).into_iter().filter(is_other);
    let entry = |link: OwnerIx| {
        let mut entries = std::iter::once(link).chain(owners.united(owners.organisation(link)));
        entries.find(|&entry| owners.has_contact(entry))
    };
    let line = |owner| Line { owner, rule: Rule::Link, member: Some(told.owner), ..told };
    others.filter_map(entry).map(line).collect()
}

/// The line of the network's owner, if both days name the same one, another than the user.
fn network_of<O: Owners>(
    told: Line,
    evidence: Evidence<'_>,
    days: (Day, Day),
    without: &[OwnerIx],
    owners: &O,
) -> Option<Line> {
    let winner = |day| match choose_network(evidence, day, without, owners) {
        Outcome::Winner(line) => Some(line),
        _ => None,
    };
    let organisation = |line: &Line| owners.organisation(line.claim.owner);
    let (then, now) = (winner(days.0)?, winner(days.1)?);
    (organisation(&then) == organisation(&now) && organisation(&now) != organisation(&told)).then_some(now)
}
