//! One session: a model loaded into ONNX Runtime, run by one caller at a time.
//!
//! # Invariants
//! A run never copies an input's numbers (strings are copied: ONNX Runtime keeps its own), and
//! copies each output once. A request's mistake and the model's failure are told apart by
//! [`RunError::is_request_fault`].

use super::engine::Engine;
use super::{message, tensor};
use crate::model::{Signature, Tensor, TensorSpec};
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, SessionInputValue};
use std::path::Path;
use std::sync::Arc;

mod error;

pub use error::{OpenError, RunError};
use error::{open_error, run_error};

/// How a session is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads that one run may use; 1 runs on the caller's thread alone.
    pub intra_threads: usize,
    /// Whether the graph is optimised while it loads; off for a model optimised beforehand.
    pub optimize: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { intra_threads: 1, optimize: true }
    }
}

/// A model in memory, ready to run.
pub struct Session {
    inner: ort::session::Session,
    signature: Signature,
    /// The outputs selected last: clients of an endpoint ask for the same ones over and over.
    selection: Option<(Vec<String>, RunOptions<HasSelectedOutputs>)>,
}

/// Ends runs from another thread. A clone is the same interrupt.
#[derive(Clone)]
pub struct Interrupt(Arc<RunOptions>);

impl Interrupt {
    /// An interrupt that is not raised; `None` when the library has no memory left.
    pub fn new() -> Option<Self> {
        RunOptions::new().ok().map(|options| Self(Arc::new(options)))
    }

    /// Ends the run that it was given to, or the next one.
    pub fn raise(&self) {
        // The call sets a flag and gives no error.
        let _ = self.0.terminate();
    }

    /// Lets the next run be.
    pub fn clear(&self) {
        let _ = self.0.unterminate();
    }
}

/// Named tensors, as a run takes and gives them.
pub type Tensors = Vec<(String, Tensor)>;

impl Session {
    /// Loads a model.
    ///
    /// # Errors
    /// The file is missing, damaged, beyond what the library supports, without its external data,
    /// or it takes or gives something else than tensors of the served element types.
    pub fn open(engine: &Engine, path: &Path, options: &SessionOptions) -> Result<Self, OpenError> {
        check_file(path)?;
        let session = build(engine, path, options).map_err(|error| open_error(path, &error))?;
        let signature = Signature {
            inputs: specs(path, "input", session.inputs())?,
            outputs: specs(path, "output", session.outputs())?,
        };
        Ok(Self { inner: session, signature, selection: None })
    }

    /// Inputs and outputs, in the model's order. A scalar and a tensor of no declared rank both
    /// have no `shape` here: the library does not tell them apart.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Runs the model. `outputs` names those wanted, in the order wanted; empty stands for all.
    ///
    /// # Errors
    /// The request does not fit the signature, or the run fails.
    pub fn run(&mut self, inputs: Tensors, outputs: &[String]) -> Result<Tensors, RunError> {
        self.run_until(inputs, outputs, None)
    }

    /// The same, ended early with an error once `interrupt` is raised. ONNX Runtime looks at it
    /// between the nodes of the graph, and only in runs that give all outputs: `ort` shares no
    /// selection of outputs between threads.
    ///
    /// # Errors
    /// As [`Session::run`], or the run was interrupted.
    pub fn run_until(
        &mut self,
        inputs: Tensors,
        outputs: &[String],
        interrupt: Option<&Interrupt>,
    ) -> Result<Tensors, RunError> {
        let Self { inner, signature, selection } = self;
        let values = values_in_order(signature, inputs)?;
        let run = match interrupt {
            _ if !is_all(signature, outputs) => {
                inner.run_with_options(values.as_slice(), select(signature, selection, outputs)?)
            }
            Some(Interrupt(options)) => inner.run_with_options(values.as_slice(), &**options),
            None => inner.run(values.as_slice()),
        };
        let computed = run.map_err(|error| run_error(&error, signature, &values))?;
        let mut tensors = Vec::with_capacity(computed.len());
        for (name, value) in computed {
            let tensor = tensor::from_value(&value).map_err(|cause| RunError::Failed {
                message: format!("output `{name}`: {cause}"),
            })?;
            tensors.push((name.to_owned(), tensor));
        }
        Ok(tensors)
    }
}

fn check_file(path: &Path) -> Result<(), OpenError> {
    let refuse = |message: String| OpenError::File { path: path.to_owned(), message };
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) if metadata.is_dir() => Err(refuse("it is a folder, not a file".to_owned())),
        Ok(_) => Err(refuse("it is no regular file".to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(refuse("no such file".to_owned()))
        }
        Err(error) => Err(refuse(error.kind().to_string())),
    }
}

fn build(
    engine: &Engine,
    path: &Path,
    options: &SessionOptions,
) -> Result<ort::session::Session, ort::Error> {
    let level = if options.optimize {
        GraphOptimizationLevel::All
    } else {
        GraphOptimizationLevel::Disable
    };
    ort::session::Session::builder(engine.environment())?
        .with_log_level(ort::logging::LogLevel::Fatal)?
        .with_optimization_level(level)?
        .with_intra_threads(options.intra_threads.max(1))?
        // Threads that spin for their next part of a run make it a third faster; stopped with the
        // run, they leave an idle server idle.
        .with_config_entry("session.force_spinning_stop", "1")?
        .commit_from_file(path)
}

fn specs(
    path: &Path,
    role: &'static str,
    outlets: &[ort::value::Outlet],
) -> Result<Vec<TensorSpec>, OpenError> {
    let spec = |outlet: &ort::value::Outlet| {
        tensor::spec_of(outlet.name(), outlet.dtype()).ok_or_else(|| OpenError::Type {
            path: path.to_owned(),
            role,
            name: outlet.name().to_owned(),
            declared: outlet.dtype().to_string(),
        })
    };
    outlets.iter().map(spec).collect()
}

/// Checks the inputs against the signature and moves them into ONNX Runtime in its order, so that
/// no name is needed for the run.
fn values_in_order(
    signature: &Signature,
    mut inputs: Tensors,
) -> Result<Vec<SessionInputValue<'static>>, RunError> {
    let declared = &signature.inputs;
    let is_ordered = inputs.len() == declared.len()
        && inputs.iter().zip(declared).all(|((name, _), spec)| *name == spec.name);
    if !is_ordered {
        put_in_order(declared, &mut inputs)?;
    }
    let checked = inputs.into_iter().zip(declared).map(|((name, tensor), spec)| {
        if tensor.dtype() != spec.dtype {
            return Err(RunError::DType { name, given: tensor.dtype(), expected: spec.dtype });
        }
        if !spec.admits(tensor.shape()) {
            let (given, expected) = (tensor.shape().to_vec(), spec.type_text());
            return Err(RunError::Shape { name, given, expected });
        }
        tensor::into_value(tensor)
            .map_err(|cause| RunError::Refused { message: format!("input `{name}`: {cause}") })
    });
    checked.collect()
}

fn put_in_order(declared: &[TensorSpec], inputs: &mut Tensors) -> Result<(), RunError> {
    let position = |name: &str| declared.iter().position(|spec| spec.name == name);
    for (at, (name, _)) in inputs.iter().enumerate() {
        if position(name).is_none() {
            return Err(RunError::UnknownInput { name: name.clone() });
        }
        if inputs[..at].iter().any(|(earlier, _)| earlier == name) {
            return Err(RunError::RepeatedInput { name: name.clone() });
        }
    }
    for spec in declared {
        if !inputs.iter().any(|(name, _)| *name == spec.name) {
            return Err(RunError::MissingInput { name: spec.name.clone() });
        }
    }
    inputs.sort_by_key(|(name, _)| position(name));
    Ok(())
}

fn is_all(signature: &Signature, outputs: &[String]) -> bool {
    outputs.is_empty()
        || (outputs.len() == signature.outputs.len()
            && outputs.iter().zip(&signature.outputs).all(|(name, spec)| *name == spec.name))
}

/// The run options that compute just these outputs, made anew only when the selection changes.
fn select<'a>(
    signature: &Signature,
    selection: &'a mut Option<(Vec<String>, RunOptions<HasSelectedOutputs>)>,
    outputs: &[String],
) -> Result<&'a RunOptions<HasSelectedOutputs>, RunError> {
    if let Some(name) = outputs.iter().find(|name| signature.output(name).is_none()) {
        return Err(RunError::UnknownOutput { name: name.clone() });
    }
    if !matches!(selection, Some((names, _)) if names == outputs) {
        let options = RunOptions::new()
            .map_err(|error| RunError::Failed { message: message::trim(error.message()) })?;
        let selector = outputs.iter().fold(OutputSelector::no_default(), OutputSelector::with);
        *selection = Some((outputs.to_vec(), options.with_outputs(selector)));
    }
    let (_, options) = selection.as_ref().expect("the selection was made above");
    Ok(options)
}
