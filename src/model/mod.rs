//! The model: facts read from its file, its signature, tensors and payload formats. Pure.

mod digest;
pub mod dtype;
pub mod onnx;
pub mod payload;
pub mod sample;
pub mod signature;
pub mod tensor;

pub use digest::{Digest, DigestError};
pub use dtype::DType;
pub use signature::{Dim, Signature, TensorSpec};
pub use tensor::{Data, Tensor};
