//! What people and accounts do beside gwtf: roles deleted, stages changed, names taken, credentials
//! that expire, quotas that are full.

use super::account::{Account, IRIS};
use super::normal::{differences, text};
use crate::support::aws::recorder::Recorder;
use serde_json::{Value, json};

const V1: &str = "deploy v1.onnx --version v1 --no-smoke";
const V2: &str = "deploy v2.onnx --version v2 --no-smoke";
const ROLE: &str = "gwtf-iris-eu-central-1";

#[test]
fn a_role_that_was_deleted_is_made_again() {
    let account = Account::new();
    account.done(V1);
    let expected = account.normal();
    let inline = json!({"RoleName": ROLE, "PolicyName": "execution"});
    account.by_hand("iam", "delete_role_policy", &inline);
    account.by_hand("iam", "delete_role", &json!({"RoleName": ROLE}));
    account.run(account.endpoint(), "plan v1.onnx --version v1 --check").exits(1);
    account.done(V1);
    let differ = differences(&account.normal(), &expected);
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn a_stage_that_was_changed_by_hand_is_named_and_left_without_a_word() {
    let account = Account::new();
    let toml = format!("{IRIS}\n[gateway]\nthrottle = {{ rate_rps = 100, burst = 200 }}\n");
    account.write("gwtf.toml", toml);
    account.done(V1);
    account.done("status");
    let state = account.state();
    let api = text(&state["rest_apis"][0]["id"]);
    let patch = json!({"restApiId": api, "stageName": "prod", "patchOperations": [
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "7"},
    ]});
    account.by_hand("apigateway", "update_stage", &patch);
    let changed = account.state();
    let rate = |state: &Value| {
        state["rest_apis"][0]["stages"][0]["methodSettings"]["*/*"]["throttlingRateLimit"].clone()
    };
    assert_eq!((rate(&state), rate(&changed)), (json!(100.0), json!(7.0)));

    for json in ["", " --json"] {
        let told = account.run(account.endpoint(), &format!("status{json}")).exits(1).stdout;
        assert!(told.contains("throttle") && told.contains("20"), "{told}");
    }
    let recorder = Recorder::start(account.endpoint());
    for command in [V1, V2] {
        let refused = account.run(&recorder.endpoint, command).exits(1);
        refused.complains(&["changed by hand", "throttle", "--yes"]);
    }
    assert_eq!(recorder.verdict(0).mutating, Vec::<String>::new());
    assert_eq!(account.state(), changed);
    account.done(&format!("{V2} --yes"));
    assert_eq!(rate(&account.state()), 100.0);
    account.done("status");
}

#[test]
fn an_api_of_the_same_name_that_is_not_ours_is_left_alone() {
    let account = Account::new();
    account.by_hand("apigateway", "create_rest_api", &json!({"name": "iris"}));
    let before = account.state();
    for command in [V1, "plan v1.onnx --version v1"] {
        let refused = account.run(account.endpoint(), command).exits(2);
        refused.complains(&["rest api `iris", "does not belong to endpoint `iris`", "rename"]);
    }
    account.done("destroy --yes");
    assert_eq!(account.state(), before);
}

#[test]
fn a_full_quota_of_apis_is_said_before_or_when_it_is_met() {
    let account = Account::new();
    let faults = account.faults(&json!([{"service": "apigateway", "operation": "CreateRestApi", "error": {
        "code": "LimitExceededException", "status": 429, "message": "Maximum number of APIs reached",
    }}]));
    let refused = account.run(&faults.endpoint, V1).exits(3);
    refused.complains(&["CreateRestApi", "Maximum number of APIs", "Service Quotas"]);
    assert_eq!(faults.fired().len(), 1, "it is not tried again");
    account.done("destroy --yes");
    account.by_hands("apigateway", "create_rest_api", &json!({"name": "other"}), 600);
    let recorder = Recorder::start(account.endpoint());
    let refused = account.run(&recorder.endpoint, V1).exits(2);
    refused.complains(&["api gateway account", "600 REST APIs", "quota"]);
    assert_eq!(recorder.verdict(0).mutating, Vec::<String>::new());
}

#[test]
fn credentials_that_expire_half_way_end_it_and_the_next_run_goes_on() {
    let expected = {
        let account = Account::new();
        account.done(V1);
        account.normal()
    };
    // The first questions, before the lock, and among the changes; a first deploy makes 88 calls.
    let calls = vec![5, 35, 50, 58, 63, 68];
    super::account::share(calls, 3, |account, calls| {
        account.moto.reset();
        let faults = account.faults(&json!([
            {"service": "*", "times": calls, "latency": 1},
            {"service": "*", "error": {"code": "ExpiredTokenException", "status": 400}},
        ]));
        let refused = account.run(&faults.endpoint, V1).exits(3);
        let refused = refused.complains(&["sign in again"]);
        // Without credentials the lock cannot be given back either.
        let kept_lock = refused.stderr.contains("ends by itself");
        let again = if kept_lock { format!("{V1} --break-lock") } else { V1.to_owned() };
        account.done(&again);
        let differ = differences(&account.normal(), &expected);
        assert!(differ.is_empty(), "after {calls} calls: {differ:#?}");
    });
}
