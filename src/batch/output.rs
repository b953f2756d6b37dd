//! Standard output and standard error, which may be full, closed or a terminal; and the file of `--output`.

use super::failure::{Failure, Wanted};
use crate::pipeline::Progress;
use crate::text::{safe_line, write_json};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt;
use std::fs::{File, Permissions};
use std::io::{self, BufWriter, IsTerminal, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Says something on standard error. If nobody can hear it, nothing changes.
pub(super) fn note(said: fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{}", safe_line(&said.to_string()));
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
    write_json(&mut out, value).map_err(|error| Failure::Output(error.into()))?;
    writeln!(out).and_then(|()| out.flush()).map_err(Failure::Output)
}

/// Where `--output` goes: standard output, or a file that appears only when all is written.
///
/// Nothing is gathered here: a run gives its alerts in large blocks.
pub(super) enum AlertOutput {
    /// Standard output, a pipe or a device: what is written is gone.
    Given(Box<dyn Write + Send>),
    /// A file beside its place.
    Beside(Beside),
}

/// A file that is renamed over `path` in the end, and otherwise removed.
pub(super) struct Beside {
    path: PathBuf,
    /// `None`: it was renamed.
    temporary: Option<PathBuf>,
    file: File,
    /// How much of it is of dumps that went well.
    good_bytes: u64,
}

impl AlertOutput {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Given(Box::new(io::stdout())));
        }
        let failed = |error| Failure::file(path, Wanted::Create, error);
        // A pipe or a device cannot be replaced: it is written as it is.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let file = File::options().write(true).open(path).map_err(failed)?;
            return Ok(Self::Given(Box::new(file)));
        }
        Ok(Self::Beside(Beside::create(path)?))
    }

    /// All alerts of a dump are written.
    pub(super) fn keep(&mut self) {
        if let Self::Beside(Beside { file, good_bytes, .. }) = self {
            *good_bytes = file.stream_position().unwrap_or(*good_bytes);
        }
    }

    /// The alerts of a dump could not be written to the end: takes back those that were. Whether others can follow.
    pub(super) fn take_back(&mut self) -> bool {
        match self {
            Self::Given(_) => false,
            Self::Beside(Beside { file, good_bytes, .. }) => {
                file.set_len(*good_bytes).and_then(|()| file.seek(SeekFrom::Start(*good_bytes))).is_ok()
            }
        }
    }

    /// All dumps are written. Without this nothing is to be seen of a file.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.flush().map_err(Failure::Output)?;
        match self {
            Self::Given(_) => Ok(()),
            Self::Beside(mut beside) => beside.rename(),
        }
    }
}

/// Replaces a file as a whole, with exactly `mode` before it is there.
pub(super) fn replace_file(path: &Path, content: &[u8], mode: u32) -> Result<(), Failure> {
    let mut beside = Beside::create(path)?;
    let written = beside.file.write_all(content);
    written
        .and_then(|()| beside.file.set_permissions(Permissions::from_mode(mode)))
        .map_err(|error| Failure::file(path, Wanted::Create, error))?;
    beside.rename()
}

impl Beside {
    fn create(path: &Path) -> Result<Self, Failure> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let failed = |error| Failure::file(path, Wanted::Create, error);
        let file = File::create_new(&temporary).map_err(failed)?;
        Ok(Self { path: path.into(), temporary: Some(temporary), file, good_bytes: 0 })
    }

    fn rename(&mut self) -> Result<(), Failure> {
        let Some(temporary) = &self.temporary else { return Ok(()) };
        let failed = |error| Failure::file(&self.path, Wanted::Create, error);
        std::fs::rename(temporary, &self.path).map_err(failed)?;
        self.temporary = None;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = std::fs::remove_file(temporary);
        }
    }
}

impl Write for AlertOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Given(out) => out.write(bytes),
            Self::Beside(beside) => beside.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Given(out) => out.flush(),
            Self::Beside(beside) => beside.file.flush(),
        }
    }
}

/// How far a run or a register is, on a terminal's standard error; else nothing.
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
            Progress::Began(_) => {}
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

    /// How much of a register's source was read.
    pub(super) fn read(&self, source: &std::path::Path, bytes: u64, of: u64) {
        let name = source.display().to_string();
        self.bar.set_message(crate::text::show(name.as_bytes(), 48));
        self.style(of, "{msg}: {percent:>3} % {bytes}/{total_bytes} {eta}");
        self.bar.set_position(bytes);
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
