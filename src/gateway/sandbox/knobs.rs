//! What can be set of sandboxes beside the function's own options.

use std::ffi::OsString;
use std::time::Duration;

/// How sandboxes behave where Lambda leaves it open, or where tests need it otherwise.
#[derive(Debug, Clone)]
pub struct Knobs {
    /// How long a sandbox stays without work. Lambda says only that it is minutes.
    pub idle: Duration,
    /// How long a start may take (Lambda developer guide, "Lambda execution environment").
    pub init_limit: Duration,
    /// Concurrency of the account, for a function without its own.
    pub account_concurrency: u32,
    /// Variables of the function beside Lambda's, which they may replace.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether CPU and memory are bounded where the machine allows it.
    pub cgroups: bool,
    /// Of the request ids, and of the choice of played cold starts.
    pub seed: u64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(600),
            init_limit: Duration::from_secs(10),
            account_concurrency: 1_000,
            environment: Vec::new(),
            cgroups: true,
            seed: 0,
        }
    }
}
