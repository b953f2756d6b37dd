//! Addresses, prefixes and ranges against slow obvious oracles: the standard library, and counting.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use dijkwacht::net::{Address, Asn, Family, Prefix, PrefixError, Range, special_blocks, special_exceptions};
use std::net::{IpAddr, Ipv4Addr};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

fn address(text: &str) -> Address {
    Address::read(text.as_bytes()).unwrap_or_else(|| panic!("{text} is an address"))
}

fn range(text: &str) -> Range {
    Range::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// The seed of a test's random inputs, printed so that a failure can be repeated with `DIJKWACHT_SEED`.
fn random(test: &str) -> fastrand::Rng {
    let seed = std::env::var("DIJKWACHT_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: DIJKWACHT_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

fn check_address(text: &str) {
    let expected = text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    assert_eq!(Address::read(text.as_bytes()).map(Address::ip), expected, "{text:?}");
}

#[test]
fn ipv4_text_reads_as_the_standard_library_does() {
    for octet in 0..=1000u32 {
        for place in 0..4 {
            let mut octets = ["1".to_owned(), "2".to_owned(), "3".to_owned(), "4".to_owned()];
            octets[place] = octet.to_string();
            check_address(&octets.join("."));
            octets[place] = format!("0{octet}");
            check_address(&octets.join("."));
        }
    }
    let mut random = random("ipv4_text");
    for _ in 0..200_000 {
        check_address(&Ipv4Addr::from_bits(random.u32(..)).to_string());
        let noise: String = (0..random.usize(0..18))
            .map(|_| char::from(*random.choice(b"0125.9.3: ax+-").unwrap()))
            .collect();
        check_address(&noise);
    }
}

#[test]
fn ipv6_text_reads_as_the_standard_library_does_and_unmaps() {
    let mut random = random("ipv6_text");
    for _ in 0..100_000 {
        let keep = random.u128(..) | random.u128(..);
        let address = Address::v6(random.u128(..) & !keep);
        check_address(&address.to_string());
        check_address(&address.to_string().to_uppercase());
        let noise: String =
            (0..random.usize(0..20)).map(|_| char::from(*random.choice(b"01:::f.").unwrap())).collect();
        check_address(&noise);
    }
    assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    assert_eq!(address("::FFFF:c000:201"), address("192.0.2.1"));
    assert_eq!(Address::v6(0xffff_c000_0201), address("192.0.2.1"));
    assert_eq!(address("::192.0.2.1").family(), Family::V6, "IPv4-compatible is not mapped");
    assert_eq!(address("64:ff9b::192.0.2.1").family(), Family::V6, "NAT64 is never unwrapped");
}

#[test]
fn ambiguous_and_foreign_address_text_is_refused() {
    for text in [
        "",
        ".",
        "1",
        "1.2.3",
        "010.1.2.3",
        "1.2.3.04",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.4\n",
        "0x1.2.3.4",
        "+1.2.3.4",
        "1..2.3",
        "1.2.3.",
        ".1.2.3",
        "١.٢.٣.٤",
        "1.2.3.4\0",
        "1.2.3.4/32",
        "1.2.3.4:80",
        "fe80::1%eth0",
        "fe80::1%1",
        "[::1]",
        "[::1]:80",
        "::ffff:010.1.2.3",
        "::1.2.3",
        ":::",
        "1::2::3",
        "12345::",
        "::g",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "2001:db8::1 ",
        "3232235777",
        "localhost",
    ] {
        assert_eq!(Address::read(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(Address::read(b"1.2.3.\xff"), None);
    assert_eq!(Address::read(&[b':'; 4096]), None);
}

#[test]
fn ipv6_is_shown_as_rfc_5952_wants_it() {
    for (text, canonical) in [
        ("2001:0DB8::0001", "2001:db8::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("0:0:0:0:0:0:0:0", "::"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ] {
        assert_eq!(address(text).to_string(), canonical);
    }
}

#[test]
fn every_prefix_length_has_first_and_last_in_place() {
    let mut random = random("prefix_lengths");
    for family in FAMILIES {
        for length in 0..=family.address_bits() {
            for _ in 0..20 {
                let host_bits = family.address_bits() - length;
                let low = if host_bits == 0 { 0 } else { u128::MAX >> (128 - host_bits) };
                let bits = random.u128(..) & family.highest_bits();
                let first = Address::from_bits(family, bits & !low);
                let prefix = Prefix::new(first, length).unwrap();
                assert_eq!((prefix.first(), prefix.length(), prefix.family()), (first, length, family));
                assert_eq!(prefix.last(), Address::from_bits(family, bits & !low | low));
                assert_eq!(prefix.range().prefix(), Some(prefix));
                assert_eq!(prefix.range().size_less_one(), low);
                let inside_mapped = family == Family::V6 && length >= 96 && bits >> 32 == 0xffff;
                if !inside_mapped {
                    assert_eq!(Prefix::read(prefix.to_string().as_bytes()), Ok(prefix));
                }
                if bits & low != 0 {
                    let error = Prefix::new(Address::from_bits(family, bits), length).unwrap_err();
                    let address = Address::from_bits(family, bits);
                    assert_eq!(error, PrefixError::HostBits { network: prefix, address });
                }
            }
        }
        let over = Prefix::new(Address::from_bits(family, 0), family.address_bits() + 1);
        assert!(matches!(over, Err(PrefixError::Length { .. })));
    }
}

#[test]
fn the_whole_internet_and_the_blocks_around_the_mapped_one_are_ranges() {
    assert_eq!(range("::/0").size_less_one(), u128::MAX);
    assert_eq!(range("0.0.0.0/0").to_string(), "0.0.0.0/0");
    for text in ["::/80", "::/81", "::8000:0:0/81", "::fffe:0:0/95", "::/0", "::/1"] {
        let range = range(text);
        assert_eq!(range.family(), Family::V6);
        assert_eq!(range.to_string(), text);
        assert_eq!(range.last().family(), Family::V6);
        assert_eq!(range.pieces().collect::<Vec<_>>(), [range.prefix().unwrap()]);
    }
    assert_eq!(range("::ffff:0:0/96").to_string(), "0.0.0.0/0");
    assert_eq!(range("::ffff:192.0.2.0/120").to_string(), "192.0.2.0/24");
    assert_eq!(range("::ffff:192.0.2.1").to_string(), "192.0.2.1/32");
    assert!(!range("::/0").holds(address("192.0.2.1")), "families never mix");
}

#[test]
fn strict_prefixes_name_the_remedy() {
    for (text, parts) in [
        ("192.0.2.1/24", &["192.0.2.0/24", "192.0.2.1 "][..]),
        ("2001:db8::1/32", &["2001:db8::/32", "2001:db8::1 "]),
        ("::ffff:192.0.2.1/120", &["192.0.2.0/24", "192.0.2.1 "]),
        ("::ffff:192.0.2.1/24", &["::/24", "192.0.2.1 "]),
        ("192.0.2.0/33", &["0 to 32"]),
        ("192.0.2.0/024", &["0 to 32"]),
        ("192.0.2.0/", &["0 to 32"]),
        ("192.0.2.0/+24", &["0 to 32"]),
        ("192.0.2.0/24 ", &["0 to 32"]),
        ("192.0.2.0/255.255.255.0", &["0 to 32", "no mask"]),
        ("2001:db8::/129", &["0 to 128"]),
        ("010.0.0.0/8", &["leading zero"]),
        ("fe80::1%eth0", &["zone"]),
        ("192.0.2", &["192.0.2.0/24"]),
        ("192.0.2.9 - 192.0.2.1", &["192.0.2.1 - 192.0.2.9"]),
        ("192.0.2.1 - 2001:db8::1", &["two ranges"]),
        ("192.0.2.0/25 - 192.0.2.128/25", &["192.0.2.0 - 192.0.2.99"]),
        ("192.0.2.0-99", &["192.0.2.0 - 192.0.2.99"]),
        ("evil\u{1b}[2J\u{202e}", &["\\u{1b}", "\\u{202e}"]),
    ] {
        let error = Range::read(text.as_bytes()).expect_err(text).to_string();
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(!error.chars().any(char::is_control));
    }
    let long = Range::read(&[b'1'; 100_000]).unwrap_err().to_string();
    assert!(long.len() < 300, "{long}");
}

/// All ranges of an 8-bit space, in both families: pieces against counting.
#[test]
fn pieces_of_every_small_range_are_the_fewest_that_cover_it() {
    for (family, base) in [(Family::V4, 0xc000_0200), (Family::V6, 0x2001_0db8 << 96)] {
        let at = |offset: u128| Address::from_bits(family, base + offset);
        for first in 0..=255 {
            for last in first..=255 {
                let range = Range::new(at(first), at(last)).unwrap();
                let mut next = first;
                for piece in range.pieces() {
                    assert_eq!(piece.first(), at(next));
                    next += 1 + piece.range().size_less_one();
                    assert_eq!(range.piece_of(piece.first()), Some(piece));
                    assert_eq!(range.piece_of(piece.last()), Some(piece));
                }
                assert_eq!(next, last + 1);
                assert_eq!(range.pieces().count(), fewest_pieces(first, last));
                assert_eq!(range.prefix().is_some(), range.pieces().count() == 1);
                assert_eq!(Range::read(range.to_string().as_bytes()), Ok(range));
                assert_eq!(range.piece_of(at(256)), None);
            }
        }
    }
}

/// Splits at the middle of the space, as one would by hand.
fn fewest_pieces(first: u128, last: u128) -> usize {
    fn split(low: u128, high: u128, first: u128, last: u128) -> usize {
        if first > high || last < low {
            0
        } else if first <= low && high <= last {
            1
        } else {
            let middle = low + (high - low) / 2;
            split(low, middle, first, last) + split(middle + 1, high, first, last)
        }
    }
    split(0, 255, first, last)
}

#[test]
fn the_longest_lists_of_pieces_are_62_and_254() {
    assert_eq!(range("0.0.0.1 - 255.255.255.254").pieces().count(), 62);
    assert_eq!(range("::1 - ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe").pieces().count(), 254);
}

#[test]
fn relations_of_every_pair_of_small_ranges_are_those_of_their_sets() {
    for (family, base) in [(Family::V4, u128::from(u32::MAX) - 7), (Family::V6, u128::MAX - 7)] {
        let ranges: Vec<(u128, u128)> =
            (0..8).flat_map(|first| (first..8).map(move |last| (first, last))).collect();
        let range_of = |(first, last): (u128, u128)| {
            Range::new(Address::from_bits(family, base + first), Address::from_bits(family, base + last))
                .unwrap()
        };
        let set_of = |range: Range| {
            (0..8).filter(|&at| range.holds(Address::from_bits(family, base + at))).collect::<Vec<_>>()
        };
        for &a in &ranges {
            assert_eq!(set_of(range_of(a)), (a.0..=a.1).collect::<Vec<_>>());
            for &b in &ranges {
                let (a, b) = (range_of(a), range_of(b));
                let (of_a, of_b) = (set_of(a), set_of(b));
                assert_eq!(a.overlaps(b), of_a.iter().any(|at| of_b.contains(at)));
                assert_eq!(a.contains(b), of_b.iter().all(|at| of_a.contains(at)));
                let left: Vec<_> = a.without(b).flat_map(set_of).collect();
                assert_eq!(left, of_a.into_iter().filter(|at| !of_b.contains(at)).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn ranges_of_two_families_or_in_reverse_are_none() {
    assert_eq!(Range::new(address("192.0.2.1"), address("2001:db8::1")), None);
    assert_eq!(Range::new(address("192.0.2.2"), address("192.0.2.1")), None);
    let (v4, v6) = (range("0.0.0.0/0"), range("::/0"));
    assert!(!v4.overlaps(v6) && !v4.contains(v6) && !v6.contains(v4));
    assert_eq!(v4.without(v6).collect::<Vec<_>>(), [v4]);
}

#[test]
fn special_blocks_are_outermost_and_ascending() {
    for pair in special_blocks().windows(2) {
        assert!(pair[0].first() < pair[1].first() && !pair[0].range().overlaps(pair[1].range()), "{pair:?}");
    }
    for exception in special_exceptions() {
        let inside =
            special_blocks().iter().filter(|block| block.range().contains(exception.range())).count();
        assert_eq!(inside, 1, "{exception}");
    }
}

#[test]
fn special_is_every_block_to_its_last_address_and_not_one_beyond() {
    let expected = |address: Address| {
        let excepted = special_exceptions().iter().any(|block| block.range().holds(address));
        special_blocks().iter().copied().find(|block| !excepted && block.range().holds(address))
    };
    for block in special_blocks().iter().chain(special_exceptions()) {
        let (family, first, last) = (block.family(), block.first().bits(), block.last().bits());
        for bits in [
            first.saturating_sub(1),
            first,
            first + 1,
            last - 1,
            last,
            last.saturating_add(1).min(family.highest_bits()),
        ] {
            let address = Address::from_bits(family, bits);
            assert_eq!(address.special(), expected(address), "{address}");
        }
    }
    let mut random = random("special");
    for _ in 0..200_000 {
        let v4 = Address::v4(random.u32(..));
        assert_eq!(v4.special(), expected(v4), "{v4}");
        let v6 = Address::v6(random.u128(..) >> random.u32(0..128));
        assert_eq!(v6.special(), expected(v6), "{v6}");
    }
}

#[test]
fn known_addresses_are_special_or_not() {
    for (text, block) in [
        ("0.0.0.0", Some("0.0.0.0/8")),
        ("10.255.255.255", Some("10.0.0.0/8")),
        ("100.64.0.1", Some("100.64.0.0/10")),
        ("100.128.0.0", None),
        ("192.0.0.8", Some("192.0.0.0/24")),
        ("192.0.0.9", None),
        ("192.0.0.170", Some("192.0.0.0/24")),
        ("192.0.2.255", Some("192.0.2.0/24")),
        ("192.88.99.1", None),
        ("192.175.48.1", None),
        ("198.19.255.255", Some("198.18.0.0/15")),
        ("224.0.0.1", Some("224.0.0.0/4")),
        ("255.255.255.255", Some("240.0.0.0/4")),
        ("8.8.8.8", None),
        ("::ffff:10.0.0.1", Some("10.0.0.0/8")),
        ("::", Some("::/96")),
        ("::1", Some("::/96")),
        ("64:ff9b::8.8.8.8", Some("64:ff9b::/96")),
        ("64:ff9b:1:ffff::", Some("64:ff9b:1::/48")),
        ("100::1", Some("100::/64")),
        ("100:0:0:1::1", Some("100:0:0:1::/64")),
        ("2001::1", Some("2001::/23")),
        ("2001:1::1", None),
        ("2001:20::1", None),
        ("2001:2::1", Some("2001::/23")),
        ("2001:db8::1", Some("2001:db8::/32")),
        ("2001:610::1", None),
        ("2002:c000:201::1", Some("2002::/16")),
        ("3fff:fff::1", Some("3fff::/20")),
        ("3fff:1000::1", None),
        ("5f00::1", Some("5f00::/16")),
        ("fd00::1", Some("fc00::/7")),
        ("fe80::1", Some("fe80::/10")),
        ("ff02::1", Some("ff00::/8")),
    ] {
        assert_eq!(address(text).special().map(|block| block.to_string()).as_deref(), block, "{text}");
    }
}

#[test]
fn a_registration_holds_special_addresses_only_inside_one_block() {
    let check = |text: &str, parts: &[&str]| {
        let found: Vec<String> = range(text).held_parts().iter().map(Range::to_string).collect();
        assert_eq!(found, parts, "{text}");
    };
    check("192.0.2.0/24", &["192.0.2.0/24"]);
    check("192.0.2.0 - 192.0.2.99", &["192.0.2.0 - 192.0.2.99"]);
    check("10.0.0.0/8", &["10.0.0.0/8"]);
    check("10.0.0.0/7", &["11.0.0.0/8"]);
    check("192.0.2.0/23", &["192.0.3.0/24"]);
    check("192.0.0.0/24", &["192.0.0.0/24"]);
    check("192.0.0.0/23", &["192.0.0.9 - 192.0.0.10", "192.0.1.0/24"]);
    check("224.0.0.0/3", &[]);
    check("2001:db8::/31", &["2001:db9::/32"]);
    check("2001::/23", &["2001::/23"]);
    check("8.0.0.0/8", &["8.0.0.0/8"]);
}

/// Every border of every cut, of ranges around every block: held exactly when the rule of the design says so.
#[test]
fn held_parts_agree_with_the_rule_address_by_address() {
    let mut random = random("held_parts");
    let blocks: Vec<Prefix> = special_blocks().iter().chain(special_exceptions()).copied().collect();
    for family in FAMILIES {
        let mut borders: Vec<u128> = vec![0, family.highest_bits()];
        for block in blocks.iter().filter(|block| block.family() == family) {
            let (first, last) = (block.first().bits(), block.last().bits());
            borders.extend([first.saturating_sub(1), first, first + 1, last - 1, last]);
            borders.push(last.saturating_add(1).min(family.highest_bits()));
        }
        for _ in 0..20_000 {
            let (a, b) = (*random.choice(&borders).unwrap(), *random.choice(&borders).unwrap());
            let at = |bits| Address::from_bits(family, bits);
            let range = Range::new(at(a.min(b)), at(a.max(b))).unwrap();
            let parts = range.held_parts();
            assert!(parts.windows(2).all(|pair| pair[0].last() < pair[1].first()));
            let inside = special_blocks().iter().any(|block| block.range().contains(range));
            for &border in &borders {
                let address = at(border);
                let expected = range.holds(address) && (inside || address.special().is_none());
                assert_eq!(parts.iter().any(|part| part.holds(address)), expected, "{range} {address}");
            }
        }
    }
}

#[test]
fn as_numbers_are_read_strictly() {
    for (text, number) in
        [("AS64496", 64496), ("as64496", 64496), ("64496", 64496), ("0", 0), ("4294967295", u32::MAX)]
    {
        assert_eq!(Asn::read(text.as_bytes()), Some(Asn(number)), "{text}");
    }
    for text in [
        "",
        "AS",
        "AS ",
        "AS-1",
        "1.10",
        "AS1.10",
        "4294967296",
        "99999999999",
        "+1",
        "007",
        "AS01",
        "ASN1",
        " 1",
        "1 ",
    ] {
        assert_eq!(Asn::read(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Asn(64496).to_string(), "AS64496");
}

#[test]
fn a_range_is_small_enough_to_copy() {
    assert_eq!(size_of::<Range>(), 33);
    assert_eq!(size_of::<Prefix>(), 18);
}
