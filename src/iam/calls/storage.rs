//! Where bytes lie: S3, ECR, and CloudWatch Logs.

use super::{Authorised, Need};
use crate::plan::Query;
use crate::plan::change::{Body, Change, Condition};

/// The requests of a push over the registry's own protocol, as ECR authorises them (Amazon ECR user
/// guide, "IAM permissions for pushing an image"); the last one looks whether the manifest is there.
const PUSH: [&str; 6] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
    "ecr:BatchGetImage",
];

impl Authorised<'_> {
    pub(super) fn storage_query(&self, query: &Query) -> Vec<Need> {
        let arns = self.arns();
        match query {
            Query::DescribeLogGroups { .. } => vec![Need::new("logs:DescribeLogGroups", "*")],
            // Tags are those of the group without `:*` (CloudWatch Logs API reference).
            Query::ListLogGroupTags { arn } => {
                vec![Need::new("logs:ListTagsForResource", arn.trim_end_matches(":*"))]
            }
            // Without the right to list, a bucket that is there answers 403 to who asks for it.
            Query::HeadBucket { bucket, .. } => {
                vec![Need::new("s3:ListBucket", arns.bucket(bucket))]
            }
            Query::GetBucketTags { bucket, .. } => {
                vec![Need::new("s3:GetBucketTagging", arns.bucket(bucket))]
            }
            // A key that is not there answers 404 only to who may list, 403 to others (S3 API
            // reference, GetObject).
            Query::GetObject { bucket, key, .. } => vec![
                Need::new("s3:GetObject", arns.object(bucket, key)),
                Need::new("s3:ListBucket", arns.bucket(bucket)),
            ],
            Query::ListObjects { bucket, prefix, .. } => {
                let list = Need::new("s3:ListBucket", arns.bucket(bucket));
                vec![list.with("s3:prefix", [prefix.as_str()])]
            }
            Query::DescribeRepository { repository } => {
                vec![Need::new("ecr:DescribeRepositories", arns.repository(repository))]
            }
            Query::GetRepositoryPolicy { repository } => {
                vec![Need::new("ecr:GetRepositoryPolicy", arns.repository(repository))]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn storage_change(&self, change: &Change) -> Vec<Need> {
        let arns = self.arns();
        match change {
            Change::CreateBucket { bucket, .. } => {
                vec![Need::new("s3:CreateBucket", arns.bucket(bucket))]
            }
            Change::PutBucketTags { bucket, .. } => {
                vec![Need::new("s3:PutBucketTagging", arns.bucket(bucket))]
            }
            Change::DeleteBucket { bucket, .. } => {
                vec![Need::new("s3:DeleteBucket", arns.bucket(bucket))]
            }
            Change::PutObject { bucket, key, body, condition, .. } => {
                let arn = arns.object(bucket, key);
                let mut needs = vec![Need::new("s3:PutObject", arn.clone())];
                // A write over an object that is compared needs to read it too (S3 user guide, "How
                // to prevent object overwrites with conditional writes").
                if matches!(condition, Some(Condition::Matches(_))) {
                    needs.push(Need::new("s3:GetObject", arn));
                }
                match body {
                    Body::File { .. } => artefact(needs, key),
                    Body::Text(_) => needs,
                }
            }
            Change::DeleteObject { bucket, key, .. } => {
                let needs = vec![Need::new("s3:DeleteObject", arns.object(bucket, key))];
                if *key == self.names.lock_key() { needs } else { artefact(needs, key) }
            }
            _ => self.group_or_repository(change),
        }
    }

    fn group_or_repository(&self, change: &Change) -> Vec<Need> {
        let repository = |action: &str, name: &str| Need::new(action, self.arns().repository(name));
        match change {
            Change::CreateLogGroup { log_group, tags } => {
                let mut needs = self.log_group("logs:CreateLogGroup", log_group);
                if !tags.is_empty() {
                    let arn = self.names.log_group_arn(log_group);
                    needs.push(Need::new("logs:TagResource", arn).tagging(tags));
                }
                needs
            }
            Change::PutRetentionPolicy { log_group, .. } => {
                self.log_group("logs:PutRetentionPolicy", log_group)
            }
            Change::DeleteLogGroup { log_group } => {
                self.log_group("logs:DeleteLogGroup", log_group)
            }
            Change::CreateRepository { repository: name, tags } => {
                let create = repository("ecr:CreateRepository", name).tagging(tags);
                let tag = repository("ecr:TagResource", name).tagging(tags);
                if tags.is_empty() { vec![create] } else { vec![create, tag] }
            }
            Change::SetRepositoryPolicy { repository: name, .. } => {
                vec![repository("ecr:SetRepositoryPolicy", name)]
            }
            Change::DeleteRepository { repository: name } => {
                vec![repository("ecr:DeleteRepository", name)]
            }
            // The push asks where the repository is, and signs in: that knows no resources.
            Change::PushImage { repository: name, .. } => {
                let push = PUSH.iter().map(|action| repository(action, name));
                std::iter::once(Need::new("ecr:GetAuthorizationToken", "*"))
                    .chain(std::iter::once(repository("ecr:DescribeRepositories", name)))
                    .chain(push)
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The reference names the group; denials that people have posted name it with `:log-stream:`
    /// behind. *Uncertain*, so both, and the `:*` that stands for both.
    fn log_group(&self, action: &str, log_group: &str) -> Vec<Need> {
        let arn = self.names.log_group_arn(log_group);
        ["", ":log-stream:", ":*"]
            .map(|behind| Need::new(action, format!("{arn}{behind}")))
            .to_vec()
    }
}

/// Artefacts are named after their digests.
fn artefact(needs: Vec<Need>, key: &str) -> Vec<Need> {
    let name = key.rsplit('/').next().unwrap_or(key);
    let digest = name.strip_suffix(".zip").unwrap_or(name);
    needs.into_iter().map(|need| need.unknown(digest)).collect()
}
