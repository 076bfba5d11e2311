//! Answers, reuse, errors, what the Runtime API takes.

use super::function::Function;
use serde_json::json;

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
