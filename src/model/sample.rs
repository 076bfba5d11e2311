//! Seeded sample inputs made from a signature.
//!
//! Load tests and smoke tests need requests that the model answers, for models that nobody has
//! described further than their signature does. The same signature, seed and options give the same
//! tensors on every platform and in every version of gwtf: the random numbers are ChaCha8's words
//! (`rand_chacha` documents its streams as reproducible, which `rand` says of neither `StdRng` nor
//! its distributions), turned into elements by exact arithmetic in this file.

use super::dtype::DType;
use super::signature::{Dim, Signature, TensorSpec};
use super::tensor::{Data, Tensor};
use crate::error::{Exit, Explain};
use half::{bf16, f16};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Bytes of all inputs together in memory; more could not pass the gateway in any format.
pub const BYTES_MAX: usize = 16 << 20;
/// What a sample string counts against it.
const STRING_BYTES: usize = 32;
/// Size of a batch dimension that has none given.
pub const BATCH_SIZE_DEFAULT: usize = 1;
/// Size of any other open dimension that has none given: small, and enough for the kernels and
/// windows of common sequence models.
pub const OPEN_SIZE_DEFAULT: usize = 8;
/// Longest sample string, letters.
const STRING_LETTERS_MAX: u32 = 8;

/// Choices that a signature leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Sizes of open dimensions, by symbol, or as `INPUT:POSITION` where there is none.
    pub open_sizes: BTreeMap<String, usize>,
}

/// No sample can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A size was given for a name that is in no input's shape.
    #[error("dimension `{name}`: no input leaves it open")]
    NoSuchDimension {
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The inputs would be too large.
    #[error("input `{input}`: a sample would take the inputs above {BYTES_MAX} bytes")]
    TooLarge {
        /// The input that goes over the limit.
        input: String,
    },
}

impl Explain for Error {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoSuchDimension { known, .. } if known.is_empty() => {
                "the model leaves no dimension open".into()
            }
            Self::NoSuchDimension { known, .. } => {
                format!("the open dimensions are `{}`", known.join("`, `"))
            }
            Self::TooLarge { .. } => "give smaller sizes for the open dimensions".into(),
        })
    }
}

/// One tensor for each input, in the signature's order.
///
/// A symbol that stands outermost in some input is the batch, and [`BATCH_SIZE_DEFAULT`] wherever
/// it stands; other open dimensions are [`OPEN_SIZE_DEFAULT`]; an input that declares no rank gets
/// one dimension of one element. Floats are in [-1, 1]. Integers are 0 or 1, which are inside
/// any table, mask or class that a model looks them up in, but 8-bit integers take all their
/// values, being pixels or quantised numbers. Strings are of 1 to 8 lower-case letters.
///
/// # Errors
/// A size for a dimension that is not there, or more than [`BYTES_MAX`].
pub fn sample_inputs(
    signature: &Signature,
    seed: u64,
    options: &Options,
) -> Result<Vec<(String, Tensor)>, Error> {
    let shapes = sample_shapes(signature, options)?;
    // The seed is the key's front: `seed_from_u64` is a mix that belongs to `rand_core`.
    let mut key = <ChaCha8Rng as SeedableRng>::Seed::default();
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    let tensors = signature.inputs.iter().zip(shapes).map(|(spec, shape)| {
        let elements = shape.iter().product();
        let data = sample_data(spec.dtype, elements, &mut random);
        let tensor = Tensor::new(shape, data).expect("as many elements as the shape holds");
        (spec.name.clone(), tensor)
    });
    Ok(tensors.collect())
}

/// The shapes of the samples, held to the limit.
fn sample_shapes(signature: &Signature, options: &Options) -> Result<Vec<Vec<usize>>, Error> {
    let open: BTreeSet<String> = signature.inputs.iter().flat_map(open_dimensions).collect();
    if let Some(name) = options.open_sizes.keys().find(|name| !open.contains(*name)) {
        let known = open.into_iter().collect();
        return Err(Error::NoSuchDimension { name: name.clone(), known });
    }
    let outermost = signature.inputs.iter().filter_map(|spec| spec.shape.as_ref()?.first());
    let batch: HashSet<&Dim> = outermost.filter(|dim| matches!(dim, Dim::Symbol(_))).collect();
    let mut bytes_left = BYTES_MAX;
    signature
        .inputs
        .iter()
        .map(|spec| {
            let shape = sample_shape(spec, &batch, options);
            let element = spec.dtype.size_bytes().unwrap_or(STRING_BYTES);
            let bytes = shape.iter().try_fold(element, |acc, dim| acc.checked_mul(*dim));
            bytes_left = bytes
                .and_then(|bytes| bytes_left.checked_sub(bytes))
                .ok_or_else(|| Error::TooLarge { input: spec.name.clone() })?;
            Ok(shape)
        })
        .collect()
}

fn sample_shape(spec: &TensorSpec, batch: &HashSet<&Dim>, options: &Options) -> Vec<usize> {
    let Some(dims) = &spec.shape else { return vec![1] };
    let size = |(position, dim): (usize, &Dim)| {
        if let Dim::Fixed(size) = dim {
            return *size;
        }
        let given = open_name(spec, position, dim).and_then(|name| options.open_sizes.get(&name));
        given.copied().unwrap_or_else(|| {
            let is_batch = position == 0 || batch.contains(dim);
            if is_batch { BATCH_SIZE_DEFAULT } else { OPEN_SIZE_DEFAULT }
        })
    };
    dims.iter().enumerate().map(size).collect()
}

fn open_dimensions(spec: &TensorSpec) -> Vec<String> {
    let dims = spec.shape.iter().flatten().enumerate();
    dims.filter_map(|(position, dim)| open_name(spec, position, dim)).collect()
}

/// What [`Options::open_sizes`] calls a dimension.
fn open_name(spec: &TensorSpec, position: usize, dim: &Dim) -> Option<String> {
    match dim {
        Dim::Fixed(_) => None,
        Dim::Symbol(name) => Some(name.clone()),
        Dim::Unknown => Some(format!("{}:{position}", spec.name)),
    }
}

fn sample_data(dtype: DType, elements: usize, random: &mut ChaCha8Rng) -> Data {
    fn fill<T>(elements: usize, element: impl FnMut() -> T) -> Vec<T> {
        std::iter::repeat_with(element).take(elements).collect()
    }
    let bit = |random: &mut ChaCha8Rng| random.next_u32() & 1 == 1;
    match dtype {
        DType::Float16 => Data::Float16(fill(elements, || f16::from_f32(unit_f32(random)))),
        DType::BFloat16 => Data::BFloat16(fill(elements, || bf16::from_f32(unit_f32(random)))),
        DType::Float32 => Data::Float32(fill(elements, || unit_f32(random))),
        DType::Float64 => Data::Float64(fill(elements, || unit_f64(random))),
        DType::Int8 => {
            Data::Int8(fill(elements, || random.next_u32().to_le_bytes()[0].cast_signed()))
        }
        DType::UInt8 => Data::UInt8(fill(elements, || random.next_u32().to_le_bytes()[0])),
        DType::Int16 => Data::Int16(fill(elements, || bit(random).into())),
        DType::Int32 => Data::Int32(fill(elements, || bit(random).into())),
        DType::Int64 => Data::Int64(fill(elements, || bit(random).into())),
        DType::UInt16 => Data::UInt16(fill(elements, || bit(random).into())),
        DType::UInt32 => Data::UInt32(fill(elements, || bit(random).into())),
        DType::UInt64 => Data::UInt64(fill(elements, || bit(random).into())),
        DType::Bool => Data::Bool(fill(elements, || bit(random))),
        DType::String => Data::String(fill(elements, || word(random))),
    }
}

/// A number in [-1, 1): (k - 2^23) / 2^23 with k the top 24 bits of a word, which is exact.
fn unit_f32(random: &mut ChaCha8Rng) -> f32 {
    let k = i32::try_from(random.next_u32() >> 8).expect("24 bits");
    (k - (1 << 23)) as f32 / (1 << 23) as f32
}

/// A number in [-1, 1): (k - 2^52) / 2^52 with k the top 53 bits of two words, which is exact.
fn unit_f64(random: &mut ChaCha8Rng) -> f64 {
    let k = (random.next_u64() >> 11).cast_signed();
    (k - (1 << 52)) as f64 / (1_i64 << 52) as f64
}

fn word(random: &mut ChaCha8Rng) -> String {
    let letters = 1 + random.next_u32() % STRING_LETTERS_MAX;
    let letter = |random: &mut ChaCha8Rng| {
        char::from(b'a' + u8::try_from(random.next_u32() % 26).expect("less than 26"))
    };
    (0..letters).map(|_| letter(random)).collect()
}

#[cfg(test)]
mod tests;
