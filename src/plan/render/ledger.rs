//! The ledger on AWS as text and documents.

use crate::plan::{Drift, Ledger, Names, Observed, Plan};
use serde_json::{Value, json};

/// What is printed about.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field is what its type says")]
pub struct Place<'a> {
    pub names: &'a Names,
    pub ledger: &'a Ledger,
    pub observed: &'a Observed,
    pub url: Option<&'a str>,
}

#[expect(missing_docs, reason = "replaced")]
impl Place<'_> {
    pub fn status_document(&self, drift: &[Drift]) -> Value {
        json!({ "live": self.ledger.live().map(|l| l.record.version.clone()), "drift": drift, "canary": self.ledger.canary().map(|l| l.0.record.version.clone()), "url": self.url })
    }
    pub fn status_text(&self, drift: &[Drift], _columns: usize) -> String {
        format!("{:#}\n", self.status_document(drift))
    }
    pub fn history_document(&self) -> Value {
        json!({ "moves": self.ledger.moves })
    }
    pub fn history_text(&self, _columns: usize) -> String {
        format!("{:#}\n", self.history_document())
    }
    pub fn release_document(&self, command: &str, _plan: &Plan) -> Value {
        json!({ "command": command, "live": self.ledger.live().map(|l| l.record.version.clone()), "canary": self.ledger.canary().map(|l| l.0.record.version.clone()), "url": self.url })
    }
    pub fn release_text(&self, command: &str, plan: &Plan) -> String {
        format!("{:#}\n", self.release_document(command, plan))
    }
}
