//! Shuffling of one block, and back.
//!
//! Bytes after the last whole element stay as they are. Bit shuffle works on groups of 8 elements: a block whose whole
//! elements are not a multiple of 8 is not shuffled at all, although the header says that it is.

use super::header::Shuffle;
use crate::cpu::Level;
use crate::kernels::{bitshuffle, shuffle};

/// What is really done to a block of `n_bytes`.
pub(super) fn effective(kind: Shuffle, type_size: usize, n_bytes: usize) -> Shuffle {
    let n_elements = n_bytes / type_size;
    match kind {
        Shuffle::Byte if type_size > 1 && n_elements > 1 => Shuffle::Byte,
        Shuffle::Bit if n_elements > 0 && n_elements.is_multiple_of(8) => Shuffle::Bit,
        _ => Shuffle::None,
    }
}

/// Shuffles `src` into `dst`, which is as long. `kind` is [`effective`].
pub(super) fn apply(level: Level, kind: Shuffle, type_size: usize, src: &[u8], dst: &mut [u8]) {
    match kind {
        Shuffle::None => dst.copy_from_slice(src),
        Shuffle::Byte => shuffle::shuffle(level, type_size, src, dst),
        Shuffle::Bit => {
            let (src, dst) = whole_elements(type_size, src, dst);
            bitshuffle::transpose(level, type_size, src, dst);
        }
    }
}

/// The inverse of [`apply`].
pub(super) fn undo(level: Level, kind: Shuffle, type_size: usize, src: &[u8], dst: &mut [u8]) {
    match kind {
        Shuffle::None => dst.copy_from_slice(src),
        Shuffle::Byte => shuffle::unshuffle(level, type_size, src, dst),
        Shuffle::Bit => {
            let (src, dst) = whole_elements(type_size, src, dst);
            bitshuffle::inverse(level, type_size, src, dst);
        }
    }
}

/// Copies what follows the last whole element, and gives back the rest.
fn whole_elements<'a>(type_size: usize, src: &'a [u8], dst: &'a mut [u8]) -> (&'a [u8], &'a mut [u8]) {
    let n_bytes = src.len() - src.len() % type_size;
    let (src, src_rest) = src.split_at(n_bytes);
    let (dst, dst_rest) = dst.split_at_mut(n_bytes);
    dst_rest.copy_from_slice(src_rest);
    (src, dst)
}
