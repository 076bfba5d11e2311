//! The twin: API Gateway's behaviour as one stack of layers, in front of any integration.
//!
//! `stack.rs` is the map: the layers in request order with a sentence each. `twin.rs` holds the
//! contract in force and swaps it without losing a request. Everything here is a function of the
//! request, the contract and a given instant; only the integration's timeout and the file sink
//! touch the machine. `docs/fidelity.md` lists every known difference from AWS, and every knob.
//!
//! # Invariants
//! - What the contract says is enforced, or the contract is refused with the thing's name.
//! - Every error made here has AWS's status, headers and body bytes.
//! - Knows nothing of the inference service: the integration is any [`Upstream`].

pub mod access_log;
mod auth;
pub mod bucket;
mod calendar;
mod call;
mod clock;
mod error;
mod exchange;
mod ids;
mod integrate;
mod key;
pub mod lambda_proxy;
mod limiter;
mod media;
mod options;
mod plan;
mod refusal;
mod respond;
mod route;
pub mod sandbox;
pub mod schema;
mod size;
mod snapshot;
mod stack;
mod state;
mod throttle;
mod twin;
mod validate;

pub use call::{Api, Body, Call, IntegrationError, IntegrationResult, Invocation, Upstream};
pub use clock::{Clock, ManualClock, SystemClock};
pub use error::Error;
pub use limiter::Limiter;
pub use media::BinaryMediaTypes;
pub use options::{Knobs, Mode, Options, QuotaReset, ThrottlePlace, UnknownStage};
pub use twin::Twin;
