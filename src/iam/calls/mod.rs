//! What each question and each change is authorised as: the requests for permission behind a call.
//!
//! Source of every row, where nothing else is said: Service Authorization Reference, "Actions,
//! resources, and condition keys" of the service. What AWS does not say is marked *uncertain*, and
//! then every form that it may take is listed: a document has to allow all of them.

mod apigateway;
mod lambda;
mod roles;
mod storage;

use super::arn::Arns;
use crate::identity::policy::{Call, Request};
use crate::plan::change::{Change, Tags};
use crate::plan::{Names, Query};

/// A permission that a call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is asked of IAM.
    pub request: Request,
    /// Texts in it that nobody knows when the document is written: ids that AWS makes, tags of
    /// versions to come.
    pub unknown: Vec<String>,
}

impl Need {
    fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { request: Request::new(action, &resource.into()), unknown: Vec::new() }
    }

    fn with<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.request = self.request.with(key, values);
        self
    }

    fn unknown(mut self, text: impl Into<String>) -> Self {
        self.unknown.push(text.into());
        self
    }

    /// With the tags that a request puts on what it makes.
    fn tagging(self, tags: &Tags) -> Self {
        let named = tags.iter().fold(self, |need, (key, value)| {
            need.with(&format!("aws:RequestTag/{key}"), [value.as_str()])
        });
        if tags.is_empty() {
            named
        } else {
            named.with("aws:TagKeys", tags.keys().map(String::as_str))
        }
    }

    /// As a recorded call, with other values for what nobody knows.
    pub fn call(&self, operation: &str) -> Call {
        let mut call = Call::new(operation, self.request.clone());
        if !self.unknown.is_empty() {
            let mut other = self.request.clone();
            for text in &self.unknown {
                other.resource = varied(&other.resource, text);
            }
            call.requests.push(other);
        }
        call
    }
}

/// With another text in place of this one: at the end where it stands there, since a qualifier as
/// short as `:1` may stand in an account id too.
fn varied(resource: &str, text: &str) -> String {
    let (kept, changed) = match resource.strip_suffix(text) {
        Some(kept) => (kept, text),
        None => ("", resource),
    };
    let call = Call::new("", Request::new("", changed)).varying(text);
    let changed = call.requests.last().map_or(changed, |request| request.resource.as_str());
    format!("{kept}{changed}")
}

/// What calls are authorised as, for one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Authorised<'a> {
    /// The endpoint's names.
    pub names: &'a Names,
    /// The permissions boundary that gwtf's roles have.
    pub boundary: Option<&'a str>,
}

impl Authorised<'_> {
    fn arns(&self) -> Arns<'_> {
        Arns(self.names)
    }

    /// What a question is authorised as.
    pub fn query(&self, query: &Query) -> Vec<Need> {
        match query {
            // "No permissions are required to perform this operation", and none can be taken away
            // (STS API reference, GetCallerIdentity).
            Query::GetCallerIdentity => Vec::new(),
            Query::GetRole { .. }
            | Query::GetRolePolicy { .. }
            | Query::ListAttachedRolePolicies { .. } => self.role_query(query),
            Query::GetFunction { .. }
            | Query::ListAliases { .. }
            | Query::ListVersionsByFunction { .. }
            | Query::GetPolicy { .. }
            | Query::ListProvisionedConcurrency { .. }
            | Query::GetLambdaAccountSettings => self.lambda_query(query),
            Query::GetApiGatewayAccount
            | Query::GetRestApis
            | Query::GetStages { .. }
            | Query::GetDeployments { .. }
            | Query::GetUsagePlans
            | Query::GetUsagePlanKeys { .. }
            | Query::GetApiKeys
            | Query::GetApiKeyValue { .. } => self.api_gateway_query(query),
            Query::DescribeLogGroups { .. }
            | Query::ListLogGroupTags { .. }
            | Query::HeadBucket { .. }
            | Query::GetBucketTags { .. }
            | Query::GetObject { .. }
            | Query::ListObjects { .. }
            | Query::DescribeRepository { .. }
            | Query::GetRepositoryPolicy { .. } => self.storage_query(query),
        }
    }

    /// What a change is authorised as.
    pub fn change(&self, change: &Change) -> Vec<Need> {
        match change {
            Change::CreateRole { .. }
            | Change::UpdateAssumeRolePolicy { .. }
            | Change::PutRolePermissionsBoundary { .. }
            | Change::DeleteRolePermissionsBoundary { .. }
            | Change::PutRolePolicy { .. }
            | Change::DeleteRolePolicy { .. }
            | Change::AttachRolePolicy { .. }
            | Change::DeleteRole { .. } => self.role_change(change),
            Change::CreateFunction(_)
            | Change::UpdateFunctionCode { .. }
            | Change::UpdateFunctionConfiguration { .. }
            | Change::PublishVersion { .. }
            | Change::CreateAlias { .. }
            | Change::UpdateAlias { .. }
            | Change::DeleteAlias { .. }
            | Change::AddPermission { .. }
            | Change::RemovePermission { .. }
            | Change::PutFunctionConcurrency { .. }
            | Change::DeleteFunctionConcurrency { .. }
            | Change::PutProvisionedConcurrency { .. }
            | Change::DeleteProvisionedConcurrency { .. }
            | Change::DeleteFunctionVersion { .. }
            | Change::DeleteFunction { .. } => self.lambda_change(change),
            Change::CreateRestApi { .. }
            | Change::PutRestApi { .. }
            | Change::DeleteRestApi { .. }
            | Change::CreateDeployment { .. }
            | Change::DeleteDeployment { .. }
            | Change::CreateStage { .. }
            | Change::UpdateStage { .. }
            | Change::UpdateAccount { .. }
            | Change::CreateUsagePlan { .. }
            | Change::UpdateUsagePlan { .. }
            | Change::DeleteUsagePlan { .. }
            | Change::CreateApiKey { .. }
            | Change::DeleteApiKey { .. }
            | Change::CreateUsagePlanKey { .. }
            | Change::DeleteUsagePlanKey { .. } => self.api_gateway_change(change),
            Change::CreateBucket { .. }
            | Change::PutBucketTags { .. }
            | Change::DeleteBucket { .. }
            | Change::PutObject { .. }
            | Change::DeleteObject { .. }
            | Change::CreateLogGroup { .. }
            | Change::PutRetentionPolicy { .. }
            | Change::DeleteLogGroup { .. }
            | Change::CreateRepository { .. }
            | Change::SetRepositoryPolicy { .. }
            | Change::DeleteRepository { .. }
            | Change::PushImage { .. } => self.storage_change(change),
        }
    }
}
