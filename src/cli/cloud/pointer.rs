//! `promote` and `rollback`: one call each.

use super::super::Context;
use super::session::Session;
use crate::apply::deploying;
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::plan::{self, Observed, Plan, Refused};
use crate::spec::version::Version;
use std::time::Duration;

pub(in crate::cli) fn promote(
    smoke_timeout: Option<Duration>,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    let session = Session::open(settings, context, None)?;
    let stamp = session.stamp();
    moved(&session, "promote", smoke_timeout, |observed| {
        plan::promote(&session.names, observed, &stamp)
    })
}

pub(in crate::cli) fn rollback(
    to: Option<&Version>,
    smoke_timeout: Option<Duration>,
    settings: &Settings,
    context: &Context,
) -> Result<Exit, Failure> {
    let session = Session::open(settings, context, None)?;
    let stamp = session.stamp();
    moved(&session, "rollback", smoke_timeout, |observed| {
        plan::rollback(&session.names, observed, to, &stamp)
    })
}

/// Takes no lock: going back must not wait for a deploy that hangs.
fn moved(
    session: &Session<'_>,
    command: &'static str,
    smoke_timeout: Option<Duration>,
    plan: impl FnOnce(&Observed) -> Result<Plan, Refused>,
) -> Result<Exit, Failure> {
    let observed = session.observe()?;
    session.warn_of_lock(&observed);
    let plan = plan(&observed)?;
    if plan.is_empty() {
        session.context.console.talk("no changes");
        return session.print_release(command, &observed, &plan);
    }
    let perform = async |plan: &Plan| session.perform(plan).await;
    session.block_on(deploying::moving(session.site(), &plan, perform))?;
    let observed = session.observe()?;
    let ledger = plan::Ledger::of(&observed, &session.names);
    let answers = match ledger.live().zip(smoke_timeout) {
        Some((live, timeout)) => session.smoke(&observed, &live.record.version, timeout),
        None => Ok(()),
    };
    // What was released is said in any case.
    let exit = session.print_release(command, &observed, &plan)?;
    answers.map(|()| exit)
}
