//! Lambda. Aliases and versions are qualifiers of the function's ARN (Lambda developer guide,
//! "Fine-tuning the Resources and Conditions sections of policies").

use super::{Authorised, Need};
use crate::plan::Query;
use crate::plan::change::{Change, Code, FunctionSettings};

impl Authorised<'_> {
    fn function(&self, action: &str) -> Need {
        Need::new(action, self.names.function_arn())
    }

    /// On a version or an alias, whose name nobody knows beforehand.
    fn qualified(&self, action: &str, qualifier: &str) -> Need {
        Need::new(action, self.arns().qualified(qualifier)).unknown(format!(":{qualifier}"))
    }

    /// The guide names qualified resources for these, the reference the function alone:
    /// *uncertain*, so both.
    fn either(&self, action: &str, qualifier: &str) -> Vec<Need> {
        vec![self.function(action), self.qualified(action, qualifier)]
    }

    pub(super) fn lambda_query(&self, query: &Query) -> Vec<Need> {
        match query {
            // The reply has tags only for who may list them (Lambda API reference, GetFunction).
            Query::GetFunction { function } => {
                let get = match function.split_once(':') {
                    Some((_, version)) => self.qualified("lambda:GetFunction", version),
                    None => self.function("lambda:GetFunction"),
                };
                vec![get, self.function("lambda:ListTags")]
            }
            Query::ListAliases { .. } => vec![self.function("lambda:ListAliases")],
            Query::ListVersionsByFunction { .. } => {
                vec![self.function("lambda:ListVersionsByFunction")]
            }
            Query::GetPolicy { alias, .. } => self.either("lambda:GetPolicy", alias),
            Query::ListProvisionedConcurrency { .. } => {
                vec![self.function("lambda:ListProvisionedConcurrencyConfigs")]
            }
            Query::GetLambdaAccountSettings => vec![Need::new("lambda:GetAccountSettings", "*")],
            _ => Vec::new(),
        }
    }

    pub(super) fn lambda_change(&self, change: &Change) -> Vec<Need> {
        match change {
            Change::CreateFunction(create) => {
                let mut needs = vec![self.function("lambda:CreateFunction").tagging(&create.tags)];
                if !create.tags.is_empty() {
                    needs.push(self.function("lambda:TagResource").tagging(&create.tags));
                }
                needs.push(pass_role(&create.settings));
                needs.extend(self.code(&create.code));
                needs
            }
            Change::UpdateFunctionCode { code, .. } => {
                let update = self.function("lambda:UpdateFunctionCode");
                std::iter::once(update).chain(self.code(code)).collect()
            }
            Change::UpdateFunctionConfiguration { settings, .. } => {
                vec![self.function("lambda:UpdateFunctionConfiguration"), pass_role(settings)]
            }
            Change::PublishVersion { .. } => vec![self.function("lambda:PublishVersion")],
            // These three are about the function, whatever alias they name.
            Change::CreateAlias { .. } => vec![self.function("lambda:CreateAlias")],
            Change::UpdateAlias { .. } => vec![self.function("lambda:UpdateAlias")],
            Change::DeleteAlias { .. } => vec![self.function("lambda:DeleteAlias")],
            Change::AddPermission { alias, .. } => self.permission("lambda:AddPermission", alias),
            Change::RemovePermission { alias, .. } => {
                self.permission("lambda:RemovePermission", alias)
            }
            Change::PutFunctionConcurrency { .. } => {
                vec![self.function("lambda:PutFunctionConcurrency")]
            }
            Change::DeleteFunctionConcurrency { .. } => {
                vec![self.function("lambda:DeleteFunctionConcurrency")]
            }
            Change::PutProvisionedConcurrency { alias, .. } => {
                vec![self.qualified("lambda:PutProvisionedConcurrencyConfig", alias)]
            }
            Change::DeleteProvisionedConcurrency { alias, .. } => {
                vec![self.qualified("lambda:DeleteProvisionedConcurrencyConfig", alias)]
            }
            Change::DeleteFunctionVersion { version, .. } => {
                self.either("lambda:DeleteFunction", version)
            }
            Change::DeleteFunction { .. } => vec![self.function("lambda:DeleteFunction")],
            _ => Vec::new(),
        }
    }

    fn permission(&self, action: &str, alias: &str) -> Vec<Need> {
        let principal = ["apigateway.amazonaws.com"];
        let needs = self.either(action, alias).into_iter();
        needs.map(|need| need.with("lambda:Principal", principal)).collect()
    }

    /// Lambda reads the code with the caller's rights: an object (Lambda developer guide, "Deploying
    /// .zip file archives"), or the policy of a repository, which it extends where it is not let in
    /// yet (same, "Amazon ECR permissions").
    fn code(&self, code: &Code) -> Vec<Need> {
        match code {
            Code::Zip { .. } => Vec::new(),
            Code::Object { bucket, key, .. } => {
                vec![
                    Need::new("s3:GetObject", self.arns().object(bucket, key)).unknown(digest(key)),
                ]
            }
            Code::Image { .. } => {
                let repository = self.arns().repository(&self.names.repository());
                ["ecr:GetRepositoryPolicy", "ecr:SetRepositoryPolicy"]
                    .map(|action| Need::new(action, repository.clone()))
                    .to_vec()
            }
        }
    }
}

/// The last part of an artefact's key, which is its digest.
fn digest(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.strip_suffix(".zip").unwrap_or(name)
}

fn pass_role(settings: &FunctionSettings) -> Need {
    Need::new("iam:PassRole", settings.role.clone())
        .with("iam:PassedToService", ["lambda.amazonaws.com"])
}
