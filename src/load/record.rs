//! One worker's measurements while they are made; at the end they become a [`Recording`].
//!
//! Outcomes index arrays here, and histograms are made on first use, so that recording a request is
//! a few increments and no allocation.

use super::class::OUTCOMES;
use super::classify::{BODY_START_BYTES_MAX, LIMITER_NAME_BYTES_MAX, Short};
use super::outcome::Outcome;
use super::recording::{
    GeneratorUse, OutcomeTimes, Recording, RetryCounts, SIGNIFICANT_DIGITS, Slice,
};
use super::retry::ATTEMPTS_MAX;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most slices a timeline has.
pub(super) const SLICES_MAX: u32 = 300;
/// The most limiter names told apart; a server that makes names up has the rest dropped.
const LIMITERS_MAX: usize = 16;
/// Room for back-off beside the attempts themselves in the histogram of operations.
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// A request's instants, nanoseconds from the run's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instants {
    /// When it was due.
    pub(super) intended_ns: u64,
    /// When its first byte was written, if it was.
    pub(super) sent_ns: Option<u64>,
    /// When it ended, or the run did.
    pub(super) ended_ns: u64,
}

impl Instants {
    /// From the intended instant to the end.
    pub(super) fn response_time_us(&self) -> u64 {
        self.ended_ns.saturating_sub(self.intended_ns) / 1_000
    }
}

/// How long a slice lasts in a run of this duration: 100 ms up to 20 s, then the shortest round
/// length that makes at most [`SLICES_MAX`].
pub(super) fn slice_width(duration: Duration) -> Duration {
    if duration <= Duration::from_secs(20) {
        return Duration::from_millis(100);
    }
    let round_s = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];
    round_s
        .into_iter()
        .map(Duration::from_secs)
        .find(|width| *width * SLICES_MAX >= duration)
        .unwrap_or(duration / SLICES_MAX)
}

/// A histogram from 1 µs to `max`; what is longer counts as `max`.
fn histogram(max: Duration) -> Histogram<u64> {
    let high = (max.as_micros() as u64).max(2);
    Histogram::new_with_bounds(1, high, SIGNIFICANT_DIGITS)
        .expect("low is 1, high at least 2 and the digits are within 0 to 5")
}

struct SliceRecord {
    offered: u64,
    outcomes: [u64; OUTCOMES.len()],
    response_time_ok_us: Option<Histogram<u64>>,
}

/// What one worker measures.
pub(super) struct Recorder {
    timeout: Duration,
    slice_ns: u64,
    /// Requests planned.
    pub(super) offered: u64,
    sent: u64,
    completed: u64,
    times: [Option<Box<OutcomeTimes>>; OUTCOMES.len()],
    lateness_us: Histogram<u64>,
    operation_time_us: Histogram<u64>,
    operation_time_ok_us: Histogram<u64>,
    cold_start_us: Histogram<u64>,
    /// Counts of retries; the recording's attempts are `sent`.
    pub(super) retries: RetryCounts,
    limiters: Vec<(Short<LIMITER_NAME_BYTES_MAX>, u64)>,
    slices: Vec<SliceRecord>,
    examples: [Option<String>; OUTCOMES.len()],
}

impl Recorder {
    /// An empty record of a run that sends for `duration`.
    pub(super) fn new(duration: Duration, timeout: Duration) -> Self {
        let width = slice_width(duration);
        let slices = duration.as_nanos().div_ceil(width.as_nanos()).max(1);
        let operation_max = timeout * ATTEMPTS_MAX + BACK_OFF_MAX;
        let empty_slice =
            || SliceRecord { offered: 0, outcomes: [0; OUTCOMES.len()], response_time_ok_us: None };
        Self {
            timeout,
            slice_ns: width.as_nanos() as u64,
            offered: 0,
            sent: 0,
            completed: 0,
            times: [const { None }; OUTCOMES.len()],
            lateness_us: histogram(timeout),
            operation_time_us: histogram(operation_max),
            operation_time_ok_us: histogram(operation_max),
            cold_start_us: histogram(timeout),
            retries: RetryCounts::default(),
            limiters: Vec::new(),
            slices: (0..slices).map(|_| empty_slice()).collect(),
            examples: [const { None }; OUTCOMES.len()],
        }
    }

    /// A request's first byte was written; closed loops have no lateness.
    pub(super) fn sent(&mut self, lateness_ns: Option<u64>) {
        self.sent += 1;
        if let Some(ns) = lateness_ns {
            self.lateness_us.saturating_record(ns / 1_000);
        }
    }

    /// A request got its outcome.
    pub(super) fn ended(&mut self, outcome: Outcome, instants: &Instants) {
        let response_us = instants.response_time_us();
        let timeout = self.timeout;
        let times = self.times[outcome as usize].get_or_insert_with(|| {
            Box::new(OutcomeTimes {
                response_time_us: histogram(timeout),
                service_time_us: histogram(timeout),
            })
        });
        times.response_time_us.saturating_record(response_us);
        if let Some(sent_ns) = instants.sent_ns {
            let service_us = instants.ended_ns.saturating_sub(sent_ns) / 1_000;
            times.service_time_us.saturating_record(service_us);
        }
        let last = self.slices.len() - 1;
        let slice = &mut self.slices[((instants.intended_ns / self.slice_ns) as usize).min(last)];
        slice.offered += 1;
        slice.outcomes[outcome as usize] += 1;
        if outcome == Outcome::Ok {
            slice
                .response_time_ok_us
                .get_or_insert_with(|| histogram(timeout))
                .saturating_record(response_us);
        }
    }

    /// A whole reply came. `cold_start_us` is its response time, if a sandbox had just started.
    pub(super) fn replied(&mut self, cold_start_us: Option<u64>) {
        self.completed += 1;
        if let Some(us) = cold_start_us {
            self.cold_start_us.saturating_record(us);
        }
    }

    /// A limiter refused a request.
    pub(super) fn limited(&mut self, name: &Short<LIMITER_NAME_BYTES_MAX>) {
        if let Some((_, count)) = self.limiters.iter_mut().find(|(known, _)| known == name) {
            *count += 1;
        } else if self.limiters.len() < LIMITERS_MAX {
            self.limiters.push((*name, 1));
        }
    }

    /// An operation is over: all its attempts are.
    pub(super) fn operation_ended(&mut self, started_ns: u64, ended_ns: u64, succeeded: bool) {
        let us = ended_ns.saturating_sub(started_ns) / 1_000;
        self.operation_time_us.saturating_record(us);
        if succeeded {
            self.operation_time_ok_us.saturating_record(us);
        }
    }

    /// Whether an example of this outcome is still to be had.
    pub(super) fn wants_example(&self, outcome: Outcome) -> bool {
        self.examples[outcome as usize].is_none()
    }

    /// Keeps an example for a person, with what a terminal might obey made visible.
    pub(super) fn example(&mut self, outcome: Outcome, text: &str) {
        let safe = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
        self.examples[outcome as usize] = Some(safe.take(2 * BODY_START_BYTES_MAX).collect());
    }

    /// Ends the record.
    pub(super) fn into_recording(
        mut self,
        elapsed: Duration,
        interrupted: bool,
        generator: GeneratorUse,
    ) -> Recording {
        let ok = self.slices.iter().map(|slice| slice.outcomes[Outcome::Ok as usize]).sum();
        self.retries.attempts = self.sent;
        self.retries.succeeded = ok;
        let timeout = self.timeout;
        let width = Duration::from_nanos(self.slice_ns);
        let timeline = self.slices.into_iter().zip(0..).map(|(slice, n)| Slice {
            start: width * n,
            offered: slice.offered,
            outcomes: per_outcome(slice.outcomes).filter(|(_, count)| *count > 0).collect(),
            response_time_ok_us: slice.response_time_ok_us.unwrap_or_else(|| histogram(timeout)),
        });
        Recording {
            offered: self.offered,
            sent: self.sent,
            completed: self.completed,
            outcomes: present(self.times).map(|(outcome, times)| (outcome, *times)).collect(),
            lateness_us: self.lateness_us,
            operation_time_us: self.operation_time_us,
            operation_time_ok_us: self.operation_time_ok_us,
            cold_start_us: self.cold_start_us,
            retries: self.retries,
            limiters: limiter_names(&self.limiters),
            timeline: timeline.collect(),
            examples: present(self.examples).collect(),
            elapsed,
            interrupted,
            generator,
        }
    }
}

fn per_outcome<T>(values: [T; OUTCOMES.len()]) -> impl Iterator<Item = (Outcome, T)> {
    OUTCOMES.into_iter().zip(values)
}

fn present<T>(values: [Option<T>; OUTCOMES.len()]) -> impl Iterator<Item = (Outcome, T)> {
    per_outcome(values).filter_map(|(outcome, value)| Some((outcome, value?)))
}

/// Names as text. Different bytes may read the same once made printable: their counts add up.
fn limiter_names(limiters: &[(Short<LIMITER_NAME_BYTES_MAX>, u64)]) -> BTreeMap<String, u64> {
    let mut names = BTreeMap::new();
    for (name, count) in limiters {
        let text = name.as_bytes().escape_ascii().to_string();
        *names.entry(text).or_insert(0) += count;
    }
    names
}

#[cfg(test)]
mod tests;
