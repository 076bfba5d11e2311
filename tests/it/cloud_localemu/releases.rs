//! v1, v2 as canary, promotion, going back, pruning, the end: each seen by calling.

use super::rig::{BODY, Rig, told, toml};
use super::watch::Watch;
use crate::runtime_program::{Emulator, event, unpack};
use crate::support::{fixture, gwtf, library};
use base64::Engine as _;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The canary's share, and the requests that it is measured by.
const CANARY_PERCENT: usize = 30;
const SAMPLES: usize = 300;
/// Five standard deviations of a binomial distribution with these numbers, rounded up: a right
/// split fails once in some million runs.
const TOLERANCE: usize = 40;
/// Replies that a release is looked at by.
const LOOK: usize = 20;

/// Runs a command under a client that calls all the time: `from` answers until `to` does.
#[track_caller]
fn moves(rig: &Rig, watch: &Watch, arguments: &str, from: &[&str], to: &str) {
    let mark = watch.mark();
    rig.run(arguments);
    let during = watch.since(mark);
    let mut allowed: BTreeSet<&str> = from.iter().copied().collect();
    allowed.insert(to);
    assert!(set(&during).is_subset(&allowed), "gwtf {arguments}: {during:?}");
    assert_eq!(set(&watch.next(LOOK)), BTreeSet::from([to]), "gwtf {arguments}");
}

fn set(versions: &[String]) -> BTreeSet<&str> {
    versions.iter().map(String::as_str).collect()
}

#[test]
fn each_release_is_what_the_endpoint_answers() {
    let Some(rig) = Rig::start(&toml("")) else { return };
    rig.deploy("iris", "v1", "");
    let watch = rig.watch();
    assert_eq!(set(&watch.next(LOOK)), BTreeSet::from(["v1"]));

    canary_is_beside_what_is_live(&rig, &watch);
    moves(&rig, &watch, "rollback", &["v1", "v2"], "v1");
    rig.deploy("iris-v2", "v2", &format!("--canary {CANARY_PERCENT}"));
    moves(&rig, &watch, "promote", &["v1", "v2"], "v2");
    for version in ["v1", "v2"] {
        let routes = [
            format!("/{version}/predict"),
            format!("/v1/models/iris/versions/{}:predict", &version[1..]),
        ];
        for route in routes {
            assert_eq!(rig.answers(&route), version, "{route}");
        }
    }
    uploaded_zip_runs_under_the_emulator(&rig);
    moves(&rig, &watch, "rollback", &["v2"], "v1");
    moves(&rig, &watch, "rollback --to v2", &["v1"], "v2");

    moves(&rig, &watch, "prune --keep 1", &["v2"], "v2");
    let gone = rig.post("/v1/predict", &[], BODY);
    assert_eq!(gone.status, 403);
    assert_eq!(gone.json(), json!({"message": "Missing Authentication Token"}));
    assert_eq!(rig.answers("/v2/predict"), "v2");
    let refused = rig.gwtf("rollback --to v1").output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{}", told(&refused));
    assert_eq!(set(&watch.next(LOOK)), BTreeSet::from(["v2"]));
    // No reply of all the time failed.
    assert!(watch.end().len() > SAMPLES);

    rig.run("destroy --yes");
    let state = rig.emulator.endpoint.state();
    for kind in ["rest_apis", "functions", "buckets", "log_groups", "usage_plans"] {
        assert_eq!(state[kind], json!([]), "{kind}");
    }
}

/// The definition changes under what is live, which stays as it was but for the canary's share.
fn canary_is_beside_what_is_live(rig: &Rig, watch: &Watch) {
    let mark = watch.mark();
    rig.deploy("iris-v2", "v2", &format!("--canary {CANARY_PERCENT}"));
    assert!(set(&watch.since(mark)).is_subset(&BTreeSet::from(["v1", "v2"])));
    let seen = watch.next(SAMPLES);
    let canary = seen.iter().filter(|version| *version == "v2").count();
    let expected = SAMPLES * CANARY_PERCENT / 100;
    assert!(canary.abs_diff(expected) <= TOLERANCE, "{canary} of {SAMPLES}");
    // A deployment is a snapshot: v2 has no route of its own in the one that is live.
    let (mut in_base, mut in_canary) = (0, 0);
    for answer in rig.post_times(LOOK * 2, "/v2/predict", BODY) {
        match answer.status {
            200 => {
                assert_eq!(answer.headers["x-gwtf-model-version"], "v2");
                in_canary += 1;
            }
            status => {
                assert_eq!((status, &*answer.body), (403, MISSING));
                in_base += 1;
            }
        }
    }
    assert!(in_base > 0 && in_canary > 0, "{in_base} {in_canary}");
    for answer in rig.post_times(LOOK, "/v1/predict", BODY) {
        assert_eq!((answer.status, &answer.headers["x-gwtf-model-version"]), (200, &json!("v1")));
    }
}

/// A route that is not there, as API Gateway says it.
const MISSING: &str = r#"{"message": "Missing Authentication Token"}"#;

/// The zip that Lambda has, under AWS's emulator, and the models that it was made from.
fn uploaded_zip_runs_under_the_emulator(rig: &Rig) {
    for (version, model) in [("v1", "iris"), ("v2", "iris-v2")] {
        let zip = fetch_code(rig, version);
        let root = unpack(&zip);
        let emulator = Emulator::start(&root, 10, 512);
        let headers = [("Content-Type", "application/json")];
        let route = format!("/{version}/predict");
        let reply = emulator.invoke(&event("POST", &route, &headers, BODY.as_bytes()));
        assert_eq!((reply.status(), reply.header("x-gwtf-model-version")), (200, Some(version)));
        assert_eq!(reply.body(), infer(rig.folder.path(), model), "{version}");
        // And the endpoint gives the same.
        assert_eq!(rig.post(&route, &[], BODY).body.as_bytes(), reply.body(), "{version}");
    }
}

fn fetch_code(rig: &Rig, version: &str) -> PathBuf {
    let zip = rig.folder.path().join(format!("{version}.zip"));
    let said = rig.client("code.py", &["gwtf-iris", version, zip.to_str().unwrap()]);
    let digest = gwtf::model::Digest::of(&fs_err::read(&zip).unwrap());
    let base64 = base64::engine::general_purpose::STANDARD.encode(digest.bytes());
    assert_eq!(said.trim(), base64);
    zip
}

fn infer(folder: &Path, name: &str) -> Vec<u8> {
    let mut command = gwtf(folder);
    command.arg("infer").arg(fixture("models").join(name).join("model.onnx"));
    command.args(["--input", "body.json", "--onnxruntime"]).arg(library().path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    output.stdout.trim_ascii_end().to_vec()
}
