//! Loops over pixels, compiled for what the processor has: the compiler makes the vectors.

#![allow(unsafe_code)]

/// Whether the processor has AVX2 and what came with it.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
}

/// Whether it has AVX-512 as servers have it.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Functions that are compiled also for AVX2 and AVX-512, which are used where the processor has them. What they call must be inlined into
/// them to be compiled for that.
macro_rules! widest {
    ($($(#[$meta:meta])* fn $name:ident<$($param:ident: $bound:path),*>($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[allow(unsafe_code)]
        fn $name<$($param: $bound),*>($($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn any<$($param: $bound),*>($($arg: $type),*) $(-> $out)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn avx2<$($param: $bound),*>($($arg: $type),*) $(-> $out)? {
                any($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512<$($param: $bound),*>($($arg: $type),*) $(-> $out)? {
                any($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            if $crate::isa::has_avx2() && $crate::isa::has_avx512() {
                // SAFETY: the processor has these instructions.
                return unsafe { avx512($($arg),*) };
            }
            #[cfg(target_arch = "x86_64")]
            if $crate::isa::has_avx2() {
                // SAFETY: the processor has these instructions.
                return unsafe { avx2($($arg),*) };
            }
            any($($arg),*)
        }
    )*};
}
pub(crate) use widest;
