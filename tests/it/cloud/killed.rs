//! Killed at any moment, a deploy and a rollback leave the old or the new release serving, never
//! neither; running them again ends where an undisturbed run does.

use super::account::{Account, Ended, share};
use super::normal::{differences, list, record, text};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Kills of a deploy.
const DEPLOYS: u64 = 20;
/// Kills of a rollback.
const ROLLBACKS: u64 = 30;
/// Accounts at once; each run mostly waits for AWS's rates.
const THREADS: usize = 4;

const V1: &str = "deploy v1.onnx --version v1 --no-smoke";
const V2: &str = "deploy v2.onnx --version v2 --no-smoke";
const BACK: &str = "rollback --no-smoke";

/// The version that the stage serves, all of whose parts are there.
#[track_caller]
fn served(state: &Value) -> String {
    let (api, function) = (&state["rest_apis"][0], &state["functions"][0]);
    let stage = &api["stages"][0];
    let deployment =
        list(&api["deployments"]).iter().find(|one| one["id"] == stage["deploymentId"]);
    let record = record(deployment.expect("the stage's deployment is there")).unwrap();
    // What a snapshot routes to: every pinned version's alias.
    for tag in list(&record["pinned"]) {
        let alias = list(&function["aliases"]).iter().find(|alias| alias["Name"] == *tag);
        let alias = alias.unwrap_or_else(|| panic!("{tag} has no alias"));
        let versions = list(&function["versions"]).iter();
        assert_eq!(versions.filter(|one| one["Version"] == alias["FunctionVersion"]).count(), 1);
        for verb in ["GET", "POST"] {
            let id = text(&api["id"]);
            let source =
                format!("arn:aws:execute-api:eu-central-1:123456789012:{id}/prod/{verb}/*");
            let statements = list(&function["policies"][tag.as_str().unwrap()]["Statement"]).iter();
            let allow = |one: &&Value| {
                one["Effect"] == "Allow" && one["Condition"]["ArnLike"]["AWS:SourceArn"] == *source
            };
            assert_eq!(statements.filter(allow).count(), 1, "{tag} by {verb}");
        }
    }
    text(&record["version"])
}

/// Runs a command and kills it after a share of the time that it takes undisturbed; whether it had
/// not ended by then.
fn kill(account: &Account, command: &str, after: Duration) -> bool {
    let mut child = account.command(account.endpoint(), command).spawn().unwrap();
    std::thread::sleep(after);
    // It may have ended already.
    let _ = child.kill();
    let ended = child.wait_with_output().unwrap();
    ended.status.code().is_none()
}

/// Runs it again; a lock that the killed one held is named, and broken.
#[track_caller]
fn again(account: &Account, command: &str) -> bool {
    let ended = account.run(account.endpoint(), command);
    if ended.code == Some(0) {
        return false;
    }
    let held = ended.exits(3).complains(&["held by", "since", "pid", "--break-lock"]);
    drop::<Ended>(held);
    account.done(&format!("{command} --break-lock"));
    true
}

/// What an undisturbed run of all commands leaves, and how long the last took.
#[expect(clippy::disallowed_methods, reason = "kills are spread over the length of a run")]
fn undisturbed(commands: &[&str]) -> (Value, Duration) {
    let account = Account::new();
    let mut took = Duration::ZERO;
    for command in commands {
        let start = Instant::now();
        account.done(command);
        took = start.elapsed();
    }
    (account.normal(), took)
}

/// Several run at once, so each takes longer than the one that was measured alone.
fn moments(count: u64, took: Duration) -> Vec<Duration> {
    let mut rng = StdRng::seed_from_u64(count);
    (0..count).map(|_| took.mul_f64(rng.random_range(0.0..2.4))).collect()
}

#[test]
fn a_deploy_that_is_killed_leaves_the_old_or_the_new_release() {
    let (expected, took) = undisturbed(&[V1, V2]);
    let killed = std::sync::Mutex::new((0, 0));
    share(moments(DEPLOYS, took), THREADS, |account, moment| {
        account.moto.reset();
        account.done(V1);
        let early = kill(account, V2, moment);
        let serves = served(&account.state());
        assert!(early && serves == "v1" || serves == "v2", "{serves} after {moment:?}");
        let locked = again(account, V2);
        assert_eq!(served(&account.state()), "v2");
        let differ = differences(&account.normal(), &expected);
        assert!(differ.is_empty(), "killed after {moment:?}: {differ:#?}");
        let mut killed = killed.lock().unwrap();
        killed.0 += usize::from(early);
        killed.1 += usize::from(locked);
    });
    let (killed, locked) = killed.into_inner().unwrap();
    // Most kills are in time, and some while the lock is held.
    assert!(killed * 2 > DEPLOYS as usize && locked > 0, "{killed} killed, {locked} locked");
}

#[test]
fn a_rollback_that_is_killed_leaves_the_old_or_the_new_release() {
    let (_, took) = undisturbed(&[V1, V2, BACK]);
    let killed = std::sync::Mutex::new(0);
    let ready = std::sync::Mutex::new(std::collections::BTreeSet::new());
    share(moments(ROLLBACKS, took), THREADS, |account, moment| {
        if ready.lock().unwrap().insert(account.endpoint().url.clone()) {
            account.done(V1);
            account.done(V2);
        }
        let before = served(&account.state());
        let other = if before == "v1" { "v2" } else { "v1" };
        let early = kill(account, &format!("rollback --to {other} --no-smoke"), moment);
        let serves = served(&account.state());
        assert!(early && serves == before || serves == other, "{serves} after {moment:?}");
        account.done(&format!("rollback --to {other} --no-smoke"));
        assert_eq!(served(&account.state()), other);
        *killed.lock().unwrap() += usize::from(early);
    });
    let killed = killed.into_inner().unwrap();
    assert!(killed * 2 > ROLLBACKS as usize, "{killed} killed");
}
