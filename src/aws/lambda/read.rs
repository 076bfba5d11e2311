//! What Lambda holds of a function.

use crate::aws::fault::{Fault, found, required, shown};
use crate::aws::pages::Pages;
use crate::plan::observed::{
    Alias, Function, FunctionConfiguration, FunctionVersion, LambdaAccount,
};
use crate::plan::query::Answer;
use crate::spec::timestamp::Timestamp;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{self, PackageType, TracingMode};
use std::collections::BTreeMap;

/// What `ListVersionsByFunction` calls the unpublished version.
const LATEST: &str = "$LATEST";

/// The function as `$LATEST` is, unless there is none.
pub(in crate::aws) async fn function(client: &Client, function: &str) -> Result<Answer, Fault> {
    let sent = client.get_function().function_name(function).send().await;
    let Some(output) = found(sent)? else { return Ok(Answer::Function(None)) };
    let own = required(output.configuration, "Configuration")?;
    let reserved = output.concurrency.and_then(|own| own.reserved_concurrent_executions);
    let architecture = own.architectures.as_deref().and_then(<[_]>::first);
    let function = Function {
        arn: own.function_arn.clone().unwrap_or_default(),
        code_sha256: own.code_sha256.clone().unwrap_or_default(),
        architecture: architecture.map_or("x86_64", |own| own.as_str()).to_owned(),
        is_image: own.package_type == Some(PackageType::Image),
        state: own.state.as_ref().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        last_update_status: own
            .last_update_status
            .as_ref()
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        state_reason: own.state_reason.clone().or(own.last_update_status_reason.clone()),
        last_modified: own.last_modified.as_deref().and_then(instant),
        reserved_concurrency: reserved.and_then(shown),
        tags: output.tags.unwrap_or_default().into_iter().collect(),
        configuration: configuration(own),
        aliases: Vec::new(),
        versions: Vec::new(),
        provisioned_concurrency: BTreeMap::new(),
    };
    Ok(Answer::Function(Some(Box::new(function))))
}

fn configuration(own: types::FunctionConfiguration) -> FunctionConfiguration {
    let variables = own.environment.and_then(|environment| environment.variables);
    FunctionConfiguration {
        role: own.role.unwrap_or_default(),
        memory_mib: own.memory_size.and_then(shown).unwrap_or_default(),
        timeout_s: own.timeout.and_then(shown).unwrap_or_default(),
        environment: variables.unwrap_or_default().into_iter().collect(),
        tracing: own.tracing_config.and_then(|tracing| tracing.mode) == Some(TracingMode::Active),
    }
}

/// Lambda's instants: `2026-06-01T09:30:00.000+0000`, always in UTC.
fn instant(text: &str) -> Option<Timestamp> {
    text.replace("+0000", "Z").parse().ok()
}

/// The aliases; none for a function that is not there.
pub(in crate::aws) async fn aliases(client: &Client, function: &str) -> Result<Answer, Fault> {
    let mut pages = client.list_aliases().function_name(function).into_paginator().send();
    let mut count = Pages::default();
    let mut aliases = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        let Some(page) = found(page)? else { break };
        for own in page.aliases.unwrap_or_default() {
            let (Some(name), Some(version)) = (own.name, own.function_version) else { continue };
            aliases.push(Alias { name, version, permissions: BTreeMap::new() });
        }
    }
    Ok(Answer::Aliases(aliases))
}

/// The published versions, oldest first; none for a function that is not there.
pub(in crate::aws) async fn versions(client: &Client, function: &str) -> Result<Answer, Fault> {
    let call = client.list_versions_by_function().function_name(function);
    let mut pages = call.into_paginator().send();
    let mut count = Pages::default();
    let mut versions = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        let Some(page) = found(page)? else { break };
        for mut own in page.versions.unwrap_or_default() {
            let Some(version) = own.version.take().filter(|version| version != LATEST) else {
                continue;
            };
            let code_sha256 = own.code_sha256.take().unwrap_or_default();
            let configuration = configuration(own);
            versions.push(FunctionVersion { version, code_sha256, configuration });
        }
    }
    versions.sort_by_key(|own| own.version.parse::<u64>().unwrap_or(u64::MAX));
    Ok(Answer::FunctionVersions(versions))
}

/// An alias's resource policy, unless it has none.
pub(in crate::aws) async fn policy(
    client: &Client,
    function: &str,
    alias: &str,
) -> Result<Answer, Fault> {
    let call = client.get_policy().function_name(function).qualifier(alias);
    Ok(Answer::Text(found(call.send().await)?.and_then(|output| output.policy)))
}

/// Sandboxes held warm by alias; none for a function that is not there.
pub(in crate::aws) async fn warm(client: &Client, function: &str) -> Result<Answer, Fault> {
    let call = client.list_provisioned_concurrency_configs().function_name(function);
    let mut pages = call.into_paginator().send();
    let mut count = Pages::default();
    let mut warm = BTreeMap::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        let Some(page) = found(page)? else { break };
        for own in page.provisioned_concurrency_configs.unwrap_or_default() {
            let arn = own.function_arn.unwrap_or_default();
            let requested = own.requested_provisioned_concurrent_executions.and_then(shown);
            // The ARN of an alias: `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME:ALIAS`.
            if let (Some(alias), Some(requested)) = (arn.split(':').nth(7), requested) {
                warm.insert(alias.to_owned(), requested);
            }
        }
    }
    Ok(Answer::ProvisionedConcurrency(warm))
}

/// The account's limits in the Region.
pub(in crate::aws) async fn account(client: &Client) -> Result<Answer, Fault> {
    let output = client.get_account_settings().send().await?;
    let (limit, usage) = (output.account_limit, output.account_usage);
    let unreserved = limit.as_ref().and_then(|limit| limit.unreserved_concurrent_executions);
    Ok(Answer::LambdaAccount(LambdaAccount {
        concurrent_executions: limit.as_ref().and_then(|own| shown(own.concurrent_executions)),
        unreserved_concurrent_executions: unreserved.and_then(shown),
        code_size_bytes_max: limit.and_then(|own| own.total_code_size.try_into().ok()),
        code_size_bytes: usage.and_then(|own| own.total_code_size.try_into().ok()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_instants_are_read() {
        let text = |text| instant(text).map(|time| time.to_string());
        assert_eq!(text("2026-06-01T09:30:00.123+0000").as_deref(), Some("2026-06-01T09:30:00Z"));
        assert_eq!(text("2026-06-01T09:30:00Z").as_deref(), Some("2026-06-01T09:30:00Z"));
        assert_eq!(text("soon"), None);
    }
}
