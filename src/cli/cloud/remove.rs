//! `prune` and `destroy`: what goes.

use super::super::Context;
use super::deploy::refuse_drift;
use super::session::Session;
use super::wanted::{Asked, wanted};
use crate::apply::{Calls, Failed, Quiet, deploying, lock};
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::plan::names::SHARED_TAG;
use crate::plan::observed::Bucket;
use crate::plan::{self, Answer, Change, Ledger, Observed, Plan, Query, Refused};

/// Takes old versions away.
pub(in crate::cli) fn prune(
    keep: usize,
    yes: bool,
    break_lock: bool,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    let session = Session::open(settings, context, None)?;
    let plan = |observed: &Observed, lock_id: Option<String>| -> Result<Plan, Failure> {
        let ledger = Ledger::of(observed, &session.names);
        let live = ledger.live().ok_or(Refused::NothingReleased)?.record.clone();
        let asked = Asked {
            version: live.version,
            model_sha256: live.model_sha256,
            signature: live.signature,
            canary_percent: None,
            allow_breaking: false,
        };
        let mut wanted = wanted(&session, asked)?;
        wanted.lock_id = lock_id;
        Ok(plan::prune(&wanted, observed, keep)?)
    };
    let observed = session.observe()?;
    let first = plan(&observed, None)?;
    if first.is_empty() {
        context.console.talk("no changes");
        session.print_release("prune", &observed, &first)?;
        return Ok(Exit::Done);
    }
    refuse_drift(&first.drift, yes)?;
    let work = async |observed: &Observed, lock_id: &str| {
        let plan = plan(observed, Some(lock_id.to_owned()))?;
        session.tell(&plan, None);
        session.perform(&plan).await?;
        Ok(plan)
    };
    let claim = session.claim(break_lock);
    let left = |error: &lock::Error| session.left(error);
    let plan = session.block_on(deploying::under_lock(session.site(), claim, work, left))?;
    let observed = session.observe()?;
    session.print_release("prune", &observed, &plan)
}

/// Takes everything of the endpoint away.
pub(in crate::cli) fn destroy(
    yes: bool,
    break_lock: bool,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    let session = Session::open(settings, context, None)?;
    let observed = session.observe()?;
    let plan = plan::destroy(&session.names, &observed);
    if plan.is_empty() {
        context.console.talk("no changes");
        return session.print_release("destroy", &observed, &plan);
    }
    session.tell(&plan, None);
    confirm(yes, &session, &plan)?;
    if matches!(observed.bucket, Bucket::Own(_)) {
        session.block_on(deploying::deploying(
            session.site(),
            session.claim(break_lock),
            deploying::Agreed { ground: &Plan::default(), plan: &plan },
            |observed, _| Ok(plan::destroy(&session.names, observed)),
            async |plan: &Plan| session.perform(plan).await,
            |error| session.left(error),
        ))?;
    } else {
        // Without a bucket there is no lock, and nobody deploys.
        session.apply(&plan)?;
    }
    session.remove_empty_bucket(&observed)?;
    let observed = session.observe()?;
    session.print_release("destroy", &observed, &plan)
}

/// Asks on a terminal; elsewhere `--yes` is the answer.
fn confirm(yes: bool, session: &Session<'_>, plan: &Plan) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let endpoint = &session.names.endpoint;
    let count = plan.changes().count();
    let question =
        format!("Remove endpoint `{endpoint}` with {count} calls? Type its name to go on: ");
    match session.context.console.ask(&question) {
        Some(answer) if answer == *endpoint => Ok(()),
        Some(_) => Err(Failure::new(Exit::Refused, "destroy: that is not its name")),
        None => {
            let text = format!("destroy `{endpoint}`: nobody is there to be asked");
            Err(Failure::new(Exit::Refused, text).with_hint("pass --yes"))
        }
    }
}

impl Session<'_> {
    /// The bucket goes with the last endpoint, if gwtf made it; S3 itself refuses to delete one that
    /// holds anything.
    fn remove_empty_bucket(&self, observed: &Observed) -> Result<(), Failure> {
        let Bucket::Own(tags) = &observed.bucket else { return Ok(()) };
        if !tags.contains_key(SHARED_TAG) {
            return Ok(());
        }
        let (bucket, owner) = (self.names.bucket.clone(), self.names.account_id.clone());
        let calls = Calls::new(&self.aws, &self.pace, &Quiet);
        let list = Query::ListObjects {
            bucket: bucket.clone(),
            owner: owner.clone(),
            prefix: String::new(),
        };
        let Answer::Names(keys) = self.block_on(calls.ask(&list))? else { return Ok(()) };
        if !keys.is_empty() {
            return Ok(());
        }
        match self.block_on(calls.perform(&Change::DeleteBucket { bucket, owner })) {
            // Another endpoint has just put its lock there.
            Err(error) if error.failed == Failed::Conflict => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }
}
