//! Endpoints on AWS: what `deploy`, `plan`, `promote`, `rollback`, `status`, `history`, `prune` and
//! `destroy` do when the target is not this machine.
//!
//! ```text
//! settings ─► Session (names, credentials) ─► observe ─► plan ─► lock ─► apply ─► smoke test
//! ```

mod artefact;
mod deploy;
mod deployed;
mod ledger;
mod lock;
mod pointer;
mod preflight;
mod remove;
mod session;
mod show;
mod smoke;
mod wanted;

pub(super) use deploy::{DeployArgs, deploy, plan};
pub(super) use deployed::{Deployed, deployed};
pub(super) use ledger::{history, status};
pub(super) use pointer::{promote, rollback};
pub(super) use preflight::{Examined, examine};
pub(super) use remove::{destroy, prune};
pub(super) use session::Session;
pub(super) use smoke::SmokeArgs;
