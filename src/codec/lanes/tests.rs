//! Every kind of lanes against the plain ones: every length, and every place of the last nonzero byte.

use super::{Lanes, N, Portable};

fn agree_with_portable<L: Lanes>(lanes: L) {
    let mut from: Vec<u8> = (1..=2 * N as u8).collect();
    for len in 0..from.len() {
        for n_bytes in 0..=len.min(N) {
            let (mut got, mut expected) = ([0xee; N], [0xdd; N]);
            let bytes = lanes.load(&from[..len], n_bytes);
            lanes.store(bytes, &mut got);
            Portable.store(Portable.load(&from[..len], n_bytes), &mut expected);
            assert_eq!(got, expected, "{n_bytes} of {len} bytes");
            assert_eq!(lanes.used(bytes), n_bytes, "{n_bytes} of {len} bytes");
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
    assert_eq!(lanes.used(lanes.load(&from, N)), 0);
    for last in 0..N {
        from.fill(0);
        from[last] = 0x80;
        assert_eq!(lanes.used(lanes.load(&from, N)), last + 1);
        assert_eq!(lanes.nonzero(lanes.load(&from, N)), 1 << last);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn all_agree_with_portable() {
    agree_with_portable(Portable);
    #[cfg(target_arch = "aarch64")]
    for &level in crate::cpu::Level::available() {
        super::Neon::new(level).into_iter().for_each(agree_with_portable);
    }
    #[cfg(target_arch = "x86_64")]
    for &level in crate::cpu::Level::available() {
        super::Sse41::new(level).into_iter().for_each(agree_with_portable);
        super::Avx2::new(level).into_iter().for_each(agree_with_portable);
        super::Avx512::new(level).into_iter().for_each(agree_with_portable);
    }
}
