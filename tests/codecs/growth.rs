//! What nothing makes smaller: every filter stores it in its own format, and it hardly grows.

use crate::chunk_data::{layout, random};
use darkchunk::Exec;
use darkchunk::chunk::Filter;
use darkchunk::codec::blosc::Compressor;

const N_ELEMENTS: usize = 50_000;

/// Filters and what a caller gives for them.
fn filters() -> Vec<(u32, Vec<u32>)> {
    let mut filters = vec![(32004, vec![]), (32004, vec![8192])];
    filters.extend([vec![], vec![0, 0], vec![0, 3], vec![0, 3, 1], vec![16_384, 2]].map(|given| (32008, given)));
    filters.extend([vec![], vec![1], vec![9]].map(|given| (32015, given)));
    for compressor in Compressor::ALL {
        filters.extend(
            [[0, 1], [1, 1], [5, 0], [8, 2]].map(|[level, shuffle]| (32001, vec![level, shuffle, compressor as u32])),
        );
    }
    filters
}

/// Noise; noise in which here and there some bytes are those from before, too few to gain by, or just enough; and noise with a
/// short run in every 100 bytes.
fn inputs(n_bytes: usize) -> Vec<(String, Vec<u8>)> {
    let noise = random(n_bytes, 1);
    let mut inputs = vec![("noise".to_owned(), noise.clone())];
    for n_repeated in 3..=8 {
        let mut repeating = noise.clone();
        for at in (600..n_bytes - 8).step_by(37) {
            repeating.copy_within(at - 500..at - 500 + n_repeated, at);
        }
        inputs.push((format!("{n_repeated} bytes repeated"), repeating));
        let mut with_runs = noise.clone();
        with_runs.chunks_exact_mut(100).for_each(|part| part[..n_repeated].fill(0));
        inputs.push((format!("{n_repeated} zeros"), with_runs));
    }
    inputs
}

#[test]
fn no_chunk_grows_by_more_than_half_a_percent() {
    for element_bytes in [1, 2, 3, 4, 8, 12] {
        let layout = layout(element_bytes, &[N_ELEMENTS as u64]);
        for (what, src) in inputs(N_ELEMENTS * element_bytes) {
            for (id, given) in filters() {
                let values = Filter::localise(id, &given, &layout).unwrap();
                let codec = Filter::from_cd_values(id, &values).unwrap();
                let mut chunk = vec![0; codec.max_encoded_len(src.len())];
                let n_stored = codec.encode(Exec::current(), &src, &mut chunk).unwrap();
                let name = format!("{} {given:?}, {what} of {element_bytes} bytes", codec.name());
                assert!(1000 * n_stored <= 1005 * src.len(), "{name}: {n_stored} of {}", src.len());
                let mut decoded = vec![0xA5; src.len()];
                codec.decode(Exec::current(), &chunk[..n_stored], &mut decoded).unwrap();
                assert!(decoded == src, "{name}");
            }
        }
    }
}

/// `docs/format.md`: 24 bytes, and for each segment its entry in the table, the tokens of its dark pixels, and a record.
#[test]
fn drle_grows_by_at_most_21_bytes_a_segment() {
    let n_pixels: usize = 10_000;
    for pixels_a_segment in [1, 2, 3, 7, 64, 127, 128, 129, 2100, 9999, n_pixels] {
        let values = Filter::localise(36114, &[1, 0, pixels_a_segment as u32], &layout(2, &[n_pixels as u64])).unwrap();
        let codec = Filter::from_cd_values(36114, &values).unwrap();
        let n_segments = n_pixels.div_ceil(pixels_a_segment);
        for (what, src) in inputs(2 * n_pixels) {
            let mut chunk = vec![0; codec.max_encoded_len(src.len())];
            let n_stored = codec.encode(Exec::current(), &src, &mut chunk).unwrap();
            let name = format!("{what}, segments of {pixels_a_segment}");
            assert!(n_stored <= src.len() + 24 + 21 * n_segments, "{name}: {n_stored} of {}", src.len());
            assert!(pixels_a_segment < 2100 || 1000 * (n_stored - 24) <= 1005 * src.len(), "{name}: {n_stored}");
        }
    }
}
