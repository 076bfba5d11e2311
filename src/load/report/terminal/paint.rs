//! Colour for terminals, or none.

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// As the terminal has it.
    Plain,
    /// What matters most.
    Strong,
    /// Labels and circumstances.
    Quiet,
    /// Ok, passed, better.
    Good,
    /// Throttled, notes.
    Warn,
    /// Errors, failed, worse.
    Bad,
}

/// Colours text when it is on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) on: bool,
}

impl Paint {
    /// The text in its colour. Empty and blank text stays as it is.
    pub(super) fn ink(self, text: &str, ink: Ink) -> String {
        let code = match ink {
            Ink::Plain => return text.to_owned(),
            Ink::Strong => "1",
            Ink::Quiet => "2",
            Ink::Good => "32",
            Ink::Warn => "33",
            Ink::Bad => "31",
        };
        if self.on && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
