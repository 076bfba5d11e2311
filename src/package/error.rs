//! Why no artefact was made.

use super::elf::ElfError;
use super::provided::Lack;
use crate::error::{Exit, Explain};
use crate::spec::Architecture;
use crate::spec::limits::{LAMBDA_IMAGE_BYTES_MAX, LAMBDA_UNZIPPED_BYTES_MAX};
use std::path::PathBuf;

/// Why no artefact was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `gwtf-runtime` to pack.
    #[error("gwtf-runtime: none found; looked {}", looked.join(", "))]
    NoProgram {
        /// Where was looked.
        looked: Vec<String>,
        /// What it is for.
        architecture: Architecture,
    },
    /// A named file cannot be read.
    #[error("{what} `{}`", path.display())]
    Read {
        /// What it was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A named file is larger than anything that is packed.
    #[error("{what} `{}`: {bytes} bytes, more than any program or library has", path.display())]
    TooLarge {
        /// What it was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A program or library is none.
    #[error("{what} `{}`", path.display())]
    Binary {
        /// What it was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ElfError,
    },
    /// A program or library is for another processor.
    #[error(
        "{what} `{}`: it is for {}, the artefact for {wanted}", path.display(),
        found.map_or("another processor", Architecture::name)
    )]
    Architecture {
        /// What it was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What it is for.
        found: Option<Architecture>,
        /// What the artefact is for.
        wanted: Architecture,
    },
    /// `--runtime` names a shared library.
    #[error("gwtf-runtime `{}`: it is a shared library, not a program", path.display())]
    NotProgram {
        /// The file.
        path: PathBuf,
    },
    /// A program or library does not run on Lambda.
    #[error("{what} `{}`: {} on provided.al2023", path.display(), lacks_text(lacks))]
    Lacks {
        /// What it was to be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is lacking, at least one.
        lacks: Vec<Lack>,
    },
    /// A library of this machine was to be bundled and is not here.
    #[error("{name}: not found on this machine for {architecture}")]
    NoSystemLibrary {
        /// Its name.
        name: &'static str,
        /// What for.
        architecture: Architecture,
    },
    /// An external-data file cannot keep its name in the artefact.
    #[error("model `{}`: its external data `{location}` {reason}", path.display())]
    ExternalData {
        /// The model.
        path: PathBuf,
        /// The name in the model.
        location: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The files changed while they were packed.
    #[error("`{}`: it changed while it was packed", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// More than Lambda unpacks.
    #[error(
        "the artefact: {bytes} bytes unzipped, a Lambda zip may have {LAMBDA_UNZIPPED_BYTES_MAX}"
    )]
    Unzipped {
        /// What its files have together.
        bytes: u64,
    },
    /// More than Lambda takes as an image.
    #[error(
        "the artefact: {bytes} bytes unpacked, a Lambda image may have {LAMBDA_IMAGE_BYTES_MAX}"
    )]
    ImageTooLarge {
        /// What its files have together.
        bytes: u64,
    },
    /// The output is there already.
    #[error("output `{}`: it exists", path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// The output is there and is nothing that packaging makes.
    #[error("output `{}`: it exists and is {is}", path.display())]
    NotArtefact {
        /// The output.
        path: PathBuf,
        /// What it is.
        is: &'static str,
    },
    /// The output has no folder to be in.
    #[error("output `{}`: its folder does not exist", path.display())]
    NoFolder {
        /// The output.
        path: PathBuf,
    },
    /// The output cannot be written.
    #[error("output `{}`", path.display())]
    Write {
        /// The output.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

fn lacks_text(lacks: &[Lack]) -> String {
    let text: Vec<String> = lacks.iter().take(LACKS_SHOWN).map(Lack::to_string).collect();
    text.join("; ")
}

/// Lacks that an error names.
const LACKS_SHOWN: usize = 3;

/// How a `gwtf-runtime` for this processor is built.
fn build_text(architecture: Architecture) -> String {
    let is_host = cfg!(target_os = "linux") && Architecture::host() == Some(architecture);
    let triple = match architecture {
        _ if is_host => String::new(),
        Architecture::X86_64 => " --target x86_64-unknown-linux-gnu".to_owned(),
        Architecture::Arm64 => " --target aarch64-unknown-linux-gnu".to_owned(),
    };
    format!("`cargo build --release --bin gwtf-runtime{triple}`")
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Write { .. } | Self::Changed { .. } => Exit::Machine,
            _ => Exit::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoProgram { architecture, .. } => format!(
                "build one with {} and give it with --runtime PATH or GWTF_RUNTIME",
                build_text(*architecture)
            ),
            Self::Read { .. } => "check the path, and whether the file may be read".to_owned(),
            Self::TooLarge { .. } | Self::Binary { .. } => {
                "name a 64-bit Linux program or library".to_owned()
            }
            Self::Architecture { what: PROGRAM, wanted, .. } => format!(
                "build one for it with {} and give it with --runtime PATH, or name --arch",
                build_text(*wanted)
            ),
            Self::Architecture { .. } => {
                "leave --onnxruntime out to have the right one fetched, or name --arch".to_owned()
            }
            Self::NotProgram { .. } => "name the program with --runtime PATH".to_owned(),
            Self::Lacks { lacks, .. } if lacks.iter().any(Lack::is_of_cxx) => {
                "bundle this machine's with --bundle-libstdcxx always, or package a lambda-image"
                    .to_owned()
            }
            Self::Lacks { what: PROGRAM, .. } => {
                "build it where glibc is 2.34 or older (Amazon Linux 2023, Debian 11), with \
                 cargo-zigbuild, or package a lambda-image"
                    .to_owned()
            }
            Self::Lacks { what: SYSTEM_LIBRARY, .. } => {
                "package where glibc is 2.34 or older (Amazon Linux 2023, Debian 11), leave \
                 --bundle-libstdcxx out, or package a lambda-image"
                    .to_owned()
            }
            Self::Lacks { .. } => "name another one, or package a lambda-image".to_owned(),
            Self::NoSystemLibrary { .. } => {
                "install libstdc++ for that processor, or leave --bundle-libstdcxx out".to_owned()
            }
            Self::ExternalData { .. } => "save the model with other names for its data".to_owned(),
            Self::Changed { .. } => "package again when nothing writes to it".to_owned(),
            Self::Unzipped { .. } => {
                "package it with --target lambda-image, which may have 10 GB".to_owned()
            }
            Self::ImageTooLarge { .. } => {
                "leave out what the model does not need, or serve it with --target ecs-image"
                    .to_owned()
            }
            Self::Exists { .. } => {
                "name another output, or replace that one with --force".to_owned()
            }
            Self::NotArtefact { .. } => "name another output".to_owned(),
            Self::NoFolder { .. } => "make the folder, or name another output".to_owned(),
            Self::Write { .. } => "free some room there, or name an output elsewhere".to_owned(),
        };
        Some(hint)
    }
}

/// What errors call `gwtf-runtime`.
pub(super) const PROGRAM: &str = "gwtf-runtime";
/// What errors call ONNX Runtime's library.
pub(super) const ONNXRUNTIME: &str = "ONNX Runtime";
/// What errors call a library of this machine.
pub(super) const SYSTEM_LIBRARY: &str = "system library";
/// What errors call a model and its external data.
pub(super) const MODEL: &str = "model";
