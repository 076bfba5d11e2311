//! Inputs for a model whose inputs are float32: made once, so that nothing but the run is measured.

use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, ValueType};
use std::error::Error;

/// One tensor of halves for each input, in order.
pub(crate) fn inputs(session: &Session) -> Result<Vec<SessionInputValue<'static>>, Box<dyn Error>> {
    let mut values = Vec::new();
    for input in session.inputs() {
        let ValueType::Tensor { shape, .. } = input.dtype() else {
            return Err(format!("input `{}` is no tensor", input.name()).into());
        };
        let shape: Vec<usize> =
            shape.iter().map(|size| usize::try_from(*size).unwrap_or(1)).collect();
        let elements = shape.iter().product();
        values.push(Tensor::from_array((shape, vec![0.5_f32; elements]))?.into_dyn().into());
    }
    Ok(values)
}
