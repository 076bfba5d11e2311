//! What can go wrong while an image is made or read.

use crate::error::{Exit, Explain};
use crate::spec::Architecture;
use std::io;
use std::path::{Path, PathBuf};

/// An image cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The output or the cache cannot be written.
    #[error("image layout `{}`", path.display())]
    Write {
        /// The folder being written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that goes into the image cannot be read.
    #[error("`{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Bytes could not be put into a layer.
    #[error("layer")]
    Archive(#[source] io::Error),
    /// Something is at the output path.
    #[error("`{}` exists", path.display())]
    OutputExists {
        /// The output path.
        path: PathBuf,
        /// Whether it is a layout that gwtf wrote.
        is_own: bool,
    },
    /// A path inside the image is not acceptable.
    #[error("path `{path}` in the image: {reason}")]
    BadPath {
        /// The path.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// A program or library that should be in the image is no ELF file that can be read.
    #[error("`{}`: {reason}", path.display())]
    BadElf {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A program or library is for another architecture than the image.
    #[error("`{}` is for {found}, the image for {wanted}", path.display())]
    WrongArchitecture {
        /// The file.
        path: PathBuf,
        /// The image's.
        wanted: Architecture,
        /// The file's.
        found: String,
    },
    /// This machine's libraries are for another architecture than the image.
    #[error("an image for {wanted} needs a base: this machine has libraries for {host} alone")]
    NeedsBase {
        /// The image's.
        wanted: Architecture,
        /// This machine's.
        host: &'static str,
    },
    /// A shared library is not on this machine.
    #[error("`{library}`, which `{needed_by}` needs, is not on this machine")]
    LibraryMissing {
        /// Its name.
        library: String,
        /// The file that needs it.
        needed_by: String,
    },
    /// A foreign image or layout cannot be used.
    #[error("image `{place}`: {reason}")]
    BadImage {
        /// The folder or the reference.
        place: String,
        /// Why.
        reason: String,
        /// What the person can do.
        hint: Option<String>,
    },
}

impl Error {
    pub(super) fn archive(error: io::Error) -> Self {
        Self::Archive(error)
    }

    pub(super) fn bad_image(place: &str, reason: impl Into<String>) -> Self {
        Self::BadImage { place: place.to_owned(), reason: reason.into(), hint: None }
    }

    /// The same of a write into the private folder, which is about the output for a person.
    pub(super) fn at_output(self, private: &Path, out: &Path) -> Self {
        let source = match self {
            Self::Write { path, source } if path.starts_with(private) => source,
            Self::Archive(source) if is_full(&source) => source,
            other => return other,
        };
        Self::Write { path: out.to_owned(), source: crate::package::output::bare(source) }
    }

    fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Write { source, .. } | Self::Read { source, .. } | Self::Archive(source) => {
                Some(source)
            }
            _ => None,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Write { .. } | Self::Archive(_) => Exit::Machine,
            _ => Exit::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        if self.io_error().is_some_and(is_full) {
            return Some("free some space and run it again: nothing was left behind".to_owned());
        }
        let hint = match self {
            Self::OutputExists { is_own: true, .. } => {
                "`--force` replaces the layout that gwtf wrote there"
            }
            Self::OutputExists { .. } => "name a path at which nothing is yet",
            Self::NeedsBase { wanted, .. } => {
                return Some(format!(
                    "name one with glibc and libstdc++ for {wanted}: `--base oci:DIR` or \
                     `--base REFERENCE` (`gcr.io/distroless/cc-debian12` is a small one)"
                ));
            }
            Self::LibraryMissing { .. } => {
                "install the package that has it, or name a base that does: `--base REFERENCE`"
            }
            Self::BadImage { hint, .. } => return hint.clone(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
