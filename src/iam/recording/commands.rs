//! Each command as `cli::cloud` carries it out: what it looks at, its lock, its plan, its smoke test.

use super::{Made, Outcome, Rehearsed};
use crate::apply::lock::{self, Lock};
use crate::apply::{Calls, Cloud as _, Pace, Quiet, Scope, observe};
use crate::plan::change::{Change, Given};
use crate::plan::names::SHARED_TAG;
use crate::plan::observed::Bucket;
use crate::plan::wanted::Wanted;
use crate::plan::{self, Answer, Ledger, Names, Observed, Plan, Query, Refused};
use std::collections::BTreeMap;
use std::time::SystemTime;

impl Rehearsed<'_> {
    /// `status`, `history`, `plan`: they look.
    pub(super) async fn look(&mut self, command: &'static str) -> Outcome<()> {
        self.observe().await?;
        self.take(command);
        Ok(())
    }

    pub(super) async fn deploy(&mut self, command: &'static str, wanted: &Wanted) -> Outcome<()> {
        let state = self.observe().await?;
        if plan::deploy(wanted, &state)?.is_empty() {
            self.take(command);
            return Ok(());
        }
        self.carry_out(&plan::ground(self.asked.names, &state)).await?;
        let lock_id = Some(self.lock().await?);
        let state = self.observe().await?;
        let plan = plan::deploy(&Wanted { lock_id, ..wanted.clone() }, &state)?;
        self.carry_out(&plan).await?;
        let ended_lock = plan.changes().any(|change| {
            matches!(change, Change::UpdateStage { patch, .. }
                if patch.iter().any(|one| one.path == "/description"))
        });
        if !ended_lock {
            self.unlock().await?;
        }
        let state = self.observe().await?;
        self.take(command);
        self.rest_api = state.rest_api.as_ref().map(|api| api.id.clone());
        self.smoke(command, &state).await
    }

    /// `promote` and `rollback`, which take no lock.
    pub(super) async fn point(
        &mut self,
        command: &'static str,
        decide: impl FnOnce(&Names, &Observed) -> Result<Plan, Refused>,
    ) -> Outcome<()> {
        let state = self.observe().await?;
        self.carry_out(&decide(self.asked.names, &state)?).await?;
        let state = self.observe().await?;
        self.take(command);
        self.smoke(command, &state).await
    }

    pub(super) async fn prune(&mut self, live: &Wanted) -> Outcome<()> {
        let state = self.observe().await?;
        if !plan::prune(live, &state, 1)?.is_empty() {
            let lock_id = Some(self.lock().await?);
            let state = self.observe().await?;
            let live = Wanted { lock_id, ..live.clone() };
            self.carry_out(&plan::prune(&live, &state, 1)?).await?;
            self.unlock().await?;
        }
        self.take("prune");
        Ok(())
    }

    pub(super) async fn destroy(&mut self) -> Outcome<()> {
        let names = self.asked.names;
        let state = self.observe().await?;
        self.lock().await?;
        self.carry_out(&plan::destroy(names, &state)).await?;
        self.unlock().await?;
        if let Bucket::Own(tags) = &state.bucket
            && tags.contains_key(SHARED_TAG)
        {
            let (bucket, owner) = (names.bucket.clone(), names.account_id.clone());
            let (of, by) = (bucket.clone(), owner.clone());
            let everything = Query::ListObjects { bucket: of, owner: by, prefix: String::new() };
            if self.cloud.ask(&everything).await? == Answer::Names(Vec::new()) {
                self.cloud.perform(&Change::DeleteBucket { bucket, owner }).await?;
            }
        }
        self.take("destroy");
        Ok(())
    }

    /// Asks the endpoint as its callers do: with a signature, or with a key whose value is read first.
    async fn smoke(&mut self, command: &'static str, state: &Observed) -> Outcome<()> {
        let shape = self.asked.shape;
        if shape.keyed {
            for key in state.api_keys.iter().filter(|key| key.enabled) {
                if state.usage_plans.iter().any(|plan| plan.key_ids.contains(&key.id)) {
                    self.cloud.ask(&Query::GetApiKeyValue { api_key: key.id.clone() }).await?;
                }
            }
            self.take(command);
        }
        if let (true, Some(rest_api)) = (shape.signed, &self.rest_api) {
            self.made.push((command, Made::Invoked { rest_api: rest_api.clone() }));
        }
        Ok(())
    }

    async fn observe(&self) -> Outcome<Observed> {
        let pace = Pace::new(0);
        let calls = Calls::new(&self.cloud, &pace, &Quiet);
        let scope = Scope { repository: self.asked.shape.image };
        Ok(observe(calls, self.asked.names, scope).await?)
    }

    /// Performs a plan one by one: what is asked about is which calls are made, not when.
    async fn carry_out(&self, plan: &Plan) -> Outcome<()> {
        let mut given: BTreeMap<String, String> = plan.known.clone();
        for action in &plan.actions {
            let Some(change) = &action.change else { continue };
            let gave = self.cloud.perform(&change.resolve(&given)?).await?;
            if let (Some(key), Given::Id(id)) = (&action.gives, gave) {
                given.insert(key.clone(), id);
            }
            if let Some(plan::Wait::FunctionReady { function }) = &action.wait {
                self.cloud.ask(&Query::GetFunction { function: function.clone() }).await?;
            }
        }
        Ok(())
    }

    /// Takes the lock, which gives its id.
    async fn lock(&mut self) -> Outcome<String> {
        let state = self.observe().await?;
        let ledger = Ledger::of(&state, self.asked.names);
        self.locks += 1;
        let now = SystemTime::UNIX_EPOCH;
        let request = lock::Request {
            lock: Lock::new(&format!("rehearsal-{}", self.locks), "rehearsal", now),
            observed: state.lock.as_ref(),
            now,
            // That a deploy is over stands in the stage, and went with an API deleted by hand.
            break_lock: state.rest_api.is_none(),
        };
        let pace = Pace::new(0);
        let calls = Calls::new(&self.cloud, &pace, &Quiet);
        let ended = |id: &str| ledger.moves.ended_lock(id);
        Ok(lock::acquire(calls, self.asked.names, request, ended).await?.id)
    }

    async fn unlock(&self) -> Outcome<()> {
        let pace = Pace::new(0);
        let calls = Calls::new(&self.cloud, &pace, &Quiet);
        Ok(lock::unlock(calls, self.asked.names, &format!("rehearsal-{}", self.locks)).await?)
    }

    fn take(&mut self, command: &'static str) {
        let made = self.cloud.take().into_iter().map(|call| (command, Made::Called(call)));
        self.made.extend(made);
    }
}
