//! Performs the actions of a plan: each when those it comes after are done, a few at once.
//!
//! It stops at the first failure or at an interrupt: what runs is let to its end, nothing more is
//! started, and the account says of every action what became of it. Running the command again
//! observes anew and plans the rest, so nothing is kept here between runs.

use super::calls::Calls;
use super::cloud::Cloud;
use super::error::Error;
use super::listener::Event;
use super::together::Running;
use crate::error::{Exit, Explain};
use crate::plan::change::Given;
use crate::plan::{Action, Answer, Object, Plan, Query, Verb, Wait};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Actions under way at once: enough for what AWS's rates let through, and an account of a failure
/// that can still be read.
const CONCURRENT_MAX: usize = 8;
/// Between two looks at a function, as AWS's own waiters have it.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What became of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There was nothing to do.
    Kept,
    /// It is done.
    Done,
    /// It failed; with [`crate::apply::Retry::Unknown`] it may be done all the same.
    Failed(Error),
    /// It was not started.
    NotStarted,
}

/// One action and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was to be done.
    pub verb: Verb,
    /// To what.
    pub object: Object,
    /// What became of it.
    pub outcome: Outcome,
}

/// What was done, action by action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// In the plan's order.
    pub entries: Vec<Entry>,
    /// What is known to requests by the end: the plan's ids and those that AWS gave.
    pub given: BTreeMap<String, String>,
}

impl Account {
    /// How many changes were made.
    pub fn done(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::Done)
    }

    /// How many were not started.
    pub fn not_started(&self) -> usize {
        self.count(|outcome| *outcome == Outcome::NotStarted)
    }

    fn count(&self, what: impl Fn(&Outcome) -> bool) -> usize {
        self.entries.iter().filter(|entry| what(&entry.outcome)).count()
    }

    /// The first failure, in the plan's order.
    fn failure(&self) -> Option<&Error> {
        self.entries.iter().find_map(|entry| match &entry.outcome {
            Outcome::Failed(error) => Some(error),
            _ => None,
        })
    }
}

/// Why a plan was not performed to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// An action failed.
    Failed(Error),
    /// The person stopped it.
    Interrupted,
}

/// A plan that was not performed to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// What was done and what was not.
    pub account: Account,
    /// Why it ended.
    pub cause: Cause,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (done, left) = (self.account.done(), self.account.not_started());
        write!(f, "stopped after {done} changes with {left} left")?;
        match &self.cause {
            Cause::Failed(error) => write!(f, ": {error}"),
            Cause::Interrupted => write!(f, ": interrupted"),
        }
    }
}

impl std::error::Error for Stopped {}

impl Explain for Stopped {
    fn exit(&self) -> Exit {
        match &self.cause {
            Cause::Failed(error) => error.exit(),
            Cause::Interrupted => Exit::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        let again = "running the command again is safe: it goes on from what is there".to_owned();
        match &self.cause {
            Cause::Failed(error) => error.hint().or(Some(again)),
            Cause::Interrupted => Some(again),
        }
    }
}

/// Performs a plan; `interrupt` turns true when no further action shall start.
///
/// # Errors
/// An action failed, or the interrupt came; the account of what was done is in it.
pub async fn apply<C: Cloud>(
    calls: Calls<'_, C>,
    plan: &Plan,
    interrupt: watch::Receiver<bool>,
) -> Result<Account, Box<Stopped>> {
    let mut run = Run::new(plan);
    let mut running = Running::new();
    let mut stopping = false;
    loop {
        stopping = stopping || *interrupt.borrow();
        while !stopping && running.len() < CONCURRENT_MAX {
            let Some(index) = run.next_ready() else { break };
            run.states[index] = State::Running;
            let action = &plan.actions[index];
            let given = run.given.clone();
            let (calls, interrupt) = (calls.of(index), interrupt.clone());
            running.push(
                async move { (index, perform(calls, index, action, &given, interrupt).await) },
            );
        }
        let Some((index, ended)) = running.next().await else { break };
        let action = &plan.actions[index];
        match ended {
            Ok(None) => {
                calls.listener().hear(&Event::Withdrawn { index, action });
                run.states[index] = State::Waiting;
                stopping = true;
            }
            Ok(Some(given)) => {
                calls.listener().hear(&Event::Done { index, action });
                run.done(index, given);
            }
            Err(error) => {
                calls.listener().hear(&Event::Failed { index, action, error: &error });
                run.states[index] = State::Ended(Outcome::Failed(error));
                stopping = true;
            }
        }
    }
    let interrupted = *interrupt.borrow();
    run.account(interrupted)
}

/// Where an action is.
#[derive(Debug)]
enum State {
    Waiting,
    Running,
    Ended(Outcome),
}

struct Run<'a> {
    plan: &'a Plan,
    states: Vec<State>,
    given: BTreeMap<String, String>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Self {
        let states = plan.actions.iter().map(|_| State::Waiting).collect();
        Self { plan, states, given: plan.known.clone() }
    }

    /// The first action that waits for nothing more. Those that change nothing end here.
    fn next_ready(&mut self) -> Option<usize> {
        for (index, action) in self.plan.actions.iter().enumerate() {
            let ended = |before: &usize| {
                matches!(self.states[*before], State::Ended(Outcome::Done | Outcome::Kept))
            };
            if !matches!(self.states[index], State::Waiting) || !action.after.iter().all(ended) {
                continue;
            }
            if action.change.is_some() || action.wait.is_some() {
                return Some(index);
            }
            // What comes after it has a higher index, so one pass sees it too.
            self.states[index] = State::Ended(Outcome::Kept);
        }
        None
    }

    fn done(&mut self, index: usize, given: Given) {
        if let (Some(key), Given::Id(id)) = (&self.plan.actions[index].gives, given) {
            self.given.insert(key.clone(), id);
        }
        self.states[index] = State::Ended(Outcome::Done);
    }

    fn account(self, interrupted: bool) -> Result<Account, Box<Stopped>> {
        let entries = self.plan.actions.iter().zip(self.states).map(|(action, state)| Entry {
            verb: action.verb,
            object: action.object.clone(),
            outcome: match state {
                State::Ended(outcome) => outcome,
                _ if action.change.is_none() && action.wait.is_none() => Outcome::Kept,
                State::Waiting | State::Running => Outcome::NotStarted,
            },
        });
        let account = Account { entries: entries.collect(), given: self.given };
        let cause = match account.failure() {
            Some(error) if !interrupted => Cause::Failed(error.clone()),
            None if account.not_started() == 0 => return Ok(account),
            _ => Cause::Interrupted,
        };
        Err(Box::new(Stopped { account, cause }))
    }
}

/// What an action gave; none when an interrupt came before it was made.
async fn perform<C: Cloud>(
    calls: Calls<'_, C>,
    index: usize,
    action: &Action,
    known: &BTreeMap<String, String>,
    interrupt: watch::Receiver<bool>,
) -> Result<Option<Given>, Error> {
    if *interrupt.borrow() {
        return Ok(None);
    }
    let mut given = Given::Nothing;
    if let Some(change) = &action.change {
        let change = change.resolve(known)?;
        calls.listener().hear(&Event::Started { index, action });
        match calls.perform_unless(&change, interrupt.clone()).await? {
            Some(made) => given = made,
            None => return Ok(None),
        }
    }
    if let Some(wait) = &action.wait {
        let mut known = known.clone();
        if let (Some(key), Given::Id(id)) = (&action.gives, &given) {
            known.insert(key.clone(), id.clone());
        }
        wait_for(calls, index, &wait.resolve(&known)?, &interrupt).await?;
    }
    Ok(Some(given))
}

/// Looks until what is waited for is there. An interrupt ends the wait: the change is made, and
/// nothing that needs its effect is started.
async fn wait_for<C: Cloud>(
    calls: Calls<'_, C>,
    index: usize,
    wait: &Wait,
    interrupt: &watch::Receiver<bool>,
) -> Result<(), Error> {
    let Wait::FunctionReady { function } = wait;
    let started = Instant::now();
    loop {
        let query = Query::GetFunction { function: function.clone() };
        let Answer::Function(Some(observed)) = calls.ask(&query).await? else {
            return Err(Error::FunctionGone { function: function.clone() });
        };
        let (state, update) = (observed.state.as_str(), observed.last_update_status.as_str());
        let said = if state == "Active" { update } else { state };
        if state == "Failed" || update == "Failed" {
            let reason = observed.state_reason.clone();
            return Err(Error::FunctionFailed {
                function: function.clone(),
                state: said.to_owned(),
                reason: reason.unwrap_or_else(|| "Lambda gives no reason".to_owned()),
            });
        }
        // An inactive function is ready too: Lambda wakes it at its next invocation.
        if matches!(state, "Active" | "Inactive") && update != "InProgress" {
            return Ok(());
        }
        calls.listener().hear(&Event::Waiting { index, wait, state: said });
        if *interrupt.borrow() {
            return Ok(());
        }
        if started.elapsed() + LOOK_INTERVAL > Wait::MAX {
            return Err(Error::FunctionSlow {
                function: function.clone(),
                state: said.to_owned(),
                waited_s: started.elapsed().as_secs(),
            });
        }
        sleep(LOOK_INTERVAL).await;
    }
}
