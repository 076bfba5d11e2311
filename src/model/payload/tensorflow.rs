//! TensorFlow Serving's REST request: the row form (`instances`) and the column form (`inputs`).
//!
//! Facts: <https://www.tensorflow.org/tfx/serving/api_rest> and TensorFlow Serving's
//! `json_tensor.cc`. Differs from it in refusing what it silently drops (an unknown name in the
//! column form, a key given twice), in rounding an integer literal beyond 2^24 to `float32`
//! instead of refusing it, and in taking numbers for the 16-bit floating-point types.

use super::error::{Error, Place};
use super::fault;
use super::nested::Builder;
use super::scan::Scanner;
use crate::model::{Signature, Tensor};

type Inputs = Vec<(String, Tensor)>;

/// The only signature there is: an ONNX model has one.
const SIGNATURE_NAME: &str = "serving_default";

/// Refuses any other `signature_name`; an empty one is the default, as in TensorFlow Serving.
pub(super) fn check_signature_name(scan: &mut Scanner<'_>) -> Result<(), Error> {
    let name = scan
        .string()
        .map_err(|fault| Error::member(fault, scan.bytes(), "signature_name", "a string"))?;
    if name.is_empty() || name == SIGNATURE_NAME {
        return Ok(());
    }
    Err(Error::SignatureName { given: name.chars().take(64).collect() })
}

/// The value of `instances`: a list whose items are values of the only input or objects that
/// name every input. Item `i` is slice `i` of each input's outermost dimension.
pub(super) fn rows(scan: &mut Scanner<'_>, signature: &Signature) -> Result<Inputs, Error> {
    if scan.peek() != Some(b'[') {
        let found = fault::excerpt(scan.bytes(), scan.at());
        return Err(Error::Member { key: "instances".to_owned(), expected: "a list", found });
    }
    scan.bump();
    if !scan.first_item() {
        return Err(Error::NoInstances);
    }
    if let Some(spec) = signature.inputs.iter().find(|spec| spec.shape.as_deref() == Some(&[])) {
        return Err(Error::ScalarRow { input: spec.name.clone() });
    }
    let named = is_named(scan);
    if !named && signature.inputs.len() != 1 {
        let remedy = "make each instance an object with a key for each";
        return Err(Error::Unnamed { inputs: fault::inputs(signature), remedy });
    }
    let mut builders = builders(signature, scan);
    for instance in 0.. {
        if is_named(scan) != named {
            let (found, first) = if named { (VALUE, OBJECT) } else { (OBJECT, VALUE) };
            return Err(Error::MixedInstances { instance, found, first });
        }
        if named {
            named_instance(scan, signature, &mut builders, instance)?;
        } else {
            builders[0].read_instance(scan)?;
        }
        if !scan.another_item().map_err(|fault| Error::from_fault(fault, scan.bytes()))? {
            break;
        }
    }
    builders.into_iter().map(Builder::finish_rows).collect()
}

const VALUE: &str = "a value without names";
const OBJECT: &str = "an object";

/// Whether the value at the position is an object that names inputs.
fn is_named(scan: &mut Scanner<'_>) -> bool {
    scan.peek() == Some(b'{') && !scan.is_base64()
}

fn builders<'s>(signature: &'s Signature, scan: &Scanner<'_>) -> Vec<Builder<'s>> {
    let share_bytes = scan.left() / signature.inputs.len().max(1);
    signature.inputs.iter().map(|spec| Builder::new(spec, share_bytes)).collect()
}

/// One object of the row form; afterwards each builder holds `instance + 1` values.
fn named_instance(
    scan: &mut Scanner<'_>,
    signature: &Signature,
    builders: &mut [Builder<'_>],
    instance: usize,
) -> Result<(), Error> {
    let instance_place = |input: &str| Place { input: input.to_owned(), instance: Some(instance) };
    each_input(scan, signature, |scan, index| {
        let builder = &mut builders[index];
        if builder.values > instance {
            return Err(Error::RepeatedInput { place: instance_place(&builder.spec().name) });
        }
        builder.read_instance(scan)
    })?;
    match builders.iter().find(|builder| builder.values <= instance) {
        None => Ok(()),
        Some(builder) => Err(Error::MissingInput {
            place: instance_place(&builder.spec().name),
            expected: builder.spec().type_text(),
        }),
    }
}

/// The value of `inputs`: the only input's tensor, or an object with each input's tensor.
pub(super) fn columns(scan: &mut Scanner<'_>, signature: &Signature) -> Result<Inputs, Error> {
    if !is_named(scan) {
        let [spec] = signature.inputs.as_slice() else {
            let remedy = "make `inputs` an object with a key for each";
            return Err(Error::Unnamed { inputs: fault::inputs(signature), remedy });
        };
        let mut builder = Builder::new(spec, scan.left());
        builder.read_tensor(scan)?;
        return Ok(vec![builder.finish()?]);
    }
    let share_bytes = scan.left() / signature.inputs.len().max(1);
    let mut builders: Vec<Option<Builder<'_>>> = signature.inputs.iter().map(|_| None).collect();
    each_input(scan, signature, |scan, index| {
        let spec = &signature.inputs[index];
        if builders[index].is_some() {
            let place = Place { input: spec.name.clone(), instance: None };
            return Err(Error::RepeatedInput { place });
        }
        builders[index].insert(Builder::new(spec, share_bytes)).read_tensor(scan)
    })?;
    let inputs = signature.inputs.iter().zip(builders);
    inputs
        .map(|(spec, builder)| match builder {
            Some(builder) => builder.finish(),
            None => Err(Error::MissingInput {
                place: Place { input: spec.name.clone(), instance: None },
                expected: spec.type_text(),
            }),
        })
        .collect()
}

/// Calls `read` with the index of each input that the object at the position names.
fn each_input(
    scan: &mut Scanner<'_>,
    signature: &Signature,
    mut read: impl FnMut(&mut Scanner<'_>, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    scan.bump();
    let mut first = true;
    // Names mostly come in the signature's order: look from where the last one was.
    let mut likely = 0;
    let specs = &signature.inputs;
    while let Some(name) =
        scan.next_key(&mut first).map_err(|fault| Error::from_fault(fault, scan.bytes()))?
    {
        let mut order = (likely..specs.len()).chain(0..likely.min(specs.len()));
        let Some(index) = order.find(|index| specs[*index].name == name) else {
            let inputs = fault::inputs(signature);
            return Err(Error::UnknownInput { name: name.chars().take(64).collect(), inputs });
        };
        read(scan, index)?;
        likely = index + 1;
    }
    Ok(())
}
