//! Tensors across the border: gwtf's own into ONNX Runtime's without a copy, and back with one.

use super::message;
use crate::model::{DType, Data, Dim, Tensor, TensorSpec};
use ort::session::SessionInputValue;
use ort::value::{DynValue, Shape, TensorElementType, ValueType};

/// The element type under gwtf's name, or `None` for those that are not served.
pub(super) fn dtype_of(element: TensorElementType) -> Option<DType> {
    Some(match element {
        TensorElementType::Float16 => DType::Float16,
        TensorElementType::Bfloat16 => DType::BFloat16,
        TensorElementType::Float32 => DType::Float32,
        TensorElementType::Float64 => DType::Float64,
        TensorElementType::Int8 => DType::Int8,
        TensorElementType::Int16 => DType::Int16,
        TensorElementType::Int32 => DType::Int32,
        TensorElementType::Int64 => DType::Int64,
        TensorElementType::Uint8 => DType::UInt8,
        TensorElementType::Uint16 => DType::UInt16,
        TensorElementType::Uint32 => DType::UInt32,
        TensorElementType::Uint64 => DType::UInt64,
        TensorElementType::Bool => DType::Bool,
        TensorElementType::String => DType::String,
        _ => return None,
    })
}

/// The declared type of an input or output; `None` when it is no tensor of a served type.
pub(super) fn spec_of(name: &str, declared: &ValueType) -> Option<TensorSpec> {
    let ValueType::Tensor { ty, shape, dimension_symbols } = declared else { return None };
    let dims = shape.iter().zip(dimension_symbols.iter()).map(|(n, symbol)| {
        match (usize::try_from(*n), symbol.as_str()) {
            (Ok(n), _) => Dim::Fixed(n),
            (Err(_), "") => Dim::Unknown,
            (Err(_), symbol) => Dim::Symbol(symbol.to_owned()),
        }
    });
    // The API gives no dimensions both for a scalar and for a tensor without a declared rank, and
    // ONNX Runtime itself checks no rank in either case.
    let shape = (!shape.is_empty()).then(|| dims.collect());
    Some(TensorSpec { name: name.to_owned(), dtype: dtype_of(*ty)?, shape })
}

/// Moves a tensor into ONNX Runtime; its buffer is read in place, strings alone are copied.
///
/// # Errors
/// A string holds a NUL byte, or a dimension is beyond `i64`.
pub(super) fn into_value(tensor: Tensor) -> Result<SessionInputValue<'static>, String> {
    use ort::value::Tensor as Value;
    let (shape, data) = tensor.into_parts();
    let value = match data {
        Data::Float16(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::BFloat16(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::Float32(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::Float64(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::Int8(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::Int16(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::Int32(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::Int64(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::UInt8(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::UInt16(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::UInt32(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::UInt64(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::Bool(v) => Value::from_array((shape, v)).map(Value::into_dyn),
        Data::String(v) => Value::from_string_array((shape, v.as_slice())).map(Value::into_dyn),
    };
    value.map(SessionInputValue::from).map_err(|error| message::trim(error.message()))
}

/// Copies an output of a run out of ONNX Runtime.
///
/// # Errors
/// It is no tensor of a served type, or a string in it is not UTF-8.
pub(super) fn from_value(value: &DynValue) -> Result<Tensor, String> {
    let element = value.dtype().tensor_type();
    let Some(dtype) = element.and_then(dtype_of) else {
        return Err(format!("an output of type {} is not served", value.dtype()));
    };
    let extracted = match dtype {
        DType::Float16 => numbers(value, Data::Float16),
        DType::BFloat16 => numbers(value, Data::BFloat16),
        DType::Float32 => numbers(value, Data::Float32),
        DType::Float64 => numbers(value, Data::Float64),
        DType::Int8 => numbers(value, Data::Int8),
        DType::Int16 => numbers(value, Data::Int16),
        DType::Int32 => numbers(value, Data::Int32),
        DType::Int64 => numbers(value, Data::Int64),
        DType::UInt8 => numbers(value, Data::UInt8),
        DType::UInt16 => numbers(value, Data::UInt16),
        DType::UInt32 => numbers(value, Data::UInt32),
        DType::UInt64 => numbers(value, Data::UInt64),
        DType::Bool => numbers(value, Data::Bool),
        DType::String => strings(value),
    };
    let (shape, data) = extracted.map_err(|error| message::trim(error.message()))?;
    Tensor::new(shape, data).map_err(|error| error.to_string())
}

fn numbers<T: ort::value::PrimitiveTensorElementType + Clone>(
    value: &DynValue,
    wrap: impl FnOnce(Vec<T>) -> Data,
) -> Result<(Vec<usize>, Data), ort::Error> {
    let (shape, elements) = value.try_extract_tensor::<T>()?;
    Ok((dims(shape), wrap(elements.to_vec())))
}

fn strings(value: &DynValue) -> Result<(Vec<usize>, Data), ort::Error> {
    let (shape, elements) = value.try_extract_strings()?;
    Ok((dims(shape), Data::String(elements)))
}

fn dims(shape: &Shape) -> Vec<usize> {
    // A computed tensor has no negative dimension; one that had would not hold its elements, and
    // `Tensor::new` says so.
    shape.iter().map(|n| usize::try_from(*n).unwrap_or(0)).collect()
}
