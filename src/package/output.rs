//! Where an artefact is written: checked before the work, complete before it gets its name.
//!
//! # Invariants
//! Nothing that packaging did not make is ever overwritten.

use super::error::Error;
use crate::spec::artefact::MANIFEST_FILE;
use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Bytes of a file that are looked at to tell a bill of materials.
const HEAD_BYTES: u64 = 4 << 10;

/// The zip file and the bill of materials beside it.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    sbom: PathBuf,
    force: bool,
}

impl Output {
    /// The output at `path`; with `force` an artefact that is there may be replaced.
    ///
    /// # Errors
    /// Its folder does not exist, or something is there that may not be replaced.
    pub fn new(path: PathBuf, force: bool) -> Result<Self, Error> {
        let folder = folder_of(&path);
        if path.file_name().is_none() || !folder.is_dir() {
            return Err(Error::NoFolder { path });
        }
        let sbom = sbom_path(&path);
        for (path, kind) in [(&path, Kind::Artefact), (&sbom, Kind::Sbom)] {
            check_free(path, kind, force)?;
        }
        Ok(Self { path, sbom, force })
    }

    /// The output of an image, whose layout is written elsewhere: only its bill of materials is
    /// looked at.
    ///
    /// # Errors
    /// Its folder does not exist, or something other than a bill may not be replaced.
    pub fn beside_layout(path: PathBuf, force: bool) -> Result<Self, Error> {
        if path.file_name().is_none() || !folder_of(&path).is_dir() {
            return Err(Error::NoFolder { path });
        }
        let sbom = sbom_path(&path);
        check_free(&sbom, Kind::Sbom, force)?;
        Ok(Self { path, sbom, force })
    }

    /// The zip file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bill of materials' path: the zip file's with `.cdx.json` at its end.
    pub fn sbom(&self) -> &Path {
        &self.sbom
    }

    /// An empty file in the output's folder, removed unless it is kept.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn temporary(&self) -> Result<NamedTempFile, Error> {
        tempfile::Builder::new()
            .prefix(".gwtf-package-")
            // Others may use the artefact; a temporary file is its owner's alone unless told.
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(folder_of(&self.path))
            .map_err(|error| self.write_error(error))
    }

    /// Gives the files their names.
    ///
    /// # Errors
    /// The disk is full, or something came there meanwhile.
    pub fn keep(&self, zip: NamedTempFile, sbom: &[u8]) -> Result<(), Error> {
        let sbom_file = self.sbom_file(sbom)?;
        self.name([(zip, &self.path), (sbom_file, &self.sbom)])
    }

    /// Writes the bill of materials beside an image's layout.
    ///
    /// # Errors
    /// The disk is full, or something came there meanwhile.
    pub fn keep_sbom(&self, sbom: &[u8]) -> Result<(), Error> {
        self.name([(self.sbom_file(sbom)?, &self.sbom)])
    }

    fn sbom_file(&self, sbom: &[u8]) -> Result<NamedTempFile, Error> {
        let mut file = self.temporary()?;
        file.write_all(sbom).map_err(|error| self.write_error(error))?;
        Ok(file)
    }

    fn name<const N: usize>(&self, files: [(NamedTempFile, &PathBuf); N]) -> Result<(), Error> {
        for (file, path) in files {
            file.as_file().sync_all().map_err(|error| self.write_error(error))?;
            let kept = if self.force { file.persist(path) } else { file.persist_noclobber(path) };
            kept.map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => Error::Exists { path: path.clone() },
                _ => self.write_error(error.error),
            })?;
        }
        // The names must survive a crash of the machine; not every file system can promise it.
        let _ = fs_err::File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// The error of a write to one of the files.
    pub fn write_error(&self, source: io::Error) -> Error {
        Error::Write { path: self.path.clone(), source: bare(source) }
    }
}

/// The system's own error without the path that a library put to it: a temporary file's name says
/// nothing to a person.
pub(super) fn bare(error: io::Error) -> io::Error {
    match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => io::Error::from_raw_os_error(number),
        (None, io::ErrorKind::Other) => error,
        (None, kind) => kind.into(),
    }
}

/// The bill of materials beside an artefact.
pub fn sbom_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".cdx.json");
    path.with_file_name(name)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Artefact,
    Sbom,
}

fn check_free(path: &Path, kind: Kind, force: bool) -> Result<(), Error> {
    let metadata = match fs_err::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            let source = source.kind().into();
            return Err(Error::Write { path: path.to_path_buf(), source });
        }
    };
    let refuse = |is| Error::NotArtefact { path: path.to_path_buf(), is };
    if metadata.is_dir() {
        return Err(refuse("a folder"));
    }
    if !metadata.is_file() {
        return Err(refuse("no regular file"));
    }
    match kind {
        Kind::Artefact if !is_artefact(path) => Err(refuse("no artefact")),
        Kind::Sbom if !is_sbom(path) => Err(refuse("no bill of materials")),
        _ if force => Ok(()),
        _ => Err(Error::Exists { path: path.to_path_buf() }),
    }
}

fn is_artefact(path: &Path) -> bool {
    let archive = fs_err::File::open(path).ok().and_then(|file| zip::ZipArchive::new(file).ok());
    archive.is_some_and(|archive| archive.index_for_name(MANIFEST_FILE).is_some())
}

fn is_sbom(path: &Path) -> bool {
    let mut head = Vec::new();
    let read =
        fs_err::File::open(path).and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head));
    read.is_ok() && memchr::memmem::find(&head, b"CycloneDX").is_some()
}
