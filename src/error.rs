//! How a failure reaches a person: exit kinds, the printed form, and hints.
//!
//! Modules define their own `Error` enums and implement [`Explain`]; commands return [`Failure`],
//! which every such error converts into. Exit codes are decided here alone.

use std::fmt;
use std::process::ExitCode;

/// What the process says when it ends (see the exit codes of `docs/cli.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The command did what was asked, or there was nothing to do.
    Done,
    /// A negative verdict: an objective missed, drift found, a gate closed.
    Verdict,
    /// Usage, configuration or model refused.
    Refused,
    /// AWS, network or machine trouble.
    Machine,
    /// Ended by Ctrl-C; a run that was under way still reported.
    Interrupted,
}

impl Exit {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Verdict => 1,
            Self::Refused => 2,
            Self::Machine => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that knows its exit kind and the person's next step.
pub trait Explain: std::error::Error {
    /// Which exit code the process ends with if nobody handles this.
    fn exit(&self) -> Exit;
    /// The next step, printed as `hint: …`.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// A failure ready to be printed: `OBJECT: CAUSE`, an exit kind, and a hint.
#[derive(Debug)]
pub struct Failure {
    /// The exit kind.
    pub exit: Exit,
    /// The message, causes included, without `error: ` and without a full stop.
    pub message: String,
    /// The next step, if there is one to name.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure made on the spot, for conditions no module has an error for.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    /// The same failure with a next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)
    }
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: error.exit(), hint: error.hint(), message: chain(&error) }
    }
}

/// The error and its sources as `a: b: c`, each said once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("model `a.onnx`")]
    struct Outer(#[source] std::io::Error);

    impl Explain for Outer {
        fn exit(&self) -> Exit {
            Exit::Refused
        }
    }

    #[test]
    fn causes_follow_the_object_once() {
        let failure = Failure::from(Outer(std::io::Error::other("disk full")));
        assert_eq!(failure.message, "model `a.onnx`: disk full");
        assert_eq!(failure.exit.code(), 2);
    }
}
