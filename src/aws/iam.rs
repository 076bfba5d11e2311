//! IAM: roles and their policies. Documents come back URL-encoded (RFC 3986).

use super::fault::{Fault, found};
use super::pages::Pages;
use crate::plan::change::{Given, Tags};
use crate::plan::observed::Role;
use crate::plan::query::Answer;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;

/// The role, unless there is none.
pub(super) async fn role(client: &Client, role: &str) -> Result<Answer, Fault> {
    let output = found(client.get_role().role_name(role).send().await)?;
    let role = output.and_then(|output| output.role).map(|role| Role {
        arn: role.arn,
        trust: decoded(&role.assume_role_policy_document.unwrap_or_default()),
        boundary: role.permissions_boundary.and_then(|own| own.permissions_boundary_arn),
        tags: role.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect(),
    });
    Ok(Answer::Role(role))
}

/// An inline policy, unless there is none.
pub(super) async fn role_policy(
    client: &Client,
    role: &str,
    policy: &str,
) -> Result<Answer, Fault> {
    let sent = client.get_role_policy().role_name(role).policy_name(policy).send().await;
    Ok(Answer::Text(found(sent)?.map(|output| decoded(&output.policy_document))))
}

/// ARNs of the attached policies; none for a role that is not there.
pub(super) async fn attached_policies(client: &Client, role: &str) -> Result<Answer, Fault> {
    let mut pages = client.list_attached_role_policies().role_name(role).into_paginator().send();
    let mut count = Pages::default();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        let Some(page) = found(page)? else { break };
        let attached = page.attached_policies.unwrap_or_default();
        arns.extend(attached.into_iter().filter_map(|policy| policy.policy_arn));
    }
    Ok(Answer::Names(arns))
}

/// What a new role is, besides its name.
pub(super) struct NewRole<'a> {
    pub(super) path: &'a str,
    pub(super) description: &'a str,
    pub(super) trust: &'a str,
    pub(super) boundary: Option<&'a str>,
    pub(super) tags: &'a Tags,
}

pub(super) async fn create_role(
    client: &Client,
    role: &str,
    new: NewRole<'_>,
) -> Result<Given, Fault> {
    let tags: Result<Vec<Tag>, _> =
        new.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    client
        .create_role()
        .role_name(role)
        .path(new.path)
        .description(new.description)
        .assume_role_policy_document(new.trust)
        .set_permissions_boundary(new.boundary.map(str::to_owned))
        .set_tags(Some(tags.map_err(|error| Fault::unsendable(&error))?))
        .send()
        .await?;
    Ok(Given::Nothing)
}

pub(super) async fn set_trust(client: &Client, role: &str, trust: &str) -> Result<Given, Fault> {
    client.update_assume_role_policy().role_name(role).policy_document(trust).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn set_boundary(
    client: &Client,
    role: &str,
    boundary: &str,
) -> Result<Given, Fault> {
    let call = client.put_role_permissions_boundary().role_name(role);
    call.permissions_boundary(boundary).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn remove_boundary(client: &Client, role: &str) -> Result<Given, Fault> {
    client.delete_role_permissions_boundary().role_name(role).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn set_policy(
    client: &Client,
    role: &str,
    policy: &str,
    document: &str,
) -> Result<Given, Fault> {
    let call = client.put_role_policy().role_name(role).policy_name(policy);
    call.policy_document(document).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn remove_policy(
    client: &Client,
    role: &str,
    policy: &str,
) -> Result<Given, Fault> {
    client.delete_role_policy().role_name(role).policy_name(policy).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn attach_policy(
    client: &Client,
    role: &str,
    policy_arn: &str,
) -> Result<Given, Fault> {
    client.attach_role_policy().role_name(role).policy_arn(policy_arn).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn delete_role(client: &Client, role: &str) -> Result<Given, Fault> {
    client.delete_role().role_name(role).send().await?;
    Ok(Given::Nothing)
}

/// The document that IAM wrote as `%7B…`; text without `%` stays as it is, `+` too.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let value = pair
            .filter(|pair| pair.iter().all(u8::is_ascii_hexdigit))
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        plain.push(value.unwrap_or(bytes[at]));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_decoded() {
        for (text, expected) in [
            ("%7B%22a%22%3A%20%22%C3%A9%22%7D", "{\"a\": \"é\"}"),
            ("{\"plain\": 1}", "{\"plain\": 1}"),
            ("a+b%2Bc", "a+b+c"),
            ("%", "%"),
            ("%+1%zz%2", "%+1%zz%2"),
            ("", ""),
        ] {
            assert_eq!(decoded(text), expected, "{text}");
        }
    }
}
