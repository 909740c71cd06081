//! Any number of threads stores the same bytes, reads the same data and reports the same error as one.

mod chunk_data;
mod corpus;

use chunk_data::{layout, random, structured};
use darkchunk::chunk::{ChunkEncoder, ChunkShape, Compression, Filter};
use darkchunk::codec::blosc::{Compressor, Shuffle};
use darkchunk::codec::drle::Drle;
use darkchunk::codec::{ChunkLayout, Codec, OpenChunk, drle};
use darkchunk::element::ElementType;
use darkchunk::kernels::drle::Correction;
use darkchunk::{Exec, Result, Threads};

/// Few and many, with parts as small as the format has them, and with some that are not.
fn all_threads() -> impl Iterator<Item = Threads> {
    [(2, 1), (8, 1), (3, 60_000)]
        .into_iter()
        .map(|(n_threads, min_bytes)| Threads::new(n_threads).with_min_bytes(min_bytes))
}

/// Number and caller's parameters of what is tried with elements of 2 bytes.
fn configurations() -> Vec<(u32, Vec<u32>)> {
    let mut all = vec![
        (36114, vec![1]),
        (36114, vec![5, 0, 700]),
        (36114, vec![1, 0, 1]),
        (36114, vec![1, 1]),
        (32008, vec![]),
        (32008, vec![0, 2]),
        (32008, vec![1000, 2]),
        // Blocks that the LZ4 library encodes.
        (32008, vec![40_000, 2]),
        (32008, vec![0, 3, 1]),
        (32008, vec![1000, 3, 9]),
        (32004, vec![]),
        (32004, vec![4096]),
        (32004, vec![100_000]),
        (32015, vec![1]),
        (36115, vec![]),
        (36115, vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 3]),
    ];
    for compressor in 0..6 {
        for (level, shuffle) in [(1, 0), (2, 1), (5, 2)] {
            all.push((32001, vec![0, 0, 0, 0, level, shuffle, compressor]));
        }
    }
    all
}

fn filter(id: u32, given: &[u32], dims: &[u64]) -> Filter {
    let layout = ChunkLayout::new(ElementType::I16, dims.to_vec());
    let stored = Filter::localise(id, given, &layout).expect("parameters");
    Filter::from_cd_values(id, &stored).expect("the same")
}

/// Pixels of positive values: what DRLE can hold. Parts are of very different kinds.
fn contents(n_bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let positive = |mut bytes: Vec<u8>| {
        bytes.iter_mut().skip(1).step_by(2).for_each(|byte| *byte &= 0x7F);
        bytes
    };
    let half = [vec![0; n_bytes / 2 + n_bytes % 2], random(n_bytes / 2, 3)].concat();
    let other_half = [random(n_bytes / 2 + n_bytes % 2, 4), vec![0; n_bytes / 2]].concat();
    vec![
        ("zeros", vec![0; n_bytes]),
        ("structured", positive(structured(n_bytes, 1))),
        ("random", positive(random(n_bytes, 2))),
        ("random after zeros", positive(half)),
        ("zeros after random", positive(other_half)),
    ]
}

fn encode(filter: &Filter, threads: Threads, src: &[u8], room: usize) -> Result<Vec<u8>> {
    let mut chunk = vec![0xEE; room];
    let n_bytes = filter.encode(threads.into(), src, &mut chunk)?;
    chunk.truncate(n_bytes);
    Ok(chunk)
}

fn decode(filter: &Filter, threads: Threads, chunk: &[u8], fill: u8) -> Result<Vec<u8>> {
    let mut decoded = vec![fill; filter.decoded_len(chunk)?];
    filter.decode(threads.into(), chunk, &mut decoded)?;
    Ok(decoded)
}

#[test]
fn the_same_bytes_are_stored_and_read_back() {
    // With a last frame, block or group of elements that is not a whole one.
    for dims in [[3, 111, 301], [7, 1, 1], [2, 20, 20]] {
        let n_bytes = 2 * dims.iter().product::<u64>() as usize;
        for (id, given) in configurations() {
            let filter = filter(id, &given, &dims);
            for (kind, src) in contents(n_bytes) {
                let what = format!("{filter:?}, {kind}");
                let room = filter.max_encoded_len(n_bytes);
                let chunk = encode(&filter, Threads::ONE, &src, room).expect(&what);
                let decoded = decode(&filter, Threads::ONE, &chunk, 0).expect(&what);
                for threads in all_threads() {
                    assert!(encode(&filter, threads, &src, room).as_ref() == Ok(&chunk), "{what}, {threads:?}");
                    assert!(decode(&filter, threads, &chunk, 0xC3).as_ref() == Ok(&decoded), "{what}, {threads:?}");
                }
            }
        }
    }
}

/// A search that goes by what earlier blocks have left in its tables would show here.
#[test]
fn large_chunks_of_large_blocks_are_stored_the_same() {
    let src = structured(3 << 20, 5);
    for given in [[0, 0, 0, 0, 5, 0, 5], [0, 0, 0, 0, 7, 1, 5], [0, 0, 0, 0, 9, 1, 1], [0, 0, 0, 0, 6, 1, 0]] {
        let filter = filter(32001, &given, &[1, 1536, 1024]);
        let room = filter.max_encoded_len(src.len());
        let chunk = encode(&filter, Threads::ONE, &src, room).expect("there is room");
        for threads in [Threads::new(2), Threads::new(4).with_min_bytes(1)] {
            assert!(encode(&filter, threads, &src, room).as_ref() == Ok(&chunk), "{given:?} {threads:?}");
            assert!(decode(&filter, threads, &chunk, 1).as_ref() == Ok(&src), "{given:?} {threads:?}");
        }
    }
}

/// Blosc stores a plain copy where blocks do not fit, and the last byte decides.
#[test]
fn blosc_chunks_that_hardly_shrink_are_stored_the_same() {
    let n_bytes = 1 << 18;
    for (compressor, n_after) in (0..6).flat_map(|compressor| [(compressor, 0), (compressor, 20_000)]) {
        let filter = filter(32001, &[0, 0, 0, 0, 1, 0, compressor], &[1, 256, 512]);
        let encode = |n_zeros: usize, threads| {
            let mut src = random(n_bytes, 6);
            src[n_bytes - n_after - n_zeros..][..n_zeros].fill(0);
            encode(&filter, threads, &src, filter.max_encoded_len(n_bytes)).expect("there is room")
        };
        let is_plain = |n_zeros| encode(n_zeros, Threads::ONE)[2] & 2 != 0;
        let enough = (0..14).map(|n| 1 << n).find(|n_zeros| !is_plain(*n_zeros)).expect("zeros make a chunk smaller");
        let (mut few, mut enough) = (0, enough);
        while few + 1 < enough {
            let n_zeros = (few + enough) / 2;
            *if is_plain(n_zeros) { &mut few } else { &mut enough } = n_zeros;
        }
        assert!(is_plain(few), "compressor {compressor}: noise does not shrink");
        for n_zeros in few.saturating_sub(40)..enough + 20 {
            let one = encode(n_zeros, Threads::ONE);
            let two = encode(n_zeros, Threads::new(2).with_min_bytes(1));
            assert!(one == two, "compressor {compressor}, {n_zeros} zeros, plain: {}", one[2] & 2 != 0);
        }
    }
}

#[test]
fn where_the_output_is_too_small_it_is_so_for_any_number_of_threads() {
    let dims = [3, 50, 101];
    for (id, given) in configurations() {
        let filter = filter(id, &given, &dims);
        for (kind, src) in contents(2 * 3 * 50 * 101) {
            let most = filter.max_encoded_len(src.len());
            let chunk = encode(&filter, Threads::ONE, &src, most).expect("there is room");
            for room in [0, 1, 16, 24, chunk.len() - 1, chunk.len(), chunk.len() + 1, most - 1] {
                let one = encode(&filter, Threads::ONE, &src, room);
                for threads in all_threads() {
                    assert!(encode(&filter, threads, &src, room) == one, "{filter:?}, {kind}, {room}, {threads:?}");
                }
            }
        }
    }
}

#[test]
fn pixels_that_no_stream_holds_are_the_same_chunk_by_any_number_of_threads() {
    let drle = Drle::new(1).expect("a threshold").with_segment_pixels(100);
    let drle = drle.for_layout(&layout(2, &[5050])).expect("uint16");
    // Segments without any, with one, with a mask, and with nothing else.
    let pixel = |at: usize| match (at / 100, at) {
        (7, _) => 0xFFFF,
        (9, _) => 0x8000 | at as u16,
        (_, 1717 | 2222 | 4321..4330) => 0xFF00,
        (_, 3190..3410) => 0xFFFF,
        _ => (at % 7) as u16,
    };
    let src: Vec<u8> = (0..5050).flat_map(|at| pixel(at).to_le_bytes()).collect();
    let encode = |threads: Threads| {
        let mut dst = vec![0; drle.max_encoded_len(src.len())];
        let n_bytes = drle.encode(threads.into(), &src, &mut dst).expect("there is room");
        dst.truncate(n_bytes);
        dst
    };
    let one = encode(Threads::ONE);
    for threads in all_threads() {
        assert!(encode(threads) == one, "{threads:?}");
        let mut decoded = vec![0x5A; src.len()];
        drle.decode(threads.into(), &one, &mut decoded).expect("it is sound");
        assert!(decoded == src, "{threads:?}");
    }
}

#[test]
fn every_bad_chunk_is_refused_with_the_same_error() {
    let (cases, _) = corpus::load();
    for case in &cases {
        let filter = Filter::from_cd_values(case.filter, &case.stored).expect("parameters");
        let one = decode(&filter, Threads::ONE, &case.bytes, 0);
        for threads in all_threads() {
            assert_eq!(decode(&filter, threads, &case.bytes, 0x5A), one, "{} {threads:?}", case.name);
        }
    }
}

#[test]
fn damage_anywhere_is_the_same_error_or_the_same_data() {
    let dims = [4, 13, 50];
    let threads = Threads::new(3).with_min_bytes(1);
    for (id, given) in [
        (36114, vec![1]),
        (36114, vec![1, 0, 50]),
        (32008, vec![16, 2]),
        (32008, vec![128, 3]),
        (32004, vec![100]),
        (32001, vec![0, 0, 0, 0, 1, 1, 1]),
        (32001, vec![0, 0, 0, 0, 1, 0, 5]),
    ] {
        let filter = filter(id, &given, &dims);
        // Blosc divides no chunk that is small.
        let n_bytes = if id == 32001 { 0x1_8000 } else { 2 * 4 * 13 * 50 };
        let filter = if id == 32001 { self::filter(id, &given, &[1, 3, 0x4000]) } else { filter };
        let src = contents(n_bytes).swap_remove(1).1;
        let chunk = encode(&filter, Threads::ONE, &src, filter.max_encoded_len(src.len())).expect("there is room");
        let compare = |bytes: &[u8], what: &str, at: usize| {
            let one = decode(&filter, Threads::ONE, bytes, 0);
            assert!(decode(&filter, threads, bytes, 0x77) == one, "{filter:?} {what} {at}: {one:?}");
        };
        let step = (chunk.len() / 250).max(1);
        for at in (0..chunk.len()).filter(|at| at % step == 0 || *at < 60) {
            compare(&chunk[..at], "cut to", at);
            for change in [0x01, 0x80, 0xFF] {
                let mut damaged = chunk.clone();
                damaged[at] ^= change;
                // A second fault further ahead, which one thread never comes to.
                compare(&damaged, "changed at", at);
                let last = damaged.len() - 1;
                damaged[last] ^= 0x55;
                compare(&damaged, "changed at the end and at", at);
            }
        }
    }
}

/// c-blosc writes blocks in the order in which its threads come to an end.
#[test]
fn blosc_blocks_in_any_order_are_read() {
    let filter = filter(32001, &[0, 0, 0, 0, 1, 0, 1], &[1, 256, 512]);
    let src = structured(1 << 18, 9);
    let chunk = encode(&filter, Threads::ONE, &src, filter.max_encoded_len(src.len())).expect("there is room");
    let start = |index: usize| u32::from_le_bytes(chunk[16 + 4 * index..20 + 4 * index].try_into().unwrap()) as usize;
    let n_blocks = (start(0) - 16) / 4;
    assert!(n_blocks >= 4, "{n_blocks} blocks");
    let (front, mut reversed) = (start(0), chunk[..start(0)].to_vec());
    for index in (0..n_blocks).rev() {
        let end = if index + 1 == n_blocks { chunk.len() } else { start(index + 1) };
        let at = reversed.len() as u32;
        reversed.extend_from_slice(&chunk[start(index)..end]);
        reversed[16 + 4 * index..20 + 4 * index].copy_from_slice(&at.to_le_bytes());
    }
    let mut overlapping = chunk.clone();
    overlapping.copy_within(16..20, 20);
    assert_eq!(start(0), front);
    let overlap = decode(&filter, Threads::ONE, &overlapping, 0);
    assert!(overlap.is_err());
    for threads in all_threads() {
        assert!(decode(&filter, threads, &reversed, 0).as_ref() == Ok(&src), "{threads:?}");
        assert_eq!(decode(&filter, threads, &overlapping, 0), overlap, "{threads:?}");
    }
}

#[test]
fn zeroed_outputs_are_filled_by_threads_too() {
    let drle = Drle::new(1).expect("a threshold").with_segment_pixels(300);
    let src = contents(20_000).swap_remove(1).1;
    let mut chunk = vec![0; drle.max_encoded_len(src.len())];
    let n_bytes = drle.encode(Exec::current(), &src, &mut chunk).expect("there is room");
    let container = drle::Container::open(&chunk[..n_bytes]).expect("it was written here");
    assert_eq!(container.n_segments(), 34);
    for threads in all_threads() {
        let mut decoded = vec![0; src.len()];
        let open = drle.open(&chunk[..n_bytes]).expect("a sound chunk");
        open.decode_zeroed(threads.into(), &mut decoded).expect("a sound chunk");
        assert!(decoded == src, "{threads:?}");
    }
}

/// Threads that are gone when the call returns can be asked for by many threads at once.
#[test]
fn calls_with_threads_may_come_from_many_threads() {
    let filter = filter(32008, &[0, 2], &[1, 300, 300]);
    let src = structured(180_000, 8);
    let chunk = encode(&filter, Threads::ONE, &src, filter.max_encoded_len(src.len())).expect("there is room");
    std::thread::scope(|scope| {
        for n_threads in 2..6 {
            let (filter, src, chunk) = (&filter, &src, &chunk);
            scope.spawn(move || {
                let threads = Threads::new(n_threads).with_min_bytes(1);
                for _ in 0..5 {
                    assert!(encode(filter, threads, src, filter.max_encoded_len(src.len())).as_ref() == Ok(chunk));
                    assert!(decode(filter, threads, chunk, 0).as_ref() == Ok(src));
                }
            });
        }
    });
}

#[test]
fn a_chunk_encoder_gives_its_codec_threads() {
    let shape = ChunkShape { n_frames: 3, height: 100, width: 301 };
    let frames = contents(2 * shape.chunk_pixels()).swap_remove(1).1;
    let frames: Vec<u16> = frames.as_chunks().0.iter().map(|pixel| u16::from_ne_bytes(*pixel)).collect();
    let encode = |compression: &Compression, threads: Threads| {
        let id = compression.filter.expect("a filter");
        let filter = filter(id, &compression.values, &shape.dims());
        let mut encoder = ChunkEncoder::new(Exec::from(threads), shape, Some(filter)).expect("a chunk");
        for frame in frames.chunks(shape.frame_pixels()) {
            encoder.push(&[frame], &Correction { dark: None, threshold: None }, None).expect("a frame");
        }
        encoder.encode().expect("a chunk").to_vec()
    };
    for compression in [Compression::bitshuffle_lz4(), Compression::blosc(5, Shuffle::Byte, Compressor::Lz4)] {
        let one = encode(&compression, Threads::ONE);
        for threads in all_threads() {
            assert!(encode(&compression, threads) == one, "{compression:?} {threads:?}");
        }
    }
}
