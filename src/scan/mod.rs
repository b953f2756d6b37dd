#![allow(missing_docs)]
//! Records from dumps: sources, chunks, formats.
//!
//! A dump is a [`source`]: mapped, or a stream that is decoded in windows. A [`Format`] knows where its records
//! begin and end, what their key fields are, and what a whole record says. It knows no owners: what it may skip as
//! *unmatched* is proven by a [`Filter`] that the matcher gives it.

mod format;
pub mod record;

pub use format::{
    Filter, Format, FormatError, FormatOptions, FormatSpec, Frame, Head, KeyKinds, Keys, Sink, Subject, Take,
    Tally, Window,
};
pub use record::{Finding, Findings, Kind, Reject, Side, Skip};
