//! The Runtime API under a runtime that does not keep to it; AWS's emulator beside it.

use super::failure::failed;
use super::function::{Function, ask};
use crate::runtime_program::root::{Emulator, TaskRoot};
use gwtf::gateway::sandbox::{Direction, InvokeError, InvokeRequest};
use gwtf::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use serde_json::{Value, json};

#[tokio::test]
async fn what_a_runtime_should_not_send_is_refused_and_hurts_no_one() {
    let function = Function::new();
    let fleet = function.start();
    for (what, reply, line) in [
        (
            "wrong id",
            json!({"do": "wrong id"}),
            r#":: wrong id 400 {"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#,
        ),
        ("twice", json!(1), ":: twice 403 "),
        ("next", json!({"do": "next"}), r#":: next 200 {"do":"next"}"#),
        ("init error", json!({"do": "init error"}), ":: init/error 403 "),
        ("garbage", json!({"do": "garbage"}), ":: no path 404 "),
    ] {
        assert_eq!(ask(&fleet, json!({"do": what})).await, Ok(reply), "{what}");
        function.lines_until(line).await;
    }
    let error = ask(&fleet, json!({"do": "error"})).await.unwrap_err();
    assert_eq!(failed(error), ("Asked".to_owned(), "as asked".to_owned()));
    assert_eq!(fleet.stats().cold_starts, 1, "all of it was one sandbox");
}

/// More replies that break off than a sandbox may have connections.
#[tokio::test]
async fn a_reply_that_breaks_off_is_none_and_takes_no_connection_away() {
    let function = Function::new();
    let fleet = function.start();
    let event = json!({"do": "break off", "times": 40});
    assert_eq!(ask(&fleet, event.clone()).await, Ok(event));
}

#[tokio::test]
async fn payloads_have_lambdas_limit_both_ways() {
    let function = Function::new();
    let fleet = function.start();
    let most = LAMBDA_PAYLOAD_BYTES_MAX;
    let reply = ask(&fleet, json!({"do": "bytes", "bytes": most})).await.unwrap();
    assert_eq!(reply.as_str().map(str::len), Some(most - 2));
    let error = ask(&fleet, json!({"do": "bytes", "bytes": most + 1})).await.unwrap_err();
    assert_eq!(failed(error).0, "Function.ResponseSizeTooLarge");
    function.lines_until(
        r#":: response 413 {"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}"#,
    ).await;
    let event = vec![b' '; most + 1];
    let error = fleet.invoke(event.into(), InvokeRequest::default()).await.unwrap_err();
    let direction = Direction::Request;
    assert_eq!(error, InvokeError::PayloadTooLarge { bytes: most + 1, direction });
    assert_eq!(fleet.stats().cold_starts, 1);
}

/// Where AWS's emulator is known to answer as Lambda does, a sandbox answers the same.
#[tokio::test]
async fn the_emulator_answers_the_same() {
    let function = Function::new();
    let fleet = function.start();
    let root = TaskRoot::new("iris");
    fs_err::copy(function.task_root().join("bootstrap"), root.path().join("bootstrap")).unwrap();
    let emulator = Emulator::start(&root, 20, 512);
    for event in [
        json!({"n": [1, 2.5, "x"]}),
        json!({"do": "exit", "code": 0}),
        json!({"do": "exit", "code": 3}),
        json!({"do": "signal", "signal": 9}),
        json!({"do": "signal", "signal": 11}),
        json!({"do": "error"}),
        json!({"do": "wrong id"}),
        json!({"do": "twice"}),
        json!({"do": "next"}),
        json!({"do": "bytes", "bytes": LAMBDA_PAYLOAD_BYTES_MAX + 1}),
    ] {
        let payload = match fleet.invoke(event.to_string().into(), InvokeRequest::default()).await {
            Ok(invoked) => invoked.payload,
            Err(InvokeError::FunctionError { payload, .. }) => payload,
            Err(other) => panic!("{event}: {other}"),
        };
        let document: Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(without_id(document), without_id(emulator.invoke(&event).0), "{event}");
    }
}

/// An error's message without the request's id.
fn without_id(mut document: Value) -> Value {
    if let Some(message) = document.get_mut("errorMessage") {
        let text = message.as_str().unwrap().to_owned();
        *message = text.split_once(" Error: ").map_or(text.as_str(), |(_, rest)| rest).into();
    }
    document
}
