//! Desired state against observed state: the list of actions that leads from one to the other. Pure.
//!
//! ```text
//! Wanted (settings, version) ─┐
//!                             ├─► deploy ─► Plan ─► render (text, JSON) ─► apply
//! Observed (what AWS has) ────┘
//! ```
//! The ledger of releases is part of what is observed ([`record`], [`ledger`]): deployments carry
//! their records, the stage its last moves.
//!
//! # Invariants
//! - A plan holds every request in full; what only AWS can give stands as a placeholder.
//! - Nothing that does not carry the endpoint's tag is changed.
//! - No call is planned where nothing differs.

mod action;
pub mod change;
pub mod deploy;
pub mod ledger;
pub mod names;
pub mod observed;
mod pointer;
mod prune;
pub mod query;
pub mod record;
mod refused;
mod remove;
pub mod render;
pub mod settings;
pub mod wanted;

pub use action::{Action, Difference, Drift, Object, Plan, Verb, Wait};
pub use change::Change;
pub use deploy::deploy;
pub use ledger::Ledger;
pub use names::Names;
pub use observed::Observed;
pub use pointer::{promote, rollback};
pub use prune::prune;
pub use query::{Answer, Query, Service};
pub use record::Stamp;
pub use refused::Refused;
pub use remove::destroy;
pub use wanted::Wanted;
