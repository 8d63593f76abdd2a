//! Loops that are compiled once for every set of instructions.

/// Defines functions that take a [`crate::compute::Isa`] before their own arguments and do their work with its instructions.
/// They change no bit, for nothing is contracted or reordered.
///
/// What the body calls must be inlined into it, or is compiled for no set in particular: functions `#[inline(always)]`, and
/// closures that are small. The closures of `for_each`, `fold` and `from_fn` often are not; a loop is.
macro_rules! compiled {
    ($(
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident $(<$($generic:ident: $bound:path),+>)? ($($argument:ident: $type:ty),* $(,)?)
        $(-> $output:ty)? $body:block
    )+) => {$(
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "a loop has as many arrays as it has")]
        $visibility fn $name $(<$($generic: $bound),+>)? (isa: $crate::compute::Isa, $($argument: $type),*) $(-> $output)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, reason = "as above")]
            fn body $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $output)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx512 $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $output)? {
                    body$(::<$($generic),+>)?($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments, reason = "as above")]
                fn avx2 $(<$($generic: $bound),+>)? ($($argument: $type),*) $(-> $output)? {
                    body$(::<$($generic),+>)?($($argument),*)
                }
                match isa {
                    // SAFETY: a set of instructions is only chosen where the processor has it.
                    $crate::compute::Isa::Avx512 => return unsafe { avx512$(::<$($generic),+>)?($($argument),*) },
                    // SAFETY: the same.
                    $crate::compute::Isa::Avx2 => return unsafe { avx2$(::<$($generic),+>)?($($argument),*) },
                    $crate::compute::Isa::Portable => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            body$(::<$($generic),+>)?($($argument),*)
        }
    )+};
}
pub(super) use compiled;
