//! Several sessions of one model behind a bounded queue.
//!
//! ```text
//! infer ── a session is free, runs are cheap ──> run on the caller's thread
//!   └───── otherwise ──> queue (bounded) ──> worker threads, one a session ──> oneshot reply
//! ```
//!
//! A run of a small classifier takes a few microseconds, less than handing it to another thread;
//! a slow run on the caller's thread would hold up every other request of that async thread. Which
//! of both a model is follows from its own runs (`cost`), never from a setting.
//!
//! What a run takes is foretold from the size of its inputs, and a model may depend on their values
//! (a loop whose trip count is an input). So one run on a caller's thread that takes far longer than
//! was allowed ([`INLINE_OVERRUN_FACTOR`]) ends such runs for this pool, for good.
//!
//! # Invariants
//! A request whose deadline has passed is not run. A caller that goes away costs no session: its
//! request leaves the queue unrun, or its result is dropped. Sessions are never shared: whoever
//! runs one has taken it out of `idle` and puts it back, also when the run panics.

use super::batch::{self, Batching};
use super::cost::RunCost;
use super::queue::{Job, Queue};
use super::session::{OpenError, RunError, Session, Tensors};
use super::{Engine, open, worker};
use crate::error::{Exit, Explain};
use crate::model::Signature;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// How many times [`PoolOptions::inline_run_max`] a run on its caller's thread may take before none
/// happens there any more. By default 10 ms: a busy machine takes a thread off its core for a few,
/// which says nothing of the model.
const INLINE_OVERRUN_FACTOR: u32 = 50;

mod options;
mod stats;

pub use options::PoolOptions;
pub use stats::PoolStats;

/// Something that runs requests one at a time. [`Session`] is the one there is; tests bring theirs.
pub trait Runner: Send + 'static {
    /// Runs one request; see [`Session::run`].
    ///
    /// # Errors
    /// The request is at fault, or the run failed.
    fn run(&mut self, inputs: Tensors, outputs: &[String]) -> Result<Tensors, RunError>;
}

impl Runner for Session {
    fn run(&mut self, inputs: Tensors, outputs: &[String]) -> Result<Tensors, RunError> {
        Self::run(self, inputs, outputs)
    }
}

/// Why a request got no outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// Every session is busy and the queue is full.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The deadline passed before there was a result.
    #[error("the deadline passed before the model answered")]
    DeadlineExceeded,
    /// The pool takes no more requests.
    #[error("the model is being unloaded")]
    Closed,
    /// The run gave an error.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Explain for InferError {
    fn exit(&self) -> Exit {
        match self {
            Self::Run(error) => error.exit(),
            Self::Overloaded | Self::DeadlineExceeded | Self::Closed => Exit::Machine,
        }
    }
}

/// Sessions of one model.
pub struct Pool<R: Runner = Session> {
    shared: Arc<Shared<R>>,
    workers: Vec<JoinHandle<()>>,
    signature: Signature,
}

/// What callers and workers share.
pub(super) struct Shared<R: Runner> {
    state: Mutex<State<R>>,
    /// Something for a worker: a request, a session given back, the end.
    pub(super) work: Condvar,
    /// A closed pool has nothing left to do.
    pub(super) drained: Notify,
    queue_max: usize,
    inline_run_max: Duration,
}

pub(super) struct State<R: Runner> {
    pub(super) idle: Vec<R>,
    pub(super) queue: Queue,
    pub(super) batching: Option<Batching>,
    pub(super) is_closed: bool,
    pub(super) stats: PoolStats,
    cost: RunCost,
}

/// A session taken out of the pool; dropping it gives it back.
pub(super) struct Lease<'a, R: Runner> {
    shared: &'a Shared<R>,
    runner: Option<R>,
}

/// What becomes of a request.
enum Admission<'a, R: Runner> {
    Inline(Lease<'a, R>, Tensors),
    Queued(oneshot::Receiver<super::queue::Reply>),
}

impl Pool<Session> {
    /// Opens the model's sessions and runs one of them to learn what a run takes.
    ///
    /// # Errors
    /// The model cannot be opened; see [`Session::open`].
    pub fn open(engine: &Engine, path: &Path, options: &PoolOptions) -> Result<Self, OpenError> {
        let opened = open::open(engine, path, options)?;
        let signature = opened.signature.clone();
        let pool = Self::new(opened.sessions, signature, &opened.options);
        if let Some(run) = opened.warm_up {
            pool.shared.lock().cost.observe(run.elements, run.took);
        }
        Ok(pool)
    }
}

impl<R: Runner> Pool<R> {
    /// A pool of these runners.
    pub(super) fn new(runners: Vec<R>, signature: Signature, options: &PoolOptions) -> Self {
        let sessions = runners.len();
        let batching_off = options.batching.and_then(|_| batch::obstacle(&signature));
        let batching = options.batching.filter(|_| batching_off.is_none());
        let stats = PoolStats {
            sessions,
            intra_threads: options.intra_threads,
            batching_off,
            ..PoolStats::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                idle: runners,
                queue: Queue::default(),
                batching,
                is_closed: false,
                stats,
                cost: RunCost::default(),
            }),
            work: Condvar::new(),
            drained: Notify::new(),
            queue_max: options.queue_max,
            inline_run_max: options.inline_run_max,
        });
        let workers = (0..sessions).map(|_| worker::spawn(Arc::clone(&shared))).collect();
        Self { shared, workers, signature }
    }

    /// The model's inputs and outputs.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Runs a request. `outputs` names those wanted, in the order wanted; empty stands for all.
    ///
    /// Dropping the future takes the request back. Needs a Tokio runtime with time.
    ///
    /// # Errors
    /// The queue is full, the deadline passed, the pool is closed, or the run gave an error.
    pub async fn infer(
        &self,
        inputs: Tensors,
        outputs: &[String],
        deadline: Instant,
    ) -> Result<Tensors, InferError> {
        match self.admit(inputs, outputs, deadline)? {
            Admission::Inline(lease, inputs) => {
                let result = lease.run(inputs, outputs, Place::Inline);
                // Nothing could interrupt it; the answer is the same as from a worker.
                if deadline <= now() {
                    return Err(InferError::DeadlineExceeded);
                }
                Ok(result?)
            }
            Admission::Queued(reply) => match tokio::time::timeout_at(deadline.into(), reply).await
            {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => {
                    let message = "the run ended without a result".to_owned();
                    Err(RunError::Failed { message }.into())
                }
                Err(_) => Err(InferError::DeadlineExceeded),
            },
        }
    }

    fn admit(
        &self,
        inputs: Tensors,
        outputs: &[String],
        deadline: Instant,
    ) -> Result<Admission<'_, R>, InferError> {
        let elements = batch::elements(&inputs);
        let now = now();
        let mut state = self.shared.lock();
        if state.is_closed {
            return Err(InferError::Closed);
        }
        if deadline <= now {
            state.stats.expired += 1;
            return Err(InferError::DeadlineExceeded);
        }
        if state.is_cheap(elements, self.shared.inline_run_max)
            && let Some(runner) = state.idle.pop()
        {
            drop(state);
            return Ok(Admission::Inline(self.shared.lease(runner), inputs));
        }
        if state.queue.len() >= self.shared.queue_max {
            state.drop_dead(now);
        }
        if state.queue.len() >= self.shared.queue_max && !state.could_start_now() {
            state.stats.overloaded += 1;
            return Err(InferError::Overloaded);
        }
        let (reply, receiver) = oneshot::channel();
        let outputs = outputs.to_vec();
        state.queue.push(Job { inputs, outputs, queued: now, deadline, reply });
        drop(state);
        self.shared.work.notify_one();
        Ok(Admission::Queued(receiver))
    }

    /// What the pool has done and is doing.
    pub fn stats(&self) -> PoolStats {
        let state = self.shared.lock();
        PoolStats {
            running: state.stats.sessions - state.idle.len(),
            queue_depth: state.queue.len(),
            run_expected_ns: state.cost.expect(0).map(|run| run.as_nanos() as u64),
            ..state.stats.clone()
        }
    }

    /// Takes no more requests; those that wait are still run.
    pub fn close(&self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_all();
    }

    /// Closes the pool and waits until everything that waited has been run.
    pub async fn drain(&self) {
        self.close();
        loop {
            let notified = self.shared.drained.notified();
            if self.shared.lock().is_drained() {
                return;
            }
            notified.await;
        }
    }
}

impl<R: Runner> Drop for Pool<R> {
    /// Waits for the runs under way; nobody can be waiting in the queue any more, since a waiting
    /// caller borrows the pool.
    fn drop(&mut self) {
        self.close();
        for worker in self.workers.drain(..) {
            // A worker that panicked has nothing left to wait for.
            let _ = worker.join();
        }
    }
}

impl<R: Runner> Shared<R> {
    /// The state. A panic elsewhere leaves it whole: nothing is half-changed across a call that
    /// can panic.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session taken out by the caller.
    pub(super) fn lease(&self, runner: R) -> Lease<'_, R> {
        Lease { shared: self, runner: Some(runner) }
    }
}

impl<R: Runner> State<R> {
    /// Whether a request this large may run on its caller's thread: runs are cheap, nobody waits,
    /// there is no batch to form, and no such run was ever a long one.
    fn is_cheap(&self, elements: usize, inline_run_max: Duration) -> bool {
        let forms_batches = self.batching.is_some_and(|batching| !batching.delay_max.is_zero());
        !forms_batches
            && !self.stats.inline_off
            && self.queue.is_empty()
            && self.cost.expect(elements).is_some_and(|run| run <= inline_run_max)
    }

    /// Whether a session is free for one more than the queue holds: `queue_max` counts those that
    /// wait for a session, not those that a worker is about to take.
    fn could_start_now(&self) -> bool {
        self.queue.len() < self.idle.len()
    }

    /// Forgets the requests that serve nobody any more.
    pub(super) fn drop_dead(&mut self, now: Instant) {
        for job in self.queue.take_dead(now) {
            if job.reply.is_closed() {
                self.stats.abandoned += 1;
            } else {
                self.stats.expired += 1;
                job.expire();
            }
        }
    }

    fn is_drained(&self) -> bool {
        self.is_closed && self.queue.is_empty() && self.idle.len() == self.stats.sessions
    }
}

/// Which thread a run happens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inline,
    Worker,
}

impl<R: Runner> Lease<'_, R> {
    /// Runs a request and gives the session back.
    fn run(
        mut self,
        inputs: Tensors,
        outputs: &[String],
        place: Place,
    ) -> Result<Tensors, RunError> {
        self.run_kept(inputs, outputs, 1, place)
    }

    /// Runs what `requests` requests were joined to, and keeps the session for another run.
    pub(super) fn run_kept(
        &mut self,
        inputs: Tensors,
        outputs: &[String],
        requests: usize,
        place: Place,
    ) -> Result<Tensors, RunError> {
        let elements = batch::elements(&inputs);
        let started = now();
        let runner = self.runner.as_mut().expect("a lease holds its session until it is dropped");
        let result = runner.run(inputs, outputs);
        let took = now() - started;
        let mut state = self.shared.lock();
        // A request refused by its shape took no time and says nothing of the model.
        if !matches!(&result, Err(error) if error.is_request_fault()) {
            state.cost.observe(elements, took);
        }
        state.stats.runs += 1;
        if place == Place::Inline {
            state.stats.runs_inline += 1;
            state.stats.inline_off |=
                took > self.shared.inline_run_max.saturating_mul(INLINE_OVERRUN_FACTOR);
        }
        state.stats.runs_failed += u64::from(result.is_err());
        *state.stats.batch_sizes.entry(requests).or_default() += 1;
        result
    }
}

impl<R: Runner> Drop for Lease<'_, R> {
    fn drop(&mut self) {
        let Some(runner) = self.runner.take() else { return };
        let mut state = self.shared.lock();
        state.idle.push(runner);
        let (is_wanted, is_drained) = (!state.queue.is_empty(), state.is_drained());
        drop(state);
        if is_wanted {
            self.shared.work.notify_one();
        }
        if is_drained {
            self.shared.drained.notify_waiters();
        }
    }
}

/// The pool measures its own runs and compares deadlines with the present.
#[expect(clippy::disallowed_methods, reason = "the pool is a driver: it measures what runs take")]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
