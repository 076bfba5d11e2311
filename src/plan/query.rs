//! What is asked of AWS without changing anything: one variant a call, with all that it names.

use super::observed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service, as its requests' credential scope names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the service it names")]
pub enum Service {
    ApiGateway,
    Ecr,
    Iam,
    Lambda,
    Logs,
    S3,
    Sts,
}

impl Service {
    /// Its prefix in IAM actions and ARNs.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ApiGateway => "apigateway",
            Self::Ecr => "ecr",
            Self::Iam => "iam",
            Self::Lambda => "lambda",
            Self::Logs => "logs",
            Self::S3 => "s3",
            Self::Sts => "sts",
        }
    }
}

/// A call that reads. Lists are read to their end; a thing that is not there is an answer
/// ([`Answer`]'s `None`), not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "each variant is the AWS operation it names, and so are its fields"
)]
pub enum Query {
    GetCallerIdentity,
    /// The role with its tags, trust document and boundary.
    GetRole {
        role: String,
    },
    /// One inline policy of a role.
    GetRolePolicy {
        role: String,
        policy: String,
    },
    /// ARNs of the managed policies of a role.
    ListAttachedRolePolicies {
        role: String,
    },
    /// Log groups whose name starts with this.
    DescribeLogGroups {
        prefix: String,
    },
    ListLogGroupTags {
        arn: String,
    },
    /// Code digest, configuration, state, tags and reserved concurrency of `$LATEST`.
    GetFunction {
        function: String,
    },
    ListAliases {
        function: String,
    },
    ListVersionsByFunction {
        function: String,
    },
    /// The resource policy of an alias.
    GetPolicy {
        function: String,
        alias: String,
    },
    ListProvisionedConcurrency {
        function: String,
    },
    GetLambdaAccountSettings,
    GetApiGatewayAccount,
    GetRestApis,
    GetStages {
        rest_api: String,
    },
    GetDeployments {
        rest_api: String,
    },
    GetUsagePlans,
    GetUsagePlanKeys {
        usage_plan: String,
    },
    /// Keys without their values.
    GetApiKeys,
    /// One key with its value.
    GetApiKeyValue {
        api_key: String,
    },
    HeadBucket {
        bucket: String,
        owner: String,
    },
    GetBucketTags {
        bucket: String,
        owner: String,
    },
    /// A small object, as text.
    GetObject {
        bucket: String,
        owner: String,
        key: String,
    },
    /// Keys of the objects under a prefix.
    ListObjects {
        bucket: String,
        owner: String,
        prefix: String,
    },
    DescribeRepository {
        repository: String,
    },
    GetRepositoryPolicy {
        repository: String,
    },
}

/// What a [`Query`] is answered with.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each variant is the answer of the queries that its type names")]
pub enum Answer {
    Caller(observed::Caller),
    Role(Option<observed::Role>),
    /// A policy or trust document, an object's text.
    Text(Option<String>),
    Object(Option<observed::Object>),
    Names(Vec<String>),
    Tags(BTreeMap<String, String>),
    LogGroups(Vec<observed::LogGroup>),
    Function(Option<Box<observed::Function>>),
    Aliases(Vec<observed::Alias>),
    FunctionVersions(Vec<observed::FunctionVersion>),
    /// Sandboxes held warm, by alias.
    ProvisionedConcurrency(BTreeMap<String, u32>),
    LambdaAccount(observed::LambdaAccount),
    ApiGatewayAccount(observed::ApiGatewayAccount),
    RestApis(Vec<observed::RestApi>),
    Stages(Vec<observed::Stage>),
    Deployments(Vec<observed::Deployment>),
    UsagePlans(Vec<observed::UsagePlan>),
    ApiKeys(Vec<observed::ApiKey>),
    Secret(crate::spec::Secret),
    Bucket(observed::Bucket),
    Repository(Option<observed::Repository>),
}

impl Query {
    /// The service that is asked, and its operation's name in AWS's API.
    pub fn operation(&self) -> (Service, &'static str) {
        use Service::{ApiGateway, Ecr, Iam, Lambda, Logs, S3, Sts};
        match self {
            Self::GetCallerIdentity => (Sts, "GetCallerIdentity"),
            Self::GetRole { .. } => (Iam, "GetRole"),
            Self::GetRolePolicy { .. } => (Iam, "GetRolePolicy"),
            Self::ListAttachedRolePolicies { .. } => (Iam, "ListAttachedRolePolicies"),
            Self::DescribeLogGroups { .. } => (Logs, "DescribeLogGroups"),
            Self::ListLogGroupTags { .. } => (Logs, "ListTagsForResource"),
            Self::GetFunction { .. } => (Lambda, "GetFunction"),
            Self::ListAliases { .. } => (Lambda, "ListAliases"),
            Self::ListVersionsByFunction { .. } => (Lambda, "ListVersionsByFunction"),
            Self::GetPolicy { .. } => (Lambda, "GetPolicy"),
            Self::ListProvisionedConcurrency { .. } => {
                (Lambda, "ListProvisionedConcurrencyConfigs")
            }
            Self::GetLambdaAccountSettings => (Lambda, "GetAccountSettings"),
            Self::GetApiGatewayAccount => (ApiGateway, "GetAccount"),
            Self::GetRestApis => (ApiGateway, "GetRestApis"),
            Self::GetStages { .. } => (ApiGateway, "GetStages"),
            Self::GetDeployments { .. } => (ApiGateway, "GetDeployments"),
            Self::GetUsagePlans => (ApiGateway, "GetUsagePlans"),
            Self::GetUsagePlanKeys { .. } => (ApiGateway, "GetUsagePlanKeys"),
            Self::GetApiKeys => (ApiGateway, "GetApiKeys"),
            Self::GetApiKeyValue { .. } => (ApiGateway, "GetApiKey"),
            Self::HeadBucket { .. } => (S3, "HeadBucket"),
            Self::GetBucketTags { .. } => (S3, "GetBucketTagging"),
            Self::GetObject { .. } => (S3, "GetObject"),
            Self::ListObjects { .. } => (S3, "ListObjectsV2"),
            Self::DescribeRepository { .. } => (Ecr, "DescribeRepositories"),
            Self::GetRepositoryPolicy { .. } => (Ecr, "GetRepositoryPolicy"),
        }
    }
}
