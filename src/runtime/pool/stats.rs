//! What a pool tells of itself.

use std::collections::BTreeMap;

/// What a pool has done and is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Sessions there are.
    pub sessions: usize,
    /// Threads that each run may use.
    pub intra_threads: usize,
    /// Sessions that run at this moment.
    pub running: usize,
    /// Requests that wait at this moment.
    pub queue_depth: usize,
    /// Runs done, joined ones counted once.
    pub runs: u64,
    /// Runs done on the caller's thread.
    pub runs_inline: u64,
    /// Whether a run on its caller's thread took so long that no more happen there.
    pub inline_off: bool,
    /// Runs that gave an error.
    pub runs_failed: u64,
    /// Requests refused because the queue was full.
    pub overloaded: u64,
    /// Requests whose deadline passed before they were run.
    pub expired: u64,
    /// Requests whose caller went away before they were run.
    pub abandoned: u64,
    /// Requests in one run -> runs with that many.
    pub batch_sizes: BTreeMap<usize, u64>,
    /// Joined runs that failed, so that each request was run alone.
    pub batches_split: u64,
    /// What a run is expected to take at the usual size, in nanoseconds.
    pub run_expected_ns: Option<u64>,
    /// Why batching, though asked for, is off.
    pub batching_off: Option<String>,
}
