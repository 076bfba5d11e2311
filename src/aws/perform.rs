//! Each change's call.

use super::cloud::Aws;
use super::fault::Fault;
use super::{apigateway, ecr, iam, lambda, logs, s3};
use crate::plan::change::{Change as C, Given};

#[expect(clippy::too_many_lines, reason = "one arm for each change, and no change forgotten")]
pub(super) async fn perform(aws: &Aws, change: &C) -> Result<Given, Fault> {
    match change {
        C::CreateBucket { bucket, region } => s3::create_bucket(&aws.s3, bucket, region).await,
        C::PutBucketTags { bucket, owner, tags } => {
            s3::set_tags(&aws.s3, bucket, owner, tags).await
        }
        C::DeleteBucket { bucket, owner } => s3::delete_bucket(&aws.s3, bucket, owner).await,
        C::PutObject { bucket, owner, key, body, condition } => {
            s3::put(&aws.s3, bucket, owner, key, body, condition.as_ref()).await
        }
        C::DeleteObject { bucket, owner, key } => s3::delete(&aws.s3, bucket, owner, key).await,
        C::CreateRole { role, path, description, trust, boundary, tags } => {
            let boundary = boundary.as_deref();
            let new = iam::NewRole { path, description, trust, boundary, tags };
            iam::create_role(&aws.iam, role, new).await
        }
        C::UpdateAssumeRolePolicy { role, trust } => iam::set_trust(&aws.iam, role, trust).await,
        C::PutRolePermissionsBoundary { role, boundary } => {
            iam::set_boundary(&aws.iam, role, boundary).await
        }
        C::DeleteRolePermissionsBoundary { role } => iam::remove_boundary(&aws.iam, role).await,
        C::PutRolePolicy { role, policy, document } => {
            iam::set_policy(&aws.iam, role, policy, document).await
        }
        C::DeleteRolePolicy { role, policy } => iam::remove_policy(&aws.iam, role, policy).await,
        C::AttachRolePolicy { role, policy_arn } => {
            iam::attach_policy(&aws.iam, role, policy_arn).await
        }
        C::DeleteRole { role } => iam::delete_role(&aws.iam, role).await,
        C::CreateLogGroup { log_group, tags } => logs::create(&aws.logs, log_group, tags).await,
        C::PutRetentionPolicy { log_group, days } => {
            logs::retain(&aws.logs, log_group, *days).await
        }
        C::DeleteLogGroup { log_group } => logs::delete(&aws.logs, log_group).await,
        C::CreateRepository { repository, tags } => ecr::create(&aws.ecr, repository, tags).await,
        C::SetRepositoryPolicy { repository, document } => {
            ecr::set_policy(&aws.ecr, repository, document).await
        }
        C::DeleteRepository { repository } => ecr::delete(&aws.ecr, repository).await,
        C::PushImage { layout, repository, tag } => {
            ecr::push(&aws.ecr, layout, repository, tag).await
        }
        C::CreateFunction(new) => lambda::create(&aws.lambda, new).await,
        C::UpdateFunctionCode { function, code, architecture } => {
            lambda::update_code(&aws.lambda, function, code, architecture).await
        }
        C::UpdateFunctionConfiguration { function, settings } => {
            lambda::update_settings(&aws.lambda, function, settings).await
        }
        C::PublishVersion { function, code_sha256 } => {
            lambda::publish(&aws.lambda, function, code_sha256).await
        }
        C::CreateAlias { function, alias, version, description } => {
            lambda::create_alias(&aws.lambda, function, alias, version, description).await
        }
        C::UpdateAlias { function, alias, version } => {
            lambda::move_alias(&aws.lambda, function, alias, version).await
        }
        C::DeleteAlias { function, alias } => {
            lambda::delete_alias(&aws.lambda, function, alias).await
        }
        C::AddPermission { function, alias, statement, source_arn } => {
            lambda::permit(&aws.lambda, function, alias, statement, source_arn).await
        }
        C::RemovePermission { function, alias, statement } => {
            lambda::forbid(&aws.lambda, function, alias, statement).await
        }
        C::PutFunctionConcurrency { function, reserved } => {
            lambda::reserve(&aws.lambda, function, *reserved).await
        }
        C::DeleteFunctionConcurrency { function } => lambda::unreserve(&aws.lambda, function).await,
        C::PutProvisionedConcurrency { function, alias, provisioned } => {
            lambda::keep_warm(&aws.lambda, function, alias, *provisioned).await
        }
        C::DeleteProvisionedConcurrency { function, alias } => {
            lambda::let_cool(&aws.lambda, function, alias).await
        }
        C::DeleteFunctionVersion { function, version } => {
            lambda::delete(&aws.lambda, function, Some(version)).await
        }
        C::DeleteFunction { function } => lambda::delete(&aws.lambda, function, None).await,
        C::CreateRestApi { name, description, tags } => {
            apigateway::create_rest_api(&aws.apigateway, name, description, tags).await
        }
        C::PutRestApi { rest_api, document } => {
            apigateway::put_rest_api(&aws.apigateway, rest_api, document).await
        }
        C::DeleteRestApi { rest_api } => {
            apigateway::delete_rest_api(&aws.apigateway, rest_api).await
        }
        C::CreateDeployment { rest_api, description } => {
            apigateway::create_deployment(&aws.apigateway, rest_api, description).await
        }
        C::DeleteDeployment { rest_api, deployment } => {
            apigateway::delete_deployment(&aws.apigateway, rest_api, deployment).await
        }
        C::CreateStage { rest_api, stage, deployment, description, tracing, tags } => {
            let new = apigateway::NewStage { deployment, description, tracing: *tracing, tags };
            apigateway::create_stage(&aws.apigateway, rest_api, stage, new).await
        }
        C::UpdateStage { rest_api, stage, patch } => {
            apigateway::update_stage(&aws.apigateway, rest_api, stage, patch).await
        }
        C::UpdateAccount { cloudwatch_role_arn } => {
            apigateway::update_account(&aws.apigateway, cloudwatch_role_arn).await
        }
        C::CreateUsagePlan { name, throttle, quota, rest_api, stage, methods, tags } => {
            let (throttle, quota) = (*throttle, *quota);
            let new = apigateway::NewPlan { throttle, quota, rest_api, stage, methods, tags };
            apigateway::create_plan(&aws.apigateway, name, new).await
        }
        C::UpdateUsagePlan { usage_plan, patch } => {
            apigateway::update_plan(&aws.apigateway, usage_plan, patch).await
        }
        C::DeleteUsagePlan { usage_plan } => {
            apigateway::delete_plan(&aws.apigateway, usage_plan).await
        }
        C::CreateApiKey { name, tags } => apigateway::create_key(&aws.apigateway, name, tags).await,
        C::DeleteApiKey { api_key } => apigateway::delete_key(&aws.apigateway, api_key).await,
        C::CreateUsagePlanKey { usage_plan, api_key } => {
            apigateway::add_key(&aws.apigateway, usage_plan, api_key).await
        }
        C::DeleteUsagePlanKey { usage_plan, api_key } => {
            apigateway::remove_key(&aws.apigateway, usage_plan, api_key).await
        }
    }
}
