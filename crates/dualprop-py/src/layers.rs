//! What a network is made of, as Python gives it.

use dualprop::network::{Layer, Shape};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::error::{OrRaise, Result};

/// Numbers of an input, or the extents of an image.
pub(crate) fn shape(input: &Bound<'_, PyAny>) -> Result<Shape> {
    if let Ok(neurons) = input.extract::<usize>() {
        return Ok(Shape::flat(neurons));
    }
    let (height, width, channels) = input.extract::<(usize, usize, usize)>().map_err(|_| {
        PyTypeError::new_err(format!("input is {input}, expected a number of inputs, or height, width and channels of an image"))
    })?;
    Ok(Shape::image(height, width, channels))
}

/// Layers as numbers of neurons or as recipes write them.
pub(crate) fn layers_of(layers: &Bound<'_, PyAny>) -> Result<Vec<Layer>> {
    let layer = |(i, layer): (usize, Result<Bound<'_, PyAny>>)| {
        let layer = layer?;
        if let Ok(neurons) = layer.extract::<usize>() {
            return Ok(Layer::dense(neurons));
        }
        let text: String = layer.extract().map_err(|_| {
            PyTypeError::new_err(format!(
                "layers[{i}] is {layer}, expected a number of neurons or a text such as \"conv 64 pool\""
            ))
        })?;
        Layer::parse(&format!("layers[{i}]"), &text).or_raise()
    };
    layers.try_iter()?.enumerate().map(layer).collect()
}
