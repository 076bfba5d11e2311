//! The local endpoint as `serve` and `loadtest` start it: loaded versions behind the twin.

mod cold_starts;
mod engine;
mod function;
mod function_log;
mod host;
mod loaded;
mod packaged;
mod upstream;

pub(super) use engine::{check_loads, engine, library_for, locate_request, open_session};
pub(super) use function::{FunctionArgs, FunctionChoice};
pub(super) use function_log::FunctionLog;
pub(super) use host::{Hosted, Room, connections_room, host_options};
pub(super) use loaded::{Loaded, Source, servable_facts};
pub(super) use packaged::{Packaged, SandboxUpstream, packaged};
pub(super) use upstream::{Backend, DirectFront, Front, LocalUpstream};

use super::Context;
use crate::config::{Settings, Unenforced};
use crate::error::Failure;
use crate::gateway::access_log::Sink;
use crate::gateway::{Mode, Options, SystemClock, Twin};
use crate::runtime::{Batching, PoolOptions};
use crate::spec::access_log::FORMAT_JSON;
use crate::spec::endpoint::{Endpoint, Version};
use crate::spec::{ApiKey, Gateway, Integration, Throttle};
use std::sync::Arc;

/// What a command says about the contract beyond gwtf.toml.
#[derive(Debug, Clone, Default)]
pub(super) struct Overrides {
    pub(super) throttle: Option<Throttle>,
    pub(super) account_throttle: Option<Throttle>,
    pub(super) access_log: bool,
    pub(super) limiter_header: bool,
    pub(super) best_effort: Option<f64>,
    pub(super) allow_unenforced: Vec<Unenforced>,
}

/// How sessions are made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PoolChoice {
    pub(super) sessions: Option<usize>,
    pub(super) threads: Option<usize>,
    pub(super) queue_max: Option<usize>,
    pub(super) batching: Option<Batching>,
}

impl PoolChoice {
    /// The choice over what suits this machine.
    pub(super) fn options(&self) -> PoolOptions {
        let mut options = PoolOptions::defaults_for(cores());
        if let Some(sessions) = self.sessions {
            // Whoever names a number gets it, whatever it takes.
            (options.sessions, options.memory_extra_bytes_max) = (sessions, None);
            options.queue_max = options.queue_max.max(sessions);
        }
        if let Some(threads) = self.threads {
            options.intra_threads = threads;
        }
        if let Some(queue_max) = self.queue_max {
            options.queue_max = queue_max;
        }
        options.batching = self.batching;
        options
    }
}

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What a contract is made for: the versions that are served, and by what.
#[derive(Debug, Clone)]
pub(super) struct Served<'a> {
    pub(super) endpoint: &'a str,
    pub(super) versions: Vec<Version<'a>>,
    pub(super) live: &'a str,
    pub(super) integration: Integration,
}

/// The contract of what is served, under the settings and what the command says.
pub(super) fn contract(
    settings: &Settings,
    served: &Served<'_>,
    keys: &[ApiKey],
    overrides: &Overrides,
) -> Result<Gateway, Failure> {
    let versions = served.versions.clone();
    let mut endpoint = Endpoint::new(served.endpoint, &settings.stage, versions, served.live);
    endpoint.integration = served.integration;
    endpoint.auth = settings.local_auth(&overrides.allow_unenforced)?;
    endpoint.throttle = overrides.throttle.or(settings.throttle);
    if let Some(account_throttle) = overrides.account_throttle {
        endpoint.account_throttle = account_throttle;
    }
    endpoint.usage_plans.clone_from(&settings.usage_plans);
    endpoint.api_keys = keys.to_vec();
    endpoint.integration_timeout = settings.integration_timeout;
    endpoint.access_log_format = overrides.access_log.then(|| FORMAT_JSON.to_owned());
    Ok(Gateway::for_endpoint(endpoint)?)
}

/// A twin that enforces `contract`.
pub(super) fn twin(
    contract: &Gateway,
    overrides: &Overrides,
    seed: u64,
    access_log: impl Sink + 'static,
) -> Result<Arc<Twin>, Failure> {
    let mut options = Options::new(seed);
    options.debug_header = overrides.limiter_header;
    if let Some(overshoot) = overrides.best_effort {
        options.mode = Mode::BestEffort { seed, overshoot };
    }
    let clock = Arc::new(SystemClock::new());
    Ok(Arc::new(Twin::new(contract, options, clock, access_log)?))
}

/// Values of the API keys that gwtf.toml names.
pub(super) fn api_keys(settings: &Settings, context: &Context) -> Result<Vec<ApiKey>, Failure> {
    // OsRng is the operating system's own; a key's value must not follow from a seed.
    settings.api_keys(&context.environment, &mut rand::rng())
}
