//! Replies: outputs as JSON or binary, in the form that the request asked for.
//!
//! JSON is written without white space. Floating point is the shortest text that reads back as
//! the same value of its type, with `.0` on whole numbers as TensorFlow Serving writes them;
//! `NaN`, `Infinity` and `-Infinity` stand bare.

use super::error::Error;
use super::{ModelName, OutputForm, Reply, ReplyForm, binary, npy};
use crate::model::{Data, Tensor};
use crate::with_data;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use half::{bf16, f16};

/// String outputs whose name ends so hold bytes and are written in base64 (TensorFlow Serving's
/// rule, "Output of binary values").
const BYTES_SUFFIX: &str = "_bytes";

/// Text that one element roughly takes, for the first allocation.
const ELEMENT_BYTES: usize = 12;

/// Room for names and punctuation, for the first allocation.
const FRAME_BYTES: usize = 128;

/// The reply of this form.
pub(super) fn render(
    form: &ReplyForm,
    model: ModelName<'_>,
    outputs: &[(String, Tensor)],
) -> Result<Reply, Error> {
    match form {
        ReplyForm::TensorflowRow => rows(outputs).map(json),
        ReplyForm::TensorflowColumn => Ok(json(columns(outputs))),
        ReplyForm::OpenInference { id, outputs: forms, binary } => {
            open_inference(id.as_deref(), forms, *binary, model, outputs)
        }
        ReplyForm::Npy => npy::render(outputs),
    }
}

/// A reply whose whole body is JSON.
pub(super) fn json(body: Vec<u8>) -> Reply {
    Reply { content_type: "application/json", inference_header_content_length: None, body }
}

fn buffer(outputs: &[(String, Tensor)]) -> Vec<u8> {
    let elements: usize = outputs.iter().map(|(_, tensor)| tensor.data().len()).sum();
    Vec::with_capacity(FRAME_BYTES + elements.saturating_mul(ELEMENT_BYTES))
}

/// `{"predictions": …}`: a list with one item a row, an object each when there are several
/// outputs. All outputs must agree on the number of rows.
fn rows(outputs: &[(String, Tensor)]) -> Result<Vec<u8>, Error> {
    let mut rows = None;
    for (name, tensor) in outputs {
        let first = tensor.shape().first().copied();
        match (first, rows) {
            (Some(1..), None) => rows = first,
            (Some(found), Some(expected)) if found == expected => {}
            _ => {
                let rows = rows.map_or("rows".to_owned(), |rows| {
                    format!("{rows} rows like the outputs before it")
                });
                let (output, shape) = (name.clone(), tensor.shape().to_vec());
                return Err(Error::Rows { output, shape, rows });
            }
        }
    }
    let mut body = buffer(outputs);
    body.extend_from_slice(b"{\"predictions\":[");
    for row in 0..rows.unwrap_or_default() {
        if row > 0 {
            body.push(b',');
        }
        named(&mut body, outputs, |body, name, tensor| {
            let shape = &tensor.shape()[1..];
            let length: usize = shape.iter().product();
            let range = row * length..(row + 1) * length;
            value(body, name, shape, tensor.data(), range);
        });
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

/// `{"outputs": …}`: the tensor, or an object of them when there are several.
fn columns(outputs: &[(String, Tensor)]) -> Vec<u8> {
    let mut body = buffer(outputs);
    body.extend_from_slice(b"{\"outputs\":");
    named(&mut body, outputs, |body, name, tensor| {
        value(body, name, tensor.shape(), tensor.data(), 0..tensor.data().len());
    });
    body.push(b'}');
    body
}

/// The only output bare, several as an object.
fn named(
    body: &mut Vec<u8>,
    outputs: &[(String, Tensor)],
    write: impl Fn(&mut Vec<u8>, &str, &Tensor),
) {
    if let [(name, tensor)] = outputs {
        return write(body, name, tensor);
    }
    body.push(b'{');
    for (index, (name, tensor)) in outputs.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        text(body, name);
        body.push(b':');
        write(body, name, tensor);
    }
    body.push(b'}');
}

/// Part of a tensor as nested lists of this shape.
fn value(
    body: &mut Vec<u8>,
    name: &str,
    shape: &[usize],
    data: &Data,
    range: std::ops::Range<usize>,
) {
    match data {
        Data::String(values) if name.ends_with(BYTES_SUFFIX) => {
            let values: Vec<Base64<'_>> = values[range].iter().map(|v| Base64(v)).collect();
            nested(body, shape, &values);
        }
        data => with_data!(data, values => nested(body, shape, &values[range])),
    }
}

/// The reply of the Open Inference Protocol: JSON, then the bytes of binary outputs in order.
fn open_inference(
    id: Option<&str>,
    forms: &[OutputForm],
    binary_default: bool,
    model: ModelName<'_>,
    outputs: &[(String, Tensor)],
) -> Result<Reply, Error> {
    let replied: Vec<(&(String, Tensor), bool)> = if forms.is_empty() {
        outputs.iter().map(|output| (output, binary_default)).collect()
    } else {
        let find = |form: &OutputForm| match outputs.iter().find(|(name, _)| *name == form.name) {
            Some(output) => Ok((output, form.binary)),
            None => Err(Error::NotComputed { name: form.name.clone() }),
        };
        forms.iter().map(find).collect::<Result<_, _>>()?
    };
    let mut body = buffer(outputs);
    body.extend_from_slice(b"{\"model_name\":");
    text(&mut body, model.name);
    if !model.version.is_empty() {
        body.extend_from_slice(b",\"model_version\":");
        text(&mut body, model.version);
    }
    if let Some(id) = id {
        body.extend_from_slice(b",\"id\":");
        text(&mut body, id);
    }
    body.extend_from_slice(b",\"outputs\":[");
    for (index, ((name, tensor), binary)) in replied.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        described(&mut body, name, tensor);
        if *binary {
            body.extend_from_slice(b",\"parameters\":{\"binary_data_size\":");
            binary::size_bytes(tensor.data()).write(&mut body);
            body.extend_from_slice(b"}}");
        } else {
            body.extend_from_slice(b",\"data\":");
            with_data!(tensor.data(), values => flat(&mut body, values));
            body.push(b'}');
        }
    }
    body.extend_from_slice(b"]}");
    if !replied.iter().any(|(_, binary)| *binary) {
        return Ok(json(body));
    }
    let header_bytes = body.len();
    for ((_, tensor), _) in replied.iter().filter(|(_, binary)| *binary) {
        binary::write(&mut body, tensor.data());
    }
    Ok(Reply {
        content_type: "application/octet-stream",
        inference_header_content_length: Some(header_bytes),
        body,
    })
}

/// `{"name":…,"shape":…,"datatype":…`, left open.
fn described(body: &mut Vec<u8>, name: &str, tensor: &Tensor) {
    body.extend_from_slice(b"{\"name\":");
    text(body, name);
    body.extend_from_slice(b",\"shape\":");
    flat(body, tensor.shape());
    body.extend_from_slice(b",\"datatype\":\"");
    body.extend_from_slice(tensor.dtype().open_inference().as_bytes());
    body.push(b'"');
}

/// Values as nested lists. The shape's product is the number of values.
fn nested<T: Json>(body: &mut Vec<u8>, shape: &[usize], values: &[T]) {
    match shape {
        [] => values.iter().for_each(|value| value.write(body)),
        [_] => flat(body, values),
        [items, rest @ ..] => {
            let length = values.len().checked_div(*items).unwrap_or_default();
            body.push(b'[');
            for item in 0..*items {
                if item > 0 {
                    body.push(b',');
                }
                nested(body, rest, &values[item * length..(item + 1) * length]);
            }
            body.push(b']');
        }
    }
}

fn flat<T: Json>(body: &mut Vec<u8>, values: &[T]) {
    body.push(b'[');
    let mut values = values.iter();
    if let Some(first) = values.next() {
        first.write(body);
        for value in values {
            body.push(b',');
            value.write(body);
        }
    }
    body.push(b']');
}

/// Appends a JSON string.
pub(super) fn text(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("a string is written to memory");
}

/// A value that JSON, with the three bare tokens, can hold.
trait Json {
    fn write(&self, body: &mut Vec<u8>);
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Json for $type {
            fn write(&self, body: &mut Vec<u8>) {
                body.extend_from_slice(itoa::Buffer::new().format(*self).as_bytes());
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

macro_rules! floats {
    ($($type:ty),*) => {$(
        impl Json for $type {
            fn write(&self, body: &mut Vec<u8>) {
                if self.is_finite() {
                    body.extend_from_slice(zmij::Buffer::new().format_finite(*self).as_bytes());
                } else if self.is_nan() {
                    body.extend_from_slice(b"NaN");
                } else if *self > 0.0 {
                    body.extend_from_slice(b"Infinity");
                } else {
                    body.extend_from_slice(b"-Infinity");
                }
            }
        }
    )*};
}
floats!(f32, f64);

impl Json for f16 {
    fn write(&self, body: &mut Vec<u8>) {
        self.to_f32().write(body);
    }
}

impl Json for bf16 {
    fn write(&self, body: &mut Vec<u8>) {
        self.to_f32().write(body);
    }
}

impl Json for bool {
    fn write(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

impl Json for String {
    fn write(&self, body: &mut Vec<u8>) {
        text(body, self);
    }
}

/// A string written as `{"b64": …}`.
struct Base64<'a>(&'a str);

impl Json for Base64<'_> {
    fn write(&self, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"b64\":\"");
        body.extend_from_slice(STANDARD.encode(self.0).as_bytes());
        body.extend_from_slice(b"\"}");
    }
}
