//! Roles: the function's, and the account's for logs; and what keeps a deployer from more.

use super::{ARN_EQUALS, Deployer, EQUALS, Reach, Statement};

impl Deployer<'_> {
    pub(super) fn roles(&self) -> Vec<Statement> {
        let execution = self.arns().role(&self.names.execution_role());
        let account = self.arns().role(&self.names.account_role());
        let logs = self.shape.access_logs;
        // A role that is not there yet has no path.
        let bare = |role: &str| self.arns().role_without_path(role);
        let pass = || {
            Statement::allow("PassRole", "the function runs as its role; no other service gets it")
                .actions(["iam:PassRole"])
                .resources([execution.clone()])
                .when(EQUALS, "iam:PassedToService", ["lambda.amazonaws.com"])
        };
        let read = Statement::allow("RoleRead", "whether the role is as it shall be")
            .actions(["iam:GetRole", "iam:GetRolePolicy"])
            .resources([execution.clone(), bare(&self.names.execution_role())]);
        let mut statements: Vec<_> = self.writes().then(pass).into_iter().chain([read]).collect();
        if self.reach != Reach::Releases || !logs {
            statements.push(
                Statement::allow("AccountRoleRead", "asked for while the account has no log role")
                    .actions(["iam:GetRole"])
                    .resources([account.clone(), bare(&self.names.account_role())]),
            );
        }
        if !self.is_whole() {
            return statements;
        }
        statements.extend(self.execution_role(&execution));
        if logs {
            statements.extend(self.account_role(&account));
        }
        statements.extend(self.guard(&execution, &account));
        statements
    }

    /// With a boundary, only roles that have it are made and given policies.
    fn if_bounded(&self, statement: Statement) -> Statement {
        match &self.shape.boundary {
            Some(boundary) => {
                statement.when(ARN_EQUALS, "iam:PermissionsBoundary", [boundary.as_str()])
            }
            None => statement,
        }
    }

    fn execution_role(&self, role: &str) -> Vec<Statement> {
        let bounded = self.shape.boundary.is_some();
        let reason = if bounded {
            "the execution role and its policy, within the boundary"
        } else {
            "the execution role and its policy; without a boundary (--boundary) whoever deploys can \
             give the function any right"
        };
        let make = Statement::allow("RoleMake", reason)
            .actions(Self::chosen(&[
                ("iam:CreateRole", true),
                ("iam:PutRolePolicy", true),
                ("iam:DeleteRolePolicy", true),
                ("iam:PutRolePermissionsBoundary", bounded),
            ]))
            .resources([role]);
        let keep = Statement::allow("RoleKeep", "its tag, who may take it, and its end")
            .actions(["iam:TagRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole"])
            .resources([role]);
        vec![self.if_bounded(make), keep]
    }

    fn account_role(&self, role: &str) -> Vec<Statement> {
        let reason = "made once, if the account has no role for API Gateway's logs";
        let make = Statement::allow("AccountRoleMake", reason)
            .actions(["iam:CreateRole"])
            .resources([role]);
        let tag = Statement::allow("AccountRoleTag", "says who made it")
            .actions(["iam:TagRole"])
            .resources([role]);
        let attach = Statement::allow("AccountRolePolicy", "AWS's own policy for that, no other")
            .actions(["iam:AttachRolePolicy"])
            .resources([role])
            .when(ARN_EQUALS, "iam:PolicyARN", [self.names.log_policy_arn()]);
        let pass = Statement::allow("PassAccountRole", "API Gateway writes logs with it")
            .actions(["iam:PassRole"])
            .resources([role])
            .when(EQUALS, "iam:PassedToService", ["apigateway.amazonaws.com"]);
        vec![self.if_bounded(make), tag, self.if_bounded(attach), pass]
    }

    /// Whoever is bound by a boundary must not be able to change it.
    fn guard(&self, execution: &str, account: &str) -> Vec<Statement> {
        let Some(boundary) = &self.shape.boundary else { return Vec::new() };
        let policy = Statement::deny("BoundaryStays", "the boundary is not edited by who it binds")
            .actions([
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:SetDefaultPolicyVersion",
            ])
            .resources([boundary.as_str()]);
        let roles = Statement::deny("BoundaryStaysOn", "nor taken off the roles")
            .actions(["iam:DeleteRolePermissionsBoundary"])
            .resources([execution, account]);
        vec![policy, roles]
    }
}
