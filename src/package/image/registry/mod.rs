//! Registries: the OCI distribution protocol, as far as pushing and pulling one image needs it.
//!
//! Facts: OCI distribution specification v1.1, <https://github.com/opencontainers/distribution-spec>,
//! and Docker's token authentication, <https://distribution.github.io/distribution/spec/auth/token/>.
//! The client stands on `reqwest` alone: uploads that continue after a cut and bounded documents are
//! what the ready-made clients do not have.
//!
//! # Invariants
//! Plain HTTP goes to loopback alone. Credentials go to the registry's own origin and to the token
//! service that it names over HTTPS; they are never in a message. Every body read, retry and wait is
//! bounded.

mod auth;
mod credentials;
mod error;
mod pull;
mod push;
mod reference;
mod session;
mod upload;

pub use credentials::{Credentials, find_credentials};
pub use error::Error;
pub use pull::pull;
pub use push::{PushReport, push};
pub use reference::{BadReference, EcrRegistry, ImageName, Reference};

/// How far a push or a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes done.
    pub bytes: u64,
    /// Bytes to do; what the other side has already is not among them.
    pub total_bytes: u64,
}
