//! Layers: the stage's limit of the method, then the account's; both over all clients.

use super::limiter::Limiter;
use super::refusal::Refusal;
use super::snapshot::{CompiledRoute, Snapshot};

/// Takes a token of this method of the stage.
pub(super) fn stage(route: &CompiledRoute, now_ns: u64) -> Result<(), Refusal> {
    match &route.throttle {
        Some(bucket) if !bucket.try_take(now_ns) => Err(Refusal::by(Limiter::Stage)),
        _ => Ok(()),
    }
}

/// Takes a token of the account.
pub(super) fn account(snapshot: &Snapshot, now_ns: u64) -> Result<(), Refusal> {
    if snapshot.account.try_take(now_ns) { Ok(()) } else { Err(Refusal::by(Limiter::Account)) }
}
