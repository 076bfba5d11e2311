//! The sections of the HTML report besides its plots.

use super::table::{Cell, Column, Row, cards, number, text};
use super::{escape, list, section, section_of_times};
use crate::load::baseline::Change;
use crate::load::outcome::Outcome;
use crate::load::report::document::{OutcomeSummary, Report, TimeSummary};
use crate::load::report::text::clean;
use crate::load::report::words;
use crate::load::units;
use std::fmt::Write as _;

/// What must be read before any number.
pub(super) fn banners(report: &Report) -> String {
    let mut html = String::new();
    if let Some(warning) = words::not_valid(report) {
        let _ = writeln!(
            html,
            "<div class=\"banner\" role=\"note\"><p><strong>This run is not valid.</strong> {}</p></div>",
            escape(&sentence(&warning)),
        );
    }
    for warning in &report.generator.validity.warnings {
        let _ = writeln!(
            html,
            "<div class=\"banner note\" role=\"note\"><p>{}</p></div>",
            escape(&sentence(&clean(warning))),
        );
    }
    html
}

/// The few numbers that most readers come for.
pub(super) fn tiles(report: &Report) -> String {
    if report.requests() == 0 {
        return String::new();
    }
    let counted = |class: &str, name: &str, count: u64, more: &str| {
        let share = units::percent(report.share(count));
        (
            format!("tile {class}"),
            format!("{name}<b>{share}</b>{} requests{more}", units::count(count)),
        )
    };
    let goodput = format!(
        ", {} of {} asked for",
        units::rate(report.goodput_rps),
        units::rate(words::operations_rps(report)),
    );
    let mut tiles = vec![counted("ok", "Ok", report.count(Outcome::Ok), &escape(&goodput))];
    if report.groups.throttled.count > 0 {
        tiles.push(counted("throttled", "Throttled", report.groups.throttled.count, ""));
    }
    if report.groups.error.count > 0 {
        tiles.push(counted("error", "Errors", report.groups.error.count, ""));
    }
    if let Some(times) = report.outcomes.get(&Outcome::Ok).and_then(|ok| ok.response_time_us) {
        tiles.push((
            "tile".to_owned(),
            format!(
                "Response time p99<b>{}</b>of ok requests, p50 {}, max {}",
                units::time(times.p99),
                units::time(times.p50),
                units::time(times.max),
            ),
        ));
    }
    if let Some(lateness) = report.lateness_us {
        tiles.push((
            "tile".to_owned(),
            format!(
                "Lateness p99<b>{}</b>of the generator, {}",
                units::time(lateness.p99),
                if report.generator.validity.valid {
                    "within its bound"
                } else {
                    "the run is not valid"
                },
            ),
        ));
    }
    list("tiles", tiles)
}

/// Every assertion with its verdict.
pub(super) fn assertions(report: &Report) -> String {
    if report.assertions.is_empty() {
        return String::new();
    }
    let rows: Vec<Row> = report
        .assertions
        .iter()
        .map(|result| {
            let (text, class) =
                if result.passed { ("✓ passed", "good") } else { ("✗ failed", "bad") };
            Row {
                class: "",
                name: result.expr.clone(),
                cells: vec![Cell { text: text.to_owned(), class }, words::actual(result).into()],
            }
        })
        .collect();
    let columns = [text("objective"), text("verdict"), text("measured")];
    section("objectives", "Objectives", &cards("", &[], &columns, &rows))
}

/// Response and service times of every outcome.
pub(super) fn outcomes(report: &Report) -> String {
    if report.requests() == 0 {
        return String::new();
    }
    let service = |title, card_title| Column { card_title: Some(card_title), ..number(title) };
    let columns = [
        text("outcome"),
        number("count"),
        number("share"),
        Column { is_part: true, ..number("p50") },
        number("p90"),
        number("p99"),
        number("p99.9"),
        number("max"),
        Column { is_part: true, ..service("p50", "service p50") },
        service("p99", "service p99"),
    ];
    let mut rows: Vec<Row> = report
        .outcomes
        .iter()
        .map(|(outcome, summary)| {
            outcome_row(report, style(*outcome), words::title(*outcome), summary)
        })
        .collect();
    if rows.len() > 1 {
        let all = OutcomeSummary {
            count: report.requests(),
            response_time_us: report.response_time_us,
            service_time_us: report.service_time_us,
        };
        rows.push(outcome_row(report, "all", "all", &all));
    }
    let groups = [("", 3), ("response time", 5), ("service time", 2)];
    let caption = if report.count(Outcome::InFlight) > 0 {
        "Requests still in flight count with the time they had waited."
    } else {
        ""
    };
    section_of_times(
        report,
        "outcomes",
        "What became of the requests",
        &cards(caption, &groups, &columns, &rows),
    )
}

fn outcome_row(report: &Report, class: &'static str, name: &str, summary: &OutcomeSummary) -> Row {
    let time = |times: Option<TimeSummary>, of: fn(&TimeSummary) -> u64| -> Cell {
        times.map_or_else(|| "–".to_owned(), |times| units::time(of(&times))).into()
    };
    let (response, service) = (summary.response_time_us, summary.service_time_us);
    Row {
        class,
        name: name.to_owned(),
        cells: vec![
            units::count(summary.count).into(),
            units::percent_fixed(report.share(summary.count)).into(),
            time(response, |times| times.p50),
            time(response, |times| times.p90),
            time(response, |times| times.p99),
            time(response, |times| times.p999),
            time(response, |times| times.max),
            time(service, |times| times.p50),
            time(service, |times| times.p99),
        ],
    }
}

fn style(outcome: Outcome) -> &'static str {
    if outcome == Outcome::Ok {
        "ok"
    } else if outcome.is_throttled() {
        "throttled"
    } else if outcome.is_error() {
        "error"
    } else {
        "other"
    }
}

/// Which limiter refused how many.
pub(super) fn limiters(report: &Report) -> String {
    let limiters = words::limiters(report);
    if limiters.is_empty() {
        return String::new();
    }
    let sum = limiters.iter().fold(0_u64, |sum, (_, count, _)| sum.saturating_add(*count));
    let mut body = format!(
        "<p class=\"about\">{} requests were refused, {} of all.</p>\n",
        units::count(sum),
        units::percent(report.share(sum)),
    );
    body.push_str(&list(
        "bars",
        limiters.iter().map(|(name, count, share)| {
            let bar = format!(
                "<div class=\"name\"><span>{}</span><span>{} ({})</span></div>\
                 <div class=\"bar\" aria-hidden=\"true\"><span style=\"width:{:.1}%\"></span></div>",
                escape(name),
                units::count(*count),
                units::percent(*share),
                share * 100.0,
            );
            (String::new(), bar)
        }),
    ));
    section("limiters", "Who refused", &body)
}

/// What a client meets: goodput, retries, cold starts.
pub(super) fn client(report: &Report) -> String {
    if report.requests() == 0 {
        return String::new();
    }
    let facts = [
        ("Goodput", Some(words::goodput(report))),
        ("Retries", words::retries(report)),
        ("Cold starts", words::cold_starts(report)),
    ];
    let facts = facts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
    section("client", "What a client meets", &definitions(facts))
}

/// This run against an earlier one.
pub(super) fn baseline(report: &Report) -> String {
    let Some(comparison) = &report.baseline else { return String::new() };
    let mut body = format!("<p>{}.</p>\n", escape(&sentence(&words::baseline(comparison))));
    for note in &comparison.notes {
        let _ = writeln!(
            body,
            "<div class=\"banner note\" role=\"note\"><p>{}</p></div>",
            escape(&sentence(&clean(note))),
        );
    }
    let rows: Vec<Row> = comparison
        .rows
        .iter()
        .map(|row| {
            let class = match row.verdict {
                Change::Regression => "bad",
                Change::Better => "good",
                Change::Same | Change::NotJudged => "dim",
            };
            Row {
                class: "",
                name: format!("{}: {}", row.class, row.what),
                cells: vec![
                    words::value(row.before, row.unit).into(),
                    words::value(row.now, row.unit).into(),
                    row.change_percent.map_or_else(|| "–".to_owned(), units::change).into(),
                    Cell { text: words::change(row.verdict).to_owned(), class },
                ],
            }
        })
        .collect();
    let columns =
        [text("statistic"), number("before"), number("now"), number("change"), text("verdict")];
    body.push_str(&cards("", &[], &columns, &rows));
    section("baseline", "Against the baseline", &body)
}

/// The search for the highest rate.
pub(super) fn find_max(report: &Report) -> String {
    let Some(findings) = &report.find_max else { return String::new() };
    let mut body = format!("<p>{}.</p>\n", escape(&words::find_max(findings)));
    let rows: Vec<Row> = findings
        .probes
        .iter()
        .map(|probe| {
            let (text, class) =
                if probe.holds { ("✓ holds", "good") } else { ("✗ misses", "bad") };
            Row {
                class: "",
                name: units::rate(probe.rate_rps),
                cells: vec![
                    Cell { text: text.to_owned(), class },
                    probe.note.clone().unwrap_or_default().into(),
                ],
            }
        })
        .collect();
    let columns = [text("offered"), text("result"), text("note")];
    body.push_str(&cards("", &[], &columns, &rows));
    section("find-max", "The highest rate", &body)
}

/// An example of what went wrong, per outcome.
pub(super) fn examples(report: &Report) -> String {
    if report.examples.is_empty() {
        return String::new();
    }
    let mut body = String::from("<dl class=\"facts\">\n");
    for (outcome, example) in &report.examples {
        let name = words::title(*outcome);
        let _ = writeln!(body, "<dt>{name}</dt><dd><code>{}</code></dd>", escape(example));
    }
    body.push_str("</dl>\n");
    section("examples", "Examples of what went wrong", &body)
}

/// How and with what the run was made, and how its generator did.
pub(super) fn facts(report: &Report) -> String {
    let generator = [("generator".to_owned(), words::generator(report))];
    section("run", "The run", &definitions(words::facts(report).into_iter().chain(generator)))
}

/// Where the numbers come from.
pub(super) fn footer(report: &Report) -> String {
    format!(
        "Times are from HdrHistograms of three significant digits. Percentiles of a class use that \
         class's requests alone. Made by gwtf {} ({}).",
        escape(&report.run.gwtf_version),
        escape(&report.schema),
    )
}

fn definitions(facts: impl Iterator<Item = (String, String)>) -> String {
    let mut html = String::from("<dl class=\"facts\">\n");
    for (name, value) in facts {
        let _ = writeln!(html, "<dt>{}</dt><dd>{}</dd>", escape(&name), escape(&value));
    }
    html.push_str("</dl>\n");
    html
}

/// The text with a capital at its start.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
