//! What a run is expected to take, from the runs before it.
//!
//! # Invariants
//! Pure: durations come in as arguments. One slow run (a preempted thread, a page fault) moves the
//! expectation by at most a fifth; a lasting change is followed within some twenty runs.

use std::time::Duration;

/// Weight of one run in the average.
const WEIGHT: f64 = 1.0 / 16.0;

/// How many times the average one run may count at most.
const OUTLIER_FACTOR_MAX: f64 = 4.0;

/// Running averages of a run's duration and of the elements that it was given.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RunCost {
    average: Option<Average>,
}

#[derive(Debug, Clone, Copy)]
struct Average {
    run_ns: f64,
    elements: f64,
}

impl RunCost {
    /// Takes a run into account.
    pub(super) fn observe(&mut self, elements: usize, took: Duration) {
        let (run_ns, elements) = (took.as_secs_f64() * 1e9, elements as f64);
        self.average = Some(match self.average {
            None => Average { run_ns, elements },
            Some(Average { run_ns: mean_ns, elements: mean }) => Average {
                run_ns: mean_ns + WEIGHT * (run_ns.min(OUTLIER_FACTOR_MAX * mean_ns) - mean_ns),
                elements: mean + WEIGHT * (elements - mean),
            },
        });
    }

    /// What a run on this many elements should take; `None` before the first run.
    ///
    /// A run with more elements than usual counts in proportion, one with fewer as the usual run:
    /// `run_ns * max(1, elements / elements_average)`.
    pub(super) fn expect(&self, elements: usize) -> Option<Duration> {
        let Average { run_ns, elements: mean } = self.average?;
        let factor = if mean > 0.0 { (elements as f64 / mean).max(1.0) } else { 1.0 };
        Some(Duration::from_nanos((run_ns * factor) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(runs: &[(usize, u64)]) -> RunCost {
        let mut cost = RunCost::default();
        for (elements, us) in runs {
            cost.observe(*elements, Duration::from_micros(*us));
        }
        cost
    }

    #[test]
    fn nothing_is_expected_before_the_first_run() {
        assert_eq!(RunCost::default().expect(4), None);
    }

    #[test]
    fn a_larger_request_counts_in_proportion() {
        let cost = after(&[(4, 10)]);
        for (elements, us) in [(0, 10), (1, 10), (4, 10), (8, 20), (4000, 10_000)] {
            assert_eq!(cost.expect(elements), Some(Duration::from_micros(us)), "{elements}");
        }
    }

    #[test]
    fn one_slow_run_hardly_counts() {
        let mut cost = after(&[(4, 10)]);
        cost.observe(4, Duration::from_secs(1));
        assert!(cost.expect(4).unwrap() < Duration::from_micros(12), "{cost:?}");
    }

    #[test]
    fn a_lasting_change_is_followed_both_ways() {
        let mut cost = after(&[(4, 10)]);
        (0..20).for_each(|_| cost.observe(4, Duration::from_millis(1)));
        assert!(cost.expect(4).unwrap() > Duration::from_micros(200), "{cost:?}");
        (0..100).for_each(|_| cost.observe(4, Duration::from_micros(10)));
        assert!(cost.expect(4).unwrap() < Duration::from_micros(12), "{cost:?}");
    }

    #[test]
    fn requests_without_elements_do_not_divide_by_zero() {
        assert_eq!(after(&[(0, 10)]).expect(5), Some(Duration::from_micros(10)));
    }
}
