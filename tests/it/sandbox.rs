//! Sandboxes: processes behind the Runtime API, and what becomes of them.

/// AWS's Runtime Interface Emulator with the same function.
mod emulator;
/// A function of `fixtures/sandbox` and its fleet.
mod function;
/// Answers, reuse, errors, what the Runtime API takes.
mod invoke;
/// What of the function's size is enforced.
mod limits;
/// Processes that crash, hang, are killed; what is left of them.
mod process;
/// The program that ships, and its speed and end.
mod runtime;
