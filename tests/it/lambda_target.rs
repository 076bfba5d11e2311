//! An artefact in sandboxes behind the twin, through the program: what its function gets, what
//! clients get, and whose fault is called whose.

/// A folder that is an artefact, whose function does what a request's header says.
mod artefact;
/// Sandboxes under concurrency and time: A8, A9 and A12 of AWS's conformance assertions.
mod concurrency;
/// What a function gets and what becomes of what it returns.
mod exchange;
/// `loadtest --package`.
mod load;
/// What `--package` and its flags refuse, and what is left behind.
mod refusals;
/// The program that ships, against the same model served in this process.
mod runtime;
