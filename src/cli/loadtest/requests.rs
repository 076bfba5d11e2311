//! The requests of a run: bodies from files, or one made from the model's signature.

use super::plan::DimSize;
use crate::cli::input;
use crate::error::Failure;
use crate::model::Signature;
use crate::model::payload::render_request;
use crate::model::sample::{Options, sample_inputs};
use crate::spec::limits::PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// The first bytes of an npy file.
const NPY_MAGIC: &[u8] = b"\x93NUMPY";

/// One request body and what it is sent as.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    pub(super) method: &'static str,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Bytes,
}

/// The bodies in these files.
pub(super) fn from_files(files: &[PathBuf]) -> Result<Vec<Payload>, Failure> {
    files.iter().map(|file| from_file(file)).collect()
}

fn from_file(file: &Path) -> Result<Payload, Failure> {
    let bytes = input::read_file("payload", file, PAYLOAD_BYTES_MAX)?;
    let content_type = match bytes.starts_with(NPY_MAGIC) {
        true => "application/x-npy",
        false => "application/json",
    };
    Ok(Payload { method: "POST", content_type: Some(content_type), body: Bytes::from(bytes) })
}

/// One body made from the signature by the seed; `sizes` are those of open dimensions.
pub(super) fn from_signature(
    signature: &Signature,
    seed: u64,
    sizes: &[DimSize],
) -> Result<Payload, Failure> {
    let open_sizes = sizes.iter().map(|dim| (dim.name.clone(), dim.size)).collect();
    let inputs = sample_inputs(signature, seed, &Options { open_sizes })?;
    let body = render_request(&inputs, signature)?;
    Ok(Payload { method: "POST", content_type: Some("application/json"), body: Bytes::from(body) })
}

/// A request without a body, for a URL of which nothing is known.
pub(super) fn plain_get() -> Payload {
    Payload { method: "GET", content_type: None, body: Bytes::new() }
}
