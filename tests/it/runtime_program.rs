//! `gwtf-runtime` under AWS's Runtime Interface Emulator: answers, errors, limits, the log.

/// The HTTP host: health, drain, the log.
pub(crate) mod container;
/// Sandboxes that lack what a machine has.
mod hostile;
/// A task root, the emulator, proxy events.
pub(crate) mod root;

use crate::support::gwtf;
use root::{Emulator, TaskRoot, ended, event, request_lines};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const ROWS: &str = "[[5.1,3.5,1.4,0.2],[6.7,3.1,4.7,1.5]]";

/// What `gwtf infer` prints for a body.
fn infer(root: &TaskRoot, body: &[u8]) -> Vec<u8> {
    let input = root.path().join("request");
    fs_err::write(&input, body).unwrap();
    let mut command = gwtf(root.path());
    let library = crate::support::library().path;
    command.args(["infer", "model/model.onnx", "--input", "request"]);
    let output = command.arg("--onnxruntime").arg(library).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn the_emulator_gets_what_infer_gives_in_every_protocol() {
    let root = TaskRoot::new("iris");
    let emulator = Emulator::start(&root, 10, 512);
    let rows = format!("{{\"instances\":{ROWS}}}");
    let columns = format!("{{\"inputs\":{ROWS}}}");
    for (path, body) in [
        ("/predict", &rows),
        ("/v3/predict", &rows),
        ("/v1/models/iris:predict", &rows),
        ("/v1/models/iris/versions/3:predict", &columns),
    ] {
        let reply = emulator.invoke(&event("POST", path, &[JSON], body.as_bytes()));
        assert_eq!(reply.status(), 200, "{path}");
        assert_eq!(reply.0["isBase64Encoded"], false);
        assert_eq!(reply.header("x-gwtf-model-version"), Some("v3"));
        let expected = infer(&root, body.as_bytes());
        assert_eq!(reply.body(), expected.trim_ascii_end(), "{path}");
    }
    let npy = npy(&ROWS_F32);
    let headers = [("Content-Type", "application/x-npy")];
    let reply = emulator.invoke(&event("POST", "/predict", &headers, &npy));
    assert_eq!((reply.status(), &reply.0["isBase64Encoded"]), (200, &json!(true)));
    assert_eq!(reply.body(), infer(&root, &npy));
    let open = json!({"id": "r1", "inputs": [{
        "name": "features", "shape": [2, 4], "datatype": "FP32", "data": ROWS_F32.to_vec(),
    }]});
    let reply = emulator.invoke(&event(
        "POST",
        "/v2/models/iris/infer",
        &[JSON],
        open.to_string().as_bytes(),
    ));
    let expected: Value =
        serde_json::from_slice(&infer(&root, open.to_string().as_bytes())).unwrap();
    assert_eq!(reply.json()["outputs"], expected["outputs"]);
    assert_eq!(reply.json()["id"], "r1");
    let reply = emulator.invoke(&event("GET", "/v2/models/iris", &[], b""));
    assert_eq!((reply.status(), &reply.json()["name"]), (200, &json!("iris")));
}

#[test]
fn binary_tensors_go_through_both_ways() {
    let root = TaskRoot::new("iris");
    let emulator = Emulator::start(&root, 10, 512);
    let head = json!({
        "inputs": [{"name": "features", "shape": [2, 4], "datatype": "FP32",
            "parameters": {"binary_data_size": 32}}],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": true}}],
    })
    .to_string();
    let mut body = head.clone().into_bytes();
    body.extend(ROWS_F32.iter().flat_map(|value| value.to_le_bytes()));
    let length = head.len().to_string();
    let headers = [
        ("Content-Type", "application/octet-stream"),
        ("inference-header-content-length", &*length),
    ];
    let reply = emulator.invoke(&event("POST", "/v2/models/iris/infer", &headers, &body));
    assert_eq!((reply.status(), &reply.0["isBase64Encoded"]), (200, &json!(true)));
    let length = reply.header("inference-header-content-length").unwrap().parse().unwrap();
    let body = reply.body();
    let found: Vec<f32> = body[length..]
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    let rows = format!("{{\"instances\":{ROWS}}}");
    let expected: Value = serde_json::from_slice(&infer(&root, rows.as_bytes())).unwrap();
    let expected: Vec<f32> =
        serde_json::from_value::<Vec<Vec<f32>>>(expected["predictions"].clone()).unwrap().concat();
    assert_eq!(found, expected);
}

#[test]
fn events_of_every_form_are_answered() {
    let root = TaskRoot::new("iris");
    let emulator = Emulator::start(&root, 10, 512);
    let bare = json!({
        "path": "/predict", "httpMethod": "POST", "resource": null, "headers": null,
        "multiValueHeaders": null, "requestContext": null, "queryStringParameters": null,
        "pathParameters": null, "stageVariables": null, "isBase64Encoded": null,
        "body": format!("{{\"instances\":{ROWS}}}"),
    });
    let first = emulator.invoke(&bare);
    assert_eq!((first.status(), first.header("x-gwtf-cold-start")), (200, Some("true")));
    first.header("x-gwtf-init-ms").unwrap().parse::<u64>().unwrap();
    let second = emulator.invoke(&bare);
    assert_eq!((second.header("x-gwtf-cold-start"), second.header("x-gwtf-init-ms")), (None, None));
    assert_eq!(first.body(), second.body());
    // A custom domain's base path stands in `path`, the route in `resource`.
    let mut mapped = bare.clone();
    mapped["path"] = json!("/models/predict/");
    mapped["resource"] = json!("/predict");
    assert_eq!(emulator.invoke(&mapped).body(), first.body());
    let mut none = bare.clone();
    none["body"] = Value::Null;
    assert_eq!(emulator.invoke(&none).status(), 400);
    assert_eq!(emulator.invoke(&event("GET", "/predict", &[], b"")).status(), 405);
    assert_eq!(emulator.invoke(&event("GET", "/nothing", &[], b"")).status(), 404);
    let gzip = [JSON, ("Content-Encoding", "gzip")];
    assert_eq!(emulator.invoke(&event("POST", "/predict", &gzip, b"{}")).status(), 415);
}

#[test]
fn what_is_no_proxy_event_is_a_function_error_and_the_next_call_works() {
    let root = TaskRoot::new("iris");
    let emulator = Emulator::start(&root, 10, 512);
    let bad_body =
        json!({"path": "/predict", "httpMethod": "POST", "body": "%", "isBase64Encoded": true});
    for (payload, words) in [
        ("{\"hello\": \"world\"}".to_owned(), "proxy event"),
        ("[]".to_owned(), "proxy event"),
        ("{\"version\":\"2.0\",\"rawPath\":\"/\"}".to_owned(), "format 2.0"),
        (bad_body.to_string(), "no base64"),
    ] {
        let (_, document) = emulator.invoke_bytes(payload.as_bytes());
        assert_eq!(document["errorType"], "Runtime.InvalidEvent", "{payload}: {document}");
        let message = document["errorMessage"].as_str().unwrap();
        assert!(message.contains(words), "{payload}: {message}");
        assert_eq!(document["stackTrace"], json!([]));
    }
    assert_eq!(emulator.invoke(&event("GET", "/v2/health/ready", &[], b"")).status(), 200);
}

#[test]
fn a_reply_beyond_lambdas_limit_is_told_in_words() {
    let root = TaskRoot::new("iris");
    let emulator = Emulator::start(&root, 20, 512);
    let row = "[1,2,3,4]";
    let rows = |n: usize| format!("{{\"instances\":[{}]}}", vec![row; n].join(","));
    let reply = emulator.invoke(&event("POST", "/predict", &[JSON], rows(250_000).as_bytes()));
    assert_eq!(reply.status(), 413);
    let message = reply.json()["error"].as_str().unwrap().to_owned();
    assert!(message.contains("6291556") && message.contains("fewer rows"), "{message}");
    let reply = emulator.invoke(&event("POST", "/predict", &[JSON], rows(2).as_bytes()));
    assert_eq!(reply.status(), 200);
    let lines = request_lines(&emulator.read_log());
    assert_eq!(lines[0]["error"], "reply_too_large");
}

#[test]
fn a_run_that_does_not_end_is_ended_before_the_function_is() {
    let root = TaskRoot::new("slow");
    let emulator = Emulator::start(&root, 1, 512);
    // 30,000 steps over this many rows take several seconds.
    let rows = vec!["[1,2,3,4]"; 100_000].join(",");
    let body = format!("{{\"instances\":[{rows}]}}");
    let reply = emulator.invoke(&event("POST", "/predict", &[JSON], body.as_bytes()));
    assert_eq!(reply.status(), 504);
    assert!(reply.json()["error"].as_str().unwrap().contains("deadline"), "{:?}", reply.0);
    // The same process goes on, and the interrupt is no longer raised.
    let body = b"{\"instances\":[[1,2,3,4]]}";
    let next = emulator.invoke(&event("POST", "/predict", &[JSON], body));
    assert_eq!((next.status(), next.header("x-gwtf-cold-start")), (200, None));
}

#[test]
fn a_function_that_is_killed_is_followed_by_another() {
    let root = TaskRoot::new("iris");
    let emulator = Emulator::start(&root, 10, 512);
    let ready = event("GET", "/v2/health/ready", &[], b"");
    assert_eq!(emulator.invoke(&ready).status(), 200);
    let pid = emulator.function_pid().expect("the function waits for its next event");
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let replies: Vec<_> = (0..2).map(|_| emulator.invoke(&ready)).collect();
    let reply = replies.iter().find(|reply| reply.0["statusCode"] == 200);
    let reply = reply.unwrap_or_else(|| panic!("{replies:?}"));
    assert_eq!(reply.header("x-gwtf-cold-start"), Some("true"));
}

#[test]
fn a_start_that_fails_is_reported_and_ends_the_program() {
    type Damage = fn(&TaskRoot);
    let damage: [(&str, Damage, &str, &str); 4] = [
        (
            "a damaged model",
            |root| fs_err::write(root.path().join("model/model.onnx"), b"no model").unwrap(),
            "Runtime.ModelNotLoaded",
            "no ONNX model",
        ),
        (
            "another model",
            |root| {
                let other = crate::support::model("two-inputs");
                fs_err::copy(other, root.path().join("model/model.onnx")).unwrap();
            },
            "Runtime.ModelNotLoaded",
            "its manifest says",
        ),
        (
            "no library",
            |root| fs_err::remove_dir_all(root.path().join("lib")).unwrap(),
            "Runtime.LibraryNotLoaded",
            "libonnxruntime",
        ),
        (
            "no manifest",
            |root| fs_err::remove_file(root.path().join("gwtf.json")).unwrap(),
            "Runtime.InvalidArtefact",
            "gwtf.json",
        ),
    ];
    for (name, damage, kind, words) in damage {
        let root = TaskRoot::new("iris");
        damage(&root);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut command = root.bootstrap();
        command.env("AWS_LAMBDA_RUNTIME_API", address).stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{name}: {head}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        reader.get_mut().write_all(b"HTTP/1.1 202 A\r\nContent-Length: 0\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"), "{name}");
        let header = format!("Lambda-Runtime-Function-Error-Type: {kind}\r\n");
        assert!(head.contains(&header), "{name}: {head}");
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&document["errorType"], &document["stackTrace"]), (&json!(kind), &json!([])));
        let message = document["errorMessage"].as_str().unwrap();
        assert!(message.contains(words), "{name}: {message}");
        let (status, log) = ended(child);
        assert_eq!(status.code(), Some(3), "{name}");
        let line: Value = serde_json::from_str(log.trim_end()).unwrap();
        assert_eq!((&line["event"], &line["error"]), (&json!("ended"), &json!(kind)), "{name}");
    }
}

#[test]
fn the_emulator_tells_of_a_start_that_fails() {
    let root = TaskRoot::new("iris");
    fs_err::write(root.path().join("model/model.onnx"), b"no model").unwrap();
    let emulator = Emulator::start(&root, 10, 512);
    let (_, document) = emulator.invoke_bytes(b"{}");
    assert_eq!(document["errorType"], "Runtime.ModelNotLoaded", "{document}");
}

#[test]
fn the_log_says_what_happened_and_nothing_of_what_was_sent() {
    let root = TaskRoot::new("iris");
    let emulator = Emulator::start(&root, 10, 512);
    let secret = [JSON, ("X-Api-Key", "s3cret-key"), ("Authorization", "Bearer s3cret-token")];
    let body = b"{\"instances\":[[5.1234567,3.5,1.4,0.2]]}";
    emulator.invoke(&event("POST", "/predict", &secret, body));
    emulator.invoke(&event("POST", "/s3cret-path", &secret, b"{}"));
    emulator.invoke(&event("POST", "/predict", &secret, b"{\"s3cret-body\": 1}"));
    emulator.invoke_bytes(b"{\"path\": \"/s3cret-event\", \"httpMethod\": {}}");
    let log = emulator.read_log();
    assert!(!log.contains("s3cret") && !log.contains("5.1234567"), "{log}");
    let lines = request_lines(&log);
    let expected = [
        json!(["POST /predict", 200, null, 1]),
        json!([null, 404, "no_route", 0]),
        json!(["POST /predict", 400, "invalid_request", 0]),
        json!([null, null, "invalid_event", 0]),
    ];
    let found: Vec<Value> = lines
        .iter()
        .map(|line| json!([line["route"], line["status"], line["error"], line["ColdStart"]]))
        .collect();
    assert_eq!(found, expected);
    for line in &lines {
        assert_eq!((&line["Endpoint"], &line["Version"]), (&json!("iris"), &json!("v3")));
        assert_eq!(line["request_id"].as_str().unwrap().len(), 36);
    }
    assert_eq!(lines[0]["request_bytes"], body.len());
    assert_eq!(lines[0]["gateway_request_id"], "6f0b0f9e-0000-4000-8000-000000000000");
    assert!(lines[0]["InferenceTime"].is_number() && lines[0]["InitTime"].is_number());
}

#[test]
fn sigterm_ends_a_waiting_function_with_zero() {
    let root = TaskRoot::new("iris");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = root.bootstrap();
    let child = command.env("AWS_LAMBDA_RUNTIME_API", address).spawn().unwrap();
    // Its asking for an event is the sign that it has started.
    let (stream, _) = listener.accept().unwrap();
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    assert_eq!(line, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(ended(child).0.code(), Some(0));
}

const ROWS_F32: [f32; 8] = [5.1, 3.5, 1.4, 0.2, 6.7, 3.1, 4.7, 1.5];

/// An npy file of two rows of four.
fn npy(values: &[f32; 8]) -> Vec<u8> {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}
