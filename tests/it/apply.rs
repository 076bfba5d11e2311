//! Plans performed on a rehearsed account: convergence after every failure, the engine, the lock.

/// For every call and every kind of failure: run, run again, the same end.
mod converge;
/// Order, waits, retries, interrupts.
mod engine;
/// Every command, every call, every kind of failure, with the program's own parts.
mod faults;
/// One wins, the other learns who.
mod lock;
/// What the program does for each command.
mod program;
/// What the rehearsed account refuses.
mod refusals;
/// A small planner, and runs on it.
mod run;
/// Two deploys at once; processes that vanish; functions that are not ready.
mod together;
