//! The client-side rate limit of the SDKs' `adaptive` mode.
//!
//! # The rule
//! From the first throttle on, every attempt (first ones too) takes a token from a bucket that fills
//! at a rate steered like a CUBIC congestion window (Rhee, Xu: RFC 8312), after botocore's
//! `retries/adaptive.py`, `throttling.py` and `bucket.py`:
//!
//! ```text
//! measured  rate of endings, over half-second buckets, smoothed: 0.8·new + 0.2·old
//! throttle  w_max = min(measured, fill rate) (measured alone the first time), t_fail = now,
//!           k = ∛(w_max · (1 - 0.7) / 0.4), rate = 0.7 · w_max
//! otherwise rate = 0.4 · (now - t_fail - k)³ + w_max
//! then      fill rate = max(min(rate, 2 · measured), 0.5), capacity = max(that bound, 1)
//! ```
//!
//! Attempts that find no token wait their turn; the SDK's operation time includes that wait, and so
//! does ours.

use super::Admission;
use std::time::Duration;

const BETA: f64 = 0.7;
const SCALE: f64 = 0.4;
const SMOOTHING: f64 = 0.8;
const MEASURE_BUCKET_S: f64 = 0.5;
const RATE_ADJUST_MAX: f64 = 2.0;
const FILL_RATE_MIN: f64 = 0.5;
/// Shortest wait given out, so that rounding never makes a waiter spin.
const WAIT_MIN: Duration = Duration::from_micros(50);

/// Rate limit and its steering. Times are seconds from the run's start.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    enabled: bool,
    // The token bucket.
    tokens: f64,
    capacity: f64,
    fill_rate: f64,
    filled_s: f64,
    // CUBIC.
    w_max: f64,
    k: f64,
    failed_s: f64,
    // The measured rate.
    measured_rate: f64,
    measured_until_s: f64,
    counted: f64,
}

impl RateLimiter {
    /// A limiter that lets everything pass until the first throttle.
    pub(super) fn new() -> Self {
        Self {
            enabled: false,
            tokens: 0.0,
            capacity: 1.0,
            fill_rate: 1.0,
            filled_s: 0.0,
            w_max: 0.0,
            k: 0.0,
            failed_s: 0.0,
            measured_rate: 0.0,
            measured_until_s: 0.0,
            counted: 0.0,
        }
    }

    /// Takes a token, or says how long until there may be one.
    pub(super) fn admit(&mut self, now_s: f64) -> Admission {
        if !self.enabled {
            return Admission::Now;
        }
        self.refill(now_s);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Admission::Now;
        }
        let wait_s = (1.0 - self.tokens) / self.fill_rate;
        Admission::Wait(Duration::from_secs_f64(wait_s).max(WAIT_MIN))
    }

    /// Takes note of an attempt's end.
    pub(super) fn ended(&mut self, throttled: bool, now_s: f64) {
        self.measure(now_s);
        let rate = if throttled {
            let at = if self.enabled {
                self.measured_rate.min(self.fill_rate)
            } else {
                self.measured_rate
            };
            self.w_max = at;
            self.k = (self.w_max * (1.0 - BETA) / SCALE).cbrt();
            self.failed_s = now_s;
            self.enabled = true;
            at * BETA
        } else {
            SCALE * (now_s - self.failed_s - self.k).powi(3) + self.w_max
        };
        self.set_fill_rate(rate.min(RATE_ADJUST_MAX * self.measured_rate), now_s);
    }

    fn measure(&mut self, now_s: f64) {
        let bucket_s = (now_s / MEASURE_BUCKET_S).floor() * MEASURE_BUCKET_S;
        self.counted += 1.0;
        if bucket_s > self.measured_until_s {
            let rate = self.counted / (bucket_s - self.measured_until_s);
            self.measured_rate = rate * SMOOTHING + self.measured_rate * (1.0 - SMOOTHING);
            self.counted = 0.0;
            self.measured_until_s = bucket_s;
        }
    }

    fn set_fill_rate(&mut self, rate: f64, now_s: f64) {
        // What has accrued so far accrued at the old rate.
        self.refill(now_s);
        self.fill_rate = rate.max(FILL_RATE_MIN);
        self.capacity = rate.max(1.0);
        self.tokens = self.tokens.min(self.capacity);
    }

    fn refill(&mut self, now_s: f64) {
        let accrued = (now_s - self.filled_s).max(0.0) * self.fill_rate;
        self.tokens = (self.tokens + accrued).min(self.capacity);
        self.filled_s = self.filled_s.max(now_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limiter: &mut RateLimiter, from_s: f64, to_s: f64, rate: f64) -> usize {
        let steps = ((to_s - from_s) * rate) as usize;
        (0..steps).filter(|n| limiter.admit(from_s + *n as f64 / rate) == Admission::Now).count()
    }

    #[test]
    fn nothing_waits_before_the_first_throttle() {
        let mut limiter = RateLimiter::new();
        for n in 0..1_000 {
            assert_eq!(limiter.admit(f64::from(n) / 100.0), Admission::Now);
            limiter.ended(false, f64::from(n) / 100.0);
        }
    }

    #[test]
    fn a_throttle_cuts_the_rate_to_beta_of_the_measured_one() {
        let mut limiter = RateLimiter::new();
        for n in 0..1_000 {
            limiter.ended(false, f64::from(n) / 100.0);
        }
        limiter.ended(true, 10.0);
        assert!((limiter.fill_rate - 70.0).abs() < 5.0, "{}", limiter.fill_rate);
        // A full bucket holds a second's worth, and the rate comes on top.
        let passed = admitted(&mut limiter, 10.0, 15.0, 1_000.0);
        assert!((390..=450).contains(&passed), "{passed}");
        assert!(
            matches!(limiter.admit(15.0), Admission::Wait(wait) if wait < Duration::from_secs(1))
        );
    }

    #[test]
    fn the_rate_grows_back_to_where_it_failed_after_k_seconds() {
        let mut limiter = RateLimiter::new();
        for n in 0..1_000 {
            limiter.ended(false, f64::from(n) / 100.0);
        }
        limiter.ended(true, 10.0);
        let (w_max, k) = (limiter.w_max, limiter.k);
        let mut at_s = 10.0;
        while at_s < 10.0 + k {
            at_s += 0.01;
            limiter.ended(false, at_s);
        }
        assert!((limiter.fill_rate - w_max).abs() < 1.0, "{} {w_max}", limiter.fill_rate);
    }

    #[test]
    fn the_rate_never_falls_below_its_floor() {
        let mut limiter = RateLimiter::new();
        for n in 0..100 {
            limiter.ended(true, f64::from(n));
        }
        assert!(limiter.fill_rate >= FILL_RATE_MIN);
        assert!(limiter.capacity >= 1.0);
        let passed = admitted(&mut limiter, 100.0, 120.0, 100.0);
        assert!((9..=12).contains(&passed), "{passed}");
    }

    #[test]
    fn a_clock_that_steps_back_does_no_harm() {
        let mut limiter = RateLimiter::new();
        limiter.ended(true, 5.0);
        limiter.ended(false, 4.0);
        assert!(limiter.fill_rate.is_finite() && limiter.tokens >= 0.0);
    }
}
