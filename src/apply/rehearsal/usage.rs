//! Usage plans and API keys of a rehearsed account.

use super::rest_api::{Gateway, bad, missing};
use super::{Outcome, Refusal};
use crate::apply::cloud::Failed;
use crate::plan::change::{Change, Given, PatchOp, PatchOperation};
use crate::plan::observed::{ApiKey, UsagePlan};
use crate::plan::query::{Answer, Query};
use crate::spec::{Period, Quota, Secret, Throttle};
use std::collections::BTreeMap;

/// The account's usage plans and keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    plans: BTreeMap<String, UsagePlan>,
    keys: BTreeMap<String, ApiKey>,
    made: u64,
}

impl Usage {
    /// What a deleted API leaves behind: nothing.
    pub(super) fn forget(&mut self, rest_api: &str) {
        let of_api = |stage: &str| stage.split(':').next() == Some(rest_api);
        for plan in self.plans.values_mut() {
            plan.stages.retain(|stage, _| !of_api(stage));
        }
    }

    /// The answer to a query about usage plans or keys; none to any other.
    pub(super) fn ask(&self, query: &Query) -> Option<Outcome<Answer>> {
        Some(Ok(match query {
            Query::GetUsagePlans => {
                let without_keys =
                    |plan: &UsagePlan| UsagePlan { key_ids: Vec::new(), ..plan.clone() };
                Answer::UsagePlans(self.plans.values().map(without_keys).collect())
            }
            Query::GetUsagePlanKeys { usage_plan } => match self.plans.get(usage_plan) {
                Some(plan) => Answer::Names(plan.key_ids.clone()),
                None => return Some(Err(missing(usage_plan, "usage plan"))),
            },
            Query::GetApiKeys => Answer::ApiKeys(self.keys.values().cloned().collect()),
            Query::GetApiKeyValue { api_key } => match self.keys.get(api_key) {
                Some(key) => Answer::Secret(Secret::new(format!("rehearsed-value-of-{}", key.id))),
                None => return Some(Err(missing(api_key, "API key"))),
            },
            _ => return None,
        }))
    }

    /// What a change of usage plans or keys gives; none for any other.
    pub(super) fn perform(&mut self, change: &Change, gateway: &Gateway) -> Option<Outcome<Given>> {
        Some(match change {
            Change::CreateUsagePlan { .. } => self.create_plan(change, gateway),
            Change::UpdateUsagePlan { usage_plan, patch } => {
                self.update_plan(usage_plan, patch, gateway).map(|()| Given::Nothing)
            }
            Change::DeleteUsagePlan { usage_plan } => self.delete_plan(usage_plan),
            Change::CreateApiKey { name, tags } => {
                self.made += 1;
                let id = format!("k{:09}", self.made);
                let (name, tags) = (name.clone(), tags.clone());
                self.keys.insert(id.clone(), ApiKey { id: id.clone(), name, enabled: true, tags });
                Ok(Given::Id(id))
            }
            Change::DeleteApiKey { api_key } => {
                for plan in self.plans.values_mut() {
                    plan.key_ids.retain(|id| id != api_key);
                }
                let gone = self.keys.remove(api_key);
                gone.map(|_| Given::Nothing).ok_or_else(|| missing(api_key, "API key"))
            }
            Change::CreateUsagePlanKey { usage_plan, api_key } => self.add_key(usage_plan, api_key),
            Change::DeleteUsagePlanKey { usage_plan, api_key } => {
                self.remove_key(usage_plan, api_key)
            }
            _ => return None,
        })
    }

    fn create_plan(&mut self, change: &Change, gateway: &Gateway) -> Outcome<Given> {
        let Change::CreateUsagePlan { name, throttle, quota, rest_api, stage, methods, tags } =
            change
        else {
            return super::unreachable_change(change);
        };
        if !gateway.has_stage(rest_api, stage) {
            return Err(missing(&format!("{rest_api}:{stage}"), "API stage"));
        }
        self.made += 1;
        let id = format!("p{:05}", self.made);
        let plan = UsagePlan {
            id: id.clone(),
            name: name.clone(),
            throttle: *throttle,
            quota: *quota,
            stages: BTreeMap::from([(format!("{rest_api}:{stage}"), methods.clone())]),
            tags: tags.clone(),
            key_ids: Vec::new(),
        };
        self.plans.insert(id.clone(), plan);
        Ok(Given::Id(id))
    }

    fn delete_plan(&mut self, usage_plan: &str) -> Outcome<Given> {
        let plan = self.plans.get(usage_plan).ok_or_else(|| missing(usage_plan, "usage plan"))?;
        if !plan.stages.is_empty() {
            let message = "Cannot delete usage plan, it is associated with API stages";
            return Err(bad(usage_plan, message));
        }
        self.plans.remove(usage_plan);
        Ok(Given::Nothing)
    }

    fn add_key(&mut self, usage_plan: &str, api_key: &str) -> Outcome<Given> {
        if !self.keys.contains_key(api_key) {
            return Err(missing(api_key, "API key"));
        }
        let plan = self.plans.get_mut(usage_plan);
        let plan = plan.ok_or_else(|| missing(usage_plan, "usage plan"))?;
        if plan.key_ids.iter().any(|id| id == api_key) {
            let message = "The API key is already in the usage plan";
            return Err(Refusal::new(api_key, Failed::Conflict, "ConflictException", message));
        }
        plan.key_ids.push(api_key.to_owned());
        Ok(Given::Nothing)
    }

    fn remove_key(&mut self, usage_plan: &str, api_key: &str) -> Outcome<Given> {
        let plan = self.plans.get_mut(usage_plan);
        let plan = plan.ok_or_else(|| missing(usage_plan, "usage plan"))?;
        let at = plan.key_ids.iter().position(|id| id == api_key);
        plan.key_ids.remove(at.ok_or_else(|| missing(api_key, "API key"))?);
        Ok(Given::Nothing)
    }

    fn update_plan(
        &mut self,
        usage_plan: &str,
        patch: &[PatchOperation],
        gateway: &Gateway,
    ) -> Outcome<()> {
        let plan = self.plans.get_mut(usage_plan);
        let plan = plan.ok_or_else(|| missing(usage_plan, "usage plan"))?;
        let mut patched = plan.clone();
        for operation in patch {
            patch_plan(&mut patched, operation, gateway)?;
        }
        *plan = patched;
        Ok(())
    }
}

fn patch_plan(plan: &mut UsagePlan, operation: &PatchOperation, gateway: &Gateway) -> Outcome<()> {
    let PatchOperation { op, path, value, .. } = operation;
    let refuse = || bad(path, format!("Invalid patch path '{path}'"));
    let value = value.as_deref().unwrap_or_default();
    match (op, path.as_str()) {
        (PatchOp::Add, "/apiStages") => {
            let (rest_api, stage) = value.split_once(':').ok_or_else(refuse)?;
            if !gateway.has_stage(rest_api, stage) {
                return Err(missing(value, "API stage"));
            }
            plan.stages.entry(value.to_owned()).or_default();
        }
        (PatchOp::Remove, "/apiStages") => {
            plan.stages.remove(value).ok_or_else(|| missing(value, "API stage"))?;
        }
        (PatchOp::Remove, "/throttle") => plan.throttle = None,
        (PatchOp::Remove, "/quota") => plan.quota = None,
        (PatchOp::Replace, "/name") => value.clone_into(&mut plan.name),
        (PatchOp::Replace, path) => {
            if let Some(setting) = path.strip_prefix("/throttle/") {
                set_throttle(plan.throttle.get_or_insert(ZERO), setting, value)?;
            } else if let Some(setting) = path.strip_prefix("/quota/") {
                let new = Quota { limit: 0, period: Period::Day };
                set_quota(plan.quota.get_or_insert(new), setting, value)?;
            } else {
                let method = path.strip_prefix("/apiStages/").and_then(|rest| {
                    let (stage, rest) = rest.split_once("/throttle/")?;
                    let (method, setting) = rest.rsplit_once('/')?;
                    Some((stage, method.replace("~1", "/"), setting))
                });
                let (stage, method, setting) = method.ok_or_else(refuse)?;
                let methods = plan.stages.get_mut(stage).ok_or_else(refuse)?;
                set_throttle(methods.entry(method).or_insert(ZERO), setting, value)?;
            }
        }
        (PatchOp::Remove, path) => {
            let method = path.strip_prefix("/apiStages/").and_then(|rest| {
                let (stage, method) = rest.split_once("/throttle/")?;
                Some((stage, method.replace("~1", "/")))
            });
            let (stage, method) = method.ok_or_else(refuse)?;
            let methods = plan.stages.get_mut(stage).ok_or_else(refuse)?;
            methods.remove(&method).ok_or_else(refuse)?;
        }
        _ => return Err(refuse()),
    }
    Ok(())
}

const ZERO: Throttle = Throttle { rate_rps: 0.0, burst: 0 };

fn set_throttle(throttle: &mut Throttle, setting: &str, value: &str) -> Outcome<()> {
    let invalid = || bad(setting, format!("Invalid value '{value}'"));
    match setting {
        "rateLimit" => throttle.rate_rps = value.parse().map_err(|_| invalid())?,
        "burstLimit" => throttle.burst = value.parse().map_err(|_| invalid())?,
        _ => return Err(invalid()),
    }
    Ok(())
}

fn set_quota(quota: &mut Quota, setting: &str, value: &str) -> Outcome<()> {
    let invalid = || bad(setting, format!("Invalid value '{value}'"));
    match (setting, value) {
        ("limit", _) => quota.limit = value.parse().map_err(|_| invalid())?,
        ("offset", "0") => {}
        ("period", "DAY") => quota.period = Period::Day,
        ("period", "WEEK") => quota.period = Period::Week,
        ("period", "MONTH") => quota.period = Period::Month,
        _ => return Err(invalid()),
    }
    Ok(())
}
