//! The road of every command that changes an endpoint under its lock, for any cloud.
//!
//! ```text
//! plan is shown -> ground -> lock -> observe -> plan again -> apply -> unlock
//!                                               only the steps that were shown
//! ```
//! The update of the stage that ends a deploy ends its lock too, unless steps come after it.

use super::calls::Calls;
use super::cloud::Cloud;
use super::lock::{self, Lock};
use super::observe::{Scope, observe};
use crate::error::{Exit, Failure};
use crate::plan::record::Moves;
use crate::plan::{Change, Ledger, Names, Observed, Plan};
use std::time::SystemTime;
use tokio::sync::watch;

/// Where an endpoint is, and how it is looked at.
pub struct Site<'a, C> {
    /// The cloud at this run's pace.
    pub calls: Calls<'a, C>,
    /// The endpoint.
    pub names: &'a Names,
    /// How much is looked at.
    pub scope: Scope,
    /// Turns true when the person stops it; looking then ends at once.
    pub interrupt: Option<&'a watch::Receiver<bool>>,
}

impl<C> Clone for Site<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Site<'_, C> {}

/// What the lock is asked for with.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The lock to write.
    pub lock: Lock,
    /// Now.
    pub now: SystemTime,
    /// Whether a lock that somebody holds is taken over.
    pub break_lock: bool,
}

/// What a person has seen and agreed to.
#[derive(Debug, Clone, Copy)]
pub struct Agreed<'a> {
    /// What has to be there before the lock.
    pub ground: &'a Plan,
    /// The plan.
    pub plan: &'a Plan,
}

/// Performs what was agreed to, planned again under the lock. `plan` gets what is there and the
/// lock's id, `perform` each plan in turn; `left` hears of a lock that could not be given back and
/// so ends by itself. Gives the plan that was performed.
///
/// A plan that changes nothing takes no lock: what it waits for is waited for.
///
/// # Errors
/// The lock is somebody else's, the endpoint is no longer as it was shown, or a step failed.
pub async fn deploying<C: Cloud>(
    site: Site<'_, C>,
    claim: Claim,
    agreed: Agreed<'_>,
    plan: impl FnOnce(&Observed, &str) -> Result<Plan, Failure>,
    perform: impl AsyncFn(&Plan) -> Result<(), Failure>,
    left: impl FnOnce(&lock::Error),
) -> Result<Plan, Failure> {
    if agreed.plan.changes_nothing() {
        perform(agreed.plan).await?;
        return Ok(agreed.plan.clone());
    }
    perform(agreed.ground).await?;
    let work = async |observed: &Observed, id: &str| {
        let plan = plan(observed, id)?;
        if !same_steps(&plan, agreed.plan) {
            let text =
                format!("endpoint `{}`: it changed after the plan was made", site.names.endpoint);
            return Err(Failure::new(Exit::Machine, text)
                .with_hint("run the command again; it plans from what is there"));
        }
        perform(&plan).await?;
        Ok(plan)
    };
    under_lock(site, claim, work, left).await
}

/// Performs a plan of one update of the stage, without a lock. When it failed, the stage itself says
/// whether it was carried out all the same: such an update is not made twice, and a person who goes
/// back once more goes further back.
///
/// # Errors
/// The update failed and was not carried out, or nobody can tell.
pub async fn moving<C: Cloud>(
    site: Site<'_, C>,
    plan: &Plan,
    perform: impl AsyncFnOnce(&Plan) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Err(failure) = perform(plan).await else { return Ok(()) };
    let Ok(observed) = observe(site.calls, site.names, site.scope).await else {
        return Err(failure);
    };
    let stage = observed.stages.iter().find(|stage| stage.name == site.names.stage);
    let is_done =
        stage.is_some_and(|stage| descriptions(plan).any(|text| text == stage.description));
    if is_done { Ok(()) } else { Err(failure) }
}

/// Everything of the endpoint, unless the person stops it.
async fn look<C: Cloud>(site: Site<'_, C>) -> Result<Observed, Failure> {
    let looking = observe(site.calls, site.names, site.scope);
    match site.interrupt {
        Some(interrupt) => unless(interrupt, looking).await,
        None => Ok(looking.await?),
    }
}

/// What the work gives, unless the person stops it: for work that changes nothing.
///
/// # Errors
/// The work's own, or that it was stopped.
pub async fn unless<T, E: Into<Failure>>(
    interrupt: &watch::Receiver<bool>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let mut interrupt = interrupt.clone();
    tokio::select! {
        biased;
        done = work => done.map_err(Into::into),
        _ = interrupt.wait_for(|stop| *stop) => {
            Err(Failure::new(Exit::Interrupted, "interrupted")
                .with_hint("running the command again is safe: it goes on from what is there"))
        }
    }
}

/// Does `work` while nobody else changes the endpoint: it gets what is there and the lock's id, and
/// gives the plan that it performed.
///
/// # Errors
/// The lock is somebody else's, or the work failed.
pub async fn under_lock<C: Cloud>(
    site: Site<'_, C>,
    claim: Claim,
    work: impl AsyncFnOnce(&Observed, &str) -> Result<Plan, Failure>,
    left: impl FnOnce(&lock::Error),
) -> Result<Plan, Failure> {
    let Site { calls, names, .. } = site;
    let observed = look(site).await?;
    let ledger = Ledger::of(&observed, names);
    let Claim { lock, now, break_lock } = claim;
    let request = lock::Request { lock, observed: observed.lock.as_ref(), now, break_lock };
    let lock = lock::acquire(calls, names, request, |id| ledger.moves.ended_lock(id)).await?;
    // What was seen before it was held may have been changed by whoever held it.
    let worked = match look(site).await {
        Ok(observed) => work(&observed, &lock.id).await,
        Err(failure) => Err(failure),
    };
    let is_ended = worked.as_ref().is_ok_and(|plan| ends_lock(plan, &lock.id));
    if !is_ended && let Err(error) = lock::unlock(calls, names, &lock.id).await {
        left(&error);
    }
    worked
}

/// Whether an update of the stage in this plan names the lock.
fn ends_lock(plan: &Plan, id: &str) -> bool {
    descriptions(plan).any(|text| Moves::parse(text).ended_lock(id))
}

/// The moves that updates of the stage write.
fn descriptions(plan: &Plan) -> impl Iterator<Item = &str> {
    let patches = plan.changes().filter_map(|change| match change {
        Change::UpdateStage { patch, .. } => Some(patch),
        _ => None,
    });
    let operations = patches.flatten().filter(|one| one.path == "/description");
    operations.filter_map(|one| one.value.as_deref())
}

/// Whether two plans do the same to the same things.
fn same_steps(left: &Plan, right: &Plan) -> bool {
    let steps = |plan: &Plan| {
        let actions = plan.actions.iter().filter(|action| action.change.is_some());
        actions.map(|action| (action.verb, action.object.clone())).collect::<Vec<_>>()
    };
    steps(left) == steps(right)
}
