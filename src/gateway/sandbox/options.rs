//! What a fleet is started with and what an invocation comes to.

use super::account::Account;
use crate::error::{Exit, Explain};
use crate::spec::Throttle;
use crate::spec::limits::LAMBDA_PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Sandboxes that a function may add at once, and those it may add each second after (Lambda
/// developer guide, "Lambda function scaling": 1,000 every 10 s, refilled continuously).
pub const SCALE_OUT: Throttle = Throttle { rate_rps: 100.0, burst: 1_000 };
/// How long a sandbox stays without a request. AWS does not say; observers report 5 to 15 minutes.
pub const IDLE_EXPIRY: Duration = Duration::from_secs(600);
/// Lambda's longest INIT on demand (developer guide, "Execution environment lifecycle").
pub const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Takes lines, without their line feeds, of all sandboxes: what functions write, and Lambda's
/// `START`, `END`, `REPORT` and `INIT_REPORT`. Called on threads that serve requests, so it must
/// not block.
pub type Log = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Where cold starts take their time from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColdStarts {
    /// From this machine: what starting the sandbox takes.
    Measured,
    /// From a record: each new sandbox draws a duration and gets its request after that, or when
    /// its process is ready if that is later. Processes outlive their sandboxes to be ready sooner.
    Played {
        /// What to draw from, with equal chances; none is as measured.
        durations: Vec<Duration>,
        /// Equal seeds draw the same durations in the same order.
        seed: u64,
    },
}

/// One function version and the account and machine that it runs in.
#[derive(Clone)]
pub struct FunctionOptions {
    /// Folder with `bootstrap`; the processes' working folder and `LAMBDA_TASK_ROOT`.
    pub task_root: PathBuf,
    /// Where each sandbox gets a private folder, its `TMPDIR`.
    pub scratch: PathBuf,
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    pub name: String,
    /// `AWS_LAMBDA_FUNCTION_VERSION`.
    pub version: String,
    /// `AWS_REGION`.
    pub region: String,
    /// `_HANDLER`.
    pub handler: String,
    /// The function's own variables; they stand above those that Lambda sets.
    pub environment: BTreeMap<String, String>,
    /// Memory, MiB; CPU is a share of it.
    pub memory_mib: u32,
    /// Longest invocation.
    pub timeout: Duration,
    /// Longest INIT before it is done again under the function's timeout.
    pub init_timeout: Duration,
    /// Most requests in flight, taken out of the account's pool; `None` shares what is left.
    pub reserved_concurrency: Option<u32>,
    /// The account.
    pub account: Account,
    /// How fast sandboxes may be added.
    pub scale_out: Throttle,
    /// How long a sandbox stays without a request.
    pub idle_expiry: Duration,
    /// Cold starts.
    pub cold_starts: ColdStarts,
    /// Whether memory and CPU are held by control groups where the machine allows it.
    pub control_groups: bool,
    /// Whether the task root is this program's own, to be removed if the program is killed. Its
    /// owner removes it in any other case.
    pub task_root_is_private: bool,
    /// Lines.
    pub log: Log,
}

impl FunctionOptions {
    /// A function of Lambda's defaults with 1,769 MiB, one core.
    pub fn new(task_root: PathBuf, scratch: PathBuf, name: &str, version: &str, log: Log) -> Self {
        Self {
            task_root,
            scratch,
            name: name.to_owned(),
            version: version.to_owned(),
            region: "us-east-1".to_owned(),
            handler: crate::spec::artefact::BOOTSTRAP_FILE.to_owned(),
            environment: BTreeMap::new(),
            memory_mib: 1_769,
            timeout: Duration::from_secs(3),
            init_timeout: INIT_TIMEOUT,
            reserved_concurrency: None,
            account: Account::default(),
            scale_out: SCALE_OUT,
            idle_expiry: IDLE_EXPIRY,
            cold_starts: ColdStarts::Measured,
            control_groups: true,
            task_root_is_private: false,
            log,
        }
    }

    /// The version's ARN, in the account that no one has.
    pub(super) fn arn(&self) -> String {
        let Self { region, name, version, .. } = self;
        format!("arn:aws:lambda:{region}:000000000000:function:{name}:{version}")
    }
}

/// What an invocation is given beside its event.
#[derive(Debug, Clone, Default)]
pub struct InvokeRequest {
    /// Lambda's request id; a random UUID if `None`.
    pub request_id: Option<String>,
    /// `X-Amzn-Trace-Id`; empty if there is none.
    pub trace_id: String,
}

/// What a new sandbox took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColdStart {
    /// From the start of its process until it asked for an invocation, or what was played.
    pub init: Duration,
}

/// A function's reply.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// What it returned, as it is.
    pub payload: Bytes,
    /// Lambda's request id.
    pub request_id: Arc<str>,
    /// Set if a sandbox was started for this invocation.
    pub cold_start: Option<ColdStart>,
    /// From the function's event to its reply.
    pub duration: Duration,
}

/// Which of Lambda's limits refused a request; printed as the Invoke API's `Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The function's reserved concurrency.
    ReservedConcurrency,
    /// The account's unreserved concurrency, or the rate at which sandboxes are added (assumed to
    /// have the same reason).
    Concurrency,
    /// Ten requests a second for each unit of reserved concurrency.
    ReservedRate,
    /// Ten requests a second for each unit of the account's concurrency.
    Rate,
}

impl ThrottleReason {
    /// The Invoke API's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReservedConcurrency => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Self::Concurrency => "ConcurrentInvocationLimitExceeded",
            Self::ReservedRate => "ReservedFunctionInvocationRateLimitExceeded",
            Self::Rate => "FunctionInvocationRateLimitExceeded",
        }
    }
}

impl fmt::Display for ThrottleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way a payload was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the function.
    Request,
    /// From the function.
    Response,
}

/// Why an invocation has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// Lambda's 429.
    #[error("Rate Exceeded. ({reason})")]
    Throttled {
        /// Which limit.
        reason: ThrottleReason,
    },
    /// The function reported an error, ended without a reply, or could not be started.
    #[error("{error_type}: {message}")]
    FunctionError {
        /// `errorType`.
        error_type: String,
        /// `errorMessage`.
        message: String,
        /// The document, as Lambda returns it with `X-Amz-Function-Error: Unhandled`.
        payload: Bytes,
    },
    /// The function's timeout passed; its sandbox is gone.
    #[error("Sandbox.Timedout: {message}")]
    TimedOut {
        /// `errorMessage`.
        message: String,
    },
    /// More than Lambda takes.
    #[error("a payload of {bytes} bytes, of at most {}", LAMBDA_PAYLOAD_BYTES_MAX)]
    PayloadTooLarge {
        /// Its size, as far as it was read.
        bytes: usize,
        /// Which way.
        direction: Direction,
    },
    /// The fleet is drained.
    #[error("the function is gone")]
    Gone,
}

/// Why a fleet cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More reserved than the account has left.
    #[error("a reserved concurrency of {reserved}, of at most {most}")]
    Reservation {
        /// What was asked for.
        reserved: u32,
        /// What there is.
        most: u32,
    },
    /// The folder has no program.
    #[error("task root `{}` has no `bootstrap`", path.display())]
    NoBootstrap {
        /// The folder.
        path: PathBuf,
    },
    /// No private folder, or no thread.
    #[error("preparing sandboxes")]
    Machine {
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::Machine { .. } => Exit::Machine,
            _ => Exit::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Reservation { .. } => {
                Some("an account keeps 100 of its 1000 for functions without a reservation".into())
            }
            Self::NoBootstrap { .. } => Some("make one with gwtf package".into()),
            Self::Machine { .. } => None,
        }
    }
}

/// What a fleet has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests that a sandbox got.
    pub invocations: u64,
    /// Sandboxes started for a request.
    pub cold_starts: u64,
    /// Requests refused.
    pub throttled: u64,
    /// Invocations that ended in an error other than a timeout.
    pub errors: u64,
    /// Invocations that ended in the function's timeout.
    pub timeouts: u64,
    /// Sandboxes ended for want of memory.
    pub out_of_memory: u64,
    /// Sandboxes ended because nothing came for too long.
    pub expired: u64,
    /// Requests in flight.
    pub in_flight: u32,
    /// Sandboxes that wait for a request.
    pub idle: usize,
}
