//! Clouds around a cloud: one that fails on purpose, one that remembers the calls.

use crate::apply::cloud::{CallError, Cloud, Failed, Retry};
use crate::plan::change::{Change, Given};
use crate::plan::query::{Answer, Query, Service};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Which call fails, counted from 0, questions and changes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The k-th question.
    Ask(usize),
    /// The k-th change.
    Perform(usize),
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Refused by a rate limit, not carried out.
    Throttled {
        /// The wait that is asked for.
        retry_after: Option<Duration>,
    },
    /// A server error; it was not carried out, but nobody can know.
    Server,
    /// No reply, and it was not carried out.
    Lost,
    /// Carried out, and no reply.
    NoReply,
    /// The credentials are expired from this call on, for questions and changes alike.
    Expired,
    /// The process dies during this call: it is carried out, no reply comes, no later call is made.
    Killed,
}

/// A failure on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which call.
    pub at: At,
    /// How.
    pub trouble: Trouble,
}

/// A cloud that fails once, or from one call on.
#[derive(Debug)]
pub struct Faults<C> {
    cloud: C,
    fault: Fault,
    asked: AtomicUsize,
    performed: AtomicUsize,
    struck: std::sync::atomic::AtomicBool,
}

impl<C: Cloud> Faults<C> {
    /// This cloud with one fault.
    pub fn new(cloud: C, fault: Fault) -> Self {
        let (asked, performed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { cloud, fault, asked, performed, struck: false.into() }
    }

    /// Whether the fault has struck.
    pub fn has_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }

    /// The trouble of this call, if it is in trouble.
    fn trouble(&self, at: At) -> Option<Trouble> {
        let lasts = matches!(self.fault.trouble, Trouble::Expired | Trouble::Killed);
        let now = at == self.fault.at;
        if now {
            self.struck.store(true, Ordering::SeqCst);
        }
        (now || (lasts && self.has_struck())).then_some(self.fault.trouble)
    }
}

fn error((service, operation): (Service, &'static str), trouble: Trouble) -> CallError {
    let (failed, retry, code) = match trouble {
        Trouble::Throttled { .. } => (Failed::Throttled, Retry::Safe, "TooManyRequestsException"),
        Trouble::Server => (Failed::Server, Retry::Unknown, "ServiceException"),
        Trouble::Lost | Trouble::NoReply => (Failed::NoReply, Retry::Unknown, "NoReply"),
        Trouble::Expired => (Failed::Credentials, Retry::Never, "ExpiredToken"),
        Trouble::Killed => (Failed::NoReply, Retry::Never, "Killed"),
    };
    let retry_after = match trouble {
        Trouble::Throttled { retry_after } => retry_after,
        _ => None,
    };
    CallError {
        service: service.prefix(),
        operation,
        object: "rehearsal".to_owned(),
        failed,
        retry,
        retry_after,
        code: code.to_owned(),
        message: "a failure on purpose".to_owned(),
        request_id: None,
    }
}

impl<C: Cloud> Cloud for Faults<C> {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        match self.trouble(At::Ask(self.asked.fetch_add(1, Ordering::SeqCst))) {
            Some(trouble) => Err(error(query.operation(), trouble)),
            None => self.cloud.ask(query).await,
        }
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let at = At::Perform(self.performed.fetch_add(1, Ordering::SeqCst));
        match self.trouble(at) {
            Some(trouble @ (Trouble::NoReply | Trouble::Killed)) if at == self.fault.at => {
                self.cloud.perform(change).await?;
                Err(error(change.operation(), trouble))
            }
            Some(trouble) => Err(error(change.operation(), trouble)),
            None => self.cloud.perform(change).await,
        }
    }
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the call it holds")]
pub enum Call {
    Asked(Query),
    Performed(Change),
}

impl Call {
    /// The service, and the operation's name in AWS's API.
    pub fn operation(&self) -> (Service, &'static str) {
        match self {
            Self::Asked(query) => query.operation(),
            Self::Performed(change) => change.operation(),
        }
    }
}

/// A cloud that remembers every call, made or refused.
#[derive(Debug)]
pub struct Recorded<C> {
    cloud: C,
    calls: Mutex<Vec<Call>>,
}

impl<C: Cloud> Recorded<C> {
    /// This cloud, and no calls.
    pub fn new(cloud: C) -> Self {
        Self { cloud, calls: Mutex::new(Vec::new()) }
    }

    /// The calls since the last time they were taken, in order.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }
}

impl<C: Cloud> Cloud for Recorded<C> {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        self.record(Call::Asked(query.clone()));
        self.cloud.ask(query).await
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        self.record(Call::Performed(change.clone()));
        self.cloud.perform(change).await
    }
}
