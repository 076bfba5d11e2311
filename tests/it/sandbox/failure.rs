//! Crashes, hangs, time and memory that run out, programs that cannot start.

use super::function::{Function, ask, lives, pid, until};
use gwtf::gateway::sandbox::{Enforced, Error, Fleet, InvokeError, InvokeRequest};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Type and message of a function error, without the request's id.
pub(crate) fn failed(error: InvokeError) -> (String, String) {
    let InvokeError::FunctionError { error_type, message, payload } = error else {
        panic!("{error}")
    };
    let document: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(document["errorMessage"], message.as_str());
    let message = match message.split_once(" Error: ") {
        Some((id, rest)) if id.starts_with("RequestId: ") => rest.to_owned(),
        _ => message,
    };
    (error_type, message)
}

#[tokio::test]
async fn a_process_that_ends_fails_its_invocation_and_the_next_one_works() {
    let function = Function::new();
    let fleet = function.start();
    for (event, cause) in [
        (json!({"do": "exit", "code": 0}), "Runtime exited without providing a reason"),
        (json!({"do": "exit", "code": 3}), "Runtime exited with error: exit status 3"),
        (json!({"do": "signal", "signal": 9}), "Runtime exited with error: signal: killed"),
        (
            json!({"do": "signal", "signal": 11}),
            "Runtime exited with error: signal: segmentation fault",
        ),
    ] {
        let before = pid(&fleet).await;
        let error = ask(&fleet, event).await.unwrap_err();
        assert_eq!(failed(error), ("Runtime.ExitError".to_owned(), cause.to_owned()));
        assert_ne!(pid(&fleet).await, before);
    }
    assert_eq!((fleet.stats().errors, fleet.stats().cold_starts), (4, 5));
    function.lines_until("Status: error\tError Type: Runtime.ExitError\t").await;
}

#[tokio::test]
async fn the_functions_timeout_ends_the_sandbox_with_all_it_started() {
    let mut function = Function::new();
    function.options.timeout = Duration::from_secs(1);
    let fleet = function.start();
    let pids = ask(&fleet, json!({"do": "children"})).await.unwrap();
    let pids: Vec<u64> =
        pids["pids"].as_array().unwrap().iter().map(|pid| pid.as_u64().unwrap()).collect();
    assert!(pids.iter().all(|pid| lives(*pid)), "{pids:?}");
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    let request = InvokeRequest { request_id: Some("1d".into()), ..InvokeRequest::default() };
    let event = json!({"do": "hold", "port": port}).to_string();
    until(|| fleet.stats().idle == 1).await;
    let error = fleet.invoke(event.into(), request).await.unwrap_err();
    let message = "RequestId: 1d Error: Task timed out after 1.00 seconds".to_owned();
    assert_eq!(error, InvokeError::TimedOut { message });
    assert_ne!(pid(&fleet).await, pids[0]);
    let is_held = fleet.limits().memory == Enforced::Held;
    // A child that left the process group is found by the control group alone.
    let gone = if is_held { &pids[..] } else { &pids[..2] };
    until(|| gone.iter().all(|pid| !lives(*pid))).await;
    let lines = function.lines_until("Status: timeout").await;
    let report = lines.iter().find(|line| line.starts_with("REPORT RequestId: 1d")).unwrap();
    assert!(report.ends_with(" MB\tStatus: timeout\t"), "{report}");
    assert_eq!(fleet.stats().timeouts, 1);
}

/// An invocation's time ends with it, and is not held against those that follow.
#[tokio::test]
async fn a_sandbox_outlives_the_deadlines_of_invocations_that_kept_them() {
    let mut function = Function::new();
    function.options.timeout = Duration::from_secs(1);
    let fleet = function.start();
    let first = pid(&fleet).await;
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < 2 * function.options.timeout {
        // A busy machine may be longer about it than a request waits.
        until(|| fleet.stats().idle == 1).await;
        assert_eq!(pid(&fleet).await, first);
    }
    assert_eq!((fleet.stats().timeouts, fleet.stats().cold_starts), (0, 1));
}

#[tokio::test]
async fn an_init_that_overruns_is_done_again_under_the_functions_timeout() {
    let mut function = Function::new();
    function.options.init_timeout = Duration::from_millis(300);
    function.options.timeout = Duration::from_secs(1);
    function.options.environment.insert("INIT".into(), "hang".into());
    let fleet = function.start();
    let error = ask(&fleet, json!({})).await.unwrap_err();
    assert!(matches!(error, InvokeError::TimedOut { .. }), "{error}");
    let lines = function.lines_until("REPORT RequestId").await;
    let inits: Vec<_> = lines.iter().filter(|line| line.starts_with("INIT_REPORT")).collect();
    assert!(inits[0].ends_with(" ms\tPhase: init\tStatus: timeout\t"), "{inits:?}");
    assert!(inits[1].ends_with(" ms\tPhase: invoke\tStatus: timeout\t"), "{inits:?}");

    function.options.environment.insert("INIT".into(), "hang once".into());
    function.options.timeout = Duration::from_secs(20);
    fs_err::remove_file(function.task_root().join("started")).unwrap();
    let fleet = function.start();
    assert_eq!(ask(&fleet, json!({"n": 1})).await, Ok(json!({"n": 1})));
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why() {
    let mut function = Function::new();
    function.options.environment.insert("INIT".into(), "error".into());
    let error = ask(&function.start(), json!({})).await.unwrap_err();
    assert_eq!(failed(error), ("My.Error".to_owned(), "no model".to_owned()));
    function.options.environment.insert("INIT".into(), "exit 3".into());
    let error = ask(&function.start(), json!({})).await.unwrap_err();
    let cause = "Runtime exited with error: exit status 3";
    assert_eq!(failed(error), ("Runtime.ExitError".to_owned(), cause.to_owned()));
    let lines = function.lines_until("Error Type: Runtime.ExitError").await;
    assert!(lines.iter().any(|line| line == "about to exit"), "{lines:#?}");
}

#[tokio::test]
async fn a_program_that_cannot_be_executed_is_named_so() {
    for (bootstrap, mode, cause) in [
        ("#!/bin/sh\nexit 0\n", 0o644, "permission denied"),
        ("nonsense", 0o755, "exec format error"),
        ("\x7fELF nonsense", 0o755, "exec format error"),
        ("", 0o755, "exec format error"),
    ] {
        let function = Function::of(bootstrap);
        let path = function.task_root().join("bootstrap");
        fs_err::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let error = ask(&function.start(), json!({})).await.unwrap_err();
        let cause = format!("fork/exec bootstrap: {cause}");
        assert_eq!(failed(error), ("Runtime.InvalidEntrypoint".to_owned(), cause));
    }
    let function = Function::new();
    fs_err::remove_file(function.task_root().join("bootstrap")).unwrap();
    let refused = Fleet::start(function.options.clone());
    assert!(matches!(refused.err(), Some(Error::NoBootstrap { .. })));
}

/// What was made for a program that then cannot be started goes with it.
#[tokio::test]
async fn a_start_that_fails_leaves_no_control_group() {
    let mut function = Function::new();
    function.options.environment.insert("OWN".into(), "no\0text".into());
    let fleet = function.start();
    let error = ask(&fleet, json!({})).await.unwrap_err();
    assert_eq!(failed(error).0, "Runtime.InvalidEntrypoint");
    let own = format!("gwtf-{}-", std::process::id());
    let groups = || {
        ["cpu", "memory", "."].map(|controller| {
            let root = Path::new("/sys/fs/cgroup").join(controller);
            folders_named(&root, &own, 3)
        })
    };
    let held = fleet.limits().memory == Enforced::Held;
    assert_eq!(groups().concat().is_empty(), !held, "the fleet has its folders");
    fleet.drain(Duration::ZERO).await;
    assert_eq!(groups().concat(), Vec::<PathBuf>::new());
}

/// Folders below `root`, to this depth, whose names begin so.
fn folders_named(root: &Path, begin: &str, depth: u32) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(root).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut found = Vec::new();
    for folder in folders {
        match folder.file_name().to_string_lossy().starts_with(begin) {
            true => found.push(folder.path()),
            false if depth > 1 => found.extend(folders_named(&folder.path(), begin, depth - 1)),
            false => {}
        }
    }
    found
}

/// On Lambda the kernel kills a function that takes more than its memory.
#[tokio::test]
async fn a_function_that_takes_more_than_its_memory_is_killed() {
    let mut function = Function::new();
    function.options.memory_mib = 128;
    let fleet = function.start();
    if fleet.limits().memory != Enforced::Held {
        eprintln!("skipped: {}", fleet.limits());
        return;
    }
    let taken = ask(&fleet, json!({"do": "memory", "mib": 64})).await.unwrap();
    assert_eq!(taken["bytes"], 64 << 20);
    let error = ask(&fleet, json!({"do": "memory", "mib": 256})).await.unwrap_err();
    let cause = "Runtime exited with error: signal: killed";
    assert_eq!(failed(error), ("Runtime.ExitError".to_owned(), cause.to_owned()));
    assert_eq!(ask(&fleet, json!({"n": 1})).await, Ok(json!({"n": 1})));
    assert_eq!(fleet.stats().out_of_memory, 1);
    let lines = function.lines_until("Error Type: Runtime.ExitError").await;
    let report = lines.iter().find(|line| line.contains("Status: error")).unwrap();
    assert!(report.contains("Max Memory Used: 128 MB"), "{report}");
}
