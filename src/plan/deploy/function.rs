//! The function: its code and configuration, the published version, the alias, who may invoke it.

use super::super::action::{Difference, Verb};
use super::super::change::{Change, Code, CreateFunction, FunctionSettings};
use super::super::ledger::Ledger;
use super::super::observed::{Function, FunctionConfiguration, Observed};
use super::super::wanted::{Artefact, ArtefactForm, Wanted};
use super::{FUNCTION_VERSION, Planner, Refused};
use crate::model::Digest;
use crate::spec::limits::LAMBDA_ZIP_UPLOAD_BYTES_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// HTTP methods of an endpoint's routes; each has a permission of its own on each alias.
const VERBS: [&str; 2] = ["GET", "POST"];

/// What the plan knows of the function once its actions are listed.
pub(super) struct PlannedFunction {
    /// The published version's number, or its placeholder.
    pub(super) version: String,
    /// The artefact's digest.
    pub(super) artefact_sha256: Digest,
    /// The action that publishes the version.
    pub(super) published: Option<usize>,
    /// The action that makes or moves the alias.
    alias: Option<usize>,
    /// All actions that a release has to wait for.
    pub(super) done: Vec<usize>,
}

/// The code that the version shall run, as Lambda names it, and the artefact's digest.
fn wanted_code(wanted: &Wanted, observed: &Observed, ledger: &Ledger) -> Option<(String, Digest)> {
    if let Some(kept) = ledger.kept(&wanted.version) {
        let function = observed.function.as_ref()?;
        let version =
            function.versions.iter().find(|version| version.version == kept.function_version)?;
        return Some((version.code_sha256.clone(), kept.record.artefact_sha256));
    }
    let artefact = wanted.artefact.as_ref()?;
    Some((code_sha256(artefact), artefact.digest))
}

pub(super) fn needs_artefact(wanted: &Wanted, observed: &Observed, ledger: &Ledger) -> bool {
    let Some(function) = &observed.function else { return true };
    let Some(kept) = ledger.kept(&wanted.version) else { return true };
    let code = function.versions.iter().find(|one| one.version == kept.function_version);
    let Some(code) = code.map(|version| version.code_sha256.as_str()) else { return true };
    published(function, code, &configuration(wanted)).is_none() && function.code_sha256 != code
}

/// The newest published version of this code and configuration.
fn published<'a>(
    function: &'a Function,
    code_sha256: &str,
    configuration: &FunctionConfiguration,
) -> Option<&'a str> {
    let same = |one: &&super::super::observed::FunctionVersion| {
        one.code_sha256 == code_sha256 && one.configuration == *configuration
    };
    function.versions.iter().rev().find(same).map(|one| one.version.as_str())
}

/// What the function shall run as.
pub(in crate::plan) fn configuration(wanted: &Wanted) -> FunctionConfiguration {
    let names = &wanted.names;
    FunctionConfiguration {
        role: names.role_arn(&names.execution_role()),
        memory_mib: wanted.function.memory_mib,
        timeout_s: wanted.function.timeout_s,
        environment: wanted.function.environment.clone(),
        tracing: wanted.function.tracing,
    }
}

/// Lambda names a zip by base64 of its SHA-256, an image by its digest's digits.
fn code_sha256(artefact: &Artefact) -> String {
    match artefact.form {
        ArtefactForm::Zip { .. } => BASE64.encode(artefact.digest.bytes()),
        ArtefactForm::Image { .. } => artefact.digest.to_string(),
    }
}

impl Planner<'_> {
    pub(super) fn function(
        &mut self,
        role: Vec<usize>,
        log_group: Vec<usize>,
    ) -> Result<PlannedFunction, Refused> {
        let (wanted, observed, ledger) = (self.wanted, self.observed, self.ledger);
        let (code_sha256, artefact_sha256) = wanted_code(wanted, observed, ledger)
            .expect("the artefact is there whenever `needs_artefact` says so");
        let mut planned = PlannedFunction {
            version: String::new(),
            artefact_sha256,
            published: None,
            alias: None,
            done: Vec::new(),
        };
        let before: Vec<usize> = role.into_iter().chain(log_group).collect();
        match &observed.function {
            None => {
                let publish = self.create_function(before)?;
                planned.version = self.gives(publish, FUNCTION_VERSION);
                planned.published = Some(publish);
            }
            Some(function) => {
                let same = published(function, &code_sha256, &configuration(wanted));
                if let Some(version) = same {
                    planned.version = version.to_owned();
                    let name = wanted.names.function();
                    let reason = format!("its version {version} is what shall run");
                    self.keep(("function", &name), reason);
                    planned.done.extend(before);
                } else {
                    let publish = self.publish(function, &code_sha256, before)?;
                    planned.version = self.gives(publish, FUNCTION_VERSION);
                    planned.published = Some(publish);
                }
            }
        }
        planned.done.extend(planned.published);
        self.alias(&mut planned)?;
        self.reserved_concurrency(&mut planned);
        Ok(planned)
    }

    fn create_function(&mut self, mut before: Vec<usize>) -> Result<usize, Refused> {
        let wanted = self.wanted;
        let name = wanted.names.function();
        let (code, uploaded) = self.code()?;
        before.extend(uploaded);
        let create = Change::CreateFunction(Box::new(CreateFunction {
            function: name.clone(),
            code,
            architecture: wanted.function.architecture.clone(),
            settings: self.function_settings(),
            description: format!("Model endpoint {}", wanted.names.endpoint),
            tags: wanted.names.tags(),
        }));
        let made = self.act(Verb::Create, ("function", &name), "it is not there", create, before);
        self.wait(made);
        Ok(made)
    }

    /// A new version of a function that is there.
    fn publish(
        &mut self,
        function: &Function,
        code_sha256: &str,
        mut before: Vec<usize>,
    ) -> Result<usize, Refused> {
        let name = self.wanted.names.function();
        let object = ("function", name.as_str());
        let differences = differences(&function.configuration, &configuration(self.wanted));
        if !differences.is_empty() {
            let change = Change::UpdateFunctionConfiguration {
                function: name.clone(),
                settings: self.function_settings(),
            };
            let reason = "it shall run as something else";
            let action = self.act(Verb::Update, object, reason, change, before);
            self.differs(action, differences);
            self.wait(action);
            before = vec![action];
        }
        let version = self.wanted.version.clone();
        let publish = if function.code_sha256 == code_sha256 {
            let change = Change::PublishVersion {
                function: name.clone(),
                code_sha256: code_sha256.to_owned(),
            };
            let reason = format!("version `{version}` is published from the code that is there");
            self.act(Verb::Create, ("function version", &name), reason, change, before)
        } else {
            let (code, uploaded) = self.code()?;
            before.extend(uploaded);
            let change = Change::UpdateFunctionCode {
                function: name.clone(),
                code,
                architecture: self.wanted.function.architecture.clone(),
            };
            let reason = format!("the code of version `{version}` is published");
            self.act(Verb::Create, ("function version", &name), reason, change, before)
        };
        self.wait(publish);
        Ok(publish)
    }

    fn function_settings(&self) -> FunctionSettings {
        let FunctionConfiguration { role, memory_mib, timeout_s, environment, tracing } =
            configuration(self.wanted);
        FunctionSettings { role, memory_mib, timeout_s, environment, tracing }
    }

    /// The code, and the action that uploads it where it is not sent in the request itself.
    fn code(&mut self) -> Result<(Code, Option<usize>), Refused> {
        let wanted = self.wanted;
        let names = &wanted.names;
        let artefact = wanted.artefact.as_ref().expect("`needs_artefact` said so");
        let sha256 = code_sha256(artefact);
        match &artefact.form {
            ArtefactForm::Zip { path, size_bytes }
                if *size_bytes <= LAMBDA_ZIP_UPLOAD_BYTES_MAX =>
            {
                Ok((Code::Zip { path: path.clone(), sha256 }, None))
            }
            ArtefactForm::Zip { path, .. } => {
                let key = names.artefact_key(&artefact.digest.to_string());
                let code = Code::Object {
                    bucket: names.bucket.clone(),
                    key: key.clone(),
                    sha256: sha256.clone(),
                };
                if self.observed.objects.contains(&key) {
                    self.keep(("object", &key), "the artefact is there");
                    return Ok((code, None));
                }
                let put = Change::PutObject {
                    bucket: names.bucket.clone(),
                    owner: names.account_id.clone(),
                    key: key.clone(),
                    body: super::super::change::Body::File { path: path.clone(), sha256 },
                    condition: None,
                };
                let reason = "the zip is larger than what Lambda takes directly";
                Ok((code, Some(self.act(Verb::Create, ("object", &key), reason, put, []))))
            }
            ArtefactForm::Image { layout } => self.image(layout, &artefact.digest),
        }
    }

    fn image(
        &mut self,
        layout: &std::path::Path,
        digest: &Digest,
    ) -> Result<(Code, Option<usize>), Refused> {
        let names = &self.wanted.names;
        let repository = names.repository();
        let object = ("repository", repository.as_str());
        let mut after = Vec::new();
        if self.observed.repository.is_none() {
            let create =
                Change::CreateRepository { repository: repository.clone(), tags: names.tags() };
            after.push(self.act(Verb::Create, object, "it is not there", create, []));
        }
        let document = repository_policy(&names.function_arn());
        let observed = self.observed.repository.as_ref().and_then(|one| one.policy.as_deref());
        if !observed.is_some_and(|text| super::account::same_json(text, &document)) {
            let set = Change::SetRepositoryPolicy { repository: repository.clone(), document };
            let reason = "the function, and nobody else, is let in to pull";
            after = vec![self.act(Verb::Update, object, reason, set, after)];
        }
        let tag = self.wanted.version.to_string();
        let push =
            Change::PushImage { layout: layout.to_path_buf(), repository: repository.clone(), tag };
        let image = format!("{repository}:{}", self.wanted.version);
        let reason = "the version's image; layers that are there stay";
        let pushed = self.act(Verb::Create, ("image", &image), reason, push, after);
        let registry = names.registry();
        let uri = format!("{registry}/{repository}@sha256:{digest}");
        Ok((Code::Image { uri, sha256: digest.to_string() }, Some(pushed)))
    }

    fn alias(&mut self, planned: &mut PlannedFunction) -> Result<(), Refused> {
        let wanted = self.wanted;
        let name = wanted.names.alias(wanted.version.as_str())?;
        let function = wanted.names.function();
        let observed = self.observed.function.as_ref();
        let alias = observed.and_then(|one| one.aliases.iter().find(|alias| alias.name == name));
        let object = ("alias", name.as_str());
        let version = planned.version.clone();
        planned.alias = match alias {
            Some(alias) if alias.version == version => {
                self.keep(object, format!("it points to version {version}"));
                None
            }
            Some(alias) => {
                let observed = alias.version.clone();
                let change =
                    Change::UpdateAlias { function, alias: name.clone(), version: version.clone() };
                let reason = "it points to another version of the function";
                let action = self.act(Verb::Update, object, reason, change, planned.published);
                let desired =
                    if planned.published.is_some() { "the new one".to_owned() } else { version };
                self.differs(
                    action,
                    vec![Difference {
                        what: "function_version".to_owned(),
                        observed: Some(observed),
                        desired: Some(desired),
                    }],
                );
                Some(action)
            }
            None => {
                let change = Change::CreateAlias {
                    function,
                    alias: name.clone(),
                    version,
                    description: format!("model {}", wanted.model_sha256),
                };
                let reason = format!("version `{}` gets a pointer that stays", wanted.version);
                Some(self.act(Verb::Create, object, reason, change, planned.published))
            }
        };
        planned.done.extend(planned.alias);
        Ok(())
    }

    /// API Gateway may invoke each kept version's alias, by method, from this stage alone.
    pub(super) fn permissions(
        &mut self,
        planned: &PlannedFunction,
        api: Option<usize>,
    ) -> Result<Vec<usize>, Refused> {
        let wanted = self.wanted;
        let mut tags: Vec<String> =
            self.ledger.kept.iter().map(|kept| kept.record.version.to_string()).collect();
        if !tags.iter().any(|tag| tag == wanted.version.as_str()) {
            tags.push(wanted.version.to_string());
        }
        let rest_api = self.rest_api_id();
        let mut actions = Vec::new();
        for tag in tags {
            let alias = wanted.names.alias(&tag)?;
            let observed = self.observed.function.as_ref();
            let observed =
                observed.and_then(|one| one.aliases.iter().find(|one| one.name == alias));
            for verb in VERBS {
                let statement = format!("gwtf-{alias}-{verb}");
                let source_arn = wanted.names.execute_arn(&rest_api, verb, "*");
                let there = observed.and_then(|alias| alias.permissions.get(&statement));
                if there == Some(&source_arn) {
                    continue;
                }
                let object = format!("{alias}: {verb}");
                let function = wanted.names.function();
                let mut after: Vec<usize> = api.into_iter().collect();
                if tag == wanted.version.as_str() {
                    after.extend(planned.alias);
                }
                if there.is_some() {
                    let remove = Change::RemovePermission {
                        function: function.clone(),
                        alias: alias.clone(),
                        statement: statement.clone(),
                    };
                    let reason = "it is for another API or stage";
                    after.push(self.act(Verb::Delete, ("permission", &object), reason, remove, []));
                }
                let add =
                    Change::AddPermission { function, alias: alias.clone(), statement, source_arn };
                let reason = format!("the API may invoke version `{tag}` by {verb}");
                actions.push(self.act(Verb::Create, ("permission", &object), reason, add, after));
            }
        }
        if actions.is_empty() {
            self.keep(
                ("permissions", &wanted.names.function()),
                "the API may invoke every version",
            );
        }
        Ok(actions)
    }

    fn reserved_concurrency(&mut self, planned: &mut PlannedFunction) {
        let function = self.wanted.names.function();
        let observed = self.observed.function.as_ref().and_then(|one| one.reserved_concurrency);
        let wanted = self.wanted.function.reserved_concurrency;
        if observed == wanted {
            return;
        }
        let (change, reason) = match wanted {
            Some(reserved) => (
                Change::PutFunctionConcurrency { function: function.clone(), reserved },
                format!("at most {reserved} sandboxes, which no other function can take"),
            ),
            None => (
                Change::DeleteFunctionConcurrency { function: function.clone() },
                "it takes from the account's pool".to_owned(),
            ),
        };
        let object = ("reserved concurrency", function.as_str());
        let action = self.act(Verb::Update, object, reason, change, planned.published);
        let text = |value: Option<u32>| value.map(|value| value.to_string());
        let what = "reserved_concurrency".to_owned();
        let difference = Difference { what, observed: text(observed), desired: text(wanted) };
        self.differs(action, vec![difference]);
        planned.done.push(action);
    }

    /// Warm sandboxes for the live version; taken from versions that are live no more after the
    /// release.
    pub(super) fn provisioned_concurrency(
        &mut self,
        planned: &PlannedFunction,
        stage: Option<usize>,
    ) {
        let wanted = self.wanted;
        let count = wanted.function.provisioned_concurrency;
        let function = wanted.names.function();
        let Ok(alias) = wanted.names.alias(wanted.version.as_str()) else { return };
        let observed = self.observed.function.as_ref();
        let observed = observed.map(|one| one.provisioned_concurrency.clone()).unwrap_or_default();
        let object = ("provisioned concurrency", alias.as_str());
        if count > 0 && observed.get(&alias) != Some(&count) {
            let change = Change::PutProvisionedConcurrency {
                function: function.clone(),
                alias: alias.clone(),
                provisioned: count,
            };
            let reason = format!("{count} sandboxes are held warm");
            self.act(Verb::Update, object, reason, change, planned.done.iter().copied());
        }
        let leaves = |other: &String| *other != alias && wanted.canary_percent.is_none();
        for other in observed.keys().filter(|other| count == 0 || leaves(other)) {
            let change = Change::DeleteProvisionedConcurrency {
                function: function.clone(),
                alias: other.clone(),
            };
            let object = ("provisioned concurrency", other.as_str());
            self.act(Verb::Delete, object, "nothing is to be held warm there", change, stage);
        }
    }
}

/// Who may pull: Lambda, for this function (Lambda developer guide, "Amazon ECR permissions").
fn repository_policy(function_arn: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "GwtfFunctionPulls",
            "Effect": "Allow",
            "Principal": { "Service": "lambda.amazonaws.com" },
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "Condition": { "ArnLike": { "aws:SourceArn": function_arn } },
        }],
    })
    .to_string()
}

/// Which of the settings differ.
fn differences(
    observed: &FunctionConfiguration,
    desired: &FunctionConfiguration,
) -> Vec<Difference> {
    let environment = |one: &FunctionConfiguration| {
        // Names alone: values may be somebody's secret.
        one.environment.keys().cloned().collect::<Vec<_>>().join(", ")
    };
    let rows = [
        ("role", observed.role.clone(), desired.role.clone()),
        ("memory_mib", observed.memory_mib.to_string(), desired.memory_mib.to_string()),
        ("timeout_s", observed.timeout_s.to_string(), desired.timeout_s.to_string()),
        ("tracing", observed.tracing.to_string(), desired.tracing.to_string()),
    ];
    let mut differences: Vec<Difference> = rows
        .into_iter()
        .filter(|(_, observed, desired)| observed != desired)
        .map(|(what, observed, desired)| Difference {
            what: what.to_owned(),
            observed: Some(observed),
            desired: Some(desired),
        })
        .collect();
    if observed.environment != desired.environment {
        differences.push(Difference {
            what: "environment".to_owned(),
            observed: Some(environment(observed)),
            desired: Some(environment(desired)),
        });
    }
    differences
}
