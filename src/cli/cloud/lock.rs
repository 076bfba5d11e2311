//! The endpoint's lock, as commands take and leave it.

use super::session::Session;
use crate::apply::lock::{self, Lock, Request, Verdict};
use crate::apply::{Calls, Quiet};
use crate::error::{Failure, chain};
use crate::plan::{Ledger, Observed};
use std::time::SystemTime;

/// A lock that this process holds.
pub(super) struct Held {
    pub(super) id: String,
}

impl Session<'_> {
    /// Takes the endpoint's lock, or says who has it.
    pub(super) fn lock(&self, break_lock: bool) -> Result<Held, Failure> {
        let observed = self.observe()?;
        let ledger = Ledger::of(&observed, &self.names);
        let id = uuid::Uuid::new_v4().to_string();
        let environment = &self.context.environment;
        let holder = format!("{}@{}, pid {}", environment.user(), host_name(), std::process::id());
        let now = self.now();
        let request = Request {
            lock: Lock::new(&id, &holder, now),
            observed: observed.lock.as_ref(),
            now,
            break_lock,
        };
        let calls = Calls::new(&self.aws, &self.pace, &Quiet);
        let released = |id: &str| ledger.moves.ended_lock(id);
        let lock = self.block_on(lock::acquire(calls, &self.names, request, released))?;
        Ok(Held { id: lock.id })
    }

    /// Gives the lock back; one that cannot be given back expires.
    pub(super) fn unlock(&self, held: &Held) {
        let calls = Calls::new(&self.aws, &self.pace, &Quiet);
        if let Err(error) = self.block_on(lock::unlock(calls, &self.names)) {
            self.context.console.talk(&format!(
                "warning: {}; it ends by itself (id {})",
                chain(&error),
                held.id
            ));
        }
    }

    /// Says that somebody is deploying; nothing more, since going back must not wait.
    pub(super) fn warn_of_lock(&self, observed: &Observed) {
        let ledger = Ledger::of(observed, &self.names);
        let text = observed.lock.as_ref().map(|object| object.text.as_str());
        let verdict = lock::judge(text, self.now(), |id| ledger.moves.ended_lock(id));
        if let Verdict::Held(lock) = verdict {
            self.context.console.talk(&format!(
                "warning: {} has been deploying since {} and may move the stage after this",
                lock.holder, lock.since
            ));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a lock lasts for a time on the clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
