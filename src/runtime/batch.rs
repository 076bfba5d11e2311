//! Several requests as one: which go together, how they are joined, and how the outputs part again.
//!
//! Pure. A request has *rows*: the first dimension, which all its inputs share. Requests go
//! together when names, element types and the other dimensions agree; their inputs are joined along
//! the first dimension and each output is cut back into as many rows as each request gave.

use super::session::Tensors;
use crate::model::{Data, Dim, Signature, Tensor};
use std::ops::Range;
use std::time::Duration;

/// When requests are joined into one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batching {
    /// Rows of one run at most; a request with more runs alone.
    pub size_max: usize,
    /// How long the first request waits for others; zero joins only what waits anyway.
    pub delay_max: Duration,
}

/// Runs `$body` with the vectors of two tensors' elements, if they are of one type.
macro_rules! pairwise {
    ($a:expr, $b:expr, ($x:ident, $y:ident) => $body:expr, $($variant:ident)*) => {
        match ($a, $b) {
            $((Data::$variant($x), Data::$variant($y)) => { $body; true })*
            _ => false,
        }
    };
}

/// Makes a `Data` of the same type from the elements in a range.
macro_rules! cut {
    ($data:expr, $range:expr, $($variant:ident)*) => {
        match $data {
            $(Data::$variant(v) => {
                let mut part = Vec::with_capacity($range.capacity);
                part.extend_from_slice(&v[$range.elements]);
                Data::$variant(part)
            })*
        }
    };
}

/// Hands the names of all variants of `Data` to a macro.
macro_rules! all_types {
    ($macro:ident!($($arg:tt)*)) => {
        $macro!($($arg)*, Float16 BFloat16 Float32 Float64 Int8 Int16 Int32 Int64 UInt8 UInt16
            UInt32 UInt64 Bool String)
    };
}

/// Why this model's requests cannot be joined, if they cannot.
///
/// Every first dimension must be open. Where names are given they must be one name: an output
/// whose first dimension has another name than the inputs' counts something else. Names that
/// tf2onnx makes up (`unk__12`) say nothing.
pub(super) fn obstacle(signature: &Signature) -> Option<String> {
    let specs = || signature.inputs.iter().chain(&signature.outputs);
    if let Some(spec) = specs().find(|spec| !spec.is_batched()) {
        return Some(format!("the first dimension of `{}` is fixed", spec.name));
    }
    if signature.inputs.is_empty() {
        return Some("the model has no inputs".to_owned());
    }
    let mut named = specs().filter_map(|spec| match spec.shape.as_deref()?.first()? {
        Dim::Symbol(symbol) if !symbol.starts_with("unk__") => Some((symbol, &spec.name)),
        _ => None,
    });
    let (symbol, name) = named.next()?;
    let (other, other_name) = named.find(|(other, _)| *other != symbol)?;
    Some(format!("the first dimension is `{symbol}` in `{name}` and `{other}` in `{other_name}`"))
}

/// The rows of a request; `None` when its inputs do not share a first dimension.
pub(super) fn rows(inputs: &Tensors) -> Option<usize> {
    let mut firsts = inputs.iter().map(|(_, tensor)| tensor.shape().first().copied());
    let rows = firsts.next()??;
    firsts.all(|first| first == Some(rows)).then_some(rows)
}

/// Elements of all inputs.
pub(super) fn elements(inputs: &Tensors) -> usize {
    inputs.iter().map(|(_, tensor)| tensor.data().len()).sum()
}

/// Whether two requests may go into one run.
pub(super) fn go_together(a: &Tensors, b: &Tensors) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|((name, tensor), (other_name, other))| {
            name == other_name
                && tensor.dtype() == other.dtype()
                && tensor.shape().get(1..) == other.shape().get(1..)
        })
}

/// The inputs of all requests, joined; `None` when they do not go together.
pub(super) fn join<'a>(requests: impl Iterator<Item = &'a Tensors> + Clone) -> Option<Tensors> {
    let first = requests.clone().next()?;
    let joined = first.iter().enumerate().map(|(at, (name, tensor))| {
        let parts = || requests.clone().map(|inputs| inputs.get(at).map(|(_, tensor)| tensor));
        let capacity = parts().flatten().map(|part| part.data().len()).sum();
        let mut data = part_of(tensor.data(), 0..0, capacity);
        let mut rows = 0usize;
        for part in parts() {
            let part = part?;
            if !append(&mut data, part.data()) {
                return None;
            }
            rows += part.shape().first()?;
        }
        let shape = std::iter::once(rows).chain(tensor.shape().iter().skip(1).copied()).collect();
        Some((name.clone(), Tensor::new(shape, data).ok()?))
    });
    joined.collect()
}

/// The outputs of a joined run, cut back into requests of `rows` rows each.
///
/// # Errors
/// An output has another number of rows than went in: the model does not compute row by row.
pub(super) fn part(outputs: &Tensors, rows: &[usize]) -> Result<Vec<Tensors>, String> {
    let total: usize = rows.iter().sum();
    for (name, tensor) in outputs {
        if tensor.shape().first() != Some(&total) {
            return Err(format!(
                "output `{name}` has shape {:?} for {total} rows: it is not computed row by row",
                tensor.shape()
            ));
        }
    }
    let mut parts = Vec::with_capacity(rows.len());
    let mut start = 0;
    for count in rows {
        parts.push(outputs.iter().map(|named| cut_rows(named, total, start, *count)).collect());
        start += count;
    }
    Ok(parts)
}

fn cut_rows(
    (name, tensor): &(String, Tensor),
    total: usize,
    start: usize,
    count: usize,
) -> (String, Tensor) {
    let width = tensor.data().len().checked_div(total).unwrap_or(0);
    let data = part_of(tensor.data(), start * width..(start + count) * width, count * width);
    let shape = std::iter::once(count).chain(tensor.shape().iter().skip(1).copied()).collect();
    let tensor = Tensor::new(shape, data).expect("the rows cut hold count * width elements");
    (name.clone(), tensor)
}

struct Cut {
    elements: Range<usize>,
    capacity: usize,
}

fn part_of(data: &Data, elements: Range<usize>, capacity: usize) -> Data {
    let cut = Cut { elements, capacity };
    all_types!(cut!(data, cut))
}

fn append(data: &mut Data, more: &Data) -> bool {
    all_types!(pairwise!(data, more, (x, y) => x.extend_from_slice(y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(shape: &[usize], data: Data) -> Tensors {
        vec![("x".to_owned(), Tensor::new(shape.to_vec(), data).unwrap())]
    }

    #[test]
    fn what_is_joined_comes_apart_again() {
        let requests = [
            named(&[1, 2], Data::Int8(vec![1, 2])),
            named(&[0, 2], Data::Int8(Vec::new())),
            named(&[2, 2], Data::Int8(vec![3, 4, 5, 6])),
        ];
        let joined = join(requests.iter()).unwrap();
        assert_eq!(joined, named(&[3, 2], Data::Int8(vec![1, 2, 3, 4, 5, 6])));
        assert_eq!(part(&joined, &[1, 0, 2]).unwrap(), requests);
        assert!(part(&joined, &[1, 1]).unwrap_err().contains("has shape [3, 2] for 2 rows"));
    }

    #[test]
    fn requests_without_elements_come_apart() {
        let nothing = named(&[0, usize::MAX, usize::MAX], Data::Bool(Vec::new()));
        let joined = join([&nothing, &nothing].into_iter()).unwrap();
        assert_eq!(part(&joined, &[0, 0]).unwrap(), [nothing.clone(), nothing]);
    }

    #[test]
    fn only_requests_of_one_form_go_together() {
        let request = named(&[1, 2], Data::Int8(vec![1, 2]));
        let mut renamed = request.clone();
        renamed[0].0 = "y".to_owned();
        let others = [
            named(&[1, 1], Data::Int8(vec![1])),
            named(&[1, 2], Data::UInt8(vec![1, 2])),
            named(&[1, 2, 1], Data::Int8(vec![1, 2])),
            renamed,
            Vec::new(),
        ];
        assert!(go_together(&request, &named(&[2, 2], Data::Int8(vec![0; 4]))));
        for other in &others {
            assert!(!go_together(&request, other), "{other:?}");
        }
        assert!(join([&request, &others[1]].into_iter()).is_none(), "types differ");
    }

    #[test]
    fn rows_are_what_all_inputs_share() {
        let mut two = named(&[3, 1], Data::Bool(vec![true; 3]));
        assert_eq!(rows(&two), Some(3));
        two.extend(named(&[2], Data::Bool(vec![true; 2])));
        assert_eq!(rows(&two), None);
        assert_eq!(rows(&named(&[], Data::Bool(vec![true]))), None);
        assert_eq!(rows(&Vec::new()), None);
    }
}
