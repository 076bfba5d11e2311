//! An artefact made into a folder that `bootstrap` can be started in.
//!
//! ```text
//! a folder       used as it is
//! a Lambda zip   unpacked into a private folder
//! an OCI layout  the files below /var/task of its layers, unpacked into a private folder
//! ```
//! Anybody may have made it, so nothing is believed: sizes are counted while unpacking, paths stay
//! inside, and links are refused.
//!
//! # Invariants
//! The private folder is readable by this user alone and removed with the value.

mod error;
mod layout;
mod manifest;
mod write;
mod zip;

pub use error::Error;
use write::Target;

use super::{Entry, Source};
use crate::spec::ArtefactManifest;
use crate::spec::artefact::BOOTSTRAP_FILE;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The permissions that Lambda needs of `bootstrap`: it is not run by its owner there.
const BOOTSTRAP_MODE: u32 = 0o555;

/// A folder with everything that a function needs, at its root.
#[derive(Debug)]
pub struct TaskRoot {
    folder: PathBuf,
    manifest: ArtefactManifest,
    /// Removed when the value goes.
    private: Option<TempDir>,
}

impl TaskRoot {
    /// Opens an artefact; what has to be unpacked goes into a private folder inside `scratch`.
    ///
    /// # Errors
    /// It is none, or none that can run on this machine, or is larger than Lambda takes; or the disk
    /// does not take it.
    pub fn open(artefact: &Path, scratch: &Path) -> Result<Self, Error> {
        let metadata = fs_err::metadata(artefact).map_err(|source| Error::Read { source })?;
        if metadata.is_dir() && !layout::is_layout(artefact) {
            let folder = fs_err::canonicalize(artefact).map_err(|source| Error::Read { source })?;
            return Self::of(artefact, folder, None);
        }
        let private = private_folder(scratch)?;
        if metadata.is_dir() {
            layout::unpack(artefact, private.path())?;
        } else {
            zip::unpack(artefact, private.path())?;
        }
        Self::of(artefact, private.path().to_owned(), Some(private))
    }

    /// Puts an artefact that was never written into a private folder inside `scratch`. `name` is what
    /// errors call it, `bytes_max` Lambda's limit of its form.
    ///
    /// # Errors
    /// As [`TaskRoot::open`].
    pub fn of_entries(
        name: &Path,
        entries: &[Entry],
        bytes_max: u64,
        scratch: &Path,
    ) -> Result<Self, Error> {
        let private = private_folder(scratch)?;
        let mut target = Target::new(name, private.path(), bytes_max);
        for entry in entries {
            let mode = Some(if entry.executable { 0o755 } else { 0o644 });
            match &entry.source {
                Source::Bytes(bytes) => target.file(&entry.path, mode, &mut bytes.as_ref())?,
                Source::File(path) => {
                    let mut file =
                        fs_err::File::open(path).map_err(|source| Error::Read { source })?;
                    target.file(&entry.path, mode, &mut file)?;
                }
            }
        }
        Self::of(name, private.path().to_owned(), Some(private))
    }

    fn of(artefact: &Path, folder: PathBuf, private: Option<TempDir>) -> Result<Self, Error> {
        let manifest = manifest::read(artefact, &folder)?;
        let bootstrap = fs_err::metadata(folder.join(BOOTSTRAP_FILE))
            .map_err(|_| Error::NoBootstrap { artefact: artefact.to_owned() })?;
        let mode = bootstrap.permissions().mode() & 0o777;
        if !bootstrap.is_file() || mode & BOOTSTRAP_MODE != BOOTSTRAP_MODE {
            return Err(Error::BootstrapMode { artefact: artefact.to_owned(), mode });
        }
        Ok(Self { folder, manifest, private })
    }

    /// The folder: Lambda's `/var/task`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder is this value's own, and goes with it.
    pub fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// What the artefact says of itself.
    pub fn manifest(&self) -> &ArtefactManifest {
        &self.manifest
    }
}

/// A folder for this user alone.
fn private_folder(scratch: &Path) -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix("gwtf-task-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(scratch)
        .map_err(|source| Error::Scratch { folder: scratch.to_owned(), source })
}

#[cfg(test)]
mod tests;
