//! What a new register would change, before it is used: `index diff`, with dumps and without.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::index::Index;
use dijkwacht::moment::Moment;
use dijkwacht::net::Address;
use dijkwacht::policy::{Evidence, Impact, Outcome, Space, choose};
use dijkwacht::register::{ReadOptions, Register};
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use work::{RUN_TIME, Work, alerts, match_words};

// ------------------------------------------------------------------------------------------------ the space

const OWNERS: usize = 6;

/// Owners with and without contacts, some united; nested, equal and crossing claims in 256 addresses, and in 256 /64s.
fn random_register(rng: &mut Rng) -> String {
    let mut rows = String::from("owner_id,same_as,role,network,contact,valid_until\n");
    for _ in 0..rng.usize(..12) {
        let owner = rng.usize(..OWNERS);
        let same_as = if owner == 1 { "o0" } else { "" };
        let role = ["user", "network", "link"][rng.usize(..3)];
        let (a, b) = (rng.u8(..), rng.u8(..));
        let (first, last) = (a.min(b), a.max(b));
        let network = match rng.bool() {
            true => format!("91.192.0.{first} - 91.192.0.{last}"),
            false => format!("2a02:0:0:{first:x}:: - 2a02:0:0:{last:x}:ffff:ffff:ffff:ffff"),
        };
        let until = if rng.u8(..8) == 0 { "2026-01-01" } else { "" };
        let contact = if owner < 4 { format!("a@o{owner}.example") } else { String::new() };
        rows.push_str(&format!("o{owner},{same_as},{role},{network},{contact},{until}\n"));
    }
    rows
}

fn index(text: &str) -> Index {
    let read = Register::read_bytes(&[("r.csv", text.as_bytes())], &ReadOptions::default());
    Index::build(&read.unwrap().0).unwrap()
}

/// Who is told of an address, asked of a lookup.
fn told(index: &Index, address: Address, at: Moment) -> String {
    let claims: Vec<_> = index.covering(address).collect();
    match choose(Evidence::of_address(&claims), at.day(), index) {
        Outcome::Nobody => "nobody".to_owned(),
        Outcome::Winner(line) => index.owner(line.owner).id.to_owned(),
        Outcome::Conflict(_) | Outcome::NoContact(_) => "(held)".to_owned(),
    }
}

#[test]
fn space_goes_from_whom_it_was_to_whom_it_is_address_by_address() {
    let at = Moment::read(RUN_TIME.as_bytes()).unwrap();
    let mut moves_seen = 0;
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let (old, new) = (index(&random_register(&mut rng)), index(&random_register(&mut rng)));
        let mut moves = BTreeMap::<(String, String), Space>::new();
        let mut sizes = BTreeMap::<String, [Space; 2]>::new();
        for byte in 0..=u8::MAX {
            let v4 = Address::v4(0x5bc0_0000 | u32::from(byte));
            let v6 = Address::v6(0x2a02_u128 << 112 | u128::from(byte) << 64 | 17);
            for (address, one) in [(v4, Space { ipv4: 1, ipv6: 0 }), (v6, Space { ipv4: 0, ipv6: 1 << 64 })] {
                let (before, now) = (told(&old, address, at), told(&new, address, at));
                sizes.entry(before.clone()).or_default()[0] += one;
                sizes.entry(now.clone()).or_default()[1] += one;
                if before != now {
                    *moves.entry((before, now)).or_default() += one;
                }
            }
        }
        let impact = Impact::between(&old, &new, at.day());
        let found: BTreeMap<_, _> = impact
            .moves
            .iter()
            .map(|(&(before, now), space)| {
                ((impact.name(before).to_owned(), impact.name(now).to_owned()), *space)
            })
            .collect();
        assert_eq!(found, moves, "seed {seed}");
        moves_seen += moves.len();
        sizes.remove("nobody");
        sizes.remove("(held)");
        let owners: BTreeMap<_, _> = impact
            .owners
            .iter()
            .map(|(owner, space)| (impact.id(*owner).to_owned(), [space.before, space.after()]))
            .collect();
        assert_eq!(owners, sizes, "seed {seed}");
        for space in impact.owners.values() {
            let sum = |mut a: Space, b: Space| {
                a += b;
                a
            };
            assert_eq!(sum(space.before, space.gained), sum(space.after(), space.lost), "seed {seed}");
        }
    }
    assert!(moves_seen > 1_000, "{moves_seen}");
}

#[test]
fn a_recipient_changes_where_no_registration_does() {
    let at = Moment::read(RUN_TIME.as_bytes()).unwrap();
    let register = |contact: &str| {
        index(&format!(
            "owner_id,role,network,contact\nisp,network,91.192.0.0/24,a@isp.example\nshop,user,91.192.0.0/28,{contact}\n"
        ))
    };
    let (old, new) = (register("a@shop.example"), register(""));
    let impact = Impact::between(&old, &new, at.day());
    assert_eq!(impact.moved, Space { ipv4: 16, ipv6: 0 });
    let names: Vec<_> = impact.moves.keys().map(|&(a, b)| (impact.name(a), impact.name(b))).collect();
    assert_eq!(names, [("shop", "isp")]);
}

#[test]
fn all_addresses_are_counted_without_overflow() {
    let at = Moment::read(RUN_TIME.as_bytes()).unwrap();
    let all = index("owner_id,role,network,contact\na,user,::/0,a@a.example\na,user,0.0.0.0/0,a@a.example\n");
    let none = index("owner_id,role,network,contact\n");
    let impact = Impact::between(&none, &all, at.day());
    // Special space is cut out of what is wider.
    assert!(impact.moved.ipv4 > 3 << 30 && impact.moved.ipv6_64s() > 1 << 63, "{}", impact.moved);
    assert_eq!(impact.moved.ipv6_64s(), Space { ipv4: 0, ipv6: impact.moved.ipv6 }.ipv6_64s());
    assert_eq!(Space { ipv4: 0, ipv6: 1 }.ipv6_64s(), 1, "a part of a /64 is one");
}

// ------------------------------------------------------------------------------------------------ the command

const BEFORE: &str = "\
owner_id,role,network,contact
isp,network,192.0.2.0/24,abuse@isp.example
school,user,192.0.2.0/28,cert@school.example
shop,user,192.0.2.16/28,it@shop.example
gone,user,203.0.113.0/24,a@gone.example
same,user,198.51.100.0/24,a@same.example
";
const AFTER: &str = "\
owner_id,role,network,contact
isp,network,192.0.2.0/24,abuse@isp.example
school,user,192.0.2.0/27,cert@school.example
same,user,198.51.100.0/24,other@same.example
new,user,100.64.0.0/24,a@new.example
rival-a,user,192.0.2.64/28,a@rival.example
rival-b,user,192.0.2.64/28,b@rival.example
";

/// Two builds, and a dump that meets all of what they differ in; it does not say what is wrong.
fn work() -> Work {
    let work = Work::new();
    let mut rows = String::from("ip,port,transport,timestamp\n");
    for (network, hosts) in
        [("192.0.2", 0..=255), ("203.0.113", 0..=20), ("198.51.100", 0..=9), ("100.64.0", 3..=9)]
    {
        for host in hosts {
            rows.push_str(&format!("{network}.{host},80,tcp,2026-11-22T01:02:03Z\n"));
        }
    }
    work.write("dump.csv", &rows);
    for (name, register) in [("before", BEFORE), ("now", AFTER)] {
        work.write("register.csv", register);
        work.run(&format!("index build -q -o {name}.dwi register.csv")).check(0, &[]);
    }
    work
}

/// Whom the alerts of a dump tell, by address; held ones tell nobody.
fn recipients(work: &Work, index: &str) -> BTreeMap<String, String> {
    let words = format!("--index {index} --feed night --identifier open-rdp --output - dump.csv");
    let done = work.run(&match_words(&words));
    done.check(0, &[]);
    let word = |alert: &Value, key: &str| alert[key].as_str().unwrap().to_owned();
    alerts(&done.out).iter().map(|alert| (word(alert, "source.ip"), word(alert, "extra.owner.id"))).collect()
}

#[test]
fn alerts_move_appear_and_vanish_as_two_matches_tell() {
    let work = work();
    let diff = format!("index diff --run-time {RUN_TIME} --feed night --dump dump.csv before.dwi now.dwi");
    let done = work.run(&format!("{diff} --json"));
    done.check(1, &[]);
    let lines: Vec<Value> = done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |word: &'static str| lines.iter().filter(move |line| line["of"] == word);
    let (before, now) = (recipients(&work, "before.dwi"), recipients(&work, "now.dwi"));
    let addresses: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let mut expected = BTreeMap::<(String, String), u64>::new();
    for address in addresses {
        let (a, b) = (before.get(address), now.get(address));
        if a != b {
            let list = |owner: Option<&String>| json!(owner.into_iter().collect::<Vec<_>>()).to_string();
            *expected.entry((list(a), list(b))).or_default() += 1;
        }
    }
    let mut found: BTreeMap<(String, String), u64> = of("alerts")
        .map(|line| {
            ((line["before"].to_string(), line["now"].to_string()), line["findings"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(found.remove(&("[]".to_owned(), "[]".to_owned())), None);
    assert_eq!(found, expected);
    assert_eq!(expected.len(), 4);
    let fates: BTreeSet<&str> = of("alerts").map(|line| line["fate"].as_str().unwrap()).collect();
    assert_eq!(fates, ["appear", "move", "vanish"].into());
    // The same in words, and beside it the space, by whom it goes from and to, and owner by owner.
    let text = work.run(&diff);
    text.check(1, &[]);
    for said in [
        "alerts move: shop -> school: 16",
        "alerts vanish: isp -> nobody: 16",
        "alerts vanish: gone -> nobody: 21",
        "alerts appear: nobody -> new: 7",
        "recipient shop -> school: 16 IPv4 addresses",
        "recipient gone -> nobody: 256 IPv4 addresses",
        "recipient isp -> (held): 16 IPv4 addresses",
        "owner isp: 0 IPv4 addresses gained, 16 IPv4 addresses lost, 208 IPv4 addresses of 224 IPv4 addresses before",
        "owner school: 16 IPv4 addresses gained, 0 IPv4 addresses lost",
        "gained 100.64.0.0/24: nobody -> new",
    ] {
        assert!(text.out.contains(said), "not told: {said}\n{}", text.out);
    }
    assert!(!text.out.contains("owner same:"), "only its contact is another\n{}", text.out);
    assert!(of("space").count() == 4 && of("owner").all(|line| line["before"]["ipv6_64s"] == 0));
    assert!(!work.path("spool").exists());
}

#[test]
fn the_same_index_has_no_impact_and_a_dump_that_fails_is_told() {
    let work = work();
    let same = work.run("index diff --feed night --dump dump.csv now.dwi now.dwi");
    same.check(0, &[]);
    assert_eq!(same.out, "no differences\n");
    work.run("index diff --dump missing.csv before.dwi now.dwi").check(66, &["missing.csv"]);
    work.run("index diff --dump - before.dwi now.dwi").check(64, &["not -"]);
    work.run("index diff --format nonsense --dump dump.csv before.dwi now.dwi").check(64, &["nonsense"]);
}

// ------------------------------------------------------------------------------------------------ how much may move

/// A provider of 256 addresses and 65,536 /64s, in which these are a school's.
fn register(schools: &[&str]) -> String {
    let mut rows = String::from(
        "owner_id,role,network,contact\nisp,network,192.0.2.0/24,a@isp.example\nisp,network,2001:db8::/48,a@isp.example\n",
    );
    for network in schools {
        rows.push_str(&format!("school,user,{network},a@school.example\n"));
    }
    rows
}

const BUILD: &str = "index build --config c.toml -q -o owners.dwi register.csv";

fn build(work: &Work, schools: &[&str], words: &str) -> work::Done {
    work.write("register.csv", register(schools));
    work.run(&format!("{BUILD} {words}"))
}

/// The hash that a refusal names.
fn hash_of(refusal: &work::Done) -> String {
    refusal.check(65, &["change_max", "--accept-changes"]);
    refusal.err.rsplit("--accept-changes ").next().unwrap().chars().take(16).collect()
}

#[test]
fn a_build_that_moves_too_much_stops_until_exactly_it_is_accepted() {
    let work = Work::new();
    work.write("c.toml", "register.change_max = 0.05\n");
    build(&work, &["192.0.2.0/28"], "").check(0, &[]);
    let first = std::fs::read(work.path("owners.dwi")).unwrap();
    let refusal = build(&work, &["192.0.2.0/28", "192.0.2.128/27"], "");
    let hash = hash_of(&refusal);
    refusal.check(
        65,
        &["isp gains 0 IPv4 addresses and loses 32 IPv4 addresses (13.3 % of its own)", "school gains 32"],
    );
    assert_eq!(std::fs::read(work.path("owners.dwi")).unwrap(), first);
    // Neither another hash, nor this hash for another change.
    let wrong = "--accept-changes 0123456789abcdef";
    assert_eq!(hash_of(&build(&work, &["192.0.2.0/28", "192.0.2.128/27"], wrong)), hash);
    let other = build(&work, &["192.0.2.0/28", "192.0.2.128/26"], &format!("--accept-changes {hash}"));
    assert_ne!(hash_of(&other), hash);
    assert_eq!(std::fs::read(work.path("owners.dwi")).unwrap(), first);
    build(&work, &["192.0.2.0/28", "192.0.2.128/27"], &format!("--accept-changes {hash}")).check(0, &[]);
    assert_ne!(std::fs::read(work.path("owners.dwi")).unwrap(), first);
    // It held for that change only: the way back is another.
    assert_ne!(hash_of(&build(&work, &["192.0.2.0/28"], &format!("--accept-changes {hash}"))), hash);
}

#[test]
fn the_share_counts_in_each_family_for_all_and_for_each_owner() {
    let work = Work::new();
    for (change_max, old, new, code) in [
        // 16 of 256: all and the provider lose as much; the school is new.
        ("0.0625", &[][..], &["192.0.2.0/28"][..], 0),
        ("0.0624", &[], &["192.0.2.0/28"], 65),
        // The school gains as much as it had: a share of 1, whatever the others'.
        ("0.99", &["192.0.2.0/28"], &["192.0.2.0/27"], 65),
        ("1.0", &["192.0.2.0/28"], &["192.0.2.0/27"], 0),
        // Half of IPv6, and nothing of IPv4.
        ("0.5", &[], &["2001:db8::/49"], 0),
        ("0.49", &[], &["2001:db8::/49"], 65),
        // One /64 of 65,536.
        ("0.0001", &[], &["2001:db8:0:1::/64"], 0),
        ("0", &[], &["2001:db8:0:1::/64"], 65),
    ] {
        work.write("c.toml", "");
        build(&work, old, "").check(0, &[]);
        work.write("c.toml", format!("register.change_max = {change_max}\n"));
        assert_eq!(build(&work, new, "").code, code, "{change_max}: {old:?} to {new:?}");
        std::fs::remove_file(work.path("owners.dwi")).unwrap();
    }
}

#[test]
fn an_old_index_that_is_missing_or_cannot_be_read_is_no_obstacle() {
    let work = Work::new();
    work.write("c.toml", "register.change_max = 0\n");
    build(&work, &[], "").check(0, &[]);
    let whole = std::fs::read(work.path("owners.dwi")).unwrap();
    for bytes in [&b""[..], b"something else", &whole[..whole.len() / 2]] {
        work.write("owners.dwi", bytes);
        build(&work, &["192.0.2.0/25"], "").check(0, &[]);
    }
    // The same again moves nothing.
    build(&work, &["192.0.2.0/25"], "").check(0, &[]);
    for wrong in ["1.5", "-0.1", "nan"] {
        work.write("c.toml", format!("register.change_max = {wrong}\n"));
        build(&work, &[], "").check(78, &["change_max"]);
    }
}
