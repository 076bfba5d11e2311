//! The function: its code and configuration, the published version, the alias, who may invoke it.

use super::super::action::{Difference, Verb};
use super::super::change::{Change, CreateFunction, FunctionSettings};
use super::super::ledger::{Kept, Ledger};
use super::super::observed::{Function, FunctionConfiguration, Observed};
use super::super::record::Record;
use super::super::wanted::{Artefact, ArtefactForm, Wanted};
use super::{FUNCTION_VERSION, Planner, Refused, settings};
use crate::model::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What the plan knows of the function once its actions are listed.
pub(super) struct PlannedFunction {
    /// The published version's number, or its placeholder.
    pub(super) version: String,
    /// The artefact's digest.
    pub(super) artefact_sha256: Digest,
    /// The action that publishes the version.
    pub(super) published: Option<usize>,
    /// The action that makes or moves the alias.
    pub(super) alias: Option<usize>,
    /// What waits for a function that is not active yet, though nothing of it changes.
    waited: Option<usize>,
    /// All actions that a release has to wait for.
    pub(super) done: Vec<usize>,
}

/// The code of a version that is kept, as Lambda names it: what its record says, wherever somebody
/// may have pointed its alias since.
fn kept_code(function: &Function, kept: &Kept) -> String {
    let Record { function_version, artefact_sha256, .. } = &kept.record;
    let there = function.versions.iter().find(|one| one.version == *function_version);
    there.map_or_else(
        || lambda_name(artefact_sha256, function.is_image),
        |version| version.code_sha256.clone(),
    )
}

pub(super) fn needs_artefact(wanted: &Wanted, observed: &Observed, ledger: &Ledger) -> bool {
    let Some(function) = &observed.function else { return true };
    let Some(kept) = ledger.kept(&wanted.version) else { return true };
    let code = kept_code(function, kept);
    let is_published = published(function, &code, &configuration(wanted)).is_some();
    has_failed(function) || (!is_published && function.code_sha256 != code)
}

/// Whether Lambda could not make the function or its last update; nothing of it may be relied on.
fn has_failed(function: &Function) -> bool {
    function.state == "Failed" || function.last_update_status == "Failed"
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

/// What Lambda will say of an artefact's code.
pub(super) fn code_sha256(artefact: &Artefact) -> String {
    lambda_name(&artefact.digest, is_image(artefact))
}

/// Lambda names a zip by base64 of its SHA-256, an image by its digest's digits.
fn lambda_name(digest: &Digest, is_image: bool) -> String {
    if is_image { digest.to_string() } else { BASE64.encode(digest.bytes()) }
}

fn is_image(artefact: &Artefact) -> bool {
    matches!(artefact.form, ArtefactForm::Image { .. })
}

/// The code that a version shall run.
struct WantedCode {
    /// As Lambda names it.
    sha256: String,
    artefact_sha256: Digest,
    /// The function's version that runs it as configured, if there is one.
    published: Option<String>,
    /// Whether it has to be sent.
    is_sent: bool,
}

impl PlannedFunction {
    fn new(version: String, artefact_sha256: Digest, published: Option<usize>) -> Self {
        let (alias, waited, done) = (None, None, Vec::new());
        Self { version, artefact_sha256, published, alias, waited, done }
    }
}

impl Planner<'_> {
    pub(super) fn function(
        &mut self,
        role: Vec<usize>,
        log_group: Vec<usize>,
    ) -> Result<PlannedFunction, Refused> {
        let before: Vec<usize> = role.into_iter().chain(log_group).collect();
        let mut planned = match &self.observed.function {
            None => {
                let (publish, artefact_sha256) = self.create_function(before)?;
                let version = self.gives(publish, FUNCTION_VERSION);
                PlannedFunction::new(version, artefact_sha256, Some(publish))
            }
            Some(function) => {
                self.check_immutable(function)?;
                let code = self.wanted_code(function)?;
                if let Some(version) = code.published {
                    let mut planned = PlannedFunction::new(version, code.artefact_sha256, None);
                    planned.waited = self.keep_function(function, &planned.version);
                    planned.done.extend(before);
                    planned.done.extend(planned.waited);
                    planned
                } else {
                    let publish = self.publish(function, &code, before)?;
                    let version = self.gives(publish, FUNCTION_VERSION);
                    PlannedFunction::new(version, code.artefact_sha256, Some(publish))
                }
            }
        };
        planned.done.extend(planned.published);
        self.alias(&mut planned)?;
        self.reserved_concurrency(&mut planned);
        Ok(planned)
    }

    /// The code that is there already, or else the artefact's.
    fn wanted_code(&mut self, function: &Function) -> Result<WantedCode, Refused> {
        let (wanted, ledger) = (self.wanted, self.ledger);
        let configuration = configuration(wanted);
        let published = |code: &str| {
            let version = published(function, code, &configuration);
            version.filter(|_| !has_failed(function)).map(str::to_owned)
        };
        let kept = ledger.kept(&wanted.version);
        if let Some(kept) = kept {
            let sha256 = kept_code(function, kept);
            let published = published(&sha256);
            let is_latest = function.code_sha256 == sha256 && !has_failed(function);
            if published.is_some() || is_latest {
                let artefact_sha256 = kept.record.artefact_sha256;
                return Ok(WantedCode { sha256, artefact_sha256, published, is_sent: false });
            }
        }
        let artefact = wanted.artefact.as_ref().ok_or_else(|| self.without_artefact())?;
        if let Some(kept) = kept.filter(|kept| kept.record.artefact_sha256 != artefact.digest) {
            self.plan.notes.push(format!(
                "version `{}` is built anew: its artefact was {}, and is {} from now on",
                wanted.version,
                kept.record.artefact_sha256.short(),
                artefact.digest.short()
            ));
        }
        let sha256 = code_sha256(artefact);
        let is_sent = function.code_sha256 != sha256 || has_failed(function);
        let published = published(&sha256);
        Ok(WantedCode { sha256, artefact_sha256: artefact.digest, published, is_sent })
    }

    fn create_function(&mut self, mut before: Vec<usize>) -> Result<(usize, Digest), Refused> {
        let wanted = self.wanted;
        let name = wanted.names.function();
        let artefact = wanted.artefact.as_ref().ok_or_else(|| self.without_artefact())?;
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
        self.wait_for_version(made);
        Ok((made, artefact.digest))
    }

    /// The function stays; when a deploy was stopped before it was ready, that is waited for.
    fn keep_function(&mut self, function: &Function, version: &str) -> Option<usize> {
        let name = self.wanted.names.function();
        let wanted = configuration(self.wanted);
        let is_published =
            function.versions.iter().any(|one| one.configuration == function.configuration);
        if !is_published && function.configuration != wanted {
            // By hand, or by a deploy that was stopped before it published.
            let settings = self.function_settings();
            let change = Change::UpdateFunctionConfiguration { function: name.clone(), settings };
            let reason = format!("its version {version} runs, and the next one shall not differ");
            let action = self.act(Verb::Update, ("function", &name), reason, change, []);
            self.differs(action, differences(&function.configuration, &wanted));
            self.wait(action);
            return Some(action);
        }
        self.keep(("function", &name), format!("its version {version} is what shall run"));
        let ready = function.state != "Pending" && function.last_update_status != "InProgress";
        (!ready).then(|| {
            let kept = self.plan.actions.len() - 1;
            self.wait(kept);
            kept
        })
    }

    /// What no update can change: the kind of package, and the processor of a version.
    fn check_immutable(&self, function: &Function) -> Result<(), Refused> {
        let wanted = self.wanted;
        if let Some(artefact) = &wanted.artefact
            && is_image(artefact) != function.is_image
        {
            let kind = if function.is_image { "an image" } else { "a zip" };
            return Err(Refused::Limit {
                object: wanted.names.function(),
                complaint: format!("it was made from {kind}, and AWS changes that of no function"),
                fix: "set `package` as it was, or give the endpoint another name".to_owned(),
            });
        }
        let kept = self.ledger.kept(&wanted.version);
        let was = kept.and_then(|kept| kept.record.settings.get(settings::ARCHITECTURE));
        match was {
            Some(was) if *was != wanted.function.architecture => Err(Refused::Limit {
                object: format!("version {}", wanted.version),
                complaint: format!("its code is for {was}, not {}", wanted.function.architecture),
                fix: "deploy the model under a new tag".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The version's code is gone and nothing was given to make it from.
    pub(super) fn without_artefact(&self) -> Refused {
        let function = self.wanted.names.function();
        Refused::Gone {
            version: self.wanted.version.clone(),
            reason: format!("function `{function}` has no code of it any more"),
        }
    }

    /// A new version of a function that is there.
    fn publish(
        &mut self,
        function: &Function,
        wanted: &WantedCode,
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
        let publish = if wanted.is_sent {
            let (code, uploaded) = self.code()?;
            before.extend(uploaded);
            let change = Change::UpdateFunctionCode {
                function: name.clone(),
                code,
                architecture: self.wanted.function.architecture.clone(),
            };
            let reason = format!("the code of version `{version}` is published");
            self.act(Verb::Create, ("function version", &name), reason, change, before)
        } else {
            let code_sha256 = wanted.sha256.clone();
            let change = Change::PublishVersion { function: name.clone(), code_sha256 };
            let reason = format!("version `{version}` is published from the code that is there");
            self.act(Verb::Create, ("function version", &name), reason, change, before)
        };
        self.wait_for_version(publish);
        Ok(publish)
    }

    fn function_settings(&self) -> FunctionSettings {
        let FunctionConfiguration { role, memory_mib, timeout_s, environment, tracing } =
            configuration(self.wanted);
        FunctionSettings { role, memory_mib, timeout_s, environment, tracing }
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
                let after = planned.published.or(planned.waited);
                let action = self.act(Verb::Update, object, reason, change, after);
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
                let after = planned.published.or(planned.waited);
                Some(self.act(Verb::Create, object, reason, change, after))
            }
        };
        planned.done.extend(planned.alias);
        Ok(())
    }
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
