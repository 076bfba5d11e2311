//! Whether a document allows every recorded call, and nothing that none of them needs.

use super::deployer::{Deployer, deployer};
use super::execution::{execution, execution_calls};
use super::invoker::{Routes, invoker, invoker_calls};
use super::recording::{Recording, record};
use super::{Error, Shape};
use crate::identity::policy::{
    Attachment, Call, Document, Superfluous, Unallowed, minimal, sufficient,
};
use crate::plan::Names;

/// What was found of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Which document: `deployer`.
    pub document: String,
    /// Different calls that were checked.
    pub calls: usize,
    /// Its statements.
    pub statements: usize,
    /// Its length, characters without white space.
    pub chars: usize,
    /// Calls that it does not allow.
    pub denied: Vec<Unallowed>,
    /// What could be taken from it without loss; `None` if that was not asked.
    pub superfluous: Option<Vec<Superfluous>>,
}

impl Proof {
    /// Of a document of gwtf's own: sufficient and minimal.
    pub fn of(name: &str, document: &Document, calls: &[Call]) -> Self {
        let superfluous = Some(minimal(document, None, calls));
        Self { superfluous, ..Self::of_foreign(name, document, calls) }
    }

    /// Of a document that somebody wrote, which may allow more: sufficient.
    pub fn of_foreign(name: &str, document: &Document, calls: &[Call]) -> Self {
        Self {
            document: name.to_owned(),
            calls: calls.len(),
            statements: document.statements.len(),
            chars: document.size_chars(),
            denied: sufficient(document, None, calls),
            superfluous: None,
        }
    }

    /// Whether nothing is wrong with it.
    pub fn holds(&self) -> bool {
        self.denied.is_empty() && self.superfluous.as_ref().is_none_or(Vec::is_empty)
    }

    /// Whether it fits a managed policy; else it goes into a role as an inline policy.
    pub fn fits_managed_policy(&self) -> bool {
        self.chars <= Attachment::Managed.chars_max()
    }
}

/// Proves all documents of an endpoint.
///
/// # Errors
/// A command cannot be rehearsed.
pub async fn prove(asked: &Deployer<'_>) -> Result<Vec<Proof>, Error> {
    let Deployer { names, shape, rest_api, .. } = asked;
    let recording = record(asked).await?;
    let routes = Routes { live: true, versions: vec!["v1".to_owned(), "2026-11".to_owned()] };
    Ok(vec![
        Proof::of(
            "execution",
            &execution(names, shape.tracing),
            &execution_calls(names, shape.tracing),
        ),
        Proof::of("deployer", &deployer(asked), &deployer_calls(asked, &recording)),
        Proof::of(
            "invoker",
            &invoker(names, *rest_api, &routes),
            &invoker_calls(names, *rest_api, &routes),
        ),
    ])
}

/// The recorded calls as IAM sees them, each once.
pub fn deployer_calls(asked: &Deployer<'_>, recording: &Recording) -> Vec<Call> {
    recording.calls(asked.names, asked.shape.boundary.as_deref(), asked.rest_api)
}

/// What a function with this shape does with its role.
pub fn function_calls(names: &Names, shape: &Shape) -> Vec<Call> {
    execution_calls(names, shape.tracing)
}
