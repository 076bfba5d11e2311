//! What a command shows an endpoint of who calls: a signature, a key, a token.
//!
//! `invoke` and `loadtest` share it, so that what one may call the other may load.
//!
//! # Invariants
//! No value of a credential is in a message. None is sent in clear to another machine.

mod signer;

pub(super) use signer::Signer;

use super::{Context, local};
use crate::config::{Settings, key_variable};
use crate::error::{Exit, Failure};
use crate::load::plan::Target;
use crate::spec::{ApiKey, Secret};
use url::Url;

/// Headers that hold a credential, whoever adds them.
const CREDENTIAL_HEADERS: [&str; 6] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
];

/// Most characters of a token or a key; API Gateway takes 10,240 bytes of headers in all.
const SECRET_CHARS_MAX: usize = 8_192;

/// A URL that requests can be sent to.
///
/// # Errors
/// It is none, or it carries a user name or a password.
pub(super) fn parse_url(text: &str) -> Result<Url, Failure> {
    Target::parse(text)?;
    let url = Url::parse(text).map_err(|_| Failure::new(Exit::Refused, "url: it is none"))?;
    Ok(url)
}

/// `Name: value` each. Not clap's to parse: it shows what it refuses, and that may be a credential.
pub(super) fn headers(texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let header = |text: &String| {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            Failure::new(Exit::Refused, "--header: a header without a colon")
                .with_hint("write it as `Name: value`")
        })?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    texts.iter().map(header).collect()
}

/// The secret in the variable that `flag` names: visible ASCII, as headers and tokens are.
///
/// # Errors
/// The variable is not set, or its value is nothing of that kind; the error does not show it.
pub(super) fn secret_from(flag: &str, name: &str, context: &Context) -> Result<Secret, Failure> {
    let Some(value) = context.environment.get_os(name) else {
        return Err(Failure::new(Exit::Refused, format!("{flag}: `{name}` is not set"))
            .with_hint(format!("export {name} with the value")));
    };
    let is_visible =
        |text: &&str| text.len() <= SECRET_CHARS_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    match value.to_str().filter(is_visible) {
        Some(text) => Ok(Secret::new(text)),
        None => Err(Failure::new(
            Exit::Refused,
            format!("{flag}: the value of `{name}` cannot be sent in a header"),
        )
        .with_hint(format!(
            "at most {SECRET_CHARS_MAX} visible ASCII characters, with no space or line end"
        ))),
    }
}

/// The value of the API key of this name: gwtf.toml's, else the environment's.
pub(super) fn key_value(name: &str, keys: &[ApiKey], context: &Context) -> Result<Secret, Failure> {
    let known = keys.iter().find(|key| key.name == name).map(|key| key.value.clone());
    let value = match known {
        Some(value) => Some(value),
        None => context.environment.api_key(name)?,
    };
    value.ok_or_else(|| {
        Failure::new(Exit::Refused, format!("--key: no API key is named `{name}`")).with_hint(
            format!("name it in a usage plan's `keys` in gwtf.toml, or set {}", key_variable(name)),
        )
    })
}

/// The value of a key that is named on the command line.
pub(super) fn named_key(
    name: &str,
    settings: &Settings,
    context: &Context,
) -> Result<Secret, Failure> {
    key_value(name, &local::api_keys(settings, context)?, context)
}

/// Refuses to send credentials where others can read them: over plain HTTP to another machine.
/// `named` says which, if any; headers that hold one are found here.
pub(super) fn refuse_in_clear(
    url: &Url,
    named: Option<&str>,
    headers: &[(String, String)],
) -> Result<(), Failure> {
    let header = headers.iter().map(|(name, _)| name).find(|name| {
        CREDENTIAL_HEADERS.iter().any(|credential| name.eq_ignore_ascii_case(credential))
    });
    let header = header.map(|name| format!("the header `{}`", name.to_ascii_lowercase()));
    let Some(what) = named.map(str::to_owned).or(header) else { return Ok(()) };
    if url.scheme() == "https" || is_loopback(url) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    let text = format!("url: {what} would go to `{host}` in clear, where others can read it");
    Err(Failure::new(Exit::Refused, text).with_hint("use https; plain http is for this machine"))
}

/// Refuses a second proof beside that of a flag that is given: both go into one header.
pub(super) fn refuse_two(
    flag: &str,
    is_given: bool,
    headers: &[(String, String)],
) -> Result<(), Failure> {
    if !is_given || !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        return Ok(());
    }
    let text = format!("{flag}: --header has an `authorization` too");
    Err(Failure::new(Exit::Refused, text).with_hint("give one of them"))
}

/// The host that the request names.
pub(super) fn host_of(url: &Url, headers: &[(String, String)]) -> String {
    let given = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    given.map_or_else(|| url.host_str().unwrap_or_default().to_owned(), |(_, host)| host.clone())
}

/// Whether the URL is this machine's, by its own word; no name is looked up.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_go_over_tls_or_stay_on_this_machine() {
        let none: [(String, String); 0] = [];
        let header = [("X-Api-Key".to_owned(), "hunter2".to_owned())];
        for (url, is_fine) in [
            ("https://example.com/", true),
            ("http://127.0.0.1:3000/", true),
            ("http://127.9.9.9/", true),
            ("http://[::1]:3000/", true),
            ("http://localhost/", true),
            ("http://api.localhost/", true),
            ("http://example.com/", false),
            ("http://10.0.0.1/", false),
            ("http://0.0.0.0/", false),
            ("http://localhost.example.com/", false),
            ("http://127.0.0.1.example.com/", false),
            ("http://[::ffff:10.0.0.1]/", false),
        ] {
            let url = Url::parse(url).unwrap();
            let signed = refuse_in_clear(&url, Some("a signature"), &none);
            let keyed = refuse_in_clear(&url, None, &header);
            assert_eq!((signed.is_ok(), keyed.is_ok()), (is_fine, is_fine), "{url}");
            assert!(refuse_in_clear(&url, None, &none).is_ok());
            let text = keyed.err().map(|failure| failure.message).unwrap_or_default();
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
