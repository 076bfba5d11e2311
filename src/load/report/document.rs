//! `gwtf.loadtest/v1`: the report as data, written as JSON and read back by `--baseline`.
//!
//! The field names are a contract (`docs/cli.md`, `docs/schemas/gwtf.loadtest.v1.json`). Times are
//! microseconds, from histograms of three significant digits; a statistic without samples is
//! `null`, never 0. Every other report format is rendered from this value, so that an HTML page can
//! be made again from a stored JSON file.

use super::histogram::Encoded;
use crate::load::assertion::AssertionResult;
use crate::load::baseline::Comparison;
use crate::load::find_max::Findings;
use crate::load::outcome::Outcome;
use crate::load::verdict::GeneratorValidity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema's name, the value of the field `schema`.
pub const SCHEMA: &str = "gwtf.loadtest/v1";

/// Everything one load test says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whether the generator is valid and every assertion passed.
    pub passed: bool,
    /// The URL tested, without credentials and query values.
    pub target: String,
    /// How and with what the run was made.
    pub run: Run,
    /// The load that was planned.
    pub schedule: Schedule,
    /// From the first intended instant to the end of the sending time.
    pub elapsed_s: f64,
    /// Ended early by Ctrl-C.
    pub interrupted: bool,
    /// Requests planned (open loop) or sent (closed loop).
    pub offered: u64,
    /// Requests whose first byte was written.
    pub sent: u64,
    /// Requests that ended with a whole reply.
    pub completed: u64,
    /// Per outcome; only those that occurred, and always `ok`.
    pub outcomes: BTreeMap<Outcome, OutcomeSummary>,
    /// The groups `throttled` (every 429) and `error`.
    pub groups: Groups,
    /// Every request, those in flight with lower bounds.
    pub response_time_us: Option<TimeSummary>,
    /// The same from the first byte written.
    pub service_time_us: Option<TimeSummary>,
    /// Send instant minus intended instant; `null` for closed loops.
    pub lateness_us: Option<TimeSummary>,
    /// What retries did.
    pub retries: Retries,
    /// Operations that ended well per second; without retries, `ok` requests.
    pub goodput_rps: f64,
    /// Whole replies per second, whatever they said.
    pub throughput_rps: f64,
    /// Replies from sandboxes that had just started.
    pub cold_starts: ColdStarts,
    /// Requests refused, by limiter; always `plan`, `stage`, `account` and `concurrency`.
    ///
    /// `unnamed` are 429 replies that name no limiter, as AWS's do.
    pub limiters: BTreeMap<String, u64>,
    /// The generator's verdict and its own account.
    pub generator: Generator,
    /// Slices in order of time.
    pub timeline: Vec<TimelineSlice>,
    /// HdrHistogram V2, deflate, base64.
    pub histograms: Histograms,
    /// How each assertion ended.
    pub assertions: Vec<AssertionResult>,
    /// An example per outcome of what went wrong.
    pub examples: BTreeMap<Outcome, String>,
    /// Against an earlier report, if one was given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline: Option<Comparison>,
    /// The search for the highest rate, if one was made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub find_max: Option<Findings>,
}

/// What the caller knows of the run besides the recording; no secrets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFacts {
    /// The URL tested. User information and query values are removed by [`Report::new`].
    pub target: String,
    /// The load that was planned.
    pub schedule: Schedule,
    /// How and with what the run was made.
    pub run: Run,
}

/// How and with what the run was made: strings and numbers for a reader, never secrets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Version of gwtf.
    pub gwtf_version: String,
    /// When it began, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// The model and version served, when gwtf served it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Method and what the payloads are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Seed of arrivals and payloads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Most connections at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u64>,
    /// The client's timeout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// `1.1` or `2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_version: Option<String>,
    /// `none`, `standard` or `adaptive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// How requests are authorized, for instance `iam`; never the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
    /// The stage's throttle, `RATE:BURST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<String>,
    /// The account's throttle, `RATE:BURST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_throttle: Option<String>,
    /// Most sandboxes at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved_concurrency: Option<u64>,
    /// The generator's machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Anything else worth saying.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, String>,
}

/// The load that was planned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Whether arrivals wait for replies.
    pub kind: LoopKind,
    /// `constant` or `poisson`; `closed` for a closed loop.
    pub arrivals: String,
    /// The rate, when it is one.
    pub rate_rps: Option<f64>,
    /// Planned sending time.
    pub duration_s: f64,
    /// Stages of a ramp or spike, in order; empty for one rate.
    #[serde(default)]
    pub stages: Vec<Stage>,
}

/// Whether arrivals wait for replies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopKind {
    /// Arrivals are planned ahead and never wait.
    #[default]
    Open,
    /// The next request of a connection follows the last one's reply.
    Closed,
}

/// One stage of a ramp or spike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How long it lasts.
    pub duration_s: f64,
    /// The rate at its start, when another is reached at its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rate_from_rps: Option<f64>,
    /// The rate reached at its end.
    pub rate_rps: f64,
}

/// Statistics of one histogram, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is the statistic that it is named after")]
pub struct TimeSummary {
    pub p50: u64,
    pub p90: u64,
    pub p95: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
    pub mean: f64,
}

/// One outcome or group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct OutcomeSummary {
    /// Requests that ended so.
    pub count: u64,
    /// From the intended send instant to the end of the reply.
    pub response_time_us: Option<TimeSummary>,
    /// From the first byte written to the end of the reply.
    pub service_time_us: Option<TimeSummary>,
}

/// Groups of outcomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    /// Every 429, quota included.
    pub throttled: OutcomeSummary,
    /// Neither ok, nor throttled, nor still in flight.
    pub error: OutcomeSummary,
}

/// What retries did; without retries every request is an operation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// Operations the schedule asked for.
    pub operations: u64,
    /// Requests sent for them.
    pub attempts: u64,
    /// Attempts per operation.
    pub amplification: f64,
    /// Operations that ended well.
    pub succeeded: u64,
    /// Operations given up because no attempts were left.
    pub attempts_exhausted: u64,
    /// Retries not made because the retry budget was empty.
    pub budget_denied: u64,
    /// From an operation's intended instant to its last attempt's end; `null` without retries.
    pub operation_time_us: Option<TimeSummary>,
    /// The same for operations that ended well.
    pub operation_time_ok_us: Option<TimeSummary>,
}

/// Replies from sandboxes that had just started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColdStarts {
    /// How many.
    pub count: u64,
    /// Their response times.
    pub response_time_us: Option<TimeSummary>,
}

/// The generator's verdict and its own account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Whether the load offered was the load planned.
    #[serde(flatten)]
    pub validity: GeneratorValidity,
    /// CPU time of its threads.
    pub cpu_s: f64,
    /// Number of its threads.
    pub workers: u64,
    /// Connections opened over the run.
    pub connections_opened: u64,
    /// Arrivals that waited for a free connection.
    pub connections_waited: u64,
    /// The longest queue of such arrivals.
    pub backlog_max: u64,
    /// Requests sent once more because the server had closed a reused connection.
    #[serde(default)]
    pub connections_stale: u64,
}

/// One slice of the run, by intended send instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimelineSlice {
    /// Start, from the run's start.
    pub t_s: f64,
    /// Length.
    pub duration_s: f64,
    /// Requests planned in the slice.
    pub offered: u64,
    /// Of those, ok.
    pub ok: u64,
    /// Of those, 429.
    pub throttled: u64,
    /// Of those, neither ok, nor 429, nor still in flight.
    pub errors: u64,
    /// Of those, still in flight at the end.
    pub in_flight: u64,
    /// Median response time of the slice's ok requests.
    pub p50_us: Option<u64>,
    /// 99th percentile of the same.
    pub p99_us: Option<u64>,
}

/// The histograms behind the percentiles. Response times unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each field is named after its class and time")]
pub struct Histograms {
    pub ok: Encoded,
    pub throttled: Encoded,
    pub error: Encoded,
    pub all: Encoded,
    pub ok_service_time: Encoded,
    pub throttled_service_time: Encoded,
    pub error_service_time: Encoded,
    pub lateness: Encoded,
}

impl Report {
    /// The report as its JSON document, indented, with a newline at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(self).expect("string keys and plain values always serialize");
        bytes.push(b'\n');
        bytes
    }

    /// Requests of the run whatever their outcome.
    pub fn requests(&self) -> u64 {
        // Saturating, as a report that was read back may hold any numbers.
        self.outcomes.values().fold(0, |sum, summary| sum.saturating_add(summary.count))
    }

    /// Requests that ended as `outcome`.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).map_or(0, |summary| summary.count)
    }

    /// A count as a share of all requests; 0 when there were none.
    pub fn share(&self, count: u64) -> f64 {
        match self.requests() {
            0 => 0.0,
            all => count as f64 / all as f64,
        }
    }

    /// Whether the run retried.
    pub fn retried(&self) -> bool {
        self.retries.operation_time_us.is_some()
    }
}
