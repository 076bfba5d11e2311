//! The documents and proofs as they are printed: text for people, JSON documents for programs.

use super::proof::Proof;
use crate::identity::policy::{Attachment, Decision, Document, Layer, Unallowed};
use crate::plan::Names;
use serde_json::{Value, json};
use std::fmt::Write;

const SCHEMA: &str = "gwtf.iam/v1";
const VERIFY_SCHEMA: &str = "gwtf.iam-verify/v1";

/// A document with what belongs to it.
#[derive(Debug, Clone)]
pub struct Printed<'a> {
    /// `deployer`, `execution` or `invoker`.
    pub name: &'static str,
    /// The endpoint's names.
    pub names: &'a Names,
    /// What the role may do.
    pub policy: Document,
    /// Who may take the role.
    pub trust: Option<Document>,
    /// ARN of the permissions boundary that it names.
    pub boundary: Option<String>,
}

impl Printed<'_> {
    /// The JSON document `gwtf.iam/v1`.
    pub fn document(&self) -> Value {
        let reasons: serde_json::Map<String, Value> = [Some(&self.policy), self.trust.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(Document::reasons)
            .map(|(sid, reason)| (sid.to_owned(), reason.into()))
            .collect();
        let mut document = json!({
            "schema": SCHEMA,
            "document": self.name,
            "endpoint": self.names.endpoint,
            "account_id": self.names.account_id,
            "region": self.names.region,
            "policy": self.policy,
            "reasons": reasons,
            "policy_chars": self.policy.size_chars(),
            "fits": self.fits(),
        });
        if let Some(trust) = &self.trust {
            document["trust"] = json!(trust);
        }
        if let Some(boundary) = &self.boundary {
            document["boundary"] = boundary.as_str().into();
        }
        document
    }

    /// The policy with each statement's reason above it; the trust document, if there is one, after
    /// it. Without the lines that begin with `#` each is the JSON that IAM takes.
    pub fn text(&self) -> String {
        let policy = self.policy.render_text();
        match &self.trust {
            None => policy,
            Some(trust) => {
                format!(
                    "# what the role may do\n{policy}# who may take it\n{}",
                    trust.render_text()
                )
            }
        }
    }

    /// What a person has to know of its length, if anything.
    pub fn note(&self) -> Option<String> {
        let (name, chars) = (self.name, self.policy.size_chars());
        let (managed, inline) =
            (Attachment::Managed.chars_max(), Attachment::RoleInline.chars_max());
        match self.fits() {
            "managed policy" => None,
            "role inline policy" => Some(format!(
                "{name}: {chars} characters, a managed policy may have {managed}; put it into the role \
                 as an inline policy, of which it may have {inline}"
            )),
            _ => Some(format!(
                "{name}: {chars} characters, a role's inline policies may have {inline}; make two \
                 managed policies of it, by statements"
            )),
        }
    }

    /// The smallest place that IAM takes it in.
    fn fits(&self) -> &'static str {
        if self.policy.check(Attachment::Managed).is_ok() {
            "managed policy"
        } else if self.policy.check(Attachment::RoleInline).is_ok() {
            "role inline policy"
        } else {
            "several policies"
        }
    }
}

/// The JSON document of proofs, `gwtf.iam-verify/v1`.
pub fn proofs_document(names: &Names, proofs: &[Proof]) -> Value {
    let one = |proof: &Proof| {
        let denied: Vec<Value> = proof.denied.iter().map(denied_document).collect();
        let mut document = json!({
            "document": proof.document,
            "calls": proof.calls,
            "statements": proof.statements,
            "policy_chars": proof.chars,
            "sufficient": proof.denied.is_empty(),
            "denied": denied,
        });
        if let Some(superfluous) = &proof.superfluous {
            let texts: Vec<String> =
                superfluous.iter().map(|one| one.mutation.to_string()).collect();
            document["minimal"] = texts.is_empty().into();
            document["superfluous"] = texts.into();
        }
        document
    };
    json!({
        "schema": VERIFY_SCHEMA,
        "endpoint": names.endpoint,
        "account_id": names.account_id,
        "region": names.region,
        "documents": proofs.iter().map(one).collect::<Vec<_>>(),
        "passed": proofs.iter().all(Proof::holds),
    })
}

fn denied_document(denied: &Unallowed) -> Value {
    json!({
        "call": denied.operation,
        "action": denied.request.action,
        "resource": denied.request.resource,
        "why": why(&denied.decision),
    })
}

fn why(decision: &Decision) -> String {
    match decision {
        Decision::Allowed { by } => format!("`{}` allows it", by.sid),
        Decision::ExplicitDeny { by } => format!("`{}` denies it", by.sid),
        Decision::ImplicitDeny { missing: Layer::Boundary } => "the boundary has it not".to_owned(),
        Decision::ImplicitDeny { .. } => "no statement allows it".to_owned(),
    }
}

/// The proofs as a table, and below it what is wrong.
pub fn proofs_text(proofs: &[Proof]) -> String {
    let mut text = format!(
        "{:<12}{:>6}{:>12}{:>12}  verdict\n",
        "document", "calls", "statements", "characters"
    );
    for proof in proofs {
        let verdict = match (&proof.superfluous, proof.denied.len()) {
            (None, 0) => "sufficient".to_owned(),
            (Some(more), 0) if more.is_empty() => "sufficient and minimal".to_owned(),
            (Some(more), 0) => format!("sufficient, but {} parts are not needed", more.len()),
            (_, denied) => format!("{denied} calls denied"),
        };
        line(
            &mut text,
            format_args!(
                "{:<12}{:>6}{:>12}{:>12}  {verdict}",
                proof.document, proof.calls, proof.statements, proof.chars
            ),
        );
    }
    for proof in proofs.iter().filter(|proof| !proof.holds()) {
        text.push('\n');
        for denied in &proof.denied {
            let request = &denied.request;
            line(
                &mut text,
                format_args!(
                    "{}: {}: {} on {}: {}",
                    proof.document,
                    denied.operation,
                    request.action,
                    request.resource,
                    why(&denied.decision)
                ),
            );
        }
        for one in proof.superfluous.iter().flatten() {
            line(&mut text, format_args!("{}: not needed: {}", proof.document, one.mutation));
        }
    }
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String cannot fail");
    text.push('\n');
}
