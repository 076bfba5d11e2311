//! The Lambda proxy integration: a request becomes an event, what the function returns a reply.
//!
//! ```text
//! Invocation --event--> Functions (sandboxes, or whatever runs them) --reply--> http::Response
//! ```
//! `event` and `reply` are pure; [`LambdaProxy`] puts them around anything that invokes functions.

mod event;
mod json;
mod reply;

use super::call::{IntegrationError, IntegrationResult, Invocation, Upstream};
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};
use std::future::Future;
use tokio::time::Instant;

/// A reply's header that says that a sandbox had just started for it; the runtime program sets it,
/// and for any other program the twin does.
pub const COLD_START: HeaderName = HeaderName::from_static("x-gwtf-cold-start");

/// What a function is invoked with beside its event.
#[derive(Debug, Clone)]
pub struct FunctionCall {
    /// `X-Amzn-Trace-Id`, the function's `_X_AMZN_TRACE_ID`.
    pub trace_id: HeaderValue,
    /// When the client stops waiting; the function may run longer.
    pub deadline: Instant,
}

/// What a function returned.
#[derive(Debug, Clone)]
pub struct FunctionReply {
    /// Its payload.
    pub payload: Bytes,
    /// Whether a sandbox was started for this invocation.
    pub cold_start: bool,
}

/// The functions behind an endpoint, one for each version.
pub trait Functions: Sync {
    /// Invokes the function of a version. It runs to its end also when the future is dropped.
    fn invoke(
        &self,
        version: &str,
        event: Bytes,
        call: FunctionCall,
    ) -> impl Future<Output = Result<FunctionReply, IntegrationError>> + Send;
}

/// Functions as the twin's integration.
#[derive(Debug, Clone)]
pub struct LambdaProxy<F>(pub F);

impl<F: Functions> Upstream for LambdaProxy<F> {
    async fn invoke(&self, invocation: Invocation) -> IntegrationResult {
        let accept = invocation.request.headers().get(header::ACCEPT);
        let decodes = invocation.api.binary_media_types.has_reply(accept);
        let event = event::event(&invocation).ok_or(IntegrationError::EventTooLarge)?;
        let call = FunctionCall { trace_id: invocation.trace_id, deadline: invocation.deadline };
        let returned = self.0.invoke(&invocation.route.serves, event, call).await?;
        let mut response = reply::read_reply(&returned.payload, decodes)?;
        if returned.cold_start {
            mark_cold_start(response.headers_mut());
        }
        Ok(response)
    }

    fn makes_events(&self) -> bool {
        true
    }
}

fn mark_cold_start(headers: &mut HeaderMap) {
    headers.entry(COLD_START).or_insert(HeaderValue::from_static("true"));
}
