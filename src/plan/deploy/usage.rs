//! Usage plans and API keys: settings beside the stage, in force without a deployment.

use super::super::action::{Difference, Verb};
use super::super::change::{Change, PatchOperation, placeholder};
use super::super::observed;
use super::Planner;
use crate::spec::{Period, UsagePlan};
use std::collections::BTreeMap;

impl Planner<'_> {
    pub(super) fn usage_plans(&mut self, stage: Option<usize>) {
        let wanted = self.wanted;
        let freed = self.free_keys(stage);
        for plan in &wanted.gateway.usage_plans {
            let observed = self.observed.usage_plans.iter().find(|one| one.name == plan.name);
            let (id, made) = match observed {
                Some(observed) => {
                    self.update_usage_plan(plan, observed, stage);
                    (observed.id.clone(), stage)
                }
                None => {
                    let made = self.create_usage_plan(plan, stage);
                    (self.gives(made, &format!("usage_plan:{}", plan.name)), Some(made))
                }
            };
            let keys = wanted.gateway.key_plans.iter().filter(|(_, of)| **of == plan.name);
            for (key, _) in keys {
                let after = made.into_iter().chain(freed.get(key).copied()).collect();
                self.key(key, &id, observed, after);
            }
        }
    }

    /// Takes plans and keys away that gwtf.toml has no more, and keys out of plans that they shall
    /// be in no more: AWS takes a key in one plan of a stage only. Gives what each key has to wait
    /// for before it is put into another plan, by the key's name.
    fn free_keys(&mut self, stage: Option<usize>) -> BTreeMap<String, usize> {
        let (gateway, observed) = (&self.wanted.gateway, self.observed);
        let mut freed = BTreeMap::new();
        for plan in &observed.usage_plans {
            let keys = observed.api_keys.iter().filter(|key| plan.key_ids.contains(&key.id));
            if !gateway.usage_plans.iter().any(|one| one.name == plan.name) {
                let reason = "gwtf.toml has it no more";
                let gone = delete_usage_plan(&mut self.plan, plan, reason, stage);
                freed.extend(keys.map(|key| (key.name.clone(), gone)));
                continue;
            }
            for key in keys {
                let Some(other) = gateway.key_plans.get(&key.name) else { continue };
                if *other == plan.name {
                    continue;
                }
                let change = Change::DeleteUsagePlanKey {
                    usage_plan: plan.id.clone(),
                    api_key: key.id.clone(),
                };
                let reason = format!("it leaves usage plan {} for {other}", plan.name);
                let out = self.act(Verb::Update, ("api key", &key.name), reason, change, stage);
                freed.insert(key.name.clone(), out);
            }
        }
        for key in &observed.api_keys {
            if !gateway.key_plans.contains_key(&key.name) {
                let change = Change::DeleteApiKey { api_key: key.id.clone() };
                let after = freed.get(&key.name).copied().or(stage);
                let reason = "gwtf.toml has it no more; whoever sends it is shut out";
                self.act(Verb::Delete, ("api key", &key.name), reason, change, after);
            }
        }
        freed
    }

    fn create_usage_plan(&mut self, plan: &UsagePlan, stage: Option<usize>) -> usize {
        let names = &self.wanted.names;
        let change = Change::CreateUsagePlan {
            name: plan.name.clone(),
            throttle: plan.throttle,
            quota: plan.quota,
            rest_api: self.rest_api_id(),
            stage: names.stage.clone(),
            methods: plan.method_throttles.clone(),
            tags: names.tags(),
        };
        self.act(Verb::Create, ("usage plan", &plan.name), "it is not there", change, stage)
    }

    /// One call with all that differs: the API takes one every 20 s.
    fn update_usage_plan(
        &mut self,
        plan: &UsagePlan,
        observed: &observed::UsagePlan,
        stage: Option<usize>,
    ) {
        let object = ("usage plan", plan.name.as_str());
        let mut patch = Vec::new();
        let mut differences = Vec::new();
        let text = |throttle: Option<crate::spec::Throttle>| throttle.map(|one| one.to_string());
        if plan.throttle != observed.throttle {
            match plan.throttle {
                Some(throttle) => {
                    let (rate, burst) = (throttle.rate_rps.to_string(), throttle.burst.to_string());
                    patch.push(PatchOperation::replace("/throttle/rateLimit", rate));
                    patch.push(PatchOperation::replace("/throttle/burstLimit", burst));
                }
                None => patch.push(PatchOperation::remove("/throttle")),
            }
            differences.push(Difference {
                what: "throttle".to_owned(),
                observed: text(observed.throttle),
                desired: text(plan.throttle),
            });
        }
        if plan.quota != observed.quota {
            match plan.quota {
                Some(quota) => {
                    let period = period_name(quota.period);
                    patch.push(PatchOperation::replace("/quota/limit", quota.limit.to_string()));
                    patch.push(PatchOperation::replace("/quota/period", period));
                }
                None => patch.push(PatchOperation::remove("/quota")),
            }
            let text = |quota: Option<crate::spec::Quota>| {
                quota.map(|one| {
                    format!("{} a {}", one.limit, period_name(one.period).to_lowercase())
                })
            };
            differences.push(Difference {
                what: "quota".to_owned(),
                observed: text(observed.quota),
                desired: text(plan.quota),
            });
        }
        let api_stage = format!("{}:{}", self.rest_api_id(), self.wanted.names.stage);
        if !observed.stages.contains_key(&api_stage) {
            patch.push(PatchOperation::add("/apiStages", api_stage.clone()));
            differences.push(Difference {
                what: "stage".to_owned(),
                observed: None,
                desired: Some(self.wanted.names.stage.clone()),
            });
        }
        if patch.is_empty() {
            self.keep(object, "it is as it shall be");
            return;
        }
        let change = Change::UpdateUsagePlan { usage_plan: observed.id.clone(), patch };
        let action = self.act(Verb::Update, object, "its limits differ", change, stage);
        self.differs(action, differences);
    }

    fn key(
        &mut self,
        name: &str,
        usage_plan: &str,
        plan: Option<&observed::UsagePlan>,
        after: Vec<usize>,
    ) {
        let object = ("api key", name);
        let existing = self.observed.api_keys.iter().find(|key| key.name == name);
        let (id, made) = match existing {
            Some(key) => (key.id.clone(), None),
            None => {
                let change =
                    Change::CreateApiKey { name: name.to_owned(), tags: self.wanted.names.tags() };
                let reason = "it is not there; AWS makes its value";
                let made = self.act(Verb::Create, object, reason, change, after.iter().copied());
                self.gives(made, &format!("api_key:{name}"));
                (placeholder(&format!("api_key:{name}")), Some(made))
            }
        };
        if plan.is_some_and(|plan| plan.key_ids.contains(&id)) {
            self.keep(object, "it is in its usage plan");
            return;
        }
        let change = Change::CreateUsagePlanKey { usage_plan: usage_plan.to_owned(), api_key: id };
        self.act(
            Verb::Update,
            object,
            "it gets its usage plan's limits",
            change,
            made.into_iter().chain(after),
        );
    }
}

/// Takes a usage plan off its stages, then deletes it: the API wants it in that order.
pub(in crate::plan) fn delete_usage_plan(
    into: &mut super::Plan,
    plan: &observed::UsagePlan,
    reason: &str,
    after: Option<usize>,
) -> usize {
    let object = super::Object { kind: "usage plan", name: plan.name.clone() };
    let action = |verb, change, after: Vec<usize>| super::Action {
        verb,
        object: object.clone(),
        reason: reason.to_owned(),
        differences: Vec::new(),
        change: Some(change),
        after,
        gives: None,
        wait: None,
    };
    let mut after: Vec<usize> = after.into_iter().collect();
    if !plan.stages.is_empty() {
        let remove = |stage: &String| PatchOperation {
            value: Some(stage.clone()),
            ..PatchOperation::remove("/apiStages")
        };
        let patch = plan.stages.keys().map(remove).collect();
        let change = Change::UpdateUsagePlan { usage_plan: plan.id.clone(), patch };
        after = vec![into.push(action(Verb::Update, change, after))];
    }
    let change = Change::DeleteUsagePlan { usage_plan: plan.id.clone() };
    into.push(action(Verb::Delete, change, after))
}

/// API Gateway's word.
fn period_name(period: Period) -> &'static str {
    match period {
        Period::Day => "DAY",
        Period::Week => "WEEK",
        Period::Month => "MONTH",
    }
}
