use super::*;
use crate::codec::ChunkLayout;
use crate::codec::Filter;
use crate::element::ElementType;
use darkchunk_sim::Rng;

const N_BYTES: usize = 2 * 333;

/// Stored parameters of each of our codecs for chunks of 333 `uint16`, as darkchunk writes them, and of gzip.
fn codecs() -> Vec<(u32, Vec<u32>)> {
    let layout = ChunkLayout::new(ElementType::U16, vec![333]);
    let given: [(u32, &[u32]); 7] = [
        (36114, &[1]),
        (36114, &[1, 1]),
        (32008, &[0, 0]),
        (32008, &[64, 2]),
        (32001, &[0, 0, 0, 0, 5, 1, 1]),
        (32004, &[100]),
        (32015, &[3]),
    ];
    let ours = given.map(|(id, values)| (id, Filter::localise(id, values, &layout).expect("good parameters")));
    ours.into_iter().chain([(1, vec![6])]).collect()
}

fn pixels() -> Vec<u8> {
    let mut rng = Rng::new(8);
    (0..N_BYTES / 2).flat_map(|_| (rng.below(300) as u16 * u16::from(rng.below(3) == 0)).to_le_bytes()).collect()
}

fn pipeline(filters: &[(u32, Vec<u32>)]) -> Pipeline {
    Pipeline::new(filters.iter().map(|(id, values)| (*id, &values[..]))).expect("good parameters")
}

fn encoded(pipeline: &Pipeline, pixels: &[u8]) -> Vec<u8> {
    pipeline.encode(Exec::current(), pixels).expect("it encodes")
}

fn decoded(pipeline: &Pipeline, mask: u32, stored: &[u8]) -> Result<(Proof, Vec<u8>)> {
    let mut dst = vec![0xEE; N_BYTES];
    pipeline.decode(Exec::current(), mask, stored, &mut dst).map(|proof| (proof, dst))
}

/// Every order of up to two of shuffle and fletcher32 around each codec. DRLE reads pixels, so it is the first one.
fn chains() -> Vec<Vec<(u32, Vec<u32>)>> {
    let (shuffle, fletcher32) = ((2, vec![2]), (3, vec![]));
    let mut chains =
        vec![vec![], vec![shuffle.clone()], vec![fletcher32.clone()], vec![shuffle.clone(), fletcher32.clone()]];
    for codec in codecs() {
        let others = [
            vec![],
            vec![shuffle.clone()],
            vec![fletcher32.clone()],
            vec![shuffle.clone(), fletcher32.clone()],
            vec![fletcher32.clone(), shuffle.clone()],
        ];
        for before in &others {
            for after in &others {
                if codec.0 != 36114 || before.is_empty() {
                    chains.push([&before[..], std::slice::from_ref(&codec), after].concat());
                }
            }
        }
    }
    chains
}

#[test]
fn every_chain_decodes_to_what_was_encoded() {
    for filters in chains() {
        let (pipeline, pixels) = (pipeline(&filters), pixels());
        let stored = encoded(&pipeline, &pixels);
        let has_checksum = filters.iter().any(|(id, values)| matches!(id, 1 | 3) || *id == 36114 && values[1] == 0);
        let proof = if has_checksum { Proof::Checksum } else { Proof::Size };
        assert_eq!(decoded(&pipeline, 0, &stored), Ok((proof, pixels)), "{filters:?}");
    }
}

#[test]
fn a_filter_that_the_mask_leaves_out_is_not_undone() {
    for filters in chains() {
        let pixels = pixels();
        for mask in 0..1_u32 << filters.len() {
            let (mut some, mut index) = (filters.clone(), 0);
            some.retain(|_| (mask >> index & 1 == 0, index += 1).0);
            let stored = encoded(&pipeline(&some), &pixels);
            let found = decoded(&pipeline(&filters), mask, &stored).map(|(_, pixels)| pixels);
            assert_eq!(found.as_ref(), Ok(&pixels), "{filters:?} mask {mask:#b}");
        }
    }
}

#[test]
fn a_changed_byte_under_a_checksum_is_an_error() {
    for filters in chains().into_iter().filter(|filters| filters.iter().any(|(id, _)| *id == 3)) {
        let pipeline = pipeline(&filters);
        let stored = encoded(&pipeline, &pixels());
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 0x20;
            let found = decoded(&pipeline, 0, &changed);
            // A byte that the codec does not read, before a checksum of what it decodes to.
            assert!(found.is_err() || found == Ok((Proof::Checksum, pixels())), "{filters:?} byte {at}");
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    for filters in chains() {
        let pipeline = pipeline(&filters);
        let stored = encoded(&pipeline, &pixels());
        for n_bytes in 0..stored.len() {
            assert!(decoded(&pipeline, 0, &stored[..n_bytes]).is_err(), "{filters:?} {n_bytes} bytes");
        }
    }
}

#[test]
fn a_size_in_the_parameters_is_only_a_claim() {
    let pixels = pixels();
    for (id, mut values) in codecs().into_iter().filter(|(id, _)| !matches!(id, 1 | 36114)) {
        let stored = encoded(&pipeline(&[(id, values.clone())]), &pixels);
        let slot = match id {
            32008 => 6,
            32001 => 3,
            _ => 1,
        };
        values.resize(values.len().max(slot + 1), 0);
        for claimed in [0, 1, N_BYTES as u32 - 4, N_BYTES as u32 + 4, u32::MAX] {
            values[slot] = claimed;
            let pipeline = pipeline(&[(id, values.clone())]);
            assert_eq!(decoded(&pipeline, 0, &stored), Ok((Proof::Size, pixels.clone())), "{id} {claimed}");
        }
    }
}

#[test]
fn a_chunk_of_another_size_is_an_error() {
    for filters in chains().into_iter().filter(|filters| !filters.iter().any(|(id, _)| *id == 36114)) {
        let pipeline = pipeline(&filters);
        for n_bytes in [0, 2, N_BYTES - 2, N_BYTES + 2] {
            let mut longer = pixels();
            longer.resize(n_bytes, 7);
            let Ok(stored) = pipeline.encode(Exec::current(), &longer) else { continue };
            assert!(decoded(&pipeline, 0, &stored).is_err(), "{filters:?} {n_bytes} bytes");
        }
    }
}

#[test]
fn a_checksum_of_hdf5_before_1_6_3_counts() {
    let pipeline = pipeline(&[(3, vec![])]);
    let mut stored = encoded(&pipeline, &pixels());
    let at = stored.len() - 4;
    stored.swap(at, at + 1);
    stored.swap(at + 2, at + 3);
    assert_eq!(decoded(&pipeline, 0, &stored), Ok((Proof::Checksum, pixels())));
    stored[at..].rotate_left(1);
    assert!(matches!(decoded(&pipeline, 0, &stored), Err(Error::Checksum { .. })));
}

#[test]
fn a_filter_that_is_not_known_is_named() {
    let pipeline = pipeline(&[(2, vec![2]), (6, vec![0, 4]), (32004, vec![])]);
    let stored = encoded(&super::Pipeline::new([(2, &[2][..]), (32004, &[])]).expect("filters"), &pixels());
    let error = decoded(&pipeline, 0, &stored).expect_err("scaleoffset").to_string();
    assert_eq!(error, "filter 6 (scaleoffset) is none that darkchunk decodes");
    assert_eq!(decoded(&pipeline, 0b010, &stored), Ok((Proof::Size, pixels())), "left out");
    let Step::Other { id: 40000, reason } = Step::new(40000, &[]) else { panic!("not known") };
    assert_eq!(reason.to_string(), "filter 40000 is none that darkchunk decodes");
}

#[test]
fn parameters_that_mean_nothing_are_no_trouble_where_the_mask_leaves_the_filter_out() {
    for (id, values) in [(2, &[][..]), (2, &[0]), (2, &[2, 2]), (32008, &[]), (36114, &[0, 0, 0, 9])] {
        let pipeline = pipeline(&[(id, values.to_vec()), (32004, vec![])]);
        let stored = encoded(&self::pipeline(&[(32004, vec![])]), &pixels());
        assert!(decoded(&pipeline, 0, &stored).is_err(), "{id} {values:?}");
        assert_eq!(decoded(&pipeline, 0b01, &stored), Ok((Proof::Size, pixels())), "{id} {values:?}");
    }
    let Step::Other { reason, .. } = Step::new(2, &[]) else { panic!("no parameters") };
    assert!(reason.to_string().starts_with("the shuffle filter has the parameters []; one is expected"), "{reason}");
}

#[test]
fn there_are_at_most_as_many_filters_as_hdf5_allows() {
    assert!(Pipeline::new([(2, &[2][..]); 33]).is_err());
    assert!(Pipeline::new([(2, &[2][..]); 32]).is_ok());
}

#[test]
fn a_shuffle_of_elements_longer_than_the_chunk_changes_nothing() {
    for element_bytes in [1, N_BYTES as u32 - 1, N_BYTES as u32, N_BYTES as u32 + 1, u32::MAX] {
        let pipeline = pipeline(&[(2, vec![element_bytes])]);
        assert_eq!(encoded(&pipeline, &pixels()), pixels(), "{element_bytes}");
        assert_eq!(decoded(&pipeline, 0, &pixels()), Ok((Proof::Size, pixels())), "{element_bytes}");
    }
}

#[test]
fn a_zstd_frame_with_a_checksum_is_proved_by_it() {
    let mut context = zstd_safe::CCtx::create();
    context.set_parameter(zstd_safe::CParameter::ChecksumFlag(true)).expect("a parameter");
    let (pixels, pipeline) = (pixels(), pipeline(&[(32015, vec![3])]));
    let mut stored = vec![0; 2 * N_BYTES];
    let n_bytes = context.compress2(&mut stored[..], &pixels).expect("room");
    stored.truncate(n_bytes);
    assert_eq!(decoded(&pipeline, 0, &stored), Ok((Proof::Checksum, pixels)));
    stored[n_bytes - 1] ^= 1;
    assert!(decoded(&pipeline, 0, &stored).is_err());
}

#[test]
fn a_chunk_that_claims_too_much_between_two_filters_is_refused_before_memory_is_taken() {
    // Zeros, which shrink 1000 times and more.
    let zeros = vec![0; 64 << 20];
    for id in [32015, 32004, 1] {
        let filter = codecs().into_iter().find(|(other, _)| *other == id).expect("it is there");
        let inner = pipeline(std::slice::from_ref(&filter));
        let stored = encoded(&inner, &zeros);
        let found = decoded(&pipeline(&[(32015, vec![3]), filter]), 0, &stored);
        assert!(matches!(found, Err(Error::Corrupt { what, .. }) if what.contains("between two filters")), "{id}");
        let unsized_too = inner.decode_unsized(Exec::current(), 0, &stored, zeros.len() - 1);
        assert!(matches!(unsized_too, Err(Error::Corrupt { .. })), "{id}");
        let found = inner.decode_unsized(Exec::current(), 0, &stored, zeros.len());
        assert!(found.is_ok_and(|bytes| bytes == zeros), "{id}");
    }
}

#[test]
fn what_grows_in_one_filter_decodes_through_the_next() {
    let mut rng = Rng::new(3);
    let pixels: Vec<u8> = (0..2 << 20).map(|_| rng.below(256) as u8).collect();
    let layout = ChunkLayout::new(ElementType::U16, vec![1 << 20]);
    for (id, given) in [(32004, &[1][..]), (32004, &[2]), (32008, &[8, 2]), (32008, &[8, 3, 1]), (1, &[0])] {
        let values = if id == 1 { given.to_vec() } else { Filter::localise(id, given, &layout).expect("parameters") };
        let pipeline = pipeline(&[(id, values), (32015, vec![1]), (3, vec![])]);
        let stored = encoded(&pipeline, &pixels);
        let mut dst = vec![0; pixels.len()];
        let found = pipeline.decode(Exec::current(), 0, &stored, &mut dst);
        assert!(found == Ok(Proof::Checksum) && dst == pixels, "{id} {given:?}: {found:?}");
    }
}
