//! The alert line, and the ids that stay the same from night to night.
//!
//! An alert is one flat JSON object with the keys of IntelMQ's data format, so that a file collector takes it as it is;
//! what is ours stands under `extra.`. Keys come in a fixed order, that of [`write_line`]'s source.
//!
//! **The gate.** Each value is held against the type that IntelMQ 3.5 gives its key. What IntelMQ would refuse (one bad
//! value loses it the whole event) or silently change goes to `extra.` and the whole key instead, as it was found:
//! `extra.source.asn`. IntelMQ drops the values "", "-" and "N/A" wherever they stand; such a value says nothing and is absent.
//! `tests/intelmq_roundtrip.py` proves the gate against IntelMQ itself.
//!
//! **Privacy.** A line tells its recipient about nobody else: no other registrations, no file names, no line numbers, no
//! reporter. It cannot: [`write_line`] is not given them. Where a feed asks for [source protection](crate::policy::SourceProtection),
//! feed, provider and run are not told either; a [`Reference`] stands for run and record, and leads back for us alone.
//!
//! **Reading back.** [`Told`] is a line of a notice or of what is held; a person's release makes another line of it.
//!
//! Rendering is a run's inner loop when every record matches. What is the same for a run is rendered once in a [`Context`],
//! what is the same for an owner once in a [`Recipient`], what is the same for a registration once in a [`FoundBy`]; a line then
//! needs no allocation but for its names.

mod found_by;
mod gate;
mod id;
mod line;
mod read;
mod reference;

pub use found_by::{FoundBy, LastFoundBy};
pub use gate::{is_classification, is_severity};
pub use id::{Ids, id_hash, ids, ids_in};
pub use line::{
    Alert, Background, CLASSIFICATION_DEFAULT, Context, LIST_ITEMS_MAX, Merged, Recipient, RecipientFacts,
    ReportWords, RunFacts, TEXT_CHARS_MAX, write_line, write_line_found_by,
};
pub use read::{Matched, Release, Sighting, Told};
pub use reference::{REFERENCE_KEY_BYTES, Reference, ReferenceKey};
