//! ONNX Runtime: finding the library, sessions, the pool. The only namer of `ort`.
//!
//! ```text
//! locate ── target, library, fetch, download ──> Library ── engine ──> Engine
//! Session ── tensor, message: one model, one run at a time
//! optimize ── compare, trial: a model rewritten ahead of time, with Sessions
//! Pool ── open, cost, queue, batch, worker: sessions for many callers
//! ```

mod batch;
mod cost;
mod download;
mod engine;
mod fetch;
mod library;
mod locate;
mod memory;
mod message;
mod open;
mod optimize;
mod pool;
mod queue;
mod session;
mod target;
mod telemetry;
mod tensor;
mod worker;

pub use batch::Batching;
pub use engine::{Engine, EngineError};
pub use fetch::{Progress, Tool};
pub use library::{Library, Origin};
pub use locate::{LocateError, LocateRequest, find, locate, tools};
pub use memory::available_bytes;
pub use optimize::{
    Difference, Distance, MODEL_BYTES_MAX as OPTIMIZED_MODEL_BYTES_MAX, OptimizeError, Outcome,
    Refusal, Tolerance, optimize,
};
pub use pool::{InferError, Pool, PoolOptions, PoolStats, Runner};
pub use session::{Interrupt, OpenError, RunError, Session, SessionOptions, Tensors};
pub use target::{Target, Wheel};
pub use telemetry::{TELEMETRY_VARIABLE, restart_without_telemetry};

/// The version of ONNX Runtime that is fetched, tested and shipped.
pub const VERSION: &str = "1.32.0";
