//! Performs a plan through the port [`Cloud`]: in order, paced, resumable.
//!
//! ```text
//! observe: queries  -> Calls (pacer, retries) -> Cloud -> Observed
//! apply:   a Plan   -> engine -> Calls (pacer, retries) -> Cloud -> what was done
//! ```
//!
//! # Invariants
//! Nothing is decided here that the plan did not decide; a call that may have been carried out is
//! never made again unless doing it twice is the same as doing it once.

mod calls;
mod cloud;
pub mod deploying;
mod engine;
mod error;
mod listener;
pub mod lock;
mod observe;
mod pacer;
pub mod rehearsal;
mod retry;
mod together;

pub use calls::{Calls, Pace};
pub use cloud::{CallError, Cloud, Failed, Retry};
pub use engine::{Account, Cause, Entry, Outcome, Stopped, apply};
pub use error::Error;
pub use listener::{Event, Listener, Quiet};
pub use observe::{Scope, observe};
pub use pacer::Pacer;
pub use retry::is_idempotent;
