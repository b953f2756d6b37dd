//! What a report beside a dump says, as far as a run needs it.

use crate::alert::ReportWords;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A report beside a dump.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SourceReport {
    /// What its recipients read of it.
    pub words: Arc<ReportWords>,
    /// All that it says, by key: for the manifest, and nowhere else.
    pub said: BTreeMap<String, Value>,
}

impl SourceReport {
    /// What precedes the dump's content in its hash, so that the same dump with another report is another run: all that the
    /// report says as compact JSON with sorted keys, and a NUL. How its file is laid out is not in it.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.said).expect("its keys are text and its numbers finite");
        bytes.push(0);
        bytes
    }
}
