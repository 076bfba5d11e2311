//! Markdown for a CI step summary: verdict, assertions, outcomes, and the circumstances folded away.

use super::document::{OutcomeSummary, Report, TimeSummary};
use super::text::clean;
use super::words::{self, Verdict};
use crate::load::baseline::{Change, Comparison};
use crate::load::find_max::Findings;
use crate::load::units;
use std::fmt::Write as _;

/// The report as GitHub-flavoured Markdown. Text from elsewhere cannot add markup.
pub fn render(report: &Report) -> String {
    let mut page = String::new();
    let verdict = Verdict::of(report);
    let mark = match verdict {
        Verdict::Passed => "✓ ",
        Verdict::Failed | Verdict::NotValid => "✗ ",
        Verdict::Measured => "",
    };
    line(&mut page, &format!("### {mark}Load test {}", verdict.word()));
    line(&mut page, &format!("**{}**", escape(&words::headline(report))));
    if let Some(warning) = words::not_valid(report) {
        line(&mut page, &format!("> [!WARNING]\n> {}", escape(&warning)));
    }
    let target = code(&report.target);
    line(&mut page, &format!("{target}: {}", escape(&words::schedule(report))));
    assertions(&mut page, report);
    if report.requests() > 0 {
        outcomes(&mut page, report);
        line(&mut page, &summary(report));
    }
    for (outcome, example) in &report.examples {
        line(&mut page, &format!("Example, {}: {}", words::title(*outcome), code(example)));
    }
    if let Some(comparison) = &report.baseline {
        baseline(&mut page, comparison);
    }
    if let Some(findings) = &report.find_max {
        find_max(&mut page, findings);
    }
    facts(&mut page, report);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn assertions(page: &mut String, report: &Report) {
    if report.assertions.is_empty() {
        return;
    }
    let rows = report.assertions.iter().map(|result| {
        let mark = if result.passed { "✓ passed" } else { "✗ **failed**" };
        vec![mark.to_owned(), code(&result.expr), escape(&words::actual(result))]
    });
    table(page, &["", "objective", "measured"], 3, rows);
}

fn outcomes(page: &mut String, report: &Report) {
    let header = [
        "outcome",
        "count",
        "share",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "max",
        "service p50",
        "service p99",
    ];
    let mut rows: Vec<Vec<String>> = report
        .outcomes
        .iter()
        .map(|(outcome, summary)| outcome_row(report, words::title(*outcome), summary))
        .collect();
    if report.outcomes.len() > 1 {
        let all = OutcomeSummary {
            count: report.requests(),
            response_time_us: report.response_time_us,
            service_time_us: report.service_time_us,
        };
        rows.push(outcome_row(report, "all", &all));
    }
    if !report.generator.validity.valid {
        line(page, "Times of a run that is not valid:");
    }
    table(page, &header, 1, rows.into_iter());
}

fn outcome_row(report: &Report, title: &str, summary: &OutcomeSummary) -> Vec<String> {
    let time = |times: Option<TimeSummary>, of: fn(&TimeSummary) -> u64| {
        times.map_or_else(|| "–".to_owned(), |times| units::time(of(&times)))
    };
    let (response, service) = (summary.response_time_us, summary.service_time_us);
    vec![
        title.to_owned(),
        units::count(summary.count),
        units::percent_fixed(report.share(summary.count)),
        time(response, |times| times.p50),
        time(response, |times| times.p90),
        time(response, |times| times.p99),
        time(response, |times| times.p999),
        time(response, |times| times.max),
        time(service, |times| times.p50),
        time(service, |times| times.p99),
    ]
}

/// Limiters, goodput, retries, cold starts, generator as a list.
fn summary(report: &Report) -> String {
    let limiters: Vec<String> = words::limiters(report)
        .iter()
        .map(|(name, count, share)| {
            format!("{name} {} ({})", units::count(*count), units::percent(*share))
        })
        .collect();
    let lines = [
        ("Limited by", Some(limiters.join(", ")).filter(|text| !text.is_empty())),
        ("Goodput", Some(words::goodput(report))),
        ("Retries", words::retries(report)),
        ("Cold starts", words::cold_starts(report)),
        ("Generator", Some(words::generator(report))),
    ];
    let mut list = String::new();
    for (label, text) in lines {
        if let Some(text) = text {
            let _ = writeln!(list, "- {label}: {}", escape(&text));
        }
    }
    for warning in &report.generator.validity.warnings {
        let _ = writeln!(list, "- Note: {}", escape(&clean(warning)));
    }
    list.trim_end().to_owned()
}

fn baseline(page: &mut String, comparison: &Comparison) {
    line(page, &format!("**Baseline**: {}", escape(&words::baseline(comparison))));
    for note in &comparison.notes {
        line(page, &format!("Note: {}", escape(&clean(note))));
    }
    let rows = comparison.rows.iter().map(|row| {
        let verdict = words::change(row.verdict);
        vec![
            escape(&clean(&row.class)),
            escape(&clean(&row.what)),
            words::value(row.before, row.unit),
            words::value(row.now, row.unit),
            row.change_percent.map_or_else(|| "–".to_owned(), units::change),
            if row.verdict == Change::Regression {
                format!("**{verdict}**")
            } else {
                verdict.to_owned()
            },
        ]
    });
    table(page, &["class", "statistic", "before", "now", "change", ""], 2, rows);
}

fn find_max(page: &mut String, findings: &Findings) {
    line(page, &format!("**Highest rate**: {}", escape(&words::find_max(findings))));
    let rows = findings.probes.iter().map(|probe| {
        vec![
            units::rate(probe.rate_rps),
            if probe.holds { "✓ holds" } else { "✗ misses" }.to_owned(),
            probe.note.as_deref().map_or_else(String::new, |note| escape(&clean(note))),
        ]
    });
    table(page, &["offered", "result", "note"], 0, rows);
}

fn facts(page: &mut String, report: &Report) {
    page.push_str("<details><summary>The run</summary>\n\n");
    let rows =
        words::facts(report).into_iter().map(|(name, value)| vec![escape(&name), code(&value)]);
    table(page, &["", ""], 2, rows);
    page.push_str("</details>\n");
}

/// A table whose first `left` columns are aligned left, the others right.
fn table(page: &mut String, header: &[&str], left: usize, rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(page, "| {} |", header.join(" | "));
    let rule: Vec<&str> =
        (0..header.len()).map(|index| if index < left { "---" } else { "---:" }).collect();
    let _ = writeln!(page, "| {} |", rule.join(" | "));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
    page.push('\n');
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push_str("\n\n");
}

/// Text that renders as itself. Entities rather than backslashes: they also work inside tables.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '\\' | '!' | '@' => {
                let _ = write!(escaped, "&#{};", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// Text as code: HTML rather than backticks, which the text could close.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(&clean(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_add_markup() {
        let hostile = "`</code>|<script>*x*_y_ [a](b) #1 @me";
        let shown = code(hostile);
        let inside = shown.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>"));
        let inside = inside.unwrap();
        assert!(!inside.contains(['<', '>', '|', '`', '*', '_', '[', ']', '@']), "{inside}");
        assert_eq!(
            inside,
            "&#96;&lt;/code&gt;&#124;&lt;script&gt;&#42;x&#42;&#95;y&#95; &#91;a&#93;(b) &#35;1 &#64;me"
        );
    }
}
