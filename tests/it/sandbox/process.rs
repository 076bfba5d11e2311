//! Processes that crash, hang, are killed; what is left of them.

use super::emulator::Emulator;
use super::function::{Function, has_ended};
use gwtf::gateway::sandbox::{Fault, InvokeError};
use serde_json::{Value, json};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// The error without the request's id.
fn said(fault: &Fault) -> (&str, &str) {
    let (id, message) = fault.message.split_once(" Error: ").unwrap_or(("", &fault.message));
    assert!(id.is_empty() || id.len() == "RequestId: ".len() + 36, "{fault}");
    (&fault.error_type, message)
}

fn said_by_emulator(document: &Value) -> (&str, &str) {
    let message = document["errorMessage"].as_str().unwrap();
    let message = message.split_once(" Error: ").map_or(message, |(_, message)| message);
    (document["errorType"].as_str().unwrap(), message)
}

#[tokio::test]
async fn a_crash_is_said_as_by_awss_emulator_and_the_next_request_works() {
    let function = Function::start_with(|options, _| options.reserved_concurrency = Some(1));
    let emulator = Emulator::start(function.folder.path());
    let mut known = Vec::new();
    for (event, text) in [
        (json!({ "do": "exit", "code": 3 }), "Runtime exited with error: exit status 3"),
        (json!({ "do": "exit", "code": 0 }), "Runtime exited without providing a reason"),
        (json!({ "do": "signal", "number": 9 }), "Runtime exited with error: signal: killed"),
        (
            json!({ "do": "signal", "number": 11 }),
            "Runtime exited with error: signal: segmentation fault",
        ),
    ] {
        known.push(function.ask(json!({ "do": "pid" })).await);
        let fault = function.fault(event.clone()).await;
        assert_eq!(said(&fault), ("Runtime.ExitError", text), "{event}");
        assert_eq!(said(&fault), said_by_emulator(&emulator.invoke(&event).await), "{event}");
        let next = function.invoke(json!({ "do": "pid" })).await.unwrap();
        assert!(next.cold_start);
        let pid: Value = serde_json::from_slice(&next.payload).unwrap();
        assert!(!known.contains(&pid));
    }
    let lines = function.end().await.join("\n");
    assert!(lines.contains("Status: error\tError Type: Runtime.ExitError"), "{lines}");
    assert!(lines.contains("exit status 3\nRuntime.ExitError"), "{lines}");
}

/// It ends once it has answered, so that the next event may find it gone or going.
#[tokio::test]
async fn a_process_that_ends_after_its_answer_costs_no_request() {
    let function = Function::start();
    for number in 0..10 {
        let event = json!({ "do": "echo", "number": number, "then": "exit" });
        assert_eq!(function.ask(event.clone()).await, event);
    }
    assert_eq!(function.fleet.stats().started, 10);
}

#[tokio::test]
async fn a_hanging_function_is_killed_at_its_timeout() {
    let function = Function::start_with(|options, _| options.timeout = Duration::from_secs(1));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pid = function.ask(json!({ "do": "pid" })).await;
    let event = json!({ "do": "hold", "port": listener.local_addr().unwrap().port() });
    let error = function.invoke(event).await.unwrap_err();
    let InvokeError::TimedOut(fault) = &error else { panic!("{error:?}") };
    assert_eq!(said(fault), ("Sandbox.Timedout", "Task timed out after 1.00 seconds"));
    let next = function.ask(json!({ "do": "pid" })).await;
    assert_ne!(next, pid);
    let lines = function.end().await;
    has_ended(&pid);
    let id = fault.message.split(' ').nth(1).unwrap();
    let said = lines
        .iter()
        .any(|line| line.ends_with(&format!("Z {id} Task timed out after 1.00 seconds")));
    assert!(said && lines.iter().any(|line| line.ends_with("\tStatus: timeout")), "{lines:#?}");
}

#[tokio::test]
async fn a_start_that_fails_is_the_invocations_error() {
    for (start, error_type, message) in [
        ("error", "Runtime.NoModel", "no model"),
        ("exit 3", "Runtime.ExitError", "Runtime exited with error: exit status 3"),
        ("exit 0", "Runtime.ExitError", "Runtime exited without providing a reason"),
    ] {
        let function = Function::start_with(|options, knobs| {
            options.reserved_concurrency = Some(1);
            knobs.environment = vec![("START".into(), start.into())];
        });
        for _ in 0..2 {
            let fault = function.fault(json!({ "do": "pid" })).await;
            assert_eq!(said(&fault), (error_type, message), "{start}");
        }
        if start == "error" {
            let variables = [("START", start)];
            let emulator = Emulator::start_with(function.folder.path(), &variables);
            let theirs = emulator.invoke(&json!({ "do": "pid" })).await;
            assert_eq!(said_by_emulator(&theirs), (error_type, message));
        }
    }
}

#[tokio::test]
async fn what_is_no_program_is_the_invocations_error() {
    let function = Function::start();
    let path = function.folder.path().join("bootstrap");
    let missing = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";
    for (content, mode, expected) in [
        (Some("#!/bin/sh\n"), 0o644, "fork/exec /var/task/bootstrap: permission denied"),
        (Some("exit 0\n"), 0o755, "fork/exec /var/task/bootstrap: exec format error"),
        (Some(""), 0o755, "fork/exec /var/task/bootstrap: exec format error"),
        (None, 0, missing),
    ] {
        match content {
            Some(content) => {
                fs_err::write(&path, content).unwrap();
                fs_err::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
            None => fs_err::remove_file(&path).unwrap(),
        }
        let fault = function.fault(json!({ "do": "pid" })).await;
        assert_eq!(said(&fault), ("Runtime.InvalidEntrypoint", expected));
    }
    assert_eq!(function.fleet.stats().in_flight, 0);
}

/// The second start has the function's timeout, the first has not.
#[tokio::test]
async fn a_start_that_takes_too_long_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let function = Function::start_with(|_, knobs| {
        knobs.init_limit = Duration::from_millis(500);
        let start = format!("hang-once {}", mark.display());
        knobs.environment = vec![("START".into(), start.into())];
    });
    assert!(function.invoke(json!({ "do": "pid" })).await.unwrap().cold_start);
    let lines = function.end().await;
    let line = "INIT_REPORT Init Duration: 500.00 ms\tPhase: init\tStatus: timeout";
    assert_eq!(lines.iter().filter(|found| *found == line).count(), 1, "{lines:#?}");

    let function = Function::start_with(|options, knobs| {
        options.timeout = Duration::from_secs(1);
        knobs.init_limit = Duration::from_millis(100);
        knobs.environment = vec![("START".into(), "hang".into())];
    });
    let error = function.invoke(json!({ "do": "pid" })).await.unwrap_err();
    let InvokeError::TimedOut(fault) = &error else { panic!("{error:?}") };
    assert_eq!(said(fault).1, "Task timed out after 1.00 seconds");
    assert_eq!(function.fleet.stats().in_flight, 0);
}

#[tokio::test]
async fn what_is_idle_for_long_ends() {
    let function = Function::start_with(|_, knobs| knobs.idle = Duration::from_millis(50));
    let pid = function.ask(json!({ "do": "pid" })).await;
    while function.fleet.stats().processes > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    has_ended(&pid);
    assert_ne!(function.ask(json!({ "do": "pid" })).await, pid);
}

#[tokio::test]
async fn a_process_that_dies_while_it_is_idle_is_forgotten() {
    let function = Function::start();
    let pid = function.ask(json!({ "do": "pid" })).await;
    let raw = i32::try_from(pid.as_i64().unwrap()).unwrap();
    let process = rustix::process::Pid::from_raw(raw).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    assert_ne!(function.ask(json!({ "do": "pid" })).await, pid);
}

/// Draining lets go on what is at work, then no process is left, nor any that they started.
#[tokio::test]
async fn draining_and_dropping_leave_no_process() {
    for drains in [true, false] {
        let function = Function::start();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let event = json!({ "do": "hold", "port": listener.local_addr().unwrap().port() });
        let pids = [
            function.ask(json!({ "do": "pid" })).await,
            function.ask(json!({ "do": "fork" })).await,
        ];
        if drains {
            let (answered, _) = tokio::join!(function.invoke(event), async {
                let held = listener.accept().await.unwrap();
                let release = async {
                    // It has to be waiting: only then is the function let go on.
                    tokio::task::yield_now().await;
                    drop(held);
                };
                tokio::join!(function.fleet.drain(), release)
            });
            assert_eq!(answered.unwrap().payload, "\"held\"");
            assert_eq!(function.fleet.stats().processes, 0);
            assert!(function.invoke(json!({ "do": "pid" })).await.is_err());
        } else {
            let called = tokio::select! {
                called = listener.accept() => called,
                done = function.invoke(event) => panic!("{done:?}"),
            };
            drop(function);
            drop(called);
        }
        for pid in pids {
            has_ended(&pid);
        }
    }
}
