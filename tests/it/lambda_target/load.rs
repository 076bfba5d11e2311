//! `loadtest --package`.

use super::artefact;
use crate::support::{gwtf, held_to_schema};
use serde_json::Value;
use std::path::Path;

/// The report of a run against the artefact in `folder`.
fn report(folder: &Path, arguments: &[&str]) -> Value {
    artefact::make(folder);
    let mut command = gwtf(folder);
    command.args(["loadtest", "--package", "artefact", "--json"]).args(arguments);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.stdout.is_empty(), "{text}");
    held_to_schema(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn throttled_functions_and_cold_starts_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--rps", "40", "--duration", "1s", "--header", "x-do: sleep 0.1"];
    let limits = ["--reserved-concurrency", "2", "--memory", "512", "--function-timeout", "5s"];
    let report = report(folder.path(), &[&arguments[..], &limits].concat());
    let count = |outcome: &str| report["outcomes"][outcome]["count"].as_u64().unwrap_or(0);
    assert_eq!(count("ok") + count("concurrency"), 40, "{report:#}");
    assert!(count("ok") > 0 && count("concurrency") > 0, "{report:#}");
    assert_eq!(report["limiters"]["concurrency"], count("concurrency"));
    assert_eq!(report["groups"]["throttled"]["count"], 0, "a function's throttle is no 429");
    assert_eq!(report["cold_starts"]["count"], 2, "{report:#}");
    assert!(report["cold_starts"]["response_time_us"]["p50"].as_u64() > Some(100_000));
    assert_eq!(report["run"]["reserved_concurrency"], 2);
    assert_eq!(report["run"]["model"], "iris v7");
    assert_eq!(report["run"]["more"]["function memory"], "512 MiB");
    assert_eq!(report["run"]["more"]["cold starts"], "measured");
}

#[test]
fn recorded_cold_starts_are_played_instead() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("starts.json"), "[700]").unwrap();
    let arguments = ["--rps", "10", "--duration", "1s", "--cold-starts", "starts.json"];
    let first = report(folder.path(), &arguments);
    assert_eq!(first["outcomes"]["ok"]["count"], 10, "{first:#}");
    let shortest = |report: &Value| {
        let cold = &report["cold_starts"];
        assert!(cold["count"].as_u64() > Some(0), "{cold:#}");
        cold["response_time_us"]["p50"].as_u64().unwrap()
    };
    assert!(shortest(&first) >= 700_000, "{first:#}");
    assert_eq!(first["run"]["more"]["cold starts"], "played");
    // What a run met can be played again.
    fs_err::write(folder.path().join("starts.json"), first.to_string()).unwrap();
    assert!(shortest(&report(folder.path(), &arguments)) >= 700_000);
}
