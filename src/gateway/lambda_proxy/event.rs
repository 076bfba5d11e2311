//! The event of a Lambda proxy integration, format 1.0.
//!
//! Source: events recorded from AWS (LocalStack's AWS-validated tests) and API Gateway developer
//! guide, "Set up Lambda proxy integrations". Written straight into bytes: it is made for every
//! request.
//!
//! ```text
//! resource path httpMethod
//! headers multiValueHeaders queryStringParameters multiValueQueryStringParameters
//! pathParameters stageVariables requestContext body isBase64Encoded
//! ```
//!
//! # Invariants
//! What is absent is `null`, never `{}`. Single-value maps hold the last value, the others all in
//! their order. The path has no stage and stays percent-encoded; names and values of the query are
//! decoded.

use super::super::access_log::{protocol, without_port};
use super::super::calendar::push_clf_time;
use super::super::call::Invocation;
use super::super::key;
use super::json::{push_escaped, push_string};
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write as _;

/// An account, an API and a deployment that AWS never gives to anybody.
const ACCOUNT_ID: &str = "000000000000";
const API_ID: &str = "gwtflocal0";
const DEPLOYMENT_ID: &str = "local0";
/// About what an event takes beside headers, path and body.
const ENVELOPE_BYTES: usize = 1_200;

const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The event of an invocation; `None` when it is larger than Lambda takes.
pub(super) fn event(invocation: &Invocation) -> Option<Bytes> {
    let (head, body) = (Head::of(invocation), invocation.request.body());
    let encoded_bytes = if head.binary { body.len().div_ceil(3) * 4 } else { body.len() };
    // No need to write down what is too large for sure.
    if encoded_bytes > LAMBDA_PAYLOAD_BYTES_MAX {
        return None;
    }
    let mut out = Vec::with_capacity(ENVELOPE_BYTES + 2 * head.headers_bytes() + encoded_bytes);
    head.push(&mut out);
    push_body(&mut out, body, head.binary);
    out.push(b'}');
    (out.len() <= LAMBDA_PAYLOAD_BYTES_MAX).then(|| Bytes::from(out))
}

/// All of an event but its body.
struct Head<'a> {
    invocation: &'a Invocation,
    headers: &'a HeaderMap,
    path: &'a str,
    binary: bool,
}

impl<'a> Head<'a> {
    fn of(invocation: &'a Invocation) -> Self {
        let request = &invocation.request;
        let headers = request.headers();
        let content_type = headers.get(header::CONTENT_TYPE);
        let binary = invocation.api.binary_media_types.has_request(content_type);
        Self { invocation, headers, path: request.uri().path(), binary }
    }

    fn headers_bytes(&self) -> usize {
        let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        self.headers.iter().map(bytes).sum()
    }

    fn push(&self, out: &mut Vec<u8>) {
        let route = &self.invocation.route;
        push_member(out, "{\"resource\":", &route.path);
        push_member(out, ",\"path\":", self.path);
        push_member(out, ",\"httpMethod\":", self.invocation.request.method().as_str());
        out.extend_from_slice(b",\"headers\":{");
        self.push_headers(out, false);
        out.extend_from_slice(b"},\"multiValueHeaders\":{");
        self.push_headers(out, true);
        out.push(b'}');
        self.push_query(out);
        // Routes have no templates and stages no variables.
        out.extend_from_slice(b",\"pathParameters\":null,\"stageVariables\":null");
        self.push_context(out);
    }

    /// Members of a map of headers: those of the client, then AWS's own.
    fn push_headers(&self, out: &mut Vec<u8>, multi: bool) {
        for name in self.headers.keys() {
            if [TRACE_ID, FORWARDED_FOR, FORWARDED_PORT, FORWARDED_PROTO].contains(name) {
                continue;
            }
            let values = self.headers.get_all(name).iter().map(text);
            push_header(out, cased(name), values, multi);
        }
        let value = |value| std::iter::once(Cow::Borrowed(value));
        let trace_id = std::iter::once(text(&self.invocation.trace_id));
        push_header(out, "X-Amzn-Trace-Id", trace_id, multi);
        push_header(out, "X-Forwarded-For", std::iter::once(self.forwarded_for()), multi);
        // What a client of AWS's own endpoint has spoken to.
        push_header(out, "X-Forwarded-Port", value("443"), multi);
        push_header(out, "X-Forwarded-Proto", value("https"), multi);
        out.pop();
    }

    /// The caller's address, behind those that the client itself names.
    fn forwarded_for(&self) -> Cow<'static, str> {
        let mut addresses = String::new();
        for value in self.headers.get_all(FORWARDED_FOR) {
            addresses.push_str(&text(value));
            addresses.push_str(", ");
        }
        addresses.push_str(&self.invocation.peer.to_string());
        Cow::Owned(addresses)
    }

    fn push_query(&self, out: &mut Vec<u8>) {
        let query = self.invocation.request.uri().query().unwrap_or_default();
        let mut parameters: BTreeMap<Cow<'_, str>, Vec<Cow<'_, str>>> = BTreeMap::new();
        // API Gateway parts at semicolons too ("known issues").
        for piece in query.split(';') {
            for (name, value) in url::form_urlencoded::parse(piece.as_bytes()) {
                parameters.entry(name).or_default().push(value);
            }
        }
        for (name, multi) in
            [("queryStringParameters", false), ("multiValueQueryStringParameters", true)]
        {
            out.extend_from_slice(b",");
            push_string(out, name);
            if parameters.is_empty() {
                out.extend_from_slice(b":null");
                continue;
            }
            out.extend_from_slice(b":{");
            for (name, values) in &parameters {
                push_header(out, name, values.iter().map(|value| Cow::Borrowed(&**value)), multi);
            }
            out.pop();
            out.push(b'}');
        }
    }

    fn push_context(&self, out: &mut Vec<u8>) {
        let invocation = self.invocation;
        let host = self.headers.get(header::HOST).map(text).unwrap_or_default();
        let domain = without_port(&host);
        let stage = &invocation.api.stage;
        push_member(out, ",\"requestContext\":{\"accountId\":", ACCOUNT_ID);
        push_member(out, ",\"apiId\":", API_ID);
        push_member(out, ",\"deploymentId\":", DEPLOYMENT_ID);
        push_member(out, ",\"domainName\":", domain);
        push_member(out, ",\"domainPrefix\":", domain.split('.').next().unwrap_or_default());
        push_member(out, ",\"extendedRequestId\":", &text(&invocation.extended_request_id));
        push_member(out, ",\"httpMethod\":", invocation.request.method().as_str());
        self.push_identity(out);
        out.extend_from_slice(b",\"path\":\"/");
        push_escaped(out, stage);
        push_escaped(out, self.path);
        push_member(out, "\",\"protocol\":", protocol(invocation.request.version()));
        push_member(out, ",\"requestId\":", &text(&invocation.request_id));
        out.extend_from_slice(b",\"requestTime\":\"");
        push_clf_time(out, invocation.received_utc_ms);
        out.extend_from_slice(b"\",\"requestTimeEpoch\":");
        out.extend_from_slice(itoa::Buffer::new().format(invocation.received_utc_ms).as_bytes());
        out.extend_from_slice(b",\"resourceId\":\"");
        out.extend_from_slice(&resource_id(&invocation.route.path));
        push_member(out, "\",\"resourcePath\":", &invocation.route.path);
        push_member(out, ",\"stage\":", stage);
        out.push(b'}');
    }

    fn push_identity(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"identity\":{\"accessKey\":null,\"accountId\":null");
        // Where the method wants a key, the function gets it, as on AWS.
        if let Some(id) = &self.invocation.api_key_id {
            let value = self.headers.get(key::HEADER).map(text).unwrap_or_default();
            push_member(out, ",\"apiKey\":", &value);
            push_member(out, ",\"apiKeyId\":", id);
        }
        out.extend_from_slice(
            b",\"caller\":null,\"cognitoAuthenticationProvider\":null,\
              \"cognitoAuthenticationType\":null,\"cognitoIdentityId\":null,\
              \"cognitoIdentityPoolId\":null,\"principalOrgId\":null,\"sourceIp\":\"",
        );
        // Writing to a vector cannot fail.
        let _ = write!(out, "{}", self.invocation.peer);
        out.extend_from_slice(b"\",\"user\":null,\"userAgent\":");
        match self.headers.get(header::USER_AGENT) {
            Some(agent) => push_string(out, &text(agent)),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"userArn\":null}");
    }
}

/// A body that is not binary is text: bytes that are no UTF-8 are lost, as on AWS.
fn push_body(out: &mut Vec<u8>, body: &[u8], binary: bool) {
    if body.is_empty() {
        out.extend_from_slice(b",\"body\":null,\"isBase64Encoded\":false");
    } else if binary {
        out.extend_from_slice(b",\"body\":\"");
        let from = out.len();
        let encoded_bytes = body.len().div_ceil(3) * 4;
        out.resize(from + encoded_bytes, 0);
        let written = STANDARD.encode_slice(body, &mut out[from..]);
        debug_assert_eq!(written, Ok(encoded_bytes), "Base64 makes 4 bytes of 3");
        out.extend_from_slice(b"\",\"isBase64Encoded\":true");
    } else {
        push_member(out, ",\"body\":", &String::from_utf8_lossy(body));
        out.extend_from_slice(b",\"isBase64Encoded\":false");
    }
}

/// Appends what stands before a string, then the string.
fn push_member(out: &mut Vec<u8>, before: &str, value: &str) {
    out.extend_from_slice(before.as_bytes());
    push_string(out, value);
}

/// A name with its last value, or with all of them, and a comma.
fn push_header<'a>(
    out: &mut Vec<u8>,
    name: &str,
    values: impl Iterator<Item = Cow<'a, str>>,
    multi: bool,
) {
    push_string(out, name);
    if multi {
        out.extend_from_slice(b":[");
        for value in values {
            push_string(out, &value);
            out.push(b',');
        }
        out.pop();
        out.extend_from_slice(b"],");
    } else {
        out.push(b':');
        push_string(out, &values.last().unwrap_or_default());
        out.push(b',');
    }
}

/// Differs: the HTTP library gives names in small letters, and AWS hands on the client's own; those
/// that AWS writes itself are as it writes them.
fn cased(name: &HeaderName) -> &str {
    match name.as_str() {
        "authorization" => "Authorization",
        "host" => "Host",
        "user-agent" => "User-Agent",
        other => other,
    }
}

/// A header's value; one that is no UTF-8 is read as Latin-1, which HTTP/1.1 once was.
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// Six characters that follow from the path (FNV-1a), as AWS's look.
fn resource_id(path: &str) -> [u8; 6] {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in path.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    std::array::from_fn(|_| {
        let digit = DIGITS[(hash % 36) as usize];
        hash /= 36;
        digit
    })
}

#[cfg(test)]
mod tests;
