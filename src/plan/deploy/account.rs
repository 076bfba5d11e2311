//! What stands around the function: log groups, its role, and the account's role for logs.

use super::super::change::Change;
use super::super::names::{EXECUTION_POLICY, MADE_BY_TAG, SHARED_TAG};
use super::super::{Difference, Verb};
use super::{Planner, Refused};
use std::collections::BTreeMap;

/// Who may take the account's role for logs.
const ACCOUNT_ROLE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The last action of each log group.
pub(super) struct LogGroups {
    pub(super) function: Vec<usize>,
    pub(super) access: Vec<usize>,
}

impl Planner<'_> {
    pub(super) fn log_groups(&mut self) -> LogGroups {
        let names = &self.wanted.names;
        let (function, access) = (names.function_log_group(), names.access_log_group());
        LogGroups {
            function: self.log_group(&function),
            access: match self.wanted.gateway.access_log_format {
                Some(_) => self.log_group(&access),
                None => Vec::new(),
            },
        }
    }

    fn log_group(&mut self, name: &str) -> Vec<usize> {
        let object = ("log group", name);
        let wanted = self.wanted.log_retention_days;
        let retention = |days| Change::PutRetentionPolicy { log_group: name.to_owned(), days };
        let Some(group) = self.observed.log_groups.get(name) else {
            let tags = self.wanted.names.tags();
            let create = Change::CreateLogGroup { log_group: name.to_owned(), tags };
            let made = self.act(Verb::Create, object, "it is not there", create, []);
            let Some(days) = wanted else { return vec![made] };
            let reason = format!("events are kept {days} days");
            return vec![self.act(Verb::Update, object, reason, retention(days), [made])];
        };
        if !self.wanted.names.owns(&group.tags) {
            // Lambda makes its function's group itself when a request comes and there is none.
            let reason = "it does not carry the endpoint's tag, so its retention stays";
            self.keep(object, reason);
            return Vec::new();
        }
        match (group.retention_days, wanted) {
            (observed, Some(days)) if observed != Some(days) => {
                let reason = "events are kept for another time";
                let action = self.act(Verb::Update, object, reason, retention(days), []);
                self.differs(
                    action,
                    vec![Difference {
                        what: "retention_days".to_owned(),
                        observed: observed.map(|days| days.to_string()),
                        desired: Some(days.to_string()),
                    }],
                );
                vec![action]
            }
            _ => {
                self.keep(object, "it is as it shall be");
                Vec::new()
            }
        }
    }

    /// The execution role and its policy; gives the actions that a function has to wait for.
    pub(super) fn execution_role(&mut self) -> Result<Vec<usize>, Refused> {
        let wanted = self.wanted;
        let name = wanted.names.execution_role();
        let object = ("execution role", name.as_str());
        let policy = Change::PutRolePolicy {
            role: name.clone(),
            policy: EXECUTION_POLICY.to_owned(),
            document: wanted.role.policy.clone(),
        };
        let Some(role) = &self.observed.execution_role else {
            let create = Change::CreateRole {
                role: name.clone(),
                path: super::super::names::ROLE_PATH.to_owned(),
                description: format!(
                    "What the function of endpoint {} may do",
                    wanted.names.endpoint
                ),
                trust: wanted.role.trust.clone(),
                boundary: wanted.role.boundary.clone(),
                tags: wanted.names.tags(),
            };
            let made = self.act(Verb::Create, object, "it is not there", create, []);
            let reason = "the function may write its own log and nothing else";
            return Ok(vec![self.act(Verb::Update, object, reason, policy, [made])]);
        };
        let mut actions = Vec::new();
        if !same_json(&role.trust, &wanted.role.trust) {
            let change = Change::UpdateAssumeRolePolicy {
                role: name.clone(),
                trust: wanted.role.trust.clone(),
            };
            let reason = "others than Lambda may take it, or Lambda may not";
            actions.push(self.act(Verb::Update, object, reason, change, []));
        }
        if role.boundary != wanted.role.boundary {
            let change = match &wanted.role.boundary {
                Some(boundary) => Change::PutRolePermissionsBoundary {
                    role: name.clone(),
                    boundary: boundary.clone(),
                },
                None => Change::DeleteRolePermissionsBoundary { role: name.clone() },
            };
            let action = self.act(Verb::Update, object, "its boundary is another", change, []);
            self.differs(
                action,
                vec![Difference {
                    what: "permissions_boundary".to_owned(),
                    observed: role.boundary.clone(),
                    desired: wanted.role.boundary.clone(),
                }],
            );
            actions.push(action);
        }
        let observed = self.observed.execution_policy.as_deref();
        if !observed.is_some_and(|text| same_json(text, &wanted.role.policy)) {
            let reason = match observed {
                None => "its policy is not there",
                Some(_) => "its policy is another",
            };
            // A deployer who is bound may write policies only of roles that are bound already.
            let after = actions.clone();
            actions.push(self.act(Verb::Update, object, reason, policy, after));
        }
        if actions.is_empty() {
            self.keep(object, "it is as it shall be");
        }
        Ok(actions)
    }

    /// The role that API Gateway writes logs with: used if the account has one, made if not, and
    /// never replaced.
    pub(super) fn account_role(&mut self) -> Option<usize> {
        let names = &self.wanted.names;
        self.wanted.gateway.access_log_format.as_ref()?;
        if let Some(arn) = self.observed.api_gateway_account.cloudwatch_role_arn.clone() {
            self.keep(("account log role", &arn), "the account has one");
            return None;
        }
        let name = names.account_role();
        let object = ("account log role", name.as_str());
        let mut after = Vec::new();
        if self.observed.account_role.is_none() {
            let create = Change::CreateRole {
                role: name.clone(),
                path: super::super::names::ROLE_PATH.to_owned(),
                description: "Lets API Gateway write logs, for all APIs of the Region".to_owned(),
                trust: ACCOUNT_ROLE_TRUST.to_owned(),
                boundary: self.wanted.role.boundary.clone(),
                tags: BTreeMap::from([
                    (SHARED_TAG.to_owned(), "apigateway-logs".to_owned()),
                    (MADE_BY_TAG.to_owned(), tag_value(&self.wanted.stamp.by)),
                ]),
            };
            let reason = "the account has none, and without it there are no access logs";
            after.push(self.act(Verb::Create, object, reason, create, []));
        }
        let attach =
            Change::AttachRolePolicy { role: name.clone(), policy_arn: names.log_policy_arn() };
        let attached =
            self.act(Verb::Update, object, "it may write logs, by AWS's own policy", attach, after);
        let set = Change::UpdateAccount { cloudwatch_role_arn: names.role_arn(&name) };
        let object = ("account", names.account_id.as_str());
        Some(self.act(
            Verb::Update,
            object,
            "API Gateway writes logs with that role",
            set,
            [attached],
        ))
    }
}

/// Tag values take letters, digits, spaces and `_.:/=+-@`, at most 256 (IAM user guide, "Rules for
/// tagging").
fn tag_value(text: &str) -> String {
    let taken = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    text.chars().map(|c| if taken(c) { c } else { '_' }).take(256).collect()
}

/// Whether two documents say the same.
pub(in crate::plan) fn same_json(left: &str, right: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    left == right || parse(left).is_some_and(|left| parse(right) == Some(left))
}
