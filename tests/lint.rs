//! Register lint: each kind of finding with the register that has it and the one next to it that has not; the command around it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use dijkwacht::moment::Day;
use dijkwacht::register::{FindingKind, ReadOptions, Register, Severity, lint};
use std::process::{Command, Output};

/// A provider's allocation and a customer's assignment, changed in 2026.
const RIPE: &str = "\
inetnum: 91.192.0.0 - 91.192.15.255\nstatus: ALLOCATED PA\norg: ORG-PROV1-RIPE\nlast-modified: 2026-05-01T00:00:00Z\n\n\
inetnum: 91.192.1.0 - 91.192.1.255\nstatus: ASSIGNED PA\norg: ORG-NEW1-RIPE\nlast-modified: 2026-05-02T00:00:00Z\n\n\
organisation: ORG-PROV1-RIPE\ncountry: NL\nabuse-c: AP1-RIPE\n\n\
organisation: ORG-NEW1-RIPE\ncountry: NL\nabuse-c: AN1-RIPE\n\n\
role: r\nnic-hdl: AP1-RIPE\nabuse-mailbox: abuse@provider.example\n\n\
role: r\nnic-hdl: AN1-RIPE\nabuse-mailbox: abuse@new.example\n";

/// Findings of one kind, as `line what`.
fn found(kind: FindingKind, sources: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<(&str, &[u8])> = sources.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let (register, _) = Register::read_bytes(&sources, &ReadOptions::default()).unwrap();
    let findings = lint(&register, Day::read(b"2026-11-22").unwrap());
    findings.of(kind).map(|it| format!("{} {}", it.line, it.text)).collect()
}

fn check(kind: FindingKind, sources: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(found(kind, sources), expected, "{kind}");
}

#[test]
fn a_user_by_default_that_is_wide_or_has_others_inside_is_asked_for_its_role() {
    let wide = "owner_id,network,role\na,91.192.0.0/19,\nb,91.192.0.0/19,user\nc,91.192.32.0/20,\nd,2a02::/35,\ne,2a02::/36,\nf,91.192.64.0/19,network\n";
    check(
        FindingKind::UserTooWide,
        &[("r.csv", wide)],
        &[
            "2 91.192.0.0/19 of a is wide for a user (state its role: user, or network if others are in it)",
            "5 2a02::/35 of d is wide for a user (state its role: user, or network if others are in it)",
        ],
    );
    let inside = |others: &[&str]| {
        let rows: Vec<String> =
            others.iter().zip(1..).map(|(id, host)| format!("{id},,91.192.0.{host}\n")).collect();
        format!("owner_id,kvk,network\na,90000001,91.192.0.0/24\n{}", rows.concat())
    };
    check(FindingKind::UserTooWide, &[("r.csv", &inside(&["b", "c", "b", "a"]))], &[]);
    check(
        FindingKind::UserTooWide,
        &[("r.csv", &inside(&["b", "c", "d"]))],
        &["2 91.192.0.0/24 of a has 3 other organisations inside (state its role: user, or network)"],
    );
}

#[test]
fn a_range_beyond_what_ripe_knows_of_its_owner_is_pointed_out() {
    let rows = "owner_id,ripe_org,network\np,ORG-PROV1-RIPE,91.192.0.0/19\np,ORG-PROV1-RIPE,91.192.0.0/20\np,ORG-PROV1-RIPE,91.192.2.0/24\np,ORG-PROV1-RIPE,91.193.0.0/24\nq,,91.192.0.0/19\n";
    check(
        FindingKind::WiderThanAllocation,
        &[("r.csv", rows), ("ripe.db", RIPE)],
        &["2 91.192.0.0/19 is wider than what p has in the RIPE database (register what is theirs)"],
    );
}

#[test]
fn a_user_inside_a_foreign_object_that_is_newer_is_to_be_verified() {
    let rows = "owner_id,ripe_org,network,role,verified\nold,,91.192.1.0/28,,2026-05-01\nsame,,91.192.1.16/28,,2026-05-02\nnever,,91.192.1.32/28,,\nown,ORG-NEW1-RIPE,91.192.1.48/28,,2020-01-01\nnet,,91.192.1.64/28,network,2020-01-01\nfar,,91.192.16.0/28,,2020-01-01\n";
    check(
        FindingKind::InsideNewer,
        &[("r.csv", rows), ("ripe.db", RIPE)],
        &[
            "2 91.192.1.0/28 of old lies in 91.192.1.0/24 of ORG-NEW1-RIPE, changed on 2026-05-02 (verify whose it is now)",
            "4 91.192.1.32/28 of never lies in 91.192.1.0/24 of ORG-NEW1-RIPE, changed on 2026-05-02 (verify whose it is now)",
        ],
    );
}

#[test]
fn days_that_passed_or_are_near_are_told() {
    let rows = "owner_id,network,verified,valid_until\na,91.192.0.1,2025-11-21,\nb,91.192.0.2,2025-11-20,\nc,91.192.0.3,,2026-11-22\nd,91.192.0.4,,2026-12-22\ne,91.192.0.5,,2026-12-23\nf,91.192.0.6,,2026-11-21\n";
    check(
        FindingKind::Unverified,
        &[("r.csv", rows)],
        &["3 91.192.0.2/32 of b was last verified on 2025-11-20 (ask whether it is still theirs)"],
    );
    check(
        FindingKind::ExpiresSoon,
        &[("r.csv", rows)],
        &[
            "4 91.192.0.3/32 of c is valid until 2026-11-22 (ask whether it stays theirs)",
            "5 91.192.0.4/32 of d is valid until 2026-12-22 (ask whether it stays theirs)",
        ],
    );
}

#[test]
fn numbers_and_addresses_that_nobody_has_are_told() {
    let rows = "owner_id,kvk,asn,contact\na,12345678,AS64496,a@b.example\nb,00000000,AS3333,a@localhost\nc,90000001,AS3334,a..b@c.example\n";
    check(
        FindingKind::KvkForm,
        &[("r.csv", rows)],
        &[
            "2 kvk 12345678 of a is no number that is given out (leave it empty, or correct it)",
            "3 kvk 00000000 of b is no number that is given out (leave it empty, or correct it)",
        ],
    );
    check(
        FindingKind::BadContact,
        &[("r.csv", rows)],
        &[
            "3 contact a@localhost of b cannot be delivered to (correct it)",
            "4 contact a..b@c.example of c cannot be delivered to (correct it)",
        ],
    );
    check(
        FindingKind::UnknownGround,
        &[("r.csv", "owner_id,ground\na,csirt\nb,Csirt\nc,\n")],
        &[
            "3 the ground of b is none of own-systems, access-provider, oktt, csirt, crisis-team: its alerts will be held (correct it)",
        ],
    );
    let documentation = "2 AS64496 of a is an AS number that nobody is given (correct it)";
    check(FindingKind::AsnUnknown, &[("r.csv", rows)], &[documentation]);
    check(
        FindingKind::AsnUnknown,
        &[("r.csv", rows), ("table", "193.0.0.0/21 3333\n")],
        &[documentation, "4 AS3334 of c announces nothing in the tables (correct it, or remove it)"],
    );
}

#[test]
fn less_than_a_network_of_ipv6_is_told_of_users_alone() {
    let rows = "owner_id,network,role\na,2a02::/64,\nb,2a02::/65,\nc,2a02::1,network\nd,91.192.0.1,\n";
    check(
        FindingKind::LongPrefix,
        &[("r.csv", rows)],
        &["3 2a02::/65 of b is less than a /64, and hosts move inside one (register the /64)"],
    );
}

#[test]
fn addresses_of_a_cloud_need_an_end() {
    let rows = "owner_id,network,valid_until,role\na,91.192.0.1,,\nb,91.192.0.2,2027-01-01,\nc,91.192.0.0/24,,network\nd,91.193.0.1,,\ne,91.192.0.0/15,,\nf,91.192.7.0/24,,\n";
    let shared = "prefix,kind\n91.192.0.0/16,cloud\n91.192.7.0/24,cdn\n";
    check(
        FindingKind::CloudWithoutEnd,
        &[("r.csv", rows), ("shared.csv", shared)],
        &["2 91.192.0.1/32 of a is a cloud's and may be another's tomorrow (give it a valid_until)"],
    );
}

#[test]
fn every_kind_has_a_word_and_a_severity() {
    for kind in FindingKind::ALL {
        assert_eq!(FindingKind::read(kind.as_str()), Some(kind));
        assert_eq!(kind.severity() == Severity::Error, kind.is_error());
    }
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dijkwacht"));
    command.args(args).env_remove("DIJKWACHT_CONFIG").output().unwrap()
}

#[test]
fn the_command_tells_all_and_fails_only_for_what_is_denied() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("r.csv");
    std::fs::write(&file, "owner_id,network\na,91.192.0.1\nb,91.192.0.1\nc,nonsense\n").unwrap();
    let file = file.to_str().unwrap();
    let output = run(&["register", "lint", file]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    for part in [":2: warning no-contact: ", ":3: warning conflict: ", ":4: error bad-row: "] {
        assert!(text.contains(part), "{text}");
    }
    let output = run(&["register", "lint", "--json", "--deny", "conflict", "--deny", "special", file]);
    assert_eq!(output.status.code(), Some(65));
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 conflict"));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let conflict = lines.iter().find(|line| line["kind"] == "conflict").unwrap();
    assert_eq!((conflict["severity"].as_str(), conflict["line"].as_u64()), (Some("warning"), Some(3)));
    assert_eq!(run(&["register", "lint", "--deny", "special", file]).status.code(), Some(0));
    assert_eq!(run(&["register", "lint", "--deny", "nonsense", file]).status.code(), Some(64));
    assert_eq!(run(&["register", "lint", "/nowhere/r.csv"]).status.code(), Some(66));
}

#[test]
fn a_members_page_has_all_that_it_has() {
    let directory = tempfile::tempdir().unwrap();
    let (source, index) = (directory.path().join("r.csv"), directory.path().join("r.dwi"));
    let rows = "owner_id,name,network,asn,domain,contact,verified\nSchool,A school,91.192.0.0/24,AS3333,school.example,a@school.example,2026-01-02\nother,,91.193.0.0/24,,,,\n";
    std::fs::write(&source, rows).unwrap();
    let (source, index) = (source.to_str().unwrap(), index.to_str().unwrap());
    assert_eq!(run(&["index", "build", "-q", "-o", index, source]).status.code(), Some(0));
    let page = String::from_utf8(run(&["index", "info", "--owner", "school", index]).stdout).unwrap();
    for part in [
        "A school",
        "a@school.example",
        "91.192.0.0/24",
        "verified 2026-01-02",
        "AS3333",
        "school.example",
        "r.csv:2",
    ] {
        assert!(page.contains(part), "{page}");
    }
    assert!(!page.contains("91.193"));
    let json = run(&["index", "info", "--json", "--owner", "SCHOOL", index]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (json["owner_id"].as_str(), json["registrations"].as_array().unwrap().len()),
        (Some("School"), 3)
    );
    assert_eq!(run(&["index", "info", "--owner", "nobody", index]).status.code(), Some(1));
}
