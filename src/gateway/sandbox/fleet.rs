//! The sandboxes of one function version: which one gets a request, when they come and go.

use super::account::Reservation;
use super::cgroup::Limits;
use super::core::{self, Core, Decision, SandboxId};
use super::options::{
    ColdStarts, Direction, Error, FunctionOptions, InvokeError, InvokeRequest, Invoked, Stats,
};
use super::process::Processes;
use super::sandbox::{Current, Sandbox};
use super::supervise::supervise;
use crate::gateway::clock::{Clock as _, SystemClock};
use crate::spec::artefact::BOOTSTRAP_FILE;
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use http::HeaderValue;
use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

/// How long a request waits for a sandbox that has replied and not yet asked for the next
/// invocation. On AWS that happens while the reply is on its way to the client; here a client can be
/// faster, above all than a sandbox that waits for its share of a core.
const FINISHING_GRACE: Duration = Duration::from_millis(100);
/// How long the last lines of sandboxes that have ended are waited for.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest request id, bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The sandboxes of one function version. Dropping it kills them.
pub struct Fleet {
    shared: Arc<Shared>,
    expiry: JoinHandle<()>,
}

/// What a fleet and its sandboxes share.
pub(super) struct Shared {
    pub(super) options: FunctionOptions,
    pub(super) arn: HeaderValue,
    pub(super) processes: Arc<Processes>,
    state: Mutex<State>,
    /// A sandbox became free or is gone, or an invocation ended.
    freed: Notify,
    clock: SystemClock,
    _reservation: Option<Reservation>,
}

struct State {
    core: Core,
    sandboxes: HashMap<SandboxId, Arc<Sandbox>>,
    /// Processes whose sandboxes have expired, kept where cold starts are played.
    parked: Vec<Arc<Sandbox>>,
    /// Sandboxes of which anything is left, if only lines to write.
    supervised: usize,
    draws: ChaCha8Rng,
    closed: bool,
    stats: Stats,
}

enum Chosen {
    Reuse(SandboxId, Arc<Sandbox>),
    Start(SandboxId, Option<Instant>),
    Finishing,
}

impl Fleet {
    /// A fleet without a sandbox yet. Must be called inside the tokio runtime that runs it.
    ///
    /// # Errors
    /// No `bootstrap`, a reservation that the account has no room for, no private folder.
    pub fn start(options: FunctionOptions) -> Result<Self, Error> {
        if !options.task_root.join(BOOTSTRAP_FILE).exists() {
            return Err(Error::NoBootstrap { path: options.task_root });
        }
        let reserve = |reserved| options.account.reserve(reserved);
        let reservation = options.reserved_concurrency.map(reserve).transpose()?;
        let processes = Arc::new(Processes::new(&options)?);
        let clock = SystemClock::new();
        let limits = core::Limits {
            reserved: options.reserved_concurrency,
            account: options.account.concurrency(),
            scale_out: options.scale_out,
            idle_expiry_ns: u64::try_from(options.idle_expiry.as_nanos()).unwrap_or(u64::MAX),
        };
        let seed = match &options.cold_starts {
            ColdStarts::Measured => 0,
            ColdStarts::Played { seed, .. } => *seed,
        };
        let state = State {
            core: Core::new(limits, clock.monotonic_ns()),
            sandboxes: HashMap::new(),
            parked: Vec::new(),
            supervised: 0,
            draws: ChaCha8Rng::seed_from_u64(seed),
            closed: false,
            stats: Stats::default(),
        };
        let arn = HeaderValue::from_str(&options.arn()).unwrap_or(HeaderValue::from_static(""));
        let shared = Arc::new(Shared {
            options,
            arn,
            processes,
            state: Mutex::new(state),
            freed: Notify::new(),
            clock,
            _reservation: reservation,
        });
        let expiry = tokio::spawn(expire(Arc::downgrade(&shared)));
        Ok(Self { shared, expiry })
    }

    /// Which of Lambda's limits this machine holds.
    pub fn limits(&self) -> &Limits {
        self.shared.processes.groups.limits()
    }

    /// Invokes the function. The invocation runs to its end though the future is dropped.
    ///
    /// # Errors
    /// Lambda refuses it, or the function fails.
    pub async fn invoke(
        &self,
        event: Bytes,
        request: InvokeRequest,
    ) -> Result<Invoked, InvokeError> {
        let shared = &self.shared;
        let bytes = event.len();
        if bytes > LAMBDA_PAYLOAD_BYTES_MAX {
            return Err(InvokeError::PayloadTooLarge { bytes, direction: Direction::Request });
        }
        let (answer, answered) = oneshot::channel();
        let now = Instant::now();
        let mut current = Box::new(Current {
            request_id: request_id(request.request_id),
            trace_id: request.trace_id.into(),
            event,
            answer,
            deadline: None,
            deadline_utc_ms: 0,
            begun: now,
            cold_start: None,
        });
        let mut waits = true;
        loop {
            let freed = shared.freed.notified();
            tokio::pin!(freed);
            // From here on nothing that becomes free is missed.
            freed.as_mut().enable();
            match shared.choose(waits)? {
                Chosen::Finishing => {
                    let _promise = Promise(shared);
                    waits = timeout_at(now + FINISHING_GRACE, freed).await.is_ok();
                }
                Chosen::Reuse(id, sandbox) => match sandbox.dispatch(current) {
                    Ok(()) => break,
                    Err(back) => {
                        current = back;
                        shared.ended(id, None);
                    }
                },
                Chosen::Start(id, not_before) => {
                    shared.start(id, current, not_before);
                    break;
                }
            }
        }
        answered.await.unwrap_or(Err(InvokeError::Gone))
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        let state = self.shared.lock();
        Stats { in_flight: state.core.in_flight(), idle: state.core.idle(), ..state.stats }
    }

    /// Takes no more requests, waits until those in flight have ended, for at most `grace`, and
    /// ends every sandbox; their last lines are written. Whether all ended in time.
    pub async fn drain(&self, grace: Duration) -> bool {
        let shared = &self.shared;
        shared.lock().closed = true;
        let in_time = shared.wait_until(grace, |state| state.core.in_flight() == 0).await;
        shared.retire_all();
        let processes = Arc::clone(&shared.processes);
        // Waits for the kernel, so not on a thread that serves requests. It does not panic.
        let _ = tokio::task::spawn_blocking(move || processes.close()).await;
        shared.wait_until(END_TIMEOUT, |state| state.supervised == 0).await;
        in_time
    }

    /// Takes no more requests and kills every process, whatever it is at; blocks until they are
    /// gone.
    pub fn kill(&self) {
        self.shared.lock().closed = true;
        self.shared.processes.close();
    }

    /// Processes that run.
    pub fn processes(&self) -> usize {
        self.shared.processes.running()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.expiry.abort();
        self.kill();
        self.shared.retire_all();
    }
}

/// A finishing sandbox is promised to a request while it waits, and no longer: its caller may go.
struct Promise<'a>(&'a Shared);

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.0.lock().core.stop_waiting();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn utc_ms(&self) -> u64 {
        self.clock.utc_ms()
    }

    /// Whether something came to be so in time.
    async fn wait_until(&self, time: Duration, is_so: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + time;
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // From here on no change is missed.
            freed.as_mut().enable();
            if is_so(&self.lock()) {
                return true;
            }
            if timeout_at(deadline, freed).await.is_err() {
                return false;
            }
        }
    }

    fn choose(&self, waits: bool) -> Result<Chosen, InvokeError> {
        let mut state = self.lock();
        if state.closed {
            return Err(InvokeError::Gone);
        }
        let now_ns = self.clock.monotonic_ns();
        match state.core.request(&mut self.options.account.lock(), waits, now_ns) {
            Decision::Finishing => Ok(Chosen::Finishing),
            Decision::Throttle(reason) => {
                state.stats.throttled += 1;
                Err(InvokeError::Throttled { reason })
            }
            Decision::Start(id) => {
                state.stats.invocations += 1;
                state.stats.cold_starts += 1;
                let not_before = self.draw(&mut state.draws).map(|wait| Instant::now() + wait);
                Ok(Chosen::Start(id, not_before))
            }
            Decision::Reuse(id) => match state.sandboxes.get(&id) {
                Some(sandbox) => {
                    let sandbox = Arc::clone(sandbox);
                    state.stats.invocations += 1;
                    Ok(Chosen::Reuse(id, sandbox))
                }
                // It ended between the core's knowing and now; the next one is looked for.
                None => {
                    state.core.ended(&mut self.options.account.lock(), id);
                    drop(state);
                    self.choose(waits)
                }
            },
        }
    }

    fn draw(&self, draws: &mut ChaCha8Rng) -> Option<Duration> {
        match &self.options.cold_starts {
            ColdStarts::Played { durations, .. } if !durations.is_empty() => {
                Some(durations[draws.random_range(0..durations.len())])
            }
            _ => None,
        }
    }

    /// Starts sandbox `id` for an invocation, with a parked process if there is one.
    fn start(
        self: &Arc<Self>,
        id: SandboxId,
        mut current: Box<Current>,
        not_before: Option<Instant>,
    ) {
        while let Some(at) = not_before {
            let Some(parked) = self.lock().parked.pop() else { break };
            self.lock().sandboxes.insert(id, Arc::clone(&parked));
            match parked.revive(id, current, at) {
                Ok(()) => return,
                Err(back) => current = back,
            }
        }
        let (lines, told) = mpsc::unbounded_channel();
        let sandbox = Sandbox::new(Arc::clone(self), id, current, not_before, lines);
        let sandbox = Arc::new(sandbox);
        {
            let mut state = self.lock();
            state.sandboxes.insert(id, Arc::clone(&sandbox));
            state.supervised += 1;
        }
        tokio::spawn(supervise(sandbox, told));
    }

    /// A sandbox has replied.
    pub(super) fn responded(&self, id: SandboxId, is_ok: bool) {
        let mut state = self.lock();
        state.core.responded(id);
        state.stats.errors += u64::from(!is_ok);
    }

    /// A sandbox waits for an invocation.
    pub(super) fn ready(&self, id: SandboxId) {
        let mut state = self.lock();
        let now_ns = self.clock.monotonic_ns();
        state.core.ready(&mut self.options.account.lock(), id, now_ns);
        drop(state);
        self.freed.notify_waiters();
    }

    /// A sandbox has ended, with an invocation that failed so if there was one.
    pub(super) fn ended(&self, id: SandboxId, error: Option<&InvokeError>) {
        let mut state = self.lock();
        state.core.ended(&mut self.options.account.lock(), id);
        let sandbox = state.sandboxes.remove(&id);
        match error {
            Some(InvokeError::TimedOut { .. }) => state.stats.timeouts += 1,
            Some(_) => state.stats.errors += 1,
            None => {}
        }
        drop(state);
        self.freed.notify_waiters();
        // Its last reference may be this one, and it has a lock of its own.
        drop(sandbox);
    }

    pub(super) fn ran_out_of_memory(&self) {
        self.lock().stats.out_of_memory += 1;
    }

    /// Nothing of a sandbox is left, and its lines are written.
    pub(super) fn supervised(&self) {
        self.lock().supervised -= 1;
        self.freed.notify_waiters();
    }

    /// A sandbox's process is gone.
    pub(super) fn forget(&self, sandbox: &Arc<Sandbox>) {
        self.lock().parked.retain(|parked| !Arc::ptr_eq(parked, sandbox));
    }

    fn retire_all(&self) {
        let mut state = self.lock();
        let mut all: Vec<_> = state.sandboxes.drain().map(|(_, sandbox)| sandbox).collect();
        all.append(&mut state.parked);
        drop(state);
        all.iter().for_each(|sandbox| sandbox.retire());
    }

    /// Ends sandboxes that nothing came for; when to look again.
    fn expire(&self) -> Duration {
        let parks = matches!(self.options.cold_starts, ColdStarts::Played { .. });
        let mut state = self.lock();
        let now_ns = self.clock.monotonic_ns();
        let expired = state.core.expire(now_ns);
        state.stats.expired += expired.len() as u64;
        let gone: Vec<_> = expired.iter().filter_map(|id| state.sandboxes.remove(id)).collect();
        let next = state.core.next_expiry_ns().map(|at| Duration::from_nanos(at - now_ns));
        if parks {
            state.parked.extend(gone);
        } else {
            drop(state);
            gone.iter().for_each(|sandbox| sandbox.retire());
        }
        next.unwrap_or(self.options.idle_expiry)
    }
}

/// Looks for idle sandboxes while the fleet lives. What becomes idle while none is expires no
/// sooner than one expiry later.
async fn expire(fleet: Weak<Shared>) {
    loop {
        let Some(wait) = fleet.upgrade().map(|fleet| fleet.expire()) else { return };
        sleep(wait.max(Duration::from_millis(1))).await;
    }
}

/// The caller's id if it can stand in a path and a header.
fn request_id(given: Option<String>) -> Arc<str> {
    let is_usable = |id: &String| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.bytes().all(inside)
    };
    match given.filter(is_usable) {
        Some(id) => id.into(),
        None => Uuid::new_v4().to_string().into(),
    }
}
