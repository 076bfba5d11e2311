//! A cloud in memory that takes and refuses changes as AWS does.
//!
//! Plans are rehearsed on it: in tests with failures at every step, and by `gwtf iam verify` to
//! learn which calls a command makes. It keeps what decides whether the next call succeeds (names
//! taken, versions, deployments as snapshots, conditions) and says what its data plane would
//! answer ([`Rehearsal::answers`]).
//!
//! # Invariants
//! It never accepts what AWS is known to refuse; where AWS's behaviour is not known it refuses.

mod answers;
mod faults;
mod function;
mod rest_api;
mod role;
mod stage;
mod storage;
mod usage;

pub use answers::{Answers, Served};
pub use faults::{At, Call, Fault, Faults, Recorded, Trouble};

use super::cloud::{CallError, Cloud, Failed, Retry};
use crate::plan::Names;
use crate::plan::change::{Change, Given};
use crate::plan::observed::Caller;
use crate::plan::query::{Answer, Query, Service};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What is slow, scarce or foreign in a rehearsed account.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// Looks (`GetFunction`, or a refused update) for which a changed function is not ready.
    pub pending_looks: u32,
    /// Why a function does not become active at all, in Lambda's words.
    pub function_fails: Option<String>,
    /// Calls for which a new role is not yet known to other services.
    pub role_refusals: u32,
    /// REST APIs that the account may have (AWS: 600 a Region).
    pub rest_apis_max: usize,
    /// Calls after which the credentials are expired.
    pub calls_before_expiry: Option<u64>,
    /// Buckets of other accounts.
    pub foreign_buckets: BTreeSet<String>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            pending_looks: 0,
            function_fails: None,
            role_refusals: 0,
            rest_apis_max: 600,
            calls_before_expiry: None,
            foreign_buckets: BTreeSet::new(),
        }
    }
}

/// Where the rehearsed account is.
#[derive(Debug, Clone)]
struct Place {
    partition: &'static str,
    region: String,
    account_id: String,
}

/// An account of one Region in memory, empty at first.
#[derive(Debug)]
pub struct Rehearsal {
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct State {
    place: Place,
    knobs: Knobs,
    calls: u64,
    storage: storage::Storage,
    roles: role::Roles,
    logs: storage::Logs,
    registry: storage::Registry,
    functions: function::Functions,
    gateway: rest_api::Gateway,
    usage: usage::Usage,
}

impl Rehearsal {
    /// An empty account where these names are.
    pub fn new(names: &Names, knobs: Knobs) -> Self {
        let place = Place {
            partition: names.partition(),
            region: names.region.clone(),
            account_id: names.account_id.clone(),
        };
        let state = State {
            place,
            knobs,
            calls: 0,
            storage: storage::Storage::default(),
            roles: role::Roles::default(),
            logs: storage::Logs::default(),
            registry: storage::Registry::default(),
            functions: function::Functions::default(),
            gateway: rest_api::Gateway::default(),
            usage: usage::Usage::default(),
        };
        Self { state: Mutex::new(state) }
    }

    /// Another account that is as this one is now.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { state: Mutex::new(self.locked(|state| state.clone())) }
    }

    /// Other knobs from now on.
    pub fn turn(&self, turn: impl FnOnce(&mut Knobs)) {
        self.locked(|state| turn(&mut state.knobs));
    }

    fn locked<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cloud for Rehearsal {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        let answer = self.locked(|state| state.signed_in().and_then(|()| state.ask(query)));
        answer.map_err(|refusal| refusal.of(query.operation()))
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let given = self.locked(|state| state.signed_in().and_then(|()| state.perform(change)));
        given.map_err(|refusal| refusal.of(change.operation()))
    }
}

/// Why a call is refused, before it is known which it was.
#[derive(Debug)]
struct Refusal {
    object: String,
    failed: Failed,
    code: &'static str,
    message: String,
}

type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    fn new(object: &str, failed: Failed, code: &'static str, message: impl Into<String>) -> Self {
        Self { object: object.to_owned(), failed, code, message: message.into() }
    }

    fn of(self, (service, operation): (Service, &'static str)) -> CallError {
        let safe = matches!(self.failed, Failed::NotReady | Failed::Throttled);
        CallError {
            service: service.prefix(),
            operation,
            object: self.object,
            failed: self.failed,
            retry: if safe { Retry::Safe } else { Retry::Never },
            retry_after: None,
            code: self.code.to_owned(),
            message: self.message,
            request_id: None,
        }
    }
}

impl State {
    /// Counts a call against the life of the credentials.
    fn signed_in(&mut self) -> Outcome<()> {
        if self.knobs.calls_before_expiry.is_some_and(|most| self.calls >= most) {
            let message = "The security token included in the request is expired";
            return Err(Refusal::new("caller", Failed::Credentials, "ExpiredToken", message));
        }
        self.calls += 1;
        Ok(())
    }

    fn ask(&mut self, query: &Query) -> Outcome<Answer> {
        Ok(match query.operation().0 {
            Service::Sts => Answer::Caller(self.caller()),
            Service::Iam => self.roles.ask(query),
            Service::S3 => self.storage.ask(query, &self.place, &self.knobs)?,
            Service::Logs => self.logs.ask(query),
            Service::Ecr => self.registry.ask(query),
            Service::Lambda => self.functions.ask(query, &self.knobs)?,
            Service::ApiGateway => match self.usage.ask(query) {
                Some(answer) => answer?,
                None => self.gateway.ask(query)?,
            },
        })
    }

    fn caller(&self) -> Caller {
        let Place { partition, account_id, .. } = &self.place;
        Caller {
            account_id: account_id.clone(),
            arn: format!("arn:{partition}:iam::{account_id}:user/rehearsal"),
        }
    }

    fn perform(&mut self, change: &Change) -> Outcome<Given> {
        match change.operation().0 {
            Service::Sts => unreachable_change(change),
            Service::Iam => self.roles.perform(change, &self.place, &self.knobs),
            Service::S3 => self.storage.perform(change, &self.place, &self.knobs),
            Service::Logs => self.logs.perform(change, &self.place),
            Service::Ecr => self.registry.perform(change, &self.place),
            Service::Lambda => {
                let around = function::Around {
                    place: &self.place,
                    knobs: &self.knobs,
                    roles: &mut self.roles,
                    storage: &self.storage,
                };
                self.functions.perform(change, around)
            }
            Service::ApiGateway => match self.usage.perform(change, &self.gateway) {
                Some(given) => given,
                None => {
                    let given =
                        self.gateway.perform(change, &mut self.roles, self.knobs.rest_apis_max)?;
                    if let Change::DeleteRestApi { rest_api } = change {
                        self.usage.forget(rest_api);
                    }
                    Ok(given)
                }
            },
        }
    }
}

/// A change that came to a service that does not have it.
fn unreachable_change(change: &Change) -> Outcome<Given> {
    let (_, operation) = change.operation();
    Err(Refusal::new(operation, Failed::Invalid, "UnknownOperation", "it is not rehearsed"))
}
