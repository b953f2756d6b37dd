//! What the service manager is told: sd_notify(3). Without `NOTIFY_SOCKET`, nobody is.

use sd_notify::NotifyState;
use std::time::Duration;

/// The last status that was told, so that none is told twice.
#[derive(Default)]
pub(super) struct Systemd {
    status: String,
}

impl Systemd {
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// Until the next [`Systemd::ready`]. The time tells the manager which reload this is the answer to.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }

    pub(super) fn alive(&self) {
        tell(&[NotifyState::Watchdog]);
    }

    pub(super) fn status(&mut self, status: String) {
        if status != self.status {
            tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// How long the manager waits for a sign of life, if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|wait| !wait.is_zero())
    }
}

/// If the manager does not listen, there is nothing to be done about it.
fn tell(state: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
