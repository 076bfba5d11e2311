//! The endpoint's lock, as commands take and leave it.

use super::super::now;
use super::session::Session;
use crate::apply::deploying::Claim;
use crate::apply::lock::{self, Lock, Verdict};
use crate::error::chain;
use crate::plan::{Ledger, Observed};

impl Session<'_> {
    /// A lock of this process's own to ask for.
    pub(super) fn claim(&self, break_lock: bool) -> Claim {
        let id = uuid::Uuid::new_v4().to_string();
        let environment = &self.context.environment;
        let holder = format!("{}@{}, pid {}", environment.user(), host_name(), std::process::id());
        let now = now();
        Claim { lock: Lock::new(&id, &holder, now), now, break_lock }
    }

    /// Says that a lock could not be given back.
    pub(super) fn left(&self, error: &lock::Error) {
        let text = format!("warning: {}; the lock ends by itself", chain(error));
        self.context.console.talk(&text);
    }

    /// Says that somebody is deploying; nothing more, since going back must not wait.
    pub(super) fn warn_of_lock(&self, observed: &Observed) {
        let ledger = Ledger::of(observed, &self.names);
        let text = observed.lock.as_ref().map(|object| object.text.as_str());
        let verdict = lock::judge(text, now(), |id| ledger.moves.ended_lock(id));
        if let Verdict::Held(lock) = verdict {
            self.context.console.talk(&format!(
                "warning: {} has been deploying since {} and may move the stage after this",
                lock.holder, lock.since
            ));
        }
    }
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
