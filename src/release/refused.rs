//! What the ledger does not allow, and the person's next step.

use super::ledger::VERSIONS_MAX;
use crate::error::{Exit, Explain};
use crate::model::Digest;
use crate::spec::version::Version;

/// A transition that the ledger does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its fields are")]
pub enum Refused {
    #[error("version `{version}`: the tag already stands for other bytes (sha256 {kept})")]
    TagTaken { version: Version, kept: Digest },
    #[error("version `{version}`: its signature breaks live `{live}`: {}", changes.join("; "))]
    Breaking { version: Version, live: Version, changes: Vec<String> },
    #[error("version `{version}`: `{canary}` is being tried as a canary")]
    CanaryRunning { version: Version, canary: Version },
    #[error("version `{version}`: it is the canary")]
    IsCanary { version: Version },
    #[error("version `{version}`: a canary needs a live version beside it, and nothing is live")]
    CanaryNeedsLive { version: Version },
    #[error("canary of {percent} %: the share is 1 to 99")]
    CanaryPercent { percent: u8 },
    #[error("ledger: {VERSIONS_MAX} versions are kept, which is the most")]
    VersionsFull,
    #[error("ledger: nothing is released")]
    NothingReleased,
    #[error("canary: none is running{}", live_text(live))]
    NoCanary { live: Option<Version> },
    #[error("live `{live}`: no kept version was live before it")]
    NoPrevious { live: Version, kept: Vec<Version> },
    #[error("version `{version}`: it is not kept")]
    NotKept { version: Version, kept: Vec<Version> },
    #[error("prune to 0 versions: the live version is always kept")]
    KeepZero,
}

fn live_text(live: &Option<Version>) -> String {
    live.as_ref().map_or_else(String::new, |live| format!("; `{live}` is live for all requests"))
}

fn list(versions: &[Version]) -> String {
    versions.iter().map(Version::as_str).collect::<Vec<_>>().join(", ")
}

impl Explain for Refused {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TagTaken { .. } => "a tag never changes its bytes; choose a new one".to_owned(),
            Self::Breaking { .. } => {
                "clients of the live version would fail; keep the signature, or pass --allow-breaking"
                    .to_owned()
            }
            Self::CanaryRunning { .. } => {
                "end it first with `gwtf promote` or `gwtf rollback`".to_owned()
            }
            Self::IsCanary { .. } => "`gwtf promote` makes it live".to_owned(),
            Self::CanaryNeedsLive { .. } => "deploy it without --canary".to_owned(),
            Self::CanaryPercent { .. } => {
                "for 100 % leave --canary away; for none use a pinned route".to_owned()
            }
            Self::VersionsFull => "`gwtf prune --keep N` removes old ones".to_owned(),
            Self::NothingReleased => {
                "`gwtf deploy MODEL --version v1 --target local` makes the first release".to_owned()
            }
            Self::NoCanary { .. } => {
                "`gwtf deploy MODEL --version V --canary PERCENT` starts one".to_owned()
            }
            Self::NoPrevious { kept, .. } | Self::NotKept { kept, .. } => {
                format!("kept versions: {}", list(kept))
            }
            Self::KeepZero => "keep 1 or more".to_owned(),
        })
    }
}
