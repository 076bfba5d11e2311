//! API Gateway: actions are HTTP verbs, resources are paths.
//!
//! The verb of each operation is that of its request (API Gateway REST API reference). Tags of a
//! REST API count as those of all below it, those of a usage plan as those of its keys (developer
//! guide, "API Gateway resources that can be tagged").

use super::{Authorised, Need};
use crate::plan::Query;
use crate::plan::change::{Change, PatchOperation, Tags};
use crate::plan::names::ENDPOINT_TAG;

const GET: &str = "apigateway:GET";
const POST: &str = "apigateway:POST";
const PUT: &str = "apigateway:PUT";
const PATCH: &str = "apigateway:PATCH";
const DELETE: &str = "apigateway:DELETE";
/// The route that a release is asked through.
const SMOKE_PATH: &str = "/predict";

impl Authorised<'_> {
    fn path(&self, verb: &str, path: &str) -> Need {
        Need::new(verb, self.arns().control(path))
    }

    /// On something that carries the endpoint's tag, by the generated id it is under.
    fn own(&self, verb: &str, path: &str, id: &str) -> Need {
        let tag = format!("aws:ResourceTag/{ENDPOINT_TAG}");
        self.path(verb, path).with(&tag, [self.names.endpoint.as_str()]).unknown(id)
    }

    /// What is made with tags is authorised a second time, as the tags of what is made. When it has
    /// no id yet, AWS has been seen to ask about `*` in its place; *uncertain* whether always.
    fn tagged(&self, path: &str, tags: &Tags) -> Option<Need> {
        let need = Need::new(PUT, self.arns().tags_of(path)).tagging(tags);
        (!tags.is_empty()).then_some(need)
    }

    pub(super) fn api_gateway_query(&self, query: &Query) -> Vec<Need> {
        let need = match query {
            Query::GetApiGatewayAccount => self.path(GET, "/account"),
            Query::GetRestApis => self.path(GET, "/restapis"),
            Query::GetStages { rest_api } => {
                self.own(GET, &format!("/restapis/{rest_api}/stages"), rest_api)
            }
            Query::GetDeployments { rest_api } => {
                self.own(GET, &format!("/restapis/{rest_api}/deployments"), rest_api)
            }
            Query::GetUsagePlans => self.path(GET, "/usageplans"),
            Query::GetUsagePlanKeys { usage_plan } => {
                self.own(GET, &format!("/usageplans/{usage_plan}/keys"), usage_plan)
            }
            Query::GetApiKeys => self.path(GET, "/apikeys"),
            Query::GetApiKeyValue { api_key } => {
                self.own(GET, &format!("/apikeys/{api_key}"), api_key)
            }
            _ => return Vec::new(),
        };
        vec![need]
    }

    pub(super) fn api_gateway_change(&self, change: &Change) -> Vec<Need> {
        match change {
            Change::CreateRestApi { name, tags, .. } => self.create_rest_api(name, tags),
            Change::PutRestApi { rest_api, .. } => vec![self.rest_api(PUT, rest_api, "")],
            Change::DeleteRestApi { rest_api } => vec![self.rest_api(DELETE, rest_api, "")],
            // Without a stage's name, so `apigateway:Request/StageName` is not there.
            Change::CreateDeployment { rest_api, .. } => {
                vec![self.rest_api(POST, rest_api, "/deployments")]
            }
            Change::DeleteDeployment { rest_api, deployment } => {
                let path = format!("/deployments/{deployment}");
                vec![self.rest_api(DELETE, rest_api, &path).unknown(deployment)]
            }
            Change::CreateStage { rest_api, stage, tags, .. } => {
                let tagged = self.tagged(&format!("/restapis/{rest_api}/stages/{stage}"), tags);
                let tagged = tagged.map(|need| need.unknown(rest_api));
                let need = self.rest_api(POST, rest_api, "/stages").tagging(tags);
                std::iter::once(need).chain(tagged).collect()
            }
            Change::UpdateStage { rest_api, stage, patch } => {
                vec![self.update_stage(rest_api, stage, patch)]
            }
            // Setting the role passes it to API Gateway (IAM user guide, "Grant a user permissions
            // to pass a role to an AWS service").
            Change::UpdateAccount { cloudwatch_role_arn } => {
                let pass = Need::new("iam:PassRole", cloudwatch_role_arn)
                    .with("iam:PassedToService", ["apigateway.amazonaws.com"]);
                vec![self.path(PATCH, "/account"), pass]
            }
            _ => self.usage_change(change),
        }
    }

    /// A signed request for a prediction of the live version; `execute-api` knows no tags.
    pub(crate) fn smoke_test(&self, rest_api: &str) -> Need {
        let arn = self.names.execute_arn(rest_api, "POST", SMOKE_PATH);
        Need::new("execute-api:Invoke", arn).unknown(rest_api)
    }

    fn rest_api(&self, verb: &str, rest_api: &str, below: &str) -> Need {
        self.own(verb, &format!("/restapis/{rest_api}{below}"), rest_api)
    }

    fn create_rest_api(&self, name: &str, tags: &Tags) -> Vec<Need> {
        let create = self
            .path(POST, "/restapis")
            .with("apigateway:Request/ApiName", [name])
            .with("apigateway:Request/EndpointType", ["REGIONAL"])
            .tagging(tags);
        std::iter::once(create).chain(self.tagged("/restapis/*", tags)).collect()
    }

    fn update_stage(&self, rest_api: &str, stage: &str, patch: &[PatchOperation]) -> Need {
        let need = self.rest_api(PATCH, rest_api, &format!("/stages/{stage}"));
        let value = |path: &str| {
            let one = patch.iter().find(|operation| operation.path == path)?;
            one.value.clone()
        };
        let keys = [
            ("apigateway:Request/AccessLoggingDestination", "/accessLogSettings/destinationArn"),
            ("apigateway:Request/AccessLoggingFormat", "/accessLogSettings/format"),
        ];
        keys.into_iter().fold(need, |need, (key, path)| match value(path) {
            Some(value) => need.with(key, [value]),
            None => need,
        })
    }

    fn usage_change(&self, change: &Change) -> Vec<Need> {
        let create = |path: &str, tags: &Tags| -> Vec<Need> {
            let need = self.path(POST, path).tagging(tags);
            std::iter::once(need).chain(self.tagged(&format!("{path}/*"), tags)).collect()
        };
        let plan = |verb: &str, id: &str, below: &str| {
            vec![self.own(verb, &format!("/usageplans/{id}{below}"), id)]
        };
        match change {
            Change::CreateUsagePlan { tags, .. } => create("/usageplans", tags),
            Change::UpdateUsagePlan { usage_plan, .. } => plan(PATCH, usage_plan, ""),
            Change::DeleteUsagePlan { usage_plan } => plan(DELETE, usage_plan, ""),
            Change::CreateUsagePlanKey { usage_plan, .. } => plan(POST, usage_plan, "/keys"),
            Change::DeleteUsagePlanKey { usage_plan, api_key } => {
                let path = format!("/usageplans/{usage_plan}/keys/{api_key}");
                vec![self.own(DELETE, &path, usage_plan).unknown(api_key)]
            }
            Change::CreateApiKey { tags, .. } => create("/apikeys", tags),
            Change::DeleteApiKey { api_key } => {
                vec![self.own(DELETE, &format!("/apikeys/{api_key}"), api_key)]
            }
            _ => Vec::new(),
        }
    }
}
