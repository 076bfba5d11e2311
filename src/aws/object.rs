//! What a call is about, for its error.

use crate::plan::change::Change as C;
use crate::plan::query::Query as Q;

/// What is asked about; the account or Region where a question names nothing.
pub(super) fn of_query(query: &Q) -> String {
    match query {
        Q::GetCallerIdentity => "the caller".to_owned(),
        Q::GetLambdaAccountSettings | Q::GetApiGatewayAccount => "the account".to_owned(),
        Q::GetRestApis | Q::GetUsagePlans | Q::GetApiKeys => "the region".to_owned(),
        Q::GetRole { role } | Q::ListAttachedRolePolicies { role } => role.clone(),
        Q::GetRolePolicy { role, policy } => format!("{role}/{policy}"),
        Q::DescribeLogGroups { prefix: name } | Q::ListLogGroupTags { arn: name } => name.clone(),
        Q::GetFunction { function }
        | Q::ListAliases { function }
        | Q::ListVersionsByFunction { function }
        | Q::ListProvisionedConcurrency { function } => function.clone(),
        Q::GetPolicy { function, alias } => format!("{function}:{alias}"),
        Q::GetStages { rest_api } | Q::GetDeployments { rest_api } => rest_api.clone(),
        Q::GetUsagePlanKeys { usage_plan } => usage_plan.clone(),
        Q::GetApiKeyValue { api_key } => api_key.clone(),
        Q::HeadBucket { bucket, .. } | Q::GetBucketTags { bucket, .. } => bucket.clone(),
        Q::GetObject { bucket, key, .. } | Q::ListObjects { bucket, prefix: key, .. } => {
            format!("{bucket}/{key}")
        }
        Q::DescribeRepository { repository } | Q::GetRepositoryPolicy { repository } => {
            repository.clone()
        }
    }
}

/// What is changed.
pub(super) fn of_change(change: &C) -> String {
    match change {
        C::CreateBucket { bucket, .. }
        | C::PutBucketTags { bucket, .. }
        | C::DeleteBucket { bucket, .. } => bucket.clone(),
        C::PutObject { bucket, key, .. } | C::DeleteObject { bucket, key, .. } => {
            format!("{bucket}/{key}")
        }
        C::CreateRole { role, .. }
        | C::UpdateAssumeRolePolicy { role, .. }
        | C::PutRolePermissionsBoundary { role, .. }
        | C::DeleteRolePermissionsBoundary { role }
        | C::DeleteRole { role } => role.clone(),
        C::PutRolePolicy { role, policy, .. }
        | C::DeleteRolePolicy { role, policy }
        | C::AttachRolePolicy { role, policy_arn: policy } => format!("{role}/{policy}"),
        C::CreateLogGroup { log_group, .. }
        | C::PutRetentionPolicy { log_group, .. }
        | C::DeleteLogGroup { log_group } => log_group.clone(),
        C::CreateRepository { repository, .. }
        | C::SetRepositoryPolicy { repository, .. }
        | C::DeleteRepository { repository } => repository.clone(),
        C::PushImage { repository, tag, .. } => format!("{repository}:{tag}"),
        C::CreateFunction(new) => new.function.clone(),
        C::UpdateFunctionCode { function, .. }
        | C::UpdateFunctionConfiguration { function, .. }
        | C::PublishVersion { function, .. }
        | C::PutFunctionConcurrency { function, .. }
        | C::DeleteFunctionConcurrency { function }
        | C::DeleteFunction { function } => function.clone(),
        C::CreateAlias { function, alias, .. }
        | C::UpdateAlias { function, alias, .. }
        | C::DeleteAlias { function, alias }
        | C::PutProvisionedConcurrency { function, alias, .. }
        | C::DeleteProvisionedConcurrency { function, alias }
        | C::DeleteFunctionVersion { function, version: alias } => format!("{function}:{alias}"),
        C::AddPermission { function, alias, statement, .. }
        | C::RemovePermission { function, alias, statement } => {
            format!("{function}:{alias}/{statement}")
        }
        C::CreateRestApi { name, .. }
        | C::CreateUsagePlan { name, .. }
        | C::CreateApiKey { name, .. } => name.clone(),
        C::PutRestApi { rest_api, .. }
        | C::DeleteRestApi { rest_api }
        | C::CreateDeployment { rest_api, .. } => rest_api.clone(),
        C::DeleteDeployment { rest_api, deployment } => format!("{rest_api}/{deployment}"),
        C::CreateStage { rest_api, stage, .. } | C::UpdateStage { rest_api, stage, .. } => {
            format!("{rest_api}/{stage}")
        }
        C::UpdateAccount { .. } => "the account".to_owned(),
        C::UpdateUsagePlan { usage_plan, .. } | C::DeleteUsagePlan { usage_plan } => {
            usage_plan.clone()
        }
        C::DeleteApiKey { api_key } => api_key.clone(),
        C::CreateUsagePlanKey { usage_plan, api_key }
        | C::DeleteUsagePlanKey { usage_plan, api_key } => format!("{usage_plan}/{api_key}"),
    }
}
