//! How the ledger writes a signature: names, element type names, and dimensions as number, string
//! or null.

use crate::model::{DType, Dim, Signature, TensorSpec};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureForm {
    inputs: Vec<TensorForm>,
    outputs: Vec<TensorForm>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TensorForm {
    name: String,
    dtype: String,
    /// `null` when the model declares no rank.
    shape: Option<Vec<DimForm>>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum DimForm {
    Fixed(usize),
    Symbol(String),
    Unknown(()),
}

impl From<&Signature> for SignatureForm {
    fn from(signature: &Signature) -> Self {
        Self {
            inputs: signature.inputs.iter().map(TensorForm::from).collect(),
            outputs: signature.outputs.iter().map(TensorForm::from).collect(),
        }
    }
}

impl From<&TensorSpec> for TensorForm {
    fn from(spec: &TensorSpec) -> Self {
        let shape = spec.shape.as_ref().map(|dims| {
            dims.iter()
                .map(|dim| match dim {
                    Dim::Fixed(n) => DimForm::Fixed(*n),
                    Dim::Symbol(name) => DimForm::Symbol(name.clone()),
                    Dim::Unknown => DimForm::Unknown(()),
                })
                .collect()
        });
        Self { name: spec.name.clone(), dtype: spec.dtype.name().to_owned(), shape }
    }
}

impl TryFrom<TensorForm> for TensorSpec {
    type Error = String;

    fn try_from(form: TensorForm) -> Result<Self, Self::Error> {
        let dtype = DType::from_name(&form.dtype)
            .ok_or_else(|| format!("`{}` is no element type", form.dtype))?;
        let shape = form.shape.map(|dims| {
            dims.into_iter()
                .map(|dim| match dim {
                    DimForm::Fixed(n) => Dim::Fixed(n),
                    DimForm::Symbol(name) => Dim::Symbol(name),
                    DimForm::Unknown(()) => Dim::Unknown,
                })
                .collect()
        });
        Ok(Self { name: form.name, dtype, shape })
    }
}

/// Writes a signature.
pub(super) fn serialize<S: Serializer>(
    signature: &Signature,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    SignatureForm::from(signature).serialize(serializer)
}

/// Reads a signature back.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Signature, D::Error> {
    let form = SignatureForm::deserialize(deserializer)?;
    let read = |tensors: Vec<TensorForm>| {
        tensors
            .into_iter()
            .map(TensorSpec::try_from)
            .collect::<Result<_, _>>()
            .map_err(D::Error::custom)
    };
    Ok(Signature { inputs: read(form.inputs)?, outputs: read(form.outputs)? })
}
