//! An HDF5 that refuses: what is held, what is refused, and what is said of it.

use std::cell::Cell;

use crate::common::{self, *};
use darkchunk::chunk::Compression;
use darkchunk::element::ElementType;
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::chunk_map::StoredDataset;
use darkchunk_hdf5::{Api, ChunkWriter, Dataset, Error, File, Flush, Library, Processing, Writer};
use std::ffi::{c_char, c_int, c_void};
use std::path::Path;

thread_local! {
    // HDF5 is called on the thread of the test.
    static REFUSE_CHUNKS: Cell<bool> = const { Cell::new(false) };
    static REFUSE_FLUSHES: Cell<bool> = const { Cell::new(false) };
    static REFUSE_TO_SHORTEN: Cell<bool> = const { Cell::new(false) };
    /// Frames that a dataset was given last.
    static LAST_EXTENT: Cell<u64> = const { Cell::new(0) };
}

unsafe extern "C" fn write_chunk(
    dataset: Hid,
    dxpl: Hid,
    mask: u32,
    offset: *const u64,
    n_bytes: usize,
    data: *const c_void,
) -> c_int {
    if REFUSE_CHUNKS.get() {
        return -1;
    }
    let write_chunk = common::api().H5Dwrite_chunk.expect("in the table");
    // SAFETY: the caller's own arguments.
    unsafe { write_chunk(dataset, dxpl, mask, offset, n_bytes, data) }
}

unsafe extern "C" fn flush(object: Hid, scope: c_int) -> c_int {
    if REFUSE_FLUSHES.get() {
        return -1;
    }
    let flush = common::api().H5Fflush.expect("in the table");
    // SAFETY: the caller's own arguments.
    unsafe { flush(object, scope) }
}

unsafe extern "C" fn set_extent(dataset: Hid, dims: *const u64) -> c_int {
    // SAFETY: the caller's datasets have three dimensions.
    let n_frames = unsafe { *dims };
    if REFUSE_TO_SHORTEN.get() && n_frames < LAST_EXTENT.get() {
        return -1;
    }
    LAST_EXTENT.set(n_frames);
    let set_extent = common::api().H5Dset_extent.expect("in the table");
    // SAFETY: the caller's own arguments.
    unsafe { set_extent(dataset, dims) }
}

/// HDF5, but it refuses chunks, flushes or shorter datasets when told to.
fn unreliable_library() -> Library {
    let api = Api {
        H5Dwrite_chunk: Some(write_chunk),
        H5Fflush: Some(flush),
        H5Dset_extent: Some(set_extent),
        ..common::api()
    };
    // SAFETY: the three functions do what HDF5's do, or fail as those may.
    unsafe { Library::new(&api) }.expect("a library")
}

#[test]
fn a_refused_chunk_is_held_and_tried_again() {
    let file = new_file("refused");
    let dataset = dataset(Compression::drle(1), 2);
    let writer = Writer::create(&unreliable_library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    let mut writer = writer.with_flush(Flush::NEVER);
    (0..3).for_each(|index| writer.push(&camera(index)).unwrap());

    REFUSE_CHUNKS.set(true);
    let refused = writer.push(&camera(3)).unwrap_err();
    assert!(matches!(refused, Error::NotStored { n_stored: 2, n_held: 2, .. }), "{refused:?}");
    assert!(refused.to_string().contains("H5Dwrite_chunk"), "{refused}");
    assert_eq!(writer.summary().n_pushed, 4);
    assert_eq!(read::<i16>(&file, PATH).len(), 2, "the dataset has no frame that was not written");
    let refused = writer.push(&camera(4)).unwrap_err();
    assert!(matches!(refused, Error::NotTaken { n_taken: 0, n_stored: 2, n_held: 2, .. }), "{refused:?}");
    assert_eq!(writer.summary().n_pushed, 4, "this one was not taken");
    assert!(writer.finish().is_err());
    REFUSE_CHUNKS.set(false);

    writer.push(&camera(4)).unwrap();
    REFUSE_FLUSHES.set(true);
    let refused = writer.finish().unwrap_err();
    assert!(refused.to_string().contains("H5Fflush"), "{refused}");
    assert_eq!(writer.summary().n_flushed, 0);
    REFUSE_FLUSHES.set(false);
    assert_eq!(writer.finish().unwrap().n_flushed, 5);
    assert_eq!(read::<i16>(&file, PATH), (0..5).map(camera).collect::<Vec<_>>());

    // The last chunk is in the file with one frame of two.
    REFUSE_CHUNKS.set(true);
    let refused = writer.push(&camera(5)).unwrap_err();
    assert!(matches!(refused, Error::NotStored { n_stored: 5, n_held: 1, .. }), "{refused:?}");
    assert_eq!(read::<i16>(&file, PATH), (0..5).map(camera).collect::<Vec<_>>());
    REFUSE_CHUNKS.set(false);
    assert_eq!(writer.finish().unwrap().n_stored, 6);
    assert_eq!(read::<i16>(&file, PATH), (0..6).map(camera).collect::<Vec<_>>());
}

#[test]
fn a_dataset_that_cannot_be_shortened_again_is_reported_until_it_is() {
    let file = new_file("too-long");
    let dataset = dataset(Compression::NONE, 2);
    let writer = Writer::create(&unreliable_library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    let mut writer = writer.with_flush(Flush::NEVER);
    (0..3).for_each(|index| writer.push(&camera(index)).unwrap());
    REFUSE_CHUNKS.set(true);
    REFUSE_TO_SHORTEN.set(true);
    let refused = writer.push(&camera(3)).unwrap_err();
    let (Error::NotStored { source, n_stored, n_held }, n_frames) = (&refused, LAST_EXTENT.get()) else {
        panic!("{refused:?}")
    };
    assert_eq!((*n_stored, *n_held), (2, 2), "{refused}");
    assert!(matches!(**source, Error::TooLong { n_frames: said, n_stored: 2, .. } if said == n_frames), "{refused:?}");
    assert!(refused.to_string().contains("H5Dwrite_chunk") && n_frames > 4, "{refused}");

    // The frame is stored all the same; that the dataset is too long, is said by each flush.
    REFUSE_CHUNKS.set(false);
    writer.push(&camera(4)).unwrap();
    for _ in 0..2 {
        let refused = writer.finish().unwrap_err();
        assert!(
            matches!(&refused, Error::NotStored { source, n_stored: 5, n_held: 0 }
                if matches!(**source, Error::TooLong { n_stored: 5, .. })),
            "{refused:?}"
        );
        assert_eq!(writer.summary().n_stored, 5);
    }
    REFUSE_TO_SHORTEN.set(false);
    let summary = writer.finish().unwrap();
    assert_eq!((summary.n_stored, summary.n_flushed), (5, 5));
    assert_eq!(read::<i16>(&file, PATH), (0..5).map(camera).collect::<Vec<_>>());
    assert_eq!(attribute(&file, &format!("{PATH}_darkchunk"), "frames"), 5);
}

/// Frames that the file has, once it is closed.
fn n_frames(path: &Path) -> u64 {
    let file = File::open(&library(), path, false).expect("a file");
    StoredDataset::open_path(&library(), file.id(), PATH).expect("a dataset").dims()[0]
}

/// To shrink a dataset within a chunk that is there, HDF5 decodes it, for which it has no plugin here: it fails then, says that the dataset is
/// shorter, and writes the larger number.
#[test]
fn a_chunk_that_is_refused_after_the_last_one_leaves_the_number_of_frames() {
    // Chunks that are stored, up to which frame; and those that are refused then.
    type Case<'a> = (Dataset, &'a [(u64, u64)], &'a [u64]);
    let bricks = Dataset { rows_per_chunk: Some(10), ..dataset(Compression::bitshuffle_lz4(), 3) };
    let cases: [Case<'_>; 3] = [
        (bricks, &[(0, 3), (3, 5)], &[2, 1]),
        (dataset(Compression::bitshuffle_lz4(), 3), &[(0, 3), (2, 8)], &[1]),
        (dataset(Compression::bitshuffle_lz4(), 3), &[(1, 5)], &[0]),
    ];
    for (dataset, stored, refused) in cases {
        let (path, library) = (path("refused-late"), unreliable_library());
        let file = File::create(&library, &path).expect("a file");
        let mut writer = ChunkWriter::create(&library, file.id(), &dataset, ElementType::I16).expect("a writer");
        writer.publish().expect("named");
        writer.set_flush(Flush::NEVER);
        stored.iter().for_each(|(index, n_frames)| writer.write(*index, *n_frames, &[7; 40]).expect("stored"));
        let n_stored = writer.n_stored();
        REFUSE_CHUNKS.set(true);
        refused.iter().for_each(|index| assert!(writer.write(*index, 0, &[7; 40]).is_err()));
        REFUSE_CHUNKS.set(false);
        refused.iter().for_each(|index| writer.write(*index, 0, &[7; 40]).expect("stored"));
        writer.flush().expect("flushed");
        drop((writer, file));
        assert_eq!(n_frames(&path), n_stored, "{dataset:?}: {refused:?}");
    }
}

#[test]
fn a_table_without_a_function_is_refused_by_its_name() {
    let api = Api { H5Dset_extent: None, ..common::api() };
    // SAFETY: the functions that are there are HDF5's.
    let refused = unsafe { Library::new(&api) }.unwrap_err();
    assert!(refused.to_string().contains("H5Dset_extent"), "{refused}");
}

#[test]
fn an_older_and_shorter_table_lacks_its_end_only() {
    let api = Api { n_bytes: std::mem::offset_of!(Api, H5Dread_chunk2), ..common::api() };
    // SAFETY: the table is longer than it says.
    let read = unsafe { Api::read(&raw const api) };
    assert!(read.H5Dread_chunk2.is_none() && read.H5Adelete.is_some());
}

#[test]
fn of_frames_at_once_an_error_says_how_many_were_taken() {
    let file = new_file("some-taken");
    let library = unreliable_library();
    let mut writer =
        Writer::create(&library, file.id(), &dataset(Compression::drle(1), 2), Processing::<i16>::default()).unwrap();
    let frames: Vec<Vec<i16>> = (0..7).map(camera).collect();
    let frames: Vec<&[i16]> = frames.iter().map(Vec::as_slice).collect();
    writer.push(frames[0]).unwrap();
    REFUSE_CHUNKS.set(true);
    let refused = writer.push_frames(&frames[1..6]).unwrap_err();
    assert!(matches!(refused, Error::NotTaken { n_taken: 1, n_stored: 0, n_held: 2, .. }), "{refused:?}");
    let refused = writer.push_frames(&frames[2..6]).unwrap_err();
    assert!(matches!(refused, Error::NotTaken { n_taken: 0, n_stored: 0, n_held: 2, .. }), "{refused:?}");
    REFUSE_CHUNKS.set(false);
    writer.push_frames(&frames[2..5]).unwrap();
    REFUSE_CHUNKS.set(true);
    // The last of them fills a chunk: all were taken.
    let refused = writer.push_frames(&frames[5..6]).unwrap_err();
    assert!(matches!(refused, Error::NotStored { n_stored: 4, n_held: 2, .. }), "{refused:?}");
    REFUSE_CHUNKS.set(false);
    writer.push(frames[6]).unwrap();
    let summary = writer.finish().unwrap();
    assert_eq!((summary.n_pushed, summary.n_stored), (7, 7));
    assert_eq!(read::<i16>(&file, PATH), (0..7).map(camera).collect::<Vec<_>>());
}

#[test]
fn a_flush_that_fails_at_the_end_of_frames_at_once_says_that_all_were_taken() {
    let file = new_file("flush-fails");
    let dataset = dataset(Compression::drle(1), 1);
    let writer = Writer::create(&unreliable_library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    let mut writer = writer.with_flush(Flush { frames: Some(1), interval: None });
    REFUSE_FLUSHES.set(true);
    let frames = [camera(0), camera(1)];
    let refused = writer.push_frames(&[&frames[0], &frames[1]]).unwrap_err();
    assert!(matches!(refused, Error::NotTaken { n_taken: 1, n_stored: 1, n_held: 0, .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(
        text.contains("H5Fflush") && text.contains("all 1 frames of the dataset are stored, but not flushed"),
        "{text}"
    );
    assert!(!text.contains("held") && text.contains("push again from the first that was not taken"), "{text}");
    let refused = writer.push(&frames[1]).unwrap_err();
    assert!(matches!(refused, Error::NotStored { n_stored: 2, n_held: 0, .. }), "{refused:?}");
    REFUSE_FLUSHES.set(false);
    assert_eq!(writer.finish().unwrap().n_flushed, 2);
}

#[test]
fn a_dataset_that_could_not_be_flushed_when_it_was_made_can_be_attached_to() {
    let file = new_file("made-unflushed");
    let (library, dataset) = (unreliable_library(), dataset(Compression::drle(1), 1));
    REFUSE_FLUSHES.set(true);
    let refused = Writer::create(&library, file.id(), &dataset, Processing::<i16>::default()).unwrap_err();
    assert!(matches!(refused, Error::Hdf5 { call: "H5Fflush", .. }), "{refused:?}");
    REFUSE_FLUSHES.set(false);
    let mut writer = Writer::attach(&library, file.id(), PATH, Processing::<i16>::default()).unwrap();
    writer.push(&camera(0)).unwrap();
    assert_eq!(writer.finish().unwrap().n_flushed, 1);
}

/// A program that was compiled with an older header.
#[test]
fn a_table_without_the_newest_functions_will_do() {
    let api = Api {
        H5Pset_alloc_time: None,
        H5Pset_fill_time: None,
        H5Oget_info3: None,
        H5Dwrite_chunk: Some(write_chunk),
        ..api()
    };
    // SAFETY: the functions that are there are HDF5's, or fail as those may.
    let library = unsafe { Library::new(&api) }.expect("a library");
    let file = new_file("older-table");
    let dataset = dataset(Compression::drle(1), 2);
    let processing = || Processing { dark: Some(vec![100; N_PIXELS].into()), ..Processing::default() };
    let mut writer = Writer::create(&library, file.id(), &dataset, processing()).unwrap();
    writer.push(&camera(0)).unwrap();
    writer.flush().unwrap();
    REFUSE_CHUNKS.set(true);
    writer.push(&camera(1)).unwrap_err();
    assert_eq!(writer.summary().n_flushed, 0, "the chunk may be written over");
    REFUSE_CHUNKS.set(false);
    writer.finish().unwrap();
    drop(writer);
    let mut writer = Writer::attach(&library, file.id(), PATH, processing()).unwrap();
    writer.push(&camera(2)).unwrap();
    assert_eq!(writer.finish().unwrap().n_counted, 3);
    assert_eq!(read::<i16>(&file, PATH), (0..3).map(|index| corrected(&camera(index), 100, 1)).collect::<Vec<_>>());
}

unsafe extern "C" fn atomicity_of_a_parallel_file(_file: Hid, is_atomic: *mut u32) -> c_int {
    // SAFETY: the caller has room for it.
    unsafe { *is_atomic = 0 };
    0
}

unsafe extern "C" fn atomicity_of_any_other(_file: Hid, _is_atomic: *mut u32) -> c_int {
    -1
}

/// Only an HDF5 that is built for MPI has the function, and it fails for files that are not open with MPI-IO.
#[test]
fn a_file_that_is_open_with_mpi_io_is_refused() {
    let file = new_file("parallel");
    let library = |function| {
        let api = Api { H5Fget_mpi_atomicity: Some(function), ..api() };
        // SAFETY: the function does what HDF5's does.
        unsafe { Library::new(&api) }.expect("a library")
    };
    let (parallel, other) = (library(atomicity_of_a_parallel_file), library(atomicity_of_any_other));
    let dataset = dataset(Compression::drle(1), 1);
    let create = |library| Writer::create(library, file.id(), &dataset, Processing::<i16>::default());
    let refused = create(&parallel).unwrap_err();
    assert_eq!(refused, Error::Parallel);
    assert!(refused.to_string().contains("MPI-IO") && refused.to_string().contains("each rank"), "{refused}");
    create(&other).unwrap().finish().unwrap();
    let refused = Writer::attach(&parallel, file.id(), PATH, Processing::<i16>::default()).unwrap_err();
    assert_eq!(refused, Error::Parallel);
}

unsafe extern "C" fn size_that_cannot_be_read(_dataset: Hid, _offset: *const u64, _n_bytes: *mut u64) -> c_int {
    -1
}

#[test]
fn a_last_chunk_that_cannot_be_read_is_not_taken_for_zeros() {
    let file = new_file("unreadable-index");
    let dataset = dataset(Compression::drle(1), 2);
    let mut writer = Writer::create(&library(), file.id(), &dataset, Processing::<i16>::default()).unwrap();
    writer.push(&camera(0)).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let api = Api { H5Dget_chunk_storage_size: Some(size_that_cannot_be_read), ..api() };
    // SAFETY: the function fails as HDF5's may.
    let damaged = unsafe { Library::new(&api) }.expect("a library");
    let refused = Writer::attach(&damaged, file.id(), PATH, Processing::<i16>::default()).unwrap_err();
    assert!(matches!(refused, Error::Hdf5 { call: "H5Dget_chunk_storage_size", .. }), "{refused:?}");
    assert_eq!(read::<i16>(&file, PATH), [camera(0)]);
}

thread_local! {
    /// Calls that make or write attributes and datasets until one is refused; `None` for none.
    static CALLS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Whether this call is the one that is refused, or one after it.
fn is_refused() -> bool {
    let Some(left) = CALLS_LEFT.get() else { return false };
    CALLS_LEFT.set(Some(left.saturating_sub(1)));
    left == 0
}

/// HDF5's function, but it fails when it is its turn.
macro_rules! until_refused {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(#[allow(non_snake_case, reason = "it is HDF5's name")]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            if is_refused() {
                return -1;
            }
            let function = common::api().$name.expect("in the table");
            // SAFETY: the caller's own arguments.
            unsafe { function($($argument),*) }
        })*

        /// HDF5, but from a certain call on it makes and writes nothing more.
        fn library_that_gives_up() -> Library {
            let api = Api { $($name: Some($name),)* ..common::api() };
            // SAFETY: the functions do what HDF5's do, or fail as those may.
            unsafe { Library::new(&api) }.expect("a library")
        }
    };
}

until_refused! {
    fn H5Acreate2(object: Hid, name: *const c_char, kind: Hid, space: Hid, acpl: Hid, aapl: Hid) -> Hid;
    fn H5Awrite(attribute: Hid, kind: Hid, data: *const c_void) -> c_int;
    fn H5Dcreate2(at: Hid, name: *const c_char, kind: Hid, space: Hid, lcpl: Hid, dcpl: Hid, dapl: Hid) -> Hid;
    fn H5Dwrite_chunk(
        dataset: Hid, dxpl: Hid, mask: u32, offset: *const u64, n_bytes: usize, data: *const c_void
    ) -> c_int;
}

#[test]
fn a_continued_recording_that_cannot_begin_loses_nothing_of_what_is_stored() {
    let file = new_file("attributes-refused");
    let (library, dataset) = (library_that_gives_up(), dataset(Compression::drle(THRESHOLD), 2));
    let processing = || Processing { dark: Some(vec![100; N_PIXELS].into()), ..Processing::<i16>::default() };
    let mut writer = Writer::create(&library, file.id(), &dataset, processing()).unwrap();
    writer.push(&camera(0)).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let beside = format!("{PATH}_darkchunk");
    let names = ["threshold", "filter", "frames", "pixels_bright"];
    let stored = names.map(|name| attribute(&file, &beside, name));
    let mut n_refused = 0;
    for n_calls in 0..40 {
        CALLS_LEFT.set(Some(n_calls));
        let attached = Writer::attach(&library, file.id(), PATH, processing());
        n_refused += u32::from(attached.is_err());
        drop(attached);
        CALLS_LEFT.set(None);
        assert_eq!(names.map(|name| attribute(&file, &beside, name)), stored, "refused from call {n_calls} on");
    }
    assert!((5..35).contains(&n_refused), "{n_refused}");
    Writer::attach(&library, file.id(), PATH, processing()).unwrap().finish().unwrap();
}

#[test]
fn a_dataset_whose_writer_could_not_be_made_can_be_attached_to_once_it_has_a_name() {
    let processing = || Processing { dark: Some(vec![100; N_PIXELS].into()), ..Processing::<i16>::default() };
    let library = library_that_gives_up();
    let mut n_attached = 0;
    for n_calls in 0..60 {
        let file = new_file("half-made");
        CALLS_LEFT.set(Some(n_calls));
        let made = Writer::create(&library, file.id(), &dataset(Compression::drle(THRESHOLD), 1), processing());
        CALLS_LEFT.set(None);
        if made.is_ok() {
            break;
        }
        if try_read::<i16>(&file, PATH, 0).is_some() {
            let mut writer = Writer::attach(&library, file.id(), PATH, processing()).unwrap();
            writer.push(&camera(0)).unwrap();
            writer.finish().unwrap();
            drop(writer);
            assert_eq!(read::<i16>(&file, PATH), [corrected(&camera(0), 100, THRESHOLD)], "{n_calls}");
            assert_eq!(attribute(&file, &format!("{PATH}_darkchunk"), "threshold"), i64::from(THRESHOLD));
            n_attached += 1;
        }
    }
    assert!(n_attached > 10, "{n_attached}");
}

#[test]
fn a_string_that_another_program_stored_in_another_way_goes_once_the_new_one_is_there() {
    let library = library_that_gives_up();
    let create = |file: &File| {
        let dataset = dataset(Compression::NONE, 1);
        Writer::create(&library, file.id(), &dataset, Processing::<i16>::default())
    };
    // The default of the root is made and written first. Then the new class is made and written under another name, and last
    // under its own.
    for (n_calls, is_old) in (2..7).map(|n_calls| (n_calls, n_calls < 5)) {
        let file = new_file("their-string");
        foreign::fixed_string(&file, "/entry", "NX_class", "mine");
        CALLS_LEFT.set(Some(n_calls));
        assert!(create(&file).is_err());
        CALLS_LEFT.set(None);
        let name = if is_old { "NX_class" } else { "NX_class (new)" };
        assert_eq!(foreign::string_bytes(&file, "/entry", name), is_old.then_some(4), "refused from call {n_calls} on");
        create(&file).unwrap().finish().unwrap();
        assert_eq!(foreign::string_bytes(&file, "/entry", "NX_class"), None, "of any length now");
        assert!(!foreign::has_attribute(&file, "/entry", "NX_class (new)"), "refused from call {n_calls} on");
    }
}
