//! Optimising a model's graph before it is shipped, and proving that it still says the same.
//!
//! The runtime of an artefact then loads the graph as it is, which takes a third of the time. The
//! level is *extended*: operators are folded and fused, and no layout that suits one processor gets
//! in, so the result may be made on one machine for another (an arm64 artefact on x86_64). What the
//! fused operators compute can differ in the last digits; so seeded requests run through the
//! original, unoptimised, and through the result as the runtime will load it.
//!
//! # Invariants
//! Same model, library and options: same bytes. Nothing is returned that was not compared.

use super::engine::Engine;
use super::message;
use super::session::{OpenError, RunError, Session, SessionOptions, Tensors};
use crate::model::{Dim, Signature, sample};
use ort::session::builder::GraphOptimizationLevel;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod compare;

pub use compare::{Comparison, Difference, Tolerance};

/// Name of the optimised model in its folder.
const MODEL_FILE: &str = "model.onnx";
/// Name of the file with its large weights, if they do not go into the model.
const WEIGHTS_FILE: &str = "model.onnx.data";
/// Weights smaller than this stay in the model, bytes.
const WEIGHT_BYTES_MIN: u64 = 1 << 10;
/// Weights of a model beyond this go into a file of their own: a protobuf message ends at 2 GiB,
/// and what folding adds has to fit as well, bytes.
pub const WEIGHTS_INSIDE_BYTES_MAX: u64 = 1 << 30;
/// Batch size and seed of each request.
const REQUESTS: [(usize, u64); 4] = [(1, 0), (1, 1), (3, 2), (8, 3)];

/// How to optimise.
#[derive(Debug, Clone)]
pub struct OptimizeOptions {
    /// An empty folder for the result.
    pub folder: PathBuf,
    /// How far outputs may differ.
    pub tolerance: Tolerance,
    /// Threads of a session.
    pub intra_threads: usize,
    /// Whether large weights go into a file of their own; see [`WEIGHTS_INSIDE_BYTES_MAX`].
    pub weights_outside: bool,
}

/// An optimised model, compared with its original.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimized {
    /// The model.
    pub model: PathBuf,
    /// The file with its large weights, beside it, if it has one.
    pub weights: Option<PathBuf>,
    /// What the comparison showed.
    pub comparison: Comparison,
}

/// Why the plain model is better shipped.
#[derive(Debug, thiserror::Error)]
pub enum OptimizeError {
    /// ONNX Runtime cannot write the optimised graph.
    #[error("it cannot be written: {0}")]
    Write(String),
    /// What it wrote does not load.
    #[error("the optimised model does not load")]
    Load(#[source] OpenError),
    /// It takes or gives something else.
    #[error("the optimised model has another signature")]
    Signature,
    /// No request can be made from the signature.
    #[error("no request can be made to compare it with")]
    Sample(#[source] sample::Error),
    /// The original refuses every request made from its signature.
    #[error("no request made from the signature runs through the model")]
    NoRun(#[source] RunError),
    /// The optimised model fails where the original runs.
    #[error("the optimised model fails where the original runs")]
    Run(#[source] RunError),
    /// The outputs differ.
    #[error("the outputs differ: {0}")]
    Differs(Difference),
}

/// Optimises the model at `path` and compares the result with it.
///
/// # Errors
/// Nothing worth shipping came out; the error says why. The folder may then hold files.
pub fn optimize(
    engine: &Engine,
    path: &Path,
    options: &OptimizeOptions,
) -> Result<Optimized, OptimizeError> {
    let model = options.folder.join(MODEL_FILE);
    let weights = options.folder.join(WEIGHTS_FILE);
    write(engine, path, &model, options)
        .map_err(|error| OptimizeError::Write(message::trim(error.message())))?;
    let plain = SessionOptions { intra_threads: options.intra_threads, optimize: false };
    let open = |path: &Path| Session::open(engine, path, &plain).map_err(OptimizeError::Load);
    let (mut original, mut optimized) = (open(path)?, open(&model)?);
    if original.signature() != optimized.signature() {
        return Err(OptimizeError::Signature);
    }
    let comparison = compare(&mut original, &mut optimized, options.tolerance)?;
    let weights = weights.is_file().then_some(weights);
    Ok(Optimized { model, weights, comparison })
}

fn write(
    engine: &Engine,
    path: &Path,
    model: &Path,
    options: &OptimizeOptions,
) -> Result<(), ort::Error> {
    let mut builder = ort::session::Session::builder(engine.environment())?
        .with_log_level(ort::logging::LogLevel::Fatal)?
        .with_optimization_level(GraphOptimizationLevel::Level2)?
        .with_intra_threads(options.intra_threads.max(1))?
        .with_optimized_model_path(model)?;
    if options.weights_outside {
        let bytes_min = WEIGHT_BYTES_MIN.to_string();
        builder = builder
            .with_config_entry(
                "session.optimized_model_external_initializers_file_name",
                WEIGHTS_FILE,
            )?
            .with_config_entry(
                "session.optimized_model_external_initializers_min_size_in_bytes",
                bytes_min,
            )?;
    }
    builder.commit_from_file(path).map(drop)
}

fn compare(
    original: &mut Session,
    optimized: &mut Session,
    tolerance: Tolerance,
) -> Result<Comparison, OptimizeError> {
    let mut comparison = Comparison::default();
    let mut refused = None;
    for (batch_size, seed) in REQUESTS {
        let inputs = inputs(original.signature(), batch_size, seed)?;
        let expected = match original.run(inputs.clone(), &[]) {
            Ok(outputs) => outputs,
            Err(error) => {
                refused = Some(error);
                continue;
            }
        };
        let actual = optimized.run(inputs, &[]).map_err(OptimizeError::Run)?;
        comparison.add(&expected, &actual, tolerance).map_err(OptimizeError::Differs)?;
    }
    match refused {
        Some(error) if comparison.requests == 0 => Err(OptimizeError::NoRun(error)),
        _ => Ok(comparison),
    }
}

/// A request with this size in every open outermost dimension.
fn inputs(signature: &Signature, batch_size: usize, seed: u64) -> Result<Tensors, OptimizeError> {
    let outermost = signature.inputs.iter().filter_map(|spec| {
        let name = match spec.shape.as_ref()?.first()? {
            Dim::Fixed(_) => return None,
            Dim::Symbol(name) => name.clone(),
            Dim::Unknown => format!("{}:0", spec.name),
        };
        Some((name, batch_size))
    });
    let open_sizes: BTreeMap<String, usize> = outermost.collect();
    let options = sample::Options { open_sizes };
    sample::sample_inputs(signature, seed, &options).map_err(OptimizeError::Sample)
}
