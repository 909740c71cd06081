//! The LZ4 library after slices: every length is checked here, and nowhere else is the library called.

#![allow(unsafe_code)]

use crate::{Error, Result};
use std::ffi::c_int;

/// The longest block that LZ4 has.
pub(crate) const MAX_BLOCK_BYTES: usize = 0x7E00_0000;

/// Compresses with the default effort. `None` where the result does not fit `dst`, or `src` is longer than LZ4 takes.
pub(crate) fn encode(src: &[u8], dst: &mut [u8]) -> Option<usize> {
    let (src_bytes, capacity) = lengths(src, dst)?;
    // SAFETY: both pointers are valid for the lengths that go with them.
    let n = unsafe { lz4_sys::LZ4_compress_default(src.as_ptr().cast(), dst.as_mut_ptr().cast(), src_bytes, capacity) };
    usize::try_from(n).ok().filter(|n| *n > 0)
}

/// Compresses with high effort, `effort` 1 to 12.
pub(crate) fn encode_hc(src: &[u8], dst: &mut [u8], effort: i32) -> Option<usize> {
    let (src_bytes, capacity) = lengths(src, dst)?;
    let (from, to) = (src.as_ptr().cast(), dst.as_mut_ptr().cast());
    // SAFETY: both pointers are valid for the lengths that go with them.
    let n = unsafe { lz4_sys::LZ4_compress_HC(from, to, src_bytes, capacity, effort) };
    usize::try_from(n).ok().filter(|n| *n > 0)
}

/// Decodes a block into the whole of `dst`. An offset of 0, which means nothing, is taken for zeros: nothing that was in
/// `dst` before is in it afterwards.
pub(crate) fn decode(src: &[u8], dst: &mut [u8]) -> Result<()> {
    const DAMAGED: Error = Error::Corrupt { at: 0, what: "the LZ4 block cannot be decoded" };
    let src_bytes = c_int::try_from(src.len()).map_err(|_| DAMAGED)?;
    let capacity = c_int::try_from(dst.len()).map_err(|_| DAMAGED)?;
    let (from, to) = (src.as_ptr().cast(), dst.as_mut_ptr().cast());
    // SAFETY: both pointers are valid for the lengths that go with them; this decoder checks all it reads.
    let n = unsafe { lz4_sys::LZ4_decompress_safe(from, to, src_bytes, capacity) };
    match usize::try_from(n) {
        Ok(n) if n == dst.len() => Ok(()),
        _ => Err(DAMAGED),
    }
}

fn lengths(src: &[u8], dst: &[u8]) -> Option<(c_int, c_int)> {
    let src_bytes = c_int::try_from(src.len()).ok().filter(|n| *n as usize <= MAX_BLOCK_BYTES)?;
    Some((src_bytes, c_int::try_from(dst.len()).unwrap_or(c_int::MAX)))
}
