//! An artefact that runs as a Lambda function: opened, described, its sandboxes started.

use super::super::Context;
use super::super::package::{Prepared, Wanted};
use super::loaded::UNRELEASED;
use super::upstream::Backend;
use super::{FunctionArgs, FunctionChoice, FunctionLog, Served};
use crate::config::{Function, Settings, Target, Unenforced};
use crate::error::Failure;
use crate::gateway::IntegrationError;
use crate::gateway::lambda_proxy::{FunctionCall, FunctionReply, Functions, LambdaProxy};
use crate::gateway::sandbox::{
    ACCOUNT_CONCURRENCY, ColdStarts, Direction, Fleet, FunctionOptions, InvokeError, InvokeRequest,
    Log,
};
use crate::model::Signature;
use crate::package::unpack::TaskRoot;
use crate::runtime::TELEMETRY_VARIABLE;
use crate::spec::limits::LAMBDA_UNZIPPED_BYTES_MAX;
use crate::spec::{Integration, Version};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long functions may go on that no client waits for any more.
const END_GRACE: Duration = Duration::from_secs(5);

/// An artefact and how it is to run. Nothing of it runs yet.
pub(in crate::cli) struct Packaged {
    root: TaskRoot,
    choice: FunctionChoice,
    /// Where sandboxes get their private folders.
    scratch: PathBuf,
}

/// The artefact that a command runs: the one that is named, or the model's own when the endpoint's
/// target is Lambda. `None` when the model is served in this process.
pub(in crate::cli) fn packaged(
    args: &FunctionArgs,
    model: Option<&Path>,
    settings: &Settings,
    allowed: &[Unenforced],
    context: &Context,
) -> Result<Option<Packaged>, Failure> {
    let scratch = scratch(context);
    let root = match (&args.package, settings.target, model) {
        (Some(artefact), _, _) => {
            TaskRoot::open(&context.environment.folder().join(artefact), &scratch)?
        }
        (None, Some(Target::Lambda), Some(model)) => task_root(model, settings, &scratch, context)?,
        (None, _, _) => {
            args.refuse_any()?;
            return Ok(None);
        }
    };
    Unenforced::refuse(&Unenforced::by_sandboxes(&settings.file), allowed)?;
    Ok(Some(Packaged { root, choice: args.choice(settings, context)?, scratch }))
}

/// Where artefacts are unpacked: a folder that other programs use so too.
fn scratch(context: &Context) -> PathBuf {
    context.environment.path("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// The model packaged for Lambda, in a private folder: the files that `gwtf package` would write.
fn task_root(
    model: &Path,
    settings: &Settings,
    scratch: &Path,
    context: &Context,
) -> Result<TaskRoot, Failure> {
    let wanted = Wanted::of_model(model, UNRELEASED);
    let prepared = Prepared::new(&wanted, settings, context)?;
    for warning in &prepared.warnings {
        context.console.talk(&format!("warning: {warning}"));
    }
    Ok(TaskRoot::of_entries(model, &prepared.entries, LAMBDA_UNZIPPED_BYTES_MAX, scratch)?)
}

impl Packaged {
    /// What a contract says of it.
    pub(in crate::cli) fn served(&self) -> Served<'_> {
        let manifest = self.root.manifest();
        Served {
            endpoint: &manifest.endpoint,
            versions: vec![Version { tag: &manifest.version, signature: &manifest.signature }],
            live: &manifest.version,
            integration: Integration::LambdaProxy,
        }
    }

    /// Inputs and outputs of its model.
    pub(in crate::cli) fn signature(&self) -> &Signature {
        &self.root.manifest().signature
    }

    /// How its function runs.
    pub(in crate::cli) fn function(&self) -> Function {
        self.choice.function
    }

    /// Most sandboxes at once.
    pub(in crate::cli) fn sandboxes_max(&self) -> u32 {
        self.choice.function.reserved_concurrency.unwrap_or(ACCOUNT_CONCURRENCY)
    }

    /// Whether cold starts are played, not made.
    pub(in crate::cli) fn plays_cold_starts(&self) -> bool {
        self.choice.cold_starts.is_some()
    }

    /// Starts its function, without a sandbox yet. Inside the runtime that is to run it.
    pub(in crate::cli) fn start(
        &self,
        log: &Arc<FunctionLog>,
    ) -> Result<Arc<SandboxUpstream>, Failure> {
        let manifest = self.root.manifest();
        let function = self.choice.function;
        let log = Arc::clone(log);
        let write: Log = Arc::new(move |line| log.write(line));
        let (endpoint, version) = (&manifest.endpoint, &manifest.version);
        let root = self.root.folder().to_owned();
        let mut options =
            FunctionOptions::new(root, self.scratch.clone(), endpoint, version, write);
        options.memory_mib = function.memory_mib;
        options.task_root_is_private = self.root.is_private();
        options.environment.insert(TELEMETRY_VARIABLE.to_owned(), "1".to_owned());
        options.timeout = function.timeout;
        options.reserved_concurrency = function.reserved_concurrency;
        if let Some(durations) = &self.choice.cold_starts {
            options.cold_starts = ColdStarts::Played { durations: durations.clone(), seed: 0 };
        }
        let fleet = Fleet::start(options)?;
        Ok(Arc::new(LambdaProxy(Sandboxes { version: manifest.version.clone(), fleet })))
    }
}

/// What the gateway makes of it. A fault's message may quote what the function was sent, so the
/// access log gets its type alone; the message is in the function's log.
fn integration_error(error: InvokeError) -> IntegrationError {
    match error {
        InvokeError::Throttled { .. } => IntegrationError::Throttled,
        InvokeError::PayloadTooLarge { direction: Direction::Request, .. } => {
            IntegrationError::EventTooLarge
        }
        InvokeError::FunctionError { error_type, .. } => {
            IntegrationError::FunctionError(error_type)
        }
        InvokeError::TimedOut { .. }
        | InvokeError::PayloadTooLarge { direction: Direction::Response, .. }
        | InvokeError::Gone => IntegrationError::FunctionError(error.to_string()),
    }
}

/// The sandboxes of the one version that an artefact holds.
pub(in crate::cli) struct Sandboxes {
    version: String,
    fleet: Fleet,
}

impl Sandboxes {
    /// What of Lambda's limits this machine enforces, in a line.
    pub(in crate::cli) fn limits(&self) -> String {
        self.fleet.limits().to_string()
    }
}

/// The twin's integration.
pub(in crate::cli) type SandboxUpstream = LambdaProxy<Sandboxes>;

impl Backend for SandboxUpstream {
    async fn end(&self) {
        self.0.fleet.drain(END_GRACE).await;
    }

    fn kill(&self) {
        self.0.fleet.kill();
    }
}

impl Functions for Sandboxes {
    async fn invoke(
        &self,
        version: &str,
        event: Bytes,
        call: FunctionCall,
    ) -> Result<FunctionReply, IntegrationError> {
        if version != self.version {
            let message = format!("version `{version}` is not in the artefact");
            return Err(IntegrationError::FunctionError(message));
        }
        let trace_id = call.trace_id.to_str().unwrap_or_default().to_owned();
        let request = InvokeRequest { request_id: None, trace_id };
        match self.fleet.invoke(event, request).await {
            Ok(invoked) => Ok(FunctionReply {
                payload: invoked.payload,
                cold_start: invoked.cold_start.is_some(),
            }),
            Err(error) => Err(integration_error(error)),
        }
    }
}
