//! Why an artefact cannot be opened.

use crate::error::{Exit, Explain};
use crate::spec::Architecture;
use crate::spec::artefact::{BOOTSTRAP_FILE, MANIFEST_FILE, ManifestError};
use std::io;
use std::path::PathBuf;

/// Why an artefact cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The artefact, or a part of it, cannot be read; the cause names it.
    #[error("artefact")]
    Read {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// There is no place to unpack it to.
    #[error("artefact: folder `{folder}` for unpacking")]
    Scratch {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("artefact: unpacking")]
    Write {
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is no zip archive, or a damaged one.
    #[error("artefact `{artefact}`: {message}")]
    Zip {
        /// The artefact.
        artefact: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The folder is no OCI layout that gwtf reads, or a damaged one.
    #[error("image layout `{artefact}`: {message}")]
    Layout {
        /// The artefact.
        artefact: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The image is one for ECS.
    #[error("image layout `{artefact}`: it is an image for ECS")]
    EcsImage {
        /// The artefact.
        artefact: PathBuf,
    },
    /// An entry is no plain file or folder inside the artefact.
    #[error("artefact `{artefact}`: entry `{entry}` {reason}")]
    Entry {
        /// The artefact.
        artefact: PathBuf,
        /// The entry's name, made fit for printing.
        entry: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More than Lambda takes.
    #[error("artefact `{artefact}`: it holds more than {limit}")]
    TooLarge {
        /// The artefact.
        artefact: PathBuf,
        /// The limit, with its unit.
        limit: String,
    },
    /// No manifest.
    #[error("artefact `{artefact}`: it has no {MANIFEST_FILE}")]
    NoManifest {
        /// The artefact.
        artefact: PathBuf,
    },
    /// A manifest that is none.
    #[error("artefact `{artefact}`: its {MANIFEST_FILE} is not usable")]
    Manifest {
        /// The artefact.
        artefact: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// Made for another kind of machine.
    #[error("artefact `{artefact}`: it is for {architecture}, this machine is {machine}")]
    Architecture {
        /// The artefact.
        artefact: PathBuf,
        /// The artefact's.
        architecture: Architecture,
        /// This machine's, as Rust names it.
        machine: &'static str,
    },
    /// No program to start.
    #[error("artefact `{artefact}`: it has no {BOOTSTRAP_FILE}")]
    NoBootstrap {
        /// The artefact.
        artefact: PathBuf,
    },
    /// A program that Lambda could not start.
    #[error(
        "artefact `{artefact}`: {BOOTSTRAP_FILE} has mode {mode:o}, and Lambda runs it as another user"
    )]
    BootstrapMode {
        /// The artefact.
        artefact: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Scratch { .. } | Self::Write { .. } => Exit::Machine,
            _ => Exit::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Zip { .. } | Self::Layout { .. } | Self::NoManifest { .. } => {
                "name what `gwtf package` wrote: a zip, an image layout, or the folder of an \
                 unpacked zip"
            }
            Self::EcsImage { .. } => "it comes with the ECS target; package for lambda-image here",
            Self::TooLarge { .. } => {
                "AWS would refuse it too; package it as an image, or shrink it"
            }
            Self::Architecture { .. } => "package it with `--arch` of this machine to run it here",
            Self::BootstrapMode { .. } => "make it mode 755",
            Self::NoBootstrap { .. } => "an artefact's program is called bootstrap, at its root",
            Self::Scratch { .. } | Self::Write { .. } => {
                "the folder is TMPDIR's, else /tmp; name another with TMPDIR"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
