//! Which sandbox takes an invocation, which is started, which is let go: a function of instants.
//!
//! ```text
//! in flight >= concurrency             throttled      (reserved, or the account's pool)
//! rate bucket empty                    throttled      (10 a second for each of the concurrency)
//! a sandbox is idle                    the one that became idle last takes it
//! start bucket empty                   throttled      (1,000, then 100 more a second)
//! otherwise                            a sandbox is started for it
//! ```
//! Source: Lambda developer guide, "Understanding Lambda function scaling", "Lambda quotas".
//!
//! # Invariants
//! - A sandbox has one invocation at most; as many are in flight as sandboxes are busy.
//! - Nothing waits: an invocation is placed or throttled at once.

use crate::gateway::bucket::TokenBucket;
use crate::spec::Throttle;
use std::collections::{HashSet, VecDeque};

/// Invocations a second for each unit of concurrency (developer guide, "Lambda quotas").
const RATE_RPS_PER_CONCURRENCY: u32 = 10;
/// Sandboxes that a function can start at once.
const STARTS_BURST: u32 = 1_000;
/// Sandboxes that it can start a second after that; what is not used does not add up beyond the
/// burst.
const STARTS_RATE_RPS: f64 = 100.0;

/// Number of a sandbox; none is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SandboxId(pub(super) u64);

/// What bounds a function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Invocations at once.
    pub(super) concurrency: u32,
    /// Whether the concurrency is the function's own.
    pub(super) is_reserved: bool,
    /// How long a sandbox stays without work.
    pub(super) idle_ns: u64,
}

/// Why an invocation is refused; named as Lambda's `Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ThrottleReason {
    /// The account's pool is in use, or grew as fast as it may.
    ConcurrentInvocationLimitExceeded,
    /// More invocations a second than ten times the account's concurrency.
    FunctionInvocationRateLimitExceeded,
    /// The function's own concurrency is in use.
    ReservedFunctionConcurrentInvocationLimitExceeded,
    /// More invocations a second than ten times the function's own concurrency.
    ReservedFunctionInvocationRateLimitExceeded,
}

/// What becomes of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// This idle sandbox takes it.
    Reuse(SandboxId),
    /// This new sandbox is started for it.
    Start(SandboxId),
    Throttle(ThrottleReason),
}

/// The sandboxes of a function and the limits on them.
#[derive(Debug)]
pub(super) struct Core {
    bounds: Bounds,
    rate: TokenBucket,
    starts: TokenBucket,
    /// Those without work and since when, longest first.
    idle: VecDeque<(SandboxId, u64)>,
    busy: HashSet<SandboxId>,
    started: u64,
}

impl Core {
    pub(super) fn new(bounds: Bounds, now_ns: u64) -> Self {
        let rate = bounds.concurrency.saturating_mul(RATE_RPS_PER_CONCURRENCY);
        let rate = Throttle { rate_rps: f64::from(rate), burst: rate };
        let starts = Throttle { rate_rps: STARTS_RATE_RPS, burst: STARTS_BURST };
        Self {
            bounds,
            rate: TokenBucket::new(rate, now_ns),
            starts: TokenBucket::new(starts, now_ns),
            idle: VecDeque::new(),
            busy: HashSet::new(),
            started: 0,
        }
    }

    /// Places an invocation.
    pub(super) fn place(&mut self, now_ns: u64) -> Placement {
        let (concurrency, rate) = match self.bounds.is_reserved {
            true => (
                ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded,
                ThrottleReason::ReservedFunctionInvocationRateLimitExceeded,
            ),
            false => (
                ThrottleReason::ConcurrentInvocationLimitExceeded,
                ThrottleReason::FunctionInvocationRateLimitExceeded,
            ),
        };
        if self.in_flight() >= self.bounds.concurrency as usize {
            return Placement::Throttle(concurrency);
        }
        if !self.rate.try_take(now_ns) {
            return Placement::Throttle(rate);
        }
        self.place_admitted(now_ns)
    }

    /// Places an invocation whose sandbox ended before it began: it counts already.
    pub(super) fn place_again(&mut self, lost: SandboxId, now_ns: u64) -> Placement {
        self.busy.remove(&lost);
        self.place_admitted(now_ns)
    }

    fn place_admitted(&mut self, now_ns: u64) -> Placement {
        if let Some((sandbox, _)) = self.idle.pop_back() {
            self.busy.insert(sandbox);
            return Placement::Reuse(sandbox);
        }
        if !self.starts.try_take(now_ns) {
            return Placement::Throttle(ThrottleReason::ConcurrentInvocationLimitExceeded);
        }
        let sandbox = SandboxId(self.started);
        self.started += 1;
        self.busy.insert(sandbox);
        Placement::Start(sandbox)
    }

    /// A sandbox has answered.
    pub(super) fn release(&mut self, sandbox: SandboxId, now_ns: u64) {
        if self.busy.remove(&sandbox) {
            let last_ns = self.idle.back().map_or(0, |(_, since_ns)| *since_ns);
            self.idle.push_back((sandbox, now_ns.max(last_ns)));
        }
    }

    /// A sandbox is no more.
    pub(super) fn lose(&mut self, sandbox: SandboxId) {
        if !self.busy.remove(&sandbox) {
            self.idle.retain(|(idle, _)| *idle != sandbox);
        }
    }

    /// Lets those go that have been idle for long enough.
    pub(super) fn expire(&mut self, now_ns: u64) -> Vec<SandboxId> {
        let mut gone = Vec::new();
        while let Some((sandbox, since_ns)) = self.idle.front() {
            if now_ns.saturating_sub(*since_ns) < self.bounds.idle_ns {
                break;
            }
            gone.push(*sandbox);
            self.idle.pop_front();
        }
        gone
    }

    /// When the next one has been idle for long enough.
    pub(super) fn next_expiry_ns(&self) -> Option<u64> {
        self.idle.front().map(|(_, since_ns)| since_ns.saturating_add(self.bounds.idle_ns))
    }

    /// Invocations in flight, which is sandboxes at work or starting.
    pub(super) fn in_flight(&self) -> usize {
        self.busy.len()
    }

    /// Sandboxes without work.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Sandboxes started so far.
    pub(super) fn started(&self) -> u64 {
        self.started
    }
}

#[cfg(test)]
mod tests;
