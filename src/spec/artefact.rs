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
use std::path::{Component, Path};

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

/// Longest endpoint name and version tag, characters; both stand in paths and headers.
const NAME_CHARS_MAX: usize = 64;

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

/// What is wrong with a manifest; the end of a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(String);

impl ArtefactManifest {
    /// Reads the text of a manifest. Whoever made the artefact may have made it wrong: it is
    /// bounded, its names fit routes and headers, its paths stay inside the artefact. Whether this
    /// machine can run it is another question.
    ///
    /// # Errors
    /// It is none of these, or no JSON of [`SCHEMA`].
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        if text.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(ManifestError(format!("it is longer than {MANIFEST_BYTES_MAX} bytes")));
        }
        let manifest: Self =
            serde_json::from_slice(text).map_err(|error| ManifestError(error.to_string()))?;
        if manifest.schema != SCHEMA {
            return Err(ManifestError(format!("its schema is not `{SCHEMA}`")));
        }
        for (what, name) in [("endpoint", &manifest.endpoint), ("version", &manifest.version)] {
            if !is_name(name) {
                return Err(ManifestError(format!("its {what} is no name")));
            }
        }
        for (what, path) in [("model", &manifest.model), ("onnxruntime", &manifest.onnxruntime)] {
            if !is_inside(path) {
                return Err(ManifestError(format!("its {what} is no path inside the artefact")));
            }
        }
        Ok(manifest)
    }
}

/// Whether a text can be the name of an endpoint or a version: it fits into a path and a header.
pub fn is_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=NAME_CHARS_MAX).contains(&text.len()) && text.chars().all(inside)
}

fn is_inside(path: &str) -> bool {
    let is_name = |part| matches!(part, Component::Normal(_));
    !path.is_empty() && Path::new(path).components().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn document() -> Value {
        json!({
            "schema": SCHEMA,
            "endpoint": "iris",
            "version": "v3",
            "architecture": "arm64",
            "model": "model/model.onnx",
            "model_digest": "00".repeat(32),
            "optimized": false,
            "onnxruntime": "lib/libonnxruntime.so.1.32.0",
            "onnxruntime_version": "1.32.0",
            "signature": {"inputs": [], "outputs": []},
        })
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_its_reason() {
        let good = ArtefactManifest::parse(document().to_string().as_bytes()).unwrap();
        assert_eq!((good.endpoint.as_str(), good.version.as_str()), ("iris", "v3"));
        for (key, value, reason) in [
            ("schema", json!("gwtf.artefact/v2"), "its schema is"),
            ("architecture", json!("mips"), "unknown variant"),
            ("model", json!("/etc/passwd"), "its model is no path inside"),
            ("model", json!("model/../../secret"), "its model is no path inside"),
            ("onnxruntime", json!(""), "its onnxruntime is no path inside"),
            ("version", json!("v1\r\nx: y"), "its version is no name"),
            ("endpoint", json!("a/b"), "its endpoint is no name"),
            ("endpoint", json!(""), "its endpoint is no name"),
            ("endpoint", json!("x".repeat(65)), "its endpoint is no name"),
            ("surprise", json!(1), "unknown field"),
        ] {
            let mut document = document();
            document[key] = value;
            let error = ArtefactManifest::parse(document.to_string().as_bytes()).unwrap_err();
            assert!(error.to_string().contains(reason), "{key}: {error}");
        }
        let long = vec![b' '; usize::try_from(MANIFEST_BYTES_MAX).unwrap() + 1];
        assert!(ArtefactManifest::parse(&long).unwrap_err().to_string().contains("longer than"));
    }
}
