//! What the tests of the writer share: frames, files, and a reader that knows nothing of the writer.

#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod foreign;
pub(crate) mod hdf5;
pub(crate) mod maker;

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;

use darkchunk::Exec;
use darkchunk::chunk::{Compression, Filter};
use darkchunk::codec::blosc::{Compressor, Shuffle};
use darkchunk::element::{Element, as_bytes_mut};
use darkchunk_hdf5::{Dataset, File, Processing};
use hdf5::{LOCK, h5a, h5d, h5e, h5i, h5p, h5s, h5t};

pub(crate) const HEIGHT: usize = 19;
pub(crate) const WIDTH: usize = 33;
pub(crate) const N_PIXELS: usize = HEIGHT * WIDTH;
pub(crate) const PATH: &str = "/entry/instrument/detector/data";
pub(crate) const THRESHOLD: u16 = 20;

pub(crate) use hdf5::{api, library};

/// A file's path in the folder for test files.
pub(crate) fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.h5"))
}

/// The same, where a file that an earlier run left is gone.
pub(crate) fn path(name: &str) -> PathBuf {
    let path = path_of(name);
    let _ = std::fs::remove_file(&path);
    let _ = std::fs::remove_file(path.with_extension("h5.journal"));
    path
}

pub(crate) fn new_file(name: &str) -> File {
    File::create(&library(), &path(name)).expect("a new file")
}

/// A small dataset of NeXus, `frames_per_chunk` frames a chunk.
pub(crate) fn dataset(compression: Compression, frames_per_chunk: usize) -> Dataset {
    Dataset { frames_per_chunk, ..Dataset::new(HEIGHT, WIDTH, compression) }
}

/// No sum: for elements of any type.
pub(crate) fn plain<P>() -> Processing<P> {
    Processing { dark: None, threshold: None, sum: false, ..Processing::default() }
}

/// Everything that can be chosen; DRLE only for 16 bits.
pub(crate) fn compressions(element_bytes: usize) -> Vec<Compression> {
    let blosc = |shuffle, compressor| Compression::blosc(5, shuffle, compressor);
    let mut all = vec![
        Compression::NONE,
        Compression::bitshuffle_lz4(),
        Compression::bitshuffle_zstd(1),
        Compression::filter(32008, &[]),
        blosc(Shuffle::None, Compressor::BloscLz),
        blosc(Shuffle::Byte, Compressor::Lz4),
        blosc(Shuffle::Bit, Compressor::Zstd),
        Compression::lz4(),
        Compression::zstd(3),
        Compression::bounded_exact(),
    ];
    if element_bytes == 2 {
        all.extend([Compression::drle(1), Compression::drle(THRESHOLD), Compression::filter(36114, &[1, 1])]);
    }
    all
}

/// Frame `index` of a camera: readout noise from 95 to 110 and some spots.
pub(crate) fn camera(index: usize) -> Vec<i16> {
    let mut state = index as u32 * 77 + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    };
    (0..N_PIXELS).map(|_| 95 + (next() & 15) + if next() & 31 == 0 { next() & 1023 } else { 0 }).collect()
}

/// For [`has_frames`]: the file's name and the number of frames.
const READER: &str = "DARKCHUNK_TEST_READER";

/// Whether a file has the first `n` frames of the camera. It is read by another process, the test `reader` of the same program: a file that is
/// torn may be the end of the HDF5 that reads it.
pub(crate) fn has_frames(name: &str, n: u64) -> bool {
    let mut reader = Command::new(std::env::current_exe().expect("this program"));
    reader.args(["reader", "--exact", "--nocapture"]).env(READER, format!("{name},{n}"));
    let output = reader.output().expect("a process");
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find_map(|line| line.split("found: ").nth(1));
    println!("{name}: {}, {}", found.unwrap_or("nothing"), output.status);
    output.status.success() && found.is_some_and(|found| found == format!("{n} of {n} frames"))
}

/// The other process's part.
pub(crate) fn read_for_another() {
    let Ok(task) = std::env::var(READER) else { return };
    let (name, n) = task.split_once(',').expect("a name and a number");
    let frames = File::open(&library(), &path_of(name), false)
        .map_err(|error| error.to_string())
        .and_then(|file| try_read::<i16>(&file, PATH, n.parse().expect("a number")).ok_or("it does not read".into()));
    match frames {
        Err(message) => println!("\nfound: {message}"),
        Ok(frames) => {
            let n_right = frames.iter().enumerate().take_while(|(index, frame)| **frame == camera(*index)).count();
            println!("\nfound: {n_right} of {n} frames");
        }
    }
}

/// What a frame of the camera is after dark subtraction and threshold.
pub(crate) fn corrected(frame: &[i16], dark: i16, threshold: u16) -> Vec<i16> {
    let correct =
        |pixel: &i16| if i32::from(*pixel) - i32::from(dark) < i32::from(threshold) { 0 } else { pixel - dark };
    frame.iter().map(correct).collect()
}

/// The dataset as any program would get it: its frames decoded from the stored chunks by the stored parameters.
pub(crate) fn read<P: Element>(file: &File, path: &str) -> Vec<Vec<P>> {
    try_read(file, path, u64::MAX).expect("a sound dataset")
}

/// The same of at most the first `n_frames` of a dataset that may be damaged.
pub(crate) fn try_read<P: Element>(file: &File, path: &str, n_frames: u64) -> Option<Vec<Vec<P>>> {
    try_read_in(file.id(), path, n_frames)
}

/// The same of a file by its identifier.
pub(crate) fn try_read_in<P: Element>(file: i64, path: &str, n_frames: u64) -> Option<Vec<Vec<P>>> {
    let _lock = LOCK.lock();
    // SAFETY: no function means that nothing is printed; results say what fails.
    unsafe { h5e::H5Eset_auto2(0, None, std::ptr::null_mut()) };
    let (dataset, properties, dims, chunk) = open(file, path)?;
    let n_frames = dims[0].min(n_frames);
    let filter = filter(properties);
    let frame_pixels = (dims[1] * dims[2]) as usize;
    let part_pixels = (chunk[1] * dims[2]) as usize;
    let read_chunk = |first: u64| {
        let mut pixels = vec![P::default(); chunk[0] as usize * frame_pixels];
        // Of bricks each has some rows of all these frames.
        for (number, row) in (0..dims[1]).step_by(chunk[1] as usize).enumerate() {
            let stored = stored_chunk(dataset, [first, row, 0])?;
            let mut brick = vec![P::default(); chunk[0] as usize * part_pixels];
            match &filter {
                Some(filter) => filter.decode(Exec::SCALAR, &stored, as_bytes_mut(&mut brick)).ok()?,
                None => as_bytes_mut(&mut brick).copy_from_slice(&stored),
            }
            for (frame, part) in pixels.chunks_exact_mut(frame_pixels).zip(brick.chunks_exact(part_pixels)) {
                let rows = frame.chunks_mut(part_pixels).nth(number)?;
                rows.copy_from_slice(&part[..rows.len()]);
            }
        }
        Some(pixels)
    };
    let chunks: Option<Vec<Vec<P>>> = (0..n_frames).step_by(chunk[0] as usize).map(read_chunk).collect();
    // SAFETY: identifiers that are not used any more. An open dataset would keep the file open.
    unsafe { h5i::H5Idec_ref(dataset) };
    // SAFETY: as above.
    unsafe { h5i::H5Idec_ref(properties) };
    let mut frames: Vec<Vec<P>> = chunks?.concat().chunks_exact(frame_pixels).map(<[P]>::to_vec).collect();
    if n_frames == dims[0] {
        let padding = &frames[frames.len().min(n_frames as usize)..];
        assert!(padding.iter().all(|frame| *frame == vec![P::default(); frame_pixels]), "padding is zeros");
    }
    frames.truncate(n_frames as usize);
    Some(frames)
}

/// The dataset, its creation properties, its shape and that of its chunks.
#[expect(clippy::multiple_unsafe_ops_per_block, reason = "calls into HDF5 with checked results")]
fn open(file: i64, path: &str) -> Option<(i64, i64, [u64; 3], [u64; 3])> {
    let name = CString::new(path).expect("a name");
    let (mut dims, mut chunk) = ([0; 3], [0; 3]);
    // SAFETY: as HDF5 documents; the arrays have the dataset's rank.
    unsafe {
        let dataset = h5d::H5Dopen2(file, name.as_ptr(), 0);
        if dataset < 0 {
            return None;
        }
        let space = h5d::H5Dget_space(dataset);
        assert_eq!(h5s::H5Sget_simple_extent_dims(space, dims.as_mut_ptr(), std::ptr::null_mut()), 3);
        h5i::H5Idec_ref(space);
        let properties = h5d::H5Dget_create_plist(dataset);
        assert_eq!(h5p::H5Pget_chunk(properties, 3, chunk.as_mut_ptr()), 3);
        Some((dataset, properties, dims, chunk))
    }
}

fn filter(properties: i64) -> Option<Filter> {
    let (mut flags, mut config, mut n_values, mut values) = (0, 0, 32, [0; 32]);
    // SAFETY: a property list.
    if unsafe { h5p::H5Pget_nfilters(properties) } == 0 {
        return None;
    }
    // SAFETY: room for what is asked for; no name is.
    let id = unsafe {
        h5p::H5Pget_filter2(
            properties,
            0,
            &raw mut flags,
            &raw mut n_values,
            values.as_mut_ptr(),
            0,
            std::ptr::null_mut(),
            &raw mut config,
        )
    };
    Some(Filter::from_cd_values(id.cast_unsigned(), &values[..n_values]).expect("parameters as they are stored"))
}

pub(crate) fn stored_chunk(dataset: i64, offset: [u64; 3]) -> Option<Vec<u8>> {
    let (mut n_bytes, mut mask) = (0, 1);
    let storage_size = api().H5Dget_chunk_storage_size.expect("in the table");
    // SAFETY: the offset has the dataset's rank.
    if unsafe { storage_size(dataset, offset.as_ptr(), &raw mut n_bytes) } < 0 {
        return None;
    }
    let mut room = n_bytes as usize;
    let mut bytes = vec![0_u8; room];
    let data = bytes.as_mut_ptr().cast::<c_void>();
    // SAFETY: `data` has `room` bytes.
    if unsafe { h5d::H5Dread_chunk2(dataset, 0, offset.as_ptr(), &raw mut mask, data, &raw mut room) } < 0 {
        return None;
    }
    assert_eq!((mask, room), (0, bytes.len()), "chunk at {offset:?}");
    Some(bytes)
}

/// An attribute that is one number, as `i64`.
pub(crate) fn attribute(file: &File, object: &str, name: &str) -> i64 {
    let _lock = LOCK.lock();
    let (object, name) = (CString::new(object).expect("a name"), CString::new(name).expect("a name"));
    let mut number = 0_i64;
    // SAFETY: both are C strings.
    let attribute = unsafe { h5a::H5Aopen_by_name(file.id(), object.as_ptr(), name.as_ptr(), 0, 0) };
    let kind = *h5t::H5T_NATIVE_INT64;
    // SAFETY: room for the one number, converted.
    assert!(unsafe { h5a::H5Aread(attribute, kind, (&raw mut number).cast()) } >= 0, "{name:?}");
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(attribute) };
    number
}

/// A dataset of integers (height, width), as `i64`.
pub(crate) fn image(file: &File, path: &str) -> Vec<i64> {
    let _lock = LOCK.lock();
    let name = CString::new(path).expect("a name");
    let mut pixels = vec![0_i64; N_PIXELS];
    // SAFETY: a C string.
    let dataset = unsafe { h5d::H5Dopen2(file.id(), name.as_ptr(), 0) };
    let kind = *h5t::H5T_NATIVE_INT64;
    // SAFETY: the images of these tests have `N_PIXELS` pixels.
    assert!(unsafe { h5d::H5Dread(dataset, kind, 0, 0, 0, pixels.as_mut_ptr().cast()) } >= 0, "{path}");
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(dataset) };
    pixels
}

/// A dataset's shape and its bytes, of the type that it is stored in.
pub(crate) fn read_all(file: &File, path: &str) -> (Vec<u64>, Vec<u8>) {
    read_all_in(file.id(), path).unwrap_or_else(|| panic!("{path} cannot be read"))
}

/// The same of a file by its identifier; `None` where it cannot be read.
pub(crate) fn read_all_in(file: i64, path: &str) -> Option<(Vec<u64>, Vec<u8>)> {
    let _lock = LOCK.lock();
    let (name, api) = (CString::new(path).expect("a name"), api());
    // SAFETY: a C string.
    let dataset = unsafe { h5d::H5Dopen2(file, name.as_ptr(), 0) };
    if dataset < 0 {
        return None;
    }
    // SAFETY: a dataset.
    let space = unsafe { h5d::H5Dget_space(dataset) };
    let mut dims = vec![0; 3];
    // SAFETY: the datasets of these tests have up to three axes.
    let rank = unsafe { h5s::H5Sget_simple_extent_dims(space, dims.as_mut_ptr(), std::ptr::null_mut()) };
    dims.truncate(rank as usize);
    // SAFETY: a dataset.
    let kind = unsafe { api.H5Dget_type.expect("in the table")(dataset) };
    // SAFETY: a datatype.
    let n_bytes = unsafe { api.H5Tget_size.expect("in the table")(kind) } * dims.iter().product::<u64>() as usize;
    let mut bytes = vec![0xEE_u8; n_bytes];
    // SAFETY: room for all elements.
    let is_read = unsafe { h5d::H5Dread(dataset, kind, 0, 0, 0, bytes.as_mut_ptr().cast()) } >= 0;
    for id in [kind, space, dataset] {
        // SAFETY: identifiers that are not used any more.
        unsafe { h5i::H5Idec_ref(id) };
    }
    is_read.then_some((dims, bytes))
}
