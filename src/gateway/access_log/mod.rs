//! Layer: one line per request in the contract's `$context` format.
//!
//! A variable without a value prints `-`, as on AWS.
//!
//! Differs: quotes, backslashes and control characters in values are escaped as in JSON, so that no
//! client can forge a line or break a document. What AWS does with them is not documented.

mod sink;

pub use sink::{FileSink, FileSinkStatus, MemorySink, Sink};

use super::calendar::push_clf_time;
use super::exchange::{Exchange, Seen};
use super::refusal::{GatewayResponse, Refusal};
use crate::spec::access_log::{Format, Piece, Variable};
use bytes::Bytes;
use http::{HeaderValue, Response, Version};
use std::io::Write;

/// Enough for the default format, so that a line is written into one allocation.
const LINE_BYTES: usize = 1_024;

/// What a line is made from.
pub(super) struct Entry<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) stage: &'a str,
    pub(super) response: &'a Response<Bytes>,
    /// The gateway's own error, if it made one.
    pub(super) refusal: Option<&'a Refusal>,
    pub(super) response_latency_ms: u64,
}

/// Writes the line, without a line break.
pub(super) fn render(format: &Format, entry: &Entry<'_>) -> Vec<u8> {
    let mut line = Vec::with_capacity(LINE_BYTES);
    for piece in format.pieces() {
        match piece {
            Piece::Text(text) => line.extend_from_slice(text.as_bytes()),
            Piece::Variable(variable) => {
                let start = line.len();
                push(&mut line, *variable, entry);
                if line.len() == start {
                    line.push(b'-');
                }
            }
        }
    }
    line
}

/// Appends the variable's value, or nothing.
fn push(line: &mut Vec<u8>, variable: Variable, entry: &Entry<'_>) {
    use Variable as V;
    let exchange = entry.exchange;
    let error = match entry.refusal {
        Some(Refusal::Gateway(response)) => Some(response),
        _ => None,
    };
    match variable {
        V::RequestId => push_header(line, &exchange.ids.request_id),
        V::ExtendedRequestId => push_header(line, &exchange.ids.extended_request_id),
        V::Stage => push_text(line, entry.stage),
        V::ResourcePath => {
            push_text(line, exchange.route.as_ref().map_or("", |route| &route.route.path));
        }
        V::RequestTime => push_clf_time(line, exchange.received_utc_ms),
        V::RequestTimeEpoch => push_number(line, exchange.received_utc_ms),
        // Writing to a vector cannot fail.
        V::SourceIp => write!(line, "{}", exchange.peer).unwrap_or_default(),
        V::ApiKeyId => push_text(line, exchange.api_key_id.as_deref().unwrap_or_default()),
        V::Status => push_number(line, u64::from(entry.response.status().as_u16())),
        V::ResponseLength => push_number(line, entry.response.body().len() as u64),
        V::ResponseLatency => push_number(line, entry.response_latency_ms),
        V::IntegrationStatus => push_option(line, exchange.integration.status.map(u64::from)),
        V::IntegrationReplyStatus => {
            push_option(line, exchange.integration.reply_status.map(u64::from));
        }
        V::IntegrationLatency => push_option(line, exchange.integration.latency_ms),
        V::IntegrationError => {
            push_text(line, exchange.integration.error.as_deref().unwrap_or_default());
        }
        V::ErrorMessage
        | V::ErrorMessageString
        | V::ErrorResponseType
        | V::ErrorValidation
        | V::Limiter => push_error(line, variable, error),
        V::HttpMethod | V::Path | V::Protocol | V::DomainName | V::DomainPrefix | V::UserAgent => {
            push_seen(line, variable, exchange.seen.as_ref())
        }
        V::Unset => {}
    }
}

fn push_error(line: &mut Vec<u8>, variable: Variable, error: Option<&GatewayResponse>) {
    let Some(error) = error else { return };
    match variable {
        Variable::ErrorMessage => push_text(line, &error.message),
        Variable::ErrorMessageString => {
            line.push(b'"');
            push_text(line, &error.message);
            line.push(b'"');
        }
        Variable::ErrorResponseType => push_text(line, error.response_type.name),
        Variable::ErrorValidation => {
            push_text(line, error.validation_error.as_deref().unwrap_or_default());
        }
        _ => push_text(line, error.limiter.map_or("", |limiter| limiter.name())),
    }
}

fn push_seen(line: &mut Vec<u8>, variable: Variable, seen: Option<&Seen>) {
    let Some(seen) = seen else { return };
    let host = || seen.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
    match variable {
        Variable::HttpMethod => push_text(line, seen.method.as_str()),
        Variable::Path => push_text(line, seen.uri.path()),
        Variable::Protocol => push_text(line, protocol(seen.version)),
        Variable::DomainName => push_text(line, without_port(host())),
        Variable::DomainPrefix => {
            push_text(line, without_port(host()).split('.').next().unwrap_or_default());
        }
        _ => {
            if let Some(user_agent) = &seen.user_agent {
                push_header(line, user_agent);
            }
        }
    }
}

pub(super) fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// A host without its port. An IPv6 address in brackets keeps its colons.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn push_option(line: &mut Vec<u8>, number: Option<u64>) {
    if let Some(number) = number {
        push_number(line, number);
    }
}

fn push_number(line: &mut Vec<u8>, number: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A header's value; bytes that are no UTF-8 become the replacement character.
fn push_header(line: &mut Vec<u8>, value: &HeaderValue) {
    match value.to_str() {
        Ok(text) => push_text(line, text),
        Err(_) => push_text(line, &String::from_utf8_lossy(value.as_bytes())),
    }
}

fn push_text(line: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    let bytes = text.as_bytes();
    if bytes.iter().all(is_plain) {
        line.extend_from_slice(bytes);
        return;
    }
    for byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            0..0x20 => {
                // Writing to a vector cannot fail.
                let _ = write!(line, "\\u{byte:04x}");
            }
            _ => line.push(*byte),
        }
    }
}
