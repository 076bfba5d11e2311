//! Objectives of a run: the grammar of `--assert` and what each expression measures.
//!
//! ```text
//! statistic [ '(' times ')' ]  op  duration     p99<50ms   p99(ok)<50ms   p99(lateness)<1ms
//! 'rate'      '(' class ')'    op  percent      rate(throttled)<1%        rate(error)=0
//! 'rps'     [ '(' class ')' ]  op  number       rps(ok)>=490
//! 'goodput' | 'amplification'  op  number       goodput>=190   amplification<=1.2
//!
//! statistic: p50 p90 p95 p99 p999 max mean      op: < <= > >= =
//! class:     an outcome's name, or throttled (every 429), error, all
//! times:     a class, or lateness, cold_start, operation (first attempt to last, retries within)
//! duration:  a number and us, ms or s           percent: a number and %, or a bare 0
//! ```
//!
//! Percentiles are of **response time**. Without a class they are over `all`: every request that
//! ended, however it ended, and every request still in flight with the time it had waited when the
//! run ended (a lower bound: leaving those out would make a stalled target look fast).
//! `rate` divides by all requests, `rps` by the sending time.
//!
//! # Invariants
//! A percentile over no samples does not hold: silence is no proof. A run whose generator is not
//! valid passes nothing.

mod parse;

use super::class::{Class, merge};
use super::recording::Recording;
use super::units;
use super::verdict::GeneratorValidity;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

pub use parse::{EXPRESSION_BYTES_MAX, Error};

/// One objective, as parsed from `--assert` or from `gwtf.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    expr: String,
    metric: Metric,
    comparison: Comparison,
    /// In the metric's unit.
    limit: f64,
}

/// What an assertion measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A statistic of times, microseconds.
    Time(Statistic, Times),
    /// A class's share of all requests, 0 to 1.
    Share(Class),
    /// A class's requests per second of sending time.
    Rate(Class),
    /// Operations that ended well per second; without retries, `ok` requests per second.
    Goodput,
    /// Requests sent per operation; 1 without retries.
    Amplification,
}

/// Which times a statistic is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Response times of a class.
    Response(Class),
    /// The generator's own lateness.
    Lateness,
    /// Response times of replies from a sandbox that had just started.
    ColdStart,
    /// Whole operations, from the first attempt's intended instant to the last attempt's end.
    Operation,
}

/// A statistic of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// The value that this share of the samples does not exceed.
    Quantile(f64),
    /// The largest value.
    Max,
    /// The arithmetic mean.
    Mean,
}

/// How the measured value must stand to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `=`
    Equal,
}

/// The unit of a measured value in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Us,
    /// Percent.
    Percent,
    /// Requests per second.
    Rps,
    /// A plain ratio.
    Ratio,
}

/// How one assertion ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssertionResult {
    /// The expression as the person wrote it.
    pub expr: String,
    /// The measured value with its unit, or `no samples`.
    pub actual: String,
    /// Whether the run meets it.
    pub passed: bool,
    /// The measured value; `None` when there are no samples.
    pub value: Option<f64>,
    /// What the value was compared with.
    pub limit: f64,
    /// The unit of `value` and `limit`.
    pub unit: Unit,
    /// Why it did not pass although, or what to know when, the value alone does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

impl Assertion {
    /// What the assertion measures.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Whether the recording meets the assertion; `None` when there is nothing to measure.
    ///
    /// Does not look at the generator's validity: [`Assertion::evaluate`] does.
    pub fn holds(&self, recording: &Recording) -> Option<bool> {
        self.metric.measure(recording).map(|value| self.comparison.holds(value, self.limit))
    }

    /// Measures the recording; with an invalid generator nothing passes.
    pub fn evaluate(&self, recording: &Recording, validity: &GeneratorValidity) -> AssertionResult {
        let value = self.metric.measure(recording);
        let unit = self.metric.unit();
        let note = if !validity.valid {
            Some("the run is not valid".to_owned())
        } else if value.is_none() {
            Some(format!("no request of `{}` to measure", self.metric.subject()))
        } else {
            self.in_flight_note(recording)
        };
        AssertionResult {
            expr: self.expr.clone(),
            actual: value.map_or_else(|| "no samples".to_owned(), |value| unit.text(value)),
            passed: validity.valid && self.holds(recording) == Some(true),
            value: value.map(|value| unit.number(value)),
            limit: unit.number(self.limit),
            unit,
            note,
        }
    }

    fn in_flight_note(&self, recording: &Recording) -> Option<String> {
        let Metric::Time(_, Times::Response(Class::All)) = self.metric else { return None };
        let in_flight = Class::Only(super::outcome::Outcome::InFlight).count(recording);
        (in_flight > 0).then(|| {
            format!("{} in flight count with the time they had waited", units::count(in_flight))
        })
    }
}

impl Metric {
    /// The measured value: microseconds, a share of 1, requests per second, or a ratio.
    ///
    /// `None` when the times have no samples or the run no requests.
    pub fn measure(self, recording: &Recording) -> Option<f64> {
        let all = Class::All.count(recording);
        match self {
            Self::Time(statistic, times) => statistic.of(&times.histogram_us(recording)),
            Self::Share(class) => (all > 0).then(|| class.count(recording) as f64 / all as f64),
            Self::Rate(class) => Some(per_second(class.count(recording), recording)),
            Self::Goodput => Some(goodput_rps(recording)),
            Self::Amplification => Some(amplification(recording)),
        }
    }

    /// The unit of the measured value.
    pub fn unit(self) -> Unit {
        match self {
            Self::Time(..) => Unit::Us,
            Self::Share(_) => Unit::Percent,
            Self::Rate(_) | Self::Goodput => Unit::Rps,
            Self::Amplification => Unit::Ratio,
        }
    }

    fn subject(self) -> &'static str {
        match self {
            Self::Time(_, times) => times.name(),
            Self::Share(class) | Self::Rate(class) => class.name(),
            Self::Goodput | Self::Amplification => Class::All.name(),
        }
    }
}

impl Times {
    /// The times of a name as written in assertions.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "lateness" => Some(Self::Lateness),
            "cold_start" => Some(Self::ColdStart),
            "operation" => Some(Self::Operation),
            _ => Class::from_name(name).map(Self::Response),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Response(class) => class.name(),
            Self::Lateness => "lateness",
            Self::ColdStart => "cold_start",
            Self::Operation => "operation",
        }
    }

    fn histogram_us(self, recording: &Recording) -> Histogram<u64> {
        let one = match self {
            Self::Response(class) => return class.response_time_us(recording),
            Self::Lateness => &recording.lateness_us,
            Self::ColdStart => &recording.cold_start_us,
            // Without retries every request is an operation of its own.
            Self::Operation if recording.operation_time_us.is_empty() => {
                return Class::All.response_time_us(recording);
            }
            Self::Operation => &recording.operation_time_us,
        };
        merge(std::iter::once(one))
    }
}

impl Statistic {
    /// The statistic of a histogram; `None` without samples.
    ///
    /// Quantiles and the maximum are the upper edge of their histogram bucket, at most 0.1 % above
    /// the sample, so that an objective is never met by rounding.
    pub fn of(self, times_us: &Histogram<u64>) -> Option<f64> {
        if times_us.is_empty() {
            return None;
        }
        Some(match self {
            Self::Quantile(quantile) => times_us.value_at_quantile(quantile) as f64,
            Self::Max => times_us.max() as f64,
            Self::Mean => times_us.mean(),
        })
    }
}

impl Comparison {
    /// Whether `value op limit`. Equality forgives the rounding of a division, nothing more.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
            Self::Greater => value > limit,
            Self::AtLeast => value >= limit,
            Self::Equal => (value - limit).abs() <= limit.abs() * 1e-9,
        }
    }
}

impl Unit {
    /// The value in JSON's unit: a share becomes percent.
    fn number(self, value: f64) -> f64 {
        if self == Self::Percent { value * 100.0 } else { value }
    }

    fn text(self, value: f64) -> String {
        match self {
            Self::Us => units::time_exact(value),
            Self::Percent => units::percent_exact(value),
            Self::Rps => format!("{value:.1} rps"),
            Self::Ratio => format!("{value:.3}"),
        }
    }
}

/// Operations that ended well per second of sending time; without retries, `ok` requests.
pub fn goodput_rps(recording: &Recording) -> f64 {
    let well = if recording.retries.operations > 0 {
        recording.retries.succeeded
    } else {
        Class::Only(super::outcome::Outcome::Ok).count(recording)
    };
    per_second(well, recording)
}

/// Requests sent per operation; 1 without retries. Operations that their client never let go are
/// left out: what was not sent is no saving.
pub fn amplification(recording: &Recording) -> f64 {
    let retries = &recording.retries;
    let let_go = retries.operations.saturating_sub(retries.held_back_operations);
    // Without a retry model no operation is timed.
    if let_go == 0 || recording.operation_time_us.is_empty() {
        1.0
    } else {
        retries.attempts as f64 / let_go as f64
    }
}

/// A count per second of sending time; 0 for a run that took no time.
pub fn per_second(n: u64, recording: &Recording) -> f64 {
    let elapsed_s = recording.elapsed.as_secs_f64();
    if elapsed_s > 0.0 { n as f64 / elapsed_s } else { 0.0 }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expr)
    }
}

impl FromStr for Assertion {
    type Err = Error;

    fn from_str(expr: &str) -> Result<Self, Error> {
        parse::parse(expr)
    }
}

#[cfg(test)]
mod tests;
