//! API Gateway's patches: what changes a stage or a usage plan in one call.

use serde::{Deserialize, Serialize};

/// One operation of a patch; API Gateway carries a patch out in order, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchOperation {
    /// `add`, `replace`, `remove`, `copy`.
    pub op: PatchOp,
    /// What is changed; `/` inside a segment is `~1`.
    pub path: String,
    /// The value, always text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// Where a copy is from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
}

/// What an operation of a patch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each variant is the operation it names")]
pub enum PatchOp {
    Add,
    Replace,
    Remove,
    Copy,
}

impl PatchOperation {
    /// Puts a value in place of another.
    pub fn replace(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self { op: PatchOp::Replace, path: path.into(), value: Some(value.into()), from: None }
    }

    /// Adds a value to a list.
    pub fn add(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self { op: PatchOp::Add, path: path.into(), value: Some(value.into()), from: None }
    }

    /// Removes what is there.
    pub fn remove(path: impl Into<String>) -> Self {
        Self { op: PatchOp::Remove, path: path.into(), value: None, from: None }
    }

    /// Puts a copy of one value in place of another.
    pub fn copy(from: impl Into<String>, path: impl Into<String>) -> Self {
        Self { op: PatchOp::Copy, path: path.into(), value: None, from: Some(from.into()) }
    }
}
