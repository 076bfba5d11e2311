//! Endpoints on AWS through the program, with moto in AWS's place: what is there is read back, what
//! was sent is recorded.

/// An account that moto plays, a folder with models, and the program.
mod account;
/// A failure at every mutating step, in each of six ways.
mod faults;
/// Keys, settings, artefacts too large to be sent.
mod forms;
/// What people and accounts do beside gwtf.
mod hand;
/// Ctrl-C.
mod interrupt;
/// Killed at any moment.
mod killed;
/// Two deploys at once, and locks that nobody gave back.
mod lock;
/// What is there, with ids and times replaced, so that two runs can be held side by side.
mod normal;
/// A run of the program that is not waited for.
mod started;
/// From nothing to three versions and back to nothing.
mod walk;
