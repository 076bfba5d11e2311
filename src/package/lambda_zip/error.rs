//! Why a zip cannot be written.

use crate::error::{Exit, Explain};
use crate::spec::limits::LAMBDA_UNZIPPED_BYTES_MAX;
use std::io;
use std::path::PathBuf;

/// A zip cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More than Lambda unzips.
    #[error(
        "the artefact: {bytes} bytes unzipped, Lambda takes {LAMBDA_UNZIPPED_BYTES_MAX} \
         (`{largest}` is {largest_bytes})"
    )]
    TooLarge {
        /// Bytes of all files.
        bytes: u64,
        /// Path of the largest file.
        largest: String,
        /// Its bytes.
        largest_bytes: u64,
    },
    /// A file that goes in cannot be read.
    #[error("`{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The zip cannot be written.
    #[error("zip `{}`", path.display())]
    Write {
        /// The output path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something is at the output path.
    #[error("`{}` exists", path.display())]
    OutputExists {
        /// The output path.
        path: PathBuf,
    },
    /// A folder is at the output path.
    #[error("`{}` is a folder; a zip is one file", path.display())]
    OutputFolder {
        /// The output path.
        path: PathBuf,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { .. } | Self::Write { .. } => Exit::Machine,
            Self::TooLarge { .. } | Self::OutputExists { .. } | Self::OutputFolder { .. } => {
                Exit::Refused
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooLarge { .. } => {
                Some("package it as an image: --target lambda-image takes up to 10 GB".to_owned())
            }
            Self::OutputExists { .. } => {
                Some("name another path, or replace it with --force".to_owned())
            }
            Self::OutputFolder { .. } => Some("name a file, for instance OUT.zip".to_owned()),
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free some space, or name a path on another disk with -o".to_owned())
            }
            Self::Write { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("make its folder first".to_owned())
            }
            Self::Read { .. } | Self::Write { .. } => None,
        }
    }
}
