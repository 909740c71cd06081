//! Whether bytes are all 0: one loop, compiled for each register width.

/// Words that are looked at between two decisions: 256 bytes, which 4 AVX-512 registers hold.
const STEP: usize = 32;

/// See [`super::is_zero`].
#[inline]
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let (steps, rest) = words.as_chunks::<STEP>();
    let any = |bits: u64, word: &[u8; 8]| bits | u64::from_ne_bytes(*word);
    steps.iter().all(|step| step.iter().fold(0, any) == 0)
        && rest.iter().fold(0, any) == 0
        && tail.iter().all(|&byte| byte == 0)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(super) fn is_zero_avx2(bytes: &[u8]) -> bool {
    is_zero(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl")]
pub(super) fn is_zero_avx512(bytes: &[u8]) -> bool {
    is_zero(bytes)
}
