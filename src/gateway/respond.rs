//! Layer: the reply as the client gets it, made here or by the integration.
//!
//! Gateway errors carry no `Retry-After` and no `Server`; `Date`, `Content-Length` and `Connection`
//! are the HTTP host's.

use super::exchange::Exchange;
use super::limiter::Limiter;
use super::refusal::Refusal;
use bytes::Bytes;
use http::header::{self, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXTENDED_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const LIMITER: HeaderName = HeaderName::from_static(Limiter::HEADER);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PLAIN: HeaderValue = HeaderValue::from_static("text; charset=utf-8");
/// More than any gateway error has.
const HEADERS: usize = 8;

/// Headers of an integration's reply that come out under another name (recorded).
const REMAPPED: [(HeaderName, HeaderName); 14] = [
    (header::AUTHORIZATION, HeaderName::from_static("x-amzn-remapped-authorization")),
    (header::CONNECTION, HeaderName::from_static("x-amzn-remapped-connection")),
    (header::CONTENT_LENGTH, HeaderName::from_static("x-amzn-remapped-content-length")),
    (
        HeaderName::from_static("content-md5"),
        HeaderName::from_static("x-amzn-remapped-content-md5"),
    ),
    (header::DATE, HeaderName::from_static("x-amzn-remapped-date")),
    (header::EXPECT, HeaderName::from_static("x-amzn-remapped-expect")),
    (header::HOST, HeaderName::from_static("x-amzn-remapped-host")),
    (header::MAX_FORWARDS, HeaderName::from_static("x-amzn-remapped-max-forwards")),
    (header::PROXY_AUTHENTICATE, HeaderName::from_static("x-amzn-remapped-proxy-authenticate")),
    (header::SERVER, HeaderName::from_static("x-amzn-remapped-server")),
    (header::TRAILER, HeaderName::from_static("x-amzn-remapped-trailer")),
    (header::UPGRADE, HeaderName::from_static("x-amzn-remapped-upgrade")),
    (header::USER_AGENT, HeaderName::from_static("x-amzn-remapped-user-agent")),
    (header::WWW_AUTHENTICATE, HeaderName::from_static("x-amzn-remapped-www-authenticate")),
];

/// The integration's reply with API Gateway's headers.
pub(super) fn pass(mut response: Response<Bytes>, exchange: &Exchange) -> Response<Bytes> {
    let headers = response.headers_mut();
    remap(headers);
    headers.entry(CONTENT_TYPE).or_insert(JSON);
    identify(headers, exchange);
    response
}

/// The gateway's own reply.
pub(super) fn refuse(refusal: &Refusal, exchange: &Exchange, debug: bool) -> Response<Bytes> {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    let (status, body) = match refusal {
        Refusal::FrontDoor { status, text } => {
            headers.insert(CONTENT_TYPE, PLAIN);
            (*status, Bytes::from_static(text.as_bytes()))
        }
        Refusal::Gateway(response) => {
            headers.insert(CONTENT_TYPE, JSON);
            let error_type = HeaderValue::from_static(response.response_type.error_type);
            headers.insert(ERROR_TYPE, error_type);
            identify(&mut headers, exchange);
            if let (true, Some(limiter)) = (debug, response.limiter) {
                headers.insert(LIMITER, HeaderValue::from_static(limiter.name()));
            }
            (response.status, response.body.clone())
        }
    };
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}

fn identify(headers: &mut HeaderMap, exchange: &Exchange) {
    headers.insert(REQUEST_ID, exchange.ids.request_id.clone());
    headers.insert(EXTENDED_REQUEST_ID, exchange.ids.extended_request_id.clone());
    if let Some(trace_id) = &exchange.trace_id {
        headers.insert(TRACE_ID, trace_id.clone());
    }
}

fn remap(headers: &mut HeaderMap) {
    headers.remove(header::TRANSFER_ENCODING);
    for (name, remapped) in &REMAPPED {
        let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
        headers.remove(name);
        for value in values {
            headers.append(remapped.clone(), value);
        }
    }
}
