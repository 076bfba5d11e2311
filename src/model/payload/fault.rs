//! From what stopped the scanner to the message that a client reads.
//!
//! The hot path carries a [`Fault`], a byte and a kind; names and excerpts of the body are put to
//! it only after the parse has failed. At most [`EXCERPT_BYTES_MAX`] bytes of the body are quoted.

use super::STRING_BYTES_MAX;
use super::error::{Error, Place};
use crate::model::{DType, Signature, TensorSpec};

/// Bytes of the body quoted in a message.
const EXCERPT_BYTES_MAX: usize = 40;

/// Names of tensors listed in a message: models with thousands of them exist.
const NAMES_MAX: usize = 8;

/// Why the scanner stopped and at which byte: small, so that the hot path stays cheap. The
/// message that a person reads is made from it once the parse has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) kind: FaultKind,
}

/// What is wrong at a [`Fault`]'s byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Not JSON; holds what would have been.
    Syntax(&'static str),
    /// Deeper than [`super::NESTING_MAX`].
    Depth,
    /// A value of another type than the one asked for.
    Type,
    /// A number that the type asked for cannot hold.
    Range,
    /// A list where an element was expected, or the other way round.
    Level,
    /// A list of another length than its sisters.
    Length { expected: usize, found: usize },
    /// A string longer than [`super::STRING_BYTES_MAX`].
    StringLength,
    /// A `b64` object that does not hold base64.
    Base64,
    /// Base64 whose bytes are not UTF-8.
    Utf8,
}

impl FaultKind {
    pub(super) fn at(self, at: usize) -> Fault {
        Fault { at, kind: self }
    }
}

impl Error {
    /// The fault of a body's structure.
    pub(super) fn from_fault(fault: Fault, bytes: &[u8]) -> Self {
        let Fault { at, kind } = fault;
        match kind {
            FaultKind::Depth => Self::Nesting { at },
            FaultKind::Syntax(expected) => Self::Syntax { expected, at },
            _ if at >= bytes.len() => Self::Syntax { expected: "a value", at },
            _ => Self::Syntax { expected: "another value", at },
        }
    }

    /// A key whose value is of another type, or the fault of its structure.
    pub(super) fn member(
        fault: Fault,
        bytes: &[u8],
        key: impl Into<String>,
        expected: &'static str,
    ) -> Self {
        match fault.kind {
            FaultKind::Depth | FaultKind::Syntax(_) => Self::from_fault(fault, bytes),
            _ if fault.at >= bytes.len() => Self::from_fault(fault, bytes),
            _ => Self::Member { key: key.into(), expected, found: excerpt(bytes, fault.at) },
        }
    }
}

/// The fault of one element, or of the lists around it.
pub(super) fn element(fault: Fault, bytes: &[u8], place: Place, dtype: DType) -> Error {
    let Fault { at, kind } = fault;
    match kind {
        FaultKind::Depth | FaultKind::Syntax(_) => Error::from_fault(fault, bytes),
        _ if at >= bytes.len() => Error::from_fault(fault, bytes),
        FaultKind::Range => Error::Range { place, found: excerpt(bytes, at), dtype, at },
        FaultKind::Type if bytes[at] != b'[' => {
            Error::Value { place, expected: expected(dtype), found: excerpt(bytes, at), at }
        }
        FaultKind::Type | FaultKind::Level => {
            let what = if bytes[at] == b'[' {
                "a list stands where an element was expected".to_owned()
            } else {
                format!("{} stands where a list was expected", excerpt(bytes, at))
            };
            Error::Ragged { place, what, at }
        }
        FaultKind::Length { expected, found } => {
            let what = format!("a list of {found} where the first one has {expected}");
            Error::Ragged { place, what, at }
        }
        FaultKind::StringLength => {
            const _: () = assert!(STRING_BYTES_MAX == 16 << 20, "the message below says it");
            Error::Text { place, what: "a string is longer than 16 MiB", at }
        }
        FaultKind::Base64 => Error::Text { place, what: "`b64` does not hold base64", at },
        FaultKind::Utf8 => Error::Text {
            place,
            what: "the bytes of `b64` are not UTF-8, and strings are UTF-8 here",
            at,
        },
    }
}

/// What an element of this type is in JSON.
fn expected(dtype: DType) -> &'static str {
    match dtype {
        DType::Float16 => "float16 (a number)",
        DType::BFloat16 => "bfloat16 (a number)",
        DType::Float32 => "float32 (a number)",
        DType::Float64 => "float64 (a number)",
        DType::Int8 => "int8 (a number without fraction or exponent)",
        DType::Int16 => "int16 (a number without fraction or exponent)",
        DType::Int32 => "int32 (a number without fraction or exponent)",
        DType::Int64 => "int64 (a number without fraction or exponent)",
        DType::UInt8 => "uint8 (a number without fraction or exponent)",
        DType::UInt16 => "uint16 (a number without fraction or exponent)",
        DType::UInt32 => "uint32 (a number without fraction or exponent)",
        DType::UInt64 => "uint64 (a number without fraction or exponent)",
        DType::Bool => "bool (true or false)",
        DType::String => "string (in quotes, or as {\"b64\": …})",
    }
}

/// The value at byte `at` for a message: scalars as they stand, in backticks.
pub(super) fn excerpt(bytes: &[u8], at: usize) -> String {
    let rest = &bytes[at.min(bytes.len())..];
    match rest.first() {
        None => return "nothing".to_owned(),
        Some(b'[') => return "a list".to_owned(),
        Some(b'{') => return "an object".to_owned(),
        Some(_) => {}
    }
    let quoted = rest[0] == b'"';
    let end = rest
        .iter()
        .skip(1)
        .position(|byte| match byte {
            b'"' => quoted,
            b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t' => !quoted,
            _ => false,
        })
        .map_or(rest.len(), |end| end + 1 + usize::from(quoted));
    if end > EXCERPT_BYTES_MAX {
        return format!("`{}…`", String::from_utf8_lossy(&rest[..EXCERPT_BYTES_MAX]));
    }
    format!("`{}`", String::from_utf8_lossy(&rest[..end]))
}

/// The inputs with their declarations, for messages.
pub(super) fn inputs(signature: &Signature) -> String {
    list(&signature.inputs, "no inputs")
}

/// The outputs with their declarations, for messages.
pub(super) fn outputs(signature: &Signature) -> String {
    list(&signature.outputs, "no outputs")
}

fn list(specs: &[TensorSpec], none: &str) -> String {
    let mut names: Vec<String> = specs
        .iter()
        .take(NAMES_MAX)
        .map(|spec| format!("`{}` ({})", spec.name, spec.type_text()))
        .collect();
    match specs.len() {
        0 => names.push(none.to_owned()),
        n if n > NAMES_MAX => names.push(format!("and {} more", n - NAMES_MAX)),
        _ => {}
    }
    names.join(", ")
}
