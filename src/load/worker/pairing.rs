//! Pairs of sends at high rates: one waking serves two.
//!
//! Where a waking costs more CPU than a request, waking for each would be most of the work. At a high
//! rate the first of two requests waits for the second's instant, and both leave then. The second is
//! exactly on time and the first late by the gap between them, which lateness and response time show.
//! Every [`CYCLE`] requests one goes alone, so that more than half of all are on time: a median stays
//! that of requests sent at their own instants.

use super::super::plan::{Pace, Plan};
use super::super::schedule::{Arrival, Stage};
use std::collections::VecDeque;

/// The widest gap that is waited for: nothing is late by more on purpose.
const GAP_MAX_NS: u64 = 150_000;
/// A thread that never sends faster than this pairs nothing, however near two random arrivals are.
const RATE_MIN_RPS: f64 = 1e9 / GAP_MAX_NS as f64;
/// Eight pairs and one alone.
const CYCLE: u64 = 17;

/// Which sends are paired.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pairing {
    is_on: bool,
    workers: u64,
}

impl Pairing {
    /// On in an open loop whose threads send often enough, unless the plan names its own window.
    pub(super) fn new(plan: &Plan, workers: usize) -> Self {
        let rate_rps = match &plan.pace {
            Pace::Closed { .. } => 0.0,
            Pace::Open(schedule) => {
                let highest = |stage: &Stage| stage.from_rps.max(stage.to_rps);
                schedule.stages().iter().map(highest).fold(0.0, f64::max)
            }
        };
        let is_on = plan.send_window.is_none() && rate_rps / workers as f64 > RATE_MIN_RPS;
        Self { is_on, workers: workers as u64 }
    }

    /// The next two instants to wake at, for what lies ahead of a thread.
    pub(super) fn wakings(self, ahead: &VecDeque<Arrival>) -> [Option<u64>; 2] {
        let mut ahead = ahead.iter().peekable();
        std::array::from_fn(|_| {
            let first = ahead.next()?;
            let paired_ns = ahead.peek().and_then(|second| self.wait_for(first, second));
            if paired_ns.is_some() {
                ahead.next();
            }
            Some(paired_ns.unwrap_or(first.at_ns))
        })
    }

    /// The instant at which both of two successive arrivals of a thread leave, if they are a pair.
    fn wait_for(self, first: &Arrival, second: &Arrival) -> Option<u64> {
        let place = first.index / self.workers % CYCLE;
        let is_first = place % 2 == 0 && place + 1 < CYCLE;
        let is_near = second.at_ns.saturating_sub(first.at_ns) <= GAP_MAX_NS;
        (self.is_on && is_first && is_near).then_some(second.at_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::{Request, Target};
    use super::super::super::schedule::{ArrivalProcess, Schedule};
    use super::*;
    use std::time::Duration;

    fn plan(rate_rps: f64, process: ArrivalProcess) -> Plan {
        let schedule = Schedule::constant(rate_rps, Duration::from_secs(1), process, 7).unwrap();
        let request = Request {
            method: "GET".into(),
            path: "/".into(),
            headers: vec![],
            body: bytes::Bytes::new(),
        };
        let target = Target::parse("http://localhost/").unwrap();
        Plan::new(target, vec![request], Pace::Open(schedule))
    }

    /// How late each request of one thread of `workers` leaves, in nanoseconds, if only it is woken
    /// at the instants that pairing names.
    fn lateness_ns(plan: &Plan, workers: usize) -> Vec<u64> {
        let pairing = Pairing::new(plan, workers);
        let Pace::Open(schedule) = &plan.pace else { unreachable!() };
        let mut ahead: VecDeque<_> = schedule.arrivals(workers - 1, workers).collect();
        let (mut late_ns, mut foretold_ns) = (Vec::new(), None);
        while let [Some(wake_ns), after_ns] = pairing.wakings(&ahead) {
            assert!(foretold_ns.is_none_or(|foretold_ns| foretold_ns == wake_ns));
            foretold_ns = after_ns;
            let due = ahead.partition_point(|arrival| arrival.at_ns <= wake_ns);
            late_ns.extend(ahead.drain(..due).map(|arrival| wake_ns - arrival.at_ns));
        }
        late_ns
    }

    #[test]
    fn at_high_rates_most_are_on_time_and_none_is_later_than_a_gap() {
        for workers in [1, 2] {
            let rate_rps = 10_000.0 * workers as f64;
            let late_ns = lateness_ns(&plan(rate_rps, ArrivalProcess::Constant), workers);
            assert_eq!(late_ns.len(), 10_000);
            let on_time = late_ns.iter().filter(|late| **late == 0).count();
            assert!((5_250..5_350).contains(&on_time), "{on_time}");
            assert!(late_ns.iter().all(|late| *late == 0 || late.abs_diff(100_000) <= 1));
        }
        let late_ns = lateness_ns(&plan(10_000.0, ArrivalProcess::Poisson), 1);
        let on_time = late_ns.iter().filter(|late| **late == 0).count();
        assert!(on_time * 2 > late_ns.len(), "{on_time} of {}", late_ns.len());
        assert!(late_ns.iter().all(|late| *late <= GAP_MAX_NS));
        assert!(on_time < late_ns.len() * 3 / 4);
    }

    #[test]
    fn slow_threads_and_plans_with_a_window_of_their_own_pair_nothing() {
        let slow = [
            (plan(6_000.0, ArrivalProcess::Constant), 1),
            (plan(6_000.0, ArrivalProcess::Poisson), 1),
            (plan(10_000.0, ArrivalProcess::Poisson), 2),
        ];
        for (plan, workers) in slow {
            assert!(lateness_ns(&plan, workers).iter().all(|late| *late == 0));
        }
        let window = Some(Duration::ZERO);
        let exact = Plan { send_window: window, ..plan(50_000.0, ArrivalProcess::Constant) };
        assert!(lateness_ns(&exact, 1).iter().all(|late| *late == 0));
    }
}
