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
mod connections;
mod ended;
mod gathering;
mod pool;
mod source;

use super::authorize::Renewed;
use super::client::prepared::Prepared;
use super::client::proofs::Proofs;
use super::client::reception::Reception;
use super::client::transport::TlsTarget;
use super::client::{Client, Event, READ_BUFFER_BYTES, Ticket};
use super::clock::Clock;
use super::live::{LiveCounts, StopFlag};
use super::plan::{DRAIN_MAX, HttpVersion, Pace, Plan};
use super::record::Recorder;
use super::recording::{GeneratorUse, Recording};
use super::retry::{self, RetryModel};
use super::sleep::{SLEEP_MAX_NS, Sleeper};
use arc_swap::ArcSwap;
use attempts::{Attempt, Attempts, Operation, Place};
use gathering::Gathering;
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
/// How long replies are read at once after one came in pieces.
const PROMPT_NS: u64 = 1_000_000_000;
/// Requests longer than this may take several writes, between which the loop must not doze.
const DOZE_REQUEST_BYTES_MAX: usize = 8 * 1024;
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
    /// What proves who sends them.
    pub(super) renewed: Renewed,
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
    /// The proofs in force: a look at one pointer tells whether they are.
    proofs: arc_swap::Cache<Arc<ArcSwap<Proofs>>, Arc<Proofs>>,
    sleeper: Sleeper,
    source: Source,
    attempts: Attempts,
    backlog: VecDeque<Ticket>,
    pool: Pool<C>,
    /// Connections that have more to do though their sockets are silent.
    again: Vec<usize>,
    /// Requests to be sent once more, if possible each on a fresh connection.
    stale: Vec<Ticket>,
    events: VecDeque<Event>,
    buffer: Box<[u8]>,
    reception: Reception,
    /// Whether sockets are to say when bytes came.
    wants_stamps: bool,
    /// Replies are read at once until then.
    prompt_until_ns: u64,
    gathering: Gathering,
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
            sleeper: Sleeper::new(job.clock)?,
            source: Source::new(plan, job.part, job.of),
            attempts: Attempts::new(),
            backlog: VecDeque::new(),
            pool: Pool::new(job.connections_max),
            again: Vec::new(),
            stale: Vec::new(),
            events: VecDeque::new(),
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            reception: Reception::new(),
            wants_stamps: wants_stamps(plan, &job),
            prompt_until_ns: 0,
            gathering: Gathering::new(plan.send_window),
            record: Recorder::new(plan.duration(), plan.timeout),
            usage: GeneratorUse { workers: 1, ..GeneratorUse::default() },
            timeout_ns: plan.timeout.as_nanos() as u64,
            until_ns,
            drain_until_ns: until_ns + drain_ns,
            interrupted: false,
            reopen_ns: 0,
            proofs: arc_swap::Cache::new(Arc::clone(&job.renewed)),
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
                let sends_ns = self.next_sends_ns();
                let other_ns = self.next_other_ns(now_ns);
                let may_doze = self.may_doze(now_ns);
                self.sleeper.sleep(sends_ns, other_ns, may_doze)?;
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
            awaits_server: false,
            resent: false,
            place: Place::Backlog,
        });
        // Nothing overtakes the backlog.
        let is_first = self.backlog.is_empty();
        let slot = if is_first { self.pool.take() } else { None };
        if let Some(slot) = slot {
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
            awaits_server: false,
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

    /// The next two instants to wake at for sending.
    fn next_sends_ns(&mut self) -> [Option<u64>; 2] {
        let next_ns = self.source.next_ns(self.backlog.len());
        let is_before_end = |at_ns: &u64| *at_ns < self.until_ns;
        let ahead = self.source.ahead();
        if next_ns.is_some() && ahead.front().map(|first| first.at_ns) == next_ns {
            return self.gathering.instants_ns(ahead).map(|at_ns| at_ns.filter(is_before_end));
        }
        [next_ns.filter(is_before_end), None]
    }

    /// Whether replies can wait until the next send, since sockets say when they came and nothing
    /// else waits for them: no retry, no request still to be written, no reply that comes in pieces,
    /// which a server may want to see acknowledged or taken before it goes on.
    fn may_doze(&mut self, now_ns: u64) -> bool {
        if std::mem::take(&mut self.reception.is_in_pieces) {
            self.prompt_until_ns = now_ns + PROMPT_NS;
        }
        self.wants_stamps
            && self.reception.is_stamped
            && self.attempts.unsent() == 0
            && now_ns >= self.prompt_until_ns
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
        self.attempts.is_empty() && !self.source.has_more(now_ns, self.until_ns)
    }
}

/// Whether replies are timed by the kernel's stamps: in an open loop, where they can then wait to be
/// read. In a closed loop each reply is waited for, and a stamp would only cost.
fn wants_stamps(plan: &Plan, job: &Job) -> bool {
    let longest_bytes = job.prepared.longest_bytes() + job.renewed.load().longest_bytes();
    matches!(plan.pace, Pace::Open(_))
        && plan.http_version == HttpVersion::Http1
        && !plan.target.tls
        && plan.retry == RetryModel::None
        && longest_bytes <= DOZE_REQUEST_BYTES_MAX
}

/// A retry client behind its lock; a panic elsewhere left it as it was before a call.
fn lock(client: &Mutex<retry::Client>) -> std::sync::MutexGuard<'_, retry::Client> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}
