//! A deployed endpoint as those who call it need it: its URL, what it takes, and its keys.

use super::super::Context;
use super::session::Session;
use crate::apply::{Calls, Quiet};
use crate::config::Settings;
use crate::error::Failure;
use crate::model::Signature;
use crate::plan::query::{Answer, Query};
use crate::plan::{Ledger, Observed, Refused};
use crate::spec::version::Version;
use crate::spec::{ApiKey, Auth, Throttle};

/// What a caller of the endpoint has to know.
pub(in crate::cli) struct Deployed {
    /// Base of its URL, without a slash at its end.
    pub(in crate::cli) url: String,
    /// The endpoint's name.
    pub(in crate::cli) endpoint: String,
    /// The live version.
    pub(in crate::cli) live: Version,
    /// What the live version takes.
    pub(in crate::cli) signature: Signature,
    /// Who may call.
    pub(in crate::cli) auth: Auth,
    /// Enabled keys of its usage plans, with their values; none unless the endpoint wants keys.
    pub(in crate::cli) keys: Vec<ApiKey>,
    /// The stage's limit in force.
    pub(in crate::cli) throttle: Option<Throttle>,
    /// The account's limit in force.
    pub(in crate::cli) account_throttle: Option<Throttle>,
}

/// Looks the endpoint of gwtf.toml up.
pub(in crate::cli) fn deployed(
    settings: &Settings,
    context: &Context,
) -> Result<Deployed, Failure> {
    let session = Session::open(settings, context, None)?;
    let observed = session.observe()?;
    let ledger = Ledger::of(&observed, &session.names);
    let (Some(live), Some(api)) = (ledger.live(), &observed.rest_api) else {
        return Err(Refused::NothingReleased.into());
    };
    let auth = settings.cloud_auth()?;
    let keys = if auth == Auth::ApiKey { keys(&session, &observed)? } else { Vec::new() };
    let limit = |rate: Option<f64>, burst| {
        rate.filter(|rate| *rate >= 0.0)
            .zip(burst)
            .map(|(rate_rps, burst)| Throttle { rate_rps, burst })
    };
    let all = ledger.stage.as_ref().and_then(|stage| stage.method_settings.get("*/*"));
    let account = &observed.api_gateway_account;
    Ok(Deployed {
        url: session.url(&api.id),
        endpoint: session.names.endpoint.clone(),
        live: live.record.version.clone(),
        signature: live.record.signature.clone(),
        auth,
        keys,
        throttle: all.and_then(|all| limit(all.rate_rps, all.burst)),
        account_throttle: limit(account.rate_rps, account.burst),
    })
}

/// The values of the keys that may call.
pub(super) fn keys(session: &Session<'_>, observed: &Observed) -> Result<Vec<ApiKey>, Failure> {
    let calls = Calls::new(&session.aws, &session.pace, &Quiet);
    let mut keys = Vec::new();
    for key in observed.api_keys.iter().filter(|key| key.enabled) {
        let plan = observed.usage_plans.iter().find(|plan| plan.key_ids.contains(&key.id));
        let Some(plan) = plan else { continue };
        let query = Query::GetApiKeyValue { api_key: key.id.clone() };
        let Answer::Secret(value) = session.block_on(calls.ask(&query))? else { continue };
        keys.push(ApiKey {
            id: key.id.clone(),
            name: key.name.clone(),
            value,
            enabled: true,
            usage_plan: Some(plan.name.clone()),
        });
    }
    Ok(keys)
}
