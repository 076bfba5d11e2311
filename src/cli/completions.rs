//! `gwtf completions`: what a shell needs to complete gwtf's command line.

use super::{Cli, Context, cannot_print};
use crate::error::{Exit, Failure};
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf completions bash > ~/.local/share/bash-completion/completions/gwtf
  gwtf completions fish > ~/.config/fish/completions/gwtf.fish")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gwtf", &mut script);
    context.console.data(&script).map_err(cannot_print)?;
    Ok(Exit::Done)
}
