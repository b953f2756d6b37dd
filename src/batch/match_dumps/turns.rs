//! Several dumps at the same time, each in its turn: read at once, published one after the other.
//!
//! What is told, counted and published does not depend on which was read first.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Whose turn it is, counting from 0.
#[derive(Default)]
pub(super) struct Turns {
    now: Mutex<usize>,
    changed: Condvar,
}

impl Turns {
    /// Waits until it is this one's turn.
    pub(super) fn wait(&self, number: usize) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = self.changed.wait_while(now, |now| *now < number);
        drop(reached.unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether it is this one's turn.
    pub(super) fn is(&self, number: usize) -> bool {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) == number
    }

    fn end(&self, number: usize) {
        self.wait(number);
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = number + 1;
        self.changed.notify_all();
    }
}

/// Ends a turn when it is dropped, so that a panic keeps nobody waiting. It stops the others before, so that those that are read
/// already are over when their turn comes.
struct Turn<'t> {
    turns: &'t Turns,
    number: usize,
    stopped: &'t AtomicBool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.turns.end(self.number);
    }
}

/// Reads `count` dumps, `at_once` at the same time. `read` is called for each in any order; what it gives goes to `conclude` in
/// their order. Ends early when that says so, or when somebody sets `stopped`, which it sets itself too.
///
/// With `at_once` 1, all is done on this thread.
pub(super) fn in_turn<T>(
    count: usize,
    at_once: usize,
    turns: &Turns,
    stopped: &AtomicBool,
    read: impl Fn(usize) -> T + Sync,
    conclude: impl FnMut(T) -> bool + Send,
) {
    let next = AtomicUsize::new(0);
    // `None`: the call is over.
    let conclude = Mutex::new(Some(conclude));
    let work = || {
        while !stopped.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            let _turn = Turn { turns, number, stopped };
            let done = read(number);
            turns.wait(number);
            let mut concluding = conclude.lock().unwrap_or_else(PoisonError::into_inner);
            if concluding.as_mut().is_some_and(|conclude| !conclude(done)) {
                // Those that are read already come too late.
                *concluding = None;
                stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    if at_once == 1 {
        return work();
    }
    std::thread::scope(|scope| (0..at_once).for_each(|_| drop(scope.spawn(work))));
}

/// One writer of several, who have agreed on their turns.
pub(super) struct InTurn<'a, W>(pub(super) &'a Mutex<W>);

impl<W: Write> Write for InTurn<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;

    #[test]
    fn what_is_read_at_the_same_time_is_concluded_in_order() {
        for at_once in [1, 2, 3, 8] {
            let (mut concluded, stopped) = (Vec::new(), AtomicBool::new(false));
            // None ends before so many have begun: were they read one after the other, the first would wait for ever.
            let together = Barrier::new(at_once);
            let read = |number| {
                together.wait();
                number
            };
            in_turn(3 * at_once, at_once, &Turns::default(), &stopped, read, |number| {
                concluded.push(number);
                true
            });
            assert_eq!(concluded, Vec::from_iter(0..3 * at_once), "{at_once} at once");
            assert!(!stopped.into_inner());
        }
    }

    #[test]
    fn after_the_one_that_ends_it_none_is_concluded() {
        for at_once in [1, 2, 3, 8] {
            let (mut concluded, stopped) = (Vec::new(), AtomicBool::new(false));
            in_turn(
                10,
                at_once,
                &Turns::default(),
                &stopped,
                |number| number,
                |number| {
                    concluded.push(number);
                    number < 4
                },
            );
            assert_eq!(concluded, [0, 1, 2, 3, 4], "{at_once} at once");
            assert!(stopped.into_inner());
        }
    }

    #[test]
    fn a_panic_keeps_nobody_waiting() {
        for at_once in [1, 2, 3, 8] {
            let (mut concluded, stopped) = (Vec::new(), AtomicBool::new(false));
            let read = |number| if number == 3 { panic!("on purpose") } else { number };
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                in_turn(10, at_once, &Turns::default(), &stopped, read, |number| {
                    concluded.push(number);
                    true
                });
            }));
            assert!(outcome.is_err());
            assert!(concluded.starts_with(&[0, 1, 2]) && !concluded.contains(&3), "{concluded:?}");
        }
    }
}
