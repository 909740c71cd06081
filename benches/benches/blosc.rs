//! Blosc 1 chunks of one 1024 x 1024 frame, both ways, by input, compressor and shuffle; and by level for LZ4.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use darkchunk::codec::Codec;
use darkchunk::codec::blosc::{Blosc, Compressor, Shuffle};
use darkchunk::cpu::Level;
use darkchunk_sim::regimes;

const SHAPE: (usize, usize) = (1024, 1024);

/// Name, element size and bytes of a frame.
type Input = (&'static str, usize, Vec<u8>);

fn inputs() -> Vec<Input> {
    let int16 = |frame: Vec<i16>| frame.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    vec![
        ("dark", 2, int16(regimes::all_dark(SHAPE))),
        ("0.56 %", 2, int16(regimes::bright(SHAPE, 0.0056, 1))),
        ("5.5 %", 2, int16(regimes::bright(SHAPE, 0.055, 1))),
        ("noise of 12 bits", 2, regimes::noise_12bit(SHAPE, 1).iter().flat_map(|pixel| pixel.to_le_bytes()).collect()),
        ("Poisson 1", 4, regimes::poisson_u32(SHAPE, 1.0, 1).iter().flat_map(|pixel| pixel.to_le_bytes()).collect()),
    ]
}

fn bench_codec(group: &mut BenchmarkGroup<'_, WallTime>, level: Level, name: &str, codec: &Blosc, frame: &[u8]) {
    group.throughput(Throughput::Bytes(frame.len() as u64));
    let mut chunk = vec![0; codec.max_encoded_len(frame.len())];
    let n_bytes = codec.encode_at(level, frame, &mut chunk).expect("the output has the bound");
    let mut decoded = vec![0; frame.len()];
    codec.decode_at(level, &chunk[..n_bytes], &mut decoded).expect("it was just encoded");
    assert!(decoded == frame, "{name}");
    group.bench_function(format!("encode/{name}"), |b| {
        b.iter(|| codec.encode_at(level, black_box(frame), black_box(&mut chunk)));
    });
    group.bench_function(format!("decode/{name}"), |b| {
        b.iter(|| codec.decode_at(level, black_box(&chunk[..n_bytes]), black_box(&mut decoded)));
    });
}

fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("blosc");
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(300)).sample_size(10);
    for (input, type_size, frame) in inputs() {
        for shuffle in [Shuffle::Byte, Shuffle::Bit] {
            for compressor in [Compressor::BloscLz, Compressor::Lz4, Compressor::Zstd] {
                let codec = Blosc::new(compressor, shuffle, 5, type_size).expect("level 5 exists");
                // The compressors' libraries do not ask for the level.
                let levels = if compressor == Compressor::Lz4 { Level::available() } else { &[Level::current()][..] };
                for &level in levels {
                    let name = format!("{input}/{compressor:?}/{shuffle:?}/{}", level.isa().name());
                    bench_codec(&mut group, level, &name, &codec, &frame);
                }
            }
        }
    }
    group.finish();
}

criterion_group!(benches, chunks);
criterion_main!(benches);
