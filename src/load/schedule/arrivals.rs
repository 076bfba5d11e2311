//! A schedule's arrivals one by one: see the formulae in the module above.

use super::super::seeded::{self, Stream};
use super::{ArrivalProcess, Schedule, Stage};

/// One planned request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the run's one sequence, from 0.
    pub index: u64,
    /// When it is due, nanoseconds from the run's start.
    pub at_ns: u64,
}

/// A part of a schedule's arrivals. See [`Schedule::arrivals`].
#[derive(Debug, Clone)]
pub struct Arrivals {
    stages: Vec<Stage>,
    process: ArrivalProcess,
    seed: u64,
    part: u64,
    of: u64,
    /// The next arrival's place in the sequence.
    index: u64,
    /// `u` of the latest Poisson arrival.
    due_count: f64,
    /// The stage that the latest arrival fell into, its start, and the requests due before it.
    stage: usize,
    stage_count: f64,
    stage_start_ns: f64,
}

/// Requests by which two counts may differ and still be the same: rounding in rates times
/// durations (`0.1 × 3`) must not add an arrival at the very end.
const COUNT_TOLERANCE: f64 = 1e-6;

impl Arrivals {
    /// The arrivals `part`, `part + of`, … of a schedule.
    pub(super) fn new(schedule: &Schedule, part: u64, of: u64) -> Self {
        Self {
            stages: schedule.stages.clone(),
            process: schedule.process,
            seed: schedule.seed,
            part,
            of,
            index: 0,
            due_count: 0.0,
            stage: 0,
            stage_count: 0.0,
            stage_start_ns: 0.0,
        }
    }

    /// Where `Λ(t) = count`; `None` past the end.
    fn instant_ns(&mut self, count: f64) -> Option<u64> {
        loop {
            let stage = self.stages.get(self.stage)?;
            let expected = stage.expected();
            let inside = (count - self.stage_count).max(0.0);
            if inside < expected - COUNT_TOLERANCE {
                // Rounding must not carry an arrival past the end, where nobody waits for it.
                let last_ns = stage.duration.as_nanos() as f64 - 1.0;
                let offset_ns = stage.offset_ns(inside).min(last_ns);
                return Some((self.stage_start_ns + offset_ns).round() as u64);
            }
            self.stage_count += expected;
            self.stage_start_ns += stage.duration.as_nanos() as f64;
            self.stage += 1;
        }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let index = self.index;
            let count = match self.process {
                ArrivalProcess::Constant => index as f64,
                ArrivalProcess::Poisson => {
                    self.due_count -= seeded::unit(self.seed, Stream::Gap, index).ln();
                    self.due_count
                }
            };
            let at_ns = self.instant_ns(count)?;
            self.index += 1;
            if index % self.of == self.part {
                return Some(Arrival { index, at_ns });
            }
        }
    }
}
