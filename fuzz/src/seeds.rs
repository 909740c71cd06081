//! Inputs from chunks and pixels: what each target reads as just these parameters and bytes.
//!
//! A fuzzer that starts from them need not find out the formats. Each function here is the mirror of what reads the
//! input; the tests read back what was written.

use crate::MAX_CONTENT_BYTES;
use crate::parameters::Parameters;
use crate::references;
use darkchunk::chunk::Filter;
use darkchunk::codec::{
    Codec, bitshuffle::Bitshuffle, blosc::Blosc, bounded::Bounded, drle::Drle, lz4::Lz4, zstd::Zstd,
};

/// An input, and the target that it is for.
pub struct Seed {
    /// The fuzz target's name.
    pub target: &'static str,
    /// What the target is given.
    pub input: Vec<u8>,
}

/// Parameters and the bytes that go with them: a stored chunk, or what is to be encoded.
#[derive(Debug)]
pub struct Case {
    /// The filter's registered number.
    pub filter: u32,
    /// As a file stores them.
    pub cd_values: Vec<u32>,
    /// Stored or decoded bytes.
    pub bytes: Vec<u8>,
}

/// The filters in the order of [`for_one_codec`](crate::for_one_codec), each with the target for its decoder.
const CODECS: [(u32, &str); 6] = [
    (Drle::FILTER_ID, "decode_drle"),
    (Bitshuffle::FILTER_ID, "decode_bitshuffle"),
    (Blosc::FILTER_ID, "decode_blosc"),
    (Lz4::FILTER_ID, "decode_lz4"),
    (Zstd::FILTER_ID, "decode_zstd"),
    (Bounded::FILTER_ID, "decode_bounded"),
];

impl Case {
    /// The number of the codec, the target for its decoder, and the parameters as the head of an input.
    fn head(&self) -> Option<(u8, &'static str, Vec<u8>)> {
        let at = CODECS.iter().position(|(filter, _)| *filter == self.filter)?;
        Some((at as u8, CODECS[at].1, Parameters::write(&self.cd_values)?))
    }

    /// The size of what is decoded, where the parameters do not carry it; a number from `least` on.
    fn size(&self, n_bytes: Option<usize>, least: usize) -> Vec<u8> {
        let known = self.codec().and_then(|codec| codec.chunk_bytes());
        let n_bytes = n_bytes.unwrap_or(0).clamp(least, MAX_CONTENT_BYTES);
        if known.is_some() { Vec::new() } else { number(n_bytes - least, MAX_CONTENT_BYTES) }
    }

    fn codec(&self) -> Option<Filter> {
        Filter::from_cd_values(self.filter, &self.cd_values).ok()
    }

    /// A stored chunk: for its decoder, the plugin's entry, and to be salvaged. None for another's filter.
    #[must_use]
    pub fn of_chunk(&self) -> Vec<Seed> {
        let Some((codec, decoder, parameters)) = self.head() else { return Vec::new() };
        let decoded = Seed { target: decoder, input: [&parameters, &self.bytes[..]].concat() };
        let entered = Seed { target: "filter_entry", input: self.entered(codec, &parameters, true) };
        let (alone, as_it_is) = (0, 0);
        let size = self.size(self.codec().and_then(|codec| codec.decoded_len(&self.bytes).ok()), 0);
        let salvaged = [&[codec], &parameters[..], &size, &[alone, as_it_is], &self.bytes].concat();
        vec![decoded, entered, Seed { target: "salvage", input: salvaged }]
    }

    /// Decoded bytes: to be encoded by every target that encodes.
    #[must_use]
    pub fn of_content(&self) -> Vec<Seed> {
        let Some((codec, _, parameters)) = self.head() else { return Vec::new() };
        let head = [&[codec], &parameters[..]].concat();
        let size = |least| self.size(Some(self.bytes.len()), least);
        let content = content(&self.bytes);
        let encoded = [&head, &size(1)[..], &content].concat();
        // Two changed bytes, and nothing cut.
        let (alone, is_damaged, is_whole) = (0, 1, 1);
        let changes = [17, 1, 0, 0, 0x40, 3, 0, 0, 0, 0xff];
        let damaged = [&head, &size(0)[..], &[alone, is_damaged, 2], &changes, &[is_whole], &content].concat();
        vec![
            Seed { target: "round_trip", input: encoded.clone() },
            Seed { target: "levels", input: encoded },
            Seed { target: "salvage", input: damaged },
            Seed { target: "filter_entry", input: self.entered(codec, &parameters, false) },
        ]
    }

    fn entered(&self, codec: u8, parameters: &[u8], is_decoding: bool) -> Vec<u8> {
        let (is_optional, slack) = (0, 9);
        [&[codec], parameters, &[is_decoding.into(), is_optional, slack], &self.bytes].concat()
    }
}

/// The pixels for each of the reference implementations, with as many parameters as make a difference.
#[must_use]
pub fn of_pixels(element_bytes: usize, pixels: &[u8]) -> Vec<Seed> {
    let heads = references::heads(element_bytes, pixels.len());
    let content = content(pixels);
    heads.into_iter().map(|head| Seed { target: "references", input: [head, content.clone()].concat() }).collect()
}

/// A number from 0 to `most` as `Unstructured` reads it in a range: as few bytes as `most` needs, the first the highest.
pub(crate) fn number(value: usize, most: usize) -> Vec<u8> {
    let n_bytes = most.ilog2() as usize / 8 + 1;
    value.to_be_bytes()[size_of::<usize>() - n_bytes..].to_vec()
}

/// Content that is not sparse: byte after byte.
fn content(bytes: &[u8]) -> Vec<u8> {
    let is_sparse = 0;
    [&[is_sparse], bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arbitrary::Unstructured;
    use darkchunk::Exec;

    const PIXELS: [u8; 96] = [7; 96];

    /// Parameters with the size, and without it where that is possible.
    fn cases() -> Vec<Case> {
        let values: [(u32, &[u32]); 9] = [
            (Drle::FILTER_ID, &[5, 0, 0, 1, 1, 24, 96]),
            (Bitshuffle::FILTER_ID, &[0, 4, 2, 0, 2, 0, 96]),
            (Bitshuffle::FILTER_ID, &[0, 4, 2, 0, 2]),
            (Blosc::FILTER_ID, &[2, 2, 2, 96, 5, 1, 1]),
            (Lz4::FILTER_ID, &[0, 96]),
            (Lz4::FILTER_ID, &[]),
            (Zstd::FILTER_ID, &[3, 96]),
            (Zstd::FILTER_ID, &[3]),
            (Bounded::FILTER_ID, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 4, 12, 96]),
        ];
        let case = |(filter, cd_values): &(u32, &[u32])| Case {
            filter: *filter,
            cd_values: cd_values.to_vec(),
            bytes: PIXELS.to_vec(),
        };
        values.iter().map(case).collect()
    }

    fn encoded(case: &Case) -> Case {
        let codec = case.codec().expect("parameters that mean something");
        let mut bytes = vec![0; codec.max_encoded_len(case.bytes.len())];
        let n_bytes = codec.encode(Exec::SCALAR, &case.bytes, &mut bytes).expect("it is encoded");
        bytes.truncate(n_bytes);
        Case { filter: case.filter, cd_values: case.cd_values.clone(), bytes }
    }

    fn input(seeds: Vec<Seed>, target: &str) -> Vec<u8> {
        seeds.into_iter().find(|seed| seed.target == target).expect(target).input
    }

    fn is_read_back_by<C: Codec>(case: &Case, input: &[u8]) {
        let mut u = Unstructured::new(input);
        let parameters = Parameters::arbitrary_for::<C>(&mut u).expect("written parameters");
        assert_eq!(parameters.cd_values, case.cd_values);
        assert_eq!(u.take_rest(), case.bytes);
    }

    #[test]
    fn a_decoder_is_given_the_chunk() {
        for case in cases().iter().map(encoded) {
            let seeds = case.of_chunk();
            let [decoded, ..] = &seeds[..] else { panic!("no seeds") };
            match case.filter {
                Drle::FILTER_ID => is_read_back_by::<Drle>(&case, &decoded.input),
                Bitshuffle::FILTER_ID => is_read_back_by::<Bitshuffle>(&case, &decoded.input),
                Blosc::FILTER_ID => is_read_back_by::<Blosc>(&case, &decoded.input),
                Lz4::FILTER_ID => is_read_back_by::<Lz4>(&case, &decoded.input),
                Zstd::FILTER_ID => is_read_back_by::<Zstd>(&case, &decoded.input),
                _ => is_read_back_by::<Bounded>(&case, &decoded.input),
            }
        }
    }

    #[test]
    fn the_plugins_entry_is_given_the_chunk_and_decodes_it() {
        fn read<C: Codec>(data: &[u8]) -> crate::entry::Chunk {
            crate::entry::chunk::<C>(data).expect("a whole input")
        }
        for case in cases().iter().map(encoded) {
            let input = input(case.of_chunk(), "filter_entry");
            let chunk = crate::for_one_codec!(input, read).expect("a codec's number");
            assert_eq!((&chunk.cd_values, &chunk.bytes), (&case.cd_values, &case.bytes));
            assert_eq!(chunk.flags, darkchunk_filter::H5Z_FLAG_REVERSE);
        }
    }

    #[test]
    fn an_encoder_is_given_the_pixels() {
        fn read<C: Codec>(data: &[u8]) -> Vec<u8> {
            crate::encoding_case::<C>(data).expect("a whole input").1
        }
        for case in cases() {
            for target in ["round_trip", "levels"] {
                let input = input(case.of_content(), target);
                assert_eq!(crate::for_one_codec!(input, read), Some(PIXELS.to_vec()), "{target} {case:?}");
            }
        }
    }

    #[test]
    fn what_is_salvaged_is_the_chunk_or_the_pixels_encoded_and_damaged() {
        fn read<C: Codec>(data: &[u8]) -> Vec<u8> {
            crate::salvage_case::<C>(data).expect("a whole input").chunk
        }
        for case in cases() {
            let chunk = encoded(&case);
            let whole = crate::for_one_codec!(input(chunk.of_chunk(), "salvage"), read).expect("a codec's number");
            assert_eq!(whole, chunk.bytes, "{case:?}");
            crate::scan(&chunk.bytes);
            let damaged = crate::for_one_codec!(input(case.of_content(), "salvage"), read).expect("a codec's number");
            let n_changed = whole.iter().zip(&damaged).filter(|(whole, damaged)| whole != damaged).count();
            assert_eq!((damaged.len(), n_changed), (whole.len(), 2), "{case:?}");
        }
    }

    #[test]
    fn the_references_are_given_the_pixels() {
        for Seed { input, .. } in of_pixels(2, &PIXELS) {
            assert_eq!(crate::references::content_of(&input), Ok(PIXELS.to_vec()), "{:?}", &input[..8]);
            crate::references::both_ways(&input);
        }
    }
}
