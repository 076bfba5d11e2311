//! API Gateway: REST APIs, deployments, stages, usage plans, keys.

mod read;

pub(super) use read::*;

use super::fault::{Fault, required, sendable};
use crate::plan::change::{Given, PatchOp, PatchOperation, Tags};
use crate::spec::{Period, Quota, Throttle};
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::{
    self, ApiStage, EndpointConfiguration, EndpointType, Op, PutMode, QuotaPeriodType,
    QuotaSettings, ThrottleSettings,
};
use std::collections::{BTreeMap, HashMap};

/// What a key of a usage plan is; there is no other kind.
const KEY_TYPE: &str = "API_KEY";

fn sent_tags(tags: &Tags) -> Option<HashMap<String, String>> {
    (!tags.is_empty()).then(|| tags.clone().into_iter().collect())
}

fn sent_throttle(throttle: Throttle) -> Result<ThrottleSettings, Fault> {
    let burst = sendable(throttle.burst)?;
    Ok(ThrottleSettings::builder().rate_limit(throttle.rate_rps).burst_limit(burst).build())
}

fn sent_quota(quota: Quota) -> Result<QuotaSettings, Fault> {
    let period = match quota.period {
        Period::Day => QuotaPeriodType::Day,
        Period::Week => QuotaPeriodType::Week,
        Period::Month => QuotaPeriodType::Month,
    };
    Ok(QuotaSettings::builder().limit(sendable(quota.limit)?).period(period).build())
}

fn sent_patch(patch: &[PatchOperation]) -> Vec<types::PatchOperation> {
    let one = |own: &PatchOperation| {
        let op = match own.op {
            PatchOp::Add => Op::Add,
            PatchOp::Replace => Op::Replace,
            PatchOp::Remove => Op::Remove,
            PatchOp::Copy => Op::Copy,
        };
        let operation = types::PatchOperation::builder().op(op).path(&own.path);
        operation.set_value(own.value.clone()).set_from(own.from.clone()).build()
    };
    patch.iter().map(one).collect()
}

pub(super) async fn create_rest_api(
    client: &Client,
    name: &str,
    description: &str,
    tags: &Tags,
) -> Result<Given, Fault> {
    let endpoint = EndpointConfiguration::builder().types(EndpointType::Regional).build();
    let call = client.create_rest_api().name(name).description(description);
    let call = call.endpoint_configuration(endpoint).set_tags(sent_tags(tags));
    Ok(Given::Id(required(call.send().await?.id, "id")?))
}

pub(super) async fn put_rest_api(
    client: &Client,
    rest_api: &str,
    document: &str,
) -> Result<Given, Fault> {
    let call = client.put_rest_api().rest_api_id(rest_api).mode(PutMode::Overwrite);
    call.fail_on_warnings(true).body(Blob::new(document)).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn delete_rest_api(client: &Client, rest_api: &str) -> Result<Given, Fault> {
    client.delete_rest_api().rest_api_id(rest_api).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn create_deployment(
    client: &Client,
    rest_api: &str,
    description: &str,
) -> Result<Given, Fault> {
    let call = client.create_deployment().rest_api_id(rest_api).description(description);
    Ok(Given::Id(required(call.send().await?.id, "id")?))
}

pub(super) async fn delete_deployment(
    client: &Client,
    rest_api: &str,
    deployment: &str,
) -> Result<Given, Fault> {
    client.delete_deployment().rest_api_id(rest_api).deployment_id(deployment).send().await?;
    Ok(Given::Nothing)
}

/// What a new stage is, besides its place.
pub(super) struct NewStage<'a> {
    pub(super) deployment: &'a str,
    pub(super) description: &'a str,
    pub(super) tracing: bool,
    pub(super) tags: &'a Tags,
}

pub(super) async fn create_stage(
    client: &Client,
    rest_api: &str,
    stage: &str,
    new: NewStage<'_>,
) -> Result<Given, Fault> {
    let call = client.create_stage().rest_api_id(rest_api).stage_name(stage);
    let call = call.deployment_id(new.deployment).description(new.description);
    call.tracing_enabled(new.tracing).set_tags(sent_tags(new.tags)).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn update_stage(
    client: &Client,
    rest_api: &str,
    stage: &str,
    patch: &[PatchOperation],
) -> Result<Given, Fault> {
    let call = client.update_stage().rest_api_id(rest_api).stage_name(stage);
    call.set_patch_operations(Some(sent_patch(patch))).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn update_account(client: &Client, role_arn: &str) -> Result<Given, Fault> {
    let patch = [PatchOperation::replace("/cloudwatchRoleArn", role_arn)];
    client.update_account().set_patch_operations(Some(sent_patch(&patch))).send().await?;
    Ok(Given::Nothing)
}

/// What a new usage plan is for, and its limits.
pub(super) struct NewPlan<'a> {
    pub(super) throttle: Option<Throttle>,
    pub(super) quota: Option<Quota>,
    pub(super) rest_api: &'a str,
    pub(super) stage: &'a str,
    pub(super) methods: &'a BTreeMap<String, Throttle>,
    pub(super) tags: &'a Tags,
}

/// Makes a plan with the limits of every method: patches of those are 20 s apart.
pub(super) async fn create_plan(
    client: &Client,
    name: &str,
    new: NewPlan<'_>,
) -> Result<Given, Fault> {
    let mut stage = ApiStage::builder().api_id(new.rest_api).stage(new.stage);
    for (method, throttle) in new.methods {
        stage = stage.throttle(method, sent_throttle(*throttle)?);
    }
    let call = client
        .create_usage_plan()
        .name(name)
        .api_stages(stage.build())
        .set_throttle(new.throttle.map(sent_throttle).transpose()?)
        .set_quota(new.quota.map(sent_quota).transpose()?)
        .set_tags(sent_tags(new.tags));
    Ok(Given::Id(required(call.send().await?.id, "id")?))
}

pub(super) async fn update_plan(
    client: &Client,
    usage_plan: &str,
    patch: &[PatchOperation],
) -> Result<Given, Fault> {
    let call = client.update_usage_plan().usage_plan_id(usage_plan);
    call.set_patch_operations(Some(sent_patch(patch))).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn delete_plan(client: &Client, usage_plan: &str) -> Result<Given, Fault> {
    client.delete_usage_plan().usage_plan_id(usage_plan).send().await?;
    Ok(Given::Nothing)
}

/// Makes a key; its value is AWS's and stays there.
pub(super) async fn create_key(client: &Client, name: &str, tags: &Tags) -> Result<Given, Fault> {
    let call = client.create_api_key().name(name).enabled(true).set_tags(sent_tags(tags));
    Ok(Given::Id(required(call.send().await?.id, "id")?))
}

pub(super) async fn delete_key(client: &Client, api_key: &str) -> Result<Given, Fault> {
    client.delete_api_key().api_key(api_key).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn add_key(
    client: &Client,
    usage_plan: &str,
    api_key: &str,
) -> Result<Given, Fault> {
    let call = client.create_usage_plan_key().usage_plan_id(usage_plan);
    call.key_id(api_key).key_type(KEY_TYPE).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn remove_key(
    client: &Client,
    usage_plan: &str,
    api_key: &str,
) -> Result<Given, Fault> {
    let call = client.delete_usage_plan_key().usage_plan_id(usage_plan);
    call.key_id(api_key).send().await?;
    Ok(Given::Nothing)
}
