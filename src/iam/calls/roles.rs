//! IAM itself: the execution role, and the account's role for logs.

use super::{Authorised, Need};
use crate::plan::Query;
use crate::plan::change::Change;

impl Authorised<'_> {
    fn role(&self, action: &str, role: &str) -> Need {
        Need::new(action, self.arns().role(role))
    }

    /// Where IAM says the boundary of the role that a request is about.
    fn bounded(&self, action: &str, role: &str) -> Need {
        self.role(action, role).with("iam:PermissionsBoundary", self.boundary)
    }

    pub(super) fn role_query(&self, query: &Query) -> Vec<Need> {
        match query {
            // The reply has the role's tags too; `iam:ListRoleTags` is another operation's.
            // IAM cannot know the path of a role that is not there yet: *uncertain*, so both.
            Query::GetRole { role } => vec![
                self.role("iam:GetRole", role),
                Need::new("iam:GetRole", self.arns().role_without_path(role)),
            ],
            Query::GetRolePolicy { role, .. } => vec![self.role("iam:GetRolePolicy", role)],
            Query::ListAttachedRolePolicies { role } => {
                vec![self.role("iam:ListAttachedRolePolicies", role)]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn role_change(&self, change: &Change) -> Vec<Need> {
        match change {
            Change::CreateRole { role, boundary, tags, .. } => {
                let create = self
                    .role("iam:CreateRole", role)
                    .with("iam:PermissionsBoundary", boundary.as_deref())
                    .tagging(tags);
                let tag = self.role("iam:TagRole", role).tagging(tags);
                if tags.is_empty() { vec![create] } else { vec![create, tag] }
            }
            Change::UpdateAssumeRolePolicy { role, .. } => {
                vec![self.role("iam:UpdateAssumeRolePolicy", role)]
            }
            // Here the key is the boundary that is set.
            Change::PutRolePermissionsBoundary { role, boundary } => {
                let need = self.role("iam:PutRolePermissionsBoundary", role);
                vec![need.with("iam:PermissionsBoundary", [boundary.as_str()])]
            }
            Change::DeleteRolePermissionsBoundary { role } => {
                vec![self.bounded("iam:DeleteRolePermissionsBoundary", role)]
            }
            Change::PutRolePolicy { role, .. } => vec![self.bounded("iam:PutRolePolicy", role)],
            Change::DeleteRolePolicy { role, .. } => {
                vec![self.bounded("iam:DeleteRolePolicy", role)]
            }
            Change::AttachRolePolicy { role, policy_arn } => {
                let need = self.bounded("iam:AttachRolePolicy", role);
                vec![need.with("iam:PolicyARN", [policy_arn.as_str()])]
            }
            Change::DeleteRole { role } => vec![self.role("iam:DeleteRole", role)],
            _ => Vec::new(),
        }
    }
}
