//! C bitshuffle: its blocked LZ4 and Zstd functions, with the 12-byte header that its HDF5 filter writes before.

use std::ffi::{c_int, c_void};
use std::rc::Rc;

use crate::Failure;
use crate::peers::{Coder, Loaded};

/// The compressor after the bit transpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressor {
    /// LZ4.
    Lz4,
    /// Zstd with a level.
    Zstd(i32),
}

type Bound = unsafe extern "C" fn(usize, usize, usize) -> usize;
type Transform = unsafe extern "C" fn(*const c_void, *mut c_void, usize, usize, usize) -> i64;
type CompressZstd = unsafe extern "C" fn(*const c_void, *mut c_void, usize, usize, usize, c_int) -> i64;

/// Header of a chunk: u64 BE chunk bytes, u32 BE block bytes.
const HEADER: usize = 12;
/// The default block, which every chunk in the field has.
const BLOCK_BYTES: u32 = 8192;

#[derive(Debug, Clone, Copy)]
enum Encode {
    Lz4(Transform),
    Zstd(CompressZstd, c_int),
}

/// One build of C bitshuffle.
#[derive(Debug)]
pub struct Bitshuffle {
    loaded: Loaded,
    compressor: Compressor,
    bound: Bound,
    encode: Encode,
    decode: Transform,
}

impl Bitshuffle {
    /// The functions of one library.
    ///
    /// # Errors
    /// Where one is missing.
    pub fn new(loaded: Loaded, compressor: Compressor) -> Result<Rc<Self>, Failure> {
        let suffix = if compressor == Compressor::Lz4 { "lz4" } else { "zstd" };
        let encode_name = format!("bshuf_compress_{suffix}");
        // SAFETY: the types are those of bitshuffle.h.
        let bound = unsafe { loaded.function::<Bound>(&format!("{encode_name}_bound")) }?;
        // SAFETY: as above.
        let decode = unsafe { loaded.function::<Transform>(&format!("bshuf_decompress_{suffix}")) }?;
        let encode = match compressor {
            // SAFETY: as above.
            Compressor::Lz4 => Encode::Lz4(unsafe { loaded.function::<Transform>(&encode_name) }?),
            Compressor::Zstd(level) => {
                // SAFETY: as above.
                Encode::Zstd(unsafe { loaded.function::<CompressZstd>(&encode_name) }?, level)
            }
        };
        Ok(Rc::new(Self { loaded, compressor, bound, encode, decode }))
    }

    /// What stands in the races for frames of `n_bytes` bytes and elements of `element_bytes`.
    #[must_use]
    pub fn coder(self: &Rc<Self>, n_bytes: usize, element_bytes: usize) -> Coder {
        let (encoder, decoder) = (Rc::clone(self), Rc::clone(self));
        // SAFETY: a pure function of three numbers.
        let bound = unsafe { (self.bound)(n_bytes / element_bytes, element_bytes, 0) };
        Coder {
            by: self.loaded.by.clone(),
            level: self.loaded.level.clone(),
            threads: 1,
            max_encoded_len: HEADER + bound + 64,
            encode: Box::new(move |src, dst| encoder.encode(src, dst, element_bytes)),
            decode: Box::new(move |src, dst| decoder.decode(src, dst, element_bytes)),
        }
    }

    fn encode(&self, src: &[u8], dst: &mut [u8], element_bytes: usize) -> usize {
        let n_elements = src.len() / element_bytes;
        // SAFETY: a pure function of three numbers.
        let bound = unsafe { (self.bound)(n_elements, element_bytes, 0) };
        assert!(dst.len() >= HEADER + bound, "{} bytes for an output of up to {}", dst.len(), HEADER + bound);
        let (header, body) = dst.split_at_mut(HEADER);
        header[..8].copy_from_slice(&(src.len() as u64).to_be_bytes());
        header[8..].copy_from_slice(&BLOCK_BYTES.to_be_bytes());
        let (from, to) = (src.as_ptr().cast(), body.as_mut_ptr().cast());
        let n = match self.encode {
            // SAFETY: `from` has `n_elements` elements, `to` has the bytes that the library says it needs.
            Encode::Lz4(f) => unsafe { f(from, to, n_elements, element_bytes, 0) },
            // SAFETY: as above.
            Encode::Zstd(f, level) => unsafe { f(from, to, n_elements, element_bytes, 0, level) },
        };
        HEADER + usize::try_from(n).unwrap_or_else(|_| panic!("{} {:?}: {n}", self.loaded.by, self.compressor))
    }

    fn decode(&self, src: &[u8], dst: &mut [u8], element_bytes: usize) {
        let (header, body) = src.split_at(HEADER);
        assert_eq!(header[..8], (dst.len() as u64).to_be_bytes(), "a chunk of another size");
        assert_eq!(header[8..], BLOCK_BYTES.to_be_bytes(), "a chunk of another block size");
        // SAFETY: `body` is a chunk that an encoder made for a frame of `dst.len()` bytes (checked above).
        let n = unsafe {
            (self.decode)(body.as_ptr().cast(), dst.as_mut_ptr().cast(), dst.len() / element_bytes, element_bytes, 0)
        };
        assert_eq!(usize::try_from(n), Ok(body.len()), "{} {:?} decoded", self.loaded.by, self.compressor);
    }
}
