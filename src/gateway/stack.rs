//! The stack: every layer in the order in which API Gateway applies it.
//!
//! ```text
//! size -> route -> authorizer -> key -> plan, quota -> stage, account -> validate -> integrate
//!   \________________________________ a refusal ________________________________/        |
//!                                        |                                               |
//!                                        +------> respond, access log <------------------+
//! ```
//! Each layer is a file with a function that lets the request pass or answers in its place. They
//! are called one after another here rather than wrapped into each other as tower services: all but
//! the last decide at once, so `?` says all that nesting would, nothing is boxed or cloned on the
//! way, and the page reads as the request travels.
//!
//! Source of the order: AWS Compute blog on observability variables (phases), and execution logs.

use super::call::{Call, Upstream};
use super::exchange::Exchange;
use super::options::ThrottlePlace;
use super::refusal::Refusal;
use super::snapshot::Snapshot;
use super::twin::Twin;
use super::{auth, integrate, key, plan, route, size, throttle, validate};
use bytes::Bytes;
use http::Response;
use std::sync::Arc;

/// Sends a request through all layers; the integration's reply, or the first refusal.
pub(super) async fn stack<U: Upstream>(
    twin: &Twin,
    snapshot: &Snapshot,
    call: Call,
    exchange: &mut Exchange,
    upstream: &U,
) -> Result<Response<Bytes>, Refusal> {
    let knobs = twin.knobs();
    let now_ns = exchange.received_ns;
    let (mut head, body) = call.request.into_parts();

    // Size comes first: the front door counts bytes before it knows which API is meant.
    let body = size::check(&head, body, knobs)?;

    // Then the method on the resource; what does not exist costs neither authorizer nor tokens.
    route::override_method(&mut head, knobs, exchange);
    let route = route::find(snapshot, &head, knobs)?;
    exchange.route = Some(Arc::clone(&route));

    // Where this pair of limits stands is not documented; in front of the authorizer is a knob.
    if knobs.throttle_place == ThrottlePlace::BeforeAuthorizer {
        throttle::stage(&route, now_ns)?;
        throttle::account(snapshot, now_ns)?;
    }

    // Who calls: before any limit of a client, so an authorizer is asked even for what is throttled.
    auth::authorize(&head, exchange)?;

    // The API key: without a valid one there is no plan to count against.
    let key = key::identify(snapshot, &route, &head)?;

    // The client's own limits come before those that all clients share: throttle, then quota.
    if let Some(key) = &key {
        exchange.api_key_id = Some(Arc::clone(&key.id));
        plan::admit(key, &route, knobs, exchange)?;
    }

    // The stage's limit of the method, then the account's; each takes a token only if those before
    // it admitted, and a request that they refuse is taken off the quota again.
    if knobs.throttle_place == ThrottlePlace::AfterUsagePlan {
        throttle::stage(&route, now_ns)
            .and_then(|()| throttle::account(snapshot, now_ns))
            .inspect_err(|_| plan::give_back(knobs, exchange))?;
    }

    // Validation is behind all limits: a bad request has used up its token.
    validate::parameters(&route, &head)?;
    validate::body(&route, &head, &body, knobs)?;

    // The integration is last; only from here on do replies carry a trace id.
    integrate::invoke(snapshot, head, body, exchange, knobs, twin.clock(), upstream).await
}
