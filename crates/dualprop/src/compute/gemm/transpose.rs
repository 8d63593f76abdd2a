//! Transposed copies: squares of 8 x 8 numbers are turned in registers where the processor has AVX2. Numbers are only moved, so
//! that this does not depend on the instructions which products use.

/// Side of a square: 8 numbers are a register of AVX2.
const SIDE: usize = 8;

/// output[k][r] = row(r)[k] for all k of the rows, which are of equal length; the rows of the output are so many numbers apart.
pub(in crate::compute) fn transpose<'a>(rows: usize, row: impl Fn(usize) -> &'a [f32], output: &mut [f32], stride: usize) {
    let whole = rows / SIDE * SIDE;
    for first in (0..whole).step_by(SIDE) {
        let block: [&[f32]; SIDE] = std::array::from_fn(|r| row(first + r));
        turn(block, first, output, stride);
    }
    for r in whole..rows {
        for (k, &x) in row(r).iter().enumerate() {
            output[k * stride + r] = x;
        }
    }
}

/// output[k][first + r] = rows[r][k]
fn turn(rows: [&[f32]; SIDE], first: usize, output: &mut [f32], stride: usize) {
    let depth = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == depth), "rows of unequal length");
    assert!(depth == 0 || output.len() >= (depth - 1) * stride + first + SIDE, "room for {depth} rows of {SIDE}");
    if depth == 0 {
        return;
    }
    let mut done = 0;
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        done = depth / SIDE * SIDE;
        // SAFETY: the processor has AVX2, and the extents were checked above.
        unsafe { avx2::squares(rows.map(<[f32]>::as_ptr), done, output.as_mut_ptr().add(first), stride) };
    }
    for k in done..depth {
        output[k * stride + first..][..SIDE].copy_from_slice(&rows.map(|row| row[k]));
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::SIDE;

    /// # Safety
    /// The processor has AVX2. The rows have `depth` numbers, a multiple of [`SIDE`]; the output has `depth` rows of [`SIDE`].
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn squares(rows: [*const f32; SIDE], depth: usize, output: *mut f32, stride: usize) {
        for k in (0..depth).step_by(SIDE) {
            // SAFETY: eight numbers from k are within every row, and the eight rows from k within the output.
            unsafe {
                let mut square = [_mm256_setzero_ps(); SIDE];
                for (square, row) in square.iter_mut().zip(rows) {
                    *square = _mm256_loadu_ps(row.add(k));
                }
                for (i, column) in turned(square).into_iter().enumerate() {
                    _mm256_storeu_ps(output.add((k + i) * stride), column);
                }
            }
        }
    }

    /// A square on its other side: numbers, then pairs, then halves of rows change places.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn turned(r: [__m256; SIDE]) -> [__m256; SIDE] {
        let single = [
            _mm256_unpacklo_ps(r[0], r[1]),
            _mm256_unpackhi_ps(r[0], r[1]),
            _mm256_unpacklo_ps(r[2], r[3]),
            _mm256_unpackhi_ps(r[2], r[3]),
            _mm256_unpacklo_ps(r[4], r[5]),
            _mm256_unpackhi_ps(r[4], r[5]),
            _mm256_unpacklo_ps(r[6], r[7]),
            _mm256_unpackhi_ps(r[6], r[7]),
        ];
        const LOW: i32 = 0b01_00_01_00;
        const HIGH: i32 = 0b11_10_11_10;
        let double = [
            _mm256_shuffle_ps::<LOW>(single[0], single[2]),
            _mm256_shuffle_ps::<HIGH>(single[0], single[2]),
            _mm256_shuffle_ps::<LOW>(single[1], single[3]),
            _mm256_shuffle_ps::<HIGH>(single[1], single[3]),
            _mm256_shuffle_ps::<LOW>(single[4], single[6]),
            _mm256_shuffle_ps::<HIGH>(single[4], single[6]),
            _mm256_shuffle_ps::<LOW>(single[5], single[7]),
            _mm256_shuffle_ps::<HIGH>(single[5], single[7]),
        ];
        const FIRST: i32 = 0x20;
        const SECOND: i32 = 0x31;
        [
            _mm256_permute2f128_ps::<FIRST>(double[0], double[4]),
            _mm256_permute2f128_ps::<FIRST>(double[1], double[5]),
            _mm256_permute2f128_ps::<FIRST>(double[2], double[6]),
            _mm256_permute2f128_ps::<FIRST>(double[3], double[7]),
            _mm256_permute2f128_ps::<SECOND>(double[0], double[4]),
            _mm256_permute2f128_ps::<SECOND>(double[1], double[5]),
            _mm256_permute2f128_ps::<SECOND>(double[2], double[6]),
            _mm256_permute2f128_ps::<SECOND>(double[3], double[7]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_finds_its_place() {
        for (rows, depth, stride) in [(1, 1, 1), (8, 8, 8), (9, 17, 12), (32, 40, 32), (7, 9, 7), (16, 0, 16), (20, 7, 32)] {
            let matrix: Vec<f32> = (0..rows * depth).map(|i| i as f32).collect();
            let mut output = vec![-1.0; depth * stride];
            transpose(rows, |r| &matrix[r * depth..][..depth], &mut output, stride);
            for (place, &x) in output.iter().enumerate() {
                let (k, r) = (place / stride, place % stride);
                let expected = if r < rows { matrix[r * depth + k] } else { -1.0 };
                assert_eq!(x, expected, "{rows} x {depth}, stride {stride}, at {k}, {r}");
            }
        }
    }
}
