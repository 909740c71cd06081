//! What follows from what HDF5 says. That it says it is tested in real hosts.

use super::*;

const LZ4: c_int = 32004;
const DEFLATE: c_int = 1;

fn decoded(n_bytes: usize) -> Decoded<'static> {
    Decoded { filter: LZ4, values: &[7], n_bytes }
}

fn lz4() -> (c_int, Vec<c_uint>) {
    (LZ4, vec![7])
}

fn chunked(n_bytes: u64, filters: Vec<(c_int, Vec<c_uint>)>) -> Dataset {
    Dataset::Chunked(Chunked { n_bytes, is_exact: true, is_native: true, filters })
}

fn answer_of(n_bytes: usize, datasets: &[Dataset]) -> (u64, Option<u64>, bool) {
    let Answer { most_bytes, expected, is_certain } = answer(&decoded(n_bytes), datasets.iter());
    (most_bytes, expected, is_certain)
}

#[test]
fn a_size_that_no_dataset_has_contradicts_the_largest_of_them() {
    let datasets = [chunked(1000, vec![lz4()]), chunked(3000, vec![lz4()]), chunked(90_000, vec![(LZ4, vec![8])])];
    assert_eq!(answer_of(999, &datasets), (3000, Some(3000), true));
    assert_eq!(answer_of(4000, &datasets), (3000, Some(3000), true));
}

#[test]
fn a_size_that_one_dataset_has_is_right_and_there_is_room_for_the_largest() {
    let datasets = [chunked(1000, vec![lz4()]), chunked(3000, vec![lz4()])];
    assert_eq!(answer_of(1000, &datasets), (3000, None, true));
    assert_eq!(answer_of(3000, &datasets), (3000, None, true));
}

#[test]
fn datasets_with_other_filters_or_none_say_nothing() {
    let datasets = [chunked(1000, vec![]), chunked(1000, vec![(LZ4, vec![7, 0])]), Dataset::Unfiltered];
    assert_eq!(answer_of(5, &datasets), (0, None, true));
    assert_eq!(answer_of(5, &[]), (0, None, true));
}

#[test]
fn of_very_many_parameters_those_that_hdf5_tells_are_compared() {
    let values = vec![7; MOST_PARAMETERS + 44];
    let datasets = [chunked(1000, vec![(LZ4, values[..MOST_PARAMETERS].to_vec())]), chunked(3000, vec![lz4()])];
    let decoded = Decoded { filter: LZ4, values: &values, n_bytes: 5 };
    assert_eq!(answer(&decoded, datasets.iter()).most_bytes, 1000);
}

#[test]
fn filters_that_keep_the_size_or_add_a_checksum_are_reckoned_with() {
    let datasets = [chunked(1000, vec![(SHUFFLE, vec![2]), (FLETCHER32, vec![]), lz4(), (DEFLATE, vec![6])])];
    assert_eq!(answer_of(1004, &datasets), (1004, None, true));
    assert_eq!(answer_of(1000, &datasets), (1004, None, true), "the chunk may have skipped the checksum");
    assert_eq!(answer_of(1008, &datasets), (1004, Some(1000), true));
}

#[test]
fn where_a_size_is_not_known_nothing_contradicts_it() {
    let compressed_before = chunked(1000, vec![(DEFLATE, vec![6]), lz4()]);
    assert_eq!(answer_of(5, &[compressed_before.clone(), chunked(1000, vec![lz4()])]), (1000, None, true));
    assert_eq!(answer_of(5, &[compressed_before]), (0, None, true));
    assert_eq!(answer_of(5, &[chunked(1000, vec![lz4(), lz4()])]), (0, None, true));
    let strings = Chunked { n_bytes: 1000, is_exact: false, is_native: true, filters: vec![lz4()] };
    assert_eq!(answer_of(5, &[Dataset::Chunked(strings)]), (2000, None, true));
}

#[test]
fn nothing_is_certain_beside_datasets_that_hide_others() {
    let sound = || chunked(1000, vec![lz4()]);
    assert_eq!(answer_of(5, &[sound(), Dataset::Virtual]), (1000, Some(1000), false));
    assert_eq!(answer_of(5, &[sound(), Dataset::Unknown]), (1000, Some(1000), false));
    let elsewhere = Chunked { n_bytes: 1000, is_exact: true, is_native: false, filters: vec![lz4()] };
    assert_eq!(answer_of(5, &[Dataset::Chunked(elsewhere)]), (1000, Some(1000), false));
}

#[test]
fn sizes_of_stored_links_are_known() {
    assert!([512, 1024, 65536, 5000, 65000].into_iter().all(may_be_links));
    assert!(![14, 256, 511, 513, 3100, 1 << 20, 1_000_000].into_iter().any(may_be_links));
}

#[test]
fn there_is_room_for_the_largest_chunk_and_for_what_was_decoded() {
    for (n_bytes, most_bytes) in [(10, 0), (10, 10), (10, 3000), (3000, 10), (10, 8 << 20), (10, 1 << 30)] {
        let Room { needed, cheap } = Room::up_to(most_bytes, n_bytes);
        assert_eq!(needed as u64, most_bytes.max(n_bytes as u64));
        assert!(cheap >= needed && cheap <= needed.max(34 << 20));
    }
    assert_eq!(Room::up_to(0, 1 << 20), Room::exactly(1 << 20));
    assert_eq!(Room::up_to(u64::MAX, 10).needed, usize::MAX, "cannot be had, and is not taken for less");
}

#[test]
fn all_open_objects_are_told_up_to_a_limit_and_beyond_it_none() {
    let told = |n_open: usize| {
        host::all(|ids| {
            let n = n_open.min(ids.len());
            ids[..n].iter_mut().zip(1..).for_each(|(id, number)| *id = number);
            n as isize
        })
    };
    for n_open in [0, 1, 63, 64, 65, 1023, 1024, 16_384, 40_000, 65_535] {
        let ids = told(n_open).unwrap();
        assert!(ids.len() == n_open && ids.into_iter().zip(1..).all(|(id, number)| id == number));
    }
    assert_eq!(told(65_536), None);
    assert_eq!(host::all(|_| -1), None);
}

#[test]
fn a_caller_that_is_no_hdf5_is_not_asked() {
    let here = Caller::at(a_caller_that_is_no_hdf5_is_not_asked as *const core::ffi::c_void);
    for n_bytes in [3, 5, 3] {
        assert_eq!(room(here, &decoded(n_bytes)), Ok(Room::exactly(n_bytes)));
        assert_eq!(room(Caller::at(core::ptr::null()), &decoded(n_bytes)), Ok(Room::exactly(n_bytes)));
    }
}
