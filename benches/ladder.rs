//! The ladder: what each part of a scan costs on top of the one below it, on one thread.
//!
//! `cargo bench --bench ladder` (about two minutes). Dumps of 32 MiB in memory and a register of 100,000 prefixes are made from a
//! seed: ZMap's 71-byte rows, and quoted rows of about 305 bytes (5 % IPv6, 2 % `""`, 0.2 % quoted newlines). Each rung does
//! all that the one below it does, and asserts how many records and matches it finds. Times are for the dump, `B/s` its bytes.
//!
//! | rung | what is done |
//! |---|---|
//! | 1 bytes summed | the dump is read |
//! | 2 newlines counted | the ceiling of a scan |
//! | 3 addresses read | records bordered, the address of each read and asked of a filter that rules out all |
//! | 4 miss filter | the bitmap of /20s (/32s) is asked |
//! | 5 lookup | the index is asked: the format's own sweep |
//! | 6 records parsed | what a match says is read in full |
//! | 7 hash | BLAKE3 of all bytes, chunk by chunk |

mod shapes;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dijkwacht::index::{Finder, Index};
use dijkwacht::matcher::CHUNK_BYTES;
use dijkwacht::scan::{
    FORMATS, Filter, Findings, Format, FormatOptions, Head, KeyKinds, Keys, Sink, Subject, Tally, Window,
};
use fastrand::Rng;
use shapes::{Dump, SHADOWSERVER, ZMAP, prefixes, register};

const DUMP_BYTES: usize = 32 << 20;
const PREFIXES: u32 = 100_000;

/// A filter that asks no more than its rung does.
struct Rung<'i> {
    finder: Finder<'i>,
    asks: Asks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    Bitmap,
    Index,
}

impl Filter for Rung<'_> {
    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: false, asns: false }
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        match keys.subject {
            Some(Subject::Address(address)) if self.asks == Asks::Index => self.finder.holds(address),
            _ => false,
        }
    }

    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        match self.asks {
            Asks::Nothing => 0,
            Asks::Bitmap => bits(addresses, |v4| self.finder.may_hold_v4(v4)),
            Asks::Index => self.finder.holds_v4_batch(addresses),
        }
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        match self.asks {
            Asks::Nothing => 0,
            Asks::Bitmap => bits(addresses, |v6| self.finder.may_hold_v6(v6)),
            Asks::Index => self.finder.holds_v6_batch(addresses),
        }
    }
}

fn bits<A: Copy>(addresses: &[A], holds: impl Fn(A) -> bool) -> u64 {
    let bit = |(at, &address): (usize, &A)| u64::from(holds(address)) << at;
    addresses.iter().enumerate().map(bit).fold(0, |bits, bit| bits | bit)
}

/// Counts candidates, and reads them in full if asked to.
struct Count<'f> {
    format: Option<&'f dyn Format>,
    count: u64,
}

impl Sink for Count<'_> {
    fn candidate(&mut self, _: u64, _: usize, record: &[u8]) {
        self.count += 1;
        if let Some(format) = self.format {
            assert!(matches!(black_box(format.findings(record)), Findings::Some(_)));
        }
    }
}

impl Dump {
    fn bytes(&self) -> &[u8] {
        black_box(self.text.as_bytes())
    }

    /// Sweeps all of it, and counts what the filter did not rule out.
    fn sweep(&self, format: &dyn Format, filter: &dyn Filter, held: u64, parses: bool) {
        let mut sink = Count { format: parses.then_some(format), count: 0 };
        let mut tally = Tally::default();
        let window = Window { bytes: self.bytes(), at_end: true };
        let end = format.sweep(window, format.body()..self.text.len(), filter, &mut sink, &mut tally);
        let counts = (end, tally.records, sink.count, tally.unmatched);
        assert_eq!(counts, (self.text.len(), self.records, held, self.records - held));
    }
}

fn ladder(criterion: &mut Criterion) {
    let mut rng = Rng::with_seed(20_261_122);
    let index = Index::build(&register(&prefixes(&mut rng, PREFIXES))).expect("it fits");
    for shape in [ZMAP, SHADOWSERVER] {
        let dump = Dump::new(&shape, &index, &mut rng, DUMP_BYTES);
        let spec = FORMATS.iter().find(|spec| spec.name == dump.format).expect("a known format");
        let head = Head { bytes: &dump.text.as_bytes()[..4096], at_end: false };
        let format = (spec.open)(&head, &FormatOptions::default()).expect("a good header");
        let rung = |asks| Rung { finder: index.finder(), asks };
        let mut group = criterion.benchmark_group(format!("ladder/{}", dump.format));
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Bytes(dump.text.len() as u64));
        let sum = |bytes: &[u8]| {
            bytes.chunks(64).map(|block| block.iter().map(|&b| u64::from(b)).sum::<u64>()).sum()
        };
        let (total, lines): (u64, _) = (sum(dump.bytes()), memchr::memchr_iter(b'\n', dump.bytes()).count());
        group.bench_function("1 bytes summed", |bencher| {
            bencher.iter(|| assert_eq!(sum(dump.bytes()), total))
        });
        group.bench_function("2 newlines counted", |bencher| {
            bencher.iter(|| assert_eq!(memchr::memchr_iter(b'\n', dump.bytes()).count(), lines));
        });
        for (name, asks, parses) in [
            ("3 addresses read", Asks::Nothing, false),
            ("4 miss filter", Asks::Bitmap, false),
            ("5 lookup", Asks::Index, false),
            ("6 records parsed", Asks::Index, true),
        ] {
            let held = if asks == Asks::Index { dump.held } else { 0 };
            let rung = rung(asks);
            group.bench_function(name, |bencher| {
                bencher.iter(|| dump.sweep(&*format, &rung, held, parses));
            });
        }
        let hash = blake3::hash(dump.bytes());
        let rung = rung(Asks::Index);
        group.bench_function("7 hash", |bencher| {
            bencher.iter(|| {
                let mut hasher = blake3::Hasher::new();
                dump.bytes().chunks(CHUNK_BYTES).for_each(|chunk| {
                    hasher.update(chunk);
                });
                assert_eq!(hasher.finalize(), hash);
                dump.sweep(&*format, &rung, dump.held, true);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, ladder);
criterion_main!(benches);
