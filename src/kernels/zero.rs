//! Whether bytes are all 0: one loop, compiled for each register width.

#[cfg(target_arch = "x86_64")]
use crate::cpu::Isa;
use crate::cpu::Level;

/// Words that are looked at between two decisions: 256 bytes, which 4 AVX-512 registers hold.
const STEP: usize = 32;

/// Whether all of `bytes` are 0.
#[must_use]
pub(crate) fn is_zero(level: Level, bytes: &[u8]) -> bool {
    match level.isa() {
        // SAFETY: the level proves that the processor has these instructions.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(bytes) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(bytes) },
        _ => plain(bytes),
    }
}

#[inline]
fn plain(bytes: &[u8]) -> bool {
    let (words, tail) = bytes.as_chunks::<8>();
    let (steps, rest) = words.as_chunks::<STEP>();
    let any = |bits: u64, word: &[u8; 8]| bits | u64::from_ne_bytes(*word);
    steps.iter().all(|step| step.iter().fold(0, any) == 0)
        && rest.iter().fold(0, any) == 0
        && tail.iter().all(|&byte| byte == 0)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(bytes: &[u8]) -> bool {
    plain(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vl")]
fn avx512(bytes: &[u8]) -> bool {
    plain(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_nonzero_byte_is_found_at_every_length() {
        for &level in Level::available() {
            for len in (0..70).chain([255, 256, 257, 600]) {
                let mut bytes = vec![0; len];
                assert!(is_zero(level, &bytes), "{level:?} {len}");
                for at in 0..len {
                    bytes[at] = 0x80;
                    assert!(!is_zero(level, &bytes), "{level:?} byte {at} of {len}");
                    bytes[at] = 0;
                }
            }
        }
    }
}
