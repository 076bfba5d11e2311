//! Why a model cannot be opened, why a run failed, and how to tell from ONNX Runtime's errors.

use crate::error::{Exit, Explain};
use crate::model::{DType, Dim, Signature};
use crate::runtime::message;
use ort::ErrorCode;
use ort::session::SessionInputValue;
use std::path::{Path, PathBuf};

/// Why a model cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no file, or it is a folder.
    #[error("model `{path}`: {message}")]
    File {
        /// The model.
        path: PathBuf,
        /// What is wrong with the path.
        message: String,
    },
    /// The bytes are no ONNX model.
    #[error("model `{path}`: it is no ONNX model, or it is damaged: {message}")]
    Damaged {
        /// The model.
        path: PathBuf,
        /// ONNX Runtime's words.
        message: String,
    },
    /// The model wants an opset, an IR version or an operator that the library does not have.
    #[error("model `{path}`: ONNX Runtime does not support it: {message}")]
    Unsupported {
        /// The model.
        path: PathBuf,
        /// ONNX Runtime's words.
        message: String,
        /// The highest opset that the library takes, if that is what the model went beyond.
        opset_max: Option<u32>,
    },
    /// The file with the model's weights is missing or outside the model's folder.
    #[error("model `{path}`: its external data is not usable: {message}")]
    ExternalData {
        /// The model.
        path: PathBuf,
        /// ONNX Runtime's words.
        message: String,
    },
    /// An input or output is no tensor of a served element type.
    #[error("model `{path}`: {role} `{name}` is of type {declared}, which is not served")]
    Type {
        /// The model.
        path: PathBuf,
        /// `input` or `output`.
        role: &'static str,
        /// Its name.
        name: String,
        /// Its type, as ONNX Runtime writes it.
        declared: String,
    },
    /// ONNX Runtime refuses the model for another reason.
    #[error("model `{path}`: ONNX Runtime refuses it: {message}")]
    Refused {
        /// The model.
        path: PathBuf,
        /// ONNX Runtime's words.
        message: String,
    },
}

impl OpenError {
    /// The same error of the file that the person named, where a copy of it was opened.
    #[must_use]
    pub fn about(mut self, named: &Path) -> Self {
        let (Self::File { path, .. }
        | Self::Damaged { path, .. }
        | Self::Unsupported { path, .. }
        | Self::ExternalData { path, .. }
        | Self::Type { path, .. }
        | Self::Refused { path, .. }) = &mut self;
        *path = named.to_path_buf();
        self
    }
}

impl Explain for OpenError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { opset_max: Some(opset), .. } => {
                Some(format!("export the model with opset {opset} or lower"))
            }
            Self::Unsupported { opset_max: None, .. } => {
                Some("export the model with standard operators and types alone".to_owned())
            }
            Self::ExternalData { .. } => {
                Some("keep the weights file beside the model, under the name it names".to_owned())
            }
            Self::Type { declared, .. } if declared.contains("Map") => Some(
                "convert a scikit-learn classifier with the option zipmap=False to get tensors"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Why a run gave no outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A declared input was not given.
    #[error("input `{name}` is missing")]
    MissingInput {
        /// The input.
        name: String,
    },
    /// The model has no such input.
    #[error("the model has no input `{name}`")]
    UnknownInput {
        /// The name given.
        name: String,
    },
    /// One input was given twice.
    #[error("input `{name}` is given twice")]
    RepeatedInput {
        /// The input.
        name: String,
    },
    /// The model has no such output.
    #[error("the model has no output `{name}`")]
    UnknownOutput {
        /// The name asked for.
        name: String,
    },
    /// The element type is not the declared one.
    #[error("input `{name}` is {given}, the model takes {expected}")]
    DType {
        /// The input.
        name: String,
        /// The type given.
        given: DType,
        /// The type declared.
        expected: DType,
    },
    /// The shape does not fit the declared one.
    #[error("input `{name}` has shape {given:?}, the model takes {expected}")]
    Shape {
        /// The input.
        name: String,
        /// The shape given.
        given: Vec<usize>,
        /// The type declared, as `float32[batch,4]`.
        expected: String,
    },
    /// ONNX Runtime holds the request's values to be wrong.
    #[error("the inputs are refused: {message}")]
    Refused {
        /// ONNX Runtime's words.
        message: String,
    },
    /// The run failed, and nothing says that the request is to blame.
    #[error("the model failed: {message}")]
    Failed {
        /// ONNX Runtime's words.
        message: String,
    },
}

impl RunError {
    /// Whether another request could have succeeded: the caller's mistake, not the model's.
    pub fn is_request_fault(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

impl Explain for RunError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// What ONNX Runtime's refusal of a model means; code and words of onnxruntime 1.32.
pub(super) fn open_error(path: &Path, error: &ort::Error) -> OpenError {
    let (path, message) = (path.to_owned(), message::trim(error.message()));
    if message.contains("xternal data") {
        return OpenError::ExternalData { path, message };
    }
    if message.contains("No graph was found") {
        return OpenError::Damaged { path, message };
    }
    if let Some(opset_max) = number_after(&message, "is till opset ") {
        let message = match number_after(&message, "Opset ") {
            Some(opset) => format!("its opset is {opset}, the library takes up to {opset_max}"),
            None => message,
        };
        return OpenError::Unsupported { path, message, opset_max: Some(opset_max) };
    }
    let is_beyond = message.contains("Unsupported model IR version")
        || message.contains("No Op registered")
        || message.contains("No opset import");
    match error.code() {
        ErrorCode::InvalidProtobuf => OpenError::Damaged { path, message },
        ErrorCode::NotImplemented => OpenError::Unsupported { path, message, opset_max: None },
        _ if is_beyond => OpenError::Unsupported { path, message, opset_max: None },
        _ => OpenError::Refused { path, message },
    }
}

/// The number that follows the first `mark` in `text`.
fn number_after(text: &str, mark: &str) -> Option<u32> {
    let rest = text.split_once(mark)?.1;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// What ONNX Runtime's failure to run means, and whose fault it is.
pub(super) fn run_error(
    error: &ort::Error,
    signature: &Signature,
    values: &[SessionInputValue<'_>],
) -> RunError {
    let message = message::trim(error.message());
    if error.code() == ErrorCode::InvalidArgument {
        return RunError::Refused { message };
    }
    // Kernels report sizes that do not go together as a plain failure. When two inputs give one
    // named dimension two sizes, the request is to blame.
    match disagreement(signature, values) {
        Some(disagreement) => RunError::Refused { message: format!("{disagreement}; {message}") },
        None => RunError::Failed { message },
    }
}

/// Says which two inputs give one named dimension different sizes, if any do.
fn disagreement(signature: &Signature, values: &[SessionInputValue<'_>]) -> Option<String> {
    let mut seen: Vec<(&str, i64, &str)> = Vec::new();
    for (spec, value) in signature.inputs.iter().zip(values) {
        let Some(shape) = value.dtype().tensor_shape() else { continue };
        for (dim, size) in spec.shape.iter().flatten().zip(shape.iter()) {
            let Dim::Symbol(symbol) = dim else { continue };
            match seen.iter().find(|(name, ..)| name == symbol) {
                Some((_, other, input)) if other != size => {
                    return Some(format!(
                        "`{symbol}` is {other} in input `{input}` and {size} in `{}`",
                        spec.name
                    ));
                }
                Some(_) => {}
                None => seen.push((symbol, *size, &spec.name)),
            }
        }
    }
    None
}
