//! The command line: bad input gets a clear error and loses nothing; stdout holds results alone.

/// Servers that stall, reset, answer garbage or never answer.
mod hostile;

use crate::support::{fixture, gwtf, held_to_schema, model};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

fn run(folder: &Path, line: &str) -> Output {
    gwtf(folder).args(line.split(' ')).stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The exit code, an `error:` line with all of `named` in it, a hint, and nothing on stdout.
#[track_caller]
fn assert_refused(folder: &Path, line: &str, exit: i32, named: &[&str]) {
    let output = run(folder, line);
    let talk = stderr(&output);
    assert_eq!(output.status.code(), Some(exit), "{line}: {talk}");
    let error = talk.lines().find_map(|line| line.strip_prefix("error: "));
    let error = error.unwrap_or_else(|| panic!("{line}: no error line in {talk}"));
    for wanted in named {
        assert!(error.contains(wanted), "{line}: `{wanted}` is not in: {error}");
    }
    let hint = talk.lines().find_map(|line| line.strip_prefix("hint: "));
    assert!(hint.is_some_and(|hint| !hint.is_empty()), "{line}: no hint in {talk}");
    assert!(!talk.contains("panicked"), "{talk}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{line}");
}

/// Files that are no model, each under a name that says what it is.
fn with_bad_models(folder: &Path) {
    let iris = fs_err::read(model("iris")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs_err::write(folder.join(name), bytes).unwrap();
    fs_err::create_dir(folder.join("folder.onnx")).unwrap();
    write("text.onnx", b"hello, this is text\n");
    write("empty.onnx", b"");
    write("truncated.onnx", &iris[..iris.len() / 2]);
    let mut corrupted = iris.clone();
    corrupted[200..260].iter_mut().for_each(|byte| *byte ^= 0xff);
    write("corrupted.onnx", &corrupted);
    let external = fs_err::read(model("external-data")).unwrap();
    write("external.onnx", &external);
    // The last bytes are the opset's version: field 2 of the import, 21.
    let mut newer = iris;
    assert_eq!(newer.split_off(newer.len() - 2), [0x10, 21]);
    newer.extend([0x10, 99]);
    write("opset.onnx", &newer);
    let operator = fs_err::read(fixture("runtime/refused_operator.onnx")).unwrap();
    write("operator.onnx", &operator);
}

#[test]
fn a_file_that_is_no_usable_model_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    with_bad_models(folder);
    fs_err::write(folder.join("row.json"), r#"{"instances":[[1,2,3,4]]}"#).unwrap();
    let files: [(&str, &str); 7] = [
        ("nothing.onnx", "no such file"),
        ("folder.onnx", "a folder"),
        ("text.onnx", "a text file"),
        ("empty.onnx", "empty file"),
        ("truncated.onnx", "cut short"),
        ("corrupted.onnx", "corrupted"),
        ("external.onnx", "weights.bin"),
    ];
    let needs_runtime = [("opset.onnx", "opset 99"), ("operator.onnx", "Nope")];
    let commands = [
        "inspect FILE",
        "deploy FILE --version v1 --target local",
        "infer FILE --input row.json",
        "serve FILE --port 0",
        "loadtest FILE --rps 10 --duration 1s",
    ];
    for command in commands {
        for (file, wanted) in files {
            assert_refused(folder, &command.replace("FILE", file), 2, &[file, wanted]);
        }
    }
    for command in &commands[2..] {
        for (file, wanted) in needs_runtime {
            assert_refused(folder, &command.replace("FILE", file), 2, &[file, wanted]);
        }
    }
    let deploy = "deploy opset.onnx --version v1 --target local";
    assert_refused(folder, deploy, 2, &["opset.onnx", "opset 99"]);
    // Nothing was released and nothing is left over.
    let store = folder.join(".gwtf");
    assert!(!store.join("ledger.json").exists());
    let models = fs_err::read_dir(store.join("models")).map(Iterator::count).unwrap_or(0);
    assert_eq!(models, 0, "no artefact of a refused deploy stays");
}

#[test]
fn a_request_that_does_not_fit_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let deep = format!("{{\"instances\":{}", "[".repeat(100_000));
    let big = " ".repeat(10 * 1024 * 1024 + 1);
    let cases: [(&str, &str, &[&str]); 11] = [
        ("shape", r#"{"instances":[[1,2,3]]}"#, &["`features`", "float32[batch,4]", "[1, 3]"]),
        ("dtype", r#"{"instances":[["a",2,3,4]]}"#, &["`features`", "float32", "\"a\""]),
        ("name", r#"{"instances":[{"x":[1,2,3,4]}]}"#, &["`x`", "`features`"]),
        ("ragged", r#"{"instances":[[1,2,3,4],[1,2]]}"#, &["`features`", "ragged"]),
        ("range", r#"{"instances":[[1,2,3,1e39]]}"#, &["`features`", "1e39", "out of range"]),
        ("deep", &deep, &["body", "deeper"]),
        ("half", r#"{"instances":"#, &["instances"]),
        ("list", "[[1,2,3,4]]", &["JSON"]),
        ("nothing", "", &["empty"]),
        ("binary", "\u{0}\u{1}\u{2}", &["JSON"]),
        ("big", &big, &["big.json", "10485760"]),
    ];
    let iris = model("iris");
    for (name, body, wanted) in cases {
        fs_err::write(folder.join(format!("{name}.json")), body).unwrap();
        let line = format!("infer {iris} --input {name}.json");
        assert_refused(folder, &line, 2, wanted);
    }
    assert_refused(folder, &format!("infer {iris} --input gone.json"), 2, &["gone.json"]);
    let line = format!("loadtest {iris} --rps 10 --duration 1s --payload gone.json");
    assert_refused(folder, &line, 2, &["gone.json"]);
}

#[test]
fn a_flag_that_makes_no_sense_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let iris = model("iris");
    let cases: [(&str, i32, &[&str]); 19] = [
        ("--rps 0", 2, &["--rps", "`0`"]),
        ("--rps -1", 2, &["--rps", "`-1`"]),
        ("--rps x", 2, &["--rps", "`x`"]),
        ("--rps NaN", 2, &["--rps", "`NaN`"]),
        ("--rps 1e300", 2, &["--rps", "`1e300`"]),
        ("--duration 1s", 2, &["--rps"]),
        ("--rps 9 --throttle x", 2, &["--throttle", "`x`", "RATE:BURST"]),
        ("--rps 9 --throttle -1:5", 2, &["--throttle", "`-1:5`"]),
        ("--rps 9 --throttle 5:", 2, &["--throttle", "`5:`"]),
        ("--rps 9 --duration 0s", 2, &["no time"]),
        ("--rps 9 --duration soon", 2, &["--duration", "`soon`"]),
        ("--stages 5s:", 2, &["--stages"]),
        ("--rps 9 --assert fast", 2, &["--assert", "`fast`"]),
        ("--rps 9 --find-max", 2, &["--assert"]),
        ("--rps 9 --key alice=1", 2, &["`alice`"]),
        ("--rps 9 --report x.pdf", 2, &["x.pdf"]),
        ("--rps 9 --report gone/x.html", 2, &["gone/x.html", "folder"]),
        ("--rps 9 --baseline gone.json", 2, &["gone.json"]),
        ("--rps 9 --workers 0", 2, &["--workers"]),
    ];
    for (flags, exit, wanted) in cases {
        assert_refused(folder.path(), &format!("loadtest {iris} {flags}"), exit, wanted);
    }
    let urls: [(&str, i32, &[&str]); 4] = [
        ("nonsense", 2, &["`nonsense`"]),
        ("ftp://127.0.0.1/", 2, &["`ftp://127.0.0.1/`"]),
        ("http://127.0.0.1:1/", 3, &["127.0.0.1:1", "cannot be reached"]),
        ("http://no-such-host.invalid/", 3, &["`no-such-host.invalid`"]),
    ];
    for (url, exit, wanted) in urls {
        let line = format!("loadtest --url {url} --rps 10 --duration 1s");
        assert_refused(folder.path(), &line, exit, wanted);
    }
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn serve_refuses_a_port_in_use_and_an_open_door() {
    let folder = tempfile::tempdir().unwrap();
    let iris = model("iris");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = format!("serve {iris} --port {port}");
    assert_refused(folder.path(), &line, 3, &[port.as_str(), "in use"]);
    for bare in ["", " --bare"] {
        let line = format!("serve {iris} --port 0 --host 0.0.0.0{bare}");
        assert_refused(folder.path(), &line, 2, &["0.0.0.0", "API keys"]);
    }
    assert_refused(folder.path(), "serve --port 0", 2, &["nothing to serve"]);
}

#[test]
fn a_full_disk_for_the_report_keeps_the_results_and_the_other_reports() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.path().join("full.html")).unwrap();
    let line = format!(
        "loadtest {} --rps 20 --duration 1s --json --report full.html --report kept.json",
        model("iris")
    );
    let output = run(folder.path(), &line);
    let talk = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{talk}");
    assert!(talk.contains("error: report `full.html`"), "{talk}");
    assert!(talk.contains("hint: "), "{talk}");
    let printed = held_to_schema(std::str::from_utf8(&output.stdout).unwrap());
    let kept = fs_err::read_to_string(folder.path().join("kept.json")).unwrap();
    assert_eq!(held_to_schema(&kept)["outcomes"], printed["outcomes"]);
}

#[test]
fn json_puts_exactly_one_document_on_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let iris = model("iris");
    fs_err::write(folder.path().join("row.json"), r#"{"instances":[[1,2,3,4]]}"#).unwrap();
    for line in [
        format!("inspect {iris}"),
        format!("infer {iris} --input row.json"),
        format!("deploy {iris} --version v1 --target local"),
        "status".to_owned(),
        "history".to_owned(),
        "prune".to_owned(),
        "doctor".to_owned(),
        format!("loadtest {iris} --rps 50 --duration 1s"),
        format!("loadtest {iris} --rps 20 --duration 1s --find-max --assert rps(ok)>=1000000"),
    ] {
        let output = run(folder.path(), &format!("--json {line}"));
        let document: Result<Value, _> = serde_json::from_slice(&output.stdout);
        assert!(document.is_ok(), "{line}: {document:?}: {}", stderr(&output));
    }
}

#[test]
fn stdout_closed_early_is_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let iris = model("iris");
    for line in [
        format!("inspect {iris}"),
        format!("--json inspect {iris}"),
        "completions bash".to_owned(),
        "--help".to_owned(),
        format!("infer {iris} --input -"),
        format!("loadtest {iris} --rps 20 --duration 1s"),
    ] {
        let mut command = gwtf(folder.path());
        command.args(line.split(' ')).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        // A command that does not read its input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(br#"{"instances":[[1,2,3,4]]}"#);
        let output = child.wait_with_output().unwrap();
        let talk = stderr(&output);
        assert!(!talk.contains("panicked"), "{line}: {talk}");
        assert!(output.status.code().is_some_and(|code| code <= 3), "{line}: {}", output.status);
    }
}
