//! Tables of the terminal report: outcomes, baseline, probes.

use super::paint::{Ink, Paint};
use crate::load::baseline::{Change, Comparison};
use crate::load::find_max::Findings;
use crate::load::outcome::Outcome;
use crate::load::report::document::{OutcomeSummary, Report, TimeSummary};
use crate::load::report::text::clean;
use crate::load::report::words;
use crate::load::units;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A statistic's title and how it is read.
type Statistic = (&'static str, fn(&TimeSummary) -> u64);

const P50: Statistic = ("p50", |times| times.p50);
const P90: Statistic = ("p90", |times| times.p90);
const P95: Statistic = ("p95", |times| times.p95);
const P99: Statistic = ("p99", |times| times.p99);
const P999: Statistic = ("p99.9", |times| times.p999);
const MAX: Statistic = ("max", |times| times.max);
const MEAN: Statistic = ("mean", |times| times.mean.round() as u64);

/// Outcome, count, share.
const COLUMNS_BEFORE_TIMES: usize = 3;

/// Which statistics fit.
struct Layout {
    response: &'static [Statistic],
    service: &'static [Statistic],
    /// Blank columns before a column, besides the one that the table's style puts there.
    gap: u16,
    share: fn(f64) -> String,
}

const WIDE: Layout = Layout {
    response: &[P50, P90, P95, P99, P999, MAX, MEAN],
    service: &[P50, P90, P99, MAX],
    gap: 1,
    share: units::percent_fixed,
};
const USUAL: Layout = Layout {
    response: &[P50, P90, P99, P999, MAX],
    service: &[P50, P99],
    gap: 0,
    share: units::percent_compact,
};
const NARROW: Layout =
    Layout { response: &[P50, P99], service: &[P99], gap: 0, share: units::percent_compact };

/// From the one that says most to the one that needs least.
const LAYOUTS: [&Layout; 4] = [&WIDE, &Layout { gap: 1, ..USUAL }, &USUAL, &NARROW];

/// One row per outcome with response and service times, and their sum when there are several.
pub(super) fn outcomes(report: &Report, columns: usize, paint: Paint) -> String {
    let tables = LAYOUTS.map(|layout| outcomes_table(report, layout));
    let fits = |table: &&Outcomes| table.lines.iter().all(|line| line.chars().count() <= columns);
    let Outcomes { titles, lines, inks } = tables.iter().find(fits).unwrap_or(&tables[3]);
    format!("{}\n{}", paint.ink(titles, Ink::Quiet), painted(lines, inks, paint))
}

/// A table laid out, its groups' titles, and each row's ink.
struct Outcomes {
    titles: String,
    lines: Vec<String>,
    inks: Vec<Ink>,
}

fn outcomes_table(report: &Report, layout: &Layout) -> Outcomes {
    let mut table = Table::new();
    let mut header = vec!["outcome", "count", "share"];
    header.extend(layout.response.iter().chain(layout.service).map(|(title, _)| *title));
    table.load_style(STYLE).force_no_tty().set_header(header);
    let mut inks = Vec::new();
    for (outcome, summary) in &report.outcomes {
        table.add_row(outcome_row(report, words::title(*outcome), summary, layout));
        inks.push(outcome_ink(*outcome));
    }
    if report.outcomes.len() > 1 {
        let all = OutcomeSummary {
            count: report.requests(),
            response_time_us: report.response_time_us,
            service_time_us: report.service_time_us,
        };
        table.add_row(outcome_row(report, "all", &all, layout));
        inks.push(Ink::Strong);
    }
    spaced(&mut table, layout.gap);
    // One more blank parts service times from response times.
    let service_index = COLUMNS_BEFORE_TIMES + layout.response.len();
    if let Some(column) = table.column_mut(service_index) {
        column.set_padding((layout.gap + 1, 0));
    }
    let starts = column_starts(&mut table);
    let mark = if report.generator.validity.valid { "" } else { " (not valid)" };
    let response = format!("{:1$}response time{mark}", "", starts[COLUMNS_BEFORE_TIMES]);
    let titles = format!("{response:<0$} service time", starts[service_index]);
    Outcomes { titles, lines: table.lines().collect(), inks }
}

/// Where each column's text may begin.
fn column_starts(table: &mut Table) -> Vec<usize> {
    let widths = table.column_max_content_widths();
    let mut at = 0;
    let mut starts = Vec::new();
    for (column, width) in table.column_iter().zip(widths) {
        let padding = usize::from(column.padding_width());
        starts.push(at + padding);
        at += padding + usize::from(width) + 1;
    }
    starts
}

fn outcome_row(
    report: &Report,
    title: &str,
    summary: &OutcomeSummary,
    layout: &Layout,
) -> Vec<String> {
    let mut row = vec![
        title.to_owned(),
        units::count_compact(summary.count),
        (layout.share)(report.share(summary.count)),
    ];
    let times = |times: &Option<TimeSummary>, statistics: &[Statistic]| -> Vec<String> {
        let cell = |(_, of): &Statistic| {
            times.as_ref().map_or_else(|| "–".to_owned(), |times| units::time_compact(of(times)))
        };
        statistics.iter().map(cell).collect()
    };
    row.extend(times(&summary.response_time_us, layout.response));
    row.extend(times(&summary.service_time_us, layout.service));
    row
}

/// The earlier run beside this one.
pub(super) fn baseline(comparison: &Comparison, paint: Paint) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).force_no_tty();
    table.set_header(vec!["class", "statistic", "before", "now", "change", ""]);
    let mut inks = Vec::new();
    for row in &comparison.rows {
        let change = row.change_percent.map_or_else(|| "–".to_owned(), units::change);
        table.add_row(vec![
            clean(&row.class),
            clean(&row.what),
            words::value(row.before, row.unit),
            words::value(row.now, row.unit),
            change,
            words::change(row.verdict).to_owned(),
        ]);
        inks.push(match row.verdict {
            Change::Regression => Ink::Bad,
            Change::Better => Ink::Good,
            Change::Same => Ink::Plain,
            Change::NotJudged => Ink::Quiet,
        });
    }
    spaced(&mut table, 1);
    for index in [1, 5] {
        align_left(&mut table, index);
    }
    let lines: Vec<String> = table.lines().collect();
    painted(&lines, &inks, paint)
}

/// The runs of a search.
pub(super) fn probes(findings: &Findings, columns: usize, paint: Paint) -> String {
    /// Columns that the table needs before the note.
    const BEFORE_NOTE: usize = 30;
    let mut table = Table::new();
    table.load_style(STYLE).force_no_tty().set_header(vec!["run", "offered", "result", "note"]);
    let mut inks = Vec::new();
    for (index, probe) in findings.probes.iter().enumerate() {
        let room = columns.saturating_sub(BEFORE_NOTE);
        let note = probe.note.as_deref().map(clean).unwrap_or_default();
        let note: String = super::wrap(&note, room).join("\n");
        table.add_row(vec![
            (index + 1).to_string(),
            units::rate(probe.rate_rps),
            if probe.holds { "✓ holds" } else { "✗ misses" }.to_owned(),
            note,
        ]);
        inks.push(if probe.holds { Ink::Good } else { Ink::Bad });
    }
    spaced(&mut table, 1);
    for index in [2, 3] {
        align_left(&mut table, index);
    }
    let lines: Vec<String> = table.lines().collect();
    painted(&lines, &inks, paint)
}

/// First column left, the others right, `gap` blanks between.
fn spaced(table: &mut Table, gap: u16) {
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if index == 0 { 0 } else { gap }, 0));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn align_left(table: &mut Table, index: usize) {
    if let Some(column) = table.column_mut(index) {
        column.set_cell_alignment(CellAlignment::Left);
    }
}

/// Header and rule quiet; each row's line in its ink (a row that wraps keeps the last ink).
fn painted(lines: &[String], inks: &[Ink], paint: Paint) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let ink = match index.checked_sub(2) {
            None => Ink::Quiet,
            Some(row) => inks.get(row).copied().unwrap_or(Ink::Plain),
        };
        text.push_str(&paint.ink(line.trim_end(), ink));
        text.push('\n');
    }
    text
}

fn outcome_ink(outcome: Outcome) -> Ink {
    if outcome == Outcome::Ok {
        Ink::Good
    } else if outcome.is_throttled() {
        Ink::Warn
    } else if outcome.is_error() {
        Ink::Bad
    } else {
        Ink::Quiet
    }
}
