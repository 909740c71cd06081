//! The LZ4 and Zstd libraries themselves, one block or frame a chunk, states reused, with the framing that their HDF5
//! filters put around them.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use crate::peers::Coder;

/// Header of a 32004 chunk: u64 BE chunk bytes, u32 BE block bytes, u32 BE length of the one block.
const LZ4_HEADER: usize = 16;

unsafe extern "C" {
    fn LZ4_sizeofState() -> c_int;
    fn LZ4_compress_fast_extState(
        state: *mut c_void,
        src: *const u8,
        dst: *mut u8,
        src_len: c_int,
        dst_len: c_int,
        acceleration: c_int,
    ) -> c_int;
}

/// LZ4 with one block a chunk.
///
/// # Panics
/// If a frame is longer than LZ4 allows.
#[must_use]
pub fn lz4(n_bytes: usize) -> Coder {
    let n = c_int::try_from(n_bytes).expect("a frame below 2 GiB");
    // SAFETY: a pure function.
    let bound = unsafe { lz4_sys::LZ4_compressBound(n) } as usize;
    // SAFETY: a pure function.
    let mut state = vec![0u64; (unsafe { LZ4_sizeofState() } as usize).div_ceil(8)];
    let encode = move |src: &[u8], dst: &mut [u8]| {
        let (header, body) = dst.split_at_mut(LZ4_HEADER);
        let room = body.len().min(bound) as c_int;
        let (from, to) = (src.as_ptr(), body.as_mut_ptr());
        // SAFETY: the state is as large and aligned as LZ4 asks for, both buffers as long as said.
        let n = unsafe { LZ4_compress_fast_extState(state.as_mut_ptr().cast(), from, to, src.len() as c_int, room, 1) };
        assert!(n > 0, "LZ4 encodes: {n}");
        header[..8].copy_from_slice(&(src.len() as u64).to_be_bytes());
        header[8..12].copy_from_slice(&(src.len() as u32).to_be_bytes());
        if n as usize >= src.len() {
            body[..src.len()].copy_from_slice(src);
            header[12..].copy_from_slice(&(src.len() as u32).to_be_bytes());
            return LZ4_HEADER + src.len();
        }
        header[12..].copy_from_slice(&n.to_be_bytes());
        LZ4_HEADER + n as usize
    };
    let decode = |src: &[u8], dst: &mut [u8]| {
        let block = &src[LZ4_HEADER..];
        if block.len() == dst.len() {
            dst.copy_from_slice(block);
            return;
        }
        let (from, to) = (block.as_ptr().cast(), dst.as_mut_ptr().cast());
        // SAFETY: both buffers are as long as said.
        let n = unsafe { lz4_sys::LZ4_decompress_safe(from, to, block.len() as c_int, dst.len() as c_int) };
        assert_eq!(usize::try_from(n), Ok(dst.len()), "LZ4 decodes");
    };
    Coder {
        by: "liblz4 1.10.0 (lz4-sys)".into(),
        level: "release".into(),
        threads: 1,
        max_encoded_len: LZ4_HEADER + bound.max(n_bytes),
        encode: Box::new(encode),
        decode: Box::new(decode),
    }
}

/// Zstd with one frame a chunk, contexts reused.
///
/// # Panics
/// Not here; what stands in the races does, where Zstd fails.
#[must_use]
pub fn zstd(n_bytes: usize, level: i32) -> Coder {
    let contexts = Rc::new(RefCell::new((zstd_safe::CCtx::create(), zstd_safe::DCtx::create())));
    let for_decode = Rc::clone(&contexts);
    let encode = move |src: &[u8], dst: &mut [u8]| {
        contexts.borrow_mut().0.compress(dst, src, level).unwrap_or_else(|code| panic!("Zstd encodes: {code}"))
    };
    let decode = move |src: &[u8], dst: &mut [u8]| {
        let n = for_decode.borrow_mut().1.decompress(dst, src).unwrap_or_else(|code| panic!("Zstd decodes: {code}"));
        assert_eq!(n, dst.len(), "Zstd decodes");
    };
    Coder {
        by: format!("libzstd {} (zstd-sys)", zstd_safe::version_string()),
        level: "release".into(),
        threads: 1,
        max_encoded_len: zstd_safe::compress_bound(n_bytes),
        encode: Box::new(encode),
        decode: Box::new(decode),
    }
}
