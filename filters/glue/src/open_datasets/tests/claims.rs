//! Sizes that parameters claim, which may be wrong.

use super::*;

fn claiming(claimed: usize, n_bytes: usize) -> Decoded<'static> {
    Decoded { claimed: Some(claimed), ..decoded(n_bytes) }
}

fn room_if(claimed: usize, n_bytes: usize, datasets: &[Dataset]) -> Result<usize, usize> {
    room_in(&Simulated::of(datasets), &claiming(claimed, n_bytes))
}

#[test]
fn a_sound_chunk_whose_parameters_claim_another_size_is_read() {
    let rechunked = [chunked(4000, vec![lz4()])];
    assert_eq!(room_if(1000, 4000, &rechunked), Ok(4000), "a tool kept the parameters and made larger chunks");
    let checked = [chunked(1000, after(&[FLETCHER32]))];
    assert_eq!(room_if(1000, 1004, &checked), Ok(1004), "a checksum before this filter");
    let packed = [chunked(1000, after(&[SCALEOFFSET]))];
    assert!(room_if(1000, 321, &packed).unwrap() >= 1000, "scale-offset before this filter");
    assert_eq!(room_if(0xFFFF_FFFF, 1000, &[chunked(1000, vec![lz4()])]), Ok(1000), "any number");
}

#[test]
fn a_chunk_that_contradicts_a_claim_that_is_true_is_refused_whatever_else_is_open() {
    let datasets = [chunked(1000, vec![lz4()]), Dataset::Virtual, Dataset::Unknown];
    let hdf5 = Simulated::of(&datasets).writing();
    for n_bytes in [14, 998, 1002, 2048, 4000] {
        assert_eq!(room_in(&hdf5, &claiming(1000, n_bytes)), Err(1000), "{n_bytes}");
    }
    let refusal = asked(&hdf5, &mut Kept::new(LZ4), &claiming(1000, 14)).unwrap().unwrap_err();
    let text = refusal.text(14);
    assert_eq!(
        text,
        "the chunk decodes to 14 bytes, the parameters (cd_values) say 1000, as an open dataset's chunks have"
    );
}

#[test]
fn a_claim_that_the_chunk_agrees_with_is_not_believed_against_the_dataset() {
    let datasets = [chunked(1000, vec![lz4()])];
    assert_eq!(room_if(14, 14, &datasets), Err(1000));
    let writing = Simulated::of(&datasets).writing();
    assert_eq!(room_in(&writing, &claiming(14, 14)), Ok(1000), "zeros, not memory of the process");
}

#[test]
fn where_no_dataset_is_open_that_has_the_parameters_there_is_room_for_what_they_claim() {
    let others = [chunked(5000, vec![(LZ4, vec![8])]), Dataset::Virtual];
    assert_eq!(room_if(1000, 14, &others), Ok(1000));
    assert_eq!(room_if(1000, 1004, &others), Ok(1004));
    assert_eq!(room_if(1000, 1000, &others), Ok(1000));
}

#[test]
fn where_hdf5_does_not_tell_a_chunk_must_agree_with_its_parameters() {
    let hdf5 = Simulated::of(&[chunked(4000, vec![lz4()])]);
    hdf5.is_silent.set(true);
    assert_eq!(room_in(&hdf5, &claiming(1000, 4000)), Err(1000));
    assert_eq!(room_in(&hdf5, &claiming(4000, 4000)), Ok(4000));
    assert_eq!(room_in(&hdf5, &decoded(4000)), Ok(4000));
}

/// Every case of claim, decoded size, two open datasets of the parameters, and what else is open.
#[test]
fn in_every_case_a_dataset_s_own_chunk_is_read_and_no_short_one_shows_memory() {
    let sizes = [6, 1000, 3000];
    let befores: [&[c_int]; 3] = [&[], &[FLETCHER32], &[SHUFFLE]];
    let datasets = sizes.iter().flat_map(|n_bytes| befores.iter().map(|before| (*n_bytes, *before)));
    let datasets: Vec<_> = datasets.map(Some).chain([None]).collect();
    for first in &datasets {
        for second in &datasets {
            for hides in [false, true] {
                for is_writing in [false, true] {
                    let open: Vec<_> = [first, second].into_iter().flatten().copied().collect();
                    for n_bytes in [6, 10, 1000, 1004, 3000] {
                        for claimed in [None, Some(6), Some(1000), Some(1004), Some(3000)] {
                            check(&open, hides, is_writing, Decoded { claimed, ..decoded(n_bytes) });
                        }
                    }
                }
            }
        }
    }
}

fn check(open: &[(u64, &[c_int])], hides: bool, is_writing: bool, decoded: Decoded<'_>) {
    let mut datasets: Vec<_> = open.iter().map(|(n_bytes, before)| chunked(*n_bytes, after(before))).collect();
    datasets.extend(hides.then_some(Dataset::Virtual));
    let hdf5 = Simulated::of(&datasets);
    let hdf5 = if is_writing { hdf5.writing() } else { hdf5 };
    let found = room_in(&hdf5, &decoded);
    let case = format!("{open:?}, hides {hides}, writing {is_writing}, {decoded:?}: {found:?}");
    let n_bytes = decoded.n_bytes as u64;
    let fits =
        |size: u64| open.iter().any(|(whole, before)| size == *whole || *before == [FLETCHER32] && size == whole + 4);
    let is_contradicted = !open.is_empty() && !fits(n_bytes);
    if !is_contradicted {
        assert!(found.is_ok(), "refused: {case}");
    }
    let claim = decoded.claimed.filter(|claimed| *claimed != decoded.n_bytes);
    if is_contradicted && (claim.is_some_and(|claimed| fits(claimed as u64)) || !hides && !is_writing) {
        assert!(found.is_err(), "not refused: {case}");
    }
    if let Ok(room) = found {
        let most = open.iter().map(|(whole, _)| *whole).max().unwrap_or(0);
        assert!(room as u64 >= most.max(n_bytes), "too little: {case}");
        // HDF5 copies what stands before a shuffle, without the zeros.
        let is_lost = open.iter().any(|(whole, before)| *before == [SHUFFLE] && n_bytes < *whole);
        assert!(!is_lost || !is_contradicted || hides, "memory shows: {case}");
    }
}
