//! Who is told: named cases, and whole small spaces against an oracle that knows no shortcuts.
//!
//! The default run walks all sets of up to two registrations of a toy network, and a part of those of three and more.
//! `DIJKWACHT_SWEEP=1 cargo test --release --test policy` walks the sets of two and three with all owners (some minutes).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests are not seen as tests")]

use dijkwacht::index::{Claim, ClaimKey, Index, OwnerIx};
use dijkwacht::moment::{Day, Moment};
use dijkwacht::net::{Address, Asn, Range};
use dijkwacht::policy::{
    Assessed, Case, Copies, Decision, Evidence, FUTURE_SECONDS_MAX, Hold, Line, Outcome, Owners, Reason, Rule,
};
use dijkwacht::policy::{choose, decide, explain};
use dijkwacht::register::{ReadOptions, Register, Role, Scope};

#[path = "policy/permitted.rs"]
mod permitted;

fn day(text: &str) -> Day {
    Day::read(text.as_bytes()).unwrap()
}

/// Noon of a day.
fn noon(text: &str) -> Moment {
    Moment::from_unix(day(text).start().unix_seconds() + 12 * 3600, 0).unwrap()
}

/// What a claim holds, counted; a longer domain holds less.
fn size(claim: &Claim) -> u128 {
    match claim.key {
        ClaimKey::Range(range) | ClaimKey::Announced(_, range) => range.last().bits() - range.first().bits(),
        ClaimKey::Domain { bytes } => 255 - u128::from(bytes),
        ClaimKey::Asn(_) => 0,
    }
}

/// A key in words; of a domain its length.
fn key_in_words(key: ClaimKey) -> String {
    match key {
        ClaimKey::Range(range) => range.to_string(),
        ClaimKey::Domain { bytes } => format!("domain/{bytes}"),
        ClaimKey::Asn(asn) => asn.to_string(),
        ClaimKey::Announced(asn, range) => format!("{asn}@{range}"),
    }
}

/// The order in which an index gives claims.
fn rank(claim: &Claim) -> (u128, u16, u32) {
    (size(claim), claim.source, claim.line)
}

const ROLES: [Role; 3] = [Role::User, Role::Network, Role::Link];

fn claim(number: u32, owner: u32, role: Role, key: ClaimKey, source: u16, valid: [Option<Day>; 2]) -> Claim {
    Claim {
        registration: number,
        owner: OwnerIx(owner),
        role,
        key,
        verified: None,
        valid_from: valid[0],
        valid_until: valid[1],
        scope: Scope::Stated,
        source,
        line: number,
    }
}

/// Owners of a test, by number.
#[derive(Clone)]
struct Entries {
    organisation: Vec<u32>,
    has_contact: Vec<bool>,
    /// Numbers in order of appearance.
    appearance: Vec<u32>,
    /// By number; empty where nobody has any.
    links: Vec<Vec<u32>>,
}

impl Owners for Entries {
    fn organisation(&self, owner: OwnerIx) -> OwnerIx {
        OwnerIx(self.organisation[owner.0 as usize])
    }

    fn has_contact(&self, owner: OwnerIx) -> bool {
        self.has_contact[owner.0 as usize]
    }

    fn united(&self, organisation: OwnerIx) -> impl Iterator<Item = OwnerIx> {
        let of = move |owner: &&u32| self.organisation[**owner as usize] == organisation.0;
        self.appearance.iter().filter(of).map(|&owner| OwnerIx(owner))
    }

    fn links(&self, owner: OwnerIx) -> Vec<OwnerIx> {
        self.links
            .get(owner.0 as usize)
            .map_or(vec![], |links| links.iter().map(|&link| OwnerIx(link)).collect())
    }
}

/// Named owners and registrations, for cases that a person reads.
struct World {
    names: Vec<String>,
    entries: Entries,
    claims: Vec<Claim>,
    stated: Vec<Claim>,
    /// Of two names.
    shown: Vec<Vec<Claim>>,
    asn: Vec<Claim>,
    inside: Vec<Claim>,
}

impl World {
    /// `owners`: names in order of appearance; `name!` has no contact, `name=other` is united with another before it (`name!=other`: both).
    /// `registrations`: `owner role key source [from..until]`, in order of lines; after `inside:` those inside a prefix. A key is a
    /// range, `stated:example.nl`, `shown:example.nl`, `shown2:example.nl` for another name, `AS64496`, or `AS64496@range`, which the AS announces.
    fn new(owners: &str, registrations: &str) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut entries =
            Entries { organisation: vec![], has_contact: vec![], appearance: vec![], links: vec![] };
        for word in owners.split_whitespace() {
            let (name, united) = word.split_once('=').unwrap_or((word, ""));
            let has_contact = !name.ends_with('!');
            let name = name.trim_end_matches('!');
            let number = names.len() as u32;
            let other = names.iter().position(|other| other == united);
            entries.organisation.push(other.map_or(number, |other| entries.organisation[other]));
            entries.has_contact.push(has_contact);
            entries.appearance.push(number);
            names.push(name.to_owned());
        }
        let mut world = Self {
            names,
            entries,
            claims: vec![],
            stated: vec![],
            shown: vec![vec![], vec![]],
            asn: vec![],
            inside: vec![],
        };
        let mut is_inside = false;
        for (line, text) in
            (1..).zip(registrations.split('\n').map(str::trim).filter(|text| !text.is_empty()))
        {
            match text {
                "inside:" => is_inside = true,
                _ if is_inside => world.inside.push(world.read(line, text)),
                _ => {
                    let claim = world.read(line, text);
                    let list = match claim.key {
                        ClaimKey::Domain { .. } if text.contains("stated:") => &mut world.stated,
                        ClaimKey::Domain { .. } => &mut world.shown[usize::from(text.contains("shown2:"))],
                        ClaimKey::Asn(_) => &mut world.asn,
                        ClaimKey::Range(_) | ClaimKey::Announced(..) => &mut world.claims,
                    };
                    list.push(claim);
                }
            }
        }
        let others = [&mut world.claims, &mut world.stated, &mut world.asn];
        for list in others.into_iter().chain(&mut world.shown) {
            list.sort_by_key(rank);
        }
        world
    }

    fn read(&self, line: u32, text: &str) -> Claim {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [owner, role, range, source, ref validity @ ..] = words[..] else { panic!("{text}") };
        let owner = self.names.iter().position(|name| name == owner).unwrap();
        let role = ROLES[["user", "network", "link"].iter().position(|word| *word == role).unwrap()];
        let (from, until) = validity.first().map_or(("", ""), |days| days.split_once("..").unwrap());
        let source = source.bytes().next().unwrap() - b'a';
        let valid = [Day::read(from.as_bytes()), Day::read(until.as_bytes())];
        claim(line, owner as u32, role, Self::read_key(range), source.into(), valid)
    }

    fn read_key(text: &str) -> ClaimKey {
        let range = |text: &str| Range::read(text.as_bytes()).unwrap();
        if let Some((_, domain)) = text.split_once(':') {
            return ClaimKey::Domain { bytes: domain.len() as u8 };
        }
        match text.split_once('@') {
            Some((asn, announced)) => {
                ClaimKey::Announced(Asn::read(asn.as_bytes()).unwrap(), range(announced))
            }
            None => Asn::read(text.as_bytes()).map_or_else(|| ClaimKey::Range(range(text)), ClaimKey::Asn),
        }
    }

    fn evidence(&self) -> Evidence<'_> {
        let (address, stated, shown, asn) = (&self.claims, &self.stated, &self.shown, &self.asn);
        Evidence { address, stated, shown, asn, is_shared: false }
    }

    fn show(&self, line: &Line) -> String {
        let name = &self.names[line.owner.0 as usize];
        format!("{name} by {} {}", line.rule, key_in_words(line.claim.key))
    }

    fn case(&self) -> Case<'_> {
        Case {
            evidence: self.evidence(),
            inside: &self.inside,
            time: Some(noon("2026-11-20")),
            run_time: noon("2026-11-22"),
            unknown_type: false,
            has_identifier: true,
            copies: Copies::default(),
            age_days_max: 14,
        }
    }

    fn decide(&self, case: &Case<'_>) -> String {
        let decision = decide(case, &self.entries);
        let lines: Vec<String> = decision.lines().iter().map(|line| self.show(line)).collect();
        match decision {
            Decision::Unmatched => "unmatched".to_owned(),
            Decision::Share(_) => lines.join(", "),
            Decision::Hold(hold, _) => format!("{hold}: {}", lines.join(", ")),
            Decision::ShareWith(..) => format!("all of: {}", lines.join(", ")),
            Decision::Drop(_) | Decision::Except(_) => panic!("{decision:?} is not for this part"),
        }
    }
}

/// A finding of 2026-11-20 in a run of 2026-11-22.
#[track_caller]
fn check(owners: &str, registrations: &str, expected: &str) {
    let world = World::new(owners, registrations);
    assert_eq!(world.decide(&world.case()), expected);
}

#[test]
fn the_user_comes_before_the_network_owner_and_both_before_a_link() {
    let link = "link link 192.0.2.1/32 a";
    let network = "isp network 192.0.2.0/30 a";
    let user = "school user 192.0.0.0/16 b";
    check("school isp link", link, "link by link 192.0.2.1/32");
    check("school isp link", &format!("{link}\n{network}"), "isp by network-prefix 192.0.2.0/30");
    check("school isp link", &format!("{link}\n{network}\n{user}"), "school by user-prefix 192.0.0.0/16");
    check("school", "", "unmatched");
}

#[test]
fn the_most_specific_wins_whatever_its_source() {
    check(
        "town school",
        "town user 192.0.2.0/24 a
         school user 192.0.2.0/25 b",
        "school by user-prefix 192.0.2.0/25",
    );
    check(
        "town school",
        "town user 192.0.2.0-192.0.2.99 a
         school user 192.0.2.1-192.0.2.99 b",
        "school by user-prefix 192.0.2.1 - 192.0.2.99",
    );
}

#[test]
fn equal_and_crossing_claims_are_decided_by_the_order_of_sources() {
    check(
        "town school",
        "town user 192.0.2.0/24 b
         school user 192.0.2.0/24 a",
        "school by user-prefix 192.0.2.0/24",
    );
    check(
        "town school",
        "town user 192.0.2.0-192.0.2.9 b
         school user 192.0.2.1-192.0.2.99 a",
        "school by user-prefix 192.0.2.1 - 192.0.2.99",
    );
}

#[test]
fn within_one_source_they_are_a_conflict_that_does_not_fall_through() {
    let equal = "town user 192.0.2.0/24 a
                 school user 192.0.2.0/24 a
                 isp user 192.0.0.0/16 a
                 isp network 192.0.0.0/16 a";
    let lines = "conflict: town by user-prefix 192.0.2.0/24, school by user-prefix 192.0.2.0/24";
    check("town school isp", equal, lines);
    check("town! school isp", equal, lines);
    check("town! school! isp", equal, lines);
    check(
        "town school",
        "town user 192.0.2.0-192.0.2.9 a
         school user 192.0.2.1-192.0.2.99 a",
        "conflict: town by user-prefix 192.0.2.0 - 192.0.2.9, school by user-prefix 192.0.2.1 - 192.0.2.99",
    );
}

#[test]
fn a_registration_that_is_not_valid_is_neither_winner_nor_rival() {
    check(
        "town school",
        "town user 192.0.2.0/24 a ..2026-11-19
         school user 192.0.2.0/24 a",
        "school by user-prefix 192.0.2.0/24",
    );
    check("town", "town user 192.0.2.0/24 a ..2026-11-19", "unmatched");
    check("town", "town user 192.0.2.0/24 a 2026-11-21..2026-11-21", "unmatched");
    check("town", "town user 192.0.2.0/24 a 2026-11-20..2026-11-22", "town by user-prefix 192.0.2.0/24");
}

#[test]
fn a_change_of_owner_between_finding_and_run_is_held() {
    check(
        "town school",
        "town user 192.0.2.0/24 a ..2026-11-21
         school user 192.0.2.0/24 a 2026-11-22..",
        "moved: school by user-prefix 192.0.2.0/24, town by user-prefix 192.0.2.0/24",
    );
    let until_yesterday = "moved: town by user-prefix 192.0.2.0/24";
    check("town", "town user 192.0.2.0/24 a ..2026-11-21", until_yesterday);
    check("town", "town user 192.0.2.0/24 a 2026-11-21..", until_yesterday);
    // A winner at only one of them, whatever keeps the other from having one.
    check("town isp!", "town user 192.0.2.0/24 a ..2026-11-21\nisp network 192.0.0.0/16 a", until_yesterday);
}

#[test]
fn a_change_inside_an_organisation_is_told_as_the_run_sees_it() {
    check(
        "town works=town",
        "town user 192.0.2.0/24 a ..2026-11-21
         works network 192.0.0.0/16 a",
        "works by network-prefix 192.0.0.0/16",
    );
}

#[test]
fn a_conflict_at_either_time_comes_before_a_move() {
    check(
        "town school isp",
        "town user 192.0.2.0/24 a ..2026-11-21
         school user 192.0.2.0/24 a ..2026-11-21
         isp network 192.0.0.0/16 a",
        "conflict: town by user-prefix 192.0.2.0/24, school by user-prefix 192.0.2.0/24",
    );
    check(
        "town school isp",
        "town user 192.0.2.0/24 a ..2026-11-21
         school user 192.0.2.0/24 a
         isp user 192.0.2.0/24 a 2026-11-22..",
        "conflict: school by user-prefix 192.0.2.0/24, isp by user-prefix 192.0.2.0/24, town by user-prefix 192.0.2.0/24",
    );
}

#[test]
fn who_has_no_contact_gives_way_to_the_next() {
    let three = "school user 192.0.2.0/24 a
                 town user 192.0.0.0/16 a
                 isp network 192.0.0.0/8 a";
    check("school! town isp", three, "town by user-prefix 192.0.0.0/16");
    check("school! town! isp", three, "isp by network-prefix 192.0.0.0/8");
    check("school! town! isp!", three, "no-contact: school by user-prefix 192.0.2.0/24");
    // An equal claim of a later source is next.
    check(
        "school! town",
        "school user 192.0.2.0/24 a
         town user 192.0.2.0/24 b",
        "town by user-prefix 192.0.2.0/24",
    );
}

#[test]
fn united_entries_never_conflict_and_the_most_specific_is_told() {
    let both = "town user 192.0.2.0/24 a
                works user 192.0.2.0/24 a
                works user 192.0.2.0/25 b";
    check("town works=town", both, "works by user-prefix 192.0.2.0/25");
    check("town works!=town", both, "town by user-prefix 192.0.2.0/25");
    check("town! works!=town", both, "no-contact: works by user-prefix 192.0.2.0/25");
    // Then the earlier source, then the earlier line.
    check(
        "town works=town",
        "town user 192.0.2.0/24 b
         works user 192.0.2.0/24 a",
        "works by user-prefix 192.0.2.0/24",
    );
    check(
        "town works=town",
        "works user 192.0.2.0/24 a
         town user 192.0.2.0/24 a",
        "works by user-prefix 192.0.2.0/24",
    );
}

#[test]
fn an_organisation_is_told_through_its_first_entry_with_a_contact() {
    let owners = "head pool=head town!=head works!=head";
    check(owners, "works user 192.0.2.0/24 a\ntown user 192.0.2.0/24 a", "head by user-prefix 192.0.2.0/24");
    check(owners, "works user 192.0.2.0/24 a\npool user 192.0.0.0/16 a", "pool by user-prefix 192.0.2.0/24");
}

#[test]
fn what_the_finding_lacks_is_held_under_who_would_have_been_told() {
    let world = World::new(
        "town school isp",
        "town user 192.0.2.0/24 a
         school user 192.0.2.0/24 a
         isp network 192.0.0.0/16 a",
    );
    let case = world.case();
    let town = "town by user-prefix 192.0.2.0/24";
    let says = |case: &Case<'_>| world.decide(case);
    assert_eq!(says(&Case { has_identifier: false, ..case }), format!("no-finding: {town}"));
    assert_eq!(
        says(&Case { unknown_type: true, has_identifier: false, ..case }),
        format!("unknown-type: {town}")
    );
    let later = Some(noon("2026-11-24"));
    assert_eq!(says(&Case { time: later, ..case }), format!("future: {town}"));
    assert_eq!(says(&Case { time: later, has_identifier: false, ..case }), format!("no-finding: {town}"));

    let none = World::new("town!", "town user 192.0.2.0/24 a ..2026-11-19");
    assert_eq!(none.decide(&Case { has_identifier: false, ..none.case() }), "unmatched");
    let mute = World::new("town!", "town user 192.0.2.0/24 a");
    assert_eq!(mute.decide(&Case { has_identifier: false, ..mute.case() }), format!("no-finding: {town}"));
}

#[test]
fn future_begins_after_a_day_to_the_nanosecond() {
    let world = World::new("town", "town user 192.0.2.0/24 a");
    for nanos in [0, 500_000_000] {
        let run_time = Moment::from_unix(noon("2026-11-22").unix_seconds(), nanos).unwrap();
        let says = |seconds: i64, nanos: u32| {
            let time = Moment::from_unix(run_time.unix_seconds() + seconds, nanos);
            world.decide(&Case { time, run_time, ..world.case() })
        };
        assert_eq!(says(FUTURE_SECONDS_MAX, nanos), "town by user-prefix 192.0.2.0/24");
        assert_eq!(says(FUTURE_SECONDS_MAX, nanos + 1), "future: town by user-prefix 192.0.2.0/24");
    }
    let end = Some(Day::LAST.start());
    let case = Case { time: end, run_time: Day::LAST.start(), ..world.case() };
    assert_eq!(world.decide(&case), "town by user-prefix 192.0.2.0/24");
}

#[test]
fn without_a_time_the_run_time_judges() {
    let world = World::new("town", "town user 192.0.2.0/24 a 2026-11-22..");
    assert_eq!(world.decide(&Case { time: None, ..world.case() }), "town by user-prefix 192.0.2.0/24");
}

#[test]
fn a_prefix_with_others_inside_is_held_for_each_of_them() {
    let inside = "isp network 192.0.2.0/24 a
                  inside:
                  isp user 192.0.2.0/26 a
                  works user 192.0.2.64/26 a
                  school network 192.0.2.0/25 b
                  school user 192.0.2.128-192.0.2.130 b
                  gone user 192.0.2.140/32 a ..2026-11-19
                  new user 192.0.2.141/32 a 2026-11-22..";
    check(
        "isp works=isp school gone new",
        inside,
        "prefix: isp by network-prefix 192.0.2.0/24, new by user-prefix 192.0.2.141/32, \
         school by user-prefix 192.0.2.128 - 192.0.2.130",
    );
    check(
        "isp",
        "isp network 192.0.2.0/24 a\ninside:\nisp user 192.0.2.0/26 a",
        "isp by network-prefix 192.0.2.0/24",
    );
    // Prefix comes before conflict, and keeps its claimants.
    check(
        "isp town school",
        "isp network 192.0.2.0/24 a
         town network 192.0.2.0/24 a
         inside:
         school user 192.0.2.0/26 a",
        "prefix: isp by network-prefix 192.0.2.0/24, town by network-prefix 192.0.2.0/24, \
         school by user-prefix 192.0.2.0/26",
    );
    // Found by nobody who holds all of it.
    check("isp", "inside:\nisp user 192.0.2.0/26 a", "unmatched");
}

/// One line for each registration, most specific first: `owner range: reason`.
#[track_caller]
fn check_reasons(owners: &str, registrations: &str, expected: &[&str]) {
    let world = World::new(owners, registrations);
    let (outcome, explanations) = explain(world.evidence(), day("2026-11-22"), &world.entries);
    assert_eq!(outcome, choose(world.evidence(), day("2026-11-22"), &world.entries));
    let found = explanations.iter().map(|explanation| {
        assert_eq!(explanation.wins, explanation.reason == Reason::Wins);
        let name = &world.names[explanation.claim.owner.0 as usize];
        format!("{name} {}: {}", key_in_words(explanation.claim.key), explanation.reason)
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn each_registration_has_its_reason() {
    check_reasons(
        "school town isp link mute! gone",
        "gone user 192.0.2.1/32 a ..2026-11-21
         mute user 192.0.2.0/31 a
         school user 192.0.2.0/30 a
         town user 192.0.2.0/30 b
         school user 192.0.2.0/29 a
         town user 192.0.2.0/28 a
         isp network 192.0.2.0/27 a
         link link 192.0.2.0/26 a",
        &[
            "gone 192.0.2.1/32: not valid on 2026-11-22",
            "mute 192.0.2.0/31: no contact",
            "school 192.0.2.0/30: wins",
            "town 192.0.2.0/30: later source",
            "school 192.0.2.0/29: same organisation",
            "town 192.0.2.0/28: less specific",
            "isp 192.0.2.0/27: network, and a user is found",
            "link 192.0.2.0/26: link, and a user is found",
        ],
    );
    check_reasons(
        "school! town isp",
        "school network 192.0.2.0/30 a
         town network 192.0.2.0/30 a
         town network 192.0.2.0/29 a
         isp network 192.0.2.0/30 b
         isp network 192.0.2.0/28 a
         isp link 192.0.2.0/28 a",
        &[
            "school 192.0.2.0/30: conflict",
            "town 192.0.2.0/30: conflict",
            "isp 192.0.2.0/30: later source",
            "town 192.0.2.0/29: same organisation",
            "isp 192.0.2.0/28: less specific",
            "isp 192.0.2.0/28: link, and a network is found",
        ],
    );
    check_reasons(
        "mute!",
        "mute user 192.0.2.0/30 a\nmute network 192.0.2.0/29 a",
        &["mute 192.0.2.0/30: no contact", "mute 192.0.2.0/29: no contact"],
    );
}

#[test]
fn an_index_answers_the_questions_of_a_choice() {
    let curated = "owner_id,network,role,contact,kvk,same_as
town,198.18.0.0/16,network,,12345678,
works,198.18.7.0/24,user,,,pool
pool,198.18.9.0/24,user,pool@town.example,12345678,
isp,198.18.0.0/15,network,noc@isp.example,,
";
    let other = "owner_id,network,role,contact\nschool,198.18.7.0/24,user,ict@school.example\n";
    let sources = [("curated.csv", curated.as_bytes()), ("other.csv", other.as_bytes())];
    let (register, _) = Register::read_bytes(&sources, &ReadOptions::default()).unwrap();
    let index = Index::build(&register).unwrap();
    let told = |address: &str| {
        let claims: Vec<Claim> = index.covering(Address::read(address.as_bytes()).unwrap()).collect();
        let line = |line: &Line| {
            format!("{} by {} {}", index.owner(line.owner).id, line.rule, index.registered(&line.claim))
        };
        match choose(Evidence::of_address(&claims), day("2026-11-22"), &index) {
            Outcome::Winner(winner) => line(&winner),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told("198.18.7.1"), "pool by user-prefix 198.18.7.0/24");
    assert_eq!(told("198.18.8.1"), "pool by network-prefix 198.18.0.0/16");
    assert_eq!(told("198.19.0.1"), "isp by network-prefix 198.18.0.0/15");
}

/// The oracle: the prose of the design, one sentence after the other, over sets of addresses.
mod oracle {
    use super::*;
    use std::collections::BTreeSet;

    /// Who is told at one time: each organisation that has a line, and the lines.
    #[derive(Clone, Debug, PartialEq)]
    pub(super) enum Told {
        Nobody,
        One(Line),
        Claimants(Vec<Line>),
        Mute(Line),
    }

    /// Which evidence a claim is of, by what the finding says.
    #[derive(Clone, Copy, PartialEq)]
    enum Of {
        Stated,
        Address,
        /// The name of that number.
        Shown(usize),
        Asn,
    }

    /// What a claim holds as a set: addresses, or names told apart by the longest domain that holds them.
    fn held(claim: &Claim) -> BTreeSet<u128> {
        match claim.key {
            ClaimKey::Range(range) | ClaimKey::Announced(_, range) => {
                (range.first().bits()..=range.last().bits()).collect()
            }
            ClaimKey::Domain { bytes } => (u128::from(bytes)..=255).collect(),
            ClaimKey::Asn(_) => BTreeSet::from([0]),
        }
    }

    fn is_strictly_inside(inner: &Claim, outer: &Claim) -> bool {
        let (inner, outer) = (held(inner), held(outer));
        inner.is_subset(&outer) && inner != outer
    }

    fn is_prefix(claim: &Claim) -> bool {
        matches!(claim.key, ClaimKey::Range(_))
    }

    fn is_announced(claim: &Claim) -> bool {
        matches!(claim.key, ClaimKey::Announced(..))
    }

    fn valid(claim: &Claim, day: Day) -> bool {
        let begun = match claim.valid_from {
            Some(from) => from.number() <= day.number(),
            None => true,
        };
        let ended = match claim.valid_until {
            Some(until) => until.number() < day.number(),
            None => false,
        };
        begun && !ended
    }

    fn organisation(claim: &Claim, entries: &Entries) -> u32 {
        entries.organisation[claim.owner.0 as usize]
    }

    /// The line of an organisation: its claims of the role as ranked; if those entries have no contact, any that has.
    fn line_of(claims: &[Claim], rule: Rule, entries: &Entries) -> (Line, bool) {
        let mut ranked = claims.to_vec();
        ranked.sort_by(|one, other| {
            size(one).cmp(&size(other)).then(one.source.cmp(&other.source)).then(one.line.cmp(&other.line))
        });
        let mut order: Vec<u32> = ranked.iter().map(|claim| claim.owner.0).collect();
        for &owner in &entries.appearance {
            if entries.organisation[owner as usize] == organisation(&ranked[0], entries) {
                order.push(owner);
            }
        }
        let speaking = order.iter().find(|owner| entries.has_contact[**owner as usize]);
        let owner = OwnerIx(*speaking.unwrap_or(&order[0]));
        (Line { owner, rule, claim: ranked[0], member: None, assessed: Assessed::NoRule }, speaking.is_some())
    }

    /// The claims that nobody else lies inside of, of the earliest source.
    fn deciding(pool: &[Claim], beaters: &[Claim], entries: &Entries) -> Vec<Claim> {
        let gives_way = |claim: &Claim| {
            pool.iter().chain(beaters).any(|other| {
                organisation(other, entries) != organisation(claim, entries)
                    && is_strictly_inside(other, claim)
            })
        };
        let rivals: Vec<Claim> = pool.iter().filter(|claim| !gives_way(claim)).copied().collect();
        let source = rivals.iter().map(|claim| claim.source).min();
        rivals.into_iter().filter(|claim| Some(claim.source) == source).collect()
    }

    fn told(all: Evidence<'_>, day: Day, entries: &Entries) -> Told {
        let mut lists = vec![(Of::Stated, all.stated), (Of::Address, all.address), (Of::Asn, all.asn)];
        lists.extend(all.shown.iter().enumerate().map(|(number, claims)| (Of::Shown(number), &claims[..])));
        let mut left: Vec<(Of, Claim)> = Vec::new();
        for (of, claims) in lists {
            left.extend(claims.iter().filter(|claim| valid(claim, day)).map(|claim| (of, *claim)));
        }
        let mut first: Option<Line> = None;
        'again: loop {
            let pool = |of: Of, role: Role, is_it: &dyn Fn(&Claim) -> bool| {
                let pool =
                    left.iter().filter(|(one, claim)| *one == of && claim.role == role && is_it(claim));
                pool.map(|(_, claim)| *claim).collect::<Vec<_>>()
            };
            let any: &dyn Fn(&Claim) -> bool = &|_| true;
            let (user, network, link) = (Role::User, Role::Network, Role::Link);
            let networks = pool(Of::Address, network, &is_prefix);
            // Of shown names: none where several are anybody's, and not all of one organisation.
            let agreed = |role: Role| {
                let pools: Vec<Vec<Claim>> =
                    (0..all.shown.len()).map(|name| pool(Of::Shown(name), role, any)).collect();
                let leading: Vec<Vec<Claim>> =
                    pools.iter().map(|pool| deciding(pool, &[], entries)).collect();
                let named = leading.iter().filter(|claims| !claims.is_empty()).count();
                let organisations: BTreeSet<u32> =
                    leading.iter().flatten().map(|claim| organisation(claim, entries)).collect();
                if named == 0 || named > 1 && organisations.len() > 1 {
                    return Vec::new();
                }
                pools.into_iter().zip(leading).find(|(_, leading)| !leading.is_empty()).unwrap().0
            };
            // The sentence of the design, part by part.
            let pools = [
                (Rule::UserName, pool(Of::Stated, user, any), &[][..]),
                (Rule::UserPrefix, pool(Of::Address, user, &is_prefix), &[]),
                (Rule::UserName, agreed(user), &[]),
                (Rule::UserAsn, pool(Of::Address, user, &is_announced), &networks),
                (Rule::NetworkPrefix, networks.clone(), &[]),
                (Rule::UserAsn, pool(Of::Address, user, &is_announced), &[]),
                (Rule::UserAsn, pool(Of::Asn, user, any), &[]),
                (Rule::NetworkAsn, pool(Of::Address, network, &is_announced), &[]),
                (Rule::NetworkAsn, pool(Of::Asn, network, any), &[]),
                (Rule::Link, pool(Of::Stated, link, any), &[]),
                (Rule::Link, pool(Of::Address, link, any), &[]),
                (Rule::Link, agreed(link), &[]),
                (Rule::Link, pool(Of::Asn, link, any), &[]),
            ];
            for (rule, pool, beaters) in pools {
                let deciding = deciding(&pool, beaters, entries);
                if deciding.is_empty() {
                    continue;
                }
                let organisations: BTreeSet<u32> =
                    deciding.iter().map(|claim| organisation(claim, entries)).collect();
                let line = |one: u32| {
                    let own: Vec<Claim> =
                        pool.iter().filter(|claim| organisation(claim, entries) == one).copied().collect();
                    line_of(&own, rule, entries)
                };
                if organisations.len() > 1 {
                    let first_of = |one: &u32| {
                        deciding.iter().filter(|claim| organisation(claim, entries) == *one).map(rank).min()
                    };
                    let mut ordered: Vec<u32> = organisations.into_iter().collect();
                    ordered.sort_by_key(first_of);
                    return Told::Claimants(ordered.into_iter().map(|one| line(one).0).collect());
                }
                let winner = *organisations.first().unwrap();
                match line(winner) {
                    (line, true) => return Told::One(line),
                    (line, false) => first = first.or(Some(line)),
                }
                left.retain(|(_, claim)| organisation(claim, entries) != winner);
                continue 'again;
            }
            return first.map_or(Told::Nobody, Told::Mute);
        }
    }

    /// All holds that apply, then the first of the list.
    pub(super) fn decide(case: &Case<'_>, entries: &Entries) -> Decision {
        let seen = case.time.unwrap_or(case.run_time);
        let then = told(case.evidence, seen.day(), entries);
        let now = told(case.evidence, case.run_time.day(), entries);
        if then == Told::Nobody && now == Told::Nobody {
            return Decision::Unmatched;
        }
        let of = |line: &Line| organisation(&line.claim, entries);
        let mut claimants: Vec<Line> = Vec::new();
        let mut winners: Vec<Line> = Vec::new();
        let mut mute: Vec<Line> = Vec::new();
        for outcome in [&now, &then] {
            match outcome {
                Told::Claimants(lines) => {
                    for line in lines {
                        if !claimants.iter().any(|one| of(one) == of(line)) {
                            claimants.push(*line);
                        }
                    }
                }
                Told::One(line) => winners.push(*line),
                Told::Mute(line) => mute.push(*line),
                Told::Nobody => {}
            }
        }
        let moved = winners.len() == 1 || (winners.len() == 2 && of(&winners[0]) != of(&winners[1]));
        let (choice, outer): (Option<Hold>, Vec<Line>) = if !claimants.is_empty() {
            (Some(Hold::Conflict), claimants)
        } else if moved {
            (Some(Hold::Moved), winners)
        } else if !winners.is_empty() {
            (None, winners[..1].to_vec())
        } else {
            (Some(Hold::NoContact), mute[..1].to_vec())
        };
        let mut insiders: Vec<Line> = Vec::new();
        for one in entries.organisation.iter().collect::<BTreeSet<_>>() {
            let days = [seen.day(), case.run_time.day()];
            let own = |claim: &&Claim| {
                organisation(claim, entries) == *one && days.iter().any(|&day| valid(claim, day))
            };
            let own: Vec<Claim> = case.inside.iter().filter(own).copied().collect();
            if !own.is_empty() && outer.iter().all(|line| of(line) != *one) {
                let best = own.iter().min_by_key(|claim| rank(claim)).unwrap();
                let rule = match best.role {
                    Role::User => Rule::UserPrefix,
                    Role::Network => Rule::NetworkPrefix,
                    Role::Link => Rule::Link,
                };
                insiders.push(line_of(&own, rule, entries).0);
            }
        }
        insiders.sort_by_key(|line| rank(&line.claim));
        let a_day_on = Moment::from_unix(case.run_time.unix_seconds() + 86_400, 0).unwrap();
        let first = vec![outer[0]];
        if case.unknown_type {
            Decision::Hold(Hold::UnknownType, first)
        } else if !case.has_identifier {
            Decision::Hold(Hold::NoFinding, first)
        } else if seen > a_day_on {
            Decision::Hold(Hold::Future, first)
        } else if !insiders.is_empty() {
            Decision::Hold(Hold::Prefix, [outer, insiders].concat())
        } else if let Some(hold) = choice {
            Decision::Hold(hold, outer)
        } else {
            Decision::Share(outer[0])
        }
    }
}

/// What a claim of the toy network can be: all values of each.
struct Toy {
    ranges: Vec<(u32, u32)>,
    roles: Vec<Role>,
    sources: Vec<u16>,
    validities: Vec<[Option<Day>; 2]>,
}

const OWNERS: u32 = 3;

impl Toy {
    /// Ranges around 192.0.2.2: nested, equal, crossing.
    fn whole() -> Self {
        let (until, from) = (Some(day("2026-11-21")), Some(day("2026-11-22")));
        Self {
            ranges: vec![(2, 2), (2, 3), (1, 2), (0, 3), (1, 6)],
            roles: ROLES.to_vec(),
            sources: vec![0, 1],
            validities: vec![[None, None], [None, until], [from, None], [from, until]],
        }
    }

    fn small() -> Self {
        let until = Some(day("2026-11-21"));
        Self {
            ranges: vec![(2, 3), (1, 2), (0, 3)],
            roles: ROLES[..2].to_vec(),
            sources: vec![0, 1],
            validities: vec![[None, None], [None, until]],
        }
    }

    /// Each possible claim, without its number.
    fn claims(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for &(first, last) in &self.ranges {
            let range = toy_range(first, last);
            for &role in &self.roles {
                for &source in &self.sources {
                    for &valid in &self.validities {
                        let key = ClaimKey::Range(range);
                        claims.extend((0..OWNERS).map(|owner| claim(0, owner, role, key, source, valid)));
                    }
                }
            }
        }
        claims
    }
}

fn toy_range(first: u32, last: u32) -> Range {
    let address = |offset| Address::v4(0xc000_0200 + offset);
    Range::new(address(first), address(last)).unwrap()
}

/// All ways in which three owners may be united, have contacts, and appear.
fn all_entries() -> Vec<Entries> {
    let mut all = Vec::new();
    for organisation in [[0, 1, 2], [0, 0, 2], [0, 1, 0], [0, 1, 1], [0, 0, 0]] {
        for contacts in 0..8 {
            for appearance in [[0, 1, 2], [2, 1, 0]] {
                let has_contact = (0..3).map(|owner| contacts >> owner & 1 == 1).collect();
                let (organisation, appearance) = (organisation.to_vec(), appearance.to_vec());
                all.push(Entries { organisation, has_contact, appearance, links: vec![] });
            }
        }
    }
    all
}

/// Numbers the claims in order of lines and ranks them, as an index would.
fn ranked(mut claims: Vec<Claim>) -> Vec<Claim> {
    for (line, claim) in (1..).zip(&mut claims) {
        (claim.line, claim.registration) = (line, line);
    }
    claims.sort_by_key(rank);
    claims
}

/// How often each decision was made, so that a walk that misses one fails.
#[derive(Default)]
struct Seen(std::collections::BTreeMap<&'static str, u64>);

impl Seen {
    fn check(&mut self, case: &Case<'_>, entries: &Entries) {
        let found = decide(case, entries);
        let expected = oracle::decide(case, entries);
        if found != expected {
            let Entries { organisation, has_contact, appearance, .. } = entries;
            panic!(
                "organisations {organisation:?}, contacts {has_contact:?}, appearance {appearance:?}\n\
                 {case:#?}\nfound {found:#?}\nexpected {expected:#?}"
            );
        }
        let word = match &found {
            Decision::Unmatched => "unmatched",
            Decision::Share(line) => line.rule.as_str(),
            Decision::Hold(hold, _) => hold.as_str(),
            Decision::ShareWith(..) | Decision::Drop(_) | Decision::Except(_) => "never",
        };
        *self.0.entry(word).or_default() += 1;
        check_explanations(case, entries, &found);
    }

    fn assert(&self, words: &[&str]) {
        println!("{:?}", self.0);
        assert_eq!(self.0.keys().copied().collect::<Vec<_>>(), words);
    }
}

/// The explanations never disagree with the choice.
fn check_explanations(case: &Case<'_>, entries: &Entries, decision: &Decision) {
    let now = case.run_time.day();
    let (outcome, explanations) = explain(case.evidence, now, entries);
    assert!(explanations.iter().map(|explanation| &explanation.claim).eq(case.evidence.claims()));
    let winners: Vec<&Claim> = explanations
        .iter()
        .filter(|explanation| explanation.wins)
        .map(|explanation| &explanation.claim)
        .collect();
    match &outcome {
        Outcome::Winner(line) => assert_eq!(winners, [&line.claim]),
        _ => assert!(winners.is_empty()),
    }
    let conflicts = explanations.iter().filter(|explanation| explanation.reason == Reason::Conflict).count();
    match &outcome {
        Outcome::Conflict(lines) => assert!(conflicts >= lines.len()),
        _ => assert_eq!(conflicts, 0),
    }
    if let (Decision::Share(told), Outcome::Winner(line)) = (decision, &outcome) {
        assert_eq!(told, line);
    }
}

fn toy_case(claims: &[Claim]) -> Case<'_> {
    Case {
        evidence: Evidence::of_address(claims),
        inside: &[],
        time: Some(noon("2026-11-20")),
        run_time: noon("2026-11-22"),
        unknown_type: false,
        has_identifier: true,
        copies: Copies::default(),
        age_days_max: 14,
    }
}

fn is_sweep() -> bool {
    std::env::var_os("DIJKWACHT_SWEEP").is_some()
}

/// Each possible claim of names, AS numbers and addresses, with the list it belongs in, always valid.
fn ladder() -> Vec<(usize, Claim)> {
    let domain = |bytes| ClaimKey::Domain { bytes };
    let range = |first, last| ClaimKey::Range(toy_range(first, last));
    let announced = |first, last| ClaimKey::Announced(Asn(64496), toy_range(first, last));
    let keys = [
        (0, domain(10)),
        (0, domain(20)),
        (1, range(2, 2)),
        (1, range(2, 3)),
        (1, range(0, 3)),
        (1, announced(2, 3)),
        (1, announced(0, 3)),
        (2, ClaimKey::Asn(Asn(64497))),
        (3, domain(10)),
        (3, domain(20)),
        (4, domain(15)),
    ];
    let mut all = Vec::new();
    for (list, key) in keys {
        for role in ROLES {
            for source in [0, 1] {
                all.extend((0..OWNERS).map(|owner| (list, claim(0, owner, role, key, source, [None; 2]))));
            }
        }
    }
    all
}

/// The claims of each list of evidence, lines in the order given.
fn lists(picked: &[(usize, Claim)]) -> [Vec<Claim>; 5] {
    let mut lists = [const { Vec::new() }; 5];
    for (line, (list, claim)) in (1..).zip(picked) {
        lists[*list].push(Claim { line, registration: line, ..*claim });
    }
    lists.iter_mut().for_each(|list| list.sort_by_key(rank));
    lists
}

fn check_lists(seen: &mut Seen, picked: &[(usize, Claim)], entries: &Entries) {
    let [stated, address, asn, shown @ ..] = &lists(picked);
    let evidence = Evidence { address, stated, shown, asn, is_shared: false };
    seen.check(&Case { evidence, ..toy_case(&[]) }, entries);
}

/// What a finding can become whose names and AS number count too.
const ALL_RUNGS: [&str; 9] = [
    "conflict",
    "link",
    "network-asn",
    "network-prefix",
    "no-contact",
    "unmatched",
    "user-asn",
    "user-name",
    "user-prefix",
];

#[test]
fn all_pairs_of_claims_by_name_address_and_as_number_agree_with_the_oracle() {
    let (claims, entries) = (ladder(), all_entries());
    let (mut seen, mut turn) = (Seen::default(), 0);
    let step = if is_sweep() { 1 } else { 10 };
    for (at, &one) in claims.iter().enumerate() {
        for &other in &claims[at..] {
            turn += 1;
            for entries in entries.iter().skip(turn % step).step_by(step) {
                check_lists(&mut seen, &[one, other], entries);
                check_lists(&mut seen, &[other, one], entries);
            }
        }
    }
    seen.assert(&ALL_RUNGS);
}

#[test]
fn random_claims_by_name_address_and_as_number_agree_with_the_oracle() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (claims, entries) = (ladder(), all_entries());
    let validities = [[None, None], [None, Some(day("2026-11-21"))], [Some(day("2026-11-22")), None]];
    let mut seen = Seen::default();
    for _ in 0..if is_sweep() { 5_000_000 } else { 100_000 } {
        let picked: Vec<(usize, Claim)> = (0..random.usize(0..=6))
            .map(|_| {
                let (list, claim) = claims[random.usize(..claims.len())];
                let [valid_from, valid_until] = validities[random.usize(..5).saturating_sub(2)];
                (list, Claim { valid_from, valid_until, ..claim })
            })
            .collect();
        check_lists(&mut seen, &picked, &entries[random.usize(..entries.len())]);
    }
    let mut all = [&ALL_RUNGS[..], &["moved"]].concat();
    all.sort_unstable();
    seen.assert(&all);
}

#[test]
fn a_stated_name_comes_before_the_address_and_a_shown_one_after_the_user_prefix() {
    let (network, prefix) = ("isp network 192.0.0.0/16 a", "school user 192.0.2.0/24 a");
    let (stated, shown) = ("shop user stated:shop.example a", "shop user shown:shop.example a");
    let owners = "school isp shop";
    check(owners, &[network, prefix, stated].join("\n"), "shop by user-name domain/12");
    check(owners, &[network, prefix, shown].join("\n"), "school by user-prefix 192.0.2.0/24");
    check(owners, &[network, shown].join("\n"), "shop by user-name domain/12");
    let second = |owner: &str| format!("{owner} user shown2:www.other.example a");
    check(owners, &[network, &second("shop")].join("\n"), "shop by user-name domain/17");
    check(owners, &[network, shown, &second("shop")].join("\n"), "shop by user-name domain/12");
    check(owners, &[network, shown, &second("school")].join("\n"), "isp by network-prefix 192.0.0.0/16");
    check(owners, &[shown, &second("school")].join("\n"), "unmatched");
    check("school isp shop!", &[network, prefix, stated].join("\n"), "school by user-prefix 192.0.2.0/24");
    check("school", "school network stated:school.example a", "unmatched");
}

#[test]
fn the_longest_domain_wins_whatever_its_source() {
    check(
        "hoster shop",
        "hoster user stated:hoster.example a\nshop user stated:shop.hoster.example b",
        "shop by user-name domain/19",
    );
    check(
        "hoster shop",
        "hoster user stated:hoster.example a\nshop user stated:hoster.example a",
        "conflict: hoster by user-name domain/14, shop by user-name domain/14",
    );
}

#[test]
fn a_user_as_number_counts_as_the_prefix_that_it_announces() {
    let school = "school user AS64496@192.0.2.0/24 a";
    let wider = "isp network 192.0.0.0/16 a";
    let inside = "isp network 192.0.2.0/25 a";
    check("school isp", &[school, wider].join("\n"), "school by user-asn AS64496@192.0.2.0/24");
    check("school isp", &[school, inside].join("\n"), "isp by network-prefix 192.0.2.0/25");
    check(
        "school isp",
        &[school, "isp network 192.0.2.0/24 a"].join("\n"),
        "school by user-asn AS64496@192.0.2.0/24",
    );
    // The one that beats it has no contact: it counts again, also against a wider network.
    check(
        "school isp! town",
        &[school, inside, "town network 192.0.0.0/16 a"].join("\n"),
        "school by user-asn AS64496@192.0.2.0/24",
    );
    // Without a table it comes after any network prefix.
    check("school isp", &["school user AS64496 a", wider].join("\n"), "isp by network-prefix 192.0.0.0/16");
    check("school isp", "school user AS64496 a\nisp network AS64496 a", "school by user-asn AS64496");
    check("school isp", "isp network AS64496 a", "isp by network-asn AS64496");
}

#[test]
fn each_key_has_its_reason() {
    check_reasons(
        "shop school isp link",
        "shop user stated:shop.example a
         school user 192.0.2.0/24 a
         school user AS64496@192.0.2.0/24 a
         isp network 192.0.0.0/16 a
         isp network stated:example a
         link link AS64500 a",
        &[
            "shop domain/12: wins",
            "isp domain/7: a domain of the network's owner chooses nobody",
            "school 192.0.2.0/24: user-prefix, and a user-name is found",
            "school AS64496@192.0.2.0/24: user-asn, and a user-name is found",
            "isp 192.0.0.0/16: network, and a user is found",
            "link AS64500: link, and a user is found",
        ],
    );
    check_reasons(
        "school isp",
        "school user AS64496@192.0.2.0/24 a\nisp network 192.0.2.0/25 a",
        &["isp 192.0.2.0/25: wins", "school AS64496@192.0.2.0/24: less specific"],
    );
    let several = "shop domain/12: the names that it shows are of several owners";
    check_reasons(
        "shop school isp",
        "shop user shown:shop.example a\nschool user shown2:school.example a\nisp network 192.0.2.0/24 a",
        &[
            "isp 192.0.2.0/24: wins",
            several,
            "school domain/14: the names that it shows are of several owners",
        ],
    );
}

/// What a finding with a word for what is wrong can become.
const ALL_CHOICES: [&str; 7] =
    ["conflict", "link", "moved", "network-prefix", "no-contact", "unmatched", "user-prefix"];

#[test]
fn all_sets_of_up_to_two_registrations_agree_with_the_oracle() {
    let (claims, entries) = (Toy::whole().claims(), all_entries());
    let (mut seen, mut turn) = (Seen::default(), 0);
    let step = if is_sweep() { 1 } else { 10 };
    for (at, &one) in claims.iter().enumerate() {
        for &other in &claims[at..] {
            // Both orders of lines, and as `other` equals `one` once: also one registration stated twice.
            for pair in [vec![one, other], vec![other, one]] {
                let claims = ranked(pair);
                // In the default run each pair meets a tenth of the owners, all of them in turn.
                turn += 1;
                for entries in entries.iter().skip(turn % step).step_by(step) {
                    seen.check(&toy_case(&claims), entries);
                }
            }
        }
        for entries in &entries {
            seen.check(&toy_case(&ranked(vec![one])), entries);
        }
    }
    seen.assert(&ALL_CHOICES);
}

#[test]
fn sets_of_three_registrations_agree_with_the_oracle() {
    let (claims, entries) = (Toy::small().claims(), all_entries());
    let (mut seen, mut turn) = (Seen::default(), 0);
    let step = if is_sweep() { 1 } else { 61 };
    for (first, &one) in claims.iter().enumerate() {
        for (second, &two) in claims.iter().enumerate().skip(first) {
            for &three in &claims[second..] {
                let claims = ranked(vec![one, two, three]);
                for entries in &entries {
                    turn += 1;
                    if turn % step == 0 {
                        seen.check(&toy_case(&claims), entries);
                    }
                }
            }
        }
    }
    seen.assert(&["conflict", "moved", "network-prefix", "no-contact", "user-prefix"]);
}

#[test]
fn random_sets_agree_with_the_oracle() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (claims, entries) = (Toy::whole().claims(), all_entries());
    let mut seen = Seen::default();
    for _ in 0..60_000 {
        let mut pick = |most: usize| {
            let set = (0..random.usize(0..=most)).map(|_| claims[random.usize(..claims.len())]).collect();
            ranked(set)
        };
        let (covering, mut inside) = (pick(6), pick(3));
        if random.u8(..4) > 0 {
            inside.clear();
        }
        random.shuffle(&mut inside);
        let days = ["2026-11-20", "2026-11-22", "2026-11-23", "2026-11-24"];
        let case = Case {
            inside: &inside,
            time: random.bool().then(|| noon(days[random.usize(..days.len())])),
            unknown_type: random.u8(..16) == 0,
            has_identifier: random.u8(..16) > 0,
            ..toy_case(&covering)
        };
        seen.check(&case, &entries[random.usize(..entries.len())]);
    }
    let mut all = [&ALL_CHOICES[..], &["future", "no-finding", "prefix", "unknown-type"]].concat();
    all.sort_unstable();
    seen.assert(&all);
}
