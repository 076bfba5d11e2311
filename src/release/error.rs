//! What can go wrong with local releases, apart from what the ledger refuses.

use super::refused::Refused;
use crate::error::{Exit, Explain};
use crate::model::onnx;
use crate::spec::timestamp::Timestamp;
use crate::spec::version::Version;
use std::io;
use std::path::{Path, PathBuf};

/// A local release that could not be made, or a `.gwtf/` that could not be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each message says what its fields are")]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The model file, or external data of it, cannot be taken.
    #[error("model `{}`: {reason}", path.display())]
    Model { path: PathBuf, reason: &'static str },
    #[error(transparent)]
    Facts(onnx::Error),
    #[error("model `{}`", path.display())]
    Unsupported { path: PathBuf, source: onnx::Unsupported },
    #[error("model `{}`", path.display())]
    ReadModel { path: PathBuf, source: io::Error },
    /// Another process wrote to the model while it was copied.
    #[error("model `{}`: it changed while it was copied: its external data are other files now", path.display())]
    ModelChanged { path: PathBuf },
    #[error("ledger `{}`: {reason}", path.display())]
    LedgerDamaged { path: PathBuf, reason: String },
    #[error("artefact of `{version}`: `{}`: {reason}", path.display())]
    ArtefactDamaged { version: Version, path: PathBuf, reason: String },
    #[error("keys `{}`: {reason}", path.display())]
    KeysDamaged { path: PathBuf, reason: String },
    /// Another process holds the lock.
    #[error("releases in `{}`: another gwtf is writing{}", path.display(), holder_text(holder))]
    Locked { path: PathBuf, holder: Option<Holder> },
    #[error("releases in `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Who holds the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
}

fn holder_text(holder: &Option<Holder>) -> String {
    holder.map_or_else(String::new, |holder| {
        format!(" (process {} since {})", holder.pid, holder.since)
    })
}

impl Error {
    /// Wraps what went wrong at this path.
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path: path.clone(), source }
    }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Refused(refused) => refused.exit(),
            Self::Facts(error) => error.exit(),
            Self::Unsupported { source, .. } => source.exit(),
            Self::Model { .. } | Self::ReadModel { .. } | Self::ModelChanged { .. } => {
                Exit::Refused
            }
            Self::LedgerDamaged { .. }
            | Self::ArtefactDamaged { .. }
            | Self::KeysDamaged { .. }
            | Self::Locked { .. }
            | Self::Io { .. } => Exit::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refused) => refused.hint(),
            Self::Facts(error) => error.hint(),
            Self::Unsupported { source, .. } => source.hint(),
            Self::Model { .. } | Self::ReadModel { .. } => {
                Some("name a readable ONNX file".to_owned())
            }
            Self::ModelChanged { .. } => {
                Some("run this again when nothing writes to the model any more".to_owned())
            }
            Self::LedgerDamaged { path, .. } => Some(format!(
                "restore the file from a copy; without one, move `{}` away and deploy anew",
                path.parent().unwrap_or(path).display()
            )),
            Self::ArtefactDamaged { version, .. } => Some(format!(
                "deploy the same file again: `gwtf deploy MODEL --version {version} --target local` \
                 puts its bytes back"
            )),
            Self::KeysDamaged { .. } => {
                Some("correct the file, or remove it to have new keys made".to_owned())
            }
            Self::Locked { .. } => Some("run this again when it has ended".to_owned()),
            Self::Io { source, .. } => io_hint(source),
        }
    }
}

fn io_hint(error: &io::Error) -> Option<String> {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room on the disk (`gwtf prune --keep N` removes old versions) and run this again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "run it as a user who may read and write there"
        }
        _ => return None,
    };
    Some(format!("nothing was released; {hint}"))
}
