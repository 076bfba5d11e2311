//! Layer: what the front door refuses by size alone.
//!
//! The refusals are plain text without request ids (recorded for the body; the two others follow
//! it). Limits: API Gateway developer guide, "Quotas and important notes".

use super::call::Body;
use super::options::Knobs;
use super::refusal::Refusal;
use crate::spec::limits::{HEADERS_BYTES_MAX, URL_BYTES_MAX};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;

/// The body, if headers, URL and body are within AWS's limits.
pub(super) fn check(head: &Parts, body: Body, knobs: &Knobs) -> Result<Bytes, Refusal> {
    let refuse = |status, text| Err(Refusal::FrontDoor { status, text });
    let header_bytes: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes > HEADERS_BYTES_MAX {
        let text = "HTTP header is larger than 10240 bytes.";
        return refuse(knobs.headers_too_large_status, text);
    }
    let url_bytes = head.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if url_bytes > URL_BYTES_MAX {
        return refuse(knobs.url_too_long_status, "Request URI too long");
    }
    match body {
        Body::Full(bytes) => Ok(bytes),
        Body::TooLarge => {
            let text = "HTTP content length exceeded 10485760 bytes.";
            refuse(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
    }
}
