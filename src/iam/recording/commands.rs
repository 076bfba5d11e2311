//! Each command as `cli::cloud` carries it out: what it looks at, its lock, its plan, its smoke test.

use super::{Failure, Made, Outcome, Rehearsed};
use crate::apply::lock::{self, Lock};
use crate::apply::{Calls, Cloud as _, Pace, Quiet, Scope, deploying, observe};
use crate::error;
use crate::plan::change::{Change, Given};
use crate::plan::names::SHARED_TAG;
use crate::plan::observed::Bucket;
use crate::plan::wanted::Wanted;
use crate::plan::{self, Answer, Names, Observed, Plan, Query, Refused};
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
        let shown = plan::deploy(wanted, &state)?;
        if shown.is_empty() {
            self.take(command);
            return Ok(());
        }
        let ground = plan::ground(self.asked.names, &state);
        self.changing(&state, deploying::Agreed { ground: &ground, plan: &shown }, |state, id| {
            let lock_id = Some(id.to_owned());
            Ok(plan::deploy(&Wanted { lock_id, ..wanted.clone() }, state)?)
        })
        .await?;
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
        let shown = plan::prune(live, &state, 1)?;
        if !shown.is_empty() {
            let agreed = deploying::Agreed { ground: &Plan::default(), plan: &shown };
            self.changing(&state, agreed, |state, id| {
                let lock_id = Some(id.to_owned());
                Ok(plan::prune(&Wanted { lock_id, ..live.clone() }, state, 1)?)
            })
            .await?;
        }
        self.take("prune");
        Ok(())
    }

    pub(super) async fn destroy(&mut self) -> Outcome<()> {
        let names = self.asked.names;
        let state = self.observe().await?;
        let shown = plan::destroy(names, &state);
        let agreed = deploying::Agreed { ground: &Plan::default(), plan: &shown };
        self.changing(&state, agreed, |state, _| Ok(plan::destroy(names, state))).await?;
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
        Ok(observe(calls, self.asked.names, self.scope()).await?)
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
            if let Some(wait) = &action.wait {
                let plan::Wait::FunctionReady { function } = wait.resolve(&given)?;
                self.cloud.ask(&Query::GetFunction { function }).await?;
            }
        }
        Ok(())
    }

    /// What was agreed to, under a lock.
    async fn changing(
        &mut self,
        state: &Observed,
        agreed: deploying::Agreed<'_>,
        plan: impl FnOnce(&Observed, &str) -> Result<Plan, error::Failure>,
    ) -> Outcome<()> {
        self.locks += 1;
        let now = SystemTime::UNIX_EPOCH;
        let claim = deploying::Claim {
            lock: Lock::new(&format!("rehearsal-{}", self.locks), "rehearsal", now),
            now,
            // That a deploy is over stands in the stage, and went with an API deleted by hand.
            break_lock: state.rest_api.is_none(),
        };
        let pace = Pace::new(0);
        let site = deploying::Site {
            calls: Calls::new(&self.cloud, &pace, &Quiet),
            names: self.asked.names,
            scope: self.scope(),
            interrupt: None,
        };
        let perform = async |plan: &Plan| {
            let done = self.carry_out(plan).await;
            done.map_err(|Failure(text)| error::Failure::new(error::Exit::Machine, text))
        };
        let left = |_: &lock::Error| {};
        let done = deploying::deploying(site, claim, agreed, plan, perform, left).await;
        done.map(drop).map_err(|failure| Failure(failure.message))
    }

    fn scope(&self) -> Scope {
        Scope { repository: self.asked.shape.image }
    }

    fn take(&mut self, command: &'static str) {
        let made = self.cloud.take().into_iter().map(|call| (command, Made::Called(call)));
        self.made.extend(made);
    }
}
