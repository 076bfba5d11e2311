//! AWS Signature Version 4 of one HTTP request: the headers that prove who sends it.
//!
//! The algorithm is that of the `aws-sigv4` crate, which the AWS SDK for Rust itself signs with; this
//! file settles how it is used for API Gateway and any service but S3 (IAM user guide, "Create a
//! signed AWS API request"): the path normalised and percent-encoded once more than it is sent, the
//! body always hashed, a session token signed.
//!
//! # Invariants
//! Pure: the instant is an argument. Secrets are never in an error nor in a `Debug` form.

use crate::error::{Exit, Explain};
use crate::spec::Secret;
use aws_credential_types::Credentials as SdkCredentials;
use aws_sigv4::http_request::{self, SignableBody, SignableRequest, SigningSettings};
use aws_sigv4::sign::v4;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::time::SystemTime;

/// API Gateway's name in a signature's scope.
pub const EXECUTE_API: &str = "execute-api";

/// Who signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id, which is sent in clear.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Secret,
    /// The token of temporary credentials.
    pub session_token: Option<Secret>,
    /// When temporary credentials end, if that is known.
    pub expires_at: Option<SystemTime>,
}

/// What a signature is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The Region that the service is called in.
    pub region: &'a str,
    /// The service: [`EXECUTE_API`].
    pub service: &'a str,
}

/// A body's SHA-256, which is what a signature covers of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyHash(String);

impl BodyHash {
    /// The hash of these bytes.
    pub fn of(body: &[u8]) -> Self {
        let digest = Sha256::digest(body);
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// A request as it will be sent.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// For instance `POST`.
    pub method: &'a str,
    /// The whole URL, percent-encoded as it is sent.
    pub url: &'a str,
    /// The headers that the signature is to cover beside `host`, which is the URL's unless it is
    /// among them. `authorization` and `user-agent` are never covered.
    pub headers: &'a [(String, String)],
    /// What is sent as its body.
    pub body: &'a BodyHash,
}

/// A request that cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL, a header, or the session token is nothing that HTTP can carry.
    #[error("signature: the URL, a header or the session token cannot be sent over HTTP")]
    NotHttp,
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some("percent-encode what the URL holds beyond visible ASCII".to_owned())
    }
}

/// The headers to send beside those of the request: `x-amz-date`, `authorization` and, of temporary
/// credentials, `x-amz-security-token`. A server takes them for five minutes from `at`.
///
/// # Errors
/// A part of the request is nothing that HTTP can carry.
pub fn sign(
    request: Request<'_>,
    scope: Scope<'_>,
    credentials: &Credentials,
    at: SystemTime,
) -> Result<Vec<(String, Secret)>, Error> {
    let identity = SdkCredentials::new(
        &credentials.access_key_id,
        credentials.secret_access_key.expose(),
        credentials.session_token.as_ref().map(|token| token.expose().to_owned()),
        None,
        "gwtf",
    )
    .into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(at)
        // The defaults are those of every service but S3: path normalised and encoded twice, the
        // session token covered.
        .settings(SigningSettings::default())
        .build()
        .expect("every parameter is set")
        .into();
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::Precomputed(request.body.0.clone());
    let signable = SignableRequest::new(request.method, request.url, headers, body)
        .map_err(|_may_show_a_secret| Error::NotHttp)?;
    let signed =
        http_request::sign(signable, &parameters).map_err(|_may_show_a_secret| Error::NotHttp)?;
    let (headers, _) = signed.into_parts().0.into_parts();
    Ok(headers
        .into_iter()
        .map(|header| (header.name().to_owned(), Secret::new(header.value())))
        .collect())
}

impl fmt::Debug for Request<'_> {
    /// Leaves header values out: they may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
