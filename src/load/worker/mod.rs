//! One generator thread: an event loop that sends when requests are due and never waits for replies.
//!
//! ```text
//! arrivals ─┐
//! retries  ─┼─ due ─> connection with room, or a new one, or the backlog ─> Client ─> socket
//! held     ─┘                                                                 │
//!             record, retry decision <─ outcome <─ sent / replied / failed <──┘
//! ```
//! A turn of the loop: start what is due, end what has timed out, sleep until a socket is ready or
//! the next instant has come, let the ready connections go on.
//!
//! # Invariants
//! Whatever is due is started at once, however late, and counts from its intended instant. Every
//! request offered gets exactly one outcome. No server can keep the loop from ending: every request
//! has a deadline, and the whole run has one.

mod attempts;
mod pool;
mod source;

use super::classify::ReplyFacts;
use super::client::prepared::Prepared;
use super::client::transport::{TlsTarget, Transport};
use super::client::{Client, Event, Failure, READ_BUFFER_BYTES, Readiness, Ticket, Turn};
use super::clock::{Clock, thread_cpu};
use super::live::{LiveCounts, StopFlag};
use super::outcome::Outcome;
use super::plan::{DRAIN_MAX, Plan};
use super::record::{Instants, Recorder};
use super::recording::{GeneratorUse, Recording};
use super::retry::{self, Ended, Ending, Verdict};
use super::seeded::{self, Stream};
use super::sleep::{SLEEP_MAX_NS, Sleeper, TIMER};
use attempts::{Attempt, Attempts, Operation, Place};
use mio::net::TcpStream;
use mio::{Interest, Token};
use pool::Pool;
use source::{Next, Source};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Requests started in one turn before replies get their turn.
const STARTS_MAX: usize = 128;
/// How long a closed loop waits before it opens connections again after one failed.
const REOPEN_PAUSE_NS: u64 = 10_000_000;
/// The longest wait for outstanding replies after Ctrl-C.
const DRAIN_INTERRUPTED: Duration = Duration::from_secs(1);

/// What a worker needs to know.
pub(super) struct Job {
    /// The plan.
    pub(super) plan: Arc<Plan>,
    /// Which worker this is.
    pub(super) part: usize,
    /// Of how many.
    pub(super) of: usize,
    /// Connections it may have open.
    pub(super) connections_max: usize,
    /// Where to connect.
    pub(super) address: SocketAddr,
    /// How connections are secured.
    pub(super) tls: Option<TlsTarget>,
    /// The requests.
    pub(super) prepared: Arc<Prepared>,
    /// The run's clock.
    pub(super) clock: Clock,
    /// Retry state by key, shared by all workers; none without a retry model.
    pub(super) retry: Option<Arc<[Mutex<retry::Client>]>>,
    /// What it publishes.
    pub(super) live: Arc<LiveCounts>,
    /// Ends the run early.
    pub(super) stop: StopFlag,
}

/// A generator thread's state.
pub(super) struct Worker<C> {
    job: Job,
    sleeper: Sleeper,
    source: Source,
    attempts: Attempts,
    backlog: VecDeque<Ticket>,
    pool: Pool<C>,
    /// Connections that have more to do though their sockets are silent.
    again: Vec<usize>,
    /// Requests to be sent once more, each on a fresh connection.
    resend: Vec<Ticket>,
    events: VecDeque<Event>,
    buffer: Box<[u8]>,
    record: Recorder,
    usage: GeneratorUse,
    timeout_ns: u64,
    /// When sending ends.
    until_ns: u64,
    /// When waiting ends.
    drain_until_ns: u64,
    interrupted: bool,
    reopen_ns: u64,
}

impl<C: Client> Worker<C> {
    /// A worker ready to run.
    ///
    /// # Errors
    /// The system refuses a poll or a timer.
    pub(super) fn new(job: Job) -> io::Result<Self> {
        let plan = &job.plan;
        let until_ns = plan.duration().as_nanos() as u64;
        let drain_ns = plan.timeout.min(DRAIN_MAX).as_nanos() as u64;
        Ok(Self {
            sleeper: Sleeper::new()?,
            source: Source::new(plan, job.part, job.of),
            attempts: Attempts::new(),
            backlog: VecDeque::new(),
            pool: Pool::new(job.connections_max),
            again: Vec::new(),
            resend: Vec::new(),
            events: VecDeque::new(),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            record: Recorder::new(plan.duration(), plan.timeout),
            usage: GeneratorUse { workers: 1, ..GeneratorUse::default() },
            timeout_ns: plan.timeout.as_nanos() as u64,
            until_ns,
            drain_until_ns: until_ns + drain_ns,
            interrupted: false,
            reopen_ns: 0,
            job,
        })
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// The poll fails.
    pub(super) fn run(mut self) -> io::Result<Recording> {
        self.job.clock.wait_for_start();
        loop {
            let now_ns = self.job.clock.now_ns();
            if !self.interrupted && self.job.stop.is_raised() {
                self.interrupt(now_ns);
            }
            let is_behind = self.serve_backlog() | self.start_due(now_ns);
            self.open_closed_loop(now_ns);
            self.expire(now_ns);
            if self.is_over(now_ns) {
                break;
            }
            if is_behind || !self.again.is_empty() {
                self.sleeper.look()?;
            } else {
                let send_ns = self.next_send_ns();
                let other_ns = self.next_other_ns(now_ns);
                self.sleeper.sleep(&self.job.clock, send_ns, other_ns)?;
            }
            self.go_on();
        }
        Ok(self.finish())
    }

    /// Starts what is due; true if more is due than one turn starts.
    fn start_due(&mut self, now_ns: u64) -> bool {
        let now_ns = now_ns.min(self.until_ns);
        for _ in 0..STARTS_MAX {
            let clients = self.job.retry.as_deref();
            let operation = match self.source.next_due(now_ns, self.backlog.len(), clients) {
                None => return false,
                Some(Next::Released(operation)) => {
                    // The client sends it now: that is when this attempt was meant to be sent.
                    self.start(operation, now_ns);
                    continue;
                }
                Some(Next::Arrival(arrival)) => self.operation(arrival.index, arrival.at_ns),
                Some(Next::Retry(operation)) => operation,
            };
            self.record.offered += 1;
            self.job.live.offered();
            if let Some(operation) = self.admit(operation, now_ns) {
                self.start(operation, operation.due_ns);
            }
        }
        true
    }

    /// The operation of an arrival.
    fn operation(&mut self, index: u64, started_ns: u64) -> Operation {
        self.record.retries.operations += 1;
        let (request, client) = self.source.choose(index);
        Operation {
            index,
            started_ns,
            due_ns: started_ns,
            ended_ns: started_ns,
            attempt: 1,
            tokens_taken: 0,
            variant: self.job.prepared.variant(request, client),
            client,
        }
    }

    /// Lets an operation pass its client's rate limit, or has it held back.
    fn admit(&mut self, operation: Operation, now_ns: u64) -> Option<Operation> {
        match &self.job.retry {
            None => Some(operation),
            Some(clients) => {
                let mut client = lock(&clients[operation.client]);
                self.source.admit(operation, now_ns, &mut client)
            }
        }
    }

    /// Starts a request that was due at `intended_ns`.
    fn start(&mut self, operation: Operation, intended_ns: u64) {
        let ticket = self.attempts.insert(Attempt {
            operation,
            intended_ns,
            began_ns: 0,
            sent_ns: None,
            opened: false,
            resent: false,
            place: Place::Backlog,
        });
        // Nothing overtakes the backlog.
        let is_first = self.backlog.is_empty();
        if let Some(slot) = self.pool.take().filter(|_| is_first) {
            self.start_on(slot, ticket);
            self.settle(slot);
        } else if is_first && self.pool.has_space() {
            self.start_on_fresh(ticket);
        } else {
            self.backlog.push_back(ticket);
            self.usage.connections_waited += 1;
            self.usage.backlog_max = self.usage.backlog_max.max(self.backlog.len() as u64);
        }
    }

    /// Gives a request to a connection with room.
    fn start_on(&mut self, slot: usize, ticket: Ticket) {
        let now_ns = self.job.clock.now_ns();
        let Some(attempt) = self.attempts.get_mut(ticket) else { return };
        attempt.place = Place::Connection(slot);
        attempt.began_ns = now_ns;
        let variant = attempt.operation.variant;
        self.with(slot, |client, turn| client.start(turn, ticket, variant));
    }

    /// Opens a connection for a request.
    fn start_on_fresh(&mut self, ticket: Ticket) {
        let now_ns = self.job.clock.now_ns();
        match self.open() {
            Ok(slot) => {
                self.start_on(slot, ticket);
                if let Some(attempt) = self.attempts.get_mut(ticket) {
                    attempt.opened = true;
                    attempt.began_ns = now_ns;
                }
                self.settle(slot);
            }
            Err(error) => self.failed(ticket, Failure::Connect(error.to_string())),
        }
    }

    fn open(&mut self) -> io::Result<usize> {
        let mut socket = TcpStream::connect(self.job.address)?;
        // A request is one write; waiting for more would only delay it.
        socket.set_nodelay(true)?;
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
    fn with<T>(&mut self, slot: usize, call: impl FnOnce(&mut C, &mut Turn<'_>) -> T) -> Option<T> {
        let client = self.pool.get_mut(slot)?;
        let mut turn = Turn {
            clock: &self.job.clock,
            buffer: &mut self.buffer,
            prepared: &self.job.prepared,
            events: &mut self.events,
        };
        Some(call(client, &mut turn))
    }

    /// After a connection was called: takes its events in, and gives it more to do.
    fn settle(&mut self, slot: usize) {
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
        while let Some(ticket) = self.resend.pop() {
            self.usage.connections_stale += 1;
            self.start_on_fresh(ticket);
        }
    }

    /// Opens connections for the backlog where others have closed; true if there is more to do.
    fn serve_backlog(&mut self) -> bool {
        for _ in 0..STARTS_MAX {
            if self.backlog.is_empty() || !self.pool.has_space() {
                return false;
            }
            if let Some(ticket) = self.backlog.pop_front() {
                self.start_on_fresh(ticket);
            }
        }
        true
    }

    /// A closed loop's next request, while there is time.
    fn closed_loop_next(&mut self) -> Option<Ticket> {
        if !self.source.is_closed_loop() {
            return None;
        }
        let now_ns = self.job.clock.now_ns();
        if now_ns >= self.until_ns {
            return None;
        }
        let index = self.source.closed_loop_index();
        let operation = self.operation(index, now_ns);
        self.record.offered += 1;
        self.job.live.offered();
        let operation = self.admit(operation, now_ns)?;
        Some(self.attempts.insert(Attempt {
            operation,
            intended_ns: now_ns,
            began_ns: now_ns,
            sent_ns: None,
            opened: false,
            resent: false,
            place: Place::Backlog,
        }))
    }

    /// Opens what a closed loop lacks in connections.
    fn open_closed_loop(&mut self, now_ns: u64) {
        if !self.source.is_closed_loop() || now_ns < self.reopen_ns {
            return;
        }
        while self.pool.has_space() && self.job.clock.now_ns() >= self.reopen_ns {
            let Some(ticket) = self.closed_loop_next() else { return };
            self.start_on_fresh(ticket);
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Sent { ticket, at_ns } => self.sent(ticket, at_ns),
            Event::Replied { ticket, at_ns, facts } => self.replied(ticket, at_ns, &facts),
            Event::Failed { ticket, failure } => self.failed(ticket, failure),
        }
    }

    fn sent(&mut self, ticket: Ticket, at_ns: u64) {
        let is_closed_loop = self.source.is_closed_loop();
        let Some(attempt) = self.attempts.get_mut(ticket) else { return };
        if attempt.sent_ns.is_some() {
            // On its second connection: its service time counts from the first.
            return;
        }
        attempt.sent_ns = Some(at_ns);
        let acted_ns = if attempt.opened { attempt.began_ns } else { at_ns };
        let lateness_ns = acted_ns.saturating_sub(attempt.intended_ns);
        self.record.sent((!is_closed_loop).then_some(lateness_ns));
        self.job.live.sent();
    }

    fn replied(&mut self, ticket: Ticket, at_ns: u64, facts: &ReplyFacts) {
        let outcome = facts.outcome();
        if outcome != Outcome::Ok {
            if !facts.limiter.as_bytes().is_empty() {
                self.record.limited(&facts.limiter);
            }
            if self.record.wants_example(outcome) {
                let body = String::from_utf8_lossy(facts.body_start.as_bytes());
                self.record.example(outcome, &format!("status {}: {body}", facts.status));
            }
        }
        let Some(attempt) = self.attempts.remove(ticket) else { return };
        let cold = facts.cold_start;
        let instants = self.end(&attempt, outcome, at_ns);
        self.record.replied(cold.then(|| instants.response_time_us()));
        let retry_after = facts.retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
        self.decide(attempt.operation, Ending::of(outcome, facts.status), retry_after, at_ns);
    }

    fn failed(&mut self, ticket: Ticket, failure: Failure) {
        let now_ns = self.job.clock.now_ns();
        let Some(attempt) = self.attempts.get_mut(ticket) else { return };
        let (outcome, text) = match failure {
            Failure::Stale(_) if !attempt.resent => {
                attempt.resent = true;
                self.resend.push(ticket);
                return;
            }
            Failure::Stale(text) | Failure::Connect(text) => (Outcome::ConnectError, text),
            Failure::Protocol(text) => (Outcome::ProtocolError, text),
        };
        self.reopen_ns = now_ns + REOPEN_PAUSE_NS;
        self.give_up(ticket, outcome, now_ns, &text);
    }

    /// Ends a request that got no reply.
    fn give_up(&mut self, ticket: Ticket, outcome: Outcome, now_ns: u64, text: &str) {
        if self.record.wants_example(outcome) {
            self.record.example(outcome, text);
        }
        if let Some(attempt) = self.attempts.remove(ticket) {
            self.end(&attempt, outcome, now_ns);
            self.decide(attempt.operation, Ending::of(outcome, 0), None, now_ns);
        }
    }

    /// Records a request's end.
    fn end(&mut self, attempt: &Attempt, outcome: Outcome, ended_ns: u64) -> Instants {
        let instants =
            Instants { intended_ns: attempt.intended_ns, sent_ns: attempt.sent_ns, ended_ns };
        self.record.ended(outcome, &instants);
        self.job.live.ended(outcome, instants.response_time_us());
        instants
    }

    /// Retries an operation, or ends it.
    fn decide(
        &mut self,
        mut operation: Operation,
        ending: Ending,
        retry_after: Option<Duration>,
        now_ns: u64,
    ) {
        let Some(clients) = &self.job.retry else { return };
        let draw = operation.index * u64::from(retry::ATTEMPTS_MAX) + u64::from(operation.attempt);
        let ended = Ended {
            ending,
            attempt: operation.attempt,
            tokens_taken: operation.tokens_taken,
            retry_after,
            jitter: seeded::unit(self.job.plan.seed, Stream::Jitter, draw),
        };
        let verdict = lock(&clients[operation.client]).decide(&ended, Duration::from_nanos(now_ns));
        operation.ended_ns = now_ns;
        match verdict {
            Verdict::Over => {}
            Verdict::Exhausted => self.record.retries.attempts_exhausted += 1,
            Verdict::OverBudget => self.record.retries.budget_denied += 1,
            Verdict::Retry { delay, tokens } => {
                let due_ns = now_ns + delay.as_nanos() as u64;
                // A retry that would come after the end of sending is not made.
                if due_ns < self.until_ns {
                    operation.due_ns = due_ns;
                    operation.attempt += 1;
                    operation.tokens_taken = tokens;
                    self.source.retry(operation);
                    return;
                }
            }
        }
        let succeeded = ending == Ending::Success;
        self.record.operation_ended(operation.started_ns, now_ns, succeeded);
    }

    /// Ends the requests whose time is up.
    fn expire(&mut self, now_ns: u64) {
        while let Some((ticket, attempt)) = self.attempts.oldest() {
            if attempt.intended_ns + self.timeout_ns > now_ns {
                return;
            }
            let place = attempt.place;
            let text = format!("no reply within {:?}", self.job.plan.timeout);
            self.give_up(ticket, Outcome::ClientTimeout, now_ns, &text);
            match place {
                Place::Connection(slot) => {
                    self.with(slot, |client, turn| client.cancel(turn, ticket));
                    self.settle(slot);
                }
                // Both lists are in order of start: the oldest of all leads the backlog.
                Place::Backlog => {
                    let first = self.backlog.pop_front();
                    debug_assert_eq!(first, Some(ticket), "the backlog is in order of start");
                }
            }
        }
    }

    /// The next instant at which something is to be sent.
    fn next_send_ns(&mut self) -> Option<u64> {
        self.source.next_ns(self.backlog.len()).filter(|at_ns| *at_ns < self.until_ns)
    }

    /// The next instant at which something else is to be done.
    fn next_other_ns(&self, now_ns: u64) -> u64 {
        let deadline_ns =
            self.attempts.oldest().map(|(_, oldest)| oldest.intended_ns + self.timeout_ns);
        let end_ns = if now_ns < self.until_ns { self.until_ns } else { self.drain_until_ns };
        let reopens =
            self.source.is_closed_loop() && self.pool.has_space() && now_ns < self.reopen_ns;
        let reopen_ns = if reopens { self.reopen_ns } else { u64::MAX };
        end_ns.min(reopen_ns).min(deadline_ns.unwrap_or(u64::MAX)).min(now_ns + SLEEP_MAX_NS)
    }

    /// Lets the connections go on whose sockets are ready.
    fn go_on(&mut self) {
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

    fn interrupt(&mut self, now_ns: u64) {
        self.interrupted = true;
        if now_ns < self.until_ns {
            self.until_ns = now_ns;
        }
        let drain = self.job.plan.timeout.min(DRAIN_INTERRUPTED).as_nanos() as u64;
        self.drain_until_ns = self.drain_until_ns.min(now_ns + drain);
    }

    /// Whether there is nothing left to do or no time left to do it.
    fn is_over(&mut self, now_ns: u64) -> bool {
        if now_ns >= self.drain_until_ns {
            return true;
        }
        let sends_more = if self.source.is_closed_loop() {
            now_ns < self.until_ns
        } else {
            self.source.has_more(self.until_ns)
        };
        self.attempts.is_empty() && !sends_more
    }

    /// Gives what is still open its outcome and ends the record.
    fn finish(mut self) -> Recording {
        let now_ns = self.job.clock.now_ns();
        while let Some((ticket, _)) = self.attempts.oldest() {
            if let Some(attempt) = self.attempts.remove(ticket) {
                self.end(&attempt, Outcome::InFlight, now_ns);
            }
        }
        while let Some(arrival) = self.source.next_arrival(self.until_ns) {
            // Due, but never drawn from the schedule: the backlog was full.
            let operation = self.operation(arrival.index, arrival.at_ns);
            self.record.offered += 1;
            self.in_flight_unsent(&operation, now_ns);
        }
        for operation in self.source.take_held() {
            self.in_flight_unsent(&operation, now_ns);
        }
        for operation in self.source.take_retries() {
            // Their back-off outlasted the run.
            self.record.operation_ended(operation.started_ns, operation.ended_ns, false);
        }
        self.usage.cpu = thread_cpu();
        let elapsed = Duration::from_nanos(self.until_ns);
        self.record.into_recording(elapsed, self.interrupted, self.usage)
    }

    fn in_flight_unsent(&mut self, operation: &Operation, now_ns: u64) {
        let instants = Instants { intended_ns: operation.due_ns, sent_ns: None, ended_ns: now_ns };
        self.record.ended(Outcome::InFlight, &instants);
        self.job.live.ended(Outcome::InFlight, instants.response_time_us());
    }
}

/// A retry client behind its lock; a panic elsewhere left it as it was before a call.
fn lock(client: &Mutex<retry::Client>) -> std::sync::MutexGuard<'_, retry::Client> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}
