//! Answering a registry's challenge: Basic, or a token from the service that it names.

use super::credentials::Credentials;
use super::error::Error;
use super::session::Session;
use crate::spec::Secret;
use base64::Engine as _;
use http::HeaderValue;
use http_auth::ChallengeParser;
use serde::Deserialize;
use std::sync::Mutex;
use url::Url;

/// Largest token reply read, bytes.
const TOKEN_BYTES_MAX: u64 = 1 << 20;
/// What the token service is told of the program.
const CLIENT_ID: &str = "gwtf";

/// The credentials of a session and what became of them.
pub(super) struct Authorizer {
    credentials: Option<Credentials>,
    scope: String,
    header: Mutex<Option<HeaderValue>>,
}

/// What a challenge asks for.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct TokenReply {
    token: Option<String>,
    access_token: Option<String>,
}

impl Authorizer {
    pub(super) fn new(credentials: Option<Credentials>, scope: String) -> Self {
        Self { credentials, scope, header: Mutex::new(None) }
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }

    /// The `Authorization` that the last challenge led to.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        self.header.lock().expect("nothing panics while it is held").clone()
    }

    /// Answers a challenge; whether there is something new to try. A token that has run out is
    /// replaced this way too.
    pub(super) async fn answer(
        &self,
        session: &Session,
        challenges: &[String],
    ) -> Result<bool, Error> {
        let Some(challenge) = challenges.iter().find_map(|text| parse(text)) else {
            return Ok(false);
        };
        let value = match challenge {
            Challenge::Basic => match &self.credentials {
                Some(Credentials::Basic { username, password }) => basic(username, password),
                _ => return Ok(false),
            },
            Challenge::Bearer { realm, service } => {
                let token = self.token(session, &realm, service.as_deref()).await?;
                format!("Bearer {token}")
            }
        };
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| session.misbehaved("its token is no header value"))?;
        value.set_sensitive(true);
        let mut header = self.header.lock().expect("nothing panics while it is held");
        let is_new = header.as_ref() != Some(&value);
        *header = Some(value);
        Ok(is_new)
    }

    async fn token(
        &self,
        session: &Session,
        realm: &str,
        service: Option<&str>,
    ) -> Result<String, Error> {
        const WHAT: &str = "asking for a token";
        let mut url = Url::parse(realm)
            .ok()
            .filter(|url| session.may_lead_to(url))
            .ok_or_else(|| session.misbehaved("its token service is not at an HTTPS address"))?;
        let mut fields = vec![("scope", self.scope.as_str())];
        fields.extend(service.map(|service| ("service", service)));
        let request = match &self.credentials {
            Some(Credentials::IdentityToken(token)) => {
                fields.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", CLIENT_ID),
                    ("refresh_token", token.expose()),
                ]);
                let form = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(&fields)
                    .finish();
                let kind = "application/x-www-form-urlencoded";
                session
                    .staying_client()?
                    .post(url)
                    .header(http::header::CONTENT_TYPE, kind)
                    .body(form)
            }
            credentials => {
                url.query_pairs_mut().extend_pairs(&fields);
                let request = session.client.get(url);
                match credentials {
                    Some(Credentials::Basic { username, password }) => {
                        request.basic_auth(username, Some(password.expose()))
                    }
                    _ => request,
                }
            }
        };
        let response = session.answer(WHAT, request).await?;
        if !response.status().is_success() {
            return Err(session.refused(WHAT, response).await);
        }
        let bytes = session.document(WHAT, response, TOKEN_BYTES_MAX).await?;
        let reply: Option<TokenReply> = serde_json::from_slice(&bytes).ok();
        reply
            .and_then(|reply| reply.token.or(reply.access_token))
            .ok_or_else(|| session.misbehaved("its token service gave no token"))
    }
}

fn basic(username: &str, password: &Secret) -> String {
    let pair = format!("{username}:{}", password.expose());
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// The first challenge that can be answered.
fn parse(header: &str) -> Option<Challenge> {
    ChallengeParser::new(header).map_while(Result::ok).find_map(|challenge| {
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        let is_bearer = challenge.scheme.eq_ignore_ascii_case("bearer");
        let realm = parameter("realm").filter(|_| is_bearer)?;
        Some(Challenge::Bearer { realm, service: parameter("service") })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_registries_ask_for() {
        assert_eq!(parse(r#"Basic realm="x""#), Some(Challenge::Basic));
        let hub = r#"Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a:pull""#;
        let bearer = Challenge::Bearer {
            realm: "https://auth.example/token".to_owned(),
            service: Some("registry.example".to_owned()),
        };
        assert_eq!(parse(hub), Some(bearer));
        for other in ["", "Bearer", "Negotiate", "Bearer service=\"x\"", "\u{7f}", "Digest realm=x"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
