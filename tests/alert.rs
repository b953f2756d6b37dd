//! Alert lines and ids: the vectors of the contract, whole lines, and hostile text.
//!
//! The round trip through IntelMQ needs its package; `tests/intelmq_roundtrip.py` has the commands.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use dijkwacht::alert::{
    self, Alert, Background, Context, Ids, LIST_ITEMS_MAX, Merged, Recipient, RecipientFacts, ReferenceKey,
    RunFacts, TEXT_CHARS_MAX, Told,
};
use dijkwacht::index::{Claim, ClaimKey, OwnerIx, Registered};
use dijkwacht::moment::{Moment, TimeText, read_time};
use dijkwacht::net::{Address, Asn, Prefix, Range};
use dijkwacht::policy::{
    Assessed, Catalogue, Entry, Hold, Line, Provenance, Redaction, Removable, Rule, SenderName, Severity,
    SourceProtection, Tlp,
};
use dijkwacht::register::{Constituency, Ground, Role, Scope};
use dijkwacht::scan::{Finding, Kind, Side, Subject};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::process::Command;
use std::sync::{Arc, LazyLock};

fn moment(text: &str) -> Moment {
    match read_time(text.as_bytes(), None) {
        TimeText::At(moment) => moment,
        other => panic!("{text:?}: {other:?}"),
    }
}

fn address(text: &str) -> Subject {
    Subject::Address(Address::read(text.as_bytes()).unwrap())
}

static EMPTY: LazyLock<Arc<Catalogue>> = LazyLock::new(Arc::default);

fn facts() -> RunFacts<'static> {
    RunFacts {
        feed: "shadowserver",
        label: None,
        provider: None,
        run: "shadowserver-0123456789abcdef",
        run_time: moment("2026-11-23T00:00:00.75Z"),
        observed: None,
        provenance: Provenance::default(),
        classification: None,
        severity: None,
        catalogue: &EMPTY,
        report: None,
        index_id: *b"\x01\x23\x45\x67\x89\xab\xcd\xef24 more that nobody sees",
    }
}

fn sender() -> SenderName {
    SenderName::read("ncsc").unwrap()
}

fn recipient() -> Recipient {
    Recipient::new(&RecipientFacts {
        id: "school",
        name: Some("De School"),
        constituency: None,
        contacts: &["Abuse@school.example", "noc@school.example", "abuse@school.example"],
        sender: &sender(),
    })
}

fn line(range: &str) -> Line {
    let claim = Claim {
        registration: 7,
        owner: OwnerIx(3),
        role: Role::User,
        key: ClaimKey::Range(Range::read(range.as_bytes()).unwrap()),
        valid_from: None,
        valid_until: None,
        verified: None,
        scope: Scope::Stated,
        source: 1,
        line: 99,
    };
    Line { owner: OwnerIx(3), rule: Rule::UserPrefix, claim, member: None, assessed: Assessed::NoRule }
}

fn registered(line: &Line) -> Registered<'static> {
    Registered::Range(line.claim.key.range().unwrap())
}

fn finding() -> Finding<'static> {
    Finding {
        subject: Some(address("192.0.2.1")),
        port: Some(443),
        transport: Some("TCP".into()),
        time: Some(moment("2026-11-22T01:02:03Z")),
        identifier: Some("open-rdp".into()),
        ..Finding::new(0, Kind::Vulnerable, Side::Exposed)
    }
}

fn write(
    facts: &RunFacts<'_>,
    finding: &Finding<'_>,
    range: &str,
    hold: Option<Hold>,
    also: Option<&Merged>,
) -> Vec<u8> {
    write_in(&Context::new(facts), finding, range, hold, also)
}

fn write_in(
    context: &Context,
    finding: &Finding<'_>,
    range: &str,
    hold: Option<Hold>,
    also: Option<&Merged>,
) -> Vec<u8> {
    let ids = alert::ids(context, finding, "school");
    let (line, recipient) = (line(range), recipient());
    let mut out = Vec::new();
    alert::write_line(
        &mut out,
        context,
        &Alert {
            finding,
            entry: None,
            redaction: Redaction::NONE,
            record: 12,
            line: &line,
            registered: registered(&line),
            member: None,
            background: Background::default(),
            ground: Ground::OwnSystems,
            assessment: None,
            hold,
            recipient: &recipient,
            ids: &ids,
            also,
        },
    );
    out
}

/// The line of a finding under 192.0.2.0/24, as an object.
fn object(finding: &Finding<'_>) -> Map<String, Value> {
    serde_json::from_slice(&write(&facts(), finding, "192.0.2.0/24", None, None)).unwrap()
}

fn id_of(facts: &RunFacts<'_>, finding: &Finding<'_>, owner_id: &str) -> Ids {
    alert::ids(&Context::new(facts), finding, owner_id)
}

#[test]
fn ids_are_those_of_the_contract() {
    let ids = id_of(&facts(), &finding(), "school");
    assert_eq!(ids.finding.to_string(), "1e87da1b-b92a-52e9-bcda-70e18c2d0fdd");
    assert_eq!(ids.alert.to_string(), "c700e898-9de4-5524-8ee1-1e07ebd34fde");

    let named = Finding {
        subject: Some(address("2001:db8::1")),
        transport: Some("tcp".into()),
        identifier: Some("infected-avalanche".into()),
        port: Some(50123),
        port_is_client: true,
        stated: Some("https://user@WWW.Example.NL.:8443/path".into()),
        ..Finding::new(0, Kind::Vulnerable, Side::Infected)
    };
    let ids = id_of(&RunFacts { feed: "once", ..facts() }, &named, "isp");
    assert_eq!(ids.finding.to_string(), "8a45cc33-c7e7-52e7-9fa2-f2ecb9dee4b5");
    assert_eq!(ids.alert.to_string(), "66bb29f5-731e-5008-8c71-c345897ccd3a");
}

/// Each part of an id, and what is no part of it.
#[test]
fn ids_depend_on_their_parts_and_on_nothing_else() {
    let same = id_of(&facts(), &finding(), "school");
    let other_words = Finding {
        transport: Some("tcp".into()),
        identifier: Some("OPEN-RDP".into()),
        stated: Some("192.0.2.1:443".into()),
        shown: vec!["shown.example".into()],
        reverse: Some("reverse.example".into()),
        severity: Some("high".into()),
        asn: Some(Asn(64496)),
        tlp: Some("red".into()),
        cves: vec!["CVE-2024-1".into()],
        part: 3,
        time: Some(moment("2026-11-22 02:02:03.000+0100")),
        ..finding()
    };
    let other_run = RunFacts {
        label: Some("a label"),
        run: "another",
        run_time: moment("2027-01-01"),
        observed: Some((moment("2026-01-01"), "2026-01-01")),
        index_id: [0; 32],
        ..facts()
    };
    assert_eq!(id_of(&other_run, &other_words, "school"), same);

    let changes: [fn(&mut Finding<'static>); 5] = [
        |finding| finding.subject = Some(address("192.0.2.2")),
        |finding| finding.port = None,
        |finding| finding.transport = Some("udp".into()),
        |finding| finding.identifier = None,
        |finding| finding.stated = Some("www.example.nl".into()),
    ];
    for change in changes {
        let mut changed = finding();
        change(&mut changed);
        let ids = id_of(&facts(), &changed, "school");
        assert!(ids.finding != same.finding && ids.alert != same.alert, "{changed:?}");
    }
    let later = Finding { time: Some(moment("2026-11-22T01:02:03.5Z")), ..finding() };
    for ids in [
        id_of(&facts(), &later, "school"),
        id_of(&facts(), &finding(), "isp"),
        id_of(&RunFacts { feed: "partner", ..facts() }, &finding(), "school"),
    ] {
        assert!(ids.finding == same.finding && ids.alert != same.alert, "{ids:?}");
    }
}

/// Findings whose parts touch, with those that are the same to an id.
#[test]
fn hashes_of_ids_are_equal_where_alert_ids_are() {
    let addresses = ["192.0.2.1", "192.0.2.10", "2001:db8::1"].map(address);
    let times = [None, Some(moment("2026-11-22")), Some(moment("2026-11-22T00:00:00.5Z"))];
    let words: [Option<&str>; 5] = [None, Some(""), Some("a"), Some("A"), Some("a|b")];
    let names = [None, Some("example.nl"), Some("https://Example.NL/"), Some("192.0.2.1")];
    let mut seen: Vec<(Ids, u64, u32)> = Vec::new();
    let facts = RunFacts { observed: Some((moment("2026-11-22"), "2026-11-22T00:00:00Z")), ..facts() };
    let context = Context::new(&facts);
    for case in 0..3 * 3 * 5 * 5 * 4 * 2 {
        let mut rest: usize = case;
        let mut pick = |count: usize| {
            let at = rest % count;
            rest /= count;
            at
        };
        let finding = Finding {
            subject: Some(addresses[pick(3)]),
            port: [Some(1), None][pick(2)],
            time: times[pick(3)],
            transport: words[pick(5)].map(Into::into),
            identifier: words[pick(5)].map(Into::into),
            stated: names[pick(4)].map(Into::into),
            ..finding()
        };
        for (owner, owner_id) in [(3, "school"), (4, "isp")] {
            let ids = alert::ids(&context, &finding, owner_id);
            seen.push((ids, alert::id_hash(&mut Vec::new(), &context, &finding, owner), owner));
        }
    }
    let mut by_id = seen.clone();
    by_id.sort_unstable_by_key(|(ids, ..)| ids.alert);
    by_id.dedup_by_key(|(ids, ..)| ids.alert);
    seen.sort_unstable_by_key(|(_, hash, _)| *hash);
    let groups: Vec<_> = seen.chunk_by(|a, b| a.1 == b.1).collect();
    assert!(groups.iter().all(|group| group.iter().all(|one| one.0 == group[0].0 && one.2 == group[0].2)));
    assert_eq!(groups.len(), by_id.len());
    assert!(by_id.len() < seen.len() / 2, "{} of {}", by_id.len(), seen.len());
}

#[test]
fn an_address_in_a_line_is_written_as_rfc_5952_says() {
    for octet in 0..=255_u8 {
        for text in [format!("{octet}.1.{octet}.200"), format!("9.{octet}.10.{octet}")] {
            let finding = Finding { subject: Some(address(&text)), ..finding() };
            let line = write(&facts(), &finding, "0.0.0.0/0", None, None);
            assert!(line.windows(text.len()).any(|part| part == text.as_bytes()), "{text}");
            let object: Map<String, Value> = serde_json::from_slice(&line).unwrap();
            assert_eq!(object["source.ip"], text);
        }
    }
}

#[test]
fn merging_in_parts_is_merging_one_by_one() {
    let random = &mut fastrand::Rng::with_seed(3);
    for _ in 0..200 {
        let kinds = [5, 900, 1200, 3000][random.usize(..4)];
        let findings: Vec<Finding<'_>> = (0..random.usize(1..40))
            .map(|_| {
                let tags =
                    (0..random.usize(..120)).map(|_| format!("t{}", random.u32(..kinds)).into()).collect();
                let cves =
                    (0..random.usize(..9)).map(|_| format!("CVE-1-{}", random.u32(..kinds)).into()).collect();
                Finding { tags, cves, ..finding() }
            })
            .collect();
        let merge = |findings: &[Finding<'_>]| {
            let mut merged = Merged::default();
            findings.iter().for_each(|finding| merged.add(finding, Tlp::Amber));
            merged
        };
        let cut = random.usize(..=findings.len());
        let mut parts = merge(&findings[..cut]);
        parts.append(&merge(&findings[cut..]));
        let line = |also: &Merged| write(&facts(), &findings[0], "192.0.2.0/24", None, Some(also));
        assert_eq!(line(&parts), line(&merge(&findings)));
    }
}

#[test]
fn without_a_time_the_text_of_observed_is_in_the_id_and_its_instant_in_the_line() {
    let timeless = Finding { time: None, ..finding() };
    let observed = |text| RunFacts { observed: Some((moment("2026-11-22"), text)), ..facts() };
    let (day, instant) = (observed("2026-11-22"), observed("2026-11-22T00:00:00Z"));
    assert_ne!(id_of(&day, &timeless, "school").alert, id_of(&instant, &timeless, "school").alert);
    assert_ne!(id_of(&day, &timeless, "school").alert, id_of(&facts(), &timeless, "school").alert);
    let bytes = write(&day, &timeless, "192.0.2.0/24", None, None);
    let object: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(object["time.source"], "2026-11-22T00:00:00+00:00");
}

#[test]
fn a_line_has_all_keys_in_a_fixed_order() {
    let full = Finding {
        port: Some(3389),
        application: Some("RDP".into()),
        severity: Some("High".into()),
        tlp: Some("TLP:AMBER+STRICT".into()),
        time: Some(moment("2026-11-22T01:02:03.5Z")),
        cves: vec!["CVE-2024-7399".into(), "cve-2025-4632".into(), "cve-2024-7399".into()],
        tags: vec!["rdp".into(), "vpn".into()],
        asn: Some(Asn(64496)),
        stated: Some("https://WWW.School.example/login".into()),
        reverse: Some("host-1.isp.example.".into()),
        text: Some("Remote desktop is open to \"all\"\n\u{202e}.".into()),
        url: Some("https://example.org/rdp".into()),
        ..finding()
    };
    let facts = RunFacts {
        label: Some("Shadowserver \"daily\""),
        provider: Some("Shadowserver"),
        classification: Some("weak-crypto"),
        ..facts()
    };
    let found = String::from_utf8(write(&facts, &full, "192.0.2.0 - 192.0.2.99", Some(Hold::Conflict), None))
        .unwrap();
    let expected = concat!(
        r#"{"feed.name":"Shadowserver \"daily\"","feed.provider":"Shadowserver","#,
        r#""time.source":"2026-11-22T01:02:03.500000+00:00","time.observation":"2026-11-23T00:00:00+00:00","#,
        r#""source.ip":"192.0.2.1","source.port":3389,"source.network":"192.0.2.0/26","source.asn":64496,"#,
        r#""source.fqdn":"www.school.example","source.reverse_dns":"host-1.isp.example","#,
        r#""source.abuse_contact":"abuse@school.example,noc@school.example","#,
        r#""protocol.transport":"tcp","protocol.application":"rdp","#,
        r#""classification.taxonomy":"vulnerable","classification.type":"weak-crypto","#,
        r#""classification.identifier":"open-rdp","severity":"high","constituency":"business","#,
        r#""product.vulnerabilities":"cve-2024-7399;cve-2025-4632","#,
        r#""event_description.text":"Remote desktop is open to \"all\"\n\u202e.","#,
        r#""event_description.url":"https://example.org/rdp","tlp":"RED","#,
        r#""extra.alert_id":"ALERT","extra.finding_id":"FINDING","#,
        r#""extra.owner.id":"school","extra.owner.name":"De School","extra.sender":"ncsc","#,
        r#""extra.match.key":"address","extra.match.rule":"user-prefix","extra.match.role":"user","#,
        r#""extra.match.registration":"192.0.2.0 - 192.0.2.99","extra.ground":"own-systems","#,
        r#""extra.match.index":"0123456789abcdef","#,
        r#""extra.run":"shadowserver-0123456789abcdef","extra.record":12,"extra.tag":"rdp;vpn","#,
        r#""extra.tlp":"AMBER+STRICT","extra.held.reason":"conflict"}"#,
        "\n"
    );
    let ids = id_of(&facts, &full, "school");
    let expected =
        expected.replace("ALERT", &ids.alert.to_string()).replace("FINDING", &ids.finding.to_string());
    assert_eq!(found, expected);
}

#[test]
fn a_protected_line_is_the_open_one_without_its_source_and_with_a_reference() {
    let facts = RunFacts { provider: Some("Shadowserver"), ..facts() };
    let open = String::from_utf8(write(&facts, &finding(), "192.0.2.0/24", None, None)).unwrap();
    let write = |hide_from, is_opaque, key: Option<&ReferenceKey>| {
        let context =
            Context::new(&facts).protecting(SourceProtection { hide_from, is_opaque }, key.cloned());
        String::from_utf8(write_in(&context, &finding(), "192.0.2.0/24", None, None)).unwrap()
    };
    let key = ReferenceKey::new(&[7; 32]);
    let reference = key.reference(facts.run, 12, "school");
    let source = r#""feed.name":"shadowserver","feed.provider":"Shadowserver","#;
    let run = r#""extra.run":"shadowserver-0123456789abcdef","extra.record":12,"#;
    let referred = format!("\"extra.reference\":\"{reference}\",");
    let opaque = open.replace(run, &referred);
    let hidden = opaque.replace(source, "");
    assert!(open.contains(source) && open.contains(run), "{open}");
    // The finding says no label: AMBER.
    for (hide_from, is_opaque, expected) in [
        (None, false, &open),
        (Some(Tlp::AmberStrict), false, &open),
        (None, true, &opaque),
        (Some(Tlp::AmberStrict), true, &opaque),
        (Some(Tlp::Amber), false, &hidden),
        (Some(Tlp::Clear), true, &hidden),
    ] {
        assert_eq!(write(hide_from, is_opaque, Some(&key)), *expected, "{hide_from:?} {is_opaque}");
        assert_eq!(write(hide_from, is_opaque, None), expected.replace(&referred, ""));
    }
    // Every value is one that IntelMQ takes as it is, and the reference is read back.
    let told = Told::read(hidden.as_bytes()).unwrap();
    assert_eq!(told.reference(), Some(reference));
    assert_eq!((told.record(facts.run, Some(&key)), told.record(facts.run, None)), (Some(12), None));
    assert_eq!(told.record("other-0123456789abcdef", Some(&key)), None);
}

#[test]
fn the_least_line_has_no_empty_values() {
    let least = Finding::new(0, Kind::Exposed, Side::Exposed);
    let recipient = Recipient::new(&RecipientFacts {
        id: "x",
        name: Some("-"),
        constituency: Some(Constituency::Vital),
        contacts: &[],
        sender: &sender(),
    });
    let context = Context::new(&facts());
    let ids = alert::ids(&context, &least, "x");
    let mut out = Vec::new();
    let alert = Alert {
        background: Background::default(),
        ground: Ground::OwnSystems,
        assessment: None,
        finding: &least,
        entry: None,
        redaction: Redaction::NONE,
        record: 1,
        line: &line("::/0"),
        registered: registered(&line("::/0")),
        member: None,
        hold: None,
        recipient: &recipient,
        ids: &ids,
        also: None,
    };
    alert::write_line(&mut out, &context, &alert);
    let object: Map<String, Value> = serde_json::from_slice(&out).unwrap();
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "classification.taxonomy",
            "classification.type",
            "constituency",
            "extra.alert_id",
            "extra.finding_id",
            "extra.ground",
            "extra.match.index",
            "extra.match.key",
            "extra.match.registration",
            "extra.match.role",
            "extra.match.rule",
            "extra.owner.id",
            "extra.record",
            "extra.run",
            "extra.sender",
            "extra.tlp",
            "feed.name",
            "time.observation",
            "tlp",
        ]
    );
    assert_eq!((&object["constituency"], &object["tlp"]), (&json!("vital"), &json!("AMBER")));
}

#[test]
fn what_intelmq_refuses_is_under_extra() {
    let odd = Finding {
        subject: Some(address("0.0.0.0")),
        transport: Some("quic".into()),
        application: Some("hé".into()),
        severity: Some("7.5".into()),
        asn: Some(Asn(0)),
        stated: Some("no name!".into()),
        reverse: Some("a..b".into()),
        identifier: Some(" open".into()),
        url: Some("hxxp://example.nl/".into()),
        ..finding()
    };
    let context = Context::new(&facts());
    let ids = alert::ids(&context, &odd, "school");
    let (line, recipient) = (line("0.0.0.0/8"), recipient());
    let mut out = Vec::new();
    let alert = Alert {
        background: Background::default(),
        ground: Ground::OwnSystems,
        assessment: None,
        finding: &odd,
        entry: None,
        redaction: Redaction::NONE,
        record: 1,
        line: &line,
        registered: registered(&line),
        member: None,
        hold: None,
        recipient: &recipient,
        ids: &ids,
        also: None,
    };
    alert::write_line(&mut out, &context, &alert);
    let object: Map<String, Value> = serde_json::from_slice(&out).unwrap();
    for (key, value) in [
        ("source.ip", json!("0.0.0.0")),
        ("protocol.transport", json!("quic")),
        ("protocol.application", json!("hé")),
        ("severity", json!("7.5")),
        ("source.asn", json!(0)),
        ("source.fqdn", json!("no name!")),
        ("source.reverse_dns", json!("a..b")),
        ("classification.identifier", json!(" open")),
        ("event_description.url", json!("hxxp://example.nl/")),
    ] {
        assert_eq!(object.get(&format!("extra.{key}")), Some(&value), "{key}");
        assert_eq!(object.get(key), None, "{key}");
    }
}

#[test]
fn a_prefix_has_a_network_and_no_address() {
    let prefix = |text: &str| Finding {
        subject: Some(Subject::of_prefix(Prefix::read(text.as_bytes()).unwrap())),
        ..finding()
    };
    let wide = object(&prefix("192.0.2.128/25"));
    assert_eq!((wide.get("source.ip"), &wide["source.network"]), (None, &json!("192.0.2.128/25")));
    assert_eq!(object(&prefix("192.0.2.1/32")), object(&finding()));
}

#[test]
fn an_address_is_no_name_and_the_stated_name_comes_before_the_shown_one() {
    let name = |stated: &'static str, shown: &'static str| {
        let named = Finding { stated: Some(stated.into()), shown: vec![shown.into()], ..finding() };
        let object = object(&named);
        (object.get("source.fqdn").cloned(), object.get("extra.source.fqdn").cloned())
    };
    assert_eq!(name("a.example", "b.example"), (Some(json!("a.example")), None));
    for literal in
        ["192.0.2.1", "192.0.2.1:443", "[2001:db8::1]:443", "2001:db8::1", "https://u@192.0.2.1:1/x", "-"]
    {
        assert_eq!(name(literal, "b.example"), (Some(json!("b.example")), None), "{literal}");
        assert_eq!(name(literal, literal), (None, None), "{literal}");
    }
    assert_eq!(name("a b", "b.example"), (None, Some(json!("a b"))));
}

#[test]
fn severity_and_classification_have_their_order() {
    let say = |severity: Option<&'static str>, format: Option<&'static str>, feed: Option<&'static str>| {
        let finding = Finding { severity: severity.map(Cow::from), classification: format, ..finding() };
        let facts = RunFacts { severity: Some("low"), classification: feed, ..facts() };
        let object: Value =
            serde_json::from_slice(&write(&facts, &finding, "192.0.2.0/24", None, None)).unwrap();
        ["severity", "classification.type", "classification.taxonomy"]
            .map(|key| object[key].as_str().map(str::to_owned))
    };
    let texts = |texts: [&str; 3]| texts.map(|text| Some(text.to_owned()));
    assert_eq!(say(None, None, None), texts(["low", "vulnerable-system", "vulnerable"]));
    assert_eq!(
        say(Some("info"), Some("infected-system"), None),
        texts(["info", "infected-system", "malicious-code"])
    );
    assert_eq!(say(Some("-"), Some("scanner"), Some("ddos")), texts(["low", "ddos", "availability"]));
    assert_eq!(say(Some("7"), None, Some("odd")), [None, None, None]);
}

#[test]
fn equal_alerts_unite_their_cves_and_tags() {
    let own = Finding { cves: vec!["CVE-1".into()], tags: vec!["b".into(), "a".into()], ..finding() };
    let mut merged = Merged::default();
    for _ in 0..2 {
        let cves = vec!["CVE-3".into(), "cve-1".into()];
        merged.add(&Finding { cves, tags: vec!["a".into()], ..finding() }, Tlp::Amber);
        let cves = vec!["CVE-2".into()];
        merged.add(&Finding { cves, tags: vec!["c;d".into()], ..finding() }, Tlp::Amber);
    }
    let bytes = write(&facts(), &own, "192.0.2.0/24", None, Some(&merged));
    let object: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(object["product.vulnerabilities"], "cve-1;cve-3;cve-2");
    assert_eq!(object["extra.tag"], "b;a;c;d");

    let bytes = write(&facts(), &finding(), "192.0.2.0/24", None, Some(&merged));
    let object: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(object["product.vulnerabilities"], "cve-3;cve-1;cve-2");
}

#[test]
fn an_alert_of_several_records_bears_the_strictest_of_their_labels() {
    let label = |own: Tlp, other: Tlp| {
        let mut merged = Merged::default();
        [own, other, own].iter().for_each(|tlp| merged.add(&finding(), *tlp));
        let own = Finding { tlp: Some(own.as_str().into()), ..finding() };
        let facts = RunFacts { provenance: Provenance::of_tlp(Some(Tlp::Clear)), ..facts() };
        let bytes = write(&facts, &own, "192.0.2.0/24", None, Some(&merged));
        let object: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        object["extra.tlp"].as_str().and_then(Tlp::read).unwrap()
    };
    for (own, other) in Tlp::ALL.into_iter().flat_map(|own| Tlp::ALL.map(|other| (own, other))) {
        assert_eq!(label(own, other), own.max(other), "{own} {other}");
    }
}

#[test]
fn what_is_too_long_is_cut_visibly() {
    let cut = |chars: usize| {
        let text = "é".repeat(chars);
        let object = object(&Finding { text: Some(text.into()), ..finding() });
        object["event_description.text"].as_str().unwrap().to_owned()
    };
    assert_eq!(cut(TEXT_CHARS_MAX), "é".repeat(TEXT_CHARS_MAX));
    assert_eq!(cut(TEXT_CHARS_MAX + 1), "é".repeat(TEXT_CHARS_MAX) + "…");

    let many = |count: usize| {
        let tags = (0..count).map(|tag| Cow::Owned(tag.to_string())).collect();
        let object = object(&Finding { tags, ..finding() });
        let tags = object["extra.tag"].as_str().unwrap();
        (tags.split(';').count(), tags.ends_with(";…"))
    };
    assert_eq!(many(LIST_ITEMS_MAX), (LIST_ITEMS_MAX, false));
    assert_eq!(many(LIST_ITEMS_MAX + 1), (LIST_ITEMS_MAX + 1, true));

    let mut merged = Merged::default();
    for tag in 0..2 * LIST_ITEMS_MAX {
        merged.add(&Finding { tags: vec![tag.to_string().into()], ..finding() }, Tlp::Amber);
    }
    let bytes = write(&facts(), &finding(), "192.0.2.0/24", None, Some(&merged));
    assert!(String::from_utf8(bytes).unwrap().contains(&format!(";{};…\"", LIST_ITEMS_MAX - 1)));
}

/// Words that IntelMQ, Python, JSON or a terminal may stumble over.
const HOSTILE: &[&str] = &[
    "",
    " ",
    "-",
    "N/A",
    "n/a",
    "None",
    "null",
    "true",
    "0",
    "\0",
    "a\0b",
    "\u{85}",
    "a\u{9b}31mb",
    "\u{202e}exe.txt",
    "\u{2066}a\u{2069}",
    "\u{feff}",
    "\u{200f}",
    " outer ",
    "\tTab",
    "a\r\nb",
    "\"",
    "\\",
    "\\u0000",
    "</script>",
    "{\"a\":1}",
    "'; DROP TABLE",
    "=1+1",
    "%s%n",
    "é",
    "İ",
    "ΑΣ",
    "ß",
    "Ǆ",
    "\u{1f4a9}",
    "\u{10ffff}",
    "\u{fffe}",
    "\u{1c}x",
    "x\u{1f}",
    "\u{a0}x",
    "x\u{3000}",
    "a.nl",
    "A.NL.",
    "bücher.example",
    "xn--bcher-kva.example",
    "xn--a",
    "a..b",
    ".",
    "..",
    "a_b.c",
    "-a-.nl",
    "192.0.2.1",
    "192.0.2.1:80",
    "[2001:db8::1]",
    "2001:db8::1",
    "1.2.3",
    "0x7f.1",
    "fe80::1%eth0",
    "*.a.nl",
    "a\u{3002}nl",
    "https://a.nl/",
    "http://a.nl:80/x?y#z",
    "hxxp://a.nl/",
    "http://a/?hxxps://b",
    "file:///etc/passwd",
    "file://h/x",
    "//a.nl/",
    "http://",
    "http:///x",
    "http://[::1]/",
    "http://[::1",
    "http://a]/",
    "http://[v1.a]/",
    "http://a\u{2100}b/",
    "http://a\u{ff0f}b/",
    "http://m\u{fc}nchen/",
    "http://a b/",
    "http://u:p@a:99999/",
    "1a://b",
    "a:b://c",
    "javascript:alert(1)",
    "mailto:a@b",
    "http://a/\nb",
    "\0http://a/",
    "http://\u{202e}/",
    "tcp",
    "TCP",
    "Udp",
    "ax.25",
    "axx25",
    "tp++",
    "nvp-ii",
    "quic",
    "tcp\n",
    "6",
    "http",
    "HTTPS ",
    "high",
    "HIGH",
    "info\n",
    "unknown",
    "7.5",
    "TLP:RED",
    "amber+strict",
    "white",
    "purple",
    "CVE-2024-1",
    "cve-2024-1;CVE-2024-2",
    "ＣＶＥ",
    "2026-11-22",
    "1e999",
    "vulnerable-system",
    "Brute-Force",
    "botnet drone",
    "abusive content",
];

/// One random finding; `'static` because it owns its text.
fn hostile_finding(random: &mut fastrand::Rng) -> Finding<'static> {
    fn word(random: &mut fastrand::Rng) -> String {
        let pick = |random: &mut fastrand::Rng| HOSTILE[random.usize(..HOSTILE.len())];
        match random.u8(..16) {
            0 => format!("{}{}", pick(random), pick(random)),
            1 => (0..random.usize(..40)).map(|_| random.char(..)).collect(),
            2 => (0..random.usize(..300)).map(|_| random.char(' '..='~')).collect(),
            3 => pick(random).repeat(random.usize(..80)),
            4 => format!("{}.{}", pick(random), random.lowercase()),
            _ => pick(random).to_owned(),
        }
    }
    fn maybe(random: &mut fastrand::Rng) -> Option<Cow<'static, str>> {
        random.bool().then(|| word(random).into())
    }
    fn some(random: &mut fastrand::Rng) -> Vec<Cow<'static, str>> {
        (0..random.usize(..4)).map(|_| word(random).into()).collect()
    }
    let subject = match random.u8(..8) {
        0 => Subject::of_prefix(Prefix::new(Address::v4(0xc000_0200), random.u8(24..=32)).unwrap()),
        1 => Subject::of_prefix(Prefix::new(Address::v6(0x2001_0db8 << 96), random.u8(32..=128)).unwrap()),
        2 | 3 => Subject::Address(Address::v6(0x2001_0db8 << 96 | random.u128(..) >> random.u32(32..128))),
        4 => Subject::Address(Address::v6(random.u128(..) >> random.u32(..128))),
        5 => Subject::Address(Address::v4(random.u32(..) >> random.u32(..32))),
        _ => Subject::Address(Address::v4(0xc000_0200 | random.u32(..256))),
    };
    let time = Moment::from_unix(random.i64(-62_135_596_800..253_402_300_800), random.u32(..1_000_000_000));
    Finding {
        subject: Some(subject),
        port: random.bool().then(|| random.u16(..)),
        port_is_client: random.bool(),
        transport: maybe(random),
        application: maybe(random),
        time: time
            .filter(|_| random.bool())
            .map(|time| if random.bool() { time } else { time.whole_seconds() }),
        identifier: maybe(random),
        severity: maybe(random),
        tlp: maybe(random),
        cves: some(random),
        tags: some(random),
        asn: random.bool().then(|| Asn(if random.bool() { random.u32(..) } else { random.u32(..2) })),
        stated: maybe(random),
        shown: maybe(random).into_iter().collect(),
        reverse: maybe(random),
        text: maybe(random),
        url: maybe(random),
        ..Finding::new(0, Kind::Vulnerable, Side::Exposed)
    }
}

/// Lines of random findings, each with random words for feed, owner and configuration.
fn hostile_lines(count: usize, seed: u64, mut each: impl FnMut(&Finding<'_>, &[u8])) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = Vec::new();
    for record in 0..count {
        let random = &mut random;
        let word = |random: &mut fastrand::Rng| HOSTILE[random.usize(..HOSTILE.len())];
        let maybe = |random: &mut fastrand::Rng| random.bool().then(|| word(random));
        let facts = RunFacts {
            label: maybe(random),
            provider: maybe(random),
            observed: maybe(random).map(|_| (moment("2026-11-22"), "2026-11-22")),
            provenance: Provenance::of_tlp(Tlp::ALL.get(random.usize(..6)).copied()),
            classification: maybe(random).filter(|_| random.bool()),
            severity: maybe(random),
            ..facts()
        };
        let contacts = [word(random), word(random)];
        let recipient = Recipient::new(&RecipientFacts {
            id: "school",
            name: maybe(random),
            constituency: Some(Constituency::LinkOrganisation),
            contacts: &contacts[..random.usize(..3)],
            sender: &sender(),
        });
        let finding = hostile_finding(random);
        let line = match finding.subject {
            Some(Subject::Address(address)) if address.to_string().contains(':') => line("::/0"),
            _ => line("0.0.0.0 - 255.255.255.254"),
        };
        let hold = Hold::ALL.get(random.usize(..24)).copied();
        let context = Context::new(&facts);
        let ids = alert::ids(&context, &finding, "school");
        let alert = Alert {
            background: Background::default(),
            ground: Ground::OwnSystems,
            assessment: None,
            finding: &finding,
            entry: None,
            redaction: Redaction::NONE,
            record: record as u64,
            line: &line,
            registered: registered(&line),
            member: None,
            hold,
            recipient: &recipient,
            ids: &ids,
            also: None,
        };
        out.clear();
        alert::write_line(&mut out, &context, &alert);
        each(&finding, &out);
    }
}

#[test]
fn hostile_text_makes_no_line_that_is_not_one_flat_object() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    hostile_lines(20_000, seed, |finding, bytes| {
        let text = std::str::from_utf8(bytes).unwrap();
        let (line, end) = text.split_at(text.len() - 1);
        assert_eq!(end, "\n");
        let raw =
            |char: char| char.is_control() || ('\u{200e}'..='\u{202e}').contains(&char) || char == '\u{2066}';
        assert!(!line.contains(|char| raw(char) && !('\u{2010}'..='\u{2027}').contains(&char)), "{line}");
        let object: Map<String, Value> = serde_json::from_str(line).unwrap();
        assert_eq!(object.len(), line_keys(line), "a key stands twice in {line}");
        for (key, value) in &object {
            let says_something = match value {
                Value::String(text) => !matches!(text.as_str(), "" | "-" | "N/A"),
                Value::Number(_) => true,
                _ => false,
            };
            assert!(says_something, "{key} in {line}");
        }
        if let Some(identifier) = &finding.identifier {
            let found =
                object.get("classification.identifier").or(object.get("extra.classification.identifier"));
            let blank = matches!(identifier.trim(), "" | "-" | "N/A") || found.is_none();
            assert!(blank || found == Some(&json!(identifier)), "{identifier:?} in {line}");
        }
    });
}

/// Counts the keys of a flat object, reading no more of JSON than strings.
fn line_keys(line: &str) -> usize {
    let (mut keys, mut inside, mut escaped) = (0, false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => {
                inside = !inside;
                keys += usize::from(!inside && line.as_bytes().get(at + 1) == Some(&b':'));
            }
            _ => {}
        }
    }
    keys
}

/// Alerts of the default test run; `DIJKWACHT_ALERTS` asks for more.
const ROUND_TRIP_ALERTS: usize = 2_000;

/// Runs `tests/intelmq_roundtrip.py` where there is an IntelMQ: in the Python that `INTELMQ_PYTHON` names, else in python3.
#[test]
fn every_key_and_value_comes_back_from_intelmq() {
    let python = std::env::var("INTELMQ_PYTHON");
    let is_asked_for = python.is_ok();
    let python = python.unwrap_or_else(|_| "python3".to_owned());
    let knows = Command::new(&python).args(["-c", "import intelmq"]).output();
    if !is_asked_for && !knows.is_ok_and(|knows| knows.status.success()) {
        println!("skipped: no intelmq in {python}; tests/intelmq_roundtrip.py says how to get one");
        return;
    }
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let count = number("DIJKWACHT_ALERTS").map_or(ROUND_TRIP_ALERTS, |count| count as usize);
    let seed = number("DIJKWACHT_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut lines = Vec::new();
    hostile_lines(count, seed, |_, line| lines.extend_from_slice(line));
    let notice = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&notice, lines).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/intelmq_roundtrip.py");
    let output = Command::new(&python).args(["-W", "ignore", script]).arg(notice.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("seed {seed}: {said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!(" {count} alerts ")), "{said}");
}

/// A catalogue of one entry, which says all that one can say.
fn catalogue() -> Arc<Catalogue> {
    let mut catalogue = Catalogue::default();
    let entry = Entry {
        name: "open-rdp".to_owned(),
        title: Some("Accessible RDP".to_owned()),
        severity: Some(Severity::High),
        classification: Some("weak-crypto".to_owned()),
        part: None,
        url: Some("https://example.nl/rdp".to_owned()),
        text: Some("Wat er is.\n\nWhat there is.".to_owned()),
    };
    catalogue.add(entry, &["scan_rdp".to_owned(), "CVE-2019-0708".to_owned()]).unwrap();
    Arc::new(catalogue)
}

/// The line of a finding of which that is known, as an object.
fn known(facts: &RunFacts<'_>, finding: &Finding<'_>, redaction: Redaction) -> Map<String, Value> {
    let catalogue = catalogue();
    let context = Context::new(&RunFacts { catalogue: &catalogue, ..*facts });
    let told = redaction.of(finding);
    let ids = alert::ids(&context, &told, "school");
    let (line, recipient) = (line("192.0.2.0/24"), recipient());
    let mut out = Vec::new();
    let alert = Alert {
        finding: &told,
        entry: context.entry(finding),
        redaction,
        record: 1,
        line: &line,
        registered: registered(&line),
        member: None,
        background: Background::default(),
        ground: Ground::OwnSystems,
        assessment: None,
        hold: None,
        recipient: &recipient,
        ids: &ids,
        also: None,
    };
    alert::write_line(&mut out, &context, &alert);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    serde_json::from_slice(&out).unwrap()
}

const OF_CATALOGUE: [&str; 7] = [
    "extra.finding",
    "extra.title",
    "severity",
    "classification.type",
    "classification.taxonomy",
    "event_description.text",
    "event_description.url",
];

fn told_by(object: &Map<String, Value>) -> [Option<&str>; 7] {
    OF_CATALOGUE.map(|key| object.get(key).and_then(Value::as_str))
}

#[test]
fn what_neither_record_nor_feed_says_the_catalogue_does_and_ids_and_identifier_stay() {
    let bare = Finding { identifier: Some("SCAN_rdp".into()), classification: Some("other"), ..finding() };
    let of_feed = RunFacts { severity: Some("low"), ..facts() };
    let line = known(&of_feed, &bare, Redaction::NONE);
    let expected = [
        "open-rdp",
        "Accessible RDP",
        "high",
        "weak-crypto",
        "vulnerable",
        "Wat er is.\n\nWhat there is.",
        "https://example.nl/rdp",
    ];
    assert_eq!(told_by(&line), expected.map(Some));
    assert_eq!(line["classification.identifier"], "SCAN_rdp");
    let without = object(&bare);
    for id in ["extra.finding_id", "extra.alert_id"] {
        assert_eq!(line[id], without[id]);
    }
    let full = Finding {
        severity: Some("info".into()),
        text: Some("own".into()),
        url: Some("https://own.example/".into()),
        ..bare
    };
    let feed = RunFacts { classification: Some("ddos"), ..of_feed };
    let expected =
        ["open-rdp", "Accessible RDP", "info", "ddos", "availability", "own", "https://own.example/"];
    assert_eq!(told_by(&known(&feed, &full, Redaction::NONE)), expected.map(Some));
}

#[test]
fn what_is_taken_out_comes_back_by_no_catalogue() {
    let by_cve = Finding {
        identifier: Some("what".into()),
        cves: vec!["cve-2019-0708".into()],
        text: Some("own".into()),
        ..finding()
    };
    let redaction = |fields: &[Removable]| fields.iter().copied().collect::<Redaction>();
    let line = known(&facts(), &by_cve, redaction(&[Removable::Text, Removable::Url]));
    assert_eq!((line.get("event_description.text"), line.get("event_description.url")), (None, None));
    assert_eq!(line["extra.finding"], "open-rdp");
    // What led to the entry is not told: its name would tell it. How bad it is cannot be taken out.
    let line = known(&facts(), &by_cve, redaction(&[Removable::Vulnerabilities]));
    let expected = [None, None, Some("high"), Some("weak-crypto"), Some("vulnerable"), Some("own"), None];
    assert_eq!(told_by(&line), expected);
    assert!(!line.values().any(|value| value.to_string().to_lowercase().contains("rdp")), "{line:?}");
}
