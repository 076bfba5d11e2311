use super::*;
use crate::model::{Dim, TensorSpec};

fn symbol(name: &str) -> Dim {
    Dim::Symbol(name.to_owned())
}

fn signature(inputs: Vec<(&str, DType, Option<Vec<Dim>>)>) -> Signature {
    let inputs = inputs
        .into_iter()
        .map(|(name, dtype, shape)| TensorSpec { name: name.to_owned(), dtype, shape })
        .collect();
    Signature { inputs, outputs: Vec::new() }
}

fn iris() -> Signature {
    signature(vec![("x", DType::Float32, Some(vec![symbol("n"), Dim::Fixed(4)]))])
}

/// Three inputs, a scalar among them, and a fixed outermost dimension, as Silero VAD has.
fn audio() -> Signature {
    signature(vec![
        ("input", DType::Float32, Some(vec![Dim::Unknown, Dim::Unknown])),
        ("state", DType::Float32, Some(vec![Dim::Fixed(2), Dim::Unknown, Dim::Fixed(128)])),
        ("sr", DType::Int64, Some(vec![])),
    ])
}

fn words() -> Signature {
    signature(vec![
        ("text", DType::String, Some(vec![symbol("n")])),
        ("keep", DType::Bool, Some(vec![symbol("n"), symbol("m")])),
    ])
}

fn takes(operation: Operation, signature: &Signature, body: &str) -> bool {
    let model = request_model(operation, signature).expect("an inference operation");
    let validator = jsonschema::draft4::new(&model).expect("a draft 4 schema");
    validator.is_valid(&serde_json::from_str(body).expect("JSON"))
}

#[test]
fn takes_every_form_of_a_request() {
    use Operation::{OpenInferenceInfer as Infer, Predict, TensorflowPredict as Tf};
    let oip = r#"{"id":"1","inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":DATA}]}"#;
    let oip_with = |data: &str| oip.replace("DATA", data);
    let cases = [
        (Tf, iris(), r#"{"instances":[[1,2.5,-3e2,4]]}"#.to_owned()),
        (Tf, iris(), r#"{"instances":[]}"#.to_owned()),
        (Tf, iris(), r#"{"instances":[{"x":[1,2,3,4]}],"signature_name":"s"}"#.to_owned()),
        (Tf, iris(), r#"{"inputs":[[1,2,3,4],["NaN","Infinity","-Infinity",0]]}"#.to_owned()),
        (Tf, iris(), r#"{"inputs":{"x":[[1,2,3,4]]}}"#.to_owned()),
        (Infer, iris(), oip_with("[1,2,3,4]")),
        (Infer, iris(), oip_with("[[1,2,\"NaN\",4]]")),
        (Predict, iris(), oip_with("[]")),
        (
            Predict,
            iris(),
            r#"{"inputs":[{"name":"x","shape":[0,4],"datatype":"FP32",
                "parameters":{"binary_data_size":0}}],"outputs":[{"name":"y"}]}"#
                .to_owned(),
        ),
        (Predict, iris(), r#"{"instances":[[1,2,3,4]]}"#.to_owned()),
        (Predict, iris(), r#"{"inputs":[[1,2,3,4]]}"#.to_owned()),
        (Tf, words(), r#"{"instances":[{"text":"a","keep":[true]}]}"#.to_owned()),
        (Tf, words(), r#"{"instances":[{"text":{"b64":"aGk="},"keep":[]}]}"#.to_owned()),
        (Tf, audio(), r#"{"inputs":{"input":[[0]],"state":[[[0]]],"sr":16000}}"#.to_owned()),
        (Tf, audio(), r#"{"instances":[{"input":[0],"state":[],"sr":16000}]}"#.to_owned()),
    ];
    for (operation, signature, body) in cases {
        assert!(takes(operation, &signature, &body), "{operation:?} refuses {body}");
    }
}

#[test]
fn refuses_what_cannot_be_a_request() {
    use Operation::{OpenInferenceInfer as Infer, Predict, TensorflowPredict as Tf};
    let cases = [
        (Tf, iris(), r"[]"),
        (Tf, iris(), r"{}"),
        (Tf, iris(), r#"{"instances":[1,2,3,4]}"#),
        (Tf, iris(), r#"{"instances":[[1,"x"]]}"#),
        (Tf, iris(), r#"{"instances":[[[1]]]}"#),
        (Tf, iris(), r#"{"instances":[{"y":[1]}]}"#),
        (Tf, iris(), r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#),
        (Infer, iris(), r#"{"inputs":[{"name":"x","shape":[1]}]}"#),
        (Infer, iris(), r#"{"inputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[1]}]}"#),
        (Infer, iris(), r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":["a"]}]}"#),
        (Infer, iris(), r#"{"instances":[[1]]}"#),
        (Predict, iris(), r#"{"inputs":[1]}"#),
        (Tf, audio(), r#"{"inputs":{"input":[[0]],"state":[[[0]]],"sr":1.5}}"#),
        (Tf, audio(), r#"{"inputs":[[0]]}"#),
        (Tf, audio(), r#"{"instances":[{"input":[0],"state":[0],"sr":16000}]}"#),
        (Tf, words(), r#"{"instances":[{"text":1,"keep":[true]}]}"#),
    ];
    for (operation, signature, body) in cases {
        assert!(!takes(operation, &signature, body), "{operation:?} takes {body}");
    }
}

#[test]
fn only_inference_has_a_model_and_names_never_collide() {
    assert_eq!(request_model(Operation::TensorflowStatus, &iris()), None);
    assert!(request_models_for(Operation::OpenInferenceLive, "v1").is_empty());
    let names: std::collections::BTreeSet<String> = ["v1", "v10", "v1-0", "v1.0", "V1", "2024-06"]
        .iter()
        .map(|tag| model_name(Operation::Predict, tag).expect("a name"))
        .collect();
    assert_eq!(names.len(), 6);
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_alphanumeric())), "{names:?}");
}

#[test]
fn stays_small_whatever_the_signature() {
    let hostile = signature(
        (0..200).map(|_| ("n", DType::Float32, Some(vec![Dim::Unknown; 1_000]))).collect(),
    );
    for signature in [iris(), audio(), words(), hostile] {
        for operation in [Operation::Predict, Operation::OpenInferenceInfer] {
            let model = request_model(operation, &signature).expect("a model").to_string();
            assert!(model.len() < 3_000, "{} bytes", model.len());
            let root = request_model(operation, &signature).expect("a model");
            assert!(root["properties"].is_object(), "AWS wants a property at the root");
        }
    }
}
