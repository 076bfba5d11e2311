//! The artefact: a model, ONNX Runtime and `gwtf-runtime` as one Lambda zip or OCI image.
//!
//! Pure but for reading the files it is given and writing the one it is asked for.
//!
//! ```text
//! binaries ── elf, provided: found, read, checked ─┐
//! contents: the model and what goes with it ───────┴─> entries ─> archive ── cache ─> output
//!                                                                 sbom, report: what was made
//! ```
//!
//! # Invariants
//! Same input, same bytes: entries are in a fixed order, and no time, owner or path of this machine
//! gets in.

mod archive;
mod binaries;
mod cache;
mod contents;
mod elf;
mod entry;
mod error;
pub mod image;
mod output;
mod provided;
mod report;
pub mod sbom;
pub mod unpack;

pub use archive::{Packed, write_zip};
pub use binaries::{Binaries, BundleLibstdcxx, Loaded, ProgramPlaces, system_folders};
pub use cache::Cache;
pub use contents::{Contents, ModelFiles, check_model_fits, check_unzipped, digest_of};
pub use elf::{Binary, ElfError, SymbolVersion};
pub use entry::{Entry, Part, Source};
pub use error::Error;
pub use output::{Output, sbom_path};
pub use provided::{CXX_LIBRARIES, Lack, lacks};
pub use report::{Form, Optimization, Report, facts_text, size_text, table_text};
