//! What `serve` can be told: batching, no twin, a full queue, the model of gwtf.toml, HTTP/2.

use crate::support::served::{Reply, Served, request};
use crate::support::{gwtf, held_to_schema, model};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};

const PREDICT: &str = "/prod/predict";

/// The replies to these bodies, all sent at one moment.
fn at_once(served: &Served, bodies: &[String]) -> Vec<Reply> {
    let barrier = Arc::new(Barrier::new(bodies.len()));
    let threads: Vec<_> = bodies
        .iter()
        .map(|body| {
            let (barrier, body) = (Arc::clone(&barrier), body.clone());
            let authority = served.authority().to_owned();
            std::thread::spawn(move || {
                barrier.wait();
                let headers = [("content-type", "application/json")];
                request(&authority, "POST", PREDICT, &headers, body.as_bytes())
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn batched_requests_each_get_their_own_rows() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&model("two-inputs"), "--batch", "8:20ms", "--sessions", "1"];
    let served = Served::start(folder.path(), &arguments);
    // One to three rows, and tokens of two lengths, which cannot be in one batch.
    let rows = |n: usize| -> Vec<serde_json::Value> {
        let length = 1 + n % 2;
        (0..=n % 3)
            .map(|row| json!({"features": [n, row, 0], "tokens": vec![100 * n + row; length]}))
            .collect()
    };
    let bodies: Vec<String> = (0..24).map(|n| json!({"instances": rows(n)}).to_string()).collect();
    for (n, reply) in at_once(&served, &bodies).into_iter().enumerate() {
        assert_eq!(reply.status, 200, "{}", reply.text());
        let length = 1 + n % 2;
        let expected: Vec<serde_json::Value> = (0..=n % 3)
            .map(|row| {
                let score = (n + row + length * (100 * n + row)) as f64;
                json!({"score": score, "next_tokens": vec![100 * n + row + 1; length]})
            })
            .collect();
        assert_eq!(reply.json(), json!({"predictions": expected}), "request {n}");
    }
    // A request that is refused takes no other one with it.
    let mut mixed = bodies[..4].to_vec();
    mixed.push(r#"{"instances":[{"features":[1,2],"tokens":[1]}]}"#.to_owned());
    let statuses: Vec<u16> = at_once(&served, &mixed).iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 400]);
}

#[test]
fn a_full_queue_asks_to_come_back_later() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&model("slow"), "--sessions", "1", "--threads", "1", "--queue", "1"];
    let served = Served::start(folder.path(), &arguments);
    let bodies = vec![r#"{"instances":[[1,1,1,1]]}"#.to_owned(); 16];
    // One runs and one waits. On a machine so busy that the sixteen come one by one, again.
    let refused = (0..20)
        .flat_map(|_| at_once(&served, &bodies))
        .inspect(|reply| assert!(matches!(reply.status, 200 | 503), "{}", reply.text()))
        .find(|reply| reply.status == 503)
        .expect("a queue of one is full when sixteen come at once");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("x-amzn-errortype"), None, "the model's server says so, not AWS");
    assert!(refused.json()["error"].is_string(), "{}", refused.text());
    assert_eq!(served.post(PREDICT, &bodies[0]).status, 200);
}

#[test]
fn without_the_twin_there_are_no_limits_and_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[gateway]\nthrottle = { rate_rps = 0.001, burst = 1 }\n";
    fs_err::write(folder.path().join("gwtf.toml"), settings).unwrap();
    let served = Served::start(folder.path(), &[&model("iris"), "--bare"]);
    for _ in 0..3 {
        let reply = served.post(PREDICT, r#"{"instances":[[5.1,3.5,1.4,0.2]]}"#);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("x-amzn-requestid"), None);
    }
    assert_eq!(served.post("/prod/nothing", "{}").status, 404);
    assert_eq!(served.get(PREDICT).status, 405);
    let big = vec![b' '; 10_485_761];
    let json = [("content-type", "application/json")];
    assert_eq!(served.request("POST", PREDICT, &json, &big).status, 413);
    assert!(served.end().0.success());
    assert!(!folder.path().join(".gwtf/access.log").exists());
}

#[test]
fn the_model_and_its_limits_come_from_gwtf_toml() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::copy(model("iris"), folder.path().join("flowers.onnx")).unwrap();
    let settings = "[endpoint]\nname = \"flowers\"\nmodel = \"flowers.onnx\"\nstage = \"dev\"\n\
                    [gateway]\nthrottle = { rate_rps = 0.001, burst = 1 }\n";
    fs_err::write(folder.path().join("gwtf.toml"), settings).unwrap();
    let below = folder.path().join("below");
    fs_err::create_dir(&below).unwrap();
    // Found in a parent folder; its paths are its own.
    let served = Served::start(&below, &[]);
    assert_eq!(served.announced["endpoint"], "flowers");
    assert!(served.url().ends_with("/dev/predict"), "{}", served.url());
    let path = "/dev/v1/models/flowers:predict";
    let row = r#"{"instances":[[5.1,3.5,1.4,0.2]]}"#;
    assert_eq!(served.post(path, row).status, 200);
    assert_eq!(served.post(path, row).status, 429);
}

#[test]
fn http_2_and_one_connection_for_many_requests() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    fs_err::write(folder.path().join("row.json"), r#"{"instances":[[1,2,3,4]]}"#).unwrap();
    for version in [&["--http2"][..], &[]] {
        let mut command = gwtf(folder.path());
        command.args(["loadtest", "--json", "--url", served.url(), "--payload", "row.json"]);
        command.args(["--rps", "100", "--duration", "1s", "--connections", "1"]).args(version);
        let output = command.output().unwrap();
        let report = held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
        assert_eq!(report["outcomes"]["ok"]["count"], 100, "{:#}", report["outcomes"]);
        assert_eq!(report["generator"]["connections_opened"], 1, "{:#}", report["generator"]);
    }
}

#[test]
fn a_body_in_an_encoding_is_refused_and_npy_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    let gzip = [("content-type", "text/plain"), ("content-encoding", "gzip")];
    let reply = served.request("POST", PREDICT, &gzip, b"\x1f\x8b");
    assert_eq!((reply.status, reply.json()["error"].is_string()), (415, true));

    let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }";
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    npy.extend(format!("{head:<117}\n").into_bytes());
    npy.extend([5.1f32, 3.5, 1.4, 0.2].iter().flat_map(|value| value.to_le_bytes()));
    let reply = served.request("POST", PREDICT, &[("content-type", "application/x-npy")], &npy);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some("application/x-npy"));
    let setosa = f32::from_le_bytes(reply.body[128..132].try_into().unwrap());
    assert!((setosa - 0.99968).abs() < 1e-4, "{setosa}");
}

#[test]
fn a_stop_does_not_wait_for_connections_that_ask_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path(), &[&model("iris")]);
    let silent = TcpStream::connect(served.authority()).unwrap();
    let mut kept = TcpStream::connect(served.authority()).unwrap();
    kept.write_all(b"GET /prod/v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    // The first byte of the reply says that the connection is served.
    kept.read_exact(&mut [0]).unwrap();
    let (status, talk) = served.end();
    assert!(status.success(), "{status}");
    assert!(talk.contains("stopping") && !talk.contains("did not end"), "{talk}");
    drop(silent);
}
