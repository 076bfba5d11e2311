//! One file a command; no logic that a test would want.

pub mod doctor;
