//! The transforms of F(4 × 4, 3 × 3), on sixteen channels at a time.
//!
//! ```text
//! Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
//! ```
//!
//! d is 6 × 6 pixels below, g the kernel, Y 4 × 4 pixels above (A. Lavin and S. Gray, *Fast Algorithms for Convolutional
//! Neural Networks*, CVPR 2016, section 4.3). The adjoints of the outer transforms give the weight product:
//! ∂g = Gᵀ [(A e Aᵀ) ⊙ (Bᵀ d B)] G, where e is 4 × 4 differences. Sums and products are rounded one by one, so that the
//! bits are the same whatever instructions are used.

use std::array::from_fn;
use std::ops::{Add, Mul, Sub};

use crate::compute::gemm::Shared;

/// Channels that a transform handles at a time.
pub(super) const LANES: usize = 16;

/// Pixels of a tile above, in either direction.
pub(super) const ABOVE: usize = 4;

/// Pixels of a tile below, in either direction.
pub(super) const BELOW: usize = 6;

/// Numbers of a transformed tile.
pub(super) const POINTS: usize = BELOW * BELOW;

/// The same number of sixteen channels.
#[derive(Clone, Copy)]
pub(super) struct Lanes([f32; LANES]);

impl Lanes {
    pub(super) const ZERO: Lanes = Lanes([0.0; LANES]);

    #[inline(always)]
    pub(super) fn load(numbers: &[f32]) -> Self {
        let mut lanes = [0.0; LANES];
        lanes.copy_from_slice(&numbers[..LANES]);
        Lanes(lanes)
    }

    /// # Safety
    /// Nobody else reads or writes these sixteen numbers meanwhile.
    #[inline(always)]
    pub(super) unsafe fn write(self, numbers: &Shared, place: usize) {
        // SAFETY: `at` has shown that they are there; the caller guarantees that they are this thread's alone.
        unsafe { numbers.at(place, LANES).cast::<[f32; LANES]>().write_unaligned(self.0) };
    }
}

impl Add for Lanes {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Lanes(from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl Sub for Lanes {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Lanes(from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl Mul<Lanes> for f32 {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, lanes: Lanes) -> Lanes {
        Lanes(from_fn(|i| self * lanes.0[i]))
    }
}

/// Bᵀ x
#[inline(always)]
fn below(x: [Lanes; 6]) -> [Lanes; 6] {
    let (even, odd) = (x[4] - 4.0 * x[2], x[3] - 4.0 * x[1]);
    let (outer, inner) = (x[4] - x[2], 2.0 * (x[3] - x[1]));
    [(4.0 * x[0] - 5.0 * x[2]) + x[4], even + odd, even - odd, outer + inner, outer - inner, (4.0 * x[1] - 5.0 * x[3]) + x[5]]
}

/// Aᵀ m
#[inline(always)]
fn above(m: [Lanes; 6]) -> [Lanes; 4] {
    let (s1, d1, s2, d2) = (m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]);
    [(m[0] + s1) + s2, d1 + 2.0 * d2, s1 + 4.0 * s2, (d1 + 8.0 * d2) + m[5]]
}

/// A e
#[inline(always)]
fn spread(e: [Lanes; 4]) -> [Lanes; 6] {
    let (even, odd) = (e[0] + e[2], e[1] + e[3]);
    let (even2, odd2) = (e[0] + 4.0 * e[2], 2.0 * e[1] + 8.0 * e[3]);
    [e[0], even + odd, even - odd, even2 + odd2, even2 - odd2, e[3]]
}

/// G g
#[inline(always)]
fn kernel(g: [Lanes; 3]) -> [Lanes; 6] {
    let outer = g[0] + g[2];
    let (wide, middle) = ((1.0 / 24.0) * g[0] + (1.0 / 6.0) * g[2], (1.0 / 12.0) * g[1]);
    [0.25 * g[0], (-1.0 / 6.0) * (outer + g[1]), (-1.0 / 6.0) * (outer - g[1]), wide + middle, wide - middle, g[2]]
}

/// Gᵀ u
#[inline(always)]
fn gather(u: [Lanes; 6]) -> [Lanes; 3] {
    let (s1, d1, s2, d2) = (u[1] + u[2], u[2] - u[1], u[3] + u[4], u[3] - u[4]);
    [(0.25 * u[0] - (1.0 / 6.0) * s1) + (1.0 / 24.0) * s2, (1.0 / 6.0) * d1 + (1.0 / 12.0) * d2, (1.0 / 6.0) * (s2 - s1) + u[5]]
}

/// Applies a transform of M to N numbers to the columns and then to the rows of a square; `load` gives its rows.
#[inline(always)]
fn both_ways<const M: usize, const N: usize>(
    load: impl Fn(usize, usize) -> Lanes,
    transform: impl Fn([Lanes; M]) -> [Lanes; N],
    mut store: impl FnMut(usize, usize, Lanes),
) {
    let mut half = [[Lanes::ZERO; M]; N];
    (0..M).for_each(|column| {
        let done = transform(from_fn(|row| load(row, column)));
        half.iter_mut().zip(done).for_each(|(half, lanes)| half[column] = lanes);
    });
    for (row, half) in half.into_iter().enumerate() {
        transform(half).into_iter().enumerate().for_each(|(column, lanes)| store(row, column, lanes));
    }
}

/// Bᵀ d B
#[inline(always)]
pub(super) fn transform_below(load: impl Fn(usize, usize) -> Lanes, mut store: impl FnMut(usize, Lanes)) {
    both_ways(load, below, |row, column, lanes| store(BELOW * row + column, lanes));
}

/// A e Aᵀ
#[inline(always)]
pub(super) fn transform_above(load: impl Fn(usize, usize) -> Lanes, mut store: impl FnMut(usize, Lanes)) {
    both_ways(load, spread, |row, column, lanes| store(BELOW * row + column, lanes));
}

/// Aᵀ m A
#[inline(always)]
pub(super) fn inverse_above(load: impl Fn(usize) -> Lanes, store: impl FnMut(usize, usize, Lanes)) {
    both_ways(|row, column| load(BELOW * row + column), above, store);
}

/// G g Gᵀ
#[inline(always)]
pub(super) fn transform_kernel(load: impl Fn(usize, usize) -> Lanes, mut store: impl FnMut(usize, Lanes)) {
    both_ways(load, kernel, |row, column, lanes| store(BELOW * row + column, lanes));
}

/// Gᵀ u G
#[inline(always)]
pub(super) fn inverse_kernel(load: impl Fn(usize) -> Lanes, store: impl FnMut(usize, usize, Lanes)) {
    both_ways(|row, column| load(BELOW * row + column), gather, store);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};

    /// The convolution of 6 × 6 pixels with 3 × 3 weights in the transformed domain is the direct one, and the same for the
    /// weight product; on all lanes.
    ///
    /// 36 terms of up to 100, each rounded to 6e-8, weighed by up to 8 · 8.
    #[test]
    fn transforms_are_those_of_a_convolution() {
        let mut random = Random::new(3, Purpose::Synthetic, 0, 0);
        let mut numbers = |n: usize| -> Vec<[f32; LANES]> { (0..n).map(|_| from_fn(|_| random.normal() as f32)).collect() };
        let (d, g, e) = (numbers(36), numbers(9), numbers(16));
        let (mut v, mut u, mut w) = ([Lanes::ZERO; POINTS], [Lanes::ZERO; POINTS], [Lanes::ZERO; POINTS]);
        transform_below(|row, column| Lanes(d[6 * row + column]), |point, lanes| v[point] = lanes);
        transform_kernel(|row, column| Lanes(g[3 * row + column]), |point, lanes| u[point] = lanes);
        transform_above(|row, column| Lanes(e[4 * row + column]), |point, lanes| w[point] = lanes);
        let times = |a: &[Lanes; POINTS], b: &[Lanes; POINTS], point: usize| Lanes(from_fn(|i| a[point].0[i] * b[point].0[i]));
        let mut y = [[0.0f32; LANES]; 16];
        inverse_above(|point| times(&v, &u, point), |row, column, lanes| y[4 * row + column] = lanes.0);
        let mut dg = [[0.0f32; LANES]; 9];
        inverse_kernel(|point| times(&v, &w, point), |row, column, lanes| dg[3 * row + column] = lanes.0);
        for lane in 0..LANES {
            let at = |x: &[[f32; LANES]], place: usize| f64::from(x[place][lane]);
            for (row, column) in (0..16).map(|i| (i / 4, i % 4)) {
                let taps = (0..9).map(|tap| (tap / 3, tap % 3));
                let exact: f64 = taps.map(|(i, j)| at(&d, 6 * (row + i) + column + j) * at(&g, 3 * i + j)).sum();
                assert!((at(&y, 4 * row + column) - exact).abs() < 1e-4, "{exact}");
            }
            for (i, j) in (0..9).map(|tap| (tap / 3, tap % 3)) {
                let pixels = (0..16).map(|pixel| (pixel / 4, pixel % 4));
                let exact: f64 = pixels.map(|(row, column)| at(&d, 6 * (row + i) + column + j) * at(&e, 4 * row + column)).sum();
                assert!((at(&dg, 3 * i + j) - exact).abs() < 2e-4, "{exact}");
            }
        }
    }
}
