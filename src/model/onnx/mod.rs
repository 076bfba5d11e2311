//! Facts read from an ONNX file: a bounded reader of the protobuf wire format.
//!
//! gwtf looks into model files that it has not made, before any runtime does: to print them, to
//! derive the endpoint's contract, to refuse early and with a reason. So the reader takes hostile
//! bytes, needs no runtime, and never reads weights. Field numbers are those of onnx.proto
//! (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>).
//!
//! ```text
//! read_facts -> [file] facts_from_reader -> model -> graph -> tensor, value_info -> wire
//!            -> external (the files that hold weights)
//! ```
//!
//! # Invariants
//! Any bytes give facts or an error: no panic, no allocation by a length from the file, time linear
//! in the file, memory within [`limits`].

mod error;
mod external;
mod foreign;
mod graph;
pub mod limits;
mod model;
mod runtime_support;
mod tensor;
mod value_info;
mod wire;

#[cfg(test)]
mod tests;

pub use error::{Error, FolderHolds, FormatError, Role, Unserved};
pub use foreign::Foreign;
pub use runtime_support::{IR_VERSION_MAX, OPSET_MAX, RUNTIME_VERSION, Unsupported, check_runtime};
pub use tensor::ExternalTensor;

use super::signature::Signature;
use std::collections::BTreeMap;
use std::io::{Cursor, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};

/// What a model file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Where the file lies; `None` when the bytes came without a path.
    pub path: Option<PathBuf>,
    /// Size of the file itself, external data not counted.
    pub size_bytes: u64,
    /// The program that wrote the file; often empty.
    pub producer_name: String,
    /// Its version; often empty.
    pub producer_version: String,
    /// Version of the file format.
    pub ir_version: i64,
    /// Operator sets that the nodes are from.
    pub opsets: Vec<Opset>,
    /// The main graph's name.
    pub graph_name: String,
    /// What a request must give and a reply holds. Inputs with a value in the file are not in it.
    pub signature: Signature,
    /// Weights.
    pub parameters: Parameters,
    /// Operators.
    pub nodes: Nodes,
    /// Tensors whose bytes lie in other files, in the file's order.
    pub external_data: Vec<ExternalTensor>,
    /// `metadata_props`, the first [`limits::METADATA_ENTRIES_MAX`], long values cut.
    pub metadata: Vec<(String, String)>,
    /// Entries of `metadata_props` that are not in `metadata`.
    pub metadata_left_out: u64,
}

/// An operator set that a model imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opset {
    /// `ai.onnx` for the default one.
    pub domain: String,
    /// The set's version.
    pub version: i64,
}

/// Weights of a model: initializers of all graphs and tensors in attributes, such as those of
/// `Constant` nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parameters {
    /// Elements of all tensors together.
    pub count: u64,
    /// Bytes that they take in memory, external ones included.
    pub bytes: u64,
}

/// Nodes of the main graph, of graphs within it and of functions (each body counted once).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nodes {
    /// All of them.
    pub count: u64,
    /// By operator, `domain.Operator` outside the default domain.
    pub by_operator: BTreeMap<String, u64>,
    /// Those of the kinds beyond [`limits::OPERATORS_MAX`].
    pub other: u64,
}

/// Reads the model file at `path`, and checks that its external data are there.
///
/// # Errors
/// No such file, a file of another kind, a damaged or incomplete one, a signature that cannot be
/// served, or external data that are missing, too short or outside the model's folder.
pub fn read_facts(path: &Path) -> Result<Facts, Error> {
    let at_path = || path.to_path_buf();
    let metadata = fs_err::metadata(path).map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Error::NotFound { path: at_path() },
        _ => Error::Open(source),
    })?;
    if metadata.is_dir() {
        return Err(Error::Folder { path: at_path(), holds: external::look_into(path) });
    }
    if !metadata.is_file() {
        return Err(Error::NotRegular { path: at_path() });
    }
    let file = fs_err::File::open(path).map_err(Error::Open)?;
    let mut facts = facts_from_reader(file, metadata.len())
        .map_err(|source| Error::Format { path: at_path(), source })?;
    external::check(path, &facts.external_data)?;
    facts.path = Some(at_path());
    Ok(facts)
}

/// Reads the facts of a model of `size_bytes` bytes. External data are not looked for.
///
/// # Errors
/// Bytes of another kind, damaged or incomplete ones, or a signature that cannot be served.
pub fn facts_from_reader(source: impl Read + Seek, size_bytes: u64) -> Result<Facts, FormatError> {
    if size_bytes == 0 {
        return Err(FormatError::Empty);
    }
    let mut wire = wire::Wire::new(source, size_bytes);
    if let Some(foreign) = foreign::recognise(wire.head()?) {
        return Err(FormatError::NotOnnx(foreign));
    }
    if size_bytes > limits::FILE_BYTES_MAX {
        return Err(FormatError::TooLarge { size_bytes });
    }
    model::read_model(&mut wire)
}

/// Reads the facts of a model in memory. External data are not looked for.
///
/// # Errors
/// As [`facts_from_reader`].
pub fn facts_from_bytes(bytes: &[u8]) -> Result<Facts, FormatError> {
    facts_from_reader(Cursor::new(bytes), bytes.len() as u64)
}
