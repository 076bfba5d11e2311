//! A declared input or output: `ValueInfoProto` and the `TypeProto` in it.

use super::error::{FormatError, Role, Unserved};
use super::limits::RANK_MAX;
use super::wire::{Span, Wire};
use crate::model::dtype::DType;
use crate::model::signature::{Dim, TensorSpec};
use std::io::{Read, Seek};

/// What a declaration keeps besides its text, for the account of kept bytes.
const KEPT_OVERHEAD_BYTES: usize = 128;

/// An input or output as declared, which need not be one that can be served: old models declare
/// their weights as inputs.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    kind: Kind,
}

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Untyped,
    Tensor {
        code: i32,
        shape: Option<Vec<Dim>>,
    },
    NotTensor(&'static str),
}

impl Declared {
    /// The declaration as part of a signature.
    pub(super) fn serve(self, role: Role) -> Result<TensorSpec, FormatError> {
        let why = match self.kind {
            Kind::Tensor { code, shape } => match DType::from_onnx(code) {
                Some(dtype) => return Ok(TensorSpec { name: self.name, dtype, shape }),
                None if code == 0 => Unserved::NoType,
                None => Unserved::Elements(unserved_elements(code)),
            },
            Kind::Untyped => Unserved::NoType,
            Kind::NotTensor(kind) => Unserved::NotTensor(kind),
        };
        Err(FormatError::Unserved { role, name: self.name, why })
    }
}

/// Reads the `ValueInfoProto` in `message`.
pub(super) fn read_value_info<R: Read + Seek>(
    wire: &mut Wire<R>,
    message: Span,
) -> Result<Declared, FormatError> {
    let mut declared = Declared { name: String::new(), kind: Kind::Untyped };
    let mut rest = message;
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => declared.name = wire.name(field.bytes()?)?,
            2 => declared.kind = read_type(wire, field.bytes()?)?,
            _ => {}
        }
    }
    if declared.name.is_empty() {
        return Err(FormatError::corrupted(message.at(), "an input or output without a name"));
    }
    wire.charge(declared.name.len() + KEPT_OVERHEAD_BYTES)?;
    Ok(declared)
}

fn read_type<R: Read + Seek>(wire: &mut Wire<R>, message: Span) -> Result<Kind, FormatError> {
    let (mut kind, mut rest) = (Kind::Untyped, message);
    while let Some(field) = wire.next(&mut rest)? {
        kind = match field.number {
            1 => read_tensor_type(wire, field.bytes()?)?,
            4 => Kind::NotTensor("a sequence"),
            5 => Kind::NotTensor("a map"),
            7 => Kind::NotTensor("opaque"),
            8 => Kind::NotTensor("a sparse tensor"),
            9 => Kind::NotTensor("optional"),
            _ => continue,
        };
    }
    Ok(kind)
}

fn read_tensor_type<R: Read + Seek>(
    wire: &mut Wire<R>,
    message: Span,
) -> Result<Kind, FormatError> {
    let (mut code, mut shape, mut rest) = (0, None, message);
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => code = i32::try_from(field.int64()?).unwrap_or(-1),
            2 => shape = Some(read_shape(wire, field.bytes()?)?),
            _ => {}
        }
    }
    Ok(Kind::Tensor { code, shape })
}

fn read_shape<R: Read + Seek>(wire: &mut Wire<R>, message: Span) -> Result<Vec<Dim>, FormatError> {
    let (mut dims, mut rest) = (Vec::new(), message);
    while let Some(field) = wire.next(&mut rest)? {
        if field.number != 1 {
            continue;
        }
        if dims.len() == RANK_MAX {
            return Err(FormatError::OverLimit {
                what: "number of dimensions",
                limit: RANK_MAX as u64,
            });
        }
        let dim = read_dim(wire, field.bytes()?)?;
        let text_bytes = if let Dim::Symbol(name) = &dim { name.len() } else { 0 };
        wire.charge(size_of::<Dim>() + text_bytes)?;
        dims.push(dim);
    }
    Ok(dims)
}

/// A negative number and an empty name say nothing, as ONNX Runtime reads them.
fn read_dim<R: Read + Seek>(wire: &mut Wire<R>, message: Span) -> Result<Dim, FormatError> {
    let (mut dim, mut rest) = (Dim::Unknown, message);
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => dim = usize::try_from(field.int64()?).map_or(Dim::Unknown, Dim::Fixed),
            2 => {
                let name = wire.name(field.bytes()?)?;
                dim = if name.is_empty() { Dim::Unknown } else { Dim::Symbol(name) };
            }
            _ => {}
        }
    }
    Ok(dim)
}

/// The name of an element type that no request format carries.
fn unserved_elements(code: i32) -> &'static str {
    match code {
        14 => "complex64",
        15 => "complex128",
        17 => "float8e4m3fn",
        18 => "float8e4m3fnuz",
        19 => "float8e5m2",
        20 => "float8e5m2fnuz",
        21 => "uint4",
        22 => "int4",
        23 => "float4e2m1",
        24 => "float8e8m0",
        25 => "uint2",
        26 => "int2",
        27 => "float6e2m3",
        28 => "float6e3m2",
        _ => "unknown",
    }
}
