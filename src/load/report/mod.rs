//! Reports of a run: one value, [`Report`], and one renderer for each format.
//!
//! ```text
//! Recording + RunFacts + assertions -> Report -> terminal text
//!                                        |   `-> HTML, JSON, JUnit XML, Markdown (bytes)
//!                                        `-<- JSON read back (baseline)
//! ```
//!
//! # Invariants
//! Renderers are pure: same report, same bytes; nothing here prints, reads or asks the clock.

pub mod build;
pub mod document;
pub mod histogram;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod svg;
pub mod terminal;
pub mod text;
pub mod words;

pub use document::{Report, RunFacts};

use crate::error::{Exit, Explain};
use std::path::{Path, PathBuf};

/// A format that `--report FILE` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One self-contained page (`.html`).
    Html,
    /// `gwtf.loadtest/v1` (`.json`).
    Json,
    /// JUnit XML (`.xml`).
    JUnit,
    /// GitHub-flavoured Markdown (`.md`).
    Markdown,
}

/// Why no report can be written to a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file's extension names no format.
    #[error("report `{}`: no report format has that extension", path.display())]
    Extension {
        /// The path given.
        path: PathBuf,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("name it .html, .json, .xml (JUnit) or .md".to_owned())
    }
}

impl Format {
    /// The format of a file, by its extension.
    ///
    /// # Errors
    /// There is no extension, or no format has it.
    pub fn for_path(path: &Path) -> Result<Self, Error> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("html") => Ok(Self::Html),
            Some("json") => Ok(Self::Json),
            Some("xml") => Ok(Self::JUnit),
            Some("md") => Ok(Self::Markdown),
            _ => Err(Error::Extension { path: path.to_owned() }),
        }
    }
}

/// The report in a format, ready to be written.
pub fn render(format: Format, report: &Report) -> Vec<u8> {
    match format {
        Format::Html => html::render(report).into_bytes(),
        Format::Json => report.to_json(),
        Format::JUnit => junit::render(report),
        Format::Markdown => markdown::render(report).into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_name_formats() {
        let cases = [
            ("a/report.html", Some(Format::Html)),
            ("report.JSON", Some(Format::Json)),
            ("report.xml", Some(Format::JUnit)),
            ("report.tar.md", Some(Format::Markdown)),
            ("report.pdf", None),
            ("report", None),
            (".html", None),
        ];
        for (path, format) in cases {
            assert_eq!(Format::for_path(Path::new(path)).ok(), format, "{path}");
        }
        let error = Format::for_path(Path::new("x.pdf")).unwrap_err();
        assert_eq!(error.to_string(), "report `x.pdf`: no report format has that extension");
    }
}
