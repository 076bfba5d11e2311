//! Sample requests, made from a signature.

use crate::error::{Exit, Failure};
use crate::model::Signature;
use crate::model::payload::{self, ModelName, ReplyForm, render_request};
use crate::model::sample::{Options, sample_inputs};
use crate::spec::limits::PAYLOAD_BYTES_MAX;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The seed of the samples: the same model has the same requests everywhere.
const SEED: u64 = 0;
/// TensorFlow Serving's rows, for models whose requests can be batched.
const ROW: &str = "requests/row.json";
/// TensorFlow Serving's columns, for all others.
const COLUMN: &str = "requests/column.json";
/// The Open Inference Protocol.
const OPEN_INFERENCE: &str = "requests/open-inference.json";

/// The file of the request that smoke tests send.
pub(super) fn first(signature: &Signature) -> &'static str {
    if signature.is_batched() { ROW } else { COLUMN }
}

/// Each request's file and body.
///
/// # Errors
/// A request of one instance is above what the gateway takes.
pub(super) fn samples(signature: &Signature) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
    let inputs = sample_inputs(signature, SEED, &Options::default())?;
    let mut first_body = render_request(&inputs, signature)?;
    first_body.push(b'\n');
    // An Open Inference request lists its tensors as a reply does.
    let form = ReplyForm::OpenInference { id: None, outputs: Vec::new(), binary: false };
    let reply = payload::render(&form, ModelName { name: "", version: "" }, &inputs)?;
    let reply: Tensors<'_> = serde_json::from_slice(&reply.body).expect("a reply is JSON");
    let open = format!("{{\"inputs\":{}}}\n", reply.outputs).into_bytes();
    let bodies = vec![(first(signature), first_body), (OPEN_INFERENCE, open)];
    match bodies.iter().find(|(_, body)| body.len() > PAYLOAD_BYTES_MAX) {
        None => Ok(bodies),
        Some((_, body)) => {
            let bytes = body.len();
            let text = format!("one instance is {bytes} bytes of JSON, above the gateway's limit");
            Err(Failure::new(Exit::Refused, text))
        }
    }
}

/// What an Open Inference reply and request share, as it stands.
#[derive(Deserialize)]
struct Tensors<'a> {
    #[serde(borrow)]
    outputs: &'a RawValue,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DType, Dim, TensorSpec};

    /// An image of this many pixels a side.
    fn image(side: usize) -> Signature {
        let shape = [1, 3, side, side].map(Dim::Fixed).to_vec();
        let input = TensorSpec { name: "x".into(), dtype: DType::Float32, shape: Some(shape) };
        Signature { inputs: vec![input], outputs: Vec::new() }
    }

    #[test]
    fn a_request_that_no_gateway_takes_is_not_made() {
        let names = |side| samples(&image(side)).map(|made| made.into_iter().map(|(name, _)| name));
        assert_eq!(names(8).unwrap().collect::<Vec<_>>(), [COLUMN, OPEN_INFERENCE]);
        // 12 MB as bytes and more as text; 48 MB, which is not even tried.
        for (side, cause) in [(1_024, "bytes of JSON, above"), (2_048, "input `x`: a sample")] {
            let failure = samples(&image(side)).unwrap_err();
            assert!(failure.message.contains(cause), "{}", failure.message);
        }
    }
}
