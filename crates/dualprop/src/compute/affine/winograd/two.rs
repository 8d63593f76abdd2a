//! F(2 × 2, 3 × 3): 16 products for 4 pixels, 4/9 of those of the direct way, with factors of no more than 1.

use super::transform::{Lanes, Transform, transforms_of_lines};

/// Tiles of 2 × 2 pixels above and 4 × 4 below, by the points 0, ±1 and ∞.
pub(in crate::compute::affine) struct Two;

transforms_of_lines!(
    Two, 2:
    below by below of 4 to 4,
    above by spread of 2 to 4,
    to_above by above of 4 to 2,
    kernel by kernel of 3 to 4,
    to_kernel by gather of 4 to 3
);

/// Bᵀ x
#[inline(always)]
fn below(x: [Lanes; 4]) -> [Lanes; 4] {
    [x[0] - x[2], x[1] + x[2], x[2] - x[1], x[1] - x[3]]
}

/// Aᵀ m
#[inline(always)]
fn above(m: [Lanes; 4]) -> [Lanes; 2] {
    [(m[0] + m[1]) + m[2], (m[1] - m[2]) - m[3]]
}

/// A e
#[inline(always)]
fn spread(e: [Lanes; 2]) -> [Lanes; 4] {
    [e[0], e[0] + e[1], e[0] - e[1], -1.0 * e[1]]
}

/// G g
#[inline(always)]
fn kernel(g: [Lanes; 3]) -> [Lanes; 4] {
    let (outer, inner) = (0.5 * (g[0] + g[2]), 0.5 * g[1]);
    [g[0], outer + inner, outer - inner, g[2]]
}

/// Gᵀ u
#[inline(always)]
fn gather(u: [Lanes; 4]) -> [Lanes; 3] {
    let (sum, difference) = (0.5 * (u[1] + u[2]), 0.5 * (u[1] - u[2]));
    [u[0] + sum, difference, sum + u[3]]
}
