//! Ctrl-C: it stops between two changes, says what was done, and the next run goes on.

use super::account::Account;
use super::normal::differences;
use super::started::Started;
use serde_json::json;

const V1: &str = "deploy v1.onnx --version v1 --no-smoke";

#[test]
fn an_interrupt_between_two_changes_is_accounted_for() {
    let account = Account::new();
    account.done(V1);
    let expected = account.normal();
    account.moto.reset();
    let slow = account.faults(&json!([{
        "service": "lambda", "operation": "CreateFunction", "latency": 3_000,
    }]));
    let started = Started::new(&account, &slow.endpoint, V1);
    started.wait_for_faults(slow, 1);
    started.interrupt();
    let ended = started.end().exits(130);
    let ended = ended.complains(&["interrupted", "running the command again is safe"]);
    for word in ["  done: create function `gwtf-iris`", "  not started: create stage `prod`"] {
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    }
    // What was under way was let to its end.
    assert_eq!(account.state()["functions"][0]["name"], "gwtf-iris");
    account.done(V1);
    let differ = differences(&account.normal(), &expected);
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn an_interrupt_while_it_looks_ends_it_and_gives_the_lock_back() {
    let account = Account::new();
    // The first look, the one before the lock, and the one with the lock.
    for looks in 0..3 {
        let rule = |times: usize, latency_ms: u32| {
            json!({
                "service": "apigateway", "operation": "GetRestApis", "times": times,
                "latency": latency_ms,
            })
        };
        let hangs = rule(1, 600_000);
        let rules = if looks == 0 { json!([hangs]) } else { json!([rule(looks, 1), hangs]) };
        let slow = account.faults(&rules);
        let started = Started::new(&account, &slow.endpoint, V1);
        started.wait_for_faults(slow, looks + 1);
        started.interrupt();
        started.end().exits(130).complains(&["error: interrupted", "again is safe"]);
        let state = account.state();
        assert_eq!(state["rest_apis"], json!([]));
        let buckets = state["buckets"].as_array().unwrap();
        assert_eq!(buckets.len(), usize::from(looks > 0));
        assert!(buckets.iter().all(|bucket| bucket["objects"] == json!([])), "{buckets:?}");
    }
    account.done(V1);
}

#[test]
fn an_interrupt_while_it_waits_for_an_answer_leaves_the_release() {
    let account = Account::new();
    let deploy = "deploy v1.onnx --version v1";
    // Nobody listens there: the release never answers.
    let url = format!("http://127.0.0.1:{}/{{rest_api}}/{{stage}}", unused_port());
    let mut command = account.command(account.endpoint(), deploy);
    command.arg("--verbose").env("GWTF_EXECUTE_API_URL", url);
    let mut started = Started::of(command);
    let said = started.wait_for_word("asking http://127.0.0.1");
    assert!(said.contains("done: update stage `prod`"), "{said}");
    started.interrupt();
    started.end().exits(130);
    assert_eq!(account.state()["rest_apis"][0]["stages"].as_array().unwrap().len(), 1);
    account.done("deploy v1.onnx --version v1 --no-smoke");
}

/// A port that was free a moment ago.
fn unused_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
