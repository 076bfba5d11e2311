//! ARNs as IAM's requests name them, where `plan::names` has no need of them.
//!
//! Formats: Service Authorization Reference, "Resource types defined by …" of each service.

use crate::plan::Names;

/// How long a REST API's id is: 10 small letters and digits, in every example and every API that
/// AWS documents.
pub(super) const REST_API_ID: &str = "??????????";

/// The endpoint's ARNs.
#[derive(Clone, Copy)]
pub(super) struct Arns<'a>(pub(super) &'a Names);

impl Arns<'_> {
    /// Of API Gateway's control plane; the account's place is empty.
    pub(super) fn control(self, path: &str) -> String {
        format!("arn:{}:apigateway:{}::{path}", self.0.partition(), self.0.region)
    }

    /// Of the tags of something of API Gateway, by its path: the ARN is in the path, encoded.
    pub(super) fn tags_of(self, path: &str) -> String {
        let arn = self.control(path).replace(':', "%3A").replace('/', "%2F");
        self.control(&format!("/tags/{arn}"))
    }

    /// Of the function under one of its qualifiers.
    pub(super) fn qualified(self, qualifier: &str) -> String {
        format!("{}:{qualifier}", self.0.function_arn())
    }

    /// Of a log group, with and without what stands for its streams.
    pub(super) fn bucket(self, bucket: &str) -> String {
        format!("arn:{}:s3:::{bucket}", self.0.partition())
    }

    /// Of an object.
    pub(super) fn object(self, bucket: &str, key: &str) -> String {
        format!("{}/{key}", self.bucket(bucket))
    }

    /// Of a repository of images.
    pub(super) fn repository(self, repository: &str) -> String {
        let Names { region, account_id, .. } = self.0;
        format!("arn:{}:ecr:{region}:{account_id}:repository/{repository}", self.0.partition())
    }

    /// As IAM may name one of gwtf's roles before it is there.
    pub(super) fn role_without_path(self, role: &str) -> String {
        format!("arn:{}:iam::{}:role/{role}", self.0.partition(), self.0.account_id)
    }

    /// Of one of gwtf's roles.
    pub(super) fn role(self, role: &str) -> String {
        self.0.role_arn(role)
    }
}
