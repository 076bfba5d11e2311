//! Why a schema cannot be compiled.

use crate::error::{Exit, Explain};

/// Why a schema was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The twin does not enforce it.
    #[error("`{keyword}` at `{pointer}` is not enforced by the local twin")]
    Keyword {
        /// JSON pointer of the subschema.
        pointer: String,
        /// The keyword.
        keyword: String,
    },
    /// Draft 4 gives the keyword another form.
    #[error("`{keyword}` at `{pointer}` must be {expected}")]
    Form {
        /// JSON pointer of the subschema.
        pointer: String,
        /// The keyword.
        keyword: &'static str,
        /// What draft 4 asks for.
        expected: &'static str,
    },
    /// A reference that leads to no subschema of this document.
    #[error("`$ref` at `{pointer}` leads nowhere in this schema: `{target}`")]
    Reference {
        /// JSON pointer of the reference.
        pointer: String,
        /// What it refers to.
        target: String,
    },
    /// Subschemas of one place that need each other's verdict.
    #[error("the subschema at `{pointer}` refers to itself")]
    Cycle {
        /// JSON pointer of a subschema of the cycle.
        pointer: String,
    },
    /// Beyond a named limit.
    #[error("the schema has too many {what}")]
    TooComplex {
        /// What there is too much of.
        what: &'static str,
    },
}

impl Explain for CompileError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }
}
