//! Scalar against the definition; every level against scalar.

use super::*;

fn counted(n_bytes: usize) -> Vec<u8> {
    (0..n_bytes).map(|i| (i * 7 + i / 256) as u8).collect()
}

#[test]
fn three_elements_and_a_rest_are_laid_out_as_said() {
    let mut dst = [0; 8];
    shuffle(Level::SCALAR, 2, &[10, 11, 20, 21, 30, 31, 99], &mut dst[..7]);
    assert_eq!(dst, [10, 20, 30, 11, 21, 31, 99, 0]);
    let mut back = [0; 7];
    unshuffle(Level::SCALAR, 2, &dst[..7], &mut back);
    assert_eq!(back, [10, 11, 20, 21, 30, 31, 99]);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn every_level_gives_back_what_it_was_given() {
    for &level in Level::available() {
        for element_size in [1, 2, 3, 4, 5, 8, 12, 16, 17, 300] {
            for n_bytes in 0..700 {
                let src = counted(n_bytes);
                let mut expected = vec![0xA5; n_bytes];
                shuffle(Level::SCALAR, element_size, &src, &mut expected);
                let mut dst = vec![0x5A; n_bytes];
                shuffle(level, element_size, &src, &mut dst);
                assert_eq!(dst, expected, "{level:?} element_size={element_size} n_bytes={n_bytes}");
                dst.fill(0x5A);
                unshuffle(level, element_size, &expected, &mut dst);
                assert_eq!(dst, src, "{level:?} element_size={element_size} n_bytes={n_bytes}");
            }
        }
    }
}

#[cfg(all(unix, not(miri)))]
#[test]
fn no_kernel_touches_a_byte_outside() {
    use crate::kernels::guarded::Guarded;
    let (mut from, mut to) = (Guarded::new(1 << 16), Guarded::new(1 << 16));
    for (&level, at_end) in Level::available().iter().flat_map(|level| [(level, false), (level, true)]) {
        for element_size in [2, 3, 4, 5, 8, 11, 16, 17, 33] {
            for n_elements in [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100] {
                let elements = counted(n_elements * element_size + 1);
                let src = from.bytes(elements.len(), at_end);
                src.copy_from_slice(&elements);
                let dst = to.bytes(elements.len(), at_end);
                shuffle(level, element_size, src, dst);
                unshuffle(level, element_size, dst, src);
                assert!(src == elements, "{level:?} element_size={element_size} n_elements={n_elements}");
            }
        }
    }
}

#[cfg(all(unix, not(miri)))]
#[test]
fn marked_elements_are_put_together_and_no_byte_outside_is_touched() {
    use crate::kernels::guarded::Guarded;
    let (mut from, mut to) = (Guarded::new(1 << 18), Guarded::new(1 << 18));
    for (&level, at_end) in Level::available().iter().flat_map(|level| [(level, false), (level, true)]) {
        for element_size in [1, 2, 3, 4, 5, 8, 11, 16, 17, 33] {
            for (n_marks, pattern) in [2usize, 4, 18, 64, 66, 130]
                .into_iter()
                .flat_map(|n| [0, 1, 2, 5, 0x8000_0000_0000_8421u64, !0].map(|p| (n, p)))
            {
                let is_marked = |group: usize| group < n_marks && pattern >> (group % 64) & 1 == 1;
                let mut marks = vec![0u64; n_marks.div_ceil(64)];
                (0..n_marks).filter(|group| is_marked(*group)).for_each(|group| marks[group / 64] |= 1 << (group % 64));
                // As it is used: what is not marked is zero, before and after.
                let mut elements = counted(n_marks * GROUP_ELEMENTS * element_size);
                let groups = elements.chunks_mut(GROUP_ELEMENTS * element_size).enumerate();
                groups.filter(|(i, _)| !is_marked(*i)).for_each(|(_, group)| group.fill(0));
                let src = from.bytes(elements.len(), at_end);
                shuffle(Level::SCALAR, element_size, &elements, src);
                let dst = to.bytes(elements.len(), at_end);
                dst.fill(0);
                unshuffle_marked(level, element_size, &marks, src, dst);
                assert!(dst == elements, "{level:?} element_size={element_size} marks={marks:?}");
                // And nothing but zeros is written where neither of two is marked.
                dst.fill(0x5a);
                unshuffle_marked(level, element_size, &marks, src, dst);
                let pairs = dst.chunks(2 * GROUP_ELEMENTS * element_size).enumerate();
                let mut unmarked = pairs.filter(|(i, _)| !is_marked(2 * i) && !is_marked(2 * i + 1));
                assert!(
                    unmarked.all(|(_, group)| group.iter().all(|byte| matches!(byte, 0 | 0x5a))),
                    "{level:?} {element_size}"
                );
            }
        }
    }
}
