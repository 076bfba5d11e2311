//! Two deploys of one endpoint at once, and locks that nobody gave back.

use super::account::{Account, Ended};
use super::started::Started;
use serde_json::{Value, json};

const V1: &str = "deploy v1.onnx --version v1 --no-smoke";
const V2: &str = "deploy v2.onnx --version v2 --no-smoke";
const BUCKET: &str = "gwtf-123456789012-eu-central-1";

/// Both deploys are started at once, with all conditional writes slow so that both see the lock
/// free; the one that won, and the other's words.
fn race(account: &Account, one: &str, other: &str) -> (usize, Ended) {
    let slow = account.faults(&json!([
        {"service": "s3", "operation": "PutObject", "latency": 1_500},
        {"service": "apigateway", "operation": "UpdateStage", "latency": 3_000},
    ]));
    let started = [one, other].map(|command| Started::new(account, &slow.endpoint, command));
    let ended = started.map(Started::end);
    let codes = ended.iter().map(|ended| ended.code.unwrap());
    let mut sorted: Vec<i32> = codes.clone().collect();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 3], "{ended:#?}");
    let winner = codes.clone().position(|code| code == 0).unwrap();
    let [first, second] = ended;
    (winner, if winner == 0 { second } else { first })
}

#[test]
fn of_two_deploys_at_once_one_wins_and_the_other_says_who_holds_the_lock() {
    let account = Account::new();
    // Not even the bucket is there.
    let commands = [V1, V2];
    let (winner, loser) = race(&account, commands[0], commands[1]);
    let holder = loser.complains(&["lock of `iris`: held by", "pid", "since 20"]);
    assert!(!holder.stderr.contains("done: create function"), "{}", holder.stderr);
    let expected = account.normal();
    let versions = |state: &Value| state["functions"][0]["aliases"].as_array().unwrap().len();
    assert_eq!(versions(&expected), 1);
    // Nothing of the loser's is there, and its turn comes.
    account.done(commands[1 - winner]);
    assert_eq!(versions(&account.normal()), 2);
    let (_, loser) = race(
        &account,
        "deploy v1.onnx --version v3 --no-smoke",
        "deploy v1.onnx --version v4 --no-smoke",
    );
    loser.complains(&["lock of `iris`: held by", "pid", "since 20"]);
    assert_eq!(versions(&account.normal()), 3);
}

/// A deploy that was killed in the middle.
fn killed_with_the_lock(account: &Account, command: &str) {
    let slow = account.faults(&json!([{
        "service": "apigateway", "operation": "CreateDeployment", "latency": 60_000,
    }]));
    let started = Started::new(account, &slow.endpoint, command);
    started.wait_for_faults(slow, 1);
    started.kill();
}

fn lock_object(account: &Account) -> Value {
    let place = json!({"Bucket": BUCKET, "Key": "gwtf/iris/lock.json"});
    let reply = account.by_hand("s3", "get_object", &place);
    serde_json::from_str(reply["Body"].as_str().unwrap()).unwrap()
}

fn put_lock(account: &Account, text: &str) {
    let object = json!({"Bucket": BUCKET, "Key": "gwtf/iris/lock.json", "Body": text});
    account.by_hand("s3", "put_object", &object);
}

#[test]
fn a_lock_that_a_killed_deploy_left_holds_until_it_is_broken_or_expires() {
    let account = Account::new();
    account.done(V1);
    killed_with_the_lock(&account, V2);
    let before = account.state();
    let lock = lock_object(&account);
    let holder = lock["holder"].as_str().unwrap();
    for command in [V2, "destroy --yes"] {
        let refused = account.run(account.endpoint(), command).exits(3);
        refused.complains(&[holder, lock["since"].as_str().unwrap(), "--break-lock"]);
    }
    assert_eq!(account.state(), before, "nothing was changed");
    // Going back must not wait for anybody: it says so and goes on.
    account.run(account.endpoint(), "rollback --to v1 --no-smoke").exits(0);

    // Expired: taken over without a word.
    let expired = Value::from("2026-01-01T00:00:00Z");
    let mut past = lock.clone();
    past["since"] = expired.clone();
    past["expires_at"] = expired;
    put_lock(&account, &past.to_string());
    account.done(V2);
    assert_ne!(lock_object(&account)["id"], lock["id"]);

    // Broken.
    killed_with_the_lock(&account, "deploy v1.onnx --version v3 --no-smoke");
    account.run(account.endpoint(), "deploy v1.onnx --version v3 --no-smoke").exits(3);
    account.done("deploy v1.onnx --version v3 --no-smoke --break-lock");

    // What is no lock is not taken for one.
    put_lock(&account, "somebody's notes");
    let refused = account.run(account.endpoint(), "deploy v1.onnx --version v4 --no-smoke");
    refused.exits(3).complains(&["is not a lock", "--break-lock"]);
    account.done("deploy v1.onnx --version v4 --no-smoke --break-lock");
}
