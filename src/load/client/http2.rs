//! HTTP/2: many requests at a time on one connection, through the `h2` crate driven by hand.
//!
//! `h2` speaks futures; here they are polled when the socket is ready or when one of them has asked
//! to be. The connection's waker raises a flag and each stream's notes its slot, so that an event
//! costs what it concerns and not a look at every stream.

mod socket;
mod stream;

use super::transport::Transport;
use super::{Client, Event, Failure, HEAD_BYTES_MAX, Readiness, Ticket, Turn};
use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use socket::{Flag, Socket, StreamWake, lock};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use stream::{Step, Stream};

/// Receive windows, so that a reply of ordinary size never waits for a window update.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Turns of the connection and its streams before other connections get theirs.
const TURNS_MAX: usize = 64;

type Handshake = Pin<Box<dyn Future<Output = Result<Opened, h2::Error>> + Send>>;
type Opened = (SendRequest<Bytes>, Connection<Socket, Bytes>);

enum State {
    Handshake(Handshake),
    Open(SendRequest<Bytes>, Box<Connection<Socket, Bytes>>),
    Closed,
}

/// How far a request had come.
#[derive(Debug, Clone, Copy)]
enum Progress {
    Unsent,
    Sent,
    Answered,
}

impl Progress {
    fn of(stream: &Stream) -> Self {
        if stream.facts.status == 0 { Self::Sent } else { Self::Answered }
    }
}

/// An HTTP/2 connection.
pub(in super::super) struct Http2 {
    state: State,
    streams_max: usize,
    /// Requests that came before the handshake was done.
    waiting: VecDeque<(Ticket, usize)>,
    streams: Vec<Option<Stream>>,
    free: Vec<usize>,
    stream_wakers: Vec<Waker>,
    woken: Arc<Mutex<Vec<usize>>>,
    flag: Arc<Flag>,
    waker: Waker,
    is_reused: bool,
    /// No more requests: the server said so, or it did not answer one in time.
    is_retired: bool,
}

impl Client for Http2 {
    fn new(transport: Transport, streams_max: usize) -> Self {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .initial_max_send_streams(streams_max);
        let handshake = async move { builder.handshake(Socket { transport }).await };
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        Self {
            state: State::Handshake(Box::pin(handshake)),
            streams_max,
            waiting: VecDeque::new(),
            streams: Vec::new(),
            free: Vec::new(),
            stream_wakers: Vec::new(),
            woken: Arc::default(),
            waker: Waker::from(Arc::clone(&flag)),
            flag,
            is_reused: false,
            is_retired: false,
        }
    }

    fn room(&self) -> usize {
        let allowed = match &self.state {
            State::Closed => 0,
            _ if self.is_retired => 0,
            State::Handshake(_) => self.streams_max,
            State::Open(send, _) => self.streams_max.min(send.current_max_send_streams()),
        };
        allowed.saturating_sub(self.under_way())
    }

    fn is_connecting(&self) -> bool {
        matches!(self.state, State::Handshake(_))
    }

    fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed) || self.is_retired && self.under_way() == 0
    }

    fn start(&mut self, turn: &mut Turn<'_>, ticket: Ticket, variant: usize) {
        self.waiting.push_back((ticket, variant));
        self.flag.0.store(true, Ordering::Relaxed);
        self.pump(turn);
    }

    fn ready(&mut self, turn: &mut Turn<'_>, _readiness: Readiness) -> bool {
        self.flag.0.store(true, Ordering::Relaxed);
        self.pump(turn)
    }

    fn cancel(&mut self, turn: &mut Turn<'_>, ticket: Ticket) {
        self.waiting.retain(|(waiting, _)| *waiting != ticket);
        let is_it = |stream: &Option<Stream>| stream.as_ref().is_some_and(|s| s.ticket == ticket);
        if let Some(slot) = self.streams.iter().position(is_it) {
            self.release(slot);
        }
        // A server that lets one request time out may be gone: the next ones get a fresh connection.
        self.is_retired = true;
        self.flag.0.store(true, Ordering::Relaxed);
        self.pump(turn);
    }
}

impl Http2 {
    fn under_way(&self) -> usize {
        self.waiting.len() + self.streams.len() - self.free.len()
    }

    /// Polls whatever asked for it until nothing does; true if it still did after [`TURNS_MAX`].
    fn pump(&mut self, turn: &mut Turn<'_>) -> bool {
        for _ in 0..TURNS_MAX {
            let connection_woken = self.flag.0.swap(false, Ordering::Relaxed);
            if connection_woken {
                self.poll_connection(turn);
            }
            let sent = self.send_waiting(turn);
            let mut woken = std::mem::take(&mut *lock(&self.woken));
            if !connection_woken && !sent && woken.is_empty() {
                return false;
            }
            for slot in woken.drain(..) {
                self.poll_stream(turn, slot);
            }
            // The list's allocation goes back, unless new slots were noted meanwhile.
            let mut list = lock(&self.woken);
            if list.is_empty() {
                *list = woken;
            }
        }
        true
    }

    fn poll_connection(&mut self, turn: &mut Turn<'_>) {
        let mut context = Context::from_waker(&self.waker);
        let ended = match &mut self.state {
            State::Closed => return,
            State::Handshake(handshake) => match handshake.as_mut().poll(&mut context) {
                Poll::Pending => return,
                Poll::Ready(Ok((send, connection))) => {
                    self.state = State::Open(send, Box::new(connection));
                    self.flag.0.store(true, Ordering::Relaxed);
                    return;
                }
                Poll::Ready(Err(error)) => Err(error),
            },
            State::Open(_, connection) => match Pin::new(connection).poll(&mut context) {
                Poll::Pending => return,
                Poll::Ready(ended) => ended,
            },
        };
        self.close(turn, ended.err());
    }

    /// Starts the requests that wait for the handshake or were just given.
    fn send_waiting(&mut self, turn: &mut Turn<'_>) -> bool {
        let mut sent = false;
        while let State::Open(send, _) = &mut self.state {
            let mut context = Context::from_waker(&self.waker);
            let is_ready = !self.waiting.is_empty()
                && matches!(send.poll_ready(&mut context), Poll::Ready(Ok(())));
            if !is_ready {
                break;
            }
            let Some((ticket, variant)) = self.waiting.pop_front() else { break };
            let (head, body) = turn.prepared.http2(variant, turn.proofs);
            let at_ns = turn.clock.now_ns();
            let is_empty = body.is_empty();
            let started = send.send_request(head, is_empty).and_then(|(response, mut request)| {
                if !is_empty {
                    request.send_data(body, true)?;
                }
                Ok((response, request))
            });
            sent = true;
            match started {
                Ok((response, request)) => {
                    turn.events.push_back(Event::Sent { ticket, at_ns });
                    let slot = self.occupy(Stream::new(ticket, response, request));
                    lock(&self.woken).push(slot);
                    // What was queued goes out when the connection is polled.
                    self.flag.0.store(true, Ordering::Relaxed);
                }
                Err(error) => {
                    self.is_retired = true;
                    let failure = self.failure(Some(&error), Progress::Unsent);
                    turn.events.push_back(Event::Failed { ticket, failure });
                }
            }
        }
        sent
    }

    fn poll_stream(&mut self, turn: &mut Turn<'_>, slot: usize) {
        let Some(Some(stream)) = self.streams.get_mut(slot) else { return };
        let mut context = Context::from_waker(&self.stream_wakers[slot]);
        let step = stream.go_on(&mut context);
        let (ticket, progress) = (stream.ticket, Progress::of(stream));
        let event = match step {
            Step::Pending => return,
            Step::Whole => {
                self.is_reused = true;
                let facts = stream.facts.clone();
                Event::Replied { ticket, at_ns: turn.clock.now_ns(), facts }
            }
            Step::Failed(error) => {
                if error.is_go_away() {
                    self.is_retired = true;
                }
                Event::Failed { ticket, failure: self.failure(Some(&error), progress) }
            }
            Step::Fault(fault) => {
                Event::Failed { ticket, failure: Failure::Protocol(fault.to_owned()) }
            }
        };
        self.release(slot);
        turn.events.push_back(event);
    }

    /// What the end of a stream, or of the connection with or without an error, means for a request.
    fn failure(&self, error: Option<&h2::Error>, progress: Progress) -> Failure {
        let text = match error {
            None => "the server closed the connection before a whole reply".to_owned(),
            Some(error) => error.get_io().map_or_else(|| error.to_string(), io::Error::to_string),
        };
        // Streams above the last one that a GOAWAY names, and refused ones, were never looked at.
        let is_refused = error.is_some_and(|error| {
            error.reason() == Some(h2::Reason::REFUSED_STREAM)
                || error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR)
        });
        let is_unseen = match progress {
            Progress::Unsent => is_refused || error.is_none_or(h2::Error::is_io),
            Progress::Sent => is_refused,
            Progress::Answered => false,
        };
        if self.is_reused && is_unseen {
            Failure::Stale(text)
        } else if error.is_some_and(h2::Error::is_library) {
            Failure::Protocol(text)
        } else {
            Failure::Connect(text)
        }
    }

    /// The connection ended: so do all its requests.
    fn close(&mut self, turn: &mut Turn<'_>, error: Option<h2::Error>) {
        self.state = State::Closed;
        let error = error.as_ref();
        for (ticket, _) in std::mem::take(&mut self.waiting) {
            turn.events.push_back(Event::Failed {
                ticket,
                failure: self.failure(error, Progress::Unsent),
            });
        }
        for slot in 0..self.streams.len() {
            // What had come before the end is still there to be read.
            self.poll_stream(turn, slot);
            if let Some(stream) = &self.streams[slot] {
                let failure = self.failure(error, Progress::of(stream));
                turn.events.push_back(Event::Failed { ticket: stream.ticket, failure });
                self.release(slot);
            }
        }
    }

    fn occupy(&mut self, stream: Stream) -> usize {
        if let Some(slot) = self.free.pop() {
            self.streams[slot] = Some(stream);
            return slot;
        }
        let slot = self.streams.len();
        self.streams.push(Some(stream));
        let note = StreamWake { woken: Arc::clone(&self.woken), slot };
        self.stream_wakers.push(Waker::from(Arc::new(note)));
        slot
    }

    fn release(&mut self, slot: usize) {
        if self.streams[slot].take().is_some() {
            self.free.push(slot);
        }
    }
}
