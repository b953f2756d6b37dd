//! Register files: what is read, what is refused and with which words, and how sources are put together.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use dijkwacht::moment::Day;
use dijkwacht::register::{FindingKind, Key, ReadOptions, Register, RegisterError, Report, Role, lint};

const STRICT: ReadOptions<'static> = ReadOptions { keep_going: false, progress: None };
const KEEP_GOING: ReadOptions<'static> = ReadOptions { keep_going: true, progress: None };

fn read(sources: &[(&str, &str)]) -> (Register, Report) {
    let sources: Vec<(&str, &[u8])> = sources.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    match Register::read_bytes(&sources, &STRICT) {
        Ok(read) => read,
        Err(RegisterError::Bad(report)) => panic!("{}", lines(&report).join("\n")),
        Err(error) => panic!("{error}"),
    }
}

fn lines(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

/// What is registered, as `owner role key [from,until] source:line`.
fn registrations(register: &Register) -> Vec<String> {
    let day = |day: Option<Day>| day.map(|day| day.to_string()).unwrap_or_default();
    register
        .registrations
        .iter()
        .map(|it| {
            let owner = &register.owners[it.owner as usize].id;
            let (from, until) = (day(it.valid_from), day(it.valid_until));
            format!("{owner} {} {} [{from},{until}] {}:{}", it.role, it.key, it.source, it.line)
        })
        .collect()
}

/// All problems of one file, which must make it fail.
fn problems(name: &str, bytes: &[u8]) -> Vec<String> {
    match Register::read_bytes(&[(name, bytes)], &STRICT) {
        Ok(_) => panic!("{} was read", String::from_utf8_lossy(bytes)),
        Err(RegisterError::Bad(report)) => lines(&report),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_column_is_read_in_any_order() {
    let (register, report) = read(&[(
        "r.csv",
        "valid_until,contact,asn,network,owner_id,name,kvk,ripe_org,constituency,sector,role,domain,link,verified,valid_from\n\
         2026-12-31,\"abuse@example.nl; noc@example.nl\",AS64496,192.0.2.0 - 192.0.2.99,School,\"School, a\",01234567,org-exa1-ripe,vital,education,,Bücher.example,zorg;iso,2026-01-02,2026-01-01\n",
    )]);
    assert_eq!(
        lines(&report),
        [
            "r.csv:2: link iso of School is in no source (add that owner, or correct the id)",
            "r.csv:2: link zorg of School is in no source (add that owner, or correct the id)",
        ]
    );
    let owner = &register.owners[0];
    assert_eq!(owner.id.as_str(), "School");
    assert_eq!(owner.name.as_deref(), Some("School, a"));
    assert_eq!(owner.kvk.as_deref(), Some("01234567"));
    assert_eq!(owner.ripe_org.as_deref(), Some("ORG-EXA1-RIPE"));
    assert_eq!(owner.constituency.map(|it| it.as_str()), Some("vital"));
    assert_eq!(owner.sector.as_deref(), Some("education"));
    assert_eq!(owner.contacts, ["abuse@example.nl", "noc@example.nl"]);
    assert_eq!(owner.links.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["iso", "zorg"]);
    assert_eq!(
        registrations(&register),
        [
            "School user 192.0.2.0 - 192.0.2.99 [2026-01-01,2026-12-31] 0:2",
            "School network AS64496 [2026-01-01,2026-12-31] 0:2",
            "School user xn--bcher-kva.example [2026-01-01,2026-12-31] 0:2",
        ]
    );
    assert_eq!(register.registrations[0].verified, Day::read(b"2026-01-02"));
    assert_eq!((report.rows, report.bad_rows), (1, 0));
}

#[test]
fn a_line_of_json_says_the_same_as_a_row() {
    let (register, _) = read(&[(
        "r.jsonl",
        r#"{"owner_id":"isp","name":"An ISP","kvk":"12345678","ripe_org":"ORG-EXA1-RIPE","same_as":null,"constituency":"business","sector":"telecom","contacts":["a@example.nl","b@example.nl"],"networks":["192.0.2.0/24",{"network":"2001:db8::/32","role":"network","valid_from":"2026-02-01"},{"network":"198.51.100.7","valid_until":"2026-03-01"}],"asns":[64496,"AS64497"],"domains":["Example.NL."],"link":["isp"],"valid_from":"2026-01-01","verified":"2026-01-02"}

# a note
{"owner_id":"ISP","networks":["203.0.113.0/24"],"role":"link"}
"#,
    )]);
    assert_eq!(
        registrations(&register),
        [
            "isp user 192.0.2.0/24 [2026-01-01,] 0:1",
            "isp network 2001:db8::/32 [2026-02-01,] 0:1",
            "isp user 198.51.100.7/32 [2026-01-01,2026-03-01] 0:1",
            "isp network AS64496 [2026-01-01,] 0:1",
            "isp network AS64497 [2026-01-01,] 0:1",
            "isp user example.nl [2026-01-01,] 0:1",
            "isp link 203.0.113.0/24 [,] 0:4",
        ]
    );
    assert_eq!(register.owners.len(), 1);
    assert_eq!(register.owners[0].contacts, ["a@example.nl", "b@example.nl"]);
}

#[test]
fn a_bad_row_names_its_line_and_remedy() {
    let check = |row: &str, part: &str| {
        let text = format!(
            "owner_id,kvk,constituency,role,network,asn,domain,contact,valid_from,valid_until\n\n# note\nok,,,,,,,,,\n{row}\n"
        );
        let found = problems("r.csv", text.as_bytes());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("r.csv:5: ") && found[0].contains(part) && found[0].ends_with(')'),
            "{}",
            found[0]
        );
        let (register, report) = Register::read_bytes(&[("r.csv", text.as_bytes())], &KEEP_GOING).unwrap();
        assert_eq!((report.rows, report.bad_rows), (2, 1));
        assert_eq!((register.owners.len(), register.registrations.len()), (1, 0));
    };
    check("x,,,,192.0.2.1/24,,,,,", "write 192.0.2.0/24 for the network or 192.0.2.1 for the one address");
    check("x,,,,192.0.2,,,,,", "no address, prefix or range");
    check(",,,,192.0.2.0/24,,,,,", "owner_id is empty");
    check("-x,,,,,,,,,", "owner_id \"-x\" is not allowed");
    check("a/b,,,,,,,,,", "owner_id \"a/b\" is not allowed");
    check(&format!("{},,,,,,,,,", "x".repeat(65)), "at most 64");
    check("x,1234567,,,,,,,,", "\"01234567\"?");
    check("x,123456789,,,,,,,,", "8 digits");
    check(
        "x,,Vital,,,,,,,",
        "vital, central-government, link-organisation, digital-service-provider or business",
    );
    check("x,,,owner,,,,,,", "user, network or link");
    check("x,,,,,AS1.2,,,,", "no AS number");
    check("x,,,,,AS0,,,,", "nobody");
    check("x,,,,,,https://example.nl/,,,", "write example.nl");
    check("x,,,,,,*.example.nl,,,", "write example.nl");
    check("x,,,,,,192.0.2.1,,,", "no host name");
    check("x,,,,,,,abuse,,", "abuse@example.nl");
    check("x,,,,,,,Abuse <abuse@example.nl>,,", "without name or brackets");
    check("x,,,,,,,a@b@example.nl,,", "no address of mail");
    check("x,,,,,,,@example.nl,,", "no address of mail");
    check("x,,,,,,,unread@ripe.net,,", "nobody reads it");
    check("x,,,,,,,,22-11-2026,", "valid_from \"22-11-2026\" is no day");
    check("x,,,,,,,,,2026-02-30", "valid_until \"2026-02-30\" is no day");
    check("x,,,,,,,,2026-02-02,2026-02-01", "is before valid_from");
    check("x,,,,", "5 fields and the header 10");
    check("x,,,,,,,,,,", "11 fields and the header 10");
    check("x,\"1", "never closed");
    check("x\u{1b}[2J,,,,,,,,,", "\\u{1b}");
}

#[test]
fn all_bad_rows_are_reported_and_the_rest_is_read_with_keep_going() {
    let text = "owner_id,network\na,192.0.2.1/24\nb,192.0.2.0/24\nc,x\n";
    assert_eq!(problems("r.csv", text.as_bytes()).len(), 2);
    let (register, report) = Register::read_bytes(&[("r.csv", text.as_bytes())], &KEEP_GOING).unwrap();
    assert_eq!((report.rows, report.bad_rows, register.owners.len()), (3, 2, 1));
    assert_eq!(registrations(&register), ["b user 192.0.2.0/24 [,] 0:3"]);
}

#[test]
fn rows_of_one_owner_add_up() {
    let (register, report) = read(&[(
        "r.csv",
        "owner_id,name,contact,network\nSchool,,a@example.nl,192.0.2.0/24\nschool,A school,b@example.nl,\nSCHOOL,A school,\"A@example.nl,c@example.nl\",\n",
    )]);
    assert!(report.findings.is_empty(), "{:?}", lines(&report));
    assert_eq!(register.owners.len(), 1);
    assert_eq!(register.owners[0].id.as_str(), "School", "as first written");
    assert_eq!(register.owners[0].name.as_deref(), Some("A school"));
    assert_eq!(register.owners[0].contacts, ["a@example.nl", "b@example.nl", "c@example.nl"]);
}

#[test]
fn attributes_that_disagree_are_an_error_within_a_file() {
    for (column, one, other) in [
        ("name", "A", "B"),
        ("kvk", "12345678", "12345679"),
        ("ripe_org", "ORG-A-RIPE", "ORG-B-RIPE"),
        ("same_as", "a", "b"),
        ("constituency", "vital", "business"),
        ("sector", "A", "B"),
        ("link", "a;b", "a;c"),
    ] {
        let text = format!("owner_id,{column}\nx,\nx,{one}\nx,{one}\nx,\nx,{other}\n");
        let found = problems("r.csv", text.as_bytes());
        assert_eq!(
            found,
            [format!(
                "r.csv:6: {column} \"{other}\" of x differs from \"{one}\" on line 3 (make them equal, or use two owner_ids)"
            )]
        );
    }
    let (_, report) = read(&[("r.csv", "owner_id,link,same_as\na,,\nb,,\nx,a;B,A\nx,b ; A;a,a\n")]);
    assert!(report.findings.is_empty(), "order and case of ids say nothing: {:?}", lines(&report));
}

#[test]
fn attributes_that_disagree_between_files_are_a_warning_and_the_first_wins() {
    let (register, report) = read(&[
        ("one.csv", "owner_id,name,contact\nx,A,a@example.nl\n"),
        (
            "two.csv",
            "owner_id,name,sector,contact,network\ny,Y,,,\nX,B,care,\"b@example.nl,a@example.nl\",192.0.2.0/24\n",
        ),
    ]);
    assert_eq!(
        lines(&report),
        ["two.csv:3: name \"B\" of x differs from \"A\" in one.csv:2, which is used (make them equal)"]
    );
    assert_eq!(register.owners[0].name.as_deref(), Some("A"));
    assert_eq!(register.owners[0].sector.as_deref(), Some("care"));
    assert_eq!(register.owners[0].contacts, ["a@example.nl", "b@example.nl"]);
    assert_eq!((register.owners[0].source, register.owners[0].line), (0, 2));
    assert_eq!(registrations(&register), ["x user 192.0.2.0/24 [,] 1:3"]);
    assert_eq!(register.sources, ["one.csv", "two.csv"]);
}

#[test]
fn owners_are_united_by_number_organisation_and_word() {
    let (register, _) = read(&[
        (
            "one.csv",
            "owner_id,kvk,ripe_org,same_as\na,12345678,,\nb,,ORG-B-RIPE,\nc,12345678,org-b-ripe,\nd,,,e\n",
        ),
        ("two.csv", "owner_id,kvk,same_as\ne,,\nf,,G\ng,,f\nh,87654321,h\nA,,\n"),
    ]);
    let organisations: Vec<(&str, u32)> =
        register.owners.iter().map(|owner| (owner.id.as_str(), owner.organisation)).collect();
    assert_eq!(
        organisations,
        [("a", 0), ("b", 0), ("c", 0), ("d", 3), ("e", 3), ("f", 5), ("g", 5), ("h", 7)]
    );
}

#[test]
fn the_same_registration_is_kept_once() {
    let (register, report) = read(&[
        (
            "one.csv",
            "owner_id,network,role,verified,valid_until\nx,192.0.2.0/24,,,\nx,192.0.2.0 - 192.0.2.255,user,2026-01-01,\nx,192.0.2.0/24,network,,\nx,192.0.2.0/24,,,2026-01-01\nX,192.0.2.0/24,,,\ny,192.0.2.0/24,,,\n",
        ),
        ("two.csv", "owner_id,network\nx,192.0.2.0/24\n"),
    ]);
    assert_eq!(
        registrations(&register),
        [
            "x user 192.0.2.0/24 [,] 0:2",
            "x network 192.0.2.0/24 [,] 0:4",
            "x user 192.0.2.0/24 [,2026-01-01] 0:5",
            "y user 192.0.2.0/24 [,] 0:7",
        ]
    );
    assert_eq!(register.registrations[0].verified, Day::read(b"2026-01-01"));
    assert_eq!(
        lines(&report),
        [
            "one.csv:3: 192.0.2.0/24 of x is on line 2 already (leave one out)",
            "one.csv:6: 192.0.2.0/24 of x is on line 2 already (leave one out)",
        ]
    );
    assert_eq!(report.duplicates, 3);
}

#[test]
fn line_ends_marks_and_delimiters_of_spreadsheets_are_taken() {
    let expected = "a user 192.0.2.0/24 [,] 0:3";
    for text in [
        "owner_id,network\n# x\na,192.0.2.0/24\n",
        "owner_id,network\r\n\r\na,192.0.2.0/24\r\n",
        "owner_id,network\n\na,192.0.2.0/24",
        "owner_id;network\n;\na;192.0.2.0/24\n",
        "owner_id\tnetwork\n\t\na\t192.0.2.0/24\n",
        "\u{feff}owner_id,network\r\n#\r\na,192.0.2.0/24",
        "# a note\nowner_id,network\n\"a\",\"192.0.2.0/24\"\r\n",
        "\"owner_id\",\"network\"\r\n,\r\n\"a\",\" 192.0.2.0/24 \"\r\n",
        "Owner_ID, Network \n\na , 192.0.2.0/24\n\n\n",
    ] {
        for name in ["r.csv", "r", "r.txt"] {
            let (register, report) = read(&[(name, text)]);
            assert_eq!(registrations(&register), [expected], "{text:?}");
            assert_eq!(report.rows, 1);
            assert!(report.findings.is_empty(), "{:?}", lines(&report));
        }
    }
}

#[test]
fn lines_are_those_on_which_rows_start() {
    let text = "owner_id,name,network\n\r\n\n#\na,\"x\",192.0.2.1\n\n\nb,\"two \"\"quoted\"\" words\",192.0.2.2\r\n#\n\nc,\"a;b\",192.0.2.3\n\r\n";
    let (register, _) = read(&[("r.csv", text)]);
    let lines: Vec<u32> = register.registrations.iter().map(|it| it.line).collect();
    assert_eq!(lines, [5, 8, 11]);
    let found = problems("r.csv", b"owner_id,name\na,\"one\ntwo\"\nb,c,d\n");
    assert!(found[0].starts_with("r.csv:2: name \"one\\ntwo\""), "{found:?}");
    assert!(found[1].starts_with("r.csv:4: row has 3 fields"), "{found:?}");
}

#[test]
fn a_quote_that_never_closes_costs_one_row() {
    let text = "owner_id,name,network\na,,192.0.2.1\nb,\"x,192.0.2.2\nc,,192.0.2.3\nd,\"y\",192.0.2.4\ne,,192.0.2.5\n";
    // The quote of b closes at d's first.
    let (register, report) = Register::read_bytes(&[("r.csv", text.as_bytes())], &KEEP_GOING).unwrap();
    assert_eq!(register.registrations.iter().map(|it| it.line).collect::<Vec<_>>(), [2, 4, 5, 6]);
    assert_eq!(report.bad_rows, 1);
    let text = "owner_id,name,network\na,,192.0.2.1\nb,\"x,192.0.2.2\nc,,192.0.2.3\nd,,192.0.2.4\n";
    let (register, report) = Register::read_bytes(&[("r.csv", text.as_bytes())], &KEEP_GOING).unwrap();
    assert_eq!(register.registrations.iter().map(|it| it.line).collect::<Vec<_>>(), [2, 4, 5]);
    assert_eq!(
        lines(&report),
        [
            "r.csv:3: a quote is opened here and never closed (close it, or write \"\" for a quote in a quoted field)",
        ]
    );
}

#[test]
fn a_lost_quote_never_loses_rows_in_silence() {
    let check = |text: &str, expected: &[&str]| {
        let mut found = problems("r.csv", text.as_bytes());
        found.retain(|line| !line.contains("columns that are not known"));
        assert_eq!(found, expected, "{text}");
        let (register, report) = Register::read_bytes(&[("r.csv", text.as_bytes())], &KEEP_GOING).unwrap();
        let rows = text.lines().count() - 1;
        assert_eq!(report.bad_rows as usize, expected.len());
        assert_eq!(register.registrations.len() + expected.len(), rows, "the other rows are read: {text}");
    };
    let remedy = "may hold other rows (close its quote on this line, or write it without line breaks)";
    // Closed by the next quote in a column that is ignored: every field count is right, and b's network would be a's.
    check(
        "owner_id,note,network\na,\"x,192.0.2.1\nc,,192.0.2.3\nb,\"y,192.0.2.2\n",
        &[
            &format!("r.csv:2: field 2 \"x,192.0.2.1\\nc,,192.0.2.3\\nb,y\" {remedy}"),
            "r.csv:4: a quote is opened here and never closed (close it, or write \"\" for a quote in a quoted field)",
        ],
    );
    check(
        "owner_id,network,note\na,192.0.2.1,\"x\nc,192.0.2.3,\nb,192.0.2.2,y\"\n",
        &[&format!("r.csv:2: field 3 \"x\\nc,192.0.2.3,\\nb,192.0.2.2,y\" {remedy}")],
    );
    check(
        "owner_id,name,network\na,,\"192.0.2.1\nb,,192.0.2.2\nc,,\"192.0.2.3\nd,,192.0.2.4\n",
        &[
            &format!("r.csv:2: field 3 \"192.0.2.1\\nb,,192.0.2.2\\nc,,192.0.2.3\" {remedy}"),
            "r.csv:4: a quote is opened here and never closed (close it, or write \"\" for a quote in a quoted field)",
        ],
    );
}

#[test]
fn a_line_break_stands_only_in_columns_that_are_ignored() {
    for (column, value) in [
        ("network", "192.0.2.0/24"),
        ("asn", "64496"),
        ("domain", "example.nl"),
        ("contact", "a@example.nl;"),
        ("kvk", "12345678"),
        ("link", "a;"),
        ("valid_from", "2026-01-01"),
    ] {
        for value in [format!("{value}\n"), format!("{value}\n{value}"), format!("\n{value}")] {
            let shown = value.replace('\n', "\\n");
            let found =
                problems("r.csv", format!("owner_id,name,{column}\n\na,A,\"{value}\"\nb,B,\n").as_bytes());
            let remedy = "a quote is probably missing on this line; if not, write it on one line";
            assert_eq!(found, [format!("r.csv:3: {column} \"{shown}\" holds a line break ({remedy})")]);
        }
    }
    let found = problems("r.csv", b"owner_id,name\n\"a\n\",A\n");
    assert!(found[0].starts_with("r.csv:2: owner_id \"a\\n\" holds a line break"), "{found:?}");
    // As spreadsheets write notes of several lines.
    let text = "note,owner_id,remark,network,more\n\"one, two\nthree\",a,\"four\nfive, six\",192.0.2.1,\"\n, seven\"\n";
    let (register, report) = read(&[("r.csv", text)]);
    assert_eq!((register.registrations.len(), report.rows, report.bad_rows), (1, 1, 0));
}

#[test]
fn columns_that_are_not_known_are_named_once() {
    let (_, report) = read(&[("r.csv", "owner_id,comment,netwerk,Contacts\na,b,c,d\ne,f,g,h\n")]);
    assert_eq!(
        lines(&report),
        [
            "r.csv:1: columns that are not known are ignored: \"comment\", \"netwerk\" (did you mean network?), \"Contacts\" (did you mean contact?)",
        ]
    );
    let (_, report) = read(&[(
        "r.jsonl",
        "{\"owner_id\":\"a\",\"contact\":[],\"x\":{\"a\":[1]}}\n{\"owner_id\":\"b\",\"x\":1,\"networks\":[{\"network\":\"192.0.2.1\",\"y\":1}]}\n",
    )]);
    assert_eq!(
        lines(&report),
        [
            "r.jsonl:1: keys that are not known are ignored: \"contact\" (did you mean contacts?), \"x\", \"y\"",
        ]
    );
}

#[test]
fn files_that_cannot_be_used_say_why_even_with_keep_going() {
    let check = |name: &str, bytes: &[u8], part: &str| {
        let Err(RegisterError::Bad(report)) = Register::read_bytes(&[(name, bytes)], &KEEP_GOING) else {
            panic!("{name} was read");
        };
        assert_eq!(report.findings.count(FindingKind::BadSource), 1);
        assert!(lines(&report)[0].contains(part), "{:?}", lines(&report));
    };
    check("r.csv", b"", "empty");
    check("r.csv", b"\n\n# x\n", "empty");
    check("r.csv", b"name,network\na,b\n", "no column owner_id (its columns are \"name\", \"network\")");
    check("r.csv", b"owner_id,name,NAME\na,b,c\n", "column name twice");
    check("r.csv", b"owner_id,\"network\na,192.0.2.1\n", "header holds a line break");
    check("r.csv", b"owner_id,network,\"note\na,192.0.2.1,\"\nb,192.0.2.2,\n", "header holds a line break");
    check("r.csv", b"\"owner_id,network", "header holds a line break");
    check("r.csv", b"\xff\xfeo\0w\0", "UTF-16");
    check("r.csv", b"PK\x03\x04", "spreadsheet");
    check("r.csv", &[b'x'; 2 << 20], "longer than");
    check("r.json", b"[{\"owner_id\":\"a\"}]", "one object a line");
}

#[test]
fn lines_that_are_no_json_of_the_register_are_bad_rows() {
    let check = |line: &str, part: &str| {
        let text = format!("{{\"owner_id\":\"ok\"}}\n\n{line}\n");
        let found = problems("r.jsonl", text.as_bytes());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("r.jsonl:3: ") && found[0].contains(part) && found[0].ends_with(')'),
            "{}",
            found[0]
        );
    };
    check("{", "EOF while parsing");
    check("x", "expected value");
    check("[]", "expected an object");
    check("{}", "owner_id is empty");
    check("{\"owner_id\":null}", "owner_id is empty");
    check("{\"owner_id\":5}", "expected a string");
    check("{\"owner_id\":\"a\",\"kvk\":12345678}", "integer `12345678`, expected a string");
    check("{\"owner_id\":\"a\",\"contacts\":\"a@example.nl\"}", "expected a sequence");
    check("{\"owner_id\":\"a\",\"contacts\":[\"\"]}", "no address of mail");
    check("{\"owner_id\":\"a\",\"networks\":[5]}", "expected a network");
    check("{\"owner_id\":\"a\",\"networks\":[{}]}", "no address, prefix or range");
    check("{\"owner_id\":\"a\",\"networks\":[\"192.0.2.1/24\"]}", "192.0.2.0/24");
    check("{\"owner_id\":\"a\",\"asns\":[-1]}", "expected an AS number");
    check("{\"owner_id\":\"a\",\"asns\":[4294967296]}", "no AS number");
    check("{\"owner_id\":\"a\",\"owner_id\":\"b\"}", "duplicate field `owner_id`");
    check("{\"owner_id\":\"a\",\"x\":1,\"\\u0078\":2}", "duplicate field `x`");
    check(
        "{\"owner_id\":\"a\",\"networks\":[{\"network\":\"192.0.2.1\",\"network\":\"192.0.2.2\"}]}",
        "duplicate field `network`",
    );
    check("{\"owner_id\":\"a\"}{\"owner_id\":\"b\"}", "trailing characters");
    check(
        "{\"owner_id\":\"a\",\"valid_from\":\"2026-02-01\",\"networks\":[{\"network\":\"192.0.2.1\",\"valid_until\":\"2026-01-01\"}]}",
        "is before valid_from",
    );
    check(&format!("{{\"owner_id\":\"a\",\"x\":{}}}", "[".repeat(10_000)), "expected value");
    check("{\"owner_id\":\"a\u{1b}\"}", "control character");
}

#[test]
fn text_that_is_no_utf_8_is_a_bad_row() {
    let found = problems("r.csv", b"owner_id,name\na,Caf\xe9\nb,ok\n");
    assert_eq!(
        found,
        ["r.csv:2: name \"Caf\\xe9\" is not UTF-8 (save the file as UTF-8; it may be Windows-1252 now)"]
    );
    let found = problems("r.jsonl", b"{\"owner_id\":\"a\",\"name\":\"Caf\xe9\"}\n");
    assert!(found[0].contains("is not UTF-8"), "{found:?}");
}

#[test]
fn a_file_without_rows_is_a_warning() {
    let (register, report) = read(&[("r.csv", "owner_id\n"), ("r.jsonl", "")]);
    assert!(register.owners.is_empty());
    assert_eq!(
        lines(&report),
        ["r.csv:1: file has no rows (is it cut off?)", "r.jsonl:1: file has no rows (is it cut off?)"]
    );
}

#[test]
fn more_bad_rows_than_are_kept_are_counted() {
    let text = format!("owner_id\n{}", "-\n".repeat(10_005));
    let Err(RegisterError::Bad(report)) =
        Register::read_bytes(&[("r.csv", text.as_bytes()), ("s.csv", text.as_bytes())], &STRICT)
    else {
        panic!("it was read");
    };
    assert_eq!(report.bad_rows, 20_010);
    assert_eq!(report.findings.count(FindingKind::BadRow), 20_010);
    assert_eq!(report.findings.iter().count(), 10_000);
    assert_eq!(report.findings.without_text().collect::<Vec<_>>(), [(FindingKind::BadRow, 10_010)]);
}

/// What lint finds, but for [`FindingKind::NoContact`] unless `kind` asks for it.
fn check_lint(kind: FindingKind, sources: &[(&str, &str)], expected: &[&str]) {
    let (register, _) = read(sources);
    let findings = lint(&register, Day::read(b"2026-11-22").unwrap());
    let found: Vec<String> = findings.of(kind).map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

#[test]
fn equal_claims_of_two_organisations_in_one_source_are_a_conflict() {
    let check = |rows: &str, expected: &[&str]| {
        let text = format!("owner_id,kvk,role,network,asn,domain,valid_from,valid_until\n{rows}");
        check_lint(FindingKind::Conflict, &[("r.csv", &text)], expected);
    };
    check(
        "a,,,192.0.2.0/24,,,,\nb,,,192.0.2.0 - 192.0.2.255,,,,\n",
        &[
            "r.csv:3: 192.0.2.0/24 of b is also registered by a on line 2 (decide whose it is: alerts would be held)",
        ],
    );
    check(
        "a,,,,64496,,,\nb,,,,AS64496,,,\n",
        &[
            "r.csv:3: AS64496 of b is also registered by a on line 2 (decide whose it is: alerts would be held)",
        ],
    );
    check(
        "a,,,,,example.nl,,\nb,,,,,EXAMPLE.nl,,\n",
        &[
            "r.csv:3: example.nl of b is also registered by a on line 2 (decide whose it is: alerts would be held)",
        ],
    );
    check("a,,,192.0.2.0/24,,,,\nb,,network,192.0.2.0/24,,,,\n", &[]);
    check("a,,,192.0.2.0/24,,,,\nb,,,192.0.2.0/25,,,,\n", &[]);
    check("a,12345678,,192.0.2.0/24,,,,\nb,12345678,,192.0.2.0/24,,,,\n", &[]);
    check("a,,,192.0.2.0/24,,,,2026-01-01\nb,,,192.0.2.0/24,,,2026-01-02,\n", &[]);
    check(
        "a,,,192.0.2.0/24,,,,2026-01-02\nb,,,192.0.2.0/24,,,2026-01-02,\n",
        &[
            "r.csv:3: 192.0.2.0/24 of b is also registered by a on line 2 (decide whose it is: alerts would be held)",
        ],
    );
    check_lint(
        FindingKind::Conflict,
        &[("r.csv", "owner_id,network\na,192.0.2.0/24\n"), ("s.csv", "owner_id,network\nb,192.0.2.0/24\n")],
        &[],
    );
}

/// All pairs of ranges in a space of five addresses, and triples at random: crossing as defined, by two plain loops.
#[test]
fn crossing_ranges_are_found_and_only_those() {
    let ranges: Vec<(u32, u32)> =
        (0..5).flat_map(|first| (first..5).map(move |last| (first, last))).collect();
    let crosses = |a: (u32, u32), b: (u32, u32)| a.0 < b.0 && b.0 <= a.1 && a.1 < b.1;
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut sets: Vec<Vec<(u32, u32)>> = Vec::new();
    sets.extend(ranges.iter().flat_map(|&a| ranges.iter().map(move |&b| vec![a, b])));
    sets.extend(
        (0..2_000).map(|_| (0..random.usize(2..12)).map(|_| *random.choice(&ranges).unwrap()).collect()),
    );
    for set in sets {
        for (v4, base) in [(true, "192.0.2."), (false, "2001:db8::")] {
            let mut text = "owner_id,network\n".to_owned();
            for (owner, (first, last)) in set.iter().enumerate() {
                text += &format!("o{owner},{base}{first} - {base}{last}\n");
            }
            let (register, _) = read(&[("r.csv", &text)]);
            let findings = lint(&register, Day::read(b"2026-11-22").unwrap());
            let mut found: Vec<u32> =
                findings.of(FindingKind::Crossing).map(|finding| finding.line - 2).collect();
            found.sort_unstable();
            let expected: Vec<u32> =
                (0..set.len() as u32).filter(|&b| set.iter().any(|&a| crosses(a, set[b as usize]))).collect();
            assert_eq!(found, expected, "{set:?} {v4}");
        }
    }
}

#[test]
fn what_is_wide_special_expired_or_silent_is_found() {
    check_lint(
        FindingKind::TooWide,
        &[(
            "r.csv",
            "owner_id,network,domain\na,16.0.0.0/8,a.nl\nb,16.0.0.0/7,\nc,2a00::/19,\nd,2a00::/18,\n",
        )],
        &[
            "r.csv:3: 16.0.0.0/7 of b is more than one organisation is likely to hold (register its parts)",
            "r.csv:5: 2a00::/18 of d is more than one organisation is likely to hold (register its parts)",
        ],
    );
    check_lint(
        FindingKind::Special,
        &[(
            "r.csv",
            "owner_id,network\na,8.0.0.0/8\nb,10.0.0.0 - 10.0.0.9\nc,9.0.0.0/8\nd,9.255.255.255 - 10.0.0.0\ne,2001:db8::/31\nf,::/0\n",
        )],
        &[
            "r.csv:3: 10.0.0.0 - 10.0.0.9 of b lies in 10.0.0.0/8, which is nobody's on the Internet (is that meant?)",
            "r.csv:5: 9.255.255.255 - 10.0.0.0 of d holds 10.0.0.0/8, which is nobody's on the Internet and is cut out (register the rest)",
            "r.csv:6: 2001:db8::/31 of e holds 2001:db8::/32, which is nobody's on the Internet and is cut out (register the rest)",
            "r.csv:7: ::/0 of f holds ::/96, which is nobody's on the Internet and is cut out (register the rest)",
        ],
    );
    check_lint(
        FindingKind::Expired,
        &[("r.csv", "owner_id,network,valid_until\na,192.0.2.0/24,2026-11-21\nb,192.0.2.0/24,2026-11-22\n")],
        &["r.csv:2: 192.0.2.0/24 of a was valid until 2026-11-21 (remove it, or give it a later day)"],
    );
    check_lint(
        FindingKind::NoContact,
        &[(
            "r.csv",
            "owner_id,network,contact,same_as\na,192.0.2.1,,\na,192.0.2.2,,\nb,192.0.2.3,,c\nc,,c@example.nl,\nd,,,\n",
        )],
        &[
            "r.csv:2: a, who registers 192.0.2.1/32, has no contact, nor has its organisation (add one, or nobody is told)",
        ],
    );
}

#[test]
fn a_number_that_unites_far_too_many_is_pointed_out() {
    let text: String = (0..150).map(|owner| format!("o{owner},12345678\n")).collect();
    let (register, report) = read(&[("r.csv", &format!("owner_id,kvk\n{text}"))]);
    assert!(register.owners.iter().all(|owner| owner.organisation == 0));
    assert_eq!(report.findings.of(FindingKind::WideUnion).count(), 1);
    let (register, _) = read(&[("r.csv", "owner_id,kvk\na,00000000\nb,00000000\n")]);
    assert_eq!(register.owners[1].organisation, 1, "the placeholder unites nobody");
}

#[test]
fn roles_follow_what_is_registered() {
    let (register, _) = read(&[(
        "r.csv",
        "owner_id,network,asn,domain,role\na,192.0.2.1,1,a.nl,\nb,192.0.2.1,1,a.nl,user\nc,192.0.2.1,1,a.nl,link\n",
    )]);
    let roles: Vec<Role> = register.registrations.iter().map(|it| it.role).collect();
    use Role::{Link, Network, User};
    assert_eq!(roles, [User, Network, User, User, User, User, Link, Link, Link]);
    assert!(matches!(&register.registrations[2].key, Key::Domain(domain) if domain == "a.nl"));
}

/// Not a proof, a measurement: `cargo test --release --test register -- --ignored --nocapture million`.
#[test]
#[ignore = "a measurement, to be run in release"]
fn a_million_rows_are_read() {
    use std::fmt::Write;
    let mut random = fastrand::Rng::with_seed(1);
    let mut text = "owner_id,name,kvk,constituency,role,network,contact,valid_from\n".to_owned();
    for row in 0..1_000_000u32 {
        let owner = row / 4;
        let bits = random.u32(0x0100_0000..0xe000_0000) & !0xff;
        let address = std::net::Ipv4Addr::from_bits(bits);
        writeln!(text, "org-{owner},Organisation {owner},{:08},business,user,{address}/24,abuse@org-{owner}.example.nl,2026-01-01", owner + 1).unwrap();
    }
    let mut quoted = String::new();
    for line in text.lines() {
        let fields: Vec<String> = line.split(',').map(|field| format!("\"{field}\"")).collect();
        writeln!(quoted, "{}", fields.join(",")).unwrap();
    }
    let cpu_seconds = || {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    };
    for (name, text) in [("plain.csv", &text), ("quoted.csv", &quoted)] {
        for _ in 0..3 {
            let start = cpu_seconds();
            let (register, report) = read(&[(name, text)]);
            let read_seconds = cpu_seconds() - start;
            let start = cpu_seconds();
            let findings = lint(&register, Day::read(b"2026-11-22").unwrap());
            let lint_seconds = cpu_seconds() - start;
            let counted: u64 = FindingKind::ALL.into_iter().map(|kind| findings.count(kind)).sum();
            println!(
                "{name}: {} rows, {} bytes, read {read_seconds:.2} s, lint {lint_seconds:.2} s of the processor, {counted} findings",
                report.rows,
                text.len()
            );
            assert_eq!(report.rows, 1_000_000);
        }
    }
}

#[test]
fn files_are_read_by_their_name_or_their_first_letter() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let csv = "owner_id,network\na,192.0.2.1\n";
    let jsonl = "{\"owner_id\":\"b\",\"networks\":[\"192.0.2.2\"]}\n";
    let sources = [
        write("one.csv", csv),
        write("two.JSONL", jsonl),
        write("three.ndjson", jsonl),
        write("four", csv),
        write("five.json", jsonl),
    ];
    let progress = std::cell::Cell::new(0);
    let hook = |_| progress.set(progress.get() + 1);
    let options = ReadOptions { progress: Some(&hook), ..STRICT };
    let (register, report) = Register::read(&sources, &options).unwrap();
    assert_eq!(registrations(&register), ["a user 192.0.2.1/32 [,] 0:2", "b user 192.0.2.2/32 [,] 1:1"]);
    assert_eq!((report.rows, report.duplicates), (5, 3));
    assert!(register.sources[1].ends_with("two.JSONL"));
    assert_eq!(progress.get(), 0, "nothing of a MiB");
    let long = write("long.csv", &format!("owner_id,network\n{}", "a,192.0.2.1\n".repeat(300_000)));
    Register::read(&[long], &options).unwrap();
    assert_eq!(progress.get(), 3);
}

#[test]
fn sources_that_cannot_be_opened_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.csv");
    let error = Register::read(&[missing], &STRICT).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, RegisterError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound)
    );
    assert!(error.to_string().contains("missing.csv"));
    let error = Register::read(&[directory.path().to_owned()], &STRICT).map(|_| ()).unwrap_err();
    assert!(matches!(error, RegisterError::NotAFile { .. }), "{error}");
}

#[test]
fn contacts_and_links_have_a_maximum() {
    let contacts =
        |count: usize| (0..count).map(|at| format!("c{at}@example.nl")).collect::<Vec<_>>().join(";");
    let (register, _) =
        read(&[("r.csv", &format!("owner_id,contact\na,{}\na,c0@example.nl\n", contacts(64)))]);
    assert_eq!(register.owners[0].contacts.len(), 64);
    let found = problems(
        "r.csv",
        format!("owner_id,contact\na,{}\na,new@example.nl\nb,{}\n", contacts(64), contacts(65)).as_bytes(),
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("r.csv:3: owner a has more than 64 contacts"), "{found:?}");
    assert!(found[1].starts_with("r.csv:4: owner b has more than 64 contacts"), "{found:?}");
    let links: Vec<String> = (0..65).map(|at| format!("o{at}")).collect();
    let found = problems("r.csv", format!("owner_id,link\na,{}\n", links.join(";")).as_bytes());
    assert!(found[0].contains("more than 64"), "{found:?}");
    let found = problems(
        "r.csv",
        format!("owner_id,name\na,{}\nb,{}\n", "n".repeat(513), "n".repeat(512)).as_bytes(),
    );
    assert_eq!(found, ["r.csv:2: name has 513 bytes, more than 512 (shorten it)"]);
}

#[test]
fn a_row_that_is_skipped_leaves_nothing_behind() {
    let text = "owner_id,name,contact,network,valid_from\na,A,a@example.nl,192.0.2.1/24,\na,B,b@example.nl,192.0.2.2,\na,A,c@example.nl,192.0.2.3,\nb,,,192.0.2.4,x\n";
    let (register, report) = Register::read_bytes(&[("r.csv", text.as_bytes())], &KEEP_GOING).unwrap();
    assert_eq!(register.owners.len(), 1);
    assert_eq!(register.owners[0].name.as_deref(), Some("B"));
    assert_eq!(register.owners[0].contacts, ["b@example.nl"]);
    assert_eq!(registrations(&register), ["a user 192.0.2.2/32 [,] 0:3"]);
    assert_eq!((report.rows, report.bad_rows), (4, 3));
}
