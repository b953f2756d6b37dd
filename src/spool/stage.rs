//! A stage: where a run is written before anybody may see it.
//!
//! ```text
//! tmp/<stage>/                           locked (flock) by its process for its life
//!     run/<sender>/<owner_id>.jsonl      becomes new/<run>
//!     held/<sender>/<owner_id>.jsonl     becomes held/<run>, if there is any
//!     residual.jsonl                     becomes runs/<run>.residual.jsonl, if it is asked for
//! ```
//!
//! Dropping a stage throws it away. What a crash leaves has no lock, and recovery removes it. A stage is made and locked under
//! the spool's lock, so that recovery never sees one that is made but not yet locked.

use super::directory::Directory;
use super::error::SpoolError;
use super::layout::{PRIVATE, PUBLISHED, Spool};
use super::manifest::{NoticeFacts, Recipient};
use super::names::{Sender, notice_file};
use super::publish::StagedRun;
use super::tally::{READ_BYTES, Tally, count_lines};
use rayon::prelude::*;
use rustix::fs::{Gid, Mode};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes gathered before they are written, hashed and counted: large enough for BLAKE3's widest path and for few system
/// calls, small enough to stay in the second-level cache.
const WRITE_BYTES: usize = 128 * 1024;
/// Lines that are given at once from this many bytes on are written from where they stand.
const WRITE_BYTES_MIN: usize = 64 * 1024;
/// Up to this many files are made durable one by one, more by one `syncfs`.
pub const FSYNC_FILES_MAX: usize = 256;
/// Notices and held files of one run.
pub const NOTICES_MAX: usize = 500_000;
/// Stages that may stand beside each other; more are left over from something that went wrong.
const STAGES_MAX: u32 = 100_000;

pub(super) const RUN: &str = "run";
pub(super) const HELD: &str = "held";
pub(super) const RESIDUAL: &str = "residual.jsonl";

const NOTICE_MODE: Mode = Mode::from_raw_mode(0o640);
const HELD_MODE: Mode = Mode::from_raw_mode(0o600);

/// Of what a staged file is a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// Notices, sent once the run is published.
    Notices,
    /// Waiting for a person.
    Held,
}

/// A run while it is written. Usable from several threads at once.
#[derive(Debug)]
pub struct Stage<'s> {
    pub(super) spool: &'s Spool,
    name: String,
    /// Holds the lock, and was open before the first write: the descriptor for `syncfs`.
    pub(super) directory: Directory,
    written: Mutex<Written>,
    /// Buffers of writers that are done, for the next.
    buffers: Mutex<Vec<Vec<u8>>>,
    /// A writer was dropped before it was done.
    is_abandoned: AtomicBool,
}

/// All that was written so far.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) notices: Tree,
    pub(super) held: Tree,
    /// Whether there is a list of what is nobody's.
    pub(super) has_residual: bool,
    /// Files still open to be made durable one by one; `None` when they became too many.
    ///
    /// They stay open because a write-back that failed is told for certain only to a descriptor that was open then.
    pub(super) files: Option<Vec<(File, PathBuf)>>,
}

/// The staged files of one part.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Option<Arc<Directory>>,
    pub(super) senders: BTreeMap<Sender, Arc<Directory>>,
    pub(super) facts: Vec<NoticeFacts>,
}

impl Spool {
    /// Begins a run. Nothing of it can be seen before [`StagedRun::publish`].
    pub fn stage(&self) -> Result<Stage<'_>, SpoolError> {
        let lock = self.lock()?;
        let (name, directory) = create_stage(&self.tmp)?;
        let stage = Stage {
            spool: self,
            name,
            written: Mutex::new(Written {
                notices: Tree::default(),
                held: Tree::default(),
                has_residual: false,
                files: Some(Vec::new()),
            }),
            buffers: Mutex::default(),
            is_abandoned: AtomicBool::new(false),
            directory,
        };
        if !stage.directory.try_lock()? {
            return Err(SpoolError::Locked { path: stage.directory.path().to_owned() });
        }
        drop(lock);
        let group = Gid::from_raw(self.new.own_stat()?.st_gid);
        let run = stage.directory.create(RUN, PUBLISHED, Some(group))?;
        stage.written().notices.root = Some(Arc::new(run));
        Ok(stage)
    }
}

fn create_stage(tmp: &Directory) -> Result<(String, Directory), SpoolError> {
    let process = std::process::id();
    let names = (0..STAGES_MAX).map(|number| format!("{process}.{number}"));
    for name in names {
        if !tmp.holds(&name)? {
            let directory = tmp.create(&name, PRIVATE, None)?;
            return Ok((name, directory));
        }
    }
    Err(SpoolError::unfinished(tmp.path(), format!("{STAGES_MAX} stages stand there")))
}

impl Stage<'_> {
    /// A writer for the notice of one recipient; each recipient has one.
    pub fn notice(&self, recipient: Recipient) -> Result<NoticeWriter<'_>, SpoolError> {
        self.writer(Part::Notices, recipient)
    }

    /// A writer for what is held under one owner; each owner has one.
    pub fn held(&self, recipient: Recipient) -> Result<NoticeWriter<'_>, SpoolError> {
        self.writer(Part::Held, recipient)
    }

    /// Writes the list of what is Dutch and nobody's, all at once; it appears with the run.
    pub fn write_residual(
        &self,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), SpoolError> {
        let path = || self.path().join(RESIDUAL);
        let file = self.directory.create_file(RESIDUAL, HELD_MODE)?;
        let mut out = BufWriter::with_capacity(WRITE_BYTES, file);
        let written = write(&mut out).and_then(|()| out.flush());
        let file = written.and_then(|()| out.into_inner().map_err(|error| error.into_error()));
        let file = file.map_err(|error| SpoolError::system("write", path(), error))?;
        let mut written = self.written();
        written.has_residual = true;
        written.keep(file, path);
        Ok(())
    }

    /// A file without a name on the spool's file system, for what does not fit in memory. It is gone when dropped.
    pub fn scratch(&self) -> Result<Scratch, SpoolError> {
        let file = self.directory.unnamed_file()?;
        Ok(Scratch { file, path: self.directory.path().join("(scratch)"), bytes: 0 })
    }

    fn writer(&self, part: Part, recipient: Recipient) -> Result<NoticeWriter<'_>, SpoolError> {
        let file_name = notice_file(&recipient.owner_id)?;
        let buffer = self.buffers().pop().unwrap_or_else(|| Vec::with_capacity(WRITE_BYTES));
        Ok(NoticeWriter {
            stage: self,
            part,
            recipient,
            file_name,
            file: None,
            buffer,
            hasher: blake3::Hasher::new(),
            lines: 0,
            bytes: 0,
            is_whole: true,
            has_failed: false,
            is_finished: false,
        })
    }

    fn sender_directory(&self, part: Part, sender: &Sender) -> Result<Arc<Directory>, SpoolError> {
        let mut written = self.written();
        let tree = match part {
            Part::Notices => &mut written.notices,
            Part::Held => &mut written.held,
        };
        if let Some(directory) = tree.senders.get(sender) {
            return Ok(Arc::clone(directory));
        }
        let root = match &tree.root {
            Some(root) => root,
            // The other part's was made with the stage.
            None => tree.root.insert(Arc::new(self.directory.create(HELD, PRIVATE, None)?)),
        };
        let made = Arc::new(match part {
            Part::Notices => root.create(sender.as_str(), PUBLISHED, self.spool.group_of(sender))?,
            Part::Held => root.create(sender.as_str(), PRIVATE, None)?,
        });
        tree.senders.insert(sender.clone(), Arc::clone(&made));
        Ok(made)
    }

    fn add(
        &self,
        part: Part,
        facts: NoticeFacts,
        file: File,
        path: impl FnOnce() -> PathBuf,
    ) -> Result<(), SpoolError> {
        let mut written = self.written();
        if written.notices.facts.len() + written.held.facts.len() >= NOTICES_MAX {
            let reason = format!("more than {NOTICES_MAX} notices and held files");
            return Err(SpoolError::unfinished(self.path(), reason));
        }
        written.keep(file, path);
        match part {
            Part::Notices => written.notices.facts.push(facts),
            Part::Held => written.held.facts.push(facts),
        }
        Ok(())
    }

    pub(super) fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn buffers(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Written {
    /// Keeps a written file open to be made durable, unless there are too many.
    pub(super) fn keep(&mut self, file: File, path: impl FnOnce() -> PathBuf) {
        match &mut self.files {
            Some(files) if files.len() < FSYNC_FILES_MAX => files.push((file, path())),
            _ => self.files = None,
        }
    }
}

impl Drop for Stage<'_> {
    /// Throws away what was not published. What cannot be removed now is removed by recovery, once our lock is gone.
    fn drop(&mut self) {
        let _ = self.spool.tmp.remove_tree(&self.name);
    }
}

/// Writes one notice; blocks of at least 64 KiB reach the disk.
///
/// The file is made with the first block. A writer that was given nothing leaves nothing.
#[derive(Debug)]
pub struct NoticeWriter<'s> {
    stage: &'s Stage<'s>,
    part: Part,
    recipient: Recipient,
    file_name: String,
    file: Option<File>,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    lines: u64,
    bytes: u64,
    is_whole: bool,
    /// A block was lost: nothing after it can make the notice whole.
    has_failed: bool,
    is_finished: bool,
}

impl NoticeWriter<'_> {
    /// Appends lines, each with its `\n`. A line may come in pieces.
    #[inline]
    pub fn append(&mut self, lines: &[u8]) -> Result<(), SpoolError> {
        let is_block = self.buffer.is_empty() && lines.len() >= WRITE_BYTES_MIN;
        if is_block || self.buffer.len() + lines.len() > WRITE_BYTES {
            self.append_block(lines)
        } else {
            self.buffer.extend_from_slice(lines);
            Ok(())
        }
    }

    /// Ends the notice, and says what is in it. Without this the stage can no longer be published.
    pub fn finish(mut self) -> Result<u64, SpoolError> {
        self.write_buffer()?;
        if self.has_failed {
            return Err(SpoolError::unfinished(
                self.path(),
                "it was finished although writing it had failed",
            ));
        }
        if !self.is_whole {
            return Err(SpoolError::unfinished(self.path(), "the last line has no end"));
        }
        if let Some(file) = self.file.take() {
            let facts = NoticeFacts {
                sender: self.recipient.sender.clone(),
                owner_id: std::mem::take(&mut self.recipient.owner_id),
                name: self.recipient.name.take(),
                contacts: std::mem::take(&mut self.recipient.contacts),
                lines: self.lines,
                bytes: self.bytes,
                blake3: self.hasher.finalize().into(),
            };
            self.stage.add(self.part, facts, file, || self.path())?;
        }
        self.is_finished = true;
        Ok(self.lines)
    }

    #[cold]
    fn append_block(&mut self, lines: &[u8]) -> Result<(), SpoolError> {
        self.write_buffer()?;
        if lines.len() < WRITE_BYTES_MIN {
            self.buffer.extend_from_slice(lines);
            return Ok(());
        }
        self.write(lines)
    }

    fn write_buffer(&mut self) -> Result<(), SpoolError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = if buffer.is_empty() { Ok(()) } else { self.write(&buffer) };
        buffer.clear();
        self.buffer = buffer;
        result
    }

    fn write(&mut self, block: &[u8]) -> Result<(), SpoolError> {
        self.write_block(block).inspect_err(|_| self.has_failed = true)
    }

    fn write_block(&mut self, block: &[u8]) -> Result<(), SpoolError> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let directory = self.stage.sender_directory(self.part, &self.recipient.sender)?;
                directory.create_file(&self.file_name, self.mode())?
            }
        };
        file.write_all(block).map_err(|error| SpoolError::system("write", self.path(), error))?;
        self.file = Some(file);
        self.hasher.update(block);
        self.lines += count_lines(block);
        self.bytes += block.len() as u64;
        self.is_whole = block.ends_with(b"\n");
        Ok(())
    }

    fn mode(&self) -> Mode {
        match self.part {
            Part::Notices => NOTICE_MODE,
            Part::Held => HELD_MODE,
        }
    }

    fn path(&self) -> PathBuf {
        let part = match self.part {
            Part::Notices => RUN,
            Part::Held => HELD,
        };
        self.stage.path().join(part).join(self.recipient.sender.as_str()).join(&self.file_name)
    }
}

impl Drop for NoticeWriter<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.stage.is_abandoned.store(true, Ordering::Relaxed);
        }
        let buffer = std::mem::take(&mut self.buffer);
        // At most one buffer for each writer that was ever open at once.
        if buffer.capacity() > 0 {
            self.stage.buffers().push(buffer);
        }
    }
}

/// A file without a name, appended to and then read at random.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Scratch {
    /// Appends a block, and returns where it begins. Nothing is gathered: give 64 KiB or more at once.
    pub fn append(&mut self, block: &[u8]) -> Result<u64, SpoolError> {
        let start = self.bytes;
        self.file.write_all(block).map_err(|error| SpoolError::system("write", &self.path, error))?;
        self.bytes += block.len() as u64;
        Ok(start)
    }

    /// Fills `buffer` from `offset`. Several threads may read at once.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SpoolError> {
        self.file.read_exact_at(buffer, offset).map_err(|error| SpoolError::system("read", &self.path, error))
    }

    /// The file itself, which has no name: whoever keeps it may use it as it likes.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Bytes appended so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<'s> Stage<'s> {
    /// Reads all staged files back and counts them: what the books are balanced against.
    ///
    /// Each file is compared with what its writer counted, and must end with a line end.
    pub fn read_back(self) -> Result<StagedRun<'s>, SpoolError> {
        if self.is_abandoned.load(Ordering::Relaxed) {
            return Err(SpoolError::unfinished(self.path(), "a notice was not written to its end"));
        }
        let (alerts, held) = {
            let mut written = self.written();
            let Written { notices, held, .. } = &mut *written;
            (notices.read_back()?, held.read_back()?)
        };
        Ok(StagedRun::new(self, alerts, held))
    }
}

impl Tree {
    /// Counts the lines of all files, and brings the facts into the order of a manifest.
    fn read_back(&mut self) -> Result<u64, SpoolError> {
        self.facts.sort_by_cached_key(|facts| {
            let (sender, owner) = facts.order();
            (sender.clone(), owner)
        });
        if let Some(twins) = self.facts.windows(2).find(|twins| twins[0].order() == twins[1].order()) {
            let reason = format!("{} and {} differ only in case", twins[0].owner_id, twins[1].owner_id);
            return Err(SpoolError::unfinished(self.senders[&twins[0].sender].path(), reason));
        }
        let senders = &self.senders;
        self.facts
            .par_iter()
            .map_init(
                || vec![0; READ_BYTES],
                |buffer, facts| read_back(&senders[&facts.sender], facts, buffer),
            )
            .try_reduce(|| 0, |left, right| Ok(left + right))
    }
}

fn read_back(directory: &Directory, facts: &NoticeFacts, buffer: &mut [u8]) -> Result<u64, SpoolError> {
    let name = facts.file()?;
    let path = || directory.path().join(&name);
    let torn = |reason: String| SpoolError::Torn { path: path(), reason };
    let file = directory.find_file(&name)?.ok_or_else(|| torn("it is gone".to_owned()))?;
    let tally = Tally::count(file, buffer).map_err(|error| SpoolError::system("read", path(), error))?;
    if tally == (Tally { lines: facts.lines, bytes: facts.bytes, is_whole: true }) {
        return Ok(tally.lines);
    }
    Err(torn(format!(
        "{} lines in {} bytes were written, {} in {} are read back",
        facts.lines, facts.bytes, tally.lines, tally.bytes
    )))
}
