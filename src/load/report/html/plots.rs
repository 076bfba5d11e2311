//! The two plots of the HTML report, each with its key, its words and its table.

use super::table::{Column, Row, number, scrolling, text};
use super::{escape, list, section_of_times};
use crate::load::outcome::Outcome;
use crate::load::report::document::Report;
use crate::load::report::svg::{self, Plot};
use crate::load::units;
use hdrhistogram::Histogram;
use std::fmt::Write as _;

/// How much the p99 by response time may exceed that by service time before the page says that
/// requests waited,
const WAIT_FACTOR: f64 = 1.2;

/// and by how much: a wake-up of the generator that is late by less is no waiting line.
const WAIT_MIN_US: u64 = 1_000;

const QUANTILES: [(f64, &str); 8] = [
    (0.5, "p50"),
    (0.75, "p75"),
    (0.9, "p90"),
    (0.95, "p95"),
    (0.99, "p99"),
    (0.999, "p99.9"),
    (0.9999, "p99.99"),
    (1.0, "max"),
];

/// The percentile curve; nothing when nothing ended.
pub(super) fn percentiles(report: &Report) -> String {
    let Some(plot) = svg::percentiles(report) else { return String::new() };
    let mut body = paragraph(
        "How long the slowest requests took: at p99 stands the time that 99 of 100 requests did \
         not exceed. The axis gives the tail as much room as the rest.",
    );
    body.push_str(&keys(&present(report), &[("dashed", "dashed: service time")]));
    body.push_str(&figure(&plot));
    body.push_str(&details("The numbers behind the curve", true, &percentile_table(report)));
    body.push_str(&explanation(report));
    section_of_times(report, "by-percentile", "Response time by percentile", &body)
}

/// The timeline; nothing when the run has no slices.
pub(super) fn timeline(report: &Report) -> String {
    let Some(plot) = svg::timeline(report) else { return String::new() };
    let areas: Vec<(String, &str)> =
        present(report).into_iter().map(|(class, name)| (format!("{class} area"), name)).collect();
    let areas: Vec<(&str, &str)> =
        areas.iter().map(|(class, name)| (class.as_str(), *name)).collect();
    let mut lines = vec![("offered", "offered")];
    if report.timeline.iter().any(|slice| slice.p99_us.is_some()) {
        lines.extend([("ok", "p99 of ok"), ("ok dashed", "p50 of ok")]);
    }
    let mut body = keys(&areas, &lines);
    body.push_str(&figure(&plot));
    body.push_str(&details("The numbers behind the timeline", false, &timeline_table(report)));
    section_of_times(report, "over-time", "The run over time", &body)
}

/// The classes that occurred, as style and name.
fn present(report: &Report) -> Vec<(&'static str, &'static str)> {
    [
        ("ok", "ok", report.count(Outcome::Ok)),
        ("throttled", "throttled", report.groups.throttled.count),
        ("error", "errors", report.groups.error.count),
    ]
    .into_iter()
    .filter(|(_, _, count)| *count > 0)
    .map(|(class, name, _)| (class, name))
    .collect()
}

fn keys(classes: &[(&str, &str)], more: &[(&str, &str)]) -> String {
    list(
        "keys",
        classes.iter().chain(more).map(|(class, name)| (format!("key {class}"), escape(name))),
    )
}

fn figure(plot: &Plot) -> String {
    format!(
        "<div class=\"plot\">\n<div class=\"wide\">{}</div>\n<div class=\"narrow\">{}</div>\n</div>\n",
        plot.wide, plot.narrow
    )
}

fn details(summary: &str, printed: bool, body: &str) -> String {
    let class = if printed { " class=\"printed\"" } else { "" };
    format!("<details{class}><summary>{}</summary>\n{body}</details>\n", escape(summary))
}

fn paragraph(text: &str) -> String {
    format!("<p class=\"about\">{}</p>\n", escape(text))
}

fn percentile_table(report: &Report) -> String {
    let histograms = &report.histograms;
    let all: [(&str, &Histogram<u64>); 6] = [
        ("ok", &histograms.ok.0),
        ("ok, service", &histograms.ok_service_time.0),
        ("throttled", &histograms.throttled.0),
        ("throttled, service", &histograms.throttled_service_time.0),
        ("errors", &histograms.error.0),
        ("errors, service", &histograms.error_service_time.0),
    ];
    let shown: Vec<_> = all.into_iter().filter(|(_, times)| !times.is_empty()).collect();
    let mut columns = vec![text("percentile")];
    columns.extend(shown.iter().map(|(title, _)| number(title)));
    let rows: Vec<Row> = QUANTILES
        .iter()
        .map(|(quantile, name)| Row {
            class: "",
            name: (*name).to_owned(),
            cells: shown
                .iter()
                .map(|(_, times)| units::time(times.value_at_quantile(*quantile)).into())
                .collect(),
        })
        .collect();
    scrolling("Times that a share of the requests did not exceed", &columns, &rows)
}

fn timeline_table(report: &Report) -> String {
    let columns: [Column<'_>; 8] = [
        text("from"),
        number("offered"),
        number("ok"),
        number("throttled"),
        number("errors"),
        number("in flight"),
        number("p50 of ok"),
        number("p99 of ok"),
    ];
    let time = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), units::time);
    let rows: Vec<Row> = report
        .timeline
        .iter()
        .map(|slice| Row {
            class: "",
            name: format!("{:.2} s", slice.t_s),
            cells: [
                units::count(slice.offered),
                units::count(slice.ok),
                units::count(slice.throttled),
                units::count(slice.errors),
                units::count(slice.in_flight),
                time(slice.p50_us),
                time(slice.p99_us),
            ]
            .map(Into::into)
            .to_vec(),
        })
        .collect();
    scrolling("Requests by intended send instant", &columns, &rows)
}

/// What the two times are, and which of them this run's reader should look at.
fn explanation(report: &Report) -> String {
    let terms = [
        (
            "Response time",
            "counts from the instant at which the request was meant to be sent, to the end of the \
             reply. It is what a caller meets, waiting in line included.",
        ),
        (
            "Service time",
            "counts from the first byte actually sent. When a target stalls, requests pile up \
             before they can be sent; service time does not see that wait, response time does.",
        ),
    ];
    let mut html = String::from("<dl class=\"words\">\n");
    for (term, meaning) in terms {
        let _ = writeln!(html, "<dt>{term}</dt><dd>{}</dd>", escape(meaning));
    }
    html.push_str("</dl>\n");
    if let Some(sentence) = waiting(report) {
        html.push_str(&paragraph(&sentence));
    }
    html
}

fn waiting(report: &Report) -> Option<String> {
    let ok = report.outcomes.get(&Outcome::Ok)?;
    let (response, service) = (ok.response_time_us?.p99, ok.service_time_us?.p99);
    let waited_us = response.saturating_sub(service);
    let sentence = if waited_us > WAIT_MIN_US && response as f64 > service as f64 * WAIT_FACTOR {
        format!(
            "In this run requests waited before they were sent: 99 % of the ok requests took up \
             to {} by response time, but only {} by service time.",
            units::time(response),
            units::time(service),
        )
    } else {
        format!(
            "In this run the two are close (p99 of ok {} and {}): requests left when they were \
             meant to.",
            units::time(response),
            units::time(service),
        )
    };
    Some(sentence)
}
