//! Replies of the inference service: status, headers, body.

use crate::model::payload::{self, Protocol, Reply};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

/// Says which model version answered.
pub const MODEL_VERSION: HeaderName = HeaderName::from_static("x-gwtf-model-version");
/// Length of the JSON head before binary tensors (Open Inference binary extension).
const INFERENCE_HEADER: HeaderName = HeaderName::from_static("inference-header-content-length");

/// A rendered reply with status 200.
pub fn ok(rendered: Reply) -> Response<Bytes> {
    with_status(StatusCode::OK, rendered)
}

/// A JSON document with status 200.
pub fn json(document: Vec<u8>) -> Response<Bytes> {
    let content_type = "application/json";
    ok(Reply { content_type, inference_header_content_length: None, body: document })
}

/// An error in the protocol's own shape.
pub fn error(protocol: Protocol, status: StatusCode, message: &str) -> Response<Bytes> {
    with_status(status, payload::render_error(protocol, message))
}

/// Adds the version header; a tag is always a valid header value.
pub fn mark_version(response: &mut Response<Bytes>, version: &str) {
    if let Ok(value) = HeaderValue::from_str(version) {
        response.headers_mut().insert(MODEL_VERSION, value);
    }
}

/// Adds `Retry-After`, seconds.
pub fn retry_after(response: &mut Response<Bytes>, seconds: u16) {
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
