//! `--baseline FILE.json`: this run against an earlier one.
//!
//! A difference is called a regression only when it is beyond the tolerances below and the runs hold
//! enough samples for the statistic; everything else is shown and left to the reader. A regression
//! does not change `passed`: objectives are what `--assert` is for.

use super::assertion::Unit;
use super::class::Class;
use super::outcome::Outcome;
use super::report::document::{OutcomeSummary, Report, SCHEMA, TimeSummary};
use super::report::text;
use super::units;
use crate::error::{Exit, Explain};
use serde::{Deserialize, Serialize};

/// The largest report that is read.
pub const REPORT_BYTES_MAX: usize = 16 << 20;

/// A time may grow by this share before it counts as a regression,
pub const TIME_TOLERANCE_PERCENT: f64 = 10.0;

/// and by this much: below it, the scheduler of a quiet machine makes the difference,
pub const TIME_TOLERANCE_US: f64 = 200.0;

/// or by this much from p99 on, where a single preemption shows.
pub const TAIL_TOLERANCE_US: f64 = 1_000.0;

/// From this quantile on, [`TAIL_TOLERANCE_US`] holds.
const TAIL_QUANTILE: f64 = 0.99;

/// A class's share of the requests may move by this many percentage points.
pub const SHARE_TOLERANCE_POINTS: f64 = 0.5;

/// Goodput may fall by this share.
pub const RATE_TOLERANCE_PERCENT: f64 = 5.0;

/// A quantile is judged when at least this many samples of each run lie beyond it.
pub const SAMPLES_BEYOND_MIN: f64 = 10.0;

/// An earlier run beside this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// When the earlier run began, if its report says so.
    pub started_at: Option<String>,
    /// Version of gwtf that made it.
    pub gwtf_version: String,
    /// What differs between the runs besides their results.
    pub notes: Vec<String>,
    /// Statistic by statistic.
    pub rows: Vec<Row>,
}

/// One statistic of both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The class of requests: `ok`, `throttled`, `error` or `all`.
    pub class: String,
    /// The statistic, for instance `response time p99`.
    pub what: String,
    /// The unit of `before` and `now`.
    pub unit: Unit,
    /// The earlier value.
    pub before: Option<f64>,
    /// This run's value.
    pub now: Option<f64>,
    /// From `before` to `now`; `None` when either is missing or `before` is 0.
    pub change_percent: Option<f64>,
    /// What the change means.
    pub verdict: Change,
}

/// What a change means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Within tolerance.
    Same,
    /// Better beyond tolerance.
    Better,
    /// Worse beyond tolerance.
    Regression,
    /// Too few samples in one of the runs, or none.
    NotJudged,
}

/// Why a file is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More than [`REPORT_BYTES_MAX`].
    #[error("baseline of {bytes} bytes: no report is larger than {REPORT_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No JSON object.
    #[error("baseline is no JSON document")]
    NotJson(#[source] serde_json::Error),
    /// A JSON document of another kind or version.
    #[error("baseline is no `{SCHEMA}` document but `{found}`")]
    OtherSchema {
        /// Its `schema`, or `no schema`.
        found: String,
    },
    /// Says it is a report but is not whole.
    #[error("baseline is a damaged `{SCHEMA}` document")]
    Damaged(#[source] serde_json::Error),
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("make one with `gwtf loadtest --report FILE.json`".to_owned())
    }
}

/// Reads a report that an earlier run wrote.
///
/// # Errors
/// The bytes are too many, no JSON, of another schema, or a report with parts missing or damaged.
pub fn read(bytes: &[u8]) -> Result<Report, Error> {
    #[derive(Deserialize)]
    struct Head {
        schema: Option<serde_json::Value>,
    }
    if bytes.len() > REPORT_BYTES_MAX {
        return Err(Error::TooLarge { bytes: bytes.len() });
    }
    let head: Head = serde_json::from_slice(bytes).map_err(Error::NotJson)?;
    match head.schema {
        Some(serde_json::Value::String(schema)) if schema == SCHEMA => {}
        Some(other) => {
            let found = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            return Err(Error::OtherSchema { found: text::clean(&found) });
        }
        None => return Err(Error::OtherSchema { found: "no schema".to_owned() }),
    }
    serde_json::from_slice(bytes).map_err(Error::Damaged)
}

/// Sets `before` beside `now`.
pub fn compare(now: &Report, before: &Report) -> Comparison {
    let mut rows = Vec::new();
    for class in [Class::Only(Outcome::Ok), Class::Throttled, Class::Error] {
        let (before_summary, now_summary) = (summary(class, before), summary(class, now));
        if before_summary.count == 0 && now_summary.count == 0 {
            continue;
        }
        rows.push(share_row(class.name(), before, &before_summary, now, &now_summary));
        for statistic in STATISTICS {
            rows.push(time_row(class.name(), statistic, &before_summary, &now_summary));
        }
    }
    rows.push(rate_row("goodput", before.goodput_rps, now.goodput_rps));
    rows.push(rate_row("throughput", before.throughput_rps, now.throughput_rps));
    Comparison {
        started_at: before.run.started_at.as_deref().map(text::clean),
        gwtf_version: text::clean(&before.run.gwtf_version),
        notes: notes(now, before),
        rows,
    }
}

impl Comparison {
    /// How many statistics are worse beyond tolerance.
    pub fn regressions(&self) -> usize {
        self.rows.iter().filter(|row| row.verdict == Change::Regression).count()
    }
}

fn summary(class: Class, report: &Report) -> OutcomeSummary {
    match class {
        Class::Throttled => report.groups.throttled,
        Class::Error => report.groups.error,
        Class::Only(outcome) => report.outcomes.get(&outcome).copied().unwrap_or_default(),
        Class::All => OutcomeSummary {
            count: report.requests(),
            response_time_us: report.response_time_us,
            service_time_us: report.service_time_us,
        },
    }
}

/// A statistic of times that is compared.
#[derive(Clone, Copy)]
struct Statistic {
    what: &'static str,
    quantile: f64,
    of: fn(&OutcomeSummary) -> Option<u64>,
}

const STATISTICS: [Statistic; 5] = [
    Statistic {
        what: "response time p50",
        quantile: 0.5,
        of: |summary| summary.response_time_us.map(|TimeSummary { p50, .. }| p50),
    },
    Statistic {
        what: "response time p90",
        quantile: 0.9,
        of: |summary| summary.response_time_us.map(|TimeSummary { p90, .. }| p90),
    },
    Statistic {
        what: "response time p99",
        quantile: 0.99,
        of: |summary| summary.response_time_us.map(|TimeSummary { p99, .. }| p99),
    },
    Statistic {
        what: "response time p99.9",
        quantile: 0.999,
        of: |summary| summary.response_time_us.map(|TimeSummary { p999, .. }| p999),
    },
    Statistic {
        what: "service time p99",
        quantile: 0.99,
        of: |summary| summary.service_time_us.map(|TimeSummary { p99, .. }| p99),
    },
];

fn time_row(
    class: &str,
    statistic: Statistic,
    before: &OutcomeSummary,
    now: &OutcomeSummary,
) -> Row {
    let (before_us, now_us) = ((statistic.of)(before), (statistic.of)(now));
    let beyond = before.count.min(now.count) as f64 * (1.0 - statistic.quantile);
    let mut row = row(
        class,
        statistic.what,
        Unit::Us,
        before_us.map(|us| us as f64),
        now_us.map(|us| us as f64),
    );
    if let (Some(before_us), Some(now_us)) = (row.before, row.now)
        && beyond >= SAMPLES_BEYOND_MIN
    {
        let is_tail = statistic.quantile >= TAIL_QUANTILE;
        let floor_us = if is_tail { TAIL_TOLERANCE_US } else { TIME_TOLERANCE_US };
        let tolerance_us = (before_us * TIME_TOLERANCE_PERCENT / 100.0).max(floor_us);
        row.verdict = judge(now_us - before_us, tolerance_us);
    }
    row
}

fn share_row(
    class: &str,
    before: &Report,
    before_summary: &OutcomeSummary,
    now: &Report,
    now_summary: &OutcomeSummary,
) -> Row {
    let percent = |report: &Report, summary: &OutcomeSummary| {
        (report.requests() > 0).then(|| report.share(summary.count) * 100.0)
    };
    let (before_percent, now_percent) =
        (percent(before, before_summary), percent(now, now_summary));
    let mut row = row(class, "share of requests", Unit::Percent, before_percent, now_percent);
    if let (Some(before_percent), Some(now_percent)) = (before_percent, now_percent) {
        let worse =
            if class == "ok" { before_percent - now_percent } else { now_percent - before_percent };
        row.verdict = judge(worse, SHARE_TOLERANCE_POINTS);
    }
    row
}

fn rate_row(what: &str, before_rps: f64, now_rps: f64) -> Row {
    let mut row = row("all", what, Unit::Rps, Some(before_rps), Some(now_rps));
    row.verdict = judge(before_rps - now_rps, before_rps * RATE_TOLERANCE_PERCENT / 100.0);
    row
}

fn row(class: &str, what: &str, unit: Unit, before: Option<f64>, now: Option<f64>) -> Row {
    let change_percent = match (before, now) {
        (Some(before), Some(now)) if before > 0.0 => {
            Some(((now - before) / before * 1e4).round() / 1e2)
        }
        _ => None,
    };
    Row {
        class: class.to_owned(),
        what: what.to_owned(),
        unit,
        before,
        now,
        change_percent,
        verdict: Change::NotJudged,
    }
}

fn judge(worse_by: f64, tolerance: f64) -> Change {
    if worse_by > tolerance {
        Change::Regression
    } else if -worse_by > tolerance {
        Change::Better
    } else {
        Change::Same
    }
}

fn notes(now: &Report, before: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    let mut differs = |what: &str, before: String, now: String| {
        if before != now {
            notes.push(format!("{what}: {now} here, {before} before"));
        }
    };
    let rate = |report: &Report| {
        report.schedule.rate_rps.map_or_else(|| "no single rate".to_owned(), units::rate)
    };
    differs("target", text::clean(&before.target), text::clean(&now.target));
    differs("offered rate", rate(before), rate(now));
    differs(
        "duration",
        units::seconds(before.schedule.duration_s),
        units::seconds(now.schedule.duration_s),
    );
    let option = |value: &Option<String>| {
        value.as_deref().map_or_else(|| "not given".to_owned(), text::clean)
    };
    differs("throttle", option(&before.run.throttle), option(&now.run.throttle));
    differs("retries", option(&before.run.retry), option(&now.run.retry));
    differs("machine", option(&before.run.machine), option(&now.run.machine));
    for (report, which) in [(before, "earlier"), (now, "present")] {
        if !report.generator.validity.valid {
            notes.push(format!("the {which} run is not valid: its times are the generator's"));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::document::RunFacts;
    use crate::load::sample::{batch, recording};

    fn report(ok: u64, ok_us: u64, throttled: u64) -> Report {
        let run = recording(&[
            batch(Outcome::Ok, ok, ok_us),
            batch(Outcome::ThrottledStage, throttled, 200),
        ]);
        Report::new(&run, RunFacts::default(), &[])
    }

    fn verdict(comparison: &Comparison, class: &str, what: &str) -> Change {
        let found = comparison.rows.iter().find(|row| row.class == class && row.what == what);
        found.unwrap().verdict
    }

    #[test]
    fn only_what_is_beyond_tolerance_and_well_sampled_is_a_regression() {
        let before = report(2_000, 20_000, 1_000);
        let cases = [
            (report(2_000, 21_600, 1_000), Change::Same),
            (report(2_000, 22_400, 1_000), Change::Regression),
            (report(2_000, 16_000, 1_000), Change::Better),
            (report(900, 36_000, 1_000), Change::NotJudged),
        ];
        for (now, expected) in cases {
            let comparison = compare(&now, &before);
            assert_eq!(verdict(&comparison, "ok", "response time p99"), expected);
            let rare = verdict(&comparison, "ok", "response time p99.9");
            assert_eq!(rare, Change::NotJudged, "2 samples lie beyond p99.9");
        }
        let quick = compare(&report(2_000, 390, 0), &report(2_000, 200, 0));
        assert_eq!(verdict(&quick, "ok", "response time p50"), Change::Same, "190 µs is noise");
        let slower = compare(&report(2_000, 900, 0), &report(2_000, 200, 0));
        assert_eq!(verdict(&slower, "ok", "response time p50"), Change::Regression);
        assert_eq!(verdict(&slower, "ok", "response time p99"), Change::Same, "nor 700 in a tail");
    }

    #[test]
    fn shares_and_goodput_have_a_direction() {
        let comparison = compare(&report(1_000, 500, 1_000), &report(1_500, 500, 500));
        assert_eq!(verdict(&comparison, "ok", "share of requests"), Change::Regression);
        assert_eq!(verdict(&comparison, "throttled", "share of requests"), Change::Regression);
        assert_eq!(verdict(&comparison, "all", "goodput"), Change::Regression);
        assert_eq!(verdict(&comparison, "all", "throughput"), Change::Same);
        let back = compare(&report(1_500, 500, 500), &report(1_000, 500, 1_000));
        assert_eq!(verdict(&back, "throttled", "share of requests"), Change::Better);
        assert!(comparison.rows.iter().all(|row| row.class != "error"), "neither run had any");
        let ok = comparison.rows.iter().find(|row| row.what == "goodput").unwrap();
        assert_eq!(ok.change_percent, Some(-33.33));
    }

    #[test]
    fn differing_circumstances_are_noted() {
        let before = report(10, 500, 0);
        let mut now = before.clone();
        now.target = "http://127.0.0.1:3000/".to_owned();
        now.schedule.rate_rps = Some(500.0);
        now.generator.validity.valid = false;
        let notes = compare(&now, &before).notes;
        assert_eq!(notes.len(), 3);
        assert!(notes.contains(&"offered rate: 500 rps here, no single rate before".to_owned()));
        assert!(compare(&before, &before).notes.is_empty());
    }

    #[test]
    fn a_report_is_read_back_and_nothing_else_is() {
        let report = report(100, 500, 20);
        assert_eq!(read(&report.to_json()).unwrap(), report);
        let mut damaged = serde_json::to_value(&report).unwrap();
        damaged["histograms"]["ok"] = "AAAA".into();
        let cases = [
            ("{", "baseline is no JSON document"),
            ("[]", "baseline is no JSON document"),
            ("{}", "baseline is no `gwtf.loadtest/v1` document but `no schema`"),
            ("{\"schema\":\"gwtf.plan/v1\"}", "but `gwtf.plan/v1`"),
            ("{\"schema\":1}", "but `1`"),
            ("{\"schema\":\"gwtf.loadtest/v1\"}", "damaged"),
            (&damaged.to_string(), "damaged"),
        ];
        for (bytes, message) in cases {
            let error = read(bytes.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
        assert!(matches!(read(&vec![b' '; REPORT_BYTES_MAX + 1]), Err(Error::TooLarge { .. })));
    }
}
