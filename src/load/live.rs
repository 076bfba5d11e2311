//! The run as it can be seen from outside while it lasts: a live view, and a flag to end it.
//!
//! # Invariants
//! Looking never disturbs a worker: each publishes plain counters that it alone writes (a relaxed
//! load and store, no locked instruction), and all sums and percentiles are made by the looker.

use super::class::OUTCOMES;
use super::outcome::Outcome;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Ends a run early when raised, from any thread or a signal handler.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that is down.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the run: sending stops, the recording made so far is kept.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is up.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The run so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Since the run's start.
    pub elapsed: Duration,
    /// Until sending ends.
    pub left: Duration,
    /// Requests planned so far.
    pub offered: u64,
    /// Requests whose first byte was written.
    pub sent: u64,
    /// Requests that have their outcome, by class.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Requests that got their outcome since the snapshot before, per second.
    pub rate_rps: f64,
    /// Median response time of the `ok` requests so far, within 5 %.
    pub response_time_ok_p50: Duration,
    /// 99th percentile of the same.
    pub response_time_ok_p99: Duration,
}

impl Snapshot {
    /// Requests that have their outcome.
    pub fn ended(&self) -> u64 {
        self.outcomes.values().sum()
    }
}

/// Gets a [`Snapshot`] several times a second, on the thread that called [`super::run()`].
pub trait Observer {
    /// Looks at the run so far.
    fn observe(&mut self, snapshot: &Snapshot);
}

impl<F: FnMut(&Snapshot)> Observer for F {
    fn observe(&mut self, snapshot: &Snapshot) {
        self(snapshot);
    }
}

/// Sub-buckets per power of two of the live percentiles: bounds are 1/16 apart, so that a value
/// read at a bucket's middle is within 1/32 of the true one.
const SUB_BITS: u32 = 4;
const SUBS: usize = 1 << SUB_BITS;
/// Buckets up to 2^36 µs, well above the longest timeout.
const BUCKETS: usize = (36 - SUB_BITS as usize + 1) * SUBS;

/// One worker's published counters.
#[derive(Debug)]
pub(super) struct LiveCounts {
    offered: AtomicU64,
    sent: AtomicU64,
    outcomes: [AtomicU64; OUTCOMES.len()],
    ok_times_us: Box<[AtomicU64]>,
}

/// Adds one, as the only writer.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

impl LiveCounts {
    /// All at zero.
    pub(super) fn new() -> Self {
        Self {
            offered: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            outcomes: std::array::from_fn(|_| AtomicU64::new(0)),
            ok_times_us: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// A request became due.
    pub(super) fn offered(&self) {
        bump(&self.offered);
    }

    /// A request's first byte was written.
    pub(super) fn sent(&self) {
        bump(&self.sent);
    }

    /// A request ended.
    pub(super) fn ended(&self, outcome: Outcome, response_time_us: u64) {
        bump(&self.outcomes[outcome as usize]);
        if outcome == Outcome::Ok {
            bump(&self.ok_times_us[bucket(response_time_us)]);
        }
    }
}

/// The bucket of a time: linear below `SUBS`, then `SUBS` per power of two.
fn bucket(us: u64) -> usize {
    if us < SUBS as u64 {
        return us as usize;
    }
    let exponent = us.ilog2();
    let sub = (us >> (exponent - SUB_BITS)) as usize - SUBS;
    ((exponent - SUB_BITS + 1) as usize * SUBS + sub).min(BUCKETS - 1)
}

/// The middle of a bucket.
fn middle_us(bucket: usize) -> u64 {
    if bucket < SUBS {
        return bucket as u64;
    }
    let shift = (bucket / SUBS - 1) as u32;
    let low = ((SUBS + bucket % SUBS) as u64) << shift;
    low + (1_u64 << shift) / 2
}

/// Sums what the workers publish into snapshots.
#[derive(Debug)]
pub(super) struct Looker {
    workers: Vec<Arc<LiveCounts>>,
    duration: Duration,
    ended_before: u64,
    elapsed_before: Duration,
}

impl Looker {
    /// A looker at these workers, in a run that sends for `duration`.
    pub(super) fn new(workers: Vec<Arc<LiveCounts>>, duration: Duration) -> Self {
        Self { workers, duration, ended_before: 0, elapsed_before: Duration::ZERO }
    }

    /// The run as it stands `elapsed` after its start.
    pub(super) fn look(&mut self, elapsed: Duration) -> Snapshot {
        let total = |read: &dyn Fn(&LiveCounts) -> &AtomicU64| -> u64 {
            self.workers.iter().map(|worker| read(worker).load(Ordering::Relaxed)).sum()
        };
        let mut outcomes = BTreeMap::new();
        for (n, outcome) in OUTCOMES.into_iter().enumerate() {
            let count = total(&|worker| &worker.outcomes[n]);
            if count > 0 {
                outcomes.insert(outcome, count);
            }
        }
        let buckets: Vec<u64> =
            (0..BUCKETS).map(|n| total(&|worker| &worker.ok_times_us[n])).collect();
        let mut snapshot = Snapshot {
            elapsed,
            left: self.duration.saturating_sub(elapsed),
            offered: total(&|worker| &worker.offered),
            sent: total(&|worker| &worker.sent),
            outcomes,
            rate_rps: 0.0,
            response_time_ok_p50: percentile(&buckets, 0.5),
            response_time_ok_p99: percentile(&buckets, 0.99),
        };
        let ended = snapshot.ended();
        let passed_s = elapsed.saturating_sub(self.elapsed_before).as_secs_f64();
        if passed_s > 0.0 {
            snapshot.rate_rps = ended.saturating_sub(self.ended_before) as f64 / passed_s;
        }
        self.ended_before = ended;
        self.elapsed_before = elapsed;
        snapshot
    }
}

fn percentile(buckets: &[u64], quantile: f64) -> Duration {
    let total: u64 = buckets.iter().sum();
    let rank = (total as f64 * quantile).ceil() as u64;
    let mut below = 0;
    for (n, count) in buckets.iter().enumerate() {
        below += count;
        if below >= rank && *count > 0 {
            return Duration::from_micros(middle_us(n));
        }
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_monotone_and_close() {
        let mut last = 0;
        for us in (0..100_000).chain((1..500).map(|n| n * 7_919_999)).chain([u64::MAX]) {
            let n = bucket(us);
            assert!(n >= last && n < BUCKETS);
            last = n;
            let error = (middle_us(n) as f64 - us as f64).abs() / (us.max(1) as f64);
            assert!(us == u64::MAX || error <= 0.05, "{us} read as {}", middle_us(n));
        }
    }

    #[test]
    fn a_snapshot_sums_the_workers() {
        let workers = [Arc::new(LiveCounts::new()), Arc::new(LiveCounts::new())];
        for n in 1..=100 {
            let worker = &workers[n % 2];
            worker.offered();
            worker.sent();
            worker.ended(Outcome::Ok, n as u64 * 1_000);
        }
        workers[0].offered();
        workers[0].ended(Outcome::Throttled, 1);
        let mut looker = Looker::new(workers.to_vec(), Duration::from_secs(10));
        let snapshot = looker.look(Duration::from_secs(2));
        assert_eq!((snapshot.offered, snapshot.sent, snapshot.ended()), (101, 100, 101));
        assert_eq!(snapshot.outcomes[&Outcome::Throttled], 1);
        assert_eq!(snapshot.left, Duration::from_secs(8));
        assert!((snapshot.rate_rps - 50.5).abs() < 1e-9);
        let p50_ms = snapshot.response_time_ok_p50.as_secs_f64() * 1e3;
        let p99_ms = snapshot.response_time_ok_p99.as_secs_f64() * 1e3;
        assert!((p50_ms / 50.0 - 1.0).abs() < 0.05, "{p50_ms}");
        assert!((p99_ms / 99.0 - 1.0).abs() < 0.05, "{p99_ms}");
        assert_eq!(looker.look(Duration::from_secs(3)).rate_rps, 0.0);
    }

    #[test]
    fn a_run_without_replies_has_no_percentiles() {
        let mut looker = Looker::new(vec![Arc::new(LiveCounts::new())], Duration::from_secs(1));
        assert_eq!(looker.look(Duration::ZERO).response_time_ok_p99, Duration::ZERO);
    }
}
