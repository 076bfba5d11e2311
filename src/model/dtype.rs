//! Element types that ONNX Runtime's CPU provider takes, under each protocol's name for them.
//!
//! ONNX codes: `TensorProto.DataType` of onnx.proto; Open Inference names: the protocol's "Tensor
//! Data Types" table; TensorFlow names: `DataType` of types.proto.

use std::fmt;

/// The element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the type it names")]
pub enum DType {
    Float16,
    BFloat16,
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Bool,
    String,
}

use DType::{
    BFloat16, Bool, Float16, Float32, Float64, Int8, Int16, Int32, Int64, String as Str, UInt8,
    UInt16, UInt32, UInt64,
};

/// Type, ONNX code, ONNX name, Open Inference name, TensorFlow name, bytes an element.
type Row = (DType, i32, &'static str, &'static str, &'static str, Option<usize>);

const TABLE: [Row; 14] = [
    (Float16, 10, "float16", "FP16", "DT_HALF", Some(2)),
    (BFloat16, 16, "bfloat16", "BF16", "DT_BFLOAT16", Some(2)),
    (Float32, 1, "float32", "FP32", "DT_FLOAT", Some(4)),
    (Float64, 11, "float64", "FP64", "DT_DOUBLE", Some(8)),
    (Int8, 3, "int8", "INT8", "DT_INT8", Some(1)),
    (Int16, 5, "int16", "INT16", "DT_INT16", Some(2)),
    (Int32, 6, "int32", "INT32", "DT_INT32", Some(4)),
    (Int64, 7, "int64", "INT64", "DT_INT64", Some(8)),
    (UInt8, 2, "uint8", "UINT8", "DT_UINT8", Some(1)),
    (UInt16, 4, "uint16", "UINT16", "DT_UINT16", Some(2)),
    (UInt32, 12, "uint32", "UINT32", "DT_UINT32", Some(4)),
    (UInt64, 13, "uint64", "UINT64", "DT_UINT64", Some(8)),
    (Bool, 9, "bool", "BOOL", "DT_BOOL", Some(1)),
    (Str, 8, "string", "BYTES", "DT_STRING", None),
];

impl DType {
    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.0 == self).expect("the table has a row for every type")
    }

    /// All types, in the table's order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The type with this `TensorProto.DataType` code.
    pub fn from_onnx(code: i32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    /// The type with this name in gwtf's own documents (`float32`, `string`, …).
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == name).map(|row| row.0)
    }

    /// The type with this Open Inference Protocol name (`FP32`, `BYTES`, …).
    pub fn from_open_inference(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.3 == name).map(|row| row.0)
    }

    /// gwtf's own name, as numpy writes it.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// The Open Inference Protocol's name.
    pub fn open_inference(self) -> &'static str {
        self.row().3
    }

    /// TensorFlow's name.
    pub fn tensorflow(self) -> &'static str {
        self.row().4
    }

    /// Bytes one element takes; `None` for strings.
    pub fn size_bytes(self) -> Option<usize> {
        self.row().5
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_type() {
        for dtype in DType::all() {
            assert_eq!(DType::from_name(dtype.name()), Some(dtype));
            assert_eq!(DType::from_open_inference(dtype.open_inference()), Some(dtype));
            assert_eq!(DType::from_onnx(dtype.row().1), Some(dtype));
        }
        assert_eq!(DType::from_onnx(0), None);
        assert_eq!(DType::from_onnx(14), None, "complex64 is not served");
    }
}
