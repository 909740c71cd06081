//! What the machine could do at best: read a frame from memory, fill one, copy one.
//!
//! The read limit is the best of several plain loops (with and without software prefetch, one and two streams): a
//! kernel is held against what memory gives, not against a loop that was badly chosen.

/// A loop that reads a whole frame and does nothing else with it.
#[derive(Debug, Clone, Copy)]
pub struct ReadLoop {
    /// What it is, for the table.
    pub name: &'static str,
    /// Ors all bytes together.
    pub run: fn(&[u8]) -> u64,
}

/// Every read loop that this processor can run.
#[must_use]
pub fn read_loops() -> Vec<ReadLoop> {
    let mut loops = vec![ReadLoop { name: "plain", run: or_all::<0> }];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") {
            loops.push(ReadLoop { name: "avx2", run: x86::avx2::<0> });
            loops.push(ReadLoop { name: "avx2, prefetch 2 KiB", run: x86::avx2::<2048> });
        }
        if is_x86_feature_detected!("avx512f") {
            loops.push(ReadLoop { name: "avx512, prefetch 1 KiB", run: x86::avx512::<1024> });
            loops.push(ReadLoop { name: "avx512, prefetch 4 KiB", run: x86::avx512::<4096> });
        }
    }
    loops
}

const LINE: usize = 64;
/// Four cache lines a turn: enough independent accumulators to be limited by loads only.
const TURN: usize = 4 * LINE;

#[inline(always)]
fn or_all<const AHEAD: usize>(frame: &[u8]) -> u64 {
    let (turns, tail) = frame.as_chunks::<TURN>();
    let mut sums = [0u64; TURN / 8];
    for turn in turns {
        for line in 0..if AHEAD > 0 { TURN / LINE } else { 0 } {
            prefetch(turn.as_ptr().wrapping_add(AHEAD + line * LINE));
        }
        for (sum, word) in sums.iter_mut().zip(turn.as_chunks::<8>().0) {
            *sum |= u64::from_le_bytes(*word);
        }
    }
    sums.iter().fold(0, |all, sum| all | sum) | tail.iter().fold(0, |all, byte| all | u64::from(*byte))
}

#[inline(always)]
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint: it may be given any address and never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    pub(super) fn avx2<const AHEAD: usize>(frame: &[u8]) -> u64 {
        assert!(is_x86_feature_detected!("avx2"));
        #[target_feature(enable = "avx2")]
        fn run<const AHEAD: usize>(frame: &[u8]) -> u64 {
            super::or_all::<AHEAD>(frame)
        }
        // SAFETY: AVX2 was detected above.
        unsafe { run::<AHEAD>(frame) }
    }

    pub(super) fn avx512<const AHEAD: usize>(frame: &[u8]) -> u64 {
        assert!(is_x86_feature_detected!("avx512f"));
        #[target_feature(enable = "avx512f")]
        fn run<const AHEAD: usize>(frame: &[u8]) -> u64 {
            super::or_all::<AHEAD>(frame)
        }
        // SAFETY: AVX-512F was detected above.
        unsafe { run::<AHEAD>(frame) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loop_reads_every_byte() {
        for position in 0..1000 {
            let mut frame = vec![0u8; 1000];
            frame[position] = 4;
            for read in read_loops() {
                assert_ne!((read.run)(&frame), 0, "{} missed byte {position}", read.name);
            }
        }
    }
}
