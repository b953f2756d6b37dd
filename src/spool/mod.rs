//! Durable writes: a run appears whole or not at all. Nobody else calls fsync or rename.
//!
//! ```text
//! spool/
//!   tmp/<stage>/                          being staged, locked by its process; nobody else looks
//!   new/<run>/                            a complete run: appears by one rename
//!       manifest.json                     all that is known of the run; ours alone
//!       <sender>/<owner_id>.jsonl         a notice
//!       <sender>/manifest.json            what this sender's mailer needs
//!   held/<run>/<sender>/<owner_id>.jsonl  waiting for a person; counts only if <run> is committed
//!   new/<run>+held-<n>/                   a person's decision about it, and the alerts that it releases
//!   held/<run>.decided/                   what no longer waits
//!   cur/<run>.<sender>/                   a claim, made by a mailer with mkdir
//!   done/ failed/                         claims that were acknowledged
//!   runs/<run>.residual.jsonl             what is Dutch and nobody's; 0600, while <run> is in new/
//!   runs/<run>.json                       manifests of retired runs: that a dump was published is remembered
//!   forgetting.json                       what is being forgotten, until it is
//!   reference.key                         what opaque references are made with; 0600, made when a run needs it
//!   lock                                  held around a commit, around recovery, and while a stage is made
//! ```
//!
//! A publisher opens the [`Spool`], [recovers](Spool::recover), begins a [`Stage`], writes each notice with a
//! [`NoticeWriter`], [reads all back](Stage::read_back), balances its books, and [publishes](StagedRun::publish). A mailer
//! opens [`Claims`], or does the same with `mkdir` and `mv`. [`status`] and [`verify`] only look. [`prune`](Spool::prune)
//! retires what was sent. [`Held`] is what waits for a person, [`Deciding`] a person's decision. [`Inbox`] is the other end: where dumps arrive.
//!
//! What is promised:
//! 1. A run is in `new` with all its notices, their manifests and all that is held, or nothing of it is to be seen.
//! 2. What is in `new` outlives a power failure, as far as the disk is honest.
//! 3. A dump is published once under a label, however many publishers try, at once or after a crash.
//! 4. Whatever stops a publisher, wherever: the next start cleans up, and doing the run again publishes it.
//! 5. What is published is not touched again by a publisher; only [`prune`](Spool::prune) and [`forget`](Spool::forget) do, on
//!    the retention's or a person's word.
//! 6. Nothing inside the spool is reached through a symbolic link: a mailer, who may write in `cur`, `done` and `failed`
//!    only, can lead us nowhere.
//!
//! What is not: that a mail is sent once. A mailer that dies between sending and noting it sends again; alert ids tell.
//!
//! ```
//! use dijkwacht::spool::*;
//! # let scratch = tempfile::tempdir()?;
//! # let path = scratch.path().join("spool");
//! let spool = Spool::open(&path, &SpoolOptions::default())?;
//! spool.recover()?;
//! let stage = spool.stage()?;
//! let recipient = Recipient {
//!     sender: Sender::read("ncsc")?,
//!     owner_id: "school".into(),
//!     name: None,
//!     contacts: vec!["cert@school.example".into()],
//! };
//! let mut notice = stage.notice(recipient)?;
//! notice.append(b"{\"source.ip\":\"192.0.2.1\"}\n")?;
//! notice.finish()?;
//! let staged = stage.read_back()?;
//! assert_eq!((staged.alerts(), staged.held()), (1, 0));
//! # let content = blake3::hash(b"dump").into();
//! # let dump = DumpFacts { name: "dump.csv".into(), format: "csv".into(), bytes: 4, bytes_stored: 4, blake3: content, observed: None };
//! # let facts = RunFacts { feed: FeedName::read("partner")?, feed_label: "A partner".into(), label: None, dump,
//! #     index: "0".into(), run_time: "2026-11-22T00:00:00Z".into(), options: Default::default(), report: Default::default(), counts: Default::default() };
//! staged.publish(facts)?;
//!
//! let claims = Claims::open(&path)?;
//! let claim = claims.take(None)?.expect("one run is unclaimed");
//! assert!(claim.directory.join("school.jsonl").is_file());
//! claims.acknowledge(claim.name.as_str(), Acknowledgement::Done)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrived;
mod claim;
mod directory;
mod earlier;
mod error;
mod forget;
mod held;
mod inbox;
mod layout;
mod manifest;
mod manifests;
mod names;
mod prune;
mod publish;
mod recover;
mod reference_key;
mod stage;
mod status;
mod survey;
mod tally;
mod trace;
mod verify;

pub use arrived::prune_arrived;
pub use claim::{Acknowledgement, Claim, Claims};
pub use earlier::earlier_alerts;
pub use error::SpoolError;
pub use forget::{Forget, Forgotten};
pub use held::{Deciding, DecisionFacts, Held, HeldLine, HeldRun, LineFate};
pub use inbox::{
    Arrival, ArrivalKind, ArrivalStamp, CLOSED, Inbox, ONCE, Stranger, WorkFile, dump_of_report,
    is_on_its_way, report_name,
};
pub use layout::{Spool, SpoolOptions, check_groups, check_writable};
pub use manifest::{
    Account, Correction, Decision, DumpFacts, MANIFEST_BYTES_MAX, MANIFEST_VERSION, Manifest, NoticeFacts,
    Occasion, PublishedCounts, Recipient, RecipientAccount, RecipientChange, RunFacts,
    SENDER_MANIFEST_VERSION, SenderManifest, SenderNotice, Tallies, Tombstone, Word,
};
pub use manifests::Manifests;
pub use names::{
    ClaimName, ContentHash, FEED_BYTES_MAX, FeedName, LABEL_BYTES_MAX, Label, NameError, OWNER_ID_BYTES_MAX,
    RunName, SENDER_BYTES_MAX, Sender,
};
pub use prune::{Pruned, Retention};
pub use publish::{Publication, StagedRun};
pub use recover::Recovered;
pub use reference_key::{REFERENCE_KEY_FILE, find_reference_key};
pub use stage::{FSYNC_FILES_MAX, NOTICES_MAX, NoticeWriter, Scratch, Stage};
pub use status::{Status, status};
pub use survey::{Depths, Survey, Waiting};
pub use trace::{Sought, Trace, TraceState, Traced, trace};
pub use verify::{PROBLEMS_MAX, Problem, Verification, verify};
