//! Layer: the key's usage plan, throttle first and then quota.
//!
//! A limit of one method stands beside the plan's own, which stays global to the key (AWS staff on
//! re:Post, "flow restriction of multiple apis associated with an usage plan"): both must admit.

use super::exchange::Exchange;
use super::limiter::Limiter;
use super::options::Knobs;
use super::refusal::Refusal;
use super::snapshot::{CompiledKey, CompiledRoute};
use std::sync::Arc;

/// Takes a token of the key on this method, one of the key, and counts against its quota.
pub(super) fn admit(
    key: &CompiledKey,
    route: &CompiledRoute,
    knobs: &Knobs,
    exchange: &mut Exchange,
) -> Result<(), Refusal> {
    let method = key.method_throttles.iter().find(|(index, _)| *index == route.index);
    let buckets = method.map(|(_, bucket)| bucket).into_iter().chain(&key.throttle);
    for bucket in buckets {
        if !bucket.try_take(exchange.received_ns) {
            if knobs.throttled_consumes_quota {
                // Counted or not, the answer is the throttle's.
                let _ = count(key, knobs, exchange);
            }
            return Err(Refusal::by(Limiter::Plan));
        }
    }
    count(key, knobs, exchange)
}

fn count(key: &CompiledKey, knobs: &Knobs, exchange: &mut Exchange) -> Result<(), Refusal> {
    let Some(quota) = &key.quota else { return Ok(()) };
    let period = quota
        .try_take(exchange.received_utc_ms, &knobs.quota_reset)
        .ok_or_else(|| Refusal::by(Limiter::Quota))?;
    exchange.counted = Some((Arc::clone(quota), period));
    Ok(())
}

/// Takes back the count of a request that a later limit refused, unless such requests count.
pub(super) fn give_back(knobs: &Knobs, exchange: &mut Exchange) {
    if !knobs.throttled_consumes_quota
        && let Some((quota, period)) = exchange.counted.take()
    {
        quota.give_back(period);
    }
}
