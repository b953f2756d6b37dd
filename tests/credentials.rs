//! Stolen credentials are told to whoever owns the domain, and nothing else of them is written anywhere.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "match_dumps/work.rs"]
#[allow(dead_code, reason = "each test uses its own part of it")]
mod work;

use dijkwacht::scan::{
    FORMATS, Finding, Findings, Format, FormatOptions, Head, KeyKinds, Reject, Subject, format_by_name,
};
use serde_json::json;
use work::{Work, gzip};

fn format() -> Box<dyn Format> {
    let head = Head { bytes: b"", at_end: true };
    (format_by_name("credentials").unwrap().open)(&head, &FormatOptions::default()).unwrap()
}

/// What a line is about, `host` or `host:port` each; or why it is about nothing.
fn said(line: &[u8]) -> Result<Vec<String>, Reject> {
    let format = format();
    let keys = format.keys(line, KeyKinds { addresses: true, names: true, asns: true });
    let said = match format.findings(line) {
        Findings::Some(findings) => Ok(findings),
        Findings::Rejected(reason) => Err(reason),
        Findings::Skipped(skip) => panic!("{skip:?}"),
    };
    assert_eq!(keys.clone().map(|keys| 1 + keys.others.len()), said.clone().map(|findings| findings.len()));
    let said = said.map(|findings| findings.iter().map(words).collect::<Vec<_>>());
    // What may be written down says the same, and as often as it is written.
    let kept = format.kept(line).into_owned();
    match &said {
        Ok(told) => {
            let Findings::Some(again) = format.findings(&kept) else { panic!("{}", kept.escape_ascii()) };
            assert_eq!(again.iter().map(words).collect::<Vec<_>>(), *told);
            assert_eq!(format.kept(&kept).into_owned(), kept);
        }
        Err(_) => assert_eq!(kept, b""),
    }
    said
}

fn check_said(line: &str, expected: &[&str]) {
    assert_eq!(said(line.as_bytes()), Ok(expected.iter().map(|host| (*host).to_owned()).collect()), "{line}");
}

fn words(finding: &Finding<'_>) -> String {
    assert_eq!(finding.identifier.as_deref(), Some("leaked-credentials"));
    let host = match finding.subject {
        Some(Subject::Address(address)) => address.to_string(),
        _ => finding.stated.as_deref().unwrap().to_owned(),
    };
    finding.port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

#[test]
fn a_line_is_about_its_domain() {
    let check = check_said;
    for separator in [":", ";", "|", ",", "\t", " "] {
        check(&format!("jan@example.nl{separator}pw"), &["example.nl"]);
        check(&format!("https://www.example.nl/login{separator}jan{separator}pw"), &["www.example.nl:443"]);
        check(&format!("http://www.example.nl:8080/{separator}jan{separator}pw"), &["www.example.nl:8080"]);
        check(&format!("jan{separator}pw{separator}https://www.example.nl/a"), &["www.example.nl:443"]);
        check(
            &format!("https://www.example.nl/a{separator}jan@example.org{separator}pw"),
            &["www.example.nl:443", "example.org"],
        );
        check(
            &format!("jan@example.org{separator}pw{separator}http://www.example.nl/a"),
            &["www.example.nl:80", "example.org"],
        );
        check(&format!("www.example.nl/login{separator}jan{separator}pw"), &["www.example.nl"]);
        check(&format!("www.example.nl{separator}jan{separator}pw"), &["www.example.nl"]);
        check(&format!("www.example.nl{separator}jan@d.nl{separator}pw"), &["www.example.nl", "d.nl"]);
        check(&format!("https://example.nl{separator}jan{separator}pw"), &["example.nl:443"]);
        check(&format!("https://example.nl/{separator}jan@EXAMPLE.nl{separator}pw"), &["example.nl:443"]);
        check(&format!("https://192.0.2.1/x{separator}admin{separator}admin"), &["192.0.2.1:443"]);
        check(&format!("192.0.2.1:8443/x{separator}admin{separator}admin"), &["192.0.2.1:8443"]);
        check(&format!("http://[2001:db8::1]:81/x{separator}admin{separator}admin"), &["2001:db8::1:81"]);
    }
    check("jan@example.nl", &["example.nl"]);
    check("  \"jan@example.nl\",\"pw\" ", &["example.nl"]);
    check("jan+tag@sub.example.nl:pw", &["sub.example.nl"]);
    check("ftp://ftp.example.nl/:jan:pw", &["ftp.example.nl"]);
    check("https://user:pw@www.example.nl/a:jan:pw", &["www.example.nl:443"]);
    check("https://user@www.example.nl/a:jan:pw", &["www.example.nl:443"]);
    check("https://www.example.nl:jan@example.org:pw", &["www.example.nl:443", "example.org"]);
    // A number behind a host may be a user.
    check("https://www.example.nl:12345:pw", &["www.example.nl:443"]);
    check("https://www.example.nl:99999/:jan:pw", &["www.example.nl:443"]);
    check("android://aGFzaA==@nl.example.app/:jan@example.nl:pw", &["example.nl"]);
    check("https://localhost/:jan@example.nl:pw", &["example.nl"]);
    check("jan@bücher.example:pw", &["bücher.example"]);
}

#[test]
fn a_password_chooses_nobody() {
    let check = check_said;
    check("jan@example.nl:http://evil.example/", &["example.nl"]);
    check("jan@example.nl:p@evil.example", &["example.nl"]);
    check("jan@example.nl:p:q:http://evil.example/", &["example.nl"]);
    check("jan@example.nl:pw:evil.example", &["example.nl"]);
    check("jan@example.nl;pw:https://evil.example/", &["example.nl"]);
    check("https://www.example.nl/:jan:p@evil.example", &["www.example.nl:443"]);
    check("https://www.example.nl/:jan:http://evil.example/", &["www.example.nl:443"]);
    check("https://www.example.nl/a:b:jan:p@evil.example", &["www.example.nl:443"]);
    assert_eq!(said(b"https://intranet:jan:p@evil.example"), Err(Reject::NoKey));
    for none in [
        "jan:pw",
        "jan:p@ss.word",
        "jan",
        ":",
        "",
        "https://",
        "jan@localhost:pw",
        "@:pw",
        "url;user;password",
        "jan.jansen:pw",
    ] {
        assert!(said(none.as_bytes()).is_err(), "{none}");
    }
    for bad in [
        "http://010.1.2.3/:a:b",
        "http://1.2.3/:a:b",
        "http://192.0.2.1\\@evil.example/:a:b",
        "http://[example.nl]/:a:b",
    ] {
        assert_eq!(said(bad.as_bytes()), Err(Reject::Address), "{bad}");
    }
    // What is not read need be no text.
    assert_eq!(said(b"jan@example.nl:p\xff\xfe\0w"), Ok(vec!["example.nl".to_owned()]));
    assert_eq!(said(b"j\xffn@example.nl:pw"), Ok(vec!["example.nl".to_owned()]));
}

#[test]
fn what_may_be_written_down_says_the_same_and_holds_no_secret() {
    const PIECES: [&str; 24] = [
        "SECRET",
        "SECRET",
        "@",
        "@",
        ":",
        ":",
        ";",
        "|",
        " ",
        "/",
        "//",
        "http://",
        "https://",
        "www.example.nl",
        "example.org",
        "192.0.2.1",
        "[2001:db8::1]",
        ":8443",
        "?SECRET=1",
        "#",
        "\"",
        "\\",
        ".",
        "android://",
    ];
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut read, format) = (0, format());
    for _ in 0..200_000 {
        let count = random.usize(1..9);
        let line: String = (0..count).map(|_| PIECES[random.usize(..PIECES.len())]).collect();
        read += usize::from(said(line.as_bytes()).is_ok());
        let kept = String::from_utf8(format.kept(line.as_bytes()).into_owned()).unwrap();
        let host = |text: &str| text.split(['.', '@', ':', '/']).any(|label| label == "SECRET");
        // A word in the place of a label is part of a host: `SECRET.example.org` is one.
        let is_label = line.contains("SECRET.") || line.contains(".SECRET") || line.contains("SECRETSECRET");
        let glued = ["SECRETwww", "SECRETexample", "SECRET192", "nlSECRET", "orgSECRET", "1SECRET"];
        let is_label = is_label || glued.iter().any(|glued| line.contains(glued));
        assert!(is_label || !kept.contains("SECRET") && !host(&kept), "seed {seed}: {line}: {kept}");
        for value in format.values(line.as_bytes()).into_iter().flatten() {
            assert!(is_label || !value.contains("SECRET"), "seed {seed}: {line}: {value}");
        }
    }
    assert!(read > 5_000, "{read}");
}

#[test]
fn the_format_is_never_guessed() {
    for dump in
        ["jan@example.nl:pw\n", "https://www.example.nl/:jan:pw\n", "jan;pw;https://www.example.nl/\n"]
    {
        let head = Head { bytes: dump.as_bytes(), at_end: true };
        let fits = FORMATS.iter().find(|spec| (spec.fits)(&head)).map(|spec| spec.name);
        assert_ne!(fits, Some("credentials"), "{dump}");
    }
}

const REGISTER: &str = "\
owner_id,name,constituency,role,network,domain,contact
isp,Provider,business,network,192.0.2.0/24,,abuse@isp.example
shop,Shop,business,user,,example.nl,cert@example.nl
twin,Twin,business,user,,twin.nl,a@twin.nl
other,Other,business,user,,twin.nl,b@twin.nl
";

const LIST: &str = "\
SECRETjan@example.nl:SECRETpw
https://www.example.nl/SECRETpath?SECRET=1:SECRETpiet:SECRETpw
SECRETkees;SECRETpw;http://192.0.2.9:8080/SECRETpath
https://unknown.example/SECRETpath:SECRETjan@shop.example.nl:SECRETpw
SECRETjan@twin.nl:SECRETpw
SECRETonly:SECRETpw
http://010.1.2.3/SECRETpath:SECRETuser:SECRETpw
SECRETjan@elsewhere.example:SECRETpw
";

#[test]
fn nothing_of_a_record_but_its_domain_is_written_anywhere() {
    let work = Work::new();
    work.write("register.csv", REGISTER);
    work.write("list.txt", LIST);
    work.write("list.txt.gz", gzip(LIST.as_bytes()));
    work.write("d.toml", "[feeds.leaks]\nformat = \"credentials\"\n");
    let clean = |said: &str| assert!(!said.contains("SECRET"), "{said}");
    let mut notices = Vec::new();
    for (spool, words) in [
        ("plain", "--format credentials list.txt"),
        ("packed", "--format credentials list.txt.gz"),
        ("read", "--io read --config d.toml --feed leaks list.txt"),
    ] {
        let done = work.matched(&format!("--json --rejects {spool}.rejects --spool {spool} {words}"));
        let dump = &done.summary()["dumps"][0];
        assert_eq!(
            (&dump["records"], &dump["matched"], &dump["rejected"]),
            (&json!(8), &json!(5), &json!(2))
        );
        assert_eq!(dump["rejected_by"], json!({"no-key": 1, "address": 1}));
        assert_eq!((&dump["alerts"], &dump["held"]), (&json!(4), &json!(2)), "{dump}");
        clean(&done.out);
        clean(&done.err);
        let rejects = std::fs::read_to_string(work.path(&format!("{spool}.rejects"))).unwrap();
        assert_eq!(rejects.lines().count(), 2);
        clean(&rejects);
        for (path, (_, bytes)) in work.tree(spool) {
            clean(&format!("{path} {}", String::from_utf8_lossy(&bytes)));
        }
        let files = work.files(&format!("{spool}/new"));
        let shop = files.iter().find(|file| file.ends_with("shop.jsonl")).unwrap();
        let alerts = work.alerts(&format!("{spool}/new/{shop}"));
        let told: Vec<_> = alerts.iter().map(|alert| alert["source.fqdn"].as_str().unwrap()).collect();
        assert_eq!(told, ["example.nl", "www.example.nl", "shop.example.nl"]);
        assert!(alerts.iter().all(|alert| alert["classification.type"] == "data-leak"));
        if spool != "read" {
            notices.push(std::fs::read(work.path(&format!("{spool}/new/{shop}"))).unwrap());
        }
        let id = alerts[1]["extra.alert_id"].as_str().unwrap();
        for json in ["", "--json"] {
            let dump = words.split(' ').next_back().unwrap();
            let explained = work
                .run(&format!("explain {json} --register register.csv --spool {spool} --dump {dump} {id}"));
            assert_eq!(explained.code, 0, "{}", explained.err);
            assert!(explained.out.contains("www.example.nl"), "{}", explained.out);
            clean(&explained.out);
            clean(&explained.err);
        }
    }
    assert_eq!(notices[0], notices[1], "from the map and from the spill");
    let preview = work.run("preview --register register.csv --format credentials list.txt");
    assert_eq!(preview.code, 0, "{}", preview.err);
    clean(&preview.out);
    let raw = work.run_with_input(
        "explain --register register.csv --format credentials",
        b"SECRETjan@example.nl:SECRETpw\nSECRETonly:SECRETpw\n",
    );
    clean(&raw.out);
    clean(&raw.err);
    assert!(raw.out.contains("example.nl"), "{}{}", raw.out, raw.err);
}
