//! BloscLZ, the compressor that Blosc brings along: an LZ77 format of the FastLZ family.
//!
//! A stream is a row of operations, each led by a control byte:
//!
//! ```text
//! 000ccccc                      c + 1 literal bytes follow (1..=32)
//! lllddddd [255 …] [n]  dddddddd   copy l + 2 bytes from the distance d + 1 (13 bits, l = 1..=6)
//! 111ddddd 255 … n  dddddddd       l = 7 + 255 + … + n: each byte of 255 says that another follows
//! lll11111 [… n] 255 DDDDDDDD DDDDDDDD   far: the distance is D + 8192 (16 bits, high byte first)
//! ```
//!
//! The first operation is always literals; the upper three bits of its control byte are a mark (1) that readers ignore.
//! The last operation of an encoded stream is literals too, because the reference decoder insists on it. Everything is
//! written in terms of checked slices: an encoder that runs out of room and a decoder that meets nonsense give `None`.

#![forbid(unsafe_code)]

use super::byte_planes::{Format, Search};
use crate::cpu::Level;

/// Literals of one operation.
const MAX_LITERALS: usize = 32;
/// The first distance that needs the far form.
const FAR: usize = 8192;
/// Shortest copies worth an operation, near and far.
const MIN_NEAR: usize = 5;
const MIN_FAR: usize = 8;
/// The mark in the first control byte.
const MARK: u8 = 1 << 5;

/// Encodes `src` to the front of `dst` and returns the bytes written; `None` where they do not fit.
pub(crate) fn encode(search: &mut Search, level: Level, stride: usize, src: &[u8], dst: &mut [u8]) -> Option<usize> {
    let mut out = Output { dst, at: 0 };
    search.encode(level, stride, src, &mut out)?;
    out.dst[0] |= MARK;
    Some(out.at)
}

struct Output<'a> {
    dst: &'a mut [u8],
    at: usize,
}

impl Format for Output<'_> {
    const END_LITERALS: usize = 1;
    const MAX_DISTANCE: usize = FAR + 0xFFFF;

    #[inline(always)]
    fn is_worth(len: usize, distance: usize) -> bool {
        len >= if distance < FAR { MIN_NEAR } else { MIN_FAR }
    }

    #[inline(always)]
    fn sequence(&mut self, src: &[u8], start: usize, end: usize, distance: usize, len: usize) -> Option<()> {
        self.literals(&src[start..end])?;
        self.copy(len, distance)
    }

    fn end(&mut self, src: &[u8], start: usize) -> Option<()> {
        self.literals(&src[start..])
    }
}

impl Output<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        self.dst.get_mut(self.at..self.at + bytes.len())?.copy_from_slice(bytes);
        self.at += bytes.len();
        Some(())
    }

    fn literals(&mut self, bytes: &[u8]) -> Option<()> {
        for run in bytes.chunks(MAX_LITERALS) {
            self.put(&[run.len() as u8 - 1])?;
            self.put(run)?;
        }
        Some(())
    }

    fn copy(&mut self, len: usize, distance: usize) -> Option<()> {
        let is_far = distance >= FAR;
        let near = if is_far { 31 << 8 | 255 } else { distance - 1 };
        let (code, more) = if len < 9 { (len - 2, None) } else { (7, Some(len - 9)) };
        self.put(&[(code << 5 | near >> 8) as u8])?;
        if let Some(more) = more {
            let n_full = more / 255;
            self.dst.get_mut(self.at..self.at + n_full)?.fill(255);
            self.at += n_full;
            self.put(&[(more % 255) as u8])?;
        }
        self.put(&[near as u8])?;
        if is_far {
            self.put(&((distance - FAR) as u16).to_be_bytes())?;
        }
        Some(())
    }
}

/// Decodes `src` into the whole of `dst`.
pub(crate) fn decode(src: &[u8], dst: &mut [u8]) -> Option<()> {
    let mut input = Input { src };
    let mut at = 0;
    let mut control = input.byte()? & 31;
    loop {
        if control < 32 {
            let literals = input.take(usize::from(control) + 1)?;
            dst.get_mut(at..at + literals.len())?.copy_from_slice(literals);
            at += literals.len();
        } else {
            let (len, distance) = input.copy(control)?;
            if len > dst.len() - at {
                return None;
            }
            repeat(dst, at.checked_sub(distance)?, at, len);
            at += len;
        }
        match input.byte() {
            Some(byte) => control = byte,
            None => return (at == dst.len()).then_some(()),
        }
    }
}

struct Input<'a> {
    src: &'a [u8],
}

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.src.split_first()?;
        self.src = rest;
        Some(*first)
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.src.split_at_checked(n)?;
        self.src = rest;
        Some(taken)
    }

    /// The length and distance of the copy that `control` begins.
    fn copy(&mut self, control: u8) -> Option<(usize, usize)> {
        let mut len = usize::from(control >> 5) + 2;
        if len == 9 {
            loop {
                let more = self.byte()?;
                len += usize::from(more);
                if more != 255 {
                    break;
                }
            }
        }
        let near = usize::from(control & 31) << 8 | usize::from(self.byte()?);
        if near != FAR - 1 {
            return Some((len, near + 1));
        }
        let far = u16::from_be_bytes([self.byte()?, self.byte()?]);
        Some((len, FAR + usize::from(far)))
    }
}

/// Copies `len` bytes within `dst` from `from` to `to`, which lies after it; where they overlap, the bytes repeat.
fn repeat(dst: &mut [u8], from: usize, to: usize, len: usize) {
    let distance = to - from;
    if distance == 1 {
        let byte = dst[from];
        dst[to..to + len].fill(byte);
        return;
    }
    // What has been written doubles with each step.
    let mut done = 0;
    while done < len {
        let n = (len - done).min(distance + done);
        dst.copy_within(from..from + n, to + done);
        done += n;
    }
}
