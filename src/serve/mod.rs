//! The inference service: payloads in, payloads out, and the HTTP host that carries them.
//!
//! [`ModelService`] is one loaded version; [`Versions`] the versions of an endpoint; [`http`] the
//! host; [`Direct`] the service on its own routes without a gateway.

mod answers;
mod artefact;
mod container;
mod direct;
pub mod http;
pub mod lambda;
mod log;
pub mod program;
mod reply;
mod routes;
mod service;
mod versions;

pub use answers::DeadlinePassed;
pub use artefact::{Artefact, Overrides, StartError};
pub use direct::Direct;
pub use reply::{COLD_START, INIT_MS, MODEL_VERSION};
pub use service::ModelService;
pub use versions::{CanaryShare, Versions};
