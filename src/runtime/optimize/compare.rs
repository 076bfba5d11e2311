//! Outputs of two models held against each other.

use super::Tensors;
use crate::model::{Data, Tensor};
use crate::with_data;
use std::fmt;

/// How far floats may differ: `|actual - expected| <= atol + rtol * |expected|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Absolute.
    pub atol: f64,
    /// Relative to the expected value.
    pub rtol: f64,
}

impl Default for Tolerance {
    /// What ONNX's own backend tests allow, with an absolute part that single precision can meet.
    fn default() -> Self {
        Self { atol: 1e-5, rtol: 1e-3 }
    }
}

/// What the requests compared so far showed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Comparison {
    /// Requests that ran through both.
    pub requests: u64,
    /// Largest absolute difference of two finite floats.
    pub abs_difference_max: f64,
    /// Largest difference relative to an expected float other than zero.
    pub rel_difference_max: f64,
}

/// The first difference beyond the tolerance.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// Names, element types or shapes.
    Form {
        /// The output expected.
        output: String,
    },
    /// An element.
    Element {
        /// The output.
        output: String,
        /// The element's place in row-major order.
        at: usize,
        /// What the original gives.
        expected: String,
        /// What the other gives.
        actual: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { output } => write!(f, "output `{output}` has another form"),
            Self::Element { output, at, expected, actual } => {
                write!(f, "element {at} of output `{output}` is {actual} instead of {expected}")
            }
        }
    }
}

impl Comparison {
    /// Adds a request's outputs. NaN equals NaN; integers, booleans and strings must be equal.
    ///
    /// # Errors
    /// The first difference beyond the tolerance.
    pub fn add(
        &mut self,
        expected: &Tensors,
        actual: &Tensors,
        tolerance: Tolerance,
    ) -> Result<(), Difference> {
        let mut given = actual.iter();
        for (output, expected) in expected {
            let form = || Difference::Form { output: output.clone() };
            let (name, actual) = given.next().ok_or_else(form)?;
            if name != output || expected.shape() != actual.shape() {
                return Err(form());
            }
            self.add_tensor(output, expected, actual, tolerance)?;
        }
        self.requests += 1;
        Ok(())
    }

    fn add_tensor(
        &mut self,
        output: &str,
        expected: &Tensor,
        actual: &Tensor,
        tolerance: Tolerance,
    ) -> Result<(), Difference> {
        let differing = match (expected.data(), actual.data()) {
            (Data::Float16(a), Data::Float16(b)) => {
                let pairs = a.iter().zip(b).map(|(a, b)| (a.to_f64(), b.to_f64()));
                self.first_beyond(pairs, tolerance)
            }
            (Data::BFloat16(a), Data::BFloat16(b)) => {
                let pairs = a.iter().zip(b).map(|(a, b)| (a.to_f64(), b.to_f64()));
                self.first_beyond(pairs, tolerance)
            }
            (Data::Float32(a), Data::Float32(b)) => {
                let pairs = a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
                self.first_beyond(pairs, tolerance)
            }
            (Data::Float64(a), Data::Float64(b)) => {
                self.first_beyond(a.iter().copied().zip(b.iter().copied()), tolerance)
            }
            (a, b) if a.dtype() != b.dtype() => {
                return Err(Difference::Form { output: output.to_owned() });
            }
            (a, b) if a == b => None,
            (a, b) => (0..a.len()).find(|at| shown(a, *at) != shown(b, *at)),
        };
        let Some(at) = differing else { return Ok(()) };
        Err(Difference::Element {
            output: output.to_owned(),
            at,
            expected: shown(expected.data(), at),
            actual: shown(actual.data(), at),
        })
    }

    /// The first pair that differs beyond the tolerance.
    fn first_beyond(
        &mut self,
        pairs: impl Iterator<Item = (f64, f64)>,
        tolerance: Tolerance,
    ) -> Option<usize> {
        for (at, (expected, actual)) in pairs.enumerate() {
            // Infinities of one sign are equal; NaN is whatever bits it has.
            if expected == actual || (expected.is_nan() && actual.is_nan()) {
                continue;
            }
            let difference = (actual - expected).abs();
            if !difference.is_finite()
                || difference > tolerance.atol + tolerance.rtol * expected.abs()
            {
                return Some(at);
            }
            self.abs_difference_max = self.abs_difference_max.max(difference);
            if expected != 0.0 {
                let relative = difference / expected.abs();
                self.rel_difference_max = self.rel_difference_max.max(relative);
            }
        }
        None
    }
}

fn shown(data: &Data, at: usize) -> String {
    with_data!(data, values => values.get(at).map(|value| format!("{value:?}")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(data: Data) -> Tensors {
        vec![("y".to_owned(), Tensor::new(vec![data.len()], data).unwrap())]
    }

    #[test]
    fn floats_may_differ_within_the_tolerance() {
        let tolerance = Tolerance { atol: 0.01, rtol: 0.1 };
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        let cases: [(f32, f32, bool); 10] = [
            (1.0, 1.0, true),
            (1.0, 1.1, true),
            (1.0, 1.12, false),
            (0.0, 0.009, true),
            (0.0, 0.02, false),
            (nan, nan, true),
            (nan, 1.0, false),
            (1.0, nan, false),
            (inf, inf, true),
            (inf, -inf, false),
        ];
        for (expected, actual, is_same) in cases {
            let mut comparison = Comparison::default();
            let (a, b) =
                (outputs(Data::Float32(vec![expected])), outputs(Data::Float32(vec![actual])));
            assert_eq!(comparison.add(&a, &b, tolerance).is_ok(), is_same, "{expected} {actual}");
        }
        let mut comparison = Comparison::default();
        let (a, b) = (vec![2.0, 0.0, 4.0], vec![2.1, 0.005, 4.0]);
        comparison.add(&outputs(Data::Float64(a)), &outputs(Data::Float64(b)), tolerance).unwrap();
        assert_eq!(comparison.requests, 1);
        assert!((comparison.abs_difference_max - 0.1).abs() < 1e-9);
        assert!((comparison.rel_difference_max - 0.05).abs() < 1e-9);
    }

    #[test]
    fn everything_else_must_be_equal() {
        let loose = Tolerance { atol: 9.0, rtol: 9.0 };
        let integers = |values: &[i64]| outputs(Data::Int64(values.to_vec()));
        let mut comparison = Comparison::default();
        comparison.add(&integers(&[1, 2]), &integers(&[1, 2]), loose).unwrap();
        let cases = [
            (integers(&[1, 3]), "element 1 of output `y` is 3 instead of 2"),
            (integers(&[1]), "output `y` has another form"),
            (outputs(Data::Int32(vec![1, 2])), "output `y` has another form"),
            (Vec::new(), "output `y` has another form"),
        ];
        for (actual, expected) in cases {
            let difference = comparison.add(&integers(&[1, 2]), &actual, loose).unwrap_err();
            assert_eq!(difference.to_string(), expected);
        }
        let words = |word: &str| outputs(Data::String(vec![word.to_owned()]));
        assert!(comparison.add(&words("a"), &words("b"), loose).is_err());
    }
}
