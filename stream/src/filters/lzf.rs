//! h5py's LZF, filter 32000: bare blocks of LibLZF.
//!
//! A control byte below 32 is a run of literals, one more than it says. Otherwise its upper three bits are a length less two
//! (7: the next byte is added), and the lower five with the byte after it how far back the copy begins, less one.

use darkchunk::{Error, Result};

pub(super) const ID: u32 = 32000;

/// Bytes that one byte can stand for: 264 in three bytes.
pub(super) const MAX_RATIO: usize = 88;

/// Decodes to the front of `dst` and returns how many bytes that are.
pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let (mut at, mut n) = (0, 0);
    while at < src.len() {
        let control = usize::from(byte(src, &mut at)?);
        if control < 32 {
            let run = control + 1;
            let literals = src.get(at..at + run);
            let literals = literals.ok_or(Error::Truncated { at, needed: run, available: src.len() - at })?;
            room(dst, n, run)?.copy_from_slice(literals);
            (at, n) = (at + run, n + run);
            continue;
        }
        let begin = at - 1;
        let long = if control >> 5 == 7 { usize::from(byte(src, &mut at)?) } else { 0 };
        let len = (control >> 5) + long + 2;
        let back = ((control & 31) << 8 | usize::from(byte(src, &mut at)?)) + 1;
        let from = n.checked_sub(back).ok_or(Error::Corrupt { at: begin, what: "a copy begins before the chunk" })?;
        room(dst, n, len)?;
        copy(dst, from, n, len);
        n += len;
    }
    Ok(n)
}

fn byte(src: &[u8], at: &mut usize) -> Result<u8> {
    let byte = src.get(*at).ok_or(Error::Truncated { at: *at, needed: 1, available: 0 })?;
    *at += 1;
    Ok(*byte)
}

fn room(dst: &mut [u8], n: usize, len: usize) -> Result<&mut [u8]> {
    let available = dst.len();
    dst.get_mut(n..n + len).ok_or(Error::OutputTooSmall { needed: n + len, available })
}

/// A copy may go on into what it has just written.
fn copy(dst: &mut [u8], from: usize, to: usize, len: usize) {
    if to - from >= len {
        dst.copy_within(from..from + len, to);
    } else {
        for i in 0..len {
            dst[to + i] = dst[from + i];
        }
    }
}
