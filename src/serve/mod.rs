//! The inference service and its HTTP host.
