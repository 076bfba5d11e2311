//! CloudWatch Logs: log groups.

use super::fault::{Fault, found, sendable, shown};
use super::pages::Pages;
use crate::plan::change::{Given, Tags};
use crate::plan::observed::LogGroup;
use crate::plan::query::Answer;
use aws_sdk_cloudwatchlogs::Client;

/// The log groups whose name starts so.
pub(super) async fn groups(client: &Client, prefix: &str) -> Result<Answer, Fault> {
    let call = client.describe_log_groups().log_group_name_prefix(prefix);
    let mut pages = call.into_paginator().send();
    let mut count = Pages::default();
    let mut groups = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        for group in page?.log_groups.unwrap_or_default() {
            let Some(name) = group.log_group_name else { continue };
            // `arn` ends in `:*`; `logGroupArn`, which tags are asked by, does not.
            let arn = group.log_group_arn.or(group.arn).unwrap_or_default();
            let arn = arn.strip_suffix(":*").unwrap_or(&arn).to_owned();
            let retention_days = group.retention_in_days.and_then(shown);
            groups.push(LogGroup { name, arn, retention_days, tags: Tags::new() });
        }
    }
    Ok(Answer::LogGroups(groups))
}

/// Tags of a log group; none for one that is not there.
pub(super) async fn tags(client: &Client, arn: &str) -> Result<Answer, Fault> {
    let output = found(client.list_tags_for_resource().resource_arn(arn).send().await)?;
    let tags = output.and_then(|output| output.tags).unwrap_or_default();
    Ok(Answer::Tags(tags.into_iter().collect()))
}

pub(super) async fn create(client: &Client, group: &str, tags: &Tags) -> Result<Given, Fault> {
    let tags = (!tags.is_empty()).then(|| tags.clone().into_iter().collect());
    client.create_log_group().log_group_name(group).set_tags(tags).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn retain(client: &Client, group: &str, days: u32) -> Result<Given, Fault> {
    let call = client.put_retention_policy().log_group_name(group);
    call.retention_in_days(sendable(days)?).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn delete(client: &Client, group: &str) -> Result<Given, Fault> {
    client.delete_log_group().log_group_name(group).send().await?;
    Ok(Given::Nothing)
}
