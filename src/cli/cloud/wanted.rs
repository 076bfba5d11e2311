//! From the settings to what a deploy asks for.

use super::session::Session;
use crate::config::Settings;
use crate::error::Failure;
use crate::iam;
use crate::model::{Digest, Signature};
use crate::plan::wanted::{FunctionWanted, GatewayWanted, Wanted};
use crate::spec::access_log::FORMAT_JSON;
use crate::spec::version::Version;
use std::collections::BTreeMap;

/// Days that logs are kept when nothing says otherwise.
const LOG_RETENTION_DAYS_DEFAULT: u32 = 30;

/// The version that is asked for.
pub(super) struct Asked {
    pub(super) version: Version,
    pub(super) model_sha256: Digest,
    pub(super) signature: Signature,
    pub(super) canary_percent: Option<u8>,
    pub(super) allow_breaking: bool,
}

/// What the settings and this version ask for; the artefact comes later, if it is needed.
pub(super) fn wanted(session: &Session<'_>, asked: Asked) -> Result<Wanted, Failure> {
    let settings = session.settings;
    Ok(Wanted {
        names: session.names.clone(),
        version: asked.version,
        model_sha256: asked.model_sha256,
        signature: asked.signature,
        artefact: None,
        canary_percent: asked.canary_percent,
        function: function(settings),
        gateway: gateway(settings)?,
        role: iam::execution_role(
            &session.names,
            tracing(settings),
            settings.file.function.permissions_boundary.clone(),
        ),
        log_retention_days: Some(log_retention_days(settings)),
        allow_breaking: asked.allow_breaking,
        stamp: session.stamp(),
        lock_id: None,
    })
}

/// The function as the settings have it.
pub(super) fn function(settings: &Settings) -> FunctionWanted {
    let written = &settings.file.function;
    let timeout = settings.function.timeout;
    FunctionWanted {
        memory_mib: settings.function.memory_mib,
        timeout_s: u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX),
        architecture: written.architecture.unwrap_or(crate::spec::Architecture::X86_64).to_string(),
        // None: Lambda encrypts variables under a grant to the very role that the function had then,
        // and a role made anew could not read those of published versions. gwtf-runtime sets what it
        // needs itself.
        environment: BTreeMap::new(),
        reserved_concurrency: settings.function.reserved_concurrency,
        provisioned_concurrency: written.provisioned_concurrency.unwrap_or(0),
        tracing: tracing(settings),
    }
}

fn tracing(settings: &Settings) -> bool {
    settings.file.observe.tracing.unwrap_or(false)
}

/// Days that logs are kept.
pub(super) fn log_retention_days(settings: &Settings) -> u32 {
    settings.file.observe.log_retention_days.unwrap_or(LOG_RETENTION_DAYS_DEFAULT)
}

/// The API beyond routes and models, as the settings have it.
pub(super) fn gateway(settings: &Settings) -> Result<GatewayWanted, Failure> {
    Ok(GatewayWanted {
        auth: settings.cloud_auth()?,
        throttle: settings.throttle,
        integration_timeout: settings.integration_timeout,
        access_log_format: settings.access_logs.then(|| FORMAT_JSON.to_owned()),
        usage_plans: settings.usage_plans.clone(),
        key_plans: settings.key_plans.clone(),
    })
}
