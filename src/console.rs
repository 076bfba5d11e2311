//! The only printer: stdout is data, stderr is talk.
//!
//! # Invariants
//! Nothing else in the crate names `print!`, `eprint!` or the standard streams.

use crate::error::Failure;
use comfy_table::{ContentArrangement, Table, TableStyle};
use indicatif::{ProgressBar, ProgressDrawTarget};
use std::io::{BufRead, IsTerminal, Read, Write};

/// When to colour output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// When the stream is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a run prints.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console {
    /// Colour on stdout and stderr.
    pub color: Color,
    /// No talk but errors.
    pub quiet: bool,
    /// More talk.
    pub verbose: bool,
    /// Exactly one JSON document on stdout.
    pub json: bool,
    /// `NO_COLOR` was set (read by the caller: the environment is an argument).
    pub no_color_env: bool,
}

impl Console {
    /// Writes data to stdout as it is.
    ///
    /// # Errors
    /// stdout is closed or full; a broken pipe is not an error.
    pub fn data(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Writes a JSON document to stdout, the only one of the run.
    ///
    /// # Errors
    /// stdout is closed or full; a broken pipe is not an error.
    pub fn document(&self, document: &serde_json::Value) -> std::io::Result<()> {
        // `{:#}` is serde_json's indented form.
        self.data(format!("{document:#}\n").as_bytes())
    }

    /// Says a line to the person, unless quiet.
    pub fn talk(&self, line: &str) {
        if !self.quiet {
            Self::stderr_line(line);
        }
    }

    /// Says a line only when asked for more.
    pub fn detail(&self, line: &str) {
        if self.verbose && !self.quiet {
            Self::stderr_line(line);
        }
    }

    /// Prints `error: OBJECT: CAUSE` and the hint.
    pub fn error(&self, failure: &Failure) {
        let (red, cyan, off) = if self.color_on_stderr() {
            ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m")
        } else {
            ("", "", "")
        };
        Self::stderr_line(&format!("{red}error:{off} {}", failure.message));
        if let Some(hint) = &failure.hint {
            Self::stderr_line(&format!("\n{cyan}hint:{off} {hint}"));
        }
    }

    /// Asks the person on the terminal; `None` when there is none to ask.
    pub fn ask(&self, question: &str) -> Option<String> {
        const ANSWER_BYTES_MAX: u64 = 1_024;
        let input = std::io::stdin();
        if !input.is_terminal() || !std::io::stderr().is_terminal() {
            return None;
        }
        let mut err = std::io::stderr().lock();
        write!(err, "{question}").and_then(|()| err.flush()).ok()?;
        let mut answer = String::new();
        input.lock().take(ANSWER_BYTES_MAX).read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }

    /// Whether stdout gets colour.
    pub fn color_on_stdout(&self) -> bool {
        self.color_for(std::io::stdout().is_terminal())
    }

    /// Whether stderr gets colour.
    pub fn color_on_stderr(&self) -> bool {
        self.color_for(std::io::stderr().is_terminal())
    }

    /// Whether a live view makes sense: stderr is a terminal and talk is wanted.
    pub fn is_live(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// A progress bar on stderr, hidden when no live view makes sense.
    pub fn progress(&self, length: u64) -> ProgressBar {
        let target = if self.is_live() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        ProgressBar::with_draw_target(Some(length), target)
    }

    /// Columns of the terminal that shows stdout; 80 when there is none.
    pub fn columns(&self) -> usize {
        rustix::termios::tcgetwinsize(std::io::stdout())
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0)
            .unwrap_or(80)
    }

    fn color_for(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !self.no_color_env,
        }
    }

    fn stderr_line(line: &str) {
        let mut err = std::io::stderr().lock();
        // A closed stderr leaves nobody to tell.
        let _ = writeln!(err, "{line}");
    }
}

/// A table without lines that fits into this many columns; cells wrap when they must.
pub fn table(columns: usize) -> Table {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(columns).unwrap_or(u16::MAX));
    table
}
