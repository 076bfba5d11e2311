//! Writing an artefact's entries into a folder of our own, within Lambda's limits.
//!
//! Nothing but files and folders is ever made there, so a path without `..` cannot lead out of it.

use super::Error;
use crate::spec::limits::LAMBDA_UNZIPPED_BYTES_MAX;
use std::fs::Permissions;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Most files and folders. Lambda names no limit; a gwtf artefact has about ten.
pub(super) const ENTRIES_MAX: usize = 20_000;
/// Longest path, bytes: the kernel's own limit.
const PATH_BYTES_MAX: usize = 4_096;
/// Longest segment of a path, bytes: the file systems' limit.
const SEGMENT_BYTES_MAX: usize = 255;
const COPY_BYTES: usize = 256 << 10;
/// The mode of a file that names none.
const FILE_MODE: u32 = 0o644;

/// A folder that is being filled.
pub(super) struct Target<'a> {
    artefact: &'a Path,
    folder: &'a Path,
    bytes_left: u64,
    entries_left: usize,
    buffer: Vec<u8>,
}

impl<'a> Target<'a> {
    /// `folder`, which is empty, for the entries of `artefact`.
    pub(super) fn new(artefact: &'a Path, folder: &'a Path) -> Self {
        Self {
            artefact,
            folder,
            bytes_left: LAMBDA_UNZIPPED_BYTES_MAX,
            entries_left: ENTRIES_MAX,
            buffer: vec![0; COPY_BYTES],
        }
    }

    /// Makes a folder, and those above it.
    pub(super) fn folder(&mut self, name: &str) -> Result<(), Error> {
        let path = self.place(name)?;
        fs_err::create_dir_all(path).map_err(|source| Error::Write { source })
    }

    /// Writes a file; what was there before, in an earlier layer, is replaced.
    pub(super) fn file(
        &mut self,
        name: &str,
        mode: Option<u32>,
        bytes: &mut impl Read,
    ) -> Result<(), Error> {
        let path = self.place(name)?;
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent).map_err(|source| Error::Write { source })?;
        }
        let written = |source| Error::Write { source };
        remove(&path).map_err(written)?;
        let mut file =
            fs_err::OpenOptions::new().write(true).create_new(true).open(&path).map_err(written)?;
        loop {
            let count = match bytes.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(self.damaged(name, &source)),
            };
            self.bytes_left = self
                .bytes_left
                .checked_sub(count as u64)
                .ok_or_else(|| self.too_large(format!("{LAMBDA_UNZIPPED_BYTES_MAX} bytes")))?;
            file.write_all(&self.buffer[..count]).map_err(written)?;
        }
        let mode = mode.map_or(FILE_MODE, |mode| mode & 0o777);
        fs_err::set_permissions(&path, Permissions::from_mode(mode)).map_err(written)
    }

    /// Removes what an earlier layer put there.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), Error> {
        let path = self.place(name)?;
        remove(&path).map_err(|source| Error::Write { source })
    }

    /// An entry that is refused.
    pub(super) fn refuse(&self, entry: &str, reason: &'static str) -> Error {
        let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
        let entry = entry.chars().take(100).map(shown).collect();
        Error::Entry { artefact: self.artefact.to_owned(), entry, reason }
    }

    /// The place of an entry inside the folder, counted.
    fn place(&mut self, name: &str) -> Result<PathBuf, Error> {
        self.entries_left = self
            .entries_left
            .checked_sub(1)
            .ok_or_else(|| self.too_large(format!("{ENTRIES_MAX} entries")))?;
        let plain = |segment: &str| {
            !matches!(segment, "" | "." | "..") && segment.len() <= SEGMENT_BYTES_MAX
        };
        let odd = |c: char| matches!(c, '\0' | '\\');
        if name.len() > PATH_BYTES_MAX || name.contains(odd) || !name.split('/').all(plain) {
            return Err(self.refuse(name, "is no plain path inside it"));
        }
        Ok(self.folder.join(name))
    }

    fn damaged(&self, name: &str, error: &io::Error) -> Error {
        let message = format!("entry `{name}` is damaged: {error}");
        Error::Zip { artefact: self.artefact.to_owned(), message }
    }

    fn too_large(&self, limit: String) -> Error {
        Error::TooLarge { artefact: self.artefact.to_owned(), limit }
    }
}

/// Removes a file or a folder with all that is in it; nothing there is no error.
fn remove(path: &Path) -> io::Result<()> {
    match fs_err::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(())
        }
        Err(error) => Err(error),
    }
}
