//! The sandboxes of one version of a function: what they are invoked through.

use super::cgroup::Cgroups;
use super::core::{Bounds, Core, Placement, SandboxId, ThrottleReason};
use super::environment::{self, ACCOUNT_ID, REGION};
use super::fault::{Fault, InvokeError};
use super::knobs::Knobs;
use super::process::{self, Group, NotStarted};
use super::report;
use super::station::{Job, Station};
use super::{driver, lock};
use crate::gateway::clock::{Clock, SystemClock};
use crate::gateway::ids::IdSource;
use crate::gateway::limiter::mix;
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, UNIX_EPOCH};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

/// A function: its code and its configuration.
pub struct FunctionOptions {
    /// Folder that holds `bootstrap`.
    pub task_root: PathBuf,
    /// The function's name.
    pub name: String,
    /// The function's version, as it is told and as its log says.
    pub version: String,
    /// Memory, MiB; CPU comes with it.
    pub memory_mib: u32,
    /// The longest an invocation may take.
    pub timeout: Duration,
    /// Concurrency of its own; without it the account's counts.
    pub reserved_concurrency: Option<u32>,
    /// Durations of starts to play: one is chosen for each start, which lasts as long, or as long as
    /// the process takes if that is longer.
    pub cold_starts: Option<Vec<Duration>>,
    /// Takes the lines of the function and those about it, without line breaks; must not wait.
    pub log: Log,
}

/// Takes lines.
pub type Log = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// What comes with an event.
#[derive(Debug, Clone, Default)]
pub struct InvokeRequest {
    /// `X-Amzn-Trace-Id`; empty for none.
    pub trace_id: String,
}

/// What a function returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// Its payload.
    pub payload: Bytes,
    /// Whether a sandbox was started for the invocation.
    pub cold_start: bool,
    /// How long that start took.
    pub init: Option<Duration>,
    /// From the event's delivery to the answer.
    pub duration: Duration,
}

/// How a fleet is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Invocations at work or starting their sandbox.
    pub in_flight: usize,
    /// Sandboxes without work.
    pub idle: usize,
    /// Sandboxes started so far.
    pub started: u64,
    /// Processes that there are.
    pub processes: usize,
    /// Invocations refused so far, by Lambda's reason.
    pub throttled: BTreeMap<ThrottleReason, u64>,
    /// Lines that were not logged, as there were too many.
    pub lost_lines: u64,
}

/// The sandboxes of one version of a function. Dropping it kills their processes and waits for them.
pub struct Fleet {
    shared: Arc<Shared>,
    sweeper: AbortHandle,
}

impl Fleet {
    /// A fleet without a sandbox yet, whose tasks run in the current runtime.
    ///
    /// # Errors
    /// There is no current runtime.
    pub fn start(options: FunctionOptions) -> std::io::Result<Self> {
        Self::start_with(options, Knobs::default())
    }

    /// As [`Fleet::start`], with knobs.
    ///
    /// # Errors
    /// See [`Fleet::start`].
    pub fn start_with(options: FunctionOptions, knobs: Knobs) -> std::io::Result<Self> {
        let runtime = Handle::try_current().map_err(std::io::Error::other)?;
        let shared = Arc::new(Shared::new(options, knobs, runtime.clone()));
        let sweeper = runtime.spawn(sweep(Arc::clone(&shared))).abort_handle();
        Ok(Self { shared, sweeper })
    }

    /// Invokes the function. It runs to its end also when this future is dropped.
    ///
    /// # Errors
    /// The function is throttled, fails, or takes too long.
    pub async fn invoke(
        &self,
        event: Bytes,
        request: InvokeRequest,
    ) -> Result<Invoked, InvokeError> {
        if event.len() > LAMBDA_PAYLOAD_BYTES_MAX {
            return Err(InvokeError::EventTooLarge { bytes: event.len() });
        }
        let (reply, replied) = oneshot::channel();
        let request_id = self.shared.request_id();
        let lost = Fault::lost(&request_id);
        let job = Job {
            request_id,
            event,
            trace_id: request.trace_id,
            is_cold: false,
            placed: tokio::time::Instant::now(),
            reply,
        };
        self.shared.place(job)?;
        replied.await.unwrap_or(Err(InvokeError::Function(lost)))
    }

    /// Takes no further invocations, waits for those in flight, ends all processes.
    pub async fn drain(&self) {
        lock(&self.shared.inner).is_closed = true;
        self.shared.wait_until(|inner| inner.core.in_flight() == 0).await;
        for station in lock(&self.shared.inner).sandboxes.values().map(|entry| &entry.station) {
            station.kill_after(Duration::ZERO);
        }
        self.shared.wait_until(|inner| inner.sandboxes.is_empty()).await;
    }

    /// How it is doing.
    pub fn stats(&self) -> Stats {
        let inner = lock(&self.shared.inner);
        Stats {
            in_flight: inner.core.in_flight(),
            idle: inner.core.idle(),
            started: inner.core.started(),
            processes: inner.sandboxes.values().filter(|entry| entry.group.is_some()).count(),
            throttled: inner.throttled.clone(),
            lost_lines: self.shared.lost_lines.load(Ordering::Relaxed),
        }
    }

    /// What of Lambda's limits this machine enforces, in a line.
    pub fn limits(&self) -> String {
        self.shared.cgroups.describe()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.sweeper.abort();
        self.shared.close();
    }
}

/// Ends sandboxes that have been idle for long enough.
async fn sweep(shared: Arc<Shared>) {
    loop {
        let now_ns = shared.clock.monotonic_ns();
        // What becomes idle from here on stays for the whole time.
        let next_ns = {
            let mut inner = lock(&shared.inner);
            for sandbox in inner.core.expire(now_ns) {
                if let Some(entry) = inner.sandboxes.get(&sandbox) {
                    entry.station.kill_after(Duration::ZERO);
                }
            }
            let idle_ns = u64::try_from(shared.knobs.idle.as_nanos()).unwrap_or(u64::MAX);
            inner.core.next_expiry_ns().unwrap_or(now_ns.saturating_add(idle_ns))
        };
        let wait = Duration::from_nanos(next_ns.saturating_sub(now_ns));
        tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
    }
}

/// What the fleet, its sandboxes and their drivers have in common.
pub(super) struct Shared {
    options: FunctionOptions,
    knobs: Knobs,
    environment: Vec<(OsString, OsString)>,
    cgroups: Cgroups,
    pub(super) arn: HeaderValue,
    pub(super) clock: SystemClock,
    ids: IdSource,
    runtime: Handle,
    inner: Mutex<Inner>,
    /// Something in `inner` has become less.
    changed: Notify,
    /// Held while a process is started and entered; closing waits for it.
    starting: RwLock<()>,
    lost_lines: AtomicU64,
}

struct Inner {
    core: Core,
    sandboxes: HashMap<SandboxId, Entry>,
    throttled: BTreeMap<ThrottleReason, u64>,
    is_closed: bool,
}

struct Entry {
    station: Arc<Station>,
    group: Option<Arc<Group>>,
    driver: Option<AbortHandle>,
}

impl Shared {
    fn new(options: FunctionOptions, knobs: Knobs, runtime: Handle) -> Self {
        let clock = SystemClock::new();
        let bounds = Bounds {
            concurrency: options.reserved_concurrency.unwrap_or(knobs.account_concurrency),
            is_reserved: options.reserved_concurrency.is_some(),
            idle_ns: u64::try_from(knobs.idle.as_nanos()).unwrap_or(u64::MAX),
        };
        let inner = Inner {
            core: Core::new(bounds, clock.monotonic_ns()),
            sandboxes: HashMap::new(),
            throttled: BTreeMap::new(),
            is_closed: false,
        };
        let day = humantime::format_rfc3339_seconds(UNIX_EPOCH + ms(clock.utc_ms())).to_string();
        let day = day.get(..10).unwrap_or_default().replace('-', "/");
        let stream = format!("{day}/[{}]{:032x}", options.version, mix(knobs.seed));
        let environment = environment::environment(&options, &knobs, &stream);
        let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{}", options.name);
        let cgroups = match knobs.cgroups {
            true => Cgroups::detect(options.memory_mib),
            false => Cgroups::none(options.memory_mib, "it was not asked for"),
        };
        Self {
            cgroups,
            environment,
            arn: HeaderValue::try_from(arn).unwrap_or(HeaderValue::from_static("")),
            ids: IdSource::new(knobs.seed),
            options,
            knobs,
            clock,
            runtime,
            inner: Mutex::new(inner),
            changed: Notify::new(),
            starting: RwLock::new(()),
            lost_lines: AtomicU64::new(0),
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.options.timeout
    }

    pub(super) fn init_limit(&self) -> Duration {
        self.knobs.init_limit
    }

    fn request_id(&self) -> String {
        let id = self.ids.ids(&HeaderMap::new()).request_id;
        id.to_str().unwrap_or_default().to_owned()
    }

    /// Finds a sandbox for an invocation, or starts one.
    fn place(self: &Arc<Self>, job: Job) -> Result<(), InvokeError> {
        let mut inner = lock(&self.inner);
        if inner.is_closed {
            return Err(InvokeError::Function(Fault::lost(&job.request_id)));
        }
        let placement = inner.core.place(self.clock.monotonic_ns());
        self.carry_out(inner, placement, job)
    }

    fn carry_out<'a>(
        self: &'a Arc<Self>,
        mut inner: MutexGuard<'a, Inner>,
        mut placement: Placement,
        mut job: Job,
    ) -> Result<(), InvokeError> {
        loop {
            match placement {
                Placement::Throttle(reason) => {
                    *inner.throttled.entry(reason).or_default() += 1;
                    return Err(InvokeError::Throttled);
                }
                Placement::Start(sandbox) => {
                    job.is_cold = true;
                    self.start_sandbox(&mut inner, sandbox, job);
                    return Ok(());
                }
                Placement::Reuse(sandbox) => {
                    let station = inner.sandboxes.get(&sandbox).map(|e| Arc::clone(&e.station));
                    drop(inner);
                    let Some(station) = station else {
                        return Err(InvokeError::Function(Fault::lost(&job.request_id)));
                    };
                    // It may have ended a moment ago.
                    match station.deliver(job) {
                        Ok(()) => return Ok(()),
                        Err(refused) => job = *refused,
                    }
                    inner = lock(&self.inner);
                    placement = inner.core.place_again(sandbox, self.clock.monotonic_ns());
                }
            }
        }
    }

    fn start_sandbox(self: &Arc<Self>, inner: &mut Inner, sandbox: SandboxId, job: Job) {
        let played = self.options.cold_starts.as_ref().and_then(|starts| {
            let choice = mix(self.knobs.seed ^ mix(sandbox.0)) as usize;
            starts.get(choice.checked_rem(starts.len())?).copied()
        });
        let station = Arc::new(Station::new(sandbox, Arc::clone(self), job));
        let driver = self.runtime.spawn(driver::run(Arc::clone(&station), played));
        let driver = Some(driver.abort_handle());
        inner.sandboxes.insert(sandbox, Entry { station, group: None, driver });
    }

    /// Starts the process of a sandbox, so that it ends with the fleet.
    pub(super) fn start_process(
        &self,
        sandbox: SandboxId,
        api: SocketAddr,
    ) -> Result<(tokio::process::Child, Arc<Group>), NotStarted> {
        let _starting = self.starting.read().unwrap_or_else(PoisonError::into_inner);
        let closed = NotStarted { error_type: "Runtime.ExitError", text: "the twin ends".into() };
        if !lock(&self.inner).sandboxes.contains_key(&sandbox) {
            return Err(closed);
        }
        let groups = self.cgroups.make().map_err(|error| NotStarted {
            error_type: "Runtime.InvalidEntrypoint",
            text: format!("cgroup: {error}"),
        })?;
        let (child, group) =
            process::start(&self.options.task_root, &self.environment, api, groups)?;
        let group = Arc::new(group);
        match lock(&self.inner).sandboxes.get_mut(&sandbox) {
            Some(entry) => entry.group = Some(Arc::clone(&group)),
            None => return Err(closed),
        }
        Ok((child, group))
    }

    /// A sandbox has answered.
    pub(super) fn release(&self, sandbox: SandboxId) {
        lock(&self.inner).core.release(sandbox, self.clock.monotonic_ns());
        self.changed.notify_waiters();
    }

    /// A sandbox is over; its process may still be there.
    pub(super) fn lose(&self, sandbox: SandboxId) {
        lock(&self.inner).core.lose(sandbox);
        self.changed.notify_waiters();
    }

    /// A sandbox is over; the invocation that it did not begin gets another one.
    pub(super) fn lose_or_place_again(self: &Arc<Self>, sandbox: SandboxId, job: Option<Job>) {
        let Some(mut job) = job else { return self.lose(sandbox) };
        let mut inner = lock(&self.inner);
        let placement = inner.core.place_again(sandbox, self.clock.monotonic_ns());
        let (reply, replied) = oneshot::channel();
        let caller = std::mem::replace(&mut job.reply, reply);
        if let Err(error) = self.carry_out(inner, placement, job) {
            let _ = caller.send(Err(error));
            return;
        }
        self.runtime.spawn(async move {
            if let Ok(result) = replied.await {
                let _ = caller.send(result);
            }
        });
    }

    /// The process of a sandbox is no more.
    pub(super) fn forget(&self, sandbox: SandboxId) {
        let mut inner = lock(&self.inner);
        inner.core.lose(sandbox);
        inner.sandboxes.remove(&sandbox);
        drop(inner);
        self.changed.notify_waiters();
    }

    async fn wait_until(&self, is_so: impl Fn(&Inner) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_so(&lock(&self.inner)) {
                return;
            }
            changed.await;
        }
    }

    /// Kills all processes and waits for them.
    fn close(&self) {
        let gone = {
            let mut inner = lock(&self.inner);
            inner.is_closed = true;
            std::mem::take(&mut inner.sandboxes)
        };
        drop(self.starting.write().unwrap_or_else(PoisonError::into_inner));
        for entry in gone.values() {
            if let Some(driver) = &entry.driver {
                driver.abort();
            }
            if let Some(group) = &entry.group {
                group.sample();
                group.kill();
            }
        }
        for entry in gone.values() {
            if let Some(group) = &entry.group {
                group.end();
            }
            self.say_reports(&entry.station, entry.group.as_deref());
        }
    }

    pub(super) fn say(&self, line: &[u8]) {
        (self.options.log)(line);
    }

    pub(super) fn lost_lines(&self, lines: u64) {
        self.lost_lines.fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn say_start(&self, request_id: &str) {
        self.say(report::start(request_id, &self.options.version).as_bytes());
    }

    /// Writes what invocations took; `group` knows how much memory was used.
    pub(super) fn say_reports(&self, station: &Station, group: Option<&Group>) {
        let reports = station.take_reports();
        if reports.is_empty() {
            return;
        }
        let used_mib = group.map_or(0, Group::sample);
        let is_out_of_memory = group.is_some_and(Group::is_out_of_memory);
        for report in reports {
            self.say(report.end().as_bytes());
            let line = report.line(self.options.memory_mib, used_mib, is_out_of_memory);
            self.say(line.as_bytes());
            if let Some(fault) = report.exit() {
                self.say(fault.message.as_bytes());
                self.say(fault.error_type.as_bytes());
            }
        }
    }

    pub(super) fn say_timed_out(&self, request_id: &str) {
        let utc = humantime::format_rfc3339_millis(UNIX_EPOCH + ms(self.clock.utc_ms()));
        let line = report::timed_out(&utc.to_string(), request_id, self.options.timeout);
        self.say(line.as_bytes());
    }

    pub(super) fn say_init_timeout(&self) {
        self.say(report::init_timeout(self.knobs.init_limit).as_bytes());
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
