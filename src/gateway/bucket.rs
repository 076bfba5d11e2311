//! The token bucket of API Gateway's throttles, exact and deterministic.
//!
//! ```text
//! tokens(t) = min(burst, tokens(t0) + rate * (t - t0))      admit iff tokens >= 1, then tokens -= 1
//! ```
//! The bucket starts full. Source: API Gateway developer guide, "Throttle requests to your REST
//! APIs", whose five worked examples are the tests of this file.
//!
//! # Invariants
//! - Integers only. The rate is in nano-tokens a second (rounded to that once) and time in
//!   nanoseconds, so their product is exact in units of 1e-18 token: at one token a second the next
//!   token is there after exactly one second.
//! - In any window of length `t` no more than `burst + rate * t` requests are admitted.
//! - A rate of 0 or a burst of 0 admits nothing, as AWS documents for switching a method off.

use crate::spec::Throttle;

/// One token, in the bucket's own unit.
const TOKEN: u128 = 1_000_000_000_000_000_000;
/// Nano-tokens in a token.
const NANO: f64 = 1e9;

/// A bucket and its level at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenBucket {
    /// Nano-tokens a second.
    rate: u64,
    /// The most it holds, 1e-18 token.
    capacity: u128,
    /// What it holds at `at_ns`, 1e-18 token.
    level: u128,
    /// The instant of the last change of the level.
    at_ns: u64,
}

impl TokenBucket {
    /// A full bucket of these limits.
    pub fn new(throttle: Throttle, now_ns: u64) -> Self {
        let capacity = u128::from(throttle.burst) * TOKEN;
        Self { rate: nano_rate(throttle.rate_rps), capacity, level: capacity, at_ns: now_ns }
    }

    /// Takes a token if there is one. An instant before the last one counts as the last one.
    pub fn try_take(&mut self, now_ns: u64) -> bool {
        self.refill(now_ns);
        if self.level < TOKEN || self.rate == 0 {
            return false;
        }
        self.level -= TOKEN;
        true
    }

    /// Changes the limits; what is in the bucket stays as far as it fits.
    pub fn set(&mut self, throttle: Throttle, now_ns: u64) {
        self.refill(now_ns);
        self.rate = nano_rate(throttle.rate_rps);
        self.capacity = u128::from(throttle.burst) * TOKEN;
        self.level = self.level.min(self.capacity);
    }

    fn refill(&mut self, now_ns: u64) {
        let elapsed_ns = now_ns.saturating_sub(self.at_ns);
        let added = u128::from(self.rate) * u128::from(elapsed_ns);
        self.level = self.level.saturating_add(added).min(self.capacity);
        self.at_ns = self.at_ns.max(now_ns);
    }
}

/// Rounds to whole nano-tokens a second; a rate beyond the range is the largest there is.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is what an absurd rate should do"
)]
fn nano_rate(rate_rps: f64) -> u64 {
    (rate_rps * NANO).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn admitted(throttle: &str, arrivals: impl IntoIterator<Item = u64>) -> usize {
        let mut bucket = TokenBucket::new(throttle.parse().unwrap(), 0);
        arrivals.into_iter().filter(|now_ns| bucket.try_take(*now_ns)).count()
    }

    /// `n` arrivals spread evenly from millisecond `from` up to, but not at, millisecond `to`.
    fn even(n: u64, from: u64, to: u64) -> impl Iterator<Item = u64> {
        (0..n).map(move |i| from * MS + i * (to - from) * MS / n)
    }

    fn at(n: u64, ms: u64) -> impl Iterator<Item = u64> {
        even(n, ms, ms)
    }

    #[test]
    fn admits_as_many_as_the_published_examples() {
        let account = "10000:5000";
        assert_eq!(admitted(account, (0..1_000).flat_map(|ms| at(10, ms))), 10_000);
        assert_eq!(admitted(account, at(10_000, 0)), 5_000);
        assert_eq!(admitted(account, at(5_000, 0).chain(even(5_000, 1, 1_000))), 10_000);
        assert_eq!(admitted(account, at(5_000, 0).chain(at(5_000, 100))), 6_000);
        let third = at(5_000, 0).chain(at(1_000, 100)).chain(even(4_000, 101, 1_000));
        assert_eq!(admitted(account, third), 10_000);
    }

    #[test]
    fn is_exact_at_small_limits() {
        let mut bucket = TokenBucket::new("1:5".parse().unwrap(), 0);
        let mut burst = |ms: u64, n: usize| (0..n).filter(|_| bucket.try_take(ms * MS)).count();
        assert_eq!(burst(0, 8), 5);
        assert_eq!(burst(900, 1), 0);
        assert_eq!(burst(1_000, 2), 1);
        assert_eq!(burst(61_000, 8), 5);
        assert_eq!(admitted("0.5:1", [0, 1_000 * MS, 2_000 * MS]), 2);
        // A third of a token a second is not a whole number of nano-tokens: one more nanosecond.
        assert_eq!(admitted("0.3333333333333333:1", [0, 3_000 * MS, 3_000 * MS + 4]), 2);
    }

    #[test]
    fn a_zero_admits_nothing() {
        for throttle in ["0:0", "0:5", "5:0"] {
            assert_eq!(admitted(throttle, [0, 1_000 * MS, u64::MAX]), 0, "{throttle}");
        }
    }

    #[test]
    fn no_number_is_too_large() {
        let throttle = Throttle { rate_rps: f64::MAX, burst: u32::MAX };
        let mut bucket = TokenBucket::new(throttle, 0);
        assert!(bucket.try_take(u64::MAX) && bucket.try_take(0));
    }

    #[test]
    fn new_limits_keep_the_level() {
        let mut bucket = TokenBucket::new("1:10".parse().unwrap(), 0);
        assert_eq!((0..8).filter(|_| bucket.try_take(0)).count(), 8);
        bucket.set("1:100".parse().unwrap(), 0);
        assert_eq!(
            (0..8).filter(|_| bucket.try_take(0)).count(),
            2,
            "a larger burst gives nothing"
        );
        bucket.set("1:1".parse().unwrap(), 0);
        assert_eq!((0..8).filter(|_| bucket.try_take(60_000 * MS)).count(), 1);
    }

    proptest! {
        #[test]
        fn never_admits_more_than_burst_plus_rate_times_time(
            rate in 0u32..5_000,
            burst in 0u32..50,
            gaps in prop::collection::vec(0u64..5 * MS, 1..400),
        ) {
            let throttle = Throttle { rate_rps: f64::from(rate), burst };
            let mut bucket = TokenBucket::new(throttle, 0);
            let mut now_ns = 0;
            let mut taken: Vec<u64> = Vec::new();
            for gap in gaps {
                now_ns += gap;
                if bucket.try_take(now_ns) {
                    taken.push(now_ns);
                }
            }
            for (first, start) in taken.iter().enumerate() {
                for (last, end) in taken.iter().enumerate().skip(first) {
                    let allowed = u64::from(burst) * 1_000_000_000 + u64::from(rate) * (end - start);
                    prop_assert!((last - first + 1) as u64 * 1_000_000_000 <= allowed);
                }
            }
        }
    }
}
