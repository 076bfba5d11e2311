//! Buckets, log groups and image repositories of a rehearsed account.

use super::{Knobs, Outcome, Place, Refusal, unreachable_change};
use crate::apply::cloud::Failed;
use crate::plan::change::{Body, Change, Condition, Given, Tags};
use crate::plan::observed::{Bucket, LogGroup, Object, Repository};
use crate::plan::query::{Answer, Query};
use std::collections::BTreeMap;

/// The account's buckets.
#[derive(Debug, Clone, Default)]
pub(super) struct Storage {
    buckets: BTreeMap<String, Contents>,
    written: u64,
}

#[derive(Debug, Clone, Default)]
struct Contents {
    tags: Tags,
    objects: BTreeMap<String, Object>,
}

impl Storage {
    /// Whether an object is there.
    pub(super) fn holds(&self, bucket: &str, key: &str) -> bool {
        self.buckets.get(bucket).is_some_and(|contents| contents.objects.contains_key(key))
    }

    fn own(&mut self, bucket: &str, owner: &str, place: &Place) -> Outcome<&mut Contents> {
        if owner != place.account_id {
            return Err(Refusal::new(bucket, Failed::Denied, "AccessDenied", "Access Denied"));
        }
        let missing = || {
            let message = "The specified bucket does not exist";
            Refusal::new(bucket, Failed::NotFound, "NoSuchBucket", message)
        };
        self.buckets.get_mut(bucket).ok_or_else(missing)
    }

    pub(super) fn ask(&mut self, query: &Query, place: &Place, knobs: &Knobs) -> Outcome<Answer> {
        Ok(match query {
            Query::HeadBucket { bucket, owner } => {
                Answer::Bucket(match self.own(bucket, owner, place) {
                    _ if knobs.foreign_buckets.contains(bucket) => Bucket::Forbidden,
                    Ok(_) => Bucket::Own(Tags::new()),
                    Err(refusal) if refusal.failed == Failed::NotFound => Bucket::Missing,
                    Err(_) => Bucket::Forbidden,
                })
            }
            Query::GetBucketTags { bucket, owner } => {
                Answer::Tags(self.own(bucket, owner, place)?.tags.clone())
            }
            Query::GetObject { bucket, owner, key } => {
                Answer::Object(self.own(bucket, owner, place)?.objects.get(key).cloned())
            }
            Query::ListObjects { bucket, owner, prefix } => {
                let objects = &self.own(bucket, owner, place)?.objects;
                Answer::Names(
                    objects.keys().filter(|key| key.starts_with(prefix)).cloned().collect(),
                )
            }
            _ => unreachable!("queries come by service"),
        })
    }

    pub(super) fn perform(
        &mut self,
        change: &Change,
        place: &Place,
        knobs: &Knobs,
    ) -> Outcome<Given> {
        match change {
            Change::CreateBucket { bucket, region } => self.create(bucket, region, place, knobs)?,
            Change::PutBucketTags { bucket, owner, tags } => {
                self.own(bucket, owner, place)?.tags.clone_from(tags);
            }
            Change::DeleteBucket { bucket, owner } => {
                if !self.own(bucket, owner, place)?.objects.is_empty() {
                    let message = "The bucket you tried to delete is not empty";
                    return Err(Refusal::new(bucket, Failed::Conflict, "BucketNotEmpty", message));
                }
                self.buckets.remove(bucket);
            }
            Change::PutObject { bucket, owner, key, body, condition } => {
                self.written += 1;
                let etag = format!("\"{:032x}\"", self.written);
                let objects = &mut self.own(bucket, owner, place)?.objects;
                check(key, objects.get(key), condition.as_ref())?;
                let text = match body {
                    Body::Text(text) => text.clone(),
                    Body::File { sha256, .. } => sha256.clone(),
                };
                objects.insert(key.clone(), Object { text, etag });
            }
            Change::DeleteObject { bucket, owner, key } => {
                // S3 deletes what is not there without a word.
                self.own(bucket, owner, place)?.objects.remove(key);
            }
            _ => return unreachable_change(change),
        }
        Ok(Given::Nothing)
    }

    fn create(&mut self, bucket: &str, region: &str, place: &Place, knobs: &Knobs) -> Outcome<()> {
        let refuse = |failed, code, message| Err(Refusal::new(bucket, failed, code, message));
        if knobs.foreign_buckets.contains(bucket) {
            let message = "The requested bucket name is not available";
            return refuse(Failed::Conflict, "BucketAlreadyExists", message);
        }
        // As the port has it: the account's own already is as good as made.
        if self.buckets.contains_key(bucket) {
            return Ok(());
        }
        if region != place.region {
            let message = "The location constraint is incompatible for the Region";
            return refuse(Failed::Invalid, "IllegalLocationConstraintException", message);
        }
        self.buckets.insert(bucket.to_owned(), Contents::default());
        Ok(())
    }
}

/// Whether the condition of a write holds.
fn check(key: &str, present: Option<&Object>, condition: Option<&Condition>) -> Outcome<()> {
    match (condition, present) {
        (Some(Condition::Matches(_)), None) => {
            let message = "The specified key does not exist";
            Err(Refusal::new(key, Failed::NotFound, "NoSuchKey", message))
        }
        (Some(Condition::Absent), Some(_)) => Err(precondition(key)),
        (Some(Condition::Matches(etag)), Some(object)) if *etag != object.etag => {
            Err(precondition(key))
        }
        _ => Ok(()),
    }
}

fn precondition(key: &str) -> Refusal {
    let message = "At least one of the pre-conditions you specified did not hold";
    Refusal::new(key, Failed::Precondition, "PreconditionFailed", message)
}

/// The account's log groups.
#[derive(Debug, Clone, Default)]
pub(super) struct Logs {
    groups: BTreeMap<String, LogGroup>,
}

impl Logs {
    pub(super) fn ask(&self, query: &Query) -> Answer {
        match query {
            Query::DescribeLogGroups { prefix } => {
                let found = self.groups.values().filter(|group| group.name.starts_with(prefix));
                let untagged = |group: &LogGroup| LogGroup { tags: Tags::new(), ..group.clone() };
                Answer::LogGroups(found.map(untagged).collect())
            }
            Query::ListLogGroupTags { arn } => {
                let group = self.groups.values().find(|group| group.arn == *arn);
                Answer::Tags(group.map(|group| group.tags.clone()).unwrap_or_default())
            }
            _ => unreachable!("queries come by service"),
        }
    }

    pub(super) fn perform(&mut self, change: &Change, place: &Place) -> Outcome<Given> {
        let missing = |name: &str| {
            let message = "The specified log group does not exist.";
            Refusal::new(name, Failed::NotFound, "ResourceNotFoundException", message)
        };
        match change {
            Change::CreateLogGroup { log_group, tags } => {
                if self.groups.contains_key(log_group) {
                    let message = "The specified log group already exists";
                    let code = "ResourceAlreadyExistsException";
                    return Err(Refusal::new(log_group, Failed::Conflict, code, message));
                }
                let Place { partition, region, account_id } = place;
                let arn =
                    format!("arn:{partition}:logs:{region}:{account_id}:log-group:{log_group}");
                let group = LogGroup {
                    name: log_group.clone(),
                    arn,
                    retention_days: None,
                    tags: tags.clone(),
                };
                self.groups.insert(log_group.clone(), group);
            }
            Change::PutRetentionPolicy { log_group, days } => {
                let group = self.groups.get_mut(log_group).ok_or_else(|| missing(log_group))?;
                group.retention_days = Some(*days);
            }
            Change::DeleteLogGroup { log_group } => {
                self.groups.remove(log_group).ok_or_else(|| missing(log_group))?;
            }
            _ => return unreachable_change(change),
        }
        Ok(Given::Nothing)
    }
}

/// The account's image repositories.
#[derive(Debug, Clone, Default)]
pub(super) struct Registry {
    repositories: BTreeMap<String, Repository>,
}

impl Registry {
    pub(super) fn ask(&self, query: &Query) -> Answer {
        match query {
            Query::DescribeRepository { repository } => {
                let found = self.repositories.get(repository).cloned();
                Answer::Repository(found.map(|found| Repository { policy: None, ..found }))
            }
            Query::GetRepositoryPolicy { repository } => {
                let found = self.repositories.get(repository);
                Answer::Text(found.and_then(|found| found.policy.clone()))
            }
            _ => unreachable!("queries come by service"),
        }
    }

    pub(super) fn perform(&mut self, change: &Change, place: &Place) -> Outcome<Given> {
        let missing = |name: &str| {
            let message = "The repository does not exist in the registry";
            Refusal::new(name, Failed::NotFound, "RepositoryNotFoundException", message)
        };
        match change {
            Change::CreateRepository { repository, .. } => {
                if self.repositories.contains_key(repository) {
                    let (code, message) = ("RepositoryAlreadyExistsException", "it exists already");
                    return Err(Refusal::new(repository, Failed::Conflict, code, message));
                }
                let Place { partition, region, account_id } = place;
                let new = Repository {
                    arn: format!(
                        "arn:{partition}:ecr:{region}:{account_id}:repository/{repository}"
                    ),
                    uri: format!("{account_id}.dkr.ecr.{region}.amazonaws.com/{repository}"),
                    policy: None,
                };
                self.repositories.insert(repository.clone(), new);
            }
            Change::SetRepositoryPolicy { repository, document } => {
                let found = self.repositories.get_mut(repository);
                found.ok_or_else(|| missing(repository))?.policy = Some(document.clone());
            }
            Change::PushImage { repository, .. } => {
                self.repositories.get(repository).ok_or_else(|| missing(repository))?;
            }
            Change::DeleteRepository { repository } => {
                self.repositories.remove(repository).ok_or_else(|| missing(repository))?;
            }
            _ => return unreachable_change(change),
        }
        Ok(Given::Nothing)
    }
}
