//! `gwtf-runtime` in a sandbox; the program killed.

use super::function::{lives, until};
use crate::lambda_target::artefact;
use crate::runtime_program::root::{TaskRoot, event};
use crate::support::gwtf;
use crate::support::served::Served;
use gwtf::gateway::sandbox::{Fleet, FunctionOptions, InvokeRequest};
use serde_json::Value;
use std::sync::Arc;

/// The program that ships gives the same reply as in this process.
#[tokio::test]
async fn the_runtime_that_ships_answers_in_a_sandbox() {
    let (root, scratch) = (TaskRoot::new("iris"), tempfile::tempdir().unwrap());
    let (task_root, scratch) = (root.path().to_owned(), scratch.path().to_owned());
    let options = FunctionOptions::new(task_root, scratch, "iris", "v3", Arc::new(|_| {}));
    let fleet = Fleet::start(options).unwrap();
    let body = br#"{"instances":[[5.1,3.5,1.4,0.2]]}"#;
    let event = event("POST", "/predict", &[("Content-Type", "application/json")], body);
    for is_cold in [true, false] {
        let event = event.to_string().into();
        let invoked = fleet.invoke(event, InvokeRequest::default()).await.unwrap();
        let reply: Value = serde_json::from_slice(&invoked.payload).unwrap();
        assert_eq!(reply["statusCode"], 200, "{reply}");
        assert!(reply["body"].as_str().unwrap().contains("predictions"), "{reply}");
        assert_eq!(invoked.cold_start.is_some(), is_cold);
    }
}

/// A program that is killed has no time to end its sandboxes; the watcher has.
#[tokio::test]
async fn sandboxes_end_with_a_program_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    artefact::make(folder.path());
    let scratch = folder.path().join("scratch");
    fs_err::create_dir(&scratch).unwrap();
    let mut command = gwtf(folder.path());
    command.args(["serve", "--port", "0", "--json", "--package", "artefact"]);
    let served = Served::spawn({
        command.env("TMPDIR", &scratch);
        command
    });
    let headers = [("content-type", "application/json"), ("x-do", "pid")];
    let body = artefact::BODY.as_bytes();
    let reply = served.request("POST", "/prod/predict", &headers, body);
    let pid: u64 = reply.text().parse().unwrap();
    let headers = [headers[0], ("x-do", "stray")];
    let reply = served.request("POST", "/prod/predict", &headers, body);
    let stray: u64 = reply.text().parse().unwrap();
    assert!(lives(pid) && lives(stray));
    let groups = fs_err::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    // Kills, as dropping it does.
    drop(served);
    until(|| !lives(pid)).await;
    if groups.contains("/gwtf-") {
        until(|| !lives(stray)).await;
    }
    until(|| fs_err::read_dir(&scratch).unwrap().count() == 0).await;
    if groups.contains("/gwtf-") {
        let left = groups.lines().filter_map(|line| line.rsplit_once("/gwtf-")).any(|(_, name)| {
            let name = format!("gwtf-{}", name.split('/').next().unwrap());
            ["cpu", "memory"].iter().any(|controller| {
                std::path::Path::new("/sys/fs/cgroup").join(controller).join(&name).exists()
            })
        });
        assert!(!left, "{groups}");
    }
}
