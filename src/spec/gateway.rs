//! The contract: everything API Gateway is told, and everything the twin enforces, as one value.
//!
//! # Invariants
//! Nothing may exist for AWS alone or for the twin alone; both read this.

use super::route::Route;
use super::throttle::{Quota, Throttle};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The desired gateway of one endpoint.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The endpoint's name (`iris`), also the REST API's.
    pub endpoint: String,
    /// The stage, first path segment of every URL (`prod`).
    pub stage: String,
    /// Live and pinned routes; two routes never match one request.
    pub routes: Vec<Arc<Route>>,
    /// Request models by name: JSON Schema draft 4 documents.
    pub models: BTreeMap<String, serde_json::Value>,
    /// Who may call.
    pub auth: Auth,
    /// The stage's limit, applied per method (`methodSettings` `*/*`); `None` leaves only the account's.
    pub throttle: Option<Throttle>,
    /// The account's limit over all APIs of the Region.
    pub account_throttle: Throttle,
    /// Usage plans.
    pub usage_plans: Vec<UsagePlan>,
    /// API keys.
    pub api_keys: Vec<ApiKey>,
    /// What kind of integration answers.
    pub integration: Integration,
    /// Media types whose bodies are handed on byte for byte (`binaryMediaTypes`); other bodies are
    /// text, in which bytes that are no UTF-8 are lost.
    pub binary_media_types: Vec<String>,
    /// How long the integration may take before the client gets a 504.
    pub integration_timeout: Duration,
    /// Access-log format with `$context` variables, one line; `None` writes no access log.
    pub access_log_format: Option<String>,
}

/// Who may call the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Anybody who reaches it.
    None,
    /// Anybody with an API key of a usage plan of this stage.
    ApiKey,
    /// Whoever AWS IAM lets invoke the API; each request is signed.
    Iam,
}

/// What kind of integration answers, in API Gateway's terms; decides the payload limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integration {
    /// An HTTP endpoint: an ECS service, or the local inference service.
    HttpProxy,
    /// A Lambda function, which gets the request as one JSON event.
    LambdaProxy,
}

/// The entry of `binaryMediaTypes` that every body matches, with or without `Content-Type` and
/// `Accept` (API Gateway developer guide, "Content type conversions").
pub const ANY_MEDIA_TYPE: &str = "*/*";

/// A usage plan: limits per key.
#[derive(Debug, Clone, PartialEq)]
pub struct UsagePlan {
    /// The plan's name, unique in the contract.
    pub name: String,
    /// The limit of each key over the whole plan.
    pub throttle: Option<Throttle>,
    /// Limits of each key on one method; the key is `<resource path>/<VERB>`, the root `//GET`.
    pub method_throttles: BTreeMap<String, Throttle>,
    /// Requests a period.
    pub quota: Option<Quota>,
}

/// An API key and the plan it is in for this stage (AWS: one plan per key and stage).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What logs show (`apiKeyId`).
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What the client sends.
    pub value: Secret,
    /// A disabled key is answered like an unknown one.
    pub enabled: bool,
    /// Name of its usage plan; a key without one is answered like an unknown one.
    pub usage_plan: Option<String>,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself, for comparing and sending; never for printing.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
