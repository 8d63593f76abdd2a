//! A dense array with its shape.

use crate::base::{Error, Real, Result};

/// A dense row-major array: kernels are `[in, out]`, biases `[out]`, states `[samples, H, W, C]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

/// No elements, of no memory.
impl<T> Default for Tensor<T> {
    fn default() -> Self {
        Tensor { shape: Vec::new(), data: Vec::new() }
    }
}

impl<T: Real> Tensor<T> {
    /// A tensor of these elements.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of elements is not the product of the shape.
    pub fn new(shape: &[usize], data: Vec<T>) -> Result<Self> {
        // A product that overflows usize cannot be the length of a vector.
        let expected = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if expected != Some(data.len()) {
            return Err(Error::shape("a tensor's data", &[data.len()], shape));
        }
        Ok(Tensor { shape: shape.to_vec(), data })
    }

    /// A tensor of zeros.
    pub fn zeros(shape: &[usize]) -> Self {
        Tensor { shape: shape.to_vec(), data: vec![T::ZERO; shape.iter().product()] }
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The elements, row-major, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The same values in another floating-point type, each rounded to nearest.
    pub fn cast<U: Real>(&self) -> Tensor<U> {
        Tensor { shape: self.shape.clone(), data: self.data.iter().map(|x| U::from_f64(x.to_f64())).collect() }
    }

    /// Whether every element is finite.
    pub fn is_finite(&self) -> bool {
        // Blocks without an early end are compared many numbers at a time.
        self.data.chunks(1024).all(|block| block.iter().fold(true, |finite, x| finite & x.is_finite()))
    }
}
