//! S3: the bucket of locks and large artefacts.
//!
//! Every request names the bucket's owner: a bucket of that name in another account is refused.

use super::configuration::upload_timeouts;
use super::fault::{Fault, found};
use super::pages::Pages;
use crate::apply::{Failed, Retry};
use crate::plan::change::{Body, Condition, Given, Tags};
use crate::plan::observed::{Bucket, Object};
use crate::plan::query::Answer;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag, Tagging};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

/// Largest object that is read as text, bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// The Region whose buckets are made without naming it.
const FIRST_REGION: &str = "us-east-1";

/// Whether the bucket is there and the owner's; its tags are another question.
pub(super) async fn bucket(client: &Client, bucket: &str, owner: &str) -> Result<Answer, Fault> {
    let call = client.head_bucket().bucket(bucket).expected_bucket_owner(owner);
    let Err(error) = call.send().await else {
        return Ok(Answer::Bucket(Bucket::Own(Tags::new())));
    };
    // A reply to HEAD has no body, so the status is all there is.
    match error.raw_response().map(|raw| raw.status().as_u16()) {
        Some(404) => Ok(Answer::Bucket(Bucket::Missing)),
        Some(403 | 301) => Ok(Answer::Bucket(Bucket::Forbidden)),
        // Expired or malformed credentials, to any other call with a code that says so.
        Some(400) => {
            let message = "S3 gives no reason; it refuses expired credentials so";
            Err(Fault::new(Failed::Credentials, Retry::Never, "HTTP400", &message))
        }
        _ => Err(error.into()),
    }
}

/// The bucket's tags; none when it has none or is not there.
pub(super) async fn tags(client: &Client, bucket: &str, owner: &str) -> Result<Answer, Fault> {
    let call = client.get_bucket_tagging().bucket(bucket).expected_bucket_owner(owner);
    let tags = found(call.send().await)?.map(|output| output.tag_set).unwrap_or_default();
    Ok(Answer::Tags(tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

/// A small object with its entity tag, unless there is none.
pub(super) async fn object(
    client: &Client,
    bucket: &str,
    owner: &str,
    key: &str,
) -> Result<Answer, Fault> {
    let call = client.get_object().bucket(bucket).expected_bucket_owner(owner).key(key);
    let Some(output) = found(call.send().await)? else { return Ok(Answer::Object(None)) };
    let etag = output.e_tag.unwrap_or_default();
    let mut body = output.body;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Fault::malformed(&error))?;
        if bytes.len() + chunk.len() > TEXT_BYTES_MAX {
            let message = format!("it is larger than {TEXT_BYTES_MAX} bytes");
            return Err(Fault::new(Failed::Invalid, Retry::Never, "ObjectTooLarge", &message));
        }
        bytes.extend_from_slice(&chunk);
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| Fault::new(Failed::Invalid, Retry::Never, "NoText", &"it is not text"))?;
    Ok(Answer::Object(Some(Object { text, etag })))
}

/// Keys under a prefix; none when the bucket is not there.
pub(super) async fn keys(
    client: &Client,
    bucket: &str,
    owner: &str,
    prefix: &str,
) -> Result<Answer, Fault> {
    let call = client.list_objects_v2().bucket(bucket).expected_bucket_owner(owner).prefix(prefix);
    let mut pages = call.into_paginator().send();
    let mut count = Pages::default();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        count.another()?;
        let Some(page) = found(page)? else { break };
        keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
    }
    Ok(Answer::Names(keys))
}

pub(super) async fn create_bucket(
    client: &Client,
    bucket: &str,
    region: &str,
) -> Result<Given, Fault> {
    let place = (region != FIRST_REGION).then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region))
            .build()
    });
    let call = client.create_bucket().bucket(bucket).set_create_bucket_configuration(place);
    match call.send().await {
        // Another deploy of this account has just made it, or the reply of ours was lost.
        Err(error)
            if error.as_service_error().is_some_and(|one| one.is_bucket_already_owned_by_you()) =>
        {
            Ok(Given::Nothing)
        }
        other => Ok(other.map(|_| Given::Nothing)?),
    }
}

pub(super) async fn set_tags(
    client: &Client,
    bucket: &str,
    owner: &str,
    tags: &Tags,
) -> Result<Given, Fault> {
    let set: Result<Vec<Tag>, _> =
        tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let set = set.and_then(|set| Tagging::builder().set_tag_set(Some(set)).build());
    let call = client.put_bucket_tagging().bucket(bucket).expected_bucket_owner(owner);
    call.tagging(set.map_err(|error| Fault::unsendable(&error))?).send().await?;
    Ok(Given::Nothing)
}

pub(super) async fn delete_bucket(
    client: &Client,
    bucket: &str,
    owner: &str,
) -> Result<Given, Fault> {
    client.delete_bucket().bucket(bucket).expected_bucket_owner(owner).send().await?;
    Ok(Given::Nothing)
}

/// Writes an object; S3 compares its SHA-256 on arrival.
pub(super) async fn put(
    client: &Client,
    bucket: &str,
    owner: &str,
    key: &str,
    body: &Body,
    condition: Option<&Condition>,
) -> Result<Given, Fault> {
    let (stream, sha256) = match body {
        Body::Text(text) => {
            let digest = Sha256::digest(text.as_bytes());
            let digest = base64::engine::general_purpose::STANDARD.encode(digest);
            (ByteStream::from(text.clone().into_bytes()), digest)
        }
        Body::File { path, sha256 } => {
            let stream = ByteStream::from_path(path).await.map_err(|error| {
                Fault::unsendable(&format!("`{}` cannot be read: {error}", path.display()))
            })?;
            (stream, sha256.clone())
        }
    };
    let (if_none_match, if_match) = match condition {
        None => (None, None),
        Some(Condition::Absent) => (Some("*".to_owned()), None),
        Some(Condition::Matches(etag)) => (None, Some(etag.clone())),
    };
    client
        .put_object()
        .bucket(bucket)
        .expected_bucket_owner(owner)
        .key(key)
        .checksum_sha256(sha256)
        .set_if_none_match(if_none_match)
        .set_if_match(if_match)
        .body(stream)
        .customize()
        .config_override(Builder::new().timeout_config(upload_timeouts()))
        .send()
        .await?;
    Ok(Given::Nothing)
}

pub(super) async fn delete(
    client: &Client,
    bucket: &str,
    owner: &str,
    key: &str,
) -> Result<Given, Fault> {
    client.delete_object().bucket(bucket).expected_bucket_owner(owner).key(key).send().await?;
    Ok(Given::Nothing)
}
