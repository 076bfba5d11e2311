//! One sandbox: where its invocation stands, between the Runtime API, the supervisor and the fleet.
//!
//! ```text
//! Init ── next ──> Waiting (a cold start is played) ──> Running ── response, error ──> Responded
//!                                                          ^                                │
//!                                                          └──────── Idle <────── next ─────┘
//! ```
//! # Invariants
//! - The slot's lock is taken before the fleet's, never after it.
//! - An invocation is answered once: whoever takes it out of the slot answers it.

use super::core::SandboxId;
use super::fleet::Shared;
use super::lines::Line;
use super::options::{ColdStart, InvokeError, Invoked};
use super::payload;
use super::process::Process;
use super::report::{self, Ending};
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

/// What the caller of an invocation gets.
pub(super) type Answer = Result<Invoked, InvokeError>;

/// An invocation that a sandbox has, or will have.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) request_id: Arc<str>,
    pub(super) trace_id: Arc<str>,
    pub(super) event: Bytes,
    /// Dropped when the caller has gone; the invocation goes on.
    pub(super) answer: oneshot::Sender<Answer>,
    /// When the function times out. Set when the function's time begins.
    pub(super) deadline: Option<Instant>,
    pub(super) deadline_utc_ms: u64,
    pub(super) begun: Instant,
    pub(super) cold_start: Option<ColdStart>,
}

/// An invocation whose reply is out, until the runtime asks for the next one.
#[derive(Debug)]
struct Replied {
    request_id: Arc<str>,
    begun: Instant,
    deadline: Option<Instant>,
    init: Option<Duration>,
    ending: Ending,
}

#[derive(Debug)]
enum State {
    /// The process starts for this invocation.
    Init(Box<Current>),
    /// The process is ready; its invocation comes at the instant.
    Waiting(Box<Current>, Instant),
    Idle,
    Running(Box<Current>),
    Responded(Replied),
    Ended,
}

struct Slot {
    id: SandboxId,
    state: State,
    /// When this process began to start.
    init_begun: Instant,
    /// Not before this instant does a new sandbox get its invocation.
    not_before: Option<Instant>,
    /// INIT overran its limit and is done again under the function's timeout.
    restarted: bool,
    process: Option<Arc<Process>>,
    /// When the supervisor looks again by itself.
    looks_at: Option<Instant>,
}

impl Slot {
    fn due(&self, init_timeout: Duration) -> Due {
        match &self.state {
            State::Ended => Due::Ended,
            State::Idle | State::Waiting(..) => Due::Never,
            State::Init(current) => match current.deadline {
                Some(deadline) => Due::Timeout(deadline),
                None => Due::InitLimit(self.init_begun + init_timeout),
            },
            State::Running(current) => current.deadline.map_or(Due::Never, Due::Timeout),
            State::Responded(replied) => replied.deadline.map_or(Due::Never, Due::Timeout),
        }
    }
}

/// A sandbox. The fleet, its API and its supervisor share it.
pub(super) struct Sandbox {
    pub(super) fleet: Arc<Shared>,
    slot: Mutex<Slot>,
    /// The runtime may have an invocation to fetch.
    dispatched: Notify,
    /// The supervisor has something to look at.
    pub(super) changed: Notify,
    pub(super) lines: mpsc::UnboundedSender<Line>,
}

/// What the runtime's `next` comes to.
pub(super) enum Next {
    Event {
        request_id: Arc<str>,
        trace_id: Arc<str>,
        event: Bytes,
        deadline_utc_ms: u64,
    },
    /// Nothing yet; at the latest at the instant there is.
    Wait(Option<Instant>),
}

/// What is wrong with what the runtime sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unexpected {
    /// Status 400.
    RequestId,
    /// Status 403.
    Transition,
}

/// What the supervisor does when the time comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Never,
    InitLimit(Instant),
    Timeout(Instant),
    /// The sandbox has ended; its process is to go.
    Ended,
}

impl Sandbox {
    pub(super) fn new(
        fleet: Arc<Shared>,
        id: SandboxId,
        current: Box<Current>,
        not_before: Option<Instant>,
        lines: mpsc::UnboundedSender<Line>,
    ) -> Self {
        let slot = Slot {
            id,
            init_begun: current.begun,
            state: State::Init(current),
            not_before,
            restarted: false,
            process: None,
            looks_at: None,
        };
        let (dispatched, changed) = (Notify::new(), Notify::new());
        Self { fleet, slot: Mutex::new(slot), dispatched, changed, lines }
    }

    /// The slot; nothing under its lock panics.
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives an idle sandbox an invocation; a sandbox that has ended meanwhile gives it back.
    pub(super) fn dispatch(&self, current: Box<Current>) -> Result<(), Box<Current>> {
        let mut slot = self.lock();
        if !matches!(slot.state, State::Idle) {
            return Err(current);
        }
        let deadline = self.run(&mut slot, current);
        let looks_in_time = slot.looks_at.is_some_and(|at| at <= deadline);
        drop(slot);
        self.dispatched.notify_waiters();
        if !looks_in_time {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Gives a process that outlived its sandbox another life as sandbox `id`.
    pub(super) fn revive(
        &self,
        id: SandboxId,
        mut current: Box<Current>,
        not_before: Instant,
    ) -> Result<(), Box<Current>> {
        let mut slot = self.lock();
        if !matches!(slot.state, State::Idle) {
            return Err(current);
        }
        slot.id = id;
        slot.init_begun = current.begun;
        current.cold_start = Some(ColdStart { init: not_before - current.begun });
        slot.state = State::Waiting(current, not_before);
        drop(slot);
        self.dispatched.notify_waiters();
        Ok(())
    }

    /// The function's time begins.
    fn run(&self, slot: &mut Slot, mut current: Box<Current>) -> Instant {
        let options = &self.fleet.options;
        let now = Instant::now();
        let deadline = *current.deadline.get_or_insert(now + options.timeout);
        let left_ms = (deadline - now).as_millis();
        current.deadline_utc_ms =
            self.fleet.utc_ms().saturating_add(u64::try_from(left_ms).unwrap_or(u64::MAX));
        if !slot.restarted {
            current.begun = now;
        }
        self.say(report::start(&current.request_id, &options.version));
        slot.state = State::Running(current);
        deadline
    }

    /// `GET /runtime/invocation/next`.
    pub(super) fn next(&self) -> Next {
        let now = Instant::now();
        let mut slot = self.lock();
        let slot = &mut *slot;
        match std::mem::replace(&mut slot.state, State::Ended) {
            State::Init(mut current) => {
                let ready = now - slot.init_begun;
                let not_before = slot.not_before.filter(|at| *at > now).unwrap_or(now);
                let init = not_before - slot.init_begun;
                // Under the function's timeout it is part of the invocation.
                current.cold_start =
                    Some(ColdStart { init: if slot.restarted { ready } else { init } });
                slot.state = State::Waiting(current, not_before);
            }
            State::Responded(replied) => {
                self.report(&replied, now);
                slot.state = State::Idle;
                self.fleet.ready(slot.id);
            }
            other => slot.state = other,
        }
        match std::mem::replace(&mut slot.state, State::Ended) {
            State::Waiting(current, at) if at <= now => {
                self.run(slot, current);
                self.changed.notify_one();
            }
            other => slot.state = other,
        }
        match &slot.state {
            // Asked again before it replied, it gets the same invocation, as AWS's emulator does.
            State::Running(current) => Next::Event {
                request_id: Arc::clone(&current.request_id),
                trace_id: Arc::clone(&current.trace_id),
                event: current.event.clone(),
                deadline_utc_ms: current.deadline_utc_ms,
            },
            State::Waiting(_, at) => Next::Wait(Some(*at)),
            _ => Next::Wait(None),
        }
    }

    /// Resolves once [`Sandbox::next`] may have another answer than the one after this call.
    pub(super) fn dispatched(&self) -> tokio::sync::futures::Notified<'_> {
        self.dispatched.notified()
    }

    /// Whether a reply to this invocation is welcome.
    pub(super) fn expects(&self, request_id: &str) -> Result<(), Unexpected> {
        match &self.lock().state {
            State::Running(current) if *current.request_id == *request_id => Ok(()),
            State::Responded(replied) if *replied.request_id == *request_id => {
                Err(Unexpected::Transition)
            }
            State::Init(_) => Err(Unexpected::Transition),
            _ => Err(Unexpected::RequestId),
        }
    }

    /// The function's reply, or the error in its place.
    pub(super) fn respond(
        &self,
        request_id: &str,
        reply: Result<Bytes, InvokeError>,
    ) -> Result<(), Unexpected> {
        self.expects(request_id)?;
        let mut slot = self.lock();
        let current = match std::mem::replace(&mut slot.state, State::Ended) {
            State::Running(current) if *current.request_id == *request_id => current,
            other => {
                slot.state = other;
                return Err(Unexpected::RequestId);
            }
        };
        slot.state = State::Responded(Replied {
            request_id: Arc::clone(&current.request_id),
            begun: current.begun,
            deadline: current.deadline,
            init: current.cold_start.filter(|_| !slot.restarted).map(|cold| cold.init),
            ending: Ending::Well,
        });
        slot.restarted = false;
        self.fleet.responded(slot.id, reply.is_ok());
        drop(slot);
        let answer = reply.map(|payload| Invoked {
            payload,
            request_id: Arc::clone(&current.request_id),
            cold_start: current.cold_start,
            duration: current.begun.elapsed(),
        });
        // The caller may have gone.
        let _ = current.answer.send(answer);
        Ok(())
    }

    /// The function cannot start, it says.
    pub(super) fn fail_init(&self, error: InvokeError) -> Result<(), Unexpected> {
        if !matches!(self.lock().state, State::Init(_)) {
            return Err(Unexpected::Transition);
        }
        self.end(|_| error, Ending::Error("Runtime.Unknown"));
        Ok(())
    }

    /// Ends the sandbox, whatever it is at; an invocation it has gets the error.
    pub(super) fn end(&self, error: impl FnOnce(&str) -> InvokeError, ending: Ending) {
        self.end_at(self.lock(), Instant::now(), error, ending);
    }

    fn end_at(
        &self,
        mut slot: MutexGuard<'_, Slot>,
        now: Instant,
        error: impl FnOnce(&str) -> InvokeError,
        ending: Ending,
    ) {
        let state = std::mem::replace(&mut slot.state, State::Ended);
        let id = slot.id;
        self.changed.notify_one();
        let failed = match state {
            State::Ended => return,
            State::Idle => {
                self.fleet.ended(id, None);
                return;
            }
            State::Responded(replied) => {
                self.report(&Replied { ending, ..replied }, now);
                self.fleet.ended(id, None);
                return;
            }
            State::Init(current) => {
                let phase = if slot.restarted { "invoke" } else { "init" };
                self.say(report::init(now - slot.init_begun, phase, ending));
                if !slot.restarted {
                    self.say(report::start(&current.request_id, &self.fleet.options.version));
                }
                current
            }
            State::Waiting(current, _) | State::Running(current) => current,
        };
        let replied = Replied {
            request_id: Arc::clone(&failed.request_id),
            begun: failed.begun,
            deadline: failed.deadline,
            init: failed.cold_start.filter(|_| !slot.restarted).map(|cold| cold.init),
            ending,
        };
        self.report(&replied, now);
        let error = error(&failed.request_id);
        self.fleet.ended(id, Some(&error));
        drop(slot);
        let _ = failed.answer.send(Err(error));
    }

    /// Takes an idle sandbox out of use.
    pub(super) fn retire(&self) {
        self.kill();
        self.end(|_| InvokeError::Gone, Ending::Well);
    }

    /// INIT overran: it is done again, under the function's timeout. `false` if it is over.
    pub(super) fn restart_init(&self) -> bool {
        let now = Instant::now();
        let mut slot = self.lock();
        let took = now - slot.init_begun;
        let timeout = self.fleet.options.timeout;
        let State::Init(current) = &mut slot.state else { return false };
        self.say(report::init(took, "init", Ending::Timeout));
        self.say(report::start(&current.request_id, &self.fleet.options.version));
        current.begun = now;
        current.deadline = Some(now + timeout);
        slot.init_begun = now;
        slot.restarted = true;
        slot.process = None;
        true
    }

    /// What the supervisor waits for; it looks again by itself then.
    pub(super) fn due(&self) -> Due {
        let mut slot = self.lock();
        let due = slot.due(self.fleet.options.init_timeout);
        slot.looks_at = match due {
            Due::Never | Due::Ended => None,
            Due::InitLimit(at) | Due::Timeout(at) => Some(at),
        };
        due
    }

    /// Ends the sandbox if the time of the invocation that it has now is over; the one whose end the
    /// supervisor waited for may have been followed by another.
    pub(super) fn time_out(&self) {
        let now = Instant::now();
        let slot = self.lock();
        let Due::Timeout(deadline) = slot.due(self.fleet.options.init_timeout) else { return };
        if now < deadline {
            return;
        }
        let timeout = self.fleet.options.timeout;
        let error = |request_id: &str| {
            let seconds = timeout.as_secs_f64();
            self.say(format!("{request_id} Task timed out after {seconds:.2} seconds"));
            payload::timed_out(request_id, timeout)
        };
        self.end_at(slot, now, error, Ending::Timeout);
        self.kill();
    }

    pub(super) fn set_process(&self, process: Arc<Process>) {
        self.lock().process = Some(process);
    }

    pub(super) fn process(&self) -> Option<Arc<Process>> {
        self.lock().process.clone()
    }

    /// Ends the process and all that it started.
    pub(super) fn kill(&self) {
        if let Some(process) = self.process() {
            process.kill();
        }
    }

    fn report(&self, replied: &Replied, now: Instant) {
        let line = Line::Report {
            request_id: Arc::clone(&replied.request_id),
            duration: now - replied.begun,
            init: replied.init,
            ending: replied.ending,
        };
        // Whoever writes the lines ends after the sandbox.
        let _ = self.lines.send(line);
    }

    fn say(&self, line: String) {
        let _ = self.lines.send(Line::Text(line));
    }
}
