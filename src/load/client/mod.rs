//! One connection's protocol behind a small trait, so that the worker's loop exists once.
//!
//! ```text
//! worker loop -> Client (http1 | http2) -> Transport (TCP | TLS over TCP)
//!             <- Event: sent, replied, failed
//! ```
//!
//! # Invariants
//! Nothing here blocks, waits or keeps time for itself: the worker says when a socket is ready and
//! lends the clock and a read buffer.

pub(super) mod http1;
pub(super) mod http2;
pub(super) mod prepared;
pub(super) mod proofs;
pub(super) mod reception;
mod reply;
pub(super) mod transport;

use super::classify::ReplyFacts;
use super::clock::Clock;
use prepared::Prepared;
use proofs::Proofs;
use reception::Reception;
use std::collections::VecDeque;
use std::sync::Arc;
use transport::Transport;

/// Bytes of the read buffer that a worker's connections share.
pub(super) const READ_BUFFER_BYTES: usize = 64 * 1024;
/// Longest head of a reply, and longest run of header bytes in an HTTP/2 reply.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most headers of a reply.
const HEADERS_MAX: usize = 100;
/// Longest body of a reply; bodies are read and thrown away, so this bounds time, not memory.
const BODY_BYTES_MAX: u64 = 1 << 30;
/// Reads in one go before other connections get their turn.
const READS_MAX: usize = 16;

/// Names a request under way, given by the worker.
pub(super) type Ticket = u32;

/// What a connection works with during one call.
pub(super) struct Turn<'a> {
    /// The run's clock.
    pub(super) clock: &'a Clock,
    /// Where received bytes go first.
    pub(super) buffer: &'a mut [u8],
    /// What tells when they came.
    pub(super) reception: &'a mut Reception,
    /// The requests.
    pub(super) prepared: &'a Prepared,
    /// What proves who sends them.
    pub(super) proofs: &'a Arc<Proofs>,
    /// What happened, for the worker.
    pub(super) events: &'a mut VecDeque<Event>,
    /// All that sockets had to tell at this instant has been told, or is being told by this call.
    pub(super) looked_ns: u64,
}

/// What happened to a request.
#[derive(Debug)]
pub(super) enum Event {
    /// Its first byte was written.
    Sent {
        /// The request.
        ticket: Ticket,
        /// When.
        at_ns: u64,
    },
    /// Its whole reply came.
    Replied {
        /// The request.
        ticket: Ticket,
        /// When.
        at_ns: u64,
        /// What the reply said.
        facts: ReplyFacts,
    },
    /// It ended without a whole reply.
    Failed {
        /// The request.
        ticket: Ticket,
        /// Why.
        failure: Failure,
    },
}

/// Why a request ended without a whole reply.
#[derive(Debug)]
pub(super) enum Failure {
    /// A connection that had been used before was closed before the request was wholly sent, or the
    /// server said that it never looked at it: it cannot have been acted upon, so clients send it
    /// once more. A close after that may be a server breaking down over the request.
    Stale(String),
    /// No connection, or it ended too early.
    Connect(String),
    /// What came is no HTTP.
    Protocol(String),
}

/// What a socket is ready for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Readiness {
    /// Bytes, an end or an error can be read.
    pub(super) readable: bool,
    /// The peer has sent its end.
    pub(super) read_closed: bool,
    /// Bytes can be written, or connecting has ended.
    pub(super) writable: bool,
}

/// A connection that requests can be sent on.
pub(super) trait Client: Send {
    /// Takes a socket over, connected or still connecting. At most `streams_max` requests will be
    /// under way, if the protocol can do that.
    fn new(transport: Transport, streams_max: usize) -> Self;

    /// How many more requests can start.
    fn room(&self) -> usize;

    /// Whether the connection is not there yet: no request can be sent before the server has done
    /// its part of connecting.
    fn is_connecting(&self) -> bool;

    /// Whether the connection is of no more use.
    fn is_closed(&self) -> bool;

    /// Starts request `variant` of the prepared ones; [`Client::room`] must not be 0.
    fn start(&mut self, turn: &mut Turn<'_>, ticket: Ticket, variant: usize);

    /// Goes on as far as the socket allows. True when there is more to do at once, though the
    /// socket will not say so again.
    fn ready(&mut self, turn: &mut Turn<'_>, readiness: Readiness) -> bool;

    /// Gives a request up. No event will name it any more.
    fn cancel(&mut self, turn: &mut Turn<'_>, ticket: Ticket);
}
