//! Request bodies against JSON Schema draft 4, over the bytes, in one pass, without a tree.
//!
//! ```text
//! schema (JSON) --parse--> nodes --automaton--> states --run--> verdict
//!                                                   body bytes --scan--^
//! ```
//! A *node* is one subschema. A *state* is the set of all nodes that look at the same place of a
//! document: the place's own subschema, and whatever `allOf`, `anyOf`, `oneOf`, `not` and `$ref`
//! reach from it. The nodes of a state are judged together, a bit each, so alternatives cost no
//! second reading. Which state looks at an array's items or an object's members is worked out when
//! the schema is compiled.
//!
//! # Invariants
//! - A keyword that is not enforced here is refused by name when the schema is compiled.
//! - Work is linear in the body; depth, nodes and states are bounded.
//! - Where a name stands twice in an object the last one counts, as in Jackson, AWS's parser.
//! - `integer` is a number written without fraction and exponent (draft 4, section 3.5).

mod automaton;
mod error;
mod number;
mod parse;
mod run;
mod scan;

use automaton::Automaton;
use serde_json::Value;

pub use error::CompileError;

/// Deepest nesting of a body; deeper ones are malformed. Differs: Jackson stops at 1,000.
pub const DEPTH_MAX: usize = 256;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    automaton: Automaton,
}

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is what the schema says.
    Valid,
    /// It is JSON, but not what the schema says.
    Invalid,
    /// It is no JSON, or nested deeper than [`DEPTH_MAX`].
    Malformed,
}

impl Schema {
    /// Compiles a draft 4 schema.
    ///
    /// # Errors
    /// A keyword that is not enforced, a keyword's value of a wrong form, a reference to nowhere or
    /// to itself, or a schema beyond the limits.
    pub fn compile(schema: &Value) -> Result<Self, CompileError> {
        let (nodes, root) = parse::parse(schema)?;
        Ok(Self { automaton: Automaton::new(&nodes, root)? })
    }

    /// Checks a body.
    pub fn check(&self, body: &[u8]) -> Verdict {
        match std::str::from_utf8(body) {
            Ok(_) => run::run(&self.automaton, body),
            Err(_) => Verdict::Malformed,
        }
    }
}

#[cfg(test)]
mod tests;
