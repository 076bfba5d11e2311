//! IAM policy documents and their evaluation. Pure: no request to anybody, no clock.
//!
//! ```text
//! JSON -> parse -> Document -> evaluate(Policies, Request) -> Decision
//!                     |-> render (JSON, text)        |-> sufficient, minimal (recorded calls)
//! ```
//!
//! # Invariants
//! - Bytes of others are bounded before they are read, and matching never backtracks.
//! - What is not understood is refused, never skipped: it may be what denies.

mod condition;
mod evaluate;
mod glob;
mod minimal;
mod operator;
mod parse;
mod render;
mod statement;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod variable;

pub use evaluate::{
    Accounts, Caller, Context, Decision, Ground, Layer, Policies, Request, evaluate,
};
pub use minimal::{
    Call, Change, LoosePair, Mutation, Superfluous, Unallowed, loose_pairs, minimal, mutations,
    sufficient,
};
pub use operator::{Compare, Operator, Order, Set, Test};
pub use parse::parse;
pub use statement::{
    Condition, Document, Effect, PrincipalKind, Principals, Statement, Version, Which,
};

use crate::error::{Exit, Explain};

/// The longest document that is read. The longest that AWS takes is a bucket policy of 20 KB
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html>).
pub const DOCUMENT_BYTES_MAX: usize = 32 * 1024;

/// The most statements that are read: a statement has at least 40 bytes.
pub const STATEMENTS_MAX: usize = 500;

/// What a document is attached to, which decides how long it may be.
///
/// Limits: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>, which does
/// not count white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// A managed policy: 6,144.
    Managed,
    /// All inline policies of a role together: 10,240.
    RoleInline,
    /// All inline policies of a user together: 2,048.
    UserInline,
    /// A role's trust policy: 2,048 unless the account's quota was raised.
    Trust,
}

impl Attachment {
    /// The most characters, white space aside.
    pub fn chars_max(self) -> usize {
        match self {
            Self::Managed => 6_144,
            Self::RoleInline => 10_240,
            Self::UserInline | Self::Trust => 2_048,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Managed => "a managed policy",
            Self::RoleInline => "a role's inline policies",
            Self::UserInline => "a user's inline policies",
            Self::Trust => "a role's trust policy",
        }
    }
}

/// Why a document is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many bytes to read.
    #[error("policy document of {bytes} bytes is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, too deep, or a key twice.
    #[error("policy document")]
    Json(#[from] serde_json::Error),
    /// JSON, but no policy.
    #[error("policy document: {at}: {cause}")]
    Shape {
        /// Where in the document.
        at: String,
        /// What is wrong there.
        cause: String,
    },
    /// A condition that cannot be evaluated.
    #[error("policy document: {at}: no condition operator `{name}`")]
    Operator {
        /// Where in the document.
        at: String,
        /// What stands there.
        name: String,
    },
    /// More than AWS takes.
    #[error("policy document of {chars} characters: {} may have {}", attachment.name(), attachment.chars_max())]
    TooLong {
        /// Where it was to go.
        attachment: Attachment,
        /// Its size without white space.
        chars: usize,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Operator { name, .. } => {
                let near =
                    Operator::names().min_by_key(|known| strsim::levenshtein(known, name))?;
                Some(format!("did you mean `{near}`"))
            }
            Self::TooLong { attachment: Attachment::UserInline | Attachment::Managed, .. } => {
                Some("a role's inline policies may have 10,240 characters".to_owned())
            }
            _ => None,
        }
    }
}
