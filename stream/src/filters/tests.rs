use super::*;
use darkchunk_sim::Rng;
use flate2::write::ZlibEncoder;
use std::io::Write as _;

const CHUNK_BYTES: usize = 2 * 500;

fn pixels() -> Vec<u8> {
    let mut rng = Rng::new(5);
    (0..CHUNK_BYTES / 2).flat_map(|_| (rng.below(300) as u16 * u16::from(rng.below(3) == 0)).to_le_bytes()).collect()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::new(4));
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// LZF with literals, and copies of what a run of equal bytes repeats.
fn lzf_encoded(bytes: &[u8]) -> Vec<u8> {
    let (mut encoded, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let run = bytes[at..].iter().take(264).take_while(|byte| **byte == bytes[at]).count();
        if at > 0 && bytes[at] == bytes[at - 1] && run >= 3 {
            let len = run;
            match len - 2 {
                short @ ..7 => encoded.extend([(short as u8) << 5, 0]),
                long => encoded.extend([7 << 5, (long - 7) as u8, 0]),
            }
            at += len;
        } else {
            encoded.extend([0, bytes[at]]);
            at += 1;
        }
    }
    encoded
}

/// Early PyTables' chunk of these bytes, all literals: an LZO1X stream may begin with up to 238 of them.
fn lzo_encoded(bytes: &[u8]) -> Vec<u8> {
    assert!((4..=238).contains(&bytes.len()));
    let mut encoded = vec![bytes.len() as u8 + 17];
    encoded.extend(bytes);
    encoded.extend([0x11, 0, 0]);
    encoded.extend(lzo::adler32(bytes).to_le_bytes());
    encoded.extend((bytes.len() as u32).to_le_bytes());
    encoded
}

/// A filter's number and parameters.
type Filter<'a> = (u32, &'a [u32]);

fn chain(filters: &[Filter<'_>]) -> Chain {
    Chain::new(filters.iter().copied()).expect("few filters")
}

fn decoded(chain: &Chain, mask: u32, stored: &[u8], n_bytes: usize) -> Result<Vec<u8>> {
    let mut dst = vec![0xEE; n_bytes];
    chain.decode(Exec::current(), mask, stored, &mut dst).map(|()| dst)
}

fn by_pipeline(filters: &[Filter<'_>], bytes: &[u8]) -> Vec<u8> {
    let pipeline = Pipeline::new(filters.iter().copied()).expect("few filters");
    pipeline.encode(Exec::current(), bytes).expect("it encodes")
}

const SHUFFLE: (u32, &[u32]) = (2, &[2]);
const FLETCHER32: (u32, &[u32]) = (3, &[]);
const DEFLATE: (u32, &[u32]) = (1, &[4]);
const LZF: (u32, &[u32]) = (32000, &[4, 261, 0]);
const LZ4: (u32, &[u32]) = (32004, &[]);

#[test]
fn chains_of_filters_of_others_and_ours_are_undone_in_reverse_less_the_mask() {
    let pixels = pixels();
    let shuffled = by_pipeline(&[SHUFFLE], &pixels);
    let lz4 = by_pipeline(&[LZ4], &pixels);
    let cases: [(&[Filter<'_>], u32, Vec<u8>); 11] = [
        (&[DEFLATE], 0, deflated(&pixels)),
        (&[SHUFFLE, DEFLATE], 0, deflated(&shuffled)),
        (&[SHUFFLE, DEFLATE], 1, deflated(&pixels)),
        (&[SHUFFLE, DEFLATE], 2, shuffled.clone()),
        (&[SHUFFLE, DEFLATE], 3, pixels.clone()),
        (&[SHUFFLE, DEFLATE, FLETCHER32], 0, by_pipeline(&[FLETCHER32], &deflated(&shuffled))),
        (&[FLETCHER32, SHUFFLE, DEFLATE], 0, deflated(&by_pipeline(&[FLETCHER32, SHUFFLE], &pixels))),
        (&[LZ4, DEFLATE], 0, deflated(&lz4)),
        (&[DEFLATE, LZ4], 0, by_pipeline(&[LZ4], &deflated(&pixels))),
        (&[SHUFFLE, LZF], 0, lzf_encoded(&shuffled)),
        (&[LZF, DEFLATE, FLETCHER32], 0, by_pipeline(&[FLETCHER32], &deflated(&lzf_encoded(&pixels)))),
    ];
    for (filters, mask, stored) in cases {
        assert_eq!(decoded(&chain(filters), mask, &stored, CHUNK_BYTES), Ok(pixels.clone()), "{filters:?} {mask}");
    }
}

#[test]
fn a_long_run_of_lzo_is_read() {
    // A literal run of four bytes, then copies of the byte before: 24988 of them.
    let mut stored = vec![21, 7, 0, 0, 0, 0x20];
    let n_zeros = (24_988 - 33 - 1) / 255;
    stored.extend(vec![0; n_zeros]);
    stored.push((24_988 - 33 - 255 * n_zeros) as u8);
    stored.extend([0, 0, 0x11, 0, 0]);
    let mut expected = vec![0; 24_992];
    expected[0] = 7;
    assert_eq!(decoded(&chain(&[(305, &[1, 23, 0])]), 0, &stored, 24_992), Ok(expected));
}

#[test]
fn lzo_is_read_with_the_trailer_of_early_pytables_and_without() {
    let bytes = &pixels()[..200];
    let stored = lzo_encoded(bytes);
    let bare = &stored[..stored.len() - 8];
    for values in [&[1, 23, 0][..], &[1, 10, 1], &[]] {
        assert_eq!(decoded(&chain(&[(305, values)]), 0, &stored, 200).as_deref(), Ok(bytes), "{values:?}");
        assert_eq!(decoded(&chain(&[(305, values)]), 0, bare, 200).as_deref(), Ok(bytes), "{values:?}, bare");
    }
    for more in [1, 4, 7, 9] {
        let after = [bare, &vec![0; more]].concat();
        assert!(decoded(&chain(&[(305, &[1, 23, 0])]), 0, &after, 200).is_err(), "{more} bytes after the stream");
    }
    let mut damaged = stored.clone();
    damaged[50] ^= 1;
    let error = decoded(&chain(&[(305, &[1, 23, 0])]), 0, &damaged, 200).expect_err("another checksum");
    assert!(matches!(error, Error::Checksum { .. }), "{error}");
}

#[test]
fn a_filter_that_is_not_known_is_named_and_its_mask_may_leave_it_out() {
    let chain = chain(&[(307, &[9]), SHUFFLE]);
    assert!(chain.unknown().is_some_and(|reason| reason.to_string().contains("307")));
    let pixels = pixels();
    assert!(decoded(&chain, 0, &pixels, CHUNK_BYTES).is_err());
    assert_eq!(decoded(&chain, 1, &by_pipeline(&[SHUFFLE], &pixels), CHUNK_BYTES), Ok(pixels));
    assert!(chain.is_raw(3) && !chain.is_raw(1));
}

#[test]
fn a_chunk_of_another_size_is_refused() {
    let pixels = pixels();
    for n_bytes in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES + 1, 10 * CHUNK_BYTES] {
        for (filters, stored) in [(DEFLATE, deflated(&pixels)), (LZF, lzf_encoded(&pixels))] {
            let error = decoded(&chain(&[filters]), 0, &stored, n_bytes).expect_err("another size");
            let is_size = matches!(error, Error::WrongSize { .. });
            assert!(is_size, "{filters:?} {n_bytes}: {error}");
        }
    }
}

/// Each byte changed and each truncation: an error, or a whole chunk, never a panic.
#[test]
fn damage_is_an_error_or_a_whole_chunk() {
    let pixels = &pixels()[..200];
    let cases: [(Filter<'_>, Vec<u8>); 3] =
        [(DEFLATE, deflated(pixels)), (LZF, lzf_encoded(pixels)), ((305, &[1, 23, 0]), lzo_encoded(pixels))];
    for (filter, stored) in cases {
        let (alone, between) = (chain(&[filter]), chain(&[LZ4, filter]));
        for n_bytes in 0..stored.len() {
            // A stream of LZO without its trailer is whole.
            let cut = decoded(&alone, 0, &stored[..n_bytes], 200);
            assert!(cut.is_err() || (filter.0 == 305 && cut.as_deref() == Ok(pixels)), "{filter:?}: cut at {n_bytes}");
            let _ = decoded(&between, 0, &stored[..n_bytes], 200);
            for change in [1, 0x80, 0xff] {
                let mut damaged = stored.clone();
                damaged[n_bytes] ^= change;
                let _ = decoded(&alone, 0, &damaged, 200);
                let _ = decoded(&between, 0, &damaged, 200);
            }
        }
    }
}

#[test]
fn a_bomb_between_two_filters_takes_no_more_memory_than_a_chunk_can_justify() {
    let bomb = lzf_encoded(&vec![0; 100 << 20]);
    let error = decoded(&chain(&[LZ4, LZF]), 0, &bomb, 1000).expect_err("far too long");
    assert!(matches!(error, Error::OutputTooSmall { available, .. } if available < 2 << 20), "{error}");
}
