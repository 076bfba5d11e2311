//! AWS's services, each behind a small function of gwtf's own words.
//!
//! This folder alone names `aws_*` crates. Credentials, profiles and endpoint overrides are the
//! SDK's own business: it finds them as every other AWS tool does.

pub mod credentials;
pub mod ecr;
