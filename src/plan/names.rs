//! What the parts of an endpoint are called on AWS, and their ARNs: all known before anything is made.
//!
//! Formats: Service Authorization Reference, "Resource types defined by …" of each service.

use crate::spec::openapi::{self, Place, alias_of, function_name};
use std::collections::BTreeMap;

/// The tag that marks what belongs to an endpoint; its value is the endpoint's name.
pub const ENDPOINT_TAG: &str = "gwtf:endpoint";
/// The tag of what serves the whole account; its value says what for.
pub const SHARED_TAG: &str = "gwtf:shared";
/// Who made what serves the whole account.
pub const MADE_BY_TAG: &str = "gwtf:made-by";
/// Path of every role.
pub const ROLE_PATH: &str = "/gwtf/";
/// Name of the execution role's inline policy.
pub const EXECUTION_POLICY: &str = "execution";
/// The managed policy of the role that API Gateway writes logs with (API Gateway developer guide,
/// "Permissions for CloudWatch logging"), without its partition.
const LOG_POLICY: &str = "iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";

/// Where an endpoint is, and so what everything of it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The endpoint.
    pub endpoint: String,
    /// The stage.
    pub stage: String,
    /// Region.
    pub region: String,
    /// Account.
    pub account_id: String,
    /// Bucket of locks and large artefacts.
    pub bucket: String,
    place: Place,
}

/// The name of the account's bucket in a Region when the person names none.
fn own_bucket(account_id: &str, region: &str) -> String {
    format!("gwtf-{account_id}-{region}")
}

impl Names {
    /// The names of an endpoint; `bucket` when the person names one of their own.
    ///
    /// # Errors
    /// A part has a form that AWS does not know.
    pub fn new(
        endpoint: &str,
        stage: &str,
        region: &str,
        account_id: &str,
        bucket: Option<&str>,
    ) -> Result<Self, openapi::Error> {
        let place = Place::new(region, account_id, &function_name(endpoint))?;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            stage: stage.to_owned(),
            region: region.to_owned(),
            account_id: account_id.to_owned(),
            bucket: bucket.map_or_else(|| own_bucket(account_id, region), str::to_owned),
            place,
        })
    }

    /// Where the function is, for the OpenAPI document.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// `aws`, `aws-cn`, …
    pub fn partition(&self) -> &'static str {
        self.place.partition()
    }

    /// Whether the bucket has the name that gwtf itself gives.
    pub fn is_own_bucket(&self) -> bool {
        self.bucket == own_bucket(&self.account_id, &self.region)
    }

    /// Tags of what belongs to the endpoint.
    pub fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(ENDPOINT_TAG.to_owned(), self.endpoint.clone())])
    }

    /// Whether something belongs to the endpoint.
    pub fn owns(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(ENDPOINT_TAG) == Some(&self.endpoint)
    }

    /// The function.
    pub fn function(&self) -> String {
        function_name(&self.endpoint)
    }

    /// The function's ARN without qualifier.
    pub fn function_arn(&self) -> String {
        let Self { region, account_id, .. } = self;
        format!(
            "arn:{}:lambda:{region}:{account_id}:function:{}",
            self.partition(),
            self.function()
        )
    }

    /// The alias of a version.
    ///
    /// # Errors
    /// The text is no version tag.
    pub fn alias(&self, tag: &str) -> Result<String, openapi::Error> {
        alias_of(tag)
    }

    /// The execution role; IAM's names are the account's, so the Region is in it.
    pub fn execution_role(&self) -> String {
        format!("gwtf-{}-{}", self.endpoint, self.region)
    }

    /// ARN of a role of gwtf's.
    pub fn role_arn(&self, role: &str) -> String {
        format!("arn:{}:iam::{}:role{ROLE_PATH}{role}", self.partition(), self.account_id)
    }

    /// The role that API Gateway writes logs with, when gwtf has to make it.
    pub fn account_role(&self) -> String {
        format!("gwtf-apigateway-logs-{}", self.region)
    }

    /// ARN of AWS's own policy for that role.
    pub fn log_policy_arn(&self) -> String {
        format!("arn:{}:{LOG_POLICY}", self.partition())
    }

    /// The function's log group; Lambda's own name for it.
    pub fn function_log_group(&self) -> String {
        format!("/aws/lambda/{}", self.function())
    }

    /// The log group of access logs.
    pub fn access_log_group(&self) -> String {
        format!("/gwtf/{}/access", self.endpoint)
    }

    /// ARN of a log group, without `:*`.
    pub fn log_group_arn(&self, log_group: &str) -> String {
        let Self { region, account_id, .. } = self;
        format!("arn:{}:logs:{region}:{account_id}:log-group:{log_group}", self.partition())
    }

    /// Prefix of the endpoint's objects in the bucket.
    pub fn object_prefix(&self) -> String {
        format!("{}/", self.endpoint)
    }

    /// Key of the lock object.
    pub fn lock_key(&self) -> String {
        format!("{}/lock.json", self.endpoint)
    }

    /// Key of an artefact that is too large to be sent directly; `digest` in hexadecimal.
    pub fn artefact_key(&self, digest: &str) -> String {
        format!("{}/artefacts/{digest}.zip", self.endpoint)
    }

    /// The repository of images.
    pub fn repository(&self) -> String {
        format!("gwtf/{}", self.endpoint)
    }

    /// The account's registry of images.
    pub fn registry(&self) -> String {
        let Self { region, account_id, .. } = self;
        format!("{account_id}.dkr.ecr.{region}.{}", self.domain())
    }

    /// The domain that AWS's services answer under.
    fn domain(&self) -> &'static str {
        if self.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// ARN of a method or a pattern of methods; `rest_api` may be a placeholder.
    pub fn execute_arn(&self, rest_api: &str, verb: &str, path: &str) -> String {
        let Self { region, account_id, stage, .. } = self;
        let partition = self.partition();
        let path = path.trim_start_matches('/');
        format!(
            "arn:{partition}:execute-api:{region}:{account_id}:{rest_api}/{stage}/{verb}/{path}"
        )
    }

    /// Base of the endpoint's URL on AWS, without a slash at its end.
    pub fn url(&self, rest_api: &str) -> String {
        let suffix =
            if self.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{rest_api}.execute-api.{}.{suffix}/{}", self.region, self.stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_what_aws_takes() {
        let endpoint = "a".repeat(31);
        let names = Names::new(&endpoint, "prod", "ap-southeast-2", "111122223333", None).unwrap();
        assert!(names.execution_role().len() <= 64, "IAM role names");
        assert!(names.account_role().len() <= 64, "IAM role names");
        assert!(names.bucket.len() <= 63, "bucket names");
        assert!(names.function().len() <= 64, "function names");
        assert_eq!(names.bucket, "gwtf-111122223333-ap-southeast-2");
    }

    #[test]
    fn arns_follow_the_partition() {
        let names = Names::new("iris", "prod", "cn-north-1", "111122223333", None).unwrap();
        assert_eq!(
            names.role_arn(&names.execution_role()),
            "arn:aws-cn:iam::111122223333:role/gwtf/gwtf-iris-cn-north-1"
        );
        assert_eq!(
            names.execute_arn("abc", "POST", "/v1/predict"),
            "arn:aws-cn:execute-api:cn-north-1:111122223333:abc/prod/POST/v1/predict"
        );
        assert_eq!(names.url("abc"), "https://abc.execute-api.cn-north-1.amazonaws.com.cn/prod");
    }
}
