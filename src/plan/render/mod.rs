//! A plan as text for a person and as a document for programs.

pub mod ledger;

use super::{Drift, Names, Plan, Verb};
use crate::spec::version::Version;
use serde_json::{Value, json};
use std::fmt::Write;

/// How a text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Columns of the terminal.
    pub columns: usize,
    /// Whether it is coloured.
    pub color: bool,
    /// Whether what stays is listed too.
    pub verbose: bool,
}

/// The document `gwtf.plan/v1`.
pub fn document(plan: &Plan, names: &Names, version: Option<&Version>) -> Value {
    json!({ "schema": "gwtf.plan/v1", "endpoint": names.endpoint, "version": version, "changes": plan.changes().count() })
}

/// The same for a person.
pub fn text(plan: &Plan, _names: &Names, _version: Option<&Version>, _style: Style) -> String {
    let mut text = String::new();
    for action in &plan.actions {
        let sign = match action.verb {
            Verb::Create => '+',
            Verb::Update => '~',
            Verb::Delete => '-',
            Verb::Keep => '=',
        };
        let _ = writeln!(
            text,
            "{sign} {} `{}`: {}",
            action.object.kind, action.object.name, action.reason
        );
        for one in &action.differences {
            let _ = writeln!(text, "    {}: {:?} -> {:?}", one.what, one.observed, one.desired);
        }
    }
    text
}

/// One thing that was changed by hand.
pub fn drift_line(drift: &Drift) -> String {
    format!(
        "{} `{}` {}: {:?} -> {:?}",
        drift.object.kind,
        drift.object.name,
        drift.difference.what,
        drift.difference.desired,
        drift.difference.observed
    )
}
