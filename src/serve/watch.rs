//! inotify: hints that something arrived, and the bell that wakes the desk.
//!
//! Hints may be lost, late, or of a file that is gone. Without inotify (too many watches, a file system that has none) all goes
//! on by listing.

use crate::spool::FeedName;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Bytes of events read at once.
const EVENT_BYTES: usize = 64 << 10;
/// Events taken in between two looks at anything else.
const EVENTS_MAX: usize = 4096;

/// What inotify says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Hint {
    /// Renamed into place, or closed after writing.
    Announced(FeedName, OsString),
    /// Something of this name was made.
    Made(FeedName, OsString),
    /// Directories came or went, or hints were lost: list all.
    List,
}

#[derive(Debug)]
pub(super) struct Watch {
    inotify: OwnedFd,
    feeds: HashMap<i32, FeedName>,
}

impl Watch {
    pub(super) fn new(inbox: &Path) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&inotify, inbox, flags)?;
        Ok(Self { inotify, feeds: HashMap::new() })
    }

    /// Watches a feed's directory; that it is watched already changes nothing.
    pub(super) fn add(&mut self, feed: &FeedName, directory: &Path) -> io::Result<()> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::CREATE
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW
            | WatchFlags::EXCL_UNLINK;
        let number = inotify::add_watch(&self.inotify, directory, flags)?;
        self.feeds.insert(number, feed.clone());
        Ok(())
    }

    /// Hands on what there is, up to a bound; whether there may be more.
    pub(super) fn read(&mut self, mut take: impl FnMut(Hint)) -> bool {
        let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        let mut left = EVENTS_MAX;
        loop {
            // What is in the buffer must be taken: it is read from the kernel.
            if left == 0 && reader.is_buffer_empty() {
                return true;
            }
            let Ok(event) = reader.next() else { return false };
            left = left.saturating_sub(1);
            let (events, number) = (event.events(), event.wd());
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            if events.contains(ReadFlags::IGNORED) {
                self.feeds.remove(&number);
                continue;
            }
            let hint = match (self.feeds.get(&number), name) {
                (Some(feed), Some(name))
                    if events.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO) =>
                {
                    Hint::Announced(feed.clone(), name)
                }
                (Some(feed), Some(name)) => Hint::Made(feed.clone(), name),
                _ => Hint::List,
            };
            take(hint);
        }
    }
}

/// Wakes the desk from any thread.
#[derive(Debug)]
pub(super) struct Bell(OwnedFd);

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    pub(super) fn ring(&self) {
        // Full: it rings already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Waits until it rings, inotify has something, or the time is up.
    pub(super) fn wait(&self, watch: Option<&Watch>, up_to: Duration) {
        let timeout = Timespec { tv_sec: up_to.as_secs() as i64, tv_nsec: up_to.subsec_nanos().into() };
        let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
        if let Some(watch) = watch {
            fds.push(PollFd::from_borrowed_fd(watch.inotify.as_fd(), PollFlags::IN));
        }
        let _ = poll(&mut fds, Some(&timeout));
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.0, &mut count);
    }
}
