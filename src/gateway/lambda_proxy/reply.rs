//! What a function returned, read as API Gateway reads it: a reply, or why it is none.
//!
//! Source: replies recorded from AWS (LocalStack's AWS-validated tests), API Gateway developer guide,
//! "Output format of a Lambda function for proxy integration". Where AWS's answer is not known the
//! line says "assumed".
//!
//! # Invariants
//! Only what the format has is taken: anything else makes the reply malformed, which a client sees
//! as a 502.

use super::super::call::IntegrationError;
use crate::spec::limits::HEADERS_BYTES_MAX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The reply that `payload` stands for. `decodes` says whether a Base64 body becomes bytes: the
/// request's first accepted media type is one of the contract's binary ones.
///
/// # Errors
/// The payload is no reply ([`IntegrationError::FunctionError`], 502), or its body should be decoded
/// and is no Base64 ([`IntegrationError::Configuration`], 500).
pub(super) fn read_reply(
    payload: &Bytes,
    decodes: bool,
) -> Result<Response<Bytes>, IntegrationError> {
    let reply: Reply<'_> = serde_json::from_slice(payload)
        .map_err(|error| malformed(&without_quotes(&error.to_string())))?;
    let mut response = Response::new(reply.body(payload, decodes)?);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers.0;
    Ok(response)
}

fn malformed(cause: &str) -> IntegrationError {
    IntegrationError::FunctionError(format!("malformed Lambda proxy response: {cause}"))
}

/// serde quotes the value that it does not take, and a value is nothing for a log.
fn without_quotes(message: &str) -> String {
    match (message.find("string \""), message.rfind('"')) {
        (Some(from), Some(to)) if from + 7 < to => {
            format!("{}a string{}", &message[..from], &message[to + 1..])
        }
        _ => message.to_owned(),
    }
}

/// A reply as it is being read.
#[derive(Default)]
struct Reply<'a> {
    status: StatusCode,
    headers: Headers,
    body: Cow<'a, str>,
    is_base64: bool,
}

impl Reply<'_> {
    fn body(&self, payload: &Bytes, decodes: bool) -> Result<Bytes, IntegrationError> {
        if self.is_base64 && decodes {
            let decoded = STANDARD.decode(self.body.as_bytes());
            return decoded.map(Bytes::from).map_err(|_| {
                IntegrationError::Configuration("the function's body is no Base64".to_owned())
            });
        }
        Ok(match &self.body {
            Cow::Borrowed(text) => payload.slice_ref(text.as_bytes()),
            Cow::Owned(text) => Bytes::copy_from_slice(text.as_bytes()),
        })
    }
}

/// The reply's headers: the multi-value ones, then the single ones, whatever their order was.
#[derive(Default)]
struct Headers(HeaderMap);

impl<'de> de::Deserialize<'de> for Reply<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ReplyVisitor)
    }
}

struct ReplyVisitor;

impl<'de> Visitor<'de> for ReplyVisitor {
    type Value = Reply<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with statusCode, headers, multiValueHeaders, body, isBase64Encoded")
    }

    /// A name that stands twice counts as it stands last, as in Jackson (assumed).
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut reply = Reply::default();
        let (mut single, mut multi) = (Pairs::default(), Pairs::default());
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match key.0.as_ref() {
                "statusCode" => reply.status = map.next_value::<Status>()?.0,
                "headers" => single = map.next_value_seed(PairsSeed { lists: false })?,
                "multiValueHeaders" => multi = map.next_value_seed(PairsSeed { lists: true })?,
                "body" => {
                    reply.body = map.next_value::<Option<Text<'de>>>()?.unwrap_or_default().0;
                }
                "isBase64Encoded" => {
                    reply.is_base64 = map.next_value::<Option<bool>>()?.unwrap_or_default();
                }
                _ => return Err(de::Error::custom("a member that the format does not have")),
            }
        }
        reply.headers = Headers::of(multi, single).map_err(de::Error::custom)?;
        Ok(reply)
    }
}

/// A string that is borrowed where it holds no escape.
#[derive(Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de> de::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A status from 200 to 599, as a number or as a text of one; null is 200 (assumed), and so is none.
struct Status(StatusCode);

impl<'de> de::Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StatusVisitor;
        impl Visitor<'_> for StatusVisitor {
            type Value = Status;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status code from 200 to 599")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                u16::try_from(number)
                    .ok()
                    .filter(|number| (200..=599).contains(number))
                    .and_then(|number| StatusCode::from_u16(number).ok())
                    .map(Status)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                match text.parse() {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Other("a text"), &self)),
                }
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Status(StatusCode::OK))
            }
        }
        deserializer.deserialize_any(StatusVisitor)
    }
}

/// Names and values in their order, together no larger than AWS lets headers through. Counted as
/// they are read: a short payload can stand for any number of long ones.
#[derive(Default)]
struct Pairs<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    bytes: usize,
}

impl<'a> Pairs<'a> {
    fn push<E: de::Error>(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) -> Result<(), E> {
        // A name without a byte would not count, and HTTP has none.
        if name.is_empty() {
            return Err(E::custom("a header's name"));
        }
        self.bytes += name.len() + value.len();
        if self.bytes > HEADERS_BYTES_MAX {
            return Err(E::custom("headers larger than 10240 bytes"));
        }
        self.pairs.push((name, value));
        Ok(())
    }
}

/// Reads a map of headers, or null, which is none.
#[derive(Clone, Copy)]
struct PairsSeed {
    /// Whether each name has a list of values.
    lists: bool,
}

impl<'de> DeserializeSeed<'de> for PairsSeed {
    type Value = Pairs<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PairsSeed {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.lists { "headers with lists of values" } else { "headers" })
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Pairs::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Pairs::default();
        while let Some(Text(name)) = map.next_key()? {
            if self.lists {
                map.next_value_seed(List { name, pairs: &mut pairs })?;
            } else if let Some(Value(value)) = map.next_value()? {
                pairs.push(name, value)?;
            }
        }
        Ok(pairs)
    }
}

/// Reads the values of one name.
struct List<'p, 'de> {
    name: Cow<'de, str>,
    pairs: &'p mut Pairs<'de>,
}

impl<'de> DeserializeSeed<'de> for List<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while let Some(value) = values.next_element::<Option<Value<'de>>>()? {
            if let Some(Value(value)) = value {
                self.pairs.push(self.name.clone(), value)?;
            }
        }
        Ok(())
    }
}

/// A header's value: a string, or a number or truth value as its text. Null is left out (assumed).
struct Value<'a>(Cow<'a, str>);

impl<'de> de::Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a header's value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Value(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Value(Cow::Owned(text.to_owned())))
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
                Ok(Value(Cow::Borrowed(if truth { "true" } else { "false" })))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Value(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Value(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Value(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl Headers {
    /// Both maps in AWS's order. What HTTP does not take, or more than AWS lets through, makes the
    /// reply malformed (assumed).
    fn of(multi: Pairs<'_>, single: Pairs<'_>) -> Result<Self, &'static str> {
        if multi.bytes + single.bytes > HEADERS_BYTES_MAX {
            return Err("headers larger than 10240 bytes");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in multi.pairs.into_iter().chain(single.pairs) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a header's name")?;
            let value = HeaderValue::from_str(&value).map_err(|_| "a header's value")?;
            headers.append(name, value);
        }
        Ok(Self(headers))
    }
}

#[cfg(test)]
mod tests;
