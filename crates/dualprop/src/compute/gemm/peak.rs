//! What the processor could do: a loop of fused multiply-adds that leaves the registers never.

use std::hint::black_box;
use std::time::Instant;

use super::Isa;
use crate::compute::Pool;

/// Rounds of the loop between two looks at the clock.
const ROUNDS: usize = 1 << 20;

/// The floating-point operations that all threads of the pool make in a second, the best of `tries`: what products of f32
/// are measured against.
pub fn fma_peak(pool: &Pool, tries: usize) -> f64 {
    let isa = pool.isa();
    let mut best = 0.0f64;
    for _ in 0..tries.max(1) {
        let mut counts = vec![0usize; pool.threads()];
        let began = Instant::now();
        pool.pieces(&mut counts, 1, |_, counts| counts.iter_mut().for_each(|count| *count = operations(isa)));
        let seconds = began.elapsed().as_secs_f64();
        best = best.max(counts.iter().sum::<usize>() as f64 / seconds);
    }
    best
}

/// Runs the loop and returns how many operations it made.
fn operations(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a pool has the instructions of its processor only.
        Isa::Avx512 => unsafe { avx512() },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the same.
        Isa::Avx2 => unsafe { avx2() },
        _ => portable(),
    }
}

/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512() -> usize {
    use std::arch::x86_64::*;
    let (a, b) = (_mm512_set1_ps(black_box(0.5)), _mm512_set1_ps(black_box(0.25)));
    let mut sums = [_mm512_setzero_ps(); 24];
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = _mm512_fmadd_ps(a, *sum, b));
    }
    black_box(sums);
    2 * 16 * 24 * ROUNDS
}

/// # Safety
/// The processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2() -> usize {
    use std::arch::x86_64::*;
    let (a, b) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(0.25)));
    let mut sums = [_mm256_setzero_ps(); 12];
    for _ in 0..ROUNDS {
        sums.iter_mut().for_each(|sum| *sum = _mm256_fmadd_ps(a, *sum, b));
    }
    black_box(sums);
    2 * 8 * 12 * ROUNDS
}

fn portable() -> usize {
    let (a, b) = (black_box(0.5f32), black_box(0.25f32));
    let mut sums = [0.0f32; 32];
    for _ in 0..ROUNDS / 16 {
        sums.iter_mut().for_each(|sum| *sum = a.mul_add(*sum, b));
    }
    black_box(sums);
    2 * 32 * (ROUNDS / 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_instructions_has_a_peak() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            assert!(fma_peak(&Pool::with_isa(2, isa).unwrap(), 1) > 0.0, "{isa:?}");
        }
    }
}
