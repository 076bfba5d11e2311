//! What goes: everything of an endpoint.

use super::action::{Action, Object, Plan, Verb};
use super::change::Change;
use super::deploy::delete_usage_plan;
use super::names::{EXECUTION_POLICY, Names};
use super::observed::{Bucket, Observed};

/// Removes all that carries the endpoint's tag. The account's role for logs stays, and so does the
/// bucket, which all endpoints of the account share; the lock in it is its holder's to end.
pub fn destroy(names: &Names, observed: &Observed) -> Plan {
    let mut removal = Removal { plan: Plan::default() };
    removal.gateway(names, observed);
    removal.function(names, observed);
    for group in observed.log_groups.values() {
        let object = ("log group", group.name.as_str());
        if names.owns(&group.tags) {
            let change = Change::DeleteLogGroup { log_group: group.name.clone() };
            removal.delete(object, "it belongs to the endpoint, with all its events", change, []);
        } else {
            removal.keep(object, "it does not carry the endpoint's tag");
        }
    }
    if let Some(role) = &observed.account_role {
        removal.keep(("account log role", &role.arn), "other APIs of the account may use it");
    }
    removal.objects(names, observed);
    removal.plan
}

struct Removal {
    plan: Plan,
}

impl Removal {
    fn delete(
        &mut self,
        object: (&'static str, &str),
        reason: &str,
        change: Change,
        after: impl IntoIterator<Item = usize>,
    ) -> usize {
        self.push(Verb::Delete, object, reason, Some(change), after.into_iter().collect())
    }

    fn keep(&mut self, object: (&'static str, &str), reason: &str) {
        self.push(Verb::Keep, object, reason, None, Vec::new());
    }

    fn push(
        &mut self,
        verb: Verb,
        object: (&'static str, &str),
        reason: &str,
        change: Option<Change>,
        after: Vec<usize>,
    ) -> usize {
        self.plan.push(Action {
            verb,
            object: Object { kind: object.0, name: object.1.to_owned() },
            reason: reason.to_owned(),
            differences: Vec::new(),
            change,
            after,
            gives: None,
            wait: None,
        })
    }

    fn gateway(&mut self, names: &Names, observed: &Observed) {
        let reason = "it belongs to the endpoint";
        let mut plans = Vec::new();
        for plan in &observed.usage_plans {
            plans.push(delete_usage_plan(&mut self.plan, plan, reason, None));
        }
        for key in &observed.api_keys {
            let change = Change::DeleteApiKey { api_key: key.id.clone() };
            self.delete(("api key", &key.name), reason, change, plans.iter().copied());
        }
        if let Some(api) = &observed.rest_api {
            let change = Change::DeleteRestApi { rest_api: api.id.clone() };
            let object = ("rest api", names.endpoint.as_str());
            let after = plans.iter().copied();
            self.delete(object, "its stage, deployments and ledger go with it", change, after);
        }
        for api in &observed.other_rest_apis {
            if names.owns(&api.tags) {
                let change = Change::DeleteRestApi { rest_api: api.id.clone() };
                let object = ("rest api", api.id.as_str());
                let reason = "it carries the endpoint's tag too";
                self.delete(object, reason, change, plans.iter().copied());
                continue;
            }
            self.keep(("rest api", &api.id), "it has the endpoint's name but not its tag");
        }
    }

    fn function(&mut self, names: &Names, observed: &Observed) {
        let mut before = Vec::new();
        if let Some(function) = &observed.function {
            let name = names.function();
            let object = ("function", name.as_str());
            if names.owns(&function.tags) {
                let change = Change::DeleteFunction { function: name.clone() };
                let reason = "its versions, aliases and permissions go with it";
                before.push(self.delete(object, reason, change, []));
            } else {
                self.keep(object, "it does not carry the endpoint's tag");
            }
        }
        if observed.repository.is_some() {
            let name = names.repository();
            let object = ("repository", name.as_str());
            let change = Change::DeleteRepository { repository: name.clone() };
            self.delete(object, "its images go with it", change, before.iter().copied());
        }
        if let Some(role) = &observed.execution_role {
            let name = names.execution_role();
            let object = ("execution role", name.as_str());
            if !names.owns(&role.tags) {
                self.keep(object, "it does not carry the endpoint's tag");
                return;
            }
            if observed.execution_policy.is_some() {
                let change = Change::DeleteRolePolicy {
                    role: name.clone(),
                    policy: EXECUTION_POLICY.to_owned(),
                };
                let reason = "a role with a policy cannot be deleted";
                before = vec![self.delete(object, reason, change, before)];
            }
            let change = Change::DeleteRole { role: name.clone() };
            self.delete(object, "it belongs to the endpoint", change, before);
        }
    }

    fn objects(&mut self, names: &Names, observed: &Observed) {
        let Bucket::Own(_) = observed.bucket else { return };
        let owner = || names.account_id.clone();
        let lock = names.lock_key();
        for key in observed.objects.iter().filter(|key| **key != lock) {
            let change = Change::DeleteObject {
                bucket: names.bucket.clone(),
                owner: owner(),
                key: key.clone(),
            };
            self.delete(("object", key), "it belongs to the endpoint", change, []);
        }
    }
}
