//! Filter 32015 (Zstd): frames as other writers store them. What is in them is decoded, or they are refused.

use crate::chunk_data::{random, structured};
use darkchunk::codec::zstd::Zstd;
use darkchunk::codec::{Codec, DecodedSize, OpenChunk};
use darkchunk::cpu::Level;
use darkchunk::pipeline::Pipeline;
use darkchunk::{Error, Exec, Result};
use zstd_safe::{CCtx, CParameter, InBuffer, OutBuffer};

const BLOCK_BYTES: usize = 128 << 10;

/// A frame by the library, with a content size and a checksum or without.
fn frame(content: &[u8], has_size: bool, has_checksum: bool) -> Vec<u8> {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::ContentSizeFlag(has_size)).unwrap();
    context.set_parameter(CParameter::ChecksumFlag(has_checksum)).unwrap();
    let mut frame = vec![0; zstd_safe::compress_bound(content.len())];
    let n = context.compress2(&mut frame[..], content).unwrap();
    frame.truncate(n);
    frame
}

/// As a writer that is given pieces and does not know how many will come: each is flushed.
fn streamed(pieces: &[&[u8]]) -> Vec<u8> {
    let mut context = CCtx::create();
    let n_bytes: usize = pieces.iter().map(|piece| zstd_safe::compress_bound(piece.len()) + 64).sum();
    let mut frame = vec![0; n_bytes + 64];
    let mut output = OutBuffer::around(&mut frame[..]);
    for piece in pieces {
        let mut input = InBuffer::around(piece);
        while input.pos() < piece.len() {
            context.compress_stream(&mut output, &mut input).unwrap();
        }
        assert_eq!(context.flush_stream(&mut output), Ok(0));
    }
    assert_eq!(context.end_stream(&mut output), Ok(0));
    let n = output.pos();
    frame.truncate(n);
    frame
}

fn skippable(number: u8, content: &[u8]) -> Vec<u8> {
    let head = [0x50 | number, 0x2A, 0x4D, 0x18];
    [&head[..], &(content.len() as u32).to_le_bytes(), content].concat()
}

fn size(codec: &Zstd, chunk: &[u8]) -> Result<DecodedSize> {
    codec.open(chunk)?.decoded_size()
}

fn up_to(chunk: &[u8], dst: &mut [u8]) -> Result<usize> {
    Zstd::new(0).open(chunk)?.decode_up_to(Exec::current(), dst)
}

/// Decodes by parameters without a size, as a plugin does, into memory of the most that the chunk says.
fn decode(level: Level, chunk: &[u8]) -> Result<Vec<u8>> {
    let codec = Zstd::new(0);
    let chunk = codec.open(chunk)?;
    let (DecodedSize::Exactly(max) | DecodedSize::AtMost(max)) = chunk.decoded_size()?;
    let mut dst = vec![0xA5; max];
    let n_bytes = chunk.decode_up_to(level.into(), &mut dst)?;
    dst.truncate(n_bytes);
    Ok(dst)
}

/// `chunk` decodes to `content` at every level, whether the parameters say the size or not, and is salvaged.
fn assert_decodes(chunk: &[u8], content: &[u8], what: &str) {
    let known = Zstd::from_cd_values(&[3, content.len() as u32]).unwrap();
    assert_eq!(size(&known, chunk), size(&Zstd::new(0), chunk), "{what}: a claim says nothing");
    for &level in Level::available() {
        assert!(decode(level, chunk).as_deref() == Ok(content), "{what} {level:?}");
        for codec in [Zstd::new(0), known.clone()] {
            let mut dst = vec![0xA5; content.len()];
            codec.decode(level.into(), chunk, &mut dst).expect(what);
            assert!(dst == content, "{what} {level:?}");
        }
        let mut dst = vec![0xA5; content.len()];
        for values in [&[0][..], &[3, content.len() as u32 + 1]] {
            let pipeline = Pipeline::new([(32015, values)]).unwrap();
            let verdict = darkchunk::salvage::salvage(level, &pipeline, 0, chunk, &[], &mut dst);
            assert!(verdict.damage().is_empty(), "{what} {values:?}");
        }
        assert!(dst == content, "{what} {level:?}");
    }
    let other = Zstd::from_cd_values(&[3, content.len() as u32 + 1]).unwrap();
    assert!(
        other.decode(Exec::current(), chunk, &mut vec![0; content.len() + 1]).is_err(),
        "{what}: another size than the parameters say"
    );
    assert!(
        known.decode(Exec::current(), chunk, &mut vec![0; content.len() + 1]).is_err(),
        "{what}: another size than the output has"
    );
}

#[test]
fn a_frame_that_does_not_state_its_size_decodes() {
    for n_bytes in [1, 100, 8192, BLOCK_BYTES, BLOCK_BYTES + 1, 700_000] {
        for content in [structured(n_bytes, 1), random(n_bytes, 2), vec![0; n_bytes]] {
            for has_checksum in [false, true] {
                let chunk = frame(&content, false, has_checksum);
                assert!(matches!(size(&Zstd::new(0), &chunk), Ok(DecodedSize::AtMost(_))));
                assert!(matches!(Zstd::new(0).decoded_len(&chunk), Err(Error::SizeUnknown)));
                assert_decodes(&chunk, &content, &format!("{n_bytes} bytes"));
            }
        }
    }
}

#[test]
fn a_frame_that_was_flushed_piece_by_piece_decodes() {
    let content = structured(500_000, 3);
    for piece_bytes in [1000, 4096, 100_000, 300_000] {
        let pieces: Vec<_> = content.chunks(piece_bytes).collect();
        assert_decodes(&streamed(&pieces), &content, &format!("pieces of {piece_bytes}"));
    }
}

fn at_most(chunk: &[u8]) -> usize {
    match size(&Zstd::new(0), chunk) {
        Ok(DecodedSize::AtMost(max)) => max,
        other => panic!("it states no size: {other:?}"),
    }
}

#[test]
fn no_more_memory_is_asked_for_than_blocks_can_hold() {
    for n_bytes in [1, 8192, BLOCK_BYTES + 1, 700_000] {
        // In blocks of the largest size.
        for content in [random(n_bytes, 5), vec![0; n_bytes]] {
            let max = at_most(&frame(&content, false, false));
            assert!((n_bytes..n_bytes + BLOCK_BYTES).contains(&max), "{n_bytes} bytes, at most {max}");
        }
    }
    let content = structured(70_000, 4);
    let pieces: Vec<_> = content.chunks(1000).collect();
    let max = at_most(&streamed(&pieces));
    assert!((content.len()..=(pieces.len() + 1) * BLOCK_BYTES).contains(&max), "{} blocks, {max}", pieces.len());
}

#[test]
fn an_output_that_is_too_small_is_told_from_damage() {
    let content = structured(300_000, 6);
    for chunk in [frame(&content, true, false), frame(&content, false, false)] {
        let mut dst = vec![0; content.len() - 1];
        let error = up_to(&chunk, &mut dst);
        assert_eq!(error, Err(Error::OutputTooSmall { needed: content.len(), available: content.len() - 1 }));
        let mut damaged = frame(&content, false, true);
        *damaged.last_mut().unwrap() ^= 1;
        let mut dst = vec![0; 2 * content.len()];
        let error = up_to(&damaged, &mut dst);
        assert!(matches!(error, Err(Error::Corrupt { .. })), "{error:?}");
    }
}

#[test]
fn several_frames_are_one_chunk() {
    let content = structured(20_000, 7);
    for at in [1, 8192, 19_999] {
        let (first, second) = content.split_at(at);
        for [first_has, second_has] in [[true, true], [true, false], [false, true], [false, false]] {
            let chunk = [frame(first, first_has, false), frame(second, second_has, true)].concat();
            assert_decodes(&chunk, &content, &format!("cut at {at}, sizes {first_has} {second_has}"));
        }
    }
    let parts: Vec<_> = content.chunks(100).map(|part| frame(part, true, false)).collect();
    assert_decodes(&parts.concat(), &content, "200 frames");
    let nothing = frame(&[], true, false);
    let chunk = [&nothing[..], &frame(&content, true, false), &nothing].concat();
    assert_decodes(&chunk, &content, "empty frames");
}

#[test]
fn frames_to_be_skipped_and_zeros_after_them_change_nothing() {
    let content = structured(20_000, 8);
    for has_size in [true, false] {
        let whole = frame(&content, has_size, false);
        let (skipped, empty) = (skippable(3, b"who wrote it"), skippable(15, &[]));
        assert_decodes(&[&skipped[..], &whole].concat(), &content, "one before");
        assert_decodes(&[&whole[..], &empty, &skipped].concat(), &content, "two after it");
        for n_zeros in [1, 3, 4, 8, 4096] {
            assert_decodes(&[&whole[..], &vec![0; n_zeros]].concat(), &content, "zeros after it");
            assert_decodes(&[&whole[..], &skipped, &vec![0; n_zeros]].concat(), &content, "skipped, zeros after it");
        }
    }
}

#[test]
fn what_is_after_a_frame_is_another_one_or_zeros_or_refused() {
    let content = structured(1000, 9);
    let whole = frame(&content, true, false);
    for after in [&[1][..], &[0, 0, 0, 1], &[0, 0, 0, 0, 0xFF], &[0x28, 0xB5, 0x2F], &[0xAA; 32]] {
        let chunk = [&whole[..], after].concat();
        assert!(decode(Level::current(), &chunk).is_err(), "{after:?}");
        assert!(Zstd::new(0).decode(Exec::current(), &chunk, &mut vec![0; content.len()]).is_err(), "{after:?}");
    }
    let mut two = [&whole[..], &whole].concat();
    for bit in 0..32 {
        two[whole.len() + bit / 8] ^= 1 << (bit % 8);
        assert!(decode(Level::current(), &two).is_err(), "the second frame's magic without bit {bit}");
        two[whole.len() + bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_chunk_without_a_frame_is_refused() {
    for chunk in [&[][..], &[0; 100], &skippable(0, &[1, 2, 3]), &skippable(0, &[])[..7]] {
        assert!(size(&Zstd::new(0), chunk).is_err(), "{chunk:?}");
        assert!(Zstd::new(0).decode(Exec::current(), chunk, &mut []).is_err(), "{chunk:?}");
    }
}

/// Cut after a frame, what is left is sound, and too short: that is seen where the size is known.
#[test]
fn every_truncation_is_an_error_or_fewer_frames() {
    let content = structured(3000, 10);
    let (first, second) = (frame(&content[..1000], true, false), frame(&content[1000..], false, true));
    let (n_first, skipped) = (first.len(), skippable(1, &[7; 20]));
    let chunk = [first, skipped, second].concat();
    let known = Zstd::from_cd_values(&[3, content.len() as u32]).unwrap();
    for n_bytes in 0..chunk.len() {
        match decode(Level::current(), &chunk[..n_bytes]) {
            Ok(decoded) => assert!(decoded == content[..1000] && [n_first, n_first + 28].contains(&n_bytes)),
            Err(error) => assert!(![n_first, n_first + 28].contains(&n_bytes), "{n_bytes}: {error}"),
        }
        assert!(known.decode(Exec::current(), &chunk[..n_bytes], &mut vec![0; content.len()]).is_err(), "{n_bytes}");
    }
}

#[test]
fn no_changed_byte_is_a_panic_or_shows_what_the_output_held() {
    let content = structured(600, 11);
    let chunk =
        [frame(&content[..200], false, false), skippable(0, &[1]), frame(&content[200..], true, false)].concat();
    for at in 0..chunk.len() {
        for flip in 1..=255 {
            let mut damaged = chunk.clone();
            damaged[at] ^= flip;
            let Ok(DecodedSize::Exactly(max) | DecodedSize::AtMost(max)) = size(&Zstd::new(0), &damaged) else {
                continue;
            };
            let [first, second] = [0x00, 0xFF].map(|fill| {
                let mut dst = vec![fill; max];
                let n_bytes = up_to(&damaged, &mut dst);
                n_bytes.map(|n_bytes| dst[..n_bytes].to_vec())
            });
            assert_eq!(first, second, "byte {at} ^ {flip:#04x}");
        }
    }
}
