//! What a run says in sentences: the words that terminal, Markdown and HTML share.

use super::document::{LoopKind, Report, Stage};
use super::text::clean;
use crate::load::assertion::{AssertionResult, Unit};
use crate::load::baseline::{Change, Comparison};
use crate::load::find_max::Findings;
use crate::load::outcome::Outcome;
use crate::load::units;

/// The run's verdict in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every assertion passed.
    Passed,
    /// At least one assertion failed.
    Failed,
    /// The generator did not do what it was told.
    NotValid,
    /// Nothing was asserted.
    Measured,
}

impl Verdict {
    /// The verdict of a report.
    pub fn of(report: &Report) -> Self {
        if !report.generator.validity.valid {
            Self::NotValid
        } else if report.assertions.is_empty() {
            Self::Measured
        } else if report.assertions.iter().all(|result| result.passed) {
            Self::Passed
        } else {
            Self::Failed
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotValid => "not valid",
            Self::Measured => "measured",
        }
    }
}

/// One sentence saying what happened:
/// `5,000 requests in 10.0 s: 2,100 ok (42 %), 2,900 throttled by the stage (58 %)`.
pub fn headline(report: &Report) -> String {
    let all = report.requests();
    if all == 0 {
        return "No request was made".to_owned();
    }
    let noun = if all == 1 { "request" } else { "requests" };
    let early = if report.interrupted { " (stopped early)" } else { "" };
    let ok = report.count(Outcome::Ok);
    let mut parts = Vec::new();
    if ok > 0 {
        parts.push(with_share(report, ok, "ok"));
    } else {
        parts.push("none ok".to_owned());
    }
    parts.extend(group(report, Outcome::is_throttled, "throttled"));
    parts.extend(group(report, Outcome::is_error, "errors"));
    let in_flight = report.count(Outcome::InFlight);
    if in_flight > 0 {
        parts.push(with_share(report, in_flight, phrase(Outcome::InFlight)));
    }
    format!(
        "{} {noun} in {}{early}: {}",
        units::count(all),
        units::seconds(report.elapsed_s),
        parts.join(", "),
    )
}

/// A group as one part of the headline: by its only outcome, or as a whole.
fn group(report: &Report, is_member: fn(Outcome) -> bool, name: &str) -> Option<String> {
    let members: Vec<(Outcome, u64)> = report
        .outcomes
        .iter()
        .filter(|(outcome, summary)| is_member(**outcome) && summary.count > 0)
        .map(|(outcome, summary)| (*outcome, summary.count))
        .collect();
    match members.as_slice() {
        [] => None,
        [(outcome, count)] => Some(with_share(report, *count, phrase(*outcome))),
        several => {
            let sum = several.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
            Some(with_share(report, sum, name))
        }
    }
}

fn with_share(report: &Report, count: u64, what: &str) -> String {
    format!("{} {what} ({})", units::count(count), units::percent(report.share(count)))
}

/// What became of requests of an outcome, as it follows a number.
fn phrase(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::ThrottledPlan => "throttled by usage plans",
        Outcome::ThrottledStage => "throttled by the stage",
        Outcome::ThrottledAccount => "throttled by the account",
        Outcome::Throttled => "throttled without a named limiter",
        Outcome::Quota => "over quota",
        Outcome::ForbiddenKey => "refused for their API key",
        Outcome::Unauthorized => "unauthorized",
        Outcome::AccessDenied => "denied access",
        Outcome::InvalidRequest => "refused as invalid",
        Outcome::Concurrency => "refused by function concurrency",
        Outcome::FunctionError => "function errors",
        Outcome::Overloaded => "refused for lack of room",
        Outcome::Timeout => "timed out at the gateway",
        Outcome::UnexpectedStatus => "unexpected replies",
        Outcome::ClientTimeout => "without a reply in time",
        Outcome::ConnectError => "connection errors",
        Outcome::ProtocolError => "garbled replies",
        Outcome::InFlight => "still in flight",
    }
}

/// The name of an outcome as a row's title, at most 17 columns: `stage throttle`.
pub fn title(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::ThrottledPlan => "plan throttle",
        Outcome::ThrottledStage => "stage throttle",
        Outcome::ThrottledAccount => "account throttle",
        Outcome::Throttled => "throttled",
        Outcome::Quota => "over quota",
        Outcome::ForbiddenKey => "API key refused",
        Outcome::Unauthorized => "unauthorized",
        Outcome::AccessDenied => "access denied",
        Outcome::InvalidRequest => "invalid request",
        Outcome::Concurrency => "concurrency",
        Outcome::FunctionError => "function error",
        Outcome::Overloaded => "overloaded",
        Outcome::Timeout => "gateway timeout",
        Outcome::UnexpectedStatus => "unexpected status",
        Outcome::ClientTimeout => "client timeout",
        Outcome::ConnectError => "connect error",
        Outcome::ProtocolError => "protocol error",
        Outcome::InFlight => "in flight",
    }
}

/// A limiter's name for a reader.
pub fn limiter(name: &str) -> String {
    match name {
        "plan" => "usage plan".to_owned(),
        "stage" => "stage".to_owned(),
        "account" => "account".to_owned(),
        "concurrency" => "function concurrency".to_owned(),
        "quota" => "quota".to_owned(),
        "unnamed" => "unnamed limiter".to_owned(),
        other => clean(other),
    }
}

/// Limiters that refused anything, most first, with their share of all refusals.
pub fn limiters(report: &Report) -> Vec<(String, u64, f64)> {
    let sum = report.limiters.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let mut limiters: Vec<(String, u64, f64)> = report
        .limiters
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| (limiter(name), *count, *count as f64 / sum as f64))
        .collect();
    limiters.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    limiters
}

/// The planned load: `500 rps for 10.0 s, constant arrivals, open loop`.
pub fn schedule(report: &Report) -> String {
    let schedule = &report.schedule;
    if schedule.kind == LoopKind::Closed {
        return format!(
            "as fast as replies allow for {}, closed loop",
            units::seconds(schedule.duration_s)
        );
    }
    let rate = match (schedule.rate_rps, schedule.stages.as_slice()) {
        (_, [_, ..]) => schedule.stages.iter().map(stage).collect::<Vec<_>>().join(", then "),
        (Some(rate_rps), []) => {
            format!("{} for {}", units::rate(rate_rps), units::seconds(schedule.duration_s))
        }
        (None, []) => units::seconds(schedule.duration_s),
    };
    let arrivals = clean(&schedule.arrivals);
    let arrivals =
        if arrivals.is_empty() { String::new() } else { format!(", {arrivals} arrivals") };
    format!("{rate}{arrivals}, open loop")
}

/// `10 s at 200 rps`, or `30 s from 100 rps to 500 rps` for a ramp.
fn stage(stage: &Stage) -> String {
    let end = units::rate(stage.rate_rps);
    match stage.rate_from_rps {
        None => format!("{} s at {end}", stage.duration_s),
        Some(from_rps) => {
            format!("{} s from {} to {end}", stage.duration_s, units::rate(from_rps))
        }
    }
}

/// The rate offered over the sending time.
pub fn offered_rps(report: &Report) -> f64 {
    if report.elapsed_s > 0.0 { report.offered as f64 / report.elapsed_s } else { 0.0 }
}

/// Operations that the schedule asked for, per second; retries are no operations.
pub fn operations_rps(report: &Report) -> f64 {
    if report.elapsed_s > 0.0 { report.retries.operations as f64 / report.elapsed_s } else { 0.0 }
}

/// What a client got: goodput against what it asked for.
pub fn goodput(report: &Report) -> String {
    format!(
        "{} of the {} asked for ended well",
        units::rate(report.goodput_rps),
        units::rate(operations_rps(report)),
    )
}

/// What to say before any percentile of a run that is not valid; `None` when it is valid.
pub fn not_valid(report: &Report) -> Option<String> {
    let validity = &report.generator.validity;
    if validity.valid {
        return None;
    }
    let reason = validity.reason.as_deref().map_or_else(|| "no reason given".to_owned(), clean);
    if report.requests() == 0 {
        return Some(reason);
    }
    Some(format!("the times of this run are its generator's, not the target's: {reason}"))
}

/// Replies from sandboxes that had just started; `None` when there were none.
pub fn cold_starts(report: &Report) -> Option<String> {
    let times = report.cold_starts.response_time_us?;
    Some(format!(
        "{} replies, response time p50 {}, max {}",
        units::count(report.cold_starts.count),
        units::time(times.p50),
        units::time(times.max),
    ))
}

/// What an assertion measured, with its note: `58.02 %`, `no samples (no request of `ok`)`.
pub fn actual(result: &AssertionResult) -> String {
    let actual = clean(&result.actual);
    match &result.note {
        Some(note) => format!("{actual} ({})", clean(note)),
        None => actual,
    }
}

/// What a comparison is with and what it found.
pub fn baseline(comparison: &Comparison) -> String {
    let found = match comparison.regressions() {
        0 => "no regression".to_owned(),
        1 => "1 regression".to_owned(),
        several => format!("{several} regressions"),
    };
    let when = comparison
        .started_at
        .as_deref()
        .map_or_else(String::new, |started_at| format!(" of {}", clean(started_at)));
    format!("{found} against the run{when} by gwtf {}", clean(&comparison.gwtf_version))
}

/// What a change means, in a word.
pub fn change(change: Change) -> &'static str {
    match change {
        Change::Same => "same",
        Change::Better => "better",
        Change::Regression => "worse",
        Change::NotJudged => "not judged",
    }
}

/// A compared value with its unit.
pub fn value(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match unit {
        Unit::Us => units::time(value.max(0.0).round() as u64),
        Unit::Percent => units::percent_fixed(value / 100.0),
        Unit::Rps => units::rate(value),
        Unit::Ratio => format!("{value:.2}"),
    }
}

/// What a search found and suggests.
pub fn find_max(findings: &Findings) -> String {
    let (Some(rate_max_rps), Some(plan)) = (findings.rate_max_rps, findings.suggestion) else {
        return "no rate that was tried holds every objective".to_owned();
    };
    let limit = if findings.limit_seen { "" } else { ", and no higher rate was tried" };
    format!(
        "{} holds every objective{limit}. Suggested usage plan: rate {}, burst {} (in no second \
         more than was shown to hold)",
        units::rate(rate_max_rps),
        units::rate(plan.rate_rps),
        units::count(plan.burst),
    )
}

/// What retries cost and what a client met with them; `None` without retries.
pub fn retries(report: &Report) -> Option<String> {
    let retries = &report.retries;
    let times = retries.operation_time_us?;
    let operations = retries.operations.max(1) as f64;
    let mut parts = vec![
        format!(
            "{:.2} requests per operation ({} for {})",
            retries.amplification,
            units::count(retries.attempts),
            units::count(retries.operations),
        ),
        format!("{} ended well", units::percent(retries.succeeded as f64 / operations)),
    ];
    if retries.attempts_exhausted > 0 {
        parts.push(format!("{} ran out of attempts", units::count(retries.attempts_exhausted)));
    }
    if retries.budget_denied > 0 {
        let denied = units::count(retries.budget_denied);
        parts.push(format!("{denied} retries denied by the budget"));
    }
    parts.push(format!(
        "a client waited p50 {}, p99 {}",
        units::time(times.p50),
        units::time(times.p99),
    ));
    Some(parts.join(", "))
}

/// The generator's punctuality and use: `valid, lateness p50 12 µs, p99 80 µs, max 410 µs, …`.
pub fn generator(report: &Report) -> String {
    let generator = &report.generator;
    let mut parts = vec![if generator.validity.valid { "valid" } else { "not valid" }.to_owned()];
    if let Some(lateness) = report.lateness_us {
        parts.push(format!(
            "lateness p50 {}, p99 {}, max {}",
            units::time(lateness.p50),
            units::time(lateness.p99),
            units::time(lateness.max),
        ));
    }
    let available_s = report.elapsed_s * generator.workers as f64;
    if available_s > 0.0 {
        let threads = if generator.workers == 1 { "thread" } else { "threads" };
        let share = units::percent((generator.cpu_s / available_s).min(1.0));
        parts.push(format!(
            "CPU {:.2} s ({share} of {} {threads})",
            generator.cpu_s, generator.workers
        ));
    }
    if generator.connections_opened > 0 {
        let noun = if generator.connections_opened == 1 { "connection" } else { "connections" };
        parts.push(format!("{} {noun}", units::count(generator.connections_opened)));
    }
    parts.join(", ")
}

/// The facts of the run as label and value, in reading order.
pub fn facts(report: &Report) -> Vec<(String, String)> {
    let run = &report.run;
    let number = |value: Option<u64>| value.map(units::count);
    let text = |value: &Option<String>| value.as_deref().map(clean);
    let mut facts = vec![
        ("target".to_owned(), Some(clean(&report.target))),
        ("load".to_owned(), Some(schedule(report))),
        ("model".to_owned(), text(&run.model)),
        ("requests".to_owned(), text(&run.payload)),
        ("authorization".to_owned(), text(&run.auth)),
        ("throttle".to_owned(), text(&run.throttle)),
        ("account throttle".to_owned(), text(&run.account_throttle)),
        ("reserved concurrency".to_owned(), number(run.reserved_concurrency)),
        ("retries".to_owned(), text(&run.retry)),
        ("HTTP".to_owned(), text(&run.http_version)),
        ("connections at most".to_owned(), number(run.connections_max)),
        (
            "client timeout".to_owned(),
            run.timeout_ms.map(|ms| units::time(ms.saturating_mul(1_000))),
        ),
        ("seed".to_owned(), run.seed.map(|seed| seed.to_string())),
        ("machine".to_owned(), text(&run.machine)),
        ("started".to_owned(), text(&run.started_at)),
        ("gwtf".to_owned(), Some(clean(&run.gwtf_version)).filter(|version| !version.is_empty())),
    ];
    let more = run.more.iter().map(|(name, value)| (clean(name), Some(clean(value))));
    facts.extend(more);
    facts.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
}
