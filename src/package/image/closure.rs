//! The shared libraries that an image's programs need, taken from this machine.
//!
//! The search is glibc's (`ld.so(8)`): a library already loaded under the name, the object's
//! `DT_RUNPATH` (or, without one, its `DT_RPATH`), the loader's cache, the default folders. Nothing
//! is executed. A library lies in the image at the path at which it was found here, so the same
//! loader finds it there; folders which only the cache names go into `LD_LIBRARY_PATH`, since the
//! image has no cache.

use super::error::Error;
use super::loader;
use crate::package::elf::{self, Binary, ElfError};
use crate::spec::Architecture;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};

/// Most libraries taken; real programs need a dozen.
const LIBRARIES_MAX: usize = 512;

/// What has to be taken along.
#[derive(Debug, Default)]
pub(super) struct Closure {
    /// Files of this machine by their absolute path in the image.
    pub(super) files: BTreeMap<String, PathBuf>,
    /// Folders that the loader in the image must be told of.
    pub(super) library_path: Vec<String>,
}

/// Finds libraries by name.
struct Search<'a> {
    architecture: Architecture,
    given: &'a BTreeMap<String, Binary>,
    cache: HashMap<String, PathBuf>,
    default_folders: Vec<PathBuf>,
}

/// An object whose needs are still to be met: its path in the image and what it says.
type Pending = (String, Binary);

/// The libraries that the programs and libraries `given` (by absolute path in the image) need beyond
/// each other.
///
/// # Errors
/// A library is not on this machine.
pub(super) fn closure(
    given: &BTreeMap<String, Binary>,
    architecture: Architecture,
    cache_path: &Path,
) -> Result<Closure, Error> {
    let search = Search {
        architecture,
        given,
        cache: loader::read_cache(cache_path, architecture),
        default_folders: loader::default_folders(architecture),
    };
    let mut pending: VecDeque<Pending> = given.clone().into_iter().collect();
    let mut names: BTreeSet<String> = given
        .iter()
        .map(|(path, elf)| elf.soname.as_deref().unwrap_or(name(path)).to_owned())
        .collect();
    let mut closure = Closure::default();
    while let Some((path, object)) = pending.pop_front() {
        if let Some(interpreter) = &object.interpreter {
            names.insert(name(interpreter).to_owned());
            take(interpreter, &path, &mut closure, architecture)?;
        }
        for needed in &object.libraries {
            if !names.insert(needed.clone()) {
                continue;
            }
            let found = search.find(needed, &path, &object)?;
            if closure.files.len() >= LIBRARIES_MAX {
                let reason = format!("it needs more than {LIBRARIES_MAX} libraries");
                return Err(Error::BadElf { path: PathBuf::from(path), reason });
            }
            if let Some(folder) = found.told_folder
                && !closure.library_path.contains(&folder)
            {
                closure.library_path.push(folder);
            }
            if !search.given.contains_key(&found.path) {
                closure.files.insert(found.path.clone(), PathBuf::from(&found.path));
            }
            pending.push_back((found.path, found.elf));
        }
    }
    Ok(closure)
}

/// A library and where it was found.
struct Found {
    /// Its path in the image.
    path: String,
    elf: Binary,
    /// Its folder, when only the cache or another machine's habit leads there.
    told_folder: Option<String>,
}

impl Search<'_> {
    fn find(&self, name: &str, needed_by: &str, object: &Binary) -> Result<Found, Error> {
        let missing = || Error::LibraryMissing {
            library: super::document::shortened(name),
            needed_by: needed_by.to_owned(),
        };
        // A name with a slash is a path of the build machine: never meant for another one.
        if name.contains('/') {
            return Err(missing());
        }
        let folders = if object.runpath.is_empty() { &object.rpath } else { &object.runpath };
        let origin = needed_by.rsplit_once('/').map_or("", |(folder, _)| folder);
        for folder in folders {
            let folder = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
            if let Some(found) = self.look(&PathBuf::from(folder).join(name)) {
                return Ok(found);
            }
        }
        if let Some(mut found) = self.cache.get(name).and_then(|path| self.look(path)) {
            let folder = Path::new(&found.path).parent().unwrap_or(Path::new("/"));
            let is_default = self.default_folders.iter().any(|default| default == folder);
            found.told_folder = (!is_default).then(|| folder.display().to_string());
            return Ok(found);
        }
        let mut places = self.default_folders.iter().map(|folder| folder.join(name));
        places.find_map(|path| self.look(&path)).ok_or_else(missing)
    }

    /// The library at this path of the image: one that is given, else this machine's, if it is for
    /// the architecture; the loader passes over others too.
    fn look(&self, path: &Path) -> Option<Found> {
        let path = normal(path)?;
        let elf = match self.given.get(&path) {
            Some(elf) => elf.clone(),
            None => read_checked(Path::new(&path), self.architecture).ok()?,
        };
        Some(Found { path, elf, told_folder: None })
    }
}

/// The last segment.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// An absolute path without `.` and `..`, by its text alone; `None` for others.
fn normal(path: &Path) -> Option<String> {
    use std::path::Component;
    let mut segments: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir => drop(segments.pop()),
            Component::Normal(segment) => segments.push(segment.to_str()?),
            Component::Prefix(_) => return None,
        }
    }
    path.is_absolute().then(|| format!("/{}", segments.join("/")))
}

fn take(
    interpreter: &str,
    needed_by: &str,
    closure: &mut Closure,
    architecture: Architecture,
) -> Result<(), Error> {
    let missing = || Error::LibraryMissing {
        library: super::document::shortened(interpreter),
        needed_by: needed_by.to_owned(),
    };
    let path = normal(Path::new(interpreter)).ok_or_else(missing)?;
    read_checked(Path::new(&path), architecture).map_err(|_| missing())?;
    closure.files.insert(path.clone(), PathBuf::from(path));
    Ok(())
}

/// Reads a file that has to be for the architecture.
fn read_checked(path: &Path, architecture: Architecture) -> Result<Binary, Error> {
    check(path, read(path)?, architecture)
}

/// Reads a program or library.
pub(super) fn read(path: &Path) -> Result<Binary, Error> {
    elf::read_file(path).map_err(|error| match error {
        ElfError::Unreadable(kind) => Error::Read { path: path.to_owned(), source: kind.into() },
        error => bad_elf(path, &error),
    })
}

pub(super) fn bad_elf(path: &Path, error: &ElfError) -> Error {
    Error::BadElf { path: path.to_owned(), reason: error.to_string() }
}

/// The same file, if it is for the architecture.
pub(super) fn check(
    path: &Path,
    found: Binary,
    architecture: Architecture,
) -> Result<Binary, Error> {
    if found.architecture() != Some(architecture) {
        return Err(Error::WrongArchitecture {
            path: path.to_owned(),
            wanted: architecture,
            found: elf::machine_name(found.machine),
        });
    }
    Ok(found)
}
