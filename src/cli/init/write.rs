//! New files, all or none.
//!
//! # Invariants
//! Nothing gets its name before everything is on the disk; what fails after that is undone: new
//! files and folders go, replaced files come back.

use crate::error::{Exit, Failure};
use fs_err as fs;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The front of temporary names.
const PREFIX: &str = ".gwtf-init-";

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewFile {
    /// Its path as a person reads it.
    pub(super) shown: String,
    /// Its path.
    pub(super) path: PathBuf,
    /// What is in it.
    pub(super) bytes: Vec<u8>,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written<'a> {
    /// Which.
    pub(super) file: &'a NewFile,
    /// Whether another was there.
    pub(super) replaced: bool,
}

/// Writes all files; with `force` those that are there are replaced.
///
/// # Errors
/// A file is in the way, or the disk takes one of them not: then nothing is changed.
pub(super) fn write_all(files: &[NewFile], force: bool) -> Result<Vec<Written<'_>>, Failure> {
    let there = files.iter().map(look).collect::<Result<Vec<bool>, Failure>>()?;
    let in_the_way = files.iter().zip(&there).filter(|(_, there)| **there && !force);
    let names: Vec<String> = in_the_way.map(|(file, _)| format!("`{}`", file.shown)).collect();
    if !names.is_empty() {
        let text = format!("{}: already there; nothing was written", names.join(", "));
        return Err(Failure::new(Exit::Refused, text).with_hint("pass --force to replace"));
    }
    let mut undo = Undo::default();
    let mut staged = Vec::new();
    for file in files {
        let stage = undo.make_folders(folder_of(&file.path)).and_then(|()| stage(file));
        staged.push(stage.map_err(|error| cannot(file, &error))?);
    }
    for ((file, temporary), there) in files.iter().zip(staged).zip(&there) {
        undo.name(temporary, &file.path, *there).map_err(|error| cannot(file, &error))?;
    }
    undo.forget();
    Ok(files.iter().zip(there).map(|(file, replaced)| Written { file, replaced }).collect())
}

/// Whether a file is there that could be replaced.
fn look(file: &NewFile) -> Result<bool, Failure> {
    match fs::symlink_metadata(&file.path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => {
            let text = format!("`{}`: no regular file, so not replaced", file.shown);
            Err(Failure::new(Exit::Refused, text).with_hint("move it out of the way"))
        }
        // A file where a folder should be is told when the folder is made.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(cannot(file, &error)),
    }
}

fn stage(file: &NewFile) -> io::Result<NamedTempFile> {
    let mut temporary = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder_of(&file.path))?;
    temporary.write_all(&file.bytes)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn cannot(file: &NewFile, error: &io::Error) -> Failure {
    // The system's own words: a temporary file's path says nothing to a person.
    let cause = match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number).to_string(),
        None => error.kind().to_string(),
    };
    Failure::new(Exit::Machine, format!("`{}`: {cause}; nothing was written", file.shown))
        .with_hint("check that its folder is a folder that can be written to")
}

/// What was done so far; dropped, it is undone.
#[derive(Default)]
struct Undo {
    folders: Vec<PathBuf>,
    /// New names, and where the file is that had the name before.
    named: Vec<(PathBuf, Option<PathBuf>)>,
}

impl Undo {
    fn make_folders(&mut self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
        for path in missing.into_iter().rev() {
            fs::create_dir(path)?;
            self.folders.push(path.to_path_buf());
        }
        match folder.is_dir() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn name(&mut self, file: NamedTempFile, path: &Path, replace: bool) -> io::Result<()> {
        let before = match replace {
            false => None,
            true => {
                let aside = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder_of(path))?;
                let aside = aside.into_temp_path();
                fs::rename(path, &aside)?;
                Some(aside.keep().map_err(|error| error.error)?)
            }
        };
        // Noted before it is done: a name that was not given is not there to be taken away.
        if before.is_some() {
            self.named.push((path.to_path_buf(), before));
            file.persist(path).map_err(|error| error.error)?;
        } else {
            file.persist_noclobber(path).map_err(|error| error.error)?;
            self.named.push((path.to_path_buf(), None));
        }
        Ok(())
    }

    /// All is done: what was replaced goes.
    fn forget(mut self) {
        self.folders.clear();
        for (_, before) in self.named.drain(..) {
            // A left-over under a temporary name harms nobody.
            let _ = before.map(fs::remove_file);
        }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        // There is nobody to tell of what cannot be undone; the failure itself is told.
        for (path, before) in self.named.drain(..).rev() {
            let _ = match before {
                Some(before) => fs::rename(before, path),
                None => fs::remove_file(path),
            };
        }
        for folder in self.folders.drain(..).rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, text: &str) -> NewFile {
        NewFile { shown: name.into(), path: folder.join(name), bytes: text.into() }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failure_behind_the_first_name_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("a"), "old").unwrap();
        // The same new name twice: the second time something came there meanwhile.
        let files = [file(folder, "a", "new"), file(folder, "b/c", "1"), file(folder, "b/c", "2")];
        let failure = write_all(&files, true).unwrap_err();
        assert_eq!(failure.message, "`b/c`: File exists (os error 17); nothing was written");
        assert_eq!(names(folder), ["a"]);
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "old");
    }

    #[test]
    fn a_file_for_a_folder_stops_everything() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("b"), "a file").unwrap();
        let files = [file(folder, "a", "1"), file(folder, "b/c", "2")];
        for force in [false, true] {
            let failure = write_all(&files, force).unwrap_err();
            assert!(failure.message.starts_with("`b/c`: "), "{}", failure.message);
            assert_eq!(names(folder), ["b"]);
        }
    }

    #[test]
    fn what_is_replaced_is_gone_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("a"), "old").unwrap();
        let files = [file(folder, "a", "new"), file(folder, "b/c", "1")];
        let failure = write_all(&files, false).unwrap_err();
        assert_eq!(failure.message, "`a`: already there; nothing was written");
        let written = write_all(&files, true).unwrap();
        assert_eq!(written.iter().map(|one| one.replaced).collect::<Vec<_>>(), [true, false]);
        assert_eq!(names(folder), ["a", "b"]);
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "new");
    }
}
