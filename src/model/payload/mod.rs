//! Request and reply formats: pure functions from bytes and a signature to tensors and back.
//!
//! | protocol | request | reply |
//! |---|---|---|
//! | TensorFlow Serving, row | `{"instances": [value or {"name": value}, …]}` | `{"predictions": […]}` |
//! | TensorFlow Serving, column | `{"inputs": value or {"name": value}}` | `{"outputs": …}` |
//! | Open Inference | `{"inputs": [{"name", "shape", "datatype", "data"}, …]}`, or binary | `{"outputs": […]}`, or binary |
//! | npy | one array | one array |
//!
//! [`Protocol::Auto`] tells them apart: npy by content type or first bytes; the Open Inference
//! Protocol by the header `Inference-Header-Content-Length` or by `inputs` being a list of
//! objects; otherwise by the key `instances` or `inputs`. The order of keys never matters.
//!
//! # Values in JSON
//! * Floating point: any JSON number, rounded to the nearest value of the type. What is not finite
//!   is taken as the strings `"NaN"`, `"Infinity"`, `"-Infinity"` (valid JSON, which is all that a
//!   gateway that checks bodies lets pass) or as the bare tokens (TensorFlow Serving's and Python's
//!   form), and given as bare tokens. A finite literal beyond the type's range is refused. float16
//!   and bfloat16 are taken and given as numbers like the others.
//! * Integers: a number without fraction or exponent (`1.0` is refused, as TensorFlow Serving
//!   does: it is mostly a sign of the wrong type) within the type's range.
//! * Booleans: `true` and `false`.
//! * Strings: JSON strings, or `{"b64": "…"}` whose bytes are UTF-8. A string output whose name
//!   ends in `_bytes` is given as `{"b64": …}` in TensorFlow Serving's forms.
//!
//! # Invariants
//! Numbers go from the body into the tensor's own buffer; there is no tree of values. Sizes that
//! a request declares are compared with the bytes it sends before anything is allocated, and
//! depth, strings, ids and headers have the limits below. The number of inputs and outputs is
//! bounded by the signature: an unknown or repeated name ends the parse. No input panics.

mod binary;
mod document;
mod element;
mod error;
mod fault;
pub mod metadata;
mod nested;
mod npy;
mod number;
mod open_inference;
mod reply;
mod scan;
mod tensorflow;

pub use error::{Error, Place};

use super::{Signature, Tensor};

/// Lists and objects that may lie inside each other, and dimensions of a tensor.
pub const NESTING_MAX: usize = 32;

/// Bytes of one string element, decoded.
pub const STRING_BYTES_MAX: usize = 16 << 20;

/// Bytes of an Open Inference request's `id`, which the reply repeats.
pub const ID_BYTES_MAX: usize = 1024;

/// Bytes of an npy header; numpy's own limit.
pub const NPY_HEADER_BYTES_MAX: usize = 10_000;

/// Which protocol a route speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The request's own form says it (`/predict`).
    Auto,
    /// TensorFlow Serving's REST API.
    Tensorflow,
    /// The Open Inference Protocol.
    OpenInference,
}

/// The headers that a request's form depends on.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestHead<'a> {
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Inference-Header-Content-Length`: bytes of JSON before binary data.
    pub inference_header_content_length: Option<&'a str>,
}

/// A parsed request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Every input of the signature once, in the request's or the signature's order.
    pub inputs: Vec<(String, Tensor)>,
    /// Outputs asked for, in this order; empty means all.
    pub outputs: Vec<String>,
    /// How to reply.
    pub reply: ReplyForm,
}

/// What [`render`] needs to know of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyForm {
    /// TensorFlow Serving's `predictions`, one item a row.
    TensorflowRow,
    /// TensorFlow Serving's `outputs`.
    TensorflowColumn,
    /// The Open Inference Protocol.
    OpenInference {
        /// The request's `id`, to be repeated.
        id: Option<String>,
        /// The outputs asked for; empty means all.
        outputs: Vec<OutputForm>,
        /// Whether outputs not listed go in binary.
        binary: bool,
    },
    /// One numpy array.
    Npy,
}

/// An output asked for by an Open Inference request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputForm {
    /// Its name.
    pub name: String,
    /// Whether it goes in binary after the JSON.
    pub binary: bool,
}

/// The model as a reply names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelName<'a> {
    /// The endpoint's name.
    pub name: &'a str,
    /// The version, empty if it has none.
    pub version: &'a str,
}

/// A reply's body with the headers that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Inference-Header-Content-Length`, when binary data follows the JSON.
    pub inference_header_content_length: Option<usize>,
    /// The body.
    pub body: Vec<u8>,
}

/// The tensors of a request, checked against the signature: every input once, element type,
/// rank and fixed dimensions.
///
/// # Errors
/// The body is of no form that the route takes, or its tensors are not those of the signature;
/// [`Error::status`] says how to answer.
pub fn parse(
    protocol: Protocol,
    head: &RequestHead<'_>,
    body: &[u8],
    signature: &Signature,
) -> Result<Request, Error> {
    if is_npy(protocol, head, body)? {
        return npy::request(body, signature);
    }
    let header = head.inference_header_content_length.filter(|_| protocol != Protocol::Tensorflow);
    match header {
        None => document::request(protocol, body, &[], signature),
        Some(given) => {
            let length = given.trim().parse().ok().filter(|length| *length <= body.len());
            match length {
                None => {
                    let given = given.chars().take(32).collect();
                    Err(Error::HeaderLength { given, body_bytes: body.len() })
                }
                Some(0) => open_inference::raw(body, signature),
                Some(length) => {
                    let (json, binary) = body.split_at(length);
                    document::request(Protocol::OpenInference, json, binary, signature)
                }
            }
        }
    }
}

/// A request body with these inputs in TensorFlow Serving's format: rows when every tensor of the
/// signature has an open outermost dimension, columns otherwise. Every route but the Open Inference
/// ones takes it, as `application/json`.
///
/// # Errors
/// The inputs disagree on the number of rows.
pub fn render_request(
    inputs: &[(String, Tensor)],
    signature: &Signature,
) -> Result<Vec<u8>, Error> {
    if signature.is_batched() {
        reply::rows("instances", inputs)
    } else {
        Ok(reply::columns("inputs", inputs))
    }
}

/// Whether the body is npy; refuses content types that are nobody's here.
///
/// As in TensorFlow Serving and Triton a body is JSON whatever a client's default content type
/// says (`curl -d` sends `application/x-www-form-urlencoded`); types that cannot be JSON are
/// refused, so that the client hears of it before its bytes are called broken JSON.
fn is_npy(protocol: Protocol, head: &RequestHead<'_>, body: &[u8]) -> Result<bool, Error> {
    const JSON: [&str; 6] = [
        "",
        "application/json",
        "text/json",
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
    ];
    let given = head.content_type.unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    let is = |known: &str| media_type.eq_ignore_ascii_case(known);
    let npy = is(npy::MEDIA_TYPE) || body.starts_with(npy::MAGIC);
    if npy && protocol == Protocol::Auto {
        return Ok(true);
    }
    let suffix = media_type.len().checked_sub("+json".len());
    let json = JSON.iter().any(|known| is(known))
        || suffix
            .and_then(|at| media_type.get(at..))
            .is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"));
    if json && !npy {
        return Ok(false);
    }
    let taken = match protocol {
        Protocol::Auto => "application/json, application/octet-stream or application/x-npy",
        Protocol::Tensorflow => "application/json",
        Protocol::OpenInference => "application/json or application/octet-stream",
    };
    let given = if json { npy::MEDIA_TYPE.to_owned() } else { given.chars().take(64).collect() };
    Err(Error::MediaType { given, taken })
}

/// The reply of this form with the model's outputs; those that the form does not ask for are
/// left out.
///
/// # Errors
/// The form cannot hold these outputs, or one that it asks for is not among them.
pub fn render(
    form: &ReplyForm,
    model: ModelName<'_>,
    outputs: &[(String, Tensor)],
) -> Result<Reply, Error> {
    reply::render(form, model, outputs)
}

/// The body of an error: `{ "error": "…" }` as TensorFlow Serving spaces it, else
/// `{"error":"…"}`.
pub fn render_error(protocol: Protocol, message: &str) -> Reply {
    let (open, close): (&[u8], &[u8]) = match protocol {
        Protocol::Tensorflow => (b"{ \"error\": ", b" }"),
        Protocol::Auto | Protocol::OpenInference => (b"{\"error\":", b"}"),
    };
    let mut body = Vec::with_capacity(message.len() + 16);
    body.extend_from_slice(open);
    reply::text(&mut body, message);
    body.extend_from_slice(close);
    reply::json(body)
}
