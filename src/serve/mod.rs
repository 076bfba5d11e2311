//! The inference service and its HTTP host.

pub mod http;
