//! What the program does for each command, on any cloud: the planner, the engine and the lock in the
//! order in which `cli/cloud` calls them.

use crate::plan::{names, stamp, version};
use gwtf::apply::deploying::{Agreed, Claim, Site, deploying, moving, under_lock};
use gwtf::apply::lock::{LIFETIME, Lock};
use gwtf::apply::{Calls, Cloud, Pace, Quiet, Scope, apply, observe};
use gwtf::error::{Exit, Failure};
use gwtf::plan::settings::changed_by_hand;
use gwtf::plan::{self, Ledger, Observed, Plan, Refused, Wanted};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A command.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Deploy(Box<Wanted>),
    Promote,
    Rollback(Option<&'static str>),
    /// The live version as it is to be, and how many stay.
    Prune(Box<Wanted>, usize),
    Destroy,
}

/// Who runs a command, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    /// Its number: names the lock, and the minute of its stamp.
    pub(super) number: usize,
    pub(super) now: SystemTime,
    pub(super) break_lock: bool,
}

impl Turn {
    pub(super) fn first(number: usize) -> Self {
        let now = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        Self { number, now, break_lock: false }
    }

    /// The next one, when the lock of this one has expired.
    pub(super) fn later(self) -> Self {
        Self { number: self.number + 1, now: self.now + LIFETIME, break_lock: false }
    }

    /// The next one, a minute later, who takes the lock over.
    pub(super) fn breaking(self) -> Self {
        let now = self.now + Duration::from_secs(60);
        Self { number: self.number + 1, now, break_lock: true }
    }

    fn claim(self) -> Claim {
        let lock = Lock::new(&lock_id(self.number), &holder(self.number), self.now);
        Claim { lock, now: self.now, break_lock: self.break_lock }
    }
}

pub(super) fn lock_id(number: usize) -> String {
    format!("lock-of-{number:02}")
}

pub(super) fn holder(number: usize) -> String {
    format!("ada@host-{number}, pid 7")
}

/// How many changes the plans had that were performed.
pub(super) async fn run<C: Cloud>(
    cloud: &C,
    command: &Command,
    turn: Turn,
) -> Result<usize, Failure> {
    let (pace, names) = (Pace::new(1), names());
    let calls = Calls::new(cloud, &pace, &Quiet);
    let site = Site { calls, names: &names, scope: Scope { repository: true }, interrupt: None };
    let observed = observe(calls, &names, site.scope).await?;
    let plan = match command {
        Command::Deploy(wanted) => return deploy(site, wanted, &observed, turn).await,
        Command::Prune(wanted, keep) => return prune(site, wanted, *keep, &observed, turn).await,
        Command::Destroy => return destroy(site, &observed, turn).await,
        Command::Promote => plan::promote(&names, &observed, &stamp(turn.number))?,
        Command::Rollback(to) => {
            let to = to.map(version);
            plan::rollback(&names, &observed, to.as_ref(), &stamp(turn.number))?
        }
    };
    if plan.is_empty() {
        return Ok(0);
    }
    moving(site, &plan, async |plan: &Plan| perform(calls, plan).await).await?;
    Ok(plan.changes().count())
}

async fn perform<C: Cloud>(calls: Calls<'_, C>, plan: &Plan) -> Result<(), Failure> {
    let (_keep, interrupt) = tokio::sync::watch::channel(false);
    match apply(calls, plan, interrupt).await {
        Ok(_) => Ok(()),
        Err(stopped) => Err((*stopped).into()),
    }
}

async fn deploy<C: Cloud>(
    site: Site<'_, C>,
    wanted: &Wanted,
    observed: &Observed,
    turn: Turn,
) -> Result<usize, Failure> {
    let wanted = Wanted { stamp: stamp(turn.number), lock_id: None, ..wanted.clone() };
    let plan = plan::deploy(&wanted, observed)?;
    if plan.is_empty() {
        return Ok(0);
    }
    if !plan.drift.is_empty() {
        let text = format!("changed by hand since the last release: {:?}", plan.drift);
        return Err(Failure::new(Exit::Verdict, text));
    }
    let ground = plan::ground(site.names, observed);
    let again = |observed: &Observed, lock_id: &str| {
        let wanted = Wanted { lock_id: Some(lock_id.to_owned()), ..wanted };
        Ok(plan::deploy(&wanted, observed)?)
    };
    let agreed = Agreed { ground: &ground, plan: &plan };
    let each = async |plan: &Plan| perform(site.calls, plan).await;
    let done = deploying(site, turn.claim(), agreed, again, each, |_| {}).await?;
    Ok(done.changes().count())
}

async fn prune<C: Cloud>(
    site: Site<'_, C>,
    wanted: &Wanted,
    keep: usize,
    observed: &Observed,
    turn: Turn,
) -> Result<usize, Failure> {
    let planned = |observed: &Observed, lock_id: Option<&str>| -> Result<Plan, Refused> {
        let (artefact, stamp) = (None, stamp(turn.number));
        let lock_id = lock_id.map(str::to_owned);
        plan::prune(&Wanted { artefact, stamp, lock_id, ..wanted.clone() }, observed, keep)
    };
    if planned(observed, None)?.is_empty() {
        return Ok(0);
    }
    let work = async |observed: &Observed, lock_id: &str| {
        let plan = planned(observed, Some(lock_id))?;
        perform(site.calls, &plan).await?;
        Ok(plan)
    };
    let done = under_lock(site, turn.claim(), work, |_| {}).await?;
    Ok(done.changes().count())
}

async fn destroy<C: Cloud>(
    site: Site<'_, C>,
    observed: &Observed,
    turn: Turn,
) -> Result<usize, Failure> {
    let plan = plan::destroy(site.names, observed);
    if plan.is_empty() {
        return Ok(0);
    }
    let agreed = Agreed { ground: &Plan::default(), plan: &plan };
    let again = |observed: &Observed, _: &str| Ok(plan::destroy(site.names, observed));
    let each = async |plan: &Plan| perform(site.calls, plan).await;
    let done = deploying(site, turn.claim(), agreed, again, each, |_| {}).await?;
    Ok(done.changes().count())
}

/// Everything that is there, as a person without faults sees it.
pub(super) async fn look<C: Cloud>(cloud: &C) -> Observed {
    let (pace, names) = (Pace::new(1), names());
    let calls = Calls::new(cloud, &pace, &Quiet);
    observe(calls, &names, Scope { repository: true }).await.unwrap()
}

/// What `status` would call changed by hand.
pub(super) fn drift(observed: &Observed) -> Vec<plan::Drift> {
    let names = names();
    changed_by_hand(observed, &names, &Ledger::of(observed, &names))
}

/// All that was observed as a text in which nothing tells who made it, when, and in which order
/// AWS gave its ids: two accounts with the same text hold the same things, no one more.
pub(super) fn told(observed: &Observed, turns: usize) -> String {
    let mut observed = observed.clone();
    // It is gone, or ended; a run has one of both and neither hinders anyone.
    observed.lock = None;
    let lock = names().lock_key();
    observed.objects.retain(|key| *key != lock);
    observed.usage_plans.sort_by(|a, b| a.name.cmp(&b.name));
    observed.api_keys.sort_by(|a, b| a.name.cmp(&b.name));
    let mut ids: Vec<(String, String)> = Vec::new();
    ids.extend(observed.rest_api.iter().map(|api| (api.id.clone(), "API".to_owned())));
    let ledger = Ledger::of(&observed, &names());
    for (index, entry) in ledger.entries.iter().enumerate() {
        ids.push((entry.deployment.clone(), format!("DEPLOYMENT-{index}")));
    }
    let place = |id: &String| ledger.entries.iter().position(|entry| entry.deployment == *id);
    observed.deployments.sort_by_key(|one| place(&one.id));
    for deployment in &mut observed.deployments {
        deployment.created_at = None;
    }
    ids.extend(observed.usage_plans.iter().map(|one| (one.id.clone(), one.name.to_uppercase())));
    ids.extend(observed.api_keys.iter().map(|one| (one.id.clone(), one.name.to_uppercase())));
    for number in 0..turns {
        ids.push((stamp(number).at.to_string(), "AT".to_owned()));
        ids.push((lock_id(number), "LOCK".to_owned()));
    }
    let text = format!("{observed:#?}");
    ids.into_iter().fold(text, |text, (id, name)| text.replace(&id, &name))
}
