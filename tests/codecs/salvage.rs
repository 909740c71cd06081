//! What is saved of damaged chunks, against what the damage touched: known here, not taken from the code under test.

use crate::chunk_data::{layout, structured};
use darkchunk::Exec;
use darkchunk::chunk::{Compression, Filter};
use darkchunk::codec::blosc::{Compressor, Shuffle};
use darkchunk::cpu::Level;
use darkchunk::pipeline::Pipeline;
use darkchunk::salvage::{Damage, Verdict, salvage, verify};
use darkchunk_sim::Rng;
use std::ops::Range;

const FILL: [u8; 2] = [0x7B, 0x51];

/// A chunk with the places of its blocks: where they are stored and where they decode to.
struct Sample {
    filter: Filter,
    pipeline: Pipeline,
    decoded: Vec<u8>,
    chunk: Vec<u8>,
    blocks: Vec<(Range<usize>, Range<usize>)>,
    /// What all of them are read with.
    shared: Range<usize>,
}

fn sample(compression: &Compression, dims: &[u64], decoded: Vec<u8>) -> Sample {
    let layout = layout(2, dims);
    let id = compression.filter.expect("a filter");
    let values = Filter::localise(id, &compression.values, &layout).unwrap();
    let (filter, pipeline) = (Filter::from_cd_values(id, &values).unwrap(), pipeline(id, &values));
    let mut chunk = vec![0; filter.max_encoded_len(decoded.len())];
    let n_bytes = filter.encode(Exec::SCALAR, &decoded, &mut chunk).unwrap();
    chunk.truncate(n_bytes);
    Sample { filter, pipeline, decoded, chunk, blocks: Vec::new(), shared: 0..0 }
}

fn pipeline(id: u32, values: &[u32]) -> Pipeline {
    Pipeline::new([(id, values)]).unwrap()
}

/// The blocks of a chunk by their big-endian lengths.
fn length_prefixed(mut sample: Sample, block_bytes: usize, n_framed: usize) -> Sample {
    let mut at = 12;
    for start in (0..n_framed).step_by(block_bytes) {
        let length = u32::from_be_bytes(*sample.chunk[at..].first_chunk().unwrap()) as usize;
        sample.blocks.push((at + 4..at + 4 + length, start..(start + block_bytes).min(n_framed)));
        at += 4 + length;
    }
    let n_raw = sample.decoded.len() - n_framed;
    sample.blocks.extend((n_raw > 0).then(|| (at..at + n_raw, n_framed..n_framed + n_raw)));
    assert_eq!(sample.chunk.len(), at + n_raw);
    sample
}

fn le(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap()) as usize
}

/// Frames of 96 pixels, mostly dark.
fn drle() -> Sample {
    drle_of(|at| if at % 7 == 0 || at % 31 < 3 { (30 + at % 500) as u16 } else { 0 })
}

/// The same where a detector masks some pixels, in all frames but the second, and others are above 32767.
fn drle_with_exceptions() -> Sample {
    let sample = drle_of(|at| match at {
        96..192 => (at % 2 * 40) as u16,
        _ if at % 24 < 5 => u16::MAX,
        _ if at % 41 == 7 => 33_000 + at as u16,
        _ => (at % 7 / 6 * 300) as u16,
    });
    assert_eq!(sample.chunk[4], 2, "the version with exceptions");
    sample
}

fn packed_drle() -> Sample {
    packed_drle_from(20)
}

/// Packed frames, one of them with exceptions.
fn packed_drle_from(threshold: u32) -> Sample {
    let pixel = |at: i32| match at {
        200..210 => u16::MAX,
        _ if at % 3 == 0 => threshold as u16 + (at * at % 11) as u16,
        _ => 0,
    };
    let compression = Compression::filter(36114, &[threshold, 2]);
    let mut sample = sample(&compression, &[6, 8, 32], (0..6 * 256).map(pixel).flat_map(u16::to_le_bytes).collect());
    assert_eq!(sample.chunk[4], 3, "the version of packed containers");
    let mut start = le(&sample.chunk, 24);
    sample.shared = 24 + 7 * 8..start;
    for index in 0..6 {
        let end = le(&sample.chunk, 32 + 8 * index);
        sample.blocks.push((start..end, 512 * index..512 * (index + 1)));
        start = end;
    }
    sample
}

fn drle_of(pixel: impl Fn(i32) -> u16) -> Sample {
    let pixels = (0..6 * 96_i32).map(pixel);
    let mut sample = sample(&Compression::drle(20), &[6, 8, 12], pixels.flat_map(u16::to_le_bytes).collect());
    let mut start = 24 + 6 * 8;
    for index in 0..6 {
        let end = le(&sample.chunk, 24 + 8 * index);
        sample.blocks.push((start..end, 192 * index..192 * (index + 1)));
        start = end;
    }
    sample
}

/// Blocks of 64 elements, and 3 elements after them.
fn bitshuffle(comp: u32) -> Sample {
    let sample = sample(&Compression::filter(32008, &[64, comp]), &[547], structured(2 * 547, 5));
    if comp == 0 { sample } else { length_prefixed(sample, 128, 2 * 544) }
}

fn lz4() -> Sample {
    let decoded = structured(2 * 600, 6);
    length_prefixed(sample(&Compression::filter(32004, &[256]), &[600], decoded), 256, 1200)
}

/// Two blocks and a short one. Made of three chunks of one block each, because blocks are never as small as a test wants.
fn blosc() -> Sample {
    let decoded = structured(2 * 1250, 7).iter().map(|byte| byte & 7).collect();
    let mut sample = sample(&Compression::blosc(5, Shuffle::Byte, Compressor::Zstd), &[1250], decoded);
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for part in sample.decoded.chunks(1000) {
        let mut chunk = vec![0; part.len() + 16];
        let n_bytes = sample.filter.encode(Exec::SCALAR, part, &mut chunk).unwrap();
        assert_eq!(le(&chunk, 16), 20, "one block, compressed");
        blocks.push(chunk[20..n_bytes].to_vec());
    }
    let mut start = 16 + 4 * blocks.len();
    let mut chunk = sample.chunk[..16].to_vec();
    for (index, block) in blocks.iter().enumerate() {
        chunk.extend((start as u32).to_le_bytes());
        sample.blocks.push((start..start + block.len(), 1000 * index..(1000 * (index + 1)).min(2500)));
        start += block.len();
    }
    chunk.extend(blocks.concat());
    chunk[8..12].copy_from_slice(&1000_u32.to_le_bytes());
    let n_bytes = chunk.len() as u32;
    chunk[12..16].copy_from_slice(&n_bytes.to_le_bytes());
    Sample { chunk, ..sample }
}

fn filled(n_bytes: usize) -> Vec<u8> {
    FILL.iter().copied().cycle().take(n_bytes).collect()
}

impl Sample {
    /// Salvages `chunk`: what is lost is filled, and nothing that was in the output before is left there.
    fn salvage(&self, chunk: &[u8], what: &str) -> (Vec<Damage>, Vec<u8>) {
        let mut dst = vec![0xEE; self.decoded.len()];
        let verdict = salvage(Level::current(), &self.pipeline, 0, chunk, &FILL, &mut dst);
        let mut again = vec![0x11; dst.len()];
        let _ = salvage(Level::SCALAR, &self.pipeline, 0, chunk, &FILL, &mut again);
        assert!(dst == again, "{what}: bytes from elsewhere");
        assert_eq!(verify(Level::SCALAR, &self.pipeline, 0, chunk, dst.len()).as_ref(), Ok(&verdict), "{what}");
        assert_ne!(verdict, Verdict::Damaged(Vec::new()), "{what}");
        let damage = verdict.damage().to_vec();
        let fill = filled(dst.len());
        damage.iter().for_each(|damage| {
            assert!(dst[damage.lost.clone()] == fill[damage.lost.clone()], "{what}: lost bytes are not filled");
        });
        (damage, dst)
    }

    /// Every block that none of the bytes in `touched` belongs to is there.
    fn assert_untouched_blocks(&self, dst: &[u8], touched: &Range<usize>, what: &str) {
        let is_apart = |stored: &Range<usize>| stored.end <= touched.start || touched.end <= stored.start;
        for (stored, decoded) in self.blocks.iter().filter(|_| is_apart(&self.shared)) {
            if is_apart(stored) {
                let place = decoded.clone();
                assert!(dst[place.clone()] == self.decoded[place], "{what}: block at {decoded:?} is lost or wrong");
            }
        }
    }
}

fn every_byte(sample: &Sample, from: usize) {
    let (damage, dst) = sample.salvage(&sample.chunk, "intact");
    assert!(damage.is_empty() && dst == sample.decoded, "{damage:?}");
    for at in from..sample.chunk.len() {
        for flip in [0x01, 0x10, 0x80, 0xFF] {
            let mut chunk = sample.chunk.clone();
            chunk[at] ^= flip;
            let what = format!("{} byte {at} of {} ^ {flip:#x}", sample.filter.name(), chunk.len());
            let (_, dst) = sample.salvage(&chunk, &what);
            sample.assert_untouched_blocks(&dst, &(at..at + 1), &what);
        }
    }
}

#[test]
fn a_changed_byte_costs_drle_its_own_segment_and_is_always_seen() {
    for sample in [drle(), drle_with_exceptions(), packed_drle()] {
        every_byte(&sample, 0);
        every_byte_is_seen(&sample);
    }
}

#[test]
fn damage_never_has_a_packed_chunk_counted_from_the_datasets_threshold_instead_of_its_own() {
    let Sample { filter, pipeline, .. } = packed_drle();
    let sample = Sample { filter, pipeline, ..packed_drle_from(40) };
    for at in 0..sample.chunk.len() {
        for flip in [0x01, 0x04, 0xFF, sample.chunk[at] ^ 20] {
            let mut chunk = sample.chunk.clone();
            chunk[at] ^= flip;
            let (damage, mut dst) = sample.salvage(&chunk, "flipped");
            let lost: Vec<Range<usize>> = damage.into_iter().map(|damage| damage.lost).collect();
            assert!(
                at >= 20 || lost.iter().all(Range::is_empty),
                "byte {at} ^ {flip:#x}: the checksum tells the header"
            );
            lost.into_iter().for_each(|lost| dst[lost.clone()].copy_from_slice(&sample.decoded[lost]));
            assert!(dst == sample.decoded, "byte {at} ^ {flip:#x}: what is not lost is as it was");
        }
    }
}

fn every_byte_is_seen(sample: &Sample) {
    for at in 0..sample.chunk.len() {
        let mut chunk = sample.chunk.clone();
        chunk[at] ^= 0x04;
        let (damage, dst) = sample.salvage(&chunk, "flipped");
        assert!(!damage.is_empty(), "byte {at}");
        let is_of_all = sample.shared.contains(&at);
        let expected: Vec<_> = sample.blocks.iter().filter(|(stored, _)| stored.contains(&at)).collect();
        let lost: Vec<_> = damage.iter().map(|damage| damage.lost.clone()).filter(|lost| !lost.is_empty()).collect();
        let all = 0..sample.decoded.len();
        let of_blocks = expected.iter().map(|(_, decoded)| decoded.clone()).collect();
        let expected_lost = if is_of_all { Vec::from([all]) } else { of_blocks };
        assert_eq!(lost, expected_lost, "byte {at}");
        if expected.is_empty() && !is_of_all {
            assert!(dst == sample.decoded, "byte {at}");
        }
    }
}

#[test]
fn a_changed_byte_costs_bitshuffle_and_lz4_at_most_its_own_block() {
    every_byte(&bitshuffle(2), 0);
    every_byte(&bitshuffle(3), 0);
    every_byte(&lz4(), 0);
}

#[test]
fn a_changed_byte_after_the_header_costs_blosc_at_most_its_own_block() {
    every_byte(&blosc(), 16);
}

#[test]
fn a_changed_header_of_blosc_is_never_believed_against_the_dataset() {
    let sample = blosc();
    for at in 4..8 {
        let mut chunk = sample.chunk.clone();
        chunk[at] ^= 0x11;
        let (damage, dst) = sample.salvage(&chunk, "header");
        assert!(damage.len() == 1 && damage[0].lost.is_empty() && dst == sample.decoded, "byte {at}: {damage:?}");
    }
}

#[test]
fn a_truncated_chunk_keeps_the_blocks_before_its_end() {
    for sample in [drle(), bitshuffle(2), bitshuffle(3), lz4(), blosc()] {
        for n_bytes in 0..sample.chunk.len() {
            let what = format!("{} {n_bytes} of {} bytes", sample.filter.name(), sample.chunk.len());
            let (damage, dst) = sample.salvage(&sample.chunk[..n_bytes], &what);
            assert!(!damage.is_empty(), "{what}");
            if n_bytes >= sample.blocks[0].0.start {
                sample.assert_untouched_blocks(&dst, &(n_bytes..usize::MAX), &what);
            }
        }
    }
}

#[test]
fn a_hole_costs_the_blocks_that_it_touches_with_their_lengths() {
    for mut sample in [drle(), bitshuffle(2), bitshuffle(3), lz4(), blosc()] {
        let first = sample.blocks[0].0.start;
        if matches!(sample.filter.id(), 32004 | 32008) {
            sample.blocks.iter_mut().for_each(|(stored, _)| stored.start -= 4);
        }
        if sample.filter.id() == 32008 {
            sample.blocks.pop(); // the last elements: nothing but the last block's length leads to them
        }
        for length in [4, 30, 100] {
            for start in first..sample.chunk.len() - length.min(sample.chunk.len() - first) {
                let mut chunk = sample.chunk.clone();
                let end = (start + length).min(chunk.len());
                chunk[start..end].fill(0);
                let what = format!("{} zeros at {start}, {length} bytes", sample.filter.name());
                let (_, dst) = sample.salvage(&chunk, &what);
                sample.assert_untouched_blocks(&dst, &(start..end), &what);
            }
        }
    }
}

#[test]
fn a_length_of_2_to_the_31_costs_nothing() {
    for sample in [bitshuffle(2), bitshuffle(3), lz4()] {
        for (index, (stored, _)) in sample.blocks.iter().enumerate() {
            if sample.filter.id() == 32008 && index == sample.blocks.len() - 1 {
                continue; // the last elements have no length
            }
            let mut chunk = sample.chunk.clone();
            chunk[stored.start - 4..stored.start].copy_from_slice(&(1_u32 << 31).to_be_bytes());
            let (damage, dst) = sample.salvage(&chunk, "2^31");
            assert!(dst == sample.decoded, "{} block {index}: {damage:?}", sample.filter.name());
            assert_eq!((damage.len(), damage[0].blocks.clone()), (1, index..index + 1));
        }
    }
}

#[test]
fn nothing_of_another_datasets_chunk_is_used() {
    let others = [
        (drle(), sample(&Compression::drle(20), &[6, 8, 11], vec![0; 6 * 8 * 11 * 2])),
        (bitshuffle(2), sample(&Compression::filter(32008, &[64, 2]), &[600], structured(1200, 5))),
        (lz4(), sample(&Compression::filter(32004, &[256]), &[650], structured(1300, 6))),
        (blosc(), sample(&Compression::blosc(5, Shuffle::Byte, Compressor::Zstd), &[1300], structured(2600, 7))),
    ];
    for (sample, other) in others {
        let (damage, _) = sample.salvage(&other.chunk, sample.filter.name());
        assert_eq!(damage.len(), 1, "{damage:?}");
        assert_eq!(damage[0].lost, 0..sample.decoded.len(), "{damage:?}");
    }
}

#[test]
fn formats_of_one_piece_are_all_or_nothing() {
    let bare = sample(&Compression::filter(36114, &[20, 1]), &[600], vec![0; 1200]);
    let zstd = sample(&Compression::zstd(3), &[600], structured(1200, 3));
    for sample in [bare, zstd] {
        let (damage, dst) = sample.salvage(&sample.chunk[..sample.chunk.len() - 1], "short");
        assert_eq!((damage.len(), damage[0].lost.clone()), (1, 0..1200));
        assert_eq!(dst, filled(1200));
    }
}

#[test]
fn a_raw_chunk_that_is_short_keeps_what_is_there() {
    let mut dst = [9; 6];
    let none = Pipeline::default();
    let verdict = salvage(Level::SCALAR, &none, 0, &[1, 2, 3], &FILL, &mut dst);
    let damage = verdict.damage();
    assert_eq!((dst, damage.len(), damage[0].lost.clone()), ([1, 2, 3, 0x51, 0x7B, 0x51], 1, 3..6));
    assert_eq!(salvage(Level::SCALAR, &none, 0, &[1, 2, 3, 4, 5, 6], &[], &mut dst), Verdict::Decodes);

    let plain = sample(&Compression::filter(32008, &[64, 0]), &[547], structured(2 * 547, 5));
    let (damage, dst) = plain.salvage(&plain.chunk[..300], "bitshuffle without compression");
    assert_eq!(damage[0].lost, 256..1094);
    assert!(dst[..256] == plain.decoded[..256]);
}

#[test]
fn parameters_of_other_writers_save_as_much() {
    // Without the chunk's size, which the reference implementations do not store.
    let mut sample = bitshuffle(2);
    sample.pipeline = pipeline(32008, &[0, 4, 2, 64, 2]);
    every_byte(&sample, 0);
    let mut sample = lz4();
    sample.pipeline = pipeline(32004, &[256]);
    every_byte(&sample, 0);
}

#[test]
fn codecs_without_a_dataset_are_no_trouble() {
    let filters: [(u32, &[u32]); 4] =
        [(36114, &[1]), (32008, &[0, 4, 2, 0, 2]), (32001, &[2, 2, 2, 0, 5, 1, 1]), (32004, &[])];
    for (id, values) in filters {
        let pipeline = pipeline(id, values);
        for n_bytes in [0, 1, 2, 15, 16, 17, 1000] {
            let zeros = salvage(Level::SCALAR, &pipeline, 0, &[0; 40], &FILL, &mut vec![0; n_bytes]);
            assert!(n_bytes < 2 || !zeros.damage().is_empty(), "{id} {n_bytes}");
            let _ = salvage(Level::SCALAR, &pipeline, 0, &[], &FILL, &mut vec![0; n_bytes]);
        }
    }
}

#[test]
fn anything_at_all_gives_the_same_whatever_was_in_the_output() {
    let mut rng = Rng::new(11);
    for sample in [drle(), bitshuffle(0), bitshuffle(2), bitshuffle(3), lz4(), blosc()] {
        for round in 0..900 {
            let mut chunk = sample.chunk.clone();
            match round % 3 {
                0 => {
                    chunk = (0..rng.below(400)).map(|_| rng.next_u64() as u8 & [1, 0x0F, 0xFF][rng.below(3)]).collect()
                }
                1 => (0..1 + rng.below(9)).for_each(|_| {
                    let at = rng.below(chunk.len());
                    chunk[at] = [0, 1, 0x7F, 0x80, 0xFF, rng.next_u64() as u8][rng.below(6)];
                }),
                _ => {
                    let (from, to, n) = (rng.below(chunk.len()), rng.below(chunk.len()), rng.below(60));
                    let piece = chunk[from..chunk.len().min(from + n)].to_vec();
                    chunk.splice(to..to, piece);
                    chunk.truncate(1 + rng.below(2 * sample.chunk.len()));
                }
            }
            sample.salvage(&chunk, &format!("{} round {round}", sample.filter.name()));
        }
    }
}
