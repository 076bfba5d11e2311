//! Which calls `deploy`, `promote`, `rollback`, `prune`, `status` and `destroy` make: rehearsed in
//! memory, command by command, with all that the endpoint's shape has.

mod commands;
mod script;
mod wanted;

use super::deployer::Deployer;
use super::{Error, calls};
use crate::apply::rehearsal::{Call, Knobs, Recorded, Rehearsal};
use crate::identity::policy;

/// Something that a command did and a right is needed for.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// It called AWS.
    Called(Call),
    /// It asked the endpoint whether the release answers, with a signed request.
    Invoked {
        /// The REST API's id.
        rest_api: String,
    },
}

/// The calls of the rehearsed commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The command and what it did, in order.
    pub made: Vec<(&'static str, Made)>,
    /// The REST API's id there.
    rest_api: Option<String>,
}

impl Recording {
    /// What they are authorised as, each request once, under the first command that makes it.
    pub(super) fn calls(
        &self,
        names: &crate::plan::Names,
        boundary: Option<&str>,
        rest_api: Option<&str>,
    ) -> Vec<policy::Call> {
        let authorised = calls::Authorised { names, boundary };
        let mut calls: Vec<policy::Call> = Vec::new();
        for (command, made) in &self.made {
            let (needs, operation) = match made {
                Made::Called(call @ Call::Asked(query)) => {
                    (authorised.query(query), call.operation().1)
                }
                Made::Called(call @ Call::Performed(change)) => {
                    (authorised.change(change), call.operation().1)
                }
                Made::Invoked { rest_api } => (vec![authorised.smoke_test(rest_api)], "Invoke"),
            };
            let operation = format!("{command}: {operation}");
            for mut need in needs {
                if let (Some(known), Some(rehearsed)) = (rest_api, &self.rest_api) {
                    need.unknown.retain(|text| text != rehearsed);
                    need.request.resource = need.request.resource.replace(rehearsed, known);
                }
                let call = need.call(&operation);
                if !calls.iter().any(|other| other.requests == call.requests) {
                    calls.push(call);
                }
            }
        }
        calls
    }
}

/// Rehearses everything that the deployer does.
///
/// # Errors
/// A command does not go through; that would be a fault of the plan, the rehearsal or this script.
pub async fn record(asked: &Deployer<'_>) -> Result<Recording, Error> {
    let account = Rehearsal::new(asked.names, Knobs::default());
    let mut rehearsed = Rehearsed {
        asked,
        account: &account,
        cloud: Recorded::new(&account),
        made: Vec::new(),
        rest_api: None,
        locks: 0,
    };
    rehearsed.all().await.map_err(|Failure(failure)| Error::Rehearsal { failure })?;
    Ok(Recording { made: rehearsed.made, rest_api: rehearsed.rest_api })
}

/// Why a rehearsal does not go through, causes included.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

type Outcome<T> = Result<T, Failure>;

struct Rehearsed<'a> {
    asked: &'a Deployer<'a>,
    /// The account, for what others do by hand and nobody records.
    account: &'a Rehearsal,
    cloud: Recorded<&'a Rehearsal>,
    made: Vec<(&'static str, Made)>,
    rest_api: Option<String>,
    /// Locks taken so far.
    locks: u32,
}
