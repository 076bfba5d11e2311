//! Lambda's model: `bootstrap` processes as sandboxes, spoken to over the Lambda Runtime API.
//!
//! ```text
//! Fleet ── core: which sandbox (pure) ──> Sandbox ── api: Runtime API on a loopback port ──> bootstrap
//!   │                                        └─ supervise: INIT limit, timeout, exit        (process,
//!   └─ idle expiry, drain                       lines: what it writes, REPORT               cgroup)
//! ```
//! One request per sandbox, the one that was busy last first; new ones at AWS's rate; CPU by memory
//! through control groups where the machine allows it. `docs/fidelity.md` lists the differences.
//!
//! # Invariants
//! - An invocation runs to its end although its caller has gone: no future of a caller drives it.
//! - No process outlives its fleet, nor, as far as the watcher can, a program that is killed.
//! - A sandbox can fail only its own invocation.

mod account;
mod api;
mod cgroup;
mod core;
mod fleet;
mod lines;
mod options;
mod payload;
mod process;
mod report;
#[expect(clippy::module_inception, reason = "the module is named after what it holds")]
mod sandbox;
mod supervise;
mod watcher;

pub use account::{ACCOUNT_CONCURRENCY, Account};
pub use cgroup::{Enforced, Limits};
pub use fleet::Fleet;
pub use options::{
    ColdStart, ColdStarts, Direction, Error, FunctionOptions, IDLE_EXPIRY, INIT_TIMEOUT,
    InvokeError, InvokeRequest, Invoked, Log, SCALE_OUT, Stats, ThrottleReason,
};
