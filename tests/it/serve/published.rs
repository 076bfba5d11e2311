//! A published model: silero-vad's voice detector, with its three inputs and control flow.

use crate::support::served::Served;
use crate::support::{gwtf, held_to_schema, silero};
use serde_json::{Value, json};
use std::path::Path;

/// Samples of one chunk at 16 kHz.
const CHUNK_SAMPLES: usize = 512;

/// One chunk: a sum of two tones, an empty state, the rate as a scalar.
fn request() -> String {
    let tone = |n: usize, hz: f64| (n as f64 / 16_000.0 * hz * std::f64::consts::TAU).sin();
    let input: Vec<f64> =
        (0..CHUNK_SAMPLES).map(|n| 0.3 * tone(n, 220.0) + 0.2 * tone(n, 660.0)).collect();
    let state = vec![vec![vec![0.0; 128]; 1]; 2];
    json!({"inputs": {"input": [input], "state": state, "sr": 16_000}}).to_string()
}

fn run(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = gwtf(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The speech probability and the next state, each in its range.
fn checked(reply: &[u8]) -> Value {
    let document: Value = serde_json::from_slice(reply).unwrap();
    let probability = document["outputs"]["output"][0][0].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&probability), "{probability}");
    let state: Vec<f64> =
        serde_json::from_value::<Vec<Vec<Vec<f64>>>>(document["outputs"]["stateN"].clone())
            .unwrap()
            .concat()
            .concat();
    assert_eq!(state.len(), 256);
    // An LSTM's hidden state is a product of a sigmoid and a tanh; it has seen something.
    assert!(state.iter().all(|value| value.is_finite()));
    assert!(state.iter().any(|value| *value != 0.0));
    document
}

#[test]
fn silero_vad_is_inspected_and_served_as_it_infers() {
    let (folder, model) = (tempfile::tempdir().unwrap(), silero());
    let model = model.to_str().unwrap();
    let text = String::from_utf8(run(folder.path(), &["inspect", model])).unwrap();
    for (name, dtype) in [("input", "float32"), ("state", "float32"), ("sr", "int64")] {
        let told = text.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().take(3).collect();
            words == ["input", name, dtype]
        });
        assert!(told, "{name} in {text}");
    }
    let path = folder.path().join("chunk.json");
    fs_err::write(&path, request()).unwrap();
    let inferred = checked(&run(folder.path(), &["infer", model, "--input", "chunk.json"]));

    let served = Served::start(folder.path(), &[model]);
    let reply = served.post("/prod/predict", &request());
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(checked(&reply.body), inferred);
    // The state that came out goes in with the next chunk.
    let mut next: Value = serde_json::from_str(&request()).unwrap();
    next["inputs"]["state"] = inferred["outputs"]["stateN"].clone();
    let reply = served.post("/prod/predict", &next.to_string());
    assert_ne!(checked(&reply.body), inferred);
    // A chunk of another length is the request's fault, whatever the model makes of it.
    next["inputs"]["state"] = json!([[[0.0]]]);
    let reply = served.post("/prod/predict", &next.to_string());
    assert_eq!(reply.status, 400, "{}", reply.text());
}

#[test]
fn loaded_silero_vad_answers_every_request() {
    let (folder, model) = (tempfile::tempdir().unwrap(), silero());
    fs_err::write(folder.path().join("chunk.json"), request()).unwrap();
    let line = "--json --rps 50 --duration 3s --payload chunk.json";
    let mut arguments = vec!["loadtest", model.to_str().unwrap()];
    arguments.extend(line.split(' '));
    let output = gwtf(folder.path()).args(&arguments).output().unwrap();
    let report = held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(report["outcomes"]["ok"]["count"], 150, "{:#}", report["outcomes"]);
    assert_eq!(report["completed"], 150);
}
