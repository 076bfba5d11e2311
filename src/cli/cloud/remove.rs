//! `prune` and `destroy`: what goes.

use super::super::Context;
use super::session::Session;
use super::wanted::{Asked, wanted};
use crate::apply::{Calls, Failed, Quiet};
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::plan::names::SHARED_TAG;
use crate::plan::observed::Bucket;
use crate::plan::{self, Answer, Change, Ledger, Observed, Plan, Query, Refused};

/// Takes old versions away.
pub(in crate::cli) fn prune(
    keep: usize,
    break_lock: bool,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    let session = Session::open(settings, context, None)?;
    let plan = |lock_id: Option<String>| -> Result<_, Failure> {
        let observed = session.observe()?;
        let ledger = Ledger::of(&observed, &session.names);
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
        let plan = plan::prune(&wanted, &observed, keep)?;
        Ok((observed, plan))
    };
    let (observed, first) = plan(None)?;
    if first.is_empty() {
        context.console.talk("no changes");
        session.print_release("prune", &observed, &first)?;
        return Ok(Exit::Done);
    }
    let held = session.lock(break_lock)?;
    let pruned = plan(Some(held.id.clone())).and_then(|(_, plan)| {
        session.tell(&plan, None);
        session.apply(&plan)?;
        Ok(plan)
    });
    session.unlock(&held);
    let plan = pruned?;
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
    let bucket = matches!(observed.bucket, plan::observed::Bucket::Own(_));
    let held = if bucket { Some(session.lock(break_lock)?) } else { None };
    let destroyed = session.apply(&plan);
    if let Some(held) = &held {
        session.unlock(held);
    }
    destroyed?;
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
