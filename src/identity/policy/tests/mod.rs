//! Tables and properties of policy documents; the examples of AWS's guide are marked as such.

mod conditions;
mod decisions;
mod documents;
mod minimality;
mod properties;
mod resources;

use super::*;

/// A document from JSON that must parse.
fn document(json: &str) -> Document {
    parse(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// A document of one statement.
fn one(effect: &str, action: &str, resource: &str) -> Document {
    document(&format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Sid":"One","Effect":"{effect}","Action":"{action}","Resource":"{resource}"}}}}"#
    ))
}

fn decide(identity: &Document, request: &Request) -> Decision {
    let identity = std::slice::from_ref(identity);
    evaluate(&Policies { identity, ..Policies::default() }, request)
}

fn allows(identity: &Document, request: &Request) -> bool {
    decide(identity, request).is_allowed()
}
