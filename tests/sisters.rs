//! Events of sister CERTs, IntelMQ's and n6's, against a second reading with `serde_json`; and what is never copied.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::alert::is_classification;
use dijkwacht::net::Address;
use dijkwacht::scan::{
    FORMATS, Filter, Finding, Findings, Format, FormatOptions, Frame, Head, KeyKinds, Keys, Reject, Sink,
    Skip, Subject, Tally, Window, format_by_name,
};
use serde_json::{Map, Value, json};
use work::Work;

const ALL: KeyKinds = KeyKinds { addresses: true, names: true, asns: true };

fn open(name: &str, dump: &str) -> Box<dyn Format> {
    let head = Head { bytes: dump.as_bytes(), at_end: true };
    (format_by_name(name).unwrap().open)(&head, &FormatOptions::default()).unwrap()
}

/// What one record comes to: its reject, its skip, or its findings.
#[derive(Clone, PartialEq, Debug)]
enum Outcome {
    Rejected(Reject),
    Skipped(Skip),
    Found(Vec<Words>),
}

/// A finding in words.
#[derive(Clone, PartialEq, Debug, Default)]
struct Words {
    subject: Option<String>,
    port: Option<u64>,
    is_client: bool,
    identifier: Option<String>,
    classification: Option<String>,
    asn: Option<u64>,
    stated: Option<String>,
    reverse: Option<String>,
    tlp: Option<String>,
    has_time: bool,
}

fn words(finding: &Finding<'_>) -> Words {
    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    Words {
        subject: finding.subject.map(|subject| match subject {
            Subject::Address(address) => address.to_string(),
            Subject::Prefix(prefix) => prefix.to_string(),
        }),
        port: finding.port.map(u64::from),
        is_client: finding.port_is_client,
        identifier: own(&finding.identifier),
        classification: finding.classification.map(str::to_owned),
        asn: finding.asn.map(|asn| asn.0.into()),
        stated: own(&finding.stated),
        reverse: own(&finding.reverse),
        tlp: own(&finding.tlp),
        has_time: finding.time.is_some(),
    }
}

fn said(format: &str, record: &str) -> Outcome {
    let format = open(format, record);
    if let Err(reason) = format.keys(record.as_bytes(), ALL) {
        return Outcome::Rejected(reason);
    }
    match format.findings(record.as_bytes()) {
        Findings::Some(findings) => Outcome::Found(findings.iter().map(words).collect()),
        Findings::Skipped(skip) => Outcome::Skipped(skip),
        Findings::Rejected(reason) => Outcome::Rejected(reason),
    }
}

fn found(format: &str, record: &Value) -> Vec<Words> {
    match said(format, &record.to_string()) {
        Outcome::Found(words) => words,
        other => panic!("{other:?}: {record}"),
    }
}

// ---- a second reading ----

fn text(event: &Map<String, Value>, key: &str) -> Option<String> {
    event.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The host of a URL or name of the generator's, without user and port.
fn host(text: &str) -> String {
    let rest = text.split("://").last().unwrap().split('/').next().unwrap();
    rest.split('@').next_back().unwrap().split(':').next().unwrap().to_owned()
}

/// Which of the two the name is: about an address, or a name.
fn name_or_address(hosts: &[Option<String>]) -> (Option<String>, Option<String>) {
    let is_address = |text: &&String| host(text).parse::<std::net::IpAddr>().is_ok();
    let first = hosts.iter().flatten().next();
    let stand_in = first.filter(is_address).map(|text| host(text));
    (hosts.iter().flatten().find(|text| !is_address(text)).cloned(), stand_in)
}

/// As n6's own documents have it.
const CLIENTS: [&str; 8] =
    ["bots", "dns-query", "dos-attacker", "flow", "flow-anomaly", "scanning", "server-exploit", "spam"];

fn tell_n6(event: &Map<String, Value>) -> Outcome {
    let category = text(event, "category").unwrap();
    let is_client = CLIENTS.contains(&&*category);
    let hosts = if is_client { vec![] } else { vec![text(event, "fqdn"), text(event, "url")] };
    let (stated, stand_in) = name_or_address(&hosts);
    let addresses = event.get("address").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut places = Vec::new();
    for address in &addresses {
        let address = address.as_object().unwrap();
        let subject = text(address, "ip").or(text(address, "ipv6"));
        if subject.as_deref().is_some_and(|text| text.parse::<std::net::IpAddr>().is_err()) {
            return Outcome::Rejected(Reject::Address);
        }
        let asn = address.get("asn").and_then(Value::as_u64);
        places.push((subject, asn, text(address, "rdns")));
    }
    places.retain(|(subject, asn, _)| subject.is_some() || asn.is_some());
    if places.is_empty() {
        places.push((stand_in, None, None));
    }
    if stated.is_none() && places.iter().all(|(subject, asn, _)| subject.is_none() && asn.is_none()) {
        return Outcome::Rejected(Reject::NoKey);
    }
    if category == "sandbox-url" {
        return Outcome::Skipped(Skip::Context);
    }
    if text(event, "status").is_some_and(|status| status != "active") {
        return Outcome::Skipped(Skip::NotVulnerable);
    }
    let finding = |(subject, asn, reverse)| Words {
        subject,
        port: event.get("sport").and_then(Value::as_u64),
        is_client,
        identifier: text(event, "name").or(Some(category.clone())),
        classification: None,
        asn,
        stated: stated.clone(),
        reverse,
        tlp: match event["restriction"].as_str().unwrap() {
            "need-to-know" => Some("AMBER".to_owned()),
            "internal" => Some("RED".to_owned()),
            _ => None,
        },
        has_time: true,
    };
    Outcome::Found(places.into_iter().map(finding).collect())
}

fn tell_intelmq(event: &Map<String, Value>) -> Outcome {
    let hosts = ["source.fqdn", "source.url", "source.account"].map(|key| text(event, key));
    let (_, stand_in) = name_or_address(&hosts);
    let [fqdn, url, account] = hosts;
    let domain = account.as_deref().and_then(|account| account.split_once('@')).map(|(_, it)| it.to_owned());
    let (stated, _) = name_or_address(&[fqdn.clone(), url.clone(), domain]);
    let subject = text(event, "source.ip").or(text(event, "source.network"));
    let asn = event.get("source.asn").and_then(Value::as_u64);
    if subject.is_none() && asn.is_none() && fqdn.is_none() && url.is_none() && account.is_none() {
        return Outcome::Rejected(Reject::NoKey);
    }
    let kind = text(event, "classification.type").unwrap();
    if kind == "test" {
        return Outcome::Skipped(Skip::Context);
    }
    let said = text(event, "classification.identifier").or(text(event, "malware.name"));
    Outcome::Found(vec![Words {
        subject: subject.or(stand_in),
        port: event.get("source.port").and_then(Value::as_u64),
        is_client: matches!(&*kind, "infected-system" | "scanner" | "new-in-4"),
        identifier: said.or(Some(kind.clone())),
        classification: Some(kind).filter(|kind| kind != "new-in-4"),
        asn,
        stated,
        reverse: text(event, "source.reverse_dns"),
        tlp: text(event, "tlp"),
        has_time: event.contains_key("time.source") || event.contains_key("time.observation"),
    }])
}

struct Generator(fastrand::Rng);

impl Generator {
    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.0.usize(..of.len())]
    }

    fn address(&mut self) -> &'static str {
        self.pick(&["192.0.2.1", "192.0.2.77", "8.8.8.8", "2001:db8::1", "2620:fe::fe", "10.1.2.3"])
    }

    fn name(&mut self) -> &'static str {
        self.pick(&["www.example.nl", "example.nl", "www.example.org", "xn--bcher-kva.example", ""])
    }

    fn url(&mut self) -> String {
        let host = self.pick(&["www.example.nl", "user:pw@www.example.org", "8.8.8.8", "192.0.2.9"]);
        format!("http://{host}/secret/path?token=1")
    }

    /// Sets a key in so many of a hundred records.
    fn maybe(&mut self, event: &mut Map<String, Value>, percent: u32, key: &str, value: impl Into<Value>) {
        if self.0.u32(..100) < percent {
            event.insert(key.to_owned(), value.into());
        }
    }

    fn n6(&mut self) -> Map<String, Value> {
        let mut event = Map::new();
        let categories = ["bots", "cnc", "malurl", "scanning", "vulnerable", "sandbox-url", "new-in-5"];
        for (key, value) in [
            ("id", "0123456789abcdef0123456789abcdef"),
            ("source", "hidden.48bc7fc0"),
            ("category", self.pick(&categories)),
            ("time", "2026-11-22T01:02:03Z"),
            ("restriction", self.pick(&["public", "need-to-know", "internal"])),
            ("confidence", "medium"),
        ] {
            event.insert(key.to_owned(), value.into());
        }
        let count = self.0.usize(..4);
        let addresses: Vec<Value> = (0..count).map(|_| self.n6_address()).collect();
        self.maybe(&mut event, 80, "address", addresses);
        let (name, url) = (self.name(), self.url());
        self.maybe(&mut event, 40, "fqdn", name);
        self.maybe(&mut event, 40, "url", url);
        self.maybe(&mut event, 40, "name", "virut");
        let port = self.0.u16(1..);
        self.maybe(&mut event, 40, "sport", port);
        let status = self.pick(&["active", "delisted"]);
        self.maybe(&mut event, 10, "status", status);
        self.maybe(&mut event, 30, "dip", "192.0.2.5");
        event
    }

    fn n6_address(&mut self) -> Value {
        let mut address = Map::new();
        let (ip, other) = (self.address(), self.address());
        self.maybe(&mut address, 90, "ip", ip);
        self.maybe(&mut address, 10, "ipv6", other);
        self.maybe(&mut address, 2, "ip", "010.1.2.3");
        let asn = self.pick(&["64496", "15169"]).parse::<u64>().unwrap();
        self.maybe(&mut address, 50, "asn", asn);
        self.maybe(&mut address, 50, "cc", "NL");
        self.maybe(&mut address, 20, "rdns", "host.example.nl");
        address.into()
    }

    fn intelmq(&mut self) -> Map<String, Value> {
        let mut event = Map::new();
        let kinds = ["infected-system", "vulnerable-system", "scanner", "phishing", "test", "new-in-4"];
        let kind = self.pick(&kinds);
        self.maybe(&mut event, 100, "classification.type", kind);
        let (ip, name, url) = (self.address(), self.name(), self.url());
        self.maybe(&mut event, 70, "source.ip", ip);
        self.maybe(&mut event, 30, "source.network", "192.0.2.0/25");
        self.maybe(&mut event, 40, "source.fqdn", name);
        self.maybe(&mut event, 40, "source.url", url);
        let account = self.pick(&["jan@example.nl", "piet"]);
        self.maybe(&mut event, 20, "source.account", account);
        let asn = self.pick(&["64496", "15169"]).parse::<u64>().unwrap();
        self.maybe(&mut event, 40, "source.asn", asn);
        let port = self.0.u16(1..);
        self.maybe(&mut event, 40, "source.port", port);
        self.maybe(&mut event, 30, "source.reverse_dns", "host.example.nl");
        self.maybe(&mut event, 30, "classification.identifier", "open-rdp");
        self.maybe(&mut event, 30, "malware.name", "virut");
        self.maybe(&mut event, 30, "tlp", "GREEN");
        self.maybe(&mut event, 70, "time.source", "2026-11-22T01:02:03+00:00");
        self.maybe(&mut event, 70, "time.observation", "2026-11-22T02:02:03+00:00");
        self.maybe(&mut event, 50, "destination.ip", "192.0.2.5");
        self.maybe(&mut event, 50, "raw", "MTkyLjAuMi4x");
        event
    }
}

/// 192.0.2.0/24, 2001:db8::/32, example.nl and what is below it, AS64496.
struct Register(KeyKinds);

fn holds_name(name: &str) -> bool {
    let name = host(name);
    name == "example.nl" || name.ends_with(".example.nl")
}

fn holds_subject(subject: Subject) -> bool {
    match subject {
        Subject::Address(address) => {
            let text = address.to_string();
            text.starts_with("192.0.2.") || text.starts_with("2001:db8:")
        }
        Subject::Prefix(prefix) => prefix.to_string() == "192.0.2.0/25",
    }
}

impl Filter for Register {
    fn kinds(&self) -> KeyKinds {
        self.0
    }

    fn may_hold(&self, keys: &Keys<'_>) -> bool {
        keys.subject.is_some_and(holds_subject)
            || keys.stated.as_deref().is_some_and(holds_name)
            || keys.asn.is_some_and(|asn| asn.0 == 64496)
            || keys.others.iter().any(|other| self.may_hold(other))
    }

    fn may_hold_v4(&self, addresses: &[u32]) -> u64 {
        batch(addresses.iter().map(|&address| std::net::Ipv4Addr::from(address).to_string()))
    }

    fn may_hold_v6(&self, addresses: &[u128]) -> u64 {
        batch(addresses.iter().map(|&address| std::net::Ipv6Addr::from(address).to_string()))
    }
}

fn batch(addresses: impl Iterator<Item = String>) -> u64 {
    let held = |text: String| holds_subject(Subject::Address(Address::read(text.as_bytes()).unwrap()));
    addresses.enumerate().map(|(i, text)| u64::from(held(text)) << i).sum()
}

#[derive(Default)]
struct Numbers(Vec<u64>);

impl Sink for Numbers {
    fn candidate(&mut self, number: u64, _: usize, _: &[u8]) {
        self.0.push(number);
    }
}

/// The records that a sweep hands on, and those that it rejects.
fn swept(format: &dyn Format, dump: &str, kinds: KeyKinds) -> (Vec<u64>, Vec<(u64, Reject)>) {
    let window = Window { bytes: dump.as_bytes(), at_end: true };
    let (mut numbers, mut tally) =
        (Numbers::default(), Tally { keeps_all_rejects: true, ..Tally::default() });
    let end = format.sweep(window, format.body()..dump.len(), &Register(kinds), &mut numbers, &mut tally);
    assert_eq!(end, dump.len());
    (numbers.0, tally.rejected_first.iter().map(|reject| (reject.number, reject.reason)).collect())
}

/// The same, frame by frame.
fn swept_slowly(format: &dyn Format, dump: &str, kinds: KeyKinds) -> (Vec<u64>, Vec<(u64, Reject)>) {
    let window = Window { bytes: dump.as_bytes(), at_end: true };
    let (mut at, mut number, mut found, mut rejected) = (format.body(), 0, Vec::new(), Vec::new());
    while at < dump.len() {
        let (record, next) = match format.frame(window, at) {
            Frame::Record { record, next } => (record, next),
            Frame::Blank { next } => {
                at = next;
                continue;
            }
            other => panic!("{other:?}"),
        };
        match format.keys(&dump.as_bytes()[record], kinds) {
            Ok(keys) if Register(kinds).may_hold(&keys) => found.push(number),
            Ok(_) => {}
            Err(reason) => rejected.push((number, reason)),
        }
        (at, number) = (next, number + 1);
    }
    (found, rejected)
}

#[test]
fn generated_events_are_read_as_serde_json_and_the_prose_have_it() {
    let seed = fastrand::u64(..);
    let mut generator = Generator(fastrand::Rng::with_seed(seed));
    for _ in 0..60 {
        for name in ["n6", "intelmq"] {
            let (mut dump, mut told) = (String::new(), Vec::new());
            for _ in 0..40 {
                let event = if name == "n6" { generator.n6() } else { generator.intelmq() };
                told.push(if name == "n6" { tell_n6(&event) } else { tell_intelmq(&event) });
                dump += &format!("{}\n", Value::from(event));
            }
            let format = open(name, &dump);
            let held = |words: &Words| {
                let subject = words
                    .subject
                    .as_deref()
                    .is_some_and(|text| text.starts_with("192.0.2.") || text.starts_with("2001:db8:"));
                subject || words.asn == Some(64496) || words.stated.as_deref().is_some_and(holds_name)
            };
            let mut expected = Vec::new();
            for (number, (record, told)) in (0..).zip(dump.lines().zip(&told)) {
                let mut said = said(name, record);
                if let Outcome::Found(words) = &mut said {
                    if name == "n6" {
                        words.iter_mut().for_each(|words| words.classification = None);
                    }
                    if words.iter().any(held) {
                        expected.push(number);
                    }
                }
                assert_eq!(said, *told, "seed {seed}: {record}");
            }
            let (found, _) = swept(&*format, &dump, ALL);
            let missed: Vec<_> = expected.iter().filter(|number| !found.contains(number)).collect();
            assert!(missed.is_empty(), "seed {seed}: {missed:?} of\n{dump}");
            for kinds in
                [ALL, KeyKinds { names: false, asns: false, ..ALL }, KeyKinds { names: false, ..ALL }]
            {
                let exact = swept_slowly(&*format, &dump, kinds);
                assert_eq!(swept(&*format, &dump, kinds), exact, "seed {seed}:\n{dump}");
            }
        }
    }
}

#[test]
fn the_content_tells_whose_event_it_is() {
    let check = |dump: &str, expected: &str| {
        let head = Head { bytes: dump.as_bytes(), at_end: true };
        let fits = FORMATS.iter().find(|spec| (spec.fits)(&head)).map(|spec| spec.name);
        assert_eq!(fits, Some(expected), "{dump}");
    };
    let event = r#"{"classification.type":"scanner","source.ip":"192.0.2.1"}"#;
    check(event, "intelmq");
    check(&format!("[{event}]"), "intelmq");
    check(&format!("{{\"status\":\"OK\",\"data\":[{event}]}}"), "intelmq");
    check(r#"{"classification.type":"phishing","source.url":"http://a.example/"}"#, "intelmq");
    check(r#"{"classification.type":"phishing","destination.ip":"192.0.2.1"}"#, "ndjson");
    check(r#"{"classification":{"type":"scanner"},"source":{"ip":"192.0.2.1"}}"#, "ndjson");
    check(r#"{"source.ip":"192.0.2.1"}"#, "ndjson");
    let n6 = r#""id":"a","source":"b","category":"bots","time":"2026-11-22T01:02:03Z""#;
    check(&format!("{{{n6},\"address\":[{{\"ip\":\"192.0.2.1\"}}]}}"), "n6");
    check(&format!("[{{{n6},\"fqdn\":\"a.example\"}}]"), "n6");
    check(&format!("{{{n6},\"ip\":\"192.0.2.1\"}}"), "ndjson");
    check(r#"{"source":"b","category":"bots","time":"x","address":[{"ip":"192.0.2.1"}]}"#, "ndjson");
}

#[test]
fn every_type_of_event_is_one_that_an_alert_can_bear() {
    let types = "application-compromise blacklist brute-force burglary c2-server copyright data-leak data-loss ddos \
                 ddos-amplifier dga-domain dos exploit harmful-speech ids-alert infected-system information-disclosure \
                 malware malware-configuration malware-distribution masquerade misconfiguration other outage phishing \
                 potentially-unwanted-accessible privileged-account-compromise proxy sabotage scanner sniffing \
                 social-engineering spam system-compromise tor unauthorised-information-access \
                 unauthorised-information-modification unauthorized-use-of-resources undetermined \
                 unprivileged-account-compromise violence vulnerable-system weak-crypto";
    for name in types.split_whitespace() {
        let words = found("intelmq", &json!({"classification.type": name, "source.ip": "192.0.2.1"}));
        assert_eq!(words[0].classification.as_deref(), Some(name));
        assert!(is_classification(name), "{name}");
    }
    for (old, new) in [("Botnet drone", "infected-system"), ("c&c", "c2-server"), ("LEAK", "data-leak")] {
        let words = found("intelmq", &json!({"classification.type": old, "source.ip": "192.0.2.1"}));
        assert_eq!(words[0].classification.as_deref(), Some(new));
    }
    let categories = "amplifier bots backdoor cnc deface dns-query dos-attacker dos-victim flow flow-anomaly fraud leak \
                      malurl malware-action other phish proxy scam scanning server-exploit spam spam-url tor vulnerable \
                      webinject";
    for name in categories.split_whitespace() {
        let words = found("n6", &json!({"category": name, "address": [{"ip": "192.0.2.1"}]}));
        assert!(words[0].classification.as_deref().is_some_and(is_classification), "{name}");
    }
}

#[test]
fn hostile_events_are_rejected_for_what_is_wrong() {
    let n6 = |rest: &str| said("n6", &format!("{{\"category\":\"cnc\",{rest}}}"));
    let check = |rest: &str, reason| assert_eq!(n6(rest), Outcome::Rejected(reason), "{rest}");
    check(r#""address":"192.0.2.1""#, Reject::Address);
    check(r#""address":{"ip":"192.0.2.1"}"#, Reject::Address);
    check(r#""address":[{"ip":3221225985}]"#, Reject::Address);
    check(r#""address":[{"ip":["192.0.2.1"]}]"#, Reject::Address);
    check(r#""address":[{"ip":"192.0.2.1"},{"ip":"192.0.2.256"}]"#, Reject::Address);
    check(r#""address":[{"ip":"192.0.2.1/24"}]"#, Reject::Prefix);
    check(r#""address":[{"ip":"192.0.2.1" "cc":"NL"}]"#, Reject::Json);
    check(r#""address":[{"ip":"192.0.2.1"}],"fqdn":"a","#, Reject::Json);
    check(r#""address":[{"ip":"192.0.2.1"}],"address":[]"#, Reject::DuplicateKey);
    check(r#""address":[{"ip":"192.0.2.1","ip":"192.0.2.2"}]"#, Reject::DuplicateKey);
    check(r#""address":[{"ip":"192.0.2.1"}],"sport":65536"#, Reject::Port);
    check(r#""address":[{"ip":"192.0.2.1"}],"time":"22-11-2026""#, Reject::Time);
    check(r#""address":[{"ip":"\ud800"}]"#, Reject::Encoding);
    check(r#""address":[],"fqdn":"""#, Reject::NoKey);
    check(r#""address":[{},7,null,"192.0.2.1",[]]"#, Reject::NoKey);
    let many = |count: usize| format!("\"address\":[{}]", vec![r#"{"ip":"192.0.2.1"}"#; count].join(","));
    check(&many(1025), Reject::TooLong);
    assert!(matches!(n6(&many(1024)), Outcome::Found(words) if words.len() == 1024));
    let deep = format!("\"address\":{}{}", "[".repeat(200), "]".repeat(200));
    check(&deep, Reject::Json);

    let intelmq = |rest: &str| said("intelmq", &format!("{{\"classification.type\":\"other\",{rest}}}"));
    let check = |rest: &str, reason| assert_eq!(intelmq(rest), Outcome::Rejected(reason), "{rest}");
    check(r#""source.ip":3221225985"#, Reject::Address);
    check(r#""source.ip":"192.0.2.1%eth0""#, Reject::Address);
    check(r#""source.network":"192.0.2.1/24""#, Reject::Prefix);
    check(r#""source.ip":"192.0.2.1","source.port":"http""#, Reject::Port);
    check(r#""source.ip":"192.0.2.1","source.ip":"192.0.2.2""#, Reject::DuplicateKey);
    check(r#""destination.ip":"192.0.2.1""#, Reject::NoKey);
}

#[test]
fn an_address_is_told_whatever_its_place_in_the_event() {
    let work = Work::new();
    let addresses = ["8.8.8.8", "192.0.2.1", "203.0.113.5", "198.51.100.1"];
    let items: Vec<Value> = addresses.iter().map(|ip| json!({"ip": ip, "cc": "NL"})).collect();
    let n6 = json!({"id":"i1","source":"s1","category":"cnc","time":"2026-11-22T01:02:03Z","address":items,"url":"http://u.example/"});
    work.write("n6.json", n6.to_string());
    let dump = work.dump("--spool spool n6.json");
    assert_eq!((&dump["format"], &dump["records"], &dump["matched"]), (&json!("n6"), &json!(1), &json!(1)));
    // A user, a network's owner, and one without a contact.
    assert_eq!((&dump["decisions"], &dump["alerts"], &dump["held"]), (&json!(3), &json!(2), &json!(1)));
}

#[test]
fn what_the_sister_keeps_to_itself_is_not_handed_on() {
    let work = Work::new();
    let events = [
        json!({"classification.type":"phishing","classification.identifier":"kit","source.ip":"192.0.2.1","source.port":443,
            "source.url":"http://SECRETuser:SECRETpw@www.example.nl/SECRETpath?SECRETquery","source.account":"SECRETjan@example.nl",
            "raw":"SECRETraw","output":"SECRETout","comment":"SECRETcomment","feed.name":"SECRETfeed","feed.url":"http://SECRETfeed/",
            "source.abuse_contact":"SECRET@sister.example","event_hash":"SECRETHASH","extra.alert_id":"SECRETid","extra":{"a":"SECRETextra"},
            "destination.ip":"192.0.2.7","destination.fqdn":"SECRETdst.example","rtir_id":7,"screenshot_url":"http://SECRETshot/",
            "time.source":"2026-11-22T01:02:03+00:00","source.reverse_dns":"host.isp.example"}),
        json!({"classification.type":"data-leak","classification.identifier":"x","source.ip":"192.0.2.2","source.account":"SECRETpiet",
            "time.source":"2026-11-22T01:02:03+00:00"}),
    ];
    work.write("sister.jsonl", events.iter().map(|event| format!("{event}\n")).collect::<String>());
    let n6 = json!({"id":"SECRETid","rid":"SECRETrid","source":"SECRETsource","client":["SECRETclient"],"category":"malurl",
        "restriction":"need-to-know","confidence":"low","time":"2026-11-22T01:02:03Z","name":"kit",
        "address":[{"ip":"192.0.2.1","asn":64496,"cc":"NL","rdns":"host.isp.example"}],"url":"http://www.example.nl/SECRETpath",
        "dip":"192.0.2.7","adip":"x.x.2.7","md5":"SECRETmd5","email":"SECRET@example.nl","username":"SECRETuser","phone":"SECRETphone"});
    work.write("n6.jsonl", format!("{n6}\n"));
    for (name, format, alerts) in [("sister.jsonl", "intelmq", 2), ("n6.jsonl", "n6", 1)] {
        let dump = work.dump(&format!("--spool spool {name}"));
        assert_eq!((&dump["format"], &dump["alerts"]), (&json!(format), &json!(alerts)), "{dump}");
    }
    for (path, (_, bytes)) in work.tree("spool") {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("SECRET") && !text.contains("192.0.2.7"), "{path}: {text}");
    }
    let files = work.files("spool/new");
    let notices = files.iter().filter(|file| file.ends_with("school.jsonl"));
    let told: Vec<Value> = notices.flat_map(|file| work.alerts(&format!("spool/new/{file}"))).collect();
    assert!(told.iter().any(|alert| alert["source.fqdn"] == "www.example.nl"), "{told:?}");
    assert!(told.iter().all(|alert| alert["classification.identifier"] != "data-leak"));
}
