//! One sandbox as the Runtime API sees it: what its process may say and what it gets.
//!
//! ```text
//! Starting --next--> Running --response | error--> Answered --next--> Waiting --an event--> Running
//!                       `--next: the same event again
//! ```
//! A sandbox is free for the next invocation from its answer on, so an event can come before the
//! process asks for it; it is kept until then.
//!
//! # Invariants
//! - An invocation is answered once: whoever takes its job out of the state answers it.
//! - The fleet knows that a sandbox is free before the caller has the answer.

use super::core::SandboxId;
use super::fault::{Fault, InvokeError};
use super::fleet::{Invoked, Shared};
use super::lock;
use super::report::Report;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// How long a process that cannot start has to end by itself.
const EXIT_GRACE: Duration = Duration::from_millis(500);

/// Reports that wait to be written; a process that answers faster than that loses some.
const REPORTS_MAX: usize = 256;
/// Lines of a report.
const REPORT_LINES: u64 = 2;

/// An invocation that has its sandbox.
pub(super) struct Job {
    pub(super) request_id: String,
    pub(super) event: Bytes,
    pub(super) trace_id: String,
    /// Whether the sandbox is started for it.
    pub(super) is_cold: bool,
    /// When it got its sandbox.
    pub(super) placed: Instant,
    pub(super) reply: oneshot::Sender<Result<Invoked, InvokeError>>,
}

/// A sandbox.
pub(super) struct Station {
    pub(super) id: SandboxId,
    pub(super) shared: Arc<Shared>,
    state: Mutex<State>,
    /// What invocations took, until it is written.
    reports: Mutex<VecDeque<Report>>,
    /// There are reports, or its deadline has changed.
    pub(super) wake: Notify,
}

struct State {
    phase: Phase,
    pending: Option<Job>,
    init: Init,
    /// The invocation answered last.
    answered_id: String,
    /// When its process is killed, if it has not ended by then.
    kill_at: Option<Instant>,
}

/// The start of the process.
#[derive(Debug, Clone, Copy)]
struct Init {
    begun: Instant,
    /// A played start lasts until then.
    not_before: Instant,
    /// A second start counts as part of the invocation, under the function's timeout.
    deadline: Option<Instant>,
    took: Option<Duration>,
}

enum Phase {
    Starting,
    Answered,
    Waiting(oneshot::Sender<()>),
    Running(Running),
    Over,
}

/// An invocation that the process has.
struct Running {
    job: Job,
    begun: Instant,
    deadline: Instant,
    init: Option<Duration>,
}

/// An event for the process.
pub(super) struct Delivery {
    pub(super) request_id: String,
    pub(super) event: Bytes,
    pub(super) trace_id: String,
    /// Time left until the function's timeout.
    pub(super) left: Duration,
}

/// What the process says of an invocation.
pub(super) enum Said {
    Response(Bytes),
    TooLarge,
    Error(Fault),
}

/// Why the process may not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misstep {
    /// There is no such invocation.
    InvalidId,
    /// Not in this state, of that name.
    From(&'static str),
}

/// What has become of a sandbox whose time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It has time left, until then.
    No(Instant),
    /// Its start took too long and is to be made again.
    Init,
    /// It is to be killed; an invocation that took too long has been answered.
    Kill,
}

impl Station {
    pub(super) fn new(id: SandboxId, shared: Arc<Shared>, job: Job) -> Self {
        let begun = job.placed;
        let init = Init { begun, not_before: begun, deadline: None, took: None };
        let state = State {
            phase: Phase::Starting,
            pending: Some(job),
            init,
            answered_id: String::new(),
            kill_at: None,
        };
        Self {
            id,
            shared,
            state: Mutex::new(state),
            reports: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// A process is being started. `played` is how long that is to take at least; a second start is
    /// under the function's timeout.
    pub(super) fn starting(&self, now: Instant, played: Option<Duration>, is_second: bool) {
        let mut state = lock(&self.state);
        state.phase = Phase::Starting;
        let deadline = is_second.then(|| now + self.shared.timeout());
        let not_before = now + played.unwrap_or_default();
        state.init = Init { begun: now, not_before, deadline, took: None };
    }

    /// Gives it an invocation. It is idle, or on its way to be.
    pub(super) fn deliver(&self, job: Job) -> Result<(), Box<Job>> {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut state.phase, Phase::Answered) {
            Phase::Over => {
                state.phase = Phase::Over;
                return Err(Box::new(job));
            }
            // A call that is no longer waiting is followed by another one, or by the end.
            Phase::Waiting(call) => drop(call.send(())),
            Phase::Starting => state.phase = Phase::Starting,
            Phase::Running(running) => state.phase = Phase::Running(running),
            Phase::Answered => {}
        }
        state.pending = Some(job);
        Ok(())
    }

    /// The process asks for an event. `None` when another call asks since, or all is over.
    pub(super) async fn next(&self) -> Option<Delivery> {
        let not_before = {
            let state = lock(&self.state);
            matches!(state.phase, Phase::Starting).then_some(state.init.not_before)
        };
        if let Some(not_before) = not_before {
            tokio::time::sleep_until(not_before).await;
        }
        loop {
            let called = {
                let mut state = lock(&self.state);
                match &state.phase {
                    Phase::Over => return None,
                    Phase::Running(running) => return Some(running.delivery(Instant::now())),
                    Phase::Starting => {
                        let now = Instant::now();
                        state.init.took = Some(now - state.init.begun);
                    }
                    Phase::Answered | Phase::Waiting(_) => {}
                }
                if let Some(job) = state.pending.take() {
                    return Some(self.begin(&mut state, job));
                }
                let (call, called) = oneshot::channel();
                state.phase = Phase::Waiting(call);
                called
            };
            called.await.ok()?;
        }
    }

    fn begin(&self, state: &mut State, job: Job) -> Delivery {
        let begun = Instant::now();
        let timeout = begun + self.shared.timeout();
        let deadline = state.init.deadline.take().map_or(timeout, |of_init| of_init.min(timeout));
        let init = state.init.took.take().filter(|_| job.is_cold);
        self.shared.say_start(&job.request_id);
        let running = Running { job, begun, deadline, init };
        let delivery = running.delivery(begun);
        state.phase = Phase::Running(running);
        delivery
    }

    /// The process answers. `action` is the name of what it does.
    pub(super) fn answer(&self, request_id: &str, said: Said) -> Result<(), Misstep> {
        let running = {
            let mut state = lock(&self.state);
            match &state.phase {
                Phase::Running(running) if running.job.request_id == request_id => {}
                _ if state.answered_id == request_id && !request_id.is_empty() => {
                    return Err(Misstep::From("RuntimeResponseSentState"));
                }
                _ => return Err(Misstep::InvalidId),
            }
            state.answered_id = request_id.to_owned();
            match std::mem::replace(&mut state.phase, Phase::Answered) {
                Phase::Running(running) => running,
                _ => return Err(Misstep::InvalidId),
            }
        };
        let duration = running.begun.elapsed();
        let Running { job, init, .. } = running;
        let result = match said {
            Said::Response(payload) => {
                Ok(Invoked { payload, cold_start: job.is_cold, init, duration })
            }
            Said::TooLarge => Err(InvokeError::Function(Fault::response_too_large())),
            Said::Error(fault) => Err(InvokeError::Function(fault)),
        };
        let error = result.as_ref().err().and_then(InvokeError::fault).cloned();
        self.shared.release(self.id);
        // The caller may have gone.
        let _ = job.reply.send(result);
        self.report(Report { request_id: job.request_id, duration, init, error });
        Ok(())
    }

    /// The process reports that it cannot start.
    pub(super) fn fail_init(&self, fault: Fault) -> Result<(), Misstep> {
        {
            let state = lock(&self.state);
            match state.phase {
                Phase::Starting => {}
                Phase::Running(_) => return Err(Misstep::From("Running")),
                Phase::Answered | Phase::Waiting(_) => return Err(Misstep::From("Ready")),
                Phase::Over => return Err(Misstep::From("RuntimeInitErrorState")),
            }
        }
        self.end(|_| InvokeError::Function(fault.clone()));
        self.kill_after(EXIT_GRACE);
        Ok(())
    }

    /// Has the process killed if it has not ended after that.
    pub(super) fn kill_after(&self, grace: Duration) {
        lock(&self.state).kill_at = Some(Instant::now() + grace);
        self.wake.notify_one();
    }

    /// The sandbox is over; an invocation that it has gets this error. One that the process never
    /// asked for, although it had answered others, is handed back.
    pub(super) fn end(&self, error: impl FnOnce(&str) -> InvokeError) -> Option<Job> {
        let (running, pending, was_starting) = {
            let mut state = lock(&self.state);
            let was_starting = matches!(state.phase, Phase::Starting);
            let running = match std::mem::replace(&mut state.phase, Phase::Over) {
                Phase::Running(running) => Some(running),
                _ => None,
            };
            (running, state.pending.take(), was_starting)
        };
        match (running, pending) {
            (Some(running), _) => {
                let duration = running.begun.elapsed();
                self.fail(running.job, running.init, duration, error);
                None
            }
            (None, Some(job)) if was_starting => {
                let duration = job.placed.elapsed();
                self.fail(job, None, duration, error);
                None
            }
            (None, pending) => pending,
        }
    }

    fn fail(
        &self,
        job: Job,
        init: Option<Duration>,
        duration: Duration,
        error: impl FnOnce(&str) -> InvokeError,
    ) {
        let error = error(&job.request_id);
        let fault = error.fault().cloned();
        if matches!(error, InvokeError::TimedOut(_)) {
            self.shared.say_timed_out(&job.request_id);
        }
        self.shared.lose(self.id);
        let _ = job.reply.send(Err(error));
        self.report(Report { request_id: job.request_id, duration, init, error: fault });
    }

    fn report(&self, report: Report) {
        {
            let mut reports = lock(&self.reports);
            if reports.len() < REPORTS_MAX {
                reports.push_back(report);
            } else {
                self.shared.lost_lines(REPORT_LINES);
            }
        }
        self.wake.notify_one();
    }

    /// What invocations took since the last call.
    pub(super) fn take_reports(&self) -> VecDeque<Report> {
        std::mem::take(&mut *lock(&self.reports))
    }

    /// Looks whether its time is up.
    pub(super) fn overdue(&self, now: Instant) -> Overdue {
        let timeout = self.shared.timeout();
        let deadline = {
            let state = lock(&self.state);
            match (&state.phase, &state.pending) {
                _ if state.kill_at.is_some_and(|kill_at| kill_at <= now) => return Overdue::Kill,
                (Phase::Over, _) => state.kill_at.unwrap_or(now + timeout),
                (Phase::Starting, _) => match state.init.deadline {
                    Some(deadline) => deadline,
                    None => {
                        let deadline = state.init.begun + self.shared.init_limit();
                        return if deadline > now { Overdue::No(deadline) } else { Overdue::Init };
                    }
                },
                (Phase::Running(running), _) => running.deadline,
                (Phase::Answered | Phase::Waiting(_), Some(job)) => job.placed + timeout,
                // What begins from here on ends no sooner.
                (Phase::Answered | Phase::Waiting(_), None) => now + timeout,
            }
        };
        if deadline > now {
            return Overdue::No(deadline);
        }
        let late = self.end(|id| InvokeError::TimedOut(Fault::timed_out(id, timeout)));
        if let Some(job) = late {
            let duration = job.placed.elapsed();
            let error = |id: &str| InvokeError::TimedOut(Fault::timed_out(id, timeout));
            self.fail(job, None, duration, error);
        }
        Overdue::Kill
    }
}

impl Running {
    fn delivery(&self, now: Instant) -> Delivery {
        Delivery {
            request_id: self.job.request_id.clone(),
            event: self.job.event.clone(),
            trace_id: self.job.trace_id.clone(),
            left: self.deadline.saturating_duration_since(now),
        }
    }
}
