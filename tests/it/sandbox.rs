//! Sandboxes: processes behind the Runtime API, and what becomes of them.

/// A function of `fixtures/sandbox` and its fleet.
mod function;
/// Answers, reuse, errors, what the Runtime API takes.
mod invoke;
