//! What the tests of filters 32008, 32004 and 32015 share: data, round trips and damage.
#![allow(dead_code, reason = "each test file uses a part")]

use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk::element::{ByteOrder, ElementClass, ElementType};
use darkchunk_sim::Rng;

/// A chunk of `dims` elements of `element_bytes`, with nothing before the filter.
pub(crate) fn layout(element_bytes: usize, dims: &[u64]) -> ChunkLayout {
    let element = ElementType {
        class: ElementClass::Unsigned,
        n_bytes: element_bytes,
        base_bytes: element_bytes,
        order: ByteOrder::Little,
    };
    ChunkLayout::new(element, dims.to_vec())
}

/// Bytes that nothing compresses.
pub(crate) fn random(n_bytes: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..n_bytes).map(|_| rng.next_u64() as u8).collect()
}

/// Runs of zeros, of one byte, of earlier bytes and of noise, of many lengths.
pub(crate) fn structured(n_bytes: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::with_capacity(n_bytes);
    while bytes.len() < n_bytes {
        let longest = [4, 20, 300, 3000][rng.below(4)];
        let n = 1 + rng.below(longest).min(n_bytes - bytes.len() - 1);
        match rng.below(5) {
            0 | 1 => bytes.resize(bytes.len() + n, 0),
            2 => bytes.resize(bytes.len() + n, rng.next_u64() as u8),
            3 if !bytes.is_empty() => {
                let back = 1 + rng.below(bytes.len().min(70_000));
                (0..n).for_each(|_| bytes.push(bytes[bytes.len() - back]));
            }
            _ => bytes.extend((0..n).map(|_| rng.next_u64() as u8)),
        }
    }
    bytes
}

/// Encodes and decodes `src` at every level: each writes the same bytes and reads them back. Returns the chunk.
pub(crate) fn round_trip(codec: &(impl Codec + std::fmt::Debug), src: &[u8]) -> Vec<u8> {
    let mut first = None;
    for &level in Level::available() {
        let what = format!("{codec:?} {level:?} {} bytes", src.len());
        let mut chunk = vec![0xee; codec.max_encoded_len(src.len())];
        let n_bytes = codec.encode(level.into(), src, &mut chunk).expect(&what);
        chunk.truncate(n_bytes);
        assert_eq!(codec.decoded_len(&chunk).expect(&what), src.len(), "{what}");
        let mut decoded = vec![0xdd; src.len()];
        codec.decode(level.into(), &chunk, &mut decoded).expect(&what);
        assert!(decoded == src, "{what}");
        assert!(*first.get_or_insert(chunk.clone()) == chunk, "{what}: another level writes other bytes");
    }
    first.expect("scalar is always there")
}

/// Decodes every truncation and every single-byte mutation of `src` encoded: a truncation is an error, a mutation an
/// error or data of the size that was announced.
pub(crate) fn assert_refuses_damage(codec: &(impl Codec + std::fmt::Debug), src: &[u8]) {
    let chunk = round_trip(codec, src);
    for &level in Level::available() {
        for n_bytes in 0..chunk.len() {
            let mut dst = vec![0; src.len()];
            let decoded = codec.decode(level.into(), &chunk[..n_bytes], &mut dst);
            assert!(decoded.is_err(), "{codec:?} {level:?}: {n_bytes} of {} bytes decode", chunk.len());
        }
        for at in 0..chunk.len() {
            for flip in [0x01, 0x80, 0xff, 0x0f, 0x10] {
                let mut damaged = chunk.clone();
                damaged[at] ^= flip;
                let mut dst = vec![0; src.len()];
                let _ = codec.decode(level.into(), &damaged, &mut dst);
                if let Ok(n_bytes) = codec.decoded_len(&damaged) {
                    let mut dst = vec![0; n_bytes.min(1 << 20)];
                    let _ = codec.decode(level.into(), &damaged, &mut dst);
                }
            }
        }
    }
}
