//! One HTTP exchange: no redirect is followed, time and sizes are bounded.

use crate::error::{Exit, Failure, chain};
use crate::load::report::text::without_secrets;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Longest reply body, bytes: API Gateway's own 10 MB six times over, for endpoints that stream.
const REPLY_BYTES_MAX: usize = 64 << 20;
/// Time for a connection to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most characters of a refusal's body that are shown.
const REFUSAL_CHARS_MAX: usize = 2_000;

/// A request with all its headers.
pub(in crate::cli) struct Shipment {
    pub(in crate::cli) url: Url,
    pub(in crate::cli) headers: Vec<(String, String)>,
    pub(in crate::cli) body: Vec<u8>,
    pub(in crate::cli) timeout: Duration,
    /// Certificates to trust beside the system's, PEM.
    pub(in crate::cli) cacert: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug)]
pub(in crate::cli) struct Reply {
    pub(in crate::cli) status: StatusCode,
    pub(in crate::cli) headers: HeaderMap,
    pub(in crate::cli) body: Vec<u8>,
    pub(in crate::cli) took: Duration,
}

/// Sends a request and takes the whole reply.
///
/// # Errors
/// Nothing answers in time, or what comes is no reply or too long.
pub(in crate::cli) fn send(shipment: Shipment) -> Result<Reply, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::new(Exit::Machine, format!("the network cannot be used: {error}"))
    })?;
    runtime.block_on(exchange(shipment))
}

async fn exchange(shipment: Shipment) -> Result<Reply, Failure> {
    let place = shown(&shipment.url);
    let unreachable = |error: reqwest::Error| unreachable(&place, error);
    let client = client(&shipment)?;
    let headers = header_map(&shipment.headers)?;
    let began = tokio::time::Instant::now();
    let request = client.request(Method::POST, shipment.url).headers(headers).body(shipment.body);
    let mut response = request.send().await.map_err(unreachable)?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(unreachable)? {
        if body.len() + piece.len() > REPLY_BYTES_MAX {
            let text = format!("{place}: the reply is longer than {REPLY_BYTES_MAX} bytes");
            return Err(Failure::new(Exit::Machine, text));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Reply { status, headers, body, took: began.elapsed() })
}

fn client(shipment: &Shipment) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("gwtf/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls(shipment.cacert.as_deref())?)
        // A signature is for one URL, and a key for one host.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT.min(shipment.timeout))
        .timeout(shipment.timeout);
    if shipment.url.scheme() == "http" && super::authorize::is_loopback(&shipment.url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        Failure::new(Exit::Machine, format!("the HTTP client: {}", chain(&error.without_url())))
    })
}

/// TLS by ring, trusting what this machine trusts and the certificates given.
fn tls(cacert: Option<&[u8]>) -> Result<rustls::ClientConfig, Failure> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let mut roots = rustls::RootCertStore::empty();
    // Certificates of the system that do not parse are left out, as other programs do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = cacert {
        let refused =
            || Failure::new(Exit::Refused, "--cacert: the file holds no PEM certificates");
        let extra: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let extra = extra.ok().filter(|extra| !extra.is_empty()).ok_or_else(refused)?;
        for certificate in extra {
            roots.add(certificate).map_err(|_| refused())?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, Failure> {
    // These frame the message, and are the client's to write.
    const OWN: [&str; 4] = ["content-length", "transfer-encoding", "connection", "upgrade"];
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let refused = || {
            Failure::new(Exit::Refused, format!("--header: `{name}` cannot be sent so"))
                .with_hint("a name is a word, a value visible text; the length is gwtf's to say")
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        if OWN.contains(&key.as_str()) {
            return Err(refused());
        }
        let mut kept = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused())?;
        // Any of them may be a secret: none is for a log.
        kept.set_sensitive(true);
        map.append(key, kept);
    }
    Ok(map)
}

/// A URL for people: what its query holds may be secret.
pub(in crate::cli) fn shown(url: &Url) -> String {
    format!("`{}`", without_secrets(url.as_str()))
}

fn unreachable(place: &str, error: reqwest::Error) -> Failure {
    let (timed_out, connecting) = (error.is_timeout(), error.is_connect());
    let text = format!("{place}: {}", chain(&error.without_url()));
    let failure = Failure::new(Exit::Machine, text);
    match (timed_out, connecting) {
        (true, _) => failure.with_hint(
            "allow more time with --timeout; API Gateway itself gives an integration 29 s",
        ),
        (false, true) => failure.with_hint(
            "check the URL; the local endpoint is started with `gwtf serve`, and listens \
             elsewhere if it was given --port",
        ),
        _ => failure,
    }
}

impl Reply {
    /// A header's value, if it is text.
    pub(in crate::cli) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// One line about a reply: status, time, version, request.
    pub(in crate::cli) fn summary(&self) -> String {
        let mut parts = vec![format!("{} in {} ms", self.status, self.took.as_millis())];
        if let Some(version) = self.header("x-gwtf-model-version") {
            parts.push(format!("version {}", clean(version, 64)));
        }
        if self.header("x-gwtf-cold-start") == Some("true") {
            let init = self.header("x-gwtf-init-ms").map(|ms| format!(" ({} ms)", clean(ms, 16)));
            parts.push(format!("cold start{}", init.unwrap_or_default()));
        }
        if let Some(id) = self.header("x-amzn-requestid") {
            parts.push(format!("request {}", clean(id, 64)));
        }
        parts.join(", ")
    }

    /// What a refusal said: status, AWS's name for it, request, body.
    pub(in crate::cli) fn refusal(&self) -> String {
        let mut text = self.status.to_string();
        let named = self.header("x-amzn-errortype").map(|name| clean(name, 64));
        let id = self.header("x-amzn-requestid").map(|id| format!("request {}", clean(id, 64)));
        let facts: Vec<String> = named.into_iter().chain(id).collect();
        if !facts.is_empty() {
            text.push_str(&format!(" ({})", facts.join(", ")));
        }
        let body = clean(String::from_utf8_lossy(&self.body).trim(), REFUSAL_CHARS_MAX);
        if !body.is_empty() {
            text.push_str(&format!(": {body}"));
        }
        text
    }
}

/// Text from elsewhere that is safe for a terminal.
fn clean(text: &str, chars_max: usize) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let mut cleaned: String = text.chars().map(visible).take(chars_max).collect();
    if text.chars().nth(chars_max).is_some() {
        cleaned.push('…');
    }
    cleaned
}
