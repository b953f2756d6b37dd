//! The scan by format, one thread, page-warm: each format's own sweep against the exact one, and against newlines counted.
//!
//! `cargo bench --bench scan` (about a minute). Dumps of 32 MiB and a register of 20,000 prefixes are made from a seed; rows are
//! shaped like the producers' (71 and about 305 bytes; 5 % IPv6, 2 % `""`, 0.2 % quoted newlines in the quoted one; about 1.3 KB of
//! JSON with the address first, `zgrab2`, or last, `shodan`). Each run asserts how many records and candidates there are, as counted
//! when they were made. Times are for the dump, `B/s` its bytes.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dijkwacht::index::{Finder, Index};
use dijkwacht::net::{Address, Prefix};
use dijkwacht::register::{Key, Owner, OwnerId, Register, Registration, Role, Scope};
use dijkwacht::scan::{
    Description, FORMATS, Filter, Findings, Format, FormatOptions, Frame, Head, KeyKinds, Keys, Reject, Sink,
    Subject, Tally, Window,
};
use fastrand::Rng;
use std::borrow::Cow;

const DUMP_BYTES: usize = 32 << 20;
const PREFIXES: u32 = 20_000;

fn register(rng: &mut Rng) -> Register {
    let owner = Owner {
        id: OwnerId::new("owner").expect("a valid id"),
        name: None,
        kvk: None,
        ripe_org: None,
        constituency: None,
        ground: None,
        sector: None,
        contacts: vec!["abuse@owner.example".to_owned()],
        links: vec![],
        organisation: 0,
        source: 0,
        line: 0,
    };
    let prefix = |number| {
        let (address, length) = match number % 10 {
            0 => (Address::v6(0x2a00 << 112 | u128::from(rng.u32(..1 << 28)) << 84), 44),
            _ => (Address::v4(rng.u32(1 << 24..224 << 24) & !0x7ff), 21),
        };
        Prefix::new(address, length).ok()
    };
    let registrations = (0..PREFIXES).filter_map(prefix).map(|prefix| Registration {
        owner: 0,
        key: Key::Range(prefix.range()),
        role: Role::User,
        verified: None,
        valid_from: None,
        valid_until: None,
        is_role_stated: true,
        scope: Scope::Stated,
        source: 0,
        line: 0,
    });
    let registrations = registrations.collect();
    Register { registrations, owners: vec![owner], sources: vec!["bench.csv".into()], ..Register::default() }
}

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

    fn findings<'r>(&self, record: &'r [u8]) -> Findings<'r> {
        self.0.findings(record)
    }

    fn describe(&self) -> Description {
        self.0.describe()
    }

    fn values<'r>(&self, record: &'r [u8]) -> Vec<Option<Cow<'r, str>>> {
        self.0.values(record)
    }
}

/// A dump and what is in it.
struct Dump {
    format: &'static str,
    text: String,
    records: u64,
    held: u64,
}

impl Dump {
    fn new(format: &'static str, header: &str) -> Self {
        Self { text: format!("{header}\n"), ..Self::of_lines(format) }
    }

    fn of_lines(format: &'static str) -> Self {
        Self { format, text: String::new(), records: 0, held: 0 }
    }

    /// Appends rows until it is long enough; `row` writes one about an address, without its line end.
    fn fill(
        mut self,
        index: &Index,
        rng: &mut Rng,
        v6: u32,
        row: impl Fn(&mut String, &mut Rng, Address),
    ) -> Self {
        while self.text.len() < DUMP_BYTES {
            let address = match rng.u32(..100) < v6 {
                true => Address::v6(0x2a00 << 112 | u128::from(rng.u64(..)) << 48),
                false => Address::v4(rng.u32(1 << 24..224 << 24)),
            };
            row(&mut self.text, rng, address);
            self.text.push('\n');
            self.records += 1;
            self.held += u64::from(index.holds(address));
        }
        self
    }
}

/// Writes to a string, which cannot fail.
macro_rules! add {
    ($text:expr, $($what:tt)*) => { write!($text, $($what)*).expect("a string takes all") };
}

fn zmap(index: &Index, rng: &mut Rng) -> Dump {
    let dump = Dump::new("zmap", "saddr,sport,classification,success,repeat,timestamp_ts,timestamp_us,pad");
    dump.fill(index, rng, 0, |text, rng, address| {
        let start = text.len();
        add!(text, "{address},{},synack,1,0,1795300000,{:06},", rng.u16(1..), rng.u32(..1_000_000));
        text.extend(std::iter::repeat_n('x', (start + 70).saturating_sub(text.len())));
    })
}

fn csv(index: &Index, rng: &mut Rng) -> Dump {
    let dump = Dump::new("csv", "timestamp;host;ip;port;service");
    dump.fill(index, rng, 5, |text, rng, address| {
        add!(text, "2026-11-22 01:02:03;host-{};{address};{};rdp", rng.u32(..), rng.u16(1..));
    })
}

fn shadowserver(index: &Index, rng: &mut Rng) -> Dump {
    let header = "\"timestamp\",\"severity\",\"ip\",\"protocol\",\"port\",\"hostname\",\"tag\",\"asn\",\"geo\",\"subject\",\"issuer\"";
    Dump::new("shadowserver", header).fill(index, rng, 5, |text, rng, address| {
        let name = match rng.u32(..1000) {
            0..20 => "PC \"\"local\"\"",
            20..22 => "two\nlines",
            _ => "PC-25329668",
        };
        let start = text.len();
        add!(text, "\"2026-11-22 01:38:01\",\"high\",\"{address}\",\"tcp\",{},", rng.u16(1..));
        add!(text, "\"host-{}.isp.example\",\"rdp;cve-2019-0708\",", rng.u32(..));
        add!(text, "{},\"NL\",\"{name}\",\"CN=Example", rng.u16(1..));
        text.extend(std::iter::repeat_n('x', (start + 303).saturating_sub(text.len())));
        text.push('"');
    })
}

/// What web servers answer, with escapes.
const HTML: &str =
    r#"<html>\r\n<head><title>400 \"Bad\" Request</title></head>\r\n<body bgcolor=\"white\">\r\n"#;

/// JSON with the address first, about 1.3 KB.
fn zgrab2(index: &Index, rng: &mut Rng) -> Dump {
    Dump::of_lines("zgrab2").fill(index, rng, 5, |text, rng, address| {
        add!(
            text,
            r#"{{"ip":"{address}","data":{{"http":{{"status":"success","protocol":"http","port":443,"#
        );
        add!(text, r#""result":{{"response":{{"status_line":"400 Bad Request","status_code":400,"#);
        add!(
            text,
            r#""headers":{{"connection":["close"],"server":["nginx/{}"]}},"body":"{HTML}"#,
            rng.u8(..)
        );
        text.extend(std::iter::repeat_n('x', rng.usize(700..1100)));
        add!(text, r#"","request":{{"method":"GET","host":"{address}"}}}}}},"#);
        text.push_str(r#""timestamp":"2026-01-01T00:00:00Z"}}}"#);
    })
}

/// JSON with the address last, about 1.3 KB.
fn shodan(index: &Index, rng: &mut Rng) -> Dump {
    Dump::of_lines("shodan").fill(index, rng, 5, |text, rng, address| {
        add!(
            text,
            r#"{{"product":"nginx","hash":-{},"ip":1616761883,"org":"Example","isp":"Example","#,
            rng.u32(..)
        );
        text.push_str(
            r#""transport":"tcp","cpe":["cpe:/a:igor_sysoev:nginx"],"data":"HTTP/1.1 400 Bad Request\r\n"#,
        );
        text.push_str(
            r#"Server: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n","asn":"AS7922","#,
        );
        add!(
            text,
            r#""port":443,"hostnames":["host-{}.example.net"],"location":{{"city":"Denver","#,
            rng.u32(..)
        );
        text.push_str(r#""area_code":null,"longitude":-104.9078,"latitude":39.7301,"country_code":"US"},"#);
        text.push_str(
            r#""timestamp":"2021-01-25T21:33:49.154513","domains":["example.net"],"http":{"redirects":[],"#,
        );
        add!(text, r#""robots":null,"server":"nginx","host":"{address}","html":"{HTML}"#);
        text.extend(std::iter::repeat_n('y', rng.usize(200..500)));
        text.push_str(
            r#"","location":"/","components":{},"html_hash":1},"os":null,"_shodan":{"options":{},"#,
        );
        add!(text, r#""module":"https","id":"5faf928c-f6a7"}},"opts":{{}},"ip_str":"{address}"}}"#);
    })
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
    let index = Index::build(&register(&mut rng)).expect("it fits");
    let filter = Held(&index, index.finder());
    for make in [zmap, csv, shadowserver, zgrab2, shodan] {
        let dump = make(&index, &mut rng);
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
