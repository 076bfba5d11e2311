//! Why a request or a reply is refused: what was expected, what came, and where.
//!
//! The message goes to the client as it is, so it names only what the client sent or can read in
//! the model's metadata. [`super::fault`] makes most of them.

use super::NESTING_MAX;
use crate::error::{Exit, Explain};
use crate::model::DType;
use std::fmt;

/// A refused request, or a reply that its form cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The content type is none of those that the route takes.
    #[error("content type `{given}` is not taken here: send {taken}")]
    MediaType {
        /// As the request said it.
        given: String,
        /// What the route takes.
        taken: &'static str,
    },
    /// There is no body.
    #[error("the body is empty: expected {expected}")]
    EmptyBody {
        /// The forms the route takes.
        expected: &'static str,
    },
    /// The body is not JSON.
    #[error("the body is not JSON: expected {expected} at byte {at}")]
    Syntax {
        /// What would have been JSON.
        expected: &'static str,
        /// Offset into the body.
        at: usize,
    },
    /// Too many levels of lists and objects.
    #[error("the body nests deeper than {NESTING_MAX} levels at byte {at}")]
    Nesting {
        /// Offset into the body.
        at: usize,
    },
    /// A key stands twice in one object.
    #[error("key `{key}` appears twice")]
    RepeatedKey {
        /// The key.
        key: String,
    },
    /// A key holds a value of another type.
    #[error("`{key}`: expected {expected}, got {found}")]
    Member {
        /// The key, with its place.
        key: String,
        /// The type it should have.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A required key is missing.
    #[error("{object} has no `{key}`")]
    MissingMember {
        /// The object, by its place or its input.
        object: String,
        /// The missing key.
        key: &'static str,
    },
    /// The request holds no tensors.
    #[error("the body has {expected}")]
    NoTensors {
        /// The keys that would hold them.
        expected: &'static str,
    },
    /// Row and column form at once.
    #[error("the body has both `instances` and `inputs`: give one of them")]
    BothForms,
    /// A signature that is not served.
    #[error("signature `{given}` is not served: the only one is `serving_default`")]
    SignatureName {
        /// The name asked for.
        given: String,
    },
    /// `instances` is an empty list.
    #[error("`instances` is empty: give at least one instance")]
    NoInstances,
    /// Named and unnamed instances in one list.
    #[error(
        "instance {instance} is {found}, but instance 0 is {first}: name the inputs in all instances or in none"
    )]
    MixedInstances {
        /// Index of the instance.
        instance: usize,
        /// What it is.
        found: &'static str,
        /// What the first one is.
        first: &'static str,
    },
    /// A value without a name for a model that has not exactly one input.
    #[error(
        "a value without a name stands for a model's only input, but this model takes {inputs}: {remedy}"
    )]
    Unnamed {
        /// The model's inputs.
        inputs: String,
        /// How to name them in this form.
        remedy: &'static str,
    },
    /// An input of the model is missing.
    #[error("{place} is missing: expected {expected}")]
    MissingInput {
        /// The input and its instance.
        place: Place,
        /// Its declaration.
        expected: String,
    },
    /// A name that is no input of the model.
    #[error("`{name}` is not an input: this model takes {inputs}")]
    UnknownInput {
        /// The name given.
        name: String,
        /// The model's inputs.
        inputs: String,
    },
    /// An input is given twice.
    #[error("{place} is given twice")]
    RepeatedInput {
        /// The input and its instance.
        place: Place,
    },
    /// A value of another type than the input's.
    #[error("{place}: expected {expected}, got {found} at byte {at}")]
    Value {
        /// The input and its instance.
        place: Place,
        /// The element type in JSON's words.
        expected: &'static str,
        /// An excerpt.
        found: String,
        /// Offset into the body.
        at: usize,
    },
    /// A number that the element type cannot hold.
    #[error("{place}: {found} is out of range for {dtype}, at byte {at}")]
    Range {
        /// The input and its instance.
        place: Place,
        /// The literal.
        found: String,
        /// The element type.
        dtype: DType,
        /// Offset into the body.
        at: usize,
    },
    /// Lists of different lengths or depths.
    #[error("{place} is ragged: {what} at byte {at}")]
    Ragged {
        /// The input and its instance.
        place: Place,
        /// What differs.
        what: String,
        /// Offset into the body.
        at: usize,
    },
    /// A string element that cannot be taken.
    #[error("{place}: {what} at byte {at}")]
    Text {
        /// The input and its instance.
        place: Place,
        /// What is wrong with it.
        what: &'static str,
        /// Offset into the body.
        at: usize,
    },
    /// A shape that the declaration does not admit.
    #[error("input `{input}`: expected {expected}, got shape {shape:?}{}", rows(*.instances))]
    Shape {
        /// The input.
        input: String,
        /// Its declaration.
        expected: String,
        /// The shape given.
        shape: Vec<usize>,
        /// How many instances made up the outermost dimension, in the row form.
        instances: Option<usize>,
    },
    /// An input without dimensions in the row form.
    #[error(
        "input `{input}` is a scalar, which `instances` cannot hold: send the column form, `inputs`"
    )]
    ScalarRow {
        /// The input.
        input: String,
    },
    /// A shape that does not hold the elements given.
    #[error("input `{input}`: shape {shape:?} does not hold the {elements} elements given")]
    Elements {
        /// The input.
        input: String,
        /// The shape declared by the request.
        shape: Vec<usize>,
        /// The elements there are.
        elements: usize,
    },
    /// Nested `data` of another shape than declared.
    #[error("input `{input}`: `data` is nested as {found:?}, but its shape is {declared:?}")]
    Nested {
        /// The input.
        input: String,
        /// The shape declared by the request.
        declared: Vec<usize>,
        /// The shape of the lists.
        found: Vec<usize>,
    },
    /// A dimension that the body cannot back.
    #[error("input `{input}`: a dimension of shape {shape:?} is larger than the body")]
    Dimension {
        /// The input.
        input: String,
        /// The shape declared by the request.
        shape: Vec<usize>,
    },
    /// Another element type than the model's.
    #[error("input `{input}`: expected {expected}, got {given}")]
    DataType {
        /// The input.
        input: String,
        /// The model's type, in the words of the format.
        expected: String,
        /// The request's.
        given: String,
    },
    /// Both or neither of `data` and `binary_data_size`.
    #[error("input `{input}` has {what}: give one of them")]
    DataSource {
        /// The input.
        input: String,
        /// Both or neither, in words.
        what: &'static str,
    },
    /// `Inference-Header-Content-Length` is no number within the body.
    #[error(
        "header `Inference-Header-Content-Length` is `{given}`: expected a number up to the body's {body_bytes} bytes"
    )]
    HeaderLength {
        /// As the request said it.
        given: String,
        /// Size of the body.
        body_bytes: usize,
    },
    /// Binary data of another size than the shape asks for.
    #[error(
        "input `{input}`: {expected_bytes} bytes of binary data expected for {type_text}, got {given_bytes}"
    )]
    BinarySize {
        /// The input.
        input: String,
        /// Type and shape.
        type_text: String,
        /// What these take.
        expected_bytes: u64,
        /// What the request gives.
        given_bytes: u64,
    },
    /// The body ends before an input's binary data does.
    #[error(
        "input `{input}`: {declared_bytes} bytes of binary data declared, but {left_bytes} are left in the body"
    )]
    BinaryShort {
        /// The input.
        input: String,
        /// `binary_data_size`.
        declared_bytes: u64,
        /// What is left.
        left_bytes: usize,
    },
    /// Bytes after the last input's binary data.
    #[error("{bytes} bytes of binary data belong to no input")]
    BinaryLeft {
        /// How many.
        bytes: usize,
    },
    /// An element of binary data that is not of its type.
    #[error("input `{input}`: element {element} of its binary data is {what}")]
    BinaryElement {
        /// The input.
        input: String,
        /// Index of the element, row-major.
        element: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A raw binary request whose tensor cannot be told from its size.
    #[error("a raw binary body cannot be told apart for {inputs}: {why}")]
    Raw {
        /// The model's inputs.
        inputs: String,
        /// What is in the way.
        why: &'static str,
    },
    /// A name that is no output of the model.
    #[error("`{name}` is not an output: this model gives {outputs}")]
    UnknownOutput {
        /// The name asked for.
        name: String,
        /// The model's outputs.
        outputs: String,
    },
    /// An output is asked for twice.
    #[error("output `{name}` is asked for twice")]
    RepeatedOutput {
        /// The output.
        name: String,
    },
    /// An extension of the protocol that is not served.
    #[error("`{tensor}`: parameter `{parameter}` is not served here")]
    Parameter {
        /// The tensor.
        tensor: String,
        /// The parameter.
        parameter: &'static str,
    },
    /// A damaged npy header.
    #[error("npy: {what}")]
    Npy {
        /// What is wrong.
        what: &'static str,
    },
    /// An npy body for a model that has not exactly one input.
    #[error("an npy body holds one tensor, but this model takes {inputs}: send JSON")]
    NpyInputs {
        /// The model's inputs.
        inputs: String,
    },
    /// An npy reply for a model that has not exactly one output.
    #[error(
        "an npy reply holds one tensor, but this model gives {outputs}: send JSON to get them all"
    )]
    NpyOutputs {
        /// The model's outputs.
        outputs: String,
    },
    /// An output that npy cannot hold.
    #[error("output `{output}` {what}, which npy cannot hold: send JSON")]
    NpyOutput {
        /// The output.
        output: String,
        /// What npy has no words for.
        what: String,
    },
    /// Outputs that cannot be cut into rows.
    #[error(
        "output `{output}` of shape {shape:?} cannot be cut into {rows}: send the column form, `inputs`"
    )]
    Rows {
        /// The output.
        output: String,
        /// Its shape.
        shape: Vec<usize>,
        /// How many rows the outputs before it have, in words.
        rows: String,
    },
    /// A string output that binary data cannot hold.
    #[error("output `{output}` holds a string of 4 GiB or more: ask for it as JSON")]
    LongOutput {
        /// The output.
        output: String,
    },
    /// The runtime gave no tensor for an output of the reply.
    #[error("output `{name}` was not computed")]
    NotComputed {
        /// The output.
        name: String,
    },
}

impl Error {
    /// The HTTP status to answer with.
    pub fn status(&self) -> u16 {
        match self {
            Self::MediaType { .. } => 415,
            Self::NotComputed { .. } => 500,
            _ => 400,
        }
    }
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::NotComputed { .. } => Exit::Machine,
            _ => Exit::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownInput { .. }
            | Self::MissingInput { .. }
            | Self::Unnamed { .. }
            | Self::Shape { .. }
            | Self::DataType { .. } => "`gwtf inspect MODEL` lists inputs with types and shapes",
            Self::UnknownOutput { .. } => "`gwtf inspect MODEL` lists the outputs",
            Self::Ragged { .. } => "make every list at the same depth equally long",
            Self::Value { .. } | Self::Range { .. } => {
                "`gwtf inspect MODEL` lists the inputs' types; wider numbers need another type"
            }
            Self::EmptyBody { .. }
            | Self::Syntax { .. }
            | Self::Nesting { .. }
            | Self::Member { .. }
            | Self::MissingMember { .. }
            | Self::NoTensors { .. } => {
                "write {\"instances\": [ROW, ...]} or {\"inputs\": {\"NAME\": TENSOR}}"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// An input, and in the row form the instance it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The input's name.
    pub input: String,
    /// Index of the instance.
    pub instance: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "input `{}`", self.input)?;
        match self.instance {
            None => Ok(()),
            Some(instance) => write!(f, " of instance {instance}"),
        }
    }
}

fn rows(instances: Option<usize>) -> String {
    match instances {
        None => String::new(),
        Some(1) => " (1 instance)".to_owned(),
        Some(n) => format!(" ({n} instances)"),
    }
}
