//! What the deployed gateway refuses and lets through, beside the twin of the same gwtf.toml; and a
//! release whose function does not start.

use super::rig::{BODY, Rig, deploy, told, toml};
use crate::support::model;
use crate::support::served::{Served, request};
use serde_json::{Value, json};

/// A key's value that no endpoint has.
const UNKNOWN: &str = "0123456789abcdefghijABCDEFGHIJ0123456789";

/// Status, body and AWS's name of a refusal.
type Refusal = (u16, Value, Option<String>);

/// What the deployed endpoint and the twin say to the same request.
#[track_caller]
fn both(
    rig: &Rig,
    twin: &Served,
    route: &str,
    key: (Option<&str>, Option<&str>),
    body: &str,
) -> (Refusal, Refusal) {
    let deployed = rig.post(route, &headers(key.0), body);
    let name = deployed.headers["x-amzn-errortype"].as_str().map(str::to_owned);
    let deployed = (deployed.status, parsed(deployed.body.as_bytes()), name);
    let json = [("content-type", "application/json")];
    let sent: Vec<(&str, &str)> = json.into_iter().chain(headers(key.1)).collect();
    let path = format!("/prod{route}");
    let local = request(twin.authority(), "POST", &path, &sent, body.as_bytes());
    let name = local.header("x-amzn-errortype").map(str::to_owned);
    (deployed, (local.status, parsed(&local.body), name))
}

fn headers(key: Option<&str>) -> Vec<(&str, &str)> {
    key.map(|key| ("x-api-key", key)).into_iter().collect()
}

fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}

#[test]
fn the_gateway_refuses_as_the_twin_does_and_a_broken_release_goes_back() {
    let keys = "[gateway]\nauth = \"api-key\"\n\
        [[usage_plan]]\nname = \"free\"\nthrottle = { rate_rps = 100, burst = 200 }\n\
        quota = { limit = 100000, period = \"day\" }\nkeys = [\"alice\"]\n";
    let Some(rig) = Rig::start(&toml(keys)) else { return };
    rig.deploy("iris", "v1", "");
    let made = key_of(&rig);
    let twin = Served::start(rig.folder.path(), &[&model("iris")]);
    let local = local_key(&rig);
    let known = (Some(made.as_str()), Some(local.as_str()));

    let (deployed, local) = both(&rig, &twin, "/predict", known, BODY);
    assert_eq!(deployed, local);
    assert_eq!((deployed.0, deployed.1["predictions"].is_array()), (200, true));
    for (route, key, body, status, message) in [
        ("/predict", (None, None), BODY, 403, "Forbidden"),
        ("/predict", (Some(UNKNOWN), Some(UNKNOWN)), BODY, 403, "Forbidden"),
        ("/nothing", known, BODY, 403, "Missing Authentication Token"),
        ("/v2/predict", known, BODY, 403, "Missing Authentication Token"),
        ("/predict", known, "{\"instance\":[[1,2,3,4]]}", 400, "Invalid request body"),
        ("/predict", known, "{\"instances\":7}", 400, "Invalid request body"),
        ("/predict", known, "{\"instances\":[[1,2,3,\"4\"]]}", 400, "Invalid request body"),
        ("/predict", known, "[]", 400, "Invalid request body"),
        ("/predict", known, "{", 400, "Invalid request body"),
    ] {
        let (deployed, local) = both(&rig, &twin, route, key, body);
        assert_eq!(deployed, local, "{route} {body}");
        let expected = json!({ "message": message });
        assert_eq!((deployed.0, &deployed.1), (status, &expected), "{route} {body}");
    }
    // The program finds the key by itself.
    assert!(rig.run("invoke --input body.json").contains("predictions"));

    a_function_that_does_not_start_is_said_and_taken_back(&rig, &made);
}

/// The value of the key that AWS made.
fn key_of(rig: &Rig) -> String {
    let found = rig.client("keys.py", &[]);
    let keys: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(keys.as_array().unwrap().len(), 1, "{keys}");
    keys[0]["value"].as_str().unwrap().to_owned()
}

/// The value of the key that the twin made.
fn local_key(rig: &Rig) -> String {
    let text = fs_err::read_to_string(rig.folder.path().join(".gwtf/keys.json")).unwrap();
    let keys: Value = serde_json::from_str(&text).unwrap();
    let found = keys.pointer("/keys/alice").unwrap_or_else(|| panic!("{keys}"));
    found.as_str().unwrap().to_owned()
}

fn a_function_that_does_not_start_is_said_and_taken_back(rig: &Rig, key: &str) {
    let mut command = rig.gwtf(&deploy("iris-v2", "v2", "--smoke-timeout 2s"));
    // A program that ends before it asks for an event.
    let output = command.env("GWTF_RUNTIME", "/bin/false").output().unwrap();
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("error: smoke test: `v2` did not answer within 2 s"), "{said}");
    assert!(said.contains("502 Bad Gateway"), "{said}");
    let hint = said.lines().find(|line| line.starts_with("hint: ")).unwrap();
    assert!(hint.contains("`gwtf rollback`") && hint.contains("/aws/lambda/gwtf-iris"), "{hint}");
    assert_eq!(rig.post("/predict", &headers(Some(key)), BODY).status, 502);
    // v1 answers where it is named, and after the rollback as what is live.
    let by = |route: &str| {
        let answer = rig.post(route, &headers(Some(key)), BODY);
        (answer.status, answer.headers["x-gwtf-model-version"].clone())
    };
    assert_eq!(by("/v1/predict"), (200, json!("v1")));
    rig.run("rollback");
    assert_eq!(by("/predict"), (200, json!("v1")));
}
