//! The bucket, the logs, the repository.

use super::{Deployer, Statement};

impl Deployer<'_> {
    pub(super) fn storage(&self) -> Vec<Statement> {
        let mut statements = self.bucket();
        statements.extend(self.logs());
        if self.shape.image {
            statements.push(self.repository());
        }
        statements
    }

    fn bucket(&self) -> Vec<Statement> {
        let (whole, writes) = (self.is_whole(), self.writes());
        let (names, arns) = (self.names, self.arns());
        let reason = "the bucket of locks and large artefacts; who may not list is told 403 of a lock \
                      that is not there";
        let bucket = Statement::allow("Bucket", reason)
            .actions(Self::chosen(&[
                ("s3:ListBucket", true),
                ("s3:GetBucketTagging", true),
                ("s3:CreateBucket", whole),
                ("s3:PutBucketTagging", whole),
                ("s3:DeleteBucket", whole),
            ]))
            .resources([arns.bucket(&names.bucket)]);
        let lock = Statement::allow("Lock", "one deploy at a time")
            .actions(Self::chosen(&[
                ("s3:GetObject", true),
                ("s3:PutObject", writes),
                ("s3:DeleteObject", writes),
            ]))
            .resources([arns.object(&names.bucket, &names.lock_key())]);
        let artefacts = (writes && !self.shape.image).then(|| {
            Statement::allow("Artefacts", "zips that are too large to be sent to Lambda directly")
                .actions(Self::chosen(&[
                    ("s3:GetObject", true),
                    ("s3:PutObject", true),
                    ("s3:DeleteObject", true),
                ]))
                .resources([arns.object(&names.bucket, &names.artefact_key("*"))])
        });
        [bucket, lock].into_iter().chain(artefacts).collect()
    }

    fn logs(&self) -> Vec<Statement> {
        let (whole, names) = (self.is_whole(), self.names);
        let access = self.shape.access_logs.then(|| names.access_log_group());
        let groups: Vec<String> = std::iter::once(names.function_log_group())
            .chain(access)
            .map(|group| names.log_group_arn(&group))
            .collect();
        let tags = Statement::allow("LogTags", "whose log groups they are")
            .actions(Self::chosen(&[
                ("logs:ListTagsForResource", true),
                ("logs:TagResource", whole),
            ]))
            .resources(groups.clone());
        let actions = Self::chosen(&[
            ("logs:CreateLogGroup", whole),
            ("logs:DeleteLogGroup", whole),
            ("logs:PutRetentionPolicy", self.writes()),
        ]);
        let both = groups.iter().flat_map(|group| [group.clone(), format!("{group}:*")]);
        let reason = "the endpoint's log groups, with the retention asked for; AWS names a group with \
                      and without `:*`";
        let make = Statement::allow("LogGroups", reason).actions(actions.clone()).resources(both);
        std::iter::once(tags).chain((!actions.is_empty()).then_some(make)).collect()
    }

    fn repository(&self) -> Statement {
        let (whole, writes) = (self.is_whole(), self.writes());
        Statement::allow("Repository", "the endpoint's images, and that its function may pull them")
            .actions(Self::chosen(&[
                ("ecr:CreateRepository", whole),
                ("ecr:TagResource", whole),
                ("ecr:DeleteRepository", whole),
                ("ecr:DescribeRepositories", true),
                ("ecr:GetRepositoryPolicy", true),
                ("ecr:SetRepositoryPolicy", writes),
                ("ecr:BatchCheckLayerAvailability", writes),
                ("ecr:InitiateLayerUpload", writes),
                ("ecr:UploadLayerPart", writes),
                ("ecr:CompleteLayerUpload", writes),
                ("ecr:PutImage", writes),
                ("ecr:BatchGetImage", writes),
            ]))
            .resources([self.arns().repository(&self.names.repository())])
    }
}
