//! `invoke` through the program: what is sent, what is printed where, how it ends.

#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

use crate::support::served::Served;
use crate::support::{gwtf, model};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};

/// Runs `gwtf invoke --input -` with this body on stdin.
fn invoke(folder: &Path, body: &[u8], arguments: &[&str]) -> Output {
    let mut command = gwtf(folder);
    command.args(["invoke", "--input", "-"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(body);
    child.wait_with_output().unwrap()
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server that answers one request with these bytes; its URL and what it got.
fn answering(reply: Vec<u8>) -> (String, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/prod/predict", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        while !got.windows(4).any(|four| four == b"\r\n\r\n") {
            let count = socket.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..count]);
        }
        socket.write_all(&reply).unwrap();
        got
    });
    (url, server)
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// The endpoint's own forms, each by its bytes alone, and a pinned version.
#[test]
fn every_format_reaches_the_model_and_its_reply_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let iris = model("iris");
    let deploy = ["deploy", &iris, "--version", "v1", "--target", "local"];
    assert!(gwtf(folder.path()).args(deploy).output().unwrap().status.success());
    let served = Served::start(folder.path(), &[]);
    let stage = served.url().strip_suffix("/predict").unwrap();
    let flower: [f32; 4] = [5.1, 3.5, 1.4, 0.2];
    let bytes: Vec<u8> = flower.iter().flat_map(|value| value.to_le_bytes()).collect();

    let rows = br#"{"instances": [[5.1, 3.5, 1.4, 0.2]]}"#;
    for arguments in [&["--url", served.url()][..], &["--url", stage, "--version", "v1"]] {
        let output = invoke(folder.path(), rows, arguments);
        let text = talk(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(output.stdout.starts_with(br#"{"predictions":[["#), "{output:?}");
        assert!(
            text.starts_with("200 OK in ") && text.contains(", version v1, request "),
            "{text}"
        );
    }

    let input = gwtf(folder.path()).args(["inspect", &iris, "--json"]).output().unwrap();
    let input: serde_json::Value = serde_json::from_slice(&input.stdout).unwrap();
    let name = input["inputs"][0]["name"].as_str().unwrap();
    let json = serde_json::json!({"inputs": [{"name": name, "shape": [1, 4], "datatype": "FP32",
        "parameters": {"binary_data_size": 16}}], "parameters": {"binary_data_output": true}});
    let binary = [json.to_string().as_bytes(), &bytes].concat();
    let endpoint = served.announced["endpoint"].as_str().unwrap();
    let route = format!("v2/models/{endpoint}/infer");
    for arguments in [&["--url", served.url()][..], &["--url", stage, "--path", &route]] {
        let output = invoke(folder.path(), &binary, arguments);
        assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
        let (head, tensor) = output.stdout.split_at(output.stdout.len() - 12);
        assert!(head.starts_with(b"{") && head.ends_with(b"}"), "{output:?}");
        let share = f32::from_le_bytes(tensor[..4].try_into().unwrap());
        assert!((share - 0.9997).abs() < 1e-3, "{share}");
    }

    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }".to_owned();
    let header = format!("{header:<117}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let npy = [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), &bytes].concat();
    let output = invoke(folder.path(), &npy, &["--url", served.url()]);
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    assert!(output.stdout.starts_with(b"\x93NUMPY"), "{output:?}");

    let unknown = invoke(folder.path(), rows, &["--url", stage, "--version", "v9"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(talk(&unknown).contains("hint: there is no such route"), "{}", talk(&unknown));
}

#[test]
fn a_replys_bytes_are_left_alone_and_its_facts_told() {
    let folder = tempfile::tempdir().unwrap();
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let headers = "x-gwtf-model-version: v7\r\nx-gwtf-cold-start: true\r\nx-gwtf-init-ms: 321\r\n\
                   x-amzn-requestid: abc-1\r\n";
    let (url, server) = answering(reply("201 Created", headers, &body));
    let output = invoke(folder.path(), b"{}", &["--url", &url, "--header", "X-Own: b"]);
    assert_eq!((output.status.code(), output.stdout), (Some(0), body));
    let text = String::from_utf8(output.stderr).unwrap();
    let facts = " ms, version v7, cold start (321 ms), request abc-1\n";
    assert!(text.starts_with("201 Created in ") && text.ends_with(facts), "{text}");
    let got = String::from_utf8(server.join().unwrap()).unwrap();
    assert!(got.starts_with("POST /prod/predict HTTP/1.1\r\n"), "{got}");
    for line in ["x-own: b", "content-type: application/json", "content-length: 2"] {
        assert!(got.contains(&format!("{line}\r\n")), "{got}");
    }
    assert!(!got.contains("authorization"), "{got}");

    let (url, server) = answering(reply("200 OK", "", b"{}"));
    let quiet = invoke(folder.path(), b"{}", &["--url", &url, "--json", "-q"]);
    assert_eq!((quiet.stdout, quiet.stderr), (b"{}".to_vec(), Vec::new()));
    server.join().unwrap();
}

/// Nothing of a refusal is taken for a reply, and nothing of it reaches the terminal's controls.
#[test]
fn a_refusal_is_told_on_stderr_alone() {
    let folder = tempfile::tempdir().unwrap();
    let headers = "x-amzn-errortype: LimitExceededException\r\nx-amzn-requestid: abc-1\r\n";
    let (url, server) =
        answering(reply("429 Too Many", headers, b"{\"message\":\"Limit\x1b[31m Exceeded\"}"));
    let output = invoke(folder.path(), b"{}", &["--url", &format!("{url}?token=hunter2")]);
    server.join().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let shown = url.as_str();
    assert_eq!(
        talk(&output),
        format!(
            "error: `{shown}?token=…`: 429 Too Many Requests (LimitExceededException, request \
             abc-1): {{\"message\":\"Limit [31m Exceeded\"}}\n\nhint: the key's quota is used up: it \
             starts anew with the next period of its usage plan\n"
        )
    );

    // A redirect would take the credentials somewhere else.
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("location: http://{}/\r\n", elsewhere.local_addr().unwrap());
    let (url, server) = answering(reply("307 Temporary Redirect", &location, b""));
    let output = invoke(folder.path(), b"{}", &["--url", &url]);
    server.join().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(talk(&output).contains("redirects are not followed"), "{}", talk(&output));
    elsewhere.set_nonblocking(true).unwrap();
    assert!(elsewhere.accept().is_err(), "the redirect was followed");
}

#[test]
fn who_cannot_be_reached_and_what_cannot_be_sent_end_differently() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/prod/predict", listener.local_addr().unwrap());
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = format!("http://{free}/prod/predict");
    let cut = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_vec());
    let url = closed.as_str();
    let long = vec![b' '; 10_485_761];
    let cases: [(&[u8], &[&str], i32, &str); 8] = [
        (b"{}", &["--url", &silent, "--timeout", "100ms"], 3, "hint: allow more time"),
        (b"{}", &["--url", url], 3, "hint: check the URL"),
        (b"{}", &["--url", &cut.0], 3, "error: "),
        (&long, &["--url", url], 2, "hint: API Gateway takes a body of 10 MB at most"),
        (b"{}", &["--url", "nonsense"], 2, "error: url `nonsense`"),
        (b"{}", &["--url", url, "--header", "Content-Length: 3"], 2, "`Content-Length`"),
        (b"{}", &["--url", url, "--header", "hunter2"], 2, "a header without a colon"),
        (b"{}", &["--target", "ecs"], 2, "error: target `ecs`: "),
    ];
    for (body, arguments, code, part) in cases {
        let output = invoke(folder.path(), body, arguments);
        let text = talk(&output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{text}");
        assert!(text.contains(part) && !text.contains("hunter2"), "{arguments:?}: {text}");
    }
}
