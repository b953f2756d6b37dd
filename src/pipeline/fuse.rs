//! Whether a run is sent, once it is known how much it would send.

use super::{Correcting, FeedFacts, Job, RunError};
use crate::policy::{Blown, EARLIER_RUNS_MAX, Sending};
use crate::spool::{FeedName, earlier_alerts};

/// What the fuse of the run's feed says. Earlier runs are looked up only if they are asked for; where no spool is known there
/// are none, and growth is not judged. A correction has the size that a person gave it.
pub(super) fn blown(
    job: &Job<'_>,
    feed: &str,
    facts: &FeedFacts,
    correcting: Option<&Correcting<'_>>,
    sending: Sending,
) -> Result<Option<Blown>, RunError> {
    let fuse = if correcting.is_some() { facts.fuse.without_limits() } else { facts.fuse };
    let blown = fuse.blown(sending, &[]);
    match job.history.filter(|_| blown.is_none() && fuse.looks_back()) {
        Some(spool) => {
            let earlier = earlier_alerts(spool, &FeedName::read(feed)?, EARLIER_RUNS_MAX)?;
            Ok(fuse.blown(sending, &earlier))
        }
        None => Ok(blown),
    }
}
