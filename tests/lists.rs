//! Line-based dumps (`list`, `masscan-list`) against a naive line splitter, however they are cut.
//!
//! The generator writes each line together with what it must come to, so that the oracle needs no parser: it splits at
//! newlines, drops what is no record, and counts. `DIJKWACHT_ROUNDS=100000 cargo test --release --test lists` looks
//! longer.
#![allow(clippy::unwrap_used)] // what a test sets up must be there

use dijkwacht::net::Address;
use dijkwacht::scan::{
    Filter, Findings, Format, FormatOptions, Head, KeyKinds, Keys, Kind, Reject, RejectedRecord, Sink, Skip,
    Subject, Take, Tally, Window, format_by_name,
};

/// Short, so that too long lines are cheap.
const RECORD_BYTES_MAX: usize = 96;

/// Registered is what has an even last bit, names included by their length.
struct EvenFilter(KeyKinds);

impl Filter for EvenFilter {
    fn kinds(&self) -> KeyKinds {
        self.0
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        let address = match keys.subject {
            Some(Subject::Address(address)) => is_registered(address),
            Some(Subject::Prefix(prefix)) => is_registered(prefix.last()),
            None => false,
        };
        address || keys.stated.as_ref().is_some_and(|name| name.len() % 2 == 0)
    }

    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        addresses.iter().enumerate().map(|(i, &bits)| u64::from(is_registered(Address::v4(bits))) << i).sum()
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        addresses.iter().enumerate().map(|(i, &bits)| u64::from(is_registered(Address::v6(bits))) << i).sum()
    }
}

fn is_registered(address: Address) -> bool {
    address.bits().is_multiple_of(2)
}

/// What a dump comes to: the candidates by number, offset and bytes, and the counts.
#[derive(Clone, PartialEq, Debug, Default)]
struct Outcome {
    candidates: Vec<(u64, usize, Vec<u8>)>,
    tally: Tally,
}

impl Outcome {
    /// Adds a sweep that began at an offset.
    fn add(&mut self, sweep: Self, offset: usize) {
        let before = self.tally.records;
        self.candidates.extend(
            sweep.candidates.into_iter().map(|(number, at, record)| (before + number, offset + at, record)),
        );
        let moved = |reject: RejectedRecord| RejectedRecord {
            number: before + reject.number,
            start: offset + reject.start,
            ..reject
        };
        self.tally.rejected_first.extend(sweep.tally.rejected_first.into_iter().map(moved));
        self.tally.rejected_first.truncate(dijkwacht::scan::REJECTS_KEPT);
        self.tally.records += sweep.tally.records;
        self.tally.unmatched += sweep.tally.unmatched;
        self.tally.unmatched_special += sweep.tally.unmatched_special;
        self.tally.rejected.iter_mut().zip(sweep.tally.rejected).for_each(|(sum, count)| *sum += count);
    }
}

struct Collect<'o>(&'o mut Vec<(u64, usize, Vec<u8>)>);

impl Sink for Collect<'_> {
    fn candidate(&mut self, number: u64, start: usize, record: &[u8]) {
        self.0.push((number, start, record.to_vec()));
    }
}

fn open(name: &str, dump: &[u8]) -> Box<dyn Format> {
    let options = FormatOptions { record_bytes_max: RECORD_BYTES_MAX, ..Default::default() };
    (format_by_name(name).unwrap().open)(&Head { bytes: dump, at_end: true }, &options).unwrap()
}

fn sweep(
    format: &dyn Format,
    window: Window<'_>,
    starts: std::ops::Range<usize>,
    kinds: KeyKinds,
) -> (Outcome, usize) {
    let mut outcome = Outcome::default();
    let Outcome { candidates, tally } = &mut outcome;
    let next = format.sweep(window, starts, &EvenFilter(kinds), &mut Collect(candidates), tally);
    (outcome, next)
}

fn sweep_whole(format: &dyn Format, dump: &[u8], kinds: KeyKinds) -> Outcome {
    let (outcome, next) =
        sweep(format, Window { bytes: dump, at_end: true }, format.body()..dump.len(), kinds);
    assert_eq!(next, dump.len());
    outcome
}

/// In two windows: what the first does not finish, the second begins with.
fn sweep_cut(format: &dyn Format, dump: &[u8], cut: usize, kinds: KeyKinds) -> Outcome {
    let first = Window { bytes: &dump[..cut], at_end: false };
    let (mut outcome, carried) = sweep(format, first, format.body().min(cut)..cut, kinds);
    let carried = carried.max(format.body());
    let rest = &dump[carried..];
    let (second, _) = sweep(format, Window { bytes: rest, at_end: true }, 0..rest.len(), kinds);
    outcome.add(second, carried);
    outcome
}

/// In chunks that begin where they are guessed to, each again from the true start where the guess was wrong.
fn sweep_chunks(format: &dyn Format, dump: &[u8], chunk_bytes: usize, kinds: KeyKinds) -> Outcome {
    let window = Window { bytes: dump, at_end: true };
    let mut outcome = Outcome::default();
    let mut truth = format.body();
    for start in (0..dump.len()).step_by(chunk_bytes) {
        let end = (start + chunk_bytes).min(dump.len());
        let guess = format.guess(window, start).max(format.body());
        assert!(guess >= start);
        let guessed = sweep(format, window, guess..end, kinds);
        let (swept, next) = if guess == truth { guessed } else { sweep(format, window, truth..end, kinds) };
        outcome.add(swept, 0);
        truth = next.max(truth);
    }
    assert_eq!(truth, dump.len());
    outcome
}

/// What the whole record must come to.
#[derive(Clone, PartialEq, Debug)]
enum Whole {
    Rejected(Reject),
    Skipped(Skip),
    Found {
        subject: Option<Subject>,
        stated: Option<String>,
        port: Option<u16>,
        time: Option<i64>,
        transport: Option<String>,
    },
}

/// What the keys of a line must come to.
#[derive(Clone, PartialEq, Debug)]
enum Expected {
    Blank,
    Rejected(Reject),
    Keys { subject: Option<Subject>, stated: Option<String>, whole: Whole },
}

struct Line {
    text: Vec<u8>,
    expected: Expected,
}

fn line(text: impl Into<Vec<u8>>, expected: Expected) -> Line {
    Line { text: text.into(), expected }
}

/// The slow way: split, drop, count.
fn oracle(lines: &[Line], ends: &[&str], mark: usize, kinds: KeyKinds) -> Outcome {
    let mut outcome = Outcome::default();
    let mut at = mark;
    for (Line { text, expected }, end) in lines.iter().zip(ends) {
        let is_blank = *expected == Expected::Blank;
        let number = outcome.tally.records;
        outcome.tally.records += u64::from(!is_blank);
        match expected {
            Expected::Blank => {}
            Expected::Rejected(reason) => outcome.tally.reject(number, at, *reason),
            Expected::Keys { subject, stated, .. } => {
                let stated = stated.as_deref().filter(|_| kinds.names).map(Into::into);
                let keys = Keys { subject: *subject, stated, ..Default::default() };
                if EvenFilter(kinds).may_hold(&keys) {
                    outcome.candidates.push((number, at, text.clone()));
                } else {
                    outcome.tally.miss(*subject);
                }
            }
        }
        at += text.len() + end.len();
    }
    outcome
}

fn random_address(random: &mut fastrand::Rng) -> Address {
    match random.u8(..4) {
        0 => Address::v4(0xC000_0200 | random.u32(..256)),
        1 => Address::v4(random.u32(..)),
        2 => Address::v6(0x2001_0DB8 << 96 | random.u128(..) >> 40),
        _ => Address::v6(random.u128(..)),
    }
}

/// The address with a port, as text.
fn endpoint(address: Address, port: &str) -> String {
    if address.to_string().contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

fn random_blank(random: &mut fastrand::Rng) -> Line {
    let long = format!("# {}", "long ".repeat(RECORD_BYTES_MAX));
    line(*random.choice(["", " ", "\t ", "#", "# 192.0.2.1", " # x", &long].iter()).unwrap(), Expected::Blank)
}

fn long_line(random: &mut fastrand::Rng) -> Line {
    let length = RECORD_BYTES_MAX + random.usize(1..100);
    line("1".repeat(length), Expected::Rejected(Reject::TooLong))
}

fn list_line(random: &mut fastrand::Rng) -> Line {
    let address = random_address(random);
    let port = random.u16(..);
    let port_number = (port != 0).then_some(port);
    let of_address = |text: String, port: Result<Option<u16>, Reject>| {
        let subject = Some(Subject::Address(address));
        let whole = match port {
            Ok(port) => Whole::Found { subject, stated: None, port, time: None, transport: None },
            Err(reason) => Whole::Rejected(reason),
        };
        line(text, Expected::Keys { subject, stated: None, whole })
    };
    let of_name = |text: String, name: String, port| {
        let whole =
            Whole::Found { subject: None, stated: Some(name.clone()), port, time: None, transport: None };
        line(text, Expected::Keys { subject: None, stated: Some(name), whole })
    };
    let name = format!("www{}.example.nl", random.u32(..200));
    match random.u8(..16) {
        0 => random_blank(random),
        1 => long_line(random),
        2..=4 => of_address(address.to_string(), Ok(None)),
        5 => of_address(format!(" {address}\t# note"), Ok(None)),
        6 | 7 => of_address(endpoint(address, &port.to_string()), Ok(port_number)),
        8 => of_address(format!("http://{}/", endpoint(address, &port.to_string())), Ok(port_number)),
        9 => of_address(
            endpoint(address, random.choice(["", "65536", "-1", "080", "x"]).unwrap()),
            Err(Reject::Port),
        ),
        10 => of_name(name.clone(), name, None),
        11 => of_name(format!("https://{name}/a?b#c"), name, Some(443)),
        12 => {
            let prefix = dijkwacht::net::Prefix::read(b"198.51.100.0/24").unwrap();
            let subject = Some(Subject::Prefix(prefix));
            let whole = Whole::Found { subject, stated: None, port: None, time: None, transport: None };
            line(prefix.to_string(), Expected::Keys { subject, stated: None, whole })
        }
        13 => line("198.51.100.1/24", Expected::Rejected(Reject::Prefix)),
        14 => line(
            *random.choice([&b"\xFF"[..], b"192.0.2.1\xC3", b"192.0.2.\x001"].iter()).unwrap(),
            Expected::Rejected(Reject::Encoding),
        ),
        _ => {
            let text = random.choice([
                "010.1.2.3",
                "1.2.3",
                "fe80::1%eth0",
                "a b",
                "192.0.2.1,80",
                "-",
                "a\rb",
                "256.0.0.1",
            ]);
            line(text.unwrap(), Expected::Rejected(Reject::Address))
        }
    }
}

fn masscan_line(random: &mut fastrand::Rng) -> Line {
    let address = random_address(random);
    let subject = Some(Subject::Address(address));
    let (port, time) = (random.u16(..), random.i64(1_000_000_000..2_000_000_000));
    let of = |text: String, whole| line(text, Expected::Keys { subject, stated: None, whole });
    let found = |port: u16, transport: &str| Whole::Found {
        subject,
        stated: None,
        port: (port != 0).then_some(port),
        time: Some(time),
        transport: Some(transport.to_owned()),
    };
    match random.u8(..14) {
        0 => random_blank(random),
        1 => long_line(random),
        2..=5 => of(format!("open tcp {port} {address} {time}"), found(port, "tcp")),
        6 => of(format!(" open  udp {port}\t{address} {time} "), found(port, "udp")),
        7 => of(format!("open icmp 0 {address} {time}"), found(0, "icmp")),
        8 => of(
            format!("{} tcp {port} {address} {time}", random.choice(["closed", "up", "unknown"]).unwrap()),
            Whole::Skipped(Skip::Closed),
        ),
        9 => of(format!("banner tcp {port} {address} 1 http a b"), Whole::Skipped(Skip::Banner)),
        10 => of(format!("open tcp 65536 {address} {time}"), Whole::Rejected(Reject::Port)),
        11 => of(
            format!("open tcp {port} {address} {}", random.choice(["x", "1", "99999999999"]).unwrap()),
            Whole::Rejected(Reject::Time),
        ),
        12 => {
            let whole = Whole::Rejected(Reject::Columns);
            let text = ["open tcp 1 {}", "open tcp 1 {} 1390380064 x", "banner tcp 1 {} 1390380064"];
            of(random.choice(text).unwrap().replace("{}", &address.to_string()), whole)
        }
        _ => {
            let texts: [(&[u8], Reject); 4] = [
                (b"open tcp 80", Reject::Columns),
                (b"open tcp 80 192.0.2 1390380064", Reject::Address),
                (b"open tcp 80 010.0.2.1 1390380064", Reject::Address),
                (b"open tcp 80 192.0.2.1\xFF 1390380064", Reject::Encoding),
            ];
            let (text, reason) = *random.choice(texts.iter()).unwrap();
            line(text, Expected::Rejected(reason))
        }
    }
}

fn whole_of(format: &dyn Format, record: &[u8]) -> Whole {
    match format.findings(record) {
        Findings::Rejected(reason) => Whole::Rejected(reason),
        Findings::Skipped(skip) => Whole::Skipped(skip),
        Findings::Some(findings) => {
            let [finding] = &findings[..] else { panic!("{} findings", findings.len()) };
            assert_eq!(finding.kind, Kind::Exposed);
            Whole::Found {
                subject: finding.subject,
                stated: finding.stated.as_deref().map(str::to_owned),
                port: finding.port,
                time: finding.time.map(|time| time.unix_seconds()),
                transport: finding.transport.as_deref().map(str::to_owned),
            }
        }
    }
}

/// One random dump, in every way to cut it.
fn check(name: &str, random: &mut fastrand::Rng, seed: u64, random_line: fn(&mut fastrand::Rng) -> Line) {
    let lines: Vec<Line> = (0..random.usize(..12)).map(|_| random_line(random)).collect();
    let mut ends: Vec<&str> = lines.iter().map(|_| if random.u8(..4) == 0 { "\r\n" } else { "\n" }).collect();
    // A last line that is empty is none without its newline; one of spaces and comments is fine.
    if random.bool() && lines.last().is_some_and(|line| !line.text.is_empty()) {
        *ends.last_mut().unwrap() = "";
    }
    let mark: &[u8] = if random.u8(..4) == 0 { b"\xEF\xBB\xBF" } else { b"" };
    let mut dump = mark.to_vec();
    for (line, end) in lines.iter().zip(&ends) {
        dump.extend_from_slice(&line.text);
        dump.extend_from_slice(end.as_bytes());
    }
    let format = open(name, &dump);
    let format = &*format;
    let kinds = KeyKinds { addresses: true, names: random.bool(), asns: random.bool() };
    let expected = oracle(&lines, &ends, mark.len(), kinds);
    let shown = || format!("seed {seed}: {}", dump.escape_ascii());
    assert_eq!(sweep_whole(format, &dump, kinds), expected, "{}", shown());
    for cut in 0..=dump.len() {
        assert_eq!(sweep_cut(format, &dump, cut, kinds), expected, "cut at {cut}, {}", shown());
    }
    for chunk_bytes in [1, 2, 7, 16, 100] {
        assert_eq!(
            sweep_chunks(format, &dump, chunk_bytes, kinds),
            expected,
            "chunks of {chunk_bytes}, {}",
            shown()
        );
    }
    for Line { text, expected } in &lines {
        if let Expected::Keys { whole, .. } = expected {
            assert_eq!(whole_of(format, text), *whole, "seed {seed}: {}", text.escape_ascii());
        }
    }
}

fn check_many(name: &str, random_line: fn(&mut fastrand::Rng) -> Line) {
    let rounds = std::env::var("DIJKWACHT_ROUNDS").map_or(500, |rounds| rounds.parse().unwrap());
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    (0..rounds).for_each(|_| check(name, &mut random, seed, random_line));
}

#[test]
fn lists_are_read_as_the_naive_splitter_reads_them_however_they_are_cut() {
    check_many("list", list_line);
}

#[test]
fn masscan_lists_are_read_as_the_naive_splitter_reads_them_however_they_are_cut() {
    check_many("masscan-list", masscan_line);
}

#[test]
fn what_lies_in_the_middle_of_a_long_line_does_not_matter() {
    for start in ["1", "#", " "] {
        let dump = |middle: &str| format!("{start}{}{middle}\n192.0.2.2\n", "1".repeat(RECORD_BYTES_MAX + 1));
        let frames = ["", "2345", "\t# \r"].map(|middle| {
            let dump = dump(middle);
            let format = open("list", dump.as_bytes());
            let outcome =
                sweep_whole(&*format, dump.as_bytes(), KeyKinds { addresses: true, ..Default::default() });
            (outcome.tally, outcome.candidates.len())
        });
        assert_eq!(frames[0], frames[1]);
        assert_eq!(frames[0], frames[2]);
    }
}

#[test]
fn who_says_what_is_wrong_makes_a_list_vulnerable() {
    let check = |options: FormatOptions, expected: Result<(Kind, Option<&str>), Skip>| {
        for (name, record) in [("list", "192.0.2.1"), ("masscan-list", "open tcp 80 192.0.2.1 1390380064")] {
            let head = Head { bytes: b"", at_end: true };
            let format = (format_by_name(name).unwrap().open)(&head, &options).unwrap();
            let found = match format.findings(record.as_bytes()) {
                Findings::Some(findings) => {
                    Ok((findings[0].kind, findings[0].identifier.as_deref().map(str::to_owned)))
                }
                Findings::Skipped(skip) => Err(skip),
                Findings::Rejected(reason) => panic!("{reason:?}"),
            };
            // A port scan's row stays a port scan's, whatever the feed calls it.
            let expected = match expected {
                Ok((Kind::Vulnerable, word)) if name == "masscan-list" => Ok((Kind::Exposed, word)),
                expected => expected,
            };
            assert_eq!(found, expected.map(|(kind, word)| (kind, word.map(str::to_owned))), "{name}");
        }
    };
    let identifier = Some("open-rdp".to_owned());
    let none = FormatOptions::default();
    check(none.clone(), Ok((Kind::Exposed, None)));
    check(FormatOptions { finding: true, ..none.clone() }, Ok((Kind::Exposed, Some("open"))));
    check(
        FormatOptions { identifier, finding: true, ..none.clone() },
        Ok((Kind::Vulnerable, Some("open-rdp"))),
    );
    check(FormatOptions { take: Take::Vulnerable, ..none }, Err(Skip::NotVulnerable));
}
