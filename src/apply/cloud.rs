//! The port to AWS: a question or a change at a time, in gwtf's own words.

use crate::error::{Exit, Explain};
use crate::plan::change::{Change, Given};
use crate::plan::query::{Answer, Query};
use std::future::Future;
use std::time::Duration;

/// A cloud that answers queries and performs changes; AWS, or one rehearsed in memory.
///
/// An implementation makes one attempt a call and says by [`CallError::retry`] what another would
/// mean; pacing and retrying are the caller's.
pub trait Cloud: Send + Sync {
    /// Asks; a thing that is not there is an answer.
    ///
    /// # Errors
    /// The cloud refused or could not be reached.
    fn ask(&self, query: &Query) -> impl Future<Output = Result<Answer, CallError>> + Send;

    /// Makes one change. The request holds no placeholder.
    ///
    /// # Errors
    /// The cloud refused or could not be reached; [`CallError::retry`] says whether it may have
    /// been carried out all the same.
    fn perform(&self, change: &Change) -> impl Future<Output = Result<Given, CallError>> + Send;
}

impl<C: Cloud> Cloud for &C {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        (**self).ask(query).await
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        (**self).perform(change).await
    }
}

/// Whether a failed call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// It was not carried out: refused by a rate limit, or by something that is not ready yet.
    Safe,
    /// It may have been carried out: no reply came, or a server error.
    Unknown,
}

/// What kind of failure it was, as far as gwtf acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// A rate limit.
    Throttled,
    /// Something before it is not ready: a role not yet known everywhere, an update in progress.
    NotReady,
    /// It is there already, or was changed meanwhile.
    Conflict,
    /// It is not there.
    NotFound,
    /// The condition of a conditional write does not hold.
    Precondition,
    /// The credentials may not do this.
    Denied,
    /// The credentials are missing, expired or wrong.
    Credentials,
    /// A quota of the account is used up.
    Quota,
    /// The request was refused as it is.
    Invalid,
    /// A server error.
    Server,
    /// No reply, a broken one, or none in time.
    NoReply,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} {operation} on `{object}`: {code}{}: {message}", request(.request_id.as_deref()))]
pub struct CallError {
    /// The service's name.
    pub service: &'static str,
    /// The operation.
    pub operation: &'static str,
    /// What it was about.
    pub object: String,
    /// What kind of failure.
    pub failed: Failed,
    /// Whether it may be made again.
    pub retry: Retry,
    /// How long the service asked to wait, if it did.
    pub retry_after: Option<Duration>,
    /// The service's error code, or a word of ours when no reply came.
    pub code: String,
    /// The service's words; bounded, without secrets.
    pub message: String,
    /// The request's id, for AWS support.
    pub request_id: Option<String>,
}

fn request(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" (request {id})"))
}

impl Explain for CallError {
    fn exit(&self) -> Exit {
        Exit::Machine
    }

    fn hint(&self) -> Option<String> {
        let Self { service, operation, .. } = self;
        Some(match self.failed {
            Failed::Throttled => "too many control-plane calls in this account; run it again later".to_owned(),
            Failed::NotReady => "it was not ready in time; run the command again".to_owned(),
            Failed::Denied => format!(
                "the credentials lack permission for {service} {operation}; `gwtf iam deployer` prints what a deploy needs"
            ),
            Failed::Credentials => {
                "sign in again (`aws sts get-caller-identity` shows whether the credentials work), then run the command again".to_owned()
            }
            Failed::Quota => "raise the quota in Service Quotas, or remove what is no longer used".to_owned(),
            Failed::Conflict => "somebody else may be changing it; look with `gwtf status`, then run the command again".to_owned(),
            Failed::Server | Failed::NoReply => {
                "it may have been carried out; run the command again, it goes on from what is there".to_owned()
            }
            Failed::NotFound | Failed::Precondition | Failed::Invalid => return None,
        })
    }
}
