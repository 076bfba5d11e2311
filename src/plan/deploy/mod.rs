//! The plan of a deploy.
//!
//! ```text
//! log groups, role ─► function ─► alias ─► permissions ─► deployment ─┐
//!                        └──► concurrency ─────────────────────────────┤
//! rest api ─► import ─────────────────────────────────► deployment ────┼─► stage (the release)
//! account role ────────────────────────────────────────────────────────┘     └─► usage plans, keys
//! ```
//! A deployment comes after all that it needs to answer, so that whatever is in the ledger can be
//! released by one update of the stage. Before that update clients see nothing of a new version.
//!
//! A version that is deployed again with other settings of its function keeps its alias: pointing
//! that to the new function version is when clients see them. Going back to another version is one
//! update of the stage all the same; going back to the settings before is another deploy.
//!
//! Sandboxes held warm are moved by a deploy alone: promoting and going back are one call each, and
//! say so in their plan's notes.

mod account;
mod code;
mod concurrency;
mod function;
mod gateway;
mod permissions;
mod stage;
mod usage;

pub(super) use permissions::VERBS;
pub(super) use usage::delete_usage_plan;

use super::action::{Action, Difference, Object, Plan, Verb, Wait};
use super::change::{Change, PLACEHOLDER_START, placeholder};
use super::ledger::Ledger;
use super::names::SHARED_TAG;
use super::observed::Observed;
use super::record::{MoveKind, Moves};
use super::refused::Refused;
use super::settings;
use super::wanted::Wanted;
use crate::spec::openapi::alias_of;

/// The key under which the REST API's id is known.
pub(super) const REST_API: &str = "rest_api";
/// The key under which the number of the new function version is known.
const FUNCTION_VERSION: &str = "function_version";
/// The key under which the new deployment's id is known.
const DEPLOYMENT: &str = "deployment";

/// Whether the version's bytes are needed to plan: its function is not there yet, or has to be
/// published again and the code that Lambda has last is another.
pub fn needs_artefact(wanted: &Wanted, observed: &Observed) -> bool {
    let ledger = Ledger::of(observed, &wanted.names);
    function::needs_artefact(wanted, observed, &ledger)
}

/// Whether the version may be released at all, before it is packaged.
///
/// # Errors
/// As [`deploy`].
pub fn check(wanted: &Wanted, observed: &Observed) -> Result<(), Refused> {
    let ledger = Ledger::of(observed, &wanted.names);
    let planner = Planner::new(wanted, observed, &ledger);
    planner.check_owners()?;
    planner.check_release()
}

/// What leads from what is there to what is wanted.
///
/// # Errors
/// It cannot be, or would break something that is not the endpoint's.
pub fn deploy(wanted: &Wanted, observed: &Observed) -> Result<Plan, Refused> {
    let ledger = Ledger::of(observed, &wanted.names);
    let mut planner = Planner::new(wanted, observed, &ledger);
    planner.check_release()?;
    planner.release()?;
    planner.hold_lock();
    // The live version's alias serves all requests, whichever deployment they come through.
    let is_live = ledger.live().is_some_and(|live| live.record.version == wanted.version);
    if let Some(percent) = wanted.canary_percent.filter(|_| is_live && !planner.plan.is_empty()) {
        return Err(Refused::IsLive { version: wanted.version.clone(), percent });
    }
    Ok(planner.plan)
}

/// What all parts of the plan are made from.
pub(super) struct Planner<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) observed: &'a Observed,
    pub(super) ledger: &'a Ledger,
    /// What the release's move is called.
    pub(super) kind: MoveKind,
    pub(super) plan: Plan,
}

impl<'a> Planner<'a> {
    pub(super) fn new(wanted: &'a Wanted, observed: &'a Observed, ledger: &'a Ledger) -> Self {
        Self { wanted, observed, ledger, kind: MoveKind::Deploy, plan: Plan::default() }
    }
}

impl Planner<'_> {
    /// Everything that makes the wanted version live, or a canary; gives the action after which the
    /// stage is as it shall be, if there is one.
    pub(super) fn release(&mut self) -> Result<Option<usize>, Refused> {
        self.check_owners()?;
        let logs = self.log_groups();
        let role = self.execution_role()?;
        let function = self.function(role, logs.function)?;
        let api = self.rest_api()?;
        let permissions = self.permissions(&function, api)?;
        let snapshot = self.deployment(api, &function, &permissions)?;
        let overwrites =
            settings::Overwrites { deployment: &snapshot.id, function_version: &function.version };
        self.plan.drift = settings::drift(self.wanted, self.observed, &overwrites);
        let account_role = self.account_role();
        let mut before: Vec<usize> = Vec::new();
        before.extend(permissions);
        before.extend(function.done.iter());
        before.extend(account_role);
        before.extend(logs.access);
        let stage = self.stage(&snapshot, before);
        self.usage_plans(stage);
        self.provisioned_concurrency(&function, stage);
        Ok(stage)
    }

    /// The update of the stage ends the lock only when nothing is left to be done after it: what
    /// another deploy would find half done, it would do a second time.
    pub(super) fn hold_lock(&mut self) {
        let actions = &mut self.plan.actions;
        let is_release = |one: &Action| matches!(one.change, Some(Change::UpdateStage { .. }));
        let Some(release) = actions.iter().rposition(is_release) else { return };
        if actions[release + 1..].iter().all(|one| one.change.is_none()) {
            return;
        }
        let Some(Change::UpdateStage { patch, .. }) = &mut actions[release].change else { return };
        for moves in patch.iter_mut().filter(|one| one.path == "/description") {
            moves.value = moves.value.as_deref().map(|text| Moves::parse(text).holding_lock());
        }
    }

    /// Adds an action that changes something.
    pub(super) fn act(
        &mut self,
        verb: Verb,
        object: (&'static str, &str),
        reason: impl Into<String>,
        change: Change,
        after: impl IntoIterator<Item = usize>,
    ) -> usize {
        let mut after: Vec<usize> = after.into_iter().collect();
        after.sort_unstable();
        after.dedup();
        self.plan.push(Action {
            verb,
            object: Object { kind: object.0, name: object.1.to_owned() },
            reason: reason.into(),
            differences: Vec::new(),
            change: Some(change),
            after,
            gives: None,
            wait: None,
        })
    }

    /// Says that something stays.
    fn keep(&mut self, object: (&'static str, &str), reason: impl Into<String>) {
        self.plan.push(Action {
            verb: Verb::Keep,
            object: Object { kind: object.0, name: object.1.to_owned() },
            reason: reason.into(),
            differences: Vec::new(),
            change: None,
            after: Vec::new(),
            gives: None,
            wait: None,
        });
    }

    fn differs(&mut self, action: usize, differences: Vec<Difference>) {
        self.plan.actions[action].differences = differences;
    }

    fn gives(&mut self, action: usize, key: &str) -> String {
        self.plan.actions[action].gives = Some(key.to_owned());
        placeholder(key)
    }

    /// A version that has just been published is pending for a while, whatever the function is.
    fn wait_for_version(&mut self, action: usize) {
        let version = placeholder(FUNCTION_VERSION);
        let function = format!("{}:{version}", self.wanted.names.function());
        self.plan.actions[action].wait = Some(Wait::FunctionReady { function });
    }

    fn wait(&mut self, action: usize) {
        self.plan.actions[action].wait =
            Some(Wait::FunctionReady { function: self.wanted.names.function() });
    }

    /// What has the endpoint's names must carry its tag.
    pub(super) fn check_owners(&self) -> Result<(), Refused> {
        let Self { wanted, observed, .. } = self;
        let names = &wanted.names;
        let not_ours =
            |kind, name: String| Refused::NotOurs { kind, name, endpoint: names.endpoint.clone() };
        if let Some(function) = &observed.function
            && !names.owns(&function.tags)
        {
            return Err(not_ours("function", names.function()));
        }
        if let Some(role) = &observed.execution_role
            && !names.owns(&role.tags)
        {
            return Err(not_ours("role", names.execution_role()));
        }
        let own = |api: &&super::observed::RestApi| names.owns(&api.tags);
        let twins: Vec<&str> = observed
            .rest_api
            .iter()
            .chain(observed.other_rest_apis.iter().filter(own))
            .map(|api| api.id.as_str())
            .collect();
        if twins.len() > 1 {
            return Err(Refused::Ambiguous {
                name: names.endpoint.clone(),
                count: twins.len(),
                ids: twins.join(", "),
            });
        }
        if observed.rest_api.is_none()
            && let Some(other) = observed.other_rest_apis.first()
        {
            return Err(not_ours("rest api", format!("{} ({})", other.name, other.id)));
        }
        if let Some(role) = &observed.account_role
            && !role.tags.contains_key(SHARED_TAG)
        {
            return Err(not_ours("role", names.account_role()));
        }
        if observed.bucket == super::observed::Bucket::Forbidden {
            return Err(Refused::BucketForbidden { bucket: names.bucket.clone() });
        }
        Ok(())
    }

    /// Whether the version may be released beside what is live.
    fn check_release(&self) -> Result<(), Refused> {
        let Self { wanted, observed, ledger, .. } = self;
        let version = &wanted.version;
        alias_of(version.as_str())?;
        let signature = &wanted.signature;
        let mut tensors = signature.inputs.iter().chain(&signature.outputs);
        if let Some(tensor) = tensors.find(|tensor| tensor.name.contains(PLACEHOLDER_START)) {
            return Err(Refused::Limit {
                object: format!("tensor {}", tensor.name),
                complaint: format!("`{PLACEHOLDER_START}` in a name stands for an id in requests"),
                fix: "rename the tensor in the model".to_owned(),
            });
        }
        if let Some(other) = observed.stages.iter().find(|one| one.name != wanted.names.stage)
            && ledger.stage.is_none()
        {
            return Err(Refused::OtherStage {
                endpoint: wanted.names.endpoint.clone(),
                stage: other.name.clone(),
                wanted: wanted.names.stage.clone(),
            });
        }
        let taken = ledger.entries.iter().rev().find(|entry| {
            entry.record.version == *version && entry.record.model_sha256 != wanted.model_sha256
        });
        if let Some(taken) = taken {
            let kept = taken.record.model_sha256.short();
            return Err(Refused::TagTaken { version: version.clone(), kept });
        }
        let Some(live) = ledger.live() else {
            return match wanted.canary_percent {
                Some(_) => Err(Refused::CanaryNeedsLive { version: version.clone() }),
                None => Ok(()),
            };
        };
        if let Some((canary, _)) = ledger.canary() {
            let running = &canary.record.version;
            match wanted.canary_percent {
                None if running == version => {
                    return Err(Refused::IsCanary { version: version.clone() });
                }
                Some(_) if running == version => {}
                _ => {
                    let canary = running.clone();
                    return Err(Refused::CanaryRunning { version: version.clone(), canary });
                }
            }
        }
        let changes = live.record.signature.breaking_changes(&wanted.signature);
        if !changes.is_empty() && !wanted.allow_breaking && live.record.version != *version {
            let live = live.record.version.clone();
            return Err(Refused::Breaking { version: version.clone(), live, changes });
        }
        Ok(())
    }
}
