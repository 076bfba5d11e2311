//! A plan and its actions: what is done to what, why, and the complete request.

use super::change::{Change, Unresolved, fill_text};
use std::collections::BTreeMap;
use std::time::Duration;

/// What an action does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the word that is printed")]
pub enum Verb {
    Create,
    Update,
    Delete,
    Keep,
}

impl Verb {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Keep => "keep",
        }
    }
}

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Object {
    /// What it is, in AWS's words: `function`, `execution role`, `stage`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// Which value: `memory_mib`.
    pub what: String,
    /// What AWS has; `None` when it has none.
    pub observed: Option<String>,
    /// What it shall have; `None` when it goes.
    pub desired: Option<String>,
}

/// What is waited for after a change, before what depends on it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The function is active and its last update is carried out.
    FunctionReady {
        /// The function, or one version of it: `NAME:VERSION`. The version may be a placeholder
        /// for what the action gives.
        function: String,
    },
}

impl Wait {
    /// The same wait with placeholders replaced by what is known.
    ///
    /// # Errors
    /// A placeholder has no value.
    pub fn resolve(&self, given: &BTreeMap<String, String>) -> Result<Self, Unresolved> {
        let Self::FunctionReady { function } = self;
        let mut function = function.clone();
        fill_text(&mut function, given)
            .map_err(|key| Unresolved { operation: "GetFunction", key })?;
        Ok(Self::FunctionReady { function })
    }

    /// Longest wait: that of AWS's own waiters `FunctionActiveV2` and `FunctionUpdatedV2`, 300 s.
    pub const MAX: Duration = Duration::from_secs(300);
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What it does.
    pub verb: Verb,
    /// To what.
    pub object: Object,
    /// Why, a clause: `it is not there`.
    pub reason: String,
    /// What differs, for updates.
    pub differences: Vec<Difference>,
    /// The complete request; none to keep something.
    pub change: Option<Change>,
    /// Indices of the actions that must be done before; all smaller than its own.
    pub after: Vec<usize>,
    /// The key under which what it gives is known to later requests.
    pub gives: Option<String>,
    /// What is waited for afterwards.
    pub wait: Option<Wait>,
}

/// A list of actions in an order in which they can be done one by one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The actions; those to keep something are among them.
    pub actions: Vec<Action>,
    /// What is already known to requests: ids of things that exist.
    pub known: std::collections::BTreeMap<String, String>,
    /// What was changed by hand since the last release and would be overwritten.
    pub drift: Vec<Drift>,
    /// What the person should know.
    pub notes: Vec<String>,
}

/// Something that is no longer as the last release left it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Drift {
    /// What it is.
    pub object: Object,
    /// What differs: `observed` is what AWS has, `desired` what the release left.
    pub difference: Difference,
    /// When the object was last changed, if AWS says so.
    pub since: Option<crate::spec::timestamp::Timestamp>,
}

impl Plan {
    /// Adds an action; gives its index.
    pub fn push(&mut self, action: Action) -> usize {
        debug_assert!(action.after.iter().all(|index| *index < self.actions.len()));
        self.actions.push(action);
        self.actions.len() - 1
    }

    /// Whether there is nothing to do, and nothing to wait for.
    pub fn is_empty(&self) -> bool {
        self.actions.iter().all(|action| action.change.is_none() && action.wait.is_none())
    }

    /// Whether it only waits, if even that.
    pub fn changes_nothing(&self) -> bool {
        self.actions.iter().all(|action| action.change.is_none())
    }

    /// The requests, in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.actions.iter().filter_map(|action| action.change.as_ref())
    }
}
