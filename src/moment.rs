//! Instants and days, read strictly.
//!
//! Read are: RFC 3339 with `T` or space, zone `Z`, `±hh:mm`, `±hhmm` or none (UTC), 0–9 fraction digits; a bare day;
//! Unix seconds. 0001-01-01 is no time. All else is unreadable, never guessed: a second of 60, an hour of 24, small
//! letters, spaces around it, a number that is no plausible Unix time (`20261122`, milliseconds). Other forms are read by a
//! [`TimeStyle`], which the operator states. Nothing here reads the clock, nor the system's time zones: jiff's own are built in.
//!
//! ```
//! use dijkwacht::moment::{TimeText, read_time};
//!
//! let TimeText::At(moment) = read_time(b"2026-11-22 02:02:03.50+0100", None) else { panic!() };
//! assert_eq!(moment.id_text(), "2026-11-22T01:02:03.5Z");
//! assert_eq!(moment.intelmq_text(), "2026-11-22T01:02:03.500000+00:00");
//! assert_eq!(read_time(b"0001-01-01T00:00:00Z", None), TimeText::None);
//! assert_eq!(read_time(b"22-11-2026 01:02:03", None), TimeText::Unreadable);
//! ```

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// An instant in UTC, to the nanosecond; years 1..=9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Moment {
    seconds: i64,
    nanos: u32,
}

/// What a time field says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeText {
    /// An instant.
    At(Moment),
    /// No time: the field is empty or says 0001-01-01, which some producers write for *unknown*.
    None,
    /// A time was meant, but cannot be read without guessing.
    Unreadable,
}

impl TimeText {
    fn or_unreadable(moment: Option<Moment>) -> Self {
        moment.map_or(Self::Unreadable, Self::At)
    }
}

/// 0001-01-01T00:00:00Z.
const SECONDS_MIN: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const SECONDS_MAX: i64 = 253_402_300_799;
const EPOCH: Date = Date::constant(1970, 1, 1);
const DAY_SECONDS: i64 = 86_400;
const NANOS_PER_SECOND: u32 = 1_000_000_000;

impl Moment {
    /// Unix seconds and nanoseconds; `None` outside years 1..=9999 or for a whole second of nanoseconds.
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<Self> {
        let fits = (SECONDS_MIN..=SECONDS_MAX).contains(&seconds) && nanos < NANOS_PER_SECOND;
        fits.then_some(Self { seconds, nanos })
    }

    /// What a clock shows, in whole seconds; years that no clock should show are the nearest that are read.
    pub fn of_clock(at: SystemTime) -> Self {
        let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { seconds: i64::try_from(seconds).unwrap_or(SECONDS_MAX).min(SECONDS_MAX), nanos: 0 }
    }

    /// Reads RFC 3339 as [`read_time`] does, or a bare day; no Unix seconds. For what a person types.
    pub fn read(text: &[u8]) -> Option<Self> {
        match read_date_time(text) {
            TimeText::At(moment) => Some(moment),
            TimeText::None | TimeText::Unreadable => None,
        }
    }

    /// Unix seconds, rounded down.
    #[inline]
    pub fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds since [`Moment::unix_seconds`]: 0..1,000,000,000.
    #[inline]
    pub fn subsecond_nanos(self) -> u32 {
        self.nanos
    }

    /// The UTC day it lies in.
    pub fn day(self) -> Day {
        let days = self.seconds_from_first() / DAY_SECONDS.unsigned_abs();
        Day { number: Day::FIRST.number + days as i32 }
    }

    /// Since the first day began.
    fn seconds_from_first(self) -> u64 {
        (self.seconds - SECONDS_MIN) as u64
    }

    /// Days that have begun from here to a later moment: 1 after a nanosecond, 1 after a day, 2 after a nanosecond more. 0 where
    /// it is not later.
    ///
    /// ```
    /// use dijkwacht::moment::Moment;
    ///
    /// let [seen, run] = ["2026-11-21T12:00:00Z", "2026-11-22T12:00:00.000000001Z"].map(|text| Moment::read(text.as_bytes()).unwrap());
    /// assert_eq!(seen.days_begun_until(run), 2);
    /// ```
    pub fn days_begun_until(self, later: Self) -> u32 {
        let seconds = later.seconds - self.seconds - i64::from(later.nanos < self.nanos);
        let begun = seconds + i64::from(later.nanos != self.nanos);
        // Of at most 9999 years, and from the first nanosecond of a second on.
        begun.max(0).unsigned_abs().div_ceil(DAY_SECONDS.unsigned_abs()) as u32
    }

    /// Without its fraction.
    pub fn whole_seconds(self) -> Self {
        Self { nanos: 0, ..self }
    }

    /// For ids: `2026-11-22T01:02:03.5Z`, fraction without trailing zeros.
    pub fn id_text(self) -> String {
        text_of(|out| self.push_id_text(out))
    }

    /// Appends [`Moment::id_text`].
    pub fn push_id_text(self, out: &mut Vec<u8>) {
        self.push_seconds(out);
        if self.nanos > 0 {
            let (upper, last) = (self.nanos / 10, self.nanos % 10);
            let upper = four(upper / 10_000) | four(upper % 10_000) << 32;
            let digits = u128::from(b'0' + last as u8) << 64 | u128::from(upper);
            let said = (u128::BITS - (digits ^ NINE_ZEROS).leading_zeros()).div_ceil(8);
            push_short(out, digits << 8 | u128::from(b'.'), 1 + said as usize);
        }
        out.push(b'Z');
    }

    /// As IntelMQ prints it: `2026-11-22T01:02:03+00:00`, six digits if there is a fraction.
    ///
    /// Python knows no nanoseconds: digits beyond the sixth are cut off, and what is then zero is no fraction.
    pub fn intelmq_text(self) -> String {
        text_of(|out| self.push_intelmq_text(out))
    }

    /// Appends [`Moment::intelmq_text`].
    pub fn push_intelmq_text(self, out: &mut Vec<u8>) {
        self.push_seconds(out);
        let micros = self.nanos / 1_000;
        if micros == 0 {
            return out.extend_from_slice(b"+00:00");
        }
        let digits = two(micros / 10_000) | four(micros % 10_000) << 16;
        let text = UTC << 56 | u128::from(digits) << 8 | u128::from(b'.');
        push_short(out, text, ".000000+00:00".len());
    }

    /// `2026-11-22T01:02:03`, put together in registers: to copy bytes that were written just now is to wait for them.
    fn push_seconds(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.day().civil();
        let second = (self.seconds_from_first() % DAY_SECONDS.unsigned_abs()) as u32;
        let [year_text, month, day] = [four(year), two(month), two(day)];
        let [hours, minutes, seconds] = [second / 3600, second / 60 % 60, second % 60].map(two);
        let byte = |byte: u8, place: u32| u64::from(byte) << (8 * place);
        let first = year_text | byte(b'-', 4) | month << 40 | byte(b'-', 7);
        let second = day | byte(b'T', 2) | hours << 24 | byte(b':', 5) | minutes << 48;
        let end = out.len() + "2026-11-22T01:02:03".len();
        out.extend_from_slice(&(u128::from(second) << 64 | u128::from(first)).to_le_bytes());
        out.extend_from_slice(&((byte(b':', 0) | seconds << 8) as u32).to_le_bytes());
        out.truncate(end);
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC, as [`Moment::id_text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.id_text())
    }
}

/// Bytes of the longest time.
const TEXT_BYTES: usize = "2026-11-22T01:02:03.000000000+00:00".len();

/// What is appended, as a text.
fn text_of(push: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut text = Vec::with_capacity(TEXT_BYTES);
    push(&mut text);
    String::from_utf8(text).expect("digits and what stands between them are ASCII")
}

/// The last `DIGITS` digits, with leading zeros.
fn digits<const DIGITS: usize>(mut value: u32) -> [u8; DIGITS] {
    let mut text = [b'0'; DIGITS];
    for place in text.iter_mut().rev() {
        *place += (value % 10) as u8;
        value /= 10;
    }
    text
}

/// The zone as IntelMQ prints it, the first byte lowest.
const UTC: u128 = u64::from_le_bytes(*b"+00:00\0\0") as u128;

/// Nine digits as text.
const NINE_ZEROS: u128 = u128::from_le_bytes(*b"000000000\0\0\0\0\0\0\0");

/// Appends a text of at most 16 bytes, the first one lowest.
#[inline]
pub(crate) fn push_short(out: &mut Vec<u8>, text: u128, length: usize) {
    let end = out.len() + length;
    out.extend_from_slice(&text.to_le_bytes());
    out.truncate(end);
}

/// Two digits as text, the first one lowest.
fn two(value: u32) -> u64 {
    u64::from(b'0') * 0x101 + u64::from(value / 10) + (u64::from(value % 10) << 8)
}

/// Likewise four.
fn four(value: u32) -> u64 {
    two(value / 100) | (two(value % 100) << 16)
}

/// Reads one time field strictly; `style` replaces the default reading.
pub fn read_time(text: &[u8], style: Option<&TimeStyle>) -> TimeText {
    if text.is_empty() {
        return TimeText::None;
    }
    match style {
        Some(style) => style.read(text),
        None if text.iter().all(u8::is_ascii_digit) => read_unix(text, b""),
        None => read_date_time(text),
    }
}

/// Fewest digits of Unix seconds: from 1973-03-03 on. Fewer are more likely a day (`20261122`) or a counter.
const UNIX_DIGITS_MIN: usize = 9;
/// Most digits of Unix seconds: to 2286-11-20. More are milliseconds or finer.
const UNIX_DIGITS_MAX: usize = 10;

/// Reads Unix seconds and the microseconds that ZMap writes beside them (`timestamp_ts`, `timestamp_us`).
///
/// Seconds have 9 or 10 digits, so that neither a day without dashes nor milliseconds are taken for them. Empty
/// microseconds are none; else they are a whole number below 1,000,000.
pub fn read_unix(seconds: &[u8], micros: &[u8]) -> TimeText {
    if seconds.is_empty() {
        return TimeText::None;
    }
    let read = || {
        let plausible = (UNIX_DIGITS_MIN..=UNIX_DIGITS_MAX).contains(&seconds.len()) && seconds[0] != b'0';
        let seconds = if plausible { read_number(seconds)? } else { return None };
        let micros = match micros.len() {
            0 => 0,
            1..=6 => read_number(micros)?,
            _ => return None,
        };
        Moment::from_unix(seconds, u32::try_from(micros).ok()? * 1_000)
    };
    TimeText::or_unreadable(read())
}

/// Reads RFC 3339, with the liberties of the module's page, or a bare day.
fn read_date_time(text: &[u8]) -> TimeText {
    let Some((date, rest)) = text.split_at_checked("2026-11-22".len()) else { return TimeText::Unreadable };
    let Some(day) = Day::read(date) else { return TimeText::Unreadable };
    let Some((seconds, nanos, zone)) = read_clock(rest) else { return TimeText::Unreadable };
    if day == Day::FIRST {
        return TimeText::None;
    }
    let seconds = i64::from(day.number) * DAY_SECONDS + i64::from(seconds) - i64::from(zone);
    TimeText::or_unreadable(Moment::from_unix(seconds, nanos))
}

/// Reads what follows the day: seconds of the day, nanoseconds, seconds east of UTC. Nothing at all is midnight.
fn read_clock(text: &[u8]) -> Option<(u32, u32, i32)> {
    let Some((&separator, rest)) = text.split_first() else { return Some((0, 0, 0)) };
    let (clock, rest) = rest.split_at_checked("01:02:03".len())?;
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(m1, m2)?, two_digits(s1, s2)?);
    if !matches!(separator, b'T' | b' ') || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, rest) = match rest.split_first() {
        Some((b'.', rest)) => read_fraction(rest)?,
        _ => (0, rest),
    };
    Some((hour * 3600 + minute * 60 + second, nanos, read_zone(rest)?))
}

/// Reads 1–9 digits as nanoseconds, and returns what follows them.
fn read_fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    if !(1..=9).contains(&length) {
        return None;
    }
    let value = u32::try_from(read_number(digits)?).ok()?;
    Some((value * 10u32.pow(9 - length as u32), rest))
}

/// Reads the zone as seconds east of UTC; an absent one is UTC.
fn read_zone(text: &[u8]) -> Option<i32> {
    let (sign, hour, minute) = match *text {
        [] | [b'Z'] => return Some(0),
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => {
            (sign, two_digits(h1, h2)?, two_digits(m1, m2)?)
        }
        _ => return None,
    };
    let seconds = (hour * 3600 + minute * 60) as i32;
    match sign {
        _ if hour > 23 || minute > 59 => None,
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<u32> {
    let both = tens.is_ascii_digit() && ones.is_ascii_digit();
    both.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

/// Reads up to 10 digits.
fn read_number(text: &[u8]) -> Option<i64> {
    if !(1..=10).contains(&text.len()) {
        return None;
    }
    let (number, is_number) = read_digits(text);
    is_number.then_some(number)
}

/// Up to 18 digits as a number, and whether they are digits: asked of each, for to stop at one costs more than to go on.
#[inline]
pub(crate) fn read_digits(text: &[u8]) -> (i64, bool) {
    text.iter().fold((0, true), |(number, are_digits), byte| {
        let digit = byte.wrapping_sub(b'0');
        (number * 10 + i64::from(digit), are_digits & (digit < 10))
    })
}

/// How to read times that the default refuses: a strftime-like format and the zone of what it reads.
///
/// ```
/// use dijkwacht::moment::{TimeStyle, TimeText, read_time};
///
/// let style = TimeStyle::new("%d-%m-%Y %H:%M", "Europe/Amsterdam").unwrap();
/// let TimeText::At(moment) = read_time(b"22-11-2026 02:02", Some(&style)) else { panic!() };
/// assert_eq!(moment.id_text(), "2026-11-22T01:02:00Z");
/// ```
///
/// A local time that does not exist (the hour that summer time skips) or exists twice (the hour that it repeats) is
/// unreadable. An offset in the text (`%z`) wins over the zone. A format without hours reads midnight.
#[derive(Clone, Debug)]
pub struct TimeStyle {
    format: String,
    zone: TimeZone,
}

/// Why a format and zone are no [`TimeStyle`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeStyleError {
    /// No IANA time zone of that name is known.
    UnknownZone(String),
    /// The format has a directive that does not exist.
    BadFormat {
        /// The format as given.
        format: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The format does not say which instant is meant.
    Incomplete(String),
}

impl fmt::Display for TimeStyleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownZone(zone) => {
                write!(
                    f,
                    "unknown time zone \"{}\" (write an IANA name such as Europe/Amsterdam, or UTC)",
                    zone.escape_debug()
                )
            }
            Self::BadFormat { format, reason } => {
                write!(
                    f,
                    "time format \"{}\" cannot be used: {reason} (write one such as %d-%m-%Y %H:%M:%S)",
                    format.escape_debug()
                )
            }
            Self::Incomplete(format) => write!(
                f,
                "time format \"{}\" does not tell which instant is meant (it needs year, month and day, and %p beside %I; such as %d-%m-%Y %H:%M:%S)",
                format.escape_debug()
            ),
        }
    }
}

impl std::error::Error for TimeStyleError {}

impl TimeStyle {
    /// From a format as strftime writes it and the name of an IANA time zone.
    pub fn new(format: &str, zone: &str) -> Result<Self, TimeStyleError> {
        let unknown = |_| TimeStyleError::UnknownZone(zone.to_owned());
        let style =
            Self { format: format.to_owned(), zone: TimeZoneDatabase::bundled().get(zone).map_err(unknown)? };
        style.check()?;
        Ok(style)
    }

    /// Writes a known time in the format and reads it back: what is lost then, is missing in the format.
    fn check(&self) -> Result<(), TimeStyleError> {
        let bad = |reason: jiff::Error| TimeStyleError::BadFormat {
            format: self.format.clone(),
            reason: reason.to_string(),
        };
        let known = DateTime::new(2026, 11, 22, 13, 14, 15, 0).map_err(bad)?;
        let zoned = self.zone.to_ambiguous_zoned_datetime(known).unambiguous().map_err(bad)?;
        let written = strtime::format(&self.format, &zoned).map_err(bad)?;
        let found = self.read(written.as_bytes());
        let close =
            [(13, 14, 15), (13, 14, 0), (13, 0, 0), (0, 0, 0)].into_iter().any(|(hour, minute, second)| {
                let time = DateTime::new(2026, 11, 22, hour, minute, second, 0).ok();
                time.is_some_and(|time| found == TimeText::or_unreadable(self.in_zone(time)))
            });
        if close { Ok(()) } else { Err(TimeStyleError::Incomplete(self.format.clone())) }
    }

    fn read(&self, text: &[u8]) -> TimeText {
        let Ok(parsed) = strtime::parse(&self.format, text) else { return TimeText::Unreadable };
        if parsed.iana_time_zone().is_some() {
            return TimeText::Unreadable; // a zone in the text would contradict ours
        }
        if parsed.to_date().is_ok_and(|date| Day::of(date) == Day::FIRST) {
            return TimeText::None;
        }
        let stamped = parsed.to_timestamp().ok().map(|stamp| (stamp.as_second(), stamp.subsec_nanosecond()));
        let moment = match stamped {
            Some((seconds, nanos)) => moment_of(seconds, nanos),
            None => parsed.to_datetime().ok().and_then(|local| self.in_zone(local)),
        };
        TimeText::or_unreadable(moment)
    }

    /// The instant of a local time; `None` if there is none or if there are two.
    fn in_zone(&self, local: DateTime) -> Option<Moment> {
        let stamp = self.zone.to_ambiguous_timestamp(local).unambiguous().ok()?;
        moment_of(stamp.as_second(), stamp.subsec_nanosecond())
    }
}

/// From jiff's parts, whose nanoseconds are negative before 1970.
fn moment_of(seconds: i64, nanos: i32) -> Option<Moment> {
    let borrow = i64::from(nanos < 0);
    let nanos = i64::from(nanos) + borrow * i64::from(NANOS_PER_SECOND);
    Moment::from_unix(seconds - borrow, u32::try_from(nanos).ok()?)
}

/// A UTC day; years 1..=9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day {
    /// Since 1970-01-01.
    number: i32,
}

impl Day {
    /// 0001-01-01.
    pub const FIRST: Self = Self { number: (SECONDS_MIN / DAY_SECONDS) as i32 };
    /// 9999-12-31.
    pub const LAST: Self = Self { number: (SECONDS_MAX / DAY_SECONDS) as i32 };

    /// Reads `2026-11-22`, a day that exists, in that form alone.
    pub fn read(text: &[u8]) -> Option<Self> {
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
        let year = two_digits(y1, y2)? * 100 + two_digits(y3, y4)?;
        if year == 0 {
            return None;
        }
        Date::new(year as i16, two_digits(m1, m2)? as i8, two_digits(d1, d2)? as i8).ok().map(Self::of)
    }

    /// Days since 1970-01-01.
    #[inline]
    pub fn number(self) -> i32 {
        self.number
    }

    /// From days since 1970-01-01; the nearest day of years 1..=9999.
    pub fn from_number(number: i32) -> Self {
        Self { number: number.clamp(Self::FIRST.number, Self::LAST.number) }
    }

    /// Its first instant.
    pub fn start(self) -> Moment {
        Moment { seconds: i64::from(self.number) * DAY_SECONDS, nanos: 0 }
    }

    fn of(date: Date) -> Self {
        let since = date.duration_since(EPOCH);
        Self { number: (since.as_secs() / DAY_SECONDS) as i32 }
    }

    /// Year, month and day of the month.
    ///
    /// Counted from the first of March of year 0, where a year ends with its leap day (H. Hinnant, *chrono-compatible low-level
    /// date algorithms*); jiff is the oracle.
    fn civil(self) -> (u32, u32, u32) {
        const ERA_DAYS: u32 = 146_097;
        let days = self.number.wrapping_add(719_468) as u32; // not negative from year 1 on
        let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let leaps = day_of_era / 1_460 + day_of_era / 146_096 - day_of_era / 36_524;
        let year_of_era = (day_of_era - leaps) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let is_next_year = month >= 10;
        let month = if is_next_year { month - 9 } else { month + 3 };
        (400 * era + year_of_era + u32::from(is_next_year), month, day)
    }

    fn push_text(self, out: &mut Vec<u8>) {
        let (year, month, day) = self.civil();
        let [y1, y2, y3, y4] = digits(year);
        let [m1, m2] = digits(month);
        let [d1, d2] = digits(day);
        out.extend_from_slice(&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]);
    }
}

impl fmt::Display for Day {
    /// `2026-11-22`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&text_of(|out| self.push_text(out)))
    }
}
