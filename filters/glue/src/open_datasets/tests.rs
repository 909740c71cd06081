//! What follows from what HDF5 says. That it says it is tested in real hosts.

use super::dataset::{Chunked, Dataset};
use super::*;
use crate::host::MAX_PARAMETERS;
use darkchunk_hdf5_abi::Hid;
use darkchunk_hdf5_abi::constants::{
    H5Z_FILTER_FLETCHER32 as FLETCHER32, H5Z_FILTER_NBIT as NBIT, H5Z_FILTER_SCALEOFFSET as SCALEOFFSET,
    H5Z_FILTER_SHUFFLE as SHUFFLE,
};
use simulated::Simulated;

mod claims;
mod kept;
mod simulated;

const LZ4: c_int = 32004;
const DEFLATE: c_int = 1;

fn decoded(n_bytes: usize) -> Decoded<'static> {
    Decoded { filter: LZ4, values: &[7], n_bytes, claimed: None }
}

fn lz4() -> (c_int, Vec<c_uint>) {
    (LZ4, vec![7])
}

fn after(others: &[c_int]) -> Vec<(c_int, Vec<c_uint>)> {
    others.iter().map(|other| (*other, vec![2])).chain([lz4()]).collect()
}

fn chunked(n_bytes: u64, filters: Vec<(c_int, Vec<c_uint>)>) -> Dataset {
    Dataset::Chunked(Chunked { n_elements: n_bytes / 2, element_bytes: 2, is_exact: true, is_native: true, filters })
}

/// The room for a chunk, or what it should decode to; all files are open for reading only.
fn room_among(n_bytes: usize, datasets: &[Dataset]) -> Result<usize, usize> {
    room_in(&Simulated::of(datasets), &decoded(n_bytes))
}

fn room_in(hdf5: &Simulated, decoded: &Decoded<'_>) -> Result<usize, usize> {
    needed(hdf5, &mut Kept::new(LZ4), decoded)
}

fn needed(hdf5: &Simulated, kept: &mut Kept, decoded: &Decoded<'_>) -> Result<usize, usize> {
    let said = asked(hdf5, kept, decoded).unwrap_or_else(|| decoded.believed());
    said.map(|room| room.needed).map_err(|refusal| refusal.expected)
}

#[test]
fn a_size_that_no_dataset_has_is_refused_and_that_of_the_largest_named() {
    let datasets = [chunked(1000, vec![lz4()]), chunked(3000, vec![lz4()]), chunked(90_000, vec![(LZ4, vec![8])])];
    assert_eq!(room_among(998, &datasets), Err(3000));
    assert_eq!(room_among(4000, &datasets), Err(3000));
}

#[test]
fn a_size_that_one_dataset_has_is_right_and_there_is_room_for_the_largest() {
    let datasets = [chunked(1000, vec![lz4()]), chunked(3000, vec![lz4()])];
    assert_eq!(room_among(1000, &datasets), Ok(3000));
    assert_eq!(room_among(3000, &datasets), Ok(3000));
}

#[test]
fn datasets_with_other_filters_or_none_say_nothing() {
    let datasets = [chunked(1000, vec![]), chunked(1000, vec![(LZ4, vec![7, 0])]), Dataset::Unfiltered];
    assert_eq!(room_among(5, &datasets), Ok(5));
    assert_eq!(room_among(5, &[]), Ok(5));
}

#[test]
fn of_very_many_parameters_those_that_hdf5_tells_are_compared() {
    let values = vec![7; MAX_PARAMETERS + 44];
    let datasets = [chunked(1000, vec![(LZ4, values[..MAX_PARAMETERS].to_vec())]), chunked(3000, vec![lz4()])];
    let decoded = Decoded { values: &values, ..decoded(5) };
    assert_eq!(room_in(&Simulated::of(&datasets), &decoded), Err(1000));
}

#[test]
fn filters_that_keep_the_size_or_add_a_checksum_are_reckoned_with() {
    let filters = [&after(&[SHUFFLE, FLETCHER32])[..], &[(DEFLATE, vec![6])]].concat();
    let datasets = [chunked(1000, filters)];
    assert_eq!(room_among(1004, &datasets), Ok(1004));
    assert_eq!(room_among(1000, &datasets), Ok(1004), "the chunk may have skipped the checksum");
    assert_eq!(room_among(1008, &datasets), Err(1000));
    assert_eq!(room_among(996, &datasets), Err(1000));
}

#[test]
fn where_a_size_is_not_known_nothing_contradicts_it() {
    let packed = || chunked(1000, after(&[DEFLATE]));
    assert_eq!(room_among(5, &[packed(), chunked(1000, vec![lz4()])]), Ok(1000));
    assert_eq!(room_among(5, &[packed()]), Ok(5));
    assert_eq!(room_among(5, &[chunked(1000, vec![lz4(), lz4()])]), Ok(5));
}

#[test]
fn there_is_room_for_what_filters_read_that_do_not_look_at_a_chunks_length() {
    for before in [NBIT, SCALEOFFSET] {
        let room = room_among(5, &[chunked(1000, after(&[before]))]).unwrap();
        assert!((1021..1200).contains(&room), "{room}");
    }
}

#[test]
fn data_of_variable_length_have_whole_elements_of_up_to_twice_a_pointer() {
    let strings = Chunked { n_elements: 20, element_bytes: 8, is_exact: false, is_native: true, filters: vec![lz4()] };
    let datasets = [Dataset::Chunked(strings)];
    for n_bytes in [160, 200, 320] {
        assert_eq!(room_among(n_bytes, &datasets), Ok(320));
    }
    for n_bytes in [5, 161, 319, 340] {
        assert_eq!(room_among(n_bytes, &datasets), Err(160));
    }
}

#[test]
fn nothing_is_certain_beside_datasets_that_hide_others() {
    let sound = || chunked(1000, vec![lz4()]);
    assert_eq!(room_among(6, &[sound()]), Err(1000));
    assert_eq!(room_among(6, &[sound(), Dataset::Virtual]), Ok(1000));
    assert_eq!(room_among(6, &[sound(), Dataset::Unknown]), Ok(1000));
    let elsewhere =
        Chunked { n_elements: 500, element_bytes: 2, is_exact: true, is_native: false, filters: vec![lz4()] };
    assert_eq!(room_among(6, &[Dataset::Chunked(elsewhere)]), Ok(1000));
    let writing = Simulated::of(&[sound()]).writing();
    assert_eq!(room_in(&writing, &decoded(6)), Ok(1000));
}

#[test]
fn a_group_s_links_may_be_read() {
    assert_eq!(room_among(2048, &[chunked(10_000, vec![lz4()])]), Ok(10_000));
    assert!([512, 1024, 65536, 5000, 65000].into_iter().all(may_be_links));
    assert!(![14, 256, 511, 513, 3100, 1 << 20, 1_000_000].into_iter().any(may_be_links));
}

#[test]
fn after_a_shuffle_zeros_are_lost_so_a_short_chunk_is_refused_with_files_open_for_writing_too() {
    let writing = |before: &[c_int]| Simulated::of(&[chunked(1000, after(before))]).writing();
    assert_eq!(room_in(&writing(&[SHUFFLE]), &decoded(6)), Err(1000));
    assert_eq!(room_in(&writing(&[SHUFFLE]), &decoded(3000)), Ok(3000), "a long one needs no zeros");
    assert_eq!(room_in(&writing(&[FLETCHER32]), &decoded(6)), Ok(1004));
}

#[test]
fn there_is_room_for_the_largest_chunk_and_for_what_was_decoded() {
    for (n_bytes, max_bytes) in [(10, 0), (10, 10), (10, 3000), (3000, 10), (10, 8 << 20), (10, 1 << 30)] {
        let Room { needed, cheap } = Room::up_to(max_bytes, n_bytes);
        assert_eq!(needed as u64, max_bytes.max(n_bytes as u64));
        assert!(cheap >= needed && cheap <= needed.max(34 << 20));
    }
    assert_eq!(Room::up_to(0, 1 << 20), Room::exactly(1 << 20));
    assert_eq!(Room::up_to(u64::MAX, 10).needed, usize::MAX, "cannot be had, and is not taken for less");
}

#[test]
fn all_open_objects_are_told_however_many_they_are() {
    let told = |n_open: usize, n_expected| {
        host::all(n_expected, |ids| {
            let n = n_open.min(ids.len());
            ids[..n].iter_mut().zip(1..).for_each(|(id, number)| *id = number);
            n as isize
        })
    };
    for n_open in [0, 1, 63, 64, 65, 1023, 1024, 16_384, 65_536, 300_000] {
        for n_expected in [0, n_open, 3000] {
            let ids = told(n_open, n_expected).unwrap();
            assert!(ids.len() == n_open && ids.into_iter().zip(1..).all(|(id, number)| id == number));
        }
    }
    assert_eq!(host::all(0, |_| -1), None);
}

#[test]
fn a_caller_that_is_no_hdf5_is_not_asked() {
    let here = a_caller_that_is_no_hdf5_is_not_asked as *const core::ffi::c_void;
    for caller in [here, core::ptr::null()] {
        for n_bytes in [3, 5, 3] {
            let room_if = |claimed| room(Caller::at(caller), &Decoded { claimed, ..decoded(n_bytes) });
            assert_eq!(room_if(None), Ok(Room::exactly(n_bytes)));
            assert_eq!(room_if(Some(n_bytes)), Ok(Room::exactly(n_bytes)));
            let refusal = room_if(Some(4)).unwrap_err();
            assert_eq!(refusal.expected, 4);
            assert!(refusal.text(n_bytes).contains("parameters (cd_values) say 4, and this HDF5 cannot be asked"));
        }
    }
}
