//! The reference implementations as oracles, both ways: they decode what we encode, we decode what they encode.
//!
//! LZ4, Zstd and c-blosc are the C libraries themselves. For bitshuffle, whose C library is not in the registry, its
//! blocks are framed here by its format over the C LZ4 and Zstd, and transposed bit by bit as the format defines it.
//! Only streams that an encoder made go to c-blosc: its decoders are known to read and write out of bounds on others.

use arbitrary::{Result, Unstructured};
use core::ffi::{CStr, c_char, c_int};
use darkchunk::codec::Codec;
use darkchunk::codec::bitshuffle::{Bitshuffle, Compression};
use darkchunk::codec::blosc::{Blosc, Compressor, Shuffle};
use darkchunk::codec::{lz4, zstd};
use darkchunk::cpu::Level;

/// One of the references, with the bytes of the input as content.
pub fn both_ways(data: &[u8]) {
    // An input that is too short for its parameters is no case.
    let _ = case(&mut Unstructured::new(data));
}

fn case(u: &mut Unstructured<'_>) -> Result<()> {
    match u.int_in_range(0..=3)? {
        0 => lz4_block(&content(u)?),
        1 => zstd_frame(u.int_in_range(-5..=12)?, &content(u)?),
        2 => bitshuffle(u)?,
        _ => blosc(u)?,
    }
    Ok(())
}

fn content(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let n_bytes = u.int_in_range(1..=40_000)?;
    super::content(u, n_bytes)
}

fn encoded<C: Codec>(codec: &C, content: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0; codec.max_encoded_len(content.len())];
    let n_bytes = codec.encode(content, &mut chunk).expect("content that any codec takes");
    chunk.truncate(n_bytes);
    chunk
}

fn assert_decodes<C: Codec>(codec: &C, chunk: &[u8], content: &[u8]) {
    for &level in Level::available() {
        let mut decoded = vec![0xcc; content.len()];
        codec.decode_at(level, chunk, &mut decoded).expect("a chunk of the reference");
        assert!(decoded == content, "{level:?} decodes the reference's chunk to something else");
    }
}

fn length(n: usize) -> c_int {
    c_int::try_from(n).expect("small")
}

fn c_lz4_encode(src: &[u8]) -> Vec<u8> {
    let mut dst = vec![0_u8; src.len() + src.len() / 255 + 16];
    let (from, to) = (src.as_ptr().cast::<c_char>(), dst.as_mut_ptr().cast::<c_char>());
    // SAFETY: both pointers have the lengths that are given.
    let n = unsafe { lz4_sys::LZ4_compress_default(from, to, length(src.len()), length(dst.len())) };
    dst.truncate(usize::try_from(n).expect("a length"));
    dst
}

fn c_lz4_decode(src: &[u8], n_bytes: usize) -> Vec<u8> {
    let mut dst = vec![0_u8; n_bytes];
    let (from, to) = (src.as_ptr().cast::<c_char>(), dst.as_mut_ptr().cast::<c_char>());
    // SAFETY: both pointers have the lengths that are given.
    let n = unsafe { lz4_sys::LZ4_decompress_safe(from, to, length(src.len()), length(n_bytes)) };
    assert_eq!(n, length(n_bytes), "the C library refuses our block");
    dst
}

fn lz4_block(content: &[u8]) {
    for &level in Level::available() {
        let mut block = vec![0; lz4::block::max_encoded_len(content.len())];
        let n_bytes = lz4::block::Encoder::new(level).encode(content, &mut block).expect("it fits the bound");
        assert!(c_lz4_decode(&block[..n_bytes], content.len()) == content);
        let mut decoded = vec![0xcc; content.len()];
        lz4::block::decode(level, &c_lz4_encode(content), &mut decoded).expect("a block of the C library");
        assert!(decoded == content);
    }
}

fn c_zstd_encode(level: i32, src: &[u8]) -> Vec<u8> {
    let mut dst = Vec::with_capacity(zstd_safe::compress_bound(src.len()));
    zstd_safe::compress(&mut dst, src, level).expect("the C library");
    dst
}

fn c_zstd_decode(src: &[u8], n_bytes: usize) -> Vec<u8> {
    let mut dst = Vec::with_capacity(n_bytes);
    zstd_safe::decompress(&mut dst, src).expect("the C library refuses our frame");
    dst
}

fn zstd_frame(level: i32, content: &[u8]) {
    let codec = zstd::Zstd::new(level);
    assert!(c_zstd_decode(&encoded(&codec, content), content.len()) == content);
    assert_decodes(&codec, &c_zstd_encode(level, content), content);
}

/// Bit `bit` of byte `byte` of element `8j + k` is bit `k` of byte `j` of row `8 byte + bit`.
fn transposed(element_bytes: usize, block: &[u8]) -> Vec<u8> {
    let row_bytes = block.len() / element_bytes / 8;
    let mut rows = vec![0_u8; block.len()];
    for (at, value) in block.iter().enumerate() {
        let (element, byte) = (at / element_bytes, at % element_bytes);
        for bit in 0..8 {
            let set = value >> bit & 1;
            rows[(8 * byte + bit) * row_bytes + element / 8] |= set << (element % 8);
        }
    }
    rows
}

/// The chunk as the reference writes it.
fn reference_bitshuffle(element_bytes: usize, block_elements: usize, level: Option<i32>, content: &[u8]) -> Vec<u8> {
    let block_bytes = block_elements * element_bytes;
    let mut chunk = (content.len() as u64).to_be_bytes().to_vec();
    chunk.extend((block_bytes as u32).to_be_bytes());
    let whole = content.len() / (8 * element_bytes) * (8 * element_bytes);
    for block in content[..whole].chunks(block_bytes) {
        let rows = transposed(element_bytes, block);
        let stream = level.map_or_else(|| c_lz4_encode(&rows), |level| c_zstd_encode(level, &rows));
        chunk.extend((stream.len() as u32).to_be_bytes());
        chunk.extend(stream);
    }
    chunk.extend(&content[whole..]);
    chunk
}

/// Checks our chunk block by block: each stream must decode to what the definition says.
fn check_bitshuffle(element_bytes: usize, is_lz4: bool, chunk: &[u8], content: &[u8]) {
    let number = |at: usize| u32::from_be_bytes(chunk[at..at + 4].try_into().expect("four bytes")) as usize;
    let block_bytes = number(8);
    let whole = content.len() / (8 * element_bytes) * (8 * element_bytes);
    let mut at = 12;
    for block in content[..whole].chunks(block_bytes) {
        let stream = &chunk[at + 4..at + 4 + number(at)];
        at += 4 + stream.len();
        let rows = if is_lz4 { c_lz4_decode(stream, block.len()) } else { c_zstd_decode(stream, block.len()) };
        assert!(rows == transposed(element_bytes, block), "the reference decodes our block to something else");
    }
    assert!(chunk[at..] == content[whole..], "the elements behind the last block");
}

fn bitshuffle(u: &mut Unstructured<'_>) -> Result<()> {
    let element_bytes = *u.choose(&[1, 2, 3, 4, 8, 12])?;
    let level = if u.arbitrary()? { None } else { Some(u.int_in_range(1..=9)?) };
    let block_elements = 8 * u.int_in_range(1..=700)?;
    let n_elements = u.int_in_range(1..=6000)?;
    let content = super::content(u, n_elements * element_bytes)?;
    let compression = level.map_or(Compression::Lz4, |level| Compression::Zstd { level });
    let codec = Bitshuffle::new(element_bytes, compression).with_block_elements(block_elements as u32);
    check_bitshuffle(element_bytes, level.is_none(), &encoded(&codec, &content), &content);
    assert_decodes(&codec, &reference_bitshuffle(element_bytes, block_elements, level, &content), &content);
    Ok(())
}

/// The compressors that this build of c-blosc has.
const C_BLOSC: [(Compressor, &CStr); 5] = [
    (Compressor::BloscLz, c"blosclz"),
    (Compressor::Lz4, c"lz4"),
    (Compressor::Lz4Hc, c"lz4hc"),
    (Compressor::Zlib, c"zlib"),
    (Compressor::Zstd, c"zstd"),
];

fn blosc(u: &mut Unstructured<'_>) -> Result<()> {
    let (compressor, name) = *u.choose(&C_BLOSC)?;
    let shuffle = *u.choose(&[Shuffle::None, Shuffle::Byte, Shuffle::Bit])?;
    let level = u.int_in_range(0..=9)?;
    let type_size = *u.choose(&[1, 2, 3, 4, 8, 12, 17, 255])?;
    let content = content(u)?;
    let codec = Blosc::new(compressor, shuffle, level, type_size).expect("a level from 0 to 9");
    let ours = encoded(&codec, &content);
    let mut decoded = vec![0_u8; content.len()];
    // SAFETY: both buffers have the lengths that they say.
    let n =
        unsafe { blosc_src::blosc_decompress_ctx(ours.as_ptr().cast(), decoded.as_mut_ptr().cast(), decoded.len(), 1) };
    assert_eq!(n, length(content.len()), "c-blosc refuses our chunk");
    assert!(decoded == content, "c-blosc decodes our chunk to something else");
    let mut theirs = vec![0_u8; content.len() + 16];
    // SAFETY: both buffers have the lengths that are given.
    let n = unsafe {
        blosc_src::blosc_compress_ctx(
            length(level as usize),
            shuffle as c_int,
            type_size,
            content.len(),
            content.as_ptr().cast(),
            theirs.as_mut_ptr().cast(),
            theirs.len(),
            name.as_ptr(),
            0,
            1,
        )
    };
    theirs.truncate(usize::try_from(n).expect("a length"));
    assert_decodes(&codec, &theirs, &content);
    Ok(())
}
