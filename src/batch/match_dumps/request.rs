//! What `match` is asked, and whether it can be asked that.

use crate::batch::failure::Failure;
use crate::batch::setup::{self, ReadingWords, Setup};
use crate::scan::Io;
use crate::spool::{Label, report_name};
use std::path::{Path, PathBuf};

/// What `match` is asked.
pub struct MatchRequest {
    /// Configuration and register.
    pub setup: Setup,
    /// What is said about the dumps.
    pub reading: ReadingWords,
    /// `--report`.
    pub report: Option<PathBuf>,
    /// `--observed`.
    pub observed: Option<String>,
    /// `--run-time`.
    pub run_time: Option<String>,
    /// `--label`.
    pub label: Option<String>,
    /// `--because`.
    pub because: Option<String>,
    /// `--by`.
    pub by: Option<String>,
    /// `--owner`.
    pub owners: Vec<String>,
    /// `--changed-since`.
    pub changed_since: Option<PathBuf>,
    /// `--spool`.
    pub spool: Option<PathBuf>,
    /// `--output`.
    pub output: Option<PathBuf>,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--owners`.
    pub recipients: bool,
    /// `--residual`.
    pub residual: bool,
    /// `--rejects`.
    pub rejects: Option<PathBuf>,
    /// `--metrics-file`.
    pub metrics_file: Option<PathBuf>,
    /// `--threads`.
    pub threads: Option<usize>,
    /// `--io`.
    pub io: Io,
    /// `--json`.
    pub json: bool,
    /// `--quiet`.
    pub quiet: bool,
    /// `--chunk-bytes`.
    pub chunk_bytes: Option<usize>,
    /// The dumps.
    pub dumps: Vec<PathBuf>,
}

impl MatchRequest {
    /// `match dumps/*` names reports too: what stands beside a dump that is named is its report.
    pub(super) fn leave_out_reports(&mut self) {
        let reports: Vec<PathBuf> =
            self.dumps.iter().map(|dump| report_name(dump.as_os_str()).into()).collect();
        self.dumps.retain(|dump| !reports.contains(dump));
    }

    /// `--output`, `--rejects` and `--metrics-file` write over nothing that is read.
    pub(super) fn keep_inputs(&self) -> Result<(), Failure> {
        let outputs: Vec<&Path> = [&self.output, &self.rejects, &self.metrics_file]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
        let setup = &self.setup;
        let beside: Vec<PathBuf> =
            self.dumps.iter().map(|dump| report_name(dump.as_os_str()).into()).collect();
        let inputs = self.dumps.iter().chain(&setup.registers).chain(&setup.index).chain(&setup.config);
        let inputs = inputs.chain(&self.report).chain(&beside);
        setup::keep_inputs(&outputs, &inputs.map(PathBuf::as_path).collect::<Vec<_>>())
    }

    /// What only a batch can say of its arguments together.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if let Some(label) = &self.label {
            Label::read(label).map_err(|error| Failure::Usage(format!("--label: {error}")))?;
        }
        if let Some(report) = &self.report {
            if self.dumps.len() > 1 {
                let problem =
                    "--report is about one dump (of several, each has its own beside it: FILE.toml)";
                return Err(Failure::Usage(problem.to_owned()));
            }
            setup::check_report(report)?;
        }
        if self.rejects.as_deref() == Some(Path::new("-")) {
            return Err(Failure::Usage("rejects are written to a file: name one with --rejects".to_owned()));
        }
        if self.residual && (self.dry_run || self.output.is_some()) {
            return Err(Failure::Usage("--residual is kept in a spool: give --spool DIR".to_owned()));
        }
        if self.dumps.iter().filter(|dump| dump.as_os_str() == "-").count() > 1 {
            return Err(Failure::Usage("standard input (-) can be read only once".to_owned()));
        }
        Ok(())
    }
}
