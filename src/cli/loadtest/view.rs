//! The run as it goes: one line that renews itself on a terminal, a line now and then elsewhere.

use crate::console::Console;
use crate::load::outcome::Outcome;
use crate::load::report::Report;
use crate::load::{Observer, Snapshot};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// Between two plain lines where no live view is shown.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Shows snapshots of a run.
pub(super) struct LiveView {
    console: Console,
    bar: ProgressBar,
    live: bool,
    plain_next: Duration,
}

impl LiveView {
    /// A view of a run of this length.
    pub(super) fn new(console: &Console, duration: Duration) -> Self {
        let length_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let bar = console.progress(length_ms);
        let style = ProgressStyle::with_template("{bar:20} {wide_msg}")
            .expect("the template is a constant")
            .progress_chars("=> ");
        bar.set_style(style);
        Self { console: *console, bar, live: console.is_live(), plain_next: PLAIN_EVERY }
    }

    /// Takes the live line away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for LiveView {
    fn observe(&mut self, snapshot: &Snapshot) {
        if self.live {
            self.bar.set_position(u64::try_from(snapshot.elapsed.as_millis()).unwrap_or(u64::MAX));
            self.bar.set_message(line(snapshot));
        } else if snapshot.elapsed >= self.plain_next {
            self.plain_next += PLAIN_EVERY;
            self.console.talk(&format!(
                "{:>4.0} s  {}",
                snapshot.elapsed.as_secs_f64(),
                line(snapshot)
            ));
        }
    }
}

/// Time left, rate, outcomes, response times: most important first, since a narrow terminal cuts.
fn line(snapshot: &Snapshot) -> String {
    let count = |wanted: fn(Outcome) -> bool| -> u64 {
        snapshot.outcomes.iter().filter(|(outcome, _)| wanted(**outcome)).map(|(_, n)| n).sum()
    };
    let (ok, throttled, errors) = (
        count(|outcome| outcome == Outcome::Ok),
        count(Outcome::is_throttled),
        count(Outcome::is_error),
    );
    format!(
        "{:.0} s left  {:.0} rps  ok {ok}  429 {throttled}  errors {errors}  p50 {}  p99 {}",
        snapshot.left.as_secs_f64().ceil(),
        snapshot.rate_rps,
        milliseconds(snapshot.response_time_ok_p50),
        milliseconds(snapshot.response_time_ok_p99),
    )
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// How one run of a search ended.
pub(super) fn probe_line(rate_rps: f64, report: &Report) -> String {
    let verdict = if report.passed { "holds" } else { "misses" };
    // The generator's own reason is a paragraph; the table at the end has it.
    let detail = match report.generator.validity.valid {
        true => missed(report),
        false => Some("the generator could not keep its schedule".to_owned()),
    };
    let detail = detail.map(|text| format!(": {text}")).unwrap_or_default();
    format!("{rate_rps} rps {verdict}{detail}")
}

/// Why a run did not hold: the generator's reason, else the objectives missed with what was
/// measured.
pub(super) fn missed(report: &Report) -> Option<String> {
    let reason = report.generator.validity.reason.clone();
    reason.or_else(|| {
        let missed = report.assertions.iter().filter(|result| !result.passed);
        let texts: Vec<String> =
            missed.map(|result| format!("{} was {}", result.expr, result.actual)).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_line_fits_eighty_columns_with_its_bar() {
        let snapshot = Snapshot {
            elapsed: Duration::from_secs(5),
            left: Duration::from_millis(4_500),
            offered: 2_500,
            sent: 2_500,
            outcomes: BTreeMap::from([(Outcome::Ok, 1_100), (Outcome::ThrottledStage, 1_400)]),
            rate_rps: 500.2,
            response_time_ok_p50: Duration::from_micros(312),
            response_time_ok_p99: Duration::from_micros(1_930),
        };
        let line = line(&snapshot);
        assert_eq!(
            line,
            "5 s left  500 rps  ok 1100  429 1400  errors 0  p50 0.31 ms  p99 1.93 ms"
        );
        assert!(line.len() + "==================== ".len() <= 100);
    }
}
