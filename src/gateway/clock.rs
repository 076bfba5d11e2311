//! Time as an argument: what the twin reads instead of the machine's clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the twin gets its time from.
pub trait Clock: Send + Sync {
    /// Nanoseconds since an instant of the clock's choice; never goes back.
    fn monotonic_ns(&self) -> u64;
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn utc_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the driver that reads the clock")]
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn monotonic_ns(&self) -> u64 {
        // 584 years of nanoseconds fit.
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the driver that reads the clock")]
    fn utc_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands until it is advanced.
#[derive(Debug)]
pub struct ManualClock {
    monotonic_ns: AtomicU64,
    start_utc_ms: u64,
}

impl ManualClock {
    /// A clock at this instant of UTC, its monotonic time at 0.
    pub fn new(utc_ms: u64) -> Self {
        Self { monotonic_ns: AtomicU64::new(0), start_utc_ms: utc_ms }
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let by_ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.monotonic_ns.fetch_add(by_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::SeqCst)
    }

    fn utc_ms(&self) -> u64 {
        self.start_utc_ms + self.monotonic_ns() / 1_000_000
    }
}
