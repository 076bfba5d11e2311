//! Plans performed on a rehearsed account: convergence after every failure, the engine, the lock.

/// For every call and every kind of failure: run, run again, the same end.
mod converge;
/// Order, waits, retries, interrupts.
mod engine;
/// One wins, the other learns who.
mod lock;
/// What the rehearsed account refuses.
mod refusals;
/// A small planner, and runs on it.
mod run;
