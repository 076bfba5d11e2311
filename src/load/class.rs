//! Which requests a number speaks of: one outcome, or a group of outcomes.
//!
//! Assertions, reports and comparisons select requests only through [`Class`], so that the word
//! `throttled` or `error` means the same everywhere.

use super::outcome::Outcome;
use super::recording::{OutcomeTimes, Recording, SIGNIFICANT_DIGITS};
use hdrhistogram::Histogram;

/// Every outcome, in the order of its discriminant, which is also that of reports.
pub const OUTCOMES: [Outcome; 19] = [
    Outcome::Ok,
    Outcome::ThrottledPlan,
    Outcome::ThrottledStage,
    Outcome::ThrottledAccount,
    Outcome::Throttled,
    Outcome::Quota,
    Outcome::ForbiddenKey,
    Outcome::Unauthorized,
    Outcome::AccessDenied,
    Outcome::InvalidRequest,
    Outcome::Concurrency,
    Outcome::FunctionError,
    Outcome::Overloaded,
    Outcome::Timeout,
    Outcome::UnexpectedStatus,
    Outcome::ClientTimeout,
    Outcome::ConnectError,
    Outcome::ProtocolError,
    Outcome::InFlight,
];

/// One outcome or a group of them.
///
/// The group `throttled` holds every 429, quota included; the outcome of the same name (a 429 whose
/// reply names no limiter) is part of it and cannot be selected alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Every request, those still in flight included.
    All,
    /// Every 429.
    Throttled,
    /// Neither ok, nor throttled, nor still in flight.
    Error,
    /// One outcome.
    Only(Outcome),
}

impl Class {
    /// The class of a name as written in assertions and JSON.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "throttled" => Some(Self::Throttled),
            "error" => Some(Self::Error),
            _ => OUTCOMES.into_iter().find(|outcome| outcome.name() == name).map(Self::Only),
        }
    }

    /// The name as written in assertions and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Throttled => "throttled",
            Self::Error => "error",
            Self::Only(outcome) => outcome.name(),
        }
    }

    /// Every name that [`Class::from_name`] takes.
    pub fn names() -> Vec<&'static str> {
        let mut names = vec!["all", "error"];
        names.extend(OUTCOMES.into_iter().map(Outcome::name));
        names
    }

    /// Whether requests that ended as `outcome` belong to the class.
    pub fn contains(self, outcome: Outcome) -> bool {
        match self {
            Self::All => true,
            Self::Throttled => outcome.is_throttled(),
            Self::Error => outcome.is_error(),
            Self::Only(one) => one == outcome,
        }
    }

    /// How many requests of the recording belong to the class.
    pub fn count(self, recording: &Recording) -> u64 {
        self.members(recording).map(|times| times.response_time_us.len()).sum()
    }

    /// Response times of the class, microseconds.
    pub fn response_time_us(self, recording: &Recording) -> Histogram<u64> {
        merge(self.members(recording).map(|times| &times.response_time_us))
    }

    /// Service times of the class, microseconds.
    pub fn service_time_us(self, recording: &Recording) -> Histogram<u64> {
        merge(self.members(recording).map(|times| &times.service_time_us))
    }

    fn members(self, recording: &Recording) -> impl Iterator<Item = &OutcomeTimes> {
        recording
            .outcomes
            .iter()
            .filter(move |(outcome, _)| self.contains(**outcome))
            .map(|(_, times)| times)
    }
}

/// The sum of histograms, as one that grows as needed.
pub(super) fn merge<'a>(parts: impl Iterator<Item = &'a Histogram<u64>>) -> Histogram<u64> {
    let mut sum = empty_histogram();
    for part in parts {
        sum.add(part).expect("an auto-resizing histogram holds every u64 of another");
    }
    sum
}

/// A histogram without samples that grows as needed.
pub(super) fn empty_histogram() -> Histogram<u64> {
    Histogram::new(SIGNIFICANT_DIGITS).expect("3 significant digits are in the allowed 0 to 5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_listed_once_in_declaration_order() {
        // `InFlight` is the last variant, so a variant added before it changes its number.
        assert_eq!(OUTCOMES.len(), Outcome::InFlight as usize + 1);
        for (index, outcome) in OUTCOMES.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, outcome.name(), "serde and `name` say the same");
        }
    }

    #[test]
    fn groups_part_the_outcomes() {
        for outcome in OUTCOMES {
            let alone = outcome == Outcome::Ok || outcome == Outcome::InFlight;
            let groups = usize::from(alone)
                + usize::from(Class::Throttled.contains(outcome))
                + usize::from(Class::Error.contains(outcome));
            assert_eq!(groups, 1, "{outcome:?} is in exactly one");
            assert!(Class::All.contains(outcome));
        }
    }

    #[test]
    fn names_round_trip() {
        for name in Class::names() {
            assert_eq!(Class::from_name(name).map(Class::name), Some(name));
        }
        assert_eq!(Class::from_name("throttled"), Some(Class::Throttled));
        assert_eq!(Class::from_name("Ok"), None);
    }
}
