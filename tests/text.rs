//! Foreign text made safe, and host names in canonical form.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use dijkwacht::text::{host_name, is_space, push_json, says_nothing, show};

fn json(text: &str) -> String {
    let mut out = Vec::new();
    push_json(&mut out, text);
    String::from_utf8(out).unwrap()
}

/// The set that must never come out as it is, written down a second time.
fn is_hostile(char: char) -> bool {
    let code = u32::from(char);
    code < 0x20
        || (0x7f..=0x9f).contains(&code)
        || [0x61c, 0x200e, 0x200f, 0x2028, 0x2029, 0xfeff].contains(&code)
        || (0x202a..=0x202e).contains(&code)
        || (0x2066..=0x2069).contains(&code)
}

#[test]
fn every_character_survives_json_and_no_hostile_one_stands_in_it() {
    for char in '\0'..=char::MAX {
        for text in [format!("{char}"), format!("ab{char}{char}cd")] {
            let inside = json(&text);
            assert!(!inside.contains(is_hostile), "{char:?}");
            let back: String = serde_json::from_str(&format!("\"{inside}\"")).unwrap();
            assert_eq!(back, text, "{char:?}");
            if !is_hostile(char) && char != '"' && char != '\\' {
                assert_eq!(inside, text, "{char:?} needs no escape");
            }
        }
    }
}

#[test]
fn json_escapes_have_four_digits() {
    assert_eq!(
        json("a\"b\\c\n\r\t\u{0}\u{7f}\u{9b}\u{202e}\u{feff}é"),
        r#"a\"b\\c\n\r\t\u0000\u007f\u009b\u202e\ufeffé"#
    );
    assert_eq!(json(""), "");
}

#[test]
fn no_hostile_character_or_byte_is_ever_shown() {
    for char in '\0'..=char::MAX {
        let shown = show(char.to_string().as_bytes(), 4);
        assert!(!shown.contains(is_hostile), "{char:?}");
        assert_eq!(shown == char.to_string(), !is_hostile(char) && char != '\\', "{char:?}");
    }
    for byte in 0x80..=0xff {
        assert_eq!(show(&[b'a', byte, b'b'], 9), format!("a\\x{byte:02x}b"));
    }
}

#[test]
fn shown_text_is_cut_after_max_characters() {
    assert_eq!(show(b"abc", 3), "abc");
    assert_eq!(show(b"abcd", 3), "abc…");
    assert_eq!(show("ééé".as_bytes(), 2), "éé…");
    assert_eq!(show(b"\xff\xff\xff", 2), r"\xff\xff…");
    assert_eq!(show(b"\n\n", 1), r"\n…");
    assert_eq!(show(b"a", 0), "…");
    assert_eq!(show(b"", 0), "");
}

fn check_host(text: &str, host: Option<&str>) {
    assert_eq!(host_name(text).as_deref(), host, "{text:?}");
}

#[test]
fn hosts_are_found_in_names_urls_and_addresses_of_mail() {
    for (text, host) in [
        ("example.nl", "example.nl"),
        ("WWW.Example.NL", "www.example.nl"),
        ("example.nl.", "example.nl"),
        (" example.nl ", "example.nl"),
        ("example.nl:443", "example.nl"),
        ("example.nl:", "example.nl"),
        ("example.nl/path?x=http://other.nl", "example.nl"),
        ("https://example.nl", "example.nl"),
        ("HTTPS://example.nl:8443/a#b", "example.nl"),
        ("https://user:pass@example.nl/", "example.nl"),
        ("https://a@b@example.nl?x", "example.nl"),
        ("//example.nl/x", "example.nl"),
        ("info@example.nl", "example.nl"),
        ("localhost", "localhost"),
        ("-", "-"),
        ("_dmarc.example.nl", "_dmarc.example.nl"),
        ("r3---sn-abc.example.com", "r3---sn-abc.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("example。nl", "example.nl"),
        ("192.0.2.1.example.nl", "192.0.2.1.example.nl"),
        ("1-2-3-4.static.example.nl", "1-2-3-4.static.example.nl"),
    ] {
        check_host(text, Some(host));
        check_host(host, Some(host));
    }
}

#[test]
fn literals_and_what_is_no_host_are_none() {
    for text in [
        "",
        ".",
        "..",
        ".nl",
        "a..nl",
        "example.nl..",
        "192.0.2.1",
        "192.0.2.1:80",
        "http://192.0.2.1/",
        "1.2.3",
        "10",
        "010.1.2.3",
        "0x7f.1",
        "example.0x1f",
        "example.1",
        "192.0.2.1.",
        "2001:db8::1",
        "[2001:db8::1]:443",
        "http://[::1]/",
        "fe80::1%eth0",
        "１９２.0.2.1",
        "*.example.nl",
        "exam ple.nl",
        "example.nl\0",
        "exa\nmple.nl",
        "a,b.nl",
        "b:80:90",
        "example.nl:http",
        "example.nl:65536",
        "example.nl:-1",
        "xn--\u{1}.nl",
        "xn--a.nl",
        "http://",
        "://x",
        "@",
        ":80",
        "ex%61mple.nl",
        "example\\.nl",
        "http://a.nl\\@example.nl/",
        "\u{202e}ln.elpmaxe",
        "(none)",
        "a b",
    ] {
        check_host(text, None);
    }
    check_host(&"a".repeat(100_000), None);
}

#[test]
fn labels_end_at_63_bytes_and_names_at_253() {
    let label = "a".repeat(63);
    check_host(&label, Some(&label));
    check_host(&"a".repeat(64), None);
    let name = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert_eq!(name.len(), 253);
    check_host(&name, Some(&name));
    check_host(&format!("{name}b"), None);
    check_host(&format!("{name}."), Some(&name));
}

#[test]
fn a_host_name_is_its_own_host_name() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let letters: Vec<char> = "aB9-_.:/@?#[]%\\ xn--éß。İ１٠\u{200d}\u{ad}".chars().collect();
    let mut hosts = 0;
    for _ in 0..200_000 {
        let text: String = (0..random.usize(0..12)).map(|_| *random.choice(&letters).unwrap()).collect();
        let Some(host) = host_name(&text) else { continue };
        hosts += 1;
        assert_eq!(host_name(&host).as_deref(), Some(host.as_str()), "{text:?}");
        assert!(
            host.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte)),
            "{host}"
        );
    }
    assert!(hosts > 1_000, "only {hosts} of 200,000 texts had a host");
}

#[test]
fn a_value_says_nothing_if_nothing_is_left_of_it_without_the_space_around() {
    let parts = ["", " ", "-", "N/A", "a", "n/a", "\t", "\u{1c}", "\u{a0}", "\u{3000}", "\u{e9}", "\u{7f}"];
    for first in parts {
        for second in parts {
            for third in parts {
                let value = format!("{first}{second}{third}");
                let expected = ["", "-", "N/A"].contains(&value.trim_matches(is_space));
                assert_eq!(says_nothing(&value), expected, "{value:?}");
            }
        }
    }
}
