//! How a client retries: the AWS SDKs' `standard` and `adaptive` modes as a pure policy.
//!
//! # What is modelled
//! Values are those of the SDKs' default from November 2026 on (AWS SDKs and Tools Reference Guide,
//! "Retry behavior", <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>,
//! and botocore's `retries/standard.py`, standard mode 2.1; read in November 2026):
//!
//! - at most 3 attempts;
//! - before retry `n` (from 0) a wait of `random(0,1) · min(base · 2ⁿ, 20 s)`, full jitter, with
//!   `base` 1 s after a throttle and 50 ms after any other failure; `x-amz-retry-after` lifts it, by
//!   at most 5 s;
//! - a quota of 500 tokens per client: a retry takes 5 after a throttle and 14 after any other
//!   failure, and is not made when they are missing. Success gives back what the operation's last
//!   retry took, or 1 if there was no retry. (Before 2026: `base` 1 s throughout, costs 5, and 10
//!   after a timeout.)
//! - retried are throttles, statuses 500, 502, 503 and 504, timeouts, and connections that failed
//!   or whose reply could not be read.
//!
//! `adaptive` adds a client-side limit on the sending rate, see `retry/adaptive.rs`.
//!
//! One client is modelled per API key, and one in all when there are no keys: that is the scope of
//! the quota and of the rate limit, whatever the number of workers.

pub(super) mod adaptive;

use super::outcome::Outcome;
use crate::error::{Exit, Explain};
use adaptive::RateLimiter;
use std::str::FromStr;
use std::time::Duration;

/// Attempts per operation, the first one included.
pub const ATTEMPTS_MAX: u32 = 3;
/// Tokens of a full retry quota.
pub const QUOTA_TOKENS_MAX: u32 = 500;
/// Tokens of a retry after a throttle.
pub const THROTTLE_COST_TOKENS: u32 = 5;
/// Tokens of a retry after any other failure.
pub const TRANSIENT_COST_TOKENS: u32 = 14;
/// Tokens that a success without a retry gives back.
pub const SUCCESS_REFUND_TOKENS: u32 = 1;

const THROTTLE_BASE: Duration = Duration::from_secs(1);
const TRANSIENT_BASE: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_secs(20);
const RETRY_AFTER_MORE_MAX: Duration = Duration::from_secs(5);

/// A retry model by another name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("retry model `{0}` is none of `none`, `standard`, `adaptive`")]
pub struct Error(String);

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}

/// What clients do about failures (`--retry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryModel {
    /// Nothing: every request stands alone.
    #[default]
    None,
    /// Back-off with full jitter and a retry quota.
    Standard,
    /// The same, and a client-side limit on the sending rate.
    Adaptive,
}

impl FromStr for RetryModel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "none" => Ok(Self::None),
            "standard" => Ok(Self::Standard),
            "adaptive" => Ok(Self::Adaptive),
            other => Err(Error(other.to_owned())),
        }
    }
}

/// How an attempt's end bears on retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// A 2xx reply.
    Success,
    /// A 429.
    Throttle,
    /// A failure that may pass.
    Transient,
    /// A failure that repeating does not mend.
    Lasting,
}

impl Ending {
    /// How an outcome bears on retries; `status` is 0 when there was no reply.
    pub(super) fn of(outcome: Outcome, status: u16) -> Self {
        match outcome {
            Outcome::Ok => Self::Success,
            _ if outcome.is_throttled() => Self::Throttle,
            Outcome::ClientTimeout | Outcome::ConnectError | Outcome::ProtocolError => {
                Self::Transient
            }
            _ if matches!(status, 500 | 502 | 503 | 504) => Self::Transient,
            _ => Self::Lasting,
        }
    }
}

/// An attempt that has ended, as the policy sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// How it ended.
    pub(super) ending: Ending,
    /// Its place among the operation's attempts, from 1.
    pub(super) attempt: u32,
    /// Tokens that the operation's latest retry took; 0 before the first.
    pub(super) tokens_taken: u32,
    /// What `x-amz-retry-after` said.
    pub(super) retry_after: Option<Duration>,
    /// A draw from `(0, 1]`.
    pub(super) jitter: f64,
}

/// What becomes of the operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// It is over: success, or a failure that repeating does not mend.
    Over,
    /// It is tried again.
    Retry {
        /// The back-off.
        delay: Duration,
        /// Tokens taken from the quota.
        tokens: u32,
    },
    /// No attempts are left.
    Exhausted,
    /// The quota has too few tokens.
    OverBudget,
}

/// Whether an attempt may be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Admission {
    /// Now.
    Now,
    /// The client's rate limit makes it wait at least this long.
    Wait(Duration),
}

/// The retry state of one client.
#[derive(Debug)]
pub(super) struct Client {
    quota_tokens: u32,
    limiter: Option<RateLimiter>,
}

impl Client {
    /// A fresh client. `model` must not be [`RetryModel::None`].
    pub(super) fn new(model: RetryModel) -> Self {
        let limiter = (model == RetryModel::Adaptive).then(RateLimiter::new);
        Self { quota_tokens: QUOTA_TOKENS_MAX, limiter }
    }

    /// Asks to send an attempt at `now`, counted from the run's start.
    pub(super) fn admit(&mut self, now: Duration) -> Admission {
        match &mut self.limiter {
            None => Admission::Now,
            Some(limiter) => limiter.admit(now.as_secs_f64()),
        }
    }

    /// Decides about an attempt that ended at `now`.
    pub(super) fn decide(&mut self, ended: &Ended, now: Duration) -> Verdict {
        if let Some(limiter) = &mut self.limiter {
            limiter.ended(ended.ending == Ending::Throttle, now.as_secs_f64());
        }
        let (tokens, base) = match ended.ending {
            Ending::Success => {
                let refund = ended.tokens_taken.max(SUCCESS_REFUND_TOKENS);
                self.quota_tokens = (self.quota_tokens + refund).min(QUOTA_TOKENS_MAX);
                return Verdict::Over;
            }
            Ending::Lasting => return Verdict::Over,
            Ending::Throttle => (THROTTLE_COST_TOKENS, THROTTLE_BASE),
            Ending::Transient => (TRANSIENT_COST_TOKENS, TRANSIENT_BASE),
        };
        if ended.attempt >= ATTEMPTS_MAX {
            return Verdict::Exhausted;
        }
        if self.quota_tokens < tokens {
            return Verdict::OverBudget;
        }
        self.quota_tokens -= tokens;
        Verdict::Retry { delay: back_off(base, ended), tokens }
    }
}

/// `random(0,1) · min(base · 2^(attempt - 1), 20 s)`, lifted by `x-amz-retry-after`.
fn back_off(base: Duration, ended: &Ended) -> Duration {
    let doubled = base.saturating_mul(1 << (ended.attempt - 1).min(16));
    let delay = doubled.min(DELAY_MAX).mul_f64(ended.jitter);
    match ended.retry_after {
        Some(asked) => delay.max(asked.min(delay + RETRY_AFTER_MORE_MAX)),
        None => delay,
    }
}

#[cfg(test)]
mod tests;
