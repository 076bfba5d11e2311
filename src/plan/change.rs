//! What is changed on AWS: one variant a call, with its complete request.
//!
//! Ids that only AWS can give (a REST API's, a deployment's, a version's number) stand as
//! [`placeholder`]s until the action that makes them has run; everything else is decided when the
//! plan is made.

mod patch;

pub use patch::{PatchOp, PatchOperation};

use super::query::Service;
use crate::spec::{Quota, Throttle};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// A call that changes something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is the AWS operation it names, and so are its fields"
)]
pub enum Change {
    CreateBucket {
        bucket: String,
        region: String,
    },
    PutBucketTags {
        bucket: String,
        owner: String,
        tags: Tags,
    },
    DeleteBucket {
        bucket: String,
        owner: String,
    },
    PutObject {
        bucket: String,
        owner: String,
        key: String,
        body: Body,
        condition: Option<Condition>,
    },
    DeleteObject {
        bucket: String,
        owner: String,
        key: String,
    },
    CreateRole {
        role: String,
        path: String,
        description: String,
        trust: String,
        boundary: Option<String>,
        tags: Tags,
    },
    UpdateAssumeRolePolicy {
        role: String,
        trust: String,
    },
    PutRolePermissionsBoundary {
        role: String,
        boundary: String,
    },
    DeleteRolePermissionsBoundary {
        role: String,
    },
    PutRolePolicy {
        role: String,
        policy: String,
        document: String,
    },
    DeleteRolePolicy {
        role: String,
        policy: String,
    },
    AttachRolePolicy {
        role: String,
        policy_arn: String,
    },
    DeleteRole {
        role: String,
    },
    CreateLogGroup {
        log_group: String,
        tags: Tags,
    },
    PutRetentionPolicy {
        log_group: String,
        days: u32,
    },
    DeleteLogGroup {
        log_group: String,
    },
    CreateRepository {
        repository: String,
        tags: Tags,
    },
    SetRepositoryPolicy {
        repository: String,
        document: String,
    },
    DeleteRepository {
        repository: String,
    },
    /// Puts an image's layers and manifest into a registry; several requests of its own protocol.
    PushImage {
        layout: PathBuf,
        repository: String,
        tag: String,
    },
    /// Publishes a version too.
    CreateFunction(Box<CreateFunction>),
    /// Publishes a version too; gives its number.
    UpdateFunctionCode {
        function: String,
        code: Code,
        architecture: String,
    },
    UpdateFunctionConfiguration {
        function: String,
        settings: FunctionSettings,
    },
    /// Gives the version's number.
    PublishVersion {
        function: String,
        code_sha256: String,
    },
    CreateAlias {
        function: String,
        alias: String,
        version: String,
        description: String,
    },
    UpdateAlias {
        function: String,
        alias: String,
        version: String,
    },
    DeleteAlias {
        function: String,
        alias: String,
    },
    /// Lets API Gateway invoke an alias for the methods of an ARN.
    AddPermission {
        function: String,
        alias: String,
        statement: String,
        source_arn: String,
    },
    RemovePermission {
        function: String,
        alias: String,
        statement: String,
    },
    PutFunctionConcurrency {
        function: String,
        reserved: u32,
    },
    DeleteFunctionConcurrency {
        function: String,
    },
    PutProvisionedConcurrency {
        function: String,
        alias: String,
        provisioned: u32,
    },
    DeleteProvisionedConcurrency {
        function: String,
        alias: String,
    },
    DeleteFunctionVersion {
        function: String,
        version: String,
    },
    DeleteFunction {
        function: String,
    },
    /// Regional. Gives the API's id.
    CreateRestApi {
        name: String,
        description: String,
        tags: Tags,
    },
    /// Replaces the API's definition by this OpenAPI document; a warning is a failure.
    PutRestApi {
        rest_api: String,
        document: String,
    },
    DeleteRestApi {
        rest_api: String,
    },
    /// Gives the deployment's id.
    CreateDeployment {
        rest_api: String,
        description: String,
    },
    DeleteDeployment {
        rest_api: String,
        deployment: String,
    },
    CreateStage {
        rest_api: String,
        stage: String,
        deployment: String,
        description: String,
        tracing: bool,
        tags: Tags,
    },
    UpdateStage {
        rest_api: String,
        stage: String,
        patch: Vec<PatchOperation>,
    },
    /// The account's role for logs, for all APIs of the Region.
    UpdateAccount {
        cloudwatch_role_arn: String,
    },
    /// Gives the plan's id.
    CreateUsagePlan {
        name: String,
        throttle: Option<Throttle>,
        quota: Option<Quota>,
        rest_api: String,
        stage: String,
        methods: BTreeMap<String, Throttle>,
        tags: Tags,
    },
    UpdateUsagePlan {
        usage_plan: String,
        patch: Vec<PatchOperation>,
    },
    DeleteUsagePlan {
        usage_plan: String,
    },
    /// AWS makes the value. Gives the key's id.
    CreateApiKey {
        name: String,
        tags: Tags,
    },
    DeleteApiKey {
        api_key: String,
    },
    CreateUsagePlanKey {
        usage_plan: String,
        api_key: String,
    },
    DeleteUsagePlanKey {
        usage_plan: String,
        api_key: String,
    },
}

/// A new function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateFunction {
    /// Name.
    pub function: String,
    /// Code.
    pub code: Code,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// What it runs as.
    pub settings: FunctionSettings,
    /// Description.
    pub description: String,
    /// Tags.
    pub tags: Tags,
}

/// What a function runs as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionSettings {
    /// ARN of the execution role.
    pub role: String,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Longest invocation, seconds.
    pub timeout_s: u32,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Whether invocations are traced.
    pub tracing: bool,
}

/// Where a function's code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// A zip file on this machine, sent in the request.
    Zip {
        /// The file.
        path: PathBuf,
        /// Base64 of its SHA-256, as Lambda gives it back.
        sha256: String,
    },
    /// A zip in the bucket.
    Object {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// Base64 of its SHA-256, as Lambda gives it back.
        sha256: String,
    },
    /// An image in the account's registry, by digest.
    Image {
        /// `REGISTRY/NAME@sha256:…`.
        uri: String,
        /// The digest's hexadecimal digits, as Lambda gives them back.
        sha256: String,
    },
}

impl Code {
    /// What Lambda will say of it (`CodeSha256`).
    pub fn sha256(&self) -> &str {
        match self {
            Self::Zip { sha256, .. } | Self::Object { sha256, .. } | Self::Image { sha256, .. } => {
                sha256
            }
        }
    }
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// This text.
    Text(String),
    /// The bytes of a file.
    File {
        /// The file.
        path: PathBuf,
        /// Base64 of its SHA-256, which S3 checks on arrival.
        sha256: String,
    },
}

/// When an object is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Only if there is none of that key (`If-None-Match: *`).
    Absent,
    /// Only over the object of this entity tag (`If-Match`).
    Matches(String),
}

/// What a change gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// Nothing that others need.
    Nothing,
    /// The id or number of what it made.
    Id(String),
}

/// What a placeholder begins with.
pub const PLACEHOLDER_START: &str = "${gwtf:";

/// How a key stands in a request until its value is known.
pub fn placeholder(key: &str) -> String {
    format!("{PLACEHOLDER_START}{key}}}")
}

/// A request still names something that no action has given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{operation}` needs `{key}`, which no action before it gave")]
pub struct Unresolved {
    /// The operation.
    pub operation: &'static str,
    /// The key.
    pub key: String,
}

impl Change {
    /// The same request with each placeholder replaced by what earlier actions gave.
    ///
    /// # Errors
    /// A placeholder has no value.
    pub fn resolve(&self, given: &BTreeMap<String, String>) -> Result<Self, Unresolved> {
        let mut value = serde_json::to_value(self).expect("requests are plain data");
        fill(&mut value, given).map_err(|key| Unresolved { operation: self.operation().1, key })?;
        Ok(serde_json::from_value(value).expect("only texts were replaced by texts"))
    }

    /// The service that is called, and its operation's name in AWS's API.
    pub fn operation(&self) -> (Service, &'static str) {
        use Service::{ApiGateway, Ecr, Iam, Lambda, Logs, S3};
        match self {
            Self::CreateBucket { .. } => (S3, "CreateBucket"),
            Self::PutBucketTags { .. } => (S3, "PutBucketTagging"),
            Self::DeleteBucket { .. } => (S3, "DeleteBucket"),
            Self::PutObject { .. } => (S3, "PutObject"),
            Self::DeleteObject { .. } => (S3, "DeleteObject"),
            Self::CreateRole { .. } => (Iam, "CreateRole"),
            Self::UpdateAssumeRolePolicy { .. } => (Iam, "UpdateAssumeRolePolicy"),
            Self::PutRolePermissionsBoundary { .. } => (Iam, "PutRolePermissionsBoundary"),
            Self::DeleteRolePermissionsBoundary { .. } => (Iam, "DeleteRolePermissionsBoundary"),
            Self::PutRolePolicy { .. } => (Iam, "PutRolePolicy"),
            Self::DeleteRolePolicy { .. } => (Iam, "DeleteRolePolicy"),
            Self::AttachRolePolicy { .. } => (Iam, "AttachRolePolicy"),
            Self::DeleteRole { .. } => (Iam, "DeleteRole"),
            Self::CreateLogGroup { .. } => (Logs, "CreateLogGroup"),
            Self::PutRetentionPolicy { .. } => (Logs, "PutRetentionPolicy"),
            Self::DeleteLogGroup { .. } => (Logs, "DeleteLogGroup"),
            Self::CreateRepository { .. } => (Ecr, "CreateRepository"),
            Self::SetRepositoryPolicy { .. } => (Ecr, "SetRepositoryPolicy"),
            Self::DeleteRepository { .. } => (Ecr, "DeleteRepository"),
            Self::PushImage { .. } => (Ecr, "PutImage"),
            Self::CreateFunction { .. } => (Lambda, "CreateFunction"),
            Self::UpdateFunctionCode { .. } => (Lambda, "UpdateFunctionCode"),
            Self::UpdateFunctionConfiguration { .. } => (Lambda, "UpdateFunctionConfiguration"),
            Self::PublishVersion { .. } => (Lambda, "PublishVersion"),
            Self::CreateAlias { .. } => (Lambda, "CreateAlias"),
            Self::UpdateAlias { .. } => (Lambda, "UpdateAlias"),
            Self::DeleteAlias { .. } => (Lambda, "DeleteAlias"),
            Self::AddPermission { .. } => (Lambda, "AddPermission"),
            Self::RemovePermission { .. } => (Lambda, "RemovePermission"),
            Self::PutFunctionConcurrency { .. } => (Lambda, "PutFunctionConcurrency"),
            Self::DeleteFunctionConcurrency { .. } => (Lambda, "DeleteFunctionConcurrency"),
            Self::PutProvisionedConcurrency { .. } => (Lambda, "PutProvisionedConcurrencyConfig"),
            Self::DeleteProvisionedConcurrency { .. } => {
                (Lambda, "DeleteProvisionedConcurrencyConfig")
            }
            Self::DeleteFunctionVersion { .. } | Self::DeleteFunction { .. } => {
                (Lambda, "DeleteFunction")
            }
            Self::CreateRestApi { .. } => (ApiGateway, "CreateRestApi"),
            Self::PutRestApi { .. } => (ApiGateway, "PutRestApi"),
            Self::DeleteRestApi { .. } => (ApiGateway, "DeleteRestApi"),
            Self::CreateDeployment { .. } => (ApiGateway, "CreateDeployment"),
            Self::DeleteDeployment { .. } => (ApiGateway, "DeleteDeployment"),
            Self::CreateStage { .. } => (ApiGateway, "CreateStage"),
            Self::UpdateStage { .. } => (ApiGateway, "UpdateStage"),
            Self::UpdateAccount { .. } => (ApiGateway, "UpdateAccount"),
            Self::CreateUsagePlan { .. } => (ApiGateway, "CreateUsagePlan"),
            Self::UpdateUsagePlan { .. } => (ApiGateway, "UpdateUsagePlan"),
            Self::DeleteUsagePlan { .. } => (ApiGateway, "DeleteUsagePlan"),
            Self::CreateApiKey { .. } => (ApiGateway, "CreateApiKey"),
            Self::DeleteApiKey { .. } => (ApiGateway, "DeleteApiKey"),
            Self::CreateUsagePlanKey { .. } => (ApiGateway, "CreateUsagePlanKey"),
            Self::DeleteUsagePlanKey { .. } => (ApiGateway, "DeleteUsagePlanKey"),
        }
    }
}

/// Replaces placeholders in every text; the first key without a value is the error.
fn fill(value: &mut serde_json::Value, given: &BTreeMap<String, String>) -> Result<(), String> {
    match value {
        serde_json::Value::String(text) => fill_text(text, given),
        serde_json::Value::Array(values) => {
            values.iter_mut().try_for_each(|value| fill(value, given))
        }
        serde_json::Value::Object(map) => map.values_mut().try_for_each(|value| fill(value, given)),
        _ => Ok(()),
    }
}

pub(super) fn fill_text(text: &mut String, given: &BTreeMap<String, String>) -> Result<(), String> {
    const START: &str = PLACEHOLDER_START;
    if !text.contains(START) {
        return Ok(());
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once(START) {
        filled.push_str(before);
        let Some((key, behind)) = after.split_once('}') else {
            filled.push_str(START);
            rest = after;
            continue;
        };
        filled.push_str(given.get(key).ok_or_else(|| key.to_owned())?);
        rest = behind;
    }
    filled.push_str(rest);
    *text = filled;
    Ok(())
}

#[cfg(test)]
mod tests;
