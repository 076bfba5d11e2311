//! The artefact: a model, ONNX Runtime and `gwtf-runtime` as one Lambda zip or OCI image.
//!
//! Pure but for reading the files it is given and writing the one it is asked for.
//!
//! # Invariants
//! Same input, same bytes: entries are in a fixed order, and no time, owner or path of this machine
//! gets in.

mod entry;
pub mod unpack;

pub use entry::{Entry, Part, Source};
