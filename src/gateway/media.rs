//! Which bodies are binary: `binaryMediaTypes` against a request's headers.
//!
//! Source: recorded replies (LocalStack's AWS-validated tests) and API Gateway developer guide,
//! "Content type conversions". An entry is compared as it is written: `image/*` is no pattern, and
//! neither is what a client writes; only the entry `*/*` matches everything.

use crate::spec::ANY_MEDIA_TYPE;
use http::HeaderValue;

/// The media types of a contract, ready to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryMediaTypes {
    any: bool,
    /// In small letters.
    types: Vec<String>,
}

impl BinaryMediaTypes {
    /// These entries.
    pub fn new(types: &[String]) -> Self {
        let any = types.iter().any(|entry| entry == ANY_MEDIA_TYPE);
        Self { any, types: types.iter().map(|entry| entry.to_ascii_lowercase()).collect() }
    }

    /// Whether every body is binary.
    pub fn is_any(&self) -> bool {
        self.any
    }

    /// Whether a request of this `Content-Type` has a binary body. Without one it is JSON.
    pub fn has_request(&self, content_type: Option<&HeaderValue>) -> bool {
        self.any || self.has(content_type.map_or(b"application/json", HeaderValue::as_bytes))
    }

    /// Whether the reply to a request of this `Accept` may be binary: its first type decides.
    pub fn has_reply(&self, accept: Option<&HeaderValue>) -> bool {
        self.any
            || accept.is_some_and(|accept| {
                self.has(accept.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default())
            })
    }

    /// Parameters (`; charset=…`, `; q=…`) are not compared (assumed).
    fn has(&self, media_type: &[u8]) -> bool {
        let bare = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        self.types.iter().any(|entry| entry.as_bytes().eq_ignore_ascii_case(bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(types: &[&str]) -> BinaryMediaTypes {
        BinaryMediaTypes::new(&types.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_request_is_binary_by_its_content_type() {
        for (types, content_type, expected) in [
            (&["image/png"][..], Some("image/png"), true),
            (&["image/png"], Some("Image/PNG; a=b"), true),
            (&["image/png"], Some("image/jpeg"), false),
            (&["image/*"], Some("image/png"), false),
            (&["image/png"], None, false),
            (&["application/json"], None, true),
            (&["*/*"], None, true),
            (&["*/*"], Some("application/json"), true),
            (&[], Some("image/png"), false),
        ] {
            let header = content_type.map(HeaderValue::from_static);
            let found = of(types).has_request(header.as_ref());
            assert_eq!(found, expected, "{types:?} {content_type:?}");
        }
    }

    #[test]
    fn a_reply_is_binary_by_the_first_type_accepted() {
        for (types, accept, expected) in [
            (&["image/png"][..], Some("image/png"), true),
            (&["image/png"], Some("image/png;q=0.5, text/html"), true),
            (&["image/png"], Some("text/html, image/png"), false),
            (&["image/png"], Some("image/*"), false),
            (&["image/png"], Some("*/*"), false),
            (&["image/png"], None, false),
            (&["*/*"], None, true),
            (&["*/*"], Some("application/json"), true),
        ] {
            let header = accept.map(HeaderValue::from_static);
            assert_eq!(of(types).has_reply(header.as_ref()), expected, "{types:?} {accept:?}");
        }
    }
}
