//! Graph optimisation ahead of time: a model is rewritten once, when it is packaged, and then
//! loads without being optimised again at every cold start.
//!
//! ```text
//! model ─ extended level, saved ─> optimised model ─┐ seeded inputs through both
//! model ─ optimisation off ─────> what it says ─────┴─> compare ─> done, or refused with a reason
//! ```
//!
//! The level is ONNX Runtime's "extended": fusions that hold on every machine, and no memory layout
//! of this machine's own. Refused is no failure: the caller packs the model as it was given.
//!
//! # Invariants
//! A model is only replaced by one that gave the same outputs. The same model gives the same bytes,
//! wherever it lies. Nothing is left at the output path unless the outcome is `Done`.

use super::engine::Engine;
use super::message;
use super::session::{OpenError, Session, SessionOptions};
use crate::error::{Exit, Explain};
use crate::model::{onnx, sample};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

mod compare;
mod trial;

pub use compare::{Difference, Distance, Tolerance};

/// Largest model, weights in other files included, that is optimised: the optimised model is one
/// protobuf message, which ends at 2 GiB, and folded constants may take some of it.
pub const MODEL_BYTES_MAX: u64 = 3 << 29;

/// Bytes that an optimised model may have beyond twice the model's. Constants that are folded can be
/// far larger than the nodes that made them: such a model loads more slowly, not faster, and may be
/// more than its host takes.
const GROWTH_BYTES_MAX: u64 = 4 << 20;

/// What became of the attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The optimised model is at the output path, one file without external data.
    Done {
        /// How far its outputs are from the model's.
        distance: Distance,
        /// Its size.
        bytes: u64,
    },
    /// There is no optimised model; the model is to be used as it was given.
    Refused(Refusal),
}

/// Why an optimised model is not to be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Beyond [`MODEL_BYTES_MAX`].
    #[error("it is of {bytes} bytes, and up to {MODEL_BYTES_MAX} can be optimised")]
    TooLarge {
        /// Size with external data.
        bytes: u64,
    },
    /// No inputs can be made up for the comparison.
    #[error("no inputs can be made up to compare outputs with: {0}")]
    NoSample(#[source] sample::Error),
    /// The model runs on none of the inputs made up.
    #[error("it runs on none of the inputs made up to compare outputs with: {message}")]
    NotRun {
        /// ONNX Runtime's words on the last of them.
        message: String,
    },
    /// It gives other outputs for the same inputs, so outputs prove nothing.
    #[error("it gives different outputs for the same inputs: {0}")]
    NotRepeatable(#[source] Difference),
    /// An output had no number in it whatever the inputs were, so it proves nothing.
    #[error("output `{output}` has no finite number in it for any of the inputs made up")]
    NothingCompared {
        /// The output.
        output: String,
    },
    /// Folded constants make it far larger.
    #[error("the optimised model has {bytes} bytes, the model {given_bytes}")]
    Grown {
        /// Its size.
        bytes: u64,
        /// The model's, with external data.
        given_bytes: u64,
    },
    /// ONNX Runtime could not optimise the model or not write the result.
    #[error("ONNX Runtime could not optimise it: {message}")]
    NotOptimized {
        /// ONNX Runtime's words.
        message: String,
    },
    /// The optimised model cannot be opened or fails where the model does not.
    #[error("the optimised model does not run: {message}")]
    Broken {
        /// ONNX Runtime's words.
        message: String,
    },
    /// The optimised model takes or gives something else.
    #[error("the optimised model has another signature")]
    Signature,
    /// The optimised model's outputs are beyond the tolerance.
    #[error("the optimised model gives other outputs: {0}")]
    Differs(#[source] Difference),
}

/// The attempt itself failed.
#[derive(Debug, thiserror::Error)]
pub enum OptimizeError {
    /// The model cannot be read.
    #[error(transparent)]
    Model(#[from] onnx::Error),
    /// ONNX Runtime does not take the model, optimised or not.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The optimised model cannot be put where it is wanted.
    #[error("optimised model `{}`", path.display())]
    Write {
        /// The output path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Explain for OptimizeError {
    fn exit(&self) -> Exit {
        match self {
            Self::Model(error) => error.exit(),
            Self::Open(error) => error.exit(),
            Self::Write { .. } => Exit::Machine,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Open(error) => error.hint(),
            Self::Write { .. } => {
                Some("free some room there, or name another folder in TMPDIR".to_owned())
            }
        }
    }
}

/// Optimises the model and writes the result to `out`, if it gives the same outputs.
///
/// External data are taken into the one file. `out` must not be the model; what was there is
/// replaced.
///
/// # Errors
/// The model cannot be read or opened, or `out` cannot be written.
pub fn optimize(
    engine: &Engine,
    model: &Path,
    out: &Path,
    tolerance: Tolerance,
    seed: u64,
) -> Result<Outcome, OptimizeError> {
    let facts = onnx::read_facts(model)?;
    let bytes = facts
        .external_data
        .iter()
        .fold(facts.size_bytes, |all, tensor| all.saturating_add(tensor.length_bytes));
    if bytes > MODEL_BYTES_MAX {
        return Ok(Outcome::Refused(Refusal::TooLarge { bytes }));
    }
    let plain = SessionOptions { optimize: false, ..SessionOptions::default() };
    let mut expected = Session::open(engine, model, &plain)?;
    let write = |source| OptimizeError::Write { path: out.to_owned(), source };
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let scratch = tempfile::Builder::new()
        .prefix(".gwtf-optimize-")
        .tempdir_in(folder.unwrap_or(Path::new(".")))
        .map_err(write)?;
    // The library writes beside the output, under a name that no message of it is about.
    let made = scratch.path().join("model.onnx");
    let compared = save(engine, model, &made).and_then(|()| {
        check_growth(&made, bytes)?;
        let mut actual = Session::open(engine, &made, &plain)
            .map_err(|error| Refusal::Broken { message: error.to_string() })?;
        trial::run_all(&mut expected, &mut actual, tolerance, seed)
    });
    match compared {
        Err(refusal @ Refusal::NotOptimized { .. }) => {
            // The library does not say why it could not write. A full disk must not decide what is
            // in an artefact.
            let room = scratch.path().join("room");
            take_room(&room, bytes).map_err(write)?;
            Ok(Outcome::Refused(refusal))
        }
        Err(refusal) => Ok(Outcome::Refused(refusal)),
        Ok(distance) => {
            let bytes = fs_err::metadata(&made).map_err(write)?.len();
            fs_err::rename(&made, out).map_err(write)?;
            Ok(Outcome::Done { distance, bytes })
        }
    }
}

/// Whether the folder still takes this many bytes.
fn take_room(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = fs_err::File::create(path)?;
    io::copy(&mut io::repeat(0).take(bytes), &mut file).map(drop)
}

fn check_growth(made: &Path, given_bytes: u64) -> Result<(), Refusal> {
    let metadata = fs_err::metadata(made)
        .map_err(|error| Refusal::NotOptimized { message: error.to_string() })?;
    let bytes = metadata.len();
    if bytes > given_bytes.saturating_mul(2).saturating_add(GROWTH_BYTES_MAX) {
        return Err(Refusal::Grown { bytes, given_bytes });
    }
    Ok(())
}

/// Weights of at least [`EXTERNAL_FROM_KEY`] bytes go into the file of this name; without the entry
/// the optimised model would name the files that the model names, wherever it lies itself.
const EXTERNAL_FILE_KEY: &str = "session.optimized_model_external_initializers_file_name";
const EXTERNAL_FROM_KEY: &str = "session.optimized_model_external_initializers_min_size_in_bytes";

/// Has ONNX Runtime write the optimised model.
fn save(engine: &Engine, model: &Path, made: &Path) -> Result<(), Refusal> {
    let saved = || -> Result<(), ort::Error> {
        ort::session::Session::builder(engine.environment())?
            .with_log_level(ort::logging::LogLevel::Fatal)?
            .with_optimization_level(ort::session::builder::GraphOptimizationLevel::Level2)?
            .with_intra_threads(1)?
            .with_optimized_model_path(made)?
            .with_config_entry(EXTERNAL_FILE_KEY, "none")?
            .with_config_entry(EXTERNAL_FROM_KEY, MODEL_BYTES_MAX.to_string())?
            .commit_from_file(model)?;
        Ok(())
    };
    saved().map_err(|error| Refusal::NotOptimized { message: message::trim(error.message()) })
}
