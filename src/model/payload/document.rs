//! The top-level object of a JSON body: which form it has, whatever the order of its keys.
//!
//! One pass: tensors are parsed where they stand. Members that only the Open Inference Protocol
//! reads (`id`, `parameters`, `outputs`) are stepped over and read once the form is known. As in
//! TensorFlow Serving and Triton, unknown top-level keys are ignored.

use super::error::Error;
use super::open_inference::{self, Members};
use super::scan::Scanner;
use super::{Protocol, ReplyForm, Request, tensorflow};
use crate::model::{Signature, Tensor};

/// The tensors of a body, by its form.
enum Tensors<'s> {
    Rows(Vec<(String, Tensor)>),
    Columns(Vec<(String, Tensor)>),
    OpenInference(open_inference::Inputs<'s>),
}

/// The request in `json`, with the binary data that follows it.
pub(super) fn request(
    protocol: Protocol,
    json: &[u8],
    binary: &[u8],
    signature: &Signature,
) -> Result<Request, Error> {
    let mut scan = Scanner::new(json);
    let structure = |fault| Error::from_fault(fault, json);
    if scan.peek().is_none() {
        return Err(Error::EmptyBody { expected: "a JSON object" });
    }
    scan.expect(b'{', "an object").map_err(structure)?;
    let mut tensors: Option<Tensors<'_>> = None;
    let mut members = Members::default();
    let mut first = true;
    while let Some(key) = scan.next_key(&mut first).map_err(structure)? {
        let (tensorflow, open_inference) =
            (protocol != Protocol::OpenInference, protocol != Protocol::Tensorflow);
        match key.as_ref() {
            "instances" if tensorflow => {
                refuse_second(&tensors, true)?;
                tensors = Some(Tensors::Rows(tensorflow::rows(&mut scan, signature)?));
            }
            "inputs" => {
                refuse_second(&tensors, false)?;
                tensors = Some(inputs(protocol, &mut scan, signature)?);
            }
            "signature_name" if tensorflow => tensorflow::check_signature_name(&mut scan)?,
            "id" if open_inference => note(&mut scan, "id", &mut members.id)?,
            "parameters" if open_inference => {
                note(&mut scan, "parameters", &mut members.parameters)?;
            }
            "outputs" if open_inference => note(&mut scan, "outputs", &mut members.outputs)?,
            _ => scan.skip(1).map_err(structure)?,
        }
    }
    scan.finish().map_err(structure)?;
    match tensors {
        Some(Tensors::Rows(inputs)) => {
            Ok(Request { inputs, outputs: Vec::new(), reply: ReplyForm::TensorflowRow })
        }
        Some(Tensors::Columns(inputs)) => {
            Ok(Request { inputs, outputs: Vec::new(), reply: ReplyForm::TensorflowColumn })
        }
        Some(Tensors::OpenInference(inputs)) => {
            open_inference::request(&scan, inputs, &members, binary, signature)
        }
        None => Err(Error::NoTensors {
            expected: match protocol {
                Protocol::OpenInference => "no `inputs`",
                Protocol::Auto | Protocol::Tensorflow => "neither `instances` nor `inputs`",
            },
        }),
    }
}

/// The value of `inputs`. Without a route that says so, a list of objects is the Open Inference
/// Protocol's: in the column form only `{"b64": …}` elements are objects in a list.
fn inputs<'s>(
    protocol: Protocol,
    scan: &mut Scanner<'_>,
    signature: &'s Signature,
) -> Result<Tensors<'s>, Error> {
    let open_inference = match protocol {
        Protocol::OpenInference => true,
        Protocol::Tensorflow => false,
        Protocol::Auto => {
            let mut ahead = scan.clone();
            ahead.peek() == Some(b'[') && {
                ahead.bump();
                ahead.peek() == Some(b'{') && !ahead.is_base64()
            }
        }
    };
    if open_inference {
        open_inference::inputs(scan, signature).map(Tensors::OpenInference)
    } else {
        tensorflow::columns(scan, signature).map(Tensors::Columns)
    }
}

fn refuse_second(tensors: &Option<Tensors<'_>>, rows: bool) -> Result<(), Error> {
    match tensors {
        None => Ok(()),
        Some(held) if matches!(held, Tensors::Rows(_)) == rows => {
            let key = if rows { "instances" } else { "inputs" };
            Err(Error::RepeatedKey { key: key.to_owned() })
        }
        Some(_) => Err(Error::BothForms),
    }
}

/// Remembers where the value of `key` starts and steps over it.
fn note(scan: &mut Scanner<'_>, key: &str, at: &mut Option<usize>) -> Result<(), Error> {
    scan.peek();
    if at.replace(scan.at()).is_some() {
        return Err(Error::RepeatedKey { key: key.to_owned() });
    }
    scan.skip(1).map_err(|fault| Error::from_fault(fault, scan.bytes()))
}
