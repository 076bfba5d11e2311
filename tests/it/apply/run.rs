//! A planner of an endpoint with one function, small enough to be read, and runs of it.
//!
//! The runs take any `Fn(&Observed) -> Plan`.

use gwtf::apply::rehearsal::Knobs;
use gwtf::apply::{Account, Calls, Cloud, Pace, Quiet, Scope, Stopped, apply, observe};
use gwtf::plan::change::{Code, CreateFunction, FunctionSettings, PatchOperation, placeholder};
use gwtf::plan::names::{EXECUTION_POLICY, ROLE_PATH};
use gwtf::plan::{Action, Change, Names, Object, Observed, Plan, Verb, Wait};
use serde_json::json;
use std::path::PathBuf;

pub(super) fn names() -> Names {
    Names::new("iris", "prod", "eu-west-1", "111122223333", None).unwrap()
}

/// An account in which roles and functions take their time.
pub(super) fn slow() -> Knobs {
    Knobs { pending_looks: 3, role_refusals: 2, ..Knobs::default() }
}

/// Observes, plans, performs. `None` when there was nothing to do.
pub(super) async fn run<C: Cloud>(
    cloud: &C,
    plan: impl Fn(&Observed) -> Plan,
) -> Result<Option<Account>, Box<dyn std::error::Error>> {
    let pace = Pace::new(1);
    let calls = Calls::new(cloud, &pace, &Quiet);
    let observed = observe(calls, &names(), Scope::default()).await?;
    let plan = plan(&observed);
    if plan.is_empty() {
        return Ok(None);
    }
    let (_keep, interrupt) = tokio::sync::watch::channel(false);
    let account = apply(calls, &plan, interrupt).await.map_err(|stopped: Box<Stopped>| *stopped)?;
    Ok(Some(account))
}

/// What an observer without faults sees.
pub(super) async fn look<C: Cloud>(cloud: &C) -> Observed {
    let pace = Pace::new(1);
    observe(Calls::new(cloud, &pace, &Quiet), &names(), Scope::default()).await.unwrap()
}

/// An action without dependencies.
pub(super) fn action(change: Change) -> Action {
    let (_, operation) = change.operation();
    Action {
        verb: if operation.starts_with("Create") { Verb::Create } else { Verb::Update },
        object: Object { kind: "thing", name: operation.to_owned() },
        reason: "it is not as it shall be".to_owned(),
        differences: Vec::new(),
        change: Some(change),
        after: Vec::new(),
        gives: None,
        wait: None,
    }
}

/// A plan that makes a version live, whatever is there.
pub(super) fn release(tag: &str, observed: &Observed) -> Plan {
    let names = names();
    let mut draft = Draft { names, tag, observed, plan: Plan::default() };
    let role = draft.role();
    let logs = draft.log_group();
    let function = draft.function(&[role, logs].concat());
    let alias = draft.alias(&function);
    let api = draft.rest_api();
    let permission = draft.permission(&[alias, api.clone()].concat());
    let deployment = draft.deployment(&[api, permission].concat());
    draft.stage(&deployment);
    draft.plan
}

struct Draft<'a> {
    names: Names,
    tag: &'a str,
    observed: &'a Observed,
    plan: Plan,
}

impl Draft<'_> {
    fn push(&mut self, change: Change, after: &[usize]) -> usize {
        self.plan.push(Action { after: after.to_vec(), ..action(change) })
    }

    fn role(&mut self) -> Vec<usize> {
        let role = self.names.execution_role();
        let mut last = Vec::new();
        if self.observed.execution_role.is_none() {
            let create = Change::CreateRole {
                role: role.clone(),
                path: ROLE_PATH.to_owned(),
                description: String::new(),
                trust: "{}".to_owned(),
                boundary: None,
                tags: self.names.tags(),
            };
            last = vec![self.push(create, &[])];
        }
        if self.observed.execution_policy.is_none() {
            let policy = EXECUTION_POLICY.to_owned();
            let put = Change::PutRolePolicy { role, policy, document: "{}".to_owned() };
            last = vec![self.push(put, &last)];
        }
        last
    }

    fn log_group(&mut self) -> Vec<usize> {
        let log_group = self.names.function_log_group();
        let present = self.observed.log_groups.get(&log_group);
        let mut last = Vec::new();
        if present.is_none() {
            let tags = self.names.tags();
            last =
                vec![self.push(Change::CreateLogGroup { log_group: log_group.clone(), tags }, &[])];
        }
        if present.is_none_or(|group| group.retention_days != Some(30)) {
            last = vec![self.push(Change::PutRetentionPolicy { log_group, days: 30 }, &last)];
        }
        last
    }

    /// Its code is named after the version.
    fn function(&mut self, after: &[usize]) -> Vec<usize> {
        let (function, sha256) = (self.names.function(), format!("sha-of-{}", self.tag));
        let key = "version".to_owned();
        let published = self.observed.function.as_ref().and_then(|function| {
            function.versions.iter().find(|version| version.code_sha256 == sha256)
        });
        if let Some(published) = published {
            self.plan.known.insert(key, published.version.clone());
            return self.ready();
        }
        let code = Code::Zip { path: PathBuf::from("code.zip"), sha256 };
        let architecture = "x86_64".to_owned();
        let change = if self.observed.function.is_some() {
            Change::UpdateFunctionCode { function: function.clone(), code, architecture }
        } else {
            let settings = FunctionSettings {
                role: self.names.role_arn(&self.names.execution_role()),
                memory_mib: 1_024,
                timeout_s: 29,
                environment: Default::default(),
                tracing: false,
            };
            Change::CreateFunction(Box::new(CreateFunction {
                function: function.clone(),
                code,
                architecture,
                settings,
                description: String::new(),
                tags: self.names.tags(),
            }))
        };
        vec![self.plan.push(Action {
            after: after.to_vec(),
            gives: Some(key),
            wait: Some(Wait::FunctionReady { function }),
            ..action(change)
        })]
    }

    /// Waits for a function that an earlier run left before it was ready.
    fn ready(&mut self) -> Vec<usize> {
        let function = self.observed.function.as_ref().expect("it has a version");
        if function.state == "Active" && function.last_update_status == "Successful" {
            return Vec::new();
        }
        let wait = Some(Wait::FunctionReady { function: self.names.function() });
        let keep = action(Change::DeleteFunction { function: self.names.function() });
        vec![self.plan.push(Action { verb: Verb::Keep, change: None, wait, ..keep })]
    }

    fn present_alias(&self) -> Option<&gwtf::plan::observed::Alias> {
        let function = self.observed.function.as_ref()?;
        function.aliases.iter().find(|alias| alias.name == self.tag)
    }

    fn alias(&mut self, after: &[usize]) -> Vec<usize> {
        if self.present_alias().is_some() {
            return after.to_vec();
        }
        let create = Change::CreateAlias {
            function: self.names.function(),
            alias: self.tag.to_owned(),
            version: placeholder("version"),
            description: String::new(),
        };
        vec![self.push(create, after)]
    }

    fn rest_api(&mut self) -> Vec<usize> {
        let key = "rest_api".to_owned();
        if let Some(api) = &self.observed.rest_api {
            self.plan.known.insert(key, api.id.clone());
            return Vec::new();
        }
        let (name, tags) = (self.names.endpoint.clone(), self.names.tags());
        let create = Change::CreateRestApi { name, description: String::new(), tags };
        vec![self.plan.push(Action { gives: Some(key), ..action(create) })]
    }

    fn permission(&mut self, after: &[usize]) -> Vec<usize> {
        if self.present_alias().is_some_and(|alias| alias.permissions.contains_key("gwtf")) {
            return after.to_vec();
        }
        let add = Change::AddPermission {
            function: self.names.function(),
            alias: self.tag.to_owned(),
            statement: "gwtf".to_owned(),
            source_arn: self.names.execute_arn(&placeholder("rest_api"), "*", "*"),
        };
        vec![self.push(add, after)]
    }

    /// A deployment's description is its version.
    fn deployment(&mut self, after: &[usize]) -> Vec<usize> {
        let key = "deployment".to_owned();
        let present = self.observed.deployments.iter().find(|one| one.description == self.tag);
        if let Some(present) = present {
            self.plan.known.insert(key, present.id.clone());
            return after.to_vec();
        }
        let uri = self.names.place().integration_uri(self.tag).unwrap();
        let integration = json!({ "type": "aws_proxy", "httpMethod": "POST", "uri": uri });
        let document = json!({
            "openapi": "3.0.1",
            "info": { "title": self.names.endpoint, "version": self.tag },
            "paths": {
                "/predict": { "post": { "x-amazon-apigateway-integration": integration } }
            }
        });
        let rest_api = placeholder("rest_api");
        let put = Change::PutRestApi { rest_api: rest_api.clone(), document: document.to_string() };
        let put = self.push(put, after);
        let create = Change::CreateDeployment { rest_api, description: self.tag.to_owned() };
        vec![self.plan.push(Action { after: vec![put], gives: Some(key), ..action(create) })]
    }

    fn stage(&mut self, after: &[usize]) {
        let (rest_api, deployment) = (placeholder("rest_api"), placeholder("deployment"));
        let stage = self.names.stage.clone();
        let present = self.observed.stages.iter().find(|present| present.name == stage);
        let Some(present) = present else {
            let create = Change::CreateStage {
                rest_api,
                stage,
                deployment,
                description: String::new(),
                tracing: false,
                tags: self.names.tags(),
            };
            self.push(create, after);
            return;
        };
        if self.plan.known.get("deployment") != Some(&present.deployment_id) {
            let patch = vec![PatchOperation::replace("/deploymentId", deployment)];
            self.push(Change::UpdateStage { rest_api, stage, patch }, after);
        }
    }
}
