//! A part of a chunk is what a whole decode gives there, and what no part of it says is not looked at.

use darkchunk::Exec;
use darkchunk::codec::{BlockIndex, ChunkLayout, Filter};
use darkchunk::cpu::Level;
use darkchunk::element::ElementType;
use darkchunk_sim::Rng;
use std::ops::Range;

/// Every codec that has parts, and some that have none.
const FILTERS: [(u32, &[u32]); 14] = [
    (32008, &[0, 2]),
    (32008, &[64, 2]),
    (32008, &[128, 3, 1]),
    (32008, &[64, 0]),
    (32001, &[1, 1, 1]),
    (32001, &[1, 2, 5]),
    (32001, &[0, 0, 0]),
    (32004, &[700]),
    (32004, &[0]),
    (32015, &[1]),
    (36114, &[1]),
    (36114, &[1, 1]),
    (36115, &[0]),
    (36115, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 3]),
];
const SHAPE: [u64; 3] = [5, 31, 83];

struct Sample {
    name: String,
    filter: Filter,
    pixels: Vec<u8>,
    stored: Vec<u8>,
}

fn samples(seed: u64) -> Vec<Sample> {
    let mut rng = Rng::new(seed);
    let n_pixels: u64 = SHAPE.iter().product();
    let pixels: Vec<u8> = (0..n_pixels)
        .map(|_| match rng.below(900) {
            n @ 1..100 => n as u16,
            // A sentinel, and a pixel that DRLE stores as an exception.
            100 => u16::MAX,
            101 => 40_000,
            _ => 0,
        })
        .flat_map(u16::to_le_bytes)
        .collect();
    let layout = ChunkLayout::new(ElementType::U16, SHAPE.to_vec());
    let make = |(id, given): (u32, &[u32])| {
        let values = Filter::localise(id, given, &layout).expect("good parameters");
        let filter = Filter::from_cd_values(id, &values).expect("good parameters");
        let mut pixels = pixels.clone();
        if (id, given) == (36114, &[1, 1]) {
            // A bare stream has no exceptions.
            pixels.as_chunks_mut::<2>().0.iter_mut().for_each(|pixel| pixel[1] &= 0x7F);
        }
        let mut stored = vec![0; filter.max_encoded_len(pixels.len())];
        let n_bytes = filter.encode(Exec::current(), &pixels, &mut stored).expect("it encodes");
        stored.truncate(n_bytes);
        Sample { name: format!("{id} {given:?}"), filter, pixels, stored }
    };
    FILTERS.into_iter().map(make).collect()
}

fn range(rng: &mut Rng, n_bytes: usize) -> Range<usize> {
    let start = rng.below(n_bytes + 1);
    let most = if rng.below(3) == 0 { n_bytes - start } else { (n_bytes - start).min(400) };
    start..start + rng.below(most + 1)
}

fn decode_range(filter: &Filter, stored: &[u8], range: Range<usize>) -> darkchunk::Result<(usize, Vec<u8>)> {
    let mut dst = vec![0xEE; range.len()];
    let n_parts = filter.open(stored)?.decode_range(Level::current(), range, &mut dst)?;
    Ok((n_parts, dst))
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn every_range_is_what_a_whole_decode_gives_there_from_the_parts_that_have_it() {
    for Sample { name, filter, pixels, stored } in samples(1) {
        let mut rng = Rng::new(2);
        let parts = filter.open(&stored).expect("sound").parts();
        assert!(parts.is_none_or(|parts| parts.n_bytes == pixels.len()), "{name}");
        let whole = std::iter::once(0..pixels.len());
        let random = (0..300).map(|_| range(&mut rng, pixels.len())).collect::<Vec<_>>();
        for range in whole.chain(random) {
            let (n_parts, found) = decode_range(&filter, &stored, range.clone()).expect(&name);
            assert!(found == pixels[range.clone()], "{name} {range:?}");
            let Some(parts) = parts else { continue };
            // One more for the last elements that are in no block.
            let most = range.end.div_ceil(parts.part_bytes) - range.start / parts.part_bytes + 1;
            assert!(n_parts <= most && (n_parts > 0) != range.is_empty(), "{name} {range:?}: {n_parts} parts");
        }
    }
}

/// What is visited, put where it belongs; everything else is zeros.
fn visited(filter: &Filter, stored: &[u8], n_bytes: usize) -> darkchunk::Result<Vec<u8>> {
    let mut found = vec![0; n_bytes];
    filter
        .open(stored)?
        .visit(Level::current(), 2, &mut |at, piece| found[at..at + piece.len()].copy_from_slice(piece))?;
    Ok(found)
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn all_pieces_together_are_the_chunk_and_damage_is_an_error_there_too() {
    for Sample { name, filter, pixels, stored } in samples(9) {
        assert!(visited(&filter, &stored, pixels.len()) == Ok(pixels.clone()), "{name}");
        let mut rng = Rng::new(10);
        for _ in 0..100 {
            let mut damaged = stored.clone();
            damaged[rng.below(stored.len())] ^= 1 << rng.below(8);
            let mut whole = vec![0; pixels.len()];
            let is_whole = filter.decode(Level::current().into(), &damaged, &mut whole).is_ok();
            // A damaged chunk may decode to another size than this one; then nothing is compared.
            if filter.open(&damaged).and_then(|open| open.decoded_len()) == Ok(pixels.len()) {
                let found = visited(&filter, &damaged, pixels.len());
                assert_eq!(found.is_ok(), is_whole, "{name}");
                assert!(found.is_err() || found == Ok(whole), "{name}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn with_an_index_the_bytes_of_the_blocks_are_enough_and_those_of_another_chunk_are_noticed() {
    let (all, others) = (samples(6), samples(7));
    let mut n_indices = 0;
    for (Sample { name, filter, pixels, stored }, other) in all.into_iter().zip(others) {
        let Some(index) = filter.open(&stored).expect("sound").index().expect("sound") else { continue };
        n_indices += 1;
        let mut rng = Rng::new(8);
        for _ in 0..300 {
            let range = range(&mut rng, pixels.len());
            let place = index.stored(&range);
            let mut found = vec![0xEE; range.len()];
            let level = Level::current();
            let decoded = filter.decode_by_index(&index, level, range.clone(), &stored[place.clone()], &mut found);
            let (n_parts, expected) = decode_range(&filter, &stored, range.clone()).expect(&name);
            assert_eq!((decoded, &found), (Ok(n_parts), &expected), "{name} {range:?}");
            let places: Vec<usize> = index.places().collect();
            let blocks = index.parts().blocks(index.n_raw(), &range);
            let some = &places[blocks.start..=blocks.end];
            let some = BlockIndex::of_some(index.parts(), index.n_raw(), blocks.start, some).expect(&name);
            assert_eq!(some.stored(&range), place, "{name} {range:?}");
            let again = filter.decode_by_index(&some, level, range.clone(), &stored[place.clone()], &mut found);
            assert_eq!((again, &found), (Ok(n_parts), &expected), "{name} {range:?}: by some blocks");
            // What has blocks that are not known is refused.
            let (all, n) = (0..pixels.len(), stored.len());
            let is_all = blocks == index.parts().blocks(index.n_raw(), &all);
            let whole = filter.decode_by_index(&some, level, all, &stored[12..n], &mut vec![0; pixels.len()]);
            assert!(is_all || whole.is_err(), "{name} {range:?}");
            if let Some(bytes) = other.stored.get(place) {
                let decoded = filter.decode_by_index(&index, level, range.clone(), bytes, &mut found);
                let is_right = decoded.is_err() || found == other.pixels[range.clone()];
                assert!(is_right, "{name} {range:?}: blocks of another chunk at other places");
            }
        }
    }
    assert_eq!(n_indices, 5, "bitshuffle with a compression, and LZ4");
}

#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn a_range_that_is_not_in_the_chunk_or_not_that_of_the_output_is_refused() {
    for Sample { name, filter, pixels, stored } in samples(3) {
        let open = filter.open(&stored).expect("sound");
        let n = pixels.len();
        #[expect(clippy::reversed_empty_ranges, reason = "that is the claim")]
        for (range, n_bytes) in [(n - 1..n + 1, 2), (n + 1..n + 1, 0), (0..2, 3), (7..5, 0), (0..usize::MAX, 9)] {
            let found = open.decode_range(Level::current(), range.clone(), &mut vec![0; n_bytes]);
            assert!(found.is_err(), "{name} {range:?}");
        }
    }
}

/// Of a damaged chunk a range may decode where the whole does not. Where both do, they are the same.
#[test]
#[cfg_attr(miri, ignore = "calls C")]
fn damage_never_gives_a_pixel_that_a_whole_decode_contradicts() {
    let mut n_both = 0;
    for Sample { name, filter, pixels, stored } in samples(4) {
        let mut rng = Rng::new(5);
        for turn in 0..300 {
            let mut damaged = stored.clone();
            match turn % 3 {
                0 => damaged.truncate(rng.below(stored.len())),
                1 => damaged[rng.below(stored.len().min(64))] ^= 1 << rng.below(8),
                _ => damaged[rng.below(stored.len())] ^= 1 << rng.below(8),
            }
            let mut whole = vec![0; pixels.len()];
            let is_whole = filter.decode(Exec::current(), &damaged, &mut whole).is_ok();
            let range = range(&mut rng, pixels.len());
            if let (true, Ok((_, found))) = (is_whole, decode_range(&filter, &damaged, range.clone())) {
                assert!(found == whole[range.clone()], "{name} {range:?} turn {turn}");
                n_both += 1;
            }
        }
    }
    assert!(n_both > 300, "{n_both}");
}
