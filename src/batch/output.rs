//! Standard output and standard error, which may be full, closed or a terminal; and the file of `--output`.

use super::failure::{Failure, Wanted};
use crate::pipeline::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Says something on standard error. If nobody can hear it, nothing changes.
pub(super) fn note(said: fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{said}");
}

/// Prints lines of data.
pub(super) fn print_lines(lines: &[impl fmt::Display]) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in lines {
        writeln!(out, "{line}").map_err(Failure::Output)?;
    }
    out.flush().map_err(Failure::Output)
}

/// Prints a JSON document on a line of its own.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, value).map_err(|error| Failure::Output(error.into()))?;
    writeln!(out).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Where `--output` goes: standard output, or a file that appears only when all is written.
pub(super) enum AlertOutput {
    Stdout(BufWriter<io::Stdout>),
    File { path: PathBuf, temporary: PathBuf, writer: BufWriter<File> },
}

impl AlertOutput {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stdout(BufWriter::with_capacity(WRITE_BYTES, io::stdout())));
        }
        // A pipe or a device cannot be replaced: it is written as it is.
        let special = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = if special { path.to_owned() } else { path.with_file_name(name) };
        let create =
            if special { File::options().write(true).open(&temporary) } else { File::create_new(&temporary) };
        let file = create.map_err(|error| Failure::file(path, Wanted::Create, error))?;
        Ok(Self::File { path: path.into(), temporary, writer: BufWriter::with_capacity(WRITE_BYTES, file) })
    }

    /// All dumps are written.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.flush().map_err(Failure::Output)?;
        match &self {
            Self::File { path, temporary, .. } if path != temporary => {
                std::fs::rename(temporary, path).map_err(|error| Failure::file(path, Wanted::Create, error))
            }
            _ => Ok(()),
        }
    }

    /// Nothing is to be seen of it.
    pub(super) fn discard(self) {
        if let Self::File { path, temporary, .. } = &self
            && path != temporary
        {
            let _ = std::fs::remove_file(temporary);
        }
    }
}

impl Write for AlertOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File { writer, .. } => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File { writer, .. } => writer.flush(),
        }
    }
}

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 * 1024;

/// How far a run is, on a terminal's standard error; else nothing.
pub(super) struct ProgressLine {
    bar: ProgressBar,
}

impl ProgressLine {
    pub(super) fn new(dump: &str, quiet: bool) -> Self {
        let hidden = quiet || !io::stderr().is_terminal();
        let target =
            if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(5) };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_message(crate::text::show(dump.as_bytes(), 48));
        Self { bar }
    }

    pub(super) fn tell(&self, progress: Progress) {
        match progress {
            Progress::Scanned { bytes, of: Some(of) } => {
                self.style(of, "{msg}: {percent:>3} % {bytes}/{total_bytes} {bytes_per_sec} {eta}");
                self.bar.set_position(bytes);
            }
            Progress::Scanned { bytes, of: None } => {
                self.style(0, "{msg}: {bytes} {bytes_per_sec} {elapsed}");
                self.bar.set_position(bytes);
            }
            Progress::Rendered { lines, of } => {
                self.style(of, "{msg}: {pos}/{len} alerts");
                self.bar.set_position(lines);
            }
        }
    }

    fn style(&self, length: u64, template: &str) {
        if self.bar.length() != Some(length) {
            self.bar.set_length(length);
            self.bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
