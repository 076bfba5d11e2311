//! `--find-max`: the search for the highest rate at which every objective holds.
//!
//! ```text
//! start, 2 start, 4 start, …  until a miss   (or halving, when the start misses already)
//! then the geometric middle of the highest rate that held and the lowest that missed,
//! until the two are within the resolution
//! ```
//! Pure: the caller runs the load and says whether the objectives held. A run whose generator is
//! not valid counts as a miss, with a note: the rate is then the generator's limit.

use crate::error::{Exit, Explain};
use serde::{Deserialize, Serialize};

/// The most runs one search makes.
pub const PROBES_MAX: usize = 24;

/// The resolution unless told: the two ends of the search are at most this far apart, relatively.
pub const RESOLUTION: f64 = 0.05;

/// The lowest rate that is tried.
pub const RATE_MIN_RPS: f64 = 0.1;

/// Which share of the highest rate that held a usage plan is suggested to admit steadily.
///
/// The rest is the burst, so that in no second more is admitted than a whole run has shown to hold:
/// a full bucket and one second's refill are `0.2 max + 0.8 max`.
pub const STEADY_SHARE: f64 = 0.8;

/// A search in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    start_rps: f64,
    ceiling_rps: f64,
    resolution: f64,
    probes: Vec<Probe>,
}

/// One run of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Offered rate.
    pub rate_rps: f64,
    /// Whether every objective held.
    pub holds: bool,
    /// What to know of it: the objective missed, or why the generator was not valid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// What a search ended with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The runs, in the order made.
    pub probes: Vec<Probe>,
    /// The highest rate that held; `None` when none did.
    pub rate_max_rps: Option<f64>,
    /// Whether a higher rate was seen to miss, so that `rate_max_rps` is a limit and not only
    /// where the search stopped.
    pub limit_seen: bool,
    /// A usage plan that stays below it.
    pub suggestion: Option<Suggestion>,
}

/// A usage plan's throttle.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Steady rate: [`STEADY_SHARE`] of the highest rate that held, rounded down.
    pub rate_rps: f64,
    /// Bucket size: the rest of it, rounded down, at least 1.
    pub burst: u64,
}

/// Why a search cannot start.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The bounds are no rates or the wrong way round.
    #[error("search from {start_rps} to {ceiling_rps} requests per second: not two rising rates")]
    Bounds {
        /// The rate to start at.
        start_rps: f64,
        /// The highest rate to try.
        ceiling_rps: f64,
    },
    /// The resolution is no share.
    #[error("search resolution {0}: not between 0 and 1")]
    Resolution(f64),
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("`--find-max` starts at `--rps`, for instance `--rps 100`".to_owned())
    }
}

impl Search {
    /// A search that starts at `start_rps` and never goes above `ceiling_rps`.
    ///
    /// # Errors
    /// The bounds are not `RATE_MIN_RPS <= start_rps <= ceiling_rps`, or the resolution is not
    /// between 0 and 1.
    pub fn new(start_rps: f64, ceiling_rps: f64, resolution: f64) -> Result<Self, Error> {
        let rising = start_rps >= RATE_MIN_RPS && ceiling_rps >= start_rps;
        if !rising || !ceiling_rps.is_finite() {
            return Err(Error::Bounds { start_rps, ceiling_rps });
        }
        if !(resolution > 0.0 && resolution < 1.0) {
            return Err(Error::Resolution(resolution));
        }
        Ok(Self { start_rps, ceiling_rps, resolution, probes: Vec::new() })
    }

    /// The next rate to run at; `None` when the search is over.
    pub fn next(&self) -> Option<f64> {
        if self.probes.len() >= PROBES_MAX {
            return None;
        }
        let rate_rps = match (self.highest_held(), self.lowest_missed()) {
            (None, None) => self.start_rps,
            (None, Some(missed)) => readable(missed / 2.0),
            (Some(held), None) if held >= self.ceiling_rps => return None,
            (Some(held), None) => (held * 2.0).min(self.ceiling_rps),
            (Some(held), Some(missed)) if missed <= held * (1.0 + self.resolution) => return None,
            (Some(held), Some(missed)) => {
                let middle = readable((held * missed).sqrt());
                if middle <= held || middle >= missed {
                    return None;
                }
                middle
            }
        };
        (rate_rps >= RATE_MIN_RPS).then_some(rate_rps)
    }

    /// Says how the run at `rate_rps` ended.
    pub fn record(&mut self, rate_rps: f64, holds: bool) {
        self.record_noted(rate_rps, holds, None);
    }

    /// [`Search::record`] with what a reader should know of the run.
    pub fn record_noted(&mut self, rate_rps: f64, holds: bool, note: Option<String>) {
        self.probes.push(Probe { rate_rps, holds, note });
    }

    /// What the search has found so far.
    pub fn findings(&self) -> Findings {
        let rate_max_rps = self.highest_held();
        Findings {
            probes: self.probes.clone(),
            rate_max_rps,
            limit_seen: self.lowest_missed().is_some(),
            suggestion: rate_max_rps.map(Suggestion::below),
        }
    }

    fn lowest_missed(&self) -> Option<f64> {
        let missed = self.probes.iter().filter(|probe| !probe.holds);
        missed.map(|probe| probe.rate_rps).min_by(f64::total_cmp)
    }

    /// The highest rate that held below the lowest that missed: a noisy machine may hold above one.
    fn highest_held(&self) -> Option<f64> {
        let missed = self.lowest_missed().unwrap_or(f64::INFINITY);
        let held = self.probes.iter().filter(|probe| probe.holds && probe.rate_rps < missed);
        held.map(|probe| probe.rate_rps).max_by(f64::total_cmp)
    }
}

impl Suggestion {
    fn below(rate_max_rps: f64) -> Self {
        let steady_rps = rate_max_rps * STEADY_SHARE;
        let rate_rps = if steady_rps >= 10.0 {
            steady_rps.floor()
        } else {
            (steady_rps * 10.0).floor() / 10.0
        };
        let burst = (rate_max_rps - steady_rps).floor().max(1.0) as u64;
        Self { rate_rps, burst }
    }
}

/// A rate a person would type: three digits or whole.
fn readable(rate_rps: f64) -> f64 {
    if rate_rps >= 100.0 {
        rate_rps.round()
    } else if rate_rps >= 10.0 {
        (rate_rps * 10.0).round() / 10.0
    } else {
        (rate_rps * 100.0).round() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs the whole search against a target that holds up to `limit_rps`.
    fn search(start_rps: f64, ceiling_rps: f64, limit_rps: f64) -> Findings {
        let mut search = Search::new(start_rps, ceiling_rps, RESOLUTION).unwrap();
        while let Some(rate_rps) = search.next() {
            search.record(rate_rps, rate_rps <= limit_rps);
        }
        search.findings()
    }

    #[test]
    fn doubles_until_a_miss_then_bisects() {
        let rates: Vec<f64> =
            search(100.0, 1e6, 730.0).probes.iter().map(|probe| probe.rate_rps).collect();
        assert_eq!(rates, [100.0, 200.0, 400.0, 800.0, 566.0, 673.0, 734.0, 703.0]);
    }

    #[test]
    fn ends_in_a_plan_whose_first_second_stays_below_what_held() {
        let found = search(100.0, 1e6, 730.0);
        assert_eq!(found.rate_max_rps, Some(703.0));
        assert!(found.limit_seen);
        assert_eq!(found.suggestion, Some(Suggestion { rate_rps: 562.0, burst: 140 }));
        let small = search(1.0, 10.0, 3.0);
        assert_eq!(small.suggestion, Some(Suggestion { rate_rps: 2.3, burst: 1 }));
    }

    #[test]
    fn halves_when_the_start_misses_and_stops_when_nothing_holds() {
        let found = search(100.0, 1e6, 30.0);
        assert_eq!(found.rate_max_rps, Some(29.7));
        let nothing = search(100.0, 1e6, 0.0);
        assert_eq!((nothing.rate_max_rps, nothing.suggestion), (None, None));
        assert_eq!(nothing.probes.last().map(|probe| probe.rate_rps), Some(0.1));
    }

    #[test]
    fn stops_at_the_ceiling_without_claiming_a_limit() {
        let found = search(100.0, 300.0, 1e9);
        assert_eq!((found.rate_max_rps, found.limit_seen), (Some(300.0), false));
        assert_eq!(found.probes.len(), 3);
    }

    #[test]
    fn refuses_what_is_no_search() {
        for (start, ceiling) in [(0.0, 10.0), (-1.0, 10.0), (20.0, 10.0), (f64::NAN, 1.0)] {
            assert!(matches!(Search::new(start, ceiling, 0.05), Err(Error::Bounds { .. })));
        }
        assert!(Search::new(1.0, f64::INFINITY, 0.05).is_err());
        assert_eq!(Search::new(1.0, 2.0, 1.0), Err(Error::Resolution(1.0)));
    }

    proptest! {
        #[test]
        fn always_ends_close_to_the_limit(
            start_rps in 0.1_f64..10_000.0,
            limit_rps in 0.5_f64..1e6,
        ) {
            let found = search(start_rps, 1e6, limit_rps);
            prop_assert!(found.probes.len() <= PROBES_MAX);
            if found.probes.len() < PROBES_MAX && let Some(held) = found.rate_max_rps {
                prop_assert!(held <= limit_rps);
                prop_assert!(held * 1.06 >= limit_rps.min(1e6), "{held} of {limit_rps}");
                let plan = found.suggestion.unwrap();
                prop_assert!(plan.rate_rps + plan.burst as f64 <= held.max(plan.rate_rps + 1.0));
            }
        }

        #[test]
        fn ends_for_any_answers(answers in proptest::collection::vec(any::<bool>(), PROBES_MAX)) {
            let mut search = Search::new(100.0, 1e6, RESOLUTION).unwrap();
            for holds in answers {
                let Some(rate_rps) = search.next() else { break };
                prop_assert!((RATE_MIN_RPS..=1e6).contains(&rate_rps));
                search.record(rate_rps, holds);
            }
            prop_assert_eq!(search.next(), search.clone().next());
            prop_assert!(search.findings().probes.len() <= PROBES_MAX);
        }
    }
}
