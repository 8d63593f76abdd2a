//! What a Winograd transform is, and the vectors of channels that it handles.
//!
//! ```text
//! Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
//! ```
//!
//! d are the pixels below a tile, g the kernel, Y the pixels above (A. Lavin and S. Gray, *Fast Algorithms for Convolutional
//! Neural Networks*, CVPR 2016, section 4). The adjoints of the outer transforms give the weight product:
//! ∂g = Gᵀ [(A e Aᵀ) ⊙ (Bᵀ d B)] G, where e are the differences above. Sums and products are rounded one by one, so that the
//! bits are the same whatever instructions are used.

use std::ops::{Add, Mul, Sub};

use crate::compute::gemm::Shared;

/// Channels that a transform handles at a time.
pub(super) const LANES: usize = 16;

/// The same number of sixteen channels.
#[derive(Clone, Copy)]
pub(in crate::compute::affine) struct Lanes(pub(super) [f32; LANES]);

impl Lanes {
    pub(super) const ZERO: Lanes = Lanes([0.0; LANES]);

    #[inline(always)]
    pub(super) fn load(numbers: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(&numbers[..LANES]);
        Lanes(lanes)
    }

    #[inline(always)]
    pub(super) fn write(self, numbers: &Shared, place: usize) {
        // SAFETY: `at` has shown that they are there, and who made `numbers` guarantees that they are this thread's alone.
        unsafe { numbers.at(place, LANES).cast::<[f32; LANES]>().write_unaligned(self.0) };
    }
}

/// A sum or difference lane by lane. A loop, since closures need not be inlined.
macro_rules! lane_by_lane {
    ($($name:ident, $method:ident by $assign:tt;)+) => {$(
        impl $name for Lanes {
            type Output = Self;
            #[inline(always)]
            fn $method(mut self, other: Self) -> Self {
                for i in 0..LANES {
                    self.0[i] $assign other.0[i];
                }
                self
            }
        }
    )+};
}
lane_by_lane! {
    Add, add by +=;
    Sub, sub by -=;
}

impl Mul<Lanes> for f32 {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, mut lanes: Lanes) -> Lanes {
        for i in 0..LANES {
            lanes.0[i] *= self;
        }
        lanes
    }
}

/// The transforms of F(m × m, 3 × 3). Every function takes a square by `load(row, column)` and gives one by
/// `store(row, column, lanes)`; all are inlined, to be compiled for whatever instructions the caller is.
pub(in crate::compute::affine) trait Transform: Sync {
    /// m, pixels of a tile above, in either direction.
    const ABOVE: usize;
    /// m + 2, pixels of a tile below, in either direction.
    const BELOW: usize = Self::ABOVE + 2;
    /// Numbers of a transformed tile.
    const POINTS: usize = Self::BELOW * Self::BELOW;

    /// Bᵀ d B
    fn below(load: impl Fn(usize, usize) -> Lanes, store: impl FnMut(usize, usize, Lanes));
    /// A e Aᵀ
    fn above(load: impl Fn(usize, usize) -> Lanes, store: impl FnMut(usize, usize, Lanes));
    /// Aᵀ m A
    fn to_above(load: impl Fn(usize, usize) -> Lanes, store: impl FnMut(usize, usize, Lanes));
    /// G g Gᵀ
    fn kernel(load: impl Fn(usize, usize) -> Lanes, store: impl FnMut(usize, usize, Lanes));
    /// Gᵀ u G
    fn to_kernel(load: impl Fn(usize, usize) -> Lanes, store: impl FnMut(usize, usize, Lanes));
}

/// Implements [`Transform`] by transforms of lines of M to N numbers, which are applied to the columns and then to the rows of a
/// square. A macro, since a function that is passed to another need not be inlined.
macro_rules! transforms_of_lines {
    ($name:ident, $above:literal: $($square:ident by $line:ident of $m:literal to $n:literal),+) => {
        impl Transform for $name {
            const ABOVE: usize = $above;
            $(
                #[inline(always)]
                fn $square(load: impl Fn(usize, usize) -> Lanes, mut store: impl FnMut(usize, usize, Lanes)) {
                    let mut half = [[Lanes::ZERO; $m]; $n];
                    for column in 0..$m {
                        let mut numbers = [Lanes::ZERO; $m];
                        for (row, lanes) in numbers.iter_mut().enumerate() {
                            *lanes = load(row, column);
                        }
                        for (half, lanes) in half.iter_mut().zip($line(numbers)) {
                            half[column] = lanes;
                        }
                    }
                    for (row, half) in half.into_iter().enumerate() {
                        for (column, lanes) in $line(half).into_iter().enumerate() {
                            store(row, column, lanes);
                        }
                    }
                }
            )+
        }
    };
}
pub(super) use transforms_of_lines;

#[cfg(test)]
mod tests {
    use super::super::{Four, Two};
    use super::*;
    use crate::base::random::{Purpose, Random};

    type Square = Vec<Lanes>;

    /// A square of so many lanes on a side, by a transform of another.
    fn transformed(
        (square, side): (&Square, usize),
        by: impl Fn(&dyn Fn(usize, usize) -> Lanes, &mut dyn FnMut(usize, usize, Lanes)),
        out: usize,
    ) -> Square {
        let mut result = vec![Lanes([f32::NAN; LANES]); out * out];
        by(&|row, column| square[row * side + column], &mut |row, column, lanes| result[row * out + column] = lanes);
        result
    }

    /// The convolution of the pixels below with 3 × 3 weights in the transformed domain is the direct one, and the same for
    /// the weight product; on all lanes.
    ///
    /// At most 36 terms of up to 100, each rounded to 6e-8, weighed by up to 8 · 8.
    fn check<F: Transform>() {
        let mut random = Random::new(3, Purpose::Synthetic, 0, 0);
        let mut numbers = |side: usize| -> Square {
            (0..side * side).map(|_| Lanes(std::array::from_fn(|_| random.normal() as f32))).collect()
        };
        let (m, n) = (F::ABOVE, F::BELOW);
        let (d, g, e) = (numbers(n), numbers(3), numbers(m));
        let v = transformed((&d, n), |load, store| F::below(load, store), n);
        let u = transformed((&g, 3), |load, store| F::kernel(load, store), n);
        let w = transformed((&e, m), |load, store| F::above(load, store), n);
        let times = |a: &Square, b: &Square| -> Square {
            a.iter().zip(b).map(|(a, b)| Lanes(std::array::from_fn(|i| a.0[i] * b.0[i]))).collect()
        };
        let y = transformed((&times(&v, &u), n), |load, store| F::to_above(load, store), m);
        let dg = transformed((&times(&v, &w), n), |load, store| F::to_kernel(load, store), 3);
        for lane in 0..LANES {
            let at = |x: &Square, place: usize| f64::from(x[place].0[lane]);
            for (row, column) in (0..m * m).map(|i| (i / m, i % m)) {
                let taps = (0..9).map(|tap| (tap / 3, tap % 3));
                let exact: f64 = taps.map(|(i, j)| at(&d, n * (row + i) + column + j) * at(&g, 3 * i + j)).sum();
                assert!((at(&y, m * row + column) - exact).abs() < 1e-4, "{exact}");
            }
            for (i, j) in (0..9).map(|tap| (tap / 3, tap % 3)) {
                let pixels = (0..m * m).map(|pixel| (pixel / m, pixel % m));
                let exact: f64 = pixels.map(|(row, column)| at(&d, n * (row + i) + column + j) * at(&e, m * row + column)).sum();
                assert!((at(&dg, 3 * i + j) - exact).abs() < 2e-4, "{exact}");
            }
        }
    }

    #[test]
    fn transforms_are_those_of_a_convolution() {
        check::<Four>();
        check::<Two>();
    }
}
