//! The same dump by every way gives the same bytes.

use crate::work::{Tree, Work, gzip, packed, zstd};
use serde_json::Value;
use std::fmt::Write;

/// What the records of all formats say.
struct Row {
    address: String,
    port: u16,
    day: u8,
    note: String,
}

/// Every registration, addresses of nobody, and some that are none; duplicates among them.
fn rows(count: usize) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(20261122);
    let row = |_| {
        let n = random.u8(..);
        let address = match random.u8(..12) {
            0 => format!("2001:db8:1::{:x}", n % 8),
            1 => format!("2001:db8:2::{:x}", n % 8),
            2 => format!("198.51.100.{n}"),
            3 => format!("203.0.113.{}", n % 8),
            4 => format!("10.0.0.{n}"),
            5 => format!("192.0.0.{}", 9 + n % 2),
            6 => "192.0.2".to_owned(),
            7..9 => format!("192.0.2.{}", n % 16),
            _ => format!("192.0.2.{n}"),
        };
        let port = [22, 80, 443, 3389][random.usize(..4)];
        let note =
            ["", "plain", "bücher 😀", "a \"word\"", "two\nlines", "\\ / \u{85}\u{202e}"][random.usize(..6)];
        Row { address, port, day: [1, 20, 21, 22, 24][random.usize(..5)], note: note.to_owned() }
    };
    (0..count).map(row).collect()
}

fn json(text: &str) -> Value {
    Value::from(text)
}

/// The rows as a producer would write them, with what is no record between them.
fn written(format: &str, rows: &[Row]) -> String {
    let mut text = match format {
        "csv" => "\u{feff}ip;port;protocol;timestamp;cve;tag;note\r\n",
        "shadowserver" => "timestamp,severity,ip,protocol,port,hostname,tag,asn,geo,note\n",
        "zmap" => "saddr,sport,classification,success,repeat,timestamp_str\n",
        "masscan" => "[\n",
        "masscan-list" => "#masscan\n",
        _ => "",
    }
    .to_owned();
    for (i, Row { address, port, day, note }) in rows.iter().enumerate() {
        let time = format!("2026-11-{day:02}T01:02:03Z");
        let seconds = 1_793_494_923 + 86_400 * u64::from(*day);
        let (cve, tag) = (format!("CVE-2026-{:04}", i % 7), ["a", "b", "a;c"][i % 3]);
        let quoted = note.replace('"', "\"\"");
        let status = if i % 5 == 0 { "io-timeout" } else { "success" };
        let open = if i % 5 == 0 { "closed" } else { "open" };
        match format {
            "csv" => write!(text, "{address};{port};tcp;{time};{cve};\"{tag}\";\"{quoted}\"\r\n"),
            "shadowserver" => {
                let time = time.replace('T', " ").replace('Z', "");
                writeln!(text, "\"{time}\",high,{address},tcp,{port},h{i}.example,{cve};{tag},64496,NL,\"{quoted}\"")
            }
            "zmap" => writeln!(text, "{address},{port},synack,{},{},{time}", u8::from(i % 5 > 0), u8::from(i % 7 == 0)),
            "ndjson" => writeln!(
                text,
                "{{\"ip\":{},\"port\":{port},\"timestamp\":{},\"cve\":[{}],\"tags\":[{}],\"note\":{}}}",
                json(address), json(&time), json(&cve), json(tag), json(note)
            ),
            "shodan" => writeln!(
                text,
                "{{\"note\":{},\"ip_str\":{},\"port\":{port},\"transport\":\"tcp\",\"timestamp\":\"2026-11-{day:02}T01:02:03.5\",\"vulns\":{{{}:{{\"verified\":false}}}},\"_shodan\":{{\"module\":\"rdp\"}}}}",
                json(note), json(address), json(&cve)
            ),
            "zgrab2" => writeln!(
                text,
                "{{\"ip\":{},\"data\":{{\"http\":{{\"status\":\"{status}\",\"protocol\":\"http\",\"port\":{port},\"timestamp\":{time}}},\"tls\":{{\"status\":\"success\",\"protocol\":\"tls\",\"timestamp\":{time}}}}},\"note\":{}}}",
                json(address), json(note), time = json(&time)
            ),
            "nuclei" => writeln!(
                text,
                "{{\"template-id\":\"t-{}\",\"info\":{{\"name\":{},\"severity\":\"high\"}},\"type\":\"http\",\"host\":{},\"port\":\"{port}\",\"ip\":{},\"timestamp\":{},\"matcher-status\":{}}}",
                i % 3, json(note), json(address), json(address), json(&time), i % 5 > 0
            ),
            "masscan" => writeln!(
                text,
                "{}{{   \"ip\": \"{address}\",   \"timestamp\": \"{seconds}\", \"ports\": [ {{\"port\": {port}, \"proto\": \"tcp\", \"status\": \"{open}\", \"reason\": \"syn-ack\", \"ttl\": 48}} ] }}",
                if i == 0 { "" } else { ",\n" }
            ),
            "masscan-list" => writeln!(text, "{open} tcp {port} {address} {seconds}"),
            "list" if address.contains("::") => writeln!(text, "[{address}]:{port}"),
            "list" if i % 9 == 0 => write!(text, "# a note\n\n{address}:{port}\r\n"),
            "list" => writeln!(text, "{address}:{port}"),
            _ => unreachable!("{format}"),
        }
        .unwrap();
    }
    if format == "masscan" {
        text.push_str("]\n");
    }
    text
}

/// What a run left in the spool, less what tells by which way the dump came.
fn published(work: &Work, spool: &str, run: &str) -> (Tree, Value) {
    let mut tree = work.tree(spool);
    let (_, manifest) = tree.remove(&format!("new/{run}/manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for path in ["/dump/name", "/dump/bytes_stored", "/counts/bytes_stored"] {
        *manifest.pointer_mut(path).unwrap() = Value::Null;
    }
    (tree, manifest)
}

/// A summary's dump, less what differs by the way.
fn counted(dump: &Value) -> Value {
    let mut dump = dump.clone();
    for key in ["dump", "bytes_stored", "seconds"] {
        dump[key] = Value::Null;
    }
    dump
}

fn check(format: &str, content: &[u8], ways: &[&str]) {
    let work = Work::new();
    work.write("dump", content);
    work.write("dump.gz", packed(content, gzip));
    work.write("dump.zst", packed(content, zstd));
    let words = format!("--feed night --format {format} --identifier scan_rdp");
    let base = work.dump(&format!("{words} --spool base dump"));
    let run = format!("night-{}", &blake3::hash(content).to_hex()[..16]);
    assert_eq!(base["run"], run, "{format}");
    let expected = published(&work, "base", &run);
    assert!(base["alerts"].as_u64() > Some(10) && base["held"].as_u64() > Some(5), "{format}: {base}");
    for (number, way) in ways.iter().enumerate() {
        let spool = format!("spool-{number}");
        let words = crate::work::match_words(&format!("{words} --json --spool {spool} {way}"));
        let summary = work.run_with_input(&words, content).summary();
        assert_eq!(counted(&summary["dumps"][0]), counted(&base), "{format} {way}");
        assert_eq!(published(&work, &spool, &run), expected, "{format} {way}");
    }
}

const WAYS: [&str; 14] = [
    "--threads 1 dump",
    "--threads 2 --chunk-bytes 1024 dump",
    "--threads 7 --chunk-bytes 7 dump",
    "--threads 2 --chunk-bytes 1 dump",
    "--threads 2 --io mmap-once --chunk-bytes 1024 dump",
    "--chunk-bytes 65536 dump",
    "dump.gz",
    "--threads 2 --chunk-bytes 7 dump.gz",
    "dump.zst",
    "--threads 7 --chunk-bytes 1 dump.zst",
    "-",
    "--chunk-bytes 1024 -",
    "--io read dump",
    "--io read --threads 2 --chunk-bytes 13 dump",
];

/// A test for each format, so that they run at once.
macro_rules! the_notices_are_the_same_by_every_way {
    ($($name:ident: $format:literal),*) => {$(
        #[test]
        fn $name() {
            check($format, written($format, &rows(150)).as_bytes(), &WAYS);
        }
    )*};
}

the_notices_are_the_same_by_every_way! {
    the_notices_of_csv_are_the_same_by_every_way: "csv",
    the_notices_of_ndjson_are_the_same_by_every_way: "ndjson",
    the_notices_of_shodan_are_the_same_by_every_way: "shodan",
    the_notices_of_zgrab2_are_the_same_by_every_way: "zgrab2",
    the_notices_of_nuclei_are_the_same_by_every_way: "nuclei",
    the_notices_of_masscan_are_the_same_by_every_way: "masscan",
    the_notices_of_masscans_list_are_the_same_by_every_way: "masscan-list",
    the_notices_of_zmap_are_the_same_by_every_way: "zmap",
    the_notices_of_a_list_are_the_same_by_every_way: "list",
    the_notices_of_shadowserver_are_the_same_by_every_way: "shadowserver"
}

#[test]
fn a_dump_of_several_windows_of_the_default_size_is_the_same_by_every_way() {
    let mut text = written("csv", &rows(100));
    while text.len() < 9 << 20 {
        text.extend((0..=255).map(|n| format!("10.0.0.{n};80;tcp;;;;\r\n")));
        text.push_str("192.0.2.1;22;tcp;;;;\"\n\n\"\r\n");
    }
    check("csv", text.as_bytes(), &["--threads 1 dump", "--threads 7 dump.zst", "dump.gz", "--io read dump"]);
}

#[test]
fn the_encoding_of_a_dump_changes_its_run_and_its_offsets_only() {
    let work = Work::new();
    let text = written("csv", &rows(60));
    let low: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    work.write("utf8", &text);
    work.write("utf16", &low);
    let words = "--feed night --identifier open-rdp";
    let expected = work.dump(&format!("{words} --output utf8.jsonl utf8"));
    let offset = |reject: &Value| reject["offset"].as_u64().unwrap() as usize;
    for way in ["", "--chunk-bytes 1 --threads 2", "--chunk-bytes 1024"] {
        let dump = work.dump(&format!("{words} --output utf16.jsonl {way} utf16"));
        assert_eq!(dump["run"], format!("night-{}", &blake3::hash(&low).to_hex()[..16]));
        assert_eq!(dump["bytes"], low.len());
        let rejects =
            (dump["rejected_first"].as_array().unwrap(), expected["rejected_first"].as_array().unwrap());
        assert_eq!((rejects.0.len(), rejects.1.is_empty()), (rejects.1.len(), false));
        for (there, here) in rejects.0.iter().zip(rejects.1) {
            assert_eq!(offset(there), 2 * text[..offset(here)].encode_utf16().count(), "{way}");
            assert_eq!((&there["record"], &there["reason"]), (&here["record"], &here["reason"]));
        }
        let told = |name: &str| {
            let mut alerts = work.alerts(name);
            alerts.iter_mut().for_each(|alert| alert["extra.run"] = Value::Null);
            alerts
        };
        assert_eq!(told("utf16.jsonl"), told("utf8.jsonl"), "{way}");
    }
}

#[test]
fn the_run_is_named_by_what_was_observed_and_the_content() {
    let work = Work::new();
    for length in [1, 1023, 1024, 1025, 4096, 16_384, 16_385, 70_000] {
        let content = &b"192.0.2.1\n".repeat(7000)[..length];
        work.write("dump", content);
        work.write("dump.gz", gzip(content));
        for (observed, prefix) in [("", &b""[..]), ("--observed 2026-11-21", b"2026-11-21\0")] {
            let hash = blake3::hash(&[prefix, content].concat()).to_hex();
            for way in ["dump", "dump.gz", "--chunk-bytes 1024 dump", "--chunk-bytes 1024 --io read dump"] {
                let dump = work.dump(&format!("--format list --output out {observed} {way}"));
                assert_eq!(dump["run"], format!("list-{}", &hash[..16]), "{length} {observed} {way}");
            }
        }
    }
}
