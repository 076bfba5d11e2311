//! Why nothing is planned.

use crate::error::{Exit, Explain};
use crate::spec::version::Version;

/// What is asked for cannot be, or must not be done without a person's word.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its fields are")]
pub enum Refused {
    #[error("{kind} `{name}`: it is there already and does not belong to endpoint `{endpoint}`")]
    NotOurs { kind: &'static str, name: String, endpoint: String },
    #[error("rest api `{name}`: {count} carry the tag of this endpoint, ids {ids}")]
    Ambiguous { name: String, count: usize, ids: String },
    #[error("bucket `{bucket}`: it belongs to another account, or may not be looked at")]
    BucketForbidden { bucket: String },
    #[error("stage `{wanted}`: endpoint `{endpoint}` is on stage `{stage}`")]
    OtherStage { endpoint: String, stage: String, wanted: String },
    #[error("version `{version}` is model {kept}, not this one")]
    TagTaken { version: Version, kept: String },
    #[error("version `{version}` breaks clients of `{live}`: {}", .changes.join("; "))]
    Breaking { version: Version, live: Version, changes: Vec<String> },
    #[error("version `{version}`: a canary of `{canary}` is running")]
    CanaryRunning { version: Version, canary: Version },
    #[error("version `{version}` is the canary")]
    IsCanary { version: Version },
    #[error(
        "version `{version}` is live: its new settings would reach all requests, not {percent} %"
    )]
    IsLive { version: Version, percent: u8 },
    #[error("version `{version}`: there is no live version that a canary could stand beside")]
    CanaryNeedsLive { version: Version },
    #[error("nothing is released")]
    NothingReleased,
    #[error("no canary is running{}", .live.as_ref().map_or_else(String::new, |live| format!("; `{live}` is live")))]
    NoCanary { live: Option<Version> },
    #[error("no version was live before `{live}`")]
    NoPrevious { live: Version },
    #[error("version `{version}` is not in the ledger")]
    NotInLedger { version: Version, kept: Vec<Version> },
    #[error("version `{version}` cannot be gone back to: {reason}")]
    Gone { version: Version, reason: String },
    #[error("`{object}`: {complaint}")]
    Limit { object: String, complaint: String, fix: String },
    #[error("--keep 0: the live version stays in any case")]
    KeepZero,
    #[error(transparent)]
    Document(#[from] crate::spec::openapi::Error),
    #[error(transparent)]
    Contract(#[from] crate::spec::endpoint::UnknownLive),
}

impl Explain for Refused {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotOurs { .. } => {
                "rename the endpoint, or remove what is there; gwtf changes only what carries its own tag"
                    .to_owned()
            }
            Self::Ambiguous { .. } => {
                "delete all but the one that clients use, then run the command again".to_owned()
            }
            Self::BucketForbidden { .. } => {
                "name one of your own as `bucket` under [endpoint] in gwtf.toml".to_owned()
            }
            Self::OtherStage { .. } => {
                "give the other stage an endpoint of its own: another `name`".to_owned()
            }
            Self::TagTaken { .. } => "a tag never changes its bytes; choose a new one".to_owned(),
            Self::Breaking { .. } => {
                "keep the signature, or pass --allow-breaking".to_owned()
            }
            Self::CanaryRunning { .. } => {
                "end it first with `gwtf promote` or `gwtf rollback`".to_owned()
            }
            Self::IsCanary { .. } => "`gwtf promote` makes it live".to_owned(),
            Self::IsLive { .. } => {
                "deploy it without --canary, or the same model under a new tag".to_owned()
            }
            Self::CanaryNeedsLive { .. } => "deploy it without --canary".to_owned(),
            Self::NothingReleased => {
                "`gwtf deploy MODEL --version v1` makes the first release".to_owned()
            }
            Self::NoCanary { .. } => {
                "`gwtf deploy MODEL --version V --canary PERCENT` starts one".to_owned()
            }
            Self::NotInLedger { kept, .. } => format!("versions: {}", list(kept)),
            Self::NoPrevious { .. } => "name one with --to; `gwtf history` lists them".to_owned(),
            Self::Gone { version, .. } => {
                format!("`gwtf deploy MODEL --version {version}` with the same model makes it again")
            }
            Self::Limit { fix, .. } => fix.clone(),
            Self::KeepZero => "keep 1 or more".to_owned(),
            Self::Document(error) => return error.hint(),
            Self::Contract(error) => return error.hint(),
        })
    }
}

fn list(versions: &[Version]) -> String {
    if versions.is_empty() {
        return "none".to_owned();
    }
    versions.iter().map(Version::as_str).collect::<Vec<_>>().join(", ")
}
