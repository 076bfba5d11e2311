//! The help of every command as Markdown, for `docs/cli.md`.

use super::{COMMON_HEADING, Cli};
use clap::{Command, CommandFactory};
use std::fmt::Write;

/// Columns of the help in the document.
const COLUMNS: usize = 96;

/// Every command's help, the flags that all share said once; `docs/cli.md` holds it.
pub fn reference() -> String {
    let mut root = Cli::command().term_width(COLUMNS);
    root.build();
    let mut text = String::new();
    section(&mut text, "gwtf", &mut root);
    let names: Vec<String> =
        root.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names.iter().filter(|name| *name != "help") {
        let command = root.find_subcommand(name).expect("the name is a subcommand's");
        let mut command = without_common(command.clone());
        section(&mut text, &format!("gwtf {name}"), &mut command);
        let below: Vec<Command> = command.get_subcommands().cloned().collect();
        for command in below.iter().filter(|command| command.get_name() != "help") {
            let title = format!("gwtf {name} {}", command.get_name());
            section(&mut text, &title, &mut without_common(command.clone()));
        }
    }
    text
}

/// Without the flags that all commands share.
fn without_common(command: Command) -> Command {
    command.term_width(COLUMNS).mut_args(|arg| {
        let is_common = arg.get_help_heading() == Some(COMMON_HEADING);
        if is_common || arg.get_id() == "help" { arg.hide(true) } else { arg }
    })
}

fn section(text: &mut String, title: &str, command: &mut Command) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(text, "### `{title}`\n\n```text\n{}\n```\n\n", help.join("\n").trim_end())
        .expect("writing to a String cannot fail");
}
