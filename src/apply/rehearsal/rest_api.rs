//! REST APIs of a rehearsed account: imported definitions and deployments as their snapshots.

use super::{Outcome, Refusal, role, stage, unreachable_change};
use crate::apply::cloud::Failed;
use crate::plan::change::{Change, Given};
use crate::plan::observed::{ApiGatewayAccount, Deployment, RestApi, Stage};
use crate::plan::query::{Answer, Query};
use crate::spec::timestamp::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// Stages that an API may have (API Gateway's quota).
const STAGES_MAX: usize = 10;

/// The account's REST APIs and settings.
#[derive(Debug, Clone, Default)]
pub(super) struct Gateway {
    account: ApiGatewayAccount,
    apis: BTreeMap<String, Api>,
    made: u64,
}

/// One REST API.
#[derive(Debug, Clone)]
pub(super) struct Api {
    pub(super) observed: RestApi,
    document: Option<Value>,
    pub(super) deployments: BTreeMap<String, Snapshot>,
    pub(super) stages: BTreeMap<String, Stage>,
}

/// A deployment: the definition as it was.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    observed: Deployment,
    pub(super) document: Value,
}

pub(super) fn missing(object: &str, kind: &str) -> Refusal {
    let message = format!("Invalid {kind} identifier specified");
    Refusal::new(object, Failed::NotFound, "NotFoundException", message)
}

pub(super) fn bad(object: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(object, Failed::Invalid, "BadRequestException", message)
}

fn conflict(object: &str, message: &str) -> Refusal {
    Refusal::new(object, Failed::Conflict, "ConflictException", message)
}

impl Gateway {
    pub(super) fn apis(&self) -> impl Iterator<Item = &Api> {
        self.apis.values()
    }

    /// Whether an API has a stage.
    pub(super) fn has_stage(&self, rest_api: &str, stage: &str) -> bool {
        self.apis.get(rest_api).is_some_and(|api| api.stages.contains_key(stage))
    }

    fn get(&self, rest_api: &str) -> Outcome<&Api> {
        self.apis.get(rest_api).ok_or_else(|| missing(rest_api, "API"))
    }

    fn get_mut(&mut self, rest_api: &str) -> Outcome<&mut Api> {
        self.apis.get_mut(rest_api).ok_or_else(|| missing(rest_api, "API"))
    }

    pub(super) fn ask(&self, query: &Query) -> Outcome<Answer> {
        Ok(match query {
            Query::GetApiGatewayAccount => Answer::ApiGatewayAccount(self.account.clone()),
            Query::GetRestApis => {
                Answer::RestApis(self.apis.values().map(|api| api.observed.clone()).collect())
            }
            Query::GetStages { rest_api } => {
                Answer::Stages(self.get(rest_api)?.stages.values().cloned().collect())
            }
            Query::GetDeployments { rest_api } => {
                let snapshots = self.get(rest_api)?.deployments.values();
                Answer::Deployments(snapshots.map(|snapshot| snapshot.observed.clone()).collect())
            }
            _ => unreachable!("queries come by service"),
        })
    }

    pub(super) fn perform(
        &mut self,
        change: &Change,
        roles: &mut role::Roles,
        rest_apis_max: usize,
    ) -> Outcome<Given> {
        match change {
            Change::CreateRestApi { name, tags, .. } => {
                if self.apis.len() >= rest_apis_max {
                    let message = "Maximum number of Rest APIs has been reached";
                    let code = "LimitExceededException";
                    return Err(Refusal::new(name, Failed::Quota, code, message));
                }
                self.made += 1;
                let id = format!("r{:09}", self.made);
                let observed = RestApi { id: id.clone(), name: name.clone(), tags: tags.clone() };
                let (deployments, stages) = (BTreeMap::new(), BTreeMap::new());
                let new = Api { observed, document: None, deployments, stages };
                self.apis.insert(id.clone(), new);
                return Ok(Given::Id(id));
            }
            Change::PutRestApi { rest_api, document } => self.import(rest_api, document)?,
            Change::DeleteRestApi { rest_api } => {
                self.apis.remove(rest_api).ok_or_else(|| missing(rest_api, "API"))?;
            }
            Change::CreateDeployment { rest_api, description } => {
                return self.deploy(rest_api, description);
            }
            Change::DeleteDeployment { rest_api, deployment } => {
                self.get_mut(rest_api)?.delete_deployment(deployment)?;
            }
            Change::CreateStage { rest_api, .. } => self.get_mut(rest_api)?.create_stage(change)?,
            Change::UpdateStage { rest_api, stage, patch } => {
                let has_log_role = self.account.cloudwatch_role_arn.is_some();
                let api = self.get_mut(rest_api)?;
                let before = api.stages.get(stage).ok_or_else(|| missing(stage, "stage"))?;
                let is_deployment = |id: &str| api.deployments.contains_key(id);
                let after = stage::patched(before, patch, &is_deployment, has_log_role)?;
                api.stages.insert(stage.clone(), after);
            }
            Change::UpdateAccount { cloudwatch_role_arn: arn } => {
                let message = "The role ARN does not have required permissions configured. Please \
                               grant trust permission for API Gateway and add the required role \
                               policy.";
                if !roles.assumable(arn) || !roles.has_attached(arn) {
                    let code = "BadRequestException";
                    return Err(Refusal::new("account", Failed::NotReady, code, message));
                }
                self.account.cloudwatch_role_arn = Some(arn.clone());
            }
            _ => return unreachable_change(change),
        }
        Ok(Given::Nothing)
    }

    fn import(&mut self, rest_api: &str, document: &str) -> Outcome<()> {
        let api = self.get_mut(rest_api)?;
        let document: Value = serde_json::from_str(document)
            .map_err(|error| bad(rest_api, format!("Unable to parse the document: {error}")))?;
        // An import names the API after the document's title.
        if let Some(title) = document["info"]["title"].as_str() {
            title.clone_into(&mut api.observed.name);
        }
        api.document = Some(document);
        Ok(())
    }

    fn deploy(&mut self, rest_api: &str, description: &str) -> Outcome<Given> {
        let made = self.made + 1;
        let api = self.get_mut(rest_api)?;
        let routes =
            |document: &Value| document["paths"].as_object().is_some_and(|p| !p.is_empty());
        let Some(document) = api.document.clone().filter(routes) else {
            return Err(bad(rest_api, "The REST API doesn't contain any methods"));
        };
        let id = format!("d{made:05}");
        let created_at = Timestamp::from(UNIX_EPOCH + Duration::from_secs(made));
        let observed = Deployment {
            id: id.clone(),
            description: description.to_owned(),
            created_at: Some(created_at),
        };
        api.deployments.insert(id.clone(), Snapshot { observed, document });
        self.made = made;
        Ok(Given::Id(id))
    }
}

impl Api {
    fn delete_deployment(&mut self, deployment: &str) -> Outcome<()> {
        let points = |stage: &Stage| {
            stage.deployment_id == deployment
                || stage.canary.as_ref().is_some_and(|canary| canary.deployment_id == deployment)
        };
        if self.stages.values().any(points) {
            let message = "Active stages pointing to this deployment must be moved or deleted";
            return Err(bad(deployment, message));
        }
        self.deployments.remove(deployment).ok_or_else(|| missing(deployment, "deployment"))?;
        Ok(())
    }

    fn create_stage(&mut self, change: &Change) -> Outcome<()> {
        let Change::CreateStage { stage, deployment, description, tracing, tags, .. } = change
        else {
            return unreachable_change(change).map(drop);
        };
        if self.stages.contains_key(stage) {
            return Err(conflict(stage, "Stage already exists"));
        }
        if !self.deployments.contains_key(deployment) {
            return Err(missing(deployment, "deployment"));
        }
        if self.stages.len() >= STAGES_MAX {
            let message = "Maximum number of stages for this API has been reached";
            return Err(Refusal::new(stage, Failed::Quota, "LimitExceededException", message));
        }
        let new = Stage {
            name: stage.clone(),
            deployment_id: deployment.clone(),
            description: description.clone(),
            canary: None,
            method_settings: BTreeMap::new(),
            access_log_destination: None,
            access_log_format: None,
            tracing: *tracing,
            tags: tags.clone(),
            last_updated_at: None,
        };
        self.stages.insert(stage.clone(), new);
        Ok(())
    }
}
