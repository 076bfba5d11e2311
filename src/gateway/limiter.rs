//! What limits requests, in memory: buckets and quotas, each behind a short lock.
//!
//! # Invariants
//! - A verdict depends on the limit, the seed and the arrivals alone.
//! - No lock is held across anything but arithmetic.

use super::bucket::TokenBucket;
use super::calendar::period_number;
use super::options::{Mode, QuotaReset};
use crate::spec::{Quota, Throttle};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which limit refused a request, as the debug header and the access log name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limiter {
    /// A usage plan's throttle, of the key or of the key on one method.
    Plan,
    /// The stage's throttle of a method.
    Stage,
    /// The account's throttle.
    Account,
    /// A usage plan's quota.
    Quota,
    /// The function's concurrency.
    Concurrency,
}

impl Limiter {
    /// The reply header that names the limiter when the debug header is on.
    pub const HEADER: &'static str = "x-gwtf-limiter";

    /// The name in the debug header, the access log and load reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Stage => "stage",
            Self::Account => "account",
            Self::Quota => "quota",
            Self::Concurrency => "concurrency",
        }
    }
}

/// A throttle that many requests share.
#[derive(Debug)]
pub(super) struct SharedBucket {
    inner: Mutex<LooseBucket>,
}

impl SharedBucket {
    pub(super) fn new(name: &str, throttle: Throttle, mode: Mode, now_ns: u64) -> Self {
        Self { inner: Mutex::new(LooseBucket::new(name, throttle, mode, now_ns)) }
    }

    pub(super) fn try_take(&self, now_ns: u64) -> bool {
        lock(&self.inner).try_take(now_ns)
    }

    pub(super) fn set(&self, throttle: Throttle, now_ns: u64) {
        lock(&self.inner).set(throttle, now_ns);
    }
}

/// A panic elsewhere cannot leave a number half changed, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bucket, and in best-effort mode the second one beside it.
#[derive(Debug)]
struct LooseBucket {
    strict: TokenBucket,
    slack: Option<Slack>,
}

#[derive(Debug)]
struct Slack {
    bucket: TokenBucket,
    overshoot: f64,
    draws: Draws,
}

impl LooseBucket {
    fn new(name: &str, throttle: Throttle, mode: Mode, now_ns: u64) -> Self {
        let slack = match mode {
            Mode::BestEffort { seed, overshoot } if overshoot > 0.0 => Some(Slack {
                bucket: TokenBucket::new(share(throttle, overshoot), now_ns),
                overshoot,
                draws: Draws::new(seed, name),
            }),
            _ => None,
        };
        Self { strict: TokenBucket::new(throttle, now_ns), slack }
    }

    fn try_take(&mut self, now_ns: u64) -> bool {
        if self.strict.try_take(now_ns) {
            return true;
        }
        let Some(slack) = &mut self.slack else { return false };
        slack.draws.next() % 2 == 0 && slack.bucket.try_take(now_ns)
    }

    fn set(&mut self, throttle: Throttle, now_ns: u64) {
        self.strict.set(throttle, now_ns);
        if let Some(slack) = &mut self.slack {
            slack.bucket.set(share(throttle, slack.overshoot), now_ns);
        }
    }
}

/// A limit's share; a limit that admits nothing has none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and a share of a burst is not negative"
)]
fn share(throttle: Throttle, overshoot: f64) -> Throttle {
    let closed = throttle.rate_rps == 0.0 || throttle.burst == 0;
    let burst = ((f64::from(throttle.burst) * overshoot) as u32).max(u32::from(!closed));
    Throttle { rate_rps: throttle.rate_rps * overshoot, burst }
}

/// A key's quota.
#[derive(Debug)]
pub(super) struct SharedQuota {
    inner: Mutex<QuotaCount>,
}

#[derive(Debug)]
struct QuotaCount {
    quota: Quota,
    overshoot: Option<(f64, Draws)>,
    period: i64,
    used: u64,
}

impl SharedQuota {
    pub(super) fn new(name: &str, quota: Quota, mode: Mode) -> Self {
        let overshoot = match mode {
            Mode::BestEffort { seed, overshoot } => Some((overshoot, Draws::new(seed, name))),
            Mode::Strict => None,
        };
        Self { inner: Mutex::new(QuotaCount { quota, overshoot, period: i64::MIN, used: 0 }) }
    }

    /// Counts a request if the period has room for it; the period, to give it back.
    pub(super) fn try_take(&self, utc_ms: u64, reset: &QuotaReset) -> Option<i64> {
        let mut count = lock(&self.inner);
        let period = period_number(count.quota.period, utc_ms, reset);
        if period != count.period {
            count.period = period;
            count.used = 0;
        }
        if count.used >= count.limit() {
            return None;
        }
        count.used += 1;
        Some(period)
    }

    /// Takes back a counted request, unless a new period has begun since.
    pub(super) fn give_back(&self, period: i64) {
        let mut count = lock(&self.inner);
        if count.period == period {
            count.used = count.used.saturating_sub(1);
        }
    }

    pub(super) fn set(&self, quota: Quota) {
        let mut count = lock(&self.inner);
        if count.quota.period != quota.period {
            count.period = i64::MIN;
        }
        count.quota = quota;
    }
}

impl QuotaCount {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of a quota, to the nearest request"
    )]
    fn limit(&self) -> u64 {
        let Some((overshoot, draws)) = &self.overshoot else { return self.quota.limit };
        let part = draws.at(self.period.cast_unsigned()) as f64 / u64::MAX as f64;
        self.quota.limit.saturating_add((self.quota.limit as f64 * overshoot * part) as u64)
    }
}

/// Reproducible draws of one limit: `SplitMix64` (Steele, Lea, Flood 2014) over seed, name, number.
#[derive(Debug)]
struct Draws {
    seed: u64,
    number: u64,
}

impl Draws {
    fn new(seed: u64, name: &str) -> Self {
        Self { seed: name.bytes().fold(seed, |hash, byte| mix(hash ^ u64::from(byte))), number: 0 }
    }

    fn next(&mut self) -> u64 {
        self.number += 1;
        self.at(self.number)
    }

    fn at(&self, number: u64) -> u64 {
        mix(self.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }
}

/// The finalizer of `SplitMix64`.
pub(super) fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Period;
    use proptest::prelude::*;

    fn best_effort(seed: u64, overshoot: f64) -> Mode {
        Mode::BestEffort { seed, overshoot }
    }

    fn verdicts(mode: Mode, throttle: Throttle, arrivals_ns: &[u64]) -> Vec<bool> {
        let bucket = SharedBucket::new("stage", throttle, mode, 0);
        arrivals_ns.iter().map(|now_ns| bucket.try_take(*now_ns)).collect()
    }

    #[test]
    fn best_effort_is_reproducible_and_depends_on_the_seed() {
        let throttle: Throttle = "100:50".parse().unwrap();
        let arrivals: Vec<u64> = (0..3_000).map(|i| i * 1_000_000).collect();
        let run = |seed| verdicts(best_effort(seed, 0.2), throttle, &arrivals);
        let admitted = |verdicts: &[bool]| verdicts.iter().filter(|admitted| **admitted).count();
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let strict = admitted(&verdicts(Mode::Strict, throttle, &arrivals));
        let loose = admitted(&run(7));
        assert!(loose > strict && loose <= strict + strict / 5 + 1, "{strict} and {loose}");
    }

    #[test]
    fn best_effort_opens_no_closed_limit() {
        for throttle in ["0:5", "5:0"] {
            let throttle = throttle.parse().unwrap();
            let verdicts = verdicts(best_effort(1, 1.0), throttle, &[0, 1_000_000_000]);
            assert_eq!(verdicts, [false, false]);
        }
    }

    #[test]
    fn a_quota_counts_per_period_and_takes_back() {
        let reset = QuotaReset::default();
        let quota = SharedQuota::new("q", Quota { limit: 2, period: Period::Day }, Mode::Strict);
        let day = quota.try_take(0, &reset).unwrap();
        assert!(quota.try_take(0, &reset).is_some());
        assert_eq!(quota.try_take(86_399_999, &reset), None);
        quota.give_back(day);
        assert!(quota.try_take(86_399_999, &reset).is_some());
        assert!(quota.try_take(86_400_000, &reset).is_some());
        quota.give_back(day);
        assert!(quota.try_take(86_400_000, &reset).is_some());
        assert_eq!(quota.try_take(86_400_000, &reset), None, "yesterday's request gives nothing");
        quota.set(Quota { limit: 3, period: Period::Day });
        assert!(quota.try_take(86_400_000, &reset).is_some());
    }

    #[test]
    fn a_best_effort_quota_stays_within_its_share() {
        let reset = QuotaReset::default();
        let quota = Quota { limit: 1_000, period: Period::Day };
        let admitted: Vec<usize> = (0..5)
            .map(|seed| {
                let quota = SharedQuota::new("q", quota, best_effort(seed, 0.1));
                (0..2_000).filter(|_| quota.try_take(0, &reset).is_some()).count()
            })
            .collect();
        assert!(admitted.iter().all(|n| (1_000..=1_100).contains(n)), "{admitted:?}");
        assert!(admitted.iter().any(|n| *n > 1_000), "{admitted:?}");
    }

    proptest! {
        #[test]
        fn best_effort_never_overruns_its_share(
            rate in 1u32..1_000,
            burst in 1u32..50,
            seed in any::<u64>(),
            gaps in prop::collection::vec(0u64..3_000_000, 1..300),
        ) {
            let throttle = Throttle { rate_rps: f64::from(rate), burst };
            let arrivals: Vec<u64> = gaps
                .iter()
                .scan(0, |now_ns, gap| { *now_ns += gap; Some(*now_ns) })
                .collect();
            let verdicts = verdicts(best_effort(seed, 0.1), throttle, &arrivals);
            let admitted = verdicts.iter().filter(|admitted| **admitted).count() as f64;
            let seconds = arrivals[arrivals.len() - 1] as f64 / 1e9;
            let allowed = f64::from(burst) + f64::from(rate) * seconds;
            prop_assert!(admitted <= allowed * 1.1 + 1.0, "{admitted} of {allowed}");
        }
    }
}
