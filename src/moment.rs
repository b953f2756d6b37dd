//! Instants and days, read strictly.
//!
//! Read are: RFC 3339 with `T` or space, zone `Z`, `±hh:mm`, `±hhmm` or none (UTC), 0–9 fraction digits; a bare day;
//! Unix seconds. 0001-01-01 is no time. Nothing here reads the clock.

use std::fmt;

/// An instant in UTC, to the nanosecond; years 1..=9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Moment {/* seconds: i64, nanos: u32 */}

/// What a time field says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeText {/* At(Moment), None (empty or 0001-01-01), Unreadable */}

impl Moment {
    /// Unix seconds and nanoseconds; `None` outside years 1..=9999.
    pub fn from_unix(seconds: i64, nanos: u32) -> Option<Self> {
        todo!()
    }
    /// Unix seconds, rounded down.
    pub fn unix_seconds(self) -> i64 {
        todo!()
    }
    /// The UTC day it lies in.
    pub fn day(self) -> Day {
        todo!()
    }
    /// Without its fraction.
    pub fn whole_seconds(self) -> Self {
        todo!()
    }
    /// For ids: `2026-11-22T01:02:03.5Z`, fraction without trailing zeros.
    pub fn id_text(self) -> String {
        todo!()
    }
    /// As IntelMQ prints it: `2026-11-22T01:02:03+00:00`, six digits if there is a fraction.
    pub fn intelmq_text(self) -> String {
        todo!()
    }
}

/// How to read times that the default refuses.
pub struct TimeStyle {/* compiled strftime-like format and IANA zone */}

/// Reads one time field strictly; `style` replaces the default reading.
pub fn read_time(text: &[u8], style: Option<&TimeStyle>) -> TimeText {
    todo!()
}

/// A UTC day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day {/* days since 1970-01-01: i32 */}

impl Day {
    /// Reads `2026-11-22`.
    pub fn read(text: &[u8]) -> Option<Self> {
        todo!()
    }
    /// Days since 1970-01-01.
    pub fn number(self) -> i32 {
        todo!()
    }
    /// From days since 1970-01-01.
    pub fn from_number(number: i32) -> Self {
        todo!()
    }
}
