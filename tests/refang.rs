//! Defanged rows are the rows that they were, where the operator says so; elsewhere they are rejected.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::scan::{
    Filter, Findings, Format, FormatOptions, Head, KeyKinds, Keys, Sink, Subject, Tally, Window,
    format_by_name,
};
use serde_json::{Value, json};
use work::Work;

/// What a producer fills in: addresses, endpoints, prefixes, names; most of them no key of anybody.
const ADDRESSES: [&str; 9] = [
    "192.0.2.1",
    "192.0.2.1:443",
    "192.0.2.0/24",
    "8.8.8.8",
    "2001:db8::1",
    "[2001:db8::1]:443",
    "010.1.2.3",
    "192.0.2.256",
    "",
];
const NAMES: [&str; 7] = [
    "http://www.example.nl/a",
    "https://www.example.nl:8443/a.b?c=d",
    "example.nl",
    "www.example.org",
    "http://192.0.2.7:81/",
    "nonsense",
    "",
];

/// The text in one of the ways of analysts.
fn defanged(text: &str, random: &mut fastrand::Rng) -> String {
    let dot = ["[.]", "(.)", "."][random.usize(..3)];
    let colon = ["[:]", ":"][random.usize(..2)];
    let scheme = text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
    let text = if scheme && random.bool() { format!("hxxp{}", &text[4..]) } else { text.to_owned() };
    text.replace('.', dot).replace(':', colon)
}

/// 192.0.2.0/24, 2001:db8::/32 and example.nl.
struct Register(KeyKinds);

impl Filter for Register {
    fn kinds(&self) -> KeyKinds {
        self.0
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        let held = keys.subject.is_some_and(|subject| match subject {
            Subject::Address(address) => is_held(&address.to_string()),
            Subject::Prefix(prefix) => is_held(&prefix.to_string()),
        });
        held || keys.stated.as_deref().is_some_and(|name| name.to_lowercase().contains("example.nl"))
    }

    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        let held = |address: u32| is_held(&std::net::Ipv4Addr::from(address).to_string());
        addresses.iter().enumerate().map(|(i, &address)| u64::from(held(address)) << i).sum()
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        let held = |address: u128| is_held(&std::net::Ipv6Addr::from(address).to_string());
        addresses.iter().enumerate().map(|(i, &address)| u64::from(held(address)) << i).sum()
    }
}

fn is_held(text: &str) -> bool {
    text.starts_with("192.0.2.") || text.starts_with("2001:db8:")
}

/// What the candidates of a sweep say, by number.
struct Told<'f>(&'f dyn Format, Vec<(u64, String)>);

impl Sink for Told<'_> {
    fn candidate(&mut self, number: u64, _: usize, record: &[u8]) {
        let words = match self.0.findings(record) {
            Findings::Some(findings) => format!("{findings:?}"),
            Findings::Skipped(skip) => skip.as_str().to_owned(),
            Findings::Rejected(reason) => reason.as_str().to_owned(),
        };
        self.1.push((number, words));
    }
}

/// Candidates, and the counts of all others with their reasons.
fn told(name: &str, dump: &str, refang: bool, kinds: KeyKinds) -> (Vec<(u64, String)>, Value) {
    let options = FormatOptions { refang, ..FormatOptions::default() };
    let head = Head { bytes: dump.as_bytes(), at_end: true };
    let format = (format_by_name(name).unwrap().open)(&head, &options).unwrap();
    let window = Window { bytes: dump.as_bytes(), at_end: true };
    let (mut sink, mut tally) =
        (Told(&*format, Vec::new()), Tally { keeps_all_rejects: true, ..Tally::default() });
    format.sweep(window, format.body()..dump.len(), &Register(kinds), &mut sink, &mut tally);
    let rejected: Vec<_> = tally.rejected_first.iter().map(|it| (it.number, it.reason.as_str())).collect();
    (sink.1, json!([tally.records, tally.unmatched, tally.unmatched_special, rejected]))
}

#[test]
fn a_defanged_dump_says_what_the_plain_one_says() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let everything = KeyKinds { addresses: true, names: true, asns: true };
    for name in ["csv", "ndjson"] {
        let (mut plain, mut fanged) = (String::new(), String::new());
        if name == "csv" {
            plain.push_str("ip,url,ptr\n");
            fanged.push_str("ip,url,ptr\n");
        }
        for _ in 0..3000 {
            let of = |list: &[&'static str], random: &mut fastrand::Rng| list[random.usize(..list.len())];
            let cells = [of(&ADDRESSES, &mut random), of(&NAMES, &mut random), of(&NAMES, &mut random)];
            let others = cells.map(|cell| defanged(cell, &mut random));
            let row = |[ip, url, ptr]: [&str; 3]| match name {
                "csv" => format!("{ip},\"{url}\",{ptr}\n"),
                _ => format!("{}\n", json!({"ip": ip, "url": url, "ptr": ptr})),
            };
            plain += &row(cells);
            fanged += &row(others.each_ref().map(|cell| &cell[..]));
        }
        for kinds in [everything, KeyKinds { names: false, asns: false, ..everything }] {
            let expected = told(name, &plain, false, kinds);
            assert!(expected.0.len() > 1000, "seed {seed}");
            assert_eq!(told(name, &plain, true, kinds), expected, "seed {seed}");
            assert_eq!(told(name, &fanged, true, kinds), expected, "seed {seed}");
            assert_ne!(told(name, &fanged, false, kinds), expected, "seed {seed}");
        }
    }
}

#[test]
fn nothing_is_read_so_unless_somebody_says_it() {
    let work = Work::new();
    work.write("list.csv", "ip,identifier\n192[.]0[.]2[.]1,open-rdp\n192.0.2.2,open-rdp\n");
    let dump = work.dump("--dry-run list.csv");
    assert_eq!((&dump["alerts"], &dump["rejected_by"]), (&json!(1), &json!({"address": 1})));
    assert_eq!(work.dump("--dry-run --refang list.csv")["alerts"], 2);
    work.write("d.toml", "[feeds.analyst]\nrefang = true\n");
    assert_eq!(work.dump("--config d.toml --feed analyst --dry-run list.csv")["alerts"], 2);
    assert_eq!(work.dump("--config d.toml --dry-run list.csv")["alerts"], 1);
}

#[test]
fn a_refanged_alert_is_explained_as_it_was_read() {
    let work = Work::new();
    work.write("list.csv", "ip,identifier,time\n192[.]0[.]2[.]1,open-rdp,2026-11-22T01:02:03Z\n");
    assert_eq!(work.dump("--refang --spool spool list.csv")["alerts"], 1);
    let notice = work.files("spool/new").into_iter().find(|file| file.ends_with("school.jsonl")).unwrap();
    let alert = &work.alerts(&format!("spool/new/{notice}"))[0];
    assert_eq!(alert["source.ip"], "192.0.2.1");
    let id = alert["extra.alert_id"].as_str().unwrap();
    let words = format!("explain --json --register register.csv --spool spool --dump list.csv {id}");
    let explained = work.run(&words);
    assert_eq!(explained.code, 0, "{}", explained.err);
    assert!(!explained.out.contains("matches nothing"), "{}", explained.out);
}
