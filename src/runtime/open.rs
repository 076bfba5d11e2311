//! How many sessions a pool opens, and the run that tells what runs take.
//!
//! A session of the same model again costs its weights again (onnxruntime keeps reordered copies
//! beside them), so how many are opened follows from what the first one took.

use super::engine::Engine;
use super::memory;
use super::pool::{PoolOptions, now};
use super::session::{OpenError, Session, Tensors};
use crate::model::{DType, Data, Dim, Signature, Tensor};
use std::path::Path;
use std::time::Duration;

/// Sessions ready to serve.
pub(super) struct Opened {
    pub(super) sessions: Vec<Session>,
    pub(super) signature: Signature,
    /// The options as they turned out: sessions and threads follow from memory.
    pub(super) options: PoolOptions,
    pub(super) warm_up: Option<WarmUp>,
}

/// A run on made-up inputs.
pub(super) struct WarmUp {
    pub(super) elements: usize,
    pub(super) took: Duration,
}

/// Elements of one made-up input at most; a larger one is not worth a run.
const WARM_UP_ELEMENTS_MAX: usize = 1 << 24;

/// Runs of the warm-up: the first one allocates, the fastest one counts.
const WARM_UP_RUNS: usize = 4;

/// How many times its file a session takes in memory, at least as far as the file tells.
const MEMORY_PER_FILE_BYTE: u64 = 2;

pub(super) fn open(
    engine: &Engine,
    path: &Path,
    options: &PoolOptions,
) -> Result<Opened, OpenError> {
    let wanted = PoolOptions { sessions: options.sessions.max(1), ..*options };
    let Some(extra_bytes_max) = wanted.memory_extra_bytes_max else {
        let first = Session::open(engine, path, &wanted.session_options())?;
        return open_others(engine, path, first, wanted);
    };
    // The first session gets the threads of all: when there is room for no other, it is ready.
    let single = fitting(&wanted, 0);
    engine.prime();
    let before = memory::resident_bytes();
    let mut first = Session::open(engine, path, &single.session_options())?;
    let warm_up = warm_up(&mut first, &single);
    let file_bytes = fs_err::metadata(path).map_or(0, |metadata| metadata.len());
    let grown_bytes = match (before, memory::resident_bytes()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => 0,
    };
    let session_bytes = grown_bytes.max(file_bytes.saturating_mul(MEMORY_PER_FILE_BYTE));
    let more = extra_bytes_max / session_bytes.max(1);
    let fitted = fitting(&wanted, usize::try_from(more).unwrap_or(usize::MAX));
    if fitted == single {
        let signature = first.signature().clone();
        return Ok(Opened { sessions: vec![first], signature, options: single, warm_up });
    }
    drop(first);
    let first = Session::open(engine, path, &fitted.session_options())?;
    open_others(engine, path, first, fitted)
}

fn open_others(
    engine: &Engine,
    path: &Path,
    mut first: Session,
    options: PoolOptions,
) -> Result<Opened, OpenError> {
    let warm_up = warm_up(&mut first, &options);
    let signature = first.signature().clone();
    let mut sessions = vec![first];
    while sessions.len() < options.sessions {
        sessions.push(Session::open(engine, path, &options.session_options())?);
    }
    Ok(Opened { sessions, signature, options, warm_up })
}

/// The options with room for `more` sessions beside the first: fewer than wanted share the threads
/// of all.
fn fitting(wanted: &PoolOptions, more: usize) -> PoolOptions {
    let sessions = wanted.sessions.min(more.saturating_add(1));
    let intra_threads = wanted.sessions * wanted.intra_threads.max(1) / sessions;
    PoolOptions { sessions, intra_threads, ..*wanted }
}

/// Runs the model on zeros, unless no run may be inline anyway. A model that does not take zeros
/// is measured on its first request.
fn warm_up(session: &mut Session, options: &PoolOptions) -> Option<WarmUp> {
    if options.inline_run_max.is_zero() {
        return None;
    }
    let mut fastest: Option<WarmUp> = None;
    for _ in 0..WARM_UP_RUNS {
        let inputs = zeros(session.signature())?;
        let elements = super::batch::elements(&inputs);
        let started = now();
        session.run(inputs, &[]).ok()?;
        let took = now() - started;
        if fastest.as_ref().is_none_or(|fastest| took < fastest.took) {
            fastest = Some(WarmUp { elements, took });
        }
        // A slow model need not be slow several times over.
        if took > 10 * options.inline_run_max {
            break;
        }
    }
    fastest
}

impl Session {
    /// Runs the model once on zeros, so that what it sets up on its first run is set up, and says
    /// how long that took. `None` when it does not take zeros or they would be too many.
    pub fn warm_up(&mut self) -> Option<Duration> {
        let inputs = zeros(self.signature())?;
        let started = now();
        self.run(inputs, &[]).ok()?;
        Some(now() - started)
    }
}

/// One request of zeros: one row, every open dimension 1.
fn zeros(signature: &Signature) -> Option<Tensors> {
    let zero = |spec: &crate::model::TensorSpec| {
        let dims = spec.shape.as_deref().unwrap_or_default();
        let shape: Vec<usize> = dims
            .iter()
            .map(|dim| match dim {
                Dim::Fixed(n) => *n,
                Dim::Symbol(_) | Dim::Unknown => 1,
            })
            .collect();
        let elements = shape.iter().try_fold(1usize, |all, n| all.checked_mul(*n))?;
        if elements > WARM_UP_ELEMENTS_MAX {
            return None;
        }
        Some((spec.name.clone(), Tensor::new(shape, zero_data(spec.dtype, elements)).ok()?))
    };
    signature.inputs.iter().map(zero).collect()
}

fn zero_data(dtype: DType, elements: usize) -> Data {
    match dtype {
        DType::Float16 => Data::Float16(vec![half::f16::ZERO; elements]),
        DType::BFloat16 => Data::BFloat16(vec![half::bf16::ZERO; elements]),
        DType::Float32 => Data::Float32(vec![0.0; elements]),
        DType::Float64 => Data::Float64(vec![0.0; elements]),
        DType::Int8 => Data::Int8(vec![0; elements]),
        DType::Int16 => Data::Int16(vec![0; elements]),
        DType::Int32 => Data::Int32(vec![0; elements]),
        DType::Int64 => Data::Int64(vec![0; elements]),
        DType::UInt8 => Data::UInt8(vec![0; elements]),
        DType::UInt16 => Data::UInt16(vec![0; elements]),
        DType::UInt32 => Data::UInt32(vec![0; elements]),
        DType::UInt64 => Data::UInt64(vec![0; elements]),
        DType::Bool => Data::Bool(vec![false; elements]),
        DType::String => Data::String(vec![String::new(); elements]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_sessions_share_the_threads_of_all() {
        let wanted = PoolOptions::defaults_for(8);
        for (more, sessions, threads) in
            [(0, 1, 8), (1, 2, 4), (2, 3, 2), (7, 8, 1), (usize::MAX, 8, 1)]
        {
            let fitted = fitting(&wanted, more);
            assert_eq!((fitted.sessions, fitted.intra_threads), (sessions, threads), "{more}");
        }
    }

    #[test]
    fn a_warm_up_request_is_bounded() {
        let spec = |dims| Signature {
            inputs: vec![crate::model::TensorSpec {
                name: "x".to_owned(),
                dtype: DType::Float32,
                shape: Some(dims),
            }],
            outputs: Vec::new(),
        };
        let open = vec![Dim::Symbol("n".to_owned()), Dim::Fixed(3), Dim::Unknown];
        assert_eq!(zeros(&spec(open)).unwrap()[0].1.shape(), [1, 3, 1]);
        assert!(zeros(&spec(vec![Dim::Fixed(1 << 40)])).is_none());
        assert!(zeros(&spec(vec![Dim::Fixed(1 << 40), Dim::Fixed(1 << 40)])).is_none());
    }
}
