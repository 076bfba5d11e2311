//! What a person and a program read of a plan, and of the ledger on AWS.
//!
//! The documents' schemas are `docs/schemas/gwtf.{plan,release,status,history,prune}.v1.json`; all
//! but the first are those of local releases too. Text is as wide as it is told to be, and coloured
//! only when it is told to; what AWS says is shown without control characters.

mod history;
pub mod ledger;
mod plan;
mod request;
mod text;

pub use plan::{document, drift_line, text};

/// How a text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns of the terminal.
    pub columns: usize,
    /// Whether it is coloured.
    pub color: bool,
    /// Whether what stays is listed too.
    pub verbose: bool,
}
