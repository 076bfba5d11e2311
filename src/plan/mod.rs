//! Desired state against observed state: the list of actions that leads from one to the other. Pure.

mod action;
pub mod change;
pub mod names;
pub mod observed;
pub mod query;

pub use action::{Action, Difference, Drift, Object, Plan, Verb, Wait};
pub use change::Change;
pub use names::Names;
pub use observed::Observed;
pub use query::{Answer, Query, Service};
