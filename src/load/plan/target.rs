//! The target's URL, taken apart.

use super::super::error::Error;
use super::super::report::text::without_secrets;
use std::fmt;
use url::Url;

/// Where requests go: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `https`.
    pub(in super::super) tls: bool,
    /// Without brackets around an IPv6 address.
    pub(in super::super) host: String,
    /// With the scheme's default filled in.
    pub(in super::super) port: u16,
    /// As the `Host` header wants it.
    pub(in super::super) authority: String,
    path: String,
}

impl Target {
    /// Reads `http://…` or `https://…`. A fragment is ignored.
    ///
    /// # Errors
    /// The text is no such URL, or carries a user name or password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let shown = || without_secrets(text);
        let kind = |reason| Error::UrlKind { url: shown(), reason };
        let url = Url::parse(text).map_err(|source| Error::Url { url: shown(), source })?;
        if !url.username().is_empty() || url.password().is_some() {
            // The URL is in reports: a password in it would be too.
            return Err(Error::UrlKind {
                url: format!("{}://…@{}", url.scheme(), url.host_str().unwrap_or_default()),
                reason: "a user name or password in a URL is not supported",
            });
        }
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(kind("the scheme is neither `http` nor `https`")),
        };
        let host = url.host_str().ok_or_else(|| kind("it names no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| kind("it names no port"))?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { tls, host, port, authority, path })
    }

    /// The URL's path and query, for requests to it.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_taken_apart() {
        let cases = [
            (
                "http://127.0.0.1:3000/prod/predict",
                "127.0.0.1",
                3000,
                "127.0.0.1:3000",
                "/prod/predict",
            ),
            ("https://Example.com", "example.com", 443, "example.com", "/"),
            ("http://[::1]:8080/a?b=c#d", "::1", 8080, "[::1]:8080", "/a?b=c"),
        ];
        for (url, host, port, authority, path) in cases {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!((target.authority.as_str(), target.path()), (authority, path));
        }
        for url in [
            "",
            "127.0.0.1:3000",
            "/predict",
            "ftp://a/",
            "file:///etc",
            "http://",
            "http://a:99999/",
        ] {
            assert!(Target::parse(url).is_err(), "`{url}` was accepted");
        }
    }

    #[test]
    fn no_refusal_shows_a_password() {
        let urls = [
            "http://user:hunter2@host/",
            "ftp://user:hunter2@h/",
            "http://user:hunter2@h:99999/",
            "http://user:hunter2@[bad/",
            "http://user:a@hunter2@[bad/",
            "http://user:a//hunter2@[bad/",
            "user:hunter2@host:3000/",
            "http://h:99999/?key=hunter2",
        ];
        for url in urls {
            let error = Target::parse(url).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("hunter2"), "`{url}`: {text}");
        }
    }
}
