//! What clap says of a command line it does not take, in the form of every other error.

use crate::console::Console;
use crate::error::{Exit, Failure};
use clap::error::ErrorKind;

/// Prints help and versions to stdout, refusals as `error: …` and `hint: …` to stderr.
pub(super) fn report(console: &Console, error: &clap::Error) -> Exit {
    let rendered = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = if console.color_on_stdout() {
                rendered.ansi().to_string()
            } else {
                rendered.to_string()
            };
            match console.data(text.as_bytes()) {
                Ok(()) => Exit::Done,
                Err(_) => Exit::Machine,
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            console.talk(rendered.to_string().trim_end());
            Exit::Refused
        }
        _ => {
            console.error(&failure(&rendered.to_string()));
            Exit::Refused
        }
    }
}

/// Takes clap's text apart: the message up to the first empty line, `tip:` lines, the usage.
fn failure(text: &str) -> Failure {
    let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let message: Vec<&str> = message.lines().map(str::trim).collect();
    let tips = rest.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let usage = rest.lines().filter_map(|line| line.strip_prefix("Usage: "));
    let usage = usage.map(|usage| format!("usage: {usage}"));
    let hint: Vec<String> = tips.map(str::to_owned).chain(usage).collect();
    let failure = Failure::new(Exit::Refused, message.join(" "));
    if hint.is_empty() {
        failure.with_hint("see `gwtf --help`")
    } else {
        failure.with_hint(hint.join("; "))
    }
}
