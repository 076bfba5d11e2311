//! The stage: its pointer, which is the release, and the settings that no deployment snapshots.

use super::super::action::{Difference, Verb};
use super::super::change::{Change, PatchOperation};
use super::super::observed::{MethodSettings, Stage};
use super::super::record::Move;
use super::super::settings;
use super::Planner;
use super::gateway::Snapshot;
use crate::spec::limits;

/// All methods, in a patch's path.
const ALL_METHODS: &str = "/*/*";

/// A patch with what each part of it changes.
#[derive(Default)]
struct Patch {
    operations: Vec<PatchOperation>,
    differences: Vec<Difference>,
}

impl Patch {
    fn replace(&mut self, path: &str, what: &str, observed: Option<String>, desired: String) {
        self.operations.push(PatchOperation::replace(path, desired.clone()));
        self.differences.push(Difference {
            what: what.to_owned(),
            observed,
            desired: Some(desired),
        });
    }
}

impl Planner<'_> {
    /// The stage; gives the action after which it is there.
    pub(super) fn stage(&mut self, snapshot: &Snapshot, mut before: Vec<usize>) -> Option<usize> {
        before.extend(snapshot.made);
        match self.ledger.stage.clone() {
            None => Some(self.create_stage(snapshot, before)),
            Some(stage) => self.update_stage(&stage, snapshot, before),
        }
    }

    fn create_stage(&mut self, snapshot: &Snapshot, before: Vec<usize>) -> usize {
        let wanted = self.wanted;
        let names = &wanted.names;
        let (rest_api, stage) = (self.rest_api_id(), names.stage.clone());
        let object = ("stage", names.stage.as_str());
        let create = Change::CreateStage {
            rest_api: rest_api.clone(),
            stage: stage.clone(),
            deployment: snapshot.id.clone(),
            // The move is written by the update that follows: it ends the lock.
            description: String::new(),
            tracing: wanted.function.tracing,
            tags: names.tags(),
        };
        let made = self.act(Verb::Create, object, "it is not there", create, before);
        let fresh = Stage {
            name: stage.clone(),
            deployment_id: snapshot.id.clone(),
            description: String::new(),
            canary: None,
            method_settings: std::collections::BTreeMap::new(),
            access_log_destination: None,
            access_log_format: None,
            tracing: wanted.function.tracing,
            tags: names.tags(),
            last_updated_at: None,
        };
        let mut patch = self.settings_patch(&fresh);
        let description = self.moves(snapshot);
        patch.operations.push(PatchOperation::replace("/description", description));
        let reason = format!("version `{}` is live with all its settings", wanted.version);
        let change = Change::UpdateStage { rest_api, stage, patch: patch.operations };
        let update = self.act(Verb::Update, object, reason, change, [made]);
        self.differs(update, patch.differences);
        update
    }

    fn update_stage(
        &mut self,
        stage: &Stage,
        snapshot: &Snapshot,
        before: Vec<usize>,
    ) -> Option<usize> {
        let wanted = self.wanted;
        let object = ("stage", wanted.names.stage.as_str());
        let mut patch = self.settings_patch(stage);
        let pointer = self.pointer_patch(stage, snapshot);
        let moves_pointer = !pointer.operations.is_empty();
        // Pointed here by hand, or by a first deploy that was stopped, or back to what it was with
        // other settings than the last release left: the ledger has yet to say so.
        let elsewhere = self.ledger.last_move().is_none_or(|last| last.deployment != snapshot.id);
        let other_settings = settings::last_release(self.ledger)
            .is_some_and(|last| last.record.settings != settings::wanted(wanted));
        let is_unsaid = wanted.canary_percent.is_none() && (elsewhere || other_settings);
        let is_release = moves_pointer || is_unsaid;
        let reason = if is_unsaid && !moves_pointer {
            format!("the ledger says that version `{}` is live", wanted.version)
        } else if is_release {
            match wanted.canary_percent {
                Some(percent) => {
                    format!("version `{}` gets {percent} % of the requests", wanted.version)
                }
                None => format!("version `{}` becomes live", wanted.version),
            }
        } else {
            "its settings differ".to_owned()
        };
        patch.operations.extend(pointer.operations);
        patch.differences.extend(pointer.differences);
        if is_release {
            let description = self.moves(snapshot);
            patch.operations.push(PatchOperation::replace("/description", description));
        }
        if patch.operations.is_empty() {
            self.keep(object, format!("it points to deployment {}", stage.deployment_id));
            return None;
        }
        let change = Change::UpdateStage {
            rest_api: self.rest_api_id(),
            stage: stage.name.clone(),
            patch: patch.operations,
        };
        let update = self.act(Verb::Update, object, reason, change, before);
        self.differs(update, patch.differences);
        Some(update)
    }

    /// What moves the stage's pointer, or its canary's.
    fn pointer_patch(&self, stage: &Stage, snapshot: &Snapshot) -> Patch {
        let mut patch = Patch::default();
        let desired =
            || if snapshot.made.is_some() { "the new one".to_owned() } else { snapshot.id.clone() };
        let Some(percent) = self.wanted.canary_percent else {
            // None of gwtf's is running; AWS moves no stage that has one.
            if let Some(canary) = &stage.canary {
                patch.operations.push(PatchOperation::remove("/canarySettings"));
                patch.differences.push(Difference {
                    what: "canary.deployment".to_owned(),
                    observed: Some(canary.deployment_id.clone()),
                    desired: None,
                });
            }
            if stage.deployment_id != snapshot.id {
                patch.operations.push(PatchOperation::replace("/deploymentId", &snapshot.id));
                patch.differences.push(Difference {
                    what: "deployment".to_owned(),
                    observed: Some(stage.deployment_id.clone()),
                    desired: Some(desired()),
                });
            }
            return patch;
        };
        // The live version as its own canary would change nothing.
        if stage.deployment_id == snapshot.id {
            return patch;
        }
        let canary = stage.canary.as_ref();
        if canary.is_none_or(|canary| canary.deployment_id != snapshot.id) {
            let path = "/canarySettings/deploymentId";
            patch.operations.push(PatchOperation::replace(path, &snapshot.id));
            patch.differences.push(Difference {
                what: "canary.deployment".to_owned(),
                observed: canary.map(|canary| canary.deployment_id.clone()),
                desired: Some(desired()),
            });
        }
        let observed = canary.map(|canary| canary.percent);
        if observed != Some(f64::from(percent)) {
            patch.replace(
                "/canarySettings/percentTraffic",
                "canary.percent",
                observed.map(|percent| percent.to_string()),
                format!("{:.1}", f64::from(percent)),
            );
        }
        patch
    }

    /// What brings the settings of all methods and the access log to what is wanted.
    fn settings_patch(&self, stage: &Stage) -> Patch {
        let wanted = self.wanted;
        let mut patch = Patch::default();
        let none = MethodSettings::default();
        let all = stage.method_settings.get("*/*").unwrap_or(&none);
        if let Some(throttle) = self.throttle(all) {
            if all.rate_rps != Some(throttle.rate_rps) {
                patch.replace(
                    &format!("{ALL_METHODS}/throttling/rateLimit"),
                    "throttle.rate_rps",
                    all.rate_rps.map(|rate| rate.to_string()),
                    throttle.rate_rps.to_string(),
                );
            }
            if all.burst != Some(throttle.burst) {
                patch.replace(
                    &format!("{ALL_METHODS}/throttling/burstLimit"),
                    "throttle.burst",
                    all.burst.map(|burst| burst.to_string()),
                    throttle.burst.to_string(),
                );
            }
        }
        if !all.metrics {
            let path = format!("{ALL_METHODS}/metrics/enabled");
            patch.replace(&path, "metrics", Some("false".to_owned()), "true".to_owned());
        }
        if all.data_trace {
            // Whole requests and replies in a log: nobody asked gwtf for that.
            let path = format!("{ALL_METHODS}/logging/dataTrace");
            patch.replace(&path, "data_trace", Some("true".to_owned()), "false".to_owned());
        }
        self.access_log_patch(stage, &mut patch);
        if stage.tracing != wanted.function.tracing {
            let (observed, desired) =
                (stage.tracing.to_string(), wanted.function.tracing.to_string());
            patch.replace("/tracingEnabled", "tracing", Some(observed), desired);
        }
        patch
    }

    fn access_log_patch(&self, stage: &Stage, patch: &mut Patch) {
        let names = &self.wanted.names;
        let Some(format) = &self.wanted.gateway.access_log_format else {
            if stage.access_log_destination.is_some() {
                patch.operations.push(PatchOperation::remove("/accessLogSettings"));
                patch.differences.push(Difference {
                    what: "access_log".to_owned(),
                    observed: stage.access_log_destination.clone(),
                    desired: None,
                });
            }
            return;
        };
        let destination = names.log_group_arn(&names.access_log_group());
        let same_destination = stage.access_log_destination.as_ref() == Some(&destination);
        let same_format = stage.access_log_format.as_ref() == Some(format);
        if same_destination && same_format {
            return;
        }
        // Both together: AWS takes neither alone on a stage that has none.
        let observed = stage.access_log_destination.clone();
        let path = "/accessLogSettings/destinationArn";
        patch.operations.push(PatchOperation::replace(path, &destination));
        patch.operations.push(PatchOperation::replace("/accessLogSettings/format", format));
        patch.differences.push(if same_destination {
            Difference {
                what: "access_log.format".to_owned(),
                observed: stage.access_log_format.clone(),
                desired: Some(format.clone()),
            }
        } else {
            Difference { what: "access_log".to_owned(), observed, desired: Some(destination) }
        });
    }

    /// The limit of all methods; `None` leaves what is there, which is the account's.
    fn throttle(&self, observed: &MethodSettings) -> Option<crate::spec::Throttle> {
        if let Some(throttle) = self.wanted.gateway.throttle {
            return Some(throttle);
        }
        let account = &self.observed.api_gateway_account;
        let rate = observed.rate_rps.filter(|rate| *rate >= 0.0)?;
        let burst = observed.burst?;
        let default = (limits::ACCOUNT_RATE_RPS, limits::ACCOUNT_BURST);
        let limit = account.rate_rps.zip(account.burst).unwrap_or(default);
        // A stage with settings of another kind shows the account's own limit.
        (limit != (rate, burst))
            .then_some(crate::spec::Throttle { rate_rps: limit.0, burst: limit.1 })
    }

    fn moves(&self, snapshot: &Snapshot) -> String {
        let wanted = self.wanted;
        self.ledger.moves.with(Move {
            kind: self.kind,
            version: wanted.version.clone(),
            deployment: snapshot.id.clone(),
            canary_percent: wanted.canary_percent,
            at: wanted.stamp.at,
            by: wanted.stamp.by.clone(),
            lock: wanted.lock_id.clone(),
        })
    }
}
