//! What the service manager is told: sd_notify(3). Without `NOTIFY_SOCKET`, nobody is.
//!
//! A thread of its own tells it: the socket takes few messages, and a manager that does not read must not hold us up. What
//! finds no room is lost.

use sd_notify::NotifyState;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Messages that wait for a manager that is slow.
const MESSAGES_WAITING_MAX: usize = 16;

/// Tells the manager, and remembers the last status, so that none is told twice.
pub(super) struct Systemd {
    messages: SyncSender<Message>,
    status: String,
}

enum Message {
    Ready,
    Reloading,
    Stopping,
    Alive,
    Status(String),
}

impl Systemd {
    pub(super) fn start() -> std::io::Result<Self> {
        let (messages, received) = sync_channel(MESSAGES_WAITING_MAX);
        std::thread::Builder::new().name("systemd".into()).spawn(move || tell_all(&received))?;
        Ok(Self { messages, status: String::new() })
    }

    pub(super) fn ready(&self) {
        self.tell(Message::Ready);
    }

    /// Until the next [`Systemd::ready`].
    pub(super) fn reloading(&self) {
        self.tell(Message::Reloading);
    }

    pub(super) fn stopping(&self) {
        self.tell(Message::Stopping);
    }

    pub(super) fn alive(&self) {
        self.tell(Message::Alive);
    }

    pub(super) fn status(&mut self, status: String) {
        if status != self.status {
            self.tell(Message::Status(status.clone()));
            self.status = status;
        }
    }

    /// How long the manager waits for a sign of life, if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|wait| !wait.is_zero())
    }

    fn tell(&self, message: Message) {
        let _ = self.messages.try_send(message);
    }
}

fn tell_all(messages: &Receiver<Message>) {
    for message in messages {
        // If the manager does not listen, there is nothing to be done about it.
        let _ = match &message {
            Message::Ready => sd_notify::notify(&[NotifyState::Ready]),
            Message::Reloading => tell_reloading(),
            Message::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
            Message::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
            Message::Status(status) => sd_notify::notify(&[NotifyState::Status(status)]),
        };
    }
}

/// The time tells the manager which reload this is the answer to.
fn tell_reloading() -> std::io::Result<()> {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => sd_notify::notify(&[NotifyState::Reloading, now]),
        Err(_) => sd_notify::notify(&[NotifyState::Reloading]),
    }
}
