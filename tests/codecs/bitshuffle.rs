//! Filter 32008 (bitshuffle): what is stored, and what is refused.

use crate::chunk_data::{assert_refuses_damage, layout, round_trip, structured};
use darkchunk::codec::Codec;
use darkchunk::codec::bitshuffle::{Bitshuffle, Compression};
use darkchunk::cpu::Level;
use darkchunk::{Error, Exec};

const ALL: [Compression; 4] =
    [Compression::None, Compression::Lz4, Compression::Zstd { level: 1 }, Compression::Zstd { level: 9 }];

#[test]
fn every_element_size_and_length_round_trips() {
    for element_bytes in [1, 2, 3, 4, 5, 8, 12, 100] {
        for n_elements in [0, 1, 7, 8, 9, 127, 128, 1000, 4096, 4103, 20_000] {
            let src = structured(n_elements * element_bytes, n_elements as u64);
            for compression in ALL {
                round_trip(&Bitshuffle::new(element_bytes, compression), &src);
                round_trip(&Bitshuffle::new(element_bytes, compression).with_block_elements(64), &src);
            }
        }
    }
    round_trip(&Bitshuffle::new(65_535, Compression::Lz4), &structured(65_535 * 9, 1));
}

#[test]
fn the_header_states_size_and_default_block() {
    for (element_bytes, block_bytes) in [(1, 8192), (2, 8192), (3, 8184), (4, 8192), (12, 8160), (100, 12_800)] {
        let n_elements = 20_001;
        let src = vec![7; element_bytes * n_elements];
        let chunk = round_trip(&Bitshuffle::new(element_bytes, Compression::Lz4), &src);
        assert_eq!(chunk[..8], (src.len() as u64).to_be_bytes());
        assert_eq!(chunk[8..12], (block_bytes as u32).to_be_bytes());
        assert_eq!(chunk[chunk.len() - element_bytes..], src[..element_bytes], "the leftover element is raw");
    }
}

#[test]
fn stored_parameters_are_idempotent() {
    let here = layout(2, &[1, 100, 100]);
    let there = layout(4, &[2, 100, 100]);
    for (given, stored) in [
        (&[][..], [0, 4, 2, 0, 2, 0, 20_000]),
        (&[64], [0, 4, 2, 64, 2, 0, 20_000]),
        (&[0, 0], [0, 4, 2, 0, 0, 0, 20_000]),
        (&[0, 2], [0, 4, 2, 0, 2, 0, 20_000]),
        (&[4096, 3, 9], [0, 4, 2, 4096, 3, 9, 20_000]),
        (&[0, 3, 9], [0, 4, 2, 0, 3, 9, 20_000]),
        (&[0, 5, 2], [0, 4, 2, 0, 0, 0, 20_000]),
        (&[0, 4, 2, 0], [0, 4, 2, 0, 0, 0, 20_000]),
        (&[0, 4, 2, 0, 2], [0, 4, 2, 0, 2, 0, 20_000]),
        (&[0, 2, 4, 0, 2], [0, 4, 2, 0, 2, 0, 20_000]),
        (&[0, 3, 8, 64, 3, 10], [0, 4, 2, 64, 3, 10, 20_000]),
        (&[0, 4, 2, 0, 4, 2, 0, 2], [0, 4, 2, 0, 0, 2, 20_000]),
    ] {
        assert_eq!(Bitshuffle::localise(given, &here).unwrap(), stored);
        assert_eq!(Bitshuffle::localise(&stored, &here).unwrap(), stored);
        let mut brought = stored;
        (brought[2], brought[6]) = (4, 80_000);
        assert_eq!(Bitshuffle::localise(&stored, &there).unwrap(), brought);
    }
    let codec = Bitshuffle::new(2, Compression::Zstd { level: 5 });
    assert_eq!(codec.cd_values(&here).unwrap(), [0, 4, 2, 0, 3, 5, 20_000]);
}

#[test]
fn zeros_after_what_is_given_mean_nothing() {
    let layout = layout(2, &[100]);
    let stored = |given: &[u32]| Bitshuffle::localise(given, &layout).unwrap();
    for n_zeros in 1..9 {
        for given in [[0, 2, 0], [64, 2, 0], [64, 3, 9], [4096, 0, 0], [0, 3, 0], [0, 0, 7]] {
            let more = [&given[..], &vec![0; n_zeros]].concat();
            assert_eq!(stored(&more), stored(&given), "{more:?}");
        }
    }
}

/// `[block, Zstd, level]` and zeros, or `[version 0.3, bytes of an element, block, none]`.
#[test]
fn what_may_be_given_or_stored_is_refused() {
    for given in [&[0, 3, 4, 0][..], &[0, 2, 2, 0, 0], &[0, 3, 9, 0, 0, 0, 0]] {
        let refused = Bitshuffle::localise(given, &layout(2, &[100])).unwrap_err();
        assert!(matches!(refused, Error::Parameter { index: 3, value: 0, .. }), "{given:?}: {refused}");
        assert!(refused.to_string().contains("[block elements, compression, level]"), "{refused}");
    }
}

#[test]
fn parameters_of_every_version_read() {
    let read = |values: &[u32]| Bitshuffle::from_cd_values(values).unwrap();
    assert_eq!(read(&[0, 2, 4, 0, 2]), Bitshuffle::new(4, Compression::Lz4));
    let zstd = Bitshuffle::new(3, Compression::Zstd { level: 10 }).with_block_elements(64);
    assert_eq!(read(&[0, 3, 3, 64, 3, 10]), zstd);
    assert_eq!(read(&[0, 4, 2]), Bitshuffle::new(2, Compression::None));
    assert_eq!(read(&[0, 4, 2, 0]), Bitshuffle::new(2, Compression::None));
    assert_eq!(read(&[0, 4, 2, 0, 4, 2, 0, 2]), Bitshuffle::new(2, Compression::None), "shifted by the reference");
    assert_eq!(read(&[0, 4, 2, 0, 4, 2, 0]), Bitshuffle::new(2, Compression::None), "shifted by the reference");
    assert_eq!(read(&[0, 4, 2, 0, 2, 0, 20_000]).chunk_bytes(), Some(20_000));
    for n_values in 0..3 {
        assert!(matches!(Bitshuffle::from_cd_values(&[0, 2][..n_values.min(2)]), Err(Error::Argument(_))));
    }
    assert!(matches!(Bitshuffle::from_cd_values(&[0, 4, 0]), Err(Error::Parameter { index: 2, .. })));
}

#[test]
fn parameters_that_mean_nothing_are_refused() {
    let layout = layout(2, &[100]);
    let slot = |given: &[u32]| match Bitshuffle::localise(given, &layout) {
        Err(Error::Parameter { index, .. }) => index,
        other => panic!("{other:?}"),
    };
    assert_eq!(slot(&[12, 2]), 0);
    assert_eq!(slot(&[0, 1]), 1);
    assert_eq!(slot(&[0, 1, 5]), 1);
    assert_eq!(slot(&[0, 5, 0]), 1);
    assert_eq!(slot(&[0, 7, 3]), 1, "no version that stores three values");
    assert_eq!(slot(&[4, 5, 3]), 1);
    assert_eq!(slot(&[0, 2, 0, 7]), 3);
    assert_eq!(slot(&[4096, 3, 9, 0, 0, 1]), 5);
    assert_eq!(slot(&[0, 3, 23]), 2);
    assert_eq!(slot(&[0, 4, 2, 12, 2]), 3);
    assert_eq!(slot(&[0xffff_fff8, 2]), 0);
}

#[test]
fn every_truncation_is_an_error_and_no_mutation_a_panic() {
    let src = structured(2 * 203, 4);
    for chunk_bytes in [0, 406] {
        for comp in [0, 2, 3] {
            let codec = Bitshuffle::from_cd_values(&[0, 4, 2, 64, comp, 1, chunk_bytes]).unwrap();
            assert_refuses_damage(&codec, &src);
        }
    }
}

#[test]
fn hostile_headers_are_refused() {
    let codec = Bitshuffle::new(2, Compression::Lz4);
    let chunk = |n_bytes: u64, block_bytes: u32, rest: &[u8]| {
        [&n_bytes.to_be_bytes(), &block_bytes.to_be_bytes()[..], rest].concat()
    };
    for (n_bytes, block_bytes, rest) in [
        (64, 0, &[0, 0, 0, 1, 0][..]),
        (64, 24, &[0, 0, 0, 1, 0]),
        (64, u32::MAX, &[0, 0, 0, 1, 0]),
        (64 << 20, 8192, &[0, 0, 0, 1, 0]),
        (64 << 20, 0xffff_fff0, &[0, 0, 0, 1, 0]),
        (u64::MAX, 8192, &[0, 0, 0, 1, 0]),
        (1 << 32, 8192, &[0, 0, 0, 1, 0]),
        (63, 8192, &[0, 0, 0, 1, 0]),
        (64, 8192, &[0x7f, 0xff, 0xff, 0xff, 0]),
        (64, 8192, &[0, 0, 0, 0]),
        (14, 8192, &[0; 13]),
    ] {
        let chunk = chunk(n_bytes, block_bytes, rest);
        assert!(codec.decoded_len(&chunk).is_err(), "{n_bytes} {block_bytes} {rest:?}");
        let mut dst = vec![0; n_bytes.min(1 << 16) as usize];
        assert!(codec.decode(Exec::current(), &chunk, &mut dst).is_err(), "{n_bytes} {block_bytes} {rest:?}");
    }
    let good = chunk(14, 8192, &[5; 14]);
    assert_eq!(codec.decoded_len(&good), Ok(14));
    let known = Bitshuffle::from_cd_values(&[0, 4, 2, 0, 2, 0, 16]).unwrap();
    assert_eq!((known.chunk_bytes(), known.decoded_len(&good)), (Some(16), Ok(14)), "a claim, and what the chunk says");
    assert_eq!(known.decode(Exec::current(), &good, &mut [0; 16]), Err(Error::WrongSize { expected: 16, found: 14 }));
}

#[test]
fn good_blocks_of_a_damaged_chunk_can_be_had() {
    let src = structured(2 * 1003, 6);
    for compression in ALL {
        let codec = Bitshuffle::new(2, compression).with_block_elements(64);
        let chunk = round_trip(&codec, &src);
        let blocks: Vec<_> = codec.blocks(&chunk).unwrap().map(Result::unwrap).collect();
        assert_eq!(blocks.len(), 17, "15 of 64 elements, one of 40, and 3 elements");
        let mut decoded = vec![0; src.len()];
        for block in &blocks {
            codec.decode_block(Level::current(), &chunk, block, &mut decoded[block.decoded.clone()]).unwrap();
        }
        assert_eq!(decoded, src);
        let mut empty = blocks[1].clone();
        empty.decoded = 0..0;
        let nothing = codec.decode_block(Level::current(), &chunk, &empty, &mut []);
        assert!(matches!(nothing, Err(Error::Argument(_))), "no chunk has an empty block: {nothing:?}");
        if compression != Compression::None {
            let cut = codec.blocks(&chunk[..blocks[10].stored.end - 1]).unwrap();
            assert_eq!(cut.map(|block| block.is_ok()).collect::<Vec<_>>(), [vec![true; 10], vec![false]].concat());
        }
    }
}
