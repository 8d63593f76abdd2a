//! F(4 × 4, 3 × 3): 36 products for 16 pixels, a quarter of those of the direct way.

use super::transform::{Lanes, Transform, transforms_of_lines};

/// Tiles of 4 × 4 pixels above and 6 × 6 below, by the points 0, ±1, ±2 and ∞.
pub(in crate::compute::affine) struct Four;

transforms_of_lines!(
    Four, 4:
    below by below of 6 to 6,
    above by spread of 4 to 6,
    to_above by above of 6 to 4,
    kernel by kernel of 3 to 6,
    to_kernel by gather of 6 to 3
);

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
