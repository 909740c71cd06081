//! Bitshuffle with LZ4 and Zstd, chunk by chunk, by regime and level: a frame of 1024 x 1024 a chunk.
//!
//! Memory to memory, one thread. Every chunk is decoded and compared before it is timed.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use darkchunk::codec::Codec;
use darkchunk::codec::bitshuffle::{Bitshuffle, Compression};
use darkchunk::cpu::Level;
use darkchunk_sim::{Shape, regimes};

const SHAPE: Shape = (1024, 1024);

fn bytes<T: Copy, const N: usize>(pixels: &[T], to_bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    pixels.iter().flat_map(|pixel| to_bytes(*pixel)).collect()
}

/// Name, bytes of an element, frame.
fn inputs() -> Vec<(&'static str, usize, Vec<u8>)> {
    let bright = |fraction| bytes(&regimes::bright(SHAPE, fraction, 1), i16::to_ne_bytes);
    let poisson = |mean| bytes(&regimes::poisson_u16(SHAPE, mean, 1), u16::to_ne_bytes);
    vec![
        ("all-dark", 2, bytes(&regimes::all_dark(SHAPE), i16::to_ne_bytes)),
        ("bright-0.1%", 2, bright(0.001)),
        ("bright-0.56%", 2, bright(0.0056)),
        ("bright-5.5%", 2, bright(0.055)),
        ("hot-rows", 2, bytes(&regimes::hot_rows(SHAPE, 1), i16::to_ne_bytes)),
        ("poisson-0.02", 2, poisson(0.02)),
        ("poisson-1", 2, poisson(1.0)),
        ("poisson-100", 2, poisson(100.0)),
        ("noise-12-bit", 2, bytes(&regimes::noise_12bit(SHAPE, 1), u16::to_ne_bytes)),
        ("mx-uint32", 4, bytes(&regimes::mx_frame_u32(SHAPE, 1), u32::to_ne_bytes)),
    ]
}

fn bench_codec(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, compression: Compression, levels: &[Level]) {
    for (regime, element_bytes, src) in inputs() {
        let codec = Bitshuffle::new(element_bytes, compression);
        group.throughput(Throughput::Bytes(src.len() as u64));
        for &level in levels {
            let isa = level.isa().name();
            let mut chunk = vec![0; codec.max_encoded_len(src.len())];
            let n_bytes = codec.encode_at(level, &src, &mut chunk).expect("there is room");
            let mut decoded = vec![1; src.len()];
            codec.decode_at(level, &chunk[..n_bytes], &mut decoded).expect("it was encoded here");
            assert!(decoded == src, "{name} {regime} {isa}");
            group.bench_function(format!("{name}-encode/{regime}/{isa}"), |b| {
                b.iter(|| codec.encode_at(level, black_box(&src), black_box(&mut chunk)));
            });
            group.bench_function(format!("{name}-decode/{regime}/{isa}"), |b| {
                b.iter(|| codec.decode_at(level, black_box(&chunk[..n_bytes]), black_box(&mut decoded)));
            });
        }
    }
}

fn bitshuffle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bitshuffle");
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200)).sample_size(10);
    bench_codec(&mut group, "lz4", Compression::Lz4, Level::available());
    // Zstd's own code does most of the work, whatever the level.
    bench_codec(&mut group, "zstd-1", Compression::Zstd { level: 1 }, &[Level::current()]);
    group.finish();
}

criterion_group!(benches, bitshuffle);
criterion_main!(benches);
