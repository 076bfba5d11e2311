//! Endpoints on AWS through the program, with moto in AWS's place: what is there is read back, what
//! was sent is recorded.

/// An account that moto plays, a folder with models, and the program.
mod account;
/// What is there, with ids and times replaced, so that two runs can be held side by side.
mod normal;
/// From nothing to the second version and back to nothing.
mod walk;
