//! What the ledger is made of: kept versions, releases, and the requests that make them.

use crate::model::Digest;
use crate::model::Signature;
use crate::spec::timestamp::Timestamp;
use crate::spec::version::Version;
use serde::{Deserialize, Serialize};

/// The stored bytes of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// The model file's digest; with external data, the digest of the list of all files' digests.
    #[serde(rename = "sha256")]
    pub digest: Digest,
    /// `model.onnx` first, then external data by path.
    pub files: Vec<ArtefactFile>,
}

impl Artefact {
    /// All files together, bytes.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }
}

/// One file of an artefact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactFile {
    /// Path inside the artefact's folder, `/` between its segments.
    pub path: String,
    /// SHA-256 of the bytes.
    #[serde(rename = "sha256")]
    pub digest: Digest,
    /// Length.
    pub size_bytes: u64,
}

/// A version whose artefact is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptVersion {
    /// Its tag.
    pub version: Version,
    /// Its bytes.
    pub artefact: Artefact,
    /// What the model takes and gives.
    pub signature: Signature,
}

/// What made a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the command it names")]
pub enum Kind {
    Deploy,
    Promote,
    Rollback,
}

impl Kind {
    /// The command's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// A version that a share of the unpinned requests reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// Its tag.
    pub version: Version,
    /// Its share of the requests, 1 to 99.
    pub percent: u8,
}

/// One entry of the ledger: what was done, and what was live afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Counts from 1 and is never given twice.
    pub number: u64,
    /// The command.
    pub kind: Kind,
    /// The version it was about: the one deployed, promoted or gone back to.
    pub version: Version,
    /// The live version afterwards.
    pub live: Version,
    /// The canary afterwards.
    pub canary: Option<Canary>,
    /// Digest of the version's artefact.
    pub model_sha256: Digest,
    /// When.
    pub deployed_at: Timestamp,
    /// By whom.
    pub deployed_by: String,
    /// From which commit.
    pub git_commit: Option<String>,
}

/// What `deploy` asks for.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The endpoint's name, recorded with the release.
    pub endpoint: String,
    /// The tag.
    pub version: Version,
    /// The bytes, stored before the ledger names them.
    pub artefact: Artefact,
    /// What the model takes and gives.
    pub signature: Signature,
    /// The canary's share of the requests; `None` makes the version live.
    pub canary_percent: Option<u8>,
    /// How the signature breaks the live one, a sentence each; empty when it does not.
    pub breaking: Vec<String>,
    /// Releases in spite of that.
    pub allow_breaking: bool,
}

/// Whether a path stays inside the folder it is joined to: relative, no `.` or `..` segment, no
/// empty one, no backslash and no NUL.
pub fn is_inside(path: &str) -> bool {
    !path.contains(['\\', '\0'])
        && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}
