//! A dense tensor in memory: the one value that payload parsers make and the runtime takes.
//!
//! Row-major, owned, typed per element type, so that parsing writes the very buffer that ONNX
//! Runtime reads.

use super::dtype::DType;
use half::{bf16, f16};

/// The elements of a tensor, one vector type per element type.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the type it names")]
pub enum Data {
    Float16(Vec<f16>),
    BFloat16(Vec<bf16>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    UInt8(Vec<u8>),
    UInt16(Vec<u16>),
    UInt32(Vec<u32>),
    UInt64(Vec<u64>),
    Bool(Vec<bool>),
    /// Strings; ONNX strings are byte strings, see [`Tensor`].
    String(Vec<String>),
}

/// Runs `$body` with `$v` bound to the typed vector inside a [`Data`].
#[macro_export]
macro_rules! with_data {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::model::tensor::Data::Float16($v) => $body,
            $crate::model::tensor::Data::BFloat16($v) => $body,
            $crate::model::tensor::Data::Float32($v) => $body,
            $crate::model::tensor::Data::Float64($v) => $body,
            $crate::model::tensor::Data::Int8($v) => $body,
            $crate::model::tensor::Data::Int16($v) => $body,
            $crate::model::tensor::Data::Int32($v) => $body,
            $crate::model::tensor::Data::Int64($v) => $body,
            $crate::model::tensor::Data::UInt8($v) => $body,
            $crate::model::tensor::Data::UInt16($v) => $body,
            $crate::model::tensor::Data::UInt32($v) => $body,
            $crate::model::tensor::Data::UInt64($v) => $body,
            $crate::model::tensor::Data::Bool($v) => $body,
            $crate::model::tensor::Data::String($v) => $body,
        }
    };
}

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        with_data!(self, v => v.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Float16(_) => DType::Float16,
            Self::BFloat16(_) => DType::BFloat16,
            Self::Float32(_) => DType::Float32,
            Self::Float64(_) => DType::Float64,
            Self::Int8(_) => DType::Int8,
            Self::Int16(_) => DType::Int16,
            Self::Int32(_) => DType::Int32,
            Self::Int64(_) => DType::Int64,
            Self::UInt8(_) => DType::UInt8,
            Self::UInt16(_) => DType::UInt16,
            Self::UInt32(_) => DType::UInt32,
            Self::UInt64(_) => DType::UInt64,
            Self::Bool(_) => DType::Bool,
            Self::String(_) => DType::String,
        }
    }
}

/// A dense row-major tensor. Invariant: the product of `shape` is the number of elements.
///
/// String tensors hold UTF-8, as `ort` does: a model's string input that is not UTF-8 is refused
/// by the payload parsers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

/// The shape does not hold the number of elements given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shape {shape:?} does not hold {elements} elements")]
pub struct ShapeError {
    /// The shape asked for.
    pub shape: Vec<usize>,
    /// The elements there are.
    pub elements: usize,
}

impl Tensor {
    /// A tensor of this shape.
    ///
    /// # Errors
    /// The product of `shape` (checked for overflow) differs from the number of elements.
    pub fn new(shape: Vec<usize>, data: Data) -> Result<Self, ShapeError> {
        let product = shape.iter().try_fold(1usize, |acc, dim| acc.checked_mul(*dim));
        if product == Some(data.len()) {
            Ok(Self { shape, data })
        } else {
            Err(ShapeError { shape, elements: data.len() })
        }
    }

    /// Dimensions, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// Shape and elements, for a consumer that takes the buffer over.
    pub fn into_parts(self) -> (Vec<usize>, Data) {
        (self.shape, self.data)
    }
}
