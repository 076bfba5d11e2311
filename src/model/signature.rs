//! What a model takes and gives: names, element types and shapes.
//!
//! Made from the file (`model::onnx`) or from a session (`runtime`); request models, payload
//! parsers, compatibility checks and sample requests are all derived from this one value.

use super::dtype::DType;
use std::fmt;

/// One dimension of a declared shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TensorSpec {
    /// The name in the graph.
    pub name: String,
    /// Element type.
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
}
