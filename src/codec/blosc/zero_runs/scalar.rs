//! One word at a time, in plain Rust.

use super::{BLOCK, WORD, edges_with};

pub(super) fn edges(bytes: &[u8], edges: &mut [u32]) -> usize {
    edges_with(bytes, edges, nonzero)
}

fn nonzero(block: &[u8; BLOCK]) -> u64 {
    let words = block.as_chunks::<WORD>().0.iter().enumerate();
    words.fold(0, |mask, (i, word)| mask | u64::from(*word != [0; WORD]) << i)
}
