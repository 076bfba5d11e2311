//! What the pinned ONNX Runtime takes: IR and operator-set versions.
//!
//! Measured on onnxruntime 1.32.0 (the wheel from PyPI) with one Identity node under each version:
//! versions above these make session creation fail, all below load. Domains that are not listed
//! belong to custom operators, about which the runtime itself has the last word.

use super::Facts;

/// The ONNX Runtime that these numbers were measured on.
pub const RUNTIME_VERSION: &str = "1.32.0";
/// The newest `ir_version` that it loads.
pub const IR_VERSION_MAX: i64 = 14;
/// The newest version of the default operator set (`ai.onnx`) that it loads.
pub const OPSET_MAX: i64 = 28;

/// Domain and newest version.
pub(super) const OPSETS: [(&str, i64); 5] = [
    ("ai.onnx", OPSET_MAX),
    ("ai.onnx.ml", 5),
    ("ai.onnx.training", 1),
    ("ai.onnx.preview.training", 1),
    ("com.microsoft", 1),
];

/// A model made for a newer ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// The file's own format is newer.
    #[error("IR version {version} is newer than ONNX Runtime {RUNTIME_VERSION} knows ({max})")]
    Ir {
        /// What the file says.
        version: i64,
        /// What the runtime knows.
        max: i64,
    },
    /// An operator set is newer.
    #[error(
        "opset {version} of `{domain}` is newer than ONNX Runtime {RUNTIME_VERSION} knows ({max})"
    )]
    Opset {
        /// The operator set's domain.
        domain: String,
        /// What the file asks for.
        version: i64,
        /// What the runtime knows.
        max: i64,
    },
}

impl Unsupported {
    pub(super) fn next_step(&self) -> String {
        match self {
            Self::Ir { max, .. } => {
                format!("save the model with an older `onnx` package, or set `ir_version` to {max}")
            }
            Self::Opset { max, domain, .. } if domain == "ai.onnx" => format!(
                "export with opset {max} or older (`opset_version={max}`), or run \
                 `onnx.version_converter.convert_version(model, {max})`"
            ),
            Self::Opset { max, domain, .. } => {
                format!("export with version {max} or older of `{domain}`")
            }
        }
    }
}

/// Whether the pinned runtime knows the model's versions.
///
/// # Errors
/// The first version that is too new.
pub fn check_runtime(facts: &Facts) -> Result<(), Unsupported> {
    if facts.ir_version > IR_VERSION_MAX {
        return Err(Unsupported::Ir { version: facts.ir_version, max: IR_VERSION_MAX });
    }
    for (domain, max) in OPSETS {
        let newer = facts.opsets.iter().find(|opset| opset.domain == domain && opset.version > max);
        if let Some(opset) = newer {
            return Err(Unsupported::Opset { domain: domain.into(), version: opset.version, max });
        }
    }
    Ok(())
}
