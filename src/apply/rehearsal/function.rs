//! Functions of a rehearsed account, with versions, aliases and permissions.

use super::{Knobs, Outcome, Place, Refusal, role, storage, unreachable_change};
use crate::apply::cloud::Failed;
use crate::plan::change::{Change, Code, CreateFunction, FunctionSettings, Given};
use crate::plan::observed::{
    Alias, Function, FunctionConfiguration, FunctionVersion, LambdaAccount,
};
use crate::plan::query::{Answer, Query};
use serde_json::json;
use std::collections::BTreeMap;

/// Sandboxes that an account may have at once, and those that no function may reserve.
const CONCURRENCY_MAX: u32 = 1_000;
const UNRESERVED_MIN: u32 = 100;

/// The account's functions.
#[derive(Debug, Clone, Default)]
pub(super) struct Functions {
    functions: BTreeMap<String, State>,
}

/// What functions depend on.
pub(super) struct Around<'a> {
    pub(super) place: &'a Place,
    pub(super) knobs: &'a Knobs,
    pub(super) roles: &'a mut role::Roles,
    pub(super) storage: &'a storage::Storage,
}

#[derive(Debug, Clone)]
struct State {
    /// Without aliases, versions and provisioned concurrency, as `GetFunction` gives it.
    observed: Function,
    aliases: BTreeMap<String, Alias>,
    versions: Vec<FunctionVersion>,
    last_version: u64,
    provisioned: BTreeMap<String, u32>,
    /// Looks for which the last change is not carried out.
    looks_left: u32,
    /// A version that cannot be invoked until it is.
    unready: Option<String>,
}

fn missing(object: &str) -> Refusal {
    Refusal::new(object, Failed::NotFound, "ResourceNotFoundException", "Function not found")
}

fn conflict(object: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(object, Failed::Conflict, "ResourceConflictException", message)
}

fn invalid(object: &str, message: impl Into<String>) -> Refusal {
    Refusal::new(object, Failed::Invalid, "InvalidParameterValueException", message)
}

fn configuration(settings: &FunctionSettings) -> FunctionConfiguration {
    let FunctionSettings { role, memory_mib, timeout_s, environment, tracing } = settings.clone();
    FunctionConfiguration { role, memory_mib, timeout_s, environment, tracing }
}

impl State {
    /// Publishes `$LATEST`: a new version only if it differs from the last one.
    fn publish(&mut self) -> String {
        let Function { code_sha256, configuration, .. } = &self.observed;
        let same = |last: &&FunctionVersion| {
            last.code_sha256 == *code_sha256 && last.configuration == *configuration
        };
        if let Some(last) = self.versions.last().filter(same) {
            return last.version.clone();
        }
        self.last_version += 1;
        let version = self.last_version.to_string();
        self.unready = (self.looks_left > 0).then(|| version.clone());
        self.versions.push(FunctionVersion {
            version: version.clone(),
            code_sha256: code_sha256.clone(),
            configuration: configuration.clone(),
        });
        version
    }

    /// Refuses an update while another is in progress; to ask brings its end nearer.
    fn settled(&mut self, knobs: &Knobs) -> Outcome<()> {
        if self.looks_left == 0 {
            return Ok(());
        }
        self.look(knobs);
        let arn = &self.observed.arn;
        let message = format!(
            "The operation cannot be performed at this time. An update is in progress for \
             resource: {arn}"
        );
        Err(Refusal::new(arn, Failed::NotReady, "ResourceConflictException", message))
    }

    fn look(&mut self, knobs: &Knobs) {
        self.looks_left = self.looks_left.saturating_sub(1);
        if self.looks_left == 0 {
            self.settle(knobs);
        }
    }

    fn settle(&mut self, knobs: &Knobs) {
        self.observed.last_update_status = "Successful".to_owned();
        self.observed.state = "Active".to_owned();
        self.unready = None;
        if let Some(reason) = &knobs.function_fails {
            self.observed.state = "Failed".to_owned();
            self.observed.state_reason = Some(reason.clone());
        }
    }

    fn changed(&mut self, knobs: &Knobs) {
        self.looks_left = knobs.pending_looks;
        if self.looks_left == 0 {
            self.settle(knobs);
        } else {
            self.observed.last_update_status = "InProgress".to_owned();
        }
    }

    fn has_version(&self, version: &str) -> bool {
        self.versions.iter().any(|published| published.version == version)
    }

    fn alias(&mut self, alias: &str) -> Outcome<&mut Alias> {
        self.aliases.get_mut(alias).ok_or_else(|| missing(alias))
    }
}

impl Functions {
    fn get(&mut self, function: &str) -> Outcome<&mut State> {
        self.functions.get_mut(function).ok_or_else(|| missing(function))
    }

    /// An alias with what it points to, if that can be invoked; for the data plane.
    pub(super) fn invoked(&self, arn: &str) -> Result<(&str, &Alias, &FunctionVersion), String> {
        let found = arn.rsplit_once(':').and_then(|(function, alias)| {
            let mut functions = self.functions.iter();
            let (name, state) = functions.find(|(_, state)| state.observed.arn == function)?;
            let alias = state.aliases.get(alias)?;
            let mut versions = state.versions.iter();
            let version = versions.find(|version| version.version == alias.version)?;
            Some((name, state, alias, version))
        });
        let (name, state, alias, version) = found.ok_or_else(|| format!("`{arn}` is not there"))?;
        if state.unready.as_ref() == Some(&version.version) || state.observed.state == "Failed" {
            return Err(format!("`{arn}` is not ready"));
        }
        Ok((name, alias, version))
    }

    fn reserved(&self) -> u32 {
        self.functions.values().filter_map(|state| state.observed.reserved_concurrency).sum()
    }

    pub(super) fn ask(&mut self, query: &Query, knobs: &Knobs) -> Outcome<Answer> {
        Ok(match query {
            Query::GetFunction { function } => {
                // `NAME:VERSION` is one version, which is ready when the function is.
                let name = function.split_once(':').map_or(function.as_str(), |(name, _)| name);
                Answer::Function(self.functions.get_mut(name).map(|state| {
                    let observed = Box::new(state.observed.clone());
                    state.look(knobs);
                    observed
                }))
            }
            Query::ListAliases { function } => {
                let aliases = self.get(function)?.aliases.values().cloned();
                Answer::Aliases(
                    aliases.map(|alias| Alias { permissions: BTreeMap::new(), ..alias }).collect(),
                )
            }
            Query::ListVersionsByFunction { function } => {
                Answer::FunctionVersions(self.get(function)?.versions.clone())
            }
            Query::GetPolicy { function, alias } => {
                let state = self.functions.get(function);
                let alias = state.and_then(|state| Some((state, state.aliases.get(alias)?)));
                Answer::Text(alias.and_then(|(state, alias)| policy(&state.observed.arn, alias)))
            }
            Query::ListProvisionedConcurrency { function } => {
                Answer::ProvisionedConcurrency(self.get(function)?.provisioned.clone())
            }
            Query::GetLambdaAccountSettings => Answer::LambdaAccount(LambdaAccount {
                concurrent_executions: Some(CONCURRENCY_MAX),
                unreserved_concurrent_executions: Some(CONCURRENCY_MAX - self.reserved()),
                code_size_bytes_max: Some(75 << 30),
                code_size_bytes: Some(0),
            }),
            _ => unreachable!("queries come by service"),
        })
    }

    pub(super) fn perform(&mut self, change: &Change, around: Around<'_>) -> Outcome<Given> {
        match change {
            Change::CreateFunction(create) => return self.create(create, around),
            Change::UpdateFunctionCode { function, code, architecture } => {
                let state = self.get(function)?;
                state.settled(around.knobs)?;
                stored(code, around.storage)?;
                state.observed.code_sha256 = code.sha256().to_owned();
                state.observed.architecture.clone_from(architecture);
                state.changed(around.knobs);
                return Ok(Given::Id(state.publish()));
            }
            Change::UpdateFunctionConfiguration { function, settings } => {
                let state = self.get(function)?;
                state.settled(around.knobs)?;
                assumed(&settings.role, around.roles)?;
                state.observed.configuration = configuration(settings);
                state.changed(around.knobs);
            }
            Change::PublishVersion { function, code_sha256 } => {
                let state = self.get(function)?;
                state.settled(around.knobs)?;
                if *code_sha256 != state.observed.code_sha256 {
                    let message = "CodeSHA256 is different from current CodeSHA256 in $LATEST";
                    return Err(invalid(function, message));
                }
                return Ok(Given::Id(state.publish()));
            }
            Change::DeleteFunctionVersion { function, version } => {
                let state = self.get(function)?;
                if state.aliases.values().any(|alias| alias.version == *version) {
                    return Err(conflict(function, format!("Version {version} has an alias")));
                }
                if !state.has_version(version) {
                    return Err(missing(version));
                }
                state.versions.retain(|published| published.version != *version);
            }
            Change::DeleteFunction { function } => {
                self.functions.remove(function).ok_or_else(|| missing(function))?;
            }
            _ => self.perform_settings(change)?,
        }
        Ok(Given::Nothing)
    }

    fn perform_settings(&mut self, change: &Change) -> Outcome<()> {
        match change {
            Change::PutFunctionConcurrency { function, reserved } => {
                let others = self.reserved()
                    - self.get(function)?.observed.reserved_concurrency.unwrap_or_default();
                if others.saturating_add(*reserved) > CONCURRENCY_MAX - UNRESERVED_MIN {
                    let message = "Specified ReservedConcurrentExecutions for function decreases \
                                   account's UnreservedConcurrentExecution below its minimum";
                    return Err(invalid(function, message));
                }
                self.get(function)?.observed.reserved_concurrency = Some(*reserved);
            }
            Change::DeleteFunctionConcurrency { function } => {
                self.get(function)?.observed.reserved_concurrency = None;
            }
            Change::PutProvisionedConcurrency { function, alias, provisioned } => {
                let state = self.get(function)?;
                state.alias(alias)?;
                state.provisioned.insert(alias.clone(), *provisioned);
            }
            Change::DeleteProvisionedConcurrency { function, alias } => {
                // Deleting what is not there is no error (Lambda API reference: 204 always).
                self.get(function)?.provisioned.remove(alias);
            }
            _ => self.perform_alias(change)?,
        }
        Ok(())
    }

    fn perform_alias(&mut self, change: &Change) -> Outcome<()> {
        match change {
            Change::CreateAlias { function, alias, version, .. } => {
                let state = self.get(function)?;
                if state.aliases.contains_key(alias) {
                    return Err(conflict(alias, "Alias already exists"));
                }
                if !state.has_version(version) {
                    return Err(missing(version));
                }
                let (name, version) = (alias.clone(), version.clone());
                let new = Alias { name, version, permissions: BTreeMap::new() };
                state.aliases.insert(alias.clone(), new);
            }
            Change::UpdateAlias { function, alias, version } => {
                let state = self.get(function)?;
                if !state.has_version(version) {
                    return Err(missing(version));
                }
                state.alias(alias)?.version.clone_from(version);
            }
            Change::DeleteAlias { function, alias } => {
                let state = self.get(function)?;
                // Lambda answers 204 whether or not there is such an alias.
                state.aliases.remove(alias);
                state.provisioned.remove(alias);
            }
            Change::AddPermission { function, alias, statement, source_arn } => {
                let permissions = &mut self.get(function)?.alias(alias)?.permissions;
                if permissions.contains_key(statement) {
                    let message = format!("The statement id ({statement}) provided already exists");
                    return Err(conflict(alias, message));
                }
                permissions.insert(statement.clone(), source_arn.clone());
            }
            Change::RemovePermission { function, alias, statement } => {
                let permissions = &mut self.get(function)?.alias(alias)?.permissions;
                permissions.remove(statement).ok_or_else(|| missing(statement))?;
            }
            _ => return unreachable_change(change).map(drop),
        }
        Ok(())
    }

    fn create(&mut self, create: &CreateFunction, around: Around<'_>) -> Outcome<Given> {
        let function = &create.function;
        if self.functions.contains_key(function) {
            return Err(conflict(function, format!("Function already exist: {function}")));
        }
        stored(&create.code, around.storage)?;
        assumed(&create.settings.role, around.roles)?;
        let Place { partition, region, account_id } = around.place;
        let observed = Function {
            arn: format!("arn:{partition}:lambda:{region}:{account_id}:function:{function}"),
            code_sha256: create.code.sha256().to_owned(),
            configuration: configuration(&create.settings),
            architecture: create.architecture.clone(),
            is_image: matches!(create.code, Code::Image { .. }),
            state: "Pending".to_owned(),
            last_update_status: "Successful".to_owned(),
            state_reason: None,
            last_modified: None,
            reserved_concurrency: None,
            tags: create.tags.clone(),
            aliases: Vec::new(),
            versions: Vec::new(),
            provisioned_concurrency: BTreeMap::new(),
        };
        let mut state = State {
            observed,
            aliases: BTreeMap::new(),
            versions: Vec::new(),
            last_version: 0,
            provisioned: BTreeMap::new(),
            looks_left: 0,
            unready: None,
        };
        state.changed(around.knobs);
        let version = state.publish();
        self.functions.insert(function.clone(), state);
        Ok(Given::Id(version))
    }
}

/// Refuses code that is not where it is said to be.
fn stored(code: &Code, storage: &storage::Storage) -> Outcome<()> {
    match code {
        Code::Object { bucket, key, .. } if !storage.holds(bucket, key) => {
            let message = "Error occurred while GetObject. S3 Error Code: NoSuchKey";
            Err(invalid(key, message))
        }
        _ => Ok(()),
    }
}

fn assumed(role: &str, roles: &mut role::Roles) -> Outcome<()> {
    if roles.assumable(role) {
        return Ok(());
    }
    let message = "The role defined for the function cannot be assumed by Lambda.";
    Err(Refusal::new(role, Failed::NotReady, "InvalidParameterValueException", message))
}

/// An alias's resource policy as `GetPolicy` gives it.
fn policy(function_arn: &str, alias: &Alias) -> Option<String> {
    if alias.permissions.is_empty() {
        return None;
    }
    let statement = |(sid, source_arn): (&String, &String)| {
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": { "Service": "apigateway.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": format!("{function_arn}:{}", alias.name),
            "Condition": { "ArnLike": { "AWS:SourceArn": source_arn } },
        })
    };
    let statements: Vec<_> = alias.permissions.iter().map(statement).collect();
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Some(policy.to_string())
}
