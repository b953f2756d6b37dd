//! Where a call's alerts go: a spool, a file, or nowhere.

use super::request::MatchRequest;
use crate::batch::failure::Failure;
use crate::batch::output::AlertOutput;
use crate::batch::setup::open_spool;
use crate::config::Config;
use crate::pipeline::{RunError, RunReport};
use crate::spool::Spool;
use std::sync::{Mutex, PoisonError};

/// Where a call's alerts go.
pub(super) enum Sink {
    Spool(Spool),
    Output(Mutex<AlertOutput>),
    DryRun,
}

impl Sink {
    /// Opens what the request names, else the configuration's spool. What a killed run left in a spool is cleaned up.
    pub(super) fn open(request: &MatchRequest, config: &Config) -> Result<Self, Failure> {
        if request.dry_run {
            return Ok(Self::DryRun);
        }
        if let Some(output) = &request.output {
            return Ok(Self::Output(Mutex::new(AlertOutput::create(output)?)));
        }
        match open_spool(request.spool.as_deref(), config)? {
            Some(spool) => {
                spool.recover().map_err(Failure::Spool)?;
                Ok(Self::Spool(spool))
            }
            None => Err(Failure::Usage(
                "nowhere to put alerts: give --spool DIR, --output FILE or --dry-run, or [spool] in the configuration"
                    .to_owned(),
            )),
        }
    }

    /// A dump is done. Whether others can follow: after a torn output none can.
    pub(super) fn took(&self, report: &RunReport) -> bool {
        let Self::Output(out) = self else { return true };
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        match &report.failure {
            None => {
                out.keep();
                true
            }
            Some(RunError::Output(_)) => out.take_back(),
            Some(_) => true,
        }
    }
}
