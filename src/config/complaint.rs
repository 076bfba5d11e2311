//! What is wrong with a file, all at once: each complaint has its line and its next step.

use std::fmt;
use std::ops::Range;

/// Most complaints printed; a file with more is no gwtf.toml.
pub(super) const COMPLAINTS_MAX: usize = 50;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Complaints about one file, as they are found.
#[derive(Debug)]
pub(super) struct Complaints {
    /// Where each line but the first begins, bytes.
    line_starts: Vec<usize>,
    found: Vec<Complaint>,
}

impl Complaints {
    pub(super) fn about(text: &str) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { line_starts, found: Vec::new() }
    }

    /// Notes what is wrong at these bytes of the file.
    pub(super) fn add(
        &mut self,
        span: &Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let line = self.line_starts.partition_point(|start| *start <= span.start) + 1;
        self.found.push(Complaint { line, message: message.into(), hint: hint.into() });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The complaints in the order of their lines.
    pub(super) fn into_sorted(mut self) -> Vec<Complaint> {
        self.found.sort_by_key(|complaint| complaint.line);
        self.found
    }
}

/// Complaints about a file, `FILE:LINE: what` and an indented hint each.
pub(super) fn write_all(
    f: &mut fmt::Formatter<'_>,
    path: &std::path::Path,
    complaints: &[Complaint],
) -> fmt::Result {
    let plural = if complaints.len() == 1 { "" } else { "s" };
    write!(f, "`{}`: {} complaint{plural}", path.display(), complaints.len())?;
    for Complaint { line, message, hint } in complaints.iter().take(COMPLAINTS_MAX) {
        write!(f, "\n  {}:{line}: {message}\n      hint: {hint}", path.display())?;
    }
    if complaints.len() > COMPLAINTS_MAX {
        write!(f, "\n  and {} more", complaints.len() - COMPLAINTS_MAX)?;
    }
    Ok(())
}
