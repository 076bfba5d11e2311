//! `application/x-npy`: one numpy array as a request's body, one as the reply's.
//!
//! Facts: <https://numpy.org/devdocs/reference/generated/numpy.lib.format.html>, versions 1.0,
//! 2.0 and 3.0. Booleans, integers and floating point in either byte order; an array in Fortran
//! order is put into C order. Pickled objects, structured and string types are refused: nothing
//! of the header is evaluated.

use super::binary::{self, Order};
use super::error::Error;
use super::fault;
use super::nested;
use super::{NESTING_MAX, NPY_HEADER_BYTES_MAX, Reply, ReplyForm, Request};
use crate::model::{DType, Signature, Tensor, TensorSpec};
use crate::with_data;

/// The media type, request and reply.
pub(super) const MEDIA_TYPE: &str = "application/x-npy";

/// What every file starts with; the version follows.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// numpy aligns the data to this many bytes.
const ALIGNMENT_BYTES: usize = 64;

/// numpy's name of each type it has, without the byte order.
const TYPES: [(DType, &str); 12] = [
    (DType::Bool, "b1"),
    (DType::Int8, "i1"),
    (DType::Int16, "i2"),
    (DType::Int32, "i4"),
    (DType::Int64, "i8"),
    (DType::UInt8, "u1"),
    (DType::UInt16, "u2"),
    (DType::UInt32, "u4"),
    (DType::UInt64, "u8"),
    (DType::Float16, "f2"),
    (DType::Float32, "f4"),
    (DType::Float64, "f8"),
];

fn type_name(dtype: DType) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == dtype).map(|(_, name)| *name)
}

/// The request of an npy body: the tensor of the only input, replied as npy.
pub(super) fn request(body: &[u8], signature: &Signature) -> Result<Request, Error> {
    let [spec] = signature.inputs.as_slice() else {
        return Err(Error::NpyInputs { inputs: fault::inputs(signature) });
    };
    if signature.outputs.len() != 1 {
        return Err(Error::NpyOutputs { outputs: fault::outputs(signature) });
    }
    let (header, data) = split(body)?;
    let header = Header::read(header)?;
    let wrong_type = |expected: String| Error::DataType {
        input: spec.name.clone(),
        expected,
        given: format!("npy type `{}`", header.descr.chars().take(16).collect::<String>()),
    };
    let Some(name) = type_name(spec.dtype) else {
        return Err(wrong_type(format!("{}, which npy cannot hold (send JSON)", spec.dtype)));
    };
    let order = match header.descr.split_at_checked(1) {
        Some(("<" | "|", given)) if given == name => Order::Little,
        Some((">", given)) if given == name => Order::Big,
        _ => return Err(wrong_type(format!("{} (npy type `<{name}`)", spec.dtype))),
    };
    // In this order too: a 0 that comes first hides an overflow from whoever multiplies on.
    let product = header.shape.iter().try_fold(1usize, |acc, dim| acc.checked_mul(*dim));
    if product.is_none() {
        return Err(Error::Npy { what: "the shape holds more elements than can be counted" });
    }
    binary::check_backed(spec, &header.shape, body.len())?;
    let (name, tensor) = if header.fortran_order {
        let reversed = header.shape.iter().rev().copied().collect();
        // Checks the declaration against the shape as it will be, before the data is touched.
        nested::check_shape(spec, &header.shape, None)?;
        let unchecked = TensorSpec { shape: None, ..spec.clone() };
        let (name, tensor) = binary::read(&unchecked, reversed, data, order)?;
        (name, from_fortran_order(header.shape, tensor))
    } else {
        binary::read(spec, header.shape, data, order)?
    };
    Ok(Request { inputs: vec![(name, tensor)], outputs: Vec::new(), reply: ReplyForm::Npy })
}

/// Header text and data.
fn split(body: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let cut_off = || Error::Npy { what: "the header is cut off" };
    let rest = body
        .strip_prefix(MAGIC)
        .ok_or(Error::Npy { what: "the body does not start with npy's magic bytes" })?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(cut_off)?;
    let (length, rest) = match version {
        [1, _] => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(cut_off)?;
            (u32::from(u16::from_le_bytes(*length)), rest)
        }
        [2 | 3, _] => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
            (u32::from_le_bytes(*length), rest)
        }
        _ => return Err(Error::Npy { what: "the version is none of 1, 2 and 3" }),
    };
    if length as usize > NPY_HEADER_BYTES_MAX {
        return Err(Error::Npy { what: "the header is longer than 10,000 bytes" });
    }
    rest.split_at_checked(length as usize).ok_or_else(cut_off)
}

/// The header's dictionary.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }` in any order of keys.
    fn read(text: &[u8]) -> Result<Self, Error> {
        let text =
            str::from_utf8(text).map_err(|_| Error::Npy { what: "the header is no text" })?;
        let mut cursor = Cursor { rest: text };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        cursor.expect("{")?;
        while !cursor.take("}") {
            let key = cursor.quoted()?;
            cursor.expect(":")?;
            match key {
                "descr" => descr = Some(cursor.quoted()?.to_owned()),
                "fortran_order" => fortran_order = Some(cursor.flag()?),
                "shape" => shape = Some(cursor.tuple()?),
                _ => return Err(Error::Npy { what: "the header holds an unknown key" }),
            }
            if !cursor.take(",") {
                cursor.expect("}")?;
                break;
            }
        }
        if !cursor.rest.trim().is_empty() {
            return Err(Error::Npy { what: "text follows the header's dictionary" });
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => {
                Ok(Self { descr, fortran_order, shape })
            }
            _ => Err(Error::Npy { what: "the header lacks `descr`, `fortran_order` or `shape`" }),
        }
    }
}

/// The unread part of a header.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), Error> {
        if self.take(token) {
            return Ok(());
        }
        Err(Error::Npy { what: "the header is not a dictionary as numpy writes it" })
    }

    fn quoted(&mut self) -> Result<&'a str, Error> {
        let refuse = Error::Npy { what: "only plain types are taken, no structured ones" };
        let quote = if self.take("'") {
            '\''
        } else if self.take("\"") {
            '"'
        } else {
            return Err(refuse);
        };
        let (text, rest) = self.rest.split_once(quote).ok_or(refuse)?;
        self.rest = rest;
        Ok(text)
    }

    fn flag(&mut self) -> Result<bool, Error> {
        if self.take("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    /// `(2, 3)`, `(2,)` or `()`; Python 2 wrote `2L`.
    fn tuple(&mut self) -> Result<Vec<usize>, Error> {
        self.expect("(")?;
        let mut dims = Vec::new();
        while !self.take(")") {
            self.rest = self.rest.trim_start();
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = self.rest.split_at(digits);
            self.rest = rest;
            let dim = number.parse();
            dims.push(dim.map_err(|_| Error::Npy { what: "the shape is no tuple of numbers" })?);
            if dims.len() > NESTING_MAX {
                return Err(Error::Npy { what: "the shape has more than 32 dimensions" });
            }
            self.take("L");
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(dims)
    }
}

/// The tensor of this shape whose elements, first index fastest, are those of `reversed`.
fn from_fortran_order(shape: Vec<usize>, reversed: Tensor) -> Tensor {
    let (_, mut data) = reversed.into_parts();
    with_data!(&mut data, values => *values = transposed(&shape, values));
    Tensor::new(shape, data).expect("reordering keeps the number of elements")
}

fn transposed<T: Clone>(shape: &[usize], values: &[T]) -> Vec<T> {
    let steps: Vec<usize> = shape
        .iter()
        .scan(1, |step, dim| {
            let current = *step;
            *step *= dim;
            Some(current)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut source = 0;
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        ordered.push(values[source].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            source += steps[axis];
            if index[axis] < shape[axis] {
                break;
            }
            source -= steps[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}

/// The reply that holds this one output.
pub(super) fn render(outputs: &[(String, Tensor)]) -> Result<Reply, Error> {
    let [(name, tensor)] = outputs else {
        let names: Vec<String> = outputs.iter().map(|(name, _)| format!("`{name}`")).collect();
        return Err(Error::NpyOutputs { outputs: names.join(", ") });
    };
    let dtype = tensor.dtype();
    let Some(type_name) = type_name(dtype) else {
        return Err(Error::NpyOutput { output: name.clone(), what: format!("is {dtype}") });
    };
    let order = if dtype.size_bytes() == Some(1) { '|' } else { '<' };
    let dims: Vec<String> = tensor.shape().iter().map(|dim| format!("{dim},")).collect();
    let shape = match dims.as_slice() {
        [one] => one.clone(),
        many => many.join(" ").trim_end_matches(',').to_owned(),
    };
    let mut header =
        format!("{{'descr': '{order}{type_name}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version and length take 10 bytes; a line feed ends the header.
    let aligned = (10 + header.len() + 1).next_multiple_of(ALIGNMENT_BYTES);
    header.extend(std::iter::repeat_n(' ', aligned - 10 - header.len() - 1));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| {
        let what = format!("has {} dimensions", tensor.shape().len());
        Error::NpyOutput { output: name.clone(), what }
    })?;
    let mut body = Vec::with_capacity(aligned + binary::size_bytes(tensor.data()));
    body.extend_from_slice(MAGIC);
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(header.as_bytes());
    binary::write(&mut body, tensor.data());
    Ok(Reply { content_type: MEDIA_TYPE, inference_header_content_length: None, body })
}
