//! The smoke test: the real URL is asked until the release answers.
//!
//! A new deployment takes seconds to reach all of API Gateway (API Gateway developer guide, "Deploying
//! a REST API"), so the first answers may be the old release's.

use super::super::authorize::{Signer, host_of, parse_url};
use super::super::invoke::send::{Reply, Shipment, send};
use super::super::request_form::{self, add_secret};
use super::session::Session;
use crate::apply::{Calls, Quiet};
use crate::error::{Exit, Failure};
use crate::identity::sigv4::BodyHash;
use crate::model::payload::render_request;
use crate::model::sample::{Options, sample_inputs};
use crate::plan::query::{Answer, Query};
use crate::plan::{Ledger, Observed};
use crate::serve::MODEL_VERSION;
use crate::spec::version::Version;
use crate::spec::{Auth, Secret};
use std::time::Duration;

/// Longest wait for the release to answer: propagation, a cold start, and a new API key's two minutes.
const SMOKE_MAX: Duration = Duration::from_secs(180);
/// Between two requests.
const INTERVAL: Duration = Duration::from_millis(500);
/// Longest wait for one reply: API Gateway's own limit and a little.
const REPLY_TIMEOUT: Duration = Duration::from_secs(35);
/// Seed of the sample request: the same one each time.
const SAMPLE_SEED: u64 = 0;

impl Session<'_> {
    /// Asks the endpoint until `version` answers; a canary's share of the requests is waited for.
    pub(super) fn smoke(&self, observed: &Observed, version: &Version) -> Result<(), Failure> {
        let ledger = Ledger::of(observed, &self.names);
        let (Some(api), Some(entry)) = (&observed.rest_api, ledger.newest_of(version)) else {
            return Ok(());
        };
        let Some(key) = self.smoke_key(observed)? else {
            self.context
                .console
                .talk("not asked whether it answers: the endpoint has no API key yet");
            return Ok(());
        };
        let inputs = sample_inputs(&entry.record.signature, SAMPLE_SEED, &Options::default())?;
        let body = render_request(&inputs, &entry.record.signature)?;
        let asked =
            Asked { url: format!("{}/predict", self.url(&api.id)), body, key, signer: None };
        let asked = self.with_signer(asked)?;
        self.context.console.detail(&format!("asking {} for `{version}`", asked.url));
        let mut last = String::from("no reply");
        let rounds = SMOKE_MAX.as_millis() / INTERVAL.as_millis();
        for _ in 0..rounds {
            match asked.send() {
                Ok(reply) => match answered_by(&reply) {
                    Some(by) if by == version.as_str() => {
                        self.context.console.talk(&format!("`{version}` answers"));
                        return Ok(());
                    }
                    Some(by) => last = format!("`{by}` answered"),
                    None => last = format!("status {}", reply.status),
                },
                Err(failure) => last = failure.message,
            }
            self.sleep(INTERVAL)?;
        }
        let text = format!(
            "smoke test: `{version}` did not answer within {} s at {}; last: {last}",
            SMOKE_MAX.as_secs(),
            asked.url
        );
        Err(Failure::new(Exit::Verdict, text)
            .with_hint("the release is made; `gwtf rollback` takes it back"))
    }

    /// The key that the endpoint asks for; `None` when it asks for one and there is none.
    fn smoke_key(&self, observed: &Observed) -> Result<Option<Option<Secret>>, Failure> {
        if self.settings.cloud_auth()? != Auth::ApiKey {
            return Ok(Some(None));
        }
        let usable = |key: &&crate::plan::observed::ApiKey| {
            key.enabled && observed.usage_plans.iter().any(|plan| plan.key_ids.contains(&key.id))
        };
        let Some(key) = observed.api_keys.iter().find(usable) else { return Ok(None) };
        let calls = Calls::new(&self.aws, &self.pace, &Quiet);
        let query = Query::GetApiKeyValue { api_key: key.id.clone() };
        match self.block_on(calls.ask(&query))? {
            Answer::Secret(value) => Ok(Some(Some(value))),
            _ => Ok(None),
        }
    }

    fn with_signer(&self, asked: Asked) -> Result<Asked, Failure> {
        if self.settings.cloud_auth()? != Auth::Iam {
            return Ok(asked);
        }
        let host = host_of(&parse_url(&asked.url)?, &[]);
        let signer = Signer::find(&host, self.settings, self.context)?;
        Ok(Asked { signer: Some(signer), ..asked })
    }
}

/// What is asked, again and again.
struct Asked {
    url: String,
    body: Vec<u8>,
    key: Option<Secret>,
    signer: Option<Signer>,
}

impl Asked {
    fn send(&self) -> Result<Reply, Failure> {
        let url = parse_url(&self.url)?;
        let mut headers = request_form::headers(&self.body);
        if let Some(key) = &self.key {
            add_secret(&mut headers, "x-api-key", "", key);
        }
        if let Some(signer) = &self.signer {
            let hash = BodyHash::of(&self.body);
            let at = super::super::now();
            for (name, value) in &signer.sign(&url, "POST", &headers, &hash, at)? {
                add_secret(&mut headers, name, "", value);
            }
        }
        let body = self.body.clone();
        send(Shipment { url, headers, body, timeout: REPLY_TIMEOUT, cacert: None })
    }
}

/// The version that answered, if one did.
fn answered_by(reply: &Reply) -> Option<&str> {
    reply.status.is_success().then(|| reply.header(MODEL_VERSION.as_str())).flatten()
}
