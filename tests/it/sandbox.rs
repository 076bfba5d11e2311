//! Sandboxes: fleets over `fixtures/sandbox/function.py`, whose invocations say what it does.

/// Idle expiry, drain, a caller that leaves, 1,000 requests over 20 sandboxes.
mod concurrency;
/// Crashes, hangs, time and memory that run out, programs that cannot start.
mod failure;
/// A function's folder, its fleet, its lines.
pub(crate) mod function;
/// `gwtf-runtime` in a sandbox; the program killed.
mod program;
/// The Runtime API under a runtime that does not keep to it; AWS's emulator beside it.
mod protocol;

use function::Function;
use gwtf::gateway::sandbox::{ColdStarts, Enforced, InvokeRequest};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test]
async fn an_invocation_is_answered_and_reported() {
    let function = Function::new();
    let fleet = function.start();
    let first = fleet.invoke(r#"{"a": 1}"#.into(), InvokeRequest::default()).await.unwrap();
    assert_eq!(first.payload, r#"{"a": 1}"#);
    let init = first.cold_start.unwrap().init;
    let request = InvokeRequest { request_id: Some("second".into()), trace_id: "Root=1".into() };
    let second = fleet.invoke("{}".into(), request).await.unwrap();
    assert_eq!((second.cold_start, &*second.request_id), (None, "second"));
    fleet.drain(Duration::ZERO).await;
    let lines = function.lines_until("REPORT RequestId: second").await;
    let id = &first.request_id;
    assert_eq!(lines[0], format!("START RequestId: {id} Version: 7"));
    assert_eq!(lines[1], format!("END RequestId: {id}"));
    let report = &lines[2];
    assert!(report.starts_with(&format!("REPORT RequestId: {id}\tDuration: ")), "{report}");
    let init_ms = init.as_secs_f64() * 1_000.0;
    assert!(report.ends_with(&format!(" MB\tInit Duration: {init_ms:.2} ms\t")), "{report}");
    assert!(report.contains(" ms\tMemory Size: 512 MB\tMax Memory Used: "), "{report}");
    assert!(!report.contains("Used: 0 MB"), "{report}");
    assert!(!lines[5].contains("Init Duration"), "{}", lines[5]);
}

#[tokio::test]
async fn a_process_finds_lambdas_environment_and_nothing_else() {
    let mut function = Function::new();
    function.options.environment.insert("OWN".into(), "value".into());
    let fleet = function.start();
    let found = function::ask(&fleet, json!({"do": "environment"})).await.unwrap();
    let names: BTreeSet<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "AWS_DEFAULT_REGION",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "LD_LIBRARY_PATH",
        "OWN",
        "PATH",
        "TMPDIR",
        "TZ",
        "_HANDLER",
    ];
    // A shell that starts the program, and Python, may add these.
    let ignored = ["LC_CTYPE", "OLDPWD", "PWD", "SHLVL", "_"];
    let names: Vec<&str> = names.into_iter().filter(|name| !ignored.contains(name)).collect();
    assert_eq!(names, expected);
    assert_eq!(found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "512");
    assert_eq!(found["OWN"], "value");
}

#[tokio::test]
async fn each_sandbox_has_control_groups_and_a_folder_of_its_own() {
    let function = Function::new();
    let fleet = function.start();
    let found = function::ask(&fleet, json!({"do": "groups"})).await.unwrap();
    assert_eq!(found["files"], json!([]));
    let held = [&fleet.limits().memory, &fleet.limits().cpu].map(|limit| *limit == Enforced::Held);
    let groups = found["groups"].as_str().unwrap().matches("/gwtf-").count();
    assert_eq!(groups > 0, held.contains(&true), "{found} {}", fleet.limits());
}

#[tokio::test]
async fn a_recorded_cold_start_is_played_on_a_process_that_is_kept() {
    let mut function = Function::new();
    let durations = vec![Duration::from_millis(400), Duration::from_millis(450)];
    function.options.cold_starts = ColdStarts::Played { durations: durations.clone(), seed: 7 };
    function.options.idle_expiry = Duration::from_millis(50);
    let fleet = function.start();
    let mut pids = BTreeSet::new();
    for n in 1..=3 {
        let event = r#"{"do": "pid"}"#.into();
        let begun = tokio::time::Instant::now();
        let invoked = fleet.invoke(event, InvokeRequest::default()).await.unwrap();
        let init = invoked.cold_start.unwrap().init;
        assert!(begun.elapsed() >= durations[0] && init >= durations[0], "{init:?}");
        // The first start may take longer than what is played; a kept process does not.
        assert!(n == 1 || durations.iter().any(|played| init.abs_diff(*played).as_millis() < 1));
        pids.insert(invoked.payload);
        function::until(|| fleet.stats().expired == n).await;
    }
    assert_eq!(pids.len(), 1);
    assert_eq!(fleet.stats().cold_starts, 3);
}
