//! Frames cut into bricks: chunks of some of their rows, each encoded for itself.
//!
//! ```text
//!  frames of a layer      brick 0: rows 0 .. h of each
//!  (n, height, width) ──▶ brick 1: rows h .. 2 h
//!                         …        the last is filled up with zeros
//! ```

use darkchunk::chunk::{ChunkShape, Filter};
use darkchunk::{Exec, Result};

/// What cuts the frames of a layer into bricks, and encodes them.
#[derive(Debug)]
pub(super) struct Bricks {
    filter: Option<Filter>,
    exec: Exec,
    frame_bytes: usize,
    /// Bytes of a brick's part of a frame.
    part_bytes: usize,
    brick: Vec<u8>,
    encoded: Vec<u8>,
}

impl Bricks {
    /// For a layer of whole frames, and bricks of `shape`, whose elements have so many bytes. `None` where a brick has whole frames.
    pub(super) fn new(
        layer: &ChunkShape,
        shape: &ChunkShape,
        element_bytes: usize,
        filter: Option<&Filter>,
        exec: Exec,
    ) -> Option<Self> {
        if layer == shape {
            return None;
        }
        let part_bytes = shape.frame_pixels() * element_bytes;
        let brick_bytes = shape.n_frames * part_bytes;
        let encoded = filter.map_or(0, |filter| filter.max_encoded_len(brick_bytes));
        Some(Self {
            filter: filter.cloned(),
            exec,
            frame_bytes: layer.frame_pixels() * element_bytes,
            part_bytes,
            brick: vec![0; brick_bytes],
            encoded: vec![0; encoded],
        })
    }

    /// Hands over the bricks of a layer as they are to be stored, one after the other.
    pub(super) fn encode(&mut self, layer: &[u8], mut take: impl FnMut(&[u8])) -> Result<()> {
        for start in (0..self.frame_bytes).step_by(self.part_bytes) {
            self.cut(layer, start);
            match &self.filter {
                Some(filter) => {
                    let n_bytes = filter.encode(self.exec, &self.brick, &mut self.encoded)?;
                    take(&self.encoded[..n_bytes]);
                }
                None => take(&self.brick),
            }
        }
        Ok(())
    }

    /// Cuts the brick out whose rows begin at this byte of a frame.
    fn cut(&mut self, layer: &[u8], start: usize) {
        let end = self.frame_bytes.min(start + self.part_bytes);
        let frames = layer.chunks_exact(self.frame_bytes);
        for (part, frame) in self.brick.chunks_exact_mut(self.part_bytes).zip(frames) {
            let (rows, rest) = part.split_at_mut(end - start);
            rows.copy_from_slice(&frame[start..end]);
            rest.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bricks_have_their_rows_of_each_frame_and_the_last_is_filled_up() {
        let layer = ChunkShape { n_frames: 2, height: 5, width: 2 };
        let shape = ChunkShape { height: 2, ..layer };
        let pixels: Vec<u8> = (1..=20).collect();
        let mut bricks = Bricks::new(&layer, &shape, 1, None, Exec::current()).expect("not whole frames");
        for _ in 0..2 {
            let mut found = Vec::new();
            bricks.encode(&pixels, |brick| found.push(brick.to_vec())).expect("nothing to refuse");
            let expected = [[1, 2, 3, 4, 11, 12, 13, 14], [5, 6, 7, 8, 15, 16, 17, 18], [9, 10, 0, 0, 19, 20, 0, 0]];
            assert_eq!(found, expected);
        }
        assert!(Bricks::new(&layer, &layer, 1, None, Exec::current()).is_none());
    }
}
