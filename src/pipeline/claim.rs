//! The size of a decoded chunk, where a codec's parameters carry it.

use crate::codec::Codec;
use crate::codec::bitshuffle::Bitshuffle;
use crate::codec::blosc::Blosc;
use crate::codec::lz4::Lz4;
use crate::codec::zstd::Zstd;

/// The stored parameters `values` of filter `id` with `n_bytes` in place of the size they claim; 0 for a size that is not known.
pub(super) fn replaced(id: u32, values: &[u32], n_bytes: u32) -> Vec<u32> {
    let first = values.first().copied().unwrap_or(0);
    let mut values = values.to_vec();
    match id {
        Lz4::FILTER_ID | Zstd::FILTER_ID => return vec![first, n_bytes],
        Bitshuffle::FILTER_ID if values.len() == 7 => values[6] = n_bytes,
        Blosc::FILTER_ID => values.get_mut(3).into_iter().for_each(|slot| *slot = n_bytes),
        _ => {}
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Filter;

    #[test]
    fn the_size_that_a_codec_reads_is_the_one_that_was_put_there() {
        let cases: [(u32, &[u32]); 8] = [
            (32004, &[0, 77]),
            (32004, &[]),
            (32015, &[3, 77]),
            (32015, &[3]),
            (32008, &[0, 4, 2, 0, 2, 0, 77]),
            (32008, &[0, 4, 2, 0, 0, 0, 77]),
            (32001, &[2, 2, 2, 77, 5, 1, 1]),
            (32001, &[2, 2, 2, 77]),
        ];
        for (id, values) in cases {
            for (n_bytes, expected) in [(4096, Some(4096)), (0, None)] {
                let filter = Filter::from_cd_values(id, &replaced(id, values, n_bytes)).expect("good parameters");
                assert_eq!(filter.chunk_bytes(), expected, "{id} {values:?}");
            }
        }
    }

    #[test]
    fn parameters_without_a_size_stay_as_they_are() {
        let cases: [(u32, &[u32]); 4] = [
            (32008, &[0, 4, 2, 0, 2]),
            (32008, &[0, 4, 2, 0, 4, 2, 0, 2]),
            (32001, &[]),
            (36114, &[20, 0, 0, 1, 1, 5, 9]),
        ];
        for (id, values) in cases {
            assert_eq!(replaced(id, values, 4096), values, "{id}");
        }
    }
}
