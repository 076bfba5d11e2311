//! A worker's dealings with its connections: opening them, giving them requests, hearing from them.

use super::super::client::reception::ask_for_stamps;
use super::super::client::transport::Transport;
use super::super::client::{Client, Failure, Readiness, Ticket, Turn};
use super::super::sleep::TIMER;
use super::attempts::Place;
use super::{STARTS_MAX, Worker};
use mio::net::TcpStream;
use mio::{Interest, Token};
use rustix::io::Errno;
use std::io;

impl<C: Client> Worker<C> {
    /// Gives a request to a connection with room.
    pub(super) fn start_on(&mut self, slot: usize, ticket: Ticket) {
        let now_ns = self.job.clock.now_ns();
        let is_connecting = self.pool.get_mut(slot).is_some_and(|client| client.is_connecting());
        let Some(attempt) = self.attempts.get_mut(ticket) else { return };
        attempt.place = Place::Connection(slot);
        attempt.began_ns = now_ns;
        attempt.awaits_server = is_connecting;
        let variant = attempt.operation.variant;
        self.with(slot, |client, turn| client.start(turn, ticket, variant));
    }

    /// Opens a connection for a request.
    pub(super) fn start_on_fresh(&mut self, ticket: Ticket) {
        let now_ns = self.job.clock.now_ns();
        match self.open() {
            Ok(slot) => {
                self.start_on(slot, ticket);
                if let Some(attempt) = self.attempts.get_mut(ticket) {
                    attempt.began_ns = now_ns;
                }
                self.settle(slot);
            }
            Err(error) if is_own_shortage(&error) => {
                self.usage.connections_denied += 1;
                let text = format!("this machine refused the generator a connection: {error}");
                self.failed(ticket, Failure::Connect(text));
            }
            Err(error) => self.failed(ticket, Failure::Connect(error.to_string())),
        }
    }

    fn open(&mut self) -> io::Result<usize> {
        let mut socket = TcpStream::connect(self.job.address)?;
        // A request is one write; waiting for more would only delay it.
        socket.set_nodelay(true)?;
        if self.wants_stamps {
            ask_for_stamps(&socket);
        }
        let slot = self.pool.reserve();
        let registry = self.sleeper.registry();
        let both = Interest::READABLE | Interest::WRITABLE;
        let transport = registry
            .register(&mut socket, Token(slot), both)
            .and_then(|()| Transport::new(socket, self.job.tls.as_ref()));
        match transport {
            Ok(transport) => {
                self.pool.fill(slot, C::new(transport, self.streams_max()));
                self.usage.connections_opened += 1;
                Ok(slot)
            }
            Err(error) => {
                self.pool.remove(slot);
                Err(error)
            }
        }
    }

    /// A closed loop has one request under way per connection, whatever the protocol.
    fn streams_max(&self) -> usize {
        if self.source.is_closed_loop() { 1 } else { self.job.plan.streams_max }
    }

    /// Calls a connection, if it is still there.
    pub(super) fn with<T>(
        &mut self,
        slot: usize,
        call: impl FnOnce(&mut C, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let client = self.pool.get_mut(slot)?;
        let mut turn = Turn {
            clock: &self.job.clock,
            buffer: &mut self.buffer,
            reception: &mut self.reception,
            prepared: &self.job.prepared,
            proofs: self.proofs.load(),
            events: &mut self.events,
            looked_ns: self.sleeper.looked_ns(),
        };
        Some(call(client, &mut turn))
    }

    /// After a connection was called: takes its events in, and gives it more to do.
    pub(super) fn settle(&mut self, slot: usize) {
        loop {
            while let Some(event) = self.events.pop_front() {
                self.event(event);
            }
            let Some(client) = self.pool.get_mut(slot) else { break };
            if client.is_closed() {
                self.pool.remove(slot);
                break;
            }
            if client.room() == 0 {
                break;
            }
            if let Some(ticket) = self.backlog.pop_front() {
                self.start_on(slot, ticket);
            } else if let Some(ticket) = self.closed_loop_next() {
                self.start_on(slot, ticket);
            } else {
                self.pool.list(slot);
                break;
            }
        }
        if !self.stale.is_empty() {
            self.resend_stale();
        }
    }

    /// Sends requests once more that the server never saw, the oldest first: a connection tells of
    /// its streams in any order.
    fn resend_stale(&mut self) {
        let mut stale = std::mem::take(&mut self.stale);
        stale.sort_by_key(|ticket| self.attempts.intended_ns(*ticket));
        for ticket in stale {
            self.usage.connections_stale += 1;
            if self.pool.has_space() {
                self.start_on_fresh(ticket);
            } else {
                self.wait_in_order(ticket);
            }
        }
    }

    /// Puts a request into the backlog before those that were due later.
    fn wait_in_order(&mut self, ticket: Ticket) {
        let Some(attempt) = self.attempts.get_mut(ticket) else { return };
        attempt.place = Place::Backlog;
        let intended_ns = Some(attempt.intended_ns);
        let attempts = &self.attempts;
        let at = self.backlog.partition_point(|other| attempts.intended_ns(*other) <= intended_ns);
        self.backlog.insert(at, ticket);
    }

    /// Gives the backlog the room that there is: on connections that have some without having said
    /// so, and on new ones where others have closed. True if there is more to do.
    pub(super) fn serve_backlog(&mut self) -> bool {
        for _ in 0..STARTS_MAX {
            if self.backlog.is_empty() {
                return false;
            }
            let slot = self.pool.take();
            if slot.is_none() && !self.pool.has_space() {
                return false;
            }
            let Some(ticket) = self.backlog.pop_front() else { return false };
            if let Some(slot) = slot {
                self.start_on(slot, ticket);
                self.settle(slot);
            } else {
                self.start_on_fresh(ticket);
            }
        }
        true
    }

    /// Lets the connections go on whose sockets are ready.
    pub(super) fn go_on(&mut self) {
        for slot in std::mem::take(&mut self.again) {
            self.advance(slot, Readiness { readable: true, ..Readiness::default() });
        }
        let events = std::mem::replace(&mut self.sleeper.events, mio::Events::with_capacity(0));
        for event in &events {
            if event.token() == TIMER {
                continue;
            }
            let readiness = Readiness {
                readable: event.is_readable(),
                read_closed: event.is_read_closed() || event.is_error(),
                writable: event.is_writable(),
            };
            self.advance(event.token().0, readiness);
        }
        self.sleeper.events = events;
    }

    fn advance(&mut self, slot: usize, readiness: Readiness) {
        if self.with(slot, |client, turn| client.ready(turn, readiness)) == Some(true) {
            self.again.push(slot);
        }
        self.settle(slot);
    }
}

/// Whether a connection was not opened for want of something that is the generator's and not the
/// target's: open files, memory for sockets, or local ports.
fn is_own_shortage(error: &io::Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    own.iter().any(|own| error.raw_os_error() == Some(own.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_files_is_the_generators_and_a_refusal_the_targets() {
        for (errno, own) in [
            (Errno::MFILE, true),
            (Errno::ADDRNOTAVAIL, true),
            (Errno::CONNREFUSED, false),
            (Errno::CONNRESET, false),
        ] {
            assert_eq!(is_own_shortage(&errno.into()), own, "{errno}");
        }
    }
}
