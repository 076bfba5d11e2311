//! The twin: API Gateway's behaviour as one stack of layers.
pub mod bucket;
pub mod schema;
