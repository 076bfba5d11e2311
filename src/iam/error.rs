//! Why a proof cannot be made.

use crate::error::{Exit, Explain};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A command did not go through in the rehearsal.
    #[error("rehearsal: {failure}")]
    Rehearsal {
        /// What it said.
        failure: String,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Machine
    }

    fn hint(&self) -> Option<String> {
        Some("no command was carried out; this is a fault of gwtf's own".to_owned())
    }
}
