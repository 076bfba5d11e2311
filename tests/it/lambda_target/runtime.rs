//! The program that ships, in sandboxes: it answers as the same model served in this process does.

use crate::runtime_program::root::TaskRoot;
use crate::support::served::{Reply, Served};
use crate::support::{fixture, gwtf, model, python};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An artefact of a fixture model, as version `v1`.
fn artefact(name: &str) -> TaskRoot {
    let root = TaskRoot::new(name);
    let path = root.path().join("gwtf.json");
    let mut manifest: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    manifest["version"] = json!("v1");
    fs_err::write(path, manifest.to_string()).unwrap();
    root
}

fn served(folder: &Path, root: &TaskRoot) -> Served {
    Served::start(folder, &["--package", root.path().to_str().unwrap()])
}

/// Status, kind and body: what does not differ from request to request.
fn said(reply: &Reply) -> (u16, Option<&str>, Option<&str>, &[u8]) {
    let kind = reply.header("content-type");
    (reply.status, kind, reply.header("x-gwtf-model-version"), &reply.body)
}

#[test]
fn every_protocol_is_answered_as_in_this_process() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let root = artefact("iris");
    let sandboxed = served(folders[0].path(), &root);
    let here = Served::start(folders[1].path(), &[&model("iris")]);
    const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
    let rows = "[[5.1,3.5,1.4,0.2],[6.7,3.1,4.7,1.5]]";
    let by_row = format!("{{\"instances\":{rows}}}").into_bytes();
    let by_column = format!("{{\"inputs\":{rows}}}").into_bytes();
    let values = [5.1f32, 3.5, 1.4, 0.2];
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let open = json!({"id": "r1", "inputs": [
        {"name": "features", "shape": [1, 4], "datatype": "FP32", "data": values.to_vec()},
    ]});
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }";
    npy.extend(format!("{head:<117}\n").into_bytes());
    npy.extend(&bytes);
    let head = json!({"inputs": [{"name": "features", "shape": [1, 4], "datatype": "FP32",
            "parameters": {"binary_data_size": 16}}],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": true}}]})
    .to_string();
    let length = head.len().to_string();
    // As Triton's clients send it: without a content type.
    let binary_headers = [("inference-header-content-length", length.as_str())];
    let binary = [head.as_bytes(), &bytes].concat();
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Vec<u8>);
    let cases: Vec<Case<'_>> = vec![
        ("POST", "/prod/predict", JSON, by_row.clone()),
        ("POST", "/prod/v1/predict", JSON, by_column.clone()),
        ("POST", "/prod/v1/models/iris:predict", JSON, by_row.clone()),
        ("POST", "/prod/v1/models/iris/versions/1:predict", JSON, by_column),
        ("POST", "/prod/v2/models/iris/infer", JSON, open.to_string().into_bytes()),
        ("POST", "/prod/v2/models/iris/versions/v1/infer", &binary_headers, binary),
        ("POST", "/prod/predict", &[("content-type", "application/x-npy")], npy),
        ("GET", "/prod/v1/models/iris", &[], Vec::new()),
        ("GET", "/prod/v1/models/iris/metadata", &[], Vec::new()),
        ("GET", "/prod/v2/models/iris", &[], Vec::new()),
        ("GET", "/prod/v2/health/ready", &[], Vec::new()),
        ("GET", "/prod/v2", &[], Vec::new()),
        // Refused by the gateway, refused by the model.
        ("POST", "/prod/predict", JSON, b"{\"instances\":1}".to_vec()),
        ("POST", "/prod/predict", &[("content-type", "text/plain")], b"{}".to_vec()),
        ("POST", "/prod/nothing", JSON, Vec::new()),
    ];
    for (method, path, headers, body) in &cases {
        let (from_sandbox, expected) = (
            sandboxed.request(method, path, headers, body),
            here.request(method, path, headers, body),
        );
        assert_eq!(said(&from_sandbox), said(&expected), "{method} {path}");
    }
    let input = folders[0].path().join("request.json");
    fs_err::write(&input, &by_row).unwrap();
    let mut infer = gwtf(folders[0].path());
    let output = infer.args(["infer", &model("iris"), "--input", "request.json"]).output().unwrap();
    let reply = sandboxed.request("POST", "/prod/predict", JSON, &by_row);
    assert_eq!(reply.body, output.stdout.trim_ascii_end());
}

#[test]
fn the_first_reply_of_a_sandbox_says_that_it_was_cold() {
    let folder = tempfile::tempdir().unwrap();
    let root = artefact("iris");
    let served = served(folder.path(), &root);
    let cold = |reply: &Reply| {
        reply.headers.iter().filter(|(name, _)| name == "x-gwtf-cold-start").count()
    };
    let path = "/prod/v2/health/ready";
    assert_eq!((cold(&served.get(path)), cold(&served.get(path))), (1, 0));
}

/// Triton's own client, whose tensors are binary and go without a content type.
#[test]
fn triton_client_with_every_element_type() {
    let folder = tempfile::tempdir().unwrap();
    let root = artefact("all-dtypes");
    let served = served(folder.path(), &root);
    let mut command = Command::new(python());
    let place = format!("{}/prod", served.authority());
    command.arg(fixture("../tests/clients/triton.py")).args([place.as_str(), "all-dtypes"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a test build has beside its program would take a minute to compress.
fn stripped_program(folder: &Path) -> PathBuf {
    let path = folder.join("gwtf-runtime");
    let mut strip = Command::new("strip");
    strip.args([env!("CARGO_BIN_EXE_gwtf-runtime"), "-o"]).arg(&path);
    assert!(strip.status().unwrap().success());
    path
}

#[test]
fn what_package_writes_is_run_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let program = stripped_program(folder.path());
    for (form, name) in
        [("lambda-zip", "iris.zip"), ("lambda-image", "lambda"), ("ecs-image", "ecs")]
    {
        let mut package = gwtf(folder.path());
        package.args(["package", &model("iris"), "--target", form, "-o", name]);
        let output = package.env("GWTF_RUNTIME", &program).output().unwrap();
        assert!(output.status.success(), "{form}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let input = json!({"instances": [[5.1, 3.5, 1.4, 0.2]]}).to_string();
    fs_err::write(folder.path().join("request.json"), &input).unwrap();
    let mut infer = gwtf(folder.path());
    let output = infer.args(["infer", &model("iris"), "--input", "request.json"]).output().unwrap();
    for form in ["iris.zip", "lambda"] {
        let served = Served::start(folder.path(), &["--package", form]);
        let reply = served.post("/prod/predict", &input);
        assert_eq!(reply.status, 200, "{form}: {}", reply.text());
        assert_eq!(reply.body, output.stdout.trim_ascii_end(), "{form}");
    }
    let mut command = gwtf(folder.path());
    let refused = command.args(["serve", "--package", "ecs"]).output().unwrap();
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{text}");
    assert!(text.contains("it is an image for ECS") && text.contains("ECS target"), "{text}");
}

#[test]
fn a_model_under_target_lambda_is_packaged_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let program = stripped_program(folder.path());
    fs_err::write(folder.path().join("gwtf.toml"), "[endpoint]\ntarget = \"lambda\"\n").unwrap();
    let mut command = gwtf(folder.path());
    command.args(["serve", &model("iris"), "--port", "0", "--json"]).env("GWTF_RUNTIME", &program);
    let served = Served::spawn(command);
    let input = json!({"instances": [[5.1, 3.5, 1.4, 0.2]]}).to_string();
    let cold = |reply: &Reply| reply.header("x-gwtf-cold-start").is_some();
    let replies = [0, 1].map(|_| served.post("/prod/predict", &input));
    assert_eq!(replies.each_ref().map(|reply| reply.status), [200, 200]);
    assert_eq!(replies.each_ref().map(cold), [true, false]);
}
