//! The fuse: how much a feed sends in one run before a person looks.
//!
//! A wrong list must not warn the country. Whatever is wrong with it (inventory instead of findings, a column that moved, a
//! prefix that grew), it shows in the number of alerts. Beyond a limit nothing of the run is sent: all of it waits for a
//! person, who releases or discards it. What is equal to a limit is not beyond it. No limit is set by default.
//!
//! [`Fuse::blown`] is a pure function of the counts of a run and of those before it. It knows no clock and no spool.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Earlier runs that tell what is usual.
pub const EARLIER_RUNS_MAX: usize = 7;
/// With fewer, nobody knows what is usual, and growth is not judged.
pub const EARLIER_RUNS_MIN: usize = 3;

/// What of a feed's run may be sent at once. The default lets everything pass.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Fuse {
    /// Whether anything may.
    pub mode: FuseMode,
    /// Alerts at most.
    pub alerts_max: Option<u64>,
    /// Owners told at most.
    pub owners_max: Option<u64>,
    /// Alerts at most, as a multiple of the median of the earlier runs.
    pub growth_max: Option<f64>,
}

/// Whether a feed's alerts are sent without a person having looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FuseMode {
    /// They are, within the limits.
    #[default]
    Share,
    /// Never.
    Hold,
}

impl FuseMode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Share, Self::Hold];

    /// The word for it in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Hold => "hold",
        }
    }
}

/// What a run would send: what is held for another reason, duplicates and exceptions are not in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sending {
    /// Alerts.
    pub alerts: u64,
    /// Owners that they go to.
    pub owners: u64,
}

/// Which limit a run is beyond; a closed set, in the order in which they are judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FuseLimit {
    /// `mode = "hold"`.
    Mode,
    /// `alerts_max`.
    AlertsMax,
    /// `owners_max`.
    OwnersMax,
    /// `growth_max`.
    GrowthMax,
}

impl FuseLimit {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Mode, Self::AlertsMax, Self::OwnersMax, Self::GrowthMax];

    /// Its key in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::AlertsMax => "alerts_max",
            Self::OwnersMax => "owners_max",
            Self::GrowthMax => "growth_max",
        }
    }
}

/// A fuse that blew: which limit, and by how much.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Blown {
    /// The first limit that the run is beyond.
    pub limit: FuseLimit,
    /// What may be sent: alerts, or owners for [`FuseLimit::OwnersMax`].
    pub max: u64,
    /// What would have been.
    pub found: u64,
    /// For [`FuseLimit::GrowthMax`]: the alerts of the earlier runs, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<u64>,
}

impl Fuse {
    /// The first limit that a run is beyond. `earlier` are the alerts of the feed's last runs, at most [`EARLIER_RUNS_MAX`] of
    /// them, the oldest first; with fewer than [`EARLIER_RUNS_MIN`] growth is not judged.
    pub fn blown(&self, sending: Sending, earlier: &[u64]) -> Option<Blown> {
        let Sending { alerts, owners } = sending;
        let none = (self.mode == FuseMode::Hold).then_some(0);
        let of_growth = self.growth_max.and_then(|growth| usual(earlier).map(|usual| grown(usual, growth)));
        let limits = [
            (FuseLimit::Mode, none, alerts),
            (FuseLimit::AlertsMax, self.alerts_max, alerts),
            (FuseLimit::OwnersMax, self.owners_max, owners),
            (FuseLimit::GrowthMax, of_growth, alerts),
        ];
        let (limit, max, found) = limits
            .into_iter()
            .filter_map(|(limit, max, found)| Some((limit, max?, found)))
            .find(|(_, max, found)| found > max)?;
        let earlier = if limit == FuseLimit::GrowthMax { earlier.to_vec() } else { Vec::new() };
        Some(Blown { limit, max, found, earlier })
    }

    /// Whether its verdict may hang on earlier runs.
    pub fn looks_back(&self) -> bool {
        self.mode == FuseMode::Share && self.growth_max.is_some()
    }

    /// The same without its limits: what a person has asked for is not judged by its size.
    pub fn without_limits(self) -> Self {
        Self { mode: self.mode, ..Self::default() }
    }
}

/// The median of earlier runs, at least 1: a feed whose nights are quiet may say something. `None`: there are too few.
fn usual(earlier: &[u64]) -> Option<f64> {
    if earlier.len() < EARLIER_RUNS_MIN {
        return None;
    }
    let mut sorted = earlier.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        1 => sorted[middle] as f64,
        _ => (sorted[middle - 1] as f64 + sorted[middle] as f64) / 2.0,
    };
    Some(median.max(1.0))
}

/// How many alerts `growth` times what is usual are, rounded down: a count is beyond that if and only if it is beyond the product.
fn grown(usual: f64, growth: f64) -> u64 {
    // 1.15 × 100 is a little less than 115 in binary fractions, and 115 alerts are not beyond it.
    (usual * growth * (1.0 + 1e-12)) as u64
}

impl Blown {
    /// Whether somebody should come and look: that a feed is held always is no news.
    pub fn is_unusual(&self) -> bool {
        self.limit != FuseLimit::Mode
    }
}

impl fmt::Display for Blown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, max, found, earlier } = self;
        let word = if *limit == FuseLimit::OwnersMax { "owner" } else { "alert" };
        let plural = if *found == 1 { "" } else { "s" };
        write!(f, "{} {word}{plural}, ", Grouped(*found))?;
        match limit {
            FuseLimit::Mode => f.write_str("and mode = \"hold\""),
            FuseLimit::AlertsMax | FuseLimit::OwnersMax => write!(f, "more than {} = {max}", limit.as_str()),
            FuseLimit::GrowthMax => {
                let earlier: Vec<String> =
                    earlier.iter().map(|alerts| Grouped(*alerts).to_string()).collect();
                let max = Grouped(*max);
                write!(f, "more than growth_max allows ({max}, after runs of {})", earlier.join("; "))
            }
        }
    }
}

/// `1,204`.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.char_indices() {
            let comma = if at > 0 && (digits.len() - at).is_multiple_of(3) { "," } else { "" };
            write!(f, "{comma}{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending(alerts: u64, owners: u64) -> Sending {
        Sending { alerts, owners }
    }

    fn grows(growth: f64, alerts: u64, earlier: &[u64]) -> bool {
        let fuse = Fuse { growth_max: Some(growth), ..Fuse::default() };
        fuse.blown(sending(alerts, 1), earlier).is_some()
    }

    #[test]
    fn without_limits_everything_passes() {
        assert_eq!(Fuse::default().blown(sending(u64::MAX, u64::MAX), &[0; 7]), None);
    }

    #[test]
    fn what_is_equal_to_a_limit_is_not_beyond_it() {
        for max in 0..20 {
            for found in 0..20 {
                let by_alerts = Fuse { alerts_max: Some(max), ..Fuse::default() };
                let by_owners = Fuse { owners_max: Some(max), ..Fuse::default() };
                assert_eq!(by_alerts.blown(sending(found, 0), &[]).is_some(), found > max);
                assert_eq!(by_owners.blown(sending(99, found), &[]).is_some(), found > max);
            }
        }
    }

    #[test]
    fn a_feed_that_is_held_has_nothing_to_hold_on_a_quiet_night() {
        let fuse = Fuse { mode: FuseMode::Hold, ..Fuse::default() };
        assert_eq!(fuse.blown(sending(0, 0), &[]), None);
        let blown = fuse.blown(sending(1, 1), &[]).unwrap();
        assert_eq!(blown, Blown { limit: FuseLimit::Mode, max: 0, found: 1, earlier: Vec::new() });
        assert!(!blown.is_unusual());
    }

    #[test]
    fn the_first_limit_is_the_one_that_is_told() {
        let fuse =
            Fuse { mode: FuseMode::Hold, alerts_max: Some(1), owners_max: Some(1), growth_max: Some(1.0) };
        let first = |fuse: Fuse| fuse.blown(sending(9, 9), &[1, 1, 1]).unwrap().limit;
        assert_eq!(first(fuse), FuseLimit::Mode);
        let fuse = Fuse { mode: FuseMode::Share, ..fuse };
        assert_eq!(first(fuse), FuseLimit::AlertsMax);
        let fuse = Fuse { alerts_max: Some(9), ..fuse };
        assert_eq!(first(fuse), FuseLimit::OwnersMax);
        assert_eq!(first(Fuse { owners_max: None, ..fuse }), FuseLimit::GrowthMax);
    }

    #[test]
    fn growth_is_judged_from_three_earlier_runs_on() {
        assert!(!grows(2.0, 1_000_000, &[]));
        assert!(!grows(2.0, 1_000_000, &[10]));
        assert!(!grows(2.0, 1_000_000, &[10, 10]));
        assert!(!grows(2.0, 20, &[10, 10, 10]));
        assert!(grows(2.0, 21, &[10, 10, 10]));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_its_two_in_the_middle() {
        // 1, 3, 5, 9: 4, and twice that is 8.
        assert!(!grows(2.0, 8, &[9, 1, 5, 3]));
        assert!(grows(2.0, 9, &[9, 1, 5, 3]));
        // 10, 11: 10.5, and once that is 10.
        assert!(!grows(1.0, 10, &[11, 10, 0, 99]));
        assert!(grows(1.0, 11, &[11, 10, 0, 99]));
    }

    #[test]
    fn one_wild_night_moves_the_median_little() {
        assert!(grows(3.0, 31, &[10, 10, 1_000_000, 10, 10, 1_000_000, 1_000_000]));
    }

    /// Exactly, in whole numbers: `100 × found > percent × median`.
    #[test]
    fn a_ratio_with_decimals_is_exact_at_its_border() {
        for percent in (100..=400_u64).step_by(5) {
            for median in 1..=300 {
                let border = percent * median / 100;
                for found in [border.saturating_sub(1), border, border + 1] {
                    let is_beyond = 100 * found > percent * median;
                    assert_eq!(
                        grows(percent as f64 / 100.0, found, &[median; 3]),
                        is_beyond,
                        "{percent} {median}"
                    );
                }
            }
        }
    }

    #[test]
    fn quiet_nights_count_as_one_alert() {
        assert!(!grows(3.0, 3, &[0; 7]));
        assert!(grows(3.0, 4, &[0; 7]));
    }

    #[test]
    fn a_blown_fuse_says_which_limit_and_by_how_much() {
        let told = |limit, max, found, earlier: &[u64]| {
            Blown { limit, max, found, earlier: earlier.to_vec() }.to_string()
        };
        assert_eq!(told(FuseLimit::AlertsMax, 1000, 1204, &[]), "1,204 alerts, more than alerts_max = 1000");
        assert_eq!(told(FuseLimit::OwnersMax, 0, 1, &[]), "1 owner, more than owners_max = 0");
        assert_eq!(told(FuseLimit::Mode, 0, 1_234_567, &[]), "1,234,567 alerts, and mode = \"hold\"");
        assert_eq!(
            told(FuseLimit::GrowthMax, 3000, 3001, &[999, 1000, 1001]),
            "3,001 alerts, more than growth_max allows (3,000, after runs of 999; 1,000; 1,001)"
        );
    }
}
