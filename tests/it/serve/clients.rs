//! Clients that know nothing of gwtf: Triton's, and TensorFlow Serving's documented requests.

use crate::support::served::Served;
use crate::support::{fixture, model, python};
use serde_json::json;
use std::process::Command;

/// Runs `tests/clients/triton.py` against a `serve` of this fixture model.
#[track_caller]
fn triton(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model(name)]);
    let script = fixture("../tests/clients/triton.py");
    let mut command = Command::new(python());
    command.arg(script).arg(format!("{}/prod", served.authority())).arg(name);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn triton_client_with_iris() {
    triton("iris");
}

#[test]
fn triton_client_with_two_inputs() {
    triton("two-inputs");
}

#[test]
fn triton_client_with_every_element_type() {
    triton("all-dtypes");
}

/// Requests in the forms of TensorFlow Serving's REST documentation.
#[test]
fn tensorflow_serving_predicts_by_row_and_by_column() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("two-inputs")]);
    let rows = r#"{"signature_name":"serving_default","instances":[
        {"features":[1,1,1],"tokens":[1,2]},{"features":[1,1,1],"tokens":[3,4]}]}"#;
    let columns = r#"{"inputs":{"features":[[1,1,1],[1,1,1]],"tokens":[[1,2],[3,4]]}}"#;
    for path in [
        "/prod/v1/models/two-inputs:predict",
        "/prod/v1/models/two-inputs/versions/1:predict",
        "/prod/predict",
        "/prod/v1/predict",
    ] {
        let by_row = served.post(path, rows);
        assert_eq!(by_row.status, 200, "{path}: {}", by_row.text());
        assert_eq!(by_row.header("content-type"), Some("application/json"));
        assert_eq!(
            by_row.json(),
            json!({"predictions": [
                {"score": 6.0, "next_tokens": [2, 3]},
                {"score": 10.0, "next_tokens": [4, 5]},
            ]})
        );
        assert_eq!(
            served.post(path, columns).json(),
            json!({"outputs": {"score": [6.0, 10.0], "next_tokens": [[2, 3], [4, 5]]}})
        );
    }
}

#[test]
fn tensorflow_serving_tells_status_and_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    let status = served.get("/prod/v1/models/iris");
    assert_eq!(status.status, 200, "{}", status.text());
    assert_eq!(
        status.json(),
        json!({"model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
        ]})
    );
    let metadata = served.get("/prod/v1/models/iris/metadata").json();
    assert_eq!(metadata["model_spec"]["name"], "iris");
    assert_eq!(metadata["model_spec"]["version"], "1");
    let signature = &metadata["metadata"]["signature_def"]["signature_def"]["serving_default"];
    assert_eq!(signature["inputs"]["features"]["dtype"], "DT_FLOAT", "{metadata:#}");
}

#[test]
fn tensorflow_serving_errors_are_an_object_with_error() {
    let folder = tempfile::tempdir().unwrap();
    // Without the twin nothing is refused before the model's own parser sees it.
    let served = Served::start(folder.path(), &[&model("iris"), "--bare"]);
    for (body, named) in [
        (r#"{"instances":[[1,2,3]]}"#, "features"),
        (r#"{"instances":[[1,2,3,"x"]]}"#, "features"),
        (r#"{"instances":[{"petals":[1,2,3,4]}]}"#, "petals"),
        (r#"{"instances":[[1,2,3,4],[1,2]]}"#, "features"),
        (r#"{"instances":[[1,2,3,1e39]]}"#, "1e39"),
        (r#"{"instances":"#, "instances"),
        ("[1,", "JSON"),
        ("{}", "instances"),
    ] {
        let reply = served.post("/prod/v1/models/iris:predict", body);
        assert_eq!(reply.status, 400, "{body}");
        let document = reply.json();
        let message = document["error"].as_str().unwrap();
        assert!(message.contains(named), "{body}: {message}");
        assert_eq!(document.as_object().unwrap().len(), 1);
    }
}
