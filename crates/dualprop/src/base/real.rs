//! The floating-point types that the library computes with, and mathematics whose bits do not depend on the platform.

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// f32 or f64. Transcendental functions come from `libm`, never from the platform, so that the same input gives the same
/// bits on every machine; `sqrt` is correctly rounded everywhere by IEEE 754.
pub trait Real:
    Copy
    + Debug
    + Display
    + Default
    + PartialOrd
    + Send
    + Sync
    + Sum
    + Neg<Output = Self>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The smallest positive number of full precision.
    const MIN_POSITIVE: Self;
    /// The name in files and messages: "f32" or "f64".
    const NAME: &'static str;

    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
    /// The same value in f64, exactly.
    fn to_f64(self) -> f64;
    /// eˣ.
    fn exp(self) -> Self;
    /// eˣ − 1 without cancellation.
    fn exp_m1(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Not a number.
    fn is_nan(self) -> bool;

    /// The same numbers, where this type is f32: what code that is written for one type asks.
    fn as_f32(numbers: &[Self]) -> Option<&[f32]>;
    /// The same numbers, to be changed, where this type is f32.
    fn as_f32_mut(numbers: &mut [Self]) -> Option<&mut [f32]>;

    /// The larger of two; NaN if `self` is NaN, so that a broken number is never hidden.
    #[inline(always)]
    fn at_least(self, bound: Self) -> Self {
        if self < bound { bound } else { self }
    }

    /// This number, or 0 where it is subnormal: with such numbers many processors compute a hundred times slower, and what has
    /// become so small is on its way to 0. NaN stays.
    #[inline(always)]
    fn or_zero(self) -> Self {
        if self.abs() < Self::MIN_POSITIVE { Self::ZERO } else { self }
    }

    /// The smaller of two; NaN if `self` is NaN.
    #[inline(always)]
    fn at_most(self, bound: Self) -> Self {
        if self > bound { bound } else { self }
    }
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const EPSILON: Self = f32::EPSILON;
    const MIN_POSITIVE: Self = f32::MIN_POSITIVE;
    const NAME: &'static str = "f32";
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn exp(self) -> Self {
        libm::expf(self)
    }
    fn exp_m1(self) -> Self {
        libm::expm1f(self)
    }
    fn ln(self) -> Self {
        libm::logf(self)
    }
    fn tanh(self) -> Self {
        libm::tanhf(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }
    fn as_f32(numbers: &[Self]) -> Option<&[f32]> {
        Some(numbers)
    }
    fn as_f32_mut(numbers: &mut [Self]) -> Option<&mut [f32]> {
        Some(numbers)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const EPSILON: Self = f64::EPSILON;
    const MIN_POSITIVE: Self = f64::MIN_POSITIVE;
    const NAME: &'static str = "f64";
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    fn exp(self) -> Self {
        libm::exp(self)
    }
    fn exp_m1(self) -> Self {
        libm::expm1(self)
    }
    fn ln(self) -> Self {
        libm::log(self)
    }
    fn tanh(self) -> Self {
        libm::tanh(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
    fn as_f32(_: &[Self]) -> Option<&[f32]> {
        None
    }
    fn as_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many f32 lie between two values of the same sign.
    fn ulps(a: f32, b: f32) -> u32 {
        a.to_bits().abs_diff(b.to_bits())
    }

    #[test]
    fn f32_transcendentals_are_within_two_ulp_of_f64() {
        for i in -8000..8000 {
            let x = i as f32 * 0.01 + 0.003;
            let wide = f64::from(x);
            for (name, ours, exact) in [
                ("exp", Real::exp(x), libm::exp(wide)),
                ("expm1", Real::exp_m1(x), libm::expm1(wide)),
                ("tanh", Real::tanh(x), libm::tanh(wide)),
                ("ln", Real::ln(x.abs()), libm::log(wide.abs())),
            ] {
                assert!(ulps(ours, exact as f32) <= 2, "{name}({x}) = {ours}, expected {exact}");
            }
        }
    }

    #[test]
    fn bounds_do_not_hide_nan() {
        assert!(f32::NAN.at_least(0.0).is_nan());
        assert!(f64::NAN.at_most(0.0).is_nan());
        assert_eq!((-1.0f64).at_least(0.0), 0.0);
        assert_eq!(2.0f32.at_most(1.0), 1.0);
    }
}
