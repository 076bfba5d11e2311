//! AWS's services, each behind small functions of gwtf's own words; [`Aws`] is the port to them.
//!
//! This folder alone names `aws_*` crates. Credentials, profiles and endpoint overrides are the
//! SDK's own business: it finds them as every other AWS tool does. Every call is one attempt:
//! pacing and retries are the caller's, who is told by a [`CallError`](crate::apply::CallError)
//! what another attempt would mean.

mod apigateway;
mod ask;
mod cloud;
mod configuration;
pub mod credentials;
pub mod ecr;
mod fault;
mod iam;
mod lambda;
mod logs;
mod object;
mod pages;
mod perform;
mod s3;
mod sts;

pub use cloud::Aws;
