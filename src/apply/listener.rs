//! What is told while a plan is performed, for whoever draws it.

use super::cloud::CallError;
use super::error::Error;
use crate::plan::{Action, Wait};
use std::time::Duration;

/// Something that happened. `action` is the index in the plan, none for a call outside of it.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are what each variant says")]
pub enum Event<'a> {
    /// An action's call is about to be made.
    Started { index: usize, action: &'a Action },
    /// A call waits so as not to exceed AWS's rate; further such waits may follow.
    Paced { action: Option<usize>, operation: &'static str, wait: Duration },
    /// A call failed and is made again after a wait.
    Retrying { action: Option<usize>, attempt: u32, wait: Duration, error: &'a CallError },
    /// The change is made; its effect is waited for. Told at each look.
    Waiting { index: usize, wait: &'a Wait, state: &'a str },
    /// An interrupt came before an action's call could be made; it is not made.
    Withdrawn { index: usize, action: &'a Action },
    /// An action is done.
    Done { index: usize, action: &'a Action },
    /// An action failed; no other is started.
    Failed { index: usize, action: &'a Action, error: &'a Error },
}

/// Hears what happens; called from the task that performs the plan, so it must not block.
pub trait Listener: Send + Sync {
    /// Something happened.
    fn hear(&self, event: &Event<'_>);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Listener for Quiet {
    fn hear(&self, _: &Event<'_>) {}
}
