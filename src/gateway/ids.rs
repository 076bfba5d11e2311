//! Request ids, trace ids: unique, quick to make, and the same again for the same seed.
//!
//! They tell requests apart and protect nothing, so a mixing function over a counter will do.

use super::limiter::mix;
use http::{HeaderMap, HeaderValue};
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::{Builder, Uuid};

/// What AWS writes when the client's `x-amzn-RequestId` is no UUID.
const REPLACED_REQUEST_ID: HeaderValue =
    HeaderValue::from_static("UUID_REPLACED_INVALID_REQUEST_ID");
/// Length of a UUID with its hyphens; the parser takes other forms (braces, `urn:uuid:`) too.
const UUID_BYTES: usize = 36;
/// Bytes of an extended request id; Base64 makes 16 characters of them.
const EXTENDED_ID_BYTES: usize = 11;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Makes ids.
#[derive(Debug)]
pub(super) struct IdSource {
    seed: u64,
    made: AtomicU64,
}

/// The ids of one request.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    /// A UUID, the client's own if it sent one.
    pub(super) request_id: HeaderValue,
    pub(super) extended_request_id: HeaderValue,
    seed: u64,
}

impl IdSource {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: mix(seed), made: AtomicU64::new(0) }
    }

    /// The ids of the next request.
    pub(super) fn ids(&self, headers: &HeaderMap) -> Ids {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let seed = mix(self.seed ^ number);
        let request_id = match headers.get("x-amzn-requestid") {
            Some(own) if is_uuid(own.as_bytes()) => own.clone(),
            Some(_) => REPLACED_REQUEST_ID,
            None => uuid(seed),
        };
        Ids { request_id, extended_request_id: extended(seed), seed }
    }
}

impl Ids {
    /// `Root=1-<seconds>-<24 hex digits>`, made only for requests that reach the integration.
    pub(super) fn trace_id(&self, utc_ms: u64) -> HeaderValue {
        let mut text = *b"Root=1-00000000-000000000000000000000000";
        write_hex(&mut text[7..15], utc_ms / 1_000);
        write_hex(&mut text[16..24], mix(self.seed ^ 5));
        write_hex(&mut text[24..40], mix(self.seed ^ 6));
        header(&text)
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == UUID_BYTES && Uuid::try_parse_ascii(text).is_ok()
}

fn uuid(seed: u64) -> HeaderValue {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix(seed ^ 1).to_be_bytes());
    bytes[8..].copy_from_slice(&mix(seed ^ 2).to_be_bytes());
    let mut text = [0; 36];
    Builder::from_random_bytes(bytes).as_uuid().hyphenated().encode_lower(&mut text);
    header(&text)
}

/// Sixteen characters of Base64, the last a `=`, as AWS's look.
fn extended(seed: u64) -> HeaderValue {
    let mut random = [0; 16];
    random[..8].copy_from_slice(&mix(seed ^ 3).to_be_bytes());
    random[8..].copy_from_slice(&mix(seed ^ 4).to_be_bytes());
    let mut text = [b'='; 16];
    for (group, chunk) in random[..EXTENDED_ID_BYTES + 1].chunks(3).enumerate() {
        let bits = chunk.iter().fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        for (i, place) in text[group * 4..group * 4 + 4].iter_mut().enumerate() {
            *place = BASE64[bits >> (18 - 6 * i) & 63];
        }
    }
    text[15] = b'=';
    header(&text)
}

fn write_hex(text: &mut [u8], number: u64) {
    for (i, place) in text.iter_mut().rev().enumerate() {
        *place = HEX[usize::from((number >> (4 * i) & 15) as u8)];
    }
}

fn header(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).expect("ids are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_look_like_awss_and_follow_the_seed() {
        let headers = HeaderMap::new();
        let ids = |seed| IdSource::new(seed).ids(&headers);
        let first = ids(1);
        let uuid = Uuid::try_parse_ascii(first.request_id.as_bytes()).unwrap();
        assert_eq!(uuid.get_version_num(), 4);
        let extended = first.extended_request_id.to_str().unwrap();
        assert!(extended.len() == 16 && extended.ends_with('='), "{extended}");
        let trace = first.trace_id(1_722_641_683_000);
        let trace = trace.to_str().unwrap();
        assert!(trace.starts_with("Root=1-66ad6d13-") && trace.len() == 40, "{trace}");
        assert!(trace[16..].bytes().all(|byte| byte.is_ascii_hexdigit()), "{trace}");
        assert_eq!(ids(1).request_id, first.request_id);
        assert_ne!(ids(2).request_id, first.request_id);
        let source = IdSource::new(1);
        let many: HashSet<HeaderValue> =
            (0..1_000).map(|_| source.ids(&headers).request_id).collect();
        assert_eq!(many.len(), 1_000);
    }

    #[test]
    fn a_client_may_bring_a_uuid_and_nothing_else() {
        let mut headers = HeaderMap::new();
        let source = IdSource::new(1);
        for (own, expected) in [
            ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000001"),
            ("mine", "UUID_REPLACED_INVALID_REQUEST_ID"),
            ("{00000000-0000-4000-8000-000000000001}", "UUID_REPLACED_INVALID_REQUEST_ID"),
            ("urn:uuid:00000000-0000-4000-8000-000000000001", "UUID_REPLACED_INVALID_REQUEST_ID"),
            ("00000000000040008000000000000001", "UUID_REPLACED_INVALID_REQUEST_ID"),
        ] {
            headers.insert("x-amzn-requestid", HeaderValue::from_static(own));
            assert_eq!(source.ids(&headers).request_id, expected, "{own}");
        }
    }
}
