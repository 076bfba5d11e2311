//! One self-contained HTML page: no script, nothing fetched, readable on paper and without a mouse.
//!
//! The page is `templates/report.html` with its `{{names}}` filled in. Its content security policy
//! forbids scripts and requests, so that text that slipped through escaping could still do nothing.
//!
//! # Invariants
//! Everything that comes from a report passes through `escape`; plots hold only numbers and names
//! of ours. Every plot has a table of its numbers below it.

mod plots;
mod sections;
mod table;

use super::document::Report;
use super::text::clean;
use super::words::{self, Verdict};
use std::fmt::Write as _;

/// The page's frame and style.
const TEMPLATE: &str = include_str!("../../../templates/report.html");

/// The report as one HTML page.
pub fn render(report: &Report) -> String {
    let verdict = Verdict::of(report);
    let parts = [
        ("title", escape(&format!("Load test {}: {}", verdict.word(), words::headline(report)))),
        ("verdict_class", verdict.word().replace(' ', "-")),
        ("verdict", verdict.word().to_owned()),
        // A number and its % stay on one line.
        ("headline", escape(&words::headline(report)).replace(" %", "&nbsp;%")),
        ("target", escape(&report.target)),
        ("schedule", escape(&words::schedule(report))),
        ("banners", sections::banners(report)),
        ("tiles", sections::tiles(report)),
        ("assertions", sections::assertions(report)),
        ("percentiles", plots::percentiles(report)),
        ("timeline", plots::timeline(report)),
        ("outcomes", sections::outcomes(report)),
        ("limiters", sections::limiters(report)),
        ("client", sections::client(report)),
        ("baseline", sections::baseline(report)),
        ("find_max", sections::find_max(report)),
        ("examples", sections::examples(report)),
        ("facts", sections::facts(report)),
        ("footer", sections::footer(report)),
    ];
    filled(TEMPLATE, &parts)
}

/// The template with every `{{name}}` replaced. What is filled in is not looked at again.
fn filled(template: &str, parts: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(template.len() * 4);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.push_str(before);
        if let Some((_, part)) = parts.iter().find(|(known, _)| *known == name) {
            page.push_str(part);
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// Text as HTML, fit for elements and for quoted attributes.
fn escape(text: &str) -> String {
    let text = clean(text);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A section with a heading. `id` names it for links and for assistive technology.
fn section(id: &str, heading: &str, body: &str) -> String {
    format!(
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n{body}</section>\n",
        escape(heading)
    )
}

/// A section of times, marked when the run is not valid: whoever jumps to it must see that.
fn section_of_times(report: &Report, id: &str, heading: &str, body: &str) -> String {
    let section = section(id, heading, body);
    if report.generator.validity.valid {
        return section;
    }
    let mark = " <span class=\"verdict not-valid\">not valid</span></h2>";
    section.replacen("</h2>", mark, 1)
}

/// A list of `<li>`s, each of a class.
fn list(class: &str, items: impl IntoIterator<Item = (String, String)>) -> String {
    let mut html = format!("<ul class=\"{class}\">\n");
    for (class, content) in items {
        let _ = writeln!(html, "<li class=\"{class}\">{content}</li>");
    }
    html.push_str("</ul>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(
            escape("\"><script>x</script>'&\u{202e}"),
            "&quot;&gt;&lt;script&gt;x&lt;/script&gt;&#39;&amp;\u{fffd}"
        );
    }

    #[test]
    fn templates_are_filled_once() {
        let parts = [("a", "{{b}}".to_owned()), ("b", "never".to_owned())];
        assert_eq!(filled("x{{a}}y{{unknown}}z{{", &parts), "x{{b}}yz");
    }
}
