//! The marks of [`unshuffle_marked`](super::unshuffle_marked): one bit for each group of elements that are not all zero.

/// Elements that have one mark.
pub(crate) const GROUP_ELEMENTS: usize = 32;

/// Does `each` for the first element of every `GROUPS` groups, 1 or 2, of which one is marked.
#[inline(always)]
pub(super) fn for_each_marked<const GROUPS: usize>(marks: &[u64], mut each: impl FnMut(usize)) {
    const FIRSTS: u64 = u64::MAX / 3;
    for (i, word) in marks.iter().enumerate() {
        let mut word = if GROUPS == 2 { (word | word >> 1) & FIRSTS } else { *word };
        while word != 0 {
            each((64 * i + word.trailing_zeros() as usize) * GROUP_ELEMENTS);
            word &= word - 1;
        }
    }
}
