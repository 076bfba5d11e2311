//! What API Gateway holds of an endpoint.

use crate::aws::fault::{Fault, found, instant, required, shown};
use crate::aws::pages::Pages;
use crate::plan::observed::{
    ApiGatewayAccount, ApiKey, Deployment, MethodSettings, RestApi, Stage, StageCanary, UsagePlan,
};
use crate::plan::query::Answer;
use crate::spec::{Period, Quota, Secret, Throttle};
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::types::{self, QuotaPeriodType, QuotaSettings, ThrottleSettings};
use std::collections::{BTreeMap, HashMap};

/// Largest page (`limit` of every list).
const PAGE: i32 = 500;

/// The account's settings in the Region.
pub(in crate::aws) async fn account(client: &Client) -> Result<Answer, Fault> {
    let output = client.get_account().send().await?;
    let throttle = output.throttle_settings;
    Ok(Answer::ApiGatewayAccount(ApiGatewayAccount {
        cloudwatch_role_arn: output.cloudwatch_role_arn.filter(|arn| !arn.is_empty()),
        rate_rps: throttle.as_ref().map(|own| own.rate_limit),
        burst: throttle.and_then(|own| shown(own.burst_limit)),
    }))
}

/// All REST APIs of the account in the Region.
pub(in crate::aws) async fn rest_apis(client: &Client) -> Result<Answer, Fault> {
    let mut pages = client.get_rest_apis().limit(PAGE).into_paginator().send();
    let mut count = Pages::default();
    let mut apis = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        for own in page?.items.unwrap_or_default() {
            let Some(id) = own.id else { continue };
            let name = own.name.unwrap_or_default();
            apis.push(RestApi { id, name, tags: shown_tags(own.tags) });
        }
    }
    Ok(Answer::RestApis(apis))
}

/// The stages; none for an API that is not there.
pub(in crate::aws) async fn stages(client: &Client, rest_api: &str) -> Result<Answer, Fault> {
    let output = found(client.get_stages().rest_api_id(rest_api).send().await)?;
    let stages = output.and_then(|output| output.item).unwrap_or_default();
    stages.into_iter().map(shown_stage).collect::<Result<_, _>>().map(Answer::Stages)
}

fn shown_stage(own: types::Stage) -> Result<Stage, Fault> {
    let settings = own.method_settings.unwrap_or_default();
    let settings = settings.into_iter().map(|(key, own)| (key, shown_settings(own)));
    let access_log = own.access_log_settings;
    let canary = own.canary_settings.and_then(|canary| {
        let deployment_id = canary.deployment_id?;
        Some(StageCanary { deployment_id, percent: canary.percent_traffic })
    });
    Ok(Stage {
        name: required(own.stage_name, "stageName")?,
        deployment_id: own.deployment_id.unwrap_or_default(),
        description: own.description.unwrap_or_default(),
        canary,
        method_settings: settings.collect(),
        access_log_destination: access_log.as_ref().and_then(|own| own.destination_arn.clone()),
        access_log_format: access_log.and_then(|own| own.format),
        tracing: own.tracing_enabled,
        tags: shown_tags(own.tags),
        last_updated_at: instant(own.last_updated_date),
    })
}

fn shown_settings(own: types::MethodSetting) -> MethodSettings {
    MethodSettings {
        // -1 stands for the account's limit.
        rate_rps: Some(own.throttling_rate_limit).filter(|rate| *rate >= 0.0),
        burst: shown(own.throttling_burst_limit),
        metrics: own.metrics_enabled,
        logging_level: own.logging_level,
        data_trace: own.data_trace_enabled,
    }
}

/// The deployments, oldest first; none for an API that is not there.
pub(in crate::aws) async fn deployments(client: &Client, rest_api: &str) -> Result<Answer, Fault> {
    let call = client.get_deployments().rest_api_id(rest_api).limit(PAGE);
    let mut pages = call.into_paginator().send();
    let mut count = Pages::default();
    let mut deployments = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        let Some(page) = found(page)? else { break };
        for own in page.items.unwrap_or_default() {
            let Some(id) = own.id else { continue };
            let description = own.description.unwrap_or_default();
            let created_at = instant(own.created_date);
            deployments.push(Deployment { id, description, created_at });
        }
    }
    deployments.sort_by_key(|own| own.created_at);
    Ok(Answer::Deployments(deployments))
}

/// All usage plans of the account in the Region.
pub(in crate::aws) async fn plans(client: &Client) -> Result<Answer, Fault> {
    let mut pages = client.get_usage_plans().limit(PAGE).into_paginator().send();
    let mut count = Pages::default();
    let mut plans = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        plans.extend(page?.items.unwrap_or_default().into_iter().filter_map(shown_plan));
    }
    Ok(Answer::UsagePlans(plans))
}

fn shown_plan(own: types::UsagePlan) -> Option<UsagePlan> {
    let mut stages = BTreeMap::new();
    for stage in own.api_stages.unwrap_or_default() {
        let (Some(api), Some(name)) = (stage.api_id, stage.stage) else { continue };
        let limits = stage.throttle.unwrap_or_default();
        let limits = limits.into_iter().filter_map(|(key, own)| Some((key, shown_throttle(&own)?)));
        stages.insert(format!("{api}:{name}"), limits.collect());
    }
    Some(UsagePlan {
        id: own.id?,
        name: own.name.unwrap_or_default(),
        throttle: own.throttle.as_ref().and_then(shown_throttle),
        quota: own.quota.as_ref().and_then(shown_quota),
        stages,
        tags: shown_tags(own.tags),
        key_ids: Vec::new(),
    })
}

/// Ids of a plan's keys; none for a plan that is not there.
pub(in crate::aws) async fn plan_keys(client: &Client, usage_plan: &str) -> Result<Answer, Fault> {
    let call = client.get_usage_plan_keys().usage_plan_id(usage_plan).limit(PAGE);
    let mut pages = call.into_paginator().send();
    let mut count = Pages::default();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        let Some(page) = found(page)? else { break };
        ids.extend(page.items.unwrap_or_default().into_iter().filter_map(|key| key.id));
    }
    Ok(Answer::Names(ids))
}

/// All keys of the account in the Region, without their values.
pub(in crate::aws) async fn keys(client: &Client) -> Result<Answer, Fault> {
    let call = client.get_api_keys().include_values(false).limit(PAGE);
    let mut pages = call.into_paginator().send();
    let mut count = Pages::default();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        for own in page?.items.unwrap_or_default() {
            let Some(id) = own.id else { continue };
            let name = own.name.unwrap_or_default();
            keys.push(ApiKey { id, name, enabled: own.enabled, tags: shown_tags(own.tags) });
        }
    }
    Ok(Answer::ApiKeys(keys))
}

/// A key's value.
pub(in crate::aws) async fn key_value(client: &Client, api_key: &str) -> Result<Answer, Fault> {
    let output = client.get_api_key().api_key(api_key).include_value(true).send().await?;
    let value = required(output.value, "value")?;
    Ok(Answer::Secret(Secret::new(value)))
}

fn shown_tags(tags: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().collect()
}

fn shown_throttle(own: &ThrottleSettings) -> Option<Throttle> {
    Throttle::new(own.rate_limit, shown(own.burst_limit)?).ok()
}

fn shown_quota(own: &QuotaSettings) -> Option<Quota> {
    let period = match own.period.as_ref()? {
        QuotaPeriodType::Day => Period::Day,
        QuotaPeriodType::Week => Period::Week,
        QuotaPeriodType::Month => Period::Month,
        // A period that is newer than this program.
        _ => return None,
    };
    Some(Quota { limit: u64::try_from(own.limit).ok()?, period })
}
