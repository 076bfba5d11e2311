//! What is shown while a plan is performed: a bar on a terminal, a line an action elsewhere.

use super::super::Context;
use crate::apply::{Account, Entry, Event, Listener, Outcome};
use crate::console::Console;
use crate::plan::{Action, Plan};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A wait shorter than this is not worth a word.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// Draws what happens.
pub(super) struct Shown {
    bar: ProgressBar,
    console: Console,
}

impl Shown {
    pub(super) fn new(plan: &Plan, context: &Context) -> Self {
        let count = plan.changes().count();
        let bar = context.console.progress(count as u64);
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed:>3} {wide_msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self { bar, console: context.console }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// A line that stays: above the bar, or as talk where there is none.
    fn line(&self, line: &str) {
        if self.console.is_live() {
            self.bar.println(line);
        } else {
            self.console.talk(line);
        }
    }
}

/// What became of each action of a plan that stopped.
pub(super) fn account_lines(account: &Account) -> Vec<String> {
    let line = |entry: &Entry| {
        let Entry { verb, object, outcome } = entry;
        let became = match outcome {
            Outcome::Kept => return None,
            Outcome::Done => "done",
            Outcome::Failed(_) => "failed",
            Outcome::NotStarted => "not started",
        };
        Some(format!("  {became}: {} {} `{}`", verb.name(), object.kind, object.name))
    };
    account.entries.iter().filter_map(line).collect()
}

fn what(action: &Action) -> String {
    let Action { verb, object, .. } = action;
    format!("{} {} `{}`", verb.name(), object.kind, object.name)
}

impl Listener for Shown {
    fn hear(&self, event: &Event<'_>) {
        match event {
            Event::Started { action, .. } => self.bar.set_message(what(action)),
            Event::Paced { operation, wait, .. } => {
                if *wait >= WORTH_TELLING {
                    let seconds = wait.as_secs_f64();
                    self.line(&format!("  waiting {seconds:.1} s: AWS's rate of {operation}"));
                }
            }
            Event::Retrying { attempt, wait, error, .. } => {
                let seconds = wait.as_secs_f64();
                let operation = error.operation;
                self.line(&format!(
                    "  {operation}: {}; attempt {} in {seconds:.1} s",
                    error.code,
                    attempt + 1
                ));
            }
            Event::Waiting { state, .. } => {
                self.bar.set_message(format!("the function is {state}"))
            }
            Event::Done { action, .. } => {
                if action.change.is_some() {
                    self.bar.inc(1);
                    self.line(&format!("  done: {}", what(action)));
                }
            }
            Event::Withdrawn { action, .. } => {
                self.line(&format!("  not started: {}", what(action)));
            }
            Event::Failed { action, .. } => self.line(&format!("  failed: {}", what(action))),
        }
    }
}
