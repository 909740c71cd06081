//! c-blosc 1, through its context functions: one thread, no global state, no lock.

use std::ffi::{CString, c_char, c_int, c_void};

use crate::Failure;
use crate::peers::{Coder, Loaded};

/// Bytes that a Blosc chunk may be longer than its data.
const MAX_OVERHEAD: usize = 16;

type Compress = unsafe extern "C" fn(
    c_int,
    c_int,
    usize,
    usize,
    *const c_void,
    *mut c_void,
    usize,
    *const c_char,
    usize,
    c_int,
) -> c_int;
type Decompress = unsafe extern "C" fn(*const c_void, *mut c_void, usize, c_int) -> c_int;

/// How c-blosc is to encode.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Compression level, 0 to 9.
    pub level: i32,
    /// 0 none, 1 byte, 2 bit.
    pub shuffle: i32,
    /// `lz4`, `zstd`, …
    pub compressor: &'static str,
    /// Threads inside one chunk.
    pub threads: i32,
}

/// What stands in the races for one build of c-blosc, frames of `n_bytes` bytes and elements of `element_bytes`.
///
/// # Errors
/// Where the library lacks a function.
///
/// # Panics
/// Not here; what stands in the races does, where c-blosc fails.
pub fn coder(loaded: &Loaded, settings: Settings, n_bytes: usize, element_bytes: usize) -> Result<Coder, Failure> {
    // SAFETY: the types are those of blosc.h.
    let compress = unsafe { loaded.function::<Compress>("blosc_compress_ctx") }?;
    // SAFETY: as above.
    let decompress = unsafe { loaded.function::<Decompress>("blosc_decompress_ctx") }?;
    let compressor = CString::new(settings.compressor)?;
    let encode = move |src: &[u8], dst: &mut [u8]| {
        let (from, to) = (src.as_ptr().cast(), dst.as_mut_ptr().cast());
        let name = compressor.as_ptr();
        let Settings { level, shuffle, threads, .. } = settings;
        // SAFETY: both buffers are as long as said, the name ends in a zero; block size 0 is c-blosc's own choice.
        let n = unsafe { compress(level, shuffle, element_bytes, src.len(), from, to, dst.len(), name, 0, threads) };
        assert!(n > 0, "c-blosc encodes: {n}");
        n as usize
    };
    let decode = move |src: &[u8], dst: &mut [u8]| {
        let (from, to) = (src.as_ptr().cast(), dst.as_mut_ptr().cast());
        // SAFETY: `src` is a whole chunk from an encoder, `dst` is as long as said.
        let n = unsafe { decompress(from, to, dst.len(), settings.threads) };
        assert_eq!(usize::try_from(n), Ok(dst.len()), "c-blosc decodes");
    };
    Ok(Coder {
        by: loaded.by.clone(),
        level: loaded.level.clone(),
        threads: settings.threads as usize,
        max_encoded_len: n_bytes + MAX_OVERHEAD,
        encode: Box::new(encode),
        decode: Box::new(decode),
    })
}
