//! One conversation with a registry: its address, its credentials, retries, bounded replies.

use super::auth::Authorizer;
use super::credentials::Credentials;
use super::error::{Error, detail};
use super::reference::{Reference, is_loopback, may_lead_to};
use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use url::Url;

/// Tries of a request, and of a blob without any byte getting through.
pub(super) const ATTEMPTS_MAX: u32 = 5;
/// Wait before the second try; it doubles up to [`BACKOFF_MAX`].
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// Longest wait before a try, also when the registry asks for a longer one.
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// Time for a connection to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without a byte going either way after which a request is given up; a registry may hash a
/// blob before it answers.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);
/// Most redirects followed.
const REDIRECTS_MAX: usize = 5;
/// Largest reply read where only its start matters, bytes.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;

/// A registry and the repository in it.
pub(super) struct Session {
    pub(super) client: reqwest::Client,
    pub(super) reference: Reference,
    /// Bytes of request bodies given to the network so far.
    pub(super) sent_bytes: Arc<AtomicU64>,
    base: Url,
    /// Whether the registry is on this machine.
    is_local: bool,
    authorizer: Authorizer,
}

/// A request before its body is made, so that it can be sent again.
pub(super) type Build<'a> = &'a (dyn Fn(&reqwest::Client) -> reqwest::RequestBuilder + Sync);

impl Session {
    /// A session for this repository; `action` is `pull` or `pull,push`.
    pub(super) fn new(
        reference: &Reference,
        credentials: Option<Credentials>,
        action: &'static str,
    ) -> Result<Self, Error> {
        let misbehaved = |reason: String| Error::Misbehaved {
            registry: reference.registry().to_owned(),
            reason,
        };
        let host = reference.api_host();
        let secure = Url::parse(&format!("https://{host}/v2/{}/", reference.repository()))
            .map_err(|error| misbehaved(error.to_string()))?;
        let is_local = is_loopback(&secure);
        let base = if is_local {
            let plain = format!("http://{host}/v2/{}/", reference.repository());
            Url::parse(&plain).map_err(|error| misbehaved(error.to_string()))?
        } else {
            secure
        };
        let client = client(is_local).map_err(|source| Error::Unreachable {
            registry: reference.registry().to_owned(),
            what: "setting up".to_owned(),
            source,
        })?;
        let scope = format!("repository:{}:{action}", reference.repository());
        let authorizer = Authorizer::new(credentials, scope);
        let sent_bytes = Arc::new(AtomicU64::new(0));
        Ok(Self { client, reference: reference.clone(), sent_bytes, base, is_local, authorizer })
    }

    /// An address below the repository.
    pub(super) fn url(&self, path: &str) -> Result<Url, Error> {
        self.base.join(path).map_err(|error| self.misbehaved(error.to_string()))
    }

    pub(super) fn misbehaved(&self, reason: impl Into<String>) -> Error {
        Error::Misbehaved { registry: self.reference.registry().to_owned(), reason: reason.into() }
    }

    /// Why a request did not get through; its address is left out, since it may hold a signature.
    pub(super) fn unreachable(&self, what: &str, source: reqwest::Error) -> Error {
        let registry = self.reference.registry().to_owned();
        Error::Unreachable { registry, what: what.to_owned(), source: source.without_url() }
    }

    pub(super) fn timed_out(&self, what: &str) -> Error {
        Error::TimedOut { registry: self.reference.registry().to_owned(), what: what.to_owned() }
    }

    /// Where a reply says to go on; plain HTTP is followed to loopback alone.
    pub(super) fn location(&self, response: &reqwest::Response) -> Result<Url, Error> {
        let text = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let text = text.ok_or_else(|| self.misbehaved("it does not say where to upload to"))?;
        let url = response.url().join(text);
        let url = url.map_err(|error| self.misbehaved(format!("its upload address: {error}")))?;
        if self.may_lead_to(&url) {
            return Ok(url);
        }
        Err(self.misbehaved("it names an upload address that is not HTTPS"))
    }

    /// Whether the registry may send its client there.
    pub(super) fn may_lead_to(&self, url: &Url) -> bool {
        may_lead_to(url, self.is_local)
    }

    /// A client that follows no redirect: for a body that holds a secret, which is the named
    /// service's alone.
    pub(super) fn staying_client(&self) -> Result<reqwest::Client, Error> {
        let client = builder(self.is_local).redirect(reqwest::redirect::Policy::none()).build();
        client.map_err(|source| self.unreachable("setting up", source))
    }

    /// The answer to a request, unless nothing moves for too long.
    pub(super) async fn answer(
        &self,
        what: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Error> {
        let mut answer = std::pin::pin!(request.send());
        loop {
            let before = self.sent_bytes.load(Ordering::Relaxed);
            match tokio::time::timeout(STALL_TIMEOUT, &mut answer).await {
                Ok(answer) => return answer.map_err(|source| self.unreachable(what, source)),
                Err(_) if self.sent_bytes.load(Ordering::Relaxed) != before => {}
                Err(_) => return Err(self.timed_out(what)),
            }
        }
    }

    /// The next bytes of a reply, unless they are too long in coming.
    pub(super) async fn next_piece(
        &self,
        what: &str,
        response: &mut reqwest::Response,
    ) -> Result<Option<bytes::Bytes>, Error> {
        match tokio::time::timeout(STALL_TIMEOUT, response.chunk()).await {
            Ok(piece) => piece.map_err(|source| self.unreachable(what, source)),
            Err(_) => Err(self.timed_out(what)),
        }
    }

    /// Sends once, with credentials where they belong, and once more when the registry asks for
    /// other ones. Any status is an answer.
    pub(super) async fn send(
        &self,
        what: &str,
        url: &Url,
        build: Build<'_>,
    ) -> Result<reqwest::Response, Error> {
        let is_own = url.origin() == self.base.origin();
        let send = async || {
            let mut request = build(&self.client);
            if is_own && let Some(value) = self.authorizer.header() {
                request = request.header(http::header::AUTHORIZATION, value);
            }
            self.answer(what, request).await
        };
        let response = send().await?;
        if response.status() != StatusCode::UNAUTHORIZED || !is_own {
            return Ok(response);
        }
        let challenges: Vec<String> = response
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect();
        if !self.authorizer.answer(self, &challenges).await? {
            return Ok(response);
        }
        send().await
    }

    /// Sends until it gets through or a refusal is final; the reply has one of the wanted statuses.
    pub(super) async fn send_retried(
        &self,
        what: &str,
        url: &Url,
        wanted: &[StatusCode],
        build: Build<'_>,
    ) -> Result<reqwest::Response, Error> {
        let mut attempt = 1;
        loop {
            let (error, asked) = match self.send(what, url, build).await {
                Ok(response) if wanted.contains(&response.status()) => return Ok(response),
                Ok(response) => {
                    let asked = retry_after(&response);
                    (self.refused(what, response).await, asked)
                }
                Err(error) => (error, None),
            };
            if !error.is_passing() || attempt >= ATTEMPTS_MAX {
                return Err(error);
            }
            self.back_off(attempt, asked).await;
            attempt += 1;
        }
    }

    /// Waits before the next try.
    pub(super) async fn back_off(&self, attempt: u32, asked: Option<Duration>) {
        let doubled = BACKOFF_FIRST.saturating_mul(1 << attempt.min(8).saturating_sub(1));
        tokio::time::sleep(asked.unwrap_or(doubled).min(BACKOFF_MAX)).await;
    }

    /// The error of a refusal.
    pub(super) async fn refused(&self, what: &str, response: reqwest::Response) -> Error {
        let status = response.status();
        // What a refusal says is a help; its status is enough.
        let body = self.document(what, response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
        Error::Refused {
            registry: self.reference.registry().to_owned(),
            what: what.to_owned(),
            status,
            detail: detail(&body),
            had_credentials: self.authorizer.has_credentials(),
            is_ecr: self.reference.ecr().is_some(),
        }
    }

    /// A document's bytes, up to a size.
    pub(super) async fn document(
        &self,
        what: &str,
        mut response: reqwest::Response,
        bytes_max: u64,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next_piece(what, &mut response).await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > bytes_max {
                return Err(self.misbehaved(format!("{what}: the reply is too large")));
            }
        }
        Ok(bytes)
    }
}

/// The wait that a reply asks for, in whole seconds; dates are not read.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn client(is_local: bool) -> Result<reqwest::Client, reqwest::Error> {
    let redirects = reqwest::redirect::Policy::custom(move |attempt| {
        let is_safe = may_lead_to(attempt.url(), is_local);
        if !is_safe || attempt.previous().len() > REDIRECTS_MAX {
            attempt.error("it leads away from HTTPS or too far")
        } else {
            attempt.follow()
        }
    });
    builder(is_local).redirect(redirects).build()
}

fn builder(is_local: bool) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("gwtf/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls())
        .connect_timeout(CONNECT_TIMEOUT);
    if is_local { builder.no_proxy() } else { builder }
}

/// TLS by ring, trusting what this machine trusts.
fn tls() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    // Certificates that do not parse are left out, as other programs do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
