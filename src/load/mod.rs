//! The load tester: schedule, driver, client, record, verdict, report.
//!
//! ```text
//! Plan ─> Schedule ─> worker loop (one per thread) ─> Client (HTTP/1.1 | HTTP/2, TCP | TLS)
//!                          │                   Authorize ─────┤
//!                          │ retry (pure policy)            └─> classify (pure) ─> Outcome
//!                          └─> record ─> Recording ─> verdict, report
//! ```
//!
//! # Invariants
//! Arrivals are planned ahead and never wait for replies; response time counts from the intended
//! instant. Knows a URL and nothing of the gateway.

pub mod assertion;
pub mod authorize;
pub mod baseline;
pub mod class;
mod classify;
mod client;
mod clock;
pub mod duration;
mod error;
pub mod find_max;
mod live;
pub mod open_files;
pub mod outcome;
pub mod plan;
mod probe;
mod record;
pub mod recording;
pub mod report;
pub mod retry;
mod run;
#[cfg(test)]
mod sample;
pub mod schedule;
mod seeded;
mod sleep;
mod tls;
pub mod units;
pub mod verdict;
mod worker;

pub use error::Error;
pub use live::{Observer, Snapshot, StopFlag};
pub use run::run;
