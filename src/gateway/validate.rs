//! Layer: request validation, parameters first and then the body.
//!
//! Source: API Gateway developer guide, "Use request validation in API Gateway"; texts recorded. It
//! stands behind all limits, so a 400 has used up a token and counts against the quota.

use super::options::Knobs;
use super::refusal::{BAD_REQUEST_BODY, BAD_REQUEST_PARAMETERS, Refusal};
use super::schema::{Schema, Verdict};
use super::snapshot::CompiledRoute;
use crate::spec::Parameter;
use crate::spec::request_model::CHECKED_CONTENT_TYPE;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use std::borrow::Cow;

/// Required parameters must be there and not blank; the refusal names all that are missing.
pub(super) fn parameters(route: &CompiledRoute, head: &Parts) -> Result<(), Refusal> {
    let missing: Vec<&str> = route
        .parameters
        .iter()
        .filter_map(|parameter| match parameter {
            Parameter::Header(name) => (!has_header(&head.headers, name)).then_some(name),
            Parameter::Query(name) => (!has_query(head.uri.query(), name)).then_some(name),
        })
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Missing required request parameters: [{}]", missing.join(", "));
    Err(Refusal::with_message(&BAD_REQUEST_PARAMETERS, message, " "))
}

fn has_header(headers: &HeaderMap, name: &str) -> bool {
    headers.get_all(name).iter().any(|value| !value.as_bytes().trim_ascii().is_empty())
}

/// API Gateway takes `;` for a separator too (known issues).
fn has_query(query: Option<&str>, name: &str) -> bool {
    let pieces = query.unwrap_or_default().split(['&', ';']);
    pieces
        .flat_map(|piece| url::form_urlencoded::parse(piece.as_bytes()))
        .any(|(found, value)| found == name && !value.trim().is_empty())
}

/// The body must be what the content type's model says; without such a model it is not read.
pub(super) fn body(
    route: &CompiledRoute,
    head: &Parts,
    body: &[u8],
    knobs: &Knobs,
) -> Result<(), Refusal> {
    let Some(schema) = schema_for(route, &head.headers, knobs) else { return Ok(()) };
    // An absent body is an object without members.
    let verdict = schema.check(if body.is_empty() { b"{}" } else { body });
    // Differs: AWS says here what does not match.
    let error = match verdict {
        Verdict::Valid => return Ok(()),
        Verdict::Invalid => "[instance does not match the model]",
        Verdict::Malformed => "[Unknown error parsing request body]",
    };
    Err(Refusal::of(&BAD_REQUEST_BODY).with_validation_error(Cow::Borrowed(error)))
}

fn schema_for<'a>(
    route: &'a CompiledRoute,
    headers: &HeaderMap,
    knobs: &Knobs,
) -> Option<&'a Schema> {
    if route.models.is_empty() {
        return None;
    }
    let stated = match headers.get(CONTENT_TYPE) {
        Some(value) => value.to_str().ok()?,
        None => CHECKED_CONTENT_TYPE,
    };
    let essence = match stated.split_once(';') {
        Some((essence, _)) if knobs.ignore_content_type_parameters => essence,
        _ => stated,
    };
    let wanted = essence.trim();
    route
        .models
        .iter()
        .find(|(content_type, _)| content_type.eq_ignore_ascii_case(wanted))
        .map(|(_, schema)| schema.as_ref())
}
