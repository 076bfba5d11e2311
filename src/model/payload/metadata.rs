//! The documents that clients read before they send a request: TensorFlow Serving's model status
//! and metadata, the Open Inference Protocol's model and server metadata.
//!
//! Facts: TensorFlow Serving's `http_rest_api_util.cc` (protobuf's JSON mapping with field names
//! kept, 64-bit integers as strings, one space of indentation) and the protocol's
//! `inference_rest.md`. An open dimension is -1 in both.

use crate::model::{Dim, Signature, TensorSpec};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::PrettyFormatter;

/// Where a version is in its life, in TensorFlow Serving's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VersionState {
    /// Its session is being made.
    Loading,
    /// It serves.
    Available,
    /// It finishes what it has and takes nothing new.
    Unloading,
    /// It is gone.
    End,
}

/// `GET /v1/models/NAME`: each version (a number, as TensorFlow Serving's are) and its state.
pub fn render_tensorflow_status(versions: &[(&str, VersionState)]) -> String {
    let statuses = versions
        .iter()
        .map(|(version, state)| VersionStatus {
            version,
            state: *state,
            status: Status { error_code: "OK", error_message: "" },
        })
        .collect();
    pretty(&ModelStatus { model_version_status: statuses })
}

#[derive(serde::Serialize)]
struct ModelStatus<'a> {
    model_version_status: Vec<VersionStatus<'a>>,
}

#[derive(serde::Serialize)]
struct VersionStatus<'a> {
    version: &'a str,
    state: VersionState,
    status: Status,
}

#[derive(serde::Serialize)]
struct Status {
    error_code: &'static str,
    error_message: &'static str,
}

/// `GET /v1/models/NAME/metadata`: the signature as the only one there is, `serving_default`.
pub fn render_tensorflow_metadata(name: &str, version: &str, signature: &Signature) -> String {
    let spec = ModelSpec { name, signature_name: "", version };
    let default = SignatureDef {
        inputs: Tensors(&signature.inputs),
        outputs: Tensors(&signature.outputs),
        method_name: "tensorflow/serving/predict",
    };
    let inner = SignatureDefs { serving_default: default };
    let metadata = Metadata { signature_def: SignatureDefMap { signature_def: inner } };
    pretty(&ModelMetadata { model_spec: spec, metadata })
}

#[derive(serde::Serialize)]
struct ModelMetadata<'a> {
    model_spec: ModelSpec<'a>,
    metadata: Metadata<'a>,
}

#[derive(serde::Serialize)]
struct ModelSpec<'a> {
    name: &'a str,
    signature_name: &'static str,
    version: &'a str,
}

/// The outer `signature_def` is the key of the metadata map, the inner one a field of the
/// message under it.
#[derive(serde::Serialize)]
struct Metadata<'a> {
    signature_def: SignatureDefMap<'a>,
}

#[derive(serde::Serialize)]
struct SignatureDefMap<'a> {
    signature_def: SignatureDefs<'a>,
}

#[derive(serde::Serialize)]
struct SignatureDefs<'a> {
    serving_default: SignatureDef<'a>,
}

#[derive(serde::Serialize)]
struct SignatureDef<'a> {
    inputs: Tensors<'a>,
    outputs: Tensors<'a>,
    method_name: &'static str,
}

/// Tensors by name, in the graph's order.
struct Tensors<'a>(&'a [TensorSpec]);

impl Serialize for Tensors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for spec in self.0 {
            let dims = spec.shape.as_deref().unwrap_or_default();
            let tensor_shape = TensorShape {
                dim: dims.iter().map(TensorDim::from).collect(),
                unknown_rank: spec.shape.is_none(),
            };
            let dtype = spec.dtype.tensorflow();
            map.serialize_entry(&spec.name, &TensorInfo { dtype, tensor_shape, name: &spec.name })?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct TensorInfo<'a> {
    dtype: &'static str,
    tensor_shape: TensorShape<'a>,
    name: &'a str,
}

#[derive(serde::Serialize)]
struct TensorShape<'a> {
    dim: Vec<TensorDim<'a>>,
    unknown_rank: bool,
}

#[derive(serde::Serialize)]
struct TensorDim<'a> {
    size: String,
    name: &'a str,
}

impl<'a> From<&'a Dim> for TensorDim<'a> {
    fn from(dim: &'a Dim) -> Self {
        match dim {
            Dim::Fixed(n) => Self { size: n.to_string(), name: "" },
            Dim::Symbol(name) => Self { size: "-1".to_owned(), name },
            Dim::Unknown => Self { size: "-1".to_owned(), name: "" },
        }
    }
}

/// `GET /v2/models/NAME`: what the model takes and gives. A tensor that declares no rank has
/// shape `[-1]`: the protocol has no word for it.
pub fn render_open_inference_model(name: &str, versions: &[&str], signature: &Signature) -> String {
    compact(&OpenInferenceModel {
        name,
        versions,
        platform: "onnxruntime_onnx",
        inputs: signature.inputs.iter().map(OpenInferenceTensor::from).collect(),
        outputs: signature.outputs.iter().map(OpenInferenceTensor::from).collect(),
    })
}

#[derive(serde::Serialize)]
struct OpenInferenceModel<'a> {
    name: &'a str,
    versions: &'a [&'a str],
    platform: &'static str,
    inputs: Vec<OpenInferenceTensor<'a>>,
    outputs: Vec<OpenInferenceTensor<'a>>,
}

#[derive(serde::Serialize)]
struct OpenInferenceTensor<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: Vec<i64>,
}

impl<'a> From<&'a TensorSpec> for OpenInferenceTensor<'a> {
    fn from(spec: &'a TensorSpec) -> Self {
        let size = |dim: &Dim| match dim {
            Dim::Fixed(n) => i64::try_from(*n).unwrap_or(i64::MAX),
            Dim::Symbol(_) | Dim::Unknown => -1,
        };
        let shape = match &spec.shape {
            None => vec![-1],
            Some(dims) => dims.iter().map(size).collect(),
        };
        Self { name: &spec.name, datatype: spec.dtype.open_inference(), shape }
    }
}

/// `GET /v2`: the server and its extensions. `version` is gwtf's.
pub fn render_open_inference_server(version: &str) -> String {
    compact(&OpenInferenceServer { name: "gwtf", version, extensions: ["binary_tensor_data"] })
}

#[derive(serde::Serialize)]
struct OpenInferenceServer<'a> {
    name: &'static str,
    version: &'a str,
    extensions: [&'static str; 1],
}

fn compact(document: &impl Serialize) -> String {
    serde_json::to_string(document).expect("names and numbers are written to memory")
}

/// As protobuf's JSON printer indents.
fn pretty(document: &impl Serialize) -> String {
    let mut text = Vec::new();
    let formatter = PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    document.serialize(&mut serializer).expect("names and numbers are written to memory");
    text.push(b'\n');
    String::from_utf8(text).expect("serde_json writes UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DType;

    fn spec(name: &str, dtype: DType, shape: Option<Vec<Dim>>) -> TensorSpec {
        TensorSpec { name: name.to_owned(), dtype, shape }
    }

    fn iris() -> Signature {
        let batch = || Dim::Symbol("batch".to_owned());
        Signature {
            inputs: vec![spec("x", DType::Float32, Some(vec![batch(), Dim::Fixed(4)]))],
            outputs: vec![
                spec("label", DType::String, Some(vec![Dim::Unknown])),
                spec("probabilities", DType::Float16, None),
            ],
        }
    }

    #[test]
    fn status_is_byte_for_byte_the_documentations() {
        // <https://www.tensorflow.org/tfx/serving/api_rest>, "Make REST API calls".
        let expected = r#"{
 "model_version_status": [
  {
   "version": "123",
   "state": "AVAILABLE",
   "status": {
    "error_code": "OK",
    "error_message": ""
   }
  }
 ]
}
"#;
        assert_eq!(render_tensorflow_status(&[("123", VersionState::Available)]), expected);
        let states =
            [VersionState::Loading, VersionState::Unloading, VersionState::End].map(|s| ("1", s));
        let text = render_tensorflow_status(&states);
        for state in ["LOADING", "UNLOADING", "END"] {
            assert!(text.contains(&format!("\"state\": \"{state}\"")), "{text}");
        }
    }

    #[test]
    fn tensorflow_metadata_has_protobufs_shape() {
        let text = render_tensorflow_metadata("iris", "3", &iris());
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let batch_by_four = serde_json::json!({
            "dim": [{"size": "-1", "name": "batch"}, {"size": "4", "name": ""}],
            "unknown_rank": false
        });
        let open = serde_json::json!({"dim": [{"size": "-1", "name": ""}], "unknown_rank": false});
        let unknown = serde_json::json!({"dim": [], "unknown_rank": true});
        let expected = serde_json::json!({
            "model_spec": {"name": "iris", "signature_name": "", "version": "3"},
            "metadata": {"signature_def": {"signature_def": {"serving_default": {
                "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": batch_by_four, "name": "x"}},
                "outputs": {
                    "label": {"dtype": "DT_STRING", "tensor_shape": open, "name": "label"},
                    "probabilities":
                        {"dtype": "DT_HALF", "tensor_shape": unknown, "name": "probabilities"}
                },
                "method_name": "tensorflow/serving/predict"
            }}}}
        });
        assert_eq!(document, expected);
        assert!(text.find("label") < text.find("probabilities"), "the graph's order is kept");
    }

    #[test]
    fn open_inference_metadata_has_the_protocols_shape() {
        assert_eq!(
            render_open_inference_model("iris", &["v1", "v2"], &iris()),
            concat!(
                r#"{"name":"iris","versions":["v1","v2"],"platform":"onnxruntime_onnx","#,
                r#""inputs":[{"name":"x","datatype":"FP32","shape":[-1,4]}],"#,
                r#""outputs":[{"name":"label","datatype":"BYTES","shape":[-1]},"#,
                r#"{"name":"probabilities","datatype":"FP16","shape":[-1]}]}"#
            )
        );
        assert_eq!(
            render_open_inference_server("0.1.0"),
            r#"{"name":"gwtf","version":"0.1.0","extensions":["binary_tensor_data"]}"#
        );
    }
}
