//! The program that ships, in sandboxes: it answers as the same model served in this process does.

use crate::runtime_program::root::TaskRoot;
use crate::support::served::{Reply, Served};
use crate::support::{fixture, gwtf, model, python};
use serde_json::{Value, json};
use std::path::Path;
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
