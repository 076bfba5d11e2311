//! Runs made from a seed: recordings with the shape of real ones, the same on every machine.
//!
//! Whole-number arithmetic only, so that golden files do not depend on a platform's `ln` or `exp`.

use gwtf::load::outcome::Outcome;
use gwtf::load::recording::{GeneratorUse, OutcomeTimes, Recording, RetryCounts, Slice};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A service time around `median_us` with a long tail: each halving of probability adds a
    /// third, as queueing does.
    pub(crate) fn time_us(&mut self, median_us: u64) -> u64 {
        let tail = u64::from(self.next().trailing_zeros().min(14));
        let body = median_us * 7 / 10 + self.below(median_us * 6 / 10);
        body + body * tail * tail / 12
    }
}

/// A run in the making.
pub(crate) struct Run {
    pub(crate) recording: Recording,
    slice_us: u64,
}

impl Run {
    /// A run of `seconds` in slices of `slice_ms`.
    pub(crate) fn new(seconds: u64, slice_ms: u64) -> Self {
        let slices = seconds * 1_000 / slice_ms;
        let timeline = (0..slices)
            .map(|index| Slice {
                start: Duration::from_millis(index * slice_ms),
                offered: 0,
                outcomes: BTreeMap::new(),
                response_time_ok_us: empty(),
            })
            .collect();
        let recording = Recording {
            offered: 0,
            sent: 0,
            completed: 0,
            outcomes: BTreeMap::new(),
            lateness_us: empty(),
            operation_time_us: empty(),
            operation_time_ok_us: empty(),
            cold_start_us: empty(),
            retries: RetryCounts::default(),
            limiters: BTreeMap::new(),
            timeline,
            examples: BTreeMap::new(),
            elapsed: Duration::from_secs(seconds),
            interrupted: false,
            generator: GeneratorUse {
                cpu: Duration::from_millis(412),
                workers: 1,
                connections_opened: 37,
                ..GeneratorUse::default()
            },
        };
        Self { recording, slice_us: slice_ms * 1_000 }
    }

    /// One request: when it was intended, how late it was sent, how long it took, how it ended.
    pub(crate) fn request(&mut self, at_us: u64, late_us: u64, service_us: u64, outcome: Outcome) {
        let recording = &mut self.recording;
        let response_us = late_us + service_us;
        recording.offered += 1;
        recording.sent += u64::from(outcome != Outcome::ConnectError);
        recording.completed += u64::from(!matches!(
            outcome,
            Outcome::InFlight | Outcome::ConnectError | Outcome::ClientTimeout
        ));
        let times = recording.outcomes.entry(outcome).or_insert_with(|| OutcomeTimes {
            response_time_us: empty(),
            service_time_us: empty(),
        });
        times.response_time_us.record(response_us).unwrap();
        times.service_time_us.record(service_us).unwrap();
        recording.lateness_us.record(late_us).unwrap();
        let limiter = match outcome {
            Outcome::ThrottledPlan => Some("plan"),
            Outcome::ThrottledStage => Some("stage"),
            Outcome::ThrottledAccount => Some("account"),
            _ => None,
        };
        if let Some(limiter) = limiter {
            *recording.limiters.entry(limiter.to_owned()).or_default() += 1;
        }
        let index = usize::try_from(at_us / self.slice_us).unwrap();
        let last = recording.timeline.len() - 1;
        let slice = &mut recording.timeline[index.min(last)];
        slice.offered += 1;
        *slice.outcomes.entry(outcome).or_default() += 1;
        if outcome == Outcome::Ok {
            slice.response_time_ok_us.record(response_us).unwrap();
        }
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new(3).unwrap()
}

/// 500 rps for 10 s behind a bucket of 200 a second and 100 at once.
pub(crate) fn throttled() -> Recording {
    let mut seeded = Seeded(1);
    let mut run = Run::new(10, 250);
    // The bucket counts in 1/500 tokens, so that a request's share of refill is whole.
    let mut bucket = 100 * 500_u64;
    for index in 0..5_000 {
        let at_us = index * 2_000;
        let late_us = 8 + seeded.below(30) + u64::from(seeded.below(200) == 0) * seeded.below(400);
        if bucket >= 500 {
            bucket -= 500;
            run.request(at_us, late_us, seeded.time_us(1_300), Outcome::Ok);
        } else {
            run.request(at_us, late_us, seeded.time_us(190), Outcome::ThrottledStage);
        }
        bucket = (bucket + 200).min(100 * 500);
    }
    run.recording
}

/// 200 rps for 30 s, all of it ok, four cold starts, a median of `median_us`.
pub(crate) fn healthy(median_us: u64) -> Recording {
    let mut seeded = Seeded(2);
    let mut run = Run::new(30, 1_000);
    for index in 0..6_000 {
        let late_us = 6 + seeded.below(20);
        let cold = index < 4;
        let service_us =
            if cold { 410_000 + seeded.below(90_000) } else { seeded.time_us(median_us) };
        run.request(index * 5_000, late_us, service_us, Outcome::Ok);
        if cold {
            run.recording.cold_start_us.record(late_us + service_us).unwrap();
        }
    }
    run.recording
}

/// A ramp that the endpoint does not survive, with retries, several limiters and failures, stopped
/// by Ctrl-C after 40 s; replies say hostile things.
pub(crate) fn troubled() -> Recording {
    let mut seeded = Seeded(3);
    let mut run = Run::new(40, 500);
    let mut at_us = 0_u64;
    while at_us < 40_000_000 {
        let rate_rps = 100 + at_us / 100_000;
        at_us += 1_000_000 / rate_rps;
        let late_us = 10 + seeded.below(60);
        let load = rate_rps.saturating_sub(250);
        let outcome = match seeded.below(1_000) {
            draw if draw < load / 2 => Outcome::ThrottledPlan,
            draw if draw < load => Outcome::ThrottledAccount,
            draw if draw < load + load / 8 => Outcome::Throttled,
            draw if draw < load + load / 6 => Outcome::FunctionError,
            draw if draw < load + load / 5 => Outcome::Timeout,
            draw if draw < load + load / 4 => Outcome::ClientTimeout,
            _ if at_us > 39_990_000 => Outcome::InFlight,
            _ => Outcome::Ok,
        };
        let service_us = match outcome {
            Outcome::Ok => seeded.time_us(2_000 + load * 60),
            Outcome::Timeout => 29_000_000 + seeded.below(9_000),
            Outcome::ClientTimeout => 30_000_000,
            Outcome::FunctionError => seeded.time_us(90_000),
            Outcome::InFlight => 10_000 + seeded.below(8_000),
            _ => seeded.time_us(400),
        };
        run.request(at_us, late_us, service_us, outcome);
    }
    let mut recording = run.recording;
    recording.interrupted = true;
    let attempts = recording.offered;
    recording.retries = RetryCounts {
        operations: attempts * 4 / 5,
        attempts,
        succeeded: attempts * 3 / 4,
        attempts_exhausted: 131,
        budget_denied: 57,
        ..RetryCounts::default()
    };
    for _ in 0..recording.retries.operations {
        let time_us = seeded.time_us(12_000);
        recording.operation_time_us.record(time_us).unwrap();
        recording.operation_time_ok_us.record(time_us).unwrap();
    }
    recording.limiters.insert("<b>waf</b>".to_owned(), 3);
    recording.examples = BTreeMap::from([
        (
            Outcome::FunctionError,
            "502 {\"message\":\"<script>alert('x')</script> | `bad` & \u{1b}[31mred\"}".to_owned(),
        ),
        (Outcome::Timeout, "504 {\"message\": \"Endpoint request timed out\"}".to_owned()),
    ]);
    recording
}

/// 2,000 rps planned on a machine that could not keep up.
pub(crate) fn late() -> Recording {
    let mut seeded = Seeded(4);
    let mut run = Run::new(5, 500);
    for index in 0..10_000_u64 {
        let late_us = index * 3 + seeded.below(900);
        run.request(index * 500, late_us, seeded.time_us(800), Outcome::Ok);
    }
    run.recording.generator.cpu = Duration::from_millis(4_930);
    run.recording.generator.connections_opened = 64;
    run.recording
}

/// Nobody listens.
pub(crate) fn refused() -> Recording {
    let mut seeded = Seeded(5);
    let mut run = Run::new(2, 1_000);
    for index in 0..200 {
        run.request(index * 10_000, 4, 60 + seeded.below(40), Outcome::ConnectError);
    }
    run.recording.examples.insert(
        Outcome::ConnectError,
        "127.0.0.1:3000: connection refused (os error 111)".to_owned(),
    );
    run.recording.generator.connections_opened = 0;
    run.recording
}

/// Nothing was planned.
pub(crate) fn nothing() -> Recording {
    let mut recording = Run::new(1, 1_000).recording;
    recording.timeline.clear();
    recording.elapsed = Duration::ZERO;
    recording.generator = GeneratorUse::default();
    recording
}
