//! Why a contract cannot be enforced by the twin.

use super::schema::CompileError;
use crate::error::{Exit, Explain};
use crate::spec::access_log::FormatError;

/// A contract that the twin refuses to enforce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A request model with something that the twin does not enforce.
    #[error("request model `{name}`")]
    Model {
        /// The model's name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: CompileError,
    },
    /// A route names a model that the contract does not have.
    #[error("route `{route}` uses request model `{model}`, which the contract does not have")]
    UnknownModel {
        /// The route's key.
        route: String,
        /// The model's name.
        model: String,
    },
    /// Two routes match the same requests.
    #[error("route `{route}` stands twice in the contract")]
    RouteTwice {
        /// The route's key.
        route: String,
    },
    /// A key of a usage plan that the contract does not have.
    #[error("API key `{key}` is in usage plan `{plan}`, which the contract does not have")]
    UnknownPlan {
        /// The key's id.
        key: String,
        /// The plan's name.
        plan: String,
    },
    /// Two keys with the same id or the same value.
    #[error("API key `{key}` stands twice in the contract")]
    KeyTwice {
        /// The second key's id.
        key: String,
    },
    /// A usage plan limits a method that no route has.
    #[error("usage plan `{plan}` limits `{route}`, which is no route of the contract")]
    UnknownRoute {
        /// The plan's name.
        plan: String,
        /// The route's key as written.
        route: String,
    },
    /// Signed requests: signatures are not looked at.
    #[error("auth `iam` is not enforced by the local twin")]
    SignedRequests,
    /// An HTTP integration with bodies that AWS would take for text.
    #[error("binary media types without `*/*` are not enforced for an HTTP integration")]
    TextBodies,
    /// The access-log format.
    #[error(transparent)]
    AccessLog(#[from] FormatError),
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::AccessLog(error) => error.hint(),
            Self::TextBodies => Some("add `*/*` to the contract's binary media types".to_owned()),
            _ => None,
        }
    }
}
