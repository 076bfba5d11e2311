//! From nothing to three versions and back to nothing: what is there after each step, what was sent,
//! and how many calls each step may take.

use super::account::{Account, Ended};
use super::normal::{list, record, text};
use crate::openapi::is_openapi;
use crate::support::aws::recorder::{Recorder, Verdict};
use crate::support::fixture;
use serde_json::{Value, json};

/// Most mutating calls of a deploy that makes the endpoint.
const FIRST_DEPLOY_MAX: usize = 25;
/// Most mutating calls of a deploy of another version.
const NEW_VERSION_MAX: usize = 8;

/// An account with a recorder before it.
struct Walk {
    account: Account,
    recorder: Recorder,
}

impl Walk {
    fn new(toml: &str) -> Self {
        let account = Account::new();
        account.write("gwtf.toml", toml);
        let recorder = Recorder::start(account.endpoint());
        Self { account, recorder }
    }

    /// Runs the program, which must succeed; what it sent, all of which AWS's models allow.
    #[track_caller]
    fn step(&self, arguments: &str) -> Verdict {
        self.ends(arguments, 0).1
    }

    #[track_caller]
    fn ends(&self, arguments: &str, code: i32) -> (Ended, Verdict) {
        let first = self.recorder.requests().len();
        let ended = self.account.run(&self.recorder.endpoint, arguments).exits(code);
        let verdict = self.recorder.verdict(first);
        assert_eq!(verdict.faults, Vec::<String>::new(), "{arguments}");
        (ended, verdict)
    }

    /// The version that the stage points to, its canary's, and the kept ones, as the state has them.
    #[track_caller]
    fn serves(&self, live: &str, canary: Option<(&str, f64)>, kept: &[&str]) -> Value {
        let state = self.account.state();
        let (api, function) = (&state["rest_apis"][0], &state["functions"][0]);
        let stage = &api["stages"][0];
        let version_of = |id: &Value| {
            let deployment = list(&api["deployments"]).iter().find(|one| one["id"] == *id).unwrap();
            text(&record(deployment).unwrap()["version"])
        };
        assert_eq!(version_of(&stage["deploymentId"]), live);
        let running = stage["canarySettings"].as_object().map(|canary| {
            (version_of(&canary["deploymentId"]), canary["percentTraffic"].as_f64().unwrap())
        });
        assert_eq!(running.as_ref().map(|(tag, percent)| (tag.as_str(), *percent)), canary);
        let aliases: Vec<String> =
            list(&function["aliases"]).iter().map(|alias| text(&alias["Name"])).collect();
        assert_eq!(aliases, kept);
        for alias in list(&function["aliases"]) {
            let versions = list(&function["versions"]).iter();
            assert!(versions.filter(|one| one["Version"] == alias["FunctionVersion"]).count() == 1);
            let name = alias["Name"].as_str().unwrap();
            let id = text(&api["id"]);
            for verb in ["GET", "POST"] {
                let source =
                    format!("arn:aws:execute-api:eu-central-1:123456789012:{id}/prod/{verb}/*");
                let statements = list(&function["policies"][name]["Statement"]).iter();
                let of_verb = statements
                    .filter(|one| one["Condition"]["ArnLike"]["AWS:SourceArn"] == *source);
                assert_eq!(of_verb.count(), 1, "{name} by {verb}");
            }
        }
        state
    }
}

#[test]
fn a_walk_from_nothing_to_three_versions_and_back_to_nothing() {
    let walk = Walk::new(super::account::IRIS);
    let empty = walk.account.state();
    walk.ends("plan v1.onnx --version v1 --check", 1);
    assert_eq!(walk.account.state(), empty, "a plan changes nothing");

    let first = walk.step("deploy v1.onnx --version v1 --no-smoke");
    assert!(first.mutating.len() <= FIRST_DEPLOY_MAX, "{:#?}", first.mutating);
    assert_all_settings(&walk.serves("v1", None, &["v1"]));
    for arguments in ["deploy v1.onnx --version v1 --no-smoke", "plan v1.onnx --version v1 --check"]
    {
        assert_eq!(walk.step(arguments).mutating, Vec::<String>::new(), "{arguments}");
    }

    assert_sent_is_golden(&walk.recorder);

    let second = walk.step("deploy v2.onnx --version v2 --no-smoke");
    assert!(second.mutating.len() <= NEW_VERSION_MAX, "{:#?}", second.mutating);
    assert_all_settings(&walk.serves("v2", None, &["v1", "v2"]));
    assert_eq!(walk.step("status").mutating, Vec::<String>::new());

    let canary = walk.step("deploy v1.onnx --version v3 --canary 10 --no-smoke");
    assert!(canary.mutating.len() <= NEW_VERSION_MAX, "{:#?}", canary.mutating);
    walk.serves("v2", Some(("v3", 10.0)), &["v1", "v2", "v3"]);
    let pointer = ["apigateway UpdateStage"];
    assert_eq!(walk.step("promote --no-smoke").mutating, pointer);
    walk.serves("v3", None, &["v1", "v2", "v3"]);
    assert_eq!(walk.step("rollback --no-smoke").mutating, pointer);
    walk.serves("v2", None, &["v1", "v2", "v3"]);
    assert_eq!(walk.step("rollback --to v1 --no-smoke").mutating, pointer);
    assert_all_settings(&walk.serves("v1", None, &["v1", "v2", "v3"]));
    assert_eq!(walk.step("history").mutating, Vec::<String>::new());
    assert_eq!(walk.step("status").mutating, Vec::<String>::new());

    // A version that is there already costs no upload, and going back ends its canary.
    walk.step("deploy v2.onnx --version v2 --canary 25 --no-smoke");
    walk.serves("v1", Some(("v2", 25.0)), &["v1", "v2", "v3"]);
    assert_eq!(walk.step("rollback --no-smoke").mutating, pointer);
    walk.serves("v1", None, &["v1", "v2", "v3"]);

    walk.step("prune --keep 2");
    let pruned = walk.serves("v1", None, &["v1", "v2"]);
    // And $LATEST.
    assert_eq!(list(&pruned["functions"][0]["versions"]).len(), 3);
    let (gone, _) = walk.ends("rollback --to v3 --no-smoke", 2);
    gone.complains(&["v3", "gone"]);
    assert_eq!(walk.step("deploy v1.onnx --version v1 --no-smoke").mutating, Vec::<String>::new());

    let (alone, verdict) = walk.ends("destroy", 2);
    alone.complains(&["--yes"]);
    assert_eq!(verdict.mutating, Vec::<String>::new());
    walk.step("destroy --yes");
    assert_empty_but_for_the_log_role(&empty, &walk.account.state());
    assert_eq!(walk.step("destroy --yes").mutating, Vec::<String>::new());
}

/// What a deploy of the first test's gwtf.toml leaves besides versions.
fn assert_all_settings(state: &Value) {
    let (api, function) = (&state["rest_apis"][0], &state["functions"][0]);
    let (stage, own) = (&api["stages"][0], json!({"gwtf:endpoint": "iris"}));
    for tagged in
        [api, function, stage, &state["roles"][1], &state["log_groups"][0], &state["log_groups"][1]]
    {
        assert_eq!(tagged["tags"], own, "{tagged:#}");
    }
    assert_eq!(api["endpointConfiguration"]["types"], json!(["REGIONAL"]));
    assert_eq!(stage["methodSettings"]["*/*"]["metricsEnabled"], true);
    assert_eq!(stage["methodSettings"]["*/*"]["dataTraceEnabled"], false);
    let logs = "arn:aws:logs:eu-central-1:123456789012:log-group:/gwtf/iris/access";
    assert_eq!(stage["accessLogSettings"]["destinationArn"], logs);
    for group in list(&state["log_groups"]) {
        assert_eq!(group["retentionInDays"], 30);
    }
    let role = "arn:aws:iam::123456789012:role/gwtf/gwtf-iris-eu-central-1";
    assert_eq!(function["configuration"]["Role"], role);
    assert_eq!(function["configuration"]["MemorySize"], 1769);
    assert_eq!(function["policies"].get(""), None, "nobody may invoke the function itself");
    assert_eq!(state["account"]["cloudwatch_role"], state["roles"][0]["arn"]);
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";
    assert_eq!(state["roles"][0]["attached"], json!([policy]));
}

/// Nothing but the account's role for logs, which other APIs may use, is left of an endpoint.
#[track_caller]
fn assert_empty_but_for_the_log_role(empty: &Value, state: &Value) {
    let mut expected = empty.clone();
    let role = "arn:aws:iam::123456789012:role/gwtf/gwtf-apigateway-logs-eu-central-1";
    expected["account"]["cloudwatch_role"] = json!(role);
    expected["roles"] = state["roles"].clone();
    assert_eq!(list(&state["roles"]).len(), 1, "{:#}", state["roles"]);
    assert_eq!(state["roles"][0]["arn"], role);
    assert_eq!(state["roles"][0]["tags"]["gwtf:shared"], "apigateway-logs");
    assert_eq!(*state, expected);
}

/// The one document that was sent is the golden one, and OpenAPI; moto keeps only its methods.
fn assert_sent_is_golden(recorder: &Recorder) {
    let verdict = recorder.verdict(0);
    let at = verdict.operations.iter().position(|name| name == "apigateway PutRestApi").unwrap();
    let sent: Value =
        serde_json::from_str(recorder.requests()[at]["body"].as_str().unwrap()).unwrap();
    let text = format!("{sent:#}\n");
    let path = fixture("openapi/sent-iam.json");
    #[expect(clippy::disallowed_methods, reason = "the switch of every golden file")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs_err::write(&path, &text).unwrap();
    }
    let kept = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is behind; UPDATE_GOLDEN=1 brings it along", path.display());
    let (taken, said) = is_openapi(&[path]);
    assert!(taken, "{said}");
}
