//! What is known of a chunk, and what is wrong with it.

use crate::Error;
use std::ops::Range;

/// Something wrong with a chunk.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The codec's blocks or segments concerned, counted from 0; several where they follow each other and have the same kind of
    /// fault, of which the first one's is the [`reason`](Self::reason). Empty where it is the chunk as a whole: its header, its length,
    /// its checksum, or a format of one piece.
    pub blocks: Range<usize>,
    /// The bytes of the decoded chunk that are lost by it. Empty where all of them could be had nevertheless. After a shuffle,
    /// different faults may cost the same bytes.
    pub lost: Range<usize>,
    /// The bytes of the decoded chunk that are there but may be wrong: they decode, a checksum over them does not match, and nothing
    /// says which of them are meant. Empty where there are none.
    pub doubtful: Range<usize>,
    /// What is wrong.
    pub reason: Error,
}

impl Damage {
    pub(super) fn new(blocks: Range<usize>, lost: Range<usize>, reason: Error) -> Self {
        Self { blocks, lost, doubtful: 0..0, reason }
    }

    /// All of a chunk of `n_bytes` is lost.
    pub(super) fn everything(n_bytes: usize, reason: Error) -> Self {
        Self::new(0..0, 0..n_bytes, reason)
    }

    /// The chunk has a fault that costs nothing.
    pub(super) fn harmless(reason: Error) -> Self {
        Self::new(0..0, 0..0, reason)
    }

    /// All of a chunk of `n_bytes` decodes, and some of it may be wrong.
    pub(super) fn doubt(n_bytes: usize, reason: Error) -> Self {
        Self { doubtful: 0..n_bytes, ..Self::harmless(reason) }
    }
}

/// Adds a fault; what follows another one of the same kind belongs to it.
pub(super) fn push(damage: &mut Vec<Damage>, next: Damage) {
    let is_same = |a: &Error, b: &Error| std::mem::discriminant(a) == std::mem::discriminant(b);
    let is_proof = matches!(next.reason, Error::Checksum { .. });
    let last = damage.last_mut().filter(|last| {
        let follows = last.blocks.end == next.blocks.start && last.lost.end == next.lost.start;
        follows && !is_proof && !last.lost.is_empty() && !next.lost.is_empty() && is_same(&last.reason, &next.reason)
    });
    match last {
        Some(last) => (last.blocks.end, last.lost.end) = (next.blocks.end, next.lost.end),
        None => damage.push(next),
    }
}

/// Whether no byte of a chunk of `n_bytes` is left.
pub(super) fn lose_everything(damage: &[Damage], n_bytes: usize) -> bool {
    let mut lost: Vec<&Range<usize>> = damage.iter().map(|damage| &damage.lost).collect();
    lost.sort_unstable_by_key(|lost| lost.start);
    let covered = lost.iter().try_fold(0, |end, lost| (lost.start <= end).then_some(end.max(lost.end)));
    covered == Some(n_bytes)
}

/// What is known of a stored chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was written: a checksum proves that.
    Intact,
    /// It decodes to the right size. It has no checksum.
    Decodes,
    /// It has faults. Never empty.
    Damaged(Vec<Damage>),
    /// A filter is not known here, and no checksum was reached: the error says which. Nothing was decoded.
    NotExamined(Error),
}

impl Verdict {
    /// The faults.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        match self {
            Self::Damaged(damage) => damage,
            Self::Intact | Self::Decodes | Self::NotExamined(_) => &[],
        }
    }
}
