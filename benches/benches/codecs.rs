//! Every codec on a frame of every regime, both ways: memory to memory, one thread, a frame of 1024 x 1024 a chunk.
//!
//! Codecs whose work is ours are run at every level, the others at the best one. Every chunk is decoded and compared
//! before it is timed. `cargo bench -p darkchunk-benches --features criterion --bench codecs -- 'bitshuffle-lz4/decode'` runs a part.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use darkchunk::codec::bitshuffle::Bitshuffle;
use darkchunk::codec::blosc::Blosc;
use darkchunk::codec::drle::Drle;
use darkchunk::codec::lz4::Lz4;
use darkchunk::codec::zstd::Zstd;
use darkchunk::codec::{ChunkLayout, Codec};
use darkchunk::cpu::Level;
use darkchunk_benches::inputs::{REGIMES, Regime, regime};

/// A codec as the plugin makes it of a caller's `cd_values`.
fn codec<C: Codec>(values: &[u32], regime: &Regime) -> C {
    let layout = ChunkLayout::new(regime.element, vec![1, 1024, 1024]);
    let cd_values = C::localise(values, &layout).expect("the parameters exist");
    C::from_cd_values(&cd_values).expect("they were just made")
}

fn run<C: Codec>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    values: &[u32],
    regime: &Regime,
    levels: &[Level],
) {
    let codec: C = codec(values, regime);
    let frame = &regime.frame[..];
    let mut chunk = vec![0; codec.max_encoded_len(frame.len())];
    let mut decoded = vec![0; frame.len()];
    for &level in levels {
        let case = format!("{}/{}", regime.name, level.isa().name());
        let n_bytes = codec.encode(level.into(), frame, &mut chunk).expect("there is room");
        decoded.fill(0x5a);
        codec.decode(level.into(), &chunk[..n_bytes], &mut decoded).expect("it was just encoded");
        assert!(decoded == frame, "{name} {case}");
        group.bench_function(format!("{name}/encode/{case}"), |b| {
            b.iter(|| codec.encode(level.into(), black_box(frame), black_box(&mut chunk)));
        });
        group.bench_function(format!("{name}/decode/{case}"), |b| {
            b.iter(|| codec.decode(level.into(), black_box(&chunk[..n_bytes]), black_box(&mut decoded)));
        });
    }
}

fn codecs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200)).sample_size(10);
    let (all, best) = (Level::available(), &[Level::current()][..]);
    for name in REGIMES {
        let regime = &regime(name, 1);
        group.throughput(Throughput::Bytes(regime.frame.len() as u64));
        if regime.fits_drle() {
            run::<Drle>(&mut group, "drle", &[1], regime, all);
        }
        run::<Bitshuffle>(&mut group, "bitshuffle", &[], regime, all);
        run::<Bitshuffle>(&mut group, "bitshuffle-lz4", &[0, 2], regime, all);
        run::<Bitshuffle>(&mut group, "bitshuffle-zstd-1", &[0, 3, 1], regime, best);
        for (shuffle, number) in [("shuffle", 1), ("bitshuffle", 2)] {
            run::<Blosc>(&mut group, &format!("blosc-{shuffle}-blosclz"), &[0, 0, 0, 0, 5, number, 0], regime, best);
            run::<Blosc>(&mut group, &format!("blosc-{shuffle}-lz4"), &[0, 0, 0, 0, 5, number, 1], regime, all);
            run::<Blosc>(&mut group, &format!("blosc-{shuffle}-zstd"), &[0, 0, 0, 0, 5, number, 5], regime, best);
        }
        run::<Lz4>(&mut group, "lz4", &[], regime, all);
        run::<Zstd>(&mut group, "zstd-1", &[1], regime, best);
    }
    group.finish();
}

criterion_group!(benches, codecs);
criterion_main!(benches);
