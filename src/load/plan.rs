//! What a run does, checked before anything is sent: the one argument of [`super::run()`].

mod target;

pub use target::Target;

use super::authorize::Authorize;
use super::error::Error;
use super::retry::RetryModel;
use super::schedule::Schedule;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The most connections a plan may ask for.
pub const CONNECTIONS_MAX: usize = 60_000;
/// The most generator threads.
pub const WORKERS_MAX: usize = 256;
/// The longest time a run waits for outstanding replies once sending has ended.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);
/// The widest window in which sends may be gathered.
pub const SEND_WINDOW_MAX: Duration = Duration::from_millis(1);
/// The shortest timeout.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// The longest timeout.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// A request prepared once and sent many times.
#[derive(Clone)]
pub struct Request {
    /// For instance `POST`.
    pub method: String,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// Beside `host`, `content-length`, `user-agent` and the key's header, which the client adds.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    /// Leaves header values out: they may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// How arrivals choose among the prepared requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// One after the other.
    #[default]
    RoundRobin,
    /// At random, by the plan's seed.
    Seeded,
}

/// An API key and its share of the requests. It is sent as `x-api-key`.
#[derive(Clone)]
pub struct WeightedKey {
    /// What reports call it.
    pub name: String,
    /// The header's value: a secret, never printed.
    pub value: String,
    /// Its share, against the other keys' weights.
    pub weight: f64,
}

impl fmt::Debug for WeightedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeightedKey")
            .field("name", &self.name)
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

/// When requests are sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// Open loop: when they are due, whatever became of earlier ones.
    Open(Schedule),
    /// Closed loop (`--rps max`): each connection sends its next request when it has its reply.
    Closed {
        /// Connections, each with one request under way.
        connections: usize,
        /// How long requests are sent.
        duration: Duration,
    },
}

/// The protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/1.1, one request at a time per connection.
    #[default]
    Http1,
    /// HTTP/2, many streams per connection; without TLS by prior knowledge.
    Http2,
}

/// How an `https` server is trusted.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// CA certificates beside the system's, PEM.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// Whether any certificate will do.
    pub insecure: bool,
}

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where requests go.
    pub target: Target,
    /// The requests; one at least.
    pub requests: Vec<Request>,
    /// How arrivals choose among them.
    pub choice: Choice,
    /// When they are sent.
    pub pace: Pace,
    /// The most connections open at once (open loop). Opened on demand, and reused.
    pub connections_max: usize,
    /// Streams per connection over HTTP/2, if the server allows as many.
    pub streams_max: usize,
    /// The longest wait for a whole reply, counted from the intended instant: a request that waits
    /// this long for a connection times out unsent.
    pub timeout: Duration,
    /// Keys; none sends no key.
    pub keys: Vec<WeightedKey>,
    /// What proves who sends, with headers that hold for a time; none adds none.
    pub authorize: Option<Arc<dyn Authorize>>,
    /// What clients do about failures.
    pub retry: RetryModel,
    /// The protocol version.
    pub http_version: HttpVersion,
    /// How an `https` server is trusted.
    pub tls: TlsOptions,
    /// How late a send may be on purpose, so that several leave at one waking. Zero by default:
    /// every send has a waking of its own, which is as exact as it gets. With more, a send waits for
    /// those due within this time after it, and all leave when the last one is due. What that adds
    /// is in lateness and response time, never hidden.
    pub send_window: Duration,
    /// Generator threads.
    pub workers: usize,
    /// Seed of every choice the run makes.
    pub seed: u64,
}

impl Plan {
    /// A plan with the defaults of the command line: one worker, 1,000 connections, 30 s timeout.
    pub fn new(target: Target, requests: Vec<Request>, pace: Pace) -> Self {
        Self {
            target,
            requests,
            choice: Choice::default(),
            pace,
            connections_max: 1_000,
            streams_max: 100,
            timeout: Duration::from_secs(30),
            keys: Vec::new(),
            authorize: None,
            retry: RetryModel::default(),
            http_version: HttpVersion::default(),
            tls: TlsOptions::default(),
            send_window: Duration::ZERO,
            workers: 1,
            seed: 0,
        }
    }

    /// How long requests are sent.
    pub fn duration(&self) -> Duration {
        match &self.pace {
            Pace::Open(schedule) => schedule.duration(),
            Pace::Closed { duration, .. } => *duration,
        }
    }

    /// Connections open at once, over all workers.
    pub(super) fn connections(&self) -> usize {
        match &self.pace {
            Pace::Open(_) => self.connections_max,
            Pace::Closed { connections, .. } => *connections,
        }
    }

    /// Checks every number and every request.
    ///
    /// # Errors
    /// The first thing that is out of range or not allowed.
    pub fn check(&self) -> Result<(), Error> {
        let range = |what, value: String, rule| Err(Error::Range { what, value, rule });
        if self.requests.is_empty() {
            return range("requests", "0".into(), "at least one is needed");
        }
        if !(1..=CONNECTIONS_MAX).contains(&self.connections()) {
            return range("connections", self.connections().to_string(), "from 1 to 60000");
        }
        if !(1..=WORKERS_MAX).contains(&self.workers) {
            return range("workers", self.workers.to_string(), "from 1 to 256");
        }
        if self.streams_max == 0 {
            return range("streams", "0".into(), "at least 1");
        }
        if !(TIMEOUT_MIN..=TIMEOUT_MAX).contains(&self.timeout) {
            return range("timeout", format!("{:?}", self.timeout), "from 1ms to 1h");
        }
        if self.send_window > SEND_WINDOW_MAX {
            return range("send window", format!("{:?}", self.send_window), "at most 1ms");
        }
        if self.duration().is_zero() {
            return range("duration", "0".into(), "more than no time");
        }
        for key in &self.keys {
            if !(key.weight > 0.0 && key.weight.is_finite()) {
                let what = format!("{}={}", key.name, key.weight);
                return range("key", what, "a weight is a number above 0");
            }
            if !is_header_value(&key.value) {
                return range("key", key.name.clone(), "the value is no header value");
            }
        }
        self.requests.iter().try_for_each(check_request)
    }
}

fn check_request(request: &Request) -> Result<(), Error> {
    let refused = |part, value: &str| Err(Error::Request { part, value: value.to_owned() });
    if !is_token(&request.method) || request.method == "CONNECT" {
        return refused("method", &request.method);
    }
    let path = &request.path;
    if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refused("path", path);
    }
    request.headers.iter().try_for_each(|(name, value)| check_header(name, value))
}

/// Refuses a header that HTTP does not allow or that frames the message: those are the client's.
pub(super) fn check_header(name: &str, value: &str) -> Result<(), Error> {
    let own = ["content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te"];
    let is_own = own.iter().any(|own| name.eq_ignore_ascii_case(own));
    if is_own || !is_token(name) || !is_header_value(value) {
        return Err(Error::Request { part: "header", value: name.to_owned() });
    }
    Ok(())
}

/// A `token` of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let symbols = b"!#$%&'*+-.^_`|~";
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || symbols.contains(&byte))
}

/// A field value without control characters.
fn is_header_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::super::schedule::ArrivalProcess;
    use super::*;

    fn request() -> Request {
        Request { method: "POST".into(), path: "/".into(), headers: vec![], body: Bytes::new() }
    }

    fn plan() -> Plan {
        let second = Duration::from_secs(1);
        let schedule = Schedule::constant(1.0, second, ArrivalProcess::Constant, 0).unwrap();
        let target = Target::parse("http://127.0.0.1:3000/prod/predict").unwrap();
        Plan::new(target, vec![request()], Pace::Open(schedule))
    }

    #[test]
    fn what_http_does_not_allow_is_refused() {
        let header = |name: &str, value: &str| Request {
            headers: vec![(name.to_owned(), value.to_owned())],
            ..request()
        };
        let bad = [
            Request { method: "P OST".into(), ..request() },
            Request { method: String::new(), ..request() },
            Request { path: "predict".into(), ..request() },
            Request { path: "/a b".into(), ..request() },
            Request { path: "/a\r\nx: y".into(), ..request() },
            header("a b", "c"),
            header("a", "b\r\nc: d"),
            header("Content-Length", "3"),
            header("transfer-encoding", "chunked"),
        ];
        for request in bad {
            let plan = Plan { requests: vec![request.clone()], ..plan() };
            assert!(matches!(plan.check(), Err(Error::Request { .. })), "{request:?}");
        }
        let good =
            Plan { requests: vec![header("Content-Type", "text/plain; charset=é")], ..plan() };
        assert!(good.check().is_ok());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let key =
            |value: &str, weight| WeightedKey { name: "k".into(), value: value.into(), weight };
        let bad = [
            Plan { requests: vec![], ..plan() },
            Plan { connections_max: 0, ..plan() },
            Plan { workers: 0, ..plan() },
            Plan { streams_max: 0, ..plan() },
            Plan { send_window: Duration::from_millis(2), ..plan() },
            Plan { timeout: Duration::ZERO, ..plan() },
            Plan { keys: vec![key("a", 0.0)], ..plan() },
            Plan { keys: vec![key("a", f64::NAN)], ..plan() },
            Plan { keys: vec![key("a\nb", 1.0)], ..plan() },
            Plan {
                pace: Pace::Closed { connections: 0, duration: Duration::from_secs(1) },
                ..plan()
            },
            Plan { pace: Pace::Closed { connections: 1, duration: Duration::ZERO }, ..plan() },
        ];
        for plan in bad {
            assert!(matches!(plan.check(), Err(Error::Range { .. })), "{plan:?}");
        }
        assert!(plan().check().is_ok());
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut plan = plan();
        plan.keys = vec![WeightedKey { name: "gold".into(), value: "hunter2".into(), weight: 1.0 }];
        plan.requests[0].headers.push(("authorization".into(), "hunter2".into()));
        assert!(!format!("{plan:?}").contains("hunter2"));
    }
}
