//! Sends that leave together (`--send-window`): one waking serves several.
//!
//! The first of a group waits for those that are due within the window after it, and all leave at the
//! last one's own instant. That one is on time and none is later than the window; lateness and
//! response time show by how much.

use super::super::schedule::Arrival;
use std::collections::VecDeque;
use std::time::Duration;

/// The most that leave together: replies must be read between groups.
pub(super) const GROUP_MAX: usize = 16;

/// Which sends leave together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gathering {
    window_ns: u64,
}

impl Gathering {
    /// Groups no longer than the window; zero gives each request an instant of its own.
    pub(super) fn new(window: Duration) -> Self {
        Self { window_ns: window.as_nanos() as u64 }
    }

    /// The next two instants at which something is to leave, for what lies ahead of a thread.
    pub(super) fn instants_ns(self, ahead: &VecDeque<Arrival>) -> [Option<u64>; 2] {
        let mut ahead = ahead.iter().map(|arrival| arrival.at_ns).peekable();
        std::array::from_fn(|_| {
            let first_ns = ahead.next()?;
            let mut last_ns = first_ns;
            for _ in 1..GROUP_MAX {
                let Some(at_ns) = ahead.next_if(|at_ns| *at_ns <= first_ns + self.window_ns) else {
                    break;
                };
                last_ns = at_ns;
            }
            Some(last_ns)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::schedule::{ArrivalProcess, Schedule};
    use super::*;

    /// How late each request leaves, in nanoseconds, if its thread is woken at the named instants
    /// only and sees as far ahead as a worker does.
    fn lateness_ns(rate_rps: f64, process: ArrivalProcess, window_us: u64) -> Vec<u64> {
        let schedule = Schedule::constant(rate_rps, Duration::from_secs(1), process, 7).unwrap();
        let mut rest = schedule.arrivals(0, 1);
        let gathering = Gathering::new(Duration::from_micros(window_us));
        let mut ahead: VecDeque<_> = rest.by_ref().take(2 * GROUP_MAX).collect();
        let (mut late_ns, mut foretold_ns) = (Vec::new(), None);
        while let [Some(wake_ns), after_ns] = gathering.instants_ns(&ahead) {
            assert!(foretold_ns.is_none_or(|foretold_ns| foretold_ns == wake_ns));
            foretold_ns = after_ns;
            let due = ahead.partition_point(|arrival| arrival.at_ns <= wake_ns);
            late_ns.extend(ahead.drain(..due).map(|arrival| wake_ns - arrival.at_ns));
            ahead.extend(rest.by_ref().take(due));
        }
        late_ns
    }

    #[test]
    fn the_last_of_each_group_is_on_time() {
        // Requests per second, window in us, how many leave together.
        let cases = [
            (10_000.0, 0, 1),
            (10_000.0, 99, 1),
            (10_000.0, 100, 2),
            (10_000.0, 250, 3),
            (1_000_000.0, 1_000, GROUP_MAX as u64),
        ];
        for (rate_rps, window_us, group) in cases {
            let gap_ns = 1e9 as u64 / rate_rps as u64;
            let late_ns = lateness_ns(rate_rps, ArrivalProcess::Constant, window_us);
            assert_eq!(late_ns.len() as f64, rate_rps);
            let whole_groups = late_ns.len() / group as usize * group as usize;
            for (place, late_ns) in late_ns[..whole_groups].iter().enumerate() {
                let expected_ns = (group - 1 - place as u64 % group) * gap_ns;
                assert_eq!(*late_ns, expected_ns, "{rate_rps}/s, {window_us} us, {place}");
            }
        }
    }

    #[test]
    fn random_arrivals_are_never_later_than_the_window() {
        for window_us in [0, 50, 300] {
            let late_ns = lateness_ns(10_000.0, ArrivalProcess::Poisson, window_us);
            assert!(late_ns.iter().all(|late_ns| *late_ns <= window_us * 1_000));
            let on_time = late_ns.iter().filter(|late_ns| **late_ns == 0).count();
            assert_eq!(on_time == late_ns.len(), window_us == 0);
        }
    }
}
