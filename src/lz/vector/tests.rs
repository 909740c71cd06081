//! Every kind of lanes against the plain ones: every length, and every place of the last nonzero byte.

use super::matches::{self, SLACK_BYTES, fits};
use super::portable::Portable;
use super::{Lanes, N};

fn agree_with_portable<L: Lanes>(lanes: L) {
    let mut from: Vec<u8> = (1..=2 * N as u8).collect();
    for len in 0..from.len() {
        for n_bytes in 0..=len.min(N) {
            let (mut got, mut expected) = ([0xee; N], [0xdd; N]);
            let bytes = lanes.load(&from[..len], n_bytes);
            lanes.store(bytes, &mut got);
            Portable.store(Portable.load(&from[..len], n_bytes), &mut expected);
            assert_eq!(got, expected, "{n_bytes} of {len} bytes");
            assert_eq!(u64::from(lanes.nonzero(bytes)), (1 << n_bytes) - 1, "{n_bytes} of {len} bytes");
        }
    }
    for period in 1..from.len() {
        for (n_bytes, len) in (0..=N).flat_map(|n_bytes| [(n_bytes, period), (n_bytes, 2 * N)]) {
            let mut got = [0xee; N];
            lanes.store(lanes.load_periodic(&from[..len], period, n_bytes), &mut got);
            let expected: [u8; N] = std::array::from_fn(|i| if i < n_bytes { from[i % period] } else { 0 });
            assert_eq!(got, expected, "{n_bytes} bytes of period {period}");
        }
    }
    for period in 1..=N {
        let mut got = [0xee; N];
        lanes.store(lanes.repeat(from.first_chunk().expect("it is longer"), period), &mut got);
        assert_eq!(got, std::array::from_fn(|i| from[i % period]), "period {period}");
    }
    let same: [u8; N] = std::array::from_fn(|i| i as u8);
    assert_eq!(lanes.differ(&same, &same), 0);
    for i in 0..N {
        let mut other = same;
        other[i] ^= 0x40;
        assert_eq!(lanes.differ(&same, &other), 1 << i);
    }
    from.fill(0);
    for last in 0..N {
        from.fill(0);
        from[last] = 0x80;
        assert_eq!(lanes.nonzero(lanes.load(&from, N)), 1 << last);
    }
}

fn words_are_found<L: Lanes>(lanes: L) {
    assert_eq!(lanes.nonzero_words(&[0; 512]), 0);
    for at in 0..512 {
        let mut words = [0; 512];
        words[at] = 0x80;
        assert_eq!(lanes.nonzero_words(&words), 1 << (at / 8), "byte {at}");
        words[511] = 1;
        assert_eq!(lanes.nonzero_words(&words), 1 << (at / 8) | 1 << 63, "byte {at}");
    }
}

/// Calls a function of any kind of lanes with each that this processor has.
macro_rules! with_every_kind {
    ($test:ident) => {
        $test(Portable);
        #[cfg(target_arch = "aarch64")]
        for &level in crate::cpu::Level::available() {
            super::neon::Neon::new(level).into_iter().for_each($test);
        }
        #[cfg(target_arch = "x86_64")]
        for &level in crate::cpu::Level::available() {
            super::sse41::Sse41::new(level).into_iter().for_each($test);
            super::avx2::Avx2::new(level).into_iter().for_each($test);
            super::avx512::Avx512::new(level).into_iter().for_each($test);
        }
    };
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn all_agree_with_portable() {
    with_every_kind!(agree_with_portable);
}

#[test]
fn words_that_are_not_zero_are_found() {
    with_every_kind!(words_are_found);
}

/// What a match is, byte by byte.
fn copied(before: &[u8], offset: usize, len: usize) -> Vec<u8> {
    let mut bytes = before.to_vec();
    (0..len).for_each(|_| bytes.push(bytes[bytes.len() - offset]));
    bytes
}

/// In the middle, from the first byte on, and where nothing but the slack is after it.
#[cfg(all(unix, not(miri)))]
fn matches_are_copied<L: Lanes>(lanes: L, copy: impl Fn(L, &mut [u8], usize, usize, usize)) {
    let mut memory = crate::kernels::guarded::Guarded::new(1 << 12);
    for offset in (1..=2 * N + 2).chain([100, 200]) {
        for len in (1..=4 * N + 1).chain([300, 700]) {
            for (n_before, n_after, at_end) in [(offset, 0, true), (offset, 0, false), (offset + 7, 100, true)] {
                let before: Vec<u8> = (0..n_before).map(|i| (i * 7 + 1) as u8).collect();
                let expected = copied(&before, offset, len);
                let dst = memory.bytes(expected.len() + SLACK_BYTES + n_after, at_end);
                dst.fill(0x5a);
                dst[..n_before].copy_from_slice(&before);
                assert!(fits(dst, n_before, offset, len));
                copy(lanes, dst, n_before, offset, len);
                let about = format!("{len} bytes from {offset} before {n_before}, {n_after} after");
                assert_eq!(dst[..expected.len()], expected, "{about}");
                assert!(dst[expected.len() + SLACK_BYTES..].iter().all(|byte| *byte == 0x5a), "{about}");
            }
        }
    }
}

#[cfg(all(unix, not(miri)))]
#[test]
fn matches_of_every_offset_and_length_are_copied_within_their_slack() {
    fn both<L: Lanes>(lanes: L) {
        matches_are_copied(lanes, L::copy_match);
        matches_are_copied(lanes, matches::copy);
    }
    with_every_kind!(both);
}

#[test]
fn a_match_fits_where_its_bytes_and_the_slack_are_there() {
    let dst = [0; SLACK_BYTES + 100];
    assert!(fits(&dst, 10, 10, 90) && fits(&dst, 100, 1, 0));
    assert!(!fits(&dst, 10, 10, 91) && !fits(&dst, 10, 11, 1) && !fits(&dst, 10, 0, 1));
    assert!(!fits(&dst, 0, 1, 1) && !fits(&dst, 101, 1, 0) && !fits(&dst, usize::MAX, 1, 0));
    assert!(!fits(&dst, 10, 1, usize::MAX) && !fits(&dst, 10, usize::MAX, 1) && !fits(&[0; SLACK_BYTES - 1], 1, 1, 0));
}

#[test]
fn a_match_that_does_not_fit_is_refused() {
    fn refused<L: Lanes>(lanes: L) {
        for (to, offset, len) in [(90, 1, 200), (150, 1, 20), (10, 200, 5), (164, 1, 1)] {
            let copy = || lanes.copy_match(&mut [0; SLACK_BYTES + 100], to, offset, len);
            let copied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(copy));
            assert!(copied.is_err(), "{len} bytes from {offset} before {to}");
        }
    }
    for &level in crate::cpu::Level::available() {
        struct Refused;
        impl super::dispatch::Work for Refused {
            type Output = ();
            fn run<L: Lanes>(self, lanes: L) {
                refused(lanes);
            }
        }
        super::dispatch::with_lanes(level, Refused);
    }
}
