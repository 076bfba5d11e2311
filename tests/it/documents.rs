//! The documents of `inspect`, `doctor` and `serve` against their schemas.
//!
//! Those of releases and of load tests are held to theirs where their commands are tested.

use crate::support::{fixture, gwtf, held_to_schema, library};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;

/// What the program prints with `--json` in `folder`, and its exit code.
fn document(folder: &Path, arguments: &[&str]) -> (Value, i32) {
    let output = gwtf(folder).args(arguments).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (held_to_schema(&text), output.status.code().unwrap())
}

#[test]
fn inspect_follows_its_schema_for_every_fixture() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = 0;
    for entry in fs_err::read_dir(fixture("models")).unwrap() {
        let model = entry.unwrap().path().join("model.onnx");
        if model.is_file() {
            let (document, code) = document(folder.path(), &["inspect", model.to_str().unwrap()]);
            assert_eq!((&document["schema"], code), (&"gwtf.model/v1".into(), 0));
            seen += 1;
        }
    }
    assert!(seen >= 9, "{seen}");
}

#[test]
fn doctor_follows_its_schema_in_every_state() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = library().path;
    let no_library = folder.path().join("none.so");
    fs_err::write(&no_library, "no library").unwrap();
    let cases: [(&[&str], &str, i32); 2] = [
        (&["--onnxruntime", loaded.to_str().unwrap()], "loaded", 0),
        (&["--onnxruntime", no_library.to_str().unwrap()], "broken", 3),
    ];
    for (flags, state, code) in cases {
        let arguments: Vec<&str> = ["doctor"].iter().chain(flags).copied().collect();
        let (document, found) = document(folder.path(), &arguments);
        assert_eq!((&document["onnxruntime"]["state"], found), (&state.into(), code));
    }
    // Nothing cached, nothing to fetch with.
    let output = gwtf(folder.path())
        .args(["doctor", "--json"])
        .env("XDG_CACHE_HOME", folder.path())
        .env("HOME", folder.path())
        .env("PATH", folder.path())
        .env_remove("ORT_DYLIB_PATH")
        .output()
        .unwrap();
    let document = held_to_schema(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(document["onnxruntime"]["state"], "not_cached");
    assert_eq!(output.status.code(), Some(3));
}

/// A request that never ends keeps a stopping server for its whole drain; a second Ctrl-C does not
/// wait for it.
#[test]
fn a_second_interrupt_ends_serve_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("models/iris/model.onnx");
    let mut server = gwtf(folder.path())
        .args(["serve", model.to_str().unwrap(), "--port", "0", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    while !text.ends_with("}\n") {
        assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let document = held_to_schema(&text);
    let address = document["url"].as_str().unwrap().split('/').nth(2).unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(
            b"POST /prod/predict HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n\
              content-length: 9\r\n\r\n",
        )
        .unwrap();
    // The host asks for the body: the request is under way.
    let mut line = String::new();
    BufReader::new(client.try_clone().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 100"), "{line}");
    let pid = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut stderr = BufReader::new(server.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("again to stop at once") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(130), "the drain was waited for");
    drop(client);
}

#[test]
fn serve_follows_its_schema_and_ends_well_when_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("models/iris/model.onnx");
    let mut server = gwtf(folder.path())
        .args(["serve", model.to_str().unwrap(), "--port", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut stdout = BufReader::new(server.stdout.take().unwrap());
    while !text.ends_with("}\n") {
        assert_ne!(stdout.read_line(&mut text).unwrap(), 0, "{text}");
    }
    let document = held_to_schema(&text);
    assert_eq!(document["schema"], "gwtf.serve/v1");
    assert_eq!(document["endpoint"], "iris");
    let pid = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

/// What the contract has and this version does not is named as such.
#[test]
fn flags_that_are_to_come_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "loadtest m.onnx --rps 1 --workers ecs:2";
    let output = gwtf(folder.path()).args(arguments.split(' ')).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("the targets on AWS"), "{text}");
}

#[test]
fn sizes_of_open_dimensions_reach_the_made_request() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("models/two-inputs/model.onnx");
    let run = |dims: &[&str]| {
        let mut command = gwtf(folder.path());
        command.args(["loadtest", model.to_str().unwrap(), "--rps", "20", "--duration", "200ms"]);
        command.args(dims).arg("--json").output().unwrap()
    };
    let body_bytes = |dims: &[&str]| {
        let output = run(dims);
        let document = held_to_schema(&String::from_utf8(output.stdout).unwrap());
        assert_eq!(document["outcomes"]["ok"]["count"], 4, "{document:#}");
        let payload = document["run"]["payload"].as_str().unwrap().to_owned();
        payload.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
    };
    assert!(body_bytes(&["--dim", "length=64"]) > body_bytes(&[]) + 2 * 50);
    for (dims, cause) in [
        ("nothing=4", "dimension `nothing`: no input leaves it open"),
        ("length=0", "write NAME=N with N above 0"),
        ("length", "write NAME=N with N above 0"),
    ] {
        let output = run(&["--dim", dims]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(cause), "{text}");
    }
}

/// Whether a rate is missed by the objective or by a busy machine, the search says which.
#[test]
fn every_rate_that_a_search_missed_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("models/iris/model.onnx");
    let output = gwtf(folder.path())
        .args(["loadtest", model.to_str().unwrap(), "--rps", "50", "--duration", "200ms"])
        .args(["--throttle", "60:1", "--find-max", "--assert", "rate(throttled)<1%", "--json"])
        .output()
        .unwrap();
    let document = held_to_schema(&String::from_utf8(output.stdout).unwrap());
    let probes = document["find_max"]["probes"].as_array().unwrap();
    let missed = probes.iter().filter(|probe| probe["holds"] == false);
    let notes: Vec<&str> = missed.map(|probe| probe["note"].as_str().unwrap()).collect();
    assert!(!notes.is_empty(), "{document:#}");
    let told =
        |note: &&str| note.starts_with("rate(throttled)<1% was ") || note.contains("generator");
    assert!(notes.iter().all(told), "{notes:?}");
}
