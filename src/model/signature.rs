//! What a model takes and gives: names, element types and shapes.
//!
//! Made from the file (`model::onnx`) or from a session (`runtime`); request models, payload
//! parsers, compatibility checks and sample requests are all derived from this one value.
//!
//! In JSON documents and in the release ledger a signature is
//! `{"inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 4, null]}], "outputs": […]}`:
//! a dimension is a number, a name, or `null` for neither; a `null` shape declares no rank.

use super::dtype::DType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One dimension of a declared shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// A number fixed by the model.
    Fixed(usize),
    /// A name that stands for any number (`batch`, `N`).
    Symbol(String),
    /// No number and no name.
    Unknown,
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Symbol(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

/// One input or output.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TensorSpec {
    /// The name in the graph.
    pub name: String,
    /// Element type.
    #[serde(with = "dtype_by_name")]
    pub dtype: DType,
    /// Declared dimensions, outermost first; `None` when the model declares no rank at all.
    pub shape: Option<Vec<Dim>>,
}

impl TensorSpec {
    /// Whether the outermost dimension may be any number, so that requests can be batched.
    pub fn is_batched(&self) -> bool {
        matches!(
            self.shape.as_deref().and_then(<[Dim]>::first),
            Some(Dim::Symbol(_) | Dim::Unknown)
        )
    }

    /// Whether a tensor of this shape fits the declaration.
    pub fn admits(&self, shape: &[usize]) -> bool {
        let Some(dims) = &self.shape else { return true };
        dims.len() == shape.len()
            && dims.iter().zip(shape).all(|(dim, n)| match dim {
                Dim::Fixed(fixed) => fixed == n,
                Dim::Symbol(_) | Dim::Unknown => true,
            })
    }

    /// `float32[batch,4]`, for messages and tables.
    pub fn type_text(&self) -> String {
        match &self.shape {
            None => format!("{}[...]", self.dtype),
            Some(dims) => {
                let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
                format!("{}[{}]", self.dtype, dims.join(","))
            }
        }
    }
}

/// Inputs and outputs of a model, in the graph's order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Signature {
    /// What a request must give.
    pub inputs: Vec<TensorSpec>,
    /// What a reply holds.
    pub outputs: Vec<TensorSpec>,
}

impl Signature {
    /// The input of this name.
    pub fn input(&self, name: &str) -> Option<&TensorSpec> {
        self.inputs.iter().find(|spec| spec.name == name)
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> Option<&TensorSpec> {
        self.outputs.iter().find(|spec| spec.name == name)
    }

    /// Whether every input and output leaves its outermost dimension open.
    pub fn is_batched(&self) -> bool {
        !self.inputs.is_empty()
            && self.inputs.iter().chain(&self.outputs).all(TensorSpec::is_batched)
    }

    /// Why callers of this version might break when `newer` takes its place, a sentence each.
    ///
    /// An input may take more than before (a fixed dimension becomes open), never less. An output
    /// keeps its type, its number of dimensions and its fixed sizes; one whose fixed size becomes
    /// open breaks nobody, since exporters often open the batch dimension of inputs and outputs
    /// together. Outputs may be added.
    pub fn breaking_changes(&self, newer: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for old in &self.inputs {
            match newer.input(&old.name) {
                None => changes.push(format!("input `{}` was removed", old.name)),
                Some(new) => input_changes(old, new, &mut changes),
            }
        }
        for new in newer.inputs.iter().filter(|new| self.input(&new.name).is_none()) {
            changes.push(format!(
                "input `{}` ({}) was added, and requests must give it",
                new.name,
                new.type_text()
            ));
        }
        for old in &self.outputs {
            match newer.output(&old.name) {
                None => changes.push(format!("output `{}` was removed", old.name)),
                Some(new) => output_changes(old, new, &mut changes),
            }
        }
        changes
    }
}

fn input_changes(old: &TensorSpec, new: &TensorSpec, changes: &mut Vec<String>) {
    let what = format!("input `{}`", old.name);
    common_changes(&what, old, new, changes);
    match (&old.shape, &new.shape) {
        (None, Some(dims)) => changes
            .push(format!("{what} took any number of dimensions and takes {} only", dims.len())),
        (Some(old_dims), Some(new_dims)) if old_dims.len() == new_dims.len() => {
            for (position, (old, new)) in old_dims.iter().zip(new_dims).enumerate() {
                if let (Dim::Symbol(_) | Dim::Unknown, Dim::Fixed(size)) = (old, new) {
                    changes.push(format!(
                        "dimension {position} of {what} took any size and takes {size} only"
                    ));
                }
            }
        }
        _ => {}
    }
}

fn output_changes(old: &TensorSpec, new: &TensorSpec, changes: &mut Vec<String>) {
    common_changes(&format!("output `{}`", old.name), old, new, changes);
}

/// What breaks callers on either side.
fn common_changes(what: &str, old: &TensorSpec, new: &TensorSpec, changes: &mut Vec<String>) {
    if old.dtype != new.dtype {
        changes.push(format!("{what} changed from {} to {}", old.dtype, new.dtype));
    }
    let (Some(old_dims), Some(new_dims)) = (&old.shape, &new.shape) else { return };
    if old_dims.len() != new_dims.len() {
        changes.push(format!(
            "{what} changed from {} to {} dimensions",
            old_dims.len(),
            new_dims.len()
        ));
        return;
    }
    for (position, pair) in old_dims.iter().zip(new_dims).enumerate() {
        if let (Dim::Fixed(old), Dim::Fixed(new)) = pair
            && old != new
        {
            changes.push(format!("dimension {position} of {what} changed from {old} to {new}"));
        }
    }
}

/// An element type under gwtf's own name for it.
mod dtype_by_name {
    use super::DType;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(dtype: &DType, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(dtype.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DType, D::Error> {
        let name = String::deserialize(from)?;
        DType::from_name(&name)
            .ok_or_else(|| D::Error::custom(format_args!("no element type is called `{name}`")))
    }
}

#[cfg(test)]
mod tests;
