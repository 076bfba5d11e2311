//! The port's implementation: one client a service, one call a question or change.

use super::configuration;
use super::{ask, object, perform};
use crate::apply::{CallError, Cloud};
use crate::plan::change::{Change, Given};
use crate::plan::query::{Answer, Query};
use aws_config::SdkConfig;

/// AWS in one Region, with one set of credentials.
#[derive(Debug, Clone)]
pub struct Aws {
    pub(super) apigateway: aws_sdk_apigateway::Client,
    pub(super) ecr: aws_sdk_ecr::Client,
    pub(super) iam: aws_sdk_iam::Client,
    pub(super) lambda: aws_sdk_lambda::Client,
    pub(super) logs: aws_sdk_cloudwatchlogs::Client,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) sts: aws_sdk_sts::Client,
}

impl Aws {
    /// A Region with the credentials that the SDK finds, those of `profile` if one is named.
    /// Nothing is sent yet: missing credentials are the first call's failure.
    pub async fn new(region: &str, profile: Option<&str>) -> Self {
        Self::of(&configuration::load(region, profile).await)
    }

    /// An emulator at an address, with credentials that belong to nobody.
    pub async fn emulated(region: &str, endpoint_url: &str) -> Self {
        Self::of(&configuration::emulated(region, endpoint_url).await)
    }

    fn of(configuration: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(configuration)
            .force_path_style(configuration::has_s3_endpoint(configuration))
            .build();
        Self {
            apigateway: aws_sdk_apigateway::Client::new(configuration),
            ecr: aws_sdk_ecr::Client::new(configuration),
            iam: aws_sdk_iam::Client::new(configuration),
            lambda: aws_sdk_lambda::Client::new(configuration),
            logs: aws_sdk_cloudwatchlogs::Client::new(configuration),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sts: aws_sdk_sts::Client::new(configuration),
        }
    }
}

impl Cloud for Aws {
    async fn ask(&self, query: &Query) -> Result<Answer, CallError> {
        // On the heap: the calls' futures are large, and callers hold many.
        let answer = Box::pin(ask::ask(self, query)).await;
        answer.map_err(|fault| fault.about(query.operation(), object::of_query(query)))
    }

    async fn perform(&self, change: &Change) -> Result<Given, CallError> {
        let given = Box::pin(perform::perform(self, change)).await;
        given.map_err(|fault| fault.about(change.operation(), object::of_change(change)))
    }
}
