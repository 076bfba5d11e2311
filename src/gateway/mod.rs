//! The twin: API Gateway's behaviour as one stack of layers.
