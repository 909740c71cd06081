//! What is saved of damaged chunks that went through shuffle or fletcher32 as well, or through other filters than their mask says.

use crate::chunk_data::{layout, structured};
use darkchunk::chunk::Filter;
use darkchunk::cpu::Level;
use darkchunk::pipeline::Pipeline;
use darkchunk::salvage::{Damage, Verdict, salvage};
use darkchunk::{Error, Exec};

const N_PIXELS: usize = 600;
const N_BYTES: usize = 2 * N_PIXELS;
const FILL: [u8; 2] = [0x7B, 0x51];

const SHUFFLE: (u32, &[u32]) = (2, &[2]);
const FLETCHER32: (u32, &[u32]) = (3, &[]);
const SCALEOFFSET: (u32, &[u32]) = (6, &[0, 0]);

type Filters = Vec<(u32, Vec<u32>)>;

/// Each codec, in blocks that are a part of the chunk where it has any.
fn codecs() -> Filters {
    let given: [(u32, &[u32]); 7] = [
        (36114, &[1]),
        (36114, &[1, 1]),
        (32008, &[64, 0]),
        (32008, &[64, 2]),
        (32001, &[0, 0, 0, 0, 5, 1, 1]),
        (32004, &[256]),
        (32015, &[3]),
    ];
    given.map(|(id, values)| (id, Filter::localise(id, values, &layout(2, &[6, 100])).unwrap())).to_vec()
}

fn pixels() -> Vec<u8> {
    structured(N_BYTES, 5)
        .into_iter()
        .enumerate()
        .map(|(at, byte)| if at % 2 == 1 { byte & 0x7F } else { byte })
        .collect()
}

fn owned(filters: &[(u32, &[u32])]) -> Filters {
    filters.iter().map(|(id, values)| (*id, values.to_vec())).collect()
}

fn pipeline(filters: &Filters) -> Pipeline {
    Pipeline::new(filters.iter().map(|(id, values)| (*id, &values[..]))).unwrap()
}

fn encoded(filters: &Filters) -> Vec<u8> {
    pipeline(filters).encode(Exec::current(), &pixels()).unwrap()
}

/// Each codec among these filters. DRLE must be the first one.
fn chains(before: &[(u32, &[u32])], after: &[(u32, &[u32])]) -> Vec<Filters> {
    let codecs = codecs().into_iter().filter(|(id, _)| *id != 36114 || before.is_empty());
    codecs.map(|codec| [owned(before), vec![codec], owned(after)].concat()).collect()
}

/// Salvages a chunk: what is lost is filled, and nothing that was in the output before is left there.
fn saved(filters: &Filters, mask: u32, stored: &[u8]) -> (Verdict, Vec<u8>) {
    let mut dst = vec![0xEE; N_BYTES];
    let verdict = salvage(Level::current(), &pipeline(filters), mask, stored, &FILL, &mut dst);
    let mut again = vec![0x11; N_BYTES];
    assert_eq!(salvage(Level::SCALAR, &pipeline(filters), mask, stored, &FILL, &mut again), verdict, "{filters:?}");
    let is_unknown = filters.iter().any(|(id, _)| *id == SCALEOFFSET.0);
    assert!(dst == again || is_unknown && verdict.damage().is_empty(), "{filters:?}: bytes from elsewhere");
    assert_ne!(verdict, Verdict::Damaged(Vec::new()));
    (verdict, dst)
}

/// Every byte that is neither lost nor in doubt is right, and every lost one is the fill value.
fn assert_right_or_reported(verdict: &Verdict, dst: &[u8], what: &str) {
    let is_in = |at: usize, part: fn(&Damage) -> &std::ops::Range<usize>| {
        verdict.damage().iter().any(|damage| part(damage).contains(&at))
    };
    for (at, (found, expected)) in dst.iter().zip(pixels()).enumerate() {
        if is_in(at, |damage| &damage.lost) {
            assert_eq!(*found, FILL[at % 2], "{what}: byte {at} is lost and not filled: {verdict:?}");
        } else if !is_in(at, |damage| &damage.doubtful) {
            assert_eq!(*found, expected, "{what}: byte {at} is wrong: {verdict:?}");
        }
    }
}

#[test]
fn sound_chunks_are_intact_where_there_is_a_checksum() {
    for (before, after, is_proved) in [
        (&[][..], &[FLETCHER32][..], true),
        (&[FLETCHER32], &[], true),
        (&[SHUFFLE], &[FLETCHER32], true),
        (&[SHUFFLE, FLETCHER32], &[], true),
        (&[SHUFFLE], &[], false),
    ] {
        for filters in chains(before, after) {
            let (verdict, dst) = saved(&filters, 0, &encoded(&filters));
            assert_eq!(verdict, if is_proved { Verdict::Intact } else { Verdict::Decodes }, "{filters:?}");
            assert!(dst == pixels(), "{filters:?}");
        }
    }
    for (filters, verdict) in [(vec![FLETCHER32], Verdict::Intact), (vec![SHUFFLE], Verdict::Decodes)] {
        let filters = owned(&filters);
        assert_eq!(saved(&filters, 0, &encoded(&filters)), (verdict, pixels()));
    }
}

#[test]
fn a_changed_byte_under_a_checksum_is_seen_and_leaves_no_wrong_pixel_unsaid() {
    let around: [(&[_], &[_]); 5] = [
        (&[], &[FLETCHER32]),
        (&[FLETCHER32], &[]),
        (&[SHUFFLE], &[FLETCHER32]),
        (&[SHUFFLE, FLETCHER32], &[]),
        (&[FLETCHER32, SHUFFLE], &[FLETCHER32]),
    ];
    for filters in around.iter().flat_map(|(before, after)| chains(before, after)) {
        let stored = encoded(&filters);
        for at in 0..stored.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut changed = stored.clone();
                changed[at] ^= flip;
                let (verdict, dst) = saved(&filters, 0, &changed);
                let what = format!("{filters:?} byte {at} of {} ^ {flip:#x}", stored.len());
                // Before the codec, a checksum covers the pixels: the codec may have bytes that mean nothing.
                let is_unread = verdict == Verdict::Intact && filters[0].0 != 36114 && dst == pixels();
                assert!(!verdict.damage().is_empty() || is_unread, "{what}: {verdict:?}");
                assert_right_or_reported(&verdict, &dst, &what);
            }
        }
    }
}

#[test]
fn a_changed_checksum_costs_nothing_where_the_codec_proves_its_pixels() {
    let filters = chains(&[], &[FLETCHER32]).remove(0);
    let mut stored = encoded(&filters);
    *stored.last_mut().unwrap() ^= 1;
    let (verdict, dst) = saved(&filters, 0, &stored);
    let [damage] = verdict.damage() else { panic!("{verdict:?}") };
    assert!(damage.lost.is_empty() && damage.doubtful.is_empty() && dst == pixels(), "{verdict:?}");
    assert!(matches!(damage.reason, Error::Checksum { .. }), "{verdict:?}");
}

#[test]
fn a_changed_checksum_alone_leaves_pixels_that_are_in_doubt() {
    for filters in chains(&[SHUFFLE], &[FLETCHER32]) {
        let mut stored = encoded(&filters);
        *stored.last_mut().unwrap() ^= 1;
        let (verdict, dst) = saved(&filters, 0, &stored);
        let [damage] = verdict.damage() else { panic!("{verdict:?}") };
        assert_eq!((damage.lost.clone(), damage.doubtful.clone()), (0..0, 0..N_BYTES), "{filters:?}");
        assert!(matches!(damage.reason, Error::Checksum { .. }) && dst == pixels(), "{filters:?}");
    }
}

#[test]
fn every_truncation_is_seen_and_leaves_no_wrong_pixel_unsaid() {
    let around: [(&[_], &[_]); 4] =
        [(&[], &[FLETCHER32]), (&[FLETCHER32], &[]), (&[SHUFFLE], &[FLETCHER32]), (&[SHUFFLE], &[])];
    let chains = around.iter().flat_map(|(before, after)| chains(before, after));
    for filters in chains.chain([owned(&[FLETCHER32]), owned(&[SHUFFLE, FLETCHER32]), owned(&[SHUFFLE])]) {
        let stored = encoded(&filters);
        for n_bytes in 0..stored.len() {
            let (verdict, dst) = saved(&filters, 0, &stored[..n_bytes]);
            let what = format!("{filters:?} {n_bytes} of {} bytes", stored.len());
            assert!(!verdict.damage().is_empty(), "{what}");
            assert_right_or_reported(&verdict, &dst, &what);
        }
    }
}

#[test]
fn a_checksum_that_is_cut_off_costs_no_pixel() {
    for filters in chains(&[], &[FLETCHER32]).into_iter().chain(chains(&[SHUFFLE], &[FLETCHER32])) {
        let stored = encoded(&filters);
        for n_cut in 1..=4 {
            let (verdict, dst) = saved(&filters, 0, &stored[..stored.len() - n_cut]);
            // A bare stream, a Zstd frame and a plain chunk have as many bytes as they have: here up to 3 are too many.
            let is_exact =
                matches!(filters.iter().find(|(id, _)| *id > 3), Some((36114 | 32015, _)) | Some((32008, _)));
            if n_cut == 4 || !is_exact {
                assert!(dst == pixels(), "{filters:?} {n_cut}: {verdict:?}");
            }
            assert_right_or_reported(&verdict, &dst, &format!("{filters:?} {n_cut}"));
        }
    }
}

#[test]
fn a_lost_block_of_shuffled_bytes_costs_the_elements_that_its_bytes_are_of() {
    // LZ4 in blocks of 256 bytes: block 1 is the first bytes of elements 256 to 511.
    let filters = owned(&[SHUFFLE, (32004, &[256])]);
    let mut stored = encoded(&filters);
    let first = u32::from_be_bytes(*stored[12..].first_chunk().unwrap()) as usize;
    let second = 12 + 4 + first + 4;
    stored[second..second + 6].fill(0xFF);
    let (verdict, dst) = saved(&filters, 0, &stored);
    let lost: Vec<_> = verdict.damage().iter().map(|damage| (damage.blocks.clone(), damage.lost.clone())).collect();
    assert_eq!(lost, [(1..2, 512..1024)]);
    assert_right_or_reported(&verdict, &dst, "second block");
}

#[test]
fn of_a_chunk_of_two_codecs_all_or_nothing_is_saved() {
    let filters = owned(&[(32008, &[0, 4, 2, 64, 0]), (32015, &[3])]);
    let mut stored = encoded(&filters);
    assert_eq!(saved(&filters, 0, &stored), (Verdict::Decodes, pixels()));
    stored.pop();
    let (verdict, _) = saved(&filters, 0, &stored);
    let [damage] = verdict.damage() else { panic!("{verdict:?}") };
    assert_eq!(damage.lost, 0..N_BYTES);
}

const RAW: &str = "the filter mask is 0x0, which is wrong: nothing of the chunk decodes, and it has the length of one that the \
                   codec left out (collective writes of parallel HDF5 before 1.14 lose the mask)";

/// As parallel HDF5 before 1.14 writes collectively what an optional filter declines.
#[test]
fn a_raw_chunk_whose_mask_is_lost_is_saved() {
    for filters in codecs() {
        // Bitshuffle without compression never declines. The bytes of pixels that are not negative are a bare stream of these.
        if filters.0 == 32008 && filters.1[4] == 0 || filters.0 == 36114 && filters.1[1] == 1 {
            continue;
        }
        for (before, after) in
            [(&[][..], &[][..]), (&[], &[FLETCHER32]), (&[SHUFFLE], &[]), (&[SHUFFLE], &[FLETCHER32])]
        {
            let all = [owned(before), vec![filters.clone()], owned(after)].concat();
            let mut others = all.clone();
            others.remove(before.len());
            let stored = encoded(&others);
            let (verdict, dst) = saved(&all, 0, &stored);
            let [damage] = verdict.damage() else { panic!("{all:?}: {verdict:?}") };
            // Without a checksum it may as well be an encoded chunk of that length, damaged.
            let doubtful = if after.is_empty() { 0..N_BYTES } else { 0..0 };
            assert!(damage.lost.is_empty() && damage.doubtful == doubtful && dst == pixels(), "{all:?}: {verdict:?}");
            assert_eq!(damage.reason.to_string(), RAW, "{all:?}");
            for n_bytes in [stored.len() - 1, stored.len() - 2] {
                let (verdict, _) = saved(&all, 0, &stored[..n_bytes]);
                assert!(verdict.damage()[0].reason.to_string() != RAW, "{all:?} {n_bytes}");
            }
        }
    }
}

const GZIP: (u32, &[u32]) = (1, &[4]);

#[test]
fn chunks_of_gzip_are_proved_by_its_checksum_and_no_wrong_pixel_is_unsaid() {
    let lz4: (u32, &[u32]) = (32004, &[256, 0]);
    for filters in [
        &[GZIP][..],
        &[SHUFFLE, GZIP],
        &[FLETCHER32, SHUFFLE, GZIP],
        &[GZIP, lz4],
        &[lz4, GZIP],
        &[SHUFFLE, GZIP, SHUFFLE],
    ] {
        let filters = owned(filters);
        let sound = encoded(&filters);
        assert_eq!(saved(&filters, 0, &sound), (Verdict::Intact, pixels()), "{filters:?}");
        for at in 0..sound.len() {
            let mut stored = sound.clone();
            stored[at] ^= 0x10;
            let (verdict, dst) = saved(&filters, 0, &stored);
            assert_right_or_reported(&verdict, &dst, &format!("{filters:?}, byte {at}"));
            let (verdict, dst) = saved(&filters, 0, &sound[..at]);
            assert!(!verdict.damage().is_empty(), "{filters:?}, {at} bytes");
            assert_right_or_reported(&verdict, &dst, &format!("{filters:?}, {at} bytes"));
        }
    }
}

#[test]
fn a_checksum_after_gzip_that_is_wrong_itself_costs_nothing() {
    let filters = owned(&[SHUFFLE, GZIP, FLETCHER32]);
    let mut stored = encoded(&filters);
    *stored.last_mut().unwrap() ^= 1;
    let (verdict, dst) = saved(&filters, 0, &stored);
    let [Damage { lost, doubtful, reason: Error::Checksum { .. }, .. }] = verdict.damage() else {
        panic!("{verdict:?}")
    };
    assert!(lost.is_empty() && doubtful.is_empty() && dst == pixels(), "{verdict:?}");
}

#[test]
fn gzip_of_another_size_is_refused_with_the_size() {
    let filters = owned(&[GZIP]);
    for n_bytes in [0, N_BYTES - 2, N_BYTES + 2, 40 * N_BYTES] {
        let stored = pipeline(&filters).encode(Exec::current(), &vec![7; n_bytes]).unwrap();
        let (verdict, _) = saved(&filters, 0, &stored);
        let wrong = Error::WrongSize { expected: N_BYTES, found: n_bytes };
        assert_eq!(verdict.damage()[0].reason, wrong);
        assert_eq!(verdict.damage()[0].lost, 0..N_BYTES);
    }
}

#[test]
fn gzip_after_a_filter_that_is_not_known_proves_the_chunk() {
    let (filters, gzip) = (owned(&[SCALEOFFSET, GZIP]), owned(&[GZIP]));
    let mut stored = encoded(&gzip);
    assert_eq!(saved(&filters, 0, &stored).0, Verdict::Intact);
    let at = stored.len() - 3;
    stored[at] ^= 1;
    assert_eq!(saved(&filters, 0, &stored).0.damage()[0].lost, 0..N_BYTES);
}

/// A format of one piece, in which one changed byte costs the whole chunk.
#[test]
fn a_damaged_chunk_that_has_the_raw_length_by_chance_is_in_doubt() {
    let filters = owned(&[(32015, &[3])]);
    let mut stored = encoded(&filters);
    // A frame that is skipped after it makes the length, which HDF5 keeps beside the chunk, that of the pixels.
    let n_skipped = N_BYTES - stored.len() - 8;
    stored.extend([0x50, 0x2A, 0x4D, 0x18]);
    stored.extend((n_skipped as u32).to_le_bytes());
    stored.resize(N_BYTES, 0);
    assert_eq!(saved(&filters, 0, &stored), (Verdict::Decodes, pixels()));
    stored[0] ^= 1;
    let (verdict, dst) = saved(&filters, 0, &stored);
    let [Damage { lost, doubtful, reason, .. }] = verdict.damage() else { panic!("{verdict:?}") };
    assert!(lost.is_empty() && *doubtful == (0..N_BYTES) && dst != pixels(), "{verdict:?}");
    assert_eq!(reason.to_string(), RAW);
}

#[test]
fn an_encoded_chunk_that_the_mask_calls_raw_is_saved() {
    for (before, after) in [(&[][..], &[][..]), (&[], &[FLETCHER32]), (&[SHUFFLE], &[]), (&[SHUFFLE], &[FLETCHER32])] {
        for filters in chains(before, after) {
            let (mask, stored) = (1 << before.len(), encoded(&filters));
            // Bitshuffle without compression, and a bare stream without runs.
            if stored.len() <= N_BYTES + 4 && stored.len() >= N_BYTES {
                continue;
            }
            let (verdict, dst) = saved(&filters, mask, &stored);
            let [damage] = verdict.damage() else { panic!("{filters:?}: {verdict:?}") };
            assert!(
                damage.lost.is_empty() && damage.doubtful.is_empty() && dst == pixels(),
                "{filters:?}: {verdict:?}"
            );
            let text = format!(
                "the filter mask is {mask:#x}, which is wrong: the chunk decodes by the codec that it leaves out"
            );
            assert_eq!(damage.reason.to_string(), text, "{filters:?}");
        }
    }
}

#[test]
fn a_chunk_of_a_filter_that_is_not_known_is_not_examined() {
    const TEXT: &str = "filter 6 (scaleoffset) is none that darkchunk decodes";
    for filters in
        [&[SCALEOFFSET][..], &[SCALEOFFSET, (32015, &[3])], &[(32004, &[]), SCALEOFFSET], &[SCALEOFFSET, SHUFFLE]]
    {
        for stored in [&[0; 40][..], &[], &[7; N_BYTES]] {
            let (verdict, _) = saved(&owned(filters), 0, stored);
            assert_eq!(verdict, Verdict::NotExamined(Error::Unsupported(TEXT.into())), "{filters:?}");
        }
    }
}

#[test]
fn a_checksum_after_a_filter_that_is_not_known_proves_the_chunk() {
    let filters = owned(&[SCALEOFFSET, (32015, &[3]), SHUFFLE, FLETCHER32]);
    let mut stored = encoded(&owned(&[(32004, &[]), SHUFFLE, FLETCHER32]));
    assert_eq!(saved(&filters, 0, &stored).0, Verdict::Intact);
    stored[3] ^= 1;
    let (verdict, dst) = saved(&filters, 0, &stored);
    let [Damage { lost, reason: Error::Checksum { .. }, .. }] = verdict.damage() else { panic!("{verdict:?}") };
    assert!(*lost == (0..N_BYTES) && dst.chunks(2).all(|pixel| pixel == FILL), "{verdict:?}");
    for n_bytes in 0..4 {
        assert!(!saved(&filters, 0, &stored[..n_bytes]).0.damage().is_empty());
    }
}

#[test]
fn the_mask_may_leave_out_a_filter_that_is_not_known() {
    let filters = owned(&[SCALEOFFSET, (32015, &[3])]);
    let stored = encoded(&owned(&[(32015, &[3])]));
    assert_eq!(saved(&filters, 0b01, &stored), (Verdict::Decodes, pixels()));
}
