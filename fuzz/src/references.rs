//! The reference implementations as oracles, both ways: they decode what we encode, we decode what they encode.
//!
//! LZ4, Zstd and c-blosc are the C libraries themselves. For bitshuffle, whose C library is not in the registry, its
//! blocks are framed here by its format over the C LZ4 and Zstd, and transposed bit by bit as the format defines it.
//! Only streams that an encoder made go to c-blosc: its decoders are known to read and write out of bounds on others.

use crate::seeds::number;
use arbitrary::{Result, Unstructured};
use core::ffi::{CStr, c_char, c_int};
use darkchunk::Exec;
use darkchunk::codec::Codec;
use darkchunk::codec::bitshuffle::{Bitshuffle, Compression};
use darkchunk::codec::blosc::{Blosc, Compressor, Shuffle};
use darkchunk::codec::zstd;
use darkchunk::cpu::Level;
use darkchunk::lz::lz4;

/// One of the references with its parameters.
enum Reference {
    Lz4,
    Zstd { level: i32 },
    Bitshuffle { element_bytes: usize, level: Option<i32>, block_elements: usize },
    Blosc { compressor: (Compressor, &'static CStr), shuffle: Shuffle, level: u32, type_size: usize },
}

const BITSHUFFLE_ELEMENTS: [usize; 6] = [1, 2, 3, 4, 8, 12];
const BLOSC_ELEMENTS: [usize; 8] = [1, 2, 3, 4, 8, 12, 17, 255];
const SHUFFLES: [Shuffle; 3] = [Shuffle::None, Shuffle::Byte, Shuffle::Bit];
const MAX_BYTES: usize = 40_000;
const MAX_ELEMENTS: usize = 6000;
const MAX_GROUPS: usize = 700;

/// A reference, its parameters, and content for it.
fn case(data: &[u8]) -> Result<(Reference, Vec<u8>)> {
    let u = &mut Unstructured::new(data);
    let reference = match u.int_in_range(0..=3)? {
        0 => Reference::Lz4,
        1 => Reference::Zstd { level: u.int_in_range(-5..=12)? },
        2 => Reference::Bitshuffle {
            element_bytes: *u.choose(&BITSHUFFLE_ELEMENTS)?,
            level: if u.arbitrary()? { None } else { Some(u.int_in_range(1..=9)?) },
            block_elements: 8 * u.int_in_range(1..=MAX_GROUPS)?,
        },
        _ => Reference::Blosc {
            compressor: *u.choose(&C_BLOSC)?,
            shuffle: *u.choose(&SHUFFLES)?,
            level: u.int_in_range(0..=9)?,
            type_size: *u.choose(&BLOSC_ELEMENTS)?,
        },
    };
    let n_bytes = match reference {
        Reference::Bitshuffle { element_bytes, .. } => element_bytes * u.int_in_range(1..=MAX_ELEMENTS)?,
        _ => u.int_in_range(1..=MAX_BYTES)?,
    };
    Ok((reference, super::content(u, n_bytes)?))
}

/// Heads of inputs with `n_bytes` of content, for each reference: what [`case`] reads before the content.
pub(crate) fn heads(element_bytes: usize, n_bytes: usize) -> Vec<Vec<u8>> {
    let size = number(n_bytes - 1, MAX_BYTES - 1);
    let n_elements = number(n_bytes / element_bytes - 1, MAX_ELEMENTS - 1);
    let groups = number(15, MAX_GROUPS - 1);
    let at = |sizes: &[usize]| sizes.iter().position(|size| *size == element_bytes).unwrap_or(0) as u8;
    let (bitshuffle, blosc) = (at(&BITSHUFFLE_ELEMENTS), at(&BLOSC_ELEMENTS));
    let mut heads = vec![[&[0], &size[..]].concat()];
    heads.extend([3, 6, 8].map(|level| [&[1, level], &size[..]].concat()));
    heads.push([&[2, bitshuffle, 1], &groups[..], &n_elements].concat());
    heads.push([&[2, bitshuffle, 0, 2], &groups[..], &n_elements].concat());
    let compressors = (0..C_BLOSC.len() as u8).flat_map(|compressor| (0..3).map(move |shuffle| (compressor, shuffle)));
    heads.extend(compressors.map(|(compressor, shuffle)| [&[3, compressor, shuffle, 5, blosc], &size[..]].concat()));
    heads
}

/// One of the references, with the bytes of the input as content.
pub fn both_ways(data: &[u8]) {
    // An input that is too short for its parameters is no case.
    let Ok((reference, content)) = case(data) else { return };
    match reference {
        Reference::Lz4 => lz4_block(&content),
        Reference::Zstd { level } => zstd_frame(level, &content),
        Reference::Bitshuffle { element_bytes, level, block_elements } => {
            bitshuffle(element_bytes, level, block_elements, &content);
        }
        Reference::Blosc { compressor, shuffle, level, type_size } => {
            blosc(compressor, shuffle, level, type_size, &content);
        }
    }
}

#[cfg(test)]
pub(crate) fn content_of(data: &[u8]) -> Result<Vec<u8>> {
    case(data).map(|(_, content)| content)
}

fn encoded<C: Codec>(codec: &C, content: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0; codec.max_encoded_len(content.len())];
    let n_bytes = codec.encode(Exec::current(), content, &mut chunk).expect("content that any codec takes");
    chunk.truncate(n_bytes);
    chunk
}

fn assert_decodes<C: Codec>(codec: &C, chunk: &[u8], content: &[u8]) {
    for &level in Level::available() {
        let mut decoded = vec![0xcc; content.len()];
        codec.decode(level.into(), chunk, &mut decoded).expect("a chunk of the reference");
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
        let mut block = vec![0; lz4::max_encoded_len(content.len())];
        let n_bytes = lz4::Encoder::new(level).encode(content, &mut block).expect("it fits the bound");
        assert!(c_lz4_decode(&block[..n_bytes], content.len()) == content);
        let mut decoded = vec![0xcc; content.len()];
        lz4::decode(level, &c_lz4_encode(content), &mut decoded).expect("a block of the C library");
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
    assert!(chunk[at..] == content[whole..], "the elements after the last block");
}

fn bitshuffle(element_bytes: usize, level: Option<i32>, block_elements: usize, content: &[u8]) {
    let compression = level.map_or(Compression::Lz4, |level| Compression::Zstd { level });
    let codec = Bitshuffle::new(element_bytes, compression).with_block_elements(block_elements as u32);
    check_bitshuffle(element_bytes, level.is_none(), &encoded(&codec, content), content);
    assert_decodes(&codec, &reference_bitshuffle(element_bytes, block_elements, level, content), content);
}

/// The compressors that this build of c-blosc has.
const C_BLOSC: [(Compressor, &CStr); 5] = [
    (Compressor::BloscLz, c"blosclz"),
    (Compressor::Lz4, c"lz4"),
    (Compressor::Lz4Hc, c"lz4hc"),
    (Compressor::Zlib, c"zlib"),
    (Compressor::Zstd, c"zstd"),
];

fn blosc((compressor, name): (Compressor, &CStr), shuffle: Shuffle, level: u32, type_size: usize, content: &[u8]) {
    let codec = Blosc::new(compressor, shuffle, level, type_size).expect("a level from 0 to 9");
    let ours = encoded(&codec, content);
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
    assert_decodes(&codec, &theirs, content);
}
