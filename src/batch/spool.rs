//! `spool take|done|fail|status|verify`: the mailer's side, and its reference.

use super::failure::{Failure, is_broken_pipe};
use super::output::{note, print_json, print_lines};
use super::setup::read_config;
use crate::spool::{self, Acknowledgement, Claims, Sender, Verification};
use std::path::{Path, PathBuf};

/// Where the spool is said to be.
pub struct SpoolPlace {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--spool`.
    pub spool: Option<PathBuf>,
}

impl SpoolPlace {
    /// Where the spool is.
    pub(super) fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(spool) = &self.spool {
            return Ok(spool.clone());
        }
        read_config(self.config.as_deref())?.spool.ok_or_else(|| {
            Failure::Usage("no spool: give --spool DIR, or [spool] in the configuration".to_owned())
        })
    }

    fn claims(&self) -> Result<Claims, Failure> {
        Claims::open(&self.path()?).map_err(Failure::Spool)
    }
}

/// `spool take`: claims the oldest unclaimed run; 1 when there is none.
pub fn spool_take(place: &SpoolPlace, sender: Option<&str>, flat: Option<&Path>) -> Result<u8, Failure> {
    let sender =
        sender.map(Sender::read).transpose().map_err(|error| Failure::Usage(format!("--sender: {error}")))?;
    let claims = place.claims()?;
    let taken = match flat {
        Some(into) => claims.take_flat(sender.as_ref(), into),
        None => claims.take(sender.as_ref()),
    };
    match taken.map_err(Failure::Spool)? {
        Some(claim) => {
            let told = print_lines(&[format!("{}\t{}", claim.name, claim.directory.display())]);
            // A claim that nobody has heard of would never be sent. Of flat copies some reader may know already.
            if told.is_err() && flat.is_none() {
                claims.give_back(&claim).map_err(Failure::Spool)?;
            }
            match told {
                Err(Failure::Output(error)) if is_broken_pipe(&error) => Err(Failure::Told(75)),
                told => told.map(|()| 0),
            }
        }
        None => Ok(1),
    }
}

/// `spool done`: the claim's notices were sent.
pub fn spool_done(place: &SpoolPlace, claim: &str) -> Result<u8, Failure> {
    acknowledge(place, claim, Acknowledgement::Done)
}

/// `spool fail`: the claim's notices could not be sent.
pub fn spool_fail(place: &SpoolPlace, claim: &str) -> Result<u8, Failure> {
    acknowledge(place, claim, Acknowledgement::Failed)
}

fn acknowledge(place: &SpoolPlace, claim: &str, how: Acknowledgement) -> Result<u8, Failure> {
    place.claims()?.acknowledge(claim, how).map_err(Failure::Spool)?;
    Ok(0)
}

/// `spool status`: counts of runs and claims.
pub fn spool_status(place: &SpoolPlace, as_json: bool) -> Result<u8, Failure> {
    let status = spool::status(&place.path()?).map_err(Failure::Spool)?;
    if as_json {
        print_json(&status)?;
        return Ok(0);
    }
    print_lines(&[
        format!(
            "new    {:>8}  runs published, of which {} claims are still to be taken",
            status.new, status.unclaimed
        ),
        format!("cur    {:>8}  claims that a mailer works on", status.cur),
        format!("done   {:>8}  claims that were sent", status.done),
        format!("failed {:>8}  claims that could not be sent", status.failed),
        format!("held   {:>8}  runs of which something waits for a person", status.held),
        format!("tmp    {:>8}  stages, being written or left by a crash", status.tmp),
    ])?;
    Ok(0)
}

/// `spool verify`: every file against its manifest; 65 with the files that are wrong.
pub fn spool_verify(place: &SpoolPlace) -> Result<u8, Failure> {
    let verification = spool::verify(&place.path()?).map_err(Failure::Spool)?;
    for problem in &verification.problems {
        note(format_args!("error: {problem}"));
    }
    let left = verification.problems_count - verification.problems.len() as u64;
    if left > 0 {
        note(format_args!("… and {left} more"));
    }
    let Verification { runs, notices, held, lines, bytes, .. } = verification;
    print_lines(&[format!(
        "{runs} runs, {notices} notices and {held} held files correct, {lines} lines, {bytes} bytes"
    )])?;
    let Verification { forgotten_alerts, forgotten_held, forgotten_runs, .. } = verification;
    if forgotten_runs > 0 {
        print_lines(&[format!(
            "{forgotten_alerts} alerts and {forgotten_held} held ones of {forgotten_runs} runs were forgotten on a person's word"
        )])?;
    }
    Ok(if verification.problems_count > 0 { 65 } else { 0 })
}
