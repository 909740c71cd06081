//! Where the sentinels are: pixels that are no measurements, and are not coded.
//!
//! For each sentinel the chunk has a set of pixels, stored as the pixels at which a row differs from the one above it; a detector's
//! gaps cost little. A frame may have another set of its own: the pixels that differ from the chunk's. A set is the number of
//! bytes, and for each pixel, in order, the number of pixels since the one before. Both are read row by row.

use super::numbers;
use crate::codec::cursor::Cursor;
use crate::{Error, Result};

/// Sentinels of a chunk at most: one bit each.
pub(super) const MAX_SENTINELS: usize = 8;

/// A stored set of pixels, read in order.
#[derive(Debug, Clone)]
struct Marks<'a> {
    cursor: Cursor<'a>,
    /// The next pixel of the set; none after the last.
    next: Option<u64>,
}

impl<'a> Marks<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut marks = Self { cursor: Cursor::new(bytes), next: None };
        marks.advance(0)?;
        Ok(marks)
    }

    /// The next one is at least at `from`.
    fn advance(&mut self, from: u64) -> Result<()> {
        self.next = None;
        if !self.cursor.rest().is_empty() {
            let gap = u64::from(numbers::get_u32(&mut self.cursor)?);
            self.next = Some(from + gap);
        }
        Ok(())
    }

    /// Changes the `bit` of the pixels of the set that are in the row that begins at pixel `start`.
    fn apply(&mut self, start: u64, row: &mut [u8], bit: u8) -> Result<bool> {
        let mut has_changed = false;
        while let Some(next) = self.next {
            let Some(pixel) = row.get_mut((next - start) as usize) else { break };
            *pixel ^= bit;
            has_changed = true;
            self.advance(next + 1)?;
        }
        Ok(has_changed)
    }
}

/// The sets of a frame, row by row.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    chunk: Vec<Marks<'a>>,
    frame: Vec<Marks<'a>>,
    /// The row by the chunk's sets alone.
    above: Vec<u8>,
    row: Vec<u8>,
    start: u64,
    has_any: bool,
}

impl<'a> Rows<'a> {
    /// The chunk's sets, and what a frame changes of them.
    pub(super) fn new(chunk: &[&'a [u8]], frame: &[&'a [u8]], width: usize) -> Result<Self> {
        let marks = |sets: &[&'a [u8]]| sets.iter().map(|set| Marks::new(set)).collect::<Result<Vec<_>>>();
        let n = if chunk.is_empty() { 0 } else { width };
        let (chunk, frame) = (marks(chunk)?, marks(frame)?);
        Ok(Self { chunk, frame, above: vec![0; n], row: vec![0; n], start: 0, has_any: false })
    }

    /// The next row: for each pixel 0, or a bit for the sentinel that it is. `None` where no pixel is one.
    pub(super) fn next(&mut self, width: usize) -> Result<Option<&[u8]>> {
        if self.chunk.is_empty() {
            return Ok(None);
        }
        let mut has_changed = false;
        for (index, marks) in self.chunk.iter_mut().enumerate() {
            has_changed |= marks.apply(self.start, &mut self.above, 1 << index)?;
        }
        if has_changed {
            self.has_any = self.above.iter().any(|pixel| *pixel != 0);
        }
        let mut is_other = false;
        if !self.frame.is_empty() {
            self.row.copy_from_slice(&self.above);
            for (index, marks) in self.frame.iter_mut().enumerate() {
                is_other |= marks.apply(self.start, &mut self.row, 1 << index)?;
            }
        }
        self.start += width as u64;
        let row = if is_other { &self.row } else { &self.above };
        let has_any = if is_other { row.iter().any(|pixel| *pixel != 0) } else { self.has_any };
        Ok(has_any.then_some(&row[..]))
    }

    /// Whether all pixels of the sets were in the frame.
    pub(super) fn finish(&self) -> Result<()> {
        if self.chunk.iter().chain(&self.frame).all(|marks| marks.next.is_none()) {
            return Ok(());
        }
        Err(Error::Corrupt { at: 0, what: "a masked pixel is not in the frame" })
    }
}

/// Stores the sets of the first `n` sentinels, of pixels of which `is_marked` says for each pixel and bit.
fn put(out: &mut Vec<u8>, n: usize, n_pixels: usize, difference: impl Fn(usize) -> u8) {
    let mut sets = vec![(Vec::new(), 0_usize); n];
    for pixel in 0..n_pixels {
        let mut bits = difference(pixel);
        while bits != 0 {
            if let Some((set, next)) = sets.get_mut(bits.trailing_zeros() as usize) {
                numbers::put(set, (pixel - *next) as u64);
                *next = pixel + 1;
            }
            bits &= bits - 1;
        }
    }
    sets.iter().for_each(|(set, _)| numbers::put_bytes(out, set));
}

/// The chunk's sets, from those of a frame.
pub(super) fn put_chunk(out: &mut Vec<u8>, n: usize, mask: &[u8], width: usize) {
    put(out, n, mask.len(), |pixel| mask[pixel] ^ pixel.checked_sub(width).map_or(0, |above| mask[above]));
}

/// The sets that [`put_chunk`] stored.
pub(super) fn split(bytes: &[u8], n: usize) -> Result<Vec<&[u8]>> {
    let mut cursor = Cursor::new(bytes);
    (0..n).map(|_| numbers::get_bytes(&mut cursor)).collect()
}

/// What a frame's sets change of the chunk's.
pub(super) fn put_frame(out: &mut Vec<u8>, n: usize, chunk: &[u8], mask: &[u8]) {
    let at = |mask: &[u8], pixel: usize| mask.get(pixel).copied().unwrap_or(0);
    put(out, n, mask.len().max(chunk.len()), |pixel| at(mask, pixel) ^ at(chunk, pixel));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_come_back_row_by_row() {
        let (width, height) = (7, 5);
        let first: Vec<u8> =
            (0..width * height).map(|at| if at % width == 3 { 1 } else { u8::from(at == 12) << 1 }).collect();
        let mut second = first.clone();
        (second[3], second[34], second[20]) = (0, 2, 1);
        let (mut chunk, mut frame) = (Vec::new(), Vec::new());
        put_chunk(&mut chunk, 2, &first, width);
        put_frame(&mut frame, 2, &first, &second);
        let sets = |bytes| {
            let mut cursor = Cursor::new(bytes);
            [numbers::get_bytes(&mut cursor).unwrap(), numbers::get_bytes(&mut cursor).unwrap()]
        };
        for (frame, expected) in [(&[][..], first), (&sets(&frame), second)] {
            let mut rows = Rows::new(&sets(&chunk), frame, width).unwrap();
            for row in expected.chunks(width) {
                let found = rows.next(width).unwrap().map_or(vec![0; width], <[u8]>::to_vec);
                assert_eq!(found, row);
            }
            assert_eq!(rows.finish(), Ok(()));
        }
        let mut rows = Rows::new(&sets(&chunk), &[], width).unwrap();
        rows.next(width).unwrap();
        assert!(rows.finish().is_err());
    }
}
