//! The smoke test: the real URL is asked until the release answers.
//!
//! A new deployment takes seconds to reach all of API Gateway (API Gateway developer guide, "Deploying
//! a REST API"), so the first answers may be the old release's.

use super::super::authorize::{Signer, host_of, parse_url};
use super::super::invoke::send::{Reply, Shipment, send};
use super::super::request_form::{self, add_secret};
use super::deployed::keys;
use super::session::Session;
use crate::error::{Exit, Failure};
use crate::identity::sigv4::BodyHash;
use crate::model::payload::render_request;
use crate::model::sample::{Options, sample_inputs};
use crate::plan::{Ledger, Observed};
use crate::serve::MODEL_VERSION;
use crate::spec::version::Version;
use crate::spec::{Auth, Secret};
use std::time::Duration;
use tokio::time::Instant;

/// How long a release may take to answer: propagation, a cold start, and a new API key's two minutes.
const SMOKE_TIMEOUT_DEFAULT: &str = "180s";
/// Replies of the version, one after the other, that show that it is live.
const REPLIES_IN_A_ROW: u32 = 3;
/// Between two requests that did not show it.
const INTERVAL: Duration = Duration::from_millis(500);
/// Longest wait for one reply: API Gateway's own limit and a little.
const REPLY_TIMEOUT: Duration = Duration::from_secs(35);
/// Seed of the sample request: the same one each time.
const SAMPLE_SEED: u64 = 0;

/// What is looked at after a release.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(in crate::cli) struct SmokeArgs {
    /// Do not look whether the release answers (AWS)
    #[arg(long)]
    no_smoke: bool,
    /// How long the release may take to answer (AWS)
    #[arg(long, value_name = "TIME", default_value = SMOKE_TIMEOUT_DEFAULT)]
    #[arg(value_parser = crate::load::duration::parse, conflicts_with = "no_smoke")]
    smoke_timeout: Duration,
}

impl SmokeArgs {
    /// How long to wait for an answer; `None`: nobody asks.
    pub(in crate::cli) fn timeout(self) -> Option<Duration> {
        (!self.no_smoke).then_some(self.smoke_timeout)
    }
}

impl Session<'_> {
    /// Asks the endpoint until `version` answers; a canary's share of the requests is waited for.
    pub(super) fn smoke(
        &self,
        observed: &Observed,
        version: &Version,
        timeout: Duration,
    ) -> Result<(), Failure> {
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
        // Of a canary one reply is proof; elsewhere the one before may have been a canary's.
        let is_canary = ledger.live().is_some_and(|live| live.record.version != *version);
        let wanted = if is_canary { 1 } else { REPLIES_IN_A_ROW };
        let mut replies = 0;
        let began = Instant::now();
        let last = loop {
            let left = timeout.saturating_sub(began.elapsed());
            // Asked once at least.
            let last = match asked.send(left.clamp(INTERVAL, REPLY_TIMEOUT)) {
                Ok(reply) => match answered_by(&reply) {
                    Some(by) if by == version.as_str() => {
                        replies += 1;
                        if replies == wanted {
                            self.context.console.talk(&format!("`{version}` answers"));
                            return Ok(());
                        }
                        continue;
                    }
                    Some(by) => format!("`{by}` answered"),
                    None => reply.refusal(),
                },
                Err(failure) => failure.message,
            };
            replies = 0;
            if began.elapsed() + INTERVAL >= timeout {
                break last;
            }
            self.sleep(INTERVAL)?;
        };
        let (seconds, url) = (timeout.as_secs_f64(), &asked.url);
        let text = format!(
            "smoke test: `{version}` did not answer within {seconds} s at {url}; last: {last}"
        );
        let hint = format!(
            "the release is made; `gwtf rollback` takes it back; the function's log group is `{}`",
            self.names.function_log_group()
        );
        Err(Failure::new(Exit::Verdict, text).with_hint(hint))
    }

    /// The key that the endpoint asks for; `None` when it asks for one and there is none.
    fn smoke_key(&self, observed: &Observed) -> Result<Option<Option<Secret>>, Failure> {
        if self.settings.cloud_auth()? != Auth::ApiKey {
            return Ok(Some(None));
        }
        let first = keys(self, observed)?.into_iter().next();
        Ok(first.map(|key| Some(key.value)))
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
    fn send(&self, timeout: Duration) -> Result<Reply, Failure> {
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
        send(Shipment { url, headers, body, timeout, cacert: None })
    }
}

/// The version that answered, if one did.
fn answered_by(reply: &Reply) -> Option<&str> {
    reply.status.is_success().then(|| reply.header(MODEL_VERSION.as_str())).flatten()
}
