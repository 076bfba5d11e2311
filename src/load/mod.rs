//! The load tester: schedule, driver, client, record, verdict, report.
//!
//! # Invariants
//! Arrivals are planned ahead and never wait for replies; response time counts from the intended
//! instant. Knows a URL and nothing of the gateway.

pub mod assertion;
pub mod baseline;
pub mod class;
pub mod find_max;
pub mod outcome;
pub mod recording;
pub mod report;
#[cfg(test)]
mod sample;
pub mod units;
pub mod verdict;
