//! The shell around the ledger: `.gwtf/` on the disk.
//!
//! Readers take no lock: the ledger is replaced by a rename, so they see the old one or the new one.
//! Writers hold `.gwtf/lock`; the operating system lets go of it when they die. The order of writes
//! keeps the ledger true at any moment: an artefact is complete on the disk before a ledger names
//! it, and is removed only after a ledger that does not name it is on the disk.

use super::error::{Error, Holder};
use super::ledger::Ledger;
use super::record::{Artefact, ArtefactFile, KeptVersion};
use super::staging::{MODEL_FILE, Staged, digest_of, hash_file};
use crate::spec::version::Version;
use fs_err as fs;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The folder beside `gwtf.toml` that holds local releases.
pub const FOLDER: &str = ".gwtf";
/// Largest ledger read, bytes; a full one with long commit and user names is far smaller.
pub const LEDGER_BYTES_MAX: u64 = 16 << 20;
/// Largest note of the lock's holder read, bytes.
const HOLDER_BYTES_MAX: u64 = 1 << 10;

/// External data of a model: where it is, and the path by which the model names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFile {
    /// The file.
    pub source: PathBuf,
    /// Relative to the model file, `/` between its segments.
    pub relative: String,
}

/// The `.gwtf/` of one endpoint; it need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in `root`, the folder of `gwtf.toml`.
    pub fn new(root: &Path) -> Self {
        Self { folder: root.join(FOLDER) }
    }

    /// `.gwtf/` itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The ledger's file.
    pub fn ledger_path(&self) -> PathBuf {
        self.folder.join("ledger.json")
    }

    /// Whether there is a ledger, readable or not.
    pub fn has_ledger(&self) -> bool {
        fs::symlink_metadata(self.ledger_path()).is_ok()
    }

    /// Where an artefact's model file is.
    pub fn model_path(&self, artefact: &Artefact) -> PathBuf {
        self.artefact_folder(artefact).join(MODEL_FILE)
    }

    /// The ledger on the disk; an empty one when there is none.
    ///
    /// # Errors
    /// It cannot be read, is no ledger, or breaks a ledger's invariants.
    pub fn read(&self) -> Result<Ledger, Error> {
        match self.read_bytes()? {
            Some(bytes) => self.parse(&bytes),
            None => Ok(Ledger::default()),
        }
    }

    /// The ledger's bytes; `None` when there is no ledger.
    pub(super) fn read_bytes(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.ledger_path();
        let damaged = |reason: String| Error::LedgerDamaged { path: path.clone(), reason };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&self.folder)(error)),
        };
        if !metadata.is_file() {
            return Err(damaged("it is no regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).map_err(Error::io(&self.folder))?;
        file.take(LEDGER_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Error::io(&self.folder))?;
        if bytes.len() as u64 > LEDGER_BYTES_MAX {
            return Err(damaged("it is larger than 16 MiB".to_owned()));
        }
        Ok(Some(bytes))
    }

    /// Reads the ledger out of its bytes.
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<Ledger, Error> {
        Ledger::from_json(bytes)
            .map_err(|reason| Error::LedgerDamaged { path: self.ledger_path(), reason })
    }

    /// Reads a version's artefact and holds it to its digests.
    ///
    /// # Errors
    /// A file is missing, unreadable, or holds other bytes than the ledger says.
    pub fn verify(&self, kept: &KeptVersion) -> Result<(), Error> {
        let folder = self.artefact_folder(&kept.artefact);
        let damaged = |path: PathBuf, reason: String| Error::ArtefactDamaged {
            version: kept.version.clone(),
            path,
            reason,
        };
        match verify_files(&folder, &kept.artefact.files) {
            Some((path, reason)) => Err(damaged(path, reason)),
            None if digest_of(&kept.artefact.files) != kept.artefact.digest => {
                let reason = "its digest is not that of its files";
                Err(damaged(self.ledger_path(), reason.to_owned()))
            }
            None => Ok(()),
        }
    }

    /// Takes the lock, making `.gwtf/` when it is not there; dropped, it is given back.
    ///
    /// # Errors
    /// Another process holds it (never waited for: two releases at once are a mistake), or the
    /// folder cannot be written.
    pub fn lock(&self, holder: Holder) -> Result<Locked<'_>, Error> {
        let io_error = Error::io(&self.folder);
        fs::create_dir_all(&self.folder).map_err(&io_error)?;
        let path = self.folder.join("lock");
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(&io_error)?;
        match file.file().try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut note = Vec::new();
                // Who holds it is a courtesy: an unreadable note leaves it out.
                let _ = file.take(HOLDER_BYTES_MAX).read_to_end(&mut note);
                let holder = serde_json::from_slice(&note).ok();
                return Err(Error::Locked { path: self.folder.clone(), holder });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(io_error(error)),
        }
        let note = serde_json::to_vec(&holder).expect("the note has no fallible type");
        file.set_len(0).and_then(|()| file.write_all(&note)).map_err(&io_error)?;
        self.ignore_in_git()?;
        Ok(Locked { store: self, _file: file })
    }

    fn artefact_folder(&self, artefact: &Artefact) -> PathBuf {
        self.models().join(artefact.digest.to_string())
    }

    fn models(&self) -> PathBuf {
        self.folder.join("models")
    }

    /// Models and keys have no place in the person's repository.
    pub(super) fn ignore_in_git(&self) -> Result<(), Error> {
        let path = self.folder.join(".gitignore");
        if fs::symlink_metadata(&path).is_err() {
            fs::write(&path, "*\n").map_err(Error::io(&self.folder))?;
        }
        Ok(())
    }
}

/// The store while its lock is held.
#[derive(Debug)]
pub struct Locked<'a> {
    store: &'a Store,
    _file: fs::File,
}

impl Locked<'_> {
    /// Copies a model and its external data in, under no name yet.
    ///
    /// # Errors
    /// A file cannot be read or is no regular file, or the disk cannot take the copy.
    pub fn stage(&self, model: &Path, extra: &[ExtraFile]) -> Result<Staged, Error> {
        Staged::copy(&self.store.models(), model, extra)
    }

    /// Keeps what was staged, replacing a damaged artefact of the same digest.
    ///
    /// # Errors
    /// The disk cannot take it.
    pub fn keep(&self, staged: Staged) -> Result<(), Error> {
        let artefact = staged.artefact();
        let folder = self.store.artefact_folder(artefact);
        let is_whole = verify_files(&folder, &artefact.files).is_none();
        staged.keep(is_whole)
    }

    /// Replaces the ledger: whole or not at all, and on the disk when this returns.
    ///
    /// # Errors
    /// The disk cannot take it; the ledger before stands.
    pub fn write(&self, ledger: &Ledger) -> Result<(), Error> {
        replace(&self.store.ledger_path(), &ledger.to_json(), 0o644)
    }

    /// Removes the artefacts that the ledger, already written, does not name.
    ///
    /// # Errors
    /// A folder cannot be read or removed.
    pub fn remove_unnamed(&self, ledger: &Ledger) -> Result<(), Error> {
        let io_error = Error::io(&self.store.folder);
        let named: BTreeSet<String> =
            ledger.versions().iter().map(|kept| kept.artefact.digest.to_string()).collect();
        let entries = match fs::read_dir(self.store.models()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(&io_error)?,
        };
        for entry in entries {
            let entry = entry.map_err(&io_error)?;
            if entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                continue;
            }
            let is_folder = entry.file_type().map_err(&io_error)?.is_dir();
            let path = entry.path();
            if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                .map_err(&io_error)?;
        }
        Ok(())
    }
}

/// The first file that is not what the ledger says, and how it differs.
fn verify_files(folder: &Path, files: &[ArtefactFile]) -> Option<(PathBuf, String)> {
    files.iter().find_map(|file| {
        let path = folder.join(&file.path);
        let reason = match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                "it is missing".to_owned()
            }
            Err(error) => error.to_string(),
            Ok(metadata) if !metadata.is_file() => "it is no regular file".to_owned(),
            Ok(metadata) if metadata.len() != file.size_bytes => {
                format!("it has {} bytes instead of {}", metadata.len(), file.size_bytes)
            }
            Ok(_) => match hash_file(&path) {
                Err(error) => error.to_string(),
                Ok((digest, _)) if digest != file.digest => {
                    "its bytes are not those deployed (the digest differs)".to_owned()
                }
                Ok(_) => return None,
            },
        };
        Some((path, reason))
    })
}

/// Replaces a file by one complete on the disk, through a scratch file beside it; the caller holds
/// a lock, so that the scratch file has one user.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    use fs_err::os::unix::fs::OpenOptionsExt;
    let folder = path.parent().expect("files of the store lie in its folder");
    let io_error = Error::io(folder);
    let scratch = path.with_extension("json.new");
    // A scratch file left by a kill may have another mode.
    match fs::remove_file(&scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_error(error)),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(mode).open(&scratch).map_err(&io_error)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(&io_error)?;
    fs::rename(&scratch, path).map_err(&io_error)?;
    sync_folder(folder)
}

/// Puts a folder's entries on the disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), Error> {
    fs::File::open(folder).and_then(|file| file.sync_all()).map_err(Error::io(folder))
}

/// The kept versions whose artefacts are not whole, each with what is wrong.
pub fn damage(store: &Store, ledger: &Ledger) -> Vec<(Version, Error)> {
    let verify = |kept: &KeptVersion| Some((kept.version.clone(), store.verify(kept).err()?));
    ledger.versions().iter().filter_map(verify).collect()
}

#[cfg(test)]
mod tests;
