//! Signs a run's requests, again and again while it goes on: a signature holds for five minutes.

use crate::cli::authorize::Signer;
use crate::console::Console;
use crate::error::Failure;
use crate::identity::sigv4::BodyHash;
use crate::load::authorize::{Authorize, Headers, NoProof};
use crate::load::plan::{Request, Target};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use url::Url;

/// Between two signings. The slowest request, sent within a minute of its signature and answered
/// within API Gateway's 29 s, is then well inside the five minutes that AWS allows for.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// The requests of a plan, ready to be signed.
pub(super) struct Signing {
    signer: Arc<Signer>,
    requests: Vec<Signable>,
    console: Console,
    clock: fn() -> SystemTime,
}

struct Signable {
    method: String,
    url: Url,
    headers: Headers,
    /// Bodies may be long: they are hashed once.
    hash: BodyHash,
}

impl Signing {
    /// Takes the requests to `target` in.
    ///
    /// # Errors
    /// A path that makes no URL.
    pub(super) fn new(
        signer: &Arc<Signer>,
        target: &Target,
        requests: &[Request],
        console: Console,
        clock: fn() -> SystemTime,
    ) -> Result<Self, Failure> {
        let signable = |request: &Request| {
            Ok(Signable {
                method: request.method.clone(),
                url: crate::cli::authorize::parse_url(&format!("{target}{}", request.path))?,
                headers: request.headers.clone(),
                hash: BodyHash::of(&request.body),
            })
        };
        let requests = requests.iter().map(signable).collect::<Result<_, Failure>>()?;
        Ok(Self { signer: Arc::clone(signer), requests, console, clock })
    }

    fn sign(&self) -> Result<Vec<Headers>, Failure> {
        let at = (self.clock)();
        let signed = |request: &Signable| {
            let Signable { method, url, headers, hash } = request;
            let added = self.signer.sign(url, method, headers, hash, at)?;
            Ok(added.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect())
        };
        self.requests.iter().map(signed).collect()
    }
}

impl Authorize for Signing {
    fn prove(&self) -> Result<Vec<Headers>, NoProof> {
        self.sign().map_err(|failure| {
            self.console.talk(&format!("warning: no new signature: {}", failure.message));
            failure.message.into()
        })
    }

    fn renew_every(&self) -> Duration {
        RENEW_EVERY
    }
}

impl fmt::Debug for Signing {
    /// Leaves the requests out: their headers may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("requests", &self.requests.len()).finish_non_exhaustive()
    }
}
