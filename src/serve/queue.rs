//! What waits in the inbox, and in which order it is taken.
//!
//! A file is known from when it is first seen. It is *ready* once it is whole: announced (renamed into place, or closed after
//! writing), or unchanged for the settling time. Ready files are taken by priority, then by when they were written, then by
//! name. Nothing here touches the disk or reads a clock.
//!
//! FILE.toml is the report on FILE, and never taken for a dump. While it is not whole its dump is not ready either; a list of the
//! feed [`ONCE`] is not ready without one.

use crate::spool::{Arrival, ArrivalKind, ArrivalStamp, FeedName, ONCE, dump_of_report, report_name};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Files known at once; of more, the next listing tells.
pub(super) const QUEUE_FILES_MAX: usize = 250_000;

/// One file of the inbox.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct FileId {
    pub(super) feed: FeedName,
    pub(super) name: OsString,
}

/// How a file was noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Noticed {
    /// Renamed into place, or closed by its writer.
    Announced,
    /// It is there.
    Listed,
}

/// Which files a lane takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Size {
    Small,
    Any,
}

#[derive(Clone, Debug)]
struct Known {
    kind: ArrivalKind,
    stamp: ArrivalStamp,
    /// Since when it is as it is.
    since: Instant,
    is_ready: bool,
    priority: i32,
    /// The listing that last saw it.
    listing: u64,
}

/// Highest priority first, then the oldest, then by name.
type Rank = (Reverse<i32>, (i64, i64), Arc<FileId>);

#[derive(Debug)]
pub(super) struct Queue {
    settle: Duration,
    small_bytes_max: u64,
    known: HashMap<Arc<FileId>, Known>,
    small: BTreeSet<Rank>,
    large: BTreeSet<Rank>,
    unready: BTreeSet<(Instant, Arc<FileId>)>,
    /// Dumps that are whole and wait for the report on them.
    unreported: BTreeSet<Arc<FileId>>,
    listing: u64,
    is_over_full: bool,
    bytes: u64,
}

/// How much waits.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Depth {
    pub(super) ready: u64,
    pub(super) unready: u64,
    /// Whole, but a report on them is missing or not whole.
    pub(super) unreported: u64,
    pub(super) bytes: u64,
    pub(super) by_feed: BTreeMap<String, u64>,
    /// Of those that we could take.
    pub(super) oldest_changed: Option<i64>,
}

impl Queue {
    pub(super) fn new(settle: Duration, small_bytes_max: u64) -> Self {
        Self {
            settle,
            small_bytes_max,
            known: HashMap::new(),
            small: BTreeSet::new(),
            large: BTreeSet::new(),
            unready: BTreeSet::new(),
            unreported: BTreeSet::new(),
            listing: 0,
            is_over_full: false,
            bytes: 0,
        }
    }

    pub(super) fn configure(&mut self, settle: Duration, small_bytes_max: u64) {
        (self.settle, self.small_bytes_max) = (settle, small_bytes_max);
    }

    /// A listing of all feeds begins; what it does not see is gone in the end.
    pub(super) fn begin_listing(&mut self) {
        self.listing += 1;
        self.is_over_full = false;
    }

    pub(super) fn end_listing(&mut self) {
        let gone: Vec<_> = self
            .known
            .iter()
            .filter(|(_, known)| known.listing != self.listing)
            .map(|(id, _)| Arc::clone(id))
            .collect();
        gone.iter().for_each(|id| self.forget(id));
    }

    /// A file is there. `age` is how long ago the system says it last changed.
    pub(super) fn see(
        &mut self,
        feed: &FeedName,
        arrival: Arrival,
        noticed: Noticed,
        priority: i32,
        now: Instant,
        age: Duration,
    ) {
        let Arrival { name, kind, stamp } = arrival;
        let id = FileId { feed: feed.clone(), name };
        let before = self.known.get_key_value(&id).map(|(id, known)| (Arc::clone(id), known.clone()));
        if before.is_none() && self.known.len() >= QUEUE_FILES_MAX {
            self.is_over_full = true;
            return;
        }
        // Who closes a file and then sets its mode or its owner did not write to it.
        let is_same = |known: &Known| known.kind == kind && known.stamp.is_of_same_content(&stamp);
        let unchanged = before.as_ref().filter(|(_, known)| is_same(known));
        let since = unchanged.map_or_else(|| now.checked_sub(age).unwrap_or(now), |(_, known)| known.since);
        let was_ready = unchanged.is_some_and(|(_, known)| known.is_ready);
        let is_ready = was_ready
            || match kind {
                ArrivalKind::File => {
                    noticed == Noticed::Announced || now.duration_since(since) >= self.settle
                }
                // Who links a file into place removes its other name right after.
                ArrivalKind::Linked => now.duration_since(since) >= self.settle,
                // It will never be a file.
                ArrivalKind::Other => true,
                ArrivalKind::Directory => false,
            };
        let id = match before {
            Some((id, _)) => {
                self.forget(&id);
                id
            }
            None => Arc::new(id),
        };
        self.keep(id, Known { kind, stamp, since, is_ready, priority, listing: self.listing });
    }

    fn keep(&mut self, id: Arc<FileId>, known: Known) {
        self.line_up(&id, &known);
        self.bytes += known.stamp.bytes;
        self.known.insert(Arc::clone(&id), known);
        self.line_up_dump_of(&id);
    }

    /// Puts a file where it waits.
    fn line_up(&mut self, id: &Arc<FileId>, known: &Known) {
        if !known.is_ready {
            if known.kind != ArrivalKind::Directory {
                self.unready.insert((known.since, Arc::clone(id)));
            }
        } else if !is_report(id, known) {
            if self.is_reported(id) {
                let rank = (Reverse(known.priority), known.stamp.modified, Arc::clone(id));
                self.lane_of(known).insert(rank);
            } else {
                self.unreported.insert(Arc::clone(id));
            }
        }
    }

    fn step_out(&mut self, id: &Arc<FileId>, known: &Known) {
        let rank = (Reverse(known.priority), known.stamp.modified, Arc::clone(id));
        // In whichever it was put: the border may have moved since.
        self.small.remove(&rank);
        self.large.remove(&rank);
        self.unready.remove(&(known.since, Arc::clone(id)));
        self.unreported.remove(id);
    }

    /// A report came or went: its dump waits elsewhere now.
    fn line_up_dump_of(&mut self, report: &FileId) {
        let Some(name) = dump_of_report(&report.name) else { return };
        let dump = FileId { feed: report.feed.clone(), name: name.to_owned() };
        let found = self.known.get_key_value(&dump).map(|(id, known)| (Arc::clone(id), known.clone()));
        if let Some((id, known)) = found {
            self.step_out(&id, &known);
            self.line_up(&id, &known);
        }
    }

    /// Whether the report on a dump is whole, or there is none and none is needed.
    fn is_reported(&self, dump: &FileId) -> bool {
        let report = FileId { feed: dump.feed.clone(), name: report_name(&dump.name) };
        match self.known.get(&report).filter(|known| known.kind != ArrivalKind::Directory) {
            Some(report) => report.is_ready,
            None => dump.feed.as_str() != ONCE,
        }
    }

    /// Dumps that wait for a report and did not change since then.
    pub(super) fn unreported_since(&self, then: Instant) -> impl Iterator<Item = &FileId> {
        self.unreported.iter().filter(move |id| self.known[*id].since <= then).map(|id| &**id)
    }

    fn lane_of(&mut self, known: &Known) -> &mut BTreeSet<Rank> {
        if known.stamp.bytes <= self.small_bytes_max { &mut self.small } else { &mut self.large }
    }

    /// It is gone, or taken.
    pub(super) fn forget(&mut self, id: &FileId) {
        let Some((id, known)) = self.known.remove_entry(id) else { return };
        self.step_out(&id, &known);
        self.bytes -= known.stamp.bytes;
        self.line_up_dump_of(&id);
    }

    /// The files that have had their settling time; each is to be looked at and seen again.
    pub(super) fn settled(&self, now: Instant) -> Vec<Arc<FileId>> {
        let is_settled = |since: &Instant| now.duration_since(*since) >= self.settle;
        self.unready.iter().take_while(|(since, _)| is_settled(since)).map(|(_, id)| Arc::clone(id)).collect()
    }

    /// When the next of them will have had it.
    pub(super) fn next_settled(&self) -> Option<Instant> {
        self.unready.first().map(|(since, _)| *since + self.settle)
    }

    /// The next that a lane may take and that `is_free`; it stays until it is forgotten.
    pub(super) fn next(
        &self,
        size: Size,
        is_free: impl Fn(&FileId) -> bool,
    ) -> Option<(Arc<FileId>, ArrivalStamp)> {
        let first = |lane: &BTreeSet<Rank>| lane.iter().find(|(_, _, id)| is_free(id)).cloned();
        let rank = match size {
            Size::Small => first(&self.small),
            Size::Any => match (first(&self.small), first(&self.large)) {
                (Some(small), Some(large)) => Some(small.min(large)),
                (small, large) => small.or(large),
            },
        };
        rank.map(|(_, _, id)| {
            let stamp = self.known[&id].stamp;
            (id, stamp)
        })
    }

    /// Whether another listing may find more.
    pub(super) fn wants_listing(&self) -> bool {
        self.is_over_full && self.known.len() < QUEUE_FILES_MAX / 2
    }

    /// How many are ready; cheap.
    pub(super) fn ready(&self) -> u64 {
        (self.small.len() + self.large.len()) as u64
    }

    /// Costs a look at each file.
    pub(super) fn depth(&self) -> Depth {
        let mut depth = Depth {
            ready: self.ready(),
            unready: self.unready.len() as u64,
            unreported: self.unreported.len() as u64,
            bytes: self.bytes,
            ..Depth::default()
        };
        let is_dump =
            |id: &FileId, known: &Known| known.kind != ArrivalKind::Directory && !is_report(id, known);
        for (id, known) in self.known.iter().filter(|(id, known)| is_dump(id, known)) {
            match depth.by_feed.get_mut(id.feed.as_str()) {
                Some(count) => *count += 1,
                None => drop(depth.by_feed.insert(id.feed.as_str().to_owned(), 1)),
            }
            if self.unreported.contains(id) {
                continue;
            }
            let changed = known.stamp.changed.0;
            depth.oldest_changed = Some(depth.oldest_changed.map_or(changed, |oldest| oldest.min(changed)));
        }
        depth
    }
}

fn is_report(id: &FileId, known: &Known) -> bool {
    known.kind != ArrivalKind::Directory && dump_of_report(&id.name).is_some()
}
