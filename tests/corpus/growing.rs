//! Hostile input of any length: what a decoder could be made to look at again and again.
#![allow(dead_code, reason = "each test file uses a part")]

use std::mem::MaybeUninit;

type Family = (&'static str, u32, &'static [u32], fn(usize) -> Vec<u8>);

/// Name, filter, parameters (without a chunk size: nothing is refused for that), and about so many bytes of it.
pub(crate) const FAMILIES: &[Family] = &[
    ("LZ4: blocks of one byte", 32004, &[0], |n| framed(n, 1, &[0])),
    ("LZ4: one match after the other", 32004, &[0], |n| {
        framed(n, n as u32 / 4 * 5 + 1, &[0x10, 0, 1, 0].repeat(n / 4))
    }),
    ("bitshuffle: blocks of 8 elements", 32008, &[0, 4, 2, 0, 2], |n| framed(n, 16, &[0x1B, 0, 1, 0, 0x00])),
    ("bitshuffle: blocks of Zstd", 32008, &[0, 4, 2, 0, 3], |n| framed(n, 16, &zeros_by_zstd())),
    ("Zstd: blocks without content", 32015, &[0], |n| {
        let mut frame = [&MAGIC[..], &[0xC0, 0x50], &100u64.to_le_bytes()].concat();
        frame.resize(n, 0);
        frame
    }),
    ("Blosc: all blocks are one, of deflate blocks without content", 32001, &[], |n| {
        let last = [1, 1, 0, 0xFE, 0xFF, 0, 0, 1, 0, 1];
        let empty = [&[0x78, 0x01][..], &[0, 0, 0, 0xFF, 0xFF].repeat(n / 10), &last].concat();
        blosc(0x70, n / 8, &[&(empty.len() as u32).to_le_bytes()[..], &empty].concat())
    }),
    ("Blosc: all blocks are one stored byte", 32001, &[], |n| {
        blosc(0x30, n / 8, &[&[1, 0, 0, 0, 9][..], &vec![0; n / 2]].concat())
    }),
    ("bounded: one pixel a frame", 36115, &[], |n| bounded(n / 11, 1)),
    ("bounded: frames of one level", 36115, &[], |n| bounded(n / 11, 20)),
    ("DRLE: one pixel a segment", 36114, &[1], |n| drle(n / 10)),
    ("DRLE: single pixels", 36114, &[1, 1], |n| vec![0; n & !1]),
    ("packed DRLE: one pixel a segment", 36114, &[1, 2], |n| packed(n / 16)),
];

const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];

fn zeros_by_zstd() -> Vec<u8> {
    [&MAGIC[..], &[0x20, 16, 16 << 3 | 0b011, 0, 0, 0]].concat()
}

/// Blocks that are all the same, in `n` bytes.
fn framed(n: usize, block_bytes: u32, block: &[u8]) -> Vec<u8> {
    let blocks = [&(block.len() as u32).to_be_bytes()[..], block].concat();
    let n_blocks = (n / blocks.len()).max(1);
    let n_bytes = n_blocks as u64 * u64::from(block_bytes);
    [&n_bytes.to_be_bytes()[..], &block_bytes.to_be_bytes(), &blocks.repeat(n_blocks)].concat()
}

/// Blocks of one byte that all begin after the table.
fn blosc(flags: u8, n_blocks: usize, block: &[u8]) -> Vec<u8> {
    let start = 16 + 4 * n_blocks as u32;
    let fields = [n_blocks as u32, 1, start + block.len() as u32].map(u32::to_le_bytes).concat();
    [&[2, 1, flags, 1][..], &fields, &start.to_le_bytes().repeat(n_blocks), block].concat()
}

fn drle(n_segments: usize) -> Vec<u8> {
    let n_bytes = (2 * n_segments as u32).to_le_bytes();
    let head = [&b"DRLE\x01\x01\0\0"[..], &[1, 0, 0, 0], &1u32.to_le_bytes(), &n_bytes].concat();
    let payload = 24 + 8 * n_segments as u32;
    let checksum = crc32(&[0, 0]).to_le_bytes();
    let table: Vec<u8> =
        (1..=n_segments as u32).flat_map(|index| [(payload + 2 * index).to_le_bytes(), checksum].concat()).collect();
    let sum = crc32(&[&head[..], &table].concat()).to_le_bytes();
    [&head[..], &sum, &table, &vec![0; 2 * n_segments]].concat()
}

/// Segments of one bright pixel, with tables of one token each.
fn packed(n_segments: usize) -> Vec<u8> {
    let (codes, segment) = ([1, 0x80, 0x10, 1, 0x80, 0x10], [1, 1, 0, 4, 0, 0x80, 0, 0]);
    let n_bytes = (2 * n_segments as u32).to_le_bytes();
    let head = [&b"DRLE\x03\x01\0\0"[..], &[1, 0, 0, 0], &1u32.to_le_bytes(), &n_bytes].concat();
    let start = (24 + 8 * (1 + n_segments) + codes.len()) as u32;
    let checksum = crc32(&segment).to_le_bytes();
    let ends = (1..=n_segments as u32).map(|index| start + segment.len() as u32 * index);
    let mut table = [start.to_le_bytes(), crc32(&codes).to_le_bytes()].concat();
    table.extend(ends.flat_map(|end| [end.to_le_bytes(), checksum].concat()));
    let sum = crc32(&[&head[..], &table].concat()).to_le_bytes();
    [&head[..], &sum, &table, &codes, &segment.repeat(n_segments)].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

/// The seconds that this thread's processor spends on `work`, whatever else the machine does.
pub(crate) fn processor_seconds(work: impl FnOnce()) -> f64 {
    let now = || {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: a clock that there is, and a place for its answer.
        let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()) };
        assert_eq!(status, 0);
        // SAFETY: filled in, as the status says.
        let time = unsafe { time.assume_init() };
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    };
    let start = now();
    work();
    now() - start
}

/// `n` frames of one row, each of one level.
fn bounded(n: usize, width: u32) -> Vec<u8> {
    let mut front = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    // Levels, no reference, one lane, scale; a model without taps and one table of one token; no sparse frames.
    front.extend([0; 6 + 2 + 2 + 4]);
    front.extend([0, 0, 0, 0, 0, 1, 1, 0x80, 0x10, 0]);
    let (start, segment) = (28 + front.len() + 8 * n, [2, 6, 0]);
    let entry = |at: usize| [(start + 3 * (at + 1)) as u32, crc32(&segment)].map(u32::to_le_bytes).concat();
    let table: Vec<u8> = (0..n).flat_map(entry).collect();
    let numbers = [1, width, n as u32 * width, front.len() as u32].map(u32::to_le_bytes).concat();
    let header = [&b"DCBD\x01\x06\0\0"[..], &numbers].concat();
    let checksum = crc32(&[&header[..], &front, &table].concat()).to_le_bytes();
    [&header[..], &checksum, &front, &table, &segment.repeat(n)].concat()
}
