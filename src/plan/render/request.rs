//! A request as a document shows it: complete, but for what is too long and what may be secret.

use super::super::change::Change;
use crate::model::Digest;
use serde_json::{Value, json};

/// What stands in a document for a value that may be somebody's secret.
const NOT_SHOWN: &str = "(not shown)";

/// The request's parameters by name. The OpenAPI document stands as its digest and length, values of
/// environment variables are left out.
pub(super) fn request(change: &Change) -> Value {
    let mut request = parameters(change);
    match change {
        Change::PutRestApi { document, .. } => {
            request["document"] = json!({
                "sha256": Digest::of(document.as_bytes()).to_string(),
                "size_bytes": document.len(),
            });
        }
        Change::CreateFunction(_) | Change::UpdateFunctionConfiguration { .. } => {
            let environment = request.pointer_mut("/settings/environment");
            for value in environment.and_then(Value::as_object_mut).into_iter().flatten() {
                *value.1 = NOT_SHOWN.into();
            }
        }
        _ => {}
    }
    request
}

/// The fields of a change without its name, which the operation says.
fn parameters(change: &Change) -> Value {
    let named = serde_json::to_value(change).expect("requests are plain data");
    match named {
        Value::Object(fields) => fields.into_iter().next().map_or(Value::Null, |(_, of)| of),
        other => other,
    }
}

/// Over all requests in full, in their order, with what each waits for and gives.
pub(super) fn digest(plan: &super::super::Plan) -> Digest {
    let actions: Vec<Value> = plan
        .actions
        .iter()
        .map(|action| json!([action.change, action.after, action.gives]))
        .collect();
    Digest::of(Value::Array(actions).to_string().as_bytes())
}
