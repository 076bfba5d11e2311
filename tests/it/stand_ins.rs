//! What plays AWS in tests: each part shown to do what tests rely on.

use crate::support::aws::local_emu::LocalEmu;
use crate::support::aws::microburst::Microburst;
use crate::support::aws::moto::Moto;
use crate::support::aws::recorder::Recorder;
use crate::support::aws::{Endpoint, Place, output, python, run, script};
use serde_json::{Value, json};
use std::process::Command;

/// What a script of `tests/aws` that plays a client prints, which must succeed.
fn client(endpoint: &Endpoint, name: &str, arguments: &[&str]) -> String {
    let mut command = endpoint.client(&python());
    command.arg(script(name)).args(arguments);
    output(command, "")
}

#[test]
fn moto_has_what_was_made_until_it_is_reset() {
    let moto = Moto::start();
    let empty = moto.endpoint.state();
    client(&moto.endpoint, "sample.py", &["create"]);
    let state = moto.endpoint.state();
    let api = &state["rest_apis"][0];
    assert_eq!(api["name"], "sample");
    assert_eq!(api["tags"], json!({"made-by": "sample"}));
    assert_eq!(api["stages"][0]["deploymentId"], api["deployments"][1]["id"]);
    assert_eq!(api["stages"][0]["canarySettings"]["percentTraffic"], 10.0);
    let function = &state["functions"][0];
    assert_eq!(function["aliases"][0]["FunctionVersion"], "1");
    assert_eq!(function["policies"]["v1"]["Statement"][0]["Sid"], "sample");
    assert_eq!(state["buckets"][0]["objects"][0]["key"], "a/b");
    assert_eq!(state["log_groups"][0]["retentionInDays"], 30);
    assert_eq!(state["usage_plans"][0]["keys"][0]["name"], "sample");
    assert_eq!(state["roles"][0]["policies"]["inline"]["Version"], "2012-10-17");
    client(&moto.endpoint, "sample.py", &["delete"]);
    assert_eq!(moto.endpoint.state(), empty);
    client(&moto.endpoint, "sample.py", &["create"]);
    moto.reset();
    assert_eq!(moto.endpoint.state(), empty);
}

#[test]
fn moto_keeps_what_a_release_depends_on() {
    let moto = Moto::start();
    // The script asserts: canaries, promotion, refusals, tags, policies by alias.
    client(&moto.endpoint, "check_moto.py", &[]);
}

#[test]
fn two_motos_know_nothing_of_each_other() {
    let (one, two) = (Moto::start(), Moto::start());
    assert_ne!(one.endpoint.url, two.endpoint.url);
    client(&one.endpoint, "sample.py", &["create"]);
    assert_eq!(two.endpoint.state()["rest_apis"], json!([]));
}

#[test]
fn a_recorder_sees_every_request_and_its_status() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint);
    client(&recorder.endpoint, "sample.py", &["create"]);
    let requests = recorder.requests();
    let import = requests.iter().find(|request| request["method"] == "PUT").unwrap();
    assert!(requests.iter().all(|request| request["service"].is_string()), "{requests:#?}");
    assert!(requests.iter().all(|request| request["headers"].get("authorization").is_none()));
    assert!(requests.iter().all(|request| request["status"].as_u64().unwrap() < 300));
    assert!(import["path"].as_str().unwrap().starts_with('/'));
    let verdict = recorder.verdict(0);
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert_eq!(verdict.operations.len(), requests.len());
    assert!(verdict.mutating.contains(&"apigateway CreateRestApi".to_owned()), "{verdict:?}");
    // The same through it as without: nothing is lost on the way.
    assert_eq!(recorder.endpoint.state(), moto.endpoint.state());
    let reading = recorder.verdict(requests.len());
    assert!(!reading.operations.is_empty());
    assert_eq!(reading.mutating, Vec::<String>::new());
}

#[test]
fn faults_fire_where_they_are_told_and_stop() {
    let moto = Moto::start();
    let faults = Microburst::start(&moto.endpoint);
    let create = || {
        let mut command = faults.endpoint.client(&python());
        command.arg(script("sample.py")).arg("create").stderr(std::process::Stdio::piped());
        run(&mut command, "").0
    };
    let throttled = json!([{
        "service": "apigateway", "operation": "CreateRestApi", "times": 1,
        "error": {"code": "TooManyRequestsException", "status": 429},
    }]);
    faults.set_rules(&throttled);
    assert!(!create());
    let fired = faults.fired();
    assert_eq!(fired.len(), 1, "{fired:#?}");
    assert_eq!(fired[0]["operation"], "CreateRestApi");
    faults.set_rules(&json!([]));
    moto.reset();
    assert!(create());
    assert_eq!(faults.fired().len(), 1);
}

#[test]
fn a_reply_can_be_lost_after_the_request_was_carried_out() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint);
    let faults = Microburst::start(&recorder.endpoint);
    faults.set_rules(&json!([{
        "service": "iam", "operation": "CreateRole", "times": 1, "response": {"abort_bytes": 10},
    }]));
    let mut command = faults.endpoint.client(&python());
    command.arg(script("sample.py")).arg("create").stderr(std::process::Stdio::piped());
    assert!(!run(&mut command, "").0);
    assert_eq!(recorder.verdict(0).operations, ["iam CreateRole"]);
    assert_eq!(moto.endpoint.state()["roles"][0]["name"], "sample");
}

#[test]
fn what_plays_aws_ends_with_the_test_that_started_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    for name in ["moto_server.py", "recorder.py", "microburst_server.py"] {
        let mut command = Command::new(python());
        command.arg(script(name)).arg("http://127.0.0.1:9").arg(&log).env("LIFELINE", "stdin");
        // Nobody holds its standard input.
        let ended = command.stdin(std::process::Stdio::null()).output().unwrap();
        assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
    }
}

/// Whether the linter passes policy documents, and what it prints.
fn lint(documents: &Value) -> (bool, String) {
    let mut command = Command::new(python());
    command.arg(script("lint_policies.py"));
    run(&mut command, &documents.to_string())
}

#[test]
fn policies_are_linted() {
    let good = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Invoke", "Effect": "Allow", "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:eu-central-1:123456789012:function:f:v1",
    }]});
    assert_eq!(lint(&json!([good])), (true, String::new()));
    let mut unknown = good.clone();
    unknown["Statement"][0]["Action"] = json!("lambda:InvokeFunktion");
    let mut mismatched = good.clone();
    mismatched["Statement"][0]["Resource"] = json!("arn:aws:s3:::bucket");
    for bad in [unknown, mismatched] {
        let (passed, findings) = lint(&json!([good, bad]));
        assert!(!passed, "{bad}");
        assert!(findings.starts_with("document 2: "), "{findings}");
    }
}

#[test]
fn trust_documents_are_linted() {
    let service = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }]});
    let provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
    let claim = |name: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {name: "sts.amazonaws.com"}},
        }]})
    };
    let github = claim("token.actions.githubusercontent.com:aud");
    assert_eq!(lint(&json!([service, github])), (true, String::new()));
    let mut misspelt = service.clone();
    misspelt["Statement"][0]["Action"] = json!("sts:AssumeRoel");
    let mut malformed = github.clone();
    malformed["Statement"][0]["Principal"]["Federated"] = json!("token.actions");
    for bad in [misspelt, malformed, claim("gitlab.com:aud")] {
        assert!(!lint(&json!([bad])).0, "{bad}");
    }
}

#[test]
fn local_emu_runs_two_versions_of_an_uploaded_zip_behind_an_api() {
    let Some(emulator) = LocalEmu::start() else { return };
    assert!(matches!(emulator.endpoint.place, Place::NamespaceOf { .. }));
    let made: Value =
        serde_json::from_str(&client(&emulator.endpoint, "sample.py", &["serve"])).unwrap();
    let api_id = made["api_id"].as_str().unwrap();
    for alias in ["v1", "v2", "v1"] {
        let answer = emulator.post(api_id, "live", &format!("/{alias}/predict"), "{\"a\":1}");
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["variables"]["RELEASE"], alias);
    }
    let state = emulator.endpoint.state();
    assert_eq!(state["functions"][0]["aliases"].as_array().unwrap().len(), 2);
    assert_eq!(state["rest_apis"][0]["id"], api_id);
    // From outside its namespace nobody gets there.
    let outside = Endpoint { place: Place::Here, ..emulator.endpoint.clone() };
    let call = crate::support::aws::Call {
        method: "GET".to_owned(),
        url: outside.url,
        ..Default::default()
    };
    assert!(Place::Here.call(&[call])[0].is_err());
}

#[test]
fn local_emu_keeps_what_a_release_depends_on() {
    let Some(emulator) = LocalEmu::start() else { return };
    // The script asserts: snapshots, canaries, promotion, gateway responses, validation, keys, tags.
    client(&emulator.endpoint, "check_localemu.py", &[]);
}

#[test]
fn a_local_emu_ends_with_all_that_it_started() {
    let Some(emulator) = LocalEmu::start() else { return };
    let made: Value =
        serde_json::from_str(&client(&emulator.endpoint, "sample.py", &["serve"])).unwrap();
    let answer = emulator.post(made["api_id"].as_str().unwrap(), "live", "/v1/predict", "{}");
    let root = answer.json()["variables"]["LAMBDA_TASK_ROOT"].as_str().unwrap().to_owned();
    assert!(!running(&root).is_empty());
    drop(emulator);
    // The kernel takes a namespace's processes down in its own time; the test runner bounds this.
    while !running(&root).is_empty() {
        std::thread::yield_now();
    }
}

/// Processes that were started in `folder`.
fn running(folder: &str) -> Vec<std::path::PathBuf> {
    let processes = fs_err::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    processes
        .filter(|path| fs_err::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)))
        .collect()
}

/// A script of Python's own unit tests.
fn passes(name: &str) {
    let mut command = Command::new(python());
    let output = command.arg(script(name)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("\nOK"), "{told}");
}

#[test]
fn the_sandbox_behind_local_emu_is_lambdas() {
    passes("test_sandbox.py");
}

#[test]
fn the_validator_of_requests_names_each_damage() {
    passes("test_validate_requests.py");
}
