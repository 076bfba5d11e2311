//! Copies a model into `.gwtf/models/`: hashed while copied, complete before it gets its name.
//!
//! The copy is made in one scratch folder, written to the disk, and renamed to its digest. A kill
//! leaves the scratch folder, which the next staging removes; a refused deploy drops it.
//!
//! # Invariants
//! Only the holder of the lock stages, so the scratch folder has one user.

use super::error::Error;
use super::record::{Artefact, ArtefactFile, is_inside};
use super::store::{ExtraFile, sync_folder};
use crate::model::Digest;
use fs_err as fs;
use sha2::Digest as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Name of the model file inside an artefact's folder.
pub(super) const MODEL_FILE: &str = "model.onnx";
/// Most external-data files of one model.
const EXTRA_FILES_MAX: usize = 10_000;
const SCRATCH: &str = ".new";
const REPLACED: &str = ".replaced";
const COPY_BUFFER_BYTES: usize = 1 << 20;

/// An artefact copied and hashed, not yet in its place; dropped, it leaves nothing.
#[derive(Debug)]
pub struct Staged {
    models: PathBuf,
    artefact: Artefact,
}

impl Staged {
    /// Copies `model` and its external data into the scratch folder of `models`.
    pub(super) fn copy(models: &Path, model: &Path, extra: &[ExtraFile]) -> Result<Self, Error> {
        let refuse = |path: &Path, reason| Error::Model { path: path.to_path_buf(), reason };
        if extra.len() > EXTRA_FILES_MAX {
            return Err(refuse(model, "it has more than 10,000 external-data files"));
        }
        let mut extra: Vec<&ExtraFile> = extra.iter().collect();
        extra.sort_by(|a, b| a.relative.cmp(&b.relative));
        extra.dedup_by(|a, b| a.relative == b.relative);
        for file in &extra {
            if !is_inside(&file.relative) {
                return Err(refuse(&file.source, "external data outside the model's folder"));
            }
            if file.relative == MODEL_FILE {
                return Err(refuse(&file.source, "external data may not be named `model.onnx`"));
            }
        }
        clear(models, SCRATCH)?;
        let mut staged = Self {
            models: models.to_path_buf(),
            artefact: Artefact { digest: Digest::of(&[]), files: Vec::new() },
        };
        fs::create_dir_all(staged.scratch()).map_err(Error::io(models))?;
        staged.add(model, MODEL_FILE)?;
        for file in extra {
            staged.add(&file.source, &file.relative)?;
        }
        sync_folder(&staged.scratch())?;
        staged.artefact.digest = digest_of(&staged.artefact.files);
        Ok(staged)
    }

    /// What was copied.
    pub fn artefact(&self) -> &Artefact {
        &self.artefact
    }

    /// The copied model file; its external data lie beside it.
    pub(super) fn model_path(&self) -> PathBuf {
        self.scratch().join(MODEL_FILE)
    }

    /// Gives the copy its name; a folder already there stays if `is_whole` and is replaced if not.
    pub(super) fn keep(self, is_whole: bool) -> Result<(), Error> {
        if is_whole {
            return Ok(());
        }
        let place = self.models.join(self.artefact.digest.to_string());
        clear(&self.models, REPLACED)?;
        if fs::symlink_metadata(&place).is_ok() {
            fs::rename(&place, self.models.join(REPLACED)).map_err(Error::io(&self.models))?;
        }
        fs::rename(self.scratch(), &place).map_err(Error::io(&self.models))?;
        sync_folder(&self.models)?;
        clear(&self.models, REPLACED)
    }

    fn scratch(&self) -> PathBuf {
        self.models.join(SCRATCH)
    }

    fn add(&mut self, source: &Path, relative: &str) -> Result<(), Error> {
        let target = self.scratch().join(relative);
        let folder = target.parent().expect("the target lies in the scratch folder").to_path_buf();
        fs::create_dir_all(&folder).map_err(Error::io(&self.models))?;
        let (digest, size_bytes) = copy_hashed(source, &target)?;
        sync_folder(&folder)?;
        self.artefact.files.push(ArtefactFile { path: relative.to_owned(), digest, size_bytes });
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed here is removed by the next staging.
        let _ = clear(&self.models, SCRATCH);
    }
}

/// The artefact's digest: that of its only file, or that of the lines `<sha256>  <path>` of all.
pub(super) fn digest_of(files: &[ArtefactFile]) -> Digest {
    if let [only] = files {
        return only.digest;
    }
    let lines: String =
        files.iter().map(|file| format!("{}  {}\n", file.digest, file.path)).collect();
    Digest::of(lines.as_bytes())
}

/// Reads a regular file to its end; the digest and the length of what was read.
pub(super) fn hash_file(path: &Path) -> std::io::Result<(Digest, u64)> {
    let mut file = fs::File::open(path)?;
    pass_hashed(&mut file, &mut std::io::sink())
}

fn copy_hashed(source: &Path, target: &Path) -> Result<(Digest, u64), Error> {
    let read_error = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::Model { path: source.to_path_buf(), reason: "there is no such file" }
        }
        _ => Error::ReadModel { path: source.to_path_buf(), source: error },
    };
    // Asked before opening: opening a pipe would wait for its writer.
    let metadata = fs::metadata(source).map_err(read_error)?;
    let refuse = |reason| Error::Model { path: source.to_path_buf(), reason };
    if metadata.is_dir() {
        return Err(refuse("it is a folder"));
    }
    if !metadata.is_file() {
        return Err(refuse("it is no regular file"));
    }
    let file = fs::File::open(source).map_err(read_error)?;
    let io_error = Error::io(target.parent().unwrap_or(target));
    let mut out = fs::File::create(target).map_err(&io_error)?;
    // One byte more than it said to have tells a file that grows.
    let copied = pass_hashed(&mut file.take(metadata.len() + 1), &mut out).map_err(&io_error)?;
    if copied.1 != metadata.len() {
        return Err(refuse("it changed while it was read"));
    }
    out.sync_all().map_err(&io_error)?;
    Ok(copied)
}

fn pass_hashed(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<(Digest, u64)> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; COPY_BUFFER_BYTES];
    let mut size_bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((Digest::from_hasher(hasher), size_bytes)),
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        size_bytes += n as u64;
    }
}

/// Removes a folder (or whatever stands there) and everything in it.
fn clear(models: &Path, name: &str) -> Result<(), Error> {
    let path = models.join(name);
    let removed = match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&path),
        Ok(_) => fs::remove_file(&path),
        Err(_) => Ok(()),
    };
    removed.map_err(Error::io(models))
}
