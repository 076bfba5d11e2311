//! Why a contract has no OpenAPI document.

use crate::error::{Exit, Explain};
use std::time::Duration;

/// What API Gateway could not be told by the document, or a place that AWS has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its fields are")]
pub enum Error {
    #[error("integration: only a Lambda function's can be written into an OpenAPI document")]
    HttpIntegration,
    #[error("integration timeout {timeout:?}: API Gateway takes whole milliseconds from 50")]
    Timeout { timeout: Duration },
    #[error("route `{route}`: API Gateway has no such method")]
    Method { route: String },
    #[error("route `{route}`: API Gateway takes no such path")]
    Path { route: String },
    #[error("route `{route}` stands twice in the contract")]
    RouteTwice { route: String },
    #[error("route `{route}`: OpenAPI ignores a parameter named `{name}`")]
    Parameter { route: String, name: String },
    #[error("route `{route}` uses request model `{model}`, which the contract does not have")]
    UnknownModel { route: String, model: String },
    #[error("request model `{model}`: API Gateway wants a name of letters and digits")]
    ModelName { model: String },
    #[error("request model `{model}`: {what} at `{pointer}` would be lost on import")]
    Model { model: String, what: String, pointer: String },
    #[error("version `{tag}`: no alias of a function can be named after it")]
    Version { tag: String },
    #[error("account `{text}`: an AWS account id has 12 digits")]
    Account { text: String },
    #[error("region `{text}`: it is no Region's code")]
    Region { text: String },
    #[error("function `{text}`: a function's name has 1 to 64 letters, digits, `-` and `_`")]
    Function { text: String },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Account { .. } => "pass --account with 12 digits, for instance 111122223333",
            Self::Region { .. } => "pass --region with a Region's code, for instance eu-west-1",
            Self::Timeout { .. } => "set `gateway.timeout_ms` in gwtf.toml to 50 or more",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
