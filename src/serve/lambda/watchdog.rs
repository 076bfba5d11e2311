//! Ends a run at its deadline, so that the client is told in words.
//!
//! A thread that sleeps until the deadline it knows of. Most runs end long before theirs, and the
//! next deadline is later, so arming it for a request is a lock and no system call.

use crate::runtime::Interrupt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Raises an [`Interrupt`] at the deadline it is armed with.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    interrupt: Interrupt,
}

#[derive(Default)]
struct State {
    deadline: Option<Instant>,
    /// When the thread looks again by itself; `None` while it waits to be told.
    looks_at: Option<Instant>,
    has_raised: bool,
    is_over: bool,
}

impl Watchdog {
    /// Starts the thread; `None` when the system has no room for one.
    pub(super) fn start(interrupt: Interrupt) -> Option<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            interrupt,
        });
        let watched = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("gwtf-watchdog".to_owned());
        thread.spawn(move || watch(&watched)).ok()?;
        Some(Self { shared })
    }

    /// From here on a run is ended at `deadline`.
    pub(super) fn arm(&self, deadline: Instant) {
        let mut state = self.shared.lock();
        // A run that panicked was never disarmed.
        if std::mem::take(&mut state.has_raised) {
            self.shared.interrupt.clear();
        }
        state.deadline = Some(deadline);
        if state.looks_at.is_none_or(|at| deadline < at) {
            drop(state);
            self.shared.changed.notify_one();
        }
    }

    /// The run is over. Whether it was ended.
    pub(super) fn disarm(&self) -> bool {
        let mut state = self.shared.lock();
        state.deadline = None;
        let has_raised = std::mem::take(&mut state.has_raised);
        if has_raised {
            self.shared.interrupt.clear();
        }
        has_raised
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    /// The state; nothing under its lock panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn watch(shared: &Shared) {
    let mut state = shared.lock();
    while !state.is_over {
        let now = now();
        state.looks_at = state.deadline;
        state = match state.deadline {
            None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) if deadline <= now => {
                // Under the lock: `disarm` either comes before, and nothing is raised, or after.
                shared.interrupt.raise();
                state.has_raised = true;
                state.deadline = None;
                continue;
            }
            Some(deadline) => {
                let waited = shared.changed.wait_timeout(state, deadline - now);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

#[expect(clippy::disallowed_methods, reason = "the watchdog compares deadlines with the present")]
fn now() -> Instant {
    Instant::now()
}
