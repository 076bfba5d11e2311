//! Tables of the HTML report.
//!
//! A table of `cards` becomes one card per row on a narrow screen, each cell under its column's
//! name. That takes `display` values which make browsers forget that it is a table, so that roles
//! are written out.

use super::escape;
use std::fmt::Write as _;

/// One column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Column<'a> {
    /// Its title.
    pub(super) title: &'a str,
    /// Its title when it stands alone on a card, if that needs more words.
    pub(super) card_title: Option<&'a str>,
    /// Text rather than numbers.
    pub(super) is_text: bool,
    /// The first of a group: a line parts it from what is before.
    pub(super) is_part: bool,
}

/// One row: its class, its name, and its other cells, all plain text.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
}

/// A cell's text and class.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) class: &'static str,
}

/// Column titles that several columns share: the title and how many columns it spans.
pub(super) type Groups<'a> = &'a [(&'a str, usize)];

/// A number's column.
pub(super) fn number(title: &str) -> Column<'_> {
    Column { title, ..Column::default() }
}

/// A text's column.
pub(super) fn text(title: &str) -> Column<'_> {
    Column { title, is_text: true, ..Column::default() }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, class: "" }
    }
}

/// A table that turns into cards on a narrow screen.
pub(super) fn cards(
    caption: &str,
    groups: Groups<'_>,
    columns: &[Column<'_>],
    rows: &[Row],
) -> String {
    table("cards", caption, groups, columns, rows)
}

/// A table that scrolls sideways in its own frame when it is too wide; reachable by keyboard.
pub(super) fn scrolling(caption: &str, columns: &[Column<'_>], rows: &[Row]) -> String {
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n{}</div>\n",
        escape(caption),
        table("", caption, &[], columns, rows),
    )
}

fn table(
    class: &str,
    caption: &str,
    groups: Groups<'_>,
    columns: &[Column<'_>],
    rows: &[Row],
) -> String {
    let mut html = format!(
        "<table class=\"{class}\" role=\"table\"><caption>{}</caption>\n<thead role=\"rowgroup\">\n",
        escape(caption)
    );
    if !groups.is_empty() {
        html.push_str("<tr role=\"row\">");
        for (index, (title, span)) in groups.iter().enumerate() {
            let class = if index > 0 { "group part" } else { "group" };
            let scope =
                if title.is_empty() { "" } else { " scope=\"colgroup\" role=\"columnheader\"" };
            // An empty corner is no header.
            let tag = if title.is_empty() { "td" } else { "th" };
            let _ = write!(
                html,
                "<{tag} class=\"{class}\" colspan=\"{span}\"{scope}>{}</{tag}>",
                escape(title)
            );
        }
        html.push_str("</tr>\n");
    }
    html.push_str("<tr role=\"row\">");
    for column in columns {
        let _ = write!(
            html,
            "<th scope=\"col\" role=\"columnheader\"{}>{}</th>",
            class_of(column, "left", ""),
            escape(column.title)
        );
    }
    html.push_str("</tr>\n</thead>\n<tbody role=\"rowgroup\">\n");
    for row in rows {
        let _ = write!(html, "<tr class=\"{}\" role=\"row\">", row.class);
        let _ = write!(html, "<th scope=\"row\" role=\"rowheader\">{}</th>", escape(&row.name));
        for (column, cell) in columns.iter().skip(1).zip(&row.cells) {
            let _ = write!(
                html,
                "<td role=\"cell\"{} data-label=\"{}\">{}</td>",
                class_of(column, "left wrap", cell.class),
                escape(column.card_title.unwrap_or(column.title)),
                escape(&cell.text),
            );
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n");
    html
}

fn class_of(column: &Column<'_>, text_class: &str, more: &str) -> String {
    let mut classes: Vec<&str> = Vec::new();
    if column.is_text {
        classes.push(text_class);
    }
    if column.is_part {
        classes.push("part");
    }
    if !more.is_empty() {
        classes.push(more);
    }
    if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) }
}
