//! Request models (JSON Schema draft 4) made from a model's signature.
//!
//! API Gateway checks a JSON body against such a model before it calls the integration; the twin
//! does the same with the same document. A model here is a coarse net: it stops what cannot be a
//! request (no tensors, wrong nesting, wrong element type, unknown input) and leaves the rest to the
//! inference service, whose errors say more than `Invalid request body`.
//!
//! # Invariants
//! - No JSON that the inference service takes is refused. (Bare `NaN` is no JSON.)
//! - Only keywords that API Gateway's validator is known to honour: `minItems` and `maxItems` are
//!   dropped from simple validation and `exclusiveMinimum` on import (known issues of the developer
//!   guide), so fixed dimensions are not stated; `$ref`, `pattern` and `format` are not used.
//! - `integer` takes what is written as an integer (draft 4); whether AWS takes `1.0` is not known.

use super::route::Operation;
use crate::model::{DType, Signature, TensorSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The content type whose bodies are checked. No other has a model, so npy and binary tensors pass.
pub const CHECKED_CONTENT_TYPE: &str = "application/json";
/// How JSON writes a float that is no number: bare `NaN` is no JSON, so AWS's parser refuses it.
pub const NON_FINITE: [&str; 3] = ["NaN", "Infinity", "-Infinity"];
/// Ranks above this are only required to be arrays; keeps hostile signatures from growing models.
const RANK_DESCRIBED_MAX: usize = 16;
/// With more inputs than this none is described by name; AWS bounds a model's size (400 KB).
const INPUTS_DESCRIBED_MAX: usize = 64;

/// The request model of an inference operation; `None` for an operation without a body.
pub fn request_model(operation: Operation, signature: &Signature) -> Option<Value> {
    let (title, properties, one_of_these) = match operation {
        Operation::TensorflowPredict => (
            "TensorFlow Serving predict",
            json!({ "signature_name": { "type": "string" }, "instances": instances(signature),
                "inputs": any_of(columns(signature)) }),
            vec!["instances", "inputs"],
        ),
        Operation::OpenInferenceInfer => (
            "Open Inference infer",
            json!({ "inputs": open_inference_inputs(signature) }),
            vec!["inputs"],
        ),
        Operation::Predict => {
            let mut inputs = columns(signature);
            inputs.push(open_inference_inputs(signature));
            (
                "TensorFlow Serving predict or Open Inference infer",
                json!({ "instances": instances(signature), "inputs": any_of(inputs) }),
                vec!["instances", "inputs"],
            )
        }
        _ => return None,
    };
    let mut model = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": title,
        "type": "object",
        "properties": properties,
    });
    match one_of_these.as_slice() {
        [single] => model["required"] = json!([single]),
        several => {
            model["anyOf"] = several.iter().map(|name| json!({ "required": [name] })).collect();
        }
    }
    Some(model)
}

/// The name of that model for a version tag: letters and digits only, as AWS wants it.
///
/// A tag with other characters gets a hash of itself behind its letters and digits, so that two
/// tags never share a name.
pub fn model_name(operation: Operation, tag: &str) -> Option<String> {
    let base = match operation {
        Operation::Predict => "Predict",
        Operation::TensorflowPredict => "TensorflowPredict",
        Operation::OpenInferenceInfer => "OpenInferenceInfer",
        _ => return None,
    };
    let plain: String = tag.chars().filter(char::is_ascii_alphanumeric).collect();
    Some(if plain == tag {
        format!("{base}{plain}")
    } else {
        format!("{base}{plain}x{:08x}", fnv1a(tag.as_bytes()))
    })
}

/// What a route of this operation and version writes into `Route::request_models`.
pub fn request_models_for(operation: Operation, tag: &str) -> BTreeMap<String, String> {
    model_name(operation, tag)
        .map(|name| (CHECKED_CONTENT_TYPE.to_owned(), name))
        .into_iter()
        .collect()
}

/// FNV-1a, 32 bit: only tells names apart (<http://www.isthe.com/chongo/tech/comp/fnv/>).
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// `instances`: one entry a row; an entry is the row itself or an object by input name.
fn instances(signature: &Signature) -> Value {
    let row = |spec: &TensorSpec| match spec.shape.as_deref() {
        // A row is a slice of the outermost dimension; a scalar or an unknown rank has none to state.
        Some([_, row @ ..]) => nested(spec.dtype, row.len()),
        _ => json!({}),
    };
    json!({ "type": "array", "items": any_of(by_name(signature, row)) })
}

/// `inputs` in TensorFlow Serving's column form: the whole tensor or an object by input name.
fn columns(signature: &Signature) -> Vec<Value> {
    by_name(signature, |spec| match &spec.shape {
        Some(shape) => nested(spec.dtype, shape.len()),
        None => json!({}),
    })
}

/// The forms a value can take: bare when there is a single input, or an object that names them.
fn by_name(signature: &Signature, value: impl Fn(&TensorSpec) -> Value) -> Vec<Value> {
    let inputs = &signature.inputs;
    if inputs.is_empty() || inputs.len() > INPUTS_DESCRIBED_MAX {
        return vec![json!({})];
    }
    let names: Vec<&str> = inputs.iter().map(|spec| spec.name.as_str()).collect();
    let properties: serde_json::Map<String, Value> =
        inputs.iter().map(|spec| (spec.name.clone(), value(spec))).collect();
    let named = json!({ "type": "object", "properties": properties, "required": names });
    match inputs.as_slice() {
        [single] => vec![value(single), named],
        _ => vec![named],
    }
}

/// `inputs` of the Open Inference Protocol: named tensors whose `data` is flat or nested.
fn open_inference_inputs(signature: &Signature) -> Value {
    let mut name = json!({ "type": "string" });
    if (1..=INPUTS_DESCRIBED_MAX).contains(&signature.inputs.len()) {
        name = json!({ "enum": signature.inputs.iter().map(|s| &s.name).collect::<Vec<_>>() });
    }
    let mut elements: Vec<Value> = Vec::new();
    for spec in &signature.inputs {
        let element = element(spec.dtype);
        if !elements.contains(&element) {
            elements.push(element);
        }
    }
    elements.push(json!({ "type": "array" }));
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "name": name,
                "shape": { "type": "array", "items": { "type": "integer" } },
                "datatype": { "type": "string" },
                "data": { "type": "array", "items": any_of(elements) },
            },
            // Not `data`: an empty tensor may come as binary data of no bytes.
            "required": ["name", "shape", "datatype"],
        },
    })
}

/// Arrays nested `rank` deep around elements of this type.
fn nested(dtype: DType, rank: usize) -> Value {
    if rank > RANK_DESCRIBED_MAX {
        return json!({ "type": "array" });
    }
    (0..rank).fold(element(dtype), |inner, _| json!({ "type": "array", "items": inner }))
}

/// One element in JSON.
fn element(dtype: DType) -> Value {
    match dtype {
        DType::Float16 | DType::BFloat16 | DType::Float32 | DType::Float64 => {
            json!({ "anyOf": [{ "type": "number" }, { "enum": NON_FINITE }] })
        }
        DType::Bool => json!({ "type": "boolean" }),
        // TensorFlow Serving writes bytes as `{"b64": "..."}`.
        DType::String => json!({ "type": ["string", "object"] }),
        _ => json!({ "type": "integer" }),
    }
}

/// The only form, or any of several.
fn any_of(mut forms: Vec<Value>) -> Value {
    if forms.contains(&json!({})) {
        return json!({});
    }
    if forms.len() == 1 { forms.remove(0) } else { json!({ "anyOf": forms }) }
}

#[cfg(test)]
mod tests;
