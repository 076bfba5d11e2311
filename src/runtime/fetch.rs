//! Fetching the library: download by the person's pip or uv, check, unpack, rename into place.
//!
//! # Invariants
//! One process fetches at a time, the others wait and find the library (a file lock; where the file
//! system has none, each fetches and the last rename wins with the same bytes). Everything happens
//! in a private folder beside the target, which a later fetch removes if this one was killed.

use super::download;
use super::library::Origin;
use super::locate::{LocateError, is_whole};
use super::target::Wheel;
use sha2::{Digest, Sha256};
use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub use super::download::{Progress, Tool};

/// Prefix of the private folders, so that those of killed fetches are found.
const PRIVATE_PREFIX: &str = ".fetch-";

/// Bytes copied at a time.
const COPY_BYTES: usize = 1 << 16;

/// Puts the wheel's library into `folder`; says whether it came by this call or another process's.
pub(super) fn fetch(
    wheel: &Wheel,
    folder: &Path,
    tools: &[Tool],
    progress: &mut dyn FnMut(Progress),
) -> Result<(PathBuf, Origin), LocateError> {
    let path = folder.join(wheel.library_name());
    fs_err::create_dir_all(folder).map_err(LocateError::Cache)?;
    let lock = fs_err::File::create(folder.join(".lock")).map_err(LocateError::Cache)?;
    // Without a lock (some network file systems) the rename alone keeps the cache whole.
    let is_locked = lock.lock().is_ok();
    if is_whole(&path, wheel) {
        return Ok((path, Origin::Cache));
    }
    if is_locked {
        remove_leftovers(folder);
    }
    let private = tempfile::Builder::new()
        .prefix(PRIVATE_PREFIX)
        .tempdir_in(folder)
        .map_err(LocateError::Cache)?;
    let downloaded = download_with_any(wheel, private.path(), tools, progress)?;
    unpack(wheel, downloaded, private.path(), &path)?;
    Ok((path, Origin::Fetched))
}

/// Folders of fetches that were killed: whoever holds the lock is the only one fetching.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PRIVATE_PREFIX) {
            // What cannot be removed only takes room.
            let _ = fs_err::remove_dir_all(entry.path());
        }
    }
}

/// The first tool that works. A second Python is called only when the first has no pip, since both
/// ask the same index. The error is that of the last tool that could have fetched: a Python without
/// pip says less than a uv without network.
fn download_with_any(
    wheel: &Wheel,
    private: &Path,
    tools: &[Tool],
    progress: &mut dyn FnMut(Progress),
) -> Result<Downloaded, LocateError> {
    let mut failure = LocateError::NoTool;
    let mut has_pip_failed = false;
    for (at, tool) in tools.iter().enumerate() {
        let is_python = matches!(tool, Tool::Python(_));
        if is_python && has_pip_failed {
            continue;
        }
        let folder = private.join(at.to_string());
        fs_err::create_dir(&folder).map_err(LocateError::Cache)?;
        match download::run(tool, wheel, &folder, progress) {
            Ok(downloaded) => return Ok(downloaded),
            Err(download::Failure::NoPip) => {}
            Err(download::Failure::Said(message)) => {
                has_pip_failed |= is_python;
                failure = LocateError::Download { tool: tool.to_string(), message };
            }
        }
    }
    Err(failure)
}

/// What a tool left behind.
pub(super) enum Downloaded {
    /// The wheel, as pip downloads it.
    Wheel(PathBuf),
    /// The folder with the wheel's files, as uv installs it.
    Unpacked(PathBuf),
}

fn unpack(
    wheel: &Wheel,
    downloaded: Downloaded,
    private: &Path,
    path: &Path,
) -> Result<(), LocateError> {
    let mut library = tempfile::Builder::new()
        .prefix("library-")
        // Others may use the cache; a temporary file is its owner's alone unless told.
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(private)
        .map_err(LocateError::Cache)?;
    match downloaded {
        Downloaded::Wheel(file) => unpack_wheel(wheel, &file, library.as_file_mut())?,
        Downloaded::Unpacked(folder) => {
            let source = fs_err::File::open(folder.join(&wheel.member)).map_err(|error| {
                let file = format!("onnxruntime=={}", super::VERSION);
                LocateError::Wheel { file, message: error.to_string() }
            })?;
            copy_library(wheel, source, library.as_file_mut())?;
        }
    }
    // The name must not survive a crash of the machine without the bytes.
    library.as_file().sync_all().map_err(LocateError::Cache)?;
    library.persist(path).map_err(|error| LocateError::Cache(error.error))?;
    Ok(())
}

fn unpack_wheel(wheel: &Wheel, file: &Path, library: &mut impl Write) -> Result<(), LocateError> {
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let opened = fs_err::File::open(file).map_err(LocateError::Cache)?;
    let actual = copy_hashed(opened, &mut std::io::sink(), u64::MAX)?;
    if actual.sha256 != wheel.sha256 {
        let (expected, actual) = (wheel.sha256.clone(), actual.sha256);
        return Err(LocateError::Hash { file: name, expected, actual });
    }
    let refuse = |error: zip::result::ZipError| LocateError::Wheel {
        file: name.clone(),
        message: error.to_string(),
    };
    let opened = fs_err::File::open(file).map_err(LocateError::Cache)?;
    let mut archive = zip::ZipArchive::new(opened).map_err(refuse)?;
    let member = archive.by_name(&wheel.member).map_err(refuse)?;
    copy_library(wheel, member, library)
}

fn copy_library(
    wheel: &Wheel,
    source: impl Read,
    library: &mut impl Write,
) -> Result<(), LocateError> {
    // One byte more than there should be is enough to see that it is another file.
    let actual = copy_hashed(source, library, wheel.library_bytes + 1)?;
    if actual.sha256 == wheel.library_sha256 && actual.bytes == wheel.library_bytes {
        return Ok(());
    }
    let file = wheel.library_name().to_owned();
    Err(LocateError::Hash { file, expected: wheel.library_sha256.clone(), actual: actual.sha256 })
}

struct Copied {
    sha256: String,
    bytes: u64,
}

fn copy_hashed(
    source: impl Read,
    target: &mut impl Write,
    bytes_max: u64,
) -> Result<Copied, LocateError> {
    let mut source = source.take(bytes_max);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; COPY_BYTES];
    let mut bytes = 0;
    loop {
        let count = source.read(&mut buffer).map_err(LocateError::Cache)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        target.write_all(&buffer[..count]).map_err(LocateError::Cache)?;
        bytes += count as u64;
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Copied { sha256, bytes })
}
