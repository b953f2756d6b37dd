//! `preview`: how a dump would be read, and its first alerts.

use super::failure::Failure;
use super::output::{note, print_lines};
use super::setup::{ReadingWords, Setup, check_report, facts_of, observed_of, report_on, run_time};
use crate::config::Feed;
use crate::index::Index;
use crate::pipeline::{self, Against, Job, Preview, Reading};
use crate::register::Register;
use crate::scan::{Input, Packing};
use crate::text::show;
use std::path::PathBuf;
use std::sync::Arc;

/// What `preview` is asked.
pub struct PreviewRequest {
    /// Configuration and register.
    pub setup: Setup,
    /// What is said about the dump.
    pub reading: ReadingWords,
    /// `--report`.
    pub report: Option<PathBuf>,
    /// `--run-time`.
    pub run_time: Option<String>,
    /// The dump.
    pub dump: PathBuf,
}

/// Shows how a dump would be read. Alerts need a register; without one the rest is shown.
pub fn preview(request: PreviewRequest) -> Result<u8, Failure> {
    let config = request.setup.read_config()?;
    let run_time = run_time(request.run_time.as_deref())?;
    request.reading.feed()?;
    request.reading.over(&Feed::default(), &config)?;
    request.report.as_deref().map(check_report).transpose()?;
    let (index, with_alerts) = match request.setup.load_index(&config) {
        Ok(index) => (index, true),
        Err(Failure::Usage(_)) => {
            note(format_args!("no register: alerts are not shown (give --index FILE or --register FILE)"));
            (Index::build(&Register::default()).map_err(Failure::Build)?, false)
        }
        Err(failure) => return Err(failure),
    };
    let report = report_on(&request.dump, request.report.as_deref(), &config).map_err(Failure::Run)?;
    let senders = config.senders.in_office(run_time.day());
    let (input, name) = (Input::of_argument(request.dump.as_os_str()), request.dump.to_string_lossy());
    let (scratch_directory, cancelled) = (std::env::temp_dir(), Arc::default());
    let facts = |name: &str| facts_of(name, &request.reading, &config, report.as_ref());
    let against = Against { run_time, senders: &senders, rulebook: &config.rulebook, index: &index };
    let job = Job {
        feed: request.reading.feed.as_deref(),
        observed: observed_of(None, report.as_ref()),
        reading: Reading::of_at_most(config.limits.decompressed_bytes_max),
        ..Job::new(&input, &name, &facts, against, &scratch_directory, &cancelled)
    };
    let preview = pipeline::preview(&job, with_alerts).map_err(Failure::Run)?;
    print_lines(&describe(&preview, with_alerts))?;
    Ok(0)
}

/// Characters of a sample.
const SAMPLE_CHARS_MAX: usize = 32;

fn describe(preview: &Preview, with_alerts: bool) -> Vec<String> {
    let packing = preview.packing.map_or("none", Packing::as_str);
    let mut lines = vec![
        format!("feed        {}", preview.feed),
        format!("format      {}", preview.format),
        format!("compression {packing}"),
        format!("encoding    {}", preview.encoding.as_str()),
    ];
    if let Some(delimiter) = preview.description.delimiter {
        lines.push(format!("delimiter   {}", show(&[delimiter], 8)));
    }
    let width = preview
        .description
        .columns
        .iter()
        .map(|column| column.name.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    lines.push("columns     (name, what it is taken for, samples)".to_owned());
    for (i, column) in preview.description.columns.iter().enumerate() {
        let samples: Vec<String> = preview
            .samples
            .iter()
            .filter_map(|values| values.get(i).cloned().flatten())
            .map(|value| show(value.as_bytes(), SAMPLE_CHARS_MAX))
            .collect();
        let name = show(column.name.as_bytes(), 40);
        let taken = column.taken_for.unwrap_or("-");
        lines.push(format!("  {name:<width$}  {taken:<12}  {}", samples.join(" | ")).trim_end().to_owned());
    }
    if with_alerts {
        lines.push(format!("first alerts ({} shown)", preview.alerts.len()));
        lines.extend(preview.alerts.iter().map(|line| String::from_utf8_lossy(line).trim_end().to_owned()));
    }
    lines
}
