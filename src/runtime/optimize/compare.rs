//! Whether two runs gave the same outputs, within a tolerance.

use crate::model::{Data, Tensor};
use crate::runtime::Tensors;

/// How far a float may be from the one expected: `atol + rtol * |expected|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Absolute part, in the output's own unit.
    pub atol: f64,
    /// Part of the expected number's magnitude.
    pub rtol: f64,
}

impl Default for Tolerance {
    /// What re-ordered 32-bit sums of real models stay within, and wrong rewrites do not: rtol is
    /// that of ONNX's own backend tests.
    fn default() -> Self {
        Self { atol: 1e-5, rtol: 1e-3 }
    }
}

/// The largest distances between floats that should be equal; 0 where all are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Distance {
    /// Largest `|actual - expected|`.
    pub max_abs: f64,
    /// Largest `|actual - expected| / |expected|`, over the elements that are not expected to be 0.
    pub max_rel: f64,
}

impl Distance {
    pub(super) fn widen(&mut self, other: Self) {
        self.max_abs = self.max_abs.max(other.max_abs);
        self.max_rel = self.max_rel.max(other.max_rel);
    }
}

/// What is not the same.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Difference {
    /// Other outputs, or in another order.
    #[error("the outputs are `{}` instead of `{}`", actual.join("`, `"), expected.join("`, `"))]
    Outputs {
        /// The names expected.
        expected: Vec<String>,
        /// The names there are.
        actual: Vec<String>,
    },
    /// Another element type or shape.
    #[error("output `{output}` is {actual} instead of {expected}")]
    Type {
        /// The output.
        output: String,
        /// As `float32[1, 3]`.
        expected: String,
        /// As `float32[1, 3]`.
        actual: String,
    },
    /// An element that should be equal, or is beyond the tolerance.
    #[error("element {index} of output `{output}` is {actual} instead of {expected}")]
    Element {
        /// The output.
        output: String,
        /// Position in row-major order, from 0.
        index: usize,
        /// The element expected.
        expected: String,
        /// The element there is.
        actual: String,
    },
}

/// Holds one run's outputs against another's.
///
/// Floats are within the tolerance; NaN equals NaN, and an infinity itself alone. Everything else
/// is exactly equal.
///
/// # Errors
/// The first difference, of floats the one with the largest distance.
pub(super) fn compare(
    expected: &Tensors,
    actual: &Tensors,
    tolerance: Tolerance,
) -> Result<Distance, Difference> {
    let names = |tensors: &Tensors| -> Vec<String> {
        tensors.iter().map(|(name, _)| name.clone()).collect()
    };
    if names(expected) != names(actual) {
        return Err(Difference::Outputs { expected: names(expected), actual: names(actual) });
    }
    let mut distance = Distance::default();
    for ((output, expected), (_, actual)) in expected.iter().zip(actual) {
        distance.widen(compare_tensors(output, expected, actual, tolerance)?);
    }
    Ok(distance)
}

fn compare_tensors(
    output: &str,
    expected: &Tensor,
    actual: &Tensor,
    tolerance: Tolerance,
) -> Result<Distance, Difference> {
    if (expected.dtype(), expected.shape()) != (actual.dtype(), actual.shape()) {
        let text = |tensor: &Tensor| format!("{}{:?}", tensor.dtype(), tensor.shape());
        let (expected, actual) = (text(expected), text(actual));
        return Err(Difference::Type { output: output.to_owned(), expected, actual });
    }
    let element = |index: usize, expected: String, actual: String| {
        Err(Difference::Element { output: output.to_owned(), index, expected, actual })
    };
    if let (Some(wanted), Some(given)) = (floats(expected.data()), floats(actual.data())) {
        let (distance, worst) = compare_floats(wanted.zip(given), tolerance);
        return match worst {
            Some((index, expected, actual)) => {
                element(index, format!("{expected:?}"), format!("{actual:?}"))
            }
            None => Ok(distance),
        };
    }
    match first_unequal(expected.data(), actual.data()) {
        Some((index, expected, actual)) => element(index, expected, actual),
        None => Ok(Distance::default()),
    }
}

/// The elements of a floating-point tensor; every type of them fits 64 bits exactly.
fn floats(data: &Data) -> Option<Box<dyn Iterator<Item = f64> + '_>> {
    Some(match data {
        Data::Float16(v) => Box::new(v.iter().map(|x| x.to_f64())),
        Data::BFloat16(v) => Box::new(v.iter().map(|x| x.to_f64())),
        Data::Float32(v) => Box::new(v.iter().map(|x| f64::from(*x))),
        Data::Float64(v) => Box::new(v.iter().copied()),
        _ => return None,
    })
}

/// Whether equal elements say anything: NaN equals NaN and nothing equals nothing, whatever the
/// model computes.
pub(super) fn proves_something(tensor: &Tensor) -> bool {
    match floats(tensor.data()) {
        Some(mut floats) => floats.any(f64::is_finite),
        None => !tensor.data().is_empty(),
    }
}

/// Position, expected and actual number of the pair beyond the tolerance that is furthest apart.
type Worst = Option<(usize, f64, f64)>;

fn compare_floats(
    pairs: impl Iterator<Item = (f64, f64)>,
    tolerance: Tolerance,
) -> (Distance, Worst) {
    let (mut distance, mut worst): (Distance, Worst) = Default::default();
    let mut worst_abs = 0.0;
    for (index, (expected, actual)) in pairs.enumerate() {
        if expected == actual || (expected.is_nan() && actual.is_nan()) {
            continue;
        }
        let abs = (actual - expected).abs();
        // A NaN or an infinity on one side alone is further away than any number.
        let abs = if abs.is_nan() { f64::INFINITY } else { abs };
        let allowed = tolerance.atol + tolerance.rtol * expected.abs();
        let is_beyond = !abs.is_finite() || abs > allowed || allowed.is_nan();
        if is_beyond && (worst.is_none() || abs > worst_abs) {
            (worst, worst_abs) = (Some((index, expected, actual)), abs);
        }
        let max_rel = if expected == 0.0 { 0.0 } else { abs / expected.abs() };
        distance.widen(Distance { max_abs: abs, max_rel });
    }
    (distance, worst)
}

/// The first pair of elements that are not equal, as text.
fn first_unequal(expected: &Data, actual: &Data) -> Option<(usize, String, String)> {
    fn find<T: PartialEq + std::fmt::Debug>(
        expected: &[T],
        actual: &[T],
    ) -> Option<(usize, String, String)> {
        let index = expected.iter().zip(actual).position(|(a, b)| a != b)?;
        Some((index, shortened(&expected[index]), shortened(&actual[index])))
    }
    match (expected, actual) {
        (Data::Int8(a), Data::Int8(b)) => find(a, b),
        (Data::Int16(a), Data::Int16(b)) => find(a, b),
        (Data::Int32(a), Data::Int32(b)) => find(a, b),
        (Data::Int64(a), Data::Int64(b)) => find(a, b),
        (Data::UInt8(a), Data::UInt8(b)) => find(a, b),
        (Data::UInt16(a), Data::UInt16(b)) => find(a, b),
        (Data::UInt32(a), Data::UInt32(b)) => find(a, b),
        (Data::UInt64(a), Data::UInt64(b)) => find(a, b),
        (Data::Bool(a), Data::Bool(b)) => find(a, b),
        (Data::String(a), Data::String(b)) => find(a, b),
        _ => None,
    }
}

/// An element for a message; a model's string can be of any length.
fn shortened(element: &impl std::fmt::Debug) -> String {
    const CHARS_MAX: usize = 40;
    let text = format!("{element:?}");
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    fn one(data: Data) -> Tensors {
        let shape = vec![data.len()];
        vec![("y".to_owned(), Tensor::new(shape, data).unwrap())]
    }

    fn verdict(expected: Data, actual: Data, atol: f64, rtol: f64) -> Result<Distance, String> {
        compare(&one(expected), &one(actual), Tolerance { atol, rtol })
            .map_err(|difference| difference.to_string())
    }

    #[test]
    fn floats_are_held_to_both_parts_of_the_tolerance() {
        const INF: f64 = f64::INFINITY;
        let rows = [
            (1.0, 1.0, 0.0, 0.0, true),
            (0.0, -0.0, 0.0, 0.0, true),
            (1.0, 1.25, 0.25, 0.0, true),
            (1.0, 1.5, 0.25, 0.0, false),
            (-8.0, -9.0, 0.0, 0.125, true),
            (-8.0, -9.5, 0.0, 0.125, false),
            (-8.0, -9.5, 0.5, 0.125, true),
            (0.0, 1e-30, 0.0, 1.0, false),
            (f64::NAN, f64::NAN, 0.0, 0.0, true),
            (f64::NAN, 0.0, INF, 1.0, false),
            (0.0, f64::NAN, 1.0, 1.0, false),
            (INF, INF, 0.0, 0.0, true),
            (INF, -INF, 1.0, 1.0, false),
            (INF, 1e300, 1.0, 1.0, false),
            (1e300, INF, 1.0, 1.0, false),
            // A tolerance that is no number admits nothing but equals.
            (1.0, 1.5, f64::NAN, 0.0, false),
        ];
        for (expected, actual, atol, rtol, is_same) in rows {
            let found =
                verdict(Data::Float64(vec![expected]), Data::Float64(vec![actual]), atol, rtol);
            assert_eq!(found.is_ok(), is_same, "{expected} {actual} {atol} {rtol}: {found:?}");
        }
    }

    #[test]
    fn distances_are_the_largest_of_all_elements() {
        let found = verdict(
            Data::Float32(vec![0.0, 2.0, 100.0]),
            Data::Float32(vec![0.5, 3.0, 110.0]),
            1.0,
            0.5,
        );
        assert_eq!(found, Ok(Distance { max_abs: 10.0, max_rel: 0.5 }));
    }

    #[test]
    fn the_element_furthest_away_is_named() {
        let expected = vec![1.0, 1.0, 1.0];
        let found = verdict(Data::Float32(expected), Data::Float32(vec![1.5, 4.0, 2.0]), 0.0, 0.0);
        assert_eq!(found.unwrap_err(), "element 1 of output `y` is 4.0 instead of 1.0");
        let halves = |x: f32, y: f32| {
            (Data::Float16(vec![f16::from_f32(x)]), Data::Float16(vec![f16::from_f32(y)]))
        };
        let (expected, actual) = halves(1.0, 1.001);
        assert!(verdict(expected, actual, 0.0, 0.0).is_err());
        let (a, b) = (bf16::from_f32(1.0), bf16::from_f32(1.01));
        assert!(verdict(Data::BFloat16(vec![a]), Data::BFloat16(vec![b]), 0.0, 0.0).is_err());
    }

    #[test]
    fn all_else_is_exactly_equal() {
        let text = |text: &str| Data::String(vec![text.to_owned()]);
        let rows = [
            (
                Data::Int64(vec![1, 2]),
                Data::Int64(vec![1, 3]),
                "element 1 of output `y` is 3 instead of 2",
            ),
            (
                Data::UInt8(vec![1]),
                Data::UInt8(vec![0]),
                "element 0 of output `y` is 0 instead of 1",
            ),
            (
                Data::Bool(vec![true]),
                Data::Bool(vec![false]),
                "element 0 of output `y` is false instead of true",
            ),
            (text("a"), text("b"), "element 0 of output `y` is \"b\" instead of \"a\""),
            (
                Data::Int32(vec![1]),
                Data::Int64(vec![1]),
                "output `y` is int64[1] instead of int32[1]",
            ),
            (
                Data::Float32(vec![1.0]),
                Data::Float32(vec![]),
                "output `y` is float32[0] instead of float32[1]",
            ),
        ];
        for (expected, actual, message) in rows {
            assert!(verdict(expected.clone(), expected.clone(), 0.0, 0.0).is_ok());
            assert_eq!(verdict(expected, actual, 1e9, 1e9).unwrap_err(), message);
        }
        let long = verdict(text(&"é".repeat(1000)), text("b"), 0.0, 0.0).unwrap_err();
        assert!(long.chars().count() < 100, "{long}");
    }

    #[test]
    fn outputs_are_the_same_ones() {
        let mut other = one(Data::Bool(vec![true]));
        other[0].0 = "z".to_owned();
        let found = compare(&one(Data::Bool(vec![true])), &other, Tolerance::default());
        assert_eq!(found.unwrap_err().to_string(), "the outputs are `z` instead of `y`");
    }
}
