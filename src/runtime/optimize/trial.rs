//! Seeded inputs through both models.

use super::Refusal;
use super::compare::{Distance, Tolerance, compare, proves_something};
use crate::model::sample::{self, sample_inputs};
use crate::model::{Dim, Signature};
use crate::runtime::{Session, Tensors};
use std::collections::{BTreeMap, BTreeSet};

/// What the open dimensions are in one trial.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    open: usize,
    /// An open dimension that is some input's innermost: a length, a width.
    innermost: usize,
}

/// The trials that every model goes through: batches and other dimensions above one and different
/// from each other, some of them such that strided models of images take them.
const SIZES: [Sizes; 4] = [
    Sizes { batch: 1, open: sample::OPEN_SIZE_DEFAULT, innermost: sample::OPEN_SIZE_DEFAULT },
    Sizes { batch: 3, open: 5, innermost: 5 },
    Sizes { batch: 2, open: 32, innermost: 32 },
    Sizes { batch: 1, open: 64, innermost: 64 },
];

/// The trials for a model that ran on none of those: windows of sound, and a state that has the
/// batch inside it.
const SIZES_OF_WINDOWS: [Sizes; 4] = [
    Sizes { batch: 1, open: 1, innermost: 256 },
    Sizes { batch: 2, open: 2, innermost: 256 },
    Sizes { batch: 1, open: 1, innermost: 512 },
    Sizes { batch: 2, open: 2, innermost: 512 },
];

/// Runs both models on each trial's inputs. A trial that the expected model itself does not run
/// is passed over; sizes are guesses.
///
/// # Errors
/// No trial ran, the outputs differ, or one of them had nothing in it to compare.
pub(super) fn run_all(
    expected: &mut Session,
    actual: &mut Session,
    tolerance: Tolerance,
    seed: u64,
) -> Result<Distance, Refusal> {
    if expected.signature() != actual.signature() {
        return Err(Refusal::Signature);
    }
    let proven = BTreeSet::new();
    let mut trials = Trials { expected, actual, tolerance, seed, distance: None, proven };
    let mut reason = trials.run(&SIZES)?;
    if trials.distance.is_none() {
        let last = trials.run(&SIZES_OF_WINDOWS)?;
        reason = reason.or(last);
    }
    let distance = trials.distance.ok_or_else(|| reason.expect("no trial ran for a reason"))?;
    let mut outputs = trials.expected.signature().outputs.iter();
    match outputs.find(|output| !trials.proven.contains(&output.name)) {
        Some(output) => Err(Refusal::NothingCompared { output: output.name.clone() }),
        None => Ok(distance),
    }
}

/// Both models and what is known of them so far.
struct Trials<'a> {
    expected: &'a mut Session,
    actual: &'a mut Session,
    tolerance: Tolerance,
    seed: u64,
    /// `None` until a trial has run.
    distance: Option<Distance>,
    /// Outputs whose elements said something in a trial.
    proven: BTreeSet<String>,
}

impl Trials<'_> {
    /// Runs these trials, and returns why the first of them that did not run did not.
    fn run(&mut self, sizes: &[Sizes]) -> Result<Option<Refusal>, Refusal> {
        let mut reason = None;
        for (number, options) in (0_u64..).zip(options(self.expected.signature(), sizes)) {
            let seed = self.seed.wrapping_add(number);
            let inputs = match sample_inputs(self.expected.signature(), seed, &options) {
                Ok(inputs) => inputs,
                Err(error) => {
                    reason.get_or_insert(Refusal::NoSample(error));
                    continue;
                }
            };
            let wanted = match self.expected.run(inputs.clone(), &[]) {
                Ok(wanted) => wanted,
                Err(error) => {
                    reason.get_or_insert(Refusal::NotRun { message: error.to_string() });
                    continue;
                }
            };
            self.hold(inputs, &wanted)?;
        }
        Ok(reason)
    }

    /// Holds the optimised model to what the model gave for these inputs.
    fn hold(&mut self, inputs: Tensors, wanted: &Tensors) -> Result<(), Refusal> {
        if self.distance.is_none() {
            repeat(self.expected, inputs.clone(), wanted)?;
        }
        let given = self
            .actual
            .run(inputs, &[])
            .map_err(|error| Refusal::Broken { message: error.to_string() })?;
        let found = compare(wanted, &given, self.tolerance).map_err(Refusal::Differs)?;
        self.distance.get_or_insert_default().widen(found);
        let proven = wanted.iter().filter(|(_, tensor)| proves_something(tensor));
        self.proven.extend(proven.map(|(name, _)| name.clone()));
        Ok(())
    }
}

/// Runs the model again on inputs that it has seen.
fn repeat(session: &mut Session, inputs: Tensors, first: &Tensors) -> Result<(), Refusal> {
    let second =
        session.run(inputs, &[]).map_err(|e| Refusal::NotRun { message: e.to_string() })?;
    let exactly = Tolerance { atol: 0.0, rtol: 0.0 };
    compare(first, &second, exactly).map(drop).map_err(Refusal::NotRepeatable)
}

/// The trials' sizes by dimension; trials that would only repeat the shapes of another are left
/// out, but for one with other numbers.
fn options(signature: &Signature, sizes: &[Sizes]) -> Vec<sample::Options> {
    let mut options: Vec<sample::Options> = Vec::new();
    for (number, sizes) in sizes.iter().enumerate() {
        let open_sizes = open_sizes(signature, *sizes);
        if number < 2 || options.iter().all(|other| other.open_sizes != open_sizes) {
            options.push(sample::Options { open_sizes });
        }
    }
    options
}

fn open_sizes(signature: &Signature, sizes: Sizes) -> BTreeMap<String, usize> {
    let shapes = || signature.inputs.iter().filter_map(|spec| spec.shape.as_deref());
    let size = |dim: &Dim, position: usize, rank: usize| {
        let is_symbol = matches!(dim, Dim::Symbol(_));
        if position == 0 || (is_symbol && shapes().any(|dims| dims.first() == Some(dim))) {
            sizes.batch
        } else if position + 1 == rank || (is_symbol && shapes().any(|d| d.last() == Some(dim))) {
            sizes.innermost
        } else {
            sizes.open
        }
    };
    let mut open_sizes = BTreeMap::new();
    for spec in &signature.inputs {
        let dims = spec.shape.as_deref().unwrap_or_default();
        for (position, dim) in dims.iter().enumerate() {
            let name = match dim {
                Dim::Fixed(_) => continue,
                Dim::Symbol(name) => name.clone(),
                Dim::Unknown => format!("{}:{position}", spec.name),
            };
            open_sizes.insert(name, size(dim, position, dims.len()));
        }
    }
    open_sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DType, TensorSpec};

    fn signature(shapes: &[&[Dim]]) -> Signature {
        let spec = |(number, shape): (usize, &&[Dim])| TensorSpec {
            name: format!("x{number}"),
            dtype: DType::Float32,
            shape: Some(shape.to_vec()),
        };
        Signature { inputs: shapes.iter().enumerate().map(spec).collect(), outputs: Vec::new() }
    }

    #[test]
    fn open_dimensions_get_several_sizes_and_fixed_models_several_numbers() {
        let batch = || Dim::Symbol("n".to_owned());
        let length = || Dim::Symbol("length".to_owned());
        let open = signature(&[&[batch(), length()], &[Dim::Unknown, batch(), Dim::Unknown]]);
        let sizes: Vec<_> = options(&open, &SIZES).into_iter().map(|o| o.open_sizes).collect();
        let row = |n: usize, rest: usize| {
            let names = [("length", rest), ("n", n), ("x1:0", n), ("x1:2", rest)];
            names.map(|(name, size)| (name.to_owned(), size)).into()
        };
        assert_eq!(sizes, [row(1, 8), row(3, 5), row(2, 32), row(1, 64)]);

        // A state with the batch inside it, as the voice detector of silero-vad declares it.
        let voice = signature(&[
            &[Dim::Unknown, Dim::Unknown],
            &[Dim::Fixed(2), Dim::Unknown, Dim::Fixed(128)],
        ]);
        let names = [("x0:0", 2), ("x0:1", 256), ("x1:1", 2)];
        let sizes = names.map(|(name, size)| (name.to_owned(), size)).into();
        assert_eq!(options(&voice, &SIZES_OF_WINDOWS)[1].open_sizes, sizes);

        assert_eq!(options(&signature(&[&[batch(), Dim::Fixed(4)]]), &SIZES).len(), 3);
        assert_eq!(options(&signature(&[&[Dim::Fixed(4)]]), &SIZES).len(), 2);
        for options in [options(&open, &SIZES), options(&signature(&[]), &SIZES)] {
            assert!(options.iter().all(|o| sample_inputs(&open, 7, o).is_ok()));
        }
    }
}
