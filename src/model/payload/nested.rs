//! Nested lists into one row-major buffer, finding the shape on the way.
//!
//! As in TensorFlow Serving, the first list at each level says how long its sisters are and the
//! first element says how deep elements lie; whatever differs is ragged and refused. The buffer
//! is the typed vector that the tensor will own, so each number is written once.

use super::NESTING_MAX;
use super::element::Element;
use super::error::{Error, Place};
use super::fault::{self, Fault, FaultKind};
use super::scan::Scanner;
use crate::model::{DType, Data, Dim, Tensor, TensorSpec};
use crate::with_data;

/// A dimension that no list has settled.
const OPEN: usize = usize::MAX;

/// The shape found so far. `dims` is empty until the first element (or empty list) settles the
/// rank.
#[derive(Debug)]
struct Layout {
    dims: Vec<usize>,
    settled: bool,
}

impl Layout {
    /// Elements lie inside `level` lists.
    fn settle(&mut self, level: usize, at: usize) -> Result<(), Fault> {
        if !self.settled {
            self.dims.resize(level, OPEN);
            self.settled = true;
        } else if self.dims.len() != level {
            return Err(FaultKind::Level.at(at));
        }
        Ok(())
    }

    /// A list at `level` that started at byte `at` held `found` items.
    fn close(&mut self, level: usize, found: usize, at: usize) -> Result<(), Fault> {
        let dim = &mut self.dims[level];
        if *dim == OPEN {
            *dim = found;
        } else if *dim != found {
            return Err(FaultKind::Length { expected: *dim, found }.at(at));
        }
        Ok(())
    }

    /// One value whose outermost list, if it is one, is dimension `level`.
    #[inline]
    fn value<T: Element>(
        &mut self,
        scan: &mut Scanner<'_>,
        elements: &mut Vec<T>,
        level: usize,
    ) -> Result<(), Fault> {
        if scan.peek() == Some(b'[') {
            return self.list(scan, elements, level);
        }
        let at = scan.at();
        elements.push(T::read(scan)?);
        self.settle(level, at)
    }

    fn list<T: Element>(
        &mut self,
        scan: &mut Scanner<'_>,
        elements: &mut Vec<T>,
        level: usize,
    ) -> Result<(), Fault> {
        let at = scan.at();
        if level >= NESTING_MAX {
            return Err(FaultKind::Depth.at(at));
        }
        if self.settled && level >= self.dims.len() {
            return Err(FaultKind::Level.at(at));
        }
        scan.bump();
        let items = match scan.peek() {
            Some(b']') => {
                scan.bump();
                self.settle(level + 1, at)?;
                0
            }
            Some(b'[') => {
                let mut items = 0;
                loop {
                    if scan.peek() != Some(b'[') {
                        return Err(FaultKind::Level.at(scan.at()));
                    }
                    self.list(scan, elements, level + 1)?;
                    items += 1;
                    if !scan.another_item()? {
                        break items;
                    }
                }
            }
            _ => {
                let first = elements.len();
                let at = scan.at();
                elements.push(T::read(scan)?);
                self.settle(level + 1, at)?;
                while scan.another_item()? {
                    elements.push(T::read(scan)?);
                }
                elements.len() - first
            }
        };
        self.close(level, items, at)
    }
}

/// One input while its values are read.
#[derive(Debug)]
pub(super) struct Builder<'s> {
    spec: &'s TensorSpec,
    layout: Layout,
    data: Data,
    /// Values read; in the row form, one an instance.
    pub(super) values: usize,
}

impl<'s> Builder<'s> {
    /// For an input whose share of the body is `share_bytes`: room is made ahead for no more
    /// elements than those bytes can spell (a digit and a comma each).
    pub(super) fn new(spec: &'s TensorSpec, share_bytes: usize) -> Self {
        let dims = spec.shape.as_deref().unwrap_or_default();
        let declared = dims.iter().fold(1usize, |product, dim| match dim {
            Dim::Fixed(n) => product.saturating_mul(*n),
            Dim::Symbol(_) | Dim::Unknown => product,
        });
        Self {
            spec,
            layout: Layout { dims: Vec::with_capacity(dims.len()), settled: false },
            data: empty(spec.dtype, declared.min(share_bytes / 2 + 1)),
            values: 0,
        }
    }

    pub(super) fn spec(&self) -> &'s TensorSpec {
        self.spec
    }

    /// Reads a whole tensor.
    pub(super) fn read_tensor(&mut self, scan: &mut Scanner<'_>) -> Result<(), Error> {
        self.read(scan, 0).map_err(|fault| {
            let place = Place { input: self.spec.name.clone(), instance: None };
            fault::element(fault, scan.bytes(), place, self.spec.dtype)
        })
    }

    /// Reads one instance, which is a slice of the outermost dimension.
    pub(super) fn read_instance(&mut self, scan: &mut Scanner<'_>) -> Result<(), Error> {
        self.read(scan, 1).map_err(|fault| {
            let place = Place { input: self.spec.name.clone(), instance: Some(self.values) };
            fault::element(fault, scan.bytes(), place, self.spec.dtype)
        })
    }

    #[inline]
    fn read(&mut self, scan: &mut Scanner<'_>, level: usize) -> Result<(), Fault> {
        let layout = &mut self.layout;
        with_data!(&mut self.data, elements => layout.value(scan, elements, level))?;
        self.values += 1;
        Ok(())
    }

    /// The shape found and the elements, before any check against the declaration.
    pub(super) fn into_parts(self) -> (Vec<usize>, Data) {
        (self.layout.dims, self.data)
    }

    /// The named tensor, if the declaration admits its shape.
    pub(super) fn finish(self) -> Result<(String, Tensor), Error> {
        let spec = self.spec;
        let (shape, data) = self.into_parts();
        check_shape(spec, &shape, None)?;
        tensor(spec, shape, data)
    }

    /// The named tensor of all instances, if the declaration admits its shape.
    pub(super) fn finish_rows(self) -> Result<(String, Tensor), Error> {
        let (spec, instances) = (self.spec, self.values);
        let (mut shape, data) = self.into_parts();
        shape[0] = instances;
        check_shape(spec, &shape, Some(instances))?;
        tensor(spec, shape, data)
    }
}

/// An empty vector of this type with room for `capacity` elements.
fn empty(dtype: DType, capacity: usize) -> Data {
    match dtype {
        DType::Float16 => Data::Float16(Vec::with_capacity(capacity)),
        DType::BFloat16 => Data::BFloat16(Vec::with_capacity(capacity)),
        DType::Float32 => Data::Float32(Vec::with_capacity(capacity)),
        DType::Float64 => Data::Float64(Vec::with_capacity(capacity)),
        DType::Int8 => Data::Int8(Vec::with_capacity(capacity)),
        DType::Int16 => Data::Int16(Vec::with_capacity(capacity)),
        DType::Int32 => Data::Int32(Vec::with_capacity(capacity)),
        DType::Int64 => Data::Int64(Vec::with_capacity(capacity)),
        DType::UInt8 => Data::UInt8(Vec::with_capacity(capacity)),
        DType::UInt16 => Data::UInt16(Vec::with_capacity(capacity)),
        DType::UInt32 => Data::UInt32(Vec::with_capacity(capacity)),
        DType::UInt64 => Data::UInt64(Vec::with_capacity(capacity)),
        DType::Bool => Data::Bool(Vec::with_capacity(capacity)),
        DType::String => Data::String(Vec::with_capacity(capacity)),
    }
}

/// Whether the declaration admits this shape.
pub(super) fn check_shape(
    spec: &TensorSpec,
    shape: &[usize],
    instances: Option<usize>,
) -> Result<(), Error> {
    if spec.admits(shape) {
        return Ok(());
    }
    Err(Error::Shape {
        input: spec.name.clone(),
        expected: spec.type_text(),
        shape: shape.to_vec(),
        instances,
    })
}

/// The named tensor of a shape that was counted from, or compared with, its elements.
pub(super) fn tensor(
    spec: &TensorSpec,
    shape: Vec<usize>,
    data: Data,
) -> Result<(String, Tensor), Error> {
    let name = spec.name.clone();
    match Tensor::new(shape, data) {
        Ok(tensor) => Ok((name, tensor)),
        Err(error) => {
            Err(Error::Elements { input: name, shape: error.shape, elements: error.elements })
        }
    }
}
