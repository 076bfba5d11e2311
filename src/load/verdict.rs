//! Whether the generator did what it was told: without that, percentiles describe the generator.
//!
//! Response time counts from the intended send instant, so a late generator cannot hide a slow
//! target; but it then offers another load than the schedule says, and its own delay is in every
//! number. Past the bounds below a run is **not valid**: reports say so in place of presenting its
//! percentiles as the target's, and no assertion passes.

use super::class::Class;
use super::outcome::Outcome;
use super::recording::Recording;
use super::units;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A 99th percentile of lateness up to this is never held against a run.
pub const LATENESS_P99_FLOOR: Duration = Duration::from_millis(1);

/// Above the floor, lateness may be this share of the median service time.
///
/// A tenth of a millisecond matters to a reply of one; to a reply of a second it does not.
pub const LATENESS_SHARE_OF_SERVICE_TIME: f64 = 0.05;

/// Up to this share of the planned requests may be unsent at the end.
pub const UNSENT_SHARE_MAX: f64 = 0.01;

/// From this share of arrivals on, waiting for a connection is named as the cause of lateness.
pub const WAITED_SHARE_NAMED: f64 = 0.01;

/// From this share of its threads' time on, the generator is suspected of being the bottleneck.
pub const CPU_SHARE_SUSPICIOUS: f64 = 0.95;

/// The verdict on the generator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorValidity {
    /// Whether the load offered was the load planned.
    pub valid: bool,
    /// Why not, with what to change; `None` when valid.
    pub reason: Option<String>,
    /// What casts doubt without making the run invalid.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Judges the generator by what it recorded of itself.
///
/// Invalid when nothing was offered, when the machine refused the generator a connection (which
/// would pass for the target's error), when the p99 of lateness is beyond [`lateness_p99_bound`], or
/// when more than [`UNSENT_SHARE_MAX`] of the planned requests were never sent though nothing
/// but the generator held them back; what a modelled client's own rate limit held back is a
/// warning, since the load is then the client's and not the schedule's. High CPU use alone is a warning: a closed loop is meant to use
/// all it gets, and an open loop that spins before a send instant does so on purpose.
pub fn judge(recording: &Recording) -> GeneratorValidity {
    let reason = nothing_offered(recording)
        .or_else(|| denied(recording))
        .or_else(|| late(recording))
        .or_else(|| unsent(recording));
    let mut warnings = Vec::new();
    if let Some(share) = cpu_share(recording)
        && share > CPU_SHARE_SUSPICIOUS
    {
        warnings.push(format!(
            "the generator used {} of its {}: the rate may be its own limit rather than the target's",
            units::percent(share.min(1.0)),
            threads(recording.generator.workers),
        ));
    }
    let held_back = recording.retries.held_back;
    if share_of_offered(held_back, recording) > UNSENT_SHARE_MAX {
        warnings.push(format!(
            "{} of the {} planned requests ({}) were still held back by the clients' own rate limit \
             (`--retry adaptive`) at the end",
            units::count(held_back),
            units::count(recording.offered),
            units::percent(share_of_offered(held_back, recording)),
        ));
    }
    if recording.interrupted {
        warnings.push("the run was stopped early: the numbers cover what was sent".to_owned());
    }
    GeneratorValidity { valid: reason.is_none(), reason, warnings }
}

/// The largest p99 of lateness of a valid run:
/// `max(LATENESS_P99_FLOOR, LATENESS_SHARE_OF_SERVICE_TIME x median service time)`.
pub fn lateness_p99_bound(recording: &Recording) -> Duration {
    let service_time_us = Class::All.service_time_us(recording);
    let median_us =
        if service_time_us.is_empty() { 0 } else { service_time_us.value_at_quantile(0.5) };
    let share = Duration::from_micros(median_us).mul_f64(LATENESS_SHARE_OF_SERVICE_TIME);
    share.max(LATENESS_P99_FLOOR)
}

/// CPU time used as a share of what the generator's threads had, if it is known.
pub fn cpu_share(recording: &Recording) -> Option<f64> {
    let available_s = recording.elapsed.as_secs_f64() * recording.generator.workers as f64;
    (available_s > 0.0).then(|| recording.generator.cpu.as_secs_f64() / available_s)
}

fn nothing_offered(recording: &Recording) -> Option<String> {
    (recording.offered == 0)
        .then(|| "no request was planned, so there is nothing to judge".to_owned())
}

fn denied(recording: &Recording) -> Option<String> {
    let denied = recording.generator.connections_denied;
    (denied > 0).then(|| {
        format!(
            "this machine refused the generator {} connections for want of open files or ports: \
             raise `ulimit -n`, or lower `--connections`",
            units::count(denied)
        )
    })
}

fn late(recording: &Recording) -> Option<String> {
    if recording.lateness_us.is_empty() {
        return None;
    }
    let p99 = Duration::from_micros(recording.lateness_us.value_at_quantile(0.99));
    let bound = lateness_p99_bound(recording);
    if p99 <= bound {
        return None;
    }
    let measured = format!(
        "1 % of the requests were sent {} or more after their intended instant (bound {})",
        units::time(micros(p99)),
        units::time(micros(bound)),
    );
    Some(format!("{measured}: {}", cause_of_lateness(recording)))
}

fn cause_of_lateness(recording: &Recording) -> String {
    let generator = &recording.generator;
    let waited = generator.connections_waited as f64 / recording.offered.max(1) as f64;
    if waited >= WAITED_SHARE_NAMED {
        return format!(
            "{} of the arrivals had to wait for a free connection (longest queue {}); \
             raise `--connections`, or take the wait as the client's",
            units::percent(waited.min(1.0)),
            units::count(generator.backlog_max),
        );
    }
    if cpu_share(recording).is_some_and(|share| share > CPU_SHARE_SUSPICIOUS) {
        return "the generator's CPU is used up; lower `--rps` or add `--workers`".to_owned();
    }
    "the generator was not scheduled in time; run it on a less busy machine".to_owned()
}

fn unsent(recording: &Recording) -> Option<String> {
    let ended: u64 = Class::All.count(recording);
    let in_flight = Class::Only(Outcome::InFlight).count(recording);
    // A refused connection also leaves a request unsent, but has its own outcome: only requests
    // without an end can be the generator's debt.
    let without_end = in_flight + recording.offered.saturating_sub(ended);
    let unsent = recording.offered.saturating_sub(recording.sent).min(without_end);
    let unsent = unsent.saturating_sub(recording.retries.held_back);
    let share = share_of_offered(unsent, recording);
    (share > UNSENT_SHARE_MAX).then(|| {
        format!(
            "{} of the {} planned requests ({}) were never sent: {}",
            units::count(unsent),
            units::count(recording.offered),
            units::percent(share),
            cause_of_lateness(recording),
        )
    })
}

fn share_of_offered(count: u64, recording: &Recording) -> f64 {
    count as f64 / recording.offered.max(1) as f64
}

fn threads(workers: usize) -> String {
    if workers == 1 { "1 thread".to_owned() } else { format!("{workers} threads") }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::sample::{self, Batch};

    /// 1,000 requests in 10 s, each `service_us` long and `late_us` late.
    fn recording(service_us: u64, late_us: u64) -> Recording {
        sample::recording(&[Batch {
            outcome: Outcome::Ok,
            count: 1_000,
            response_time_us: service_us + late_us,
            service_time_us: service_us,
        }])
    }

    #[test]
    fn lateness_is_held_to_the_floor_or_to_the_service_time() {
        let cases = [
            (500, 900, true),
            (500, 1_100, false),
            (100_000, 4_000, true),
            (100_000, 6_000, false),
        ];
        for (service_us, late_us, valid) in cases {
            let verdict = judge(&recording(service_us, late_us));
            assert_eq!(verdict.valid, valid, "{service_us} {late_us} {verdict:?}");
            assert_eq!(verdict.reason.is_none(), valid);
        }
    }

    #[test]
    fn a_machine_that_refuses_connections_makes_a_run_invalid() {
        let mut short = recording(500, 0);
        short.generator.connections_denied = 1;
        assert!(judge(&short).reason.unwrap().contains("for want of open files"));
    }

    #[test]
    fn the_reason_names_the_cause() {
        let mut waiting = recording(500, 50_000);
        waiting.generator.connections_waited = 400;
        waiting.generator.backlog_max = 37;
        let mut busy = recording(500, 50_000);
        busy.generator.cpu = Duration::from_millis(9_900);
        let cases = [
            (waiting, "40 % of the arrivals had to wait for a free connection (longest queue 37)"),
            (busy, "CPU is used up"),
            (recording(500, 50_000), "less busy machine"),
        ];
        for (case, cause) in cases {
            let reason = judge(&case).reason.unwrap();
            assert!(reason.contains(cause), "{reason}");
            assert!(
                reason.starts_with("1 % of the requests were sent 50.0 ms or more"),
                "{reason}"
            );
        }
    }

    #[test]
    fn unsent_requests_are_the_generators_unless_the_target_refused_them() {
        let mut stuck = recording(500, 0);
        stuck.sent = 900;
        let in_flight = stuck.outcomes.get(&Outcome::Ok).unwrap().clone();
        stuck.outcomes.insert(Outcome::InFlight, in_flight);
        stuck.offered = 2_000;
        let reason = judge(&stuck).reason.unwrap();
        assert!(reason.starts_with("1,000 of the 2,000 planned requests (50 %)"), "{reason}");

        stuck.retries.held_back = 990;
        let held_back = judge(&stuck);
        assert!(held_back.valid, "{held_back:?}");
        assert!(held_back.warnings[0].contains("held back by the clients' own rate limit"));
        stuck.retries.held_back = 970;
        let reason = judge(&stuck).reason.unwrap();
        assert!(reason.starts_with("30 of the 2,000 planned requests (1.5 %)"), "{reason}");

        let mut refused = recording(500, 0);
        refused.sent = 0;
        let times = refused.outcomes.remove(&Outcome::Ok).unwrap();
        refused.outcomes.insert(Outcome::ConnectError, times);
        assert!(judge(&refused).valid, "an unreachable target is the target's");
    }

    #[test]
    fn high_cpu_and_an_early_end_are_warnings() {
        let mut busy = recording(500, 0);
        busy.generator.cpu = Duration::from_millis(9_900);
        busy.interrupted = true;
        let verdict = judge(&busy);
        assert!(verdict.valid);
        assert_eq!(verdict.warnings.len(), 2);
        assert!(verdict.warnings[0].starts_with("the generator used 99 % of its 1 thread"));
    }

    #[test]
    fn nothing_offered_is_not_valid_and_a_closed_loop_has_no_lateness() {
        let mut nothing = recording(500, 0);
        nothing.offered = 0;
        assert!(!judge(&nothing).valid);
        let mut closed = recording(500, 0);
        closed.lateness_us.reset();
        assert!(judge(&closed).valid);
    }
}
