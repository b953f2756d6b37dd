//! The file of `--rejects`, of several dumps in their order.

use super::turns::InTurn;
use crate::pipeline::TemporaryError;
use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tempfile::{SpooledTempFile, spooled_tempfile};

/// Bytes that wait in memory for their turn; more of them wait in a file without a name.
const WAITING_BYTES: usize = 1 << 20;

/// Where the rejects of one dump go.
pub(super) struct Rejects<'c> {
    file: Option<&'c Mutex<BufWriter<File>>>,
    /// Those that wait for the dump's turn; `None`: it has the turn.
    waiting: Option<Mutex<BufWriter<SpooledTempFile>>>,
    is_given: AtomicBool,
}

impl<'c> Rejects<'c> {
    /// `waits`: the dump is read before its turn comes.
    pub(super) fn new(file: Option<&'c Mutex<BufWriter<File>>>, waits: bool) -> Self {
        let waits = waits && file.is_some();
        Self {
            file,
            waiting: waits.then(|| Mutex::new(BufWriter::new(spooled_tempfile(WAITING_BYTES)))),
            is_given: AtomicBool::new(false),
        }
    }

    /// Where the run writes them; `None`: nobody asks for them.
    pub(super) fn out(&self) -> Option<Box<dyn Write + Send + Sync + '_>> {
        match (&self.waiting, self.file) {
            (Some(waiting), _) => Some(Box::new(Waiting(InTurn(waiting)))),
            (None, Some(file)) => Some(Box::new(InTurn(file))),
            (None, None) => None,
        }
    }

    /// Gives those that waited, once.
    pub(super) fn give(&self) -> io::Result<()> {
        let (Some(waiting), Some(file)) = (&self.waiting, self.file) else { return Ok(()) };
        if self.is_given.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.rewind().map_err(of_directory)?;
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        io::copy(waiting.get_mut(), &mut *file).map(drop)
    }
}

/// What waits in a file that no one named: an error says where that is.
struct Waiting<W>(W);

impl<W: Write> Write for Waiting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(of_directory)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(of_directory)
    }
}

fn of_directory(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), TemporaryError { directory: std::env::temp_dir(), error })
}
