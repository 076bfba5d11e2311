//! Replies of the inference service: status, headers, body.

use crate::model::payload::{self, Protocol, Reply};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use std::time::Duration;

/// Says which model version answered.
pub const MODEL_VERSION: HeaderName = HeaderName::from_static("x-gwtf-model-version");
/// `true` on the first reply of a `gwtf-runtime`, absent on the others.
pub const COLD_START: HeaderName = HeaderName::from_static("x-gwtf-cold-start");
/// Beside [`COLD_START`]: milliseconds from the program's start until the model was ready.
pub const INIT_MS: HeaderName = HeaderName::from_static("x-gwtf-init-ms");
/// Length of the JSON head before binary tensors (Open Inference binary extension).
const INFERENCE_HEADER: HeaderName = HeaderName::from_static("inference-header-content-length");

/// A rendered reply with status 200.
pub(super) fn ok(rendered: Reply) -> Response<Bytes> {
    with_status(StatusCode::OK, rendered)
}

/// A JSON document with status 200.
pub(super) fn json(document: String) -> Response<Bytes> {
    let content_type = "application/json";
    ok(Reply { content_type, inference_header_content_length: None, body: document.into_bytes() })
}

/// An error in the protocol's own shape.
pub(super) fn error(protocol: Protocol, status: StatusCode, message: &str) -> Response<Bytes> {
    with_status(status, payload::render_error(protocol, message))
}

/// The same with a status from the payload parser.
pub(super) fn refused(protocol: Protocol, status: u16, message: &str) -> Response<Bytes> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    error(protocol, status, message)
}

/// The reply where there is no such route: 404 or 405.
pub(super) fn no_route(status: StatusCode) -> Response<Bytes> {
    let reason = status.canonical_reason().unwrap_or("not found");
    error(Protocol::Auto, status, &reason.to_ascii_lowercase())
}

/// Says that this is the first reply of the process, and what its start took.
pub(super) fn mark_cold_start(response: &mut Response<Bytes>, init: Duration) {
    let headers = response.headers_mut();
    headers.insert(COLD_START, HeaderValue::from_static("true"));
    headers.insert(INIT_MS, HeaderValue::from(u64::try_from(init.as_millis()).unwrap_or(u64::MAX)));
}

/// Adds the version header; a tag is always a valid header value.
pub(super) fn mark_version(response: &mut Response<Bytes>, version: &str) {
    if let Ok(value) = HeaderValue::from_str(version) {
        response.headers_mut().insert(MODEL_VERSION, value);
    }
}

/// Adds `Retry-After`, seconds.
pub(super) fn retry_after(response: &mut Response<Bytes>, seconds: u16) {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
}

fn with_status(status: StatusCode, rendered: Reply) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(rendered.body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(rendered.content_type));
    if let Some(length) = rendered.inference_header_content_length {
        headers.insert(INFERENCE_HEADER, HeaderValue::from(length));
    }
    response
}
