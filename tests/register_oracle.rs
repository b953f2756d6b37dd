//! The register's readers against slow obvious ones, on random files of which at least a fifth are malformed.
//!
//! The productions are named in [`PRODUCTIONS`]; each run prints its seed and how often each was made. A longer sweep:
//! `DIJKWACHT_REGISTER_FILES=200000 cargo test --release --test register_oracle`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use dijkwacht::net::Range;
use dijkwacht::register::{FindingKind, OwnerId, ReadOptions, Register};
use dijkwacht::text::is_hostile;
use std::fmt::Write;

const KEEP_GOING: ReadOptions<'static> = ReadOptions { keep_going: true, progress: None };

/// What a line of a generated file may be.
const PRODUCTIONS: [&str; 16] = [
    "plain",
    "quoted",
    "quoted newline",
    "doubled quote",
    "empty line",
    "empty line with cr",
    "note",
    "only delimiters",
    "stray quote",
    "quote after a closed one",
    "unclosed quote",
    "lone cr",
    "too few fields",
    "too many fields",
    "host bits",
    "no utf-8",
];
/// The first of them that makes a file malformed.
const FIRST_MALFORMED: usize = 8;

struct Generated {
    text: Vec<u8>,
    made: [usize; PRODUCTIONS.len()],
}

fn generate(random: &mut fastrand::Rng, malformed: bool) -> Generated {
    let mut made = [0; PRODUCTIONS.len()];
    let mut text = if random.u8(..) < 32 { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
    let end = |random: &mut fastrand::Rng| if random.u8(..) < 64 { "\r\n" } else { "\n" };
    text.extend_from_slice(b"owner_id,name,network");
    text.extend_from_slice(end(random).as_bytes());
    let rows = random.usize(0..12);
    for row in 0..rows {
        let production = random.usize(0..if malformed { PRODUCTIONS.len() } else { FIRST_MALFORMED });
        made[production] += 1;
        let network = format!("192.0.2.{}", random.u8(..));
        let line = match PRODUCTIONS[production] {
            "plain" => format!("o{row},name,{network}"),
            "quoted" => format!("\"o{row}\",\"a,b\",\"{network}\""),
            "quoted newline" => format!("o{row},\"two\nlines\n\",{network}"),
            "doubled quote" => format!("o{row},\"say \"\"yes\"\"\",{network}"),
            "empty line" | "empty line with cr" => String::new(),
            "note" => "# \"note, ".to_owned(),
            "only delimiters" => ",\"\", ".to_owned(),
            "stray quote" => format!("o{row},3\" disk \"x,{network}"),
            "quote after a closed one" => format!("o{row},\"a\"b\"c,{network}"),
            "unclosed quote" => format!("o{row},\"open,{network}"),
            "lone cr" => format!("o{row},a\rb,{network}"),
            "too few fields" => format!("o{row},{network}"),
            "too many fields" => format!("o{row},a,{network},"),
            "host bits" => format!("o{row},a,{network}/8"),
            "no utf-8" => format!("o{row},\u{fffd},{network}"),
            other => panic!("{other} is no production"),
        };
        // U+FFFD stands for a byte that is no UTF-8.
        for char in line.chars() {
            match char {
                '\u{fffd}' => text.push(0xe9),
                char => text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        let last = row + 1 == rows && random.bool();
        let end = if PRODUCTIONS[production] == "empty line with cr" { "\r\n" } else { end(random) };
        text.extend_from_slice(if last { b"" } else { end.as_bytes() });
    }
    Generated { text, made }
}

/// A record as the slow reader sees it: its line and fields, or nothing where a quote never closes or closes in another row.
type Record = (u32, Option<Vec<Vec<u8>>>);

/// Byte by byte, as DESIGN says: a quote opens only as the first byte of a field, `""` is a quote, a lost quote costs a line.
fn read_slowly(text: &[u8]) -> Vec<Record> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut records = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let line = 1 + text[..at].iter().filter(|&&byte| byte == b'\n').count() as u32;
        let next =
            text[at..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |length| at + length + 1);
        let first = text[at..next].trim_ascii_end();
        if first.starts_with(b"#") || text[at..next].iter().all(|byte| b"\r\n".contains(byte)) {
            at = next;
            continue;
        }
        match read_record(&text[at..]) {
            Some((fields, _)) if holds_rows(&fields) => {
                records.push((line, None));
                at = next;
            }
            Some((fields, length)) => {
                records.push((line, Some(fields)));
                at += length;
            }
            None => {
                records.push((line, None));
                at = next;
            }
        }
    }
    records
}

/// Whether a field has the rest of its row of three fields before its first line break, and as much behind its last as stands before it.
fn holds_rows(fields: &[Vec<u8>]) -> bool {
    let commas = |text: &str| text.matches(',').count();
    let holds = |(at, field): (usize, &Vec<u8>)| {
        let text = String::from_utf8_lossy(field);
        let lines: Vec<&str> = text.split('\n').collect();
        let ends = at + 1 + commas(lines[0]) >= 3;
        lines.len() > 1 && ends && (fields.len() != 3 || commas(lines[lines.len() - 1]) >= at)
    };
    let is_blank = fields.iter().all(|field| field.trim_ascii().is_empty());
    !is_blank && fields.iter().enumerate().any(holds)
}

fn read_record(text: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut fields = vec![Vec::new()];
    let (mut quoted, mut fresh) = (false, true);
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        at += 1;
        let field = fields.last_mut().unwrap();
        if quoted {
            match byte {
                b'"' if text.get(at) == Some(&b'"') => {
                    field.push(b'"');
                    at += 1;
                }
                b'"' => quoted = false,
                byte => field.push(byte),
            }
            continue;
        }
        match byte {
            b'"' if fresh => quoted = true,
            b'\n' => return Some((fields, at)),
            b',' => fields.push(Vec::new()),
            byte => field.push(byte),
        }
        fresh = byte == b',';
    }
    (!quoted).then_some((fields, at))
}

/// `line owner network` of good rows (`-` for no network), `line bad` of the others, by line.
fn expect(text: &[u8]) -> Vec<String> {
    let mut expected = Vec::new();
    for (line, fields) in read_slowly(text).into_iter().skip(1) {
        let Some(fields) = fields else {
            expected.push(format!("{line} bad"));
            continue;
        };
        let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
        if fields.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        expected.push(judge(&fields).map_or(format!("{line} bad"), |good| format!("{line} {good}")));
    }
    expected
}

fn judge(fields: &[&[u8]]) -> Option<String> {
    let &[owner, name, network] = fields else { return None };
    if owner.contains(&b'\n') || network.contains(&b'\n') {
        return None;
    }
    let (owner, name, network) = (owner.trim_ascii(), name.trim_ascii(), network.trim_ascii());
    let owner = OwnerId::new(std::str::from_utf8(owner).ok()?)?;
    let clean = !std::str::from_utf8(name).ok()?.contains(is_hostile);
    clean.then_some(())?;
    match network {
        b"" => Some(format!("{owner} -")),
        network => Some(format!("{owner} {}", Range::read(network).ok()?)),
    }
}

fn check(text: &[u8]) {
    let (register, report) = Register::read_bytes(&[("r.csv", text)], &KEEP_GOING).unwrap();
    let mut found: Vec<(u32, String)> = register
        .registrations
        .iter()
        .map(|it| (it.line, format!("{} {} {}", it.line, register.owners[it.owner as usize].id, it.key)))
        .collect();
    found.extend(report.findings.of(FindingKind::BadRow).map(|bad| (bad.line, format!("{} bad", bad.line))));
    found.sort();
    let found: Vec<String> = found.into_iter().map(|(_, text)| text).collect();
    let mut expected = expect(text);
    assert_eq!(report.rows as usize, expected.len(), "{}", text.escape_ascii());
    expected.retain(|line| !line.ends_with(" -"));
    assert_eq!(found, expected, "{}", text.escape_ascii());
}

#[test]
fn random_csv_files_read_as_the_slow_reader_reads_them() {
    let files =
        std::env::var("DIJKWACHT_REGISTER_FILES").ok().and_then(|files| files.parse().ok()).unwrap_or(10_000);
    let seed = std::env::var("DIJKWACHT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("DIJKWACHT_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut made = [0; PRODUCTIONS.len()];
    let mut malformed = 0;
    for _ in 0..files {
        let wanted = random.bool();
        let generated = generate(&mut random, wanted);
        for (sum, count) in made.iter_mut().zip(generated.made) {
            *sum += count;
        }
        malformed += usize::from(generated.made[FIRST_MALFORMED..].iter().any(|&count| count > 0));
        check(&generated.text);
    }
    let mut counts = String::new();
    for (name, count) in PRODUCTIONS.iter().zip(made) {
        write!(counts, "{name} {count}, ").unwrap();
    }
    println!("{files} files, {malformed} malformed: {counts}");
    assert!(malformed * 5 >= files && made.iter().all(|&count| count > 0));
}

/// Quotes, delimiters and line ends in every order: all texts of up to six of six bytes behind a header.
#[test]
fn every_short_text_reads_as_the_slow_reader_reads_it() {
    let letters = b"a\",\n\r#";
    for length in 0..=6u32 {
        for number in 0..6usize.pow(length) {
            let mut text = b"owner_id,name,network\n".to_vec();
            let mut rest = number;
            for _ in 0..length {
                text.push(letters[rest % 6]);
                rest /= 6;
            }
            check(&text);
        }
    }
}

/// The same owners, written both ways, are the same register but for lines.
#[test]
fn csv_and_jsonl_of_the_same_owners_agree() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..500 {
        let mut csv = "owner_id,name,kvk,role,network,asn,domain,contact,link,valid_from\n".to_owned();
        let mut jsonl = String::new();
        for owner in 0..random.usize(1..20) {
            let name = ["A, \"b\" é", "plain", "\\ \u{1f600}"][random.usize(0..3)];
            let kvk = format!("{:08}", random.u32(1..10));
            let role = ["", "user", "network", "link"][random.usize(0..4)];
            let network = format!("2001:db8:{:x}::/48", random.u16(..));
            let asn = random.u32(64496..64512);
            let from = format!("2026-01-{:02}", random.u8(1..=31));
            let quoted = name.replace('"', "\"\"");
            writeln!(csv, "o{owner},\"{quoted}\",{kvk},{role},{network},{asn},ex{owner}.nl,\"a@b.nl;c@d.nl\",o1;o0,{from}").unwrap();
            let line = serde_json::json!({
                "owner_id": format!("o{owner}"), "name": name, "kvk": kvk, "role": role, "networks": [network],
                "asns": [asn], "domains": [format!("ex{owner}.nl")], "contacts": ["a@b.nl", "c@d.nl"],
                "link": ["o0", "o1"], "valid_from": from,
            });
            writeln!(jsonl, "{line}").unwrap();
        }
        let read = |name: &str, text: &str| {
            let (mut register, _) =
                Register::read_bytes(&[(name, text.as_bytes())], &ReadOptions::default()).unwrap();
            register.owners.iter_mut().for_each(|owner| owner.line = 0);
            register.registrations.iter_mut().for_each(|registration| registration.line = 0);
            (register.owners, register.registrations)
        };
        assert_eq!(read("r.csv", &csv), read("r.jsonl", &jsonl));
    }
}
