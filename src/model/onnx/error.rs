//! Why a file is not a model that can be served, and what to do about it.
//!
//! [`Error`] names the path; [`FormatError`] says what is wrong with the bytes, whoever gave them.

use super::foreign::Foreign;
use super::runtime_support::Unsupported;
use crate::error::{Exit, Explain};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A model file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing lies at the path.
    #[error("`{}`: no such file", path.display())]
    NotFound {
        /// The path asked for.
        path: PathBuf,
    },
    /// The path is a folder.
    #[error("`{}`: a folder, not a model file", path.display())]
    Folder {
        /// The path asked for.
        path: PathBuf,
        /// What lies in it, as far as it helps.
        holds: FolderHolds,
    },
    /// The path is a pipe, a device or a socket.
    #[error("`{}`: not a regular file", path.display())]
    NotRegular {
        /// The path asked for.
        path: PathBuf,
    },
    /// The file is there and cannot be opened; `fs_err` names the path.
    #[error("{0}")]
    Open(#[source] std::io::Error),
    /// The bytes are refused.
    #[error("`{}`", path.display())]
    Format {
        /// The path asked for.
        path: PathBuf,
        /// What is wrong with them.
        source: FormatError,
    },
    /// A file that holds weights is not there, or not a file.
    #[error("`{}`: tensor `{tensor}`: external data file `{location}` is missing", path.display())]
    ExternalMissing {
        /// The model file.
        path: PathBuf,
        /// The tensor whose bytes are elsewhere.
        tensor: String,
        /// Where the model says that they are.
        location: String,
    },
    /// A file that holds weights ends before the weights do.
    #[error(
        "`{}`: tensor `{tensor}`: external data file `{location}` has {file_bytes} bytes, \
         {needed_bytes} are needed", path.display()
    )]
    ExternalTooShort {
        /// The model file.
        path: PathBuf,
        /// The tensor whose bytes are elsewhere.
        tensor: String,
        /// Where the model says that they are.
        location: String,
        /// Size of that file.
        file_bytes: u64,
        /// The tensor's offset and length together.
        needed_bytes: u64,
    },
}

/// What a folder given in place of a model file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderHolds {
    /// A TensorFlow SavedModel.
    SavedModel,
    /// ONNX files, of which this is the first by name.
    Onnx(PathBuf),
    /// Nothing that was looked for.
    Other,
}

/// Bytes that are not a model that can be served.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Reading failed.
    #[error("reading at byte {at_byte}")]
    Read {
        /// Where.
        at_byte: u64,
        /// What the system says.
        source: std::io::Error,
    },
    /// No bytes at all.
    #[error("empty file")]
    Empty,
    /// More bytes than one protobuf message can have.
    #[error("{size_bytes} bytes, more than a protobuf file can have (2 GiB)")]
    TooLarge {
        /// The file's size.
        size_bytes: u64,
    },
    /// The bytes are something else.
    #[error("not an ONNX model but {}", .0.looks_like)]
    NotOnnx(&'static Foreign),
    /// The file ends inside a field.
    #[error(
        "cut short: the field at byte {at_byte} needs {missing_bytes} more bytes than there are"
    )]
    Truncated {
        /// Where the field starts.
        at_byte: u64,
        /// How much is missing.
        missing_bytes: u64,
    },
    /// The bytes contradict the format or each other.
    #[error("corrupted at byte {at_byte}: {what}")]
    Corrupted {
        /// Where.
        at_byte: u64,
        /// What contradicts what.
        what: Cow<'static, str>,
    },
    /// A part that every model has is not there.
    #[error("incomplete: no {0}")]
    Missing(&'static str),
    /// A limit of this reader, see [`limits`](super::limits).
    #[error("{what} above the limit of {limit}")]
    OverLimit {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// An input or output that no request could carry.
    #[error("{role} `{name}` {why}")]
    Unserved {
        /// Which side it stands on.
        role: Role,
        /// Its name in the graph.
        name: String,
        /// The reason.
        why: Unserved,
    },
    /// External data that lie outside the model's folder.
    #[error("tensor `{tensor}`: external data location `{location}` leaves the model's folder")]
    ExternalEscapes {
        /// The tensor whose bytes are elsewhere.
        tensor: String,
        /// Where the model says that they are.
        location: String,
    },
}

/// Which side of a model a tensor stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the side it names")]
pub enum Role {
    Input,
    Output,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Output => "output",
        })
    }
}

/// Why an input or output cannot be part of a request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unserved {
    /// The graph says nothing about its type.
    #[error("declares no type")]
    NoType,
    /// Not a tensor at all.
    #[error("is {0}, and only tensors are served")]
    NotTensor(&'static str),
    /// A tensor of elements that are not served.
    #[error("has elements of type {0}, which is not served")]
    Elements(&'static str),
}

impl FormatError {
    pub(super) fn corrupted(at_byte: u64, what: impl Into<Cow<'static, str>>) -> Self {
        Self::Corrupted { at_byte, what: what.into() }
    }
}

impl Error {
    /// The same error as one of the file at `path`, when a copy of that file was read.
    pub fn about(mut self, path: &Path) -> Self {
        match &mut self {
            Self::NotFound { path: read }
            | Self::Folder { path: read, .. }
            | Self::NotRegular { path: read }
            | Self::Format { path: read, .. }
            | Self::ExternalMissing { path: read, .. }
            | Self::ExternalTooShort { path: read, .. } => *read = path.to_path_buf(),
            // It is the copy that cannot be opened.
            Self::Open(_) => {}
        }
        self
    }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Open(_) => Exit::Machine,
            Self::Format { source, .. } => source.exit(),
            Self::NotFound { .. }
            | Self::Folder { .. }
            | Self::NotRegular { .. }
            | Self::ExternalMissing { .. }
            | Self::ExternalTooShort { .. } => Exit::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotFound { .. } => "check the path to the model".into(),
            Self::Folder { path, holds: FolderHolds::SavedModel } => format!(
                "this is a TensorFlow SavedModel: `python -m tf2onnx.convert --saved-model {} \
                 --output model.onnx` makes a model of it",
                path.display()
            ),
            Self::Folder { holds: FolderHolds::Onnx(file), .. } => {
                format!("name the file itself, for instance `{}`", file.display())
            }
            Self::Folder { holds: FolderHolds::Other, .. } => "name the `.onnx` file itself".into(),
            Self::NotRegular { .. } => "write the model to a file and name that".into(),
            Self::Open(_) => return None,
            Self::Format { source, .. } => return source.hint(),
            Self::ExternalMissing { location, .. } => {
                format!("copy `{location}` into the model's folder: it was exported with the model")
            }
            Self::ExternalTooShort { location, .. } => {
                format!("copy `{location}` again, together with the model it was exported with")
            }
        })
    }
}

impl Explain for FormatError {
    fn exit(&self) -> Exit {
        match self {
            Self::Read { .. } => Exit::Machine,
            _ => Exit::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } => return None,
            Self::Empty => "export the model again: the last writing came to nothing",
            Self::TooLarge { .. } => "save the model with its weights as external data",
            Self::NotOnnx(foreign) => foreign.hint,
            Self::Truncated { .. } => "copy or download the file again, to its end",
            Self::Corrupted { .. } => "copy, download or export the file again",
            Self::Missing(_) => "export the model again: the file may have been cut short",
            Self::OverLimit { .. } => "no model is known to need this: is the file damaged?",
            Self::Unserved { why, .. } => why.hint(),
            Self::ExternalEscapes { .. } => {
                "save the model again with its external data in the same folder"
            }
        };
        Some(hint.into())
    }
}

impl Unserved {
    fn hint(self) -> &'static str {
        match self {
            Self::NoType => "run `onnx.shape_inference.infer_shapes` on the model and save it",
            Self::NotTensor(_) => {
                "export the model with tensors only (skl2onnx: `options={'zipmap': False}`)"
            }
            Self::Elements(_) => "put a Cast to a served type, such as float32, at this end",
        }
    }
}

impl Explain for Unsupported {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(self.next_step())
    }
}
