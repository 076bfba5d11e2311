//! What becomes known of one request on its way through the stack.

use super::call::Call;
use super::clock::Clock;
use super::ids::{IdSource, Ids};
use super::limiter::SharedQuota;
use super::snapshot::CompiledRoute;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Method, Uri, Version};
use std::net::IpAddr;
use std::sync::Arc;

/// Facts of one request, written by the layers and read by the reply and the access log.
pub(super) struct Exchange {
    pub(super) ids: Ids,
    /// Set once the integration is reached.
    pub(super) trace_id: Option<HeaderValue>,
    pub(super) received_ns: u64,
    pub(super) received_utc_ms: u64,
    pub(super) peer: IpAddr,
    /// The request line and headers that the access log shows; absent when none is written.
    pub(super) seen: Option<Seen>,
    pub(super) route: Option<Arc<CompiledRoute>>,
    pub(super) api_key_id: Option<Arc<str>>,
    /// The quota that counted this request, and the period it was counted in.
    pub(super) counted: Option<(Arc<SharedQuota>, i64)>,
    pub(super) integration: IntegrationFacts,
}

/// What the access log shows of the request itself.
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) host: Option<HeaderValue>,
    pub(super) user_agent: Option<HeaderValue>,
}

/// What the access log shows of the integration.
#[derive(Debug, Default)]
pub(super) struct IntegrationFacts {
    /// Status of the Lambda API or of the HTTP endpoint.
    pub(super) status: Option<u16>,
    /// Status that the function returned, or of the HTTP endpoint.
    pub(super) reply_status: Option<u16>,
    pub(super) latency_ms: Option<u64>,
    pub(super) error: Option<String>,
}

impl Exchange {
    /// A request that has just come.
    pub(super) fn begin(call: &Call, clock: &dyn Clock, ids: &IdSource, logged: bool) -> Self {
        let request = &call.request;
        let seen = logged.then(|| Seen {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            host: request.headers().get(HOST).cloned(),
            user_agent: request.headers().get(USER_AGENT).cloned(),
        });
        Self {
            ids: ids.ids(request.headers()),
            trace_id: None,
            received_ns: clock.monotonic_ns(),
            received_utc_ms: clock.utc_ms(),
            peer: call.peer,
            seen,
            route: None,
            api_key_id: None,
            counted: None,
            integration: IntegrationFacts::default(),
        }
    }
}
