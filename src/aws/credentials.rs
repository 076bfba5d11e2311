//! The caller's own credentials, found as every AWS tool finds them.
//!
//! The SDK's chain decides: variables, the profile (keys, assumed roles, SSO, a process), a web
//! identity, the container's or the instance's role. The Region is found the same way where nobody
//! names one.

use super::configuration;
use crate::error::{Exit, Explain};
use crate::identity::sigv4::Credentials;
use crate::spec::Secret;
use aws_config::Region;
use aws_credential_types::provider::{
    ProvideCredentials as _, SharedCredentialsProvider, error::CredentialsError,
};
use std::time::Duration;

/// The longest time for one search: a role may be assumed over two others, each a call or two.
const SEARCH_MAX: Duration = Duration::from_secs(30);

/// There are no credentials to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing names any.
    #[error("AWS credentials: there are none")]
    None,
    /// What names them does not lead to them.
    #[error("AWS credentials")]
    NotGiven {
        /// What the SDK said.
        source: CredentialsError,
    },
    /// They were too long in coming.
    #[error("AWS credentials: not had within {} s", SEARCH_MAX.as_secs())]
    TimedOut,
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Machine
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::None => {
                "name a profile with --profile or AWS_PROFILE, or export AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows what there is"
            }
            Self::NotGiven { .. } => {
                "check the profile, and sign in again if it is one of SSO (`aws sso login`)"
            }
            Self::TimedOut => "`aws sts get-caller-identity` shows whether they can be had",
        };
        Some(hint.to_owned())
    }
}

/// The one who calls AWS.
#[derive(Debug)]
pub struct Caller {
    provider: Option<SharedCredentialsProvider>,
    region: Option<String>,
}

impl Caller {
    /// Finds out where credentials and Region come from; asks for neither where both are named.
    ///
    /// # Errors
    /// The search takes too long.
    pub async fn find(region: Option<&str>, profile: Option<&str>) -> Result<Self, Error> {
        let mut loader = configuration::base();
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        let found = bounded(loader.load()).await?;
        Ok(Self {
            provider: found.credentials_provider(),
            region: found.region().map(|region| region.as_ref().to_owned()),
        })
    }

    /// The Region named, else the one that the environment or the profile names.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Credentials as they are from now on: temporary ones are fetched anew.
    ///
    /// # Errors
    /// There are none, they cannot be had, or that takes too long.
    pub async fn credentials(&self) -> Result<Credentials, Error> {
        let provider = self.provider.as_ref().ok_or(Error::None)?;
        let found = bounded(provider.provide_credentials()).await?;
        let found = found.map_err(|source| match source {
            CredentialsError::CredentialsNotLoaded(_) => Error::None,
            source => Error::NotGiven { source },
        })?;
        Ok(Credentials {
            access_key_id: found.access_key_id().to_owned(),
            secret_access_key: Secret::new(found.secret_access_key()),
            session_token: found.session_token().map(Secret::new),
            expires_at: found.expiry(),
        })
    }
}

async fn bounded<T>(search: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(SEARCH_MAX, search).await.map_err(|_elapsed| Error::TimedOut)
}
