//! Bit and byte transposes of one 8 KiB block in L1, by level and element size, with `memcpy` as the limit.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use darkchunk::cpu::Level;
use darkchunk::kernels::{bitshuffle, shuffle};

/// What bitshuffle's blocks hold by default.
const BLOCK_BYTES: usize = 8192;

type Kernel = fn(Level, usize, &[u8], &mut [u8]);

/// 12-bit noise: every plane that a camera fills is full.
fn block(n_bytes: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u16 & 0x0FFF
    };
    (0..n_bytes.div_ceil(2)).flat_map(|_| next().to_le_bytes()).take(n_bytes).collect()
}

fn bench_kernel(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, forward: Kernel, back: Kernel) {
    for element_size in [1, 2, 3, 4, 8, 12, 16, 100] {
        let src = block(BLOCK_BYTES - BLOCK_BYTES % (8 * element_size));
        group.throughput(Throughput::Bytes(src.len() as u64));
        for &level in Level::available() {
            let isa = level.isa().name();
            let mut there = vec![0; src.len()];
            group.bench_function(format!("{name}/{element_size}/{isa}"), |b| {
                b.iter(|| forward(level, element_size, black_box(&src), black_box(&mut there)));
            });
            let mut expected = vec![0; src.len()];
            forward(Level::SCALAR, element_size, &src, &mut expected);
            let mut back_again = vec![0; src.len()];
            group.bench_function(format!("{name}-inverse/{element_size}/{isa}"), |b| {
                b.iter(|| back(level, element_size, black_box(&expected), black_box(&mut back_again)));
            });
            // A filter on the command line may have left them out.
            assert!(there == expected || there.iter().all(|&b| b == 0), "{name} {element_size} {isa}");
            assert!(back_again == src || back_again.iter().all(|&b| b == 0), "{name}-inverse {element_size} {isa}");
        }
    }
}

fn transposes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transpose");
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(200)).sample_size(20);
    let src = block(BLOCK_BYTES);
    let mut dst = vec![0; BLOCK_BYTES];
    group.throughput(Throughput::Bytes(BLOCK_BYTES as u64));
    group.bench_function("memcpy", |b| b.iter(|| black_box(&mut dst[..]).copy_from_slice(black_box(&src))));
    assert!(dst == src || dst.iter().all(|&b| b == 0));
    bench_kernel(&mut group, "bits", bitshuffle::transpose, bitshuffle::inverse);
    bench_kernel(&mut group, "bytes", shuffle::shuffle, shuffle::unshuffle);
    group.finish();
}

criterion_group!(benches, transposes);
criterion_main!(benches);
