//! The micro-kernels: a tile of a product, held in registers over one block of k.
//!
//! ```text
//! tile[r][c] = base[r][c] + scale · Σ_k left[r][k] · right[k][c]
//! ```
//!
//! The sum is one chain of fused multiply-adds in the order of k, starting at 0; a number of the tile is the same whatever
//! else is in the tile, so that neither its extents nor the instructions change a bit.

use super::Isa;

/// Columns of a strip of the right operand: a register of AVX-512, two of AVX2.
pub(in crate::compute) const STRIP: usize = 16;

/// What a sum is added to.
#[derive(Clone, Copy)]
pub(in crate::compute) enum Base {
    /// Nothing: the output is overwritten.
    Nothing,
    /// What stands in the output.
    Output,
    /// The same numbers in every row, one for each column.
    Row(*const f32),
}

/// The operands of a tile.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    /// Rows, as many as [`Isa::tile`] says at most.
    pub(super) rows: usize,
    /// Strips, likewise.
    pub(super) strips: usize,
    /// Length of the sums.
    pub(super) depth: usize,
    /// left[r][k] stands at r · `row_stride` + k · `depth_stride`, of which one is 1.
    pub(super) left: *const f32,
    pub(super) row_stride: usize,
    pub(super) depth_stride: usize,
    /// Column c of strip s of right[k] stands at s · `right_strip` + k · `right_stride` + c.
    pub(super) right: *const f32,
    pub(super) right_stride: usize,
    pub(super) right_strip: usize,
    pub(super) scale: f32,
    pub(super) base: Base,
    /// The tile, row-major, each row so many numbers after the one before.
    pub(super) output: *mut f32,
    pub(super) output_stride: usize,
}

impl Isa {
    /// The most rows and strips of a tile: as many as registers hold beside the operands.
    pub(super) const fn tile(self) -> (usize, usize) {
        match self {
            Isa::Avx512 => (12, 2),
            Isa::Avx2 | Isa::Portable => (6, 1),
        }
    }
}

/// Computes one tile.
///
/// # Safety
/// The processor has the instructions. `left`, `right` and a `Base::Row` are readable and `output` is writable, over all the
/// extents and strides that [`Tile`] states; nobody else writes them or reads the output meanwhile.
pub(super) unsafe fn tile(isa: Isa, tile: &Tile) {
    // SAFETY: what is demanded is what the caller guarantees.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::tile(tile),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::tile(tile),
            _ => portable(tile),
        }
    }
}

/// Both for processors that have no kernel of their own, and as what the others are tested against.
///
/// # Safety
/// As [`tile`], without the first sentence.
unsafe fn portable(t: &Tile) {
    for (row, strip) in (0..t.rows).flat_map(|row| (0..t.strips).map(move |strip| (row, strip))) {
        let mut sums = [0.0f32; STRIP];
        for k in 0..t.depth {
            // SAFETY: k < depth, row < rows and strip < strips, within which the caller guarantees the operands.
            let (left, right) = unsafe {
                let left = *t.left.add(row * t.row_stride + k * t.depth_stride);
                (left, &*t.right.add(strip * t.right_strip + k * t.right_stride).cast::<[f32; STRIP]>())
            };
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = left.mul_add(*right, *sum);
            }
        }
        for (column, sum) in sums.into_iter().enumerate() {
            let column = strip * STRIP + column;
            // SAFETY: row < rows and column < STRIP · strips.
            unsafe {
                let place = t.output.add(row * t.output_stride + column);
                *place = match t.base {
                    Base::Nothing => t.scale * sum,
                    Base::Output => *place + t.scale * sum,
                    Base::Row(base) => *base.add(column) + t.scale * sum,
                };
            }
        }
    }
}

/// Defines the kernels of a set of instructions: tiles of up to ROWS rows of one or two vectors.
#[cfg(target_arch = "x86_64")]
macro_rules! kernels {
    (
        $name:ident, $isa:expr, $features:literal, $lanes:literal, rows $($rows:literal)+, vectors $($vectors:literal)+:
        $zero:ident $broadcast:ident $load:ident $store:ident $fused:ident $multiply:ident $add:ident
    ) => {
        mod $name {
            use std::arch::x86_64::*;

            use super::{Base, Isa, STRIP, Tile};

            const ROWS: usize = $isa.tile().0;

            /// # Safety
            /// As [`super::tile`].
            #[target_feature(enable = $features)]
            pub(super) unsafe fn tile(tile: &Tile) {
                let vectors = tile.strips * STRIP / $lanes;
                debug_assert!(tile.rows <= ROWS && vectors <= 2);
                kernels!(@choose (tile, vectors) [$($rows)+] [$($vectors)+]);
            }

            /// `BY_ROW` says that `depth_stride` is 1, otherwise `row_stride` is.
            ///
            /// # Safety
            /// As [`super::tile`], with H rows and V vectors.
            #[target_feature(enable = $features)]
            unsafe fn sums<const H: usize, const V: usize, const BY_ROW: bool>(t: &Tile) {
                // SAFETY: every address is within the extents that the caller guarantees: k < depth, r < H, V vectors; pointers
                // to rows that the tile lacks are never read through.
                unsafe {
                    let mut sums = [[$zero(); V]; H];
                    // Every third row has a pointer: with the stride once and twice as an index they reach all of them.
                    let mut left = [t.left; ROWS / 3];
                    for (i, left) in left.iter_mut().enumerate() {
                        *left = left.wrapping_add(3 * i * t.row_stride);
                    }
                    let mut right = t.right;
                    for _ in 0..t.depth {
                        let mut b = [$zero(); V];
                        for (v, b) in b.iter_mut().enumerate() {
                            *b = $load(right.add(v * $lanes / STRIP * t.right_strip + v * $lanes % STRIP));
                        }
                        for (r, sums) in sums.iter_mut().enumerate() {
                            let a = if BY_ROW { left[r / 3].add(r % 3 * t.row_stride) } else { left[0].add(r) };
                            let a = $broadcast(*a);
                            for (sum, b) in sums.iter_mut().zip(b) {
                                *sum = $fused(a, b, *sum);
                            }
                        }
                        for left in left.iter_mut() {
                            *left = left.wrapping_add(if BY_ROW { 1 } else { t.depth_stride });
                        }
                        right = right.wrapping_add(t.right_stride);
                    }
                    // A copy, so that the sums have no address before, and stay in registers.
                    let (sums, scale) = (sums, $broadcast(t.scale));
                    for r in 0..H {
                        for v in 0..V {
                            let place = t.output.add(r * t.output_stride + v * $lanes);
                            let sum = $multiply(scale, sums[r][v]);
                            let sum = match t.base {
                                Base::Nothing => sum,
                                Base::Output => $add($load(place), sum),
                                Base::Row(base) => $add($load(base.add(v * $lanes)), sum),
                            };
                            $store(place, sum);
                        }
                    }
                }
            }
        }
    };
    (@choose $tile:tt [$($rows:literal)+] $vectors:tt) => {
        match $tile.0.rows {
            $($rows => kernels!(@rows $tile $rows $vectors),)+
            _ => unreachable!("a tile of more rows than registers"),
        }
    };
    (@rows $tile:tt $rows:literal [$($vectors:literal)+]) => {
        // SAFETY: the caller's guarantee, and the constants are those of the tile.
        unsafe {
            match ($tile.1, $tile.0.depth_stride == 1) {
                $(
                    ($vectors, true) => sums::<$rows, $vectors, true>($tile.0),
                    ($vectors, false) => sums::<$rows, $vectors, false>($tile.0),
                )+
                _ => unreachable!("a tile of other strips"),
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(
    avx512, Isa::Avx512, "avx512f", 16, rows 1 2 3 4 5 6 7 8 9 10 11 12, vectors 1 2:
    _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_mul_ps _mm512_add_ps
);

#[cfg(target_arch = "x86_64")]
kernels!(
    avx2, Isa::Avx2, "avx2,fma", 8, rows 1 2 3 4 5 6, vectors 2:
    _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_mul_ps _mm256_add_ps
);
