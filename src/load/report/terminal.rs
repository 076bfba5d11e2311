//! The report on a terminal: a sentence, tables, and sparklines of the run.
//!
//! Three layouts of the table, by columns; everything else wraps. Colour only when told: without
//! it, marks and words carry everything.

mod paint;
mod sparkline;
mod table;

use super::document::Report;
use super::text::clean;
use super::words::{self, Verdict};
use crate::load::baseline::Comparison;
use crate::load::find_max::Findings;
use crate::load::units;
use paint::{Ink, Paint};

/// Columns of the label before each line.
const LABEL_COLUMNS: usize = 13;

/// The narrowest terminal that is laid out for.
const COLUMNS_MIN: usize = 40;

/// The widest: beyond, lines are too long to read.
const COLUMNS_MAX: usize = 160;

/// The report for a terminal of `columns`, with a newline at the end.
pub fn render(report: &Report, columns: usize, color: bool) -> String {
    let columns = columns.clamp(COLUMNS_MIN, COLUMNS_MAX);
    let mut page = Page { text: String::new(), columns, paint: Paint { on: color } };
    page.head(report);
    if report.requests() > 0 {
        page.blank();
        page.text.push_str(&table::outcomes(report, columns, page.paint));
        page.blank();
        page.talk(report);
        page.text.push_str(&sparkline::render(report, columns, page.paint));
    }
    page.examples(report);
    page.assertions(report);
    if let Some(comparison) = &report.baseline {
        page.baseline(comparison);
    }
    if let Some(findings) = &report.find_max {
        page.find_max(findings);
    }
    page.text
}

/// The table of a search and the plan it suggests, for when there is no one report to show.
pub fn render_find_max(findings: &Findings, columns: usize, color: bool) -> String {
    let columns = columns.clamp(COLUMNS_MIN, COLUMNS_MAX);
    let mut page = Page { text: String::new(), columns, paint: Paint { on: color } };
    page.find_max(findings);
    page.text.trim_start().to_owned()
}

struct Page {
    text: String,
    columns: usize,
    paint: Paint,
}

impl Page {
    fn head(&mut self, report: &Report) {
        let verdict = Verdict::of(report);
        let ink = match verdict {
            Verdict::Passed => Ink::Good,
            Verdict::Failed | Verdict::NotValid => Ink::Bad,
            Verdict::Measured => Ink::Strong,
        };
        self.line(&verdict.word().to_uppercase(), ink, &words::headline(report), Ink::Strong);
        if let Some(warning) = words::not_valid(report) {
            self.line("", Ink::Plain, &warning, Ink::Bad);
        }
        let load = words::schedule(report);
        self.line("", Ink::Plain, &format!("{} ({load})", clean(&report.target)), Ink::Quiet);
    }

    fn talk(&mut self, report: &Report) {
        let limiters = words::limiters(report);
        if !limiters.is_empty() {
            let each: Vec<String> = limiters
                .iter()
                .map(|(name, count, share)| {
                    format!("{name} {} ({})", units::count(*count), units::percent(*share))
                })
                .collect();
            self.labelled("limited by", &each.join(", "));
        }
        self.labelled("goodput", &words::goodput(report));
        if let Some(retries) = words::retries(report) {
            self.labelled("retries", &retries);
        }
        if let Some(cold_starts) = words::cold_starts(report) {
            self.labelled("cold starts", &cold_starts);
        }
        self.labelled("generator", &words::generator(report));
        for warning in &report.generator.validity.warnings {
            self.note(warning);
        }
    }

    fn examples(&mut self, report: &Report) {
        for (outcome, example) in &report.examples {
            self.labelled("example", &format!("{}: {}", words::title(*outcome), clean(example)));
        }
    }

    fn assertions(&mut self, report: &Report) {
        let exprs: Vec<String> =
            report.assertions.iter().map(|result| clean(&result.expr)).collect();
        let Some(width) = exprs.iter().map(|expr| expr.chars().count()).max() else { return };
        self.blank();
        for (result, expr) in report.assertions.iter().zip(exprs) {
            let (mark, ink) =
                if result.passed { ("✓ passed", Ink::Good) } else { ("✗ failed", Ink::Bad) };
            let measured = if result.value.is_some() { "measured " } else { "" };
            let actual = words::actual(result);
            self.line(mark, ink, &format!("{expr:<width$}  {measured}{actual}"), Ink::Plain);
        }
    }

    fn baseline(&mut self, comparison: &Comparison) {
        self.blank();
        self.labelled("baseline", &words::baseline(comparison));
        for note in &comparison.notes {
            self.note(note);
        }
        self.text.push_str(&table::baseline(comparison, self.paint));
    }

    fn find_max(&mut self, findings: &Findings) {
        self.blank();
        self.labelled("highest rate", &words::find_max(findings));
        self.text.push_str(&table::probes(findings, self.columns, self.paint));
    }

    fn note(&mut self, text: &str) {
        self.line("note", Ink::Warn, &clean(text), Ink::Plain);
    }

    fn labelled(&mut self, label: &str, text: &str) {
        self.line(label, Ink::Quiet, text, Ink::Plain);
    }

    /// A label, and a text that wraps beside it.
    fn line(&mut self, label: &str, label_ink: Ink, text: &str, text_ink: Ink) {
        let room = self.columns.saturating_sub(LABEL_COLUMNS);
        for (index, line) in wrap(text, room).iter().enumerate() {
            let label = format!("{:<LABEL_COLUMNS$}", if index == 0 { label } else { "" });
            self.text.push_str(&self.paint.ink(&label, label_ink));
            self.text.push_str(&self.paint.ink(line, text_ink));
            self.text.push('\n');
        }
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }
}

/// Breaks at spaces; a word longer than a line (a URL) is broken where the line ends.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if used > 0 && used + length > columns {
            lines.push(String::new());
            used = 0;
        }
        for character in word.chars() {
            if used >= columns && character != ' ' {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(character);
            }
            used += 1;
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_spaces_and_long_words_at_the_end() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a  b", 40), ["a  b"]);
        assert_eq!(wrap("exact fit", 9), ["exact fit"]);
        assert_eq!(wrap("", 9), [""]);
    }
}
