//! What `gwtf.toml` can ask for and this machine cannot give yet.
//!
//! Going on without it silently would make the local endpoint promise what it does not keep, so it
//! is refused by name unless the person passes `--allow-unenforced NAME`.

use super::error::Error;
use super::file::{Auth, File};

/// One thing that is not enforced locally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unenforced {
    /// Signed requests (`gateway.auth = "iam"`).
    Iam,
    /// Tokens (`gateway.auth = "jwt"`).
    Jwt,
    /// User pools (`gateway.auth = "cognito"`).
    Cognito,
    /// The load test before a version goes live (`[gate]`).
    Gate,
    /// Watching a canary (`release.bake_s`, `release.rollback_on`).
    Bake,
    /// Sandboxes kept warm (`function.provisioned_concurrency`).
    ProvisionedConcurrency,
}

impl Unenforced {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Iam, Self::Jwt, Self::Cognito, Self::Gate, Self::Bake, Self::ProvisionedConcurrency];

    /// What `--allow-unenforced` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Jwt => "jwt",
            Self::Cognito => "cognito",
            Self::Gate => "gate",
            Self::Bake => "bake",
            Self::ProvisionedConcurrency => "provisioned-concurrency",
        }
    }

    /// The thing of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Where `gwtf.toml` asks for it.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Iam => "gateway.auth = \"iam\"",
            Self::Jwt => "gateway.auth = \"jwt\"",
            Self::Cognito => "gateway.auth = \"cognito\"",
            Self::Gate => "[gate]",
            Self::Bake => "release.bake_s and release.rollback_on",
            Self::ProvisionedConcurrency => "function.provisioned_concurrency",
        }
    }

    /// What a deploy does not do although the file asks for it.
    pub fn by_deploy(file: &File) -> Vec<Self> {
        let gate = file.gate.is_some().then_some(Self::Gate);
        let watches = file.release.bake_s.is_some() || !file.release.rollback_on.is_empty();
        gate.into_iter().chain(watches.then_some(Self::Bake)).collect()
    }

    /// What the local endpoint does not enforce although the file asks for it.
    pub fn by_serve(file: &File) -> Vec<Self> {
        let auth = match file.gateway.auth {
            Some(Auth::Iam) => Some(Self::Iam),
            Some(Auth::Jwt) => Some(Self::Jwt),
            Some(Auth::Cognito) => Some(Self::Cognito),
            Some(Auth::ApiKey | Auth::None) | None => None,
        };
        auth.into_iter().collect()
    }

    /// What sandboxes on this machine do not do although the file asks for it.
    pub fn by_sandboxes(file: &File) -> Vec<Self> {
        let warm = file.function.provisioned_concurrency.is_some_and(|count| count > 0);
        warm.then_some(Self::ProvisionedConcurrency).into_iter().collect()
    }

    /// Refuses all of `wanted` that is not in `allowed`, by name and at once.
    ///
    /// # Errors
    /// Something is not allowed.
    pub fn refuse(wanted: &[Self], allowed: &[Self]) -> Result<(), Error> {
        let names: Vec<Self> =
            wanted.iter().copied().filter(|name| !allowed.contains(name)).collect();
        if names.is_empty() { Ok(()) } else { Err(Error::Unenforced { names }) }
    }
}
