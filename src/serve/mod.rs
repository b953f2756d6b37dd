//! The daemon: dumps that arrive in the inbox become notices, and a person can see how.
//!
//! ```text
//!  inotify: a hint ─┐                     ┌─► lane "small" ─┐   a run each: pipeline::run on a plain thread
//!  listing: the truth ─► desk ─► queue ───┤                 ├─► ended ─► desk: done/, failed/, or again
//!                                         └─► lane "any" ───┘
//!  signals, timers, HTTP ─► supervisor (tokio, one thread) ─► systemd, the page; reloads on a thread of their own
//!                                   all of them ─► observe ─► Board
//! ```
//!
//! | file | what it is |
//! |---|---|
//! | `daemon` | starts all threads; signals, reloads, the watchdog, the end |
//! | `desk` | the one thread that looks into the inbox and moves files |
//! | `watch`, `queue` | inotify; what waits and in which order |
//! | `lane`, `verdict` | a run on a thread of its own; what its end means for the file |
//! | `standing` | configuration, index and spool as one, swapped whole |
//! | `observe`, `board` | where every event is told, and the plain counters that come of it |
//! | `http`, `page`, `snapshot` | what is answered to whom |
//! | `systemd`, `log` | what the service manager and the journal are told |
//! | `status` | `dijkwacht status`: asks a daemon |
//!
//! What is promised:
//! 1. A run decides by one configuration and one index, from its first record to its last.
//! 2. A file is in `done` when its run is published, in `failed` with a reason when it never can be, and else it is tried again.
//! 3. Whatever stops the process: the next start finds each file where its state is, and publishes no run twice.
//! 4. The watchdog is fed only while work moves, or while the inbox was just listed and nothing is to be done.
//! 5. No log, page or metric can stop a run: a reader that is slow or gone loses lines, never dumps.

mod board;
mod daemon;
mod desk;
mod http;
mod lane;
mod log;
mod observe;
mod page;
mod queue;
mod snapshot;
mod standing;
mod status;
mod systemd;
mod verdict;
mod watch;

pub use daemon::{ServeRequest, serve};
pub use standing::ServeError;
pub use status::{status_json, status_text};
