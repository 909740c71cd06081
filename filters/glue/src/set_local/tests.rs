//! Completing parameters against an HDF5 made of a few thread-locals.

#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_uint, c_void};
use std::cell::{Cell, RefCell};

use darkchunk::codec::{Codec, bitshuffle::Bitshuffle, blosc::Blosc, drle::Drle, lz4::Lz4, zstd::Zstd};

use super::complete;
use crate::host::{Functions, Host};
use darkchunk_hdf5_abi::Hid;

/// A property list and a datatype.
#[derive(Clone)]
struct Dataset {
    /// Number, flags, values.
    filters: Vec<(c_int, c_uint, Vec<c_uint>)>,
    chunk: Vec<u64>,
    class: c_int,
    size: usize,
    precision: usize,
    order: c_int,
    sign: c_int,
    base_size: usize,
    /// What `H5Pset_fill_value` was given, in the datatype's byte order.
    fill: Option<[u8; 2]>,
}

thread_local! {
    static DATASET: RefCell<Dataset> = const { RefCell::new(Dataset {
        filters: Vec::new(), chunk: Vec::new(), class: 0, size: 0, precision: 0, order: 0, sign: 0, base_size: 0, fill: None,
    }) };
    static N_MODIFIED: Cell<usize> = const { Cell::new(0) };
    static N_OPEN_TYPES: Cell<isize> = const { Cell::new(0) };
}

/// The datatype that an array is made of.
const BASE: Hid = 77;

fn dataset<T>(ask: impl FnOnce(&Dataset) -> T) -> T {
    DATASET.with_borrow(ask)
}

unsafe extern "C" fn n_filters(_: Hid) -> c_int {
    dataset(|d| d.filters.len() as c_int)
}

unsafe extern "C" fn filter_at(
    _: Hid,
    index: c_uint,
    flags: *mut c_uint,
    n_values: *mut usize,
    values: *mut c_uint,
    _: usize,
    _: *mut c_char,
    _: *mut c_uint,
) -> c_int {
    dataset(|d| {
        let filter = &d.filters[index as usize];
        // SAFETY: places for the flags, for the room there is, and for as many values.
        unsafe { tell(filter, flags, n_values, values) };
        filter.0
    })
}

unsafe extern "C" fn filter_by_id(
    _: Hid,
    id: c_int,
    flags: *mut c_uint,
    n_values: *mut usize,
    values: *mut c_uint,
    _: usize,
    _: *mut c_char,
    _: *mut c_uint,
) -> c_int {
    dataset(|d| {
        let Some(filter) = d.filters.iter().find(|(number, ..)| *number == id) else { return -1 };
        // SAFETY: places for the flags, for the room there is, and for as many values.
        unsafe { tell(filter, flags, n_values, values) };
        0
    })
}

/// # Safety
/// `flags` and `n_values` may be written, and `values` has room for `*n_values`.
unsafe fn tell(
    (_, its_flags, its_values): &(c_int, c_uint, Vec<c_uint>),
    flags: *mut c_uint,
    n_values: *mut usize,
    values: *mut c_uint,
) {
    // SAFETY: a place for the flags.
    unsafe { flags.write(*its_flags) };
    // SAFETY: a place that holds the room there is.
    let room = unsafe { n_values.replace(its_values.len()) };
    // SAFETY: no more than there is room for.
    unsafe { values.copy_from_nonoverlapping(its_values.as_ptr(), its_values.len().min(room)) };
}

unsafe extern "C" fn modify(_: Hid, id: c_int, flags: c_uint, n_values: usize, values: *const c_uint) -> c_int {
    // SAFETY: as many values as said.
    let values = unsafe { core::slice::from_raw_parts(values, n_values) };
    N_MODIFIED.set(N_MODIFIED.get() + 1);
    DATASET.with_borrow_mut(|d| {
        let Some(filter) = d.filters.iter_mut().find(|(number, ..)| *number == id) else { return -1 };
        *filter = (id, flags, values.to_vec());
        0
    })
}

unsafe extern "C" fn chunk(_: Hid, room: c_int, dims: *mut u64) -> c_int {
    dataset(|d| {
        if d.chunk.is_empty() {
            return -1;
        }
        // SAFETY: no more than there is room for.
        unsafe { dims.copy_from_nonoverlapping(d.chunk.as_ptr(), d.chunk.len().min(room as usize)) };
        d.chunk.len() as c_int
    })
}

unsafe extern "C" fn fill_defined(_: Hid, status: *mut c_int) -> c_int {
    // SAFETY: a place for the answer.
    unsafe { status.write(if dataset(|d| d.fill.is_some()) { 2 } else { 1 }) };
    0
}

unsafe extern "C" fn fill_value(_: Hid, _: Hid, value: *mut c_void) -> c_int {
    let Some(fill) = dataset(|d| d.fill) else { return -1 };
    // SAFETY: room for an element of the datatype.
    unsafe { value.cast::<[u8; 2]>().write(fill) };
    0
}

unsafe extern "C" fn class(_: Hid) -> c_int {
    dataset(|d| d.class)
}

unsafe extern "C" fn size(datatype: Hid) -> usize {
    dataset(|d| if datatype == BASE { d.base_size } else { d.size })
}

unsafe extern "C" fn precision(_: Hid) -> usize {
    dataset(|d| d.precision)
}

unsafe extern "C" fn order(_: Hid) -> c_int {
    dataset(|d| d.order)
}

unsafe extern "C" fn sign(_: Hid) -> c_int {
    dataset(|d| d.sign)
}

unsafe extern "C" fn base(_: Hid) -> Hid {
    N_OPEN_TYPES.set(N_OPEN_TYPES.get() + 1);
    BASE
}

unsafe extern "C" fn no_members(_: Hid) -> c_int {
    -1
}

unsafe extern "C" fn no_member(_: Hid, _: c_uint) -> Hid {
    -1
}

unsafe extern "C" fn close(_: Hid) -> c_int {
    N_OPEN_TYPES.set(N_OPEN_TYPES.get() - 1);
    0
}

unsafe extern "C" fn no_fields(
    _: Hid,
    _: *mut usize,
    _: *mut usize,
    _: *mut usize,
    _: *mut usize,
    _: *mut usize,
) -> c_int {
    -1
}

fn host() -> Host {
    let functions = Functions {
        H5Pget_nfilters: n_filters,
        H5Pget_filter2: filter_at,
        H5Pget_filter_by_id2: filter_by_id,
        H5Pmodify_filter: modify,
        H5Pget_chunk: chunk,
        H5Pfill_value_defined: fill_defined,
        H5Pget_fill_value: fill_value,
        H5Tget_class: class,
        H5Tget_size: size,
        H5Tget_precision: precision,
        H5Tget_order: order,
        H5Tget_sign: sign,
        H5Tget_fields: no_fields,
        H5Tget_super: base,
        H5Tget_nmembers: no_members,
        H5Tget_member_type: no_member,
        H5Tis_variable_str: no_members,
        H5Tclose: close,
    };
    // SAFETY: they do as HDF5's do, for the one dataset there is.
    unsafe { Host::with(functions) }
}

fn int16(filters: &[(u32, &[c_uint])]) -> Dataset {
    let filters = filters.iter().map(|(id, values)| (id.cast_signed(), 1, values.to_vec())).collect();
    let chunk = vec![2, 30, 40];
    Dataset { filters, chunk, class: 0, size: 2, precision: 16, order: 0, sign: 1, base_size: 0, fill: None }
}

/// Completes the dataset's parameters; what they are then.
fn completed<C: Codec>(given: Dataset) -> Result<Vec<c_uint>, String> {
    DATASET.set(given);
    complete::<C>(&host(), 1, 2)?;
    let id = C::FILTER_ID.cast_signed();
    dataset(|d| {
        let (_, flags, values) = d.filters.iter().find(|(number, ..)| *number == id).expect("it is still there");
        assert_eq!(*flags, 1, "the flags stay");
        Ok(values.clone())
    })
}

#[test]
fn parameters_are_completed_from_type_and_shape() {
    let values = completed::<Bitshuffle>(int16(&[(32008, &[0, 2])]));
    assert_eq!(values, Ok(vec![0, 4, 2, 0, 2, 0, 4800]));
    assert_eq!(completed::<Blosc>(int16(&[(32001, &[])])), Ok(vec![2, 2, 2, 4800, 5, 1, 0]));
    assert_eq!(completed::<Lz4>(int16(&[(32004, &[])])), Ok(vec![0, 4800]));
    assert_eq!(completed::<Zstd>(int16(&[(32015, &[9])])), Ok(vec![9]));
    assert_eq!(completed::<Drle>(int16(&[(36114, &[3])])), Ok(vec![3, 0, 0, 1, 1, 1200, 4800]));
    let big_endian = Dataset { order: 1, sign: 0, ..int16(&[(36114, &[3])]) };
    assert_eq!(completed::<Drle>(big_endian), Ok(vec![3, 0, 0, 1, 4, 1200, 4800]));
}

#[test]
fn complete_parameters_are_left_alone() {
    let values = completed::<Bitshuffle>(int16(&[(32008, &[0, 2])])).unwrap();
    let before = N_MODIFIED.get();
    assert_eq!(completed::<Bitshuffle>(int16(&[(32008, &values)])), Ok(values.clone()));
    assert_eq!(N_MODIFIED.get(), before, "nothing was called to modify them");
    let larger = Dataset { chunk: vec![4, 30, 40], ..int16(&[(32008, &values)]) };
    assert_eq!(completed::<Bitshuffle>(larger), Ok(vec![0, 4, 2, 0, 2, 0, 9600]), "another chunk, another size");
}

#[test]
fn behind_a_filter_that_resizes_the_size_is_unknown() {
    assert_eq!(completed::<Lz4>(int16(&[(1, &[6]), (32004, &[8])])), Ok(vec![8, 0]));
    assert_eq!(completed::<Lz4>(int16(&[(2, &[]), (32004, &[8])])), Ok(vec![8, 4800]), "a shuffle keeps the size");
    assert_eq!(completed::<Lz4>(int16(&[(32004, &[8]), (3, &[])])), Ok(vec![8, 4800]), "a checksum after");
}

/// netCDF's own plugin takes no other number of parameters; earlier versions of ours stored two.
#[test]
fn zstd_has_one_parameter_whatever_it_was_made_from() {
    for given in [&[][..], &[0], &[0, 4800], &[0, 0]] {
        assert_eq!(completed::<Zstd>(int16(&[(32015, given)])), Ok(vec![3]), "{given:?}");
        assert_eq!(completed::<Zstd>(int16(&[(1, &[6]), (32015, given)])), Ok(vec![3]), "{given:?} after another");
    }
}

#[test]
fn filters_are_told_in_order_and_the_first_of_very_many_parameters() {
    let many: Vec<c_uint> = (0..300).collect();
    assert_eq!(completed::<Lz4>(int16(&[(1, &many), (32004, &[8])])), Ok(vec![8, 0]), "no reason to fail");
    assert_eq!(host().pipeline(1), Ok(vec![(1, many[..256].to_vec()), (32004, vec![8, 0])]));
    assert_eq!(host().filters(1), Ok(vec![1, 32004]));
}

#[test]
fn drle_is_the_first_filter_or_none() {
    let text = completed::<Drle>(int16(&[(2, &[]), (36114, &[1])])).unwrap_err();
    assert!(text.starts_with("filter 2 stands before this one"), "{text}");
    assert!(completed::<Drle>(int16(&[(36114, &[1]), (32015, &[1])])).is_ok(), "a second compression may follow");
}

/// What would be lost of it otherwise is a sentinel, of this dataset and of no other that is made like it.
#[test]
fn the_fill_value_is_a_sentinel_where_it_would_be_lost() {
    let of = |given: &[c_uint], fill: i16| {
        completed::<Drle>(Dataset { fill: Some(fill.to_le_bytes()), ..int16(&[(36114, given)]) }).unwrap()
    };
    let minus_1 = [3, 0, 0, 2, 1, 1200, 4800, 0xFFFF, 0];
    assert_eq!(of(&[3], -1), minus_1);
    assert_eq!(of(&minus_1, -1), minus_1);
    assert_eq!(of(&minus_1, -32767)[7], 0x8001);
    assert_eq!(of(&[3], 2)[7], 2);
    for kept in [0, 3, 32767] {
        assert_eq!(of(&minus_1, kept), [3, 0, 0, 1, 1, 1200, 4800], "{kept}");
    }
    assert_eq!(of(&[3, 1], -1), [3, 1, 0, 1, 1, 1200, 4800], "a bare stream has no sentinels");
    let big_endian = Dataset { order: 1, fill: Some([0xFF, 0xFE]), ..int16(&[(36114, &[3])]) };
    assert_eq!(completed::<Drle>(big_endian).unwrap()[7], 0xFFFE);
    let unsigned = Dataset { sign: 0, fill: Some([0xFF, 0xFE]), ..int16(&[(36114, &[3])]) };
    assert_eq!(completed::<Drle>(unsigned).unwrap()[7], 0xFEFF);
}

#[test]
fn an_array_type_is_shuffled_by_its_base_and_bitshuffled_whole() {
    let array = Dataset { class: 10, size: 24, base_size: 4, ..int16(&[(32008, &[]), (32001, &[])]) };
    assert_eq!(completed::<Bitshuffle>(array.clone()), Ok(vec![0, 4, 24, 0, 0, 0, 57_600]));
    let alone = Dataset { filters: array.filters[1..].to_vec(), ..array };
    assert_eq!(completed::<Blosc>(alone), Ok(vec![2, 2, 4, 57_600, 5, 1, 0]));
    assert_eq!(N_OPEN_TYPES.get(), 0, "the base type was closed");
}

/// Given nothing, the reference's bitshuffle does not compress: as it is wanted before a filter that does.
#[test]
fn bitshuffle_compresses_unless_told_otherwise_or_another_filter_does() {
    let compression = |filters: &[(u32, &[c_uint])]| completed::<Bitshuffle>(int16(filters)).unwrap()[4];
    for given in [&[][..], &[0], &[64]] {
        assert_eq!(compression(&[(32008, given)]), 2, "{given:?}");
        assert_eq!(compression(&[(2, &[]), (32008, given), (3, &[]), (2, &[])]), 2, "{given:?} with a checksum");
        assert_eq!(compression(&[(32008, given), (1, &[6])]), 0, "{given:?} in front of gzip");
        assert_eq!(compression(&[(32008, given), (3, &[]), (32015, &[])]), 0, "{given:?} in front of Zstd");
    }
    assert_eq!(compression(&[(32008, &[0, 0])]), 0);
    assert_eq!(compression(&[(32008, &[0, 3]), (1, &[6])]), 3);
}

#[test]
fn what_cannot_be_written_is_refused_with_a_text() {
    let drle = |change: fn(&mut Dataset)| {
        let mut dataset = int16(&[(36114, &[1])]);
        change(&mut dataset);
        completed::<Drle>(dataset).unwrap_err()
    };
    for change in [
        |d: &mut Dataset| d.class = 1,
        |d: &mut Dataset| d.size = 4,
        |d: &mut Dataset| d.precision = 12,
        |d: &mut Dataset| d.order = 4,
    ] {
        assert!(drle(change).contains("int16"), "{}", drle(change));
    }
    assert!(drle(|d| d.chunk.clear()).contains("no chunks"));
    assert!(drle(|d| d.size = 0).contains("size of the element type"));
    assert!(drle(|d| d.chunk = vec![1 << 20, 1 << 20]).contains("4 GiB"));
    assert!(drle(|d| d.filters[0].2 = vec![0; 300]).contains("300 filter parameters"));
    assert!(drle(|d| d.filters[0].2 = vec![0]).contains("cd_values[0] = 0"));
    assert!(completed::<Lz4>(int16(&[(32015, &[3])])).unwrap_err().contains("H5Pget_filter_by_id2"));
}
