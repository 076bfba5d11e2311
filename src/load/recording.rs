//! What a run measured, as plain data: the one record that driver, verdict and reports share.
//!
//! Times are whole microseconds in HdrHistograms of 3 significant digits (Gil Tene, HdrHistogram).
//! Recordings of parallel workers merge without loss.

use super::outcome::Outcome;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Significant decimal digits that every histogram keeps.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// Response and service times of one outcome class, microseconds.
#[derive(Debug, Clone)]
pub struct OutcomeTimes {
    /// From the intended send instant to the end of the reply.
    pub response_time_us: Histogram<u64>,
    /// From the first byte written to the end of the reply.
    pub service_time_us: Histogram<u64>,
}

/// One slice of the run, by intended send instant.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Start, from the run's start.
    pub start: Duration,
    /// Requests planned in the slice.
    pub offered: u64,
    /// What became of them.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Response times of the slice's `ok` requests.
    pub response_time_ok_us: Histogram<u64>,
}

/// What retries did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryCounts {
    /// Operations the schedule asked for (each is one or more attempts).
    pub operations: u64,
    /// Requests sent, first attempts and retries.
    pub attempts: u64,
    /// Operations that ended well, whichever attempt it was.
    pub succeeded: u64,
    /// Operations given up because no attempts were left.
    pub attempts_exhausted: u64,
    /// Retries not made because the retry budget was empty.
    pub budget_denied: u64,
}

/// What the generator itself used and did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GeneratorUse {
    /// CPU time of the generator's threads.
    pub cpu: Duration,
    /// Number of generator threads.
    pub workers: usize,
    /// Connections opened over the run.
    pub connections_opened: u64,
    /// Arrivals that found no free connection below the maximum and had to wait for one.
    pub connections_waited: u64,
    /// The longest queue of arrivals waiting for a connection.
    pub backlog_max: u64,
}

/// Everything one run measured.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Arrivals planned up to the end of the run (open loop), or sent (closed loop).
    pub offered: u64,
    /// Requests whose first byte was written.
    pub sent: u64,
    /// Requests that ended with a whole reply.
    pub completed: u64,
    /// Per class; requests still in flight are in [`Outcome::InFlight`] with lower bounds.
    pub outcomes: BTreeMap<Outcome, OutcomeTimes>,
    /// Send instant minus intended instant, of every request sent; closed loops record nothing.
    pub lateness_us: Histogram<u64>,
    /// With retries on: from the operation's intended instant to its last attempt's end.
    pub operation_time_us: Histogram<u64>,
    /// The same for operations that ended well.
    pub operation_time_ok_us: Histogram<u64>,
    /// Response times of replies that said a sandbox had just started.
    pub cold_start_us: Histogram<u64>,
    /// Retries.
    pub retries: RetryCounts,
    /// Requests a limiter refused, by the name the reply gave (`plan`, `stage`, `account`, …).
    pub limiters: BTreeMap<String, u64>,
    /// Slices in order of time.
    pub timeline: Vec<Slice>,
    /// An example of what went wrong per class, for a person.
    pub examples: BTreeMap<Outcome, String>,
    /// From the first intended instant to the end of the sending time.
    pub elapsed: Duration,
    /// Ended early by Ctrl-C.
    pub interrupted: bool,
    /// The generator's own account.
    pub generator: GeneratorUse,
}
