//! What AWS holds of one endpoint and of the account around it, in gwtf's words.
//!
//! Only what a plan decides on is kept. Documents (policies, trust) are AWS's JSON text.

use crate::spec::timestamp::Timestamp;
use std::collections::BTreeMap;

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// Who the credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Account, 12 digits.
    pub account_id: String,
    /// ARN of the user or role session.
    pub arn: String,
}

/// Everything observed for one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Whose account it is.
    pub caller: Caller,
    /// API Gateway's settings of the account in this Region.
    pub api_gateway_account: ApiGatewayAccount,
    /// Lambda's limits of the account in this Region.
    pub lambda_account: LambdaAccount,
    /// The role of gwtf's own that API Gateway writes logs with; asked for only while the account
    /// has none set.
    pub account_role: Option<Role>,
    /// The bucket of locks and large artefacts.
    pub bucket: Bucket,
    /// The lock as it lies there.
    pub lock: Option<Object>,
    /// Keys of the endpoint's objects in the bucket.
    pub objects: Vec<String>,
    /// The function's execution role.
    pub execution_role: Option<Role>,
    /// The inline policy of that role.
    pub execution_policy: Option<String>,
    /// The endpoint's log groups by name, with tags.
    pub log_groups: BTreeMap<String, LogGroup>,
    /// The function with its aliases and versions.
    pub function: Option<Function>,
    /// The registry's repository (package `image`).
    pub repository: Option<Repository>,
    /// The endpoint's REST API: it carries the endpoint's tag.
    pub rest_api: Option<RestApi>,
    /// REST APIs of the endpoint's name without its tag, or further ones with it.
    pub other_rest_apis: Vec<RestApi>,
    /// How many REST APIs the account has in this Region.
    pub rest_api_count: usize,
    /// Deployments of the REST API, oldest first.
    pub deployments: Vec<Deployment>,
    /// Stages of the REST API.
    pub stages: Vec<Stage>,
    /// The endpoint's usage plans: they carry its tag.
    pub usage_plans: Vec<UsagePlan>,
    /// The endpoint's API keys: they carry its tag.
    pub api_keys: Vec<ApiKey>,
}

/// API Gateway's account settings (`GET /account`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ApiGatewayAccount {
    /// The role that logs are written with.
    pub cloudwatch_role_arn: Option<String>,
    /// Steady rate over all APIs, requests per second.
    pub rate_rps: Option<f64>,
    /// Burst over all APIs, requests.
    pub burst: Option<u32>,
}

/// Lambda's account settings (`GetAccountSettings`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LambdaAccount {
    /// Sandboxes at once, over all functions.
    pub concurrent_executions: Option<u32>,
    /// Those that no function has reserved.
    pub unreserved_concurrent_executions: Option<u32>,
    /// Bytes of code that may be stored.
    pub code_size_bytes_max: Option<u64>,
    /// Bytes of code that are stored.
    pub code_size_bytes: Option<u64>,
}

/// Whether a bucket is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Bucket {
    /// There is none of that name.
    #[default]
    Missing,
    /// It belongs to the account; these are its tags.
    Own(Tags),
    /// It belongs to somebody else, or may not be looked at.
    Forbidden,
}

/// A small object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its text.
    pub text: String,
    /// Its entity tag, for conditional writes.
    pub etag: String,
}

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// ARN.
    pub arn: String,
    /// Trust document, decoded.
    pub trust: String,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Tags.
    pub tags: Tags,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Name.
    pub name: String,
    /// ARN without `:*`.
    pub arn: String,
    /// Days that events are kept; `None` for ever.
    pub retention_days: Option<u32>,
    /// Tags; empty until asked for.
    pub tags: Tags,
}

/// What a function runs as; the part of its configuration that gwtf sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionConfiguration {
    /// ARN of the execution role.
    pub role: String,
    /// Memory, MiB.
    pub memory_mib: u32,
    /// Longest invocation, seconds.
    pub timeout_s: u32,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Whether invocations are traced (`Active`).
    pub tracing: bool,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// ARN without qualifier.
    pub arn: String,
    /// `$LATEST`'s code: base64 of the zip's SHA-256, or the image's digest in hexadecimal.
    pub code_sha256: String,
    /// `$LATEST`'s configuration.
    pub configuration: FunctionConfiguration,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether its code is an image.
    pub is_image: bool,
    /// `Pending`, `Active`, `Inactive`, `Failed` and newer ones.
    pub state: String,
    /// `InProgress`, `Successful`, `Failed`.
    pub last_update_status: String,
    /// Why it failed, in Lambda's words.
    pub state_reason: Option<String>,
    /// When `$LATEST` was last changed.
    pub last_modified: Option<Timestamp>,
    /// Reserved concurrency.
    pub reserved_concurrency: Option<u32>,
    /// Tags.
    pub tags: Tags,
    /// Aliases; filled by the observer.
    pub aliases: Vec<Alias>,
    /// Published versions, oldest first; filled by the observer.
    pub versions: Vec<FunctionVersion>,
    /// Sandboxes held warm by alias; filled by the observer.
    pub provisioned_concurrency: BTreeMap<String, u32>,
}

/// A published version of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionVersion {
    /// Its number, as text.
    pub version: String,
    /// Its code, as in [`Function::code_sha256`].
    pub code_sha256: String,
    /// What it runs as.
    pub configuration: FunctionConfiguration,
}

/// An alias of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// The version that it points to.
    pub version: String,
    /// Statement ids of its resource policy and the source ARN of each; filled by the observer.
    pub permissions: BTreeMap<String, String>,
}

/// A REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestApi {
    /// Its id, 10 characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Tags.
    pub tags: Tags,
}

/// A deployment of a REST API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// Its description: a ledger record, if gwtf made it.
    pub description: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

/// A stage of a REST API.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The live deployment.
    pub deployment_id: String,
    /// The last moves of the pointer, if gwtf made them.
    pub description: String,
    /// The running canary.
    pub canary: Option<StageCanary>,
    /// Settings by method key as `GetStage` returns them (`*/*`, `~1predict/POST`).
    pub method_settings: BTreeMap<String, MethodSettings>,
    /// ARN of the log group of access logs.
    pub access_log_destination: Option<String>,
    /// Format of access logs.
    pub access_log_format: Option<String>,
    /// Whether requests are traced.
    pub tracing: bool,
    /// Tags.
    pub tags: Tags,
    /// When it was last changed.
    pub last_updated_at: Option<Timestamp>,
}

/// A stage's canary.
#[derive(Debug, Clone, PartialEq)]
pub struct StageCanary {
    /// Its deployment.
    pub deployment_id: String,
    /// Its share of the requests, percent.
    pub percent: f64,
}

/// Settings of one method, or of all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MethodSettings {
    /// Requests a second; `None` and -1 leave the account's.
    pub rate_rps: Option<f64>,
    /// Burst.
    pub burst: Option<u32>,
    /// Whether there are metrics by method.
    pub metrics: bool,
    /// `OFF`, `ERROR` or `INFO`.
    pub logging_level: Option<String>,
    /// Whether whole requests and replies are logged.
    pub data_trace: bool,
}

/// A usage plan.
#[derive(Debug, Clone, PartialEq)]
pub struct UsagePlan {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Each key's limit.
    pub throttle: Option<crate::spec::Throttle>,
    /// Each key's requests in a period.
    pub quota: Option<crate::spec::Quota>,
    /// The stages it is for, as `api:stage`, each with its limits by method key.
    pub stages: BTreeMap<String, BTreeMap<String, crate::spec::Throttle>>,
    /// Tags.
    pub tags: Tags,
    /// Ids of its keys; filled by the observer.
    pub key_ids: Vec<String>,
}

/// An API key, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is taken.
    pub enabled: bool,
    /// Tags.
    pub tags: Tags,
}

/// A repository of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// ARN.
    pub arn: String,
    /// Where images are pushed to: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME`.
    pub uri: String,
    /// Its policy document; filled by the observer.
    pub policy: Option<String>,
}
