//! The headers of all requests that prove who sends them, in the form that goes over the wire.

use super::super::authorize::Headers;
use super::super::error::Error;
use super::super::plan::{HttpVersion, Plan, check_header};
use super::prepared::{header_name, header_value};
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// A proof for each request of a plan; none holds no header for any.
#[derive(Debug)]
pub(in super::super) struct Proofs {
    /// HTTP/1.1: header lines.
    lines: Vec<Lines>,
    /// HTTP/2: headers.
    headers: Vec<Vec<(HeaderName, HeaderValue)>>,
}

/// Whole header lines; they may hold a secret.
struct Lines(Vec<u8>);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Proofs {
    /// No headers.
    pub(in super::super) fn none() -> Self {
        Self { lines: Vec::new(), headers: Vec::new() }
    }

    /// These headers for the plan's requests, in their order.
    ///
    /// # Errors
    /// A header that is not allowed, or not one list of headers for each request.
    pub(in super::super) fn new(plan: &Plan, headers: &[Headers]) -> Result<Self, Error> {
        if headers.len() != plan.requests.len() {
            return Err(Error::Range {
                what: "proofs",
                value: headers.len().to_string(),
                rule: "one for each request",
            });
        }
        for (name, value) in headers.iter().flatten() {
            check_header(name, value)?;
        }
        let mut proofs = Self::none();
        match plan.http_version {
            HttpVersion::Http1 => proofs.lines = headers.iter().map(lines).collect(),
            HttpVersion::Http2 => {
                proofs.headers = headers.iter().map(of_http2).collect::<Result<_, _>>()?;
            }
        }
        Ok(proofs)
    }

    /// The header lines of a request.
    pub(super) fn lines(&self, request: usize) -> &[u8] {
        self.lines.get(request).map_or(&[], |lines| &lines.0)
    }

    /// Adds the headers of a request.
    pub(super) fn add(&self, request: usize, to: &mut HeaderMap) {
        for (name, value) in self.headers.get(request).into_iter().flatten() {
            to.insert(name.clone(), value.clone());
        }
    }

    /// Length of the longest header lines.
    pub(in super::super) fn longest_bytes(&self) -> usize {
        self.lines.iter().map(|lines| lines.0.len()).max().unwrap_or(0)
    }
}

fn lines(headers: &Headers) -> Lines {
    let mut lines = Vec::new();
    for part in headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]) {
        lines.extend_from_slice(part.as_bytes());
    }
    Lines(lines)
}

fn of_http2(headers: &Headers) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let one = |(name, value): &(String, String)| {
        let mut kept = header_value(name, value)?;
        kept.set_sensitive(true);
        Ok((header_name(name)?, kept))
    };
    headers.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::{Pace, Request, Target};
    use super::super::prepared::Prepared;
    use super::*;
    use bytes::Bytes;
    use std::time::Duration;

    fn plan(http_version: HttpVersion) -> Plan {
        let request = |path: &str| Request {
            method: "POST".into(),
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::from_static(b"{}"),
        };
        let target = Target::parse("http://h/").unwrap();
        let pace = Pace::Closed { connections: 1, duration: Duration::from_secs(1) };
        let requests = vec![request("/a"), request("/b")];
        Plan { http_version, ..Plan::new(target, requests, pace) }
    }

    /// As a plan with an authorizer has it.
    fn headers() -> [Headers; 2] {
        ["secret-a", "secret-b"].map(|value| vec![("x-proof".to_owned(), value.to_owned())])
    }

    #[test]
    fn each_request_carries_its_own_proof() {
        let http1 = plan(HttpVersion::Http1);
        let proofs = Proofs::new(&http1, &headers()).unwrap();
        assert_eq!(proofs.lines(1), b"x-proof: secret-b\r\n");
        assert_eq!((proofs.longest_bytes(), proofs.lines(2)), (19, &b""[..]));
        assert_eq!(Proofs::none().lines(0), b"");

        let http2 = plan(HttpVersion::Http2);
        let proofs = Proofs::new(&http2, &headers()).unwrap();
        let prepared = Prepared::new(&http2).unwrap();
        let (head, _) = prepared.http2(prepared.variant(1, 0), &proofs);
        assert_eq!(head.headers()["x-proof"], "secret-b");
        let (head, _) = prepared.http2(prepared.variant(1, 0), &Proofs::none());
        assert!(!head.headers().contains_key("x-proof"));
    }

    #[test]
    fn proofs_are_not_printed() {
        for version in [HttpVersion::Http1, HttpVersion::Http2] {
            let shown = format!("{:?}", Proofs::new(&plan(version), &headers()).unwrap());
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
