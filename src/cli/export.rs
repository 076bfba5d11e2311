//! `gwtf export`: the desired state in the form of another tool. Calls nobody.

use super::{Context, cannot_print};
use crate::config::{Settings, Target};
use crate::error::{Exit, Failure};
use crate::model::onnx::read_facts;
use crate::release::Version;
use crate::spec::openapi::{self, Place};
use crate::spec::{self, Endpoint, Gateway, Integration};
use std::path::PathBuf;

/// Print the endpoint for another tool, as it would be on AWS
///
/// `openapi` is one OpenAPI 3.0.1 document with API Gateway's extensions, for `aws apigateway
/// import-rest-api` and `put-rest-api`: routes, request models, validators, integrations, who may
/// call. Throttles, usage plans, API keys and access logs are settings of the stage and have no
/// place in such a document. Nothing is created and nobody is called.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gwtf export openapi model.onnx --account 111122223333 --region eu-west-1
  gwtf export openapi --version v3 --account 111122223333 > iris.json")]
pub(super) struct Args {
    /// The form
    #[arg(value_name = "FORM")]
    form: Form,
    /// The ONNX file [default: `model` in gwtf.toml]
    model: Option<PathBuf>,
    /// The version's tag, which its pinned routes and the function's alias are named after
    #[arg(long, value_name = "TAG", default_value = "v1")]
    version: Version,
    /// The AWS account that the function is in [default: AWS_ACCOUNT_ID]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

/// What is printed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    /// An OpenAPI document for API Gateway
    Openapi,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let settings = context.settings(None)?;
    let document = match args.form {
        Form::Openapi => args.openapi(&settings, context)?,
    };
    context.console.document(&document).map_err(cannot_print)?;
    Ok(Exit::Done)
}

impl Args {
    fn openapi(
        &self,
        settings: &Settings,
        context: &Context,
    ) -> Result<serde_json::Value, Failure> {
        let model = context.model(self.model.as_deref(), settings)?;
        if settings.target == Some(Target::Ecs) {
            let text = "target `ecs`: only the API of a Lambda function can be exported";
            return Err(Failure::new(Exit::Refused, text).with_hint("set `target = \"lambda\"`"));
        }
        let auth = settings.cloud_auth()?;
        let account = self.account.as_deref().or_else(|| context.environment.get("AWS_ACCOUNT_ID"));
        let account = account.ok_or_else(|| {
            Failure::new(Exit::Refused, "account: none is named, and export calls nobody")
                .with_hint("pass --account ID, or set AWS_ACCOUNT_ID")
        })?;
        let region = settings.require_region()?;
        let name = settings.endpoint(None, Some(&model));
        let place = Place::new(region, account, &openapi::function_name(&name))?;
        let facts = read_facts(&model)?;
        let tag = self.version.as_str();
        let versions = vec![spec::endpoint::Version { tag, signature: &facts.signature }];
        let contract = Gateway::for_endpoint(Endpoint {
            auth,
            integration: Integration::LambdaProxy,
            integration_timeout: settings.integration_timeout,
            ..Endpoint::new(&name, &settings.stage, versions, tag)
        })?;
        Ok(openapi::document(&contract, &place)?)
    }
}
