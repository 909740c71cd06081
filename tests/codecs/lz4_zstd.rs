//! Filters 32004 (LZ4) and 32015 (Zstd): what is stored, and what is refused.

use crate::chunk_data::{assert_refuses_damage, layout, random, round_trip, structured};
use darkchunk::codec::Codec;
use darkchunk::codec::lz4::Lz4;
use darkchunk::codec::zstd::Zstd;
use darkchunk::cpu::Level;
use darkchunk::{Error, Exec};

#[test]
fn lz4_round_trips_for_every_block_size() {
    for n_bytes in [0, 1, 3, 12, 13, 64, 1000, 8192, 70_000] {
        for block_bytes in [0, 1, 3, 8, 64, 1024, 4096, 8192, 100_000] {
            let codec = Lz4::new(block_bytes);
            round_trip(&codec, &structured(n_bytes, 1));
        }
    }
}

#[test]
fn zstd_round_trips_for_every_level() {
    for n_bytes in [0, 1, 3, 12, 13, 64, 1000, 8192, 70_000] {
        for zstd_level in (-5..=22).step_by(3) {
            round_trip(&Zstd::new(zstd_level), &structured(n_bytes, 2));
        }
    }
}

#[test]
fn an_incompressible_lz4_block_is_stored_as_it_is() {
    let src = random(1000, 3);
    let codec = Lz4::new(100);
    let mut dst = vec![0; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(Exec::current(), &src, &mut dst).unwrap();
    assert_eq!(n_bytes, 12 + 10 * (4 + 100));
    assert_eq!(&dst[..16], [0, 0, 0, 0, 0, 0, 3, 232, 0, 0, 0, 100, 0, 0, 0, 100]);
    assert_eq!(&dst[16..116], &src[..100]);
}

#[test]
fn stored_parameters_are_idempotent_and_lz4s_carry_the_chunk_size() {
    let layout = layout(2, &[1, 100, 100]);
    for given in [&[][..], &[4096]] {
        let stored = Lz4::localise(given, &layout).unwrap();
        assert_eq!(stored, [given.first().copied().unwrap_or(0), 20_000]);
        assert_eq!(Lz4::localise(&stored, &layout).unwrap(), stored);
        assert_eq!(Lz4::from_cd_values(&stored).unwrap().chunk_bytes(), Some(20_000));
    }
    let stored = Zstd::localise(&[(-3i32).cast_unsigned()], &layout).unwrap();
    assert_eq!(stored, [(-3i32).cast_unsigned()]);
    assert_eq!(Zstd::localise(&stored, &layout).unwrap(), stored);
    assert!(matches!(Zstd::localise(&[23], &layout), Err(Error::Parameter { index: 0, value: 23, .. })));
}

/// Earlier versions stored the chunk's size after the level.
#[test]
fn zstd_stores_one_parameter_and_reads_two() {
    let layout = layout(2, &[1, 100, 100]);
    for given in [&[][..], &[0], &[9], &[9, 0], &[9, 20_000], &[9, 40_000]] {
        // netCDF takes a level of 0 for "not compressed".
        let level = given.first().copied().filter(|level| *level != 0).unwrap_or(3);
        assert_eq!(Zstd::localise(given, &layout).unwrap(), [level], "{given:?}");
    }
    assert_eq!(Zstd::from_cd_values(&[9]).unwrap().chunk_bytes(), None);
    assert_eq!(Zstd::from_cd_values(&[9, 0]).unwrap().chunk_bytes(), None);
    assert_eq!(Zstd::from_cd_values(&[9, 20_000]).unwrap().chunk_bytes(), Some(20_000));
}

#[test]
fn zeros_after_a_value_mean_nothing_and_other_values_are_refused() {
    let layout = layout(2, &[1, 100, 100]);
    for n_zeros in 1..9 {
        let given = [&[9][..], &vec![0; n_zeros]].concat();
        assert_eq!(Zstd::localise(&given, &layout).unwrap(), [9]);
        assert_eq!(Lz4::localise(&given, &layout).unwrap(), [9, 20_000]);
    }
    for given in [&[9, 0, 1][..], &[9, 20_000, 1], &[0, 0, 0, 0, 5]] {
        let index = given.len() - 1;
        for refused in [Zstd::localise(given, &layout), Lz4::localise(given, &layout)] {
            assert!(matches!(refused, Err(Error::Parameter { index: i, .. }) if i == index || i == 1), "{refused:?}");
        }
    }
}

#[test]
fn behind_a_filter_that_changes_the_size_none_is_insisted_on() {
    let mut layout = layout(2, &[1, 100, 100]);
    layout.resized_before = true;
    assert_eq!(Lz4::localise(&[4096], &layout).unwrap(), [4096, 0]);
    assert_eq!(Zstd::localise(&[], &layout).unwrap(), [3]);
    assert_eq!(Lz4::from_cd_values(&[4096, 0]).unwrap().chunk_bytes(), None);
}

#[test]
fn every_truncation_is_an_error_and_no_mutation_a_panic() {
    let src = structured(300, 4);
    for chunk_bytes in [0, 300] {
        assert_refuses_damage(&Lz4::from_cd_values(&[128, chunk_bytes]).unwrap(), &src);
        assert_refuses_damage(&Zstd::from_cd_values(&[3, chunk_bytes]).unwrap(), &src);
    }
}

#[test]
fn a_claim_that_the_bytes_cannot_hold_is_refused_before_anything_is_allocated() {
    let mut chunk = vec![0, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4];
    assert!(matches!(Lz4::new(0).decoded_len(&chunk), Err(Error::Corrupt { at: 16, .. })));
    chunk[3] = 1;
    assert!(matches!(Lz4::new(0).decoded_len(&chunk), Err(Error::Corrupt { at: 0, .. })));
    // A frame header that states a content size of 2^31 bytes, and nothing after it that could hold them.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x80, 1, 0, 0];
    assert!(matches!(Zstd::new(0).decoded_len(&frame), Err(Error::Corrupt { .. })));
}

#[test]
fn the_size_of_the_output_is_insisted_on_and_that_in_the_parameters_is_a_claim() {
    fn assert_claim<C: Codec>(cd_values: &[u32]) {
        let (src, codec) = (structured(300, 5), C::from_cd_values(cd_values).unwrap());
        let mut dst = vec![0; 1000];
        let n_bytes = codec.encode(Exec::current(), &src, &mut dst).unwrap();
        let chunk = &dst[..n_bytes];
        assert_eq!((codec.chunk_bytes(), codec.decoded_len(chunk)), (Some(400), Ok(300)), "{}", C::NAME);
        let error = codec.decode(Exec::current(), chunk, &mut [0; 400]);
        assert_eq!(error, Err(Error::WrongSize { expected: 400, found: 300 }), "{}", C::NAME);
        let mut out = [0; 300];
        codec.decode(Exec::current(), chunk, &mut out).unwrap();
        assert_eq!(out[..], src, "{}", C::NAME);
    }
    assert_claim::<Lz4>(&[0, 400]);
    assert_claim::<Zstd>(&[0, 400]);
}

#[test]
fn good_lz4_blocks_of_a_damaged_chunk_can_be_had() {
    let src = structured(1000, 6);
    let codec = Lz4::new(100);
    let mut dst = vec![0; codec.max_encoded_len(src.len())];
    let n_bytes = codec.encode(Exec::current(), &src, &mut dst).unwrap();
    let blocks: Vec<_> = codec.blocks(&dst[..n_bytes - 1]).unwrap().collect();
    assert_eq!(blocks.len(), 10);
    assert!(matches!(blocks[9], Err(Error::Truncated { .. })));
    for block in blocks.iter().flatten() {
        let mut out = vec![0; block.decoded.len()];
        codec.decode_block(Level::current(), &dst, block, &mut out).unwrap();
        assert_eq!(out, src[block.decoded.clone()]);
    }
}
