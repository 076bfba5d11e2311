//! Lambda's Runtime API, version 2018-06-01, as a client.
//!
//! Facts: Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use super::wire::{Connection, WireError};
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use serde::Serialize;
use std::io;
use std::net::TcpStream;
use std::ops::Range;
use std::time::Duration;

/// Largest reply to anything but `next`, bytes: a status or an error document.
const ACKNOWLEDGEMENT_BYTES_MAX: usize = 64 * 1024;
/// How much more than Lambda's limit an event may take: the emulator checks none.
const EVENT_BYTES_MAX: usize = 2 * LAMBDA_PAYLOAD_BYTES_MAX;
/// How long a connection to the API on the same machine may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the Runtime API cannot be used any longer; the process ends.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No connection.
    #[error("Lambda's runtime API at `{address}` takes no connection")]
    Connect {
        /// Host and port.
        address: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The exchange broke.
    #[error("Lambda's runtime API: {0}")]
    Exchange(String),
    /// It answered something else than it should.
    #[error("Lambda's runtime API: status {status} for {call}")]
    Status {
        /// The status.
        status: u16,
        /// What was called.
        call: &'static str,
    },
}

/// An error as Lambda wants it. `error_type` is `Category.Reason`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fault<'a> {
    pub(super) error_message: &'a str,
    pub(super) error_type: &'a str,
    /// Lambda's field; gwtf's messages say where.
    pub(super) stack_trace: [&'a str; 0],
}

impl<'a> Fault<'a> {
    pub(super) fn new(error_type: &'a str, error_message: &'a str) -> Self {
        Self { error_message, error_type, stack_trace: [] }
    }
}

/// An event to answer.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    /// When the function times out, milliseconds since 1970.
    pub(super) deadline_ms: Option<u64>,
    pub(super) trace_id: Option<String>,
    /// Where the event lies; `None` when it is longer than any event.
    pub(super) event: Option<Range<usize>>,
}

/// A client of one Runtime API.
pub struct Api {
    address: String,
    connection: Option<Connection>,
    next: Vec<u8>,
    head: Vec<u8>,
}

impl Api {
    /// A client of the API at `address` (`AWS_LAMBDA_RUNTIME_API`, host and port).
    pub fn new(address: impl Into<String>) -> Self {
        let address = address.into();
        let version = env!("CARGO_PKG_VERSION");
        let next = format!(
            "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n\
             User-Agent: gwtf-runtime/{version}\r\n\r\n"
        );
        Self { address, connection: None, next: next.into_bytes(), head: Vec::new() }
    }

    /// Waits for the next event, however long that takes.
    pub(super) fn next(&mut self) -> Result<Invocation, ApiError> {
        let call = "the next invocation";
        let (head, body) =
            exchange(&self.address, &mut self.connection, (&self.next, &[]), EVENT_BYTES_MAX)?;
        let event = match body {
            Ok(range) => Some(range),
            Err(WireError::TooLong(..)) => None,
            Err(error) => return Err(broken(&error)),
        };
        match (head.status, head.request_id) {
            (200, Some(request_id)) => {
                let (deadline_ms, trace_id) = (head.deadline_ms, head.trace_id);
                Ok(Invocation { request_id, deadline_ms, trace_id, event })
            }
            (200, None) => Err(ApiError::Exchange(format!("{call} has no usable request id"))),
            (status, _) => Err(ApiError::Status { status, call }),
        }
    }

    /// The event of the invocation that [`Api::next`] gave last.
    pub(super) fn event(&self, range: Range<usize>) -> &[u8] {
        self.connection.as_ref().map_or(&[], |connection| connection.bytes(range))
    }

    /// Sends the reply of an invocation; `false` when Lambda does not take it.
    pub(super) fn respond(&mut self, request_id: &str, document: &[u8]) -> Result<bool, ApiError> {
        self.post(&["invocation/", request_id, "/response"], None, document, "a response")
    }

    /// Reports that an invocation failed.
    pub(super) fn fail(&mut self, request_id: &str, fault: &Fault<'_>) -> Result<bool, ApiError> {
        let path = ["invocation/", request_id, "/error"];
        self.post(&path, Some(fault.error_type), &document(fault), "an invocation's error")
    }

    /// Reports that the function cannot start.
    pub(super) fn fail_init(&mut self, fault: &Fault<'_>) -> Result<bool, ApiError> {
        self.post(&["init/error"], Some(fault.error_type), &document(fault), "an init error")
    }

    /// Status 500 means a state that Lambda does not recover from: "exit promptly". Any other
    /// refusal concerns this one invocation, for instance one that has timed out since.
    fn post(
        &mut self,
        path: &[&str],
        error_type: Option<&str>,
        body: &[u8],
        call: &'static str,
    ) -> Result<bool, ApiError> {
        use std::io::Write as _;
        let Self { address, connection, head, .. } = self;
        head.clear();
        head.extend_from_slice(b"POST /2018-06-01/runtime/");
        path.iter().for_each(|part| head.extend_from_slice(part.as_bytes()));
        let length = body.len();
        let written = write!(
            head,
            " HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n"
        );
        written.expect("a vector takes all");
        if let Some(error_type) = error_type {
            write!(head, "Lambda-Runtime-Function-Error-Type: {error_type}\r\n")
                .expect("a vector takes all");
        }
        head.extend_from_slice(b"\r\n");
        let sent = (head.as_slice(), body);
        let (head, body) = exchange(address, connection, sent, ACKNOWLEDGEMENT_BYTES_MAX)?;
        // An acknowledgement that cannot be read still has its status.
        drop(body);
        match head.status {
            200..=299 => Ok(true),
            500.. => Err(ApiError::Status { status: head.status, call }),
            _ => Ok(false),
        }
    }
}

type Exchanged = (super::wire::Head, Result<Range<usize>, WireError>);

/// One request. A kept connection that the peer closed before a reply is opened anew, once.
fn exchange(
    address: &str,
    connection: &mut Option<Connection>,
    (head, body): (&[u8], &[u8]),
    body_bytes_max: usize,
) -> Result<Exchanged, ApiError> {
    if let Some(kept) = connection.as_mut().filter(|kept| kept.is_usable()) {
        match kept.exchange(head, body, body_bytes_max) {
            Ok(exchanged) => return Ok(exchanged),
            Err(WireError::Closed) => {}
            Err(error) => return Err(broken(&error)),
        }
    }
    let fresh = connection.insert(connect(address)?);
    fresh.exchange(head, body, body_bytes_max).map_err(|error| broken(&error))
}

fn connect(address: &str) -> Result<Connection, ApiError> {
    let refuse = |source| ApiError::Connect { address: address.to_owned(), source };
    // An address in digits, which it is on Lambda, needs no resolver.
    let stream = match address.parse() {
        Ok(socket) => TcpStream::connect_timeout(&socket, CONNECT_TIMEOUT),
        Err(_) => TcpStream::connect(address),
    };
    stream.map(Connection::new).map_err(refuse)
}

fn broken(error: &WireError) -> ApiError {
    ApiError::Exchange(crate::error::chain(error))
}

fn document(fault: &Fault<'_>) -> Vec<u8> {
    serde_json::to_vec(fault).expect("text is written to memory")
}

#[cfg(test)]
mod tests;
