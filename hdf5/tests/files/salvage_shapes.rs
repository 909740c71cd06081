//! Datasets that are no recordings of ours: of two dimensions, with chunks over the edge, without a filter, with chunks
//! stored raw; a detector's own file.

use std::path::Path;

use crate::common::hdf5::{LOCK, h5d, h5i, h5p, h5s, h5t};
use crate::common::{self, library, new_file};
use darkchunk::Exec;
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::{ElementType, as_bytes, as_bytes_mut};
use darkchunk_hdf5::File;
use darkchunk_hdf5::salvage::{salvage, verify};

/// Three by two chunks; the lower and the right ones reach over the edge.
const DIMS: [u64; 2] = [10, 7];
const CHUNK: [u64; 2] = [4, 4];
const N_PIXELS: usize = 16;

fn lz4() -> (Filter, Vec<u32>) {
    let layout = ChunkLayout::new(ElementType::I16, CHUNK.to_vec());
    let values = Filter::localise(32004, &[16], &layout).expect("good parameters");
    (Filter::from_cd_values(32004, &values).expect("parameters"), values)
}

fn pixels(index: usize) -> [i16; N_PIXELS] {
    std::array::from_fn(|at| (100 * index + at / 9) as i16)
}

fn offset(index: usize) -> [u64; 2] {
    [4 * (index as u64 / 2), 4 * (index as u64 % 2)]
}

fn encoded(index: usize) -> Vec<u8> {
    let mut chunk = vec![0; 400];
    let n_bytes = lz4().0.encode(Exec::SCALAR, as_bytes(&pixels(index)), &mut chunk).expect("it encodes");
    chunk.truncate(n_bytes);
    chunk
}

/// A dataset with these chunks and their masks; `None` is never written.
fn create(file: &File, is_filtered: bool, chunks: &[Option<(u32, Vec<u8>)>]) {
    create_of_shape(DIMS, file, is_filtered, chunks);
}

fn create_of_shape(dims: [u64; 2], file: &File, is_filtered: bool, chunks: &[Option<(u32, Vec<u8>)>]) {
    let _lock = LOCK.lock();
    // SAFETY: a class of property lists.
    let properties = unsafe { h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE) };
    // SAFETY: two dimensions.
    assert!(unsafe { h5p::H5Pset_chunk(properties, 2, CHUNK.as_ptr()) } >= 0);
    let values = lz4().1;
    if is_filtered {
        // SAFETY: as many values as are said.
        assert!(unsafe { h5p::H5Pset_filter(properties, 32004, 1, values.len(), values.as_ptr()) } >= 0);
    }
    // SAFETY: two dimensions.
    let space = unsafe { h5s::H5Screate_simple(2, dims.as_ptr(), std::ptr::null()) };
    let kind = *h5t::H5T_NATIVE_INT16;
    // SAFETY: a C string, and identifiers.
    let dataset = unsafe { h5d::H5Dcreate2(file.id(), c"/image".as_ptr(), kind, space, 0, properties, 0) };
    for (index, chunk) in chunks.iter().enumerate() {
        let Some((mask, bytes)) = chunk else { continue };
        let (offset, data) = (offset(index), bytes.as_ptr().cast());
        // SAFETY: two dimensions, and as many bytes as are said.
        assert!(unsafe { h5d::H5Dwrite_chunk(dataset, 0, *mask, offset.as_ptr(), bytes.len(), data) } >= 0);
    }
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(dataset) };
}

/// A stored chunk of a dataset whose chunks are raw or LZ4, decoded.
fn saved(file: &File, index: usize, is_filtered: bool) -> [i16; N_PIXELS] {
    let _lock = LOCK.lock();
    // SAFETY: a C string.
    let dataset = unsafe { h5d::H5Dopen2(file.id(), c"/image".as_ptr(), 0) };
    let (mut bytes, mut room, mut mask, offset) = (vec![0_u8; 400], 400, 0, offset(index));
    let data = bytes.as_mut_ptr().cast();
    // SAFETY: `data` has `room` bytes.
    assert!(unsafe { h5d::H5Dread_chunk2(dataset, 0, offset.as_ptr(), &raw mut mask, data, &raw mut room) } >= 0);
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(dataset) };
    let mut pixels = [0; N_PIXELS];
    if is_filtered && mask == 0 {
        lz4().0.decode(Exec::SCALAR, &bytes[..room], as_bytes_mut(&mut pixels)).expect("a sound chunk");
    } else {
        as_bytes_mut(&mut pixels).copy_from_slice(&bytes[..room]);
    }
    pixels
}

#[test]
fn an_image_with_chunks_over_the_edge_is_examined_and_saved() {
    let raw = |index| as_bytes(&pixels(index)).to_vec();
    let mut short = encoded(5);
    short.truncate(short.len() - 1);
    let chunks = [
        Some((0, encoded(0))),
        Some((1, raw(1))),
        None,
        // Encoded, but marked as raw.
        Some((1, encoded(3))),
        // Raw, and marked so, but cut.
        Some((1, raw(4)[..20].to_vec())),
        Some((0, short)),
    ];
    let (file, into) = (new_file("image"), new_file("image_saved"));
    create(&file, true, &chunks);
    let report = verify(&library(), file.id(), "/image").expect("a report");
    assert_eq!((report.n_chunks, report.n_decoded, report.n_damaged, report.n_missing()), (6, 2, 3, 1));
    let found: Vec<_> =
        report.faults.iter().map(|fault| (fault.chunk, fault.offset.clone(), fault.damage.lost.len())).collect();
    assert_eq!(found, [(3, vec![4, 4], 0), (4, vec![8, 0], 12), (5, vec![8, 4], 16)]);
    // The rows of chunk 4 that lost pixels are after the last one of the image, those of chunk 5 as well.
    assert!(report.faults.iter().all(|fault| fault.frames.is_empty()), "{report:?}");

    assert_eq!(salvage(&library(), file.id(), "/image", into.id(), "/image"), Ok(report));
    for (index, n_good) in [(0, 16), (1, 16), (3, 16), (4, 10), (5, 8)] {
        let mut expected = pixels(index);
        expected[n_good..].fill(0);
        assert_eq!(saved(&into, index, true), expected, "chunk {index}");
    }
}

#[test]
fn a_dataset_without_a_filter_is_copied() {
    let chunks = [0, 1, 2, 3, 4, 5].map(|index| (index != 3).then(|| (0, as_bytes(&pixels(index)).to_vec())));
    let (file, into) = (new_file("plain"), new_file("plain_saved"));
    create(&file, false, &chunks);
    let report = salvage(&library(), file.id(), "/image", into.id(), "/image").expect("a report");
    assert_eq!((report.is_good(), report.n_decoded, report.n_missing(), &report.filters[..]), (true, 5, 1, &[][..]));
    [0, 1, 2, 4, 5].iter().for_each(|index| assert_eq!(saved(&into, *index, false), pixels(*index)));
}

#[test]
fn an_extent_that_no_recording_has_is_refused() {
    let file = new_file("extent");
    create_of_shape([1 << 61, 7], &file, true, &[Some((0, encoded(0)))]);
    let refused = verify(&library(), file.id(), "/image").expect_err("it would not end");
    assert!(refused.to_string().contains("the extent is damaged"), "{refused}");
}

/// A detector's own file: one frame of bitshuffle-LZ4, whose filter is not optional.
#[test]
fn one_byte_costs_a_detectors_frame_one_block() {
    const DATASET: &str = "/entry/data/data";
    let data = std::env::var("DARKCHUNK_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").into());
    let Ok(mut bytes) = std::fs::read(Path::new(&data).join("mx/eiger4m_1frame_bslz4_uint32.h5")) else {
        return println!("skipped: there is no data in {data}");
    };
    let (library, path) = (library(), common::path("salvage_eiger"));
    std::fs::write(&path, &bytes).expect("written");
    let file = File::open(&library, &path, false).expect("it opens");
    let saved = salvage(&library, file.id(), DATASET, new_file("salvage_eiger_saved").id(), DATASET).expect("a report");
    assert_eq!(
        (saved.is_good(), saved.n_decoded, saved.filters.iter().map(|filter| filter.id).collect()),
        (true, 1, vec![32008])
    );
    file.close().expect("closed");

    // The chunk is most of the file: a length in its middle is where lengths lead from one to the next.
    let header = [&(2167_u64 * 2070 * 4).to_be_bytes()[..], &8192_u32.to_be_bytes()[..]].concat();
    let mut at = bytes.windows(12).position(|window| window == header).expect("the chunk") + 12;
    for _ in 0..1000 {
        at += 4 + u32::from_be_bytes(*bytes[at..].first_chunk().expect("a length")) as usize;
    }
    bytes[at + 4] ^= 0xFF;
    std::fs::write(&path, &bytes).expect("written");
    let file = File::open(&library, &path, false).expect("it opens");
    let report = verify(&library, file.id(), DATASET).expect("a report");
    let [fault] = &report.faults[..] else { panic!("{report:?}") };
    assert_eq!((fault.damage.blocks.clone(), fault.damage.lost.clone()), (1000..1001, 8_192_000..8_200_192));
}
