//! Performs a plan through the port [`Cloud`]: in order, paced, resumable.

mod cloud;

pub use cloud::{CallError, Cloud, Failed, Retry};
