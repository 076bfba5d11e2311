//! Least-privilege IAM documents, and the proof that they are sufficient and minimal.
//!
//! ```text
//! rehearsed commands ─► recording ─► calls: the requests for permission behind each ─┐
//!                                                                                    ├─► proof
//! Shape (what gwtf.toml asks for) ─► deployer, execution, invoker: written by hand ──┘
//! ```
//! Documents and calls have separate sources, so that each shows what is wrong with the other.

mod arn;
pub mod calls;
mod deployer;
mod error;
mod execution;
mod invoker;
mod printed;
mod proof;
mod recording;
mod shape;
mod trust;

pub use deployer::{Deployer, deployer};
pub use error::Error;
pub use execution::{execution, execution_role, execution_trust};
pub use invoker::{Routes, invoker};
pub use printed::{Printed, proofs_document, proofs_text};
pub use proof::{Proof, deployer_calls, function_calls, prove};
pub use recording::{Made, Recording, record};
pub use shape::{Reach, Shape};
pub use trust::{Ci, Jobs, TrustError, trust};
