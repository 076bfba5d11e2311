//! When requests are due: rates, stages and arrival processes, computed ahead of the run.
//!
//! # Grammar of `--stages`
//! ```text
//! stages := stage { "," stage }
//! stage  := duration ":" rate [ ".." rate ]      10s:100   a step at 100 requests/s
//!                                                10s:100..500   a linear ramp
//! ```
//! Rates are decimal numbers of requests per second; `0` is a pause, but some stage must ask for
//! requests. Durations are as in [`super::duration`]. Spaces around parts are allowed.
//!
//! # How instants are computed
//! Let `Λ(t)` be the number of requests due by `t`: the integral of the rate. Arrival `k` is due
//! where `Λ(t) = u_k`, with `u_k = k` for constant arrivals and `u_k = E_0 + … + E_k`, `E_i`
//! exponential with mean 1, for Poisson ones (time rescaling of a unit-rate process). So a constant
//! rate `r` over `d` gives exactly `r·d` arrivals, at `0, 1/r, 2/r, …`.
//!
//! # Invariants
//! Pure and independent of replies and of the number of workers: worker `i` of `n` gets the
//! arrivals `i, i+n, i+2n, …` of the one sequence.

mod arrivals;

pub use arrivals::{Arrival, Arrivals};

use super::duration;
use crate::error::{Exit, Explain};
use std::str::FromStr;
use std::time::Duration;

/// The highest rate accepted, requests per second.
pub const RATE_MAX_RPS: f64 = 10_000_000.0;
/// The most stages accepted.
pub const STAGES_MAX: usize = 1_000;

/// Why a rate, a list of stages or a schedule is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Not a number at all.
    #[error("rate `{0}` is not a number of requests per second")]
    RateNotNumber(String),
    /// Zero, negative, not finite or above [`RATE_MAX_RPS`].
    #[error("rate `{0}` is out of range: more than 0 and at most 10000000 requests per second")]
    RateRange(String),
    /// A stage without `duration:rate`.
    #[error("stage `{0}` is not of the form `duration:rate` or `duration:rate..rate`")]
    Stage(String),
    /// A stage's duration.
    #[error("stage `{stage}`")]
    StageDuration {
        /// The stage as written.
        stage: String,
        /// What is wrong with its duration.
        source: duration::Error,
    },
    /// A duration of zero.
    #[error("`{0}` lasts no time")]
    NoTime(String),
    /// More than [`STAGES_MAX`] stages.
    #[error("{0} stages are more than 1000")]
    StagesMany(usize),
    /// Every stage is a pause, or the run is too short for one request.
    #[error("the schedule asks for no request")]
    NoRequests,
    /// An arrival process by another name.
    #[error("arrivals `{0}` are neither `constant` nor `poisson`")]
    Process(String),
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::RateNotNumber(_) | Self::RateRange(_) => {
                "write requests per second, for instance `--rps 500`, or `--rps max`".into()
            }
            Self::Process(_) => "write `--arrivals constant` or `--arrivals poisson`".into(),
            Self::StageDuration { source, .. } => return source.hint(),
            Self::NoTime(_) => "give a duration of more than zero, for instance `30s`".into(),
            _ => "write stages as `10s:100,30s:100..500,5s:2000`".into(),
        })
    }
}

/// What `--rps` asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// `max`: a closed loop, as fast as the connections allow.
    Max,
    /// An open loop at this many requests per second.
    PerSecond(f64),
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let rate = read_rate(text)?;
        if rate > 0.0 { Ok(Self::PerSecond(rate)) } else { Err(Error::RateRange(text.to_owned())) }
    }
}

/// A rate from zero up.
fn read_rate(text: &str) -> Result<f64, Error> {
    let rate: f64 = text.parse().map_err(|_bad| Error::RateNotNumber(text.to_owned()))?;
    if rate.is_nan() {
        return Err(Error::RateNotNumber(text.to_owned()));
    }
    if (0.0..=RATE_MAX_RPS).contains(&rate) {
        Ok(rate.abs())
    } else {
        Err(Error::RateRange(text.to_owned()))
    }
}

/// How arrivals are spaced (`--arrivals`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArrivalProcess {
    /// Evenly.
    #[default]
    Constant,
    /// With independent exponential gaps, as many users make them.
    Poisson,
}

impl FromStr for ArrivalProcess {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "constant" => Ok(Self::Constant),
            "poisson" => Ok(Self::Poisson),
            other => Err(Error::Process(other.to_owned())),
        }
    }
}

/// One stretch of the run: the rate goes linearly from `from_rps` to `to_rps`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// How long it lasts.
    pub duration: Duration,
    /// Requests per second at its start.
    pub from_rps: f64,
    /// Requests per second at its end; the same for a step.
    pub to_rps: f64,
}

impl FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let (time, rates) = text.split_once(':').ok_or_else(|| Error::Stage(text.to_owned()))?;
        let duration = duration::parse(time)
            .map_err(|source| Error::StageDuration { stage: text.to_owned(), source })?;
        if duration.is_zero() {
            return Err(Error::NoTime(text.to_owned()));
        }
        let (from_rps, to_rps) = match rates.split_once("..") {
            Some((from, to)) => (read_rate(from.trim())?, read_rate(to.trim())?),
            None => {
                let rate = read_rate(rates.trim())?;
                (rate, rate)
            }
        };
        Ok(Self { duration, from_rps, to_rps })
    }
}

impl Stage {
    /// Requests due in the stage.
    fn expected(&self) -> f64 {
        (self.from_rps + self.to_rps) / 2.0 * self.duration.as_secs_f64()
    }

    /// Nanoseconds into the stage by which `count` of its requests are due.
    fn offset_ns(&self, count: f64) -> f64 {
        if self.from_rps == self.to_rps {
            // Apart from the ramp so that whole numbers stay exact.
            return count * 1e9 / self.from_rps;
        }
        // Λ(t) = r0·t + a·t²/2; the form with the root in the denominator neither divides by a
        // vanishing slope nor subtracts nearly equal numbers.
        let slope = (self.to_rps - self.from_rps) / self.duration.as_secs_f64();
        let root = (self.from_rps * self.from_rps + 2.0 * slope * count).max(0.0).sqrt();
        let denominator = self.from_rps + root;
        if denominator == 0.0 { 0.0 } else { 2.0 * count / denominator * 1e9 }
    }
}

/// A whole run's stages (`--stages`).
#[derive(Debug, Clone, PartialEq)]
pub struct Stages(pub Vec<Stage>);

impl FromStr for Stages {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// The open loop's schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    stages: Vec<Stage>,
    process: ArrivalProcess,
    seed: u64,
}

impl Schedule {
    /// One rate for the whole run.
    ///
    /// # Errors
    /// The rate or the duration is out of range, or the two make less than one request.
    pub fn constant(
        rate_rps: f64,
        duration: Duration,
        process: ArrivalProcess,
        seed: u64,
    ) -> Result<Self, Error> {
        if !(rate_rps > 0.0 && rate_rps <= RATE_MAX_RPS) {
            return Err(Error::RateRange(rate_rps.to_string()));
        }
        if duration.is_zero() {
            return Err(Error::NoTime(duration::render(duration)));
        }
        let stage = Stage { duration, from_rps: rate_rps, to_rps: rate_rps };
        Self::staged(Stages(vec![stage]), process, seed)
    }

    /// Stage after stage.
    ///
    /// # Errors
    /// There are too many stages, or they ask for no request.
    pub fn staged(stages: Stages, process: ArrivalProcess, seed: u64) -> Result<Self, Error> {
        let Stages(stages) = stages;
        if stages.len() > STAGES_MAX {
            return Err(Error::StagesMany(stages.len()));
        }
        let schedule = Self { stages, process, seed };
        if schedule.expected() <= 0.0 {
            return Err(Error::NoRequests);
        }
        Ok(schedule)
    }

    /// From the first stage's start to the last one's end.
    pub fn duration(&self) -> Duration {
        self.stages.iter().map(|stage| stage.duration).sum()
    }

    /// Requests due over the run: exact for constant arrivals, the mean for Poisson ones.
    pub fn expected(&self) -> f64 {
        self.stages.iter().map(Stage::expected).sum()
    }

    /// The stages.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// How arrivals are spaced.
    pub fn process(&self) -> ArrivalProcess {
        self.process
    }

    /// The arrivals `part`, `part + of`, `part + 2·of`, … of the run, in order of time.
    pub fn arrivals(&self, part: usize, of: usize) -> Arrivals {
        Arrivals::new(self, part as u64, of.max(1) as u64)
    }
}

#[cfg(test)]
mod tests;
