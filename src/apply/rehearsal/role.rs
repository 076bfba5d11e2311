//! Roles of a rehearsed account.

use super::{Knobs, Outcome, Place, Refusal, unreachable_change};
use crate::apply::cloud::Failed;
use crate::plan::change::{Change, Given};
use crate::plan::observed::Role;
use crate::plan::query::{Answer, Query};
use std::collections::{BTreeMap, BTreeSet};

/// The account's roles.
#[derive(Debug, Clone, Default)]
pub(super) struct Roles {
    roles: BTreeMap<String, State>,
}

#[derive(Debug, Clone)]
struct State {
    observed: Role,
    inline: BTreeMap<String, String>,
    attached: BTreeSet<String>,
    /// Calls for which other services do not know it.
    refusals_left: u32,
}

impl Roles {
    /// Whether a service can assume the role of this ARN; a new one not at once.
    pub(super) fn assumable(&mut self, arn: &str) -> bool {
        let Some(role) = self.roles.values_mut().find(|role| role.observed.arn == arn) else {
            return false;
        };
        let known = role.refusals_left == 0;
        role.refusals_left = role.refusals_left.saturating_sub(1);
        known
    }

    /// Whether the role of this ARN has a managed policy.
    pub(super) fn has_attached(&self, arn: &str) -> bool {
        self.roles.values().any(|role| role.observed.arn == arn && !role.attached.is_empty())
    }

    pub(super) fn ask(&self, query: &Query) -> Answer {
        match query {
            Query::GetRole { role } => {
                Answer::Role(self.roles.get(role).map(|role| role.observed.clone()))
            }
            Query::GetRolePolicy { role, policy } => {
                let role = self.roles.get(role);
                Answer::Text(role.and_then(|role| role.inline.get(policy).cloned()))
            }
            Query::ListAttachedRolePolicies { role } => {
                let attached = self.roles.get(role).map(|role| role.attached.iter().cloned());
                Answer::Names(attached.into_iter().flatten().collect())
            }
            _ => unreachable!("queries come by service"),
        }
    }

    fn get(&mut self, role: &str) -> Outcome<&mut State> {
        let missing = || {
            let message = format!("The role with name {role} cannot be found.");
            Refusal::new(role, Failed::NotFound, "NoSuchEntity", message)
        };
        self.roles.get_mut(role).ok_or_else(missing)
    }

    pub(super) fn perform(
        &mut self,
        change: &Change,
        place: &Place,
        knobs: &Knobs,
    ) -> Outcome<Given> {
        let missing_policy = |policy: &str| {
            let message = "The role policy cannot be found.";
            Refusal::new(policy, Failed::NotFound, "NoSuchEntity", message)
        };
        match change {
            Change::CreateRole { role, path, trust, boundary, tags, .. } => {
                if self.roles.contains_key(role) {
                    let message = format!("Role with name {role} already exists.");
                    let code = "EntityAlreadyExists";
                    return Err(Refusal::new(role, Failed::Conflict, code, message));
                }
                let Place { partition, account_id, .. } = place;
                let observed = Role {
                    arn: format!("arn:{partition}:iam::{account_id}:role{path}{role}"),
                    trust: trust.clone(),
                    boundary: boundary.clone(),
                    tags: tags.clone(),
                };
                let new = State {
                    observed,
                    inline: BTreeMap::new(),
                    attached: BTreeSet::new(),
                    refusals_left: knobs.role_refusals,
                };
                self.roles.insert(role.clone(), new);
            }
            Change::UpdateAssumeRolePolicy { role, trust } => {
                self.get(role)?.observed.trust.clone_from(trust);
            }
            Change::PutRolePermissionsBoundary { role, boundary } => {
                self.get(role)?.observed.boundary = Some(boundary.clone());
            }
            Change::DeleteRolePermissionsBoundary { role } => {
                self.get(role)?.observed.boundary = None;
            }
            Change::PutRolePolicy { role, policy, document } => {
                self.get(role)?.inline.insert(policy.clone(), document.clone());
            }
            Change::DeleteRolePolicy { role, policy } => {
                self.get(role)?.inline.remove(policy).ok_or_else(|| missing_policy(policy))?;
            }
            Change::AttachRolePolicy { role, policy_arn } => {
                self.get(role)?.attached.insert(policy_arn.clone());
            }
            Change::DeleteRole { role } => {
                let state = self.get(role)?;
                if !state.inline.is_empty() || !state.attached.is_empty() {
                    let message = "Cannot delete entity, must delete policies first.";
                    return Err(Refusal::new(role, Failed::Conflict, "DeleteConflict", message));
                }
                self.roles.remove(role);
            }
            _ => return unreachable_change(change),
        }
        Ok(Given::Nothing)
    }
}
