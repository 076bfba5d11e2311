//! Rates, bursts and quotas as API Gateway states them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A token bucket's two numbers: refill rate and capacity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Throttle {
    /// Tokens added per second (`rateLimit`), requests per second; finite and not negative.
    pub rate_rps: f64,
    /// Capacity (`burstLimit`), requests.
    pub burst: u32,
}

/// Why a `RATE:BURST` text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no throttle: {reason}; write RATE:BURST, for instance 200:100")]
pub struct ThrottleError {
    text: String,
    reason: &'static str,
}

impl Throttle {
    /// A throttle of these numbers.
    ///
    /// # Errors
    /// The rate is negative, infinite or not a number.
    pub fn new(rate_rps: f64, burst: u32) -> Result<Self, ThrottleError> {
        if rate_rps.is_finite() && rate_rps >= 0.0 {
            Ok(Self { rate_rps, burst })
        } else {
            Err(ThrottleError {
                text: format!("{rate_rps}:{burst}"),
                reason: "the rate is not a number from 0 up",
            })
        }
    }
}

impl FromStr for Throttle {
    type Err = ThrottleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason| ThrottleError { text: text.to_owned(), reason };
        let (rate, burst) = text.split_once(':').ok_or_else(|| refuse("there is no colon"))?;
        let rate_rps: f64 = rate.parse().map_err(|_| refuse("the rate is not a number"))?;
        let burst: u32 = burst.parse().map_err(|_| refuse("the burst is not a whole number"))?;
        Self::new(rate_rps, burst).map_err(|_| refuse("the rate is not a number from 0 up"))
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.rate_rps, self.burst)
    }
}

/// The span after which a quota starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the period it names")]
pub enum Period {
    Day,
    Week,
    Month,
}

/// Requests allowed in a period, per key, over all stages of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests a period.
    pub limit: u64,
    /// The period.
    pub period: Period,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rate_and_burst() {
        let throttle: Throttle = "200:100".parse().unwrap();
        assert_eq!(throttle, Throttle { rate_rps: 200.0, burst: 100 });
        assert_eq!("0.5:1".parse::<Throttle>().unwrap().rate_rps, 0.5);
    }

    #[test]
    fn refuses_what_is_no_throttle() {
        for text in ["x", "200", ":", "200:", ":5", "-1:5", "inf:5", "NaN:1", "5:-1", "5:1.5"] {
            let error = text.parse::<Throttle>().unwrap_err();
            assert!(error.to_string().contains("RATE:BURST"), "{text}: {error}");
        }
    }
}
