//! Times and days: what is read, what is refused, and how they are written. The oracle of the calendar is jiff's own parser.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use dijkwacht::moment::{Day, Moment, TimeStyle, TimeText, read_time, read_unix};

fn check(text: &str, id_text: Option<&str>) {
    let found = match read_time(text.as_bytes(), None) {
        TimeText::At(moment) => Some(moment.id_text()),
        TimeText::None => panic!("{text:?} is no time at all"),
        TimeText::Unreadable => None,
    };
    assert_eq!(found.as_deref(), id_text, "{text:?}");
}

#[test]
fn the_forms_of_the_design_are_read() {
    for (text, id_text) in [
        ("2026-11-22T01:02:03Z", "2026-11-22T01:02:03Z"),
        ("2026-11-22 01:02:03", "2026-11-22T01:02:03Z"),
        ("2026-11-22T01:02:03", "2026-11-22T01:02:03Z"),
        ("2026-11-22 01:02:03Z", "2026-11-22T01:02:03Z"),
        ("2026-11-22T01:02:03+01:00", "2026-11-22T00:02:03Z"),
        ("2026-11-22T01:02:03-0130", "2026-11-22T02:32:03Z"),
        ("2026-11-22T01:02:03-00:00", "2026-11-22T01:02:03Z"),
        ("2026-11-22T23:59:59-23:59", "2026-11-23T23:58:59Z"),
        ("2026-11-22T01:02:03.5Z", "2026-11-22T01:02:03.5Z"),
        ("2026-11-22T01:02:03.500", "2026-11-22T01:02:03.5Z"),
        ("2026-11-22T01:02:03.000000000Z", "2026-11-22T01:02:03Z"),
        ("2026-11-22T01:02:03.123456789+0000", "2026-11-22T01:02:03.123456789Z"),
        ("2026-11-22", "2026-11-22T00:00:00Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z"),
        ("0001-01-02", "0001-01-02T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        ("1390380064", "2014-01-22T08:41:04Z"),
        ("100000000", "1973-03-03T09:46:40Z"),
        ("9999999999", "2286-11-20T17:46:39Z"),
        ("1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.25Z"),
    ] {
        check(text, Some(id_text));
    }
}

#[test]
fn all_else_is_unreadable() {
    for text in [
        " ",
        "x",
        "2026",
        "2026-11",
        "2026-11-2",
        "2026-11-22T",
        "2026-11-22 ",
        " 2026-11-22",
        "2026-11-22T01:02",
        "2026-11-22T01:02:03.",
        "2026-11-22T01:02:03.1234567890Z",
        "2026-11-22T01:02:03,5Z",
        "2026-11-22T01:02:03z",
        "2026-11-22t01:02:03Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T23:60:00Z",
        "2016-12-31T23:59:60Z",
        "2026-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "2026-04-31",
        "0000-01-01",
        "1900-02-29",
        "22-11-2026 01:02:03",
        "11/22/2026",
        "2026/11/22",
        "20261122",
        "20261122T010203Z",
        "2026-11-22T01:02:03 Z",
        "2026-11-22T01:02:03 +0100",
        "2026-11-22T01:02:03+01",
        "2026-11-22T01:02:03+24:00",
        "2026-11-22T01:02:03+01:60",
        "2026-11-22T01:02:03~01:00",
        "2026-11-22T01:02:03UTC",
        "2026-11-22T01:02:03[UTC]",
        "2026-11-22  01:02:03",
        "9999-12-31T23:59:59-01:00",
        "99999999",
        "0123456789",
        "10000000000",
        "1390380064000",
        "-1390380064",
        "1390380064.5",
        "1.39e9",
        "0",
        "99999999999999999999999",
        "２０２６-11-22",
        "+2026-11-22",
    ] {
        check(text, None);
    }
    assert_eq!(read_time(b"2026-11-22\xff01:02:03Z", None), TimeText::Unreadable);
}

#[test]
fn nothing_and_the_year_one_are_no_time() {
    for text in
        ["", "0001-01-01", "0001-01-01T00:00:00Z", "0001-01-01 12:30:00.5+02:00", "0001-01-01T00:00:00+23:59"]
    {
        assert_eq!(read_time(text.as_bytes(), None), TimeText::None, "{text:?}");
    }
    assert_eq!(read_time(b"0001-01-01 whatever", None), TimeText::Unreadable);
}

#[test]
fn unix_seconds_take_the_microseconds_beside_them() {
    let check = |seconds: &str, micros: &str, expected: Option<&str>| {
        let found = match read_unix(seconds.as_bytes(), micros.as_bytes()) {
            TimeText::At(moment) => Some(moment.id_text()),
            TimeText::None | TimeText::Unreadable => None,
        };
        assert_eq!(found.as_deref(), expected, "{seconds} {micros}");
    };
    check("1390380064", "", Some("2014-01-22T08:41:04Z"));
    check("1390380064", "0", Some("2014-01-22T08:41:04Z"));
    check("1390380064", "5", Some("2014-01-22T08:41:04.000005Z"));
    check("1390380064", "999999", Some("2014-01-22T08:41:04.999999Z"));
    check("1390380064", "1000000", None);
    check("1390380064", "-1", None);
    check("1390380064", "x", None);
    check("20261122", "5", None);
    assert_eq!(read_unix(b"", b"5"), TimeText::None);
}

/// Every day of years 1 to 9999, and the days that do not exist.
#[test]
fn every_day_of_the_calendar_is_read_and_written() {
    let mut number = Day::FIRST.number();
    for year in 1..=9999u32 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for month in 1..=12 {
            let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
            for day in 1..=32 {
                let text = format!("{year:04}-{month:02}-{day:02}");
                let read = Day::read(text.as_bytes());
                if day > days {
                    assert_eq!(read, None, "{text}");
                    continue;
                }
                assert_eq!(read, Some(Day::from_number(number)), "{text}");
                if day <= 2 || day >= 28 {
                    assert_eq!(Day::from_number(number).to_string(), text);
                }
                number += 1;
            }
        }
    }
    assert_eq!(number, Day::LAST.number() + 1);
    assert_eq!(Day::read(b"1970-01-01").map(Day::number), Some(0));
    assert_eq!(Day::from_number(i32::MAX), Day::LAST);
    assert_eq!(Day::from_number(i32::MIN), Day::FIRST);
}

#[test]
fn random_instants_survive_being_written_and_read() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..100_000 {
        let seconds = random.i64(-62_135_510_400..=253_402_300_799);
        let nanos = if random.bool() { 0 } else { random.u32(0..1_000_000_000) };
        let moment = Moment::from_unix(seconds, nanos).unwrap();
        assert_eq!(Moment::read(moment.id_text().as_bytes()), Some(moment));
        if seconds > 253_402_207_200 {
            continue; // jiff's instants end a day earlier, so that all offsets fit
        }
        let stamp = jiff::Timestamp::from_second(seconds).unwrap()
            + jiff::SignedDuration::from_nanos(i64::from(nanos));
        assert_eq!(moment.id_text(), stamp.to_string());
        assert_eq!(
            Moment::read(moment.whole_seconds().intelmq_text().as_bytes()),
            Some(moment.whole_seconds())
        );
        assert_eq!(moment.day(), Day::read(&moment.id_text().as_bytes()[..10]).unwrap());
        assert_eq!(moment.day().start().unix_seconds(), seconds.div_euclid(86_400) * 86_400);
    }
}

#[test]
fn intelmq_text_has_six_digits_or_none() {
    let check =
        |nanos: u32, text: &str| assert_eq!(Moment::from_unix(0, nanos).unwrap().intelmq_text(), text);
    check(0, "1970-01-01T00:00:00+00:00");
    check(500_000_000, "1970-01-01T00:00:00.500000+00:00");
    check(123_456_789, "1970-01-01T00:00:00.123456+00:00");
    check(999, "1970-01-01T00:00:00+00:00");
}

#[test]
fn instants_beyond_the_calendar_are_none() {
    assert!(Moment::from_unix(-62_135_596_800, 0).is_some());
    assert!(Moment::from_unix(-62_135_596_801, 0).is_none());
    assert!(Moment::from_unix(253_402_300_799, 999_999_999).is_some());
    assert!(Moment::from_unix(253_402_300_800, 0).is_none());
    assert!(Moment::from_unix(0, 1_000_000_000).is_none());
}

#[test]
fn a_time_style_reads_local_times() {
    let check = |format: &str, zone: &str, text: &str, expected: Option<&str>| {
        let style = TimeStyle::new(format, zone).unwrap();
        let found = match read_time(text.as_bytes(), Some(&style)) {
            TimeText::At(moment) => Some(moment.id_text()),
            TimeText::None => Some("none".to_owned()),
            TimeText::Unreadable => None,
        };
        assert_eq!(found.as_deref(), expected, "{format} {zone} {text}");
    };
    let day_first = "%d-%m-%Y %H:%M:%S";
    check(day_first, "Europe/Amsterdam", "22-11-2026 01:02:03", Some("2026-11-22T00:02:03Z"));
    check(day_first, "Europe/Amsterdam", "22-07-2026 01:02:03", Some("2026-07-21T23:02:03Z"));
    check(day_first, "UTC", "22-11-2026 01:02:03", Some("2026-11-22T01:02:03Z"));
    check(day_first, "Europe/Amsterdam", "29-03-2026 02:30:00", None); // skipped by summer time
    check(day_first, "Europe/Amsterdam", "25-10-2026 02:30:00", None); // there are two
    check(day_first, "Europe/Amsterdam", "25-10-2026 03:00:00", Some("2026-10-25T02:00:00Z"));
    check(day_first, "UTC", "2026-11-22T01:02:03Z", None);
    check(day_first, "UTC", "22-11-2026 01:02:03 ", None);
    check(day_first, "UTC", "01-01-0001 00:00:00", Some("none"));
    check(day_first, "UTC", "", Some("none"));
    check("%d/%m/%Y", "Europe/Amsterdam", "22/11/2026", Some("2026-11-21T23:00:00Z"));
    check("%m/%d/%Y %I:%M %p", "UTC", "11/22/2026 01:02 PM", Some("2026-11-22T13:02:00Z"));
    check("%d-%m-%Y %H:%M %z", "Europe/Amsterdam", "22-11-2026 01:02 +0000", Some("2026-11-22T01:02:00Z"));
    check("%d-%m-%Y %H:%M:%S%.f", "UTC", "22-11-2026 01:02:03.25", Some("2026-11-22T01:02:03.25Z"));
    check("%d-%m-%Y", "UTC", "31-12-1969", Some("1969-12-31T00:00:00Z"));
}

#[test]
fn a_time_style_that_cannot_work_is_refused() {
    for (format, zone, part) in [
        ("%d-%m-%Y", "Europe/Atlantis", "unknown time zone \"Europe/Atlantis\""),
        ("%d-%m-%Y", "", "unknown time zone"),
        ("%K", "UTC", "cannot be used"),
        ("%", "UTC", "cannot be used"),
        ("%H:%M", "UTC", "does not tell"),
        ("%m-%Y", "UTC", "does not tell"),
        ("%d-%m-%Y %I:%M", "UTC", "does not tell"),
        ("%d-%m-%Y %H:%M %Q", "UTC", "does not tell"),
        ("", "UTC", "does not tell"),
        ("\u{1b}[2J", "UTC", "\\u{1b}"),
    ] {
        let error = TimeStyle::new(format, zone).map(|_| ()).expect_err(format).to_string();
        assert!(error.contains(part), "{format}: {error}");
    }
}
