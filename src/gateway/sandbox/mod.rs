//! Lambda's execution environments: `bootstrap` processes that get one invocation at a time.
//!
//! ```text
//! Fleet::invoke -> core (which sandbox, or throttled) -> station (the event, until it is answered)
//!                                                          |  ^
//!                                            next: event   v  |  response | error
//!                                          api (Runtime API on a loopback port of the sandbox's own)
//!                                                          |  ^
//!                                                        process (bootstrap, its group and cgroup)
//! ```
//! `core` decides on given instants, `station` is the protocol's state, `driver` is the one task that
//! owns a process: its start, its deadlines, its output, its end. An event and its answer take one
//! task switch each, from the caller to the connection of the process and back.
//!
//! # Invariants
//! - A sandbox has one invocation at most, and an invocation gets the answer to its own event.
//! - An invocation runs to its end also when its caller has gone; its sandbox is busy until then.
//! - When a [`Fleet`] is dropped its processes have been killed and waited for. When this process is
//!   killed they see their Runtime API go; `gwtf-runtime` ends then, a foreign `bootstrap` that
//!   waits for something else does not.

mod api;
mod cgroup;
mod core;
mod driver;
mod environment;
mod fault;
mod fleet;
mod knobs;
mod output;
mod process;
mod report;
mod station;

pub use self::core::ThrottleReason;
pub use fault::{Fault, InvokeError};
pub use fleet::{Fleet, FunctionOptions, InvokeRequest, Invoked, Log, Stats};
pub use knobs::Knobs;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; what a panic left behind is whole, as each holder changes it in one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
