//! The `inputs` of an Open Inference request: a list of objects, each a tensor.

use super::{members, missing_name, open, text};
use crate::model::payload::binary::{self, Order};
use crate::model::payload::element::Element;
use crate::model::payload::error::{Error, Place};
use crate::model::payload::fault::{self, Fault};
use crate::model::payload::nested::{self, Builder};
use crate::model::payload::scan::Scanner;
use crate::model::{DType, Signature, Tensor, TensorSpec};

/// The inputs in the request's order: JSON tensors, and binary ones that wait for their bytes.
#[derive(Debug)]
pub(in crate::model::payload) struct Inputs<'s> {
    items: Vec<Input<'s>>,
}

#[derive(Debug)]
enum Input<'s> {
    Json(String, Tensor),
    Binary { spec: &'s TensorSpec, shape: Vec<usize>, size_bytes: u64 },
}

/// The value of `inputs`: a list of objects, each a tensor.
pub(in crate::model::payload) fn inputs<'s>(
    scan: &mut Scanner<'_>,
    signature: &'s Signature,
) -> Result<Inputs<'s>, Error> {
    if scan.peek() != Some(b'[') {
        let found = fault::excerpt(scan.bytes(), scan.at());
        let expected = "a list of tensors";
        return Err(Error::Member { key: "inputs".to_owned(), expected, found });
    }
    scan.bump();
    let mut items: Vec<Input<'s>> = Vec::with_capacity(signature.inputs.len());
    let mut given = vec![false; signature.inputs.len()];
    let mut more = scan.first_item();
    while more {
        let (index, input) = input(scan, signature, items.len())?;
        if std::mem::replace(&mut given[index], true) {
            let input = signature.inputs[index].name.clone();
            return Err(Error::RepeatedInput { place: Place { input, instance: None } });
        }
        items.push(input);
        more = scan.another_item().map_err(|fault| Error::from_fault(fault, scan.bytes()))?;
    }
    if let Some(missing) = given.iter().position(|given| !given) {
        let spec = &signature.inputs[missing];
        return Err(Error::MissingInput {
            place: Place { input: spec.name.clone(), instance: None },
            expected: spec.type_text(),
        });
    }
    Ok(Inputs { items })
}

/// What one object of `inputs` holds, before its parts are compared.
#[derive(Default)]
struct Parts<'s> {
    index: Option<usize>,
    shape: Option<Vec<usize>>,
    datatype: Option<String>,
    size_bytes: Option<u64>,
    /// Where `data` starts, when it stands before `name`.
    data_at: Option<usize>,
    data: Option<Builder<'s>>,
}

/// One object of `inputs`, the `position`th: the index of its input and its tensor.
fn input<'s>(
    scan: &mut Scanner<'_>,
    signature: &'s Signature,
    position: usize,
) -> Result<(usize, Input<'s>), Error> {
    let place = || format!("inputs[{position}]");
    let bytes = scan.bytes();
    if scan.peek() != Some(b'{') {
        let (expected, found) = ("an object", fault::excerpt(bytes, scan.at()));
        return Err(Error::Member { key: place(), expected, found });
    }
    scan.bump();
    let mut parts = Parts::default();
    let mut first = true;
    while let Some(key) =
        scan.next_key(&mut first).map_err(|fault| Error::from_fault(fault, bytes))?
    {
        let repeated = match key.as_ref() {
            "name" => {
                let index = known_input(scan, signature, &place)?;
                parts.index.replace(index).is_some()
            }
            "shape" => {
                let shape = list::<usize>(scan).map_err(|fault| {
                    let key = format!("{}.shape", place());
                    Error::member(fault, bytes, key, "a list of whole numbers")
                })?;
                parts.shape.replace(shape).is_some()
            }
            "datatype" => {
                let datatype = text(scan, || format!("{}.datatype", place()))?;
                parts.datatype.replace(datatype).is_some()
            }
            "parameters" => {
                let size = input_parameters(scan, &place())?;
                size.is_some_and(|size| parts.size_bytes.replace(size).is_some())
            }
            "data" => match parts.index {
                Some(index) => {
                    let builder = data(scan, signature, index)?;
                    parts.data.replace(builder).is_some()
                }
                None => {
                    scan.peek();
                    let at = scan.at();
                    scan.skip(3).map_err(|fault| Error::from_fault(fault, bytes))?;
                    parts.data_at.replace(at).is_some()
                }
            },
            _ => {
                scan.skip(3).map_err(|fault| Error::from_fault(fault, bytes))?;
                false
            }
        };
        if repeated {
            return Err(Error::RepeatedKey { key: format!("{}.{key}", place()) });
        }
    }
    let index = parts.index.ok_or_else(|| missing_name(&place()))?;
    if let Some(at) = parts.data_at {
        let builder = data(&mut scan.from(at), signature, index)?;
        if parts.data.replace(builder).is_some() {
            return Err(Error::RepeatedKey { key: format!("{}.data", place()) });
        }
    }
    Ok((index, assemble(&signature.inputs[index], parts, bytes.len())?))
}

fn known_input(
    scan: &mut Scanner<'_>,
    signature: &Signature,
    place: &impl Fn() -> String,
) -> Result<usize, Error> {
    let name = text(scan, || format!("{}.name", place()))?;
    signature.inputs.iter().position(|spec| spec.name == name).ok_or_else(|| {
        let name = name.chars().take(64).collect();
        Error::UnknownInput { name, inputs: fault::inputs(signature) }
    })
}

fn data<'s>(
    scan: &mut Scanner<'_>,
    signature: &'s Signature,
    index: usize,
) -> Result<Builder<'s>, Error> {
    let share_bytes = scan.left() / signature.inputs.len();
    let mut builder = Builder::new(&signature.inputs[index], share_bytes);
    if scan.peek() != Some(b'[') {
        let found = fault::excerpt(scan.bytes(), scan.at());
        let key = format!("{}.data", builder.spec().name);
        return Err(Error::Member { key, expected: "a list", found });
    }
    builder.read_tensor(scan)?;
    Ok(builder)
}

/// Compares the parts of one tensor with each other and with the declaration.
fn assemble<'s>(
    spec: &'s TensorSpec,
    parts: Parts<'s>,
    body_bytes: usize,
) -> Result<Input<'s>, Error> {
    let missing = |key| Error::MissingMember { object: format!("input `{}`", spec.name), key };
    let declared = parts.shape.ok_or_else(|| missing("shape"))?;
    let datatype = parts.datatype.ok_or_else(|| missing("datatype"))?;
    if DType::from_open_inference(&datatype) != Some(spec.dtype) {
        return Err(Error::DataType {
            input: spec.name.clone(),
            expected: format!("datatype {}", spec.dtype.open_inference()),
            given: datatype.chars().take(16).collect(),
        });
    }
    nested::check_shape(spec, &declared, None)?;
    binary::check_backed(spec, &declared, body_bytes)?;
    let source = |what| Error::DataSource { input: spec.name.clone(), what };
    match (parts.data, parts.size_bytes) {
        (None, None) => Err(source("neither `data` nor parameter `binary_data_size`")),
        (Some(_), Some(_)) => Err(source("both `data` and parameter `binary_data_size`")),
        (None, Some(size_bytes)) => Ok(Input::Binary { spec, shape: declared, size_bytes }),
        (Some(builder), None) => {
            let (found, data) = builder.into_parts();
            if found.len() != 1 && found != declared {
                return Err(Error::Nested { input: spec.name.clone(), declared, found });
            }
            let (name, tensor) = nested::tensor(spec, declared, data)?;
            Ok(Input::Json(name, tensor))
        }
    }
}

/// `parameters` of an input: its `binary_data_size`, if any.
fn input_parameters(scan: &mut Scanner<'_>, place: &str) -> Result<Option<u64>, Error> {
    let mut size_bytes = None;
    members(scan, &format!("{place}.parameters"), |scan, key| match key {
        "binary_data_size" => {
            let size = u64::read(scan).map_err(|fault| {
                let key = format!("{place}.parameters.binary_data_size");
                Error::member(fault, scan.bytes(), key, "a number of bytes")
            })?;
            size_bytes = Some(size);
            Ok(true)
        }
        "shared_memory_region" => {
            Err(Error::Parameter { tensor: place.to_owned(), parameter: "shared_memory_region" })
        }
        _ => Ok(false),
    })?;
    Ok(size_bytes)
}

impl Inputs<'_> {
    /// Gives each binary tensor its bytes, in the order of the list.
    pub(super) fn with_binary(self, binary: &[u8]) -> Result<Vec<(String, Tensor)>, Error> {
        let mut rest = binary;
        let mut tensors = Vec::with_capacity(self.items.len());
        for item in self.items {
            tensors.push(match item {
                Input::Json(name, tensor) => (name, tensor),
                Input::Binary { spec, shape, size_bytes } => {
                    let split = usize::try_from(size_bytes).ok().filter(|n| *n <= rest.len());
                    let Some(split) = split else {
                        return Err(Error::BinaryShort {
                            input: spec.name.clone(),
                            declared_bytes: size_bytes,
                            left_bytes: rest.len(),
                        });
                    };
                    let (bytes, tail) = rest.split_at(split);
                    rest = tail;
                    binary::read(spec, shape, bytes, Order::Little)?
                }
            });
        }
        if !rest.is_empty() {
            return Err(Error::BinaryLeft { bytes: rest.len() });
        }
        Ok(tensors)
    }
}

/// A flat list of numbers.
fn list<T: Element>(scan: &mut Scanner<'_>) -> Result<Vec<T>, Fault> {
    open(scan, b'[')?;
    let mut items = Vec::new();
    let mut more = scan.first_item();
    while more {
        items.push(T::read(scan)?);
        more = scan.another_item()?;
    }
    Ok(items)
}
