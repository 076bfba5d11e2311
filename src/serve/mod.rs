//! The inference service: payloads in, payloads out, and the HTTP host that carries them.
//!
//! [`ModelService`] is one loaded version; [`Versions`] the versions of an endpoint; [`http`] the
//! host; [`Direct`] the service on its own routes without a gateway.

mod direct;
pub mod http;
mod reply;
mod service;
mod versions;

pub use direct::Direct;
pub use reply::MODEL_VERSION;
pub use service::{DeadlinePassed, ModelService};
pub use versions::{CanaryShare, Versions};
