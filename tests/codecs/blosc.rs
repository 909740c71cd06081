//! Filter 32001 (Blosc 1): what is stored, what is read, and what is refused.

use crate::chunk_data::{assert_refuses_damage, layout, random, round_trip, structured};
use darkchunk::codec::Codec;
use darkchunk::codec::blosc::{Blosc, Chunk, Compressor, Shuffle};
use darkchunk::cpu::Level;
use darkchunk::{Error, Exec};
use proptest::prelude::*;

const SHUFFLES: [Shuffle; 3] = [Shuffle::None, Shuffle::Byte, Shuffle::Bit];
const TYPE_SIZES: [usize; 9] = [1, 2, 3, 4, 8, 12, 16, 17, 255];

fn encode(codec: &Blosc, src: &[u8]) -> Vec<u8> {
    let mut chunk = vec![0; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(Exec::current(), src, &mut chunk).unwrap();
    chunk.truncate(n_bytes);
    chunk
}

fn decode(chunk: &[u8]) -> Result<Vec<u8>, Error> {
    let codec = Blosc::from_cd_values(&[]).unwrap();
    let mut dst = vec![0xdd; codec.decoded_len(chunk)?];
    codec.decode(Exec::current(), chunk, &mut dst)?;
    Ok(dst)
}

#[test]
fn every_compressor_shuffle_and_element_size_round_trips() {
    for compressor in Compressor::ALL {
        for shuffle in SHUFFLES {
            for type_size in TYPE_SIZES {
                let codec = Blosc::new(compressor, shuffle, 5, type_size).unwrap();
                for n_bytes in [0, 1, 15, 16, 127, 128, 129, 1000, 4096, 33_000, 70_001] {
                    round_trip(&codec, &structured(n_bytes, type_size as u64));
                }
            }
        }
    }
}

#[test]
fn every_level_round_trips() {
    let src = structured(300_001, 7);
    for compressor in Compressor::ALL {
        for level in 0..=9 {
            let n_bytes = if level == 9 && compressor == Compressor::Zstd { 70_000 } else { src.len() };
            for (shuffle, type_size) in [(Shuffle::Byte, 2), (Shuffle::Bit, 4), (Shuffle::None, 3)] {
                round_trip(&Blosc::new(compressor, shuffle, level, type_size).unwrap(), &src[..n_bytes]);
            }
        }
    }
}

#[test]
fn every_short_length_round_trips() {
    for compressor in Compressor::ALL {
        for shuffle in SHUFFLES {
            let codec = Blosc::new(compressor, shuffle, 5, 2).unwrap();
            for n_bytes in 0..600 {
                let src = structured(n_bytes, n_bytes as u64);
                assert_eq!(decode(&encode(&codec, &src)).unwrap(), src, "{codec:?} {n_bytes} bytes");
            }
        }
    }
}

#[test]
fn what_does_not_shrink_is_a_plain_copy() {
    let src = random(100_000, 1);
    for compressor in Compressor::ALL {
        let chunk = encode(&Blosc::new(compressor, Shuffle::Byte, 5, 2).unwrap(), &src);
        assert_eq!(chunk.len(), src.len() + 16, "{compressor:?}");
        assert_eq!(chunk[2] & 2, 2, "{compressor:?}");
        assert_eq!(&chunk[16..], src, "{compressor:?}");
    }
}

#[test]
fn level_0_is_a_plain_copy() {
    let chunk = encode(&Blosc::new(Compressor::Lz4, Shuffle::Bit, 0, 4).unwrap(), &[7; 1000]);
    assert_eq!(chunk.len(), 1016);
    assert_eq!(decode(&chunk).unwrap(), [7; 1000]);
}

#[test]
fn an_output_that_is_too_small_is_an_error() {
    let src = random(1000, 2);
    let codec = Blosc::new(Compressor::Lz4, Shuffle::Byte, 5, 2).unwrap();
    for available in 0..1016 {
        let error = codec.encode(Exec::current(), &src, &mut vec![0; available]).unwrap_err();
        assert_eq!(error, Error::OutputTooSmall { needed: 1016, available });
    }
    let small = encode(&codec, &[0; 1000]).len();
    codec.encode(Exec::current(), &[0; 1000], &mut vec![0; small]).expect("what fits is enough");
}

#[test]
fn stored_parameters_are_idempotent_and_follow_the_layout() {
    let float = layout(4, &[100, 100]);
    let stored = Blosc::localise(&[0, 0, 0, 0, 9, 2, 5], &float).unwrap();
    assert_eq!(stored, [2, 2, 4, 40_000, 9, 2, 5]);
    assert_eq!(Blosc::localise(&stored, &float).unwrap(), stored);
    assert_eq!(Blosc::localise(&stored, &layout(2, &[10])).unwrap(), [2, 2, 2, 20, 9, 2, 5]);
    let codec = Blosc::new(Compressor::Zstd, Shuffle::Bit, 9, 4).unwrap();
    assert_eq!(codec.cd_values(&float).unwrap(), stored);
}

#[test]
fn missing_parameters_have_the_reference_defaults() {
    let given = [3, 2, 1];
    for n in 0..=given.len() {
        let mut expected = [2, 2, 2, 20, 5, 1, 0];
        expected[4..4 + n].copy_from_slice(&given[..n]);
        for front in [&[][..], &[0; 4], &[2, 2, 8, 4000], &[1, 2, 255, 16]] {
            for after in [&[][..], &[0; 5]] {
                // Alone, or after fewer, zeros would be values that are given.
                if n == given.len() && !front.is_empty() || after.is_empty() {
                    let values = [front, &given[..n], after].concat();
                    assert_eq!(Blosc::localise(&values, &layout(2, &[10])).as_deref(), Ok(&expected[..]), "{values:?}");
                }
            }
        }
    }
}

/// c-blosc's own example leaves the four slots before as they are on its stack.
#[test]
fn seven_values_have_anything_in_front_and_fewer_do_not() {
    let given = [77, 5, 1_000_000, 1, 3, 2, 1];
    assert_eq!(Blosc::localise(&given, &layout(2, &[10])).unwrap(), [2, 2, 2, 20, 3, 2, 1]);
    for n in 4..7 {
        let refused = Blosc::localise(&given[..n], &layout(2, &[10])).unwrap_err();
        assert!(matches!(refused, Error::Parameter { index: 0, value: 77, .. }), "{n} values: {refused}");
        assert!(refused.to_string().contains("[0, 0, 0, 0, level, shuffle, compressor]"), "{refused}");
    }
    // Level, shuffle and compressor with a value too many are not taken for what is stored before them.
    for values in [[5, 1, 1, 0], [2, 2, 1, 0], [1, 2, 5, 9], [9, 2, 2, 4000]] {
        for n_zeros in 0..5 {
            let values = [&values[..], &vec![0; n_zeros]].concat();
            let refused = Blosc::localise(&values, &layout(2, &[10]));
            assert!(matches!(refused, Err(Error::Parameter { index: 0, .. })), "{values:?}: {refused:?}");
        }
    }
}

#[test]
fn a_value_too_many_is_refused() {
    for (values, index) in [(&[0, 0, 0, 0, 5, 1, 1, 4][..], 7), (&[2, 2, 2, 20, 5, 1, 1, 0, 9], 8)] {
        let refused = Blosc::localise(values, &layout(2, &[10])).unwrap_err();
        assert!(matches!(refused, Error::Parameter { index: i, .. } if i == index), "{refused}");
    }
}

/// As a program stores them that no plugin can call back.
#[test]
fn parameters_that_were_never_completed_are_not_taken_for_others() {
    let src = structured(5000, 3);
    let encoded = |values: &[u32]| encode(&Blosc::from_cd_values(values).unwrap(), &src);
    assert_eq!(encoded(&[9, 2, 5]), encoded(&[2, 2, 1, 5000, 9, 2, 5]));
    assert_eq!(encoded(&[1]), encoded(&[0, 0, 1, 0, 1, 1, 0]));
    assert_eq!(encoded(&[2, 2, 1, 5000]), encoded(&[]));
}

#[test]
fn parameters_that_mean_nothing_are_refused_when_writing_and_ignored_when_reading() {
    let src = structured(5000, 3);
    let chunk = encode(&Blosc::new(Compressor::Lz4, Shuffle::Byte, 5, 2).unwrap(), &src);
    for (index, value) in [(4, 10), (5, 3), (6, 6), (6, u32::MAX)] {
        let mut values = [2, 2, 2, 5000, 5, 1, 1];
        values[index] = value;
        let refused = |error| matches!(error, Error::Parameter { index: i, value: v, .. } if (i, v) == (index, value));
        assert!(refused(Blosc::localise(&values, &layout(2, &[2500])).unwrap_err()));
        let codec = Blosc::from_cd_values(&values).unwrap();
        assert!(refused(codec.encode(Exec::current(), &src, &mut [0; 6000]).unwrap_err()));
        let mut dst = vec![0; 5000];
        codec.decode(Exec::current(), &chunk, &mut dst).unwrap();
        assert_eq!(dst, src);
    }
}

#[test]
fn an_array_type_is_shuffled_by_its_base() {
    let mut layout = layout(12, &[10]);
    layout.element.base_bytes = 4;
    assert_eq!(Blosc::localise(&[], &layout).unwrap()[2..4], [4, 120]);
    layout.element.base_bytes = 256;
    assert_eq!(Blosc::localise(&[], &layout).unwrap()[2], 1);
}

#[test]
fn behind_a_filter_that_changes_the_size_none_is_insisted_on() {
    let mut layout = layout(2, &[10]);
    layout.resized_before = true;
    assert_eq!(Blosc::localise(&[], &layout).unwrap()[3], 0);
}

#[test]
fn another_size_than_the_output_has_is_an_error_and_that_in_the_parameters_a_claim() {
    let chunk = encode(&Blosc::new(Compressor::Lz4, Shuffle::Byte, 5, 2).unwrap(), &[0; 1000]);
    let codec = Blosc::from_cd_values(&[2, 2, 2, 998]).unwrap();
    assert_eq!((codec.chunk_bytes(), codec.decoded_len(&chunk)), (Some(998), Ok(1000)));
    assert_eq!(
        codec.decode(Exec::current(), &chunk, &mut [0; 998]),
        Err(Error::WrongSize { expected: 998, found: 1000 })
    );
}

#[test]
fn every_truncation_and_mutation_is_an_error_or_the_right_size() {
    for compressor in Compressor::ALL {
        for (shuffle, type_size) in [(Shuffle::None, 1), (Shuffle::Byte, 2), (Shuffle::Bit, 2)] {
            let codec = Blosc::new(compressor, shuffle, 5, type_size).unwrap();
            assert_refuses_damage(&codec, &structured(1200, 5));
            assert_refuses_damage(&codec, &[0; 400]);
        }
    }
}

#[test]
fn good_blocks_are_saved_from_a_damaged_chunk() {
    let src = structured(1_000_001, 9);
    let mut chunk = encode(&Blosc::new(Compressor::Lz4, Shuffle::Byte, 5, 2).unwrap(), &src);
    let damaged = Chunk::new(&chunk).unwrap().stored_range(1).unwrap();
    chunk[damaged].fill(0xff);
    assert!(decode(&chunk).is_err());
    let blocks = Chunk::new(&chunk).unwrap();
    assert_eq!(blocks.n_blocks(), 4);
    for index in 0..4 {
        let range = blocks.decoded_range(index);
        let mut dst = vec![0; range.len()];
        let saved = blocks.decode_block_at(Level::current(), index, &mut dst);
        assert_eq!(saved.is_ok(), index != 1, "block {index}");
        assert!(index == 1 || dst == src[range]);
    }
    assert!(blocks.decode_block_at(Level::current(), 4, &mut []).is_err());
    assert!(blocks.stored_range(4).is_err());
}

/// A few bytes, how often they are repeated, and zeros after them: what the encoders take for runs and repetitions.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = (proptest::collection::vec(any::<u8>(), 0..20), 1..12_usize, 0..40_usize);
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| {
        let pieces = pieces.into_iter();
        pieces.flat_map(|(bytes, n, n_zeros)| [bytes.repeat(n), vec![0; n_zeros]].concat()).collect()
    })
}

proptest! {
    #[test]
    fn anything_round_trips(
        src in pieces(),
        compressor in 0..6_usize,
        shuffle in 0..3_usize,
        effort in 0..9_u32,
        type_size in 1..20_usize,
    ) {
        let codec = Blosc::new(Compressor::ALL[compressor], SHUFFLES[shuffle], effort, type_size).unwrap();
        round_trip(&codec, &src);
    }

    #[test]
    fn no_bytes_make_it_panic(mut chunk in proptest::collection::vec(any::<u8>(), 16..300), n_bytes in 1..2000_u32) {
        // A header that is good enough to reach the streams.
        chunk[0] = 2;
        chunk[1] = 1;
        chunk[2] &= 0xf5;
        chunk[4..8].copy_from_slice(&n_bytes.to_le_bytes());
        chunk[8..12].copy_from_slice(&n_bytes.to_le_bytes());
        let stored_len = chunk.len() as u32;
        chunk[12..16].copy_from_slice(&stored_len.to_le_bytes());
        if chunk.len() >= 20 {
            chunk[16..20].copy_from_slice(&20_u32.to_le_bytes());
        }
        if chunk.len() >= 24 {
            let rest = chunk.len() as u32 - 24;
            chunk[20..24].copy_from_slice(&rest.to_le_bytes());
        }
        let codec = Blosc::from_cd_values(&[]).unwrap();
        for &level in Level::available() {
            let _ = codec.decode(level.into(), &chunk, &mut vec![0; n_bytes as usize]);
        }
    }
}
