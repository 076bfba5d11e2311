//! Answers, reuse, errors, what the Runtime API takes.

use super::emulator::Emulator;
use super::function::Function;
use bytes::Bytes;
use gwtf::gateway::sandbox::{InvokeError, InvokeRequest, ThrottleReason};
use gwtf::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

#[tokio::test]
async fn an_event_is_answered_and_the_sandbox_used_again() {
    let function = Function::start();
    let first = function.invoke(json!({ "do": "pid" })).await.unwrap();
    assert!(first.cold_start && first.init.is_some());
    let second = function.invoke(json!({ "do": "pid" })).await.unwrap();
    assert!(!second.cold_start && second.init.is_none());
    assert_eq!(first.payload, second.payload);
    let event = json!({ "do": "echo", "text": "a\u{1f980}" });
    assert_eq!(function.ask(event.clone()).await, event);
    assert_eq!(function.fleet.stats().started, 1);
}

/// Every answer goes to the one who asked; what is too much is refused at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_over_twenty_sandboxes() {
    const SANDBOXES: usize = 20;
    const REQUESTS: usize = 1_000;
    let function = Arc::new(Function::start_with(|options, _| {
        options.reserved_concurrency = Some(SANDBOXES as u32);
        options.memory_mib = 128;
    }));
    // All sandboxes are held, and exactly the rest is throttled.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut all = JoinSet::new();
    for _ in 0..REQUESTS {
        let function = Arc::clone(&function);
        all.spawn(async move { function.invoke(json!({ "do": "hold", "port": port })).await });
    }
    let accept = move || (0..SANDBOXES).map(|_| listener.accept().unwrap()).collect::<Vec<_>>();
    let held = tokio::task::spawn_blocking(accept).await.unwrap();
    for _ in 0..REQUESTS - SANDBOXES {
        let refused = all.join_next().await.unwrap().unwrap();
        assert_eq!(refused.unwrap_err(), InvokeError::Throttled);
    }
    assert_eq!(function.fleet.stats().in_flight, SANDBOXES);
    drop(held);
    while let Some(answered) = all.join_next().await {
        assert_eq!(answered.unwrap().unwrap().payload, "\"held\"");
    }
    let reason = ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded;
    let stats = function.fleet.stats();
    assert_eq!(stats.throttled.get(&reason), Some(&((REQUESTS - SANDBOXES) as u64)));
    assert_eq!((stats.started, stats.idle, stats.in_flight), (SANDBOXES as u64, SANDBOXES, 0));
    // The same sandboxes answer all of them, each its own.
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..SANDBOXES {
        let (function, next) = (Arc::clone(&function), Arc::clone(&next));
        all.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= REQUESTS {
                    return Err(InvokeError::Throttled);
                }
                let event = json!({ "do": "echo", "number": number });
                let invoked = loop {
                    // Ten a second for each sandbox is Lambda's limit.
                    match function.invoke(event.clone()).await {
                        Err(InvokeError::Throttled) => tokio::task::yield_now().await,
                        invoked => break invoked?,
                    }
                };
                let given: Value = serde_json::from_slice(&invoked.payload).unwrap();
                assert_eq!(given, event);
            }
        });
    }
    while let Some(ended) = all.join_next().await {
        assert_eq!(ended.unwrap().unwrap_err(), InvokeError::Throttled);
    }
    assert_eq!(function.fleet.stats().started, SANDBOXES as u64);
}

#[tokio::test]
async fn the_runtime_api_answers_as_awss_emulator_does() {
    let function = Function::start();
    let event = json!({ "do": "exchange", "again": true });
    let said = function.ask(event.clone()).await;
    let again = function.ask(json!({ "do": "noted" })).await;
    let emulator = Emulator::start(function.folder.path());
    assert_eq!(said, emulator.invoke(&event).await);
    assert_eq!(again, emulator.invoke(&json!({ "do": "noted" })).await);
    assert_eq!((said[0][3].as_str(), said[1][1].as_u64()), (Some("pong"), Some(400)));
    assert_eq!(again[0][0], 403);
    // An answer of Lambda's limit is taken, one of a byte more is not, and the next request works.
    let max = LAMBDA_PAYLOAD_BYTES_MAX;
    let fits = function.invoke(json!({ "do": "bytes", "bytes": max })).await.unwrap();
    assert_eq!(fits.payload.len(), max);
    let event = json!({ "do": "bytes", "bytes": max + 1 });
    let fault = function.fault(event.clone()).await;
    let theirs = emulator.invoke(&event).await;
    assert_eq!(theirs, json!({ "errorType": fault.error_type, "errorMessage": fault.message }));
    let noted = function.ask(json!({ "do": "noted" })).await;
    assert_eq!(noted, emulator.invoke(&json!({ "do": "noted" })).await);
    assert_eq!(noted[0], 413);
    // Headers.
    let ours = function.ask(json!({ "do": "headers" })).await;
    let theirs = emulator.invoke(&json!({ "do": "headers" })).await;
    let names = |headers: &Value| headers.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(ours["content-type"], theirs["content-type"]);
    let deadline_ms: u64 = ours["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    let their_ms: u64 = theirs["lambda-runtime-deadline-ms"].as_str().unwrap().parse().unwrap();
    assert!(deadline_ms.abs_diff(their_ms) < 86_400_000);
    let traced = InvokeRequest { trace_id: "Root=1-5-a;Sampled=1".into() };
    let traced = function.fleet.invoke(Bytes::from(r#"{"do":"headers"}"#), traced).await.unwrap();
    let traced: Value = serde_json::from_slice(&traced.payload).unwrap();
    assert_eq!(traced["lambda-runtime-trace-id"], "Root=1-5-a;Sampled=1");
}

#[tokio::test]
async fn what_is_no_http_harms_nobody() {
    let function = Function::start();
    let pid = function.ask(json!({ "do": "pid" })).await;
    assert_eq!(function.ask(json!({ "do": "garbage" })).await, "garbage");
    assert_eq!(function.ask(json!({ "do": "pid" })).await, pid);
}

#[tokio::test]
async fn an_event_longer_than_lambdas_is_refused_before_a_sandbox_starts() {
    let function = Function::start();
    let event = Bytes::from(vec![b' '; LAMBDA_PAYLOAD_BYTES_MAX + 1]);
    let refused = function.fleet.invoke(event, InvokeRequest::default()).await;
    let bytes = LAMBDA_PAYLOAD_BYTES_MAX + 1;
    assert_eq!(refused.unwrap_err(), InvokeError::EventTooLarge { bytes });
    assert_eq!(function.fleet.stats().started, 0);
}

#[tokio::test]
async fn an_error_that_the_function_reports_leaves_its_sandbox() {
    let function = Function::start();
    let pid = function.ask(json!({ "do": "pid" })).await;
    let fault = function.fault(json!({ "do": "raise" })).await;
    assert_eq!((&*fault.error_type, &*fault.message), ("RuntimeError", "asked to fail"));
    assert_eq!(function.ask(json!({ "do": "pid" })).await, pid);
}

/// Its caller has gone, as API Gateway has after its timeout.
#[tokio::test]
async fn an_invocation_whose_caller_has_gone_keeps_its_sandbox() {
    let function = Function::start_with(|options, _| options.reserved_concurrency = Some(1));
    let pid = function.ask(json!({ "do": "pid" })).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (held, _) = tokio::select! {
        held = listener.accept() => held.unwrap(),
        done = function.invoke(json!({ "do": "hold", "port": port })) => panic!("{done:?}"),
    };
    let refused = function.invoke(json!({ "do": "pid" })).await;
    assert_eq!(refused.unwrap_err(), InvokeError::Throttled);
    drop(held);
    let free = loop {
        match function.invoke(json!({ "do": "pid" })).await {
            Err(InvokeError::Throttled) => tokio::task::yield_now().await,
            free => break free.unwrap(),
        }
    };
    assert_eq!(free.payload, pid.to_string());
}

#[tokio::test]
async fn the_environment_is_lambdas_and_nothing_else() {
    let function = Function::start_with(|_, knobs| {
        knobs.environment = vec![("OWN".into(), "1".into()), ("TZ".into(), "UTC".into())];
    });
    let found = function.ask(json!({ "do": "environment" })).await;
    let mut names: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
    // A shell that enters the cgroups may add its own.
    names.retain(|name| !["_", "SHLVL", "OLDPWD", "LC_CTYPE"].contains(name));
    assert_eq!(
        names,
        [
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
            "PWD",
            "TZ",
            "_HANDLER",
        ]
    );
    assert_eq!(found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"], "1769");
    assert_eq!(found["LAMBDA_TASK_ROOT"], function.folder.path().to_str().unwrap());
    assert_eq!((&found["TZ"], &found["OWN"]), (&json!("UTC"), &json!("1")));
}
