//! The files of an artefact, before they are put into a zip or into layers.

use crate::model::Digest;
use bytes::Bytes;
use std::io;
use std::path::PathBuf;

/// What a file is for. In the order of how seldom it changes, which is the order of an image's
/// layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Shared libraries of the system that the programs need.
    SystemLibrary,
    /// ONNX Runtime.
    OnnxRuntime,
    /// `gwtf-runtime`.
    Runtime,
    /// The model, its external data and the manifest.
    Model,
}

/// Where a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On the disk.
    File(PathBuf),
    /// In memory.
    Bytes(Bytes),
}

impl Source {
    /// Digest and size of the bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn digest(&self) -> io::Result<(Digest, u64)> {
        match self {
            Self::File(path) => Digest::of_reader(fs_err::File::open(path)?),
            Self::Bytes(bytes) => Ok((Digest::of(bytes), bytes.len() as u64)),
        }
    }
}

/// One file of an artefact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the artefact's root, `/` between its segments, no `.` or `..` among them.
    pub path: String,
    /// Whether it may be executed (mode 755, else 644).
    pub executable: bool,
    /// What it is for.
    pub part: Part,
    /// Its bytes.
    pub source: Source,
}
