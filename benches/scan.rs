//! The scan by format, one thread, page-warm: each format's own sweep against the exact one, and against newlines counted.
//!
//! `cargo bench --bench scan` (about a minute). Dumps of 32 MiB and a register of 20,000 prefixes are made from a seed (`shapes`). Each run asserts how many records and candidates there are, as counted
//! when they were made. Times are for the dump, `B/s` its bytes.

mod shapes;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dijkwacht::index::{Finder, Index};
use dijkwacht::scan::{
    Description, FORMATS, Filter, Findings, Format, FormatOptions, Frame, Head, KeyKinds, Keys, Reject, Sink,
    Subject, Tally, Window,
};
use fastrand::Rng;
use shapes::{CSV, Dump, SHADOWSERVER, SHODAN, ZGRAB2, ZMAP, prefixes, register};
use std::borrow::Cow;

const DUMP_BYTES: usize = 32 << 20;
const PREFIXES: u32 = 20_000;

/// The index as the matcher asks it.
struct Held<'i>(&'i Index, Finder<'i>);

impl Filter for Held<'_> {
    fn kinds(&self) -> KeyKinds {
        KeyKinds { addresses: true, names: false, asns: false }
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        match keys.subject {
            Some(Subject::Address(address)) => self.1.holds(address),
            Some(Subject::Prefix(prefix)) => self.0.covering_prefix(prefix).next().is_some(),
            None => false,
        }
    }

    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        self.1.holds_v4_batch(addresses)
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        self.1.holds_v6_batch(addresses)
    }
}

/// Counts candidates.
struct Count(u64);

impl Sink for Count {
    fn candidate(&mut self, _: u64, _: usize, record: &[u8]) {
        black_box(record);
        self.0 += 1;
    }
}

/// A format whose sweep is the exact one.
struct Exact<'f>(&'f dyn Format);

impl Format for Exact<'_> {
    fn body(&self) -> usize {
        self.0.body()
    }

    fn frame(&self, window: Window<'_>, start: usize) -> Frame {
        self.0.frame(window, start)
    }

    fn guess(&self, window: Window<'_>, at: usize) -> usize {
        self.0.guess(window, at)
    }

    fn keys<'r>(&self, record: &'r [u8], kinds: KeyKinds) -> Result<Keys<'r>, Reject> {
        self.0.keys(record, kinds)
    }

    fn findings<'r>(&'r self, record: &'r [u8]) -> Findings<'r> {
        self.0.findings(record)
    }

    fn describe(&self) -> Description {
        self.0.describe()
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        self.0.values(record)
    }
}

fn sweep(format: &dyn Format, dump: &Dump, filter: &dyn Filter) {
    let (mut tally, mut sink) = (Tally::default(), Count(0));
    let window = Window { bytes: dump.text.as_bytes(), at_end: true };
    let end = format.sweep(window, format.body()..dump.text.len(), filter, &mut sink, &mut tally);
    let counts = (end, tally.records, sink.0, tally.unmatched);
    assert_eq!(counts, (dump.text.len(), dump.records, dump.held, dump.records - dump.held));
}

fn scans(criterion: &mut Criterion) {
    let mut rng = Rng::with_seed(20_261_122);
    let index = Index::build(&register(&prefixes(&mut rng, PREFIXES))).expect("it fits");
    let filter = Held(&index, index.finder());
    for shape in [ZMAP, CSV, SHADOWSERVER, ZGRAB2, SHODAN] {
        let dump = Dump::new(&shape, &index, &mut rng, DUMP_BYTES);
        let spec = FORMATS.iter().find(|spec| spec.name == dump.format).expect("a known format");
        let head = Head { bytes: &dump.text.as_bytes()[..4096], at_end: false };
        let format = (spec.open)(&head, &FormatOptions::default()).expect("a good header");
        let mut group = criterion.benchmark_group(format!("scan/{}", dump.format));
        group
            .sample_size(20)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(2));
        group.throughput(Throughput::Bytes(dump.text.len() as u64));
        group.bench_function("newlines", |bencher| {
            bencher.iter(|| memchr::memchr_iter(b'\n', black_box(dump.text.as_bytes())).count());
        });
        group.bench_function("sweep", |bencher| bencher.iter(|| sweep(&*format, &dump, &filter)));
        let exact = Exact(&*format);
        group.bench_function("exact", |bencher| bencher.iter(|| sweep(&exact, &dump, &filter)));
        group.finish();
    }
}

criterion_group!(benches, scans);
criterion_main!(benches);
