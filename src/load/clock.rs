//! The run's clock: nanoseconds since the common start of all workers.

use std::time::{Duration, Instant};

/// Counts from the run's start, which may lie a little ahead so that all workers are ready for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts `ahead` from now.
    pub(super) fn starting_in(ahead: Duration) -> Self {
        Self { start: instant() + ahead }
    }

    /// Waits until the clock has started.
    pub(super) fn wait_for_start(&self) {
        std::thread::sleep(self.start.saturating_duration_since(instant()));
    }

    /// Nanoseconds since the start; 0 before it.
    pub(super) fn now_ns(&self) -> u64 {
        instant().saturating_duration_since(self.start).as_nanos() as u64
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        instant().saturating_duration_since(self.start)
    }
}

#[expect(clippy::disallowed_methods, reason = "the load generator is the driver that keeps time")]
fn instant() -> Instant {
    Instant::now()
}

/// CPU time of the calling thread since it began.
pub(super) fn thread_cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec as u32)
}
