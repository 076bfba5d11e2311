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
