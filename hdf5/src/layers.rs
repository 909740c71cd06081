//! How chunks are numbered: all those of the same frames, a *layer*, from the first rows on; then those of the next frames.

use std::ops::Range;

/// The numbers of a dataset's chunks, and where these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layers {
    n_frames: u64,
    n_rows: u64,
    n_bricks: u64,
}

impl Layers {
    /// Of chunks with `n_rows` rows of `n_frames` frames, which have `height` rows.
    pub(super) fn new(n_frames: u64, n_rows: u64, height: u64) -> Self {
        let (n_frames, n_rows) = (n_frames.max(1), n_rows.max(1));
        Self { n_frames, n_rows, n_bricks: height.div_ceil(n_rows).max(1) }
    }

    /// Frames of a chunk.
    pub(super) fn n_frames(&self) -> u64 {
        self.n_frames
    }

    /// Chunks of a layer: those that have a part of one frame; 1 where chunks are of whole frames.
    #[must_use]
    pub fn n_bricks(&self) -> u64 {
        self.n_bricks
    }

    /// The layer that a chunk is of, and which of the layer's chunks it is.
    #[must_use]
    pub fn place(&self, chunk: u64) -> [u64; 2] {
        [chunk / self.n_bricks, chunk % self.n_bricks]
    }

    /// Where a chunk begins: frame, row, pixel. The largest number for what no dataset can have.
    #[must_use]
    pub fn offset(&self, chunk: u64) -> [u64; 3] {
        let [layer, brick] = self.place(chunk);
        [layer.saturating_mul(self.n_frames), brick.saturating_mul(self.n_rows), 0]
    }

    /// The frame after those of a chunk.
    pub(super) fn end(&self, chunk: u64) -> u64 {
        self.offset(chunk)[0].saturating_add(self.n_frames)
    }

    /// The chunks that have a part of a frame.
    #[must_use]
    pub fn chunks_of(&self, frame: u64) -> Range<u64> {
        let first = (frame / self.n_frames).saturating_mul(self.n_bricks);
        first..first.saturating_add(self.n_bricks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_where_their_frames_are_and_frames_have_the_chunks_that_begin_with_them() {
        for (n_frames, n_rows, height) in [(1, 10, 10), (4, 10, 10), (3, 4, 10), (16, 1, 7), (2, 5, 10)] {
            let layers = Layers::new(n_frames, n_rows, height);
            let mut chunk = 0;
            for first in (0..40).step_by(n_frames as usize) {
                for row in (0..height).step_by(n_rows as usize) {
                    assert_eq!(layers.offset(chunk), [first, row, 0], "{layers:?}: chunk {chunk}");
                    assert_eq!(layers.end(chunk), first + n_frames);
                    for frame in first..first + n_frames {
                        assert!(layers.chunks_of(frame).contains(&chunk), "{layers:?}: chunk {chunk}, frame {frame}");
                        assert_eq!(layers.chunks_of(frame).count() as u64, layers.n_bricks());
                    }
                    chunk += 1;
                }
            }
        }
    }

    #[test]
    fn numbers_and_shapes_of_no_dataset_are_far_away() {
        for layers in [Layers::new(0, 0, 0), Layers::new(u64::MAX, 1, u64::MAX), Layers::new(2, u64::MAX, 1)] {
            assert_eq!((layers.offset(u64::MAX)[0], layers.end(u64::MAX)), (u64::MAX, u64::MAX), "{layers:?}");
            let chunks = layers.chunks_of(u64::MAX);
            assert!(chunks.start <= chunks.end, "{layers:?}");
        }
    }
}
