//! Which library of ONNX Runtime to use: named, cached, or fetched.
//!
//! In this order: `--onnxruntime PATH`, `ORT_DYLIB_PATH`, the cache, the pinned wheel fetched
//! through the person's own pip or uv (so that mirrors and proxies work as they do elsewhere).
//!
//! # Invariants
//! A named library that is not usable is an error, never a reason to take another one. The cache
//! holds only whole libraries: a file appears there by a rename, after its SHA-256 was checked.
//! Environment and `PATH` are arguments.

use super::fetch::{self, Progress, Tool};
use super::library::{self, Library, Origin};
use super::target::{Target, Wheel};
use crate::error::{Exit, Explain};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where to look, and what to fetch.
#[derive(Debug, Clone)]
pub struct LocateRequest {
    /// The path given with `--onnxruntime`.
    pub flag: Option<PathBuf>,
    /// The value of `ORT_DYLIB_PATH`; used for this machine's platform only.
    pub environment: Option<PathBuf>,
    /// The person's cache folder (`~/.cache`, `~/Library/Caches`).
    pub cache_folder: PathBuf,
    /// The value of `PATH`, searched for `python3`, `python` and `uv`.
    pub search_path: OsString,
    /// The platform that the library is for; `None` when none is published for this machine.
    pub target: Option<Target>,
    /// What to fetch; `None` stands for the pinned wheel of the target.
    pub wheel: Option<Wheel>,
}

/// Why there is no library.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// A library named by the person is not usable.
    #[error("ONNX Runtime `{path}` ({named_by}): {message}")]
    Named {
        /// The path.
        path: PathBuf,
        /// `--onnxruntime` or `ORT_DYLIB_PATH`.
        named_by: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// No library is published for this machine.
    #[error("ONNX Runtime {version} is not published for this machine's platform", version = super::VERSION)]
    Platform,
    /// There is nothing to fetch it with.
    #[error("ONNX Runtime {version} is not cached, and neither Python with pip nor uv is on PATH to fetch it with", version = super::VERSION)]
    NoTool,
    /// The tool ended with an error.
    #[error("ONNX Runtime {version}: `{tool}` could not fetch it: {message}", version = super::VERSION)]
    Download {
        /// The program called.
        tool: String,
        /// Its last words.
        message: String,
    },
    /// What was fetched is not what is pinned.
    #[error("ONNX Runtime `{file}`: its SHA-256 is {actual}, {expected} is pinned")]
    Hash {
        /// The wheel or the library.
        file: String,
        /// The pinned hash.
        expected: String,
        /// The hash of what came.
        actual: String,
    },
    /// The wheel is no zip file or lacks the library.
    #[error("ONNX Runtime wheel `{file}`: {message}")]
    Wheel {
        /// The wheel.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// The cache cannot be read or written.
    #[error("ONNX Runtime's cache")]
    Cache(#[source] std::io::Error),
}

impl Explain for LocateError {
    fn exit(&self) -> Exit {
        Exit::Machine
    }

    fn hint(&self) -> Option<String> {
        let name_one = "with --onnxruntime PATH or ORT_DYLIB_PATH";
        Some(match self {
            Self::Named { .. } => format!(
                "name a shared library of onnxruntime {} {name_one}, or leave both out to have it \
                 fetched",
                super::VERSION
            ),
            Self::NoTool => format!("install Python with pip, or name a library {name_one}"),
            Self::Platform | Self::Download { .. } => format!("name a library {name_one}"),
            Self::Hash { .. } | Self::Wheel { .. } => format!(
                "the package index gave another file than PyPI does; check its mirror, or name a \
                 library {name_one}"
            ),
            Self::Cache(_) => format!("free the cache folder, or name a library {name_one}"),
        })
    }
}

/// The library to use, fetched if need be. `progress` hears how much has come.
///
/// # Errors
/// A named library is not usable, or none is cached and none can be fetched.
pub fn locate(
    request: &LocateRequest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Library, LocateError> {
    if let Some(library) = find(request)? {
        return Ok(library);
    }
    let target = request.target.ok_or(LocateError::Platform)?;
    let wheel = request.wheel.clone().unwrap_or_else(|| target.wheel());
    let folder = request.library_folder(target);
    let tools = tools(&request.search_path);
    let (path, origin) = fetch::fetch(&wheel, &folder, &tools, progress)?;
    Ok(Library { path, version: Some(super::VERSION.to_owned()), origin })
}

/// The library to use if it is here already; fetches nothing.
///
/// # Errors
/// A named library is not usable.
pub fn find(request: &LocateRequest) -> Result<Option<Library>, LocateError> {
    if let Some(path) = &request.flag {
        return named(path, "--onnxruntime", Origin::Flag, request.target).map(Some);
    }
    // The variable names a library for this machine; it says nothing about a package for another.
    if let Some(path) = &request.environment
        && request.target == Target::host()
    {
        return named(path, "ORT_DYLIB_PATH", Origin::Environment, request.target).map(Some);
    }
    let Some(target) = request.target else { return Ok(None) };
    let wheel = request.wheel.clone().unwrap_or_else(|| target.wheel());
    let path = request.library_folder(target).join(wheel.library_name());
    let version = Some(super::VERSION.to_owned());
    Ok(is_whole(&path, &wheel).then_some(Library { path, version, origin: Origin::Cache }))
}

/// The programs on `search_path` that can fetch a wheel, in the order in which they are tried.
pub fn tools(search_path: &std::ffi::OsStr) -> Vec<Tool> {
    let find = |name: &str| {
        std::env::split_paths(search_path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .find(|path| is_program(path))
    };
    let python = ["python3", "python"].into_iter().filter_map(find).map(Tool::Python);
    python.chain(find("uv").map(Tool::Uv)).collect()
}

impl LocateRequest {
    /// A request for this machine with nothing named: the cache, then fetching.
    pub fn new(cache_folder: impl Into<PathBuf>, search_path: impl Into<OsString>) -> Self {
        Self {
            flag: None,
            environment: None,
            cache_folder: cache_folder.into(),
            search_path: search_path.into(),
            target: Target::host(),
            wheel: None,
        }
    }

    /// The folder that holds the cached library for a platform.
    pub fn library_folder(&self, target: Target) -> PathBuf {
        self.cache_folder
            .join("gwtf")
            .join("onnxruntime")
            .join(super::VERSION)
            .join(target.triple())
    }
}

fn named(
    path: &Path,
    named_by: &'static str,
    origin: Origin,
    target: Option<Target>,
) -> Result<Library, LocateError> {
    let refuse = |message: String| LocateError::Named { path: path.to_owned(), named_by, message };
    library::check(path, target).map_err(refuse)?;
    // `ort` looks for a relative path beside the program first; the person means their own folder.
    let path = std::path::absolute(path).map_err(|error| refuse(error.to_string()))?;
    Ok(Library { version: library::version(&path), path, origin })
}

/// Whether the cached library is all there. Its bytes were checked when they were put there; the
/// size tells a file that a crash of the machine cut short.
pub(super) fn is_whole(path: &Path, wheel: &Wheel) -> bool {
    fs_err::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.len() == wheel.library_bytes)
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs_err::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
