//! A `TensorProto` without its elements: how many there are, how many bytes they take, and where
//! they lie when not in the file.

use super::error::FormatError;
use super::limits::{EXTERNAL_ENTRIES_MAX, RANK_MAX};
use super::wire::{Field, Span, Wire};
use std::io::{Read, Seek};
use std::path::{Component, Path};

/// The `TensorProto.DataType` code of strings, whose size no shape tells.
const STRING_CODE: i32 = 8;
/// `TensorProto.DataLocation`'s code for external data.
const EXTERNAL_LOCATION: u64 = 1;

/// A tensor whose bytes lie in another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalTensor {
    /// The tensor's name.
    pub tensor: String,
    /// The other file, relative to the model's folder, which it does not leave.
    pub location: String,
    /// Where the bytes start in it.
    pub offset_bytes: u64,
    /// How many they are.
    pub length_bytes: u64,
}

/// What one tensor adds to the model.
#[derive(Debug, Default)]
pub(super) struct TensorFacts {
    pub(super) name: String,
    pub(super) elements: u64,
    pub(super) bytes: u64,
    pub(super) external: Option<ExternalTensor>,
}

/// The message's fields as far as they matter.
#[derive(Default)]
struct Parts {
    name: String,
    code: i32,
    rank: usize,
    elements: u64,
    raw_bytes: Option<u64>,
    string_bytes: u64,
    /// Elements in typed fields, at most: packed varints take at least a byte each.
    typed_elements_max: u64,
    is_external: bool,
    entries: Vec<(String, String)>,
}

/// Reads the tensor in `message`.
pub(super) fn read_tensor<R: Read + Seek>(
    wire: &mut Wire<R>,
    message: Span,
) -> Result<TensorFacts, FormatError> {
    let mut parts = Parts { elements: 1, ..Parts::default() };
    let mut rest = message;
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => read_dims(wire, &field, &mut parts, message)?,
            // An int32 is a varint of its 64-bit extension; codes are small.
            2 => parts.code = i32::try_from(field.int64()?).unwrap_or(0),
            // float_data, int32_data, int64_data, double_data, uint64_data
            4 | 5 | 7 | 10 | 11 => parts.typed_elements_max += field.numbers_max(),
            6 => {
                parts.typed_elements_max += 1;
                parts.string_bytes += field.bytes()?.len();
            }
            8 => parts.name = wire.name(field.bytes()?)?,
            9 => parts.raw_bytes = Some(field.bytes()?.len()),
            13 => read_entry(wire, field.bytes()?, &mut parts.entries)?,
            14 => parts.is_external = field.varint()? == EXTERNAL_LOCATION,
            _ => {}
        }
    }
    weigh(parts, message)
}

/// Holds the bytes there are to the bytes that the shape needs.
fn weigh(parts: Parts, message: Span) -> Result<TensorFacts, FormatError> {
    let needed_bytes = match bits_per_element(parts.code) {
        None => None,
        Some(bits) => {
            let bits = parts.elements.checked_mul(bits);
            Some(bits.ok_or_else(|| overflow(message))?.div_ceil(8))
        }
    };
    let refuse = |holds: u64, needs: u64| {
        let name = &parts.name;
        FormatError::corrupted(
            message.at(),
            format!("tensor `{name}` holds {holds} bytes, its shape needs {needs}"),
        )
    };
    if parts.is_external {
        let external = locate(&parts, needed_bytes, message)?;
        if let Some(needs) = needed_bytes.filter(|needs| *needs != external.length_bytes) {
            return Err(refuse(external.length_bytes, needs));
        }
        return Ok(TensorFacts {
            name: parts.name,
            elements: parts.elements,
            bytes: external.length_bytes,
            external: Some(external),
        });
    }
    let bytes = match (parts.raw_bytes, needed_bytes) {
        (Some(raw), Some(needs)) if raw != needs => return Err(refuse(raw, needs)),
        (Some(raw), _) => raw,
        (None, needs) => {
            // Elements of two bits lie four to a number, no type has more.
            if parts.elements.div_ceil(4) > parts.typed_elements_max {
                let what = format!("tensor `{}` has fewer elements than its shape", parts.name);
                return Err(FormatError::corrupted(message.at(), what));
            }
            if parts.code == STRING_CODE { parts.string_bytes } else { needs.unwrap_or(0) }
        }
    };
    Ok(TensorFacts { name: parts.name, elements: parts.elements, bytes, external: None })
}

fn read_dims<R: Read + Seek>(
    wire: &mut Wire<R>,
    field: &Field,
    parts: &mut Parts,
    message: Span,
) -> Result<(), FormatError> {
    let mut add = |dim: u64| {
        parts.rank += 1;
        if parts.rank > RANK_MAX {
            return Err(FormatError::OverLimit {
                what: "number of dimensions",
                limit: RANK_MAX as u64,
            });
        }
        let dim = u64::try_from(dim.cast_signed()).map_err(|_| {
            FormatError::corrupted(message.at(), "a tensor with a negative dimension")
        })?;
        parts.elements = parts.elements.checked_mul(dim).ok_or_else(|| overflow(message))?;
        Ok(())
    };
    match field.packed()? {
        Err(dim) => add(dim),
        Ok(mut packed) => {
            while let Some(dim) = wire.next_packed(&mut packed)? {
                add(dim)?;
            }
            Ok(())
        }
    }
}

/// Reads one `StringStringEntryProto` of `external_data`.
fn read_entry<R: Read + Seek>(
    wire: &mut Wire<R>,
    message: Span,
    entries: &mut Vec<(String, String)>,
) -> Result<(), FormatError> {
    if entries.len() == EXTERNAL_ENTRIES_MAX {
        return Err(FormatError::OverLimit {
            what: "number of external data entries",
            limit: EXTERNAL_ENTRIES_MAX as u64,
        });
    }
    let (mut key, mut value, mut rest) = (String::new(), String::new(), message);
    while let Some(field) = wire.next(&mut rest)? {
        match field.number {
            1 => key = wire.name(field.bytes()?)?,
            2 => value = wire.name(field.bytes()?)?,
            _ => {}
        }
    }
    entries.push((key, value));
    Ok(())
}

/// Where an external tensor says that its bytes are. A missing length means all that the shape
/// needs (external data of onnx's `IR.md`).
fn locate(
    parts: &Parts,
    needed_bytes: Option<u64>,
    message: Span,
) -> Result<ExternalTensor, FormatError> {
    let entry = |key: &str| {
        parts.entries.iter().rev().find(|entry| entry.0 == key).map(|entry| entry.1.as_str())
    };
    let number = |key: &str| -> Result<Option<u64>, FormatError> {
        let Some(text) = entry(key) else { return Ok(None) };
        let name = &parts.name;
        let what = || format!("tensor `{name}` has the external {key} `{text}`");
        text.parse().map(Some).map_err(|_| FormatError::corrupted(message.at(), what()))
    };
    let location = entry("location").unwrap_or_default().to_owned();
    if !stays_inside(&location) {
        return Err(FormatError::ExternalEscapes { tensor: parts.name.clone(), location });
    }
    let offset_bytes = number("offset")?.unwrap_or(0);
    let length_bytes = match number("length")? {
        Some(length) => length,
        None => needed_bytes.ok_or_else(|| {
            let what = format!("tensor `{}` has no external length", parts.name);
            FormatError::corrupted(message.at(), what)
        })?,
    };
    if offset_bytes.checked_add(length_bytes).is_none() {
        return Err(overflow(message));
    }
    Ok(ExternalTensor { tensor: parts.name.clone(), location, offset_bytes, length_bytes })
}

/// Whether a location names something below the folder it is relative to. Told from the text alone:
/// links that a person put there are followed, as the caches of model hubs are made of them.
fn stays_inside(location: &str) -> bool {
    let mut depth = 0;
    Path::new(location).components().all(|part| match part {
        Component::Normal(_) => {
            depth += 1;
            true
        }
        Component::CurDir => true,
        Component::ParentDir | Component::RootDir | Component::Prefix(_) => false,
    }) && depth > 0
}

fn overflow(message: Span) -> FormatError {
    FormatError::corrupted(message.at(), "a tensor with more elements than 64 bits can count")
}

/// Bits that an element takes in `raw_data` and external data; `None` where a shape does not tell.
/// Source: the comments of `TensorProto.DataType` and of `raw_data` in onnx.proto.
fn bits_per_element(code: i32) -> Option<u64> {
    Some(match code {
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        1 | 6 | 12 => 32,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        21..=23 => 4,
        25 | 26 => 2,
        27 | 28 => 6,
        _ => return None,
    })
}
