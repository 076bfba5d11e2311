//! What an `UpdateStage` patch makes of a stage: all of it in order, or nothing.
//!
//! The paths are those of API Gateway's "UpdateStage" patch operations; a path that is not among
//! them is refused.

use super::rest_api::{bad, missing};
use super::{Outcome, Refusal};
use crate::apply::cloud::Failed;
use crate::plan::change::{PatchOp, PatchOperation};
use crate::plan::observed::{MethodSettings, Stage, StageCanary};

/// The stage after a patch.
pub(super) fn patched(
    before: &Stage,
    patch: &[PatchOperation],
    is_deployment: &dyn Fn(&str) -> bool,
    has_log_role: bool,
) -> Outcome<Stage> {
    let mut stage = before.clone();
    for operation in patch {
        apply(&mut stage, operation)?;
    }
    let canary = stage.canary.as_ref();
    for id in [Some(&stage.deployment_id), canary.map(|canary| &canary.deployment_id)] {
        if let Some(id) = id.filter(|id| !is_deployment(id)) {
            return Err(missing(id, "deployment"));
        }
    }
    let moved = stage.deployment_id != before.deployment_id;
    if moved && canary.is_some_and(|canary| canary.deployment_id != stage.deployment_id) {
        let message = "Stage has a canary: it cannot be given another deployment";
        return Err(bad(&stage.name, message));
    }
    let logs = |settings: &MethodSettings| {
        settings.logging_level.as_deref().is_some_and(|level| level != "OFF")
    };
    let logging =
        stage.access_log_destination.is_some() || stage.method_settings.values().any(logs);
    if logging && !has_log_role {
        let message = "CloudWatch Logs role ARN must be set in account settings to enable logging";
        return Err(bad(&stage.name, message));
    }
    Ok(stage)
}

fn apply(stage: &mut Stage, operation: &PatchOperation) -> Outcome<()> {
    let PatchOperation { op, path, value, from } = operation;
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or_default().split('/').collect();
    match (op, segments.as_slice(), value, from) {
        (PatchOp::Replace, segments, Some(value), None) => replace(stage, path, segments, value),
        (PatchOp::Remove, segments, None, None) => remove(stage, path, segments),
        (PatchOp::Copy, _, None, Some(from)) => copy(stage, from, path),
        _ => Err(unknown(path)),
    }
}

fn unknown(path: &str) -> Refusal {
    let message = format!("Invalid patch path '{path}' specified for this operation");
    Refusal::new(path, Failed::Invalid, "BadRequestException", message)
}

fn replace(stage: &mut Stage, path: &str, segments: &[&str], value: &str) -> Outcome<()> {
    let text = || Some(value.to_owned());
    match segments {
        ["deploymentId"] => value.clone_into(&mut stage.deployment_id),
        ["description"] => value.clone_into(&mut stage.description),
        ["tracingEnabled"] => stage.tracing = parse(path, value)?,
        ["accessLogSettings", "destinationArn"] => stage.access_log_destination = text(),
        ["accessLogSettings", "format"] => stage.access_log_format = text(),
        ["variables", _] => {}
        ["canarySettings", "stageVariableOverrides", _] | ["canarySettings", "useStageCache"] => {
            canary(stage);
        }
        ["canarySettings", "percentTraffic"] => canary(stage).percent = parse(path, value)?,
        ["canarySettings", "deploymentId"] => value.clone_into(&mut canary(stage).deployment_id),
        [resource, verb, group, setting] => {
            let key = format!("{resource}/{verb}");
            let off = || MethodSettings {
                logging_level: Some("OFF".to_owned()),
                ..MethodSettings::default()
            };
            let settings = stage.method_settings.entry(key).or_insert_with(off);
            match (*group, *setting) {
                ("throttling", "rateLimit") => settings.rate_rps = Some(parse(path, value)?),
                ("throttling", "burstLimit") => settings.burst = Some(parse(path, value)?),
                ("metrics", "enabled") => settings.metrics = parse(path, value)?,
                ("logging", "dataTrace") => settings.data_trace = parse(path, value)?,
                ("logging", "loglevel") => settings.logging_level = text(),
                _ => return Err(unknown(path)),
            }
        }
        _ => return Err(unknown(path)),
    }
    Ok(())
}

/// The stage's canary; a new one has the live deployment and no share.
fn canary(stage: &mut Stage) -> &mut StageCanary {
    let deployment_id = stage.deployment_id.clone();
    stage.canary.get_or_insert(StageCanary { deployment_id, percent: 0.0 })
}

fn remove(stage: &mut Stage, path: &str, segments: &[&str]) -> Outcome<()> {
    match segments {
        ["canarySettings"] if stage.canary.is_some() => stage.canary = None,
        ["accessLogSettings"] => {
            stage.access_log_destination = None;
            stage.access_log_format = None;
        }
        ["variables", _] => {}
        [resource, verb] => {
            let key = format!("{resource}/{verb}");
            stage.method_settings.remove(&key).ok_or_else(|| unknown(path))?;
        }
        _ => return Err(unknown(path)),
    }
    Ok(())
}

fn copy(stage: &mut Stage, from: &str, path: &str) -> Outcome<()> {
    let Some(canary) = &stage.canary else { return Err(unknown(from)) };
    match (from, path) {
        ("/canarySettings/deploymentId", "/deploymentId") => {
            stage.deployment_id.clone_from(&canary.deployment_id);
        }
        // gwtf sets no stage variables.
        ("/canarySettings/stageVariableOverrides", "/variables") => {}
        _ => return Err(unknown(from)),
    }
    Ok(())
}

fn parse<T: std::str::FromStr>(path: &str, value: &str) -> Outcome<T> {
    value.parse().map_err(|_| bad(path, format!("Invalid value '{value}'")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::PatchOperation as Patch;
    use std::collections::BTreeMap;

    fn stage() -> Stage {
        Stage {
            name: "prod".to_owned(),
            deployment_id: "d1".to_owned(),
            description: String::new(),
            canary: None,
            method_settings: BTreeMap::new(),
            access_log_destination: None,
            access_log_format: None,
            tracing: false,
            tags: BTreeMap::new(),
            last_updated_at: None,
        }
    }

    fn patch(before: &Stage, patch: &[Patch]) -> Outcome<Stage> {
        patched(before, patch, &|id| id.starts_with('d'), false)
    }

    #[test]
    fn a_canary_is_made_promoted_or_removed_in_one_patch() {
        let start = [
            Patch::replace("/canarySettings/deploymentId", "d2"),
            Patch::replace("/canarySettings/percentTraffic", "10.0"),
        ];
        let with = patch(&stage(), &start).unwrap();
        assert_eq!(
            with.canary,
            Some(StageCanary { deployment_id: "d2".to_owned(), percent: 10.0 })
        );
        let moved = Patch::replace("/deploymentId", "d3");
        assert!(patch(&with, std::slice::from_ref(&moved)).is_err(), "a canary holds the stage");
        let promoted = patch(
            &with,
            &[
                Patch::replace("/canarySettings/percentTraffic", "0.0"),
                Patch::copy("/canarySettings/deploymentId", "/deploymentId"),
                Patch::remove("/canarySettings"),
            ],
        );
        let promoted = promoted.unwrap();
        assert_eq!((promoted.deployment_id.as_str(), promoted.canary), ("d2", None));
        let rolled_back = patch(&with, &[Patch::remove("/canarySettings"), moved]).unwrap();
        assert_eq!((rolled_back.deployment_id.as_str(), rolled_back.canary), ("d3", None));
        assert!(patch(&stage(), &[Patch::remove("/canarySettings")]).is_err(), "there is none");
    }

    #[test]
    fn settings_are_kept_by_method_and_unknown_paths_are_refused() {
        let after = patch(
            &stage(),
            &[
                Patch::replace("/*/*/throttling/rateLimit", "100.5"),
                Patch::replace("/~1v1~1predict/POST/throttling/burstLimit", "20"),
                Patch::replace("/tracingEnabled", "true"),
            ],
        );
        let after = after.unwrap();
        assert_eq!(after.method_settings["*/*"].rate_rps, Some(100.5));
        assert_eq!(after.method_settings["~1v1~1predict/POST"].burst, Some(20));
        assert!(after.tracing);
        for bad in [
            Patch::replace("/nothing", "1"),
            Patch::replace("/*/*/throttling/rateLimit", "many"),
            Patch::replace("/deploymentId", "x1"),
            Patch::add("/description", "1"),
            Patch::copy("/canarySettings/deploymentId", "/deploymentId"),
            Patch::replace("/accessLogSettings/destinationArn", "arn"),
            Patch::replace("/*/*/logging/loglevel", "INFO"),
        ] {
            assert!(patch(&stage(), std::slice::from_ref(&bad)).is_err(), "{bad:?}");
        }
    }
}
