//! The plan's requests in the form that goes over the wire, built once.
//!
//! A *variant* is a request with a key: variant `r · keys + k` is request `r` with key `k`.

use super::super::error::Error;
use super::super::plan::{HttpVersion, Plan, Request, Target, WeightedKey};
use super::proofs::Proofs;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};

/// The header that carries an API key.
const KEY_HEADER: &str = "x-api-key";
const USER_AGENT: &str = concat!("gwtf/", env!("CARGO_PKG_VERSION"));

/// An HTTP/1.1 request around its proof and its key line: `head proof key "\r\n" body`, the last two
/// in `tail`.
#[derive(Debug)]
struct Http1Request {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Replies to HEAD have no body, whatever their headers say.
    is_head: bool,
}

/// All requests of a plan, ready to be written.
#[derive(Debug)]
pub(in super::super) struct Prepared {
    http1: Vec<Http1Request>,
    key_lines: Vec<Vec<u8>>,
    http2: Vec<http::Request<()>>,
    bodies: Vec<Bytes>,
    keys: usize,
}

impl Prepared {
    /// Builds the form of the plan's protocol version.
    ///
    /// # Errors
    /// A header or path that the checks of the plan let pass but the `http` crate does not.
    pub(in super::super) fn new(plan: &Plan) -> Result<Self, Error> {
        let mut prepared = Self {
            http1: Vec::new(),
            key_lines: Vec::new(),
            http2: Vec::new(),
            bodies: plan.requests.iter().map(|request| request.body.clone()).collect(),
            keys: plan.keys.len().max(1),
        };
        match plan.http_version {
            HttpVersion::Http1 => {
                let is_split = !plan.keys.is_empty() || plan.authorize.is_some();
                prepared.http1 =
                    plan.requests.iter().map(|r| http1(&plan.target, r, is_split)).collect();
                prepared.key_lines = plan.keys.iter().map(key_line).collect();
            }
            HttpVersion::Http2 => {
                for request in &plan.requests {
                    let plain = http2(&plan.target, request)?;
                    if plan.keys.is_empty() {
                        prepared.http2.push(plain);
                        continue;
                    }
                    for key in &plan.keys {
                        prepared.http2.push(with_key(plain.clone(), key)?);
                    }
                }
            }
        }
        Ok(prepared)
    }

    /// The variant that is request `request` with key `key`.
    pub(in super::super) fn variant(&self, request: usize, key: usize) -> usize {
        request * self.keys + key
    }

    /// The parts of an HTTP/1.1 request, to be written one after the other.
    pub(super) fn http1_parts<'a>(&'a self, variant: usize, proofs: &'a Proofs) -> [&'a [u8]; 4] {
        let request = &self.http1[variant / self.keys];
        let proof = proofs.lines(variant / self.keys);
        let key = self.key_lines.get(variant % self.keys).map_or(&[][..], Vec::as_slice);
        [&request.head, proof, key, &request.tail]
    }

    /// Length of the longest HTTP/1.1 request.
    pub(in super::super) fn longest_bytes(&self) -> usize {
        let key = self.key_lines.iter().map(Vec::len).max().unwrap_or(0);
        let rest = self.http1.iter().map(|request| request.head.len() + request.tail.len()).max();
        key + rest.unwrap_or(0)
    }

    /// Whether the variant is a HEAD request.
    pub(super) fn is_head(&self, variant: usize) -> bool {
        self.http1[variant / self.keys].is_head
    }

    /// The head and body of an HTTP/2 request.
    pub(super) fn http2(&self, variant: usize, proofs: &Proofs) -> (http::Request<()>, Bytes) {
        let mut head = self.http2[variant].clone();
        proofs.add(variant / self.keys, head.headers_mut());
        (head, self.bodies[variant / self.keys].clone())
    }
}

fn http1(target: &Target, request: &Request, is_split: bool) -> Http1Request {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    let mut line = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
    };
    let has =
        |wanted: &str| request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if !has("host") {
        line("host", &target.authority);
    }
    if !has("user-agent") {
        line("user-agent", USER_AGENT);
    }
    if !has("accept") {
        line("accept", "*/*");
    }
    for (name, value) in &request.headers {
        line(name, value);
    }
    if sends_length(request) {
        line("content-length", &request.body.len().to_string());
    }
    let mut tail = b"\r\n".to_vec();
    tail.extend_from_slice(&request.body);
    if !is_split {
        // Nothing comes in between: one part can be written more cheaply than two.
        head.append(&mut tail);
    }
    Http1Request { head, tail, is_head: request.method == "HEAD" }
}

/// Methods that mean nothing by a body send no length with an empty one (RFC 9110, section 8.6).
fn sends_length(request: &Request) -> bool {
    !request.body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH")
}

fn key_line(key: &WeightedKey) -> Vec<u8> {
    format!("{KEY_HEADER}: {}\r\n", key.value).into_bytes()
}

fn http2(target: &Target, request: &Request) -> Result<http::Request<()>, Error> {
    let host = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let authority = host.map_or(target.authority.as_str(), |(_, value)| value);
    let uri = http::Uri::builder()
        .scheme(if target.tls { "https" } else { "http" })
        .authority(authority)
        .path_and_query(request.path.as_str())
        .build()
        .map_err(|_bad| refused("path", &request.path))?;
    let method = http::Method::from_bytes(request.method.as_bytes())
        .map_err(|_bad| refused("method", &request.method))?;
    let mut built = http::Request::new(());
    *built.method_mut() = method;
    *built.uri_mut() = uri;
    *built.version_mut() = http::Version::HTTP_2;
    let headers = built.headers_mut();
    headers.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
    if sends_length(request) {
        headers.insert(http::header::CONTENT_LENGTH, request.body.len().into());
    }
    let own = [http::header::USER_AGENT, http::header::ACCEPT];
    for (name, value) in &request.headers {
        let key = header_name(name)?;
        if key == http::header::HOST {
            continue;
        }
        let value = header_value(name, value)?;
        if own.contains(&key) {
            headers.insert(key, value);
        } else {
            headers.append(key, value);
        }
    }
    Ok(built)
}

fn with_key(mut request: http::Request<()>, key: &WeightedKey) -> Result<http::Request<()>, Error> {
    let mut value = header_value(KEY_HEADER, &key.value)?;
    value.set_sensitive(true);
    request.headers_mut().insert(HeaderName::from_static(KEY_HEADER), value);
    Ok(request)
}

pub(super) fn header_name(name: &str) -> Result<HeaderName, Error> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_bad| refused("header", name))
}

pub(super) fn header_value(name: &str, value: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_bytes(value.as_bytes()).map_err(|_bad| refused("header", name))
}

fn refused(part: &'static str, value: &str) -> Error {
    Error::Request { part, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::super::plan::Pace;
    use super::*;
    use std::time::Duration;

    fn plan(http_version: HttpVersion) -> Plan {
        let request = |method: &str, body: &'static str| Request {
            method: method.into(),
            path: "/p?q=1".into(),
            headers: vec![("Content-Type".into(), "application/json".into())],
            body: Bytes::from_static(body.as_bytes()),
        };
        let key = |n: usize| WeightedKey {
            name: format!("k{n}"),
            value: format!("secret{n}"),
            weight: 1.0,
        };
        let target = Target::parse("http://h:8080/").unwrap();
        let pace = Pace::Closed { connections: 1, duration: Duration::from_secs(1) };
        let mut plan = Plan::new(target, vec![request("POST", "{}"), request("HEAD", "")], pace);
        plan.keys = vec![key(0), key(1)];
        plan.http_version = http_version;
        plan
    }

    #[test]
    fn http1_requests_are_whole_and_carry_their_key() {
        let prepared = Prepared::new(&plan(HttpVersion::Http1)).unwrap();
        let text = |variant| {
            String::from_utf8(prepared.http1_parts(variant, &Proofs::none()).concat()).unwrap()
        };
        let agent = USER_AGENT;
        assert_eq!(
            text(prepared.variant(0, 1)),
            format!(
                "POST /p?q=1 HTTP/1.1\r\nhost: h:8080\r\nuser-agent: {agent}\r\naccept: */*\r\n\
                 Content-Type: application/json\r\ncontent-length: 2\r\nx-api-key: secret1\r\n\r\n{{}}"
            )
        );
        assert_eq!(
            text(prepared.variant(1, 0)),
            format!(
                "HEAD /p?q=1 HTTP/1.1\r\nhost: h:8080\r\nuser-agent: {agent}\r\naccept: */*\r\n\
                 Content-Type: application/json\r\nx-api-key: secret0\r\n\r\n"
            )
        );
        assert!(prepared.is_head(prepared.variant(1, 0)) && !prepared.is_head(1));
    }

    #[test]
    fn http2_requests_carry_the_same() {
        let prepared = Prepared::new(&plan(HttpVersion::Http2)).unwrap();
        let (head, body) = prepared.http2(prepared.variant(0, 1), &Proofs::none());
        assert_eq!(head.uri(), "http://h:8080/p?q=1");
        assert_eq!(head.headers()["x-api-key"], "secret1");
        assert_eq!(head.headers()["content-length"], "2");
        assert_eq!(body, "{}");
        assert!(!format!("{head:?}").contains("secret1"));
        let (head, _) = prepared.http2(prepared.variant(1, 0), &Proofs::none());
        assert_eq!(
            (head.method().as_str(), &head.headers()["x-api-key"]),
            ("HEAD", &HeaderValue::from_static("secret0"))
        );
    }

    #[test]
    fn without_keys_a_variant_is_a_request() {
        let mut plan = plan(HttpVersion::Http1);
        plan.keys.clear();
        let prepared = Prepared::new(&plan).unwrap();
        assert_eq!(prepared.variant(1, 0), 1);
        assert!(
            !String::from_utf8(prepared.http1_parts(1, &Proofs::none()).concat())
                .unwrap()
                .contains("x-api-key")
        );
    }
}
