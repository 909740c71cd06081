//! A segment: its stream and, after it where there are any, the list of its exceptions.
//!
//! A stream has an even number of bytes. A segment with a list has an odd number: stream, list, a byte 0 where the list is odd, and the
//! list's length in one byte, or in four and the byte 255. `docs/format.md` has the details.

use super::list::{self, List};
use crate::cpu::Level;
use crate::kernels::drle::{self, Exceptions, MAX_RUN_PIXELS};
use crate::{Error, Result};
use std::ops::Range;

/// The last byte of a segment whose list's length stands in the four bytes before.
const LONG: u8 = u8::MAX;

/// The most bytes of a segment of `n_pixels`: all of them in the list.
pub(super) fn max_len(n_pixels: usize) -> usize {
    let list_len = 1 + list::number_len(n_pixels as u64) + n_pixels.saturating_mul(2);
    dark_len(n_pixels).saturating_add(tail_len(list_len))
}

/// Bytes of the stream of `n_pixels` dark pixels.
fn dark_len(n_pixels: usize) -> usize {
    2 * n_pixels.div_ceil(MAX_RUN_PIXELS)
}

/// Bytes of a list and what closes it.
fn tail_len(list_len: usize) -> usize {
    let length_len = if list_len < LONG.into() { 1 } else { 5 };
    list_len.saturating_add(list_len % 2 + length_len)
}

/// Writes the stream of `n_pixels` dark pixels to the front of `room` and returns its bytes.
pub(super) fn put_dark(room: &mut [u8], n_pixels: usize) -> Result<usize> {
    let (needed, available) = (dark_len(n_pixels), room.len());
    let room = room.get_mut(..needed).ok_or(Error::OutputTooSmall { needed, available })?;
    for (index, token) in room.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let run = (n_pixels - index * MAX_RUN_PIXELS).min(MAX_RUN_PIXELS);
        *token = if run == 1 { [0; 2] } else { (run as u16).wrapping_neg().to_le_bytes() };
    }
    Ok(needed)
}

/// Makes a segment of the stream of `n_pixels` in the first `n_bytes` of `room`, and returns its bytes.
#[inline]
pub(crate) fn close(room: &mut [u8], n_bytes: usize, n_pixels: usize, exceptions: &Exceptions) -> Result<usize> {
    if exceptions.is_empty() { Ok(n_bytes) } else { close_with(room, n_bytes, n_pixels, exceptions) }
}

#[cold]
fn close_with(room: &mut [u8], n_bytes: usize, n_pixels: usize, exceptions: &Exceptions) -> Result<usize> {
    let mut list = Vec::new();
    list::write(exceptions, &mut list);
    if n_bytes + tail_len(list.len()) <= max_len(n_pixels) {
        return put_list(room, n_bytes, &list);
    }
    let mut pixels = vec![0; 2 * n_pixels];
    drle::decode(Level::SCALAR, &room[..n_bytes], &mut pixels)?;
    List { chunk: &list, start: 0 }.apply(&mut pixels)?;
    list.clear();
    list.push(list::AS_THEY_ARE);
    list::put_number(&mut list, n_pixels as u64);
    list.extend_from_slice(&pixels);
    let n_bytes = put_dark(room, n_pixels)?;
    put_list(room, n_bytes, &list)
}

/// Appends the segment of a stream and a list to `out`.
pub(super) fn join(stream: &[u8], list: &List<'_>, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    out.extend_from_slice(stream);
    if !list.is_empty() {
        out.resize(out.len() + tail_len(list.bytes().len()), 0);
        put_list(&mut out[start..], stream.len(), list.bytes())?;
    }
    Ok(())
}

/// Puts a list after the first `n_bytes` of `room`.
fn put_list(room: &mut [u8], n_bytes: usize, list: &[u8]) -> Result<usize> {
    let (needed, available) = (n_bytes + tail_len(list.len()), room.len());
    let tail = room.get_mut(n_bytes..needed).ok_or(Error::OutputTooSmall { needed, available })?;
    tail.fill(0);
    tail[..list.len()].copy_from_slice(list);
    let length = (list.len() as u64).to_le_bytes();
    if let Some([long @ .., last]) = tail[list.len() + list.len() % 2..].first_chunk_mut::<5>() {
        long.copy_from_slice(&length[..4]);
        *last = LONG;
    } else {
        tail[tail.len() - 1] = length[0];
    }
    Ok(needed)
}

pub(super) fn corrupt_segment(at: usize) -> Error {
    Error::Corrupt { at, what: "a segment's stream stands for another number of pixels" }
}

/// Where in `chunk` the stream and the list of a segment are whose bytes are at `segment`.
pub(super) fn split(chunk: &[u8], segment: Range<usize>) -> Result<(Range<usize>, List<'_>)> {
    let Range { start, end } = segment;
    let bytes = &chunk[start..end];
    let empty = List { chunk: &chunk[..end], start: end };
    if bytes.len().is_multiple_of(2) {
        return Ok((segment, empty));
    }
    let corrupt = |what| Error::Corrupt { at: end - 1, what };
    let (length, length_len) = match bytes {
        [.., a, b, c, d, LONG] => (u32::from_le_bytes([*a, *b, *c, *d]), 5),
        [.., LONG] => return Err(corrupt("the length of its exceptions is cut short")),
        [.., length] => (u32::from(*length), 1),
        [] => (0, 0),
    };
    let is_long = length >= u32::from(LONG);
    if length == 0 || is_long != (length_len == 5) {
        return Err(corrupt("the length of its exceptions is not as it is written"));
    }
    let length = length as usize;
    let list_end = end - length_len - length % 2;
    let list_start = list_end.checked_sub(length).filter(|list_start| *list_start >= start);
    let list_start = list_start.ok_or(corrupt("its exceptions are longer than its segment"))?;
    if chunk[list_end..end - length_len].iter().any(|byte| *byte != 0) {
        return Err(corrupt("the byte after its exceptions is not 0"));
    }
    Ok((start..list_start, List { chunk: &chunk[..list_end], start: list_start }))
}
