//! The Lambda host: events from the Runtime API, replies to it, one at a time on one thread.
//!
//! ```text
//! api ── next ──> event ──> answer (one session) ──> proxy reply ──> api ── response
//!  └─ wire: one kept connection     └─ watchdog: ends a run at its deadline
//! ```
//!
//! A sandbox gets one request at a time and pays for its start, so there is no async runtime, no
//! pool and no second thread until a run has a deadline to be ended at.
//!
//! # Invariants
//! Whatever an event holds, the loop goes on: what is no proxy event and what panics is reported as
//! a function error. Nothing of a payload or a header is logged.

mod answer;
mod api;
mod event;
mod proxy;
mod serving;
mod watchdog;
mod wire;

pub use api::{Api, ApiError};
pub use serving::{LambdaError, LambdaStart, serve};
