//! Layer: which method on which resource of this stage is meant.
//!
//! Paths are compared as they are written: only trailing slashes are ignored, as REST APIs do;
//! doubled slashes match nothing. A verb that the resource does not have is an unknown route too.

use super::exchange::Exchange;
use super::options::{Knobs, UnknownStage};
use super::refusal::{INCOMPLETE_SIGNATURE, MISSING_AUTHENTICATION_TOKEN, Refusal, UNKNOWN_STAGE};
use super::snapshot::{CompiledRoute, Snapshot};
use base64::Engine;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

/// The client's way to say another method than it could send.
const METHOD_OVERRIDE: &str = "x-http-method-override";
/// How an Authorization header with a `SigV4` signature begins.
pub(super) const SIGV4: &str = "AWS4-HMAC-SHA256";

/// Replaces the method if the client asks for it (documented under "known issues").
pub(super) fn override_method(head: &mut Parts, knobs: &Knobs, exchange: &mut Exchange) {
    if knobs.method_override
        && let Some(wanted) = head.headers.get(METHOD_OVERRIDE)
        && let Ok(method) = Method::from_bytes(wanted.as_bytes())
    {
        if let Some(seen) = &mut exchange.seen {
            seen.method = method.clone();
        }
        head.method = method;
    }
}

/// Finds the route.
pub(super) fn find(
    snapshot: &Snapshot,
    head: &Parts,
    knobs: &Knobs,
) -> Result<Arc<CompiledRoute>, Refusal> {
    let Some(path) = behind_stage(head.uri.path(), &snapshot.api.stage) else {
        let refusal = match knobs.unknown_stage {
            UnknownStage::Forbidden => Refusal::of(&UNKNOWN_STAGE),
            UnknownStage::MissingAuthenticationToken => unknown(&head.headers),
        };
        return Err(refusal.outside_stage());
    };
    let path = match path.trim_end_matches('/') {
        "" => Cow::Borrowed("/"),
        path if knobs.decode_path => decode(path),
        path => Cow::Borrowed(path),
    };
    snapshot
        .resources
        .get(path.as_ref())
        .and_then(|methods| methods.iter().find(|(method, _)| *method == head.method))
        .map(|(_, route)| Arc::clone(route))
        .ok_or_else(|| unknown(&head.headers))
}

/// What stands behind `/<stage>`: nothing, or a path that begins with a slash.
pub(super) fn behind_stage<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// A percent sign without two hexadecimal digits, or a result that is no UTF-8, stays as it is.
fn decode(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        let digit = |i: usize| behind.get(i).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            decoded.push((high << 4 | low) as u8);
            rest = &behind[2..];
        } else {
            decoded.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(path), Cow::Owned)
}

/// AWS takes an Authorization header on an unknown path for a signature and fails to read it.
///
/// Differs: which bytes AWS hashes is not known; here it is the header's value.
fn unknown(headers: &HeaderMap) -> Refusal {
    match headers.get(AUTHORIZATION) {
        Some(value) if !value.as_bytes().starts_with(SIGV4.as_bytes()) => {
            let digest = Sha256::digest(value.as_bytes());
            let hash = base64::engine::general_purpose::STANDARD.encode(digest);
            let message = format!(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with \
                 SHA-256 and encoded with Base64): '{hash}'."
            );
            Refusal::with_message(&INCOMPLETE_SIGNATURE, message, "")
        }
        _ => Refusal::of(&MISSING_AUTHENTICATION_TOKEN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_the_whole_first_segment() {
        assert_eq!(behind_stage("/prod", "prod"), Some(""));
        assert_eq!(behind_stage("/prod/", "prod"), Some("/"));
        assert_eq!(behind_stage("/prod/a//b/", "prod"), Some("/a//b/"));
        for path in ["/", "", "*", "/production/a", "//prod/a", "/Prod/a", "prod/a"] {
            assert_eq!(behind_stage(path, "prod"), None, "{path}");
        }
    }

    #[test]
    fn decodes_percents_and_leaves_the_rest() {
        assert_eq!(decode("/v1/models/a%3Apredict"), "/v1/models/a:predict");
        assert_eq!(decode("/a+b&c=d%20e%2"), "/a+b&c=d e%2");
        assert_eq!(decode("/%ff"), "/%ff");
    }
}
