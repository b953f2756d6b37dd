//! What is Dutch and nobody's: always counted, and as a work list when asked.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use work::{Work, count, gzip};

/// A block that ends in the middle of a /20, one that is whole /20s, one smaller than a /24, and two of IPv6.
const DELEGATED: &str = "\
2|ripencc|20261122|5|19830705|20261122|+0100
ripencc|NL|ipv4|91.192.0.0|5000|20100101|allocated|holder-a
ripencc|NL|ipv4|91.193.0.0|65536|20100101|allocated|holder-b
ripencc|NL|ipv4|91.200.7.16|48|20100101|assigned|holder-a
ripencc|DE|ipv4|91.201.0.0|4096|20100101|allocated|foreign
ripencc|NL|ipv6|2a02:100::|29|20100101|allocated|holder-b
ripencc|NL|ipv6|2a10:40::|48|20100101|assigned|holder-c
";
/// The blocks again, for an oracle that knows nothing else: first, last, holder.
fn blocks() -> Vec<(u128, u128, &'static str)> {
    let v4 = |text: &str| u128::from(text.parse::<Ipv4Addr>().unwrap().to_bits());
    let v6 = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits();
    vec![
        (v4("91.192.0.0"), v4("91.192.0.0") + 4_999, "holder-a"),
        (v4("91.193.0.0"), v4("91.193.255.255"), "holder-b"),
        (v4("91.200.7.16"), v4("91.200.7.63"), "holder-a"),
        (v6("2a02:100::"), v6("2a02:107:ffff:ffff:ffff:ffff:ffff:ffff"), "holder-b"),
        (v6("2a10:40::"), v6("2a10:40:0:ffff:ffff:ffff:ffff:ffff"), "holder-c"),
    ]
}

const REGISTER: &str = "\
owner_id,role,network,contact,valid_until
isp,network,91.193.0.0/17,abuse@isp.example,
isp,network,2a02:101::/32,abuse@isp.example,
old,user,91.192.1.0/25,cert@old.example,2026-01-01
";

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The holder of the Dutch block of an address that no valid registration holds.
fn residual_holder(address: IpAddr) -> Option<&'static str> {
    let is_registered = match address {
        IpAddr::V4(v4) => v4.to_bits() >> 15 == u32::from_be_bytes([91, 193, 0, 0]) >> 15,
        IpAddr::V6(v6) => v6.to_bits() >> 96 == 0x2a02_0101,
    };
    let found =
        blocks().into_iter().find(|&(first, last, _)| first <= bits(address) && bits(address) <= last);
    found.filter(|_| !is_registered).map(|(.., holder)| holder)
}

/// Addresses on the borders of the blocks, near them, in them and far away; many in one /24.
fn addresses(seed: u64) -> Vec<IpAddr> {
    let mut rng = Rng::with_seed(seed);
    let mut addresses = Vec::new();
    for (first, last, _) in blocks() {
        let of = |bits: u128| match u32::try_from(bits) {
            Ok(v4) => IpAddr::V4(v4.into()),
            Err(_) => IpAddr::V6(bits.into()),
        };
        addresses.extend([first - 1, first, last, last + 1].map(of));
        for _ in 0..rng.usize(20..60) {
            addresses.push(of(rng.u128(first.saturating_sub(300)..=last + 300)));
        }
    }
    for _ in 0..300 {
        addresses.push(IpAddr::V4(rng.u32(..).into()));
        addresses.push(IpAddr::V4((0x5bc1_9000 | rng.u32(..256)).into()));
        // Half of this /24 is a registration that has ended.
        addresses.push(IpAddr::V4((0x5bc0_0100 | rng.u32(..256)).into()));
    }
    rng.shuffle(&mut addresses);
    addresses
}

/// A dump of the addresses in a format.
fn dump(format: &str, addresses: &[IpAddr]) -> String {
    let mut text = match format {
        "csv" => "ip,port,timestamp\n".to_owned(),
        "zmap" => "saddr,sport,success\n".to_owned(),
        _ => String::new(),
    };
    for address in addresses {
        match format {
            "csv" => writeln!(text, "{address},80,2026-11-22T01:02:03Z"),
            "zmap" => writeln!(text, "{address},443,1"),
            "ndjson" => writeln!(text, "{{\"port\":80,\"ip\":\"{address}\"}}"),
            _ => writeln!(text, "{address}"),
        }
        .unwrap();
    }
    text
}

fn work() -> Work {
    let work = Work::new();
    work.write("register.csv", REGISTER);
    work.write("delegated-ripencc-extended", DELEGATED);
    work.run("index build -q -o owners.dwi register.csv delegated-ripencc-extended").check(0, &[]);
    work.run("index build -q -o plain.dwi register.csv").check(0, &[]);
    work
}

#[test]
fn what_is_dutch_and_nobodys_is_counted_whatever_the_format_and_the_chunks() {
    let work = work();
    for (seed, format) in ["csv", "zmap", "ndjson", "list"].into_iter().enumerate() {
        let addresses = addresses(seed as u64);
        let expected = addresses.iter().filter(|address| residual_holder(**address).is_some()).count() as u64;
        assert!(expected > 100 && expected < addresses.len() as u64);
        let text = dump(format, &addresses);
        work.write("dump", &text);
        work.write("dump.gz", gzip(text.as_bytes()));
        for words in [
            "dump",
            "--chunk-bytes 50 dump",
            "--chunk-bytes 700 --threads 1 --io read dump",
            "--chunk-bytes 999 dump.gz",
        ] {
            let words = format!("--index owners.dwi --format {format} --identifier x --dry-run {words}");
            let found = work.dump(&words);
            assert_eq!(count(&found, "unmatched_dutch"), expected, "{format}: {words}");
            assert_eq!(count(&found, "records"), addresses.len() as u64);
        }
        let plain = work.dump(&format!("--index plain.dwi --format {format} --identifier x --dry-run dump"));
        assert!(plain["unmatched_dutch"].is_null(), "nothing is known of the space");
    }
    let text = work.matched("--index owners.dwi --format list --identifier x --dry-run dump");
    assert!(text.out.contains(" Dutch)"), "{}", text.out);
}

#[test]
fn a_record_of_a_prefix_is_dutch_if_all_of_it_is() {
    let work = work();
    work.write(
        "dump.csv",
        "ip\n91.192.0.0/20\n91.192.16.0/20\n91.192.0.0/19\n2a10:40::/48\n2a10:40::/47\n91.200.7.16/30\n10.0.0.0/8\n",
    );
    let found = work.dump("--index owners.dwi --format csv --identifier x --dry-run dump.csv");
    assert_eq!((count(&found, "unmatched"), count(&found, "unmatched_dutch")), (7, 3), "{found}");
}

/// The work list of a run.
fn residual(work: &Work, run: &Value) -> (String, Vec<Value>) {
    let name = format!("spool/runs/{}.residual.jsonl", run["run"].as_str().unwrap());
    let text = std::fs::read_to_string(work.path(&name)).unwrap();
    (name, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A line of it, as far as an oracle knows.
type Known = (String, u64, Vec<String>);

/// By holder and place, in the order of the dump.
fn expected(addresses: &[IpAddr]) -> BTreeMap<(String, String), Known> {
    let mut lines = BTreeMap::<(String, String), Known>::new();
    for address in addresses {
        let Some(holder) = residual_holder(*address) else { continue };
        let network = match address {
            IpAddr::V4(v4) => format!("{}/24", Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
            IpAddr::V6(v6) => format!("{}/48", Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)),
        };
        let line = lines.entry((holder.to_owned(), network.clone())).or_insert((network, 0, Vec::new()));
        line.1 += 1;
        if line.2.len() < 4 && !line.2.contains(&address.to_string()) {
            line.2.push(address.to_string());
        }
    }
    lines
}

#[test]
fn the_work_list_is_by_holder_and_network_and_the_same_whatever_the_chunks() {
    let work = work();
    for seed in 10..14 {
        let addresses = addresses(seed);
        let text = dump("csv", &addresses);
        work.write("dump.csv", &text);
        work.write("dump.csv.gz", gzip(text.as_bytes()));
        let expected = expected(&addresses);
        let mut seen = None;
        for (label, words) in [
            ("a", "dump.csv"),
            ("b", "--chunk-bytes 60 dump.csv"),
            ("c", "--chunk-bytes 777 --threads 1 dump.csv.gz"),
        ] {
            let words = format!(
                "--index owners.dwi --feed s{seed} --identifier x --spool spool --residual --label {label} {words}"
            );
            let run = work.dump(&words);
            let (name, lines) = residual(&work, &run);
            let found: BTreeMap<(String, String), Known> = lines
                .iter()
                .map(|line| {
                    let text = |key: &str| line[key].as_str().unwrap().to_owned();
                    let addresses = serde_json::from_value(line["addresses"].clone()).unwrap();
                    ((text("holder"), text("network")), (text("network"), count(line, "records"), addresses))
                })
                .collect();
            assert_eq!(found.len(), lines.len());
            assert_eq!(found, expected, "seed {seed}: {words}");
            let total: u64 = lines.iter().map(|line| count(line, "records")).sum();
            assert_eq!(total, count(&run, "unmatched_dutch"));
            let most: Vec<u64> = lines.iter().map(|line| count(line, "holder_records")).collect();
            assert!(most.is_sorted_by(|a, b| a >= b), "the holder with the most comes first");
            let mode = work.path(&name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let bytes = std::fs::read(work.path(&name)).unwrap();
            assert_eq!(*seen.get_or_insert_with(|| bytes.clone()), bytes);
        }
    }
    work.run("spool verify --spool spool").check(0, &[]);
}

#[test]
fn an_owner_whose_registration_has_ended_is_named_with_its_contact() {
    let work = work();
    work.write("dump.csv", "ip\n91.192.1.7\n91.192.2.7\n");
    let run = work.dump("--index owners.dwi --format csv --identifier x --spool spool --residual dump.csv");
    let (_, lines) = residual(&work, &run);
    assert_eq!(
        lines,
        [
            json!({"network": "91.192.1.0/24", "holder": "holder-a", "holder_records": 2, "records": 1,
                "addresses": ["91.192.1.7"], "lapsed": ["old"], "abuse_contact": "cert@old.example"}),
            json!({"network": "91.192.2.0/24", "holder": "holder-a", "holder_records": 2, "records": 1,
                "addresses": ["91.192.2.7"]}),
        ]
    );
}

#[test]
fn the_work_list_is_written_when_asked_only_and_goes_with_its_run() {
    let work = work();
    work.write("dump.csv", "ip\n91.192.1.7\n91.192.1.8\n91.192.2.7\n");
    let words = "--index owners.dwi --format csv --identifier x";
    let listed = |work: &Work| work.files("spool/runs");
    work.dump(&format!("{words} --spool spool dump.csv"));
    assert_eq!(listed(&work), [""; 0]);
    work.write("c.toml", "spool.path = \"spool\"\nspool.residual = true\n");
    let run = work.dump(&format!("{words} --config c.toml --label by-config dump.csv"));
    let (name, lines) = residual(&work, &run);
    assert_eq!(lines.len(), 2);
    // A dump that was published before gives none.
    work.dump(&format!("{words} --spool spool --residual dump.csv"));
    assert_eq!(listed(&work).len(), 1);
    for elsewhere in ["--dry-run", "--output out.jsonl"] {
        work.matched(&format!("{words} --residual {elsewhere} dump.csv")).check(64, &["--spool"]);
    }
    // What is about one address goes, the count stays.
    work.run("spool forget --spool spool --address 91.192.1.7 --because test").check(0, &[]);
    let (_, lines) = residual(&work, &run);
    assert_eq!((&lines[0]["addresses"], &lines[0]["records"]), (&json!(["91.192.1.8"]), &json!(2)));
    work.run("spool forget --spool spool --address 91.192.2.0/24 --because test").check(0, &[]);
    assert_eq!(residual(&work, &run).1.len(), 1);
    // Without its run in new/ it counts for nothing: the next start removes it.
    work.write("spool/runs/other-0123456789abcdef.residual.jsonl", "{}\n");
    work.write("spool/runs/notes.txt", "a person's\n");
    work.dump(&format!("{words} --spool spool --label again dump.csv"));
    assert_eq!(listed(&work).len(), 2, "{:?}", listed(&work));
    work.run("spool prune --spool spool --older-than 0").check(0, &[]);
    assert!(!work.path(&name).exists(), "{:?}", listed(&work));
}
