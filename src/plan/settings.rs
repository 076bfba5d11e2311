//! Settings that no deployment snapshots, as a table of names and texts: what a release leaves, what
//! is there, and so what was changed by hand.

use super::action::{Difference, Drift, Object};
use super::ledger::{Entry, Ledger};
use super::names::Names;
use super::observed::Observed;
use super::record::{Move, MoveKind};
use super::wanted::Wanted;
use crate::model::Digest;
use crate::spec::limits;
use crate::spec::timestamp::Timestamp;
use crate::spec::version::Version;
use std::collections::BTreeMap;

/// The name of the function's processor among the settings.
pub(super) const ARCHITECTURE: &str = "function.architecture";

/// The settings as a release of `wanted` leaves them.
pub fn wanted(wanted: &Wanted) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from(
        [
            (ARCHITECTURE, wanted.function.architecture.clone()),
            ("function.memory_mib", wanted.function.memory_mib.to_string()),
            ("function.timeout_s", wanted.function.timeout_s.to_string()),
            ("role.policy", short_digest(&wanted.role.policy)),
            ("stage.data_trace", false.to_string()),
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
    let destination = wanted.names.log_group_arn(&wanted.names.access_log_group());
    let access_log = wanted.gateway.access_log_format.as_deref();
    put("stage.access_log", access_log.map(|format| access_log_digest(&destination, format)));
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
        let configuration = &function.configuration;
        let mut put = |name, value: Option<String>| {
            let object = object("function", &names.function());
            settings.insert(name, Setting { object, value, since: function.last_modified });
        };
        // gwtf publishes whatever it makes of the function, and going back to an older function
        // version leaves it as it is: only what was never published is somebody else's.
        if !function.versions.iter().any(|one| one.configuration == *configuration) {
            put("function.memory_mib", Some(configuration.memory_mib.to_string()));
            put("function.timeout_s", Some(configuration.timeout_s.to_string()));
        }
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
        let throttle = throttle.filter(|(rate, _)| *rate >= 0.0);
        let throttle = throttle.map(|(rate_rps, burst)| crate::spec::Throttle { rate_rps, burst });
        let mut put = |name, value: Option<String>| {
            let object = object("stage", &stage.name);
            settings.insert(name, Setting { object, value, since: stage.last_updated_at });
        };
        put("stage.data_trace", Some(all.data_trace.to_string()));
        put("stage.metrics", Some(all.metrics.to_string()));
        put("stage.tracing", Some(stage.tracing.to_string()));
        put("stage.throttle", throttle.map(|throttle| throttle.to_string()));
        let access_log =
            stage.access_log_destination.as_deref().zip(stage.access_log_format.as_deref());
        put("stage.access_log", access_log.map(|(to, format)| access_log_digest(to, format)));
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
pub(super) fn last_release(ledger: &Ledger) -> Option<&Entry> {
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
        let is_unset = released.is_none()
            && match name {
                // No release set a limit: AWS may show the account's in its place.
                "stage.throttle" => {
                    setting.value.as_ref().is_none_or(|value| no_limit(state, value))
                }
                // Kept for ever, as far as gwtf is concerned: it never takes a retention away.
                "logs.retention_days" => true,
                _ => false,
            };
        if setting.value.as_ref() == released || is_unset {
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
    drift.extend(foreign_canary(ledger));
    drift.extend(methods(ledger));
    drift.extend(aliases(ledger));
    drift
}

/// Where a deploy points the stage and the version's alias.
pub(super) struct Overwrites<'a> {
    /// The deployment, or its placeholder.
    pub(super) deployment: &'a str,
    /// The function's version, or its placeholder.
    pub(super) function_version: &'a str,
}

/// The drift that a deploy would overwrite: settings that it is going to change back or on.
pub(super) fn drift(
    wanted_state: &Wanted,
    state: &Observed,
    overwrites: &Overwrites<'_>,
) -> Vec<Drift> {
    let wanted = wanted(wanted_state);
    // As it was observed: pruning plans with less of it.
    let ledger = Ledger::of(state, &wanted_state.names);
    let mut drift = changed_by_hand(state, &wanted_state.names, &ledger);
    let is_live = wanted_state.canary_percent.is_none();
    drift.retain(|one| {
        let Difference { what, observed, .. } = &one.difference;
        let observed = observed.as_deref();
        let is_wanted = one.object.name == wanted_state.version.as_str();
        match what.as_str() {
            // A canary stands beside whatever the stage points to.
            POINTER => is_live && observed != Some(overwrites.deployment),
            CANARY => is_live,
            METHODS => false,
            // The version's alias is put right; routes of one that is gone go with the deploy.
            ALIAS if is_wanted => observed.is_some_and(|is| is != overwrites.function_version),
            ALIAS => observed.is_none(),
            name => wanted.get(name).map(String::as_str) != observed,
        }
    });
    drift
}

/// Whether a stage's limit is no more than the account's own, or AWS's default for it.
fn no_limit(state: &Observed, value: &str) -> bool {
    let account = &state.api_gateway_account;
    let account = account.rate_rps.zip(account.burst);
    let default = (limits::ACCOUNT_RATE_RPS, limits::ACCOUNT_BURST);
    let mut both = [account, Some(default)].into_iter().flatten();
    both.any(|(rate_rps, burst)| value == crate::spec::Throttle { rate_rps, burst }.to_string())
}

/// The name of the stage's pointer among the settings.
const POINTER: &str = "stage.deployment";
/// The name of the stage's canary among the settings.
const CANARY: &str = "stage.canary";
/// The name of methods with settings of their own among the settings.
const METHODS: &str = "stage.methods";
/// The name of an alias's version among the settings.
const ALIAS: &str = "alias.function_version";

/// The stage points elsewhere than the last move said.
fn pointer(ledger: &Ledger) -> Option<Drift> {
    let stage = ledger.stage.as_ref()?;
    let last = ledger.last_move()?;
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

/// The stage has a canary that gwtf did not make.
fn foreign_canary(ledger: &Ledger) -> Option<Drift> {
    let stage = ledger.stage.as_ref()?;
    let canary = stage.canary.as_ref()?;
    ledger.canary().is_none().then(|| Drift {
        object: Object { kind: "stage", name: stage.name.clone() },
        difference: Difference {
            what: CANARY.to_owned(),
            observed: Some(format!("{} at {} %", canary.deployment_id, canary.percent)),
            desired: None,
        },
        since: stage.last_updated_at,
    })
}

/// Methods with settings of their own: gwtf sets those of all methods alone.
fn methods(ledger: &Ledger) -> Option<Drift> {
    let stage = ledger.stage.as_ref()?;
    let methods = stage.method_settings.keys().filter(|key| *key != "*/*");
    let methods: Vec<String> = methods.map(|key| key.replace("~1", "/")).collect();
    (!methods.is_empty()).then(|| Drift {
        object: Object { kind: "stage", name: stage.name.clone() },
        difference: Difference {
            what: METHODS.to_owned(),
            observed: Some(methods.join(", ")),
            desired: None,
        },
        since: stage.last_updated_at,
    })
}

/// Aliases that point elsewhere than their version's newest record says, and those that are gone
/// though the newest deployment has routes of them.
fn aliases(ledger: &Ledger) -> impl Iterator<Item = Drift> + '_ {
    let drift = |version: &Version, observed: Option<&str>, desired: &str| Drift {
        object: Object { kind: "alias", name: version.to_string() },
        difference: Difference {
            what: ALIAS.to_owned(),
            observed: observed.map(str::to_owned),
            desired: Some(desired.to_owned()),
        },
        since: None,
    };
    let moved = |kept: &&super::ledger::Kept| kept.function_version != kept.record.function_version;
    let moved = ledger.kept.iter().filter(moved).map(move |kept| {
        let desired = &kept.record.function_version;
        drift(&kept.record.version, Some(&kept.function_version), desired)
    });
    let pinned = ledger.entries.last().map(|entry| entry.record.pinned.as_slice());
    let gone = pinned.unwrap_or_default().iter().filter(|tag| ledger.kept(tag).is_none());
    let gone = gone.filter_map(move |tag| {
        Some(drift(tag, None, &ledger.newest_of(tag)?.record.function_version))
    });
    moved.chain(gone)
}

fn access_log_digest(destination: &str, format: &str) -> String {
    short_digest(&format!("{destination} {format}"))
}

/// Enough of a digest to see that a document changed; of JSON, whatever its spaces and order.
fn short_digest(text: &str) -> String {
    let canonical = serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
    Digest::of(canonical.as_deref().unwrap_or(text).as_bytes()).short()
}
