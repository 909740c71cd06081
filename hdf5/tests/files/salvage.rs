//! A file with 1000 chunks, ten of them spoilt in different ways: everything that the damage did not touch is saved, and
//! the rest is listed exactly. What can be saved is worked out here, from the damage that was done and the formats.

use std::ops::Range;

use crate::common::hdf5::{LOCK, h5d, h5i, h5p, h5s, h5t};
use crate::common::{self, library, new_file};
use darkchunk::Exec;
use darkchunk::chunk::{Compression, Filter};
use darkchunk::codec::ChunkLayout;
use darkchunk::codec::blosc::{Compressor, Shuffle};
use darkchunk::element::{ElementType, as_bytes};
use darkchunk_hdf5::File;
use darkchunk_hdf5::salvage::{Report, salvage, verify};
use darkchunk_sim::Rng;

const N_CHUNKS: usize = 1000;
const MISSING: usize = 999;
/// Dark to DRLE, so that it could not come back: chunks with lost parts must be stored raw there.
static FILL: i16 = -7;

/// A dataset: its filter and the shape of its chunks.
struct Case {
    name: &'static str,
    compression: Compression,
    chunk: [u64; 3],
}

fn cases() -> [Case; 5] {
    let case = |name, compression, chunk| Case { name, compression, chunk };
    [
        case("drle", Compression::drle(20), [4, 8, 12]),
        case("bitshuffle", Compression::filter(32008, &[64, 2]), [4, 8, 12]),
        case("blosc", Compression::blosc(1, Shuffle::Byte, Compressor::Zstd), [4, 64, 80]),
        case("lz4", Compression::filter(32004, &[256]), [4, 8, 12]),
        case("zstd", Compression::zstd(1), [4, 8, 12]),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Spoilt {
    Truncated,
    FlippedByte,
    Header,
    Table,
    Zeroed,
    WrongSize,
    HugeLength,
    OfAnotherDataset,
    Random,
}

const SPOILT: [(usize, Spoilt); 9] = [
    (17, Spoilt::Truncated),
    (101, Spoilt::FlippedByte),
    (202, Spoilt::Header),
    (303, Spoilt::Table),
    (404, Spoilt::Zeroed),
    (505, Spoilt::WrongSize),
    (606, Spoilt::HugeLength),
    (707, Spoilt::OfAnotherDataset),
    (808, Spoilt::Random),
];

type Block = (Range<usize>, Range<usize>);

impl Case {
    fn filter(&self, n_frames: u64) -> (Filter, Vec<u32>) {
        let dims = vec![n_frames, self.chunk[1], self.chunk[2]];
        let layout = ChunkLayout::new(ElementType::I16, dims);
        let id = self.compression.filter.expect("a filter");
        let values = Filter::localise(id, &self.compression.values, &layout).expect("good parameters");
        (Filter::from_cd_values(id, &values).expect("parameters"), values)
    }

    /// Mostly dark pixels, different in every chunk.
    fn pixels(&self, index: usize, n_frames: u64) -> Vec<i16> {
        let mut rng = Rng::new(index as u64 + 1);
        let n_pixels = n_frames * self.chunk[1] * self.chunk[2];
        (0..n_pixels).map(|_| if rng.below(12) == 0 { 20 + rng.below(900) as i16 } else { 0 }).collect()
    }

    fn encoded(&self, index: usize, n_frames: u64) -> Vec<u8> {
        let (filter, pixels) = (self.filter(n_frames).0, self.pixels(index, n_frames));
        let mut chunk = vec![0; filter.max_encoded_len(2 * pixels.len())];
        let n_bytes = filter.encode(Exec::current(), as_bytes(&pixels), &mut chunk).expect("it encodes");
        chunk.truncate(n_bytes);
        chunk
    }

    fn n_bytes(&self) -> usize {
        2 * self.chunk.iter().product::<u64>() as usize
    }

    /// Where the blocks of a sound chunk are stored, and what they decode to.
    fn blocks(&self, chunk: &[u8]) -> Vec<Block> {
        let le = |at: usize| u32::from_le_bytes(*chunk[at..].first_chunk().expect("4 bytes")) as usize;
        let be = |at: usize| u32::from_be_bytes(*chunk[at..].first_chunk().expect("4 bytes")) as usize;
        let frame_bytes = self.n_bytes() / 4;
        match self.name {
            "drle" => {
                let start = |index| if index == 0 { 24 + 4 * 8 } else { le(24 + 8 * (index - 1)) };
                (0..4).map(|i| (start(i)..le(24 + 8 * i), i * frame_bytes..(i + 1) * frame_bytes)).collect()
            }
            "blosc" => {
                assert_eq!((le(8), le(16)), (32768, 24), "two blocks, the first one first");
                vec![(24..le(20), 0..32768), (le(20)..chunk.len(), 32768..self.n_bytes())]
            }
            "zstd" => vec![(0..chunk.len(), 0..self.n_bytes())],
            _ => {
                let (block_bytes, mut at) = (be(8), 12);
                let starts = (0..self.n_bytes()).step_by(block_bytes);
                let blocks = starts.map(|start| {
                    let stored = at + 4..at + 4 + be(at);
                    at = stored.end;
                    (stored, start..start + block_bytes)
                });
                blocks.collect()
            }
        }
    }

    /// Spoils a chunk; returns it with the decoded bytes that cannot be had any more.
    fn spoil(&self, mut chunk: Vec<u8>, how: Spoilt) -> (Vec<u8>, Range<usize>) {
        let blocks = self.blocks(&chunk);
        let (everything, nothing) = (0..self.n_bytes(), 0..0);
        let one_piece = self.name == "zstd";
        let block = blocks.get(1).unwrap_or(&blocks[0]).clone();
        let last = blocks.last().expect("blocks").clone();
        // Where the place of the second block is said: DRLE and Blosc have a table, the others a length before it.
        let entry = match self.name {
            "drle" => 24 + 8,
            "blosc" => 16 + 4,
            "zstd" => 4,
            _ => block.0.start - 4,
        };
        let lost = match how {
            Spoilt::Truncated => {
                chunk.truncate(last.0.start + 1);
                last.1
            }
            Spoilt::FlippedByte => {
                let at = block.0.start + if self.name == "blosc" { 4 } else { 0 };
                chunk[at] ^= 0xFF;
                block.1
            }
            Spoilt::Header => {
                let at = match self.name {
                    "drle" | "zstd" => 0,
                    "blosc" => 9,
                    _ => 10,
                };
                chunk[at] ^= 0x15;
                if one_piece { everything } else { nothing }
            }
            Spoilt::Table => {
                chunk[entry] ^= 0x21;
                if one_piece { everything } else { nothing }
            }
            Spoilt::WrongSize => {
                let at = match self.name {
                    "drle" => 16,
                    "blosc" => 4,
                    "zstd" => 5,
                    _ => 7,
                };
                chunk[at] ^= 0x40;
                if one_piece { everything } else { nothing }
            }
            // A length of Blosc is the only one that is nowhere twice.
            Spoilt::HugeLength if self.name == "blosc" => {
                chunk[block.0.start..][..4].copy_from_slice(&(1_u32 << 31).to_le_bytes());
                block.1
            }
            Spoilt::HugeLength => {
                let huge = 1_u32 << 31;
                let huge = if self.name == "drle" { huge.to_le_bytes() } else { huge.to_be_bytes() };
                chunk[entry..entry + 4].copy_from_slice(&huge);
                if one_piece { everything } else { nothing }
            }
            Spoilt::Zeroed => {
                chunk.fill(0);
                everything
            }
            Spoilt::OfAnotherDataset => {
                chunk = self.encoded(5000, 3);
                everything
            }
            Spoilt::Random => {
                let mut rng = Rng::new(99);
                chunk.iter_mut().for_each(|byte| *byte = rng.below(256) as u8);
                everything
            }
        };
        (chunk, lost)
    }

    /// The one fault that a chunk has then: its blocks, none where it is the chunk as a whole, and how its reason begins.
    /// `None` where nothing of the chunk is left, and there may be several.
    fn fault(&self, how: Spoilt, n_blocks: usize) -> Option<(Range<usize>, String)> {
        use Spoilt::*;
        const CUT: &str = "the chunk is cut short: ";
        const CHECKSUM: &str = "the chunk is damaged: its checksum is ";
        const DAMAGED: &str = "the chunk is damaged at byte ";
        const SIZE: &str = "the chunk decodes to ";
        let (whole, second, n_bytes) = (0..0, 1..2, self.n_bytes());
        let (blocks, reason) = match (how, self.name) {
            (Zeroed | Random, _) => return None,
            (OfAnotherDataset, _) => (whole, format!("{SIZE}{} bytes where {n_bytes} are expected", n_bytes / 4 * 3)),
            (Truncated | FlippedByte | Header | HugeLength, "zstd") => (whole, DAMAGED.into()),
            (Table, "zstd") => (whole, CUT.into()),
            (_, "zstd") => (whole, SIZE.into()),
            (Truncated, _) => (n_blocks - 1..n_blocks, CUT.into()),
            (Header, _) => (whole, DAMAGED.into()),
            (FlippedByte, "drle") => (second, CHECKSUM.into()),
            (FlippedByte, _) => (second, DAMAGED.into()),
            // One checksum covers header and table.
            (Table | WrongSize | HugeLength, "drle") => (whole, CHECKSUM.into()),
            (WrongSize, _) => (whole, SIZE.into()),
            (Table | HugeLength, _) => (second, CUT.into()),
        };
        Some((blocks, reason))
    }

    fn create(&self, file: &File) -> i64 {
        let (_, values) = self.filter(4);
        let dims = [4 * N_CHUNKS as u64, self.chunk[1], self.chunk[2]];
        let _lock = LOCK.lock();
        let id = self.compression.filter.expect("a filter").cast_signed();
        let (chunk, fill) = (self.chunk.as_ptr(), (&raw const FILL).cast());
        let kind = *h5t::H5T_NATIVE_INT16;
        // SAFETY: a class of property lists.
        let properties = unsafe { h5p::H5Pcreate(*h5p::H5P_CLS_DATASET_CREATE) };
        // SAFETY: three dimensions.
        assert!(unsafe { h5p::H5Pset_chunk(properties, 3, chunk) } >= 0);
        // SAFETY: as many values as are said.
        assert!(unsafe { h5p::H5Pset_filter(properties, id, 1, values.len(), values.as_ptr()) } >= 0);
        // SAFETY: one `int16`.
        assert!(unsafe { h5p::H5Pset_fill_value(properties, kind, fill) } >= 0);
        // SAFETY: three dimensions.
        let space = unsafe { h5s::H5Screate_simple(3, dims.as_ptr(), std::ptr::null()) };
        // SAFETY: a C string, and identifiers.
        let dataset = unsafe { h5d::H5Dcreate2(file.id(), c"/frames".as_ptr(), kind, space, 0, properties, 0) };
        assert!(dataset >= 0);
        dataset
    }
}

fn write_chunk(dataset: i64, index: usize, chunk: &[u8]) {
    let _lock = LOCK.lock();
    let offset = [4 * index as u64, 0, 0];
    // SAFETY: three dimensions, and a chunk of the length that is said.
    assert!(unsafe { h5d::H5Dwrite_chunk(dataset, 0, 0, offset.as_ptr(), chunk.len(), chunk.as_ptr().cast()) } >= 0);
}

/// A stored chunk with its mask; `None` where there is none.
fn read_chunk(dataset: i64, index: usize) -> Option<(u32, Vec<u8>)> {
    let _lock = LOCK.lock();
    let (offset, mut n_bytes, mut mask) = ([4 * index as u64, 0, 0], 0, 0);
    let storage_size = common::api().H5Dget_chunk_storage_size.expect("in the table");
    if index == MISSING {
        return None;
    }
    // SAFETY: three dimensions.
    assert!(unsafe { storage_size(dataset, offset.as_ptr(), &raw mut n_bytes) } >= 0);
    let mut room = n_bytes as usize;
    let mut bytes = vec![0_u8; room];
    let data = bytes.as_mut_ptr().cast();
    // SAFETY: `data` has `room` bytes.
    assert!(unsafe { h5d::H5Dread_chunk2(dataset, 0, offset.as_ptr(), &raw mut mask, data, &raw mut room) } >= 0);
    Some((mask, bytes))
}

/// Which decoded bytes of chunk `index` a report has as lost.
fn lost(report: &Report, index: usize, n_bytes: usize) -> Vec<bool> {
    let mut lost = vec![false; n_bytes];
    for fault in report.faults.iter().filter(|fault| fault.chunk == index as u64) {
        lost[fault.damage.lost.clone()].fill(true);
    }
    lost
}

fn check_report(case: &Case, report: &Report, expected: &[(usize, Range<usize>)]) {
    let name = case.name;
    let counts = (report.n_chunks, report.n_intact, report.n_decoded, report.n_damaged, report.n_missing());
    // Only DRLE's container has checksums.
    let (n_intact, n_decoded) = if name == "drle" { (990, 0) } else { (0, 990) };
    assert_eq!(counts, (1000, n_intact, n_decoded, 9, 1), "{name}: {report:#?}");
    assert_eq!(report.missing[0], MISSING as u64..MISSING as u64 + 1, "{name}");
    let mut chunks: Vec<usize> = report.faults.iter().map(|fault| fault.chunk as usize).collect();
    chunks.dedup();
    assert_eq!(chunks, SPOILT.map(|(index, _)| index), "{name}");
    for (index, range) in expected {
        let how = SPOILT.iter().find(|(spoilt, _)| spoilt == index);
        let mut expected = vec![false; case.n_bytes()];
        expected[range.clone()].fill(true);
        assert!(lost(report, *index, case.n_bytes()) == expected, "{name} {how:?} {range:?}: {:#?}", report.faults);
    }
    check_blocks_and_reasons(case, report);
    let frame_bytes = case.n_bytes() / 4;
    for fault in report.faults.iter().filter(|fault| !fault.damage.lost.is_empty()) {
        let (first, last) = (fault.damage.lost.start / frame_bytes, (fault.damage.lost.end - 1) / frame_bytes);
        let frames = 4 * fault.chunk + first as u64..4 * fault.chunk + last as u64 + 1;
        assert_eq!((&fault.frames, fault.offset[0]), (&frames, 4 * fault.chunk), "{name}");
    }
}

fn check_blocks_and_reasons(case: &Case, report: &Report) {
    let blocks = case.blocks(&case.encoded(0, 4));
    for (index, how) in SPOILT {
        let faults: Vec<_> = report.faults.iter().filter(|fault| fault.chunk == index as u64).collect();
        for damage in faults.iter().map(|fault| &fault.damage).filter(|d| !d.blocks.is_empty() && !d.lost.is_empty()) {
            let lost = blocks[damage.blocks.start].1.start..blocks[damage.blocks.end - 1].1.end;
            assert_eq!(damage.lost, lost, "{} {how:?}: the blocks are not what is lost", case.name);
        }
        if let Some((blocks, reason)) = case.fault(how, blocks.len()) {
            let [fault] = &faults[..] else { panic!("{} {how:?}: {faults:?}", case.name) };
            assert_eq!(fault.damage.blocks, blocks, "{} {how:?}", case.name);
            let found = fault.damage.reason.to_string();
            assert!(found.starts_with(&reason), "{} {how:?}: {found}", case.name);
        }
    }
}

/// What the saved chunk `index` holds, by HDF5's stored bytes.
fn check_saved(case: &Case, dataset: i64, index: usize, lost: Option<&Range<usize>>, stored: &[u8]) {
    let (mask, bytes) = read_chunk(dataset, index).expect("a chunk");
    let mut expected = as_bytes(&case.pixels(index, 4)).to_vec();
    let Some(lost) = lost else {
        assert!((mask, &bytes[..]) == (0, stored), "{}: chunk {index} is not the same", case.name);
        return;
    };
    expected.chunks_exact_mut(2).enumerate().filter(|(i, _)| lost.contains(&(2 * i))).for_each(|(_, pixel)| {
        pixel.copy_from_slice(&FILL.to_ne_bytes());
    });
    let mut pixels = vec![0; case.n_bytes()];
    if mask == 0 {
        case.filter(4).0.decode(Exec::SCALAR, &bytes, &mut pixels).expect("a sound chunk");
    } else {
        pixels.copy_from_slice(&bytes);
    }
    assert_eq!(mask == 1, case.name == "drle" && !lost.is_empty(), "{}: chunk {index}", case.name);
    assert!(pixels == expected, "{}: chunk {index}", case.name);
}

#[test]
fn of_a_thousand_chunks_with_ten_spoilt_everything_else_is_saved() {
    for case in cases() {
        let library = library();
        let (file, into) = (new_file(&format!("spoilt_{}", case.name)), new_file(&format!("saved_{}", case.name)));
        let dataset = case.create(&file);
        let stored: Vec<Vec<u8>> = (0..N_CHUNKS).map(|index| case.encoded(index, 4)).collect();
        (0..MISSING).for_each(|index| write_chunk(dataset, index, &stored[index]));
        let expected = SPOILT.map(|(index, how)| {
            let (chunk, lost) = case.spoil(stored[index].clone(), how);
            write_chunk(dataset, index, &chunk);
            (index, lost)
        });
        // SAFETY: an identifier that is not used any more.
        unsafe { h5i::H5Idec_ref(dataset) };

        let found = verify(&library, file.id(), "/frames").expect("a report");
        check_report(&case, &found, &expected);
        let report = salvage(&library, file.id(), "/frames", into.id(), "/saved/frames").expect("a report");
        assert_eq!(report, found, "{}", case.name);

        let again = verify(&library, into.id(), "/saved/frames").expect("a report");
        let n_sound = again.n_intact + again.n_decoded;
        assert_eq!((again.is_good(), n_sound, again.n_missing()), (true, 999, 1), "{}", case.name);
        // SAFETY: a C string.
        let saved = unsafe { h5d::H5Dopen2(into.id(), c"/saved/frames".as_ptr(), 0) };
        for (index, stored) in stored[..MISSING].iter().enumerate() {
            let lost = expected.iter().find(|(spoilt, _)| *spoilt == index).map(|(_, lost)| lost);
            check_saved(&case, saved, index, lost, stored);
        }
        // SAFETY: an identifier that is not used any more.
        unsafe { h5i::H5Idec_ref(saved) };
        let lost: usize = expected.iter().map(|(_, lost)| lost.len()).sum();
        println!(
            "{}: 1000 chunks, 990 good, 9 damaged, 1 missing; lost {lost} bytes of {}",
            case.name,
            999 * case.n_bytes()
        );
    }
}

#[test]
fn what_cannot_be_examined_is_refused_with_its_reason() {
    let file = new_file("salvage_refused");
    let refused = |path: &str| verify(&library(), file.id(), path).expect_err("refused").to_string();
    assert!(refused("/nothing").contains("none of this name"));
    assert!(refused("/").contains("no dataset"));
    let case = &cases()[3];
    let dataset = case.create(&file);
    // SAFETY: an identifier that is not used any more.
    unsafe { h5i::H5Idec_ref(dataset) };
    let taken = salvage(&library(), file.id(), "/frames", file.id(), "/frames").expect_err("refused").to_string();
    assert!(taken.contains("has /frames already"), "{taken}");
    let empty = verify(&library(), file.id(), "/frames").expect("a report");
    assert_eq!((empty.is_good(), empty.n_missing()), (true, 1000));
}
