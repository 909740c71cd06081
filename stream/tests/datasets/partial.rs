//! Of a chunk of which a part is wanted no more is decoded, nor read, than the blocks that have it.

use crate::common::cases::Chosen;
use crate::common::hdf5::{h5t, library};
use crate::common::maker::{self, Layout, Spec, create, open, open_dataset};
use crate::common::path;
use darkchunk::Exec;
use darkchunk::chunk::Filter;
use darkchunk::codec::ChunkLayout;
use darkchunk::element::ElementType;
use darkchunk::pipeline::Pipeline;
use darkchunk_sim::Rng;
use darkchunk_stream::{Error, IndexWriter, Options, Reader, Statistics};

/// An EIGER 4M frame: 2190 blocks of 8 KiB.
const FRAME: [u64; 2] = [2167, 2070];

fn frames(n: u64, [height, width]: [u64; 2]) -> Vec<u8> {
    let mut rng = Rng::new(17);
    (0..n * height * width)
        .flat_map(|_| (if rng.below(7) == 0 { rng.below(40) as u32 } else { 0 }).to_le_bytes())
        .collect()
}

/// A dataset of frames, a chunk each, and what is in it.
fn make(name: &str, (id, given): (u32, &[u32]), n: u64, frame: [u64; 2]) -> (std::path::PathBuf, Vec<u8>) {
    let (path, pixels) = (path(name), frames(n, frame));
    let (dims, chunk) = ([n, frame[0], frame[1]], [1, frame[0], frame[1]]);
    let layout = ChunkLayout { fill: Some(0), ..ChunkLayout::new(ElementType::U32, chunk.to_vec()) };
    let values = Filter::localise(id, given, &layout).expect("good parameters");
    let pipeline = Pipeline::new([(id, &values[..])]).expect("one filter");
    let mut spec = Spec::new(*h5t::H5T_NATIVE_UINT32, &dims, Layout::Chunked(chunk.to_vec()));
    spec.filters = vec![(id as i32, values)];
    let file = create(&path, true, 0);
    let dataset = spec.make(&file, "data");
    for (index, pixels) in pixels.chunks(pixels.len() / n as usize).enumerate() {
        let stored = pipeline.encode(Exec::current(), pixels).expect("it encodes");
        maker::write_chunk(&dataset, &[index as u64, 0, 0], 0, &stored);
    }
    (path, pixels)
}

fn read(reader: &Reader, chosen: &Chosen) -> Vec<u8> {
    let mut found = vec![0xEE; chosen.n_elements() * 4];
    reader.read(&chosen.start, &chosen.count, Some(&chosen.step), &mut found).expect("a good dataset");
    found
}

fn since(reader: &Reader, before: Statistics) -> [u64; 4] {
    let now = reader.statistics();
    [
        now.partial_chunks - before.partial_chunks,
        now.partial_blocks - before.partial_blocks,
        now.whole_chunks - before.whole_chunks,
        now.read_bytes - before.read_bytes,
    ]
}

#[test]
fn a_row_of_a_large_frame_decodes_three_blocks_and_the_second_time_reads_no_others() {
    let (path, pixels) = make("row", (32008, &[0, 2]), 2, FRAME);
    let file = open(&path);
    let options = Options { n_threads: 2, ..Options::default() };
    let reader = Reader::open(&library(), open_dataset(&file, "data").0, options).expect("a dataset");
    let dims = [2, FRAME[0], FRAME[1]];
    let (_, stored) = reader.stored().expect("known");
    for row in [0, 1000, 2166, 1000] {
        let before = reader.statistics();
        let chosen = Chosen { start: vec![0, row, 0], count: vec![2, 1, FRAME[1]], step: vec![1; 3] };
        assert!(read(&reader, &chosen) == chosen.of(&dims, &pixels, 4), "row {row}");
        let [n_chunks, n_blocks, n_whole, n_bytes] = since(&reader, before);
        assert_eq!((n_chunks, n_whole), (2, 0), "row {row}");
        // A row has 8280 bytes, a block 8192; the frame's last elements are in no block.
        assert!((2..=2 * 3).contains(&n_blocks), "row {row}: {n_blocks} blocks of two frames");
        assert_eq!(n_bytes == stored, row == 0, "row {row}: the first time whole chunks are read");
        assert!(row == 0 || n_bytes < stored / 200, "row {row}: {n_bytes} of {stored} bytes");
    }
    let before = reader.statistics();
    assert!(read(&reader, &Chosen::all(&dims)) == pixels);
    assert_eq!(since(&reader, before), [0, 0, 2, stored], "all is decoded whole");
}

#[test]
fn every_small_part_of_a_chunk_is_right_with_every_filter() {
    let filters: [(u32, &[u32], bool); 8] = [
        (32008, &[64, 2], true),
        (32008, &[64, 3, 1], true),
        (32008, &[64, 0], true),
        (32004, &[500], true),
        (32001, &[0, 0, 0], true),
        (32001, &[1, 1, 1], false),
        (32015, &[1], false),
        (36115, &[0], false),
    ];
    let (frame, mut rng) = ([101, 203], Rng::new(3));
    for (id, given, has_parts) in filters {
        let (path, pixels) = make("parts", (id, given), 3, frame);
        let file = open(&path);
        let reader = Reader::open(&library(), open_dataset(&file, "data").0, Options::default()).expect("a dataset");
        let dims = [3, frame[0], frame[1]];
        for _ in 0..150 {
            let mut chosen = Chosen::random(&mut rng, &dims);
            chosen.count[1] = chosen.count[1].min(1 + rng.below(9) as u64);
            assert!(read(&reader, &chosen) == chosen.of(&dims, &pixels, 4), "{id} {given:?} {chosen:?}");
        }
        let found = reader.statistics();
        assert_eq!(found.partial_chunks > 50, has_parts, "{id} {given:?}: {found:?}");
    }
}

/// A file whose chunk is replaced by another one while it is read: its blocks are elsewhere.
#[test]
fn an_index_of_blocks_that_are_elsewhere_now_is_given_up() {
    use std::io::{Seek, SeekFrom, Write};
    let (path, pixels) = make("stale", (32008, &[64, 2]), 2, [64, 64]);
    let file = open(&path);
    let reader = Reader::open(&library(), open_dataset(&file, "data").0, Options::default()).expect("a dataset");
    let row = Chosen { start: vec![0, 40, 0], count: vec![1, 1, 64], step: vec![1; 3] };
    assert!(read(&reader, &row) == row.of(&[2, 64, 64], &pixels, 4));
    let place = reader.stored_chunk(&[0, 0, 0]).expect("known").expect("stored");
    let other: Vec<u8> = pixels[..64 * 64 * 4].iter().map(|byte| byte.rotate_left(1)).rev().collect();
    let layout = ChunkLayout::new(ElementType::U32, vec![1, 64, 64]);
    let values = Filter::localise(32008, &[64, 2], &layout).expect("good");
    let stored = Pipeline::new([(32008, &values[..])])
        .and_then(|pipeline| pipeline.encode(Exec::current(), &other))
        .expect("it encodes");
    let mut bytes = vec![0; place.n_bytes as usize];
    let n = stored.len().min(bytes.len());
    bytes[..n].copy_from_slice(&stored[..n]);
    let mut raw = std::fs::OpenOptions::new().write(true).open(&path).expect("a file");
    raw.seek(SeekFrom::Start(place.address)).expect("a place");
    raw.write_all(&bytes).expect("room");
    // The row is in the first half, which is there however long the new chunk is.
    let mut found = vec![0; 256];
    reader.read(&row.start, &row.count, None, &mut found).expect("its blocks are sound");
    assert!(found == other[40 * 256..41 * 256], "neither the old row nor a mixture");
}

/// Writes an index of a dataset in steps as short as can be.
fn write_index(reader: &Reader, path: &std::path::Path) {
    let mut writer = IndexWriter::begin(reader, path).expect("a new file");
    let mut n_steps = 1;
    while !writer.step(Some(std::time::Duration::ZERO)).expect("sound chunks") {
        n_steps += 1;
    }
    assert!(n_steps >= 2 && writer.step(None) == Ok(true));
}

fn rows(n: u64, frame: [u64; 2], row: u64) -> Chosen {
    Chosen { start: vec![0, row, 0], count: vec![n, 1, frame[1]], step: vec![1; 3] }
}

#[test]
fn with_an_index_in_a_file_a_reader_that_has_seen_no_chunk_reads_no_other_bytes_than_those_of_the_blocks() {
    for filter in [(32008, &[0_u32, 2][..]), (32008, &[0, 3, 1]), (32004, &[8192])] {
        let (path, pixels) = make("side", filter, 2, FRAME);
        let (file, index) = (open(&path), path.with_extension("blocks"));
        let new = || {
            let options = Options { n_threads: 2, ..Options::default() };
            Reader::open(&library(), open_dataset(&file, "data").0, options).expect("a dataset")
        };
        write_index(&new(), &index);
        assert!(!index.with_extension("blocks.part").exists());
        let (dims, (_, stored)) = ([2, FRAME[0], FRAME[1]], new().stored().expect("known"));
        for row in [0, 1000, 2166] {
            let mut reader = new();
            assert_eq!(reader.load_index(&index), Ok(2));
            reader.refresh().expect("the file is there");
            let before = reader.statistics();
            let chosen = rows(2, FRAME, row);
            assert!(read(&reader, &chosen) == chosen.of(&dims, &pixels, 4), "{filter:?}, row {row}");
            let [n_chunks, n_blocks, n_whole, n_bytes] = since(&reader, before);
            assert_eq!((n_chunks, n_whole), (2, 0), "{filter:?}, row {row}");
            assert!((2..=2 * 3).contains(&n_blocks), "{filter:?}, row {row}: {n_blocks} blocks of two frames");
            assert!(n_bytes < stored / 200, "{filter:?}, row {row}: {n_bytes} of {stored} bytes");
        }
    }
}

#[test]
fn an_index_that_is_damaged_or_of_another_file_never_makes_a_pixel_wrong() {
    let (frame, dims) = ([64, 80], [3, 64, 80]);
    let (path, pixels) = make("hostile", (32008, &[64, 2]), 3, frame);
    let (file, side) = (open(&path), path.with_extension("blocks"));
    let new = || Reader::open(&library(), open_dataset(&file, "data").0, Options::default()).expect("a dataset");
    write_index(&new(), &side);
    let good = std::fs::read(&side).expect("an index");
    let (mut rng, mut n_loaded, mut n_partial) = (Rng::new(9), 0, 0);
    for case in 0..600_usize {
        let mut bad = good.clone();
        match case % 3 {
            0 => bad[rng.below(good.len())] ^= 1 << rng.below(8),
            1 => bad.truncate(rng.below(good.len())),
            // Whole numbers, in the table too, whose checksum is then made right again.
            _ => {
                let at = 16 + 4 * rng.below(good.len() / 4 - 4);
                let number = [0, 1, u32::MAX, u32::MAX / 8, rng.next_u64() as u32][rng.below(5)];
                bad[at..at + 4].copy_from_slice(&number.to_le_bytes());
                let table = u64::from_le_bytes(bad[16..24].try_into().expect("eight bytes")) as usize;
                let mut check = crc32fast::Hasher::new();
                check.update(&bad[16..32]);
                check.update(bad.get(table..).unwrap_or_default());
                bad[12..16].copy_from_slice(&check.finalize().to_le_bytes());
            }
        }
        std::fs::write(&side, &bad).expect("room");
        let reader = new();
        match reader.load_index(&side) {
            Ok(n) => n_loaded += u32::from(n > 0),
            Err(error) => assert!(matches!(error, Error::Index { .. }), "{error}"),
        }
        let row = rows(3, frame, rng.below(64) as u64);
        assert!(read(&reader, &row) == row.of(&dims, &pixels, 4), "case {case}");
        n_partial += reader.statistics().partial_chunks;
    }
    assert!(n_loaded > 100 && n_partial > 600, "{n_loaded} were loaded, {n_partial} chunks read in part");
    std::fs::write(&side, &good).expect("room");
    let (other, pixels) = make("hostile_other", (32008, &[64, 2]), 3, [64, 88]);
    let file = open(&other);
    let reader = Reader::open(&library(), open_dataset(&file, "data").0, Options::default()).expect("a dataset");
    assert_eq!(reader.load_index(&side), Ok(0));
    let row = rows(3, [64, 88], 7);
    assert!(read(&reader, &row) == row.of(&[3, 64, 88], &pixels, 4));
}

/// The chunk is replaced by one of the same size, in the same place.
#[test]
fn blocks_that_are_others_than_those_of_the_index_are_not_used() {
    use std::os::unix::fs::FileExt;
    let frame = [64, 80];
    let (path, _) = make("swapped", (32008, &[64, 2]), 1, frame);
    let side = path.with_extension("blocks");
    let new = |file| Reader::open(&library(), open_dataset(file, "data").0, Options::default()).expect("a dataset");
    let file = open(&path);
    let reader = new(&file);
    write_index(&reader, &side);
    let place = reader.stored_chunk(&[0, 0, 0]).expect("known").expect("stored");
    let raw = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("a file");
    let mut stored = vec![0; place.n_bytes as usize];
    raw.read_exact_at(&mut stored, place.address).expect("a chunk");
    let layout = ChunkLayout::new(ElementType::U32, vec![1, 64, 80]);
    let values = Filter::localise(32008, &[64, 2], &layout).expect("good");
    let filter = Filter::from_cd_values(32008, &values).expect("good");
    // A changed byte that is a literal of a block: it decodes, to other pixels.
    let before = {
        let mut pixels = vec![0; 64 * 80 * 4];
        filter.decode(Exec::current(), &stored, &mut pixels).expect("sound");
        pixels
    };
    let changed = (stored.len() / 2..stored.len()).find_map(|at| {
        let (mut other, mut pixels) = (stored.clone(), vec![0; before.len()]);
        other[at] ^= 1;
        filter
            .decode(Exec::current(), &other, &mut pixels)
            .is_ok()
            .then_some((other, pixels))
            .filter(|(_, p)| *p != before)
    });
    let (other, pixels) = changed.expect("a byte that is a literal");
    raw.write_all_at(&other, place.address).expect("room");
    let reader = new(&file);
    assert_eq!(reader.load_index(&side), Ok(1), "address and size are the same");
    for row in 0..64 {
        let row = rows(1, frame, row);
        assert!(read(&reader, &row) == row.of(&[1, 64, 80], &pixels, 4), "{row:?}");
    }
    assert!(reader.statistics().whole_chunks + reader.statistics().partial_chunks >= 64);
}

#[test]
fn there_is_no_index_where_none_is_of_use() {
    let (path, _) = make("useless", (36115, &[0]), 2, [16, 16]);
    let (file, side) = (open(&path), path.with_extension("blocks"));
    let reader = |only_hdf5| {
        let options = Options { only_hdf5, ..Options::default() };
        Reader::open(&library(), open_dataset(&file, "data").0, options).expect("a dataset")
    };
    let mut writer = IndexWriter::begin(&reader(false), &side).expect("a new file");
    assert!(matches!(writer.step(None), Err(Error::Index { .. })));
    drop(writer);
    assert!(!side.exists() && !side.with_extension("blocks.part").exists());
    assert!(matches!(IndexWriter::begin(&reader(true), &side), Err(Error::Argument(_))));
    assert!(matches!(reader(true).load_index(&side), Err(Error::Argument(_))));
    assert!(matches!(reader(false).load_index(&side), Err(Error::Index { .. })));
    assert!(matches!(IndexWriter::begin(&reader(false), std::path::Path::new("/no/folder")), Err(Error::Index { .. })));
}
