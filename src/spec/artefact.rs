//! What an artefact holds and where: the layout of a Lambda zip and of an image's task root.
//!
//! `package` writes it, `gwtf-runtime` starts from it, and the twin reads an endpoint's contract
//! from it, so the layout and [`ArtefactManifest`] have this one home.
//!
//! ```text
//! bootstrap                         gwtf-runtime, mode 755
//! gwtf.json                         ArtefactManifest
//! lib/libonnxruntime.so.<version>   and libstdc++.so.6, libgcc_s.so.1 where the target lacks them
//! model/model.onnx                  and its external data under the names the model knows
//! ```

use crate::model::{Digest, Signature};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The program, at the artefact's root; the name is Lambda's (developer guide, "Building a custom
/// runtime").
pub const BOOTSTRAP_FILE: &str = "bootstrap";
/// The manifest, at the artefact's root.
pub const MANIFEST_FILE: &str = "gwtf.json";
/// Folder of the shared libraries.
pub const LIBRARY_FOLDER: &str = "lib";
/// Folder of the model and its external data.
pub const MODEL_FOLDER: &str = "model";
/// The model in [`MODEL_FOLDER`].
pub const MODEL_FILE: &str = "model.onnx";
/// Where an image holds the artefact's root: Lambda's own place (`LAMBDA_TASK_ROOT`).
pub const TASK_ROOT: &str = "/var/task";
/// Schema of [`ArtefactManifest`].
pub const SCHEMA: &str = "gwtf.artefact/v1";
/// Largest manifest read, bytes.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// Instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the architecture it names")]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86_64,
    Arm64,
}

impl Architecture {
    /// That of this machine, if Lambda has it.
    pub fn host() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// Lambda's name: `x86_64` or `arm64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What `gwtf-runtime` needs to know of the files beside it. Holds nothing of the machine or the
/// time it was made at: same input, same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactManifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// The endpoint's name, which is in its routes.
    pub endpoint: String,
    /// The version tag; `GWTF_VERSION` of the environment stands above it.
    pub version: String,
    /// Instruction set of every binary.
    pub architecture: Architecture,
    /// Path of the model from the root, `/` between its segments.
    pub model: String,
    /// Digest of the model file as it was given, before any optimisation.
    pub model_digest: Digest,
    /// Whether the graph was optimised when it was packaged; it is then loaded as it is.
    pub optimized: bool,
    /// Path of ONNX Runtime's library from the root.
    pub onnxruntime: String,
    /// Version of ONNX Runtime.
    pub onnxruntime_version: String,
    /// Inputs and outputs as the model file declares them.
    pub signature: Signature,
}
