//! PyTables' LZO, filter 305: an LZO1X stream. Early versions put the Adler-32 of what it decodes to after it, and how many bytes that
//! are; the parameters do not tell, the stream's end does.

use darkchunk::{Error, Result};

pub(super) const ID: u32 = 305;

/// Bytes that one byte can stand for.
pub(super) const MAX_RATIO: usize = 255;

const TRAILER_BYTES: usize = 8;

/// Decodes to the front of `dst` and returns how many bytes that are.
pub(super) fn decode(src: &[u8], dst: &mut [u8]) -> Result<usize> {
    match lzokay::decompress::decompress(src, dst) {
        Err(lzokay::Error::InputNotConsumed) => with_trailer(src, dst),
        found => found.map_err(|error| name(error, src.len(), dst.len())),
    }
}

fn with_trailer(src: &[u8], dst: &mut [u8]) -> Result<usize> {
    let Some((bytes, trailer)) = src.split_last_chunk::<TRAILER_BYTES>() else {
        return Err(Error::Truncated { at: 0, needed: TRAILER_BYTES, available: src.len() });
    };
    let [a, b, c, d, size @ ..] = *trailer;
    let (stored, expected) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(size) as usize);
    let found = lzokay::decompress::decompress(bytes, dst).map_err(|error| name(error, bytes.len(), dst.len()))?;
    if found != expected {
        return Err(Error::WrongSize { expected, found });
    }
    let computed = adler32(&dst[..found]);
    if stored == computed { Ok(found) } else { Err(Error::Checksum { stored, computed }) }
}

fn name(error: lzokay::Error, n_bytes: usize, available: usize) -> Error {
    match error {
        lzokay::Error::OutputOverrun => Error::OutputTooSmall { needed: available + 1, available },
        lzokay::Error::InputOverrun => Error::Truncated { at: n_bytes, needed: 1, available: 0 },
        lzokay::Error::LookbehindOverrun => Error::Corrupt { at: 0, what: "a copy begins before the chunk" },
        lzokay::Error::InputNotConsumed => Error::Corrupt { at: 0, what: "there is something after the LZO stream" },
        _ => Error::Corrupt { at: 0, what: "the LZO stream is not sound" },
    }
}

/// RFC 1950's checksum.
pub(super) fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    // So many bytes do not overflow the sums.
    const MOST: usize = 5552;
    let (mut a, mut b) = (1, 0);
    for part in bytes.chunks(MOST) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % MODULUS, b % MODULUS);
    }
    b << 16 | a
}
