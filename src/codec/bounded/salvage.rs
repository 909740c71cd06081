//! What can be had of a damaged chunk: every frame that its own checksum proves, and that does not need one that is lost.

use super::Bounded;
use crate::codec::Codec;
use crate::{Error, Exec, Result};
use std::ops::Range;

impl Bounded {
    /// Decodes each good frame of a chunk whose front is sound to its place in `dst`, which has the bytes of the dataset's chunk. Gives
    /// the numbers of the others, their bytes, and why.
    ///
    /// # Errors
    /// What is wrong with the front: without it there is no frame.
    pub(crate) fn recover(&self, stored: &[u8], dst: &mut [u8]) -> Result<Vec<(usize, Range<usize>, Error)>> {
        let chunk = self.open(stored)?;
        let (frame_bytes, n_frames) = (chunk.front.header.frame_bytes(), chunk.front.header.n_frames());
        let failed = chunk.decode_or_list(Exec::current(), 0..n_frames, dst, false)?;
        let lost = |(index, reason)| (index, index * frame_bytes..(index + 1) * frame_bytes, reason);
        Ok(failed.into_iter().map(lost).collect())
    }
}
