//! Repositories of images.

use crate::aws::fault::{Fault, found};
use crate::plan::change::{Given, Tags};
use crate::plan::observed::Repository;
use crate::plan::query::Answer;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::Tag;

/// The repository, unless there is none; its policy is another question.
pub(in crate::aws) async fn repository(client: &Client, name: &str) -> Result<Answer, Fault> {
    let sent = client.describe_repositories().repository_names(name).send().await;
    let first = found(sent)?.and_then(|output| output.repositories?.into_iter().next());
    Ok(Answer::Repository(first.map(|own| Repository {
        arn: own.repository_arn.unwrap_or_default(),
        uri: own.repository_uri.unwrap_or_default(),
        policy: None,
    })))
}

/// The repository's policy, unless it has none.
pub(in crate::aws) async fn policy(client: &Client, name: &str) -> Result<Answer, Fault> {
    let sent = client.get_repository_policy().repository_name(name).send().await;
    Ok(Answer::Text(found(sent)?.and_then(|output| output.policy_text)))
}

pub(in crate::aws) async fn create(
    client: &Client,
    name: &str,
    tags: &Tags,
) -> Result<Given, Fault> {
    let tags: Result<Vec<Tag>, _> =
        tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let call = client.create_repository().repository_name(name);
    call.set_tags(Some(tags.map_err(|error| Fault::unsendable(&error))?)).send().await?;
    Ok(Given::Nothing)
}

pub(in crate::aws) async fn set_policy(
    client: &Client,
    name: &str,
    document: &str,
) -> Result<Given, Fault> {
    client.set_repository_policy().repository_name(name).policy_text(document).send().await?;
    Ok(Given::Nothing)
}

/// Deletes the repository with all its images.
pub(in crate::aws) async fn delete(client: &Client, name: &str) -> Result<Given, Fault> {
    client.delete_repository().repository_name(name).force(true).send().await?;
    Ok(Given::Nothing)
}
