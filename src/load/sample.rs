//! Recordings made by hand for unit tests.

use super::class::empty_histogram;
use super::outcome::Outcome;
use super::recording::{GeneratorUse, OutcomeTimes, Recording, RetryCounts};
use std::collections::BTreeMap;
use std::time::Duration;

/// `count` requests of one outcome, all of the same times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) outcome: Outcome,
    pub(crate) count: u64,
    pub(crate) response_time_us: u64,
    pub(crate) service_time_us: u64,
}

/// A batch whose response time is its service time.
pub(crate) fn batch(outcome: Outcome, count: u64, time_us: u64) -> Batch {
    Batch { outcome, count, response_time_us: time_us, service_time_us: time_us }
}

/// A punctual run of 10 s by one thread.
pub(crate) fn recording(batches: &[Batch]) -> Recording {
    let mut outcomes: BTreeMap<Outcome, OutcomeTimes> = BTreeMap::new();
    let mut lateness_us = empty_histogram();
    for batch in batches {
        let times = outcomes.entry(batch.outcome).or_insert_with(|| OutcomeTimes {
            response_time_us: empty_histogram(),
            service_time_us: empty_histogram(),
        });
        times.response_time_us.record_n(batch.response_time_us, batch.count).unwrap();
        times.service_time_us.record_n(batch.service_time_us, batch.count).unwrap();
        lateness_us.record_n(batch.response_time_us - batch.service_time_us, batch.count).unwrap();
    }
    let all: u64 = batches.iter().map(|batch| batch.count).sum();
    let in_flight =
        outcomes.get(&Outcome::InFlight).map_or(0, |times| times.response_time_us.len());
    Recording {
        offered: all,
        sent: all,
        completed: all - in_flight,
        outcomes,
        lateness_us,
        operation_time_us: empty_histogram(),
        operation_time_ok_us: empty_histogram(),
        cold_start_us: empty_histogram(),
        retries: RetryCounts::default(),
        limiters: BTreeMap::new(),
        timeline: Vec::new(),
        examples: BTreeMap::new(),
        elapsed: Duration::from_secs(10),
        interrupted: false,
        generator: GeneratorUse { workers: 1, ..GeneratorUse::default() },
    }
}
