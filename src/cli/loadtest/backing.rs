//! What answers behind the twin that a run starts: sessions in this process, or sandboxes.

use super::{Args, Context};
use crate::cli::local::{
    self, FunctionLog, Loaded, Packaged, PoolChoice, SandboxUpstream, Served, Source,
};
use crate::config::{Settings, Target};
use crate::console::Console;
use crate::error::{Exit, Failure};
use crate::model::Signature;
use crate::release;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What answers behind the twin. Nothing of it runs yet.
pub(super) enum Backing {
    /// Sessions in this process.
    Here(Loaded),
    /// Sandboxes.
    Function(Box<Function>),
}

/// An artefact that runs as a function, in sandboxes of its own for each run.
pub(super) struct Function {
    packaged: Packaged,
    log: Arc<FunctionLog>,
    /// What of Lambda's limits is enforced; known once sandboxes have been started.
    limits: OnceLock<String>,
}

impl Backing {
    /// The artefact or the model that the command names, or what was released here.
    pub(super) fn take(
        args: &Args,
        context: &Context,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        let model = args.model.as_ref().map(|model| context.environment.folder().join(model));
        let packaged = local::packaged(
            &args.function,
            model.as_deref(),
            settings,
            &args.allow_unenforced,
            context,
        )?;
        if let Some(packaged) = packaged {
            let log = Arc::new(FunctionLog::open(settings, &context.console)?);
            return Ok(Self::Function(Box::new(Function {
                packaged,
                log,
                limits: OnceLock::new(),
            })));
        }
        let source =
            Source { engine: local::engine(settings, context)?, pool: PoolChoice::default() };
        Ok(Self::Here(load(model.as_deref(), settings, &source)?))
    }

    /// What a contract says of it.
    pub(super) fn served(&self) -> Served<'_> {
        match self {
            Self::Here(loaded) => loaded.served(),
            Self::Function(function) => function.packaged.served(),
        }
    }

    /// Inputs and outputs of the live version.
    pub(super) fn signature(&self) -> &Signature {
        match self {
            Self::Here(loaded) => loaded.live_service().signature(),
            Self::Function(function) => function.packaged.signature(),
        }
    }

    /// Most sandboxes at once, if there is a limit and there are sandboxes.
    pub(super) fn reserved_concurrency(&self) -> Option<u32> {
        match self {
            Self::Here(_) => None,
            Self::Function(function) => function.packaged.function().reserved_concurrency,
        }
    }

    /// Most sandboxes at once; 0 where there are none.
    pub(super) fn sandboxes_max(&self) -> u32 {
        match self {
            Self::Here(_) => 0,
            Self::Function(function) => function.packaged.sandboxes_max(),
        }
    }

    /// How a function ran, for a reader; empty when the model was served in this process.
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let Self::Function(function) = self else { return BTreeMap::new() };
        let options = function.packaged.function();
        let played = function.packaged.plays_cold_starts();
        [
            ("function memory", format!("{} MiB", options.memory_mib)),
            ("function timeout", format!("{} s", options.timeout.as_secs())),
            ("cold starts", if played { "played" } else { "measured" }.to_owned()),
            ("sandboxes", function.limits.get().cloned().unwrap_or_default()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Ends what outlives the single runs.
    pub(super) fn end(&self) {
        if let Self::Function(function) = self {
            function.log.end();
        }
    }
}

impl Function {
    /// The sandboxes of a run; what is enforced is said once.
    pub(super) fn start(&self, console: &Console) -> Result<Arc<SandboxUpstream>, Failure> {
        let upstream = self.packaged.start(&self.log)?;
        let limits = upstream.0.limits();
        if self.limits.set(limits.clone()).is_ok() {
            console.talk(&limits);
            console.talk(&format!("the function's lines go to {}", self.log.place()));
        }
        Ok(upstream)
    }
}

/// The model named, else the local releases, else gwtf.toml's model.
fn load(model: Option<&Path>, settings: &Settings, source: &Source) -> Result<Loaded, Failure> {
    if let Some(model) = model {
        return source.load_model(settings, model);
    }
    if let Some(target @ (Target::Lambda | Target::Ecs)) = settings.target {
        let text =
            format!("the endpoint's target is `{}`, which this build cannot call", target.name());
        return Err(Failure::new(Exit::Refused, text)
            .with_hint("name a MODEL or an artefact with --package, or any endpoint with --url"));
    }
    let store = settings.store();
    if store.has_ledger() {
        let view = release::view(&store.read()?, &store);
        return source.load_view(settings, &view, None);
    }
    match &settings.model {
        Some(model) => source.load_model(settings, model),
        None => Err(Failure::new(
            Exit::Refused,
            "nothing to load: no MODEL, no --url, and nothing was released here",
        )
        .with_hint("name one, for instance `gwtf loadtest MODEL --rps 100`")),
    }
}
