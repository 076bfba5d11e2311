//! What a starter `gwtf.toml` is filled in with.

use super::template;
use crate::config::Target;
use crate::model::Signature;
use crate::spec::limits::LAMBDA_MEMORY_MIB_MAX;

/// `gwtf.toml` with `{{names}}`: comments, a line for every key.
const CONFIG: &str = include_str!("../../../templates/gwtf.toml");
/// The memory of a function where nothing is written, MiB.
const MEMORY_MIB_DEFAULT: u64 = 1_769;
/// Lambda takes any number of MiB; a round one reads as the estimate that it is.
const MEMORY_MIB_STEP: u64 = 256;

/// A model and the choices that were made about its endpoint.
#[derive(Debug, Clone)]
pub(super) struct Starter {
    /// The endpoint's name.
    pub(super) name: String,
    /// The model's path as `gwtf.toml` has it.
    pub(super) model: String,
    /// Where the endpoint runs; `None` leaves it open.
    pub(super) target: Option<Target>,
    /// What a process with this model takes, bytes.
    pub(super) memory_bytes: u64,
    /// Whether model and runtime are within Lambda's limit for zips.
    pub(super) fits_a_zip: bool,
    /// Limits that the model is beyond, a sentence each.
    pub(super) limits_broken: Vec<String>,
    /// Inputs and outputs.
    pub(super) signature: Signature,
}

impl Starter {
    /// The text of `gwtf.toml`.
    pub(super) fn config(&self) -> String {
        template::fill(
            CONFIG,
            &[
                ("name", self.name.clone()),
                ("name_toml", toml_string(&self.name)),
                ("model_toml", toml_string(&self.model)),
                ("target_line", self.target_line()),
                ("memory_line", self.memory_line()),
                ("package_line", self.package_line()),
            ],
        )
    }

    fn target_line(&self) -> String {
        match self.target {
            Some(target) => format!("target = \"{}\"", target.name()),
            None => "#target = \"lambda\"".to_owned(),
        }
    }

    /// The default, unless the model needs more.
    fn memory_line(&self) -> String {
        let needed = self.memory_bytes.div_ceil(1 << 20);
        if needed <= MEMORY_MIB_DEFAULT {
            return format!("#memory_mib = {MEMORY_MIB_DEFAULT}");
        }
        let memory = needed.next_multiple_of(MEMORY_MIB_STEP).min(LAMBDA_MEMORY_MIB_MAX);
        format!("# This model takes about {needed}.\nmemory_mib = {memory}")
    }

    fn package_line(&self) -> String {
        match self.fits_a_zip {
            true => "#package = \"zip\"".to_owned(),
            false => "# This model is above that.\npackage = \"image\"".to_owned(),
        }
    }
}

/// The text as a TOML basic string (<https://toml.io/en/v1.0.0#string>).
fn toml_string(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starter(memory_bytes: u64, fits_a_zip: bool) -> Starter {
        Starter {
            name: "iris".into(),
            model: "it's \"a\\b\".onnx".into(),
            target: None,
            memory_bytes,
            fits_a_zip,
            limits_broken: Vec::new(),
            signature: Signature::default(),
        }
    }

    fn read(starter: &Starter) -> crate::config::File {
        toml::from_str(&starter.config()).unwrap()
    }

    #[test]
    fn any_path_survives() {
        let file = read(&starter(0, true));
        assert_eq!(file.endpoint.model, Some("it's \"a\\b\".onnx".into()));
        assert_eq!(file.endpoint.target, None);
    }

    #[test]
    fn a_model_that_needs_more_than_the_defaults_gets_it() {
        let of = |memory_bytes, fits| read(&starter(memory_bytes, fits)).function;
        assert_eq!((of(1_769 << 20, true).memory_mib, of(0, true).package), (None, None));
        assert_eq!(of((1_769 << 20) + 1, true).memory_mib, Some(1_792));
        assert_eq!(of(u64::MAX, true).memory_mib, Some(10_240));
        assert_eq!(of(0, false).package, Some(crate::config::PackageForm::Image));
    }
}
