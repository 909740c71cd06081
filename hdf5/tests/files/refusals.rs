//! What the writer refuses, with a message that names the fault, and with nothing changed.

use crate::common::foreign::Foreign;
use crate::common::hdf5::{LOCK, h5d, h5i, h5l, h5t};
use crate::common::*;
use darkchunk::Error;
use darkchunk::chunk::Compression;
use darkchunk_hdf5::{Dataset, File, FileElement, Processing, Writer};

/// The message of a refusal, which must have all of `words` in it.
fn says<T>(result: darkchunk_hdf5::Result<T>, words: &[&str]) {
    let message = result.err().expect("refused").to_string();
    assert!(words.iter().all(|word| message.contains(word)), "{message:?} does not say {words:?}");
}

fn create<P: FileElement>(
    file: &File,
    dataset: &Dataset,
    processing: Processing<P>,
) -> darkchunk_hdf5::Result<Writer<P>> {
    Writer::create(&library(), file.id(), dataset, processing)
}

fn attach<P: FileElement>(file: &File, path: &str) -> darkchunk_hdf5::Result<Writer<P>> {
    Writer::attach(&library(), file.id(), path, plain())
}

#[test]
fn a_file_that_is_open_for_reading_only_is_refused() {
    let file = new_file("read-only");
    create::<i16>(&file, &dataset(Compression::drle(1), 1), Processing::default()).unwrap().finish().unwrap();
    file.close().unwrap();
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("read-only.h5");
    let file = File::open(&library(), &path, false).unwrap();
    says(attach::<i16>(&file, PATH), &["reading only", "H5F_ACC_RDWR"]);
    let other = Dataset { path: "/entry/instrument/other/data".into(), ..dataset(Compression::drle(1), 1) };
    says(create::<i16>(&file, &other, Processing::default()), &["reading only"]);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let file = new_file("taken");
    let dataset = dataset(Compression::drle(1), 1);
    let mut writer = create::<i16>(&file, &dataset, Processing::default()).unwrap();
    writer.push(&camera(1)).unwrap();
    says(create::<i16>(&file, &dataset, Processing::default()), &[PATH, "already"]);
    writer.finish().unwrap();
    assert_eq!(read::<i16>(&file, PATH), [camera(1)]);
}

#[test]
fn a_path_that_names_nothing_is_refused() {
    let file = new_file("no-name");
    let nameless = |path: &str| Dataset { path: path.into(), nexus: false, ..dataset(Compression::drle(1), 1) };
    says(create::<i16>(&file, &nameless(""), plain()), &["path of the dataset is empty", "/entry/"]);
    says(attach::<i16>(&file, ""), &["path of the dataset is empty"]);
    says(create::<i16>(&file, &nameless("/"), plain()), &["the file has / already"]);
}

#[test]
fn two_writers_on_one_dataset_are_refused() {
    let file = new_file("two-writers");
    let dataset = dataset(Compression::drle(1), 1);
    let mut first = create::<i16>(&file, &dataset, Processing::default()).unwrap();
    let again = File::open(&library(), &path_of("two-writers"), true).unwrap();
    // By its name, by the name that viewers use, and by another identifier of the file.
    for (file, name) in [(&file, PATH), (&file, "/entry/data/data"), (&again, PATH)] {
        says(attach::<i16>(file, name), &["another writer", name, "end that one first"]);
    }
    // A dataset of another file has the same place in it.
    let other_file = new_file("two-writers-other");
    let mut other = create::<i16>(&other_file, &dataset, Processing::default()).unwrap();
    first.push(&camera(0)).unwrap();
    other.push(&camera(1)).unwrap();
    drop((first, other));
    let mut second = attach::<i16>(&again, PATH).unwrap();
    second.push(&camera(2)).unwrap();
    drop(second);
    assert_eq!(read::<i16>(&file, PATH), [camera(0), camera(2)]);
    assert_eq!(read::<i16>(&other_file, PATH), [camera(1)]);
}

#[test]
fn a_dataset_that_another_program_writes_to_is_not_written_over() {
    let file = new_file("resized");
    let mut writer = create::<i16>(&file, &dataset(Compression::drle(1), 1), Processing::default()).unwrap();
    writer.push(&camera(0)).unwrap();
    {
        let _lock = LOCK.lock();
        // SAFETY: the dataset is there, and the dimensions have its rank.
        #[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
        unsafe {
            let dataset = h5d::H5Dopen2(file.id(), c"/entry/instrument/detector/data".as_ptr(), 0);
            assert!(h5d::H5Dset_extent(dataset, [5, HEIGHT as u64, WIDTH as u64].as_ptr()) >= 0);
            h5i::H5Idec_ref(dataset);
        }
    }
    says(writer.push(&camera(1)), &["has 5 frames", "left it with 1", "1 more were taken"]);
    says(writer.push(&camera(2)), &["has 5 frames", "0 of these frames were taken"]);
    assert_eq!(writer.summary().n_stored, 1);
}

#[test]
fn what_an_earlier_recording_left_is_not_taken_for_the_new_ones() {
    let file = new_file("left-over");
    let with_dark = Processing { dark: Some(vec![7; N_PIXELS].into()), ..Processing::default() };
    create::<i16>(&file, &dataset(Compression::drle(1), 1), with_dark).unwrap().finish().unwrap();
    {
        let _lock = LOCK.lock();
        // SAFETY: names of the file.
        #[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
        unsafe {
            assert!(h5l::H5Ldelete(file.id(), c"/entry/instrument/detector/data".as_ptr(), 0) >= 0);
            assert!(h5l::H5Ldelete(file.id(), c"/entry/data/data".as_ptr(), 0) >= 0);
        }
    }
    let again = || create::<i16>(&file, &dataset(Compression::drle(1), 1), Processing::default());
    says(again(), &["data_darkchunk already", "a dataset that is gone"]);
}

#[test]
fn parameters_and_corrections_that_mean_nothing_are_refused() {
    let file = new_file("parameters");
    let with = |threshold| Processing::<i16> { threshold, ..Processing::default() };
    says(create(&file, &dataset(Compression::drle(0), 1), with(None)), &["threshold", "1 to 32767"]);
    says(create(&file, &dataset(Compression::drle(40000), 1), with(None)), &["threshold", "1 to 32767"]);
    says(create(&file, &dataset(Compression::drle(20), 1), with(Some(30))), &["30", "20"]);
    says(create(&file, &dataset(Compression::lz4(), 1), with(Some(0))), &["threshold is 0", "1 to 32767"]);
    says(create(&file, &dataset(Compression::filter(305, &[]), 1), with(None)), &["305"]);
    let segments = Compression::filter(36114, &[20, 0, 64]);
    says(create(&file, &dataset(segments, 1), with(None)), &["segments of 64 pixels"]);
    let newer = Compression::filter(36114, &[20, 0, 0, 4, 1, 627, 1254]);
    says(create(&file, &dataset(newer, 1), with(None)), &["cd_values[3] = 4", "another version"]);
    let dark = Processing { dark: Some(vec![0_i16; 5].into()), ..Processing::default() };
    says(create(&file, &dataset(Compression::drle(1), 1), dark), &["dark image", "10 bytes"]);
    says(create(&file, &dataset(Compression::drle(1), 0), with(None)), &["empty"]);
    let short = Dataset { path: "/images".into(), ..dataset(Compression::drle(1), 1) };
    says(create(&file, &short, with(None)), &["NeXus", "/images"]);
    // Nothing of all this has left a trace.
    says(attach::<i16>(&file, PATH), &["none of this name"]);
    create(&file, &dataset(Compression::drle(1), 1), with(None)).unwrap();
}

#[test]
fn element_types_without_dark_pixels_take_no_threshold_dark_image_or_sum() {
    let file = new_file("elements");
    says(create::<u32>(&file, &dataset(Compression::drle(1), 1), plain()), &["DRLE", "16"]);
    let lz4 = dataset(Compression::lz4(), 1);
    let threshold = Processing::<u32> { threshold: Some(5), ..plain() };
    says(create(&file, &lz4, threshold), &["threshold", "uint32"]);
    says(create(&file, &lz4, Processing::<u8> { sum: true, ..plain() }), &["sum", "uint8"]);
    let dark = Processing { dark: Some(vec![0_i32; N_PIXELS].into()), ..plain() };
    says(create(&file, &lz4, dark), &["dark", "int32"]);
}

#[test]
fn a_frame_of_the_wrong_size_changes_nothing() {
    let file = new_file("frame-size");
    let mut writer = create::<i16>(&file, &dataset(Compression::drle(1), 2), Processing::default()).unwrap();
    writer.push(&camera(0)).unwrap();
    says(writer.push(&camera(1)[1..]), &["the frame has 1252 bytes, 1254 are expected"]);
    says(writer.push_strips(&[&camera(1), &[0]]), &["1256 bytes"]);
    says(writer.push(&[]), &["0 bytes"]);
    writer.push(&camera(2)).unwrap();
    assert_eq!(writer.finish().unwrap().n_pushed, 2);
    assert_eq!(read::<i16>(&file, PATH), [camera(0), camera(2)]);
}

#[test]
fn of_frames_at_once_those_before_the_one_that_is_refused_are_taken() {
    let file = new_file("refused-at-once");
    let mut writer = create::<i16>(&file, &dataset(Compression::drle(1), 2), Processing::default()).unwrap();
    let frames: Vec<Vec<i16>> = (0..5).map(camera).collect();
    let mut frames: Vec<&[i16]> = frames.iter().map(Vec::as_slice).collect();
    let good = frames[3];
    frames[3] = &good[1..];
    says(writer.push_frames(&frames), &["the frame has 1252 bytes, 1254 are expected"]);
    assert_eq!(writer.summary().n_pushed, 3);
    writer.push_frames(&[good, frames[4]]).unwrap();
    assert_eq!(writer.finish().unwrap().n_pushed, 5);
    assert_eq!(read::<i16>(&file, PATH), (0..5).map(camera).collect::<Vec<_>>());
}

#[test]
fn a_pixel_that_is_too_bright_for_a_bare_stream_changes_nothing() {
    let file = new_file("too-bright");
    let bare = Compression::filter(36114, &[1, 1]);
    let mut writer = create::<u16>(&file, &dataset(bare, 2), Processing::default()).unwrap();
    let frame = vec![7_u16; N_PIXELS];
    writer.push(&frame).unwrap();
    let mut bright = frame.clone();
    bright[600] = 32768;
    assert_eq!(writer.push(&bright), Err(Error::TooBright { pixel: 600, value: 32768 }.into()));
    bright[600] = 32767;
    writer.push(&bright).unwrap();
    let summary = writer.finish().unwrap();
    assert_eq!((summary.n_stored, summary.counts.n_bright), (2, 2 * N_PIXELS as u64));
    assert_eq!(read::<u16>(&file, PATH), [frame, bright]);
    assert_eq!(image(&file, &format!("{PATH}_darkchunk/sum"))[599..601], [14, 7 + 32767]);
}

/// An integer of 2 bytes with so many bits that are the number, as 12-bit cameras are given.
fn padded(n_bits: usize) -> i64 {
    let _lock = LOCK.lock();
    // SAFETY: a type that HDF5 has.
    let padded = unsafe { h5t::H5Tcopy(*h5t::H5T_NATIVE_INT16) };
    // SAFETY: the copy is not used yet.
    assert!(unsafe { h5t::H5Tset_precision(padded, n_bits) } >= 0);
    padded
}

fn array_of_3() -> i64 {
    let _lock = LOCK.lock();
    // SAFETY: one dimension.
    unsafe { h5t::H5Tarray_create2(*h5t::H5T_NATIVE_INT16, 1, [3].as_ptr()) }
}

#[test]
fn datasets_that_frames_cannot_be_written_to_are_refused() {
    let file = new_file("foreign");
    let plain = Foreign::new();
    let drle: (i32, &[u32]) = (36114, &[20, 0, 0, 1, 1, 627, 2508]);
    let make = |name: &str, foreign: Foreign<'_>| foreign.make(&file, name);
    make("contiguous", Foreign { chunk: None, dims: &[4, HEIGHT as u64, WIDTH as u64], ..plain.clone() });
    says(attach::<i16>(&file, "contiguous"), &["contiguous", "no chunks"]);
    make("rows", Foreign { chunk: Some(&[1, 1, WIDTH as u64]), ..plain.clone() });
    says(attach::<i16>(&file, "rows"), &["[1, 1, 33]", "whole frames"]);
    make("flat", Foreign { dims: &[0, 5], chunk: Some(&[1, 5]), ..plain.clone() });
    says(attach::<i16>(&file, "flat"), &["2 dimensions"]);
    make("wrong type", Foreign { datatype: *h5t::H5T_NATIVE_DOUBLE, ..plain.clone() });
    says(attach::<i16>(&file, "wrong type"), &["float64", "int16"]);
    make("padded", Foreign { datatype: padded(12), ..plain.clone() });
    says(attach::<i16>(&file, "padded"), &["no integer of 16 bits", "int16"]);
    make("array", Foreign { datatype: array_of_3(), ..plain.clone() });
    says(attach::<i16>(&file, "array"), &["a type of 6 bytes", "int16"]);
    make("unsigned", Foreign { datatype: *h5t::H5T_NATIVE_UINT16, ..plain.clone() });
    says(attach::<i16>(&file, "unsigned"), &["uint16", "int16"]);
    make("big", Foreign { datatype: *h5t::H5T_STD_I16BE, ..plain.clone() });
    says(attach::<i16>(&file, "big"), &["big-endian"]);
    make("whole edges", Foreign { whole_edges: true, ..plain.clone() });
    says(attach::<i16>(&file, "whole edges"), &["partial chunks"]);
    make("several", Foreign { filters: &[(3, &[]), drle], ..plain.clone() });
    says(attach::<i16>(&file, "several"), &["2 filters"]);
    make("unknown", Foreign { filters: &[(32026, &[1, 2])], ..plain.clone() });
    says(attach::<i16>(&file, "unknown"), &["32026"]);
    make("newer", Foreign { filters: &[(36114, &[20, 0, 0, 7, 1, 627, 2508])], ..plain.clone() });
    says(attach::<i16>(&file, "newer"), &["cd_values[3] = 7", "another version"]);
    make("other chunk", Foreign { filters: &[(36114, &[20, 0, 0, 1, 1, 627, 1254])], ..plain.clone() });
    says(attach::<i16>(&file, "other chunk"), &["for chunks of 1254 bytes", "have 2508", "make the dataset anew"]);
    says(attach::<i16>(&file, "/no/such"), &["/no/such", "none of this name"]);
    says(attach::<i16>(&file, "/"), &["no dataset"]);
    make("good", Foreign { filters: &[drle], ..plain.clone() });
    let mut writer = attach::<i16>(&file, "good").unwrap();
    writer.push(&corrected(&camera(0), 0, 20)).unwrap();
    writer.finish().unwrap();
    assert_eq!(read::<i16>(&file, "good"), [corrected(&camera(0), 0, 20)]);
}

#[test]
fn a_dataset_whose_first_chunk_does_not_decode_is_refused() {
    let file = new_file("bad-first");
    let drle: (i32, &[u32]) = (36114, &[20, 0, 0, 1, 1, 627, 2508]);
    Foreign { dims: &[2, HEIGHT as u64, WIDTH as u64], filters: &[drle], ..Foreign::new() }.make(&file, "bad");
    attach::<i16>(&file, "bad").expect("no chunk was written, so there is nothing to decode");
    {
        let _lock = LOCK.lock();
        // SAFETY: the dataset was made above; the offset has its rank, and the data the size that is said.
        #[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
        unsafe {
            let dataset = h5d::H5Dopen2(file.id(), c"bad".as_ptr(), 0);
            assert!(h5d::H5Dwrite_chunk(dataset, 0, 0, [0_u64; 3].as_ptr(), 5, b"DRLE?".as_ptr().cast()) >= 0);
            h5i::H5Idec_ref(dataset);
        }
    }
    says(attach::<i16>(&file, "bad"), &["frame 0", "does not decode"]);
}

/// Bitshuffle alone keeps a chunk's length: a raw chunk and the encoded one that takes its place have the same.
#[test]
fn a_last_chunk_that_was_stored_raw_is_filled_up_as_an_encoded_one() {
    let file = new_file("raw-last");
    let bitshuffle: (i32, &[u32]) = (32008, &[0, 4, 2, 0, 0, 0, 2508]);
    Foreign { dims: &[1, HEIGHT as u64, WIDTH as u64], filters: &[bitshuffle], ..Foreign::new() }.make(&file, "raw");
    let mut pixels = camera(0);
    pixels.resize(2 * N_PIXELS, 0);
    {
        let _lock = LOCK.lock();
        // SAFETY: the dataset was made above; the offset has its rank, and the data the size that is said.
        #[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
        unsafe {
            let dataset = h5d::H5Dopen2(file.id(), c"raw".as_ptr(), 0);
            let data = pixels.as_ptr().cast();
            assert!(h5d::H5Dwrite_chunk(dataset, 0, 1, [0_u64; 3].as_ptr(), 4 * N_PIXELS, data) >= 0);
            h5i::H5Idec_ref(dataset);
        }
    }
    let mut writer = attach::<i16>(&file, "raw").unwrap();
    writer.push(&camera(1)).unwrap();
    writer.finish().unwrap();
    // HDF5 remembers the old mask as long as the dataset is open.
    drop(writer);
    assert_eq!(read::<i16>(&file, "raw"), [camera(0), camera(1)]);
}

#[test]
fn a_recording_is_not_continued_in_another_way() {
    let file = new_file("another-way");
    let with = |dark: Option<i16>, threshold| Processing {
        dark: dark.map(|counts| vec![counts; N_PIXELS].into()),
        threshold,
        ..Processing::default()
    };
    let mut writer = create(&file, &dataset(Compression::lz4(), 1), with(Some(100), Some(20))).unwrap();
    writer.push(&camera(0)).unwrap();
    writer.finish().unwrap();
    drop(writer);
    let attach = |processing| Writer::<i16>::attach(&library(), file.id(), PATH, processing);
    says(attach(with(Some(100), None)), &[PATH, "threshold 20"]);
    says(attach(with(Some(100), Some(21))), &["threshold 20"]);
    says(attach(with(None, Some(20))), &["dark image", "_darkchunk/dark"]);
    says(attach(with(Some(101), Some(20))), &["dark image"]);
    let mut writer = attach(with(Some(100), Some(20))).unwrap();
    writer.push(&camera(1)).unwrap();
    assert_eq!(writer.finish().unwrap().n_counted, 2);
}

#[test]
fn a_dataset_that_may_not_grow_further_keeps_its_frames() {
    let file = new_file("limited");
    let chunk = [3, HEIGHT as u64, WIDTH as u64];
    let frames: Vec<Vec<i16>> = (0..7).map(camera).collect();
    for most in [3, 4, 5] {
        let (limited, path) = (Foreign { most: Some(most), chunk: Some(&chunk), ..Foreign::new() }, format!("{most}"));
        limited.make(&file, &path);
        let mut writer = attach::<i16>(&file, &path).unwrap();
        writer.push(&frames[0]).unwrap();
        let rest: Vec<&[i16]> = frames[1..].iter().map(Vec::as_slice).collect();
        assert_eq!(writer.push_frames(&rest), Err(darkchunk_hdf5::Error::FrameLimit { max: most }));
        assert_eq!(writer.push(&frames[6]), Err(darkchunk_hdf5::Error::FrameLimit { max: most }), "it is not taken");
        let summary = writer.finish().unwrap();
        assert_eq!((summary.n_pushed, summary.n_stored), (most, most));
        assert_eq!(read::<i16>(&file, &path), frames[..most as usize]);
    }
}
