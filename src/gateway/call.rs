//! What goes into the twin and what it hands to the integration.

use super::media::BinaryMediaTypes;
use crate::spec::Route;
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use http::HeaderValue;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// A request as the HTTP host received it. Not printed: its headers hold keys and tokens.
pub struct Call {
    /// The request; its path begins with the stage.
    pub request: http::Request<Body>,
    /// Who is at the other end of the connection.
    pub peer: IpAddr,
}

/// A request's body, read by the HTTP host up to `limits::PAYLOAD_BYTES_MAX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The whole body.
    Full(Bytes),
    /// There was more than the limit; reading stopped.
    TooLarge,
}

/// What all requests under one contract have in common, for the integration.
#[derive(Debug)]
pub struct Api {
    /// The stage.
    pub stage: String,
    /// Which bodies are handed on byte for byte.
    pub binary_media_types: BinaryMediaTypes,
}

/// A request that has passed the gateway, for the integration.
#[derive(Debug)]
pub struct Invocation {
    /// What the contract says of every request.
    pub api: Arc<Api>,
    /// The route it matched.
    pub route: Arc<Route>,
    /// The request; its path has no stage, hop-by-hop headers are gone, keys and tokens are marked
    /// sensitive.
    pub request: http::Request<Bytes>,
    /// When the client gets a 504. The call is dropped then; what should outlive it, as a Lambda
    /// function does, must run in a task of its own.
    pub deadline: Instant,
    /// `$context.requestId`.
    pub request_id: HeaderValue,
    /// `$context.extendedRequestId`, the `x-amz-apigw-id` of the reply.
    pub extended_request_id: HeaderValue,
    /// `X-Amzn-Trace-Id`.
    pub trace_id: HeaderValue,
    /// Id of the API key, where the route requires one.
    pub api_key_id: Option<Arc<str>>,
    /// Who called.
    pub peer: IpAddr,
    /// When the request came, milliseconds since 1970.
    pub received_utc_ms: u64,
}

/// Why an integration gave no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntegrationError {
    /// It took too long by its own measure; the client gets a 504.
    #[error("the integration timed out")]
    Timeout,
    /// The function failed, crashed, or answered with no valid reply; 502.
    #[error("function error: {0}")]
    FunctionError(String),
    /// The event is larger than Lambda takes; 413.
    #[error("the event is larger than {} bytes", LAMBDA_PAYLOAD_BYTES_MAX)]
    EventTooLarge,
    /// What the integration gave cannot be handed on as the contract says (a body that should be
    /// Base64 and is not); 500.
    #[error("{0}")]
    Configuration(String),
    /// The function has no concurrency left; 500, as API Gateway hides Lambda's 429.
    #[error("the function is throttled")]
    Throttled,
    /// Nobody answers there; 504.
    #[error("the integration cannot be reached: {0}")]
    Unreachable(String),
}

/// What an integration gives.
pub type IntegrationResult = Result<http::Response<Bytes>, IntegrationError>;

/// Whatever stands behind the gateway. Any `Fn(Invocation) -> Future` is one.
pub trait Upstream: Sync {
    /// Answers a request.
    fn invoke(&self, invocation: Invocation) -> impl Future<Output = IntegrationResult> + Send;

    /// Whether it makes Lambda's event itself and so knows its size; for one that does not, the twin
    /// reckons how large the event would be.
    fn makes_events(&self) -> bool {
        false
    }
}

impl<F, R> Upstream for F
where
    F: Fn(Invocation) -> R + Sync,
    R: Future<Output = IntegrationResult> + Send,
{
    fn invoke(&self, invocation: Invocation) -> impl Future<Output = IntegrationResult> + Send {
        self(invocation)
    }
}
