//! Source protection: what an alert does not tell of where its finding comes from.

use super::Tlp;

/// What recipients of a feed's alerts are not told of its source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SourceProtection {
    /// From which label on an alert names neither the feed nor its provider.
    pub hide_from: Option<Tlp>,
    /// No alert names its run and record.
    pub is_opaque: bool,
}

impl SourceProtection {
    /// Whether an alert of that label hides who reported it. A label that cannot be read may be any, and hides it too.
    pub fn hides_source(&self, label: Tlp, is_label_unknown: bool) -> bool {
        self.hide_from.is_some_and(|from| is_label_unknown || label >= from)
    }

    /// Whether an alert bears a reference instead of run and record. A run's name begins with the feed's: who must not learn
    /// the one is not shown the other.
    pub fn hides_run(&self, label: Tlp, is_label_unknown: bool) -> bool {
        self.is_opaque || self.hides_source(label, is_label_unknown)
    }

    /// Whether any alert may need a reference.
    pub fn needs_references(&self) -> bool {
        self.is_opaque || self.hide_from.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_hidden_from_its_label_on_and_where_the_label_may_be_any() {
        let none = SourceProtection::default();
        for label in Tlp::ALL {
            assert_eq!((none.hides_source(label, true), none.hides_run(label, true)), (false, false));
            for from in Tlp::ALL {
                let some = SourceProtection { hide_from: Some(from), is_opaque: false };
                let hides = label as u8 >= from as u8;
                assert_eq!((some.hides_source(label, false), some.hides_run(label, false)), (hides, hides));
                assert!(some.hides_source(label, true) && some.hides_run(label, true));
            }
            let opaque = SourceProtection { hide_from: None, is_opaque: true };
            assert_eq!((opaque.hides_source(label, true), opaque.hides_run(label, false)), (false, true));
        }
    }
}
