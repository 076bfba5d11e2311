//! What a run measured, as plain data: the one record that driver, verdict and reports share.
//!
//! Times are whole microseconds in HdrHistograms of 3 significant digits (Gil Tene, HdrHistogram).
//! Recordings of parallel workers merge without loss.

use super::outcome::Outcome;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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
    /// Requests, first attempts and retries, that the modelled clients' own rate limit still held
    /// back at the end: the clients' choice, not the generator's debt.
    pub held_back: u64,
    /// Operations among them of which no attempt was made.
    pub held_back_operations: u64,
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
    /// The longest queue of arrivals waiting for a connection, over the workers' queues.
    pub backlog_max: u64,
    /// Requests sent once more, on a fresh connection, because a reused one turned out closed before
    /// they were wholly written, or because an HTTP/2 server said that it never looked at them.
    ///
    /// A client may repeat a request of its own accord only if the method is idempotent or it knows
    /// that the request was not applied (RFC 9110, section 9.2.2). A connection that ends once the
    /// request is written gives no such knowledge: that is a `connect_error`, even where the server
    /// closed an idle connection in the moment it took the request to get there.
    pub connections_stale: u64,
}

/// Everything one run measured.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Requests planned up to the end of the run (open loop), or sent (closed loop). A retry is a
    /// request of its own, planned when its back-off ends: always the sum of all outcomes.
    pub offered: u64,
    /// Requests whose first byte was written.
    pub sent: u64,
    /// Requests that ended with a whole reply.
    pub completed: u64,
    /// Per class; requests still in flight are in [`Outcome::InFlight`] with lower bounds.
    pub outcomes: BTreeMap<Outcome, OutcomeTimes>,
    /// Send instant minus intended instant, of every request sent; closed loops record nothing. A
    /// request given to a connection that is still being made counts up to that instant: the handshake
    /// is the server's doing, not the generator's.
    pub lateness_us: Histogram<u64>,
    /// With retries on: from the operation's intended instant to its last attempt's end. Has every
    /// operation; one that the run's end cut off counts up to that end, as a lower bound.
    pub operation_time_us: Histogram<u64>,
    /// The same for operations that ended well.
    pub operation_time_ok_us: Histogram<u64>,
    /// Response times of replies that said a sandbox had just started.
    pub cold_start_us: Histogram<u64>,
    /// Retries; without a retry model every operation is one attempt.
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

impl Recording {
    /// Takes in what another worker (or another run of the same plan) measured. Nothing is lost:
    /// counts add up and histograms add bucket by bucket. Of examples the first one stays.
    pub fn merge(&mut self, other: Self) {
        self.offered += other.offered;
        self.sent += other.sent;
        self.completed += other.completed;
        for (outcome, times) in other.outcomes {
            match self.outcomes.entry(outcome) {
                Entry::Vacant(entry) => {
                    entry.insert(times);
                }
                Entry::Occupied(entry) => {
                    let into = entry.into_mut();
                    add(&mut into.response_time_us, times.response_time_us);
                    add(&mut into.service_time_us, times.service_time_us);
                }
            }
        }
        add(&mut self.lateness_us, other.lateness_us);
        add(&mut self.operation_time_us, other.operation_time_us);
        add(&mut self.operation_time_ok_us, other.operation_time_ok_us);
        add(&mut self.cold_start_us, other.cold_start_us);
        self.retries.merge(&other.retries);
        add_counts(&mut self.limiters, other.limiters);
        self.merge_timeline(other.timeline);
        for (outcome, example) in other.examples {
            self.examples.entry(outcome).or_insert(example);
        }
        self.elapsed = self.elapsed.max(other.elapsed);
        self.interrupted |= other.interrupted;
        self.generator.merge(&other.generator);
    }

    fn merge_timeline(&mut self, other: Vec<Slice>) {
        for (n, slice) in other.into_iter().enumerate() {
            match self.timeline.get_mut(n) {
                None => self.timeline.push(slice),
                Some(into) => {
                    into.offered += slice.offered;
                    add_counts(&mut into.outcomes, slice.outcomes);
                    add(&mut into.response_time_ok_us, slice.response_time_ok_us);
                }
            }
        }
    }
}

impl RetryCounts {
    fn merge(&mut self, other: &Self) {
        self.operations += other.operations;
        self.attempts += other.attempts;
        self.succeeded += other.succeeded;
        self.attempts_exhausted += other.attempts_exhausted;
        self.budget_denied += other.budget_denied;
        self.held_back += other.held_back;
        self.held_back_operations += other.held_back_operations;
    }
}

impl GeneratorUse {
    fn merge(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.workers += other.workers;
        self.connections_opened += other.connections_opened;
        self.connections_waited += other.connections_waited;
        self.backlog_max = self.backlog_max.max(other.backlog_max);
        self.connections_stale += other.connections_stale;
    }
}

/// Adds one histogram to another; the wider of the two is the one that takes the other in.
fn add(into: &mut Histogram<u64>, mut from: Histogram<u64>) {
    if from.high() > into.high() {
        std::mem::swap(into, &mut from);
    }
    into.add(from).expect("the histogram that is added to has the wider bounds");
}

fn add_counts<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_insert(0) += count;
    }
}
