//! The bright pixels of a chunk, out of its streams: no image is made.

use super::container::Container;
use super::list::List;
use crate::codec::range::Piece;
use crate::cpu::Level;
use crate::element::ByteOrder;
use crate::kernels::drle;
use crate::{Error, Result};

/// Hands on each run of bright pixels of all segments, after them the exceptions of the segment.
pub(super) fn visit(container: &Container<'_>, level: Level, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
    container.justified_len()?;
    let (header, mut piece, mut scratch) = (container.header(), Piece::default(), Vec::new());
    for index in 0..container.n_segments() {
        let found = container.segment(index)?;
        let start = 2 * found.pixels.start;
        found.verify()?;
        let n_pixels = found.pixels.len();
        let (stream, list) = container.open_segment(level, found.bytes, n_pixels, &mut scratch)?;
        // Tokens are little-endian.
        if header.element.order() == ByteOrder::Big || has_bright_exceptions(stream, &list, n_pixels)? {
            let decoded = start..2 * found.pixels.end;
            piece.visit(decoded, visit, |dst| container.decode_segment(level, index, dst))?;
            continue;
        }
        runs(stream, n_pixels, &mut |at, pixels| visit(start + at, pixels))?;
        if !list.is_empty() {
            list.each(n_pixels, &mut |at, pixels| visit(start + at, pixels))?;
        }
    }
    Ok(())
}

/// Whether an exception takes the place of a bright pixel: no encoder of darkchunk's writes that.
fn has_bright_exceptions(stream: &[u8], list: &List<'_>, n_pixels: usize) -> Result<bool> {
    if list.is_empty() {
        return Ok(false);
    }
    let (mut places, mut is_found) = (list.places(n_pixels)?.into_iter().peekable(), false);
    runs(stream, n_pixels, &mut |at, pixels| {
        let (first, end) = (at / 2, (at + pixels.len()) / 2);
        while places.next_if(|place| place.end <= first).is_some() {}
        is_found |= places.peek().is_some_and(|place| place.start < end);
    })?;
    Ok(is_found)
}

/// The runs of bright pixels of a stream, which must stand for `n_pixels`.
fn runs(stream: &[u8], n_pixels: usize, visit: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
    let n_bytes = 2 * n_pixels;
    let found = drle::count_pixels(stream)?.saturating_mul(2);
    if found != n_bytes as u64 {
        return Err(Error::WrongSize { expected: n_bytes, found: usize::try_from(found).unwrap_or(usize::MAX) });
    }
    let (tokens, mut pixel, mut first) = (stream.as_chunks::<2>().0, 0, None);
    let mut end_run = |first: &mut Option<usize>, token: usize, pixel: usize| {
        if let Some(first) = first.take() {
            visit(2 * (pixel - (token - first)), &stream[2 * first..2 * token]);
        }
    };
    for (index, token) in tokens.iter().enumerate() {
        match i16::from_le_bytes(*token) {
            1.. => {
                first.get_or_insert(index);
                pixel += 1;
            }
            dark => {
                end_run(&mut first, index, pixel);
                pixel += usize::from(dark.unsigned_abs()).max(1);
            }
        }
    }
    end_run(&mut first, tokens.len(), pixel);
    Ok(())
}
