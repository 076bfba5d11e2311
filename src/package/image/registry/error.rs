//! What can go wrong with a registry.

use super::super::document::shortened;
use crate::error::{Exit, Explain};

/// A push or a pull did not get through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The image on the disk, or the folder for one, is at fault.
    #[error(transparent)]
    Image(#[from] super::super::Error),
    /// The registry could not be reached, or the connection was cut again and again.
    #[error("registry `{registry}`: {what}")]
    Unreachable {
        /// Its host.
        registry: String,
        /// What was being done.
        what: String,
        /// Why, without addresses that may hold signatures.
        source: reqwest::Error,
    },
    /// The registry said no.
    #[error("registry `{registry}`: {what}: {status}{detail}")]
    Refused {
        /// Its host.
        registry: String,
        /// What was being done.
        what: String,
        /// The status.
        status: http::StatusCode,
        /// What it said, with `: ` before it.
        detail: String,
        /// Whether credentials were at hand.
        had_credentials: bool,
        /// Whether it is ECR.
        is_ecr: bool,
    },
    /// The registry does not keep to the protocol.
    #[error("registry `{registry}`: {reason}")]
    Misbehaved {
        /// Its host.
        registry: String,
        /// How.
        reason: String,
    },
    /// It took too long.
    #[error("registry `{registry}`: {what}: no answer in time")]
    TimedOut {
        /// Its host.
        registry: String,
        /// What was being done.
        what: String,
    },
    /// The Docker configuration cannot be read.
    #[error("docker configuration `{path}`: {reason}")]
    Configuration {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A credential helper did not give credentials.
    #[error("credential helper `{helper}`: {reason}")]
    Helper {
        /// The program.
        helper: String,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// Whether another try may go better.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Refused { status, .. } => matches!(status.as_u16(), 408 | 429 | 500..=504),
            _ => false,
        }
    }
}

/// A registry's own words on a refusal: the first error of its document, else nothing.
pub(super) fn detail(body: &[u8]) -> String {
    let document: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &document["errors"][0];
    let words: Vec<String> = ["code", "message"]
        .iter()
        .filter_map(|name| first[name].as_str())
        .filter(|text| !text.is_empty())
        .map(shortened)
        .collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(": ")) }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Image(error) => error.exit(),
            Self::Configuration { .. } => Exit::Refused,
            _ => Exit::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::Unreachable { source, .. } if source.is_connect() => Some(
                "check the host name and the network; plain HTTP is spoken to loopback alone"
                    .to_owned(),
            ),
            Self::Unreachable { .. } | Self::TimedOut { .. } => {
                Some("run it again: what was uploaded whole is not uploaded again".to_owned())
            }
            Self::Refused { registry, status, had_credentials, is_ecr, .. } => {
                refusal_hint(registry, status.as_u16(), *had_credentials, *is_ecr)
            }
            Self::Configuration { .. } | Self::Helper { .. } => {
                Some("`docker login HOST` writes it anew".to_owned())
            }
            Self::Misbehaved { .. } => None,
        }
    }
}

fn refusal_hint(
    registry: &str,
    status: u16,
    had_credentials: bool,
    is_ecr: bool,
) -> Option<String> {
    let hint = match (status, is_ecr) {
        (401 | 403, true) => {
            "the AWS credentials need ecr:GetAuthorizationToken and, on the repository, \
             ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, ecr:UploadLayerPart, \
             ecr:CompleteLayerUpload and ecr:PutImage"
        }
        (401, false) if had_credentials => {
            return Some(format!("it does not take the credentials: `docker login {registry}`"));
        }
        (401, false) => return Some(format!("sign in first: `docker login {registry}`")),
        (403, false) => "the account may not do this in that repository",
        (404, true) => "create the repository first: `aws ecr create-repository`",
        (404, false) => "the repository, or the image in it, is not there; check its name",
        (413, _) => "the registry, or a proxy before it, takes no blobs of this size",
        (429, _) => "it limits requests: run it again later, what was uploaded stays there",
        (500.., _) => "the registry has trouble: run it again later, what was uploaded stays there",
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_quotes_the_registry_and_nothing_dangerous() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no\u001b[31m push"}]}"#;
        assert_eq!(detail(body), ": DENIED: no\u{fffd}[31m push");
        for other in [&b""[..], b"<html>", b"[]", br#"{"errors":{}}"#, br#"{"errors":[1]}"#] {
            assert_eq!(detail(other), "");
        }
    }
}
