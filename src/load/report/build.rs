//! From a recording to a [`Report`]: merging, summing, rounding. Decides nothing but the verdict.

use super::document::{
    ColdStarts, Generator, Groups, Histograms, OutcomeSummary, Report, Retries, RunFacts, SCHEMA,
    TimeSummary, TimelineSlice,
};
use super::histogram::Encoded;
use super::text;
use crate::load::assertion::{Assertion, amplification, goodput_rps, per_second};
use crate::load::class::{Class, merge};
use crate::load::outcome::Outcome;
use crate::load::recording::{Recording, Slice};
use crate::load::verdict;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// The most slices a timeline keeps; longer ones are joined without loss of percentiles.
pub const TIMELINE_SLICES_MAX: usize = 240;

/// Slices are also joined until they hold this many requests on average, as fewer make noise of
/// rates and percentiles,
const SLICE_REQUESTS_MIN: u64 = 20;

/// but never to fewer than this many slices.
const TIMELINE_SLICES_MIN: usize = 10;

/// The limiters that every report names.
const LIMITERS: [&str; 4] = ["plan", "stage", "account", "concurrency"];

/// The most limiters besides [`LIMITERS`] that a report names: their names come from replies.
const LIMITERS_MORE_MAX: usize = 16;

impl Report {
    /// The report of one run. Assertions are evaluated here; on an invalid run none passes.
    pub fn new(recording: &Recording, facts: RunFacts, assertions: &[Assertion]) -> Self {
        let validity = verdict::judge(recording);
        let assertions: Vec<_> =
            assertions.iter().map(|assertion| assertion.evaluate(recording, &validity)).collect();
        Self {
            schema: SCHEMA.to_owned(),
            passed: validity.valid && assertions.iter().all(|result| result.passed),
            target: text::without_secrets(&facts.target),
            run: facts.run,
            schedule: facts.schedule,
            elapsed_s: rounded(recording.elapsed.as_secs_f64()),
            interrupted: recording.interrupted,
            offered: recording.offered,
            sent: recording.sent,
            completed: recording.completed,
            outcomes: outcomes(recording),
            groups: Groups {
                throttled: outcome_summary(Class::Throttled, recording),
                error: outcome_summary(Class::Error, recording),
            },
            response_time_us: TimeSummary::of(&Class::All.response_time_us(recording)),
            service_time_us: TimeSummary::of(&Class::All.service_time_us(recording)),
            lateness_us: TimeSummary::of(&recording.lateness_us),
            retries: retries(recording),
            goodput_rps: rounded(goodput_rps(recording)),
            throughput_rps: rounded(per_second(recording.completed, recording)),
            cold_starts: ColdStarts {
                count: recording.cold_start_us.len(),
                response_time_us: TimeSummary::of(&recording.cold_start_us),
            },
            limiters: limiters(recording),
            generator: Generator {
                validity,
                cpu_s: rounded(recording.generator.cpu.as_secs_f64()),
                workers: recording.generator.workers as u64,
                connections_opened: recording.generator.connections_opened,
                connections_waited: recording.generator.connections_waited,
                backlog_max: recording.generator.backlog_max,
                connections_stale: recording.generator.connections_stale,
            },
            timeline: timeline(recording),
            histograms: histograms(recording),
            assertions,
            examples: recording
                .examples
                .iter()
                .map(|(outcome, example)| (*outcome, text::clean(example)))
                .collect(),
            baseline: None,
            find_max: None,
        }
    }
}

impl TimeSummary {
    /// The statistics of a histogram of microseconds; `None` without samples.
    pub fn of(times_us: &Histogram<u64>) -> Option<Self> {
        if times_us.is_empty() {
            return None;
        }
        Some(Self {
            p50: times_us.value_at_quantile(0.5),
            p90: times_us.value_at_quantile(0.9),
            p95: times_us.value_at_quantile(0.95),
            p99: times_us.value_at_quantile(0.99),
            p999: times_us.value_at_quantile(0.999),
            max: times_us.max(),
            mean: rounded(times_us.mean()),
        })
    }
}

fn outcomes(recording: &Recording) -> BTreeMap<Outcome, OutcomeSummary> {
    let mut outcomes = BTreeMap::from([(Outcome::Ok, OutcomeSummary::default())]);
    for outcome in recording.outcomes.keys() {
        let summary = outcome_summary(Class::Only(*outcome), recording);
        if summary.count > 0 {
            outcomes.insert(*outcome, summary);
        }
    }
    outcomes
}

fn outcome_summary(class: Class, recording: &Recording) -> OutcomeSummary {
    OutcomeSummary {
        count: class.count(recording),
        response_time_us: TimeSummary::of(&class.response_time_us(recording)),
        service_time_us: TimeSummary::of(&class.service_time_us(recording)),
    }
}

fn retries(recording: &Recording) -> Retries {
    let counts = &recording.retries;
    let retried = counts.operations > 0;
    Retries {
        operations: if retried { counts.operations } else { recording.offered },
        attempts: if retried { counts.attempts } else { recording.sent },
        amplification: rounded(amplification(recording)),
        succeeded: if retried {
            counts.succeeded
        } else {
            Class::Only(Outcome::Ok).count(recording)
        },
        attempts_exhausted: counts.attempts_exhausted,
        budget_denied: counts.budget_denied,
        operation_time_us: TimeSummary::of(&recording.operation_time_us),
        operation_time_ok_us: TimeSummary::of(&recording.operation_time_ok_us),
    }
}

/// Counts by the name in the reply, completed by the outcomes (a reply may name none).
fn limiters(recording: &Recording) -> BTreeMap<String, u64> {
    let mut limiters: BTreeMap<String, u64> = recording
        .limiters
        .iter()
        .filter(|(name, _)| !LIMITERS.contains(&name.as_str()))
        .take(LIMITERS_MORE_MAX)
        .map(|(name, count)| (text::clean(name), *count))
        .collect();
    for name in LIMITERS {
        limiters.insert(name.to_owned(), recording.limiters.get(name).copied().unwrap_or(0));
    }
    let by_outcome = [
        (Outcome::ThrottledPlan, "plan"),
        (Outcome::ThrottledStage, "stage"),
        (Outcome::ThrottledAccount, "account"),
        (Outcome::Concurrency, "concurrency"),
        (Outcome::Quota, "quota"),
        (Outcome::Throttled, "unnamed"),
    ];
    for (outcome, name) in by_outcome {
        let count = Class::Only(outcome).count(recording);
        if count > 0 {
            let named = limiters.entry(name.to_owned()).or_default();
            *named = count.max(*named);
        }
    }
    limiters
}

fn timeline(recording: &Recording) -> Vec<TimelineSlice> {
    // A run that was stopped early has slices that never began.
    let began = |slice: &&Slice| slice.start < recording.elapsed;
    let slices: Vec<&Slice> = recording.timeline.iter().take_while(began).collect();
    let starts_s: Vec<f64> = slices.iter().map(|slice| slice.start.as_secs_f64()).collect();
    let end_s = recording.elapsed.as_secs_f64();
    let joined = slices_joined(slices.len(), recording.offered);
    slices
        .chunks(joined)
        .enumerate()
        .map(|(index, chunk)| {
            let start_s = starts_s[index * joined];
            let stop_s = starts_s.get((index + 1) * joined).copied().unwrap_or(end_s);
            timeline_slice(chunk, start_s, stop_s - start_s)
        })
        .collect()
}

/// How many of the recording's slices make one of the report's.
fn slices_joined(slices: usize, offered: u64) -> usize {
    let for_size = slices.div_ceil(TIMELINE_SLICES_MAX);
    let for_requests = (SLICE_REQUESTS_MIN * slices as u64).div_ceil(offered.max(1));
    let for_requests = usize::try_from(for_requests).unwrap_or(usize::MAX);
    for_size.max(for_requests.min(slices / TIMELINE_SLICES_MIN)).max(1)
}

fn timeline_slice(slices: &[&Slice], start_s: f64, duration_s: f64) -> TimelineSlice {
    let times = merge(slices.iter().map(|slice| &slice.response_time_ok_us));
    let quantile = |quantile| (!times.is_empty()).then(|| times.value_at_quantile(quantile));
    let count = |class: Class| {
        let outcomes = slices.iter().flat_map(|slice| &slice.outcomes);
        outcomes.filter(|(outcome, _)| class.contains(**outcome)).map(|(_, count)| count).sum()
    };
    TimelineSlice {
        t_s: rounded(start_s),
        duration_s: rounded(duration_s),
        offered: slices.iter().map(|slice| slice.offered).sum(),
        ok: count(Class::Only(Outcome::Ok)),
        throttled: count(Class::Throttled),
        errors: count(Class::Error),
        in_flight: count(Class::Only(Outcome::InFlight)),
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
    }
}

fn histograms(recording: &Recording) -> Histograms {
    let response = |class: Class| Encoded(class.response_time_us(recording));
    let service = |class: Class| Encoded(class.service_time_us(recording));
    let ok = Class::Only(Outcome::Ok);
    Histograms {
        ok: response(ok),
        throttled: response(Class::Throttled),
        error: response(Class::Error),
        all: response(Class::All),
        ok_service_time: service(ok),
        throttled_service_time: service(Class::Throttled),
        error_service_time: service(Class::Error),
        lateness: Encoded(merge(std::iter::once(&recording.lateness_us))),
    }
}

/// Three decimals: finer is noise, and makes documents differ for no reason.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::sample::{batch, recording};
    use std::time::Duration;

    #[test]
    fn a_run_stopped_early_ends_where_it_stopped() {
        let mut run = recording(&[batch(Outcome::Ok, 100, 500)]);
        run.timeline = (0..10)
            .map(|second| Slice {
                start: Duration::from_secs(second),
                offered: 40,
                outcomes: BTreeMap::from([(Outcome::Ok, 40)]),
                response_time_ok_us: merge(std::iter::empty()),
            })
            .collect();
        run.elapsed = Duration::from_millis(2_500);
        let slices = timeline(&run);
        let spans: Vec<(f64, f64)> =
            slices.iter().map(|slice| (slice.t_s, slice.duration_s)).collect();
        assert_eq!(spans, [(0.0, 1.0), (1.0, 1.0), (2.0, 0.5)]);
        assert_eq!((slices[0].ok, slices[0].p99_us), (40, None));
    }

    #[test]
    fn slices_are_joined_for_size_and_for_samples() {
        let cases = [
            (100, 5_000, 1),
            (600, 600_000, 3),
            (100, 50, 10),
            (100, 500, 4),
            (5, 5, 1),
            (0, 0, 1),
        ];
        for (slices, offered, joined) in cases {
            assert_eq!(slices_joined(slices, offered), joined, "{slices} {offered}");
        }
    }
}
