//! Where the parts of datasets are in their files, for every kind of index, on the HDF5 that the tests run on.

use crate::common::hdf5::{h5t, library};
use crate::common::maker::{self, Handle, Layout, Spec, create, open, open_dataset, open_in_memory, write_chunk};
use crate::common::path;
use darkchunk_hdf5::chunk_map::{Located, Storage, StoredDataset};
use std::ffi::CString;
use std::path::Path;

const DIMS: [u64; 2] = [11, 7];
const CHUNK: [u64; 2] = [4, 3];
const CHUNK_BYTES: usize = 24;

/// The chunks that the tests store: not in order, and not all.
const STORED: [[u64; 2]; 5] = [[8, 6], [0, 0], [4, 3], [0, 6], [8, 0]];

/// What is stored in chunk `i`.
fn bytes(i: usize) -> Vec<u8> {
    (0..CHUNK_BYTES + i).map(|k| (k * 7 + i * 31 + 1) as u8).collect()
}

/// Every kind of index: what there is of them in HDF5 1.10 and later, by name, format and properties.
fn kinds() -> Vec<(&'static str, bool, Spec)> {
    let spec = |max: [u64; 2]| Spec {
        max_dims: max.to_vec(),
        filters: vec![(1, vec![1])],
        ..Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, Layout::Chunked(CHUNK.to_vec()))
    };
    vec![
        ("B-tree 1", false, spec([u64::MAX; 2])),
        ("fixed array", true, spec(DIMS)),
        ("extensible array", true, spec([u64::MAX, 7])),
        ("B-tree 2", true, spec([u64::MAX; 2])),
    ]
}

fn make(path: &Path, is_v110: bool, user_block: u64, spec: &Spec) {
    let file = create(path, is_v110, user_block);
    let dataset = spec.make(&file, "data");
    for (i, offset) in STORED.iter().enumerate() {
        write_chunk(&dataset, offset, i as u32 & 1, &bytes(i));
    }
}

fn stored(dataset: &Handle) -> StoredDataset {
    StoredDataset::open(&library(), dataset.0).expect("a dataset")
}

fn read(located: &Located, address: u64, n_bytes: usize) -> Vec<u8> {
    let mut found = vec![0; n_bytes];
    located.read_at(&mut found, address).expect("it is in the file");
    found
}

#[test]
fn every_index_gives_the_chunks_that_are_there_with_their_bytes_in_the_file() {
    for (kind, is_v110, spec) in kinds() {
        for user_block in [0, 1024] {
            let path = path(&format!("map-{}-{user_block}", kind.replace(' ', "-")));
            make(&path, is_v110, user_block, &spec);
            let file = open(&path);
            let dataset = stored(&open_dataset(&file, "data"));
            let map = dataset.map().expect(kind);
            let located = dataset.locate(Some(&map)).expect(kind);
            assert_eq!((map.len(), map.grid()), (STORED.len(), &[3, 3][..]), "{kind}");
            for (i, offset) in STORED.iter().enumerate() {
                let chunk = map.get(&[offset[0] / CHUNK[0], offset[1] / CHUNK[1]]).expect("it is stored");
                assert_eq!((chunk.mask, chunk.n_bytes), (i as u32 & 1, (CHUNK_BYTES + i) as u64), "{kind} {i}");
                assert_eq!(read(&located, chunk.address, CHUNK_BYTES + i), bytes(i), "{kind} {i} {user_block}");
            }
            assert_eq!(map.get(&[1, 0]), None, "{kind}: never stored");
        }
    }
}

#[test]
fn an_index_that_hdf5_lists_wrongly_is_refused() {
    let path = path("map-swizzled");
    let (_, _, spec) = kinds().remove(0);
    let spec = Spec { max_dims: vec![11, u64::MAX], ..spec };
    make(&path, true, 0, &spec);
    let file = open(&path);
    let dataset = stored(&open_dataset(&file, "data"));
    let why = dataset.map().expect_err("an extensible array along the second axis").to_string();
    assert!(why.contains("wrongly"), "{why}");
    for (i, offset) in STORED.iter().enumerate() {
        assert_eq!(dataset.read_stored(offset), Ok(Some((i as u32 & 1, bytes(i)))), "{offset:?}");
    }
    assert_eq!(dataset.read_stored(&[4, 0]), Ok(None));
    drop((dataset, file));
    make(&path, false, 0, &spec);
    let file = open(&path);
    assert!(
        stored(&open_dataset(&file, "data")).map().is_ok_and(|map| map.len() == STORED.len()),
        "a B-tree is listed right"
    );
}

#[test]
fn a_dataset_of_one_chunk_or_without_an_index_is_found() {
    let all = vec![7_u8; 2 * 77];
    let single = Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, Layout::Chunked(DIMS.to_vec()));
    let implicit =
        Spec { is_early: true, ..Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, Layout::Chunked(CHUNK.to_vec())) };
    for (kind, spec, n_chunks) in [("single", single, 1), ("implicit", implicit, 9)] {
        let path = path(&format!("map-{kind}"));
        maker::write(&spec.make(&create(&path, true, 0), "data"), spec.datatype, &all);
        let file = open(&path);
        let dataset = stored(&open_dataset(&file, "data"));
        let map = dataset.map().expect(kind);
        assert_eq!((map.len(), map.stored_bytes() % 2), (n_chunks, 0), "{kind}");
        let located = dataset.locate(Some(&map)).expect(kind);
        let chunk = map.get(&[0, 0]).expect("it is stored");
        assert_eq!(read(&located, chunk.address, 6), [7; 6], "{kind}");
    }
}

#[test]
fn many_chunks_are_listed_in_one_pass_or_not_at_all() {
    const N: u64 = 5000;
    let path = path("map-many");
    let spec = Spec { max_dims: vec![u64::MAX], ..Spec::new(*h5t::H5T_NATIVE_UINT8, &[N], Layout::Chunked(vec![1])) };
    maker::write(&spec.make(&create(&path, false, 0), "data"), spec.datatype, &[1; N as usize]);
    let file = open(&path);
    match (stored(&open_dataset(&file, "data")).map(), library().version().expect("a version")) {
        (Ok(map), version) => assert!(map.len() as u64 == N && version >= (1, 12, 3), "{version:?}"),
        (Err(error), version) => assert!(version < (1, 14, 0) && error.to_string().contains("5000 chunks"), "{error}"),
    }
}

#[test]
fn a_dataset_in_one_piece_is_found_with_and_without_a_user_block() {
    for user_block in [0, 512] {
        let path = path(&format!("map-contiguous-{user_block}"));
        let pixels: Vec<u8> = (0..154).collect();
        let spec = Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, Layout::Contiguous);
        let file = create(&path, false, user_block);
        maker::write(&spec.make(&file, "data"), spec.datatype, &pixels);
        drop(spec.make(&file, "empty"));
        drop(file);
        let file = open(&path);
        let dataset = stored(&open_dataset(&file, "data"));
        assert_eq!(dataset.storage(), &Storage::Contiguous);
        let located = dataset.locate(None).expect("it can be read from the file");
        assert_eq!(read(&located, located.contiguous.expect("it is stored"), 154), pixels);
        assert_eq!(stored(&open_dataset(&file, "empty")).locate(None).expect("nothing to find").contiguous, None);
    }
}

/// Zeros everywhere agree with either meaning of an address.
#[test]
fn where_both_meanings_of_an_address_agree_the_file_is_not_read_beside_hdf5() {
    let path = path("map-zeros");
    let spec = Spec::new(*h5t::H5T_NATIVE_UINT16, &[5000], Layout::Contiguous);
    let file = create(&path, false, 512);
    for name in ["before", "data", "after"] {
        maker::write(&spec.make(&file, name), spec.datatype, &[0; 10_000]);
    }
    drop(file);
    let file = open(&path);
    let why = stored(&open_dataset(&file, "data")).locate(None).expect_err("it cannot be told");
    assert!(why.to_string().contains("user block"), "{why}");
}

#[test]
fn what_is_elsewhere_is_not_located() {
    let path = path("map-elsewhere");
    let external = path.with_extension("raw");
    let external = CString::new(external.to_str().expect("UTF-8")).expect("a name");
    let file = create(&path, true, 0);
    let this = CString::new(".").expect("a name");
    let layouts = [
        ("compact", Layout::Compact, "header"),
        ("external", Layout::External(external), "external"),
        ("virtual", Layout::Virtual(this, CString::new("compact").expect("a name"), DIMS.to_vec()), "virtual"),
    ];
    for (name, layout, _) in &layouts {
        drop(Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, layout.clone()).make(&file, name));
    }
    drop(file);
    let file = open(&path);
    for (name, _, why) in layouts {
        let dataset = stored(&open_dataset(&file, name));
        match dataset.storage() {
            Storage::Virtual => {
                assert_eq!((name, dataset.sources().expect("one source").sources.len()), ("virtual", 1))
            }
            storage => assert!(matches!(storage, Storage::Other(reason) if reason.contains(why)), "{storage:?}"),
        }
        assert!(dataset.locate(None).is_err() && dataset.map().is_err(), "{name}");
    }
}

#[test]
fn a_file_in_memory_is_not_read_beside_hdf5_and_one_open_for_writing_says_so() {
    let path = path("map-driver");
    let (_, is_v110, spec) = kinds().remove(0);
    make(&path, is_v110, 0, &spec);
    let file = open_in_memory(&path);
    let dataset = stored(&open_dataset(&file, "data"));
    let why = dataset.locate(Some(&dataset.map().expect("a map"))).expect_err("another driver");
    assert!(why.to_string().contains("driver"), "{why}");
    assert!(!dataset.is_writable().expect("an answer"));
    drop((dataset, file));
    let file = create(&path, false, 0);
    assert!(stored(&spec.make(&file, "data")).is_writable().expect("an answer"));
}

#[test]
fn elements_that_refer_elsewhere_are_refused() {
    let path = path("map-strings");
    let file = create(&path, false, 0);
    let dataset = Spec::new(maker::strings(), &DIMS, Layout::Chunked(CHUNK.to_vec())).make(&file, "data");
    let why = StoredDataset::open(&library(), dataset.0).expect_err("strings of any length").to_string();
    assert!(why.contains("variable length"), "{why}");
}

#[test]
fn a_file_that_was_replaced_under_its_name_is_still_the_one_that_is_open() {
    let path = path("map-replaced");
    let (_, is_v110, spec) = kinds().remove(0);
    make(&path, is_v110, 0, &spec);
    let file = open(&path);
    let dataset = stored(&open_dataset(&file, "data"));
    std::fs::remove_file(&path).expect("it is there");
    std::fs::write(&path, [0; 9000]).expect("another file");
    let map = dataset.map().expect("a map");
    if let Ok(located) = dataset.locate(Some(&map)) {
        let chunk = map.get(&[0, 0]).expect("it is stored");
        assert_eq!(read(&located, chunk.address, CHUNK_BYTES + 1), bytes(1));
    }
}

/// Overwrites the size of the first chunk in the B-tree of a file that has one such tree of chunks.
fn patch_size_in_index(path: &Path, n_bytes: u32) {
    const NODE_OF_CHUNKS: &[u8] = b"TREE\x01";
    const NODE_HEADER: usize = 24;
    let mut file = std::fs::read(path).expect("it is there");
    let node = file.windows(5).position(|bytes| bytes == NODE_OF_CHUNKS).expect("a B-tree");
    let size = &mut file[node + NODE_HEADER..][..4];
    assert_eq!(size, 64_u32.to_le_bytes());
    size.copy_from_slice(&n_bytes.to_le_bytes());
    std::fs::write(path, file).expect("it can be written");
}

/// HDF5 1.x reads as many bytes of a chunk without filters as the index says, and says the layout's number.
#[test]
fn a_chunk_whose_index_claims_another_size_than_chunks_have_is_not_read_into_a_buffer_of_theirs() {
    let spec = Spec { max_dims: vec![u64::MAX], ..Spec::new(*h5t::H5T_NATIVE_UINT8, &[64], Layout::Chunked(vec![64])) };
    let long = Spec::new(*h5t::H5T_NATIVE_UINT8, &[1 << 20], Layout::Contiguous);
    for n_bytes in [600_000, 65, 63, 1] {
        let path = path(&format!("map-claims-{n_bytes}"));
        let file = create(&path, false, 0);
        maker::write(&spec.make(&file, "data"), spec.datatype, &[7; 64]);
        maker::write(&long.make(&file, "long"), long.datatype, &[9; 1 << 20]);
        drop(file);
        patch_size_in_index(&path, n_bytes);
        let file = open(&path);
        let dataset = stored(&open_dataset(&file, "data"));
        let error = dataset.read_stored(&[0]).expect_err("another size").to_string();
        assert!(error.contains(&format!("claims {n_bytes} bytes")), "{error}");
        let map = dataset.map().expect("the index can be walked");
        assert!(dataset.locate(Some(&map)).is_err(), "{n_bytes}");
    }
}

#[test]
fn elements_of_many_bytes_are_chunks_of_more_than_16_bytes_a_pixel() {
    const N_BYTES: usize = 64 << 16;
    for filters in [vec![], vec![(1, vec![0])]] {
        let path = path(&format!("map-large-{}", filters.len()));
        let layout = Layout::Chunked(vec![1 << 16]);
        let spec = Spec { filters, ..Spec::new(maker::opaque(64), &[1 << 16], layout) };
        let bytes: Vec<u8> = (0..N_BYTES).map(|i| (i * 37 % 251) as u8).collect();
        maker::write(&spec.make(&create(&path, false, 0), "data"), spec.datatype, &bytes);
        let dataset = stored(&open_dataset(&open(&path), "data"));
        let found = dataset.read_stored(&[0]).expect("a sound chunk");
        assert!(found.is_some_and(|(_, stored)| stored.len() >= N_BYTES));
        assert!(dataset.locate(Some(&dataset.map().expect("a map"))).is_ok());
    }
}

#[test]
fn a_fill_value_that_is_not_set_has_no_bytes() {
    let path = path("map-fill");
    let file = create(&path, false, 0);
    let set = Spec { fill: Some(vec![1, 2]), ..Spec::new(*h5t::H5T_NATIVE_UINT16, &DIMS, Layout::Contiguous) };
    assert_eq!(stored(&set.make(&file, "set")).fill(), Some(&[1, 2][..]));
    let huge = Spec::new(maker::opaque(0x7FFF_FFFF), &[1], Layout::Contiguous);
    let huge = stored(&huge.make(&file, "huge"));
    assert_eq!((huge.element().n_bytes, huge.fill()), (0x7FFF_FFFF, None));
}

/// HDF5 1.x finds the first where it is asked for the size, and the second where it reads.
#[test]
fn a_chunk_that_is_in_the_index_twice_with_two_sizes_is_not_read_beyond_its_buffer() {
    const FIRST_KEY: usize = 24;
    const SECOND_KEY: usize = FIRST_KEY + 32;
    let spec =
        Spec { max_dims: vec![u64::MAX], ..Spec::new(*h5t::H5T_NATIVE_UINT8, &[128], Layout::Chunked(vec![64])) };
    let long = Spec::new(*h5t::H5T_NATIVE_UINT8, &[1 << 20], Layout::Contiguous);
    let path = path("map-twice");
    let file = create(&path, false, 0);
    maker::write(&spec.make(&file, "data"), spec.datatype, &[7; 128]);
    maker::write(&long.make(&file, "long"), long.datatype, &[9; 1 << 20]);
    drop(file);
    let mut bytes = std::fs::read(&path).expect("it is there");
    let node = bytes.windows(5).position(|bytes| bytes == b"TREE\x01").expect("a B-tree");
    let key = &mut bytes[node + SECOND_KEY..][..16];
    key.copy_from_slice(&[600_000_u64.to_le_bytes(), [0; 8]].concat());
    std::fs::write(&path, bytes).expect("it can be written");
    let file = open(&path);
    let found = stored(&open_dataset(&file, "data")).read_stored(&[0]);
    assert!(found.is_err() || found == Ok(Some((0, vec![7; 64]))), "{found:?}");
}
