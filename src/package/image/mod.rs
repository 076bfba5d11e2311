//! OCI images without an engine: a layout on the disk, pushed to a registry, checked for Lambda.
//!
//! ```text
//! entries ─► trees (base, ONNX Runtime, runtime, model) ─► layers (tar, gzip, cache) ─► layout ─► push
//! ```
//!
//! Layers are in the order of how seldom they change, so a new model version is one new layer. The
//! layout is what `skopeo`, `podman` and registries read; nothing here starts a program.

mod base;
mod check;
mod closure;
mod document;
mod error;
mod layer;
mod loader;
pub(super) mod measure;
pub mod registry;
mod stored;
mod tree;
mod write;

pub use base::Base;
pub use check::{CheckReport, Finding, Severity, check};
pub use error::Error;
pub use write::{
    BaseImage, Host, LayerPart, LayerReport, LayoutReport, Options, User, check_output,
    write_layout,
};
