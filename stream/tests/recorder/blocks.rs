//! An index of blocks that the recorder writes: what walking the file gives.

use std::ffi::{c_int, c_void};
use std::path::Path;

use crate::common::hdf5::{api, library};
use crate::common::maker::{self, open, open_dataset};
use crate::common::path;
use crate::{HEIGHT, N_PIXELS, PATH, WIDTH, camera, create_with, dataset, drle};
use darkchunk::chunk::{Compression, Processing};
use darkchunk_hdf5::api::Hid;
use darkchunk_hdf5::{Api, Dataset, File, Library};
use darkchunk_stream::recorder::{Options, Recorder};
use darkchunk_stream::{Error, IndexWriter, Options as ReadOptions, Reader};

fn options(index: &Path) -> Options<i16> {
    Options { n_workers: 2, index: Some(index.to_owned()), ..Options::default() }
}

/// Bitshuffle whose blocks have 64 pixels: 6 to a frame.
fn bitshuffle() -> Compression {
    Compression { values: vec![64, 2], ..Compression::bitshuffle_lz4() }
}

fn push_all(recorder: &mut Recorder<i16, Vec<i16>>) {
    for number in [3, 0, 2, 7, 5, 4] {
        recorder.push(number, camera(number)).expect("taken");
    }
}

fn reader(path: &Path) -> Reader {
    let file = open(path);
    Reader::open(&library(), open_dataset(&file, PATH).0, ReadOptions::default()).expect("a dataset")
}

/// What a row of all frames is, and how many chunks had to be decoded whole for it.
fn row(path: &Path, index: &Path) -> (u64, Vec<u8>, u64) {
    let reader = reader(path);
    let n_known = reader.load_index(index).expect("an index");
    let mut found = vec![0; reader.dims()[0] as usize * WIDTH * 2];
    reader.read(&[0, 2, 0], &[reader.dims()[0], 1, WIDTH as u64], None, &mut found).expect("sound");
    (n_known, found, reader.statistics().whole_chunks)
}

#[test]
fn the_index_of_bricks_says_what_walking_says() {
    let path = path("recorder_index_bricks");
    let (index, walked) = (path.with_extension("blocks"), path.with_extension("walked"));
    let _ = std::fs::remove_file(&index);
    let dataset = Dataset { rows_per_chunk: Some(5), ..dataset(bitshuffle(), 2) };
    let (file, mut recorder) = create_with(&library(), &path, &dataset, options(&index));
    push_all(&mut recorder);
    recorder.finish().expect("stored");
    assert_eq!(recorder.fault(), Ok(None));
    drop((recorder, file));
    IndexWriter::begin(&reader(&path), &walked).expect("a new file").step(None).expect("sound");
    // Four rows of bricks of four layers; in the file they need not follow each other as they were written.
    let found = row(&path, &index);
    assert_eq!((found.0, &found), (16, &row(&path, &walked)));
}

#[test]
fn the_recorder_s_index_is_the_one_that_walking_gives() {
    let lz4 = Compression { values: vec![128], ..Compression::lz4() };
    for (compression, swmr, user_block, frames_per_chunk) in
        [(bitshuffle(), false, 0, 1), (lz4, false, 512, 1), (bitshuffle(), true, 0, 1), (bitshuffle(), false, 0, 3)]
    {
        let (path, index) = (path("recorder_index"), path("recorder_index").with_extension("blocks"));
        let _ = std::fs::remove_file(&index);
        let file = maker::create(&path, swmr, user_block);
        let dataset = dataset(compression, frames_per_chunk);
        // Several workers may be done with chunks in another order than that in which they are written.
        let options = Options { swmr, n_workers: 0, ..options(&index) };
        let mut recorder =
            Recorder::create(&library(), file.0, &dataset, Processing::default(), options).expect("a recorder");
        push_all(&mut recorder);
        assert!(!index.exists(), "it is there in the end");
        recorder.finish().expect("stored");
        assert_eq!(recorder.fault(), Ok(None));
        drop((recorder, file));

        let walked = path.with_extension("walked");
        IndexWriter::begin(&reader(&path), &walked).expect("a new file").step(None).expect("sound");
        let is_same = std::fs::read(&walked).expect("written") == std::fs::read(&index).expect("written");
        assert!(is_same, "swmr {swmr}, user block {user_block}, {frames_per_chunk} a chunk");
        let (n_known, found, n_whole) = row(&path, &index);
        let n_chunks = [6, 3][usize::from(frames_per_chunk == 3)];
        // The rows of several frames in a chunk are most of it.
        assert_eq!((n_known, n_whole == 0), (n_chunks, frames_per_chunk == 1));
        let expected = [0, 1, 2, 3, 4, 5, 6, 7].map(|number| match number {
            1 | 6 => vec![0; WIDTH],
            _ => camera(number)[2 * WIDTH..3 * WIDTH].to_vec(),
        });
        assert!(found == darkchunk::element::as_bytes(&expected.concat()));
    }
}

#[test]
fn a_recorder_that_is_dropped_ends_its_index_and_one_without_frames_has_none() {
    for n in [6, 0] {
        let (path, index) = (path("recorder_index_dropped"), path("recorder_index_dropped").with_extension("blocks"));
        let _ = std::fs::remove_file(&index);
        let (file, mut recorder) =
            create_with::<Vec<i16>>(&library(), &path, &dataset(bitshuffle(), 1), options(&index));
        (n > 0).then(|| push_all(&mut recorder));
        drop((recorder, file));
        assert_eq!(index.exists(), n > 0);
        if n > 0 {
            assert_eq!(row(&path, &index).0, n);
        }
        assert!(!is_left(&index));
    }
}

/// Whether there is an index that is not finished.
fn is_left(index: &Path) -> bool {
    let name = index.file_name().expect("a name").to_string_lossy().into_owned();
    let names = std::fs::read_dir(index.parent().expect("a folder")).expect("there").flatten();
    names
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .any(|found| found.starts_with(&name) && found.ends_with("part"))
}

/// HDF5 that does not list the chunks.
fn library_without_lists() -> Library {
    library_with!(H5Dchunk_iter(a: Hid, b: Hid, c: Option<darkchunk_hdf5::api::ChunkFn>, d: *mut c_void), || false)
}

#[test]
fn where_there_can_be_no_index_the_recording_is_refused_at_once_or_goes_on_without_it() {
    let (path, folder) = (path("recorder_index_none"), path("recorder_index_none").with_extension("folder"));
    let file = File::create(&library(), &path).expect("a file");
    let none = Compression { values: vec![0, 0], ..Compression::bitshuffle_lz4() };
    for (dataset, index) in [(drle(1), &folder), (dataset(none, 1), &folder)] {
        let made = Recorder::<i16>::create(&library(), file.id(), &dataset, Processing::default(), options(index));
        assert!(matches!(made, Err(Error::Argument(text)) if text.contains("no index of blocks")));
    }
    let made = Recorder::<i16>::create(
        &library(),
        file.id(),
        &dataset(bitshuffle(), 1),
        Processing::default(),
        options(&path),
    );
    assert!(matches!(made, Err(Error::Index { .. })), "it would replace the file itself");
    drop(file);

    let mut cases = vec![(library(), true, "recorder_index_none")];
    // Before HDF5 1.12.3 there is no such function, and none is called.
    if api().H5Dchunk_iter.is_some() {
        cases.push((library_without_lists(), false, "H5Dchunk_iter"));
    }
    for (library, is_taken, why) in cases {
        let _ = std::fs::remove_dir(&folder);
        let (file, mut recorder) =
            create_with::<Vec<i16>>(&library, &path, &dataset(bitshuffle(), 1), options(&folder));
        is_taken.then(|| std::fs::create_dir(&folder).expect("a free name"));
        push_all(&mut recorder);
        assert_eq!(recorder.finish().expect("stored").n_stored, 6);
        let fault = recorder.fault().expect("ours").unwrap_or_default();
        assert!(fault.contains(why), "{fault}");
        drop((recorder, file));
        assert!(!is_left(&folder));
        let mut pixels = vec![0; 8 * N_PIXELS * 2];
        reader(&path).read(&[0; 3], &[8, HEIGHT as u64, WIDTH as u64], None, &mut pixels).expect("sound");
        assert!(pixels[..N_PIXELS * 2] == *darkchunk::element::as_bytes(&camera(0)));
    }
}
