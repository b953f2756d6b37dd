//! Matches in the order in which they are written, in bounded memory.
//!
//! A match is 24 bytes that point into the dump. Up to [`MATCHES_IN_MEMORY_MAX`] are sorted in place; beyond, sorted
//! runs go to unnamed files in the stage and are merged from there.
//!
//! Two orders are needed. The first puts findings with one alert id side by side, so that each *follower* learns its
//! *leader*, the lowest record with that id. The second is the order of the notices: by owner and leader, each
//! follower right behind its leader, whose line takes its CVEs and tags. Ids are compared by 60 bits of their hash
//! here; who renders compares them whole, so that a collision costs an alert's place in the notice and never the alert.
//!
//! Between the two it is known how many alerts would be sent to how many owners, and a fuse may hold them all. What is told
//! and what is held for the same owner is then one file, so that the first order is made again.

use crate::matcher::on_pool;
use crate::policy::{Hold, Sending};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Matches held in memory at most, 24 bytes each; a run on disk is at most this long.
pub const MATCHES_IN_MEMORY_MAX: usize = 16 << 20;

/// Records of a dump at most: what a [`Match`] can number.
pub(super) const RECORDS_MAX: u64 = 1 << RECORD_BITS;

/// Bytes of a dump or a spill at most: what a [`Match`] can point to.
pub(super) const OFFSET_MAX: u64 = 1 << OFFSET_BITS;

const RECORD_BITS: u32 = 39;
const OWNER_BITS: u32 = 24;
const OFFSET_BITS: u32 = 48;
const PART_BITS: u32 = 16;
const VERDICT_BITS: u32 = 4;
const ID_BITS: u32 = u64::BITS - VERDICT_BITS;

/// One finding for one owner, as a reference into the dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Match {
    /// held (1 bit) | owner (24) | record (39)
    who: u64,
    /// part (16) | offset (48)
    place: u64,
    /// hash of the alert id, later the leader (60) | verdict (4)
    id: u64,
}

/// What a match is about, unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MatchParts {
    /// The owner's number in the index, below 2^24.
    pub(super) owner: u32,
    /// 0: shared; else 1 + the reason of the hold.
    pub(super) verdict: u8,
    /// Number of the record in the dump, from 1.
    pub(super) record: u64,
    /// The finding's place in its record.
    pub(super) part: u16,
    /// Where the record's bytes are.
    pub(super) offset: u64,
    /// Hash of the alert id; its upper 60 bits are kept.
    pub(super) id_hash: u64,
}

impl Match {
    /// Packs; all parts are within their bounds by the limits on owners, records and bytes.
    pub(super) fn new(parts: MatchParts) -> Self {
        debug_assert!(
            parts.owner < 1 << OWNER_BITS && parts.record < RECORDS_MAX && parts.offset < OFFSET_MAX
        );
        let held = u64::from(parts.verdict > 0);
        Self {
            who: held << (OWNER_BITS + RECORD_BITS) | u64::from(parts.owner) << RECORD_BITS | parts.record,
            place: u64::from(parts.part) << OFFSET_BITS | parts.offset,
            id: parts.id_hash >> VERDICT_BITS << VERDICT_BITS | u64::from(parts.verdict),
        }
    }

    /// The same of a chunk's match in the dump, where so many records and bytes stand before the chunk.
    pub(super) fn moved(self, records: u64, bytes: u64) -> Self {
        debug_assert!(self.record() + records < RECORDS_MAX && self.offset() + bytes < OFFSET_MAX);
        Self { who: self.who + records, place: self.place + bytes, ..self }
    }

    /// The owner's number in the index.
    pub(super) fn owner(self) -> u32 {
        (self.who >> RECORD_BITS) as u32 & ((1 << OWNER_BITS) - 1)
    }

    /// Held and owner: what one file holds.
    pub(super) fn file(self) -> u64 {
        self.who >> RECORD_BITS
    }

    /// 0: shared; else 1 + the reason of the hold.
    pub(super) fn verdict(self) -> u8 {
        (self.id & ((1 << VERDICT_BITS) - 1)) as u8
    }

    /// Why it is held, if it is.
    pub(super) fn hold(self) -> Option<Hold> {
        let reason = usize::from(self.verdict()).checked_sub(1)?;
        Some(Hold::ALL[reason])
    }

    /// [`Hold::Fuse`] if that is why it is held: what is decided of its record alone is that it is shared.
    pub(super) fn fuse(self) -> Option<Hold> {
        self.hold().filter(|reason| *reason == Hold::Fuse)
    }

    /// Number of the record in the dump, from 1.
    pub(super) fn record(self) -> u64 {
        self.who & (RECORDS_MAX - 1)
    }

    /// The finding's place in its record.
    pub(super) fn part(self) -> u16 {
        (self.place >> OFFSET_BITS) as u16
    }

    /// Where the record's bytes are.
    pub(super) fn offset(self) -> u64 {
        self.place & (OFFSET_MAX - 1)
    }

    /// Whether another match with its id stands before it. Only after [`Sorter::finish`].
    pub(super) fn follows(self) -> bool {
        self.id >> VERDICT_BITS != self.own_leader()
    }

    /// The same, held by the fuse where nothing else holds it.
    fn held_back(self) -> Self {
        if self.verdict() > 0 {
            return self;
        }
        let held = 1 << (OWNER_BITS + RECORD_BITS);
        Self { who: self.who | held, id: self.id | (1 + Hold::Fuse as u64), ..self }
    }

    fn own_leader(self) -> u64 {
        // 39 + 16 bits: fits the 60.
        self.record() << PART_BITS | u64::from(self.part())
    }

    /// Whether both are for one file and have equal id hashes. Only before [`Self::led_by`].
    fn leads(self, other: Match) -> bool {
        self.file() == other.file() && self.id >> VERDICT_BITS == other.id >> VERDICT_BITS
    }

    fn led_by(self, leader: Match) -> Self {
        Self { id: leader.own_leader() << VERDICT_BITS | u64::from(self.verdict()), ..self }
    }

    /// File, id and record as one number, which is compared without a branch; of equal ones the part.
    fn by_id(self) -> SortKey {
        let upper = u128::from(self.file()) << (ID_BITS + RECORD_BITS);
        let (id, record) = (u128::from(self.id >> VERDICT_BITS), u128::from(self.record()));
        (upper | id << RECORD_BITS | record, self.part())
    }

    fn by_leader(self) -> SortKey {
        self.by_id()
    }
}

/// Gathers matches and gives them back in the order of the notices.
pub(super) struct Sorter<'p, F> {
    matches: Vec<Match>,
    in_memory_max: usize,
    runs: Vec<File>,
    scratch: F,
    pool: Option<&'p ThreadPool>,
}

/// Matches in the order of the notices.
pub(super) struct Sorted {
    /// All that were pushed.
    pub(super) matches: u64,
    source: SortedSource,
}

enum SortedSource {
    Memory(std::vec::IntoIter<Match>),
    Runs(Merge),
}

impl<'p, F: FnMut() -> io::Result<File>> Sorter<'p, F> {
    /// `scratch` makes an unnamed file, once for each run beyond `in_memory_max`, which `pool` sorts.
    pub(super) fn new(in_memory_max: usize, scratch: F, pool: Option<&'p ThreadPool>) -> Self {
        Self { matches: Vec::new(), in_memory_max, runs: Vec::new(), scratch, pool }
    }

    /// Takes a match; they come in the order of the dump.
    pub(super) fn push(&mut self, found: Match) -> io::Result<()> {
        if self.matches.len() == self.in_memory_max {
            self.spill(Match::by_id)?;
        }
        self.matches.push(found);
        Ok(())
    }

    /// Gives all back, each follower right behind its leader. `holds_all` is asked once, when it is known what would be sent:
    /// if it says so, all of that is held.
    pub(super) fn finish(mut self, holds_all: impl FnOnce(Sending) -> bool) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            return Ok(self.finish_in_memory(holds_all));
        }
        self.spill(Match::by_id)?;
        let mut by_id = Merge::new(std::mem::take(&mut self.runs), Match::by_id)?;
        let (mut total, mut leader, mut counting) = (0, None::<Match>, Counting::default());
        for found in &mut by_id {
            let found = found?;
            total += 1;
            let led = leader.filter(|leader| leader.leads(found)).unwrap_or(found);
            if led == found {
                counting.add(found);
            }
            leader = Some(led);
            if self.matches.len() == self.in_memory_max {
                self.spill(Match::by_leader)?;
            }
            self.matches.push(found.led_by(led));
        }
        if holds_all(counting.sending) {
            return self.hold_all(by_id.runs);
        }
        self.spill(Match::by_leader)?;
        let merge = Merge::new(self.runs, Match::by_leader)?;
        Ok(Sorted { matches: total, source: SortedSource::Runs(merge) })
    }

    /// Begins again with the matches of these runs, all of them held: who is told and who waits are one file now, and equal
    /// alerts of both are one.
    fn hold_all(mut self, runs: Vec<BufReader<File>>) -> io::Result<Sorted> {
        self.runs.clear();
        self.matches.clear();
        for run in runs {
            let mut run = run.into_inner();
            run.rewind()?;
            let mut run = BufReader::with_capacity(RUN_BUFFER_BYTES, run);
            while let Some(found) = read_match(&mut run)? {
                self.push(found.held_back())?;
            }
        }
        self.finish(|_| false)
    }

    /// In memory the second order is made first: ids are then compared within each file, most of which have no two equal ones.
    fn finish_in_memory(mut self, holds_all: impl FnOnce(Sending) -> bool) -> Sorted {
        let mut files = files_in_order(&mut self.matches);
        let mut alerts: Vec<usize> =
            files.par_iter().map_init(Vec::new, |ids, file| alerts(file, ids)).collect();
        let mut sending = Sending::default();
        for (_, alerts) in files.iter().zip(&alerts).filter(|(file, _)| file[0].verdict() == 0) {
            sending.alerts += *alerts as u64;
            sending.owners += 1;
        }
        if holds_all(sending) {
            self.matches.iter_mut().for_each(|found| *found = found.held_back());
            files = files_in_order(&mut self.matches);
            alerts = files.par_iter().map_init(Vec::new, |ids, file| self::alerts(file, ids)).collect();
        }
        files.par_iter_mut().zip(alerts).for_each(|(file, alerts)| lead(file, alerts));
        let matches = self.matches.len() as u64;
        Sorted { matches, source: SortedSource::Memory(self.matches.into_iter()) }
    }

    fn spill<K: Ord>(&mut self, key: impl Fn(Match) -> K + Sync) -> io::Result<()> {
        let matches = &mut self.matches;
        on_pool(self.pool, || matches.par_sort_unstable_by_key(|found| key(*found)));
        let mut run = BufWriter::with_capacity(RUN_BUFFER_BYTES, (self.scratch)()?);
        run.write_all(self.matches.as_bytes())?;
        let mut run = run.into_inner().map_err(io::IntoInnerError::into_error)?;
        run.rewind()?;
        self.matches.clear();
        self.runs.push(run);
        Ok(())
    }
}

/// The files of these matches, each by record.
fn files_in_order(matches: &mut [Match]) -> Vec<&mut [Match]> {
    matches.par_sort_unstable_by_key(|found| (found.who, found.part()));
    matches.chunk_by_mut(|a, b| a.file() == b.file()).collect()
}

/// How many different ids a file has; `ids` is room for them.
fn alerts(file: &[Match], ids: &mut Vec<u64>) -> usize {
    ids.clear();
    ids.extend(file.iter().map(|found| found.id >> VERDICT_BITS));
    ids.par_sort_unstable();
    ids.chunk_by(|a, b| a == b).count()
}

/// Gives each match of a file, which are by record, its leader, and brings followers behind theirs.
fn lead(file: &mut [Match], alerts: usize) {
    if alerts == file.len() {
        return file.iter_mut().for_each(|found| *found = found.led_by(*found));
    }
    file.par_sort_unstable_by_key(|found| found.by_id());
    for group in file.chunk_by_mut(|a, b| a.leads(*b)) {
        let leader = group[0];
        group.iter_mut().for_each(|found| *found = found.led_by(leader));
    }
    file.par_sort_unstable_by_key(|found| found.by_leader());
}

/// Counts what would be sent, from leaders in the order of the notices.
#[derive(Default)]
struct Counting {
    sending: Sending,
    owner: Option<u32>,
}

impl Counting {
    fn add(&mut self, leader: Match) {
        if leader.verdict() == 0 {
            self.sending.alerts += 1;
            self.sending.owners += u64::from(self.owner != Some(leader.owner()));
            self.owner = Some(leader.owner());
        }
    }
}

impl Iterator for Sorted {
    type Item = io::Result<Match>;

    fn next(&mut self) -> Option<io::Result<Match>> {
        match &mut self.source {
            SortedSource::Memory(matches) => matches.next().map(Ok),
            SortedSource::Runs(merge) => merge.next(),
        }
    }
}

/// Bytes read ahead of each run while merging.
const RUN_BUFFER_BYTES: usize = 256 * 1024;

type SortKey = (u128, u16);

/// Merges sorted runs.
struct Merge {
    runs: Vec<BufReader<File>>,
    heads: BinaryHeap<Reverse<(SortKey, usize)>>,
    current: Vec<Option<Match>>,
    key: fn(Match) -> SortKey,
}

impl Merge {
    fn new(runs: Vec<File>, key: fn(Match) -> SortKey) -> io::Result<Self> {
        let runs: Vec<_> =
            runs.into_iter().map(|run| BufReader::with_capacity(RUN_BUFFER_BYTES, run)).collect();
        let mut merge = Self { current: vec![None; runs.len()], heads: BinaryHeap::new(), runs, key };
        for run in 0..merge.runs.len() {
            merge.refill(run)?;
        }
        Ok(merge)
    }

    fn refill(&mut self, run: usize) -> io::Result<()> {
        self.current[run] = read_match(&mut self.runs[run])?;
        self.heads.extend(self.current[run].map(|found| Reverse(((self.key)(found), run))));
        Ok(())
    }
}

/// The next match of a run on disk; `None` at its end.
fn read_match(run: &mut BufReader<File>) -> io::Result<Option<Match>> {
    if run.fill_buf_is_empty()? {
        return Ok(None);
    }
    let mut bytes = [0; size_of::<Match>()];
    run.read_exact(&mut bytes)?;
    Ok(Some(Match::read_from_bytes(&bytes).expect("the buffer has a match's size")))
}

impl Iterator for Merge {
    type Item = io::Result<Match>;

    fn next(&mut self) -> Option<io::Result<Match>> {
        let Reverse((_, run)) = self.heads.pop()?;
        let found = self.current[run].take().expect("a run in the heap has a match");
        Some(self.refill(run).map(|()| found))
    }
}

trait FillBuf {
    fn fill_buf_is_empty(&mut self) -> io::Result<bool>;
}

impl FillBuf for BufReader<File> {
    fn fill_buf_is_empty(&mut self) -> io::Result<bool> {
        Ok(io::BufRead::fill_buf(self)?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Equal ids side by side, leader first; files in order; leaders by record.
    fn expected(found: &[MatchParts]) -> Vec<(u64, bool)> {
        let key = |p: &MatchParts| (p.verdict > 0, p.owner, p.id_hash >> VERDICT_BITS);
        let leader = |p: &MatchParts| {
            found.iter().filter(|q| key(q) == key(p)).map(|q| (q.record, q.part)).min().unwrap()
        };
        let mut order: Vec<_> =
            found.iter().map(|p| ((p.verdict > 0, p.owner, leader(p), p.record, p.part), p)).collect();
        order.sort_by_key(|(key, _)| *key);
        order
            .iter()
            .map(|((_, _, leader, record, part), p)| (p.offset, *leader != (*record, *part)))
            .collect()
    }

    /// What would be sent: different ids of what nothing holds, and their owners.
    fn sending(found: &[MatchParts]) -> Sending {
        let shared = || found.iter().filter(|p| p.verdict == 0);
        let alerts: BTreeSet<_> = shared().map(|p| (p.owner, p.id_hash >> VERDICT_BITS)).collect();
        let owners: BTreeSet<_> = shared().map(|p| p.owner).collect();
        Sending { alerts: alerts.len() as u64, owners: owners.len() as u64 }
    }

    fn check(found: &[MatchParts], in_memory_max: usize, holds_all: bool) {
        let mut sorter = Sorter::new(in_memory_max, tempfile::tempfile, None);
        found.iter().for_each(|parts| sorter.push(Match::new(*parts)).unwrap());
        let mut asked = None;
        let sorted = sorter.finish(|sending| {
            asked = Some(sending);
            holds_all
        });
        let sorted = sorted.unwrap();
        assert_eq!(asked, Some(sending(found)));
        assert_eq!(sorted.matches, found.len() as u64);
        let got: Vec<_> = sorted.map(|found| found.unwrap()).collect();
        let verdict =
            |p: &MatchParts| if holds_all && p.verdict == 0 { 1 + Hold::Fuse as u8 } else { p.verdict };
        let found: Vec<_> = found.iter().map(|p| MatchParts { verdict: verdict(p), ..*p }).collect();
        let order: Vec<_> = got.iter().map(|found| (found.offset(), found.follows())).collect();
        assert_eq!(order, expected(&found), "{in_memory_max}");
        for got in got {
            assert_eq!(got.verdict(), found[got.offset() as usize].verdict);
        }
    }

    #[test]
    fn runs_on_disk_give_the_same_order_as_memory() {
        let mut random = fastrand::Rng::with_seed(7);
        for length in [0, 1, 2, 3, 10, 100, 1000] {
            let found: Vec<_> = (0..length)
                .map(|i| MatchParts {
                    owner: random.u32(..5),
                    verdict: random.u8(..3),
                    record: 1 + i / 2,
                    part: (i % 2) as u16,
                    offset: i,
                    id_hash: random.u64(..40) << 32,
                })
                .collect();
            for in_memory_max in [1, 2, 7, 64, 10_000] {
                check(&found, in_memory_max, false);
                check(&found, in_memory_max, true);
            }
        }
    }

    #[test]
    fn a_match_keeps_its_parts_at_their_bounds() {
        for extreme in [0, u64::MAX] {
            let parts = MatchParts {
                owner: extreme as u32 & ((1 << OWNER_BITS) - 1),
                verdict: (extreme & 15) as u8,
                record: extreme & (RECORDS_MAX - 1),
                part: extreme as u16,
                offset: extreme & (OFFSET_MAX - 1),
                id_hash: !extreme,
            };
            let packed = Match::new(parts);
            assert_eq!(
                (packed.owner(), packed.verdict(), packed.record()),
                (parts.owner, parts.verdict, parts.record)
            );
            assert_eq!((packed.part(), packed.offset()), (parts.part, parts.offset));
        }
        assert_eq!(size_of::<Match>(), 24);
    }
}
