//! The requests of a run: bodies from files, or one made from the model's signature.

use super::plan::DimSize;
use crate::cli::{input, request_form};
use crate::error::Failure;
use crate::model::Signature;
use crate::model::payload::render_request;
use crate::model::sample::{Options, sample_inputs};
use crate::spec::limits::PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// One request body and what it is sent as.
#[derive(Debug, Clone)]
pub(super) struct Payload {
    pub(super) method: &'static str,
    /// What says what the body is.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Payload {
    fn post(body: Vec<u8>) -> Self {
        Self { method: "POST", headers: request_form::headers(&body), body: Bytes::from(body) }
    }
}

/// The bodies in these files.
pub(super) fn from_files(files: &[PathBuf]) -> Result<Vec<Payload>, Failure> {
    files.iter().map(|file| from_file(file)).collect()
}

fn from_file(file: &Path) -> Result<Payload, Failure> {
    let bytes = input::read_file("payload", file, PAYLOAD_BYTES_MAX)?;
    Ok(Payload::post(bytes))
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
    Ok(Payload::post(body))
}

/// A request without a body, for a URL of which nothing is known.
pub(super) fn plain_get() -> Payload {
    Payload { method: "GET", headers: Vec::new(), body: Bytes::new() }
}
