//! Least-privilege IAM documents, and the proof that they are sufficient and minimal.
//!
//! ```text
//! Query, Change ─► calls: the requests for permission behind each ─┐
//!                                                                  ├─► proof: sufficient, minimal
//! Shape (what gwtf.toml asks for) ─► documents: written by hand ───┘
//! ```
//! Documents and calls have separate sources, so that each shows what is wrong with the other.

mod arn;
pub mod calls;
