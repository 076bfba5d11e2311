//! What AWS has after the changes of a plan: enough of each service to plan again.
//!
//! Nothing here refuses or fails. Where a plan relies on a refusal of AWS's, a test of the plan itself
//! says so.

use base64::Engine as _;
use gwtf::plan::change::{Body, Code, CreateFunction, FunctionSettings, PatchOp, PatchOperation};
use gwtf::plan::observed::{
    Alias, ApiGatewayAccount, ApiKey, Bucket, Caller, Deployment, Function, FunctionConfiguration,
    FunctionVersion, LambdaAccount, LogGroup, MethodSettings, Repository, RestApi, Role, Stage,
    StageCanary, Tags, UsagePlan,
};
use gwtf::plan::{Change, Names, Observed, Plan};
use gwtf::spec::timestamp::Timestamp;
use std::collections::BTreeMap;

/// An account.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) names: Names,
    pub(crate) observed: Observed,
    now: Timestamp,
    made: usize,
}

impl World {
    /// An account in which gwtf has made its bucket and nothing else.
    pub(crate) fn new(names: &Names) -> Self {
        let observed = Observed {
            caller: Caller {
                account_id: names.account_id.clone(),
                arn: format!("arn:aws:iam::{}:user/ada", names.account_id),
            },
            api_gateway_account: ApiGatewayAccount {
                cloudwatch_role_arn: None,
                rate_rps: Some(10_000.0),
                burst: Some(5_000),
            },
            lambda_account: LambdaAccount::default(),
            account_role: None,
            bucket: Bucket::Own(Tags::new()),
            lock: None,
            objects: Vec::new(),
            execution_role: None,
            execution_policy: None,
            log_groups: BTreeMap::new(),
            function: None,
            repository: None,
            rest_api: None,
            other_rest_apis: Vec::new(),
            rest_api_count: 0,
            deployments: Vec::new(),
            stages: Vec::new(),
            usage_plans: Vec::new(),
            api_keys: Vec::new(),
        };
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        Self { names: names.clone(), observed, now, made: 0 }
    }

    /// Carries out a plan as of this instant.
    pub(crate) fn carry_out(&mut self, plan: &Plan, now: Timestamp) {
        let count = plan.changes().count();
        self.carry_out_first(plan, count, now);
    }

    /// Carries out a plan's first `count` changes.
    pub(crate) fn carry_out_first(&mut self, plan: &Plan, count: usize, now: Timestamp) {
        self.now = now;
        let mut given = plan.known.clone();
        let actions = plan.actions.iter().filter(|action| action.change.is_some());
        for action in actions.take(count) {
            let change = action.change.as_ref().unwrap().resolve(&given).unwrap();
            let id = self.perform(change);
            given.extend(action.gives.clone().zip(id));
        }
    }

    pub(crate) fn function(&mut self) -> &mut Function {
        self.observed.function.as_mut().unwrap()
    }

    pub(crate) fn stage(&mut self) -> &mut Stage {
        &mut self.observed.stages[0]
    }

    fn id(&mut self, prefix: &str) -> Option<String> {
        self.made += 1;
        Some(format!("{prefix}{:09}", self.made))
    }

    fn perform(&mut self, change: Change) -> Option<String> {
        match change {
            Change::CreateRole { .. }
            | Change::UpdateAssumeRolePolicy { .. }
            | Change::PutRolePermissionsBoundary { .. }
            | Change::DeleteRolePermissionsBoundary { .. }
            | Change::PutRolePolicy { .. }
            | Change::DeleteRolePolicy { .. }
            | Change::AttachRolePolicy { .. }
            | Change::DeleteRole { .. } => self.iam(change),
            Change::CreateFunction(_)
            | Change::UpdateFunctionCode { .. }
            | Change::UpdateFunctionConfiguration { .. }
            | Change::PublishVersion { .. }
            | Change::CreateAlias { .. }
            | Change::UpdateAlias { .. }
            | Change::DeleteAlias { .. }
            | Change::AddPermission { .. }
            | Change::RemovePermission { .. } => return self.lambda(change),
            Change::PutFunctionConcurrency { reserved, .. } => {
                self.function().reserved_concurrency = Some(reserved);
            }
            Change::DeleteFunctionConcurrency { .. } => self.function().reserved_concurrency = None,
            Change::PutProvisionedConcurrency { alias, provisioned, .. } => {
                self.function().provisioned_concurrency.insert(alias, provisioned);
            }
            Change::DeleteProvisionedConcurrency { alias, .. } => {
                assert!(self.function().provisioned_concurrency.remove(&alias).is_some());
            }
            Change::DeleteFunctionVersion { version, .. } => {
                let function = self.function();
                assert!(!function.aliases.iter().any(|alias| alias.version == version));
                function.versions.retain(|one| one.version != version);
            }
            Change::DeleteFunction { .. } => self.observed.function = None,
            Change::CreateLogGroup { log_group: name, tags } => {
                let arn = self.names.log_group_arn(&name);
                let group = LogGroup { name: name.clone(), arn, retention_days: None, tags };
                self.observed.log_groups.insert(name, group);
            }
            Change::PutRetentionPolicy { log_group, days } => {
                let group = self.observed.log_groups.get_mut(&log_group).unwrap();
                group.retention_days = Some(days);
            }
            Change::DeleteLogGroup { log_group } => {
                self.observed.log_groups.remove(&log_group).unwrap();
            }
            Change::PutObject { key, body: Body::File { .. }, .. } => {
                self.observed.objects.push(key);
            }
            Change::DeleteObject { key, .. } => self.observed.objects.retain(|one| *one != key),
            Change::CreateRepository { repository, .. } => {
                let uri = format!("{}/{repository}", self.names.registry());
                let arn = format!("arn:aws:ecr:{}::repository/{repository}", self.names.region);
                self.observed.repository = Some(Repository { arn, uri, policy: None });
            }
            Change::SetRepositoryPolicy { document, .. } => {
                self.observed.repository.as_mut().unwrap().policy = Some(document);
            }
            Change::PushImage { .. } => assert!(self.observed.repository.is_some()),
            Change::DeleteRepository { .. } => self.observed.repository = None,
            other => return self.api_gateway(other),
        }
        None
    }

    fn iam(&mut self, change: Change) {
        let is_own = |name: &str| name == self.names.execution_role();
        let role = &mut self.observed.execution_role;
        match change {
            Change::CreateRole { role: name, trust, boundary, tags, .. } => {
                let arn = self.names.role_arn(&name);
                let made = Some(Role { arn, trust, boundary, tags });
                if name == self.names.execution_role() {
                    *role = made;
                } else {
                    self.observed.account_role = made;
                }
            }
            Change::UpdateAssumeRolePolicy { trust, .. } => role.as_mut().unwrap().trust = trust,
            Change::PutRolePermissionsBoundary { boundary, .. } => {
                role.as_mut().unwrap().boundary = Some(boundary);
            }
            Change::DeleteRolePermissionsBoundary { .. } => role.as_mut().unwrap().boundary = None,
            Change::PutRolePolicy { document, .. } => {
                assert!(role.is_some());
                self.observed.execution_policy = Some(document);
            }
            Change::DeleteRolePolicy { .. } => self.observed.execution_policy = None,
            Change::DeleteRole { .. } => {
                assert!(self.observed.execution_policy.is_none());
                *role = None;
            }
            Change::AttachRolePolicy { role: name, .. } => {
                assert!(!is_own(&name) && self.observed.account_role.is_some());
            }
            other => panic!("{other:?}"),
        }
    }

    fn publish(&mut self) -> Option<String> {
        let function = self.function();
        let newest = function.versions.last();
        let number = newest.map_or(0, |one| one.version.parse::<u32>().unwrap()) + 1;
        let version = FunctionVersion {
            version: number.to_string(),
            code_sha256: function.code_sha256.clone(),
            configuration: function.configuration.clone(),
        };
        function.versions.push(version);
        Some(number.to_string())
    }

    fn lambda(&mut self, change: Change) -> Option<String> {
        let (now, arn) = (self.now, self.names.function_arn());
        let aliased = |function: &mut Function, name: &str| {
            function.aliases.iter().position(|alias| alias.name == name).unwrap()
        };
        match change {
            Change::CreateFunction(create) => {
                assert!(self.observed.execution_policy.is_some(), "the role comes first");
                let CreateFunction { code, architecture, settings, tags, .. } = *create;
                self.observed.function = Some(Function {
                    arn,
                    code_sha256: code.sha256().to_owned(),
                    configuration: configuration(settings),
                    architecture,
                    is_image: matches!(code, Code::Image { .. }),
                    state: "Active".to_owned(),
                    last_update_status: "Successful".to_owned(),
                    state_reason: None,
                    last_modified: Some(now),
                    reserved_concurrency: None,
                    tags,
                    aliases: Vec::new(),
                    versions: Vec::new(),
                    provisioned_concurrency: BTreeMap::new(),
                });
                return self.publish();
            }
            Change::UpdateFunctionCode { code, architecture, .. } => {
                let function = self.function();
                code.sha256().clone_into(&mut function.code_sha256);
                (function.architecture, function.last_modified) = (architecture, Some(now));
                return self.publish();
            }
            Change::UpdateFunctionConfiguration { settings, .. } => {
                let function = self.function();
                function.configuration = configuration(settings);
                function.last_modified = Some(now);
            }
            Change::PublishVersion { code_sha256, .. } => {
                assert_eq!(self.function().code_sha256, code_sha256);
                return self.publish();
            }
            Change::CreateAlias { alias: name, version, .. } => {
                let function = self.function();
                assert!(function.versions.iter().any(|one| one.version == version));
                assert!(!function.aliases.iter().any(|alias| alias.name == name));
                function.aliases.push(Alias { name, version, permissions: BTreeMap::new() });
            }
            Change::UpdateAlias { alias, version, .. } => {
                let function = self.function();
                let at = aliased(function, &alias);
                function.aliases[at].version = version;
            }
            Change::DeleteAlias { alias, .. } => {
                self.function().aliases.retain(|one| one.name != alias);
            }
            Change::AddPermission { alias, statement, source_arn, .. } => {
                let function = self.function();
                let at = aliased(function, &alias);
                let before = function.aliases[at].permissions.insert(statement, source_arn);
                assert_eq!(before, None, "AWS refuses a second statement of an id");
            }
            Change::RemovePermission { alias, statement, .. } => {
                let function = self.function();
                let at = aliased(function, &alias);
                assert!(function.aliases[at].permissions.remove(&statement).is_some());
            }
            other => panic!("{other:?}"),
        }
        None
    }

    fn api_gateway(&mut self, change: Change) -> Option<String> {
        match change {
            Change::CreateRestApi { name, tags, .. } => {
                let id = self.id("a");
                self.observed.rest_api = Some(RestApi { id: id.clone().unwrap(), name, tags });
                self.observed.rest_api_count += 1;
                return id;
            }
            Change::PutRestApi { rest_api, .. } => {
                assert_eq!(self.observed.rest_api.as_ref().unwrap().id, rest_api);
            }
            Change::DeleteRestApi { rest_api } => {
                self.observed.other_rest_apis.retain(|api| api.id != rest_api);
                if self.observed.rest_api.as_ref().is_some_and(|api| api.id == rest_api) {
                    self.observed.rest_api = None;
                    self.observed.stages.clear();
                    self.observed.deployments.clear();
                }
            }
            Change::CreateDeployment { description, .. } => {
                let id = self.id("d");
                let deployment =
                    Deployment { id: id.clone().unwrap(), description, created_at: Some(self.now) };
                self.observed.deployments.push(deployment);
                return id;
            }
            Change::DeleteDeployment { deployment, .. } => {
                self.observed.deployments.retain(|one| one.id != deployment);
            }
            Change::CreateStage { stage, deployment, description, tracing, tags, .. } => {
                assert!(self.observed.deployments.iter().any(|one| one.id == deployment));
                self.observed.stages.push(Stage {
                    name: stage,
                    deployment_id: deployment,
                    description,
                    canary: None,
                    method_settings: BTreeMap::new(),
                    access_log_destination: None,
                    access_log_format: None,
                    tracing,
                    tags,
                    last_updated_at: Some(self.now),
                });
            }
            Change::UpdateStage { patch, .. } => {
                let has_log_role = self.observed.api_gateway_account.cloudwatch_role_arn.is_some();
                let now = self.now;
                let stage = self.stage();
                for operation in patch {
                    patch_stage(stage, &operation);
                }
                stage.last_updated_at = Some(now);
                assert!(has_log_role || stage.access_log_destination.is_none());
            }
            Change::UpdateAccount { cloudwatch_role_arn } => {
                self.observed.api_gateway_account.cloudwatch_role_arn = Some(cloudwatch_role_arn);
            }
            other => return self.usage(other),
        }
        None
    }

    fn usage(&mut self, change: Change) -> Option<String> {
        let (plans, keys) = (&mut self.observed.usage_plans, &mut self.observed.api_keys);
        let at = |id: &str| plans.iter().position(|plan| plan.id == id).unwrap();
        match change {
            Change::CreateUsagePlan { name, throttle, quota, rest_api, stage, methods, tags } => {
                let stages = BTreeMap::from([(format!("{rest_api}:{stage}"), methods)]);
                let key_ids = Vec::new();
                let id = self.id("u").unwrap();
                let plan =
                    UsagePlan { id: id.clone(), name, throttle, quota, stages, tags, key_ids };
                self.observed.usage_plans.push(plan);
                return Some(id);
            }
            Change::UpdateUsagePlan { usage_plan, patch } => {
                let at = at(&usage_plan);
                patch.iter().for_each(|operation| patch_usage_plan(&mut plans[at], operation));
            }
            Change::DeleteUsagePlan { usage_plan } => {
                let at = at(&usage_plan);
                assert!(plans[at].stages.is_empty(), "AWS wants the stages removed before");
                plans.remove(at);
            }
            Change::CreateApiKey { name, tags } => {
                let id = self.id("k").unwrap();
                let key = ApiKey { id: id.clone(), name, enabled: true, tags };
                self.observed.api_keys.push(key);
                return Some(id);
            }
            Change::DeleteApiKey { api_key } => {
                keys.retain(|key| key.id != api_key);
                plans.iter_mut().for_each(|plan| plan.key_ids.retain(|id| *id != api_key));
            }
            Change::CreateUsagePlanKey { usage_plan, api_key } => {
                let taken = plans.iter().any(|plan| plan.key_ids.contains(&api_key));
                assert!(!taken, "AWS takes a key in one plan of a stage");
                let at = at(&usage_plan);
                plans[at].key_ids.push(api_key);
            }
            Change::DeleteUsagePlanKey { usage_plan, api_key } => {
                let at = at(&usage_plan);
                plans[at].key_ids.retain(|id| *id != api_key);
            }
            other => panic!("{other:?}"),
        }
        None
    }
}

fn configuration(settings: FunctionSettings) -> FunctionConfiguration {
    let FunctionSettings { role, memory_mib, timeout_s, environment, tracing } = settings;
    FunctionConfiguration { role, memory_mib, timeout_s, environment, tracing }
}

fn patch_stage(stage: &mut Stage, operation: &PatchOperation) {
    let value = operation.value.clone().unwrap_or_default();
    let canary = |stage: &mut Stage| {
        let deployment_id = stage.deployment_id.clone();
        stage.canary.take().unwrap_or(StageCanary { deployment_id, percent: 0.0 })
    };
    let all = |stage: &mut Stage, set: &dyn Fn(&mut MethodSettings)| {
        // AWS shows its defaults once anything is set.
        let fresh = MethodSettings {
            rate_rps: Some(10_000.0),
            burst: Some(5_000),
            ..MethodSettings::default()
        };
        set(stage.method_settings.entry("*/*".to_owned()).or_insert(fresh));
    };
    match (operation.op, operation.path.as_str()) {
        (PatchOp::Replace, "/deploymentId") => {
            assert!(stage.canary.is_none(), "AWS moves no stage that has a canary");
            stage.deployment_id = value;
        }
        (PatchOp::Copy, "/deploymentId") => {
            assert_eq!(operation.from.as_deref(), Some("/canarySettings/deploymentId"));
            stage.deployment_id = stage.canary.as_ref().unwrap().deployment_id.clone();
        }
        (PatchOp::Replace, "/description") => stage.description = value,
        (PatchOp::Replace, "/tracingEnabled") => stage.tracing = value == "true",
        (PatchOp::Replace, "/canarySettings/deploymentId") => {
            let canary = canary(stage);
            stage.canary = Some(StageCanary { deployment_id: value, ..canary });
        }
        (PatchOp::Replace, "/canarySettings/percentTraffic") => {
            let canary = canary(stage);
            stage.canary = Some(StageCanary { percent: value.parse().unwrap(), ..canary });
        }
        (PatchOp::Remove, "/canarySettings") => stage.canary = None,
        (PatchOp::Replace, "/accessLogSettings/destinationArn") => {
            stage.access_log_destination = Some(value);
        }
        (PatchOp::Replace, "/accessLogSettings/format") => stage.access_log_format = Some(value),
        (PatchOp::Remove, "/accessLogSettings") => {
            (stage.access_log_destination, stage.access_log_format) = (None, None);
        }
        (PatchOp::Replace, "/*/*/throttling/rateLimit") => {
            all(stage, &|all| all.rate_rps = Some(value.parse().unwrap()));
        }
        (PatchOp::Replace, "/*/*/throttling/burstLimit") => {
            all(stage, &|all| all.burst = Some(value.parse().unwrap()));
        }
        (PatchOp::Replace, "/*/*/metrics/enabled") => {
            all(stage, &|all| all.metrics = value == "true");
        }
        (PatchOp::Replace, "/*/*/logging/dataTrace") => {
            all(stage, &|all| all.data_trace = value == "true");
        }
        other => panic!("AWS knows no {other:?}"),
    }
}

fn patch_usage_plan(plan: &mut UsagePlan, operation: &PatchOperation) {
    use gwtf::spec::{Period, Quota, Throttle};
    let value = operation.value.clone().unwrap_or_default();
    let throttle = plan.throttle.unwrap_or(Throttle { rate_rps: 0.0, burst: 0 });
    let quota = plan.quota.unwrap_or(Quota { limit: 0, period: Period::Day });
    match (operation.op, operation.path.as_str()) {
        (PatchOp::Replace, "/throttle/rateLimit") => {
            plan.throttle = Some(Throttle { rate_rps: value.parse().unwrap(), ..throttle });
        }
        (PatchOp::Replace, "/throttle/burstLimit") => {
            plan.throttle = Some(Throttle { burst: value.parse().unwrap(), ..throttle });
        }
        (PatchOp::Remove, "/throttle") => plan.throttle = None,
        (PatchOp::Replace, "/quota/limit") => {
            plan.quota = Some(Quota { limit: value.parse().unwrap(), ..quota });
        }
        (PatchOp::Replace, "/quota/period") => {
            let period = match value.as_str() {
                "DAY" => Period::Day,
                "WEEK" => Period::Week,
                "MONTH" => Period::Month,
                other => panic!("{other}"),
            };
            plan.quota = Some(Quota { period, ..quota });
        }
        (PatchOp::Remove, "/quota") => plan.quota = None,
        (PatchOp::Add, "/apiStages") => {
            plan.stages.insert(value, BTreeMap::new());
        }
        (PatchOp::Remove, "/apiStages") => {
            plan.stages.remove(&value).unwrap();
        }
        other => panic!("AWS knows no {other:?}"),
    }
}

/// What Lambda says of a zip of this digest.
pub(crate) fn zip_sha256(digest: &gwtf::model::Digest) -> String {
    base64::engine::general_purpose::STANDARD.encode(digest.bytes())
}
