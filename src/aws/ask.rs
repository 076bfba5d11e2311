//! Each question's call.

use super::cloud::Aws;
use super::fault::Fault;
use super::{apigateway, ecr, iam, lambda, logs, s3, sts};
use crate::plan::query::{Answer, Query as Q};

pub(super) async fn ask(aws: &Aws, query: &Q) -> Result<Answer, Fault> {
    match query {
        Q::GetCallerIdentity => sts::caller(&aws.sts).await,
        Q::GetRole { role } => iam::role(&aws.iam, role).await,
        Q::GetRolePolicy { role, policy } => iam::role_policy(&aws.iam, role, policy).await,
        Q::ListAttachedRolePolicies { role } => iam::attached_policies(&aws.iam, role).await,
        Q::DescribeLogGroups { prefix } => logs::groups(&aws.logs, prefix).await,
        Q::ListLogGroupTags { arn } => logs::tags(&aws.logs, arn).await,
        Q::GetFunction { function } => lambda::function(&aws.lambda, function).await,
        Q::ListAliases { function } => lambda::aliases(&aws.lambda, function).await,
        Q::ListVersionsByFunction { function } => lambda::versions(&aws.lambda, function).await,
        Q::GetPolicy { function, alias } => lambda::policy(&aws.lambda, function, alias).await,
        Q::ListProvisionedConcurrency { function } => lambda::warm(&aws.lambda, function).await,
        Q::GetLambdaAccountSettings => lambda::account(&aws.lambda).await,
        Q::GetApiGatewayAccount => apigateway::account(&aws.apigateway).await,
        Q::GetRestApis => apigateway::rest_apis(&aws.apigateway).await,
        Q::GetStages { rest_api } => apigateway::stages(&aws.apigateway, rest_api).await,
        Q::GetDeployments { rest_api } => apigateway::deployments(&aws.apigateway, rest_api).await,
        Q::GetUsagePlans => apigateway::plans(&aws.apigateway).await,
        Q::GetUsagePlanKeys { usage_plan } => {
            apigateway::plan_keys(&aws.apigateway, usage_plan).await
        }
        Q::GetApiKeys => apigateway::keys(&aws.apigateway).await,
        Q::GetApiKeyValue { api_key } => apigateway::key_value(&aws.apigateway, api_key).await,
        Q::HeadBucket { bucket, owner } => s3::bucket(&aws.s3, bucket, owner).await,
        Q::GetBucketTags { bucket, owner } => s3::tags(&aws.s3, bucket, owner).await,
        Q::GetObject { bucket, owner, key } => s3::object(&aws.s3, bucket, owner, key).await,
        Q::ListObjects { bucket, owner, prefix } => s3::keys(&aws.s3, bucket, owner, prefix).await,
        Q::DescribeRepository { repository } => ecr::repository(&aws.ecr, repository).await,
        Q::GetRepositoryPolicy { repository } => ecr::policy(&aws.ecr, repository).await,
    }
}
