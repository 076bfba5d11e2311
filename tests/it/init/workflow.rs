//! The workflow that `gwtf init --ci github` writes, read as YAML.

use super::{done, with_iris};
use crate::support::python;
use gwtf::release::Version;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A YAML file as JSON. YAML 1.1 reads the key `on` as true.
fn yaml(path: &Path) -> Value {
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output = Command::new(python()).args(["-c", script]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The workflow for a model in `below` of a repository.
fn workflow(below: &str, file: &str) -> (Value, String) {
    let repository = with_iris("model.onnx");
    let root = repository.path();
    let folder = root.join(below);
    fs_err::create_dir(root.join(".git")).unwrap();
    fs_err::create_dir_all(&folder).unwrap();
    if !below.is_empty() {
        fs_err::rename(root.join("model.onnx"), folder.join("model.onnx")).unwrap();
    }
    done(&folder, "init --name iris --ci github");
    let path = root.join(".github/workflows").join(file);
    (yaml(&path), fs_err::read_to_string(path).unwrap())
}

fn steps(workflow: &Value, job: &str) -> Vec<Value> {
    workflow["jobs"][job]["steps"].as_array().unwrap().clone()
}

/// What the steps of a job run, in turn.
fn commands(workflow: &Value, job: &str) -> String {
    let runs = steps(workflow, job).into_iter();
    runs.filter_map(|step| Some(step["run"].as_str()?.to_owned() + "\n")).collect()
}

#[test]
fn each_job_signs_in_as_its_own_role_and_may_do_no_more() {
    let (workflow, text) = workflow("", "gwtf.yml");
    assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }));
    let jobs = workflow["jobs"].as_object().unwrap();
    assert_eq!(jobs.keys().collect::<Vec<_>>(), ["deploy", "plan", "rollback"]);
    for (name, job) in jobs {
        let permissions = serde_json::json!({ "id-token": "write", "contents": "read" });
        assert_eq!(job["permissions"], permissions, "{name}");
        let (environment, role) = match name.as_str() {
            "plan" => ("plan", "${{ vars.GWTF_PLAN_ROLE_ARN }}"),
            _ => ("prod", "${{ vars.GWTF_DEPLOY_ROLE_ARN }}"),
        };
        assert_eq!(job["environment"], environment, "{name}");
        let steps = steps(&workflow, name);
        let uses = |step: &Value, action: &str| {
            step["uses"].as_str().is_some_and(|uses| uses.starts_with(&format!("{action}@v")))
        };
        let sign_in: Vec<&Value> = steps
            .iter()
            .filter(|step| uses(step, "aws-actions/configure-aws-credentials"))
            .collect();
        assert_eq!(sign_in.len(), 1, "{name}");
        assert_eq!(sign_in[0]["with"]["role-to-assume"], role, "{name}");
        // Every action is pinned by its major version.
        for action in steps.iter().filter_map(|step| step["uses"].as_str()) {
            let version = action.split_once("@v").unwrap().1;
            assert!(version.parse::<u32>().is_ok(), "{action}");
        }
        // An expression in a script could be a script.
        assert!(!commands(&workflow, name).contains("${{"), "{name}");
    }
    assert!(!text.contains("secrets."), "nothing is kept in secrets");
    assert!(text.contains("gwtf iam deployer --trust github --repository ORG/REPO"), "{text}");
}

#[test]
fn deploys_and_rollbacks_of_an_endpoint_never_overlap() {
    let (workflow, _) = workflow("", "gwtf.yml");
    let group = serde_json::json!({ "group": "gwtf-iris", "cancel-in-progress": false });
    assert_eq!(workflow["jobs"]["deploy"]["concurrency"], group);
    assert_eq!(workflow["jobs"]["rollback"]["concurrency"], group);
    assert_eq!(workflow["jobs"]["plan"]["concurrency"], Value::Null);
    for (job, event) in
        [("plan", "pull_request"), ("deploy", "push"), ("rollback", "workflow_dispatch")]
    {
        let condition = workflow["jobs"][job]["if"].as_str().unwrap();
        assert!(condition.contains(&format!("github.event_name == '{event}'")), "{condition}");
        assert_ne!(workflow["true"].get(event), None, "{event}");
    }
    assert_eq!(workflow["true"]["push"]["branches"], serde_json::json!(["main"]));
    // A commit's front is a version's tag.
    assert!(commands(&workflow, "deploy").contains("--version \"${GITHUB_SHA::12}\""));
    assert!("0e28b21cf9ad".parse::<Version>().is_ok());
}

/// The shell does with the tags, the exit codes and the choices what the steps mean.
#[test]
fn the_steps_run_what_they_should() {
    let (workflow, _) = workflow("", "gwtf.yml");
    let run = |job: &str, name: &str, exit: i32, to: &str| {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("gwtf");
        fs_err::write(&program, format!("#!/bin/sh\necho \"$@\" >> calls\nexit {exit}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&program, mode).unwrap();
        let steps = steps(&workflow, job);
        let step = steps.iter().find(|step| step["name"] == name).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c"])
            .arg(step["run"].as_str().unwrap())
            .current_dir(folder.path())
            .env("PATH", path)
            .env("TO", to)
            .env("GITHUB_SHA", "0e28b21cf9ad8f2f1d9c5c9fb0a2c6f5c1f6b6a1")
            .env("GITHUB_STEP_SUMMARY", folder.path().join("summary"))
            .output()
            .unwrap();
        let calls = fs_err::read_to_string(folder.path().join("calls")).unwrap_or_default();
        (calls, output.status.success())
    };
    let plan = "plan --version 0e28b21cf9ad --check\n".to_owned();
    assert_eq!(run("plan", "Plan", 0, ""), (plan.clone(), true));
    assert_eq!(run("plan", "Plan", 1, ""), (plan.clone(), true), "something to do is no fault");
    assert_eq!(run("plan", "Plan", 3, ""), (plan, false));
    let deploy = "deploy --version 0e28b21cf9ad\n".to_owned();
    assert_eq!(run("deploy", "Deploy", 0, ""), (deploy, true));
    let smoke = "invoke --input requests/row.json\n".to_owned();
    assert_eq!(run("deploy", "Smoke test", 0, ""), (smoke, true));
    let (loadtest, _) = run("deploy", "Load test", 0, "");
    assert!(loadtest.ends_with("--report junit.xml --report summary.md\n"), "{loadtest}");
    assert_eq!(run("rollback", "Roll back", 0, ""), ("rollback\n".to_owned(), true));
    assert_eq!(run("rollback", "Roll back", 0, "v1; ls").0, "rollback --to v1; ls\n");
}

#[test]
fn an_endpoint_in_a_folder_has_its_own_workflow_at_the_root() {
    let (workflow, _) = workflow("models/a b", "gwtf-iris.yml");
    assert_eq!(workflow["name"], "gwtf iris");
    assert_eq!(workflow["defaults"]["run"]["working-directory"], "models/a b");
    let steps = steps(&workflow, "deploy");
    let kept = steps.last().unwrap();
    assert_eq!(kept["with"]["path"], "models/a b/junit.xml");
    // What runs before the checkout cannot run in a folder that is not there yet.
    let checkout =
        steps.iter().position(|step| step["uses"].to_string().contains("checkout")).unwrap();
    for step in &steps[..checkout] {
        assert_eq!(step["working-directory"], "/", "{step}");
    }
}
