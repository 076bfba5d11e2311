//! ECR: the password of a registry, which is a token of 12 hours; repositories and their images.

mod push;
mod repository;

pub(super) use push::push;
pub(super) use repository::*;

use super::configuration;
use crate::error::{Exit, Explain};
use crate::spec::Secret;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::RequestId;
use aws_sdk_ecr::operation::get_authorization_token::GetAuthorizationTokenOutput;
use base64::Engine as _;
use std::fmt;

/// A user name and a password for `docker login`'s protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name: `AWS`.
    pub username: String,
    /// The token.
    pub password: Secret,
}

/// ECR gave no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are no credentials, or ECR could not be reached.
    #[error("ecr GetAuthorizationToken in `{region}`")]
    NotSent {
        /// The region.
        region: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// ECR said no.
    #[error("ecr GetAuthorizationToken in `{region}`: {refusal}")]
    Refused {
        /// The region.
        region: String,
        /// What it said.
        refusal: Refusal,
    },
    /// The answer holds no token.
    #[error("ecr GetAuthorizationToken in `{region}`: the answer holds no token")]
    NoToken {
        /// The region.
        region: String,
    },
}

/// What a service said.
#[derive(Debug)]
pub struct Refusal {
    code: String,
    message: String,
    request_id: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (request {}): {}", self.code, self.request_id, self.message)
    }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Machine
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotSent { .. } => {
                "`aws sts get-caller-identity` shows whether there are credentials"
            }
            Self::Refused { .. } => "the role needs ecr:GetAuthorizationToken on `*`",
            Self::NoToken { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// The login of the caller's registry in a region.
///
/// # Errors
/// There are no credentials, or ECR refuses or cannot be reached.
pub async fn login(region: &str, profile: Option<&str>) -> Result<Login, Error> {
    let region = region.to_owned();
    let configuration = configuration::load(&region, profile).await;
    let client = aws_sdk_ecr::Client::new(&configuration);
    let output = match client.get_authorization_token().send().await {
        Ok(output) => output,
        Err(SdkError::ServiceError(refused)) => {
            let error = refused.into_err();
            let text = |value: Option<&str>| value.unwrap_or("unknown").to_owned();
            let refusal = Refusal {
                code: text(error.code()),
                message: text(error.message()),
                request_id: text(error.request_id()),
            };
            return Err(Error::Refused { region, refusal });
        }
        Err(error) => return Err(Error::NotSent { region, source: Box::new(error) }),
    };
    login_of(&output).ok_or(Error::NoToken { region })
}

/// The first token of a reply; there is one for each registry asked for, and the caller's is.
fn login_of(output: &GetAuthorizationTokenOutput) -> Option<Login> {
    decode(output.authorization_data().first()?.authorization_token()?)
}

/// The token is base64 of `AWS:PASSWORD` (ECR API reference, `AuthorizationData`).
fn decode(token: &str) -> Option<Login> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(token).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (username, password) = text.split_once(':')?;
    Some(Login { username: username.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_user_and_a_password() {
        let login = decode("QVdTOmFiOmM=").unwrap();
        assert_eq!((login.username.as_str(), login.password.expose()), ("AWS", "ab:c"));
        for bad in ["", "QVdT", "%", "/////w=="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert!(!format!("{login:?}").contains("ab:c"));
    }
}
