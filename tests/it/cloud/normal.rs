//! What is there, with ids and times replaced, so that two runs can be held side by side.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names in ledger texts that differ from run to run.
const DROPPED: [&str; 4] = ["at", "by", "lock", "ended_lock"];

/// The state with each id replaced by what it is the id of, ledger texts as documents, without what
/// differs from run to run.
pub(crate) fn normal(state: &Value) -> Value {
    let mut names = BTreeMap::new();
    for (number, api) in list(&state["rest_apis"]).iter().enumerate() {
        names.insert(text(&api["id"]), format!("<api {number}>"));
        names.insert(text(&api["rootResourceId"]), format!("<root of api {number}>"));
        let mut versions: BTreeMap<String, usize> = BTreeMap::new();
        for deployment in list(&api["deployments"]) {
            let version = record(deployment).map(|record| text(&record["version"]));
            let version = version.unwrap_or_else(|| "nobody".to_owned());
            let count = versions.entry(version.clone()).or_default();
            *count += 1;
            names.insert(text(&deployment["id"]), format!("<deployment {count} of {version}>"));
        }
    }
    for (kind, items) in [("plan", &state["usage_plans"]), ("key", &state["api_keys"])] {
        for (number, item) in list(items).iter().enumerate() {
            names.insert(text(&item["id"]), format!("<{kind} {number}>"));
        }
    }
    let mut written = state.to_string();
    for (id, name) in &names {
        assert!(id.len() >= 5, "`{id}` is too short to be told from other text");
        written = written.replace(id, name);
    }
    let mut state: Value = serde_json::from_str(&written).unwrap();
    clean(&mut state);
    state
}

/// The ledger's record of a deployment.
pub(crate) fn record(deployment: &Value) -> Option<Value> {
    serde_json::from_str(deployment["description"].as_str()?).ok()
}

/// Items of a list, none of null.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn clean(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // A lock is there between two releases or not, held or not.
            if let Some(Value::Array(objects)) = members.get_mut("objects") {
                objects.retain(|object| !text(&object["key"]).ends_with("/lock.json"));
            }
            if let Some(text) = members.get("description").and_then(Value::as_str)
                && let Ok(mut ledger @ Value::Object(_)) = serde_json::from_str(text)
            {
                drop_times(&mut ledger);
                members.insert("description".to_owned(), ledger);
            }
            // The order of a policy's statements is that of parallel calls.
            if let Some(Value::Array(statements)) = members.get_mut("Statement") {
                statements.sort_by_key(|statement| statement["Sid"].to_string());
            }
            members.values_mut().for_each(clean);
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        _ => {}
    }
}

fn drop_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in DROPPED {
                members.remove(name);
            }
            members.values_mut().for_each(drop_times);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_times),
        _ => {}
    }
}

/// Where two documents differ, a line each.
pub(crate) fn differences(left: &Value, right: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", left, right, &mut lines);
    lines
}

fn compare(path: &str, left: &Value, right: &Value, lines: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
            for name in names {
                let at =
                    |side: &serde_json::Map<_, _>| side.get(name).cloned().unwrap_or(json!(null));
                compare(&format!("{path}/{name}"), &at(one), &at(other), lines);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (number, (left, right)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}/{number}"), left, right, lines);
            }
        }
        _ if left == right => {}
        _ => lines.push(format!("{path}: {left} or {right}")),
    }
}
