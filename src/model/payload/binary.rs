//! Elements as bytes without separators: the binary extension of the Open Inference Protocol
//! and the body of an npy file.
//!
//! Facts: <https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md>:
//! little-endian, row-major, no padding; BOOL is one byte, 0 or 1; an element of BYTES is a
//! 4-byte length and that many bytes (here UTF-8).
//!
//! # Invariants
//! Sizes are compared with the bytes at hand before anything is allocated.

use super::STRING_BYTES_MAX;
use super::error::Error;
use super::nested;
use crate::model::{DType, Data, Dim, Tensor, TensorSpec};
use half::{bf16, f16};

/// Bytes of a string's length.
const LENGTH_BYTES: usize = 4;

/// Byte order of multi-byte elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// Refuses a shape that the body cannot back: an open dimension larger than the body (only a
/// shape that holds a 0 can have one, and a model that sums over the 0 would then allocate what
/// nobody has sent).
pub(super) fn check_backed(
    spec: &TensorSpec,
    shape: &[usize],
    body_bytes: usize,
) -> Result<(), Error> {
    let declared = spec.shape.as_deref().unwrap_or_default();
    let fixed = |axis: usize| matches!(declared.get(axis), Some(Dim::Fixed(_)));
    let backed = |(axis, dim): (usize, &usize)| *dim <= body_bytes || fixed(axis);
    if shape.iter().enumerate().all(backed) {
        return Ok(());
    }
    Err(Error::Dimension { input: spec.name.clone(), shape: shape.to_vec() })
}

/// The input's tensor of this shape, from exactly these bytes.
pub(super) fn read(
    spec: &TensorSpec,
    shape: Vec<usize>,
    bytes: &[u8],
    order: Order,
) -> Result<(String, Tensor), Error> {
    nested::check_shape(spec, &shape, None)?;
    let count = shape.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    // A string takes its length's bytes at least.
    let size_bytes = spec.dtype.size_bytes().unwrap_or(LENGTH_BYTES);
    let expected = count.and_then(|count| count.checked_mul(size_bytes));
    let fits = match spec.dtype {
        DType::String => expected.is_some_and(|expected| expected <= bytes.len()),
        _ => expected == Some(bytes.len()),
    };
    if !fits {
        return Err(size_error(spec, &shape, expected, bytes.len()));
    }
    let data = elements(spec, bytes, count.unwrap_or_default(), order)?;
    nested::tensor(spec, shape, data)
}

fn size_error(
    spec: &TensorSpec,
    shape: &[usize],
    expected: Option<usize>,
    given_bytes: usize,
) -> Error {
    Error::BinarySize {
        input: spec.name.clone(),
        type_text: format!("{}{shape:?}", spec.dtype),
        expected_bytes: expected.map_or(u64::MAX, |bytes| bytes as u64),
        given_bytes: given_bytes as u64,
    }
}

/// Reads each chunk of the type's size by its byte order.
macro_rules! chunks {
    ($bytes:expr, $order:expr, $type:ty) => {{
        let (chunks, _) = $bytes.as_chunks::<{ size_of::<$type>() }>();
        match $order {
            Order::Little => chunks.iter().map(|chunk| <$type>::from_le_bytes(*chunk)).collect(),
            Order::Big => chunks.iter().map(|chunk| <$type>::from_be_bytes(*chunk)).collect(),
        }
    }};
}

/// `count` elements from bytes that were compared with it.
fn elements(spec: &TensorSpec, bytes: &[u8], count: usize, order: Order) -> Result<Data, Error> {
    Ok(match spec.dtype {
        DType::Float16 => Data::Float16(chunks!(bytes, order, f16)),
        DType::BFloat16 => Data::BFloat16(chunks!(bytes, order, bf16)),
        DType::Float32 => Data::Float32(chunks!(bytes, order, f32)),
        DType::Float64 => Data::Float64(chunks!(bytes, order, f64)),
        DType::Int8 => Data::Int8(chunks!(bytes, order, i8)),
        DType::Int16 => Data::Int16(chunks!(bytes, order, i16)),
        DType::Int32 => Data::Int32(chunks!(bytes, order, i32)),
        DType::Int64 => Data::Int64(chunks!(bytes, order, i64)),
        DType::UInt8 => Data::UInt8(bytes.to_vec()),
        DType::UInt16 => Data::UInt16(chunks!(bytes, order, u16)),
        DType::UInt32 => Data::UInt32(chunks!(bytes, order, u32)),
        DType::UInt64 => Data::UInt64(chunks!(bytes, order, u64)),
        DType::Bool => {
            if let Some(element) = bytes.iter().position(|byte| *byte > 1) {
                let what = "a byte other than 0 and 1";
                return Err(Error::BinaryElement { input: spec.name.clone(), element, what });
            }
            Data::Bool(bytes.iter().map(|byte| *byte == 1).collect())
        }
        DType::String => Data::String(strings(spec, bytes, count)?),
    })
}

fn strings(spec: &TensorSpec, bytes: &[u8], count: usize) -> Result<Vec<String>, Error> {
    let refuse =
        |element, what| Err(Error::BinaryElement { input: spec.name.clone(), element, what });
    let mut strings = Vec::with_capacity(count);
    let mut rest = bytes;
    for element in 0..count {
        let Some((length, tail)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return refuse(element, "cut off before its length");
        };
        let length = u32::from_le_bytes(*length) as usize;
        if length > tail.len() {
            return refuse(element, "longer than the bytes that are left");
        }
        if length > STRING_BYTES_MAX {
            return refuse(element, "longer than 16 MiB");
        }
        let (text, tail) = tail.split_at(length);
        let Ok(text) = str::from_utf8(text) else {
            return refuse(element, "not UTF-8, and strings are UTF-8 here");
        };
        strings.push(text.to_owned());
        rest = tail;
    }
    if !rest.is_empty() {
        let given_bytes = bytes.len();
        return Err(size_error(spec, &[count], Some(given_bytes - rest.len()), given_bytes));
    }
    Ok(strings)
}

/// Whether [`write()`] can write these elements.
pub(super) fn holds(data: &Data) -> bool {
    match data {
        Data::String(values) => values.iter().all(|value| u32::try_from(value.len()).is_ok()),
        _ => true,
    }
}

/// Appends the elements in little-endian order; strings with their lengths.
pub(super) fn write(body: &mut Vec<u8>, data: &Data) {
    macro_rules! put {
        ($values:expr) => {
            body.extend($values.iter().flat_map(|value| value.to_le_bytes()))
        };
    }
    match data {
        Data::Float16(values) => put!(values),
        Data::BFloat16(values) => put!(values),
        Data::Float32(values) => put!(values),
        Data::Float64(values) => put!(values),
        Data::Int8(values) => put!(values),
        Data::Int16(values) => put!(values),
        Data::Int32(values) => put!(values),
        Data::Int64(values) => put!(values),
        Data::UInt8(values) => body.extend_from_slice(values),
        Data::UInt16(values) => put!(values),
        Data::UInt32(values) => put!(values),
        Data::UInt64(values) => put!(values),
        Data::Bool(values) => body.extend(values.iter().map(|value| u8::from(*value))),
        Data::String(values) => {
            for value in values {
                let length = u32::try_from(value.len()).expect("the caller has asked `holds`");
                body.extend_from_slice(&length.to_le_bytes());
                body.extend_from_slice(value.as_bytes());
            }
        }
    }
}

/// Bytes that [`write()`] appends.
pub(super) fn size_bytes(data: &Data) -> usize {
    match data {
        Data::String(values) => values.iter().map(|value| LENGTH_BYTES + value.len()).sum(),
        sized => sized.len() * sized.dtype().size_bytes().unwrap_or_default(),
    }
}
