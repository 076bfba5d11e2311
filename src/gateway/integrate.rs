//! Layer: the integration, its payload limits and its timeout.
//!
//! API Gateway hides what Lambda says: a throttled function is a 500, a failed one a 502. Source:
//! Lambda developer guide, "Troubleshoot invocation issues", and recorded replies.

use super::call::{IntegrationError, IntegrationResult, Invocation, Upstream};
use super::clock::Clock;
use super::exchange::{Exchange, IntegrationFacts};
use super::key;
use super::limiter::Limiter;
use super::options::Knobs;
use super::refusal::{
    API_CONFIGURATION_ERROR, INTEGRATION_FAILURE, INTEGRATION_TIMEOUT, INTEGRATION_UNREACHABLE,
    REQUEST_TOO_LARGE, Refusal,
};
use super::route::{SIGV4, behind_stage};
use super::snapshot::Snapshot;
use crate::spec::Integration;
use crate::spec::limits::{LAMBDA_PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX};
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use std::sync::Arc;
use tokio::time::Instant;

/// Headers that are not handed to an integration (recorded Lambda events lack them).
const NOT_FORWARDED: [HeaderName; 12] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    header::EXPECT,
    header::MAX_FORWARDS,
    header::PROXY_AUTHENTICATE,
    header::SERVER,
    header::TE,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::UPGRADE,
    header::WWW_AUTHENTICATE,
];
/// About what a recorded Lambda event takes without headers, path and body.
const EVENT_ENVELOPE_BYTES: usize = 1_200;

/// Calls the integration.
pub(super) async fn invoke<U: Upstream>(
    snapshot: &Snapshot,
    head: Parts,
    body: Bytes,
    exchange: &mut Exchange,
    knobs: &Knobs,
    clock: &dyn Clock,
    upstream: &U,
) -> Result<http::Response<Bytes>, Refusal> {
    let lambda = snapshot.integration == Integration::LambdaProxy;
    let trace_id = exchange.ids.trace_id(exchange.received_utc_ms);
    exchange.trace_id = Some(trace_id.clone());
    let reckoned = lambda && knobs.lambda_payload_limits && !upstream.makes_events();
    if reckoned && exceeds_event(&head, &body) {
        return Err(Refusal::of(&REQUEST_TOO_LARGE));
    }
    let Some(route) = &exchange.route else { return Err(Refusal::of(&INTEGRATION_FAILURE)) };
    let deadline = Instant::now() + snapshot.integration_timeout;
    let invocation = Invocation {
        api: Arc::clone(&snapshot.api),
        route: Arc::clone(&route.route),
        request: forward(head, body, &snapshot.api.stage),
        deadline,
        request_id: exchange.ids.request_id.clone(),
        extended_request_id: exchange.ids.extended_request_id.clone(),
        trace_id,
        api_key_id: exchange.api_key_id.clone(),
        peer: exchange.peer,
        received_utc_ms: exchange.received_utc_ms,
    };
    let start_ns = clock.monotonic_ns();
    let result = tokio::time::timeout_at(deadline, upstream.invoke(invocation))
        .await
        .unwrap_or(Err(IntegrationError::Timeout));
    exchange.integration = facts(&result, lambda);
    exchange.integration.latency_ms =
        Some(clock.monotonic_ns().saturating_sub(start_ns) / 1_000_000);
    let response_bytes_max = if lambda { LAMBDA_PAYLOAD_BYTES_MAX } else { PAYLOAD_BYTES_MAX };
    match result {
        Ok(response) if response.body().len() > response_bytes_max => {
            Err(Refusal::of(&INTEGRATION_FAILURE))
        }
        Ok(response) => Ok(response),
        Err(error) => Err(refusal(&error, knobs)),
    }
}

fn refusal(error: &IntegrationError, knobs: &Knobs) -> Refusal {
    match error {
        IntegrationError::Timeout => Refusal::of(&INTEGRATION_TIMEOUT),
        IntegrationError::FunctionError(_) => Refusal::of(&INTEGRATION_FAILURE),
        IntegrationError::EventTooLarge => Refusal::of(&REQUEST_TOO_LARGE),
        IntegrationError::Configuration(_) => Refusal::of(&API_CONFIGURATION_ERROR),
        IntegrationError::Throttled => Refusal::of(&INTEGRATION_FAILURE)
            .with_status(knobs.throttled_function_status)
            .with_limiter(Limiter::Concurrency),
        IntegrationError::Unreachable(_) => {
            Refusal::of(&INTEGRATION_UNREACHABLE).with_status(knobs.unreachable_status)
        }
    }
}

/// What the access log says of it; Lambda's own status is 200 even when the function fails.
fn facts(result: &IntegrationResult, lambda: bool) -> IntegrationFacts {
    let mut facts = IntegrationFacts::default();
    match result {
        Ok(response) => {
            let status = response.status().as_u16();
            facts.reply_status = Some(status);
            facts.status = Some(if lambda { 200 } else { status });
        }
        Err(error) => {
            facts.status = match error {
                IntegrationError::FunctionError(_) | IntegrationError::Configuration(_)
                    if lambda =>
                {
                    Some(200)
                }
                IntegrationError::Throttled => Some(StatusCode::TOO_MANY_REQUESTS.as_u16()),
                _ => None,
            };
            facts.error = Some(error.to_string());
        }
    }
    facts
}

/// The request as the integration sees it: without stage and without hop-by-hop headers.
fn forward(mut head: Parts, body: Bytes, stage: &str) -> http::Request<Bytes> {
    for name in &NOT_FORWARDED {
        head.headers.remove(name);
    }
    let signed = head.headers.get(header::AUTHORIZATION);
    if signed.is_some_and(|value| value.as_bytes().starts_with(SIGV4.as_bytes())) {
        head.headers.remove(header::AUTHORIZATION);
    }
    for secret in [HeaderName::from_static(key::HEADER), header::AUTHORIZATION] {
        if let Some(value) = head.headers.get_mut(secret) {
            // Printed as `Sensitive`.
            value.set_sensitive(true);
        }
    }
    // An HTTP/2 client says the host in the request line.
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(header::HOST)
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(header::HOST, host);
    }
    head.uri = without_stage(&head.uri, stage);
    http::Request::from_parts(head, body)
}

fn without_stage(uri: &Uri, stage: &str) -> Uri {
    let path = match behind_stage(uri.path(), stage) {
        Some("") | None => "/",
        Some(path) => path,
    };
    let text = match uri.query() {
        Some(query) => Bytes::from(format!("{path}?{query}")),
        None => Bytes::copy_from_slice(path.as_bytes()),
    };
    // Parts of a URI make a URI.
    PathAndQuery::from_maybe_shared(text).map_or_else(|_| uri.clone(), Uri::from)
}

/// Whether the request makes an event larger than Lambda takes.
///
/// Differs: where no event is made (the model is served in this process) its size is reckoned. Headers stand in it twice,
/// and the body is a JSON string, or Base64 if it is no text.
fn exceeds_event(head: &Parts, body: &[u8]) -> bool {
    // No byte takes more than six, so most requests need no counting.
    if body.len() < LAMBDA_PAYLOAD_BYTES_MAX / 8 {
        return false;
    }
    let body_bytes = match std::str::from_utf8(body) {
        Ok(text) => text.bytes().map(json_bytes).sum(),
        Err(_) => body.len().div_ceil(3) * 4,
    };
    let quotes = 6;
    let headers: usize = headers_bytes(&head.headers, quotes);
    let path = head.uri.path_and_query().map_or(0, |path| path.as_str().len());
    EVENT_ENVELOPE_BYTES + 2 * headers + 3 * path + body_bytes > LAMBDA_PAYLOAD_BYTES_MAX
}

fn headers_bytes(headers: &HeaderMap, around: usize) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + around).sum()
}

/// Bytes that a byte of text takes inside a JSON string.
fn json_bytes(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    }
}
