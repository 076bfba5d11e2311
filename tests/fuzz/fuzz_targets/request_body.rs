//! Request bodies of every protocol against a few signatures: no input panics, what is taken is
//! what the signature declares, and what was taken survives a reply.
//!
//! The first two bytes choose protocol, signature and header; the rest is the body. Outputs are
//! declared like the inputs, so each request can be answered with itself, and its reply made a
//! request again.
#![no_main]

use gwtf::model::payload::{ModelName, Protocol, ReplyForm, Request, RequestHead, parse, render};
use gwtf::model::{DType, Dim, Signature, TensorSpec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [choice, header, body @ ..] = data else { return };
    let protocol = match choice % 3 {
        0 => Protocol::Auto,
        1 => Protocol::Tensorflow,
        _ => Protocol::OpenInference,
    };
    let signatures = signatures();
    let signature = &signatures[usize::from(choice / 3) % signatures.len()];
    // Half of the values mean no header, the others a JSON part of that many bytes.
    let length = (*header >= 128).then(|| (2 * usize::from(header - 128)).to_string());
    let head = RequestHead { inference_header_content_length: length.as_deref(), ..RequestHead::default() };
    let Ok(request) = parse(protocol, &head, body, signature) else { return };
    check_declared(&request, signature);
    check_reply(&request, signature);
});

fn signatures() -> Vec<Signature> {
    let n = || Dim::Symbol("n".to_owned());
    let spec = |name: &str, dtype, shape| TensorSpec { name: name.to_owned(), dtype, shape };
    let specs = [
        vec![spec("x", DType::Float32, Some(vec![n(), Dim::Fixed(2)]))],
        vec![spec("x", DType::String, None)],
        vec![spec("x_bytes", DType::String, Some(vec![n()]))],
        vec![spec("x", DType::Float64, None)],
        vec![spec("x", DType::Float16, Some(vec![Dim::Unknown, Dim::Unknown]))],
        vec![spec("x", DType::UInt8, Some(vec![n()]))],
        vec![
            spec("a", DType::BFloat16, Some(vec![n(), Dim::Fixed(1)])),
            spec("b", DType::Int64, Some(vec![n()])),
            spec("c", DType::Bool, Some(vec![n()])),
        ],
        vec![spec("a", DType::UInt64, Some(vec![])), spec("b", DType::Int8, None)],
    ];
    specs.map(|specs| Signature { inputs: specs.clone(), outputs: specs }).into()
}

/// Every input of the signature once, as declared.
fn check_declared(request: &Request, signature: &Signature) {
    assert_eq!(request.inputs.len(), signature.inputs.len());
    for spec in &signature.inputs {
        let (_, tensor) = request.inputs.iter().find(|(name, _)| *name == spec.name).unwrap();
        assert_eq!(tensor.dtype(), spec.dtype);
        assert!(spec.admits(tensor.shape()));
        assert_eq!(tensor.shape().iter().product::<usize>(), tensor.data().len());
    }
}

/// Answers the request with its own inputs, in the signature's order, and reads the reply back.
fn check_reply(request: &Request, signature: &Signature) {
    let find = |spec: &TensorSpec| {
        request.inputs.iter().find(|(name, _)| *name == spec.name).unwrap().clone()
    };
    let outputs: Vec<_> = signature.outputs.iter().map(find).collect();
    // A dimension beside a 0 may be as large as the request's body, and the reply may be smaller.
    if outputs.iter().any(|(_, tensor)| tensor.data().is_empty()) {
        return;
    }
    let model = ModelName { name: "m", version: "1" };
    let reply = render(&request.reply, model, &outputs).unwrap();
    let (protocol, from, to) = match request.reply {
        ReplyForm::TensorflowRow => (Protocol::Tensorflow, "\"predictions\":", "\"instances\":"),
        ReplyForm::TensorflowColumn => (Protocol::Tensorflow, "\"outputs\":", "\"inputs\":"),
        ReplyForm::Npy => (Protocol::Auto, "", ""),
        // A reply with some of the outputs makes no request.
        ReplyForm::OpenInference { .. } if !request.outputs.is_empty() => return,
        ReplyForm::OpenInference { .. } => (Protocol::OpenInference, "\"outputs\":", "\"inputs\":"),
    };
    let mut body = reply.body;
    let at = if from.is_empty() {
        0
    } else {
        body.windows(from.len()).position(|window| window == from.as_bytes()).unwrap()
    };
    body.splice(at..at + from.len(), to.bytes());
    let length = reply
        .inference_header_content_length
        .map(|bytes| (bytes + to.len() - from.len()).to_string());
    let head = RequestHead {
        content_type: Some(reply.content_type),
        inference_header_content_length: length.as_deref(),
    };
    let again = parse(protocol, &head, &body, signature)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)));
    // `Debug` shows all NaNs alike and tells -0 from 0.
    assert_eq!(format!("{:?}", again.inputs), format!("{outputs:?}"));
}
