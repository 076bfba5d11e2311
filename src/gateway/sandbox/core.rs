//! Which sandbox answers a request: Lambda's concurrency model on given instants, nothing else.
//!
//! ```text
//! request ── none idle ──> Busy ── responded ──> Finishing ── ready ──> Idle ── expiry ──> gone
//!    └─ Idle (the one that was busy last) ─> Busy        any ── ended ──> gone
//! ```
//! Busy and finishing sandboxes are in flight: a sandbox is free when its runtime asks for the next
//! invocation, not when it has replied. Source: Lambda developer guide, "Lambda function scaling"
//! and "Understanding the Lambda execution environment lifecycle".
//!
//! # Invariants
//! - One request per sandbox at a time.
//! - Never more in flight than the reserved concurrency, or the account's unreserved pool.
//! - In any window of length `t` at most `scale_burst + scale_rate * t` sandboxes start.

use super::account::Pool;
use super::options::ThrottleReason;
use crate::gateway::bucket::TokenBucket;
use crate::spec::Throttle;
use std::collections::{HashMap, VecDeque};

/// Requests a second for each unit of concurrency (developer guide, "Lambda quotas").
const RPS_PER_CONCURRENCY: u32 = 10;

/// One sandbox of a fleet; numbers are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SandboxId(pub(super) u64);

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// An idle sandbox takes it.
    Reuse(SandboxId),
    /// A sandbox is to be started for it.
    Start(SandboxId),
    /// Nothing is free, but a sandbox that has replied is about to be.
    Finishing,
    /// Lambda refuses it.
    Throttle(ThrottleReason),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Busy,
    Finishing,
    Idle,
}

/// A function version's limits, as the core needs them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// `None` takes from the account's unreserved pool.
    pub(super) reserved: Option<u32>,
    /// The account's concurrency, for the request rate of a function without a reservation.
    pub(super) account: u32,
    /// How fast sandboxes may be added.
    pub(super) scale_out: Throttle,
    /// How long a sandbox stays without a request, nanoseconds.
    pub(super) idle_expiry_ns: u64,
}

/// The sandboxes of one function version.
#[derive(Debug)]
pub(super) struct Core {
    limits: Limits,
    states: HashMap<SandboxId, State>,
    /// Idle ones and since when; the last was busy last, so instants ascend.
    idle: VecDeque<(SandboxId, u64)>,
    in_flight: u32,
    finishing: u32,
    /// Requests that wait, each for one of the finishing sandboxes.
    waiting: u32,
    started: u64,
    scale_out: TokenBucket,
    requests: TokenBucket,
}

impl Core {
    pub(super) fn new(limits: Limits, now_ns: u64) -> Self {
        let per_second =
            limits.reserved.unwrap_or(limits.account).saturating_mul(RPS_PER_CONCURRENCY);
        let requests = Throttle { rate_rps: f64::from(per_second), burst: per_second };
        Self {
            limits,
            states: HashMap::new(),
            idle: VecDeque::new(),
            in_flight: 0,
            finishing: 0,
            waiting: 0,
            started: 0,
            scale_out: TokenBucket::new(limits.scale_out, now_ns),
            requests: TokenBucket::new(requests, now_ns),
        }
    }

    /// Decides on a request. With `waits`, it may wait for a sandbox that is finishing, if that has
    /// not been promised to another; [`Core::stop_waiting`] is to be called before it is decided on
    /// again. Without, finishing sandboxes are as busy as any.
    pub(super) fn request(&mut self, pool: &mut Pool, waits: bool, now_ns: u64) -> Decision {
        let is_full = match self.limits.reserved {
            Some(reserved) => self.in_flight >= reserved,
            None => pool.is_full(),
        };
        if waits && (is_full || self.idle.is_empty()) && self.finishing > self.waiting {
            self.waiting += 1;
            return Decision::Finishing;
        }
        if is_full {
            return Decision::Throttle(match self.limits.reserved {
                Some(_) => ThrottleReason::ReservedConcurrency,
                None => ThrottleReason::Concurrency,
            });
        }
        if !self.requests.try_take(now_ns) {
            return Decision::Throttle(match self.limits.reserved {
                Some(_) => ThrottleReason::ReservedRate,
                None => ThrottleReason::Rate,
            });
        }
        let decision = match self.idle.pop_back() {
            Some((id, _)) => Decision::Reuse(id),
            None if self.scale_out.try_take(now_ns) => {
                self.started += 1;
                Decision::Start(SandboxId(self.started))
            }
            None => return Decision::Throttle(ThrottleReason::Concurrency),
        };
        if let Decision::Reuse(id) | Decision::Start(id) = decision {
            self.states.insert(id, State::Busy);
            self.take(pool);
        }
        decision
    }

    /// A request waits no longer for a finishing sandbox.
    pub(super) fn stop_waiting(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// The sandbox has replied; it is not free yet.
    pub(super) fn responded(&mut self, id: SandboxId) {
        if let Some(state) = self.states.get_mut(&id).filter(|state| **state == State::Busy) {
            *state = State::Finishing;
            self.finishing += 1;
        }
    }

    /// The sandbox waits for a request.
    pub(super) fn ready(&mut self, pool: &mut Pool, id: SandboxId, now_ns: u64) {
        let Some(state) = self.states.get_mut(&id) else { return };
        match std::mem::replace(state, State::Idle) {
            State::Idle => return,
            State::Finishing => self.finishing -= 1,
            State::Busy => {}
        }
        self.give_back(pool);
        // The clock never goes back, but two threads may bring their readings in another order.
        let since = self.idle.back().map_or(now_ns, |(_, last)| now_ns.max(*last));
        self.idle.push_back((id, since));
    }

    /// The sandbox is gone, whatever it did.
    pub(super) fn ended(&mut self, pool: &mut Pool, id: SandboxId) {
        match self.states.remove(&id) {
            None => {}
            Some(State::Idle) => self.idle.retain(|(idle, _)| *idle != id),
            Some(State::Busy) => self.give_back(pool),
            Some(State::Finishing) => {
                self.finishing -= 1;
                self.give_back(pool);
            }
        }
    }

    /// Takes out the sandboxes that have been idle for too long, longest first.
    pub(super) fn expire(&mut self, now_ns: u64) -> Vec<SandboxId> {
        let mut expired = Vec::new();
        while self.next_expiry_ns().is_some_and(|at| at <= now_ns) {
            let Some((id, _)) = self.idle.pop_front() else { break };
            self.states.remove(&id);
            expired.push(id);
        }
        expired
    }

    /// When the next sandbox expires unless it is used before.
    pub(super) fn next_expiry_ns(&self) -> Option<u64> {
        self.idle.front().map(|(_, since)| since.saturating_add(self.limits.idle_expiry_ns))
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Sandboxes that wait for a request.
    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    fn take(&mut self, pool: &mut Pool) {
        self.in_flight += 1;
        if self.limits.reserved.is_none() {
            pool.take();
        }
    }

    fn give_back(&mut self, pool: &mut Pool) {
        self.in_flight -= 1;
        if self.limits.reserved.is_none() {
            pool.give_back();
        }
    }
}

#[cfg(test)]
mod tests;
