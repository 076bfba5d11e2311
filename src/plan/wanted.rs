//! What a deploy asks for: the settings, the new version, and the roles' documents.

use super::names::Names;
use super::record::Stamp;
use crate::model::{Digest, Signature};
use crate::spec::version::Version;
use crate::spec::{Auth, Throttle, UsagePlan};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that the person asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where, and what everything is called.
    pub names: Names,
    /// The version.
    pub version: Version,
    /// SHA-256 of the model file.
    pub model_sha256: Digest,
    /// What the model takes and gives.
    pub signature: Signature,
    /// The artefact; needed only when the version is not there yet.
    pub artefact: Option<Artefact>,
    /// The canary's share; `None` makes the version live.
    pub canary_percent: Option<u8>,
    /// The function.
    pub function: FunctionWanted,
    /// The contract beyond routes and models.
    pub gateway: GatewayWanted,
    /// The execution role.
    pub role: RoleWanted,
    /// Days that logs are kept; `None` for ever.
    pub log_retention_days: Option<u32>,
    /// Releases although the signature breaks the live one.
    pub allow_breaking: bool,
    /// Who, when, from which commit.
    pub stamp: Stamp,
    /// The lock that the release ends, once there is one.
    pub lock_id: Option<String>,
}

/// The Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionWanted {
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Longest invocation, seconds.
    pub timeout_s: u32,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Reserved concurrency; `None` leaves the account's.
    pub reserved_concurrency: Option<u32>,
    /// Sandboxes held warm for the live version; 0 for none.
    pub provisioned_concurrency: u32,
    /// Whether requests are traced, in function and stage.
    pub tracing: bool,
}

/// The API beyond its routes and models.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayWanted {
    /// Who may call.
    pub auth: Auth,
    /// The stage's limit, per method.
    pub throttle: Option<Throttle>,
    /// How long the function may take.
    pub integration_timeout: Duration,
    /// Access-log format; `None` writes no access log.
    pub access_log_format: Option<String>,
    /// Usage plans.
    pub usage_plans: Vec<UsagePlan>,
    /// The plan of each API key, by name.
    pub key_plans: BTreeMap<String, String>,
}

/// The execution role's documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleWanted {
    /// Who may take it.
    pub trust: String,
    /// What it may do.
    pub policy: String,
    /// ARN of its permissions boundary.
    pub boundary: Option<String>,
}

/// The bytes of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// SHA-256 of the zip file, or of the image's manifest.
    pub digest: Digest,
    /// Where they are.
    pub form: ArtefactForm,
}

/// What an artefact is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtefactForm {
    /// A zip file.
    Zip {
        /// The file.
        path: PathBuf,
        /// Its length, bytes; past Lambda's limit it goes through the bucket.
        size_bytes: u64,
    },
    /// An image.
    Image {
        /// The OCI layout's folder.
        layout: PathBuf,
    },
}
