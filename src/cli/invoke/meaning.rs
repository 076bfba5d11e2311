//! What a refusal means in API Gateway's terms, and what to do about it. Pure.
//!
//! Statuses, names (`x-amzn-ErrorType`) and bodies are those of API Gateway developer guide,
//! "Gateway response types", and of replies recorded from AWS; the same status means different
//! things, and the name or the body tells them apart.

use super::send::Reply;

/// What the request showed of who calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Proof {
    pub(super) signed: bool,
    pub(super) token: bool,
    pub(super) key: bool,
}

/// The next step after a refusal.
pub(super) fn hint(reply: &Reply, proof: &Proof) -> Option<String> {
    // A name may have a URL behind a colon (AWS's REST-JSON protocol).
    let named = reply.header("x-amzn-errortype").unwrap_or_default();
    let named = named.split(':').next().unwrap_or_default();
    let body = String::from_utf8_lossy(&reply.body);
    let hint = match reply.status.as_u16() {
        300..400 => "redirects are not followed: name the final URL with --url",
        400 => {
            "the body is not what the model takes: compare it with `gwtf inspect MODEL`, and try \
             it with `gwtf infer MODEL --input FILE`"
        }
        401 if proof.token => {
            "the authorizer refused the token: it may have expired, or be of another issuer or \
             audience"
        }
        401 => "the authorizer wants a token: name its variable with --bearer-from",
        403 => return Some(forbidden(named, &body, *proof).to_owned()),
        404 => "there is no such route: check the stage and --path",
        413 => {
            "the body is too long: API Gateway takes 10 MB, a Lambda function 6 MB with the \
             body in base64 when it is binary; send fewer rows"
        }
        414 => "the URL is too long: API Gateway takes 10,240 bytes",
        415 => "the endpoint takes no such content type: name another with --header",
        429 if named == "LimitExceededException" || body.contains("Limit Exceeded") => {
            "the key's quota is used up: it starts anew with the next period of its usage plan"
        }
        429 => {
            "throttled by a usage plan, the stage or the account: try later, with a back-off \
             that grows and varies; AWS says no time"
        }
        500 if named == "AuthorizerConfigurationException" => {
            "the authorizer failed or answered with no policy: see its own log"
        }
        500 => {
            "the function was throttled (its concurrency is used up), or the API may not invoke \
             it: see the stage's execution log and the function's throttles"
        }
        502 => "the function crashed or answered in another form: see its log",
        503 => "the endpoint is overloaded or not ready: try again in a while",
        504 => {
            "the model took longer than the integration may (29 s unless configured otherwise): \
             a cold start, or too many rows"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

/// 403 has the most meanings of all.
fn forbidden(named: &str, body: &str, proof: Proof) -> &'static str {
    match named {
        "MissingAuthenticationTokenException" if proof.signed => {
            "there is no such route: check the stage and --path"
        }
        "MissingAuthenticationTokenException" => {
            "there is no such route, or it wants signed requests: check the stage and --path, or \
             add --sigv4"
        }
        "IncompleteSignatureException" => {
            "there is no such route (AWS then takes any `authorization` for a signature): check \
             the stage and --path"
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" if body.contains("expired") => {
            "this machine's clock is wrong by minutes: set it"
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" => {
            "the secret key, the Region (--region) or the host is another than AWS expects"
        }
        "ExpiredTokenException" => "the credentials have expired: sign in again (`aws sso login`)",
        "UnrecognizedClientException" | "InvalidClientTokenId" => {
            "AWS does not know these credentials: check the profile"
        }
        "AccessDeniedException" if proof.signed => {
            "the caller needs execute-api:Invoke on the resource named, in its own policies and \
             in the API's"
        }
        "AccessDeniedException" => {
            "the authorizer or the API's policy does not allow this caller this route"
        }
        "ForbiddenException" if proof.key => {
            "the key is unknown, disabled or in no usage plan of this stage; or the host is no \
             API's, or a firewall rule refused"
        }
        "ForbiddenException" => {
            "the endpoint wants an API key (--key or --key-from); or the host is no API's, or a \
             firewall rule refused"
        }
        _ => "the caller may not: check the credentials and what they allow",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue, StatusCode};
    use std::time::Duration;

    const NOTHING: Proof = Proof { signed: false, token: false, key: false };

    fn hint_of(status: u16, named: &'static str, body: &str, proof: Proof) -> String {
        let mut headers = HeaderMap::new();
        if !named.is_empty() {
            headers.insert("x-amzn-errortype", HeaderValue::from_static(named));
        }
        let status = StatusCode::from_u16(status).unwrap();
        let body = body.as_bytes().to_vec();
        let reply = Reply { status, headers, body, took: Duration::ZERO };
        hint(&reply, &proof).unwrap_or_default()
    }

    #[test]
    fn one_status_means_several_things() {
        let signed = Proof { signed: true, ..NOTHING };
        let token = Proof { token: true, ..NOTHING };
        let key = Proof { key: true, ..NOTHING };
        let missing = "MissingAuthenticationTokenException";
        for (status, named, body, proof, part) in [
            (401, "UnauthorizedException", "", NOTHING, "--bearer-from"),
            (401, "UnauthorizedException", "", token, "expired"),
            (403, missing, "", NOTHING, "--sigv4"),
            (403, missing, "", signed, "no such route"),
            (403, "InvalidSignatureException", "Signature expired: 2026", signed, "clock"),
            (403, "InvalidSignatureException", "does not match", signed, "--region"),
            (403, "AccessDeniedException:http://x/", "", signed, "execute-api:Invoke"),
            (403, "AccessDeniedException", "", token, "authorizer"),
            (403, "ForbiddenException", "", NOTHING, "--key"),
            (403, "ForbiddenException", "", key, "unknown, disabled"),
            (413, "", "", NOTHING, "10 MB"),
            (429, "TooManyRequestsException", "", key, "throttled"),
            (429, "LimitExceededException", "", key, "quota"),
            (429, "", r#"{"message":"Limit Exceeded"}"#, key, "quota"),
            (500, "InternalServerErrorException", "", NOTHING, "concurrency"),
            (500, "AuthorizerConfigurationException", "", token, "authorizer"),
            (502, "", "", NOTHING, "crashed"),
            (504, "", "", NOTHING, "29 s"),
            (302, "", "", NOTHING, "redirects"),
        ] {
            let hint = hint_of(status, named, body, proof);
            assert!(hint.contains(part), "{status} {named} {body}: {hint}");
        }
        assert_eq!(hint_of(418, "", "", NOTHING), "");
    }
}
