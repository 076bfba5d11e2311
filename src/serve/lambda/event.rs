//! API Gateway proxy events, payload format 1.0: what a reply depends on, borrowed from the bytes.
//!
//! Facts: API Gateway developer guide, "Input format of a Lambda function for proxy integration".
//! Absent maps are `null`; `path` has no stage but the base path of a custom domain, while
//! `resource` is the route itself.
//!
//! # Invariants
//! Only the headers that a reply depends on are read; no other, and no query, is held or copied.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A proxy event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) method: Cow<'a, str>,
    pub(super) path: Cow<'a, str>,
    /// The route of the API, `/predict`; empty when the event has none.
    pub(super) resource: Cow<'a, str>,
    pub(super) headers: Headers<'a>,
    /// The body as it stands in the event.
    pub(super) body: Cow<'a, str>,
    pub(super) is_base64: bool,
    /// API Gateway's own request id.
    pub(super) gateway_request_id: Option<Cow<'a, str>>,
}

/// The headers that a reply depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Headers<'a> {
    pub(super) content_type: Option<Cow<'a, str>>,
    pub(super) content_encoding: Option<Cow<'a, str>>,
    pub(super) inference_header_content_length: Option<Cow<'a, str>>,
}

/// Why bytes are no proxy event. Says nothing of what they hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum EventError {
    #[error(
        "the event is no API Gateway proxy event (payload format 1.0): {what} at byte {column} of line {line}"
    )]
    Json { what: &'static str, line: usize, column: usize },
    #[error("the event is no API Gateway proxy event (payload format 1.0): it has no `{0}`")]
    Lacks(&'static str),
    #[error("the event is of payload format 2.0; gwtf serves REST APIs, which send format 1.0")]
    Version2,
}

/// Reads an event.
///
/// # Errors
/// It is no JSON object of this form.
pub(super) fn parse(bytes: &[u8]) -> Result<Event<'_>, EventError> {
    let document: Document<'_> = serde_json::from_slice(bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a value of another type",
            serde_json::error::Category::Eof => "an early end",
            _ => "no JSON",
        };
        EventError::Json { what, line: error.line(), column: error.column() }
    })?;
    let lacks = |name| match document.raw_path.0 {
        Some(_) => EventError::Version2,
        None => EventError::Lacks(name),
    };
    let path = document.path.0.ok_or(lacks("path"))?;
    let method = document.http_method.0.ok_or(lacks("httpMethod"))?;
    let multiple = document.multi_value_headers.unwrap_or_default();
    let single = document.headers.unwrap_or_default();
    Ok(Event {
        method,
        path,
        resource: document.resource.0.unwrap_or_default(),
        headers: multiple.or(single),
        body: document.body.0.unwrap_or_default(),
        is_base64: document.is_base64_encoded.unwrap_or(false),
        gateway_request_id: document.request_context.and_then(|context| context.request_id.0),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(borrow, default)]
    http_method: Text<'a>,
    #[serde(borrow, default)]
    path: Text<'a>,
    #[serde(borrow, default)]
    raw_path: Text<'a>,
    #[serde(borrow, default)]
    resource: Text<'a>,
    #[serde(borrow, default)]
    headers: Option<Headers<'a>>,
    #[serde(borrow, default)]
    multi_value_headers: Option<Headers<'a>>,
    #[serde(borrow, default)]
    request_context: Option<RequestContext<'a>>,
    #[serde(borrow, default)]
    body: Text<'a>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(borrow, default)]
    request_id: Text<'a>,
}

impl<'a> Headers<'a> {
    /// These, and `other`'s where these lack one.
    fn or(self, other: Self) -> Self {
        Self {
            content_type: self.content_type.or(other.content_type),
            content_encoding: self.content_encoding.or(other.content_encoding),
            inference_header_content_length: self
                .inference_header_content_length
                .or(other.inference_header_content_length),
        }
    }

    /// Where the header of this name goes, if it is one of these.
    fn place(&mut self, name: &str) -> Option<&mut Option<Cow<'a, str>>> {
        if name.eq_ignore_ascii_case("content-type") {
            Some(&mut self.content_type)
        } else if name.eq_ignore_ascii_case("content-encoding") {
            Some(&mut self.content_encoding)
        } else if name.eq_ignore_ascii_case("inference-header-content-length") {
            Some(&mut self.inference_header_content_length)
        } else {
            None
        }
    }
}

/// A string, borrowed where it holds no escapes; `null` is none.
#[derive(Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Text(Some(Cow::Owned(text))))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Text(None))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut headers = Headers::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            match name.0.as_deref().and_then(|name| headers.place(name)) {
                Some(place) => *place = map.next_value::<HeaderValue<'de>>()?.0,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(headers)
    }
}

/// The value of a header: a string, or the first of a list.
struct HeaderValue<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for HeaderValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeaderValueVisitor)
    }
}

struct HeaderValueVisitor;

impl<'de> Visitor<'de> for HeaderValueVisitor {
    type Value = HeaderValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a list of strings, or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(HeaderValue(Some(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(HeaderValue(Some(Cow::Owned(text.to_owned()))))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(HeaderValue(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let first = list.next_element::<Text<'de>>()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(HeaderValue(first.and_then(|first| first.0)))
    }
}

#[cfg(test)]
mod tests;
