//! HTTP/1.1: one request at a time on a kept-alive connection.
//!
//! A request is one write and a typical reply one read into the worker's shared buffer, parsed where
//! it lies; a connection keeps bytes of its own only for a head that came in pieces.

use super::proofs::Proofs;
use super::reply::{Fed, ReplyReader};
use super::transport::{Transport, is_not_now};
use super::{Client, Event, Failure, READS_MAX, Readiness, Ticket, Turn};
use std::io;
use std::sync::Arc;

/// A server that closes a connection behind a reply has done so by then.
const CLOSE_BEHIND_NS: u64 = 50_000;

/// The request under way.
#[derive(Debug, Clone, Copy)]
struct Busy {
    ticket: Ticket,
    variant: usize,
    /// When the first byte was written.
    sent_ns: u64,
    /// Bytes written.
    written: usize,
    is_written: bool,
    /// A byte of the reply has come.
    is_answered: bool,
}

/// An HTTP/1.1 connection.
pub(in super::super) struct Http1 {
    transport: Transport,
    busy: Option<Busy>,
    /// The proofs of a request half written, which has to end as it began.
    begun_with: Option<Arc<Proofs>>,
    reader: ReplyReader,
    /// It has taken bytes of a request, so that it is there.
    has_written: bool,
    /// It has carried a whole reply before.
    is_reused: bool,
    is_closed: bool,
    /// A look at the sockets from this instant on tells of a close behind the latest read.
    tells_from_ns: u64,
}

impl Client for Http1 {
    fn new(transport: Transport, _streams_max: usize) -> Self {
        Self {
            transport,
            busy: None,
            begun_with: None,
            reader: ReplyReader::new(),
            has_written: false,
            is_reused: false,
            is_closed: false,
            tells_from_ns: 0,
        }
    }

    fn room(&self) -> usize {
        usize::from(self.busy.is_none() && !self.is_closed)
    }

    fn is_connecting(&self) -> bool {
        !self.has_written
    }

    fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn start(&mut self, turn: &mut Turn<'_>, ticket: Ticket, variant: usize) {
        self.reader.restart(turn.prepared.is_head(variant));
        let busy =
            Busy { ticket, variant, sent_ns: 0, written: 0, is_written: false, is_answered: false };
        self.busy = Some(busy);
        self.begun_with = None;
        match self.is_gone(turn) {
            None => self.write(turn),
            Some(error) => self.fail(turn, &error),
        }
    }

    fn ready(&mut self, turn: &mut Turn<'_>, readiness: Readiness) -> bool {
        if readiness.writable {
            if let Err(error) = self.transport.flush() {
                self.fail(turn, &error);
                return false;
            }
            self.write(turn);
        }
        if readiness.readable || readiness.read_closed {
            return self.read(turn, readiness.read_closed);
        }
        false
    }

    fn cancel(&mut self, _turn: &mut Turn<'_>, _ticket: Ticket) {
        // The reply may still come, and nothing tells it from the next request's.
        self.busy = None;
        self.is_closed = true;
    }
}

impl Http1 {
    /// Why a connection that was idle can carry no request any more. A close that is already there
    /// has to be seen before the write: afterwards nothing tells it from one over the request.
    fn is_gone(&mut self, turn: &mut Turn<'_>) -> Option<io::Error> {
        if !self.is_reused || turn.looked_ns >= self.tells_from_ns {
            return None;
        }
        match self.transport.read(turn.buffer) {
            Err(error) if is_not_now(&error) => None,
            Err(error) => Some(error),
            Ok(0) => Some(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the idle connection",
            )),
            Ok(_) => Some(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server sent bytes that nobody asked for",
            )),
        }
    }

    /// Writes what is left of the request.
    fn write(&mut self, turn: &mut Turn<'_>) {
        let Some(busy) = &mut self.busy else { return };
        if busy.is_written {
            return;
        }
        let proofs = self.begun_with.as_ref().unwrap_or(turn.proofs);
        let parts = turn.prepared.http1_parts(busy.variant, proofs);
        let total: usize = parts.iter().map(|part| part.len()).sum();
        while busy.written < total {
            let at_ns = turn.clock.now_ns();
            match self.transport.write_parts(parts, busy.written) {
                Ok(written) => {
                    if busy.written == 0 && written > 0 {
                        busy.sent_ns = at_ns;
                        turn.events.push_back(Event::Sent { ticket: busy.ticket, at_ns });
                    }
                    busy.written += written;
                    self.has_written = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_not_now(&error) => {
                    if busy.written > 0 && self.begun_with.is_none() {
                        self.begun_with = Some(Arc::clone(turn.proofs));
                    }
                    return;
                }
                Err(error) => {
                    // The server may have answered before it closed: what it said counts.
                    self.read(turn, true);
                    self.fail(turn, &error);
                    return;
                }
            }
        }
        busy.is_written = true;
    }

    /// Reads until the socket is empty; true if it was not after [`READS_MAX`] reads. `to_end`
    /// reads on after a short read, since the end has been announced and will not be again.
    fn read(&mut self, turn: &mut Turn<'_>, to_end: bool) -> bool {
        self.tells_from_ns = turn.looked_ns + 1;
        for _ in 0..READS_MAX {
            if self.is_closed {
                return false;
            }
            match self.transport.read_stamped(turn.buffer, turn.reception) {
                Ok((0, _)) => {
                    self.ended(turn);
                    return false;
                }
                Ok((count, stamp_ns)) => {
                    self.received(turn, count, stamp_ns);
                    let drained = count < turn.buffer.len() && self.transport.short_read_drains();
                    if drained && !to_end {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_not_now(&error) => return false,
                Err(error) => {
                    self.fail(turn, &error);
                    return false;
                }
            }
        }
        true
    }

    /// Takes in `count` received bytes, and the stamp of the last of them.
    fn received(&mut self, turn: &mut Turn<'_>, count: usize, stamp_ns: Option<u64>) {
        let Some(busy) = &mut self.busy else {
            // Bytes that nobody asked for: the next reply could not be told from them.
            self.is_closed = true;
            return;
        };
        busy.is_answered = true;
        match self.reader.feed(&turn.buffer[..count]) {
            Ok(Fed::More) => turn.reception.is_in_pieces = true,
            Ok(Fed::Done(used)) => {
                // A reply before the request was all written leaves a broken conversation.
                self.is_closed = used < count || !self.reader.keeps_alive() || !busy.is_written;
                self.replied(turn, stamp_ns);
            }
            Err(fault) => {
                let ticket = busy.ticket;
                self.busy = None;
                self.is_closed = true;
                let failure = Failure::Protocol(format!("not an HTTP reply: {fault}"));
                turn.events.push_back(Event::Failed { ticket, failure });
            }
        }
    }

    fn replied(&mut self, turn: &mut Turn<'_>, stamp_ns: Option<u64>) {
        if let Some(busy) = self.busy.take() {
            self.is_reused = true;
            let at_ns = turn.reception.came_ns(turn.clock, stamp_ns, busy.sent_ns);
            self.tells_from_ns = self.tells_from_ns.min(at_ns + CLOSE_BEHIND_NS);
            let facts = self.reader.facts().clone();
            turn.events.push_back(Event::Replied { ticket: busy.ticket, at_ns, facts });
        }
    }

    /// The server ended the connection.
    fn ended(&mut self, turn: &mut Turn<'_>) {
        self.is_closed = true;
        if self.busy.is_some_and(|busy| busy.is_answered) && self.reader.end() {
            // The end itself carries no stamp.
            self.replied(turn, None);
        } else {
            let error = io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection before a whole reply",
            );
            self.fail(turn, &error);
        }
    }

    /// The connection broke.
    fn fail(&mut self, turn: &mut Turn<'_>, error: &io::Error) {
        self.is_closed = true;
        let Some(busy) = self.busy.take() else { return };
        let text = error.to_string();
        let failure = if self.is_reused && !busy.is_answered && !busy.is_written {
            Failure::Stale(text)
        } else {
            Failure::Connect(text)
        };
        turn.events.push_back(Event::Failed { ticket: busy.ticket, failure });
    }
}
