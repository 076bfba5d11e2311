//! Settings that no deployment snapshots, as a table of names and texts: what a release leaves, what
//! is there, and so what was changed by hand.

use super::action::{Difference, Drift, Object};
use super::ledger::{Entry, Ledger};
use super::names::Names;
use super::observed::Observed;
use super::record::{Move, MoveKind};
use super::wanted::Wanted;
use crate::model::Digest;
use crate::spec::timestamp::Timestamp;
use std::collections::BTreeMap;

/// The settings as a release of `wanted` leaves them.
pub fn wanted(wanted: &Wanted) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from(
        [
            ("function.memory_mib", wanted.function.memory_mib.to_string()),
            ("function.timeout_s", wanted.function.timeout_s.to_string()),
            ("role.policy", short_digest(&wanted.role.policy)),
            ("stage.metrics", true.to_string()),
            ("stage.tracing", wanted.function.tracing.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            settings.insert(name.to_owned(), value);
        }
    };
    put("function.reserved", wanted.function.reserved_concurrency.map(|one| one.to_string()));
    put("stage.throttle", wanted.gateway.throttle.map(|throttle| throttle.to_string()));
    put("stage.access_log", wanted.gateway.access_log_format.as_deref().map(short_digest));
    put("logs.retention_days", wanted.log_retention_days.map(|days| days.to_string()));
    settings
}

/// One setting as it is, and what it belongs to.
struct Setting {
    object: Object,
    value: Option<String>,
    since: Option<Timestamp>,
}

/// The settings of the same names as they are.
fn observed(
    observed: &Observed,
    names: &Names,
    ledger: &Ledger,
) -> BTreeMap<&'static str, Setting> {
    let mut settings = BTreeMap::new();
    let object = |kind, name: &str| Object { kind, name: name.to_owned() };
    if let Some(function) = &observed.function {
        // The version that is live runs as it was published; only the function itself can be changed.
        let configuration = &function.configuration;
        let mut put = |name, value: Option<String>| {
            let object = object("function", &names.function());
            settings.insert(name, Setting { object, value, since: function.last_modified });
        };
        put("function.memory_mib", Some(configuration.memory_mib.to_string()));
        put("function.timeout_s", Some(configuration.timeout_s.to_string()));
        put("function.reserved", function.reserved_concurrency.map(|one| one.to_string()));
    }
    if let Some(policy) = &observed.execution_policy {
        let object = object("execution role", &names.execution_role());
        let value = Some(short_digest(policy));
        settings.insert("role.policy", Setting { object, value, since: None });
    }
    if let Some(stage) = &ledger.stage {
        let all = stage.method_settings.get("*/*").cloned().unwrap_or_default();
        let throttle = all.rate_rps.zip(all.burst);
        let throttle = throttle.map(|(rate_rps, burst)| crate::spec::Throttle { rate_rps, burst });
        let mut put = |name, value: Option<String>| {
            let object = object("stage", &stage.name);
            settings.insert(name, Setting { object, value, since: stage.last_updated_at });
        };
        put("stage.metrics", Some(all.metrics.to_string()));
        put("stage.tracing", Some(stage.tracing.to_string()));
        put("stage.throttle", throttle.map(|throttle| throttle.to_string()));
        put("stage.access_log", stage.access_log_format.as_deref().map(short_digest));
    }
    if let Some(group) = observed.log_groups.get(&names.function_log_group()) {
        let value = group.retention_days.map(|days| days.to_string());
        let object = object("log group", &group.name);
        settings.insert("logs.retention_days", Setting { object, value, since: None });
    }
    settings
}

/// The deployment of the last deploy that went through. A later rollback moved the pointer and left
/// the settings; one that stopped half-way moved nothing.
fn last_release(ledger: &Ledger) -> Option<&Entry> {
    let deployed = |one: &&Move| matches!(one.kind, MoveKind::Deploy | MoveKind::Prune);
    ledger.entry(&ledger.moves.moves.iter().find(deployed)?.deployment)
}

/// What is no longer as the last release left it.
pub fn changed_by_hand(state: &Observed, names: &Names, ledger: &Ledger) -> Vec<Drift> {
    let Some(last) = last_release(ledger) else { return Vec::new() };
    let observed = observed(state, names, ledger);
    let mut drift = Vec::new();
    for (name, setting) in observed {
        let released = last.record.settings.get(name);
        // A limit that no release set is the account's, which AWS may show.
        if setting.value.as_ref() == released || (released.is_none() && name == "stage.throttle") {
            continue;
        }
        drift.push(Drift {
            object: setting.object,
            difference: Difference {
                what: name.to_owned(),
                observed: setting.value,
                desired: released.cloned(),
            },
            since: setting.since,
        });
    }
    drift.extend(pointer(ledger));
    drift.extend(aliases(ledger));
    drift
}

/// The drift that a deploy would overwrite: settings that it is going to change back or on.
pub fn drift(wanted_state: &Wanted, state: &Observed, ledger: &Ledger) -> Vec<Drift> {
    let wanted = wanted(wanted_state);
    let mut drift = changed_by_hand(state, &wanted_state.names, ledger);
    drift.retain(|one| {
        let name = one.difference.what.as_str();
        name == POINTER || name == ALIAS || wanted.get(name) != one.difference.observed.as_ref()
    });
    drift
}

/// The name of the stage's pointer among the settings.
const POINTER: &str = "stage.deployment";
/// The name of an alias's version among the settings.
const ALIAS: &str = "alias.function_version";

/// The stage points elsewhere than the last move said.
fn pointer(ledger: &Ledger) -> Option<Drift> {
    let stage = ledger.stage.as_ref()?;
    let last = ledger.moves.moves.iter().find(|one| one.canary_percent.is_none())?;
    (stage.deployment_id != last.deployment).then(|| Drift {
        object: Object { kind: "stage", name: stage.name.clone() },
        difference: Difference {
            what: POINTER.to_owned(),
            observed: Some(stage.deployment_id.clone()),
            desired: Some(last.deployment.clone()),
        },
        since: stage.last_updated_at,
    })
}

/// Aliases that point elsewhere than their version's newest record says.
fn aliases(ledger: &Ledger) -> impl Iterator<Item = Drift> + '_ {
    let moved = |kept: &&super::ledger::Kept| kept.function_version != kept.record.function_version;
    ledger.kept.iter().filter(moved).map(|kept| Drift {
        object: Object { kind: "alias", name: kept.record.version.to_string() },
        difference: Difference {
            what: ALIAS.to_owned(),
            observed: Some(kept.function_version.clone()),
            desired: Some(kept.record.function_version.clone()),
        },
        since: None,
    })
}

/// Enough of a digest to see that a document changed; of JSON, whatever its spaces and order.
fn short_digest(text: &str) -> String {
    let canonical = serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
    Digest::of(canonical.as_deref().unwrap_or(text).as_bytes()).short()
}
