//! What ends an action.

use super::cloud::CallError;
use crate::error::{Exit, Explain};
use crate::plan::change::Unresolved;

/// Why an action is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its call failed for good.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Its request names something that no action gave: a plan that does not hold together.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The function will not become ready.
    #[error("function `{function}` is {state}: {reason}")]
    FunctionFailed {
        /// The function.
        function: String,
        /// What Lambda says it is.
        state: String,
        /// Why, in Lambda's words.
        reason: String,
    },
    /// The function was not ready in time.
    #[error("function `{function}` is {state} even after {waited_s} s")]
    FunctionSlow {
        /// The function.
        function: String,
        /// What Lambda says it is.
        state: String,
        /// How long it was waited for, seconds.
        waited_s: u64,
    },
    /// The function that is waited for is not there.
    #[error("function `{function}` is gone while it is waited for")]
    FunctionGone {
        /// The function.
        function: String,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Call(error) => error.exit(),
            _ => Exit::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Call(error) => error.hint(),
            Self::Unresolved(_) => None,
            Self::FunctionFailed { .. } => {
                Some("remove the cause that Lambda names, then run the command again".to_owned())
            }
            Self::FunctionSlow { .. } => {
                Some("run the command again, it goes on from what is there".to_owned())
            }
            Self::FunctionGone { .. } => Some(
                "somebody else may be removing it; look with `gwtf status`, then run the command again"
                    .to_owned(),
            ),
        }
    }
}
