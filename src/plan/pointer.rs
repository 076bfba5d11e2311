//! Moving the pointer: promoting a canary and going back, each one update of the stage.

use super::action::{Action, Difference, Object, Plan, Verb};
use super::change::{Change, PatchOperation};
use super::deploy::VERBS;
use super::ledger::{Entry, Ledger};
use super::names::Names;
use super::observed::{Observed, Stage};
use super::record::{Move, MoveKind, Stamp};
use super::refused::Refused;
use crate::spec::version::Version;

/// The canary becomes live.
///
/// # Errors
/// No canary is running, or its function is gone.
pub fn promote(names: &Names, observed: &Observed, stamp: &Stamp) -> Result<Plan, Refused> {
    let ledger = Ledger::of(observed, names);
    let live = ledger.live().map(|entry| entry.record.version.clone());
    if ledger.stage.is_none() {
        return Err(Refused::NothingReleased);
    }
    let (canary, _) = ledger.canary().ok_or(Refused::NoCanary { live })?;
    check_reachable(canary, &ledger, names, observed)?;
    // The order is AWS's (API Gateway developer guide, "Promote a canary release").
    let patch = vec![
        PatchOperation::replace("/canarySettings/percentTraffic", "0.0"),
        PatchOperation::copy("/canarySettings/deploymentId", "/deploymentId"),
        PatchOperation::remove("/canarySettings"),
    ];
    let version = &canary.record.version;
    let reason = format!("the canary `{version}` becomes live");
    Ok(Moving { names, observed, ledger: &ledger, stamp }.plan(
        MoveKind::Promote,
        canary,
        patch,
        reason,
    ))
}

/// Back: to the version named, or away from the canary, or to the version that was live before.
/// A plan without changes when the version named is live and no canary is running.
///
/// # Errors
/// Nothing is released, or the version cannot be gone back to.
pub fn rollback(
    names: &Names,
    observed: &Observed,
    to: Option<&Version>,
    stamp: &Stamp,
) -> Result<Plan, Refused> {
    let ledger = Ledger::of(observed, names);
    let stage = ledger.stage.as_ref().ok_or(Refused::NothingReleased)?;
    let target = target(&ledger, to)?;
    check_reachable(target, &ledger, names, observed)?;
    let mut patch = Vec::new();
    if stage.canary.is_some() {
        patch.push(PatchOperation::remove("/canarySettings"));
    }
    if stage.deployment_id != target.deployment {
        patch.push(PatchOperation::replace("/deploymentId", &target.deployment));
    }
    // Pointed there by hand: the ledger has yet to say so.
    let is_unsaid = ledger.last_move().is_none_or(|last| last.deployment != target.deployment);
    let version = &target.record.version;
    let moving = Moving { names, observed, ledger: &ledger, stamp };
    if patch.is_empty() && !is_unsaid {
        return Ok(moving.nothing(stage, version));
    }
    let reason = match (&stage.canary, stage.deployment_id == target.deployment) {
        (Some(_), true) => format!("the canary ends, `{version}` stays live"),
        (Some(_), false) => format!("the canary ends, and `{version}` becomes live again"),
        (None, true) => format!("the ledger says that `{version}` is live"),
        (None, false) => format!("`{version}` becomes live again"),
    };
    Ok(moving.plan(MoveKind::Rollback, target, patch, reason))
}

fn target<'a>(ledger: &'a Ledger, to: Option<&Version>) -> Result<&'a Entry, Refused> {
    let versions = || {
        let mut versions: Vec<Version> = Vec::new();
        for entry in &ledger.entries {
            if !versions.contains(&entry.record.version) {
                versions.push(entry.record.version.clone());
            }
        }
        versions
    };
    let live = ledger.live();
    let has_canary = ledger.stage.as_ref().is_some_and(|stage| stage.canary.is_some());
    match (to, ledger.canary()) {
        (Some(to), Some((canary, _)))
            if canary.record.version == *to
                && live.is_none_or(|live| live.record.version != *to) =>
        {
            Err(Refused::IsCanary { version: to.clone() })
        }
        (Some(to), _) => match live.filter(|live| live.record.version == *to) {
            Some(live) => Ok(live),
            None => ledger
                .newest_of(to)
                .ok_or_else(|| Refused::NotInLedger { version: to.clone(), kept: versions() }),
        },
        (None, _) if has_canary => live.ok_or(Refused::NothingReleased),
        (None, _) => {
            let version = live.map(|live| live.record.version.clone());
            let version = version.ok_or(Refused::NothingReleased)?;
            ledger.previous().ok_or(Refused::NoPrevious { live: version })
        }
    }
}

/// The deployment's function must still answer.
fn check_reachable(
    entry: &Entry,
    ledger: &Ledger,
    names: &Names,
    observed: &Observed,
) -> Result<(), Refused> {
    let version = &entry.record.version;
    let alias = names.alias(version.as_str())?;
    if ledger.kept(version).is_some() {
        // A deploy that was stopped may have made the alias and not let the API in yet.
        let function = observed.function.as_ref();
        let one = function.and_then(|one| one.aliases.iter().find(|one| one.name == alias));
        let api = observed.rest_api.as_ref().map_or("", |api| api.id.as_str());
        let is_open = |verb: &&str| {
            let arn = one.and_then(|one| one.permissions.get(&format!("gwtf-{alias}-{verb}")));
            arn == Some(&names.execute_arn(api, verb, "*"))
        };
        if VERBS.iter().all(is_open) {
            return Ok(());
        }
        return Err(Refused::Gone {
            version: version.clone(),
            reason: format!("the API may not invoke alias `{alias}` by every method"),
        });
    }
    Err(Refused::Gone {
        version: version.clone(),
        reason: format!(
            "alias `{alias}` of function `{}`, or the function version behind it, is gone",
            names.function()
        ),
    })
}

struct Moving<'a> {
    names: &'a Names,
    observed: &'a Observed,
    ledger: &'a Ledger,
    stamp: &'a Stamp,
}

impl Moving<'_> {
    fn plan(
        &self,
        kind: MoveKind,
        target: &Entry,
        mut patch: Vec<PatchOperation>,
        reason: String,
    ) -> Plan {
        let newest = Move {
            kind,
            version: target.record.version.clone(),
            deployment: target.deployment.clone(),
            canary_percent: None,
            at: self.stamp.at,
            by: self.stamp.by.clone(),
            lock: None,
        };
        let mut differences = Vec::new();
        let mut differs = |what: &str, observed: Option<&str>, desired: Option<&str>| {
            if observed != desired {
                differences.push(Difference {
                    what: what.to_owned(),
                    observed: observed.map(str::to_owned),
                    desired: desired.map(str::to_owned),
                });
            }
        };
        if let Some(stage) = &self.ledger.stage {
            let canary = stage.canary.as_ref().map(|canary| canary.deployment_id.as_str());
            differs("deployment", Some(&stage.deployment_id), Some(&target.deployment));
            differs("canary.deployment", canary, None);
        }
        patch.push(PatchOperation::replace("/description", self.ledger.moves.with(newest)));
        let rest_api = self.observed.rest_api.as_ref().map(|api| api.id.clone());
        let stage = self.names.stage.clone();
        let mut plan = Plan { notes: self.warm(target), ..Plan::default() };
        plan.push(Action {
            verb: Verb::Update,
            object: Object { kind: "stage", name: stage.clone() },
            reason,
            differences,
            change: Some(Change::UpdateStage {
                rest_api: rest_api.unwrap_or_default(),
                stage,
                patch,
            }),
            after: Vec::new(),
            gives: None,
            wait: None,
        });
        plan
    }

    /// Sandboxes held warm for versions that are live no more: a call of its own, so a deploy's.
    fn warm(&self, target: &Entry) -> Vec<String> {
        let alias = self.names.alias(target.record.version.as_str()).unwrap_or_default();
        let warm = self.observed.function.as_ref().map(|one| &one.provisioned_concurrency);
        let others = warm.into_iter().flatten().filter(|(other, _)| **other != alias);
        others
            .map(|(other, count)| {
                format!(
                    "alias {other} still holds {count} sandboxes warm; the next deploy ends that"
                )
            })
            .collect()
    }

    fn nothing(&self, stage: &Stage, version: &Version) -> Plan {
        let mut plan = Plan::default();
        plan.push(Action {
            verb: Verb::Keep,
            object: Object { kind: "stage", name: self.names.stage.clone() },
            reason: format!("`{version}` is live, by deployment {}", stage.deployment_id),
            differences: Vec::new(),
            change: None,
            after: Vec::new(),
            gives: None,
            wait: None,
        });
        plan
    }
}
