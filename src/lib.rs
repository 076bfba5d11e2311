//! gwtf puts a machine-learning model behind AWS API Gateway and proves how it behaves under load.
//!
//! The way of the data, which is also the order of the modules and of who may import whom:
//!
//! ```text
//! model file -> model (signature) -> spec (contract) -> package (artefact) -> release (ledger)
//!            -> runtime (ONNX Runtime) -> serve -> gateway (twin) <- load (arrivals) -> report
//! ```
//!
//! `docs/architecture.md` has the decisions behind this map.

pub mod apply;
pub mod aws;
pub mod cli;
pub mod config;
pub mod console;
pub mod error;
pub mod gateway;
pub mod iam;
pub mod identity;
pub mod load;
pub mod model;
pub mod package;
pub mod plan;
pub mod release;
pub mod runtime;
pub mod serve;
pub mod spec;
