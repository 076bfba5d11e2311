//! The contract as the one OpenAPI 3.0.1 document that API Gateway imports as a REST API.
//!
//! ```text
//! spec::Gateway ─┬─ routes ──► operation.rs ─► paths (integration, validator, security)
//!                ├─ models ──► schema.rs ────► components.schemas
//! Place ─────────┴───────────► place.rs ─────► integration URIs
//! ```
//! Source of the extensions' forms: API Gateway developer guide, "OpenAPI extensions for API
//! Gateway"; of what an import drops: "Amazon API Gateway important notes".
//!
//! # Invariants
//! - What is in the document is enforced by the twin, and what the twin enforces is in the document
//!   or carried elsewhere (stage settings, usage plans): both structs are taken apart by name, so a
//!   new field does not compile until somebody has decided which.
//! - What OpenAPI or an import would lose is refused by name; nothing is dropped silently.
//! - The same contract and place give the same bytes.
//! - Gateway responses are AWS's defaults, as the twin's are, so the document states none. There is
//!   no resource policy.

mod error;
mod operation;
mod place;
mod schema;

pub use error::Error;
pub use place::{Place, alias_of, function_name};

use super::gateway::{Auth, Gateway, Integration};
use operation::Operations;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// OpenAPI's version: the newest that API Gateway imports in full.
const OPENAPI_VERSION: &str = "3.0.1";
/// Name of the security scheme of API keys.
const KEY_SCHEME: &str = "api_key";
/// Name of the security scheme of signed requests.
const SIGV4_SCHEME: &str = "sigv4";

/// The document of a contract whose functions are in `place`.
///
/// # Errors
/// The contract holds something that API Gateway cannot be told in an OpenAPI document.
pub fn document(gateway: &Gateway, place: &Place) -> Result<Value, Error> {
    let Gateway {
        endpoint,
        stage: _, // The stage that the deployment is put on.
        routes,
        models,
        auth,
        throttle: _,         // The stage's method settings.
        account_throttle: _, // The account's own; nothing sets it.
        usage_plans: _,      // Usage plans.
        api_keys: _,         // API keys, which never stand in a document.
        integration,
        binary_media_types,
        integration_timeout,
        access_log_format: _, // The stage's access-log settings.
    } = gateway;
    if *integration != Integration::LambdaProxy {
        return Err(Error::HttpIntegration);
    }
    let operations =
        Operations { auth: *auth, models, place, timeout_ms: timeout_ms(*integration_timeout)? };
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let methods = paths.entry(&route.path).or_insert_with(|| json!({}));
        let verb = operation::verb(route)?;
        if methods.get(verb).is_some() {
            return Err(Error::RouteTwice { route: route.key() });
        }
        methods[verb] = operations.operation(route)?;
    }
    let mut schemas = Map::new();
    for (name, model) in models {
        schemas.insert(name.clone(), schema::render(name, model)?);
    }
    let mut document = json!({
        "openapi": OPENAPI_VERSION,
        "info": info(endpoint, gateway),
        "paths": paths,
        "components": { "schemas": schemas, "securitySchemes": security_schemes(gateway) },
        "x-amazon-apigateway-api-key-source": "HEADER",
        "x-amazon-apigateway-binary-media-types": binary_media_types,
    });
    let validators = operation::validators(routes);
    if !validators.is_empty() {
        document["x-amazon-apigateway-request-validators"] = validators.into();
    }
    Ok(document)
}

/// What the document is of; an import takes the title for the API's name.
fn info(endpoint: &str, gateway: &Gateway) -> Value {
    let pinned: BTreeSet<&str> =
        gateway.routes.iter().filter_map(|route| route.version.as_deref()).collect();
    let live = gateway.routes.iter().find(|route| route.version.is_none());
    let live = live.map_or("none", |route| route.serves.as_str());
    let versions: Vec<&str> = pinned.into_iter().collect();
    let versions = versions.join(", ");
    json!({
        "title": endpoint,
        "version": live,
        "description": format!("Model endpoint {endpoint}. Live: {live}. Pinned: {versions}."),
    })
}

/// The schemes that some operation names.
fn security_schemes(gateway: &Gateway) -> Map<String, Value> {
    let mut schemes = Map::new();
    if gateway.routes.iter().any(|route| route.api_key_required) {
        let scheme = json!({ "type": "apiKey", "in": "header", "name": "x-api-key" });
        schemes.insert(KEY_SCHEME.to_owned(), scheme);
    }
    if gateway.auth == Auth::Iam {
        let scheme = json!({
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "x-amazon-apigateway-authtype": "awsSigv4",
        });
        schemes.insert(SIGV4_SCHEME.to_owned(), scheme);
    }
    schemes
}

/// The timeout as API Gateway takes it, whole milliseconds.
fn timeout_ms(timeout: std::time::Duration) -> Result<u64, Error> {
    let whole = timeout.subsec_nanos().is_multiple_of(1_000_000);
    let ms = u64::try_from(timeout.as_millis()).ok();
    ms.filter(|_| whole && timeout >= super::limits::INTEGRATION_TIMEOUT_MIN)
        .ok_or(Error::Timeout { timeout })
}
