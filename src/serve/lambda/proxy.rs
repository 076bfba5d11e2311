//! Proxy replies: the document that API Gateway makes an HTTP reply from.
//!
//! Facts: API Gateway developer guide, "Output format of a Lambda function for proxy integration":
//! header values are strings, a repeated header goes into `multiValueHeaders`, unknown members are
//! a 502, and a body in base64 is decoded only when `isBase64Encoded` says so.

use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

/// Writes `response` as a proxy reply into `out`, which is emptied first. `false` where Lambda does
/// not take one this long; `out` then holds what is written over.
///
/// JSON goes as text, which any API passes on; everything else in base64, which needs
/// `binaryMediaTypes`.
pub(super) fn write(response: &Response<Bytes>, out: &mut Vec<u8>) -> bool {
    out.clear();
    // Nothing makes a body shorter, and a function has no memory to spare for a copy.
    if response.body().len() > LAMBDA_PAYLOAD_BYTES_MAX {
        return false;
    }
    out.extend_from_slice(b"{\"statusCode\":");
    out.extend_from_slice(response.status().as_str().as_bytes());
    write_headers(response.headers(), out);
    out.extend_from_slice(b",\"body\":");
    let body = response.body();
    match text_of(response) {
        Some(text) => {
            write_text(text, out);
            out.extend_from_slice(b",\"isBase64Encoded\":false}");
        }
        None => {
            out.push(b'"');
            let start = out.len();
            let length = base64::encoded_len(body.len(), true).expect("the body is in memory");
            out.resize(start + length, 0);
            let written = STANDARD.encode_slice(body, &mut out[start..]);
            out.truncate(start + written.expect("the room was made for it"));
            out.extend_from_slice(b"\",\"isBase64Encoded\":true}");
        }
    }
    out.len() <= LAMBDA_PAYLOAD_BYTES_MAX
}

/// The body as text, if it is JSON.
fn text_of(response: &Response<Bytes>) -> Option<&str> {
    let content_type = response.headers().get(header::CONTENT_TYPE)?;
    let is_json = content_type.as_bytes().starts_with(b"application/json");
    if is_json { std::str::from_utf8(response.body()).ok() } else { None }
}

fn write_headers(headers: &HeaderMap, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"headers\":{");
    let is_single = |name: &&HeaderName| headers.get_all(*name).iter().nth(1).is_none();
    for (index, name) in headers.keys().filter(is_single).enumerate() {
        write_name(index, name, out);
        write_text(text(&headers[name]), out);
    }
    out.push(b'}');
    if headers.keys_len() == headers.len() {
        return;
    }
    out.extend_from_slice(b",\"multiValueHeaders\":{");
    for (index, name) in headers.keys().filter(|name| !is_single(name)).enumerate() {
        write_name(index, name, out);
        out.push(b'[');
        for (index, value) in headers.get_all(name).iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_text(text(value), out);
        }
        out.push(b']');
    }
    out.push(b'}');
}

/// A value as text; gwtf writes no others.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

fn write_name(index: usize, name: &HeaderName, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
    write_text(name.as_str(), out);
    out.push(b':');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string is written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document(response: &Response<Bytes>) -> Value {
        let mut out = b"left over".to_vec();
        assert!(write(response, &mut out));
        serde_json::from_slice(&out).unwrap()
    }

    fn response(content_type: &'static str, body: &'static [u8]) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from_static(body));
        response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
        response
    }

    #[test]
    fn json_goes_as_text() {
        let body = "{\"error\":\"\\u00e9 \u{7f} \u{2028} \\\\ \"}";
        let found = document(&response("application/json", body.as_bytes()));
        let expected = json!({
            "statusCode": 200,
            "headers": {"content-type": "application/json"},
            "body": body,
            "isBase64Encoded": false,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn bytes_go_in_base64() {
        for (content_type, body, base64) in [
            ("application/octet-stream", &b"\x00\xff\x01"[..], "AP8B"),
            ("application/x-npy", b"", ""),
            // Bytes that only claim to be JSON are not lost.
            ("application/json", b"\xff", "/w=="),
        ] {
            let found = document(&response(content_type, body));
            assert_eq!((&found["body"], &found["isBase64Encoded"]), (&json!(base64), &json!(true)));
        }
    }

    #[test]
    fn what_lambda_does_not_take_is_not_written() {
        let mut out = Vec::new();
        let body = |bytes: usize| {
            let mut response = response("application/json", b"");
            *response.body_mut() = Bytes::from(vec![b' '; bytes]);
            response
        };
        assert!(write(&body(LAMBDA_PAYLOAD_BYTES_MAX - 200), &mut out));
        assert!(!write(&body(LAMBDA_PAYLOAD_BYTES_MAX), &mut out));
        let mut out = Vec::new();
        assert!(!write(&body(10 * LAMBDA_PAYLOAD_BYTES_MAX), &mut out));
        assert_eq!(out.capacity(), 0);
    }

    #[test]
    fn a_repeated_header_is_a_list() {
        let mut response = response("application/json", b"{}");
        response.headers_mut().append("x-part", HeaderValue::from_static("a"));
        response.headers_mut().append("x-part", HeaderValue::from_static("b\"c"));
        let found = document(&response);
        assert_eq!(found["headers"], json!({"content-type": "application/json"}));
        assert_eq!(found["multiValueHeaders"], json!({"x-part": ["a", "b\"c"]}));
    }
}
