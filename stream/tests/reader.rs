//! What the reader promises beyond the right elements: its ways, its errors, threads, and what becomes of hostile files.

mod common;

use common::cases::Chosen;
use common::hdf5::{h5d, h5t, library};
use common::maker::{self, Handle, Layout, Spec, create, open, open_dataset, open_in_memory, write_chunk};
use common::path;
use darkchunk_hdf5::{File, OpenDataset};
use darkchunk_stream::{Error, Missing, Options, Read, Reader, Way};
use std::ffi::CString;
use std::path::Path;
use std::sync::Arc;

const DIMS: [u64; 2] = [12, 10];
const N_BYTES: usize = 240;

fn elements() -> Vec<u8> {
    (0..N_BYTES).map(|i| (i * 37 % 251) as u8).collect()
}

fn spec(layout: Layout) -> Spec {
    Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, layout)
}

fn chunked() -> Spec {
    Spec { filters: vec![(2, vec![2]), (1, vec![4])], ..spec(Layout::Chunked(vec![4, 10])) }
}

fn make(path: &Path, spec: &Spec) {
    maker::write(&spec.make(&create(path, false, 0), "data"), spec.datatype, &elements());
}

fn reader(dataset: &Handle) -> Reader {
    Reader::open(&library(), dataset.0, Options { n_threads: 3, ..Options::default() }).expect("a dataset")
}

fn read(reader: &Reader) -> Result<Vec<u8>, Error> {
    let n_bytes = reader.dims().iter().product::<u64>() as usize * reader.element().n_bytes;
    let mut found = vec![0xEE; n_bytes];
    reader.read(&vec![0; reader.dims().len()], reader.dims(), None, &mut found).map(|()| found)
}

#[test]
fn each_kind_of_dataset_is_read_by_its_way_which_is_told() {
    let path = path("ways");
    let external = CString::new(path.with_extension("raw").to_str().expect("UTF-8")).expect("a name");
    let file = create(&path, true, 0);
    let name = |name| CString::new(name).expect("a name");
    let cases = [
        ("chunks", chunked(), Way::Direct, ""),
        ("piece", spec(Layout::Contiguous), Way::Direct, ""),
        ("scalar", Spec::new(*h5t::H5T_NATIVE_UINT16, &[], Layout::Contiguous), Way::Direct, ""),
        ("compact", spec(Layout::Compact), Way::Hdf5, "header"),
        ("external", spec(Layout::External(external)), Way::Hdf5, "external"),
        ("virtual", spec(Layout::Virtual(name("."), name("chunks"), DIMS.to_vec())), Way::Direct, ""),
        (
            "missing",
            spec(Layout::Virtual(name("none.h5"), name("a"), DIMS.to_vec())),
            Way::Hdf5,
            "none.h5 is not there",
        ),
        ("pattern", spec(Layout::Virtual(name("p%%.h5"), name("a"), DIMS.to_vec())), Way::Hdf5, "pattern"),
        ("small", spec(Layout::Virtual(name("."), name("scalar"), DIMS.to_vec())), Way::Hdf5, "another shape"),
        ("nested", spec(Layout::Virtual(name("."), name("virtual"), DIMS.to_vec())), Way::Hdf5, "virtual, too"),
        (
            "packed",
            spec(Layout::Virtual(name("."), name("compact"), DIMS.to_vec())),
            Way::Hdf5,
            "compact: its data are",
        ),
    ];
    for (name, spec, ..) in &cases {
        let dataset = spec.make(&file, name);
        if !matches!(spec.layout, Layout::Virtual(..)) {
            maker::write(&dataset, spec.datatype, &elements());
        }
    }
    drop(file);
    let file = open(&path);
    for (name, _, way, why) in cases {
        let reader = reader(&open_dataset(&file, name));
        assert_eq!(reader.way(), way, "{name}: {}", reader.reason());
        assert!(reader.reason().contains(why) && reader.reason().is_empty() == why.is_empty(), "{}", reader.reason());
        let expected = match name {
            "scalar" => elements()[..2].to_vec(),
            "missing" | "pattern" => vec![0; N_BYTES],
            _ => elements(),
        };
        if name != "small" {
            assert_eq!(read(&reader).as_deref(), Ok(&expected[..]), "{name}");
        }
    }
}

/// Datasets that are read in several pieces: of 1 MiB where they are in one, of 8 MiB through HDF5.
#[test]
fn large_datasets_are_read_in_pieces_that_are_put_together_right() {
    let (path, dims) = (path("large"), [37_u64, 400, 411]);
    let all: Vec<u8> = (0..2 * 37 * 400 * 411_usize).map(|i| (i / 3 * 7 % 251) as u8).collect();
    let specs = [
        ("piece", Layout::Contiguous),
        ("frames", Layout::Chunked(vec![1, 400, 411])),
        ("columns", Layout::Chunked(vec![37, 50, 3])),
        ("long", Layout::Chunked(vec![30, 400, 411])),
    ];
    let file = create(&path, false, 0);
    for (name, layout) in &specs {
        let spec = Spec::new(*h5t::H5T_NATIVE_UINT16, &dims, layout.clone());
        maker::write(&spec.make(&file, name), spec.datatype, &all);
    }
    drop(file);
    let file = open(&path);
    let chosen = Chosen { start: vec![2, 5, 1], count: vec![12, 100, 205], step: vec![3, 3, 2] };
    let expected = chosen.of(&dims, &all, 2);
    for (name, _) in &specs {
        for only_hdf5 in [false, true] {
            // Two threads may begin both chunks at the same moment, and that is one step.
            let n_threads = if *name == "long" { 1 } else { 2 };
            let options = Options { n_threads, only_hdf5, ..Options::default() };
            let reader = Arc::new(Reader::open(&library(), open_dataset(&file, name).0, options).expect("a dataset"));
            assert!(read(&reader).is_ok_and(|found| found == all), "{name} {only_hdf5}");
            let mut found = vec![0; expected.len()];
            let at = found.as_mut_ptr();
            let (start, count, step) = (&chosen.start, &chosen.count, Some(&chosen.step[..]));
            // SAFETY: `found` is as large as the selection, and not used before the read has ended.
            let mut read = unsafe { Read::begin(&reader, start, count, step, at, None) }.expect("a good selection");
            let mut n_steps = 1;
            while !read.step(Some(std::time::Duration::ZERO)).expect("a good dataset") {
                n_steps += 1;
            }
            assert!(found == expected, "{name} {only_hdf5}");
            assert!(n_steps > 1 || only_hdf5, "{name}: it is read in one piece");
        }
    }
}

/// More than HDF5 before 1.12.3 can list in one pass.
#[test]
fn thousands_of_chunks_are_read_directly_or_through_hdf5_one_by_one_where_they_are_filtered() {
    let path = path("thousands");
    let all: Vec<u8> = (0..5000).map(|i| (i % 251) as u8).collect();
    let is_listed = library().version().expect("a version") >= (1, 12, 3);
    for (filters, otherwise) in [(vec![], Way::Hdf5), (vec![(1, vec![1])], Way::Chunks)] {
        let layout = Layout::Chunked(vec![1]);
        let spec = Spec { max_dims: vec![u64::MAX], filters, ..Spec::new(*h5t::H5T_NATIVE_UINT8, &[5000], layout) };
        maker::write(&spec.make(&create(&path, false, 0), "data"), spec.datatype, &all);
        let reader = reader(&open_dataset(&open(&path), "data"));
        assert_eq!(reader.way(), if is_listed { Way::Direct } else { otherwise }, "{}", reader.reason());
        assert!(read(&reader).as_ref() == Ok(&all), "{otherwise:?}");
    }
}

#[test]
fn a_file_in_memory_gives_its_chunks_through_hdf5() {
    let path = path("memory");
    make(&path, &chunked());
    let reader = reader(&open_dataset(&open_in_memory(&path), "data"));
    assert_eq!((reader.way(), read(&reader)), (Way::Chunks, Ok(elements())));
    assert!(reader.stored_chunk(&[0, 0]).is_err(), "{}", reader.reason());
}

#[test]
fn what_this_process_has_not_flushed_yet_is_read() {
    let path = path("unflushed");
    let file = create(&path, false, 0);
    let spec = Spec { max_dims: vec![u64::MAX, 10], ..chunked() };
    let dataset = spec.make(&file, "data");
    let mut reader = reader(&dataset);
    assert_eq!((reader.way(), read(&reader)), (Way::Hdf5, Ok(vec![0; N_BYTES])));
    maker::write(&dataset, spec.datatype, &elements());
    assert_eq!(read(&reader), Ok(elements()));
    assert!(reader.reason().contains("writing"));
    {
        let _lock = common::hdf5::LOCK.lock();
        // SAFETY: two numbers, as the dataset has axes.
        assert!(unsafe { h5d::H5Dset_extent(dataset.0, [14, 10].as_ptr()) } >= 0);
    }
    reader.refresh().expect("the dataset is there");
    assert_eq!(reader.dims(), [14, 10]);
    assert_eq!(read(&reader), Ok([elements(), vec![0; 40]].concat()));
}

/// A dataset that the caller has open, too, and one that the caller has closed.
#[test]
fn a_refresh_leaves_what_can_be_read() {
    let path = path("refresh");
    make(&path, &chunked());
    let file = open(&path);
    for only_hdf5 in [false, true] {
        let dataset = open_dataset(&file, "data");
        let options = Options { only_hdf5, ..Options::default() };
        let mut reader = Reader::open(&library(), dataset.0, options).expect("a dataset");
        for _ in 0..3 {
            assert_eq!(reader.refresh(), Ok(()));
            assert_eq!(read(&reader), Ok(elements()));
        }
        drop(dataset);
        assert_eq!(reader.refresh(), Ok(()));
        assert_eq!(read(&reader), Ok(elements()));
    }
}

/// HDF5 breaks what else has it open. In the same file and in the same file opened again; other datasets do not count.
#[test]
fn a_refresh_beside_a_second_opening_of_the_dataset_is_refused() {
    let path = path("refresh-twice");
    let file = create(&path, false, 0);
    for name in ["data", "other"] {
        maker::write(&chunked().make(&file, name), chunked().datatype, &elements());
    }
    drop(file);
    let (file, again) = (open(&path), open(&path));
    let dataset = open_dataset(&file, "data");
    for only_hdf5 in [false, true] {
        let options = Options { only_hdf5, ..Options::default() };
        let mut reader = Reader::open(&library(), dataset.0, options).expect("a dataset");
        let _other = open_dataset(&file, "other");
        let is_refused = |reader: &mut Reader| {
            let refused = Err(Error::Hdf5(darkchunk_hdf5::Error::OpenTwice { path: "/data".to_owned() }));
            assert_eq!(reader.refresh(), refused, "{only_hdf5}");
            assert_eq!(read(reader), Ok(elements()), "{only_hdf5}");
        };
        for second in [open_dataset(&file, "data"), open_dataset(&again, "data")] {
            is_refused(&mut reader);
            drop(second);
        }
        let second = Reader::open(&library(), dataset.0, options).expect("a dataset");
        is_refused(&mut reader);
        assert_eq!(read(&second), Ok(elements()));
        drop(second);
        let many: Vec<_> =
            (0..100).map(|_| open_dataset(&file, "other")).chain([open_dataset(&file, "data")]).collect();
        is_refused(&mut reader);
        drop(many);
        assert_eq!(reader.refresh(), Ok(()), "{only_hdf5}");
        assert_eq!(read(&reader), Ok(elements()));
    }
}

#[test]
fn a_refresh_that_fails_leaves_what_is_read_directly() {
    let path = path("refresh-fails");
    make(&path, &chunked());
    let sound = std::fs::read(&path).expect("it is there");
    let file = open(&path);
    let dataset = open_dataset(&file, "data");
    let mut reader = reader(&dataset);
    let mut damaged = vec![0; sound.len()];
    for row in [0, 4, 8] {
        let chunk = reader.stored_chunk(&[row, 0]).expect("known").expect("stored");
        let place = chunk.address as usize..(chunk.address + chunk.n_bytes) as usize;
        damaged[place.clone()].copy_from_slice(&sound[place]);
    }
    std::fs::write(&path, damaged).expect("it can be written");
    assert!(reader.refresh().is_err());
    assert_eq!((reader.way(), reader.dims(), read(&reader)), (Way::Direct, &DIMS[..], Ok(elements())));
}

/// As a writer leaves it that is killed amid a write. HDF5 by itself would read it again for ever.
#[test]
fn what_is_half_written_is_an_error_of_what_needs_it() {
    let path = path("half-written");
    let spec = Spec { max_dims: vec![u64::MAX, 10], ..chunked() };
    maker::write(&spec.make(&create(&path, true, 0), "data"), spec.datatype, &elements());
    let sound = std::fs::read(&path).expect("it is there");
    let half_write = |block: &[u8]| {
        let at = sound.windows(4).rposition(|found| found == block).expect("the file has one");
        let mut bytes = sound.clone();
        bytes[at + 20] ^= 1;
        std::fs::write(&path, bytes).expect("it can be written");
    };
    let file = File::open_swmr(&library(), &path).expect("it is whole");
    let dataset = OpenDataset::open(&library(), file.id(), "data").expect("it is whole");
    let mut reader = Reader::open(&library(), dataset.id(), Options::default()).expect("a dataset");
    let (index, header) = (b"EAIB", b"OHDR");
    for block in [index, header] {
        half_write(block);
        assert!(reader.refresh().expect_err("a block is damaged").to_string().contains("checksum"));
        assert_eq!((reader.way(), read(&reader)), (Way::Direct, Ok(elements())));
        assert_eq!(reader.n_stored_frames(), DIMS[0]);
    }
}

#[test]
fn elements_of_many_bytes_are_read() {
    const N: u64 = 1 << 17;
    for filters in [vec![], vec![(1, vec![0])]] {
        let path = path(&format!("large-{}", filters.len()));
        let spec = Spec { filters, ..Spec::new(maker::opaque(64), &[N], Layout::Chunked(vec![N / 2])) };
        let bytes: Vec<u8> = (0..64 * N).map(|i| (i * 37 % 251) as u8).collect();
        maker::write(&spec.make(&create(&path, false, 0), "data"), spec.datatype, &bytes);
        let way = if spec.filters.is_empty() { Way::Hdf5 } else { Way::Chunks };
        for (file, way) in [(open(&path), Way::Direct), (open_in_memory(&path), way)] {
            let reader = reader(&open_dataset(&file, "data"));
            assert_eq!(reader.way(), way, "{}", reader.reason());
            assert!(read(&reader).expect("sound") == bytes, "{way:?}");
        }
    }
}

#[test]
fn elements_that_claim_gigabytes_are_left_to_hdf5() {
    let path = path("huge");
    drop(Spec::new(maker::opaque(0x7FFF_FFFF), &[1], Layout::Contiguous).make(&create(&path, false, 0), "data"));
    let reader = reader(&open_dataset(&open(&path), "data"));
    assert_eq!(reader.way(), Way::Hdf5);
    assert!(reader.reason().contains("16 MiB"), "{}", reader.reason());
}

#[test]
fn a_filter_that_is_not_known_is_left_to_hdf5() {
    let path = path("unknown");
    let bzip2 = Spec { filters: vec![(307, vec![9])], ..spec(Layout::Chunked(vec![4, 10])) };
    let dataset = bzip2.make(&create(&path, false, 0), "data");
    for (row, bytes) in elements().chunks_exact(80).enumerate() {
        write_chunk(&dataset, &[4 * row as u64, 0], 1, bytes);
    }
    drop(dataset);
    let reader = reader(&open_dataset(&open(&path), "data"));
    assert!(reader.way() == Way::Hdf5 && reader.reason().contains("307"), "{}", reader.reason());
    assert_eq!(read(&reader), Ok(elements()), "the filter was left out of every chunk");
}

#[test]
fn a_chunk_that_is_not_stored_is_filled_in_or_an_error_as_asked() {
    let path = path("hole");
    let fill = Some(vec![7, 1]);
    let dataset = Spec { fill, ..chunked() }.make(&create(&path, false, 0), "data");
    write_chunk(&dataset, &[4, 0], 3, &elements()[80..160]);
    drop(dataset);
    let dataset = open_dataset(&open(&path), "data");
    let filled = [[7, 1].repeat(40), elements()[80..160].to_vec(), [7, 1].repeat(40)].concat();
    assert_eq!(read(&reader(&dataset)), Ok(filled));
    let options = Options { missing: Missing::Error, ..Options::default() };
    let strict = Reader::open(&library(), dataset.0, options).expect("a dataset");
    assert_eq!(read(&strict), Err(Error::Missing { offset: vec![0, 0] }));
    let mut found = vec![0; 80];
    assert_eq!(strict.read(&[4, 0], &[4, 10], None, &mut found), Ok(()));
    let chunk = strict.stored_chunk(&[4, 0]).expect("known").expect("stored");
    assert_eq!((chunk.mask, chunk.n_bytes), (3, 80));
    let bytes = std::fs::read(&path).expect("the file");
    assert_eq!(bytes[chunk.address as usize..][..80], elements()[80..160]);
    assert_eq!(strict.stored_chunk(&[8, 0]), Ok(None));
    assert!(strict.stored_chunk(&[1, 0]).is_err() && strict.stored_chunk(&[16, 0]).is_err());
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    let path = path("arguments");
    make(&path, &chunked());
    let reader = reader(&open_dataset(&open(&path), "data"));
    let mut dst = vec![0; 20];
    for (start, count, step) in [([11, 0], [2, 5], [1, 1]), ([0, 0], [1, 10], [1, 0]), ([0, 0], [3, 3], [1, 1])] {
        let refused = reader.read(&start, &count, Some(&step), &mut dst);
        assert!(matches!(refused, Err(Error::Argument(_))), "{start:?} {count:?} {step:?}: {refused:?}");
    }
    assert!(Reader::open(&library(), open(&path).0, Options::default()).is_err(), "a file is no dataset");
}

#[test]
fn several_threads_read_with_one_reader() {
    let path = path("threads");
    make(&path, &chunked());
    let reader = reader(&open_dataset(&open(&path), "data"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..200).for_each(|_| assert_eq!(read(&reader), Ok(elements()))));
        }
    });
}

/// The places in a file where its index keeps the sizes of the chunks of [`chunked`], in the oldest format: size, mask, then the
/// offset of the chunk (and 0 for its bytes), then its address.
fn keys(file: &[u8], sizes: &[u64]) -> Vec<usize> {
    let key = |row: usize| {
        let mut key = (sizes[row] as u32).to_le_bytes().to_vec();
        key.extend([0; 4]);
        key.extend((4 * row as u64).to_le_bytes());
        key.extend([0; 16]);
        key
    };
    let find = |key: Vec<u8>| {
        let at = file.windows(key.len()).position(|part| part == key);
        at.expect("the index has the chunk")
    };
    (0..sizes.len()).map(|row| find(key(row))).collect()
}

/// A file of which the index is damaged by `change`, which gets the file and where it has the chunks.
fn read_hostile(name: &str, change: impl FnOnce(&mut Vec<u8>, &[usize])) -> Result<Vec<u8>, Error> {
    let path = path(name);
    make(&path, &chunked());
    let sizes: Vec<u64> = {
        let reader = reader(&open_dataset(&open(&path), "data"));
        (0..3).map(|row| reader.stored_chunk(&[4 * row, 0]).expect("known").expect("stored").n_bytes).collect()
    };
    let mut bytes = std::fs::read(&path).expect("the file");
    let keys = keys(&bytes, &sizes);
    change(&mut bytes, &keys);
    std::fs::write(&path, bytes).expect("the file");
    let file = open(&path);
    let reader = reader(&open_dataset(&file, "data"));
    let found = read(&reader);
    assert_eq!(by_pixels(&reader, 0..DIMS[0]).ok(), found.as_ref().ok().cloned(), "{found:?}");
    found
}

/// Frames as the pixels that are not 0, put together again.
fn by_pixels(reader: &Reader, frames: std::ops::Range<u64>) -> Result<Vec<u8>, Error> {
    let n_bytes = reader.element().n_bytes;
    let frame_bytes = n_bytes * reader.dims()[1..].iter().product::<u64>() as usize;
    let found = reader.sparse(frames.clone(), None)?;
    let mut images = vec![0; frame_bytes * (frames.end - frames.start) as usize];
    for (image, ends) in images.chunks_mut(frame_bytes).zip(found.offsets.windows(2)) {
        for pixel in ends[0] as usize..ends[1] as usize {
            let at = found.indices[pixel] as usize * n_bytes;
            image[at..at + n_bytes].copy_from_slice(&found.values[pixel * n_bytes..][..n_bytes]);
        }
    }
    Ok(images)
}

#[test]
fn an_index_that_leads_outside_of_the_file_or_claims_gigabytes_is_an_error() {
    assert_eq!(read_hostile("hostile-none", |_, _| ()), Ok(elements()), "the method");
    let address = 32;
    for (name, n) in [("far", 1_u64 << 40), ("end", u64::MAX - 7), ("middle", i64::MAX as u64 - 100)] {
        let error = read_hostile(&format!("hostile-{name}"), |file, keys| {
            file[keys[1] + address..][..8].copy_from_slice(&n.to_le_bytes());
        });
        assert!(error.is_err(), "{name}: {error:?}");
    }
    for (name, n) in [("size-4g", u32::MAX), ("size-2g", 1 << 31), ("size-1m", 1 << 20), ("size-0", 0), ("size-1", 1)] {
        let error = read_hostile(&format!("hostile-{name}"), |file, keys| {
            file[keys[1]..][..4].copy_from_slice(&n.to_le_bytes());
        });
        assert!(error.is_err(), "{name}: {error:?}");
    }
}

#[test]
fn chunks_that_overlap_are_each_what_their_bytes_are() {
    let found = read_hostile("hostile-overlap", |file, keys| {
        let (first, second) = (keys[0], keys[1]);
        let key: Vec<u8> = file[first..first + 8].to_vec();
        let address: Vec<u8> = file[first + 32..first + 40].to_vec();
        file[second..second + 8].copy_from_slice(&key);
        file[second + 32..second + 40].copy_from_slice(&address);
    });
    let (first, rest) = (elements()[..80].to_vec(), elements()[160..].to_vec());
    assert_eq!(found, Ok([first.clone(), first, rest].concat()));
}

#[test]
fn a_file_that_is_cut_gives_an_error_or_its_elements() {
    let path = path("cut");
    make(&path, &chunked());
    let whole = std::fs::read(&path).expect("the file");
    let dataset = open_dataset(&open(&path), "data");
    let reader = reader(&dataset);
    for n_bytes in (0..whole.len()).step_by(97) {
        std::fs::write(&path, &whole[..n_bytes]).expect("the file");
        match read(&reader) {
            Ok(found) => assert_eq!(found, elements(), "cut at {n_bytes}"),
            Err(error) => assert!(matches!(error, Error::Read { .. }), "cut at {n_bytes}: {error}"),
        }
    }
    std::fs::write(&path, &whole).expect("the file");
}

#[test]
fn a_chunk_of_gigabytes_that_holds_nothing_is_an_error_and_takes_no_memory() {
    let path = path("huge-chunk");
    let chunk = vec![(1 << 32) - 1];
    for (name, filters, bytes) in [
        ("lz4", vec![(32004, vec![])], [&[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x40, 0, 0, 0][..], &[0; 30]].concat()),
        ("zstd", vec![(32015, vec![3])], vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]),
        ("deflate", vec![(1, vec![1])], vec![0x78, 0x9c, 1, 0, 0, 0xff, 0xff]),
        ("shuffle", vec![(2, vec![1])], vec![0; 100]),
    ] {
        let spec = Spec {
            max_dims: vec![u64::MAX],
            filters,
            ..Spec::new(*h5t::H5T_NATIVE_UINT8, &[100], Layout::Chunked(chunk.clone()))
        };
        write_chunk(&spec.make(&create(&path, false, 0), "data"), &[0], 0, &bytes);
        let reader = reader(&open_dataset(&open(&path), "data"));
        assert_eq!(reader.way(), Way::Direct, "{name}");
        let error = read(&reader).expect_err(name);
        assert!(matches!(error, Error::Chunk { .. }), "{name}: {error}");
    }
}

/// The corpus of bad chunks, each as the second chunk of a dataset: an error or the right elements, and the chunk before it is
/// not touched.
#[test]
fn every_chunk_of_the_corpus_is_an_error_or_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/chunks");
    let load = |name: &str| std::fs::read(folder.join(name)).expect(name);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&load("manifest.json")).expect("JSON");
    let (chunks, right, path) = (load("chunks.bin"), load("right.raw"), path("corpus"));
    let mut n_right = 0;
    for row in &rows {
        let number = |key: &str| row[key].as_u64().expect(key) as usize;
        let numbers =
            |key: &str| row[key].as_array().expect(key).iter().map(|n| n.as_u64().expect(key)).collect::<Vec<_>>();
        let chunk = numbers("chunk");
        let values = numbers("stored").iter().map(|n| *n as u32).collect();
        let mut dims = chunk.clone();
        dims[0] *= 2;
        let spec = Spec {
            filters: vec![(number("filter") as i32, values)],
            ..Spec::new(*h5t::H5T_NATIVE_INT16, &dims, Layout::Chunked(chunk.clone()))
        };
        let dataset = spec.make(&create(&path, false, 0), "data");
        write_chunk(&dataset, &[0, 0, 0], 1, &right);
        write_chunk(&dataset, &[chunk[0], 0, 0], 0, &chunks[number("at")..][..number("n_bytes")]);
        drop(dataset);
        let reader = reader(&open_dataset(&open(&path), "data"));
        let name = row["name"].as_str().expect("a name");
        let (mut first, mut second) = (vec![0; right.len()], vec![0; right.len()]);
        assert_eq!(reader.read(&[0, 0, 0], &chunk, None, &mut first), Ok(()), "{name}");
        let result = reader.read(&[chunk[0], 0, 0], &chunk, None, &mut second);
        assert!(first == right, "{name}");
        assert!(result.is_err() || second == right, "{name}: wrong elements");
        assert!(row["expected"] != "right" || result.is_ok(), "{name}: {result:?}");
        n_right += usize::from(result.is_ok());
        let pixels = by_pixels(&reader, chunk[0]..2 * chunk[0]);
        assert_eq!(pixels.is_ok(), result.is_ok(), "{name}: {pixels:?}");
        assert!(pixels.is_err() || pixels == Ok(second.clone()), "{name}: wrong pixels");
        // Single rows, the second time by what was kept of the first: what a whole decode does not contradict.
        for row in (0..chunk[1]).step_by(chunk[1].div_ceil(5) as usize).chain([0]) {
            let (count, row_bytes) = ([1, 1, chunk[2]], 2 * chunk[2] as usize);
            let mut found = vec![0xEE; row_bytes];
            let part = reader.read(&[chunk[0], row, 0], &count, None, &mut found);
            let at = row as usize * row_bytes;
            assert!(part.is_ok() || result.is_err(), "{name}, row {row}: {part:?}");
            assert!(part.is_err() || result.is_err() || found == second[at..at + row_bytes], "{name}, row {row}");
        }
    }
    assert!(rows.len() > 400 && n_right > 10 && n_right < rows.len() / 2, "{n_right} of {}", rows.len());
}

#[test]
fn a_reader_that_is_shared_ends_with_its_last_user() {
    let path = path("shared");
    make(&path, &chunked());
    let reader = Arc::new(reader(&open_dataset(&open(&path), "data")));
    let mut found = vec![0; N_BYTES];
    // SAFETY: `found` is as large as the selection, and not used before the read has ended.
    let read = unsafe { Read::begin(&reader, &[0, 0], &DIMS, None, found.as_mut_ptr(), None) };
    drop(reader);
    assert_eq!(read.expect("a good selection").step(None), Ok(true));
    assert_eq!(found, elements());
}
