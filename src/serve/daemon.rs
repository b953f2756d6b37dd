//! The process: starts all threads, hears signals, reloads, feeds the watchdog, ends.

use super::board::{Board, Intake, LANES};
use super::desk::Desk;
use super::http;
use super::log::Log;
use super::observe::Observer;
use super::snapshot::status_line;
use super::standing::{ServeError, Standing};
use super::systemd::Systemd;
use super::watch::Bell;
use crate::config::Config;
use crate::moment::Moment;
use crate::spool::Inbox;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, oneshot};

/// Runs that do not end by then are left to the next start: systemd waits for ten seconds.
const STOP_WAIT: Duration = Duration::from_secs(9);
/// How often the status is told while something goes on.
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// Signs of life in the time that the watchdog waits for one.
const SIGNS_PER_WAIT: u32 = 4;

/// What `serve` is asked.
pub struct ServeRequest {
    /// The configuration.
    pub config: PathBuf,
    /// The run time of all runs; for tests. Else each run's start.
    pub run_time: Option<Moment>,
}

/// What all threads share.
pub(super) struct Shared {
    pub(super) observer: Observer,
    standing: Mutex<Arc<Standing>>,
    /// Runs end between two windows, and the desk with them.
    pub(super) stop: Arc<AtomicBool>,
    pub(super) bell: Arc<Bell>,
    pub(super) pulse: Pulse,
    pub(super) reload_wanted: Notify,
    pub(super) run_time: Option<Moment>,
}

/// Signs of life of the desk.
#[derive(Default)]
pub(super) struct Pulse {
    /// Turns it made.
    pub(super) turns: AtomicU64,
    /// Set to have the inbox listed.
    pub(super) proof_wanted: AtomicBool,
    /// Times that it was.
    pub(super) proofs: AtomicU64,
}

impl Shared {
    /// What the next run decides by.
    pub(super) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn swap(&self, standing: Arc<Standing>) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

/// Runs the daemon until it is told to stop.
pub fn serve(request: ServeRequest) -> Result<u8, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ServeError::System)?;
    let ended = runtime.block_on(run(request));
    // A reload that is still under way is nobody's any more.
    runtime.shutdown_background();
    ended
}

async fn run(request: ServeRequest) -> Result<u8, ServeError> {
    // Caught from here on: systemctl reload must not end what is still starting.
    let hangup = signal(SignalKind::hangup()).map_err(ServeError::System)?;
    let log = Log::open(Config::read(&request.config).map_err(ServeError::Config)?.log)
        .map_err(ServeError::System)?;
    let standing = Standing::load(&request.config, &log)?;
    standing.spool.recover().map_err(ServeError::Spool)?;
    let inbox =
        Inbox::open(standing.config.inbox.as_deref().unwrap_or(Path::new(""))).map_err(ServeError::Spool)?;
    let listener = match (inherited_listener().map_err(ServeError::System)?, standing.config.metrics_listen) {
        (Some(listener), _) => Some(listener),
        (None, Some(address)) => Some(listen(address).await?),
        (None, None) => None,
    };
    let shared = Arc::new(Shared {
        observer: Observer::new(log, &standing),
        standing: Mutex::new(Arc::new(standing)),
        stop: Arc::default(),
        bell: Arc::new(Bell::new().map_err(ServeError::System)?),
        pulse: Pulse::default(),
        reload_wanted: Notify::new(),
        run_time: request.run_time,
    });
    let signals = Signals::catch(hangup).map_err(ServeError::System)?;
    let (is_ready, desk_ended) = start_desk(&shared, inbox)?;
    if is_ready.await.is_err() {
        return Err(ServeError::Panicked);
    }
    if let Some(listener) = listener {
        tokio::spawn(http::serve(listener, Arc::clone(&shared)));
    }
    shared.observer.log.info("ready", &[("version", env!("CARGO_PKG_VERSION"))]);
    let supervisor = Supervisor {
        config: request.config,
        systemd: Systemd::start().map_err(ServeError::System)?,
        before: Sign::of(&shared),
        reloads: mpsc::unbounded_channel(),
        is_reloading: false,
        shared,
    };
    supervisor.run(signals, desk_ended).await
}

/// The socket that systemd listens on for us (`LISTEN_FDS`): then the daemon itself needs no network. It goes before the
/// configuration's address, which `dijkwacht status` asks.
fn inherited_listener() -> std::io::Result<Option<TcpListener>> {
    let Some(listener) = listenfd::ListenFd::from_env().take_tcp_listener(0)? else { return Ok(None) };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(Some)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, error })
}

type Told = oneshot::Receiver<()>;

/// Starts the desk; told when it has looked for the first time, and when it has ended.
fn start_desk(shared: &Arc<Shared>, inbox: Inbox) -> Result<(Told, Told), ServeError> {
    let desk = Desk::open(Arc::clone(shared), inbox).map_err(ServeError::System)?;
    let ((ready, is_ready), (end, has_ended)) = (oneshot::channel(), oneshot::channel());
    let work = move || {
        desk.run(|| {
            let _ = ready.send(());
        });
        let _ = end.send(());
    };
    std::thread::Builder::new().name("desk".into()).spawn(work).map_err(ServeError::System)?;
    Ok((is_ready, has_ended))
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch(hangup: Signal) -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { hangup, terminate, interrupt: signal(SignalKind::interrupt())? })
    }
}

type Loaded = Result<Standing, ServeError>;

struct Supervisor {
    shared: Arc<Shared>,
    config: PathBuf,
    systemd: Systemd,
    before: Sign,
    reloads: (mpsc::UnboundedSender<Loaded>, mpsc::UnboundedReceiver<Loaded>),
    is_reloading: bool,
}

impl Supervisor {
    async fn run(mut self, mut signals: Signals, mut desk_ended: Told) -> Result<u8, ServeError> {
        self.systemd.ready();
        let sign_pause = self.systemd.watchdog().map(|wait| wait / SIGNS_PER_WAIT);
        let mut signs = tokio::time::interval(sign_pause.unwrap_or(Duration::from_secs(3600)));
        let mut is_reload_wanted = false;
        loop {
            let is_busy = self.tell_status();
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                _ = signals.terminate.recv() => return self.stop("SIGTERM", desk_ended).await,
                _ = signals.interrupt.recv() => return self.stop("SIGINT", desk_ended).await,
                _ = signals.hangup.recv() => is_reload_wanted = true,
                () = shared.reload_wanted.notified() => is_reload_wanted = true,
                Some(loaded) = self.reloads.1.recv() => self.end_reload(loaded),
                _ = &mut desk_ended => return Err(ServeError::Panicked),
                _ = signs.tick(), if sign_pause.is_some() => self.feed_watchdog(),
                () = shared.observer.changed.notified() => {}
                () = tokio::time::sleep(STATUS_PAUSE), if is_busy => {}
            }
            if is_reload_wanted && !self.is_reloading {
                is_reload_wanted = false;
                self.begin_reload();
            }
        }
    }

    /// Tells systemd what goes on; whether that changes by itself.
    fn tell_status(&mut self) -> bool {
        let board = self.shared.observer.board().clone();
        self.systemd.status(status_line(&board, SystemTime::now()));
        board.running.iter().any(Option::is_some) || matches!(board.intake, Intake::Fault { .. })
    }

    /// Loads another configuration and index on a thread of its own; until it is good, nothing changes.
    fn begin_reload(&mut self) {
        self.is_reloading = true;
        self.systemd.reloading();
        self.shared.observer.log.info("reloading", &[]);
        let (shared, config, loaded) =
            (Arc::clone(&self.shared), self.config.clone(), self.reloads.0.clone());
        let load = move || {
            let _ = loaded.send(Standing::load(&config, &shared.observer.log));
        };
        if let Err(error) = std::thread::Builder::new().name("reload".into()).spawn(load) {
            self.end_reload(Err(ServeError::System(error)));
        }
    }

    fn end_reload(&mut self, loaded: Loaded) {
        self.is_reloading = false;
        match loaded {
            Ok(standing) => {
                self.warn_of_restart(&standing.config);
                let standing = Arc::new(standing);
                self.shared.swap(Arc::clone(&standing));
                self.shared.observer.reload_ended(Ok(&standing));
            }
            Err(error) => self.shared.observer.reload_ended(Err(&error)),
        }
        self.systemd.ready();
        self.shared.bell.ring();
    }

    /// Some settings are read at the start only.
    fn warn_of_restart(&self, new: &Config) {
        let old = &self.shared.standing().config;
        let changed = [
            ("[inbox] path", old.inbox != new.inbox),
            ("[metrics] listen", old.metrics_listen != new.metrics_listen),
            ("[log] format", old.log != new.log),
        ];
        for (setting, _) in changed.into_iter().filter(|(_, is_changed)| *is_changed) {
            self.shared
                .observer
                .problem(&format!("{setting} was changed, and needs a restart to take effect"));
        }
    }

    /// Only if there is a sign of life since the last one.
    fn feed_watchdog(&mut self) {
        let now = Sign::of(&self.shared);
        if now.is_life_since(&self.before) {
            self.systemd.alive();
        }
        self.before = now;
        self.shared.pulse.proof_wanted.store(true, Ordering::Relaxed);
        self.shared.bell.ring();
    }

    async fn stop(self, signal: &str, desk_ended: Told) -> Result<u8, ServeError> {
        self.systemd.stopping();
        self.shared.observer.stopping(signal);
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.bell.ring();
        if tokio::time::timeout(STOP_WAIT, desk_ended).await.is_err() {
            self.shared.observer.log.warn("a run did not end in time; the next start does it again", &[]);
        }
        self.shared.observer.log.info("stopped", &[]);
        self.shared.observer.log.close();
        Ok(0)
    }
}

/// What can be seen of life at a moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Sign {
    turns: u64,
    proofs: u64,
    /// Each lane's run, by when it began, and its steps.
    lanes: [Option<(SystemTime, u64)>; LANES],
}

impl Sign {
    fn of(shared: &Shared) -> Self {
        let board: Board = shared.observer.board().clone();
        Self {
            turns: shared.pulse.turns.load(Ordering::Relaxed),
            proofs: shared.pulse.proofs.load(Ordering::Relaxed),
            lanes: board
                .running
                .map(|running| running.map(|running| (running.started, running.meter.steps()))),
        }
    }

    /// The desk turned, and each run that goes on got further; without any, the inbox was listed and is done with.
    fn is_life_since(&self, before: &Self) -> bool {
        let is_stuck = |lane: usize| self.lanes[lane].is_some() && self.lanes[lane] == before.lanes[lane];
        let is_idle = self.lanes.iter().all(Option::is_none);
        self.turns != before.turns && !(0..LANES).any(is_stuck) && (!is_idle || self.proofs != before.proofs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(turns: u64, proofs: u64, lanes: [Option<u64>; LANES]) -> Sign {
        Sign { turns, proofs, lanes: lanes.map(|steps| steps.map(|steps| (SystemTime::UNIX_EPOCH, steps))) }
    }

    #[test]
    fn the_watchdog_is_fed_only_while_work_moves_or_idleness_is_proven() {
        let check =
            |before: Sign, now: Sign, lives: bool| assert_eq!(now.is_life_since(&before), lives, "{now:?}");
        // A desk that does not turn is dead, whatever the lanes do.
        check(sign(1, 1, [Some(1), None]), sign(1, 1, [Some(2), None]), false);
        check(sign(1, 1, [Some(1), None]), sign(2, 1, [Some(2), None]), true);
        // A run that is stuck is not hidden by one that moves.
        check(sign(1, 1, [Some(1), Some(1)]), sign(2, 2, [Some(1), Some(2)]), false);
        check(sign(1, 1, [Some(1), None]), sign(2, 2, [Some(1), None]), false);
        // A run that began, or ended, is movement.
        check(sign(1, 1, [None, None]), sign(2, 1, [Some(0), None]), true);
        check(sign(1, 1, [Some(0), None]), sign(2, 2, [None, None]), true);
        // Idle is only who has looked.
        check(sign(1, 1, [None, None]), sign(2, 1, [None, None]), false);
        check(sign(1, 1, [None, None]), sign(2, 2, [None, None]), true);
    }
}
