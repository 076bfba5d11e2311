//! `loadtest` through the program: what it refuses and what it says of it.

use crate::support::{fixture, gwtf, held_to_schema};
use serde_json::Value;
use std::path::Path;

/// Runs `gwtf loadtest` in `folder`; its exit code and stderr.
fn loadtest(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = gwtf(folder).arg("loadtest").args(arguments).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// A URL or a header may hold a password, whatever else is wrong with it.
#[test]
fn no_refusal_shows_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [&[&str]; 4] = [
        &["--url", "ftp://user:hunter2@h/"],
        &["--url", "http://user:hunter2@h:99999/"],
        &["--url", "http://user:hunter2@[bad/"],
        &["--url", "http://h/", "--header", "authorization Bearer hunter2"],
    ];
    for case in cases {
        let (code, text) = loadtest(folder.path(), &[case, &["--rps", "1"]].concat());
        assert_eq!(code, 2, "{case:?}: {text}");
        assert!(text.contains("error: ") && !text.contains("hunter2"), "{case:?}: {text}");
    }
}

/// A file need not have an end.
#[test]
fn endless_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("models/iris/model.onnx");
    for flag in ["--payload", "--baseline", "--cacert"] {
        let arguments = [model.to_str().unwrap(), "--rps", "1", flag, "/dev/zero"];
        let (code, text) = loadtest(folder.path(), &arguments);
        assert_eq!(code, 2, "{flag}: {text}");
        let refusal = format!("{} `/dev/zero`: more than ", flag.trim_start_matches('-'));
        assert!(text.contains(&refusal), "{flag}: {text}");
    }
}

/// The report of a run of 200 ms in an empty folder, and its exit code.
fn report(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("models/iris/model.onnx");
    let mut command = gwtf(folder.path());
    command.arg("loadtest").arg(model).args(arguments).arg("--json");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.stdout.is_empty(), "{text}");
    let document = held_to_schema(&String::from_utf8(output.stdout).unwrap());
    (output.status.code().unwrap(), document)
}

/// The hint says that a variable is enough.
#[test]
fn the_environment_names_keys_that_no_configuration_does() {
    let arguments = ["--rps", "20", "--duration", "200ms", "--key", "gold=1"];
    let value = "a-value-of-enough-characters";
    let (_, document) = report(&arguments, &[("GWTF_KEY_GOLD", value)]);
    assert_eq!(document["outcomes"]["ok"]["count"], 4, "{document:#}");

    let folder = tempfile::tempdir().unwrap();
    let model = fixture("models/iris/model.onnx");
    let (code, text) =
        loadtest(folder.path(), &[&[model.to_str().unwrap()], &arguments[..]].concat());
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("no API key is named `gold`"), "{text}");
}

/// A ramp is told from a step to its last rate.
#[test]
fn ramps_are_reported_with_both_rates() {
    let (_, document) = report(&["--stages", "100ms:20..60,100ms:60"], &[]);
    let stages = document["schedule"]["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 2, "{document:#}");
    assert_eq!(stages[0]["rate_from_rps"], 20.0);
    assert_eq!(stages[0]["rate_rps"], 60.0);
    assert!(stages[1].get("rate_from_rps").is_none(), "{document:#}");
    assert_eq!(stages[1]["rate_rps"], 60.0);
}

/// The generator and the twin share one process: both need a file for each connection.
#[test]
fn own_want_of_open_files_never_passes_for_the_targets_errors() {
    let model = fixture("models/iris/model.onnx");
    let run = |limit: &str, connections: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("ulimit {limit} && exec \"$@\"");
        let program = gwtf(folder.path()).get_program().to_owned();
        let mut shell = std::process::Command::new("sh");
        shell.current_dir(folder.path()).args(["-c", &script, "sh"]).arg(program);
        shell.arg("loadtest").arg(&model).args(["--rps", "max", "--duration", "300ms", "--json"]);
        shell.args(connections).output().unwrap()
    };
    let many = ["--connections", "200"];
    let raised = run("-S -n 256", &many);
    let text = String::from_utf8_lossy(&raised.stderr).into_owned();
    assert_eq!(raised.status.code(), Some(0), "{text}");
    let document = held_to_schema(&String::from_utf8(raised.stdout).unwrap());
    assert_eq!(document["groups"]["error"]["count"], 0, "{document:#}");

    let refused = run("-n 256", &many);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(3), "{text}");
    assert!(text.contains("need 528 open files, more than the limit of 256"), "{text}");
}
