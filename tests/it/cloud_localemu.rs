//! Releases on LocalEmu, by calling the endpoint: the uploaded zip runs behind it, deployments are
//! snapshots, canaries take their share.

#![expect(clippy::unwrap_used, reason = "a step of a test that fails is a failed test")]

/// One release after the other, and what answers before, during and after.
mod releases;
/// An endpoint on an emulator.
mod rig;
/// A client that calls all the time.
mod watch;
