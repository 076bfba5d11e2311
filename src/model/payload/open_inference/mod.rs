//! The Open Inference Protocol's inference request (KServe and Triton call it v2), JSON and
//! binary tensors.
//!
//! Facts: <https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md>
//! and Triton's binary data extension. `data` may be nested as the shape says or flat. FP16 and
//! BF16 are taken as JSON numbers too, rounded to the type, where Triton wants them in binary.
//! Parameters that are not known are ignored, as the protocol leaves them to the server; the two
//! that would change a reply (`classification`, shared memory) are refused.

mod inputs;

pub(super) use inputs::{Inputs, inputs};

use super::binary::{self, Order};
use super::element::Element;
use super::error::Error;
use super::fault::{self, Fault, FaultKind};
use super::scan::Scanner;
use super::{ID_BYTES_MAX, NESTING_MAX, OutputForm, ReplyForm, Request};
use crate::model::{Dim, Signature};

/// The members of a request that say how to reply, by the byte where each value starts.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) id: Option<usize>,
    pub(super) parameters: Option<usize>,
    pub(super) outputs: Option<usize>,
}

/// The request of these inputs and members, with `binary` after the JSON.
pub(super) fn request(
    scan: &Scanner<'_>,
    inputs: Inputs<'_>,
    members: &Members,
    binary: &[u8],
    signature: &Signature,
) -> Result<Request, Error> {
    let inputs = inputs.with_binary(binary)?;
    let id = match members.id {
        None => None,
        Some(at) => {
            let id = text(&mut scan.from(at), || "id".to_owned())?;
            if id.len() > ID_BYTES_MAX {
                let found = format!("{} bytes", id.len());
                let expected = "a string of at most 1024 bytes";
                return Err(Error::Member { key: "id".to_owned(), expected, found });
            }
            Some(id)
        }
    };
    let binary = match members.parameters {
        None => false,
        Some(at) => request_parameters(&mut scan.from(at))?,
    };
    let forms = match members.outputs {
        None => Vec::new(),
        Some(at) => outputs(&mut scan.from(at), binary, signature)?,
    };
    let outputs = forms.iter().map(|form| form.name.clone()).collect();
    Ok(Request { inputs, outputs, reply: ReplyForm::OpenInference { id, outputs: forms, binary } })
}

/// `parameters` of the request: its `binary_data_output`.
fn request_parameters(scan: &mut Scanner<'_>) -> Result<bool, Error> {
    let mut binary = false;
    members(scan, "parameters", |scan, key| {
        if key != "binary_data_output" {
            return Ok(false);
        }
        binary = flag(scan, "parameters.binary_data_output".to_owned())?;
        Ok(true)
    })?;
    Ok(binary)
}

/// The value of `outputs`: which to reply with, and whether in binary.
fn outputs(
    scan: &mut Scanner<'_>,
    binary: bool,
    signature: &Signature,
) -> Result<Vec<OutputForm>, Error> {
    let mut forms: Vec<OutputForm> = Vec::new();
    let mut asked = vec![false; signature.outputs.len()];
    let list_fault = |fault, bytes: &[u8]| Error::member(fault, bytes, "outputs", "a list");
    open(scan, b'[').map_err(|fault| list_fault(fault, scan.bytes()))?;
    let mut more = scan.first_item();
    while more {
        let place = format!("outputs[{}]", forms.len());
        let (mut name, mut form) = (None, binary);
        members(scan, &place, |scan, key| match key {
            "name" => {
                name = Some(text(scan, || format!("{place}.name"))?);
                Ok(true)
            }
            "parameters" => {
                form = output_parameters(scan, &place, binary)?;
                Ok(true)
            }
            _ => Ok(false),
        })?;
        let name = name.ok_or_else(|| missing_name(&place))?;
        let Some(index) = signature.outputs.iter().position(|spec| spec.name == name) else {
            let name = name.chars().take(64).collect();
            return Err(Error::UnknownOutput { name, outputs: fault::outputs(signature) });
        };
        if std::mem::replace(&mut asked[index], true) {
            return Err(Error::RepeatedOutput { name });
        }
        forms.push(OutputForm { name, binary: form });
        more = scan.another_item().map_err(|fault| list_fault(fault, scan.bytes()))?;
    }
    Ok(forms)
}

/// `parameters` of an output: its `binary_data`, or else the request's default.
fn output_parameters(scan: &mut Scanner<'_>, place: &str, default: bool) -> Result<bool, Error> {
    let mut binary = default;
    let refuse = |parameter| Err(Error::Parameter { tensor: place.to_owned(), parameter });
    members(scan, &format!("{place}.parameters"), |scan, key| match key {
        "binary_data" => {
            binary = flag(scan, format!("{place}.parameters.binary_data"))?;
            Ok(true)
        }
        "classification" => refuse("classification"),
        "shared_memory_region" => refuse("shared_memory_region"),
        _ => Ok(false),
    })?;
    Ok(binary)
}

/// A body without JSON (`Inference-Header-Content-Length: 0`): the bytes of the only input,
/// whose shape follows from their number when at most one dimension is open. All outputs are
/// replied in binary.
pub(super) fn raw(body: &[u8], signature: &Signature) -> Result<Request, Error> {
    let refuse = |why| Err(Error::Raw { inputs: fault::inputs(signature), why });
    let [spec] = signature.inputs.as_slice() else {
        return refuse("the model has not exactly one input");
    };
    let Some(size_bytes) = spec.dtype.size_bytes() else {
        return refuse("strings have no size");
    };
    let Some(dims) = &spec.shape else { return refuse("the model declares no rank") };
    if dims.iter().filter(|dim| !matches!(dim, Dim::Fixed(_))).count() > 1 {
        return refuse("more than one dimension is open");
    }
    let fixed = dims.iter().try_fold(size_bytes, |product, dim| match dim {
        Dim::Fixed(n) => product.checked_mul(*n),
        Dim::Symbol(_) | Dim::Unknown => Some(product),
    });
    let open = fixed.and_then(|fixed| body.len().checked_div(fixed)).unwrap_or_default();
    let shape = dims
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(n) => *n,
            Dim::Symbol(_) | Dim::Unknown => open,
        })
        .collect();
    Ok(Request {
        inputs: vec![binary::read(spec, shape, body, Order::Little)?],
        outputs: Vec::new(),
        reply: ReplyForm::OpenInference { id: None, outputs: Vec::new(), binary: true },
    })
}

fn missing_name(place: &str) -> Error {
    Error::MissingMember { object: format!("`{place}`"), key: "name" }
}

/// Calls `read` with each key of the object at the position; it says whether it read the value.
fn members(
    scan: &mut Scanner<'_>,
    place: &str,
    mut read: impl FnMut(&mut Scanner<'_>, &str) -> Result<bool, Error>,
) -> Result<(), Error> {
    let bytes = scan.bytes();
    open(scan, b'{').map_err(|fault| Error::member(fault, bytes, place, "an object"))?;
    let mut first = true;
    while let Some(key) =
        scan.next_key(&mut first).map_err(|fault| Error::from_fault(fault, bytes))?
    {
        if !read(scan, &key)? {
            // Parameters are scalars; what nests deeply there is nobody's.
            scan.skip(NESTING_MAX / 2).map_err(|fault| Error::from_fault(fault, bytes))?;
        }
    }
    Ok(())
}

fn open(scan: &mut Scanner<'_>, byte: u8) -> Result<(), Fault> {
    if scan.peek() != Some(byte) {
        return Err(FaultKind::Type.at(scan.at()));
    }
    scan.bump();
    Ok(())
}

fn text(scan: &mut Scanner<'_>, key: impl Fn() -> String) -> Result<String, Error> {
    match scan.string() {
        Ok(text) => Ok(text.into_owned()),
        Err(fault) => Err(Error::member(fault, scan.bytes(), key(), "a string")),
    }
}

fn flag(scan: &mut Scanner<'_>, key: String) -> Result<bool, Error> {
    bool::read(scan).map_err(|fault| Error::member(fault, scan.bytes(), key, "true or false"))
}
