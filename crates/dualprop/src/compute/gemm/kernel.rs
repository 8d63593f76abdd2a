//! The micro-kernels: tiles of a product, each held in registers over one block of k.
//!
//! ```text
//! tile[r][c] = base[r][c] + scale · Σ_k left[r][k] · right[k][c]
//! ```
//!
//! The sum is one chain of fused multiply-adds in the order of k, starting at 0; a number of the tile is the same whatever
//! else is in the tile, so that neither its extents nor the instructions change a bit.

use std::ops::Range;

use super::{Ahead, Isa};

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

/// The operands of tiles side by side.
#[derive(Clone, Copy)]
pub(super) struct Tiles<'a> {
    /// Rows, [`Isa::rows`] at most.
    pub(super) rows: usize,
    /// Strips.
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
    /// Row-major, each row so many numbers after the one before.
    pub(super) output: *mut f32,
    pub(super) output_stride: usize,
    /// What is asked for meanwhile: with strip s the share `share` + s of `shares`.
    pub(super) ahead: &'a [Ahead],
    pub(super) share: usize,
    pub(super) shares: usize,
}

impl Tiles<'_> {
    #[inline(always)]
    fn fetch(&self, strips: Range<usize>) {
        for ahead in self.ahead {
            strips.clone().for_each(|strip| ahead.fetch(self.share + strip, self.shares));
        }
    }
}

impl Isa {
    /// The most rows of a tile: as many as registers hold beside the operands.
    pub(super) const fn rows(self) -> usize {
        match self {
            Isa::Avx512 => 12,
            Isa::Avx2 | Isa::Portable => 6,
        }
    }
}

/// Computes tiles.
///
/// # Safety
/// The processor has the instructions. `left`, `right` and a `Base::Row` are readable and `output` is writable, over all the
/// extents and strides that [`Tiles`] states; nobody else writes them or reads the output meanwhile.
pub(super) unsafe fn tiles(isa: Isa, tiles: &Tiles) {
    // SAFETY: what is demanded is what the caller guarantees.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::tiles(tiles),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::tiles(tiles),
            _ => portable(tiles),
        }
    }
}

/// Both for processors that have no kernel of their own, and as what the others are tested against.
///
/// # Safety
/// As [`tiles`], without the first sentence.
unsafe fn portable(t: &Tiles) {
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
        $name:ident, {$($source:tt)+}, $isa:expr, $features:literal, $lanes:literal, rows $($rows:literal)+:
        $zero:ident $broadcast:ident $load:ident $store:ident $fused:ident $multiply:ident $add:ident
    ) => {
        mod $name {
            use $($source)+::*;

            use super::{Base, Isa, STRIP, Tiles};

            const ROWS: usize = $isa.rows();

            /// Vectors of a strip.
            const VECTORS: usize = STRIP / $lanes;

            /// # Safety
            /// As [`super::tiles`].
            #[target_feature(enable = $features)]
            pub(super) unsafe fn tiles(t: &Tiles) {
                // SAFETY: the caller's guarantee, and the constants are those of the tiles.
                unsafe {
                    match (t.rows, t.depth_stride == 1) {
                        $(
                            ($rows, true) => row::<$rows, true>(t),
                            ($rows, false) => row::<$rows, false>(t),
                        )+
                        _ => unreachable!("a tile of more rows than registers"),
                    }
                }
            }

            /// All tiles, of two vectors each; of AVX-512 the last may have one.
            ///
            /// # Safety
            /// As [`super::tiles`], with H rows.
            #[target_feature(enable = $features)]
            unsafe fn row<const H: usize, const BY_ROW: bool>(t: &Tiles) {
                let mut strip = 0;
                while strip < t.strips {
                    let next = t.strips.min(strip + 2 / VECTORS);
                    t.fetch(strip..next);
                    // SAFETY: the caller's guarantee; the strips are among those that there are.
                    unsafe {
                        if VECTORS == 1 && next == strip + 1 {
                            sums::<H, 1, BY_ROW>(t, strip);
                        } else {
                            sums::<H, 2, BY_ROW>(t, strip);
                        }
                    }
                    strip = next;
                }
            }

            /// One tile of V vectors from this strip. `BY_ROW` says that `depth_stride` is 1, otherwise `row_stride` is.
            ///
            /// # Safety
            /// As [`super::tiles`], with H rows and these strips.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn sums<const H: usize, const V: usize, const BY_ROW: bool>(t: &Tiles, strip: usize) {
                // SAFETY: every address is within the extents that the caller guarantees: k < depth, r < H, V vectors; pointers
                // to rows that the tile lacks are never read through.
                unsafe {
                    let mut sums = [[$zero(); V]; H];
                    // Every third row has a pointer: with the stride once and twice as an index they reach all of them.
                    let mut left = [t.left; ROWS / 3];
                    for (i, left) in left.iter_mut().enumerate() {
                        *left = left.wrapping_add(3 * i * t.row_stride);
                    }
                    let mut right = t.right.add(strip * t.right_strip);
                    for _ in 0..t.depth {
                        let mut b = [$zero(); V];
                        for (v, b) in b.iter_mut().enumerate() {
                            let strip = v / VECTORS;
                            *b = $load(right.add(strip * t.right_strip + (v - strip * VECTORS) * $lanes));
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
                    for (r, sums) in sums.iter().enumerate() {
                        for (v, &sum) in sums.iter().enumerate() {
                            let column = strip * STRIP + v * $lanes;
                            let place = t.output.add(r * t.output_stride + column);
                            let sum = $multiply(scale, sum);
                            let sum = match t.base {
                                Base::Nothing => sum,
                                Base::Output => $add($load(place), sum),
                                Base::Row(base) => $add($load(base.add(column)), sum),
                            };
                            $store(place, sum);
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(
    avx512, {std::arch::x86_64}, Isa::Avx512, "avx512f", 16, rows 1 2 3 4 5 6 7 8 9 10 11 12:
    _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_mul_ps _mm512_add_ps
);

#[cfg(target_arch = "x86_64")]
kernels!(
    avx2, {std::arch::x86_64}, Isa::Avx2, "avx2,fma", 8, rows 1 2 3 4 5 6:
    _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_mul_ps _mm256_add_ps
);

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::base::random::{Purpose, Random};

    /// Sixteen numbers as AVX-512 has them, for processors that lack it: of its kernel everything but the instructions is tested.
    mod sixteen {
        pub(super) type Vector = [f32; 16];

        pub(super) fn zero() -> Vector {
            [0.0; 16]
        }

        pub(super) fn broadcast(x: f32) -> Vector {
            [x; 16]
        }

        pub(super) unsafe fn load(from: *const f32) -> Vector {
            // SAFETY: the caller guarantees sixteen numbers.
            unsafe { from.cast::<Vector>().read_unaligned() }
        }

        pub(super) unsafe fn store(to: *mut f32, x: Vector) {
            // SAFETY: as in `load`.
            unsafe { to.cast::<Vector>().write_unaligned(x) };
        }

        pub(super) fn fused(a: Vector, b: Vector, c: Vector) -> Vector {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        }

        pub(super) fn multiply(a: Vector, b: Vector) -> Vector {
            std::array::from_fn(|i| a[i] * b[i])
        }

        pub(super) fn add(a: Vector, b: Vector) -> Vector {
            std::array::from_fn(|i| a[i] + b[i])
        }
    }

    kernels!(
        emulated, {super::sixteen}, Isa::Avx512, "sse2", 16, rows 1 2 3 4 5 6 7 8 9 10 11 12:
        zero broadcast load store fused multiply add
    );

    /// Every number of rows, odd and even numbers of strips, both layouts of the left operand, and every base.
    #[test]
    fn a_kernel_of_sixteen_lanes_gives_the_bits_of_the_portable_one() {
        let mut random = Random::new(2, Purpose::Synthetic, 0, 0);
        let mut numbers = |count: usize| -> Vec<f32> { (0..count).map(|_| random.normal() as f32).collect() };
        let depth = 7;
        for (rows, strips) in (1..=12).flat_map(|rows| (1..=5).map(move |strips| (rows, strips))) {
            let (left, right, row) = (numbers(13 * 9), numbers(strips * STRIP * (depth + 2)), numbers(strips * STRIP));
            for (row_stride, depth_stride) in [(9, 1), (1, 13)] {
                for base in [Base::Nothing, Base::Output, Base::Row(row.as_ptr())] {
                    let before = numbers(rows * (strips * STRIP + 3));
                    let outputs = [portable as unsafe fn(&Tiles), emulated::tiles].map(|kernel| {
                        let mut output = before.clone();
                        let tiles = Tiles {
                            rows,
                            strips,
                            depth,
                            left: left.as_ptr(),
                            row_stride,
                            depth_stride,
                            right: right.as_ptr(),
                            right_stride: STRIP,
                            right_strip: STRIP * (depth + 2),
                            scale: 0.7,
                            base,
                            output: output.as_mut_ptr(),
                            output_stride: strips * STRIP + 3,
                            ahead: &[],
                            share: 0,
                            shares: 1,
                        };
                        // SAFETY: the arrays have the extents that are stated, and every x86-64 processor has SSE2.
                        unsafe { kernel(&tiles) };
                        output
                    });
                    assert!(outputs[0] == outputs[1], "{rows} rows, {strips} strips, strides {row_stride} and {depth_stride}");
                }
            }
        }
    }
}
