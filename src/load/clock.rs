//! The run's clock: nanoseconds since the common start of all workers.

use std::time::{Duration, Instant};

/// Counts from the run's start, which may lie a little ahead so that all workers are ready for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts `ahead` from now.
    pub(super) fn starting_in(ahead: Duration) -> Self {
        Self { start: instant() + ahead }
    }

    /// Waits until the clock has started.
    pub(super) fn wait_for_start(&self) {
        std::thread::sleep(self.start.saturating_duration_since(instant()));
    }

    /// Nanoseconds since the start; 0 before it.
    pub(super) fn now_ns(&self) -> u64 {
        instant().saturating_duration_since(self.start).as_nanos() as u64
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        instant().saturating_duration_since(self.start)
    }
}

#[expect(clippy::disallowed_methods, reason = "the load generator is the driver that keeps time")]
fn instant() -> Instant {
    Instant::now()
}

/// CPU time of the calling thread since it began.
pub(super) fn thread_cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec as u32)
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Nanoseconds since the run's start.
    pub(super) run_ns: u64,
    /// Nanoseconds of the wall clock.
    pub(super) wall_ns: u64,
}

/// Two readings of the run's clock further apart than this had something else run between them.
const MOMENT_NS: u64 = 20_000;
const MOMENT_TRIES: u32 = 3;

impl Clock {
    /// Both clocks at this moment; `None` if the thread was held up each time it read them.
    pub(super) fn moment(&self) -> Option<Moment> {
        (0..MOMENT_TRIES).find_map(|_| self.try_moment())
    }

    fn try_moment(&self) -> Option<Moment> {
        let before_ns = self.now_ns();
        let wall = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let run_ns = self.now_ns();
        let wall_ns = wall.tv_sec.unsigned_abs() * 1_000_000_000 + wall.tv_nsec as u64;
        (run_ns - before_ns < MOMENT_NS).then_some(Moment { run_ns, wall_ns })
    }
}

/// Turns stamps of the wall clock into the run's time.
///
/// Both clocks tick alike (what disciplines one disciplines the other), unless somebody sets the
/// wall clock: stamps from around that are not to be trusted.
#[derive(Debug, Default)]
pub(super) struct StampClock {
    /// What the wall clock was ahead of the run's by when last looked at.
    ahead_ns: Option<u64>,
    distrusted_until_ns: u64,
}

/// The clocks' distance may change by this much between two looks: the time between two readings.
const STEP_MIN_NS: u64 = MOMENT_NS;
/// How long stamps are not trusted after the wall clock was set.
const DISTRUST_NS: u64 = 1_000_000_000;

impl StampClock {
    /// The run's time at a stamp of the wall clock, which was read at the moment `at`; `None` if it
    /// cannot be told.
    pub(super) fn run_ns(&mut self, stamp_ns: u64, at: Moment) -> Option<u64> {
        let ahead_ns = at.wall_ns.wrapping_sub(at.run_ns);
        let before_ns = self.ahead_ns.replace(ahead_ns).unwrap_or(ahead_ns);
        if ahead_ns.abs_diff(before_ns) > STEP_MIN_NS {
            self.distrusted_until_ns = at.run_ns + DISTRUST_NS;
        }
        let age_ns = at.wall_ns.checked_sub(stamp_ns)?;
        if at.run_ns < self.distrusted_until_ns { None } else { at.run_ns.checked_sub(age_ns) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_NS: u64 = 86_400_000_000_000;

    fn moment(run_ns: u64, ahead_ns: u64) -> Moment {
        Moment { run_ns, wall_ns: run_ns + ahead_ns }
    }

    #[test]
    fn stamps_become_the_runs_time_unless_the_wall_clock_was_set() {
        let mut clock = StampClock { ahead_ns: Some(DAY_NS), distrusted_until_ns: 0 };
        let read =
            |clock: &mut StampClock, at: Moment, age_ns| clock.run_ns(at.wall_ns - age_ns, at);
        assert_eq!(read(&mut clock, moment(5_000_000, DAY_NS), 70_000), Some(4_930_000));
        assert_eq!(read(&mut clock, moment(5_000_000, DAY_NS + 900), 0), Some(5_000_000));
        assert_eq!(read(&mut clock, moment(5_000, DAY_NS), 6_000), None, "before the start");
        let future = moment(5_000_000, DAY_NS);
        assert_eq!(clock.run_ns(future.wall_ns + 1, future), None);
        for ahead_ns in [DAY_NS - 3_600_000_000_000, DAY_NS, DAY_NS + 40_000] {
            let at = moment(10 * DISTRUST_NS, ahead_ns);
            assert_eq!(read(&mut clock, at, 70_000), None, "set to {ahead_ns}");
            let later = moment(10 * DISTRUST_NS + DISTRUST_NS / 2, ahead_ns);
            assert_eq!(read(&mut clock, later, 70_000), None, "set to {ahead_ns} lately");
            let long_after = moment(20 * DISTRUST_NS, ahead_ns);
            assert_eq!(read(&mut clock, long_after, 0), Some(20 * DISTRUST_NS));
        }
    }

    #[test]
    fn both_clocks_are_read_at_one_moment() {
        let clock = Clock::starting_in(Duration::ZERO);
        let moments: Vec<_> = (0..1_000).filter_map(|_| clock.moment()).collect();
        assert!(moments.windows(2).all(|pair| pair[0].run_ns <= pair[1].run_ns));
        assert!(!moments.is_empty() && moments.iter().all(|at| at.wall_ns > DAY_NS));
    }
}
