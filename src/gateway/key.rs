//! Layer: the API key, on methods that require one.
//!
//! A key that is missing, unknown, disabled or in no usage plan of this stage is answered alike. On
//! a method that requires none a key that is sent anyway is ignored, and so are its limits.

use super::refusal::{FORBIDDEN, Refusal};
use super::snapshot::{CompiledKey, CompiledRoute, Snapshot};
use http::request::Parts;
use std::sync::Arc;

/// The header that carries the key (`apiKeySource: HEADER`).
pub(super) const HEADER: &str = "x-api-key";

/// The key that this request counts against.
pub(super) fn identify(
    snapshot: &Snapshot,
    route: &CompiledRoute,
    head: &Parts,
) -> Result<Option<Arc<CompiledKey>>, Refusal> {
    if !route.route.api_key_required {
        return Ok(None);
    }
    head.headers
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| snapshot.keys.get(value))
        .map(|key| Some(Arc::clone(key)))
        .ok_or_else(|| Refusal::of(&FORBIDDEN))
}
