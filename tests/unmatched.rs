//! What is Dutch and nobody's: always counted, and as a work list when asked.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use fastrand::Rng;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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
old,user,91.192.1.0/24,cert@old.example,2026-01-01
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
        assert_eq!(count(&plain, "unmatched_dutch"), 0, "nothing is known of the space");
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
