//! Endpoints of other forms: keys and usage plans, settings, an artefact too large to be sent.

use super::account::{Account, IRIS};
use super::normal::list;
use crate::support::aws::recorder::Recorder;
use crate::support::fixture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

/// Largest zip that is sent to Lambda itself, bytes.
const DIRECT_BYTES_MAX: usize = 50 << 20;

/// Deploys two versions and destroys all, with AWS's models allowing every request.
fn lives_and_dies(account: &Account, check: impl Fn(&serde_json::Value)) {
    let recorder = Recorder::start(account.endpoint());
    let run = |command: &str| account.run(&recorder.endpoint, command).exits(0);
    run("deploy v1.onnx --version v1 --no-smoke");
    check(&account.state());
    let first = recorder.requests().len();
    run("deploy v1.onnx --version v1 --no-smoke");
    assert_eq!(recorder.verdict(first).mutating, Vec::<String>::new());
    run("deploy v2.onnx --version v2 --no-smoke");
    check(&account.state());
    run("rollback --no-smoke");
    check(&account.state());
    run("status");
    run("destroy --yes");
    let state = account.state();
    for kind in ["rest_apis", "usage_plans", "api_keys", "functions", "log_groups", "buckets"] {
        assert_eq!(state[kind], json!([]), "{kind}");
    }
    assert_eq!(recorder.verdict(0).faults, Vec::<String>::new());
}

#[test]
fn keys_and_usage_plans_come_and_go_with_an_endpoint() {
    let account = Account::new();
    let more = r#"
        [gateway]
        auth = "api-key"
        throttle = { rate_rps = 100, burst = 200 }
        [[usage_plan]]
        name = "free"
        throttle = { rate_rps = 5, burst = 10 }
        quota = { limit = 1000, period = "day" }
        keys = ["ada", "bob"]
        [[usage_plan]]
        name = "paid"
        keys = ["eve"]
    "#;
    account.write("gwtf.toml", format!("{IRIS}{more}"));
    lives_and_dies(&account, |state| {
        let plans = list(&state["usage_plans"]);
        let names = plans.iter().map(|plan| {
            let mut keys: Vec<_> = list(&plan["keys"]).iter().map(|key| &key["name"]).collect();
            keys.sort_by_key(|name| name.to_string());
            json!([plan["name"], keys])
        });
        assert_eq!(
            names.collect::<Vec<_>>(),
            [json!(["free", ["ada", "bob"]]), json!(["paid", ["eve"]])]
        );
        assert_eq!(plans[0]["throttle"], json!({"rateLimit": 5.0, "burstLimit": 10}));
        assert_eq!(plans[0]["quota"]["limit"], 1000);
        for plan in plans {
            assert_eq!(plan["apiStages"][0]["apiId"], state["rest_apis"][0]["id"]);
            assert_eq!(plan["tags"], json!({"gwtf:endpoint": "iris"}));
        }
        assert_eq!(list(&state["api_keys"]).len(), 3);
    });
}

#[test]
fn settings_beside_the_definition_are_in_force() {
    let account = Account::new();
    let more = r#"
        [function]
        memory_mib = 512
        timeout_s = 20
        reserved_concurrency = 7
        [observe]
        access_logs = false
        log_retention_days = 14
        tracing = true
    "#;
    account.write("gwtf.toml", format!("{IRIS}{more}"));
    lives_and_dies(&account, |state| {
        let (function, stage) = (&state["functions"][0], &state["rest_apis"][0]["stages"][0]);
        assert_eq!(function["reserved_concurrency"], 7);
        assert_eq!(function["configuration"]["MemorySize"], 512);
        assert_eq!(function["configuration"]["Timeout"], 20);
        assert_eq!(function["configuration"]["TracingConfig"]["Mode"], "Active");
        assert_eq!(stage["tracingEnabled"], true);
        assert!(stage.get("accessLogSettings").is_none(), "{stage:#}");
        assert_eq!(list(&state["log_groups"]).len(), 1);
        assert_eq!(state["log_groups"][0]["retentionInDays"], 14);
        // Without access logs nobody needs the account's role.
        assert_eq!(list(&state["roles"]).len(), 1);
    });
}

/// The iris model with a `metadata_props` entry (field 14 of ModelProto) of letters that hardly
/// compress.
fn large_model() -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(5);
    let mut letters = vec![0; DIRECT_BYTES_MAX * 5 / 4];
    rng.fill(&mut letters[..]);
    letters.iter_mut().for_each(|byte| {
        *byte = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
            [usize::from(*byte % 64)]
    });
    let entry = [field(1, b"letters"), field(2, &letters)].concat();
    [fs_err::read(fixture("models/iris/model.onnx")).unwrap(), field(14, &entry)].concat()
}

/// A length-delimited field of a protocol buffer.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        encoded.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    encoded.push(length as u8);
    encoded.extend(bytes);
    encoded
}

#[test]
fn a_zip_too_large_to_be_sent_goes_through_the_bucket() {
    let account = Account::new();
    account.write("v1.onnx", large_model());
    let recorder = Recorder::start(account.endpoint());
    account.run(&recorder.endpoint, "deploy v1.onnx --version v1 --no-smoke").exits(0);
    let verdict = recorder.verdict(0);
    assert_eq!(verdict.faults, Vec::<String>::new());
    let uploads = verdict.mutating.iter().filter(|call| *call == "s3 PutObject").count();
    assert_eq!(uploads, 2, "the lock and the artefact");
    let state = account.state();
    let size = state["functions"][0]["configuration"]["CodeSize"].as_u64().unwrap();
    assert!(size > DIRECT_BYTES_MAX as u64, "{size}");
    account.done("destroy --yes");
    assert_eq!(account.state()["buckets"], json!([]));
}
