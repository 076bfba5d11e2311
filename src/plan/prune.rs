//! What goes of an endpoint that stays: old versions, with their routes and functions.

use super::action::{Plan, Verb};
use super::change::Change;
use super::deploy::Planner;
use super::ledger::Ledger;
use super::observed::Observed;
use super::record::MoveKind;
use super::refused::Refused;
use super::wanted::Wanted;
use crate::spec::version::Version;
use std::collections::{BTreeMap, BTreeSet};

/// Deployments kept as the ledger's memory; older ones that nothing points to are deleted.
const DEPLOYMENTS_MAX: usize = 100;

/// Takes old versions away, so that `keep` remain: the live one and the most recently deployed.
/// `wanted` is the live version as it is to be.
///
/// The routes go first, by a release of the live version without them; then aliases and functions.
/// Deployments stay as the ledger's memory.
///
/// # Errors
/// `keep` is 0, nothing is released, a canary is running, or the live version cannot be planned.
pub fn prune(wanted: &Wanted, observed: &Observed, keep: usize) -> Result<Plan, Refused> {
    if keep == 0 {
        return Err(Refused::KeepZero);
    }
    let mut ledger = Ledger::of(observed, &wanted.names);
    let live = ledger.live().ok_or(Refused::NothingReleased)?.record.version.clone();
    if let Some((canary, _)) = ledger.canary() {
        let canary = canary.record.version.clone();
        return Err(Refused::CanaryRunning { version: live, canary });
    }
    let gone = gone(&ledger, &live, keep);
    ledger.kept.retain(|kept| !gone.contains(&kept.record.version));
    let aliases: Vec<String> = gone
        .iter()
        .map(|version| wanted.names.alias(version.as_str()))
        .collect::<Result<_, _>>()?;
    let mut planner = Planner::new(wanted, observed, &ledger);
    planner.kind = MoveKind::Prune;
    planner.check_owners()?;
    let stage = if gone.is_empty() { None } else { planner.release()? };
    planner.remove_functions(&aliases, stage);
    planner.remove_deployments(stage);
    planner.hold_lock();
    Ok(planner.plan)
}

/// Versions that are not live and not among the `keep` most recently deployed.
fn gone(ledger: &Ledger, live: &Version, keep: usize) -> BTreeSet<Version> {
    let mut stays = BTreeSet::from([live.clone()]);
    for entry in ledger.entries.iter().rev() {
        let version = &entry.record.version;
        if stays.len() < keep && ledger.kept(version).is_some() {
            stays.insert(version.clone());
        }
    }
    let kept = ledger.kept.iter().map(|kept| kept.record.version.clone());
    kept.filter(|version| !stays.contains(version)).collect()
}

impl Planner<'_> {
    fn remove_functions(&mut self, aliases: &[String], stage: Option<usize>) {
        let Some(function) = &self.observed.function else { return };
        let name = self.wanted.names.function();
        let mut before = Vec::new();
        for alias in aliases {
            let mut after: Vec<usize> = stage.into_iter().collect();
            let change = Change::DeleteProvisionedConcurrency {
                function: name.clone(),
                alias: alias.clone(),
            };
            // The release may have taken them away already, as from all that is not live.
            let taken =
                self.plan.actions.iter().position(|one| one.change.as_ref() == Some(&change));
            after.extend(taken);
            if taken.is_none() && function.provisioned_concurrency.contains_key(alias) {
                let object = ("provisioned concurrency", alias.as_str());
                let reason = "its version goes";
                after.push(self.act(Verb::Delete, object, reason, change, stage));
            }
            let change = Change::DeleteAlias { function: name.clone(), alias: alias.clone() };
            let reason = "its version is kept no more; its permissions go with it";
            before.push(self.act(Verb::Delete, ("alias", alias), reason, change, after));
        }
        // Where aliases point once the release is through.
        let mut points: BTreeMap<String, String> = function
            .aliases
            .iter()
            .filter(|alias| !aliases.contains(&alias.name))
            .map(|alias| (alias.name.clone(), alias.version.clone()))
            .collect();
        for (index, action) in self.plan.actions.iter().enumerate() {
            if let Some(
                Change::UpdateAlias { alias, version, .. }
                | Change::CreateAlias { alias, version, .. },
            ) = &action.change
            {
                points.insert(alias.clone(), version.clone());
                before.push(index);
            }
        }
        let stays: BTreeSet<String> = points.into_values().collect();
        for version in function.versions.iter().filter(|one| !stays.contains(&one.version)) {
            let change = Change::DeleteFunctionVersion {
                function: name.clone(),
                version: version.version.clone(),
            };
            let object = format!("{name}:{}", version.version);
            let reason = "no alias points to it";
            let after = before.iter().copied().chain(stage);
            self.act(Verb::Delete, ("function version", &object), reason, change, after);
        }
    }

    fn remove_deployments(&mut self, stage: Option<usize>) {
        let Some(api) = &self.observed.rest_api else { return };
        let live = self.ledger.stage.as_ref().map(|stage| stage.deployment_id.as_str());
        let deployments = &self.observed.deployments;
        let old = deployments.len().saturating_sub(DEPLOYMENTS_MAX);
        // The release before may point the stage to one of the old ones.
        let next: Vec<String> = self.plan.changes().flat_map(pointed_to).collect();
        let is_free = |id: &str| Some(id) != live && !next.iter().any(|one| one == id);
        for deployment in deployments.iter().take(old).filter(|one| is_free(&one.id)) {
            let change = Change::DeleteDeployment {
                rest_api: api.id.clone(),
                deployment: deployment.id.clone(),
            };
            let reason = "the ledger remembers the last 100";
            self.act(Verb::Delete, ("deployment", &deployment.id), reason, change, stage);
        }
    }
}

/// The deployments that an update of a stage points it to.
fn pointed_to(change: &Change) -> Vec<String> {
    let Change::UpdateStage { patch, .. } = change else { return Vec::new() };
    let pointers = patch.iter().filter(|one| one.path.ends_with("/deploymentId"));
    pointers.filter_map(|one| one.value.clone()).collect()
}
