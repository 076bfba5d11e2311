//! How a pool is made, and what suits a machine.

use super::Batching;
use crate::runtime::session::SessionOptions;
use std::time::Duration;

/// How a pool is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolOptions {
    /// Sessions, and with them runs at one moment.
    pub sessions: usize,
    /// Threads of one run.
    pub intra_threads: usize,
    /// Whether the graph is optimised while it loads.
    pub optimize: bool,
    /// Bytes that all sessions after the first may take together. When they would take more, fewer
    /// are opened and each gets more threads. `None` opens them whatever they take.
    pub memory_extra_bytes_max: Option<u64>,
    /// Requests that may wait; one more is refused at once.
    pub queue_max: usize,
    /// When requests are joined; `None` runs each alone.
    pub batching: Option<Batching>,
    /// Runs expected to take at most this long happen on the caller's thread; zero means never.
    pub inline_run_max: Duration,
}

/// See [`PoolOptions::memory_extra_bytes_max`]. Measured: a second session of a 5 MB CNN takes 22 MB
/// and gives no more runs a second than one session with both threads; one of a small classifier
/// takes 0.1 MB. The goal is a server that stays within 30 MB of one bare session.
const MEMORY_EXTRA_BYTES_MAX: u64 = 12 << 20;

/// Requests that may wait, for each session.
const QUEUE_MAX_PER_SESSION: usize = 64;

/// See [`PoolOptions::inline_run_max`]. A hand-off costs 5 us on an idle machine and more on a
/// busy one; an async thread can be held this long without its other connections noticing.
const INLINE_RUN_MAX: Duration = Duration::from_micros(200);

impl PoolOptions {
    /// What suits a machine with this many cores: a session for each core, as far as memory allows.
    pub fn defaults_for(cores: usize) -> Self {
        let sessions = cores.max(1);
        Self {
            sessions,
            intra_threads: 1,
            optimize: true,
            memory_extra_bytes_max: Some(MEMORY_EXTRA_BYTES_MAX),
            queue_max: sessions * QUEUE_MAX_PER_SESSION,
            batching: None,
            inline_run_max: INLINE_RUN_MAX,
        }
    }

    pub(in crate::runtime) fn session_options(&self) -> SessionOptions {
        SessionOptions { intra_threads: self.intra_threads, optimize: self.optimize }
    }
}
