//! Status and history of an endpoint, and what counts as changed by hand.

use super::{World, minute, names, released, stamp, version, wanted, zip};
use crate::support::held_to_schema;
use gwtf::plan::{Drift, Plan, Wanted, deploy, rollback};
use serde_json::Value;

fn document(value: &Value) -> Value {
    held_to_schema(&value.to_string())
}

/// Three versions: `v1` live again after `v2`, a canary of `v3`.
fn told() -> World {
    let mut world = released(&["v1", "v2"]);
    world.rollback(None, 2);
    let mut canary = Wanted { canary_percent: Some(10), ..wanted("v3", 3) };
    canary.stamp.by = "ci-runner-eu".to_owned();
    world.deploy(&canary);
    world
}

#[test]
fn documents_follow_their_schemas() {
    let world = told();
    let status = document(&world.told(|place| place.status_document(&[])));
    assert_eq!((&status["live"], &status["previous"]), (&"v1".into(), &"v2".into()));
    assert_eq!(status["canary"], serde_json::json!({ "version": "v3", "percent": 10 }));
    assert_eq!(status["url"], "https://a000000001.execute-api.eu-west-1.amazonaws.com/prod");
    let roles: Vec<&Value> =
        status["versions"].as_array().unwrap().iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["live", "kept", "canary"]);
    assert_eq!(status["versions"][1]["function_version"], "2");
    assert_eq!(status["versions"][1]["artefact_sha256"], zip("v2").digest.to_string());
    let release = document(&world.told(|place| place.release_document("deploy", &Plan::default())));
    assert_eq!((&release["release"]["version"], &release["live"]), (&"v3".into(), &"v1".into()));
    let history = document(&world.told(|place| place.history_document()));
    let rows: Vec<String> = history["releases"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(
        rows,
        ["deploy v3, live v1", "rollback v1, live v1", "deploy v2, live v2", "deploy v1, live v1"]
    );
    assert_eq!(history["releases"][1]["git_commit"], Value::Null);
    let nothing = World::new(&names());
    assert_eq!(document(&nothing.told(|place| place.status_document(&[])))["url"], Value::Null);
    let history = document(&nothing.told(|place| place.history_document()));
    assert_eq!(history["releases"], serde_json::json!([]));
    document(&nothing.told(|place| place.release_document("destroy", &Plan::default())));
}

fn row(release: &Value) -> String {
    let text = |name: &str| release[name].as_str().unwrap_or("?").to_owned();
    format!("{} {}, live {}", text("kind"), text("version"), text("live"))
}

/// A deploy that was stopped before its release is told as such; pruning is one event; a deployment
/// that is released again is an event without a commit.
#[test]
fn history_tells_what_was_released_and_what_was_not() {
    let mut world = released(&["v1", "v2", "v3"]);
    world.rollback(Some("v1"), 3);
    world.deploy(&wanted("v3", 4));
    world.prune("v3", 2, 5);
    let plan = deploy(&wanted("v4", 6), &world.observed).unwrap();
    world.carry_out_first(&plan, plan.changes().count() - 1, minute(6));
    let history = document(&world.told(|place| place.history_document()));
    let rows: Vec<String> = history["releases"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(
        rows,
        [
            "deploy v4, live ?",
            "prune v3, live v3",
            "deploy v3, live v3",
            "rollback v1, live v1",
            "deploy v3, live v3",
            "deploy v2, live v2",
            "deploy v1, live v1",
        ]
    );
}

#[test]
fn texts_fit_80_and_160_columns() {
    let mut world = told();
    world.stage().tracing = true;
    let drift = world.drift();
    let status = |columns| world.told(|place| place.status_text(&drift, columns));
    let history = |columns| world.told(|place| place.history_text(columns));
    for columns in [80, 160] {
        for text in [status(columns), history(columns)] {
            let wide = text.lines().find(|line| line.chars().count() > columns);
            assert_eq!(wide, None, "{text}");
        }
    }
    assert_eq!(
        status(80),
        "\
iris (lambda, eu-west-1, account 111122223333, stage prod)
  live      v1
  canary    v3 at 10 %
  previous  v2
  url       https://a000000001.execute-api.eu-west-1.amazonaws.com/prod

 VERSION  ROLE    FUNCTION   RELEASED           BY
 v3       canary  version 3  2026-11-24 12:03Z  ci-runner-eu
 v2       kept    version 2  2026-11-24 12:01Z  ada
 v1       live    version 1  2026-11-24 12:02Z  ada

not as the last release left it:
  stage prod: tracing is true, the release left false, since 2026-11-24 12:03Z
    at the latest
"
    );
    assert_eq!(
        history(80),
        " COMMAND   VERSION  CANARY  LIVE  WHEN               BY
 deploy    v3       10 %    v1    2026-11-24 12:03Z  ci-runner-eu
 rollback  v1               v1    2026-11-24 12:02Z  ada
 deploy    v2               v2    2026-11-24 12:01Z  ada
 deploy    v1               v1    2026-11-24 12:00Z  ada
"
    );
    let moved = rollback(&world.names, &world.observed, None, &stamp(9)).unwrap();
    assert_eq!(
        world.told(|place| place.release_text("deploy", &moved)),
        "iris: `v1` is live, `v3` is its canary at 10 %
https://a000000001.execute-api.eu-west-1.amazonaws.com/prod
`gwtf promote` makes the canary live, `gwtf rollback` ends it
"
    );
    let nothing = World::new(&names());
    let said = "iris (lambda, eu-west-1, account 111122223333, stage prod): nothing is released\n";
    assert_eq!(nothing.told(|place| place.status_text(&[], 160)), said);
}

fn what(drift: &[Drift]) -> Vec<&str> {
    drift.iter().map(|one| one.difference.what.as_str()).collect()
}

/// Each change by hand is named; a plan names those that it overwrites.
#[test]
fn what_was_changed_by_hand_is_named() {
    let told = |change: &dyn Fn(&mut World), tag: &str| {
        let mut world = released(&["v1", "v2"]);
        change(&mut world);
        let status = world.drift();
        let plan: Plan = deploy(&wanted(tag, 5), &world.observed).unwrap();
        (what(&status).join(" "), what(&plan.drift).join(" "))
    };
    let rate = |world: &mut World| {
        world.stage().method_settings.get_mut("*/*").unwrap().rate_rps = Some(1.0);
    };
    let both = |text: &str| (text.to_owned(), text.to_owned());
    let shown = |text: &str| (text.to_owned(), String::new());
    assert_eq!(told(&rate, "v2"), both("stage.throttle"));
    assert_eq!(told(&|world| world.stage().tracing = true, "v3"), both("stage.tracing"));
    assert_eq!(
        told(&|world| world.stage().access_log_format = None, "v2"),
        both("stage.access_log")
    );
    let elsewhere = |world: &mut World| {
        world.stage().access_log_destination = Some("arn:aws:logs:elsewhere".to_owned());
    };
    assert_eq!(told(&elsewhere, "v2"), both("stage.access_log"));
    let reserved = |world: &mut World| world.function().reserved_concurrency = Some(1);
    assert_eq!(told(&reserved, "v2"), both("function.reserved"));
    let policy = |world: &mut World| world.observed.execution_policy = Some("{}".to_owned());
    assert_eq!(told(&policy, "v2"), both("role.policy"));
    let memory = |world: &mut World| world.function().configuration.memory_mib = 128;
    assert_eq!(told(&memory, "v2"), both("function.memory_mib"));
    let pointer = |world: &mut World| {
        world.stage().deployment_id = world.observed.deployments[0].id.clone();
    };
    assert_eq!(told(&pointer, "v2"), both("stage.deployment"));
    // Just where it was moved by hand: nothing is overwritten.
    assert_eq!(told(&pointer, "v1").0, "stage.deployment");
    let method = |world: &mut World| {
        let settings = world.stage().method_settings["*/*"].clone();
        world.stage().method_settings.insert("~1predict/POST".to_owned(), settings);
    };
    assert_eq!(told(&method, "v2"), shown("stage.methods"));
    let alias = |world: &mut World| world.function().aliases[0].version = "2".to_owned();
    assert_eq!(told(&alias, "v2"), shown("alias.function_version"));
    assert_eq!(told(&alias, "v1"), both("alias.function_version"));
    let trace = |world: &mut World| {
        world.stage().method_settings.get_mut("*/*").unwrap().data_trace = true;
    };
    assert_eq!(told(&trace, "v2"), both("stage.data_trace"));
    let gone = |world: &mut World| drop(world.function().aliases.remove(0));
    assert_eq!(told(&gone, "v3"), both("alias.function_version"));
    assert_eq!(told(&gone, "v1"), shown("alias.function_version"));
    let canary = |world: &mut World| {
        world.stage().canary = Some(gwtf::plan::observed::StageCanary {
            deployment_id: "xyz".to_owned(),
            percent: 3.0,
        });
    };
    assert_eq!(told(&canary, "v2"), both("stage.canary"));
}

/// The stage was pointed back by hand: the ledger says so once somebody says it is right.
#[test]
fn a_pointer_moved_by_hand_is_made_the_ledgers() {
    let mut world = released(&["v1"]);
    let first = world.observed.deployments[0].id.clone();
    world.deploy(&wanted("v2", 1));
    world.stage().deployment_id = first;
    let plan = rollback(&world.names, &world.observed, Some(&version("v1")), &stamp(2)).unwrap();
    assert_eq!(plan.changes().count(), 1);
    world.carry_out(&plan, minute(2));
    assert_eq!(world.drift(), []);
    let again = rollback(&world.names, &world.observed, Some(&version("v1")), &stamp(3)).unwrap();
    assert!(again.is_empty());
}

/// An alias that somebody pointed elsewhere is pointed back to the version's own code.
#[test]
fn an_alias_is_pointed_back_to_its_versions_code() {
    let mut world = released(&["v1", "v2"]);
    world.function().aliases[0].version = "2".to_owned();
    world.deploy(&wanted("v1", 2));
    let function = world.function();
    assert_eq!((function.aliases[0].version.as_str(), function.versions.len()), ("1", 2));
}

/// A version whose code has to be sent again, and was built anew since, says so in its record.
#[test]
fn a_version_built_anew_is_recorded_as_such() {
    let mut world = released(&["v1", "v2"]);
    let mut again = wanted("v1", 2);
    again.artefact = Some(zip("v1 built by another release"));
    again.function.memory_mib = 3_008;
    let plan = deploy(&again, &world.observed).unwrap();
    assert!(plan.notes[0].starts_with("version `v1` is built anew: its artefact was "), "{plan:?}");
    world.carry_out(&plan, minute(2));
    let ledger = gwtf::plan::Ledger::of(&world.observed, &world.names);
    let digest = again.artefact.as_ref().unwrap().digest;
    assert_eq!(ledger.live().unwrap().record.artefact_sha256, digest);
    assert!(deploy(&again, &world.observed).unwrap().is_empty());
    // Whoever deploys it without the bytes at hand is not asked for them.
    assert!(!gwtf::plan::deploy::needs_artefact(&again, &world.observed));
}

/// Rollback ends a canary that somebody else started.
#[test]
fn a_canary_made_by_hand_ends_like_any_other() {
    let mut world = released(&["v1", "v2"]);
    world.stage().canary =
        Some(gwtf::plan::observed::StageCanary { deployment_id: "xyz".to_owned(), percent: 3.0 });
    let mut back = world.clone();
    back.rollback(None, 2);
    assert!(back.stage().canary.is_none());
    assert_eq!(back.stage().deployment_id, world.stage().deployment_id, "what is live stays");
    world.deploy(&wanted("v3", 3));
    assert!(world.stage().canary.is_none());
}

/// Permissions for an API that is gone are replaced, and the rest of the alias stays.
#[test]
fn permissions_follow_the_api() {
    let mut world = released(&["v1", "v2"]);
    (world.observed.rest_api, world.observed.stages) = (None, Vec::new());
    world.observed.deployments.clear();
    world.deploy(&wanted("v2", 3));
    let api = world.observed.rest_api.clone().unwrap().id;
    let alias = world.function().aliases.iter().find(|alias| alias.name == "v2").unwrap();
    assert!(alias.permissions.values().all(|arn| arn.contains(&api)), "{alias:?}");
    assert_eq!(alias.permissions.len(), 2);
}

/// A function whose last update failed is made again; one that is not ready is waited for.
#[test]
fn a_function_that_is_not_ready_is_not_relied_on() {
    let mut world = released(&["v1"]);
    world.function().state = "Failed".to_owned();
    let plan = deploy(&wanted("v1", 1), &world.observed).unwrap();
    assert!(plan.changes().any(|change| change.operation().1 == "UpdateFunctionCode"));
    assert!(gwtf::plan::deploy::needs_artefact(&wanted("v1", 1), &world.observed));
    let mut world = World::new(&names());
    let plan = deploy(&wanted("v1", 0), &world.observed).unwrap();
    let made = plan.changes().position(|change| change.operation().1 == "CreateFunction").unwrap();
    world.carry_out_first(&plan, made + 1, minute(0));
    world.function().state = "Pending".to_owned();
    let plan = deploy(&wanted("v1", 1), &world.observed).unwrap();
    let alias = plan.actions.iter().find(|one| one.object.kind == "alias").unwrap();
    let waits = alias.after.iter().any(|before| plan.actions[*before].wait.is_some());
    assert!(waits, "{alias:?}");
    assert_eq!(world.function().code_sha256, super::world::zip_sha256(&zip("v1").digest));
}

/// Pruning says which versions went, by the names that people gave them.
#[test]
fn pruning_tells_what_went() {
    let mut world = released(&["1.0", "v2", "v3"]);
    let live = Wanted { artefact: None, ..wanted("v3", 3) };
    let plan = gwtf::plan::prune(&live, &world.observed, 2).unwrap();
    world.carry_out(&plan, minute(3));
    let pruned = document(&world.told(|place| place.release_document("prune", &plan)));
    assert_eq!(pruned["schema"], "gwtf.prune/v1");
    assert_eq!((&pruned["removed"][0], &pruned["kept"]), (&"1.0".into(), &vec!["v2", "v3"].into()));
    let text = world.told(|place| place.release_text("prune", &plan));
    assert_eq!(text, "iris: removed `1.0`; kept `v2`, `v3`\n");
    let text = world.told(|place| place.release_text("prune", &Plan::default()));
    assert_eq!(text, "iris: no changes: kept `v2`, `v3`\n");
}
