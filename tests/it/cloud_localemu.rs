//! Releases on LocalEmu, by calling the endpoint: the uploaded zip runs behind it, deployments are
//! snapshots, canaries take their share.

#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

/// What the gateway refuses and lets through, as the twin does; keys; a function that does not start.
mod contract;
/// Killed deploys and rollbacks.
mod killed;
/// One release after the other, and what answers before, during and after.
mod releases;
/// An endpoint on an emulator.
mod rig;
/// `invoke` and `loadtest` with signatures.
mod signed;
/// A client that calls all the time.
mod watch;
