//! The fused pass and DRLE decode over frames that come from memory, by regime and level, beside what memory allows:
//! reading the frames, and `memset` of them. Every result is held against scalar's.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime};
use darkchunk::cpu::Level;
use darkchunk::element::as_bytes_mut;
use darkchunk::kernels::drle::{self, Correction};
use darkchunk_benches::pool::pool_bytes;
use darkchunk_sim::regimes;

const SHAPE: (usize, usize) = (1024, 1024);
const N_PIXELS: usize = SHAPE.0 * SHAPE.1;

/// Above the noise of every regime but the last.
const THRESHOLD: u16 = 20;

/// A regime's frames, which are visited in turn and more than any cache holds: four different ones, repeated.
fn frames(regime: &str) -> Vec<i16> {
    let kind = |seed| match regime {
        "all dark" => regimes::all_dark(SHAPE),
        "0.1 %" => regimes::bright(SHAPE, 0.001, seed),
        "0.56 %" => regimes::bright(SHAPE, 0.0056, seed),
        "5.5 %" => regimes::bright(SHAPE, 0.055, seed),
        "hot rows" => regimes::hot_rows(SHAPE, seed),
        "12-bit noise" => regimes::noise_12bit(SHAPE, seed).iter().map(|pixel| pixel.cast_signed()).collect(),
        other => unreachable!("no regime {other}"),
    };
    let kinds: Vec<Vec<i16>> = (0..4).map(kind).collect();
    (0..pool_bytes() / (2 * N_PIXELS)).flat_map(|at| kinds[at % 4].iter().copied()).collect()
}

/// Reads a frame, and nothing else.
fn read(frame: &[i16]) -> i16 {
    frame.as_chunks::<256>().0.iter().fold([0; 256], |all, part| std::array::from_fn(|at| all[at] | part[at]))[0]
}

/// Measures `work` on one frame after the other.
fn stream(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: String,
    frames: &mut [i16],
    mut work: impl FnMut(&mut [i16]),
) {
    let (mut at, n_frames) = (0, frames.len() / N_PIXELS);
    group.bench_function(name, |b| {
        b.iter(|| {
            work(black_box(&mut frames[at * N_PIXELS..][..N_PIXELS]));
            at = (at + 1) % n_frames;
        });
    });
}

/// Scalar's stream of the first frame, and what is left of that frame.
fn expected(frame: &[i16], correction: &Correction<'_, i16>) -> (Vec<u8>, Vec<i16>) {
    let (mut stored, mut tokens) = (frame.to_vec(), vec![0; drle::max_encoded_len(N_PIXELS)]);
    let encoded = drle::encode_in_place(Level::SCALAR, &mut stored, correction, None, &mut tokens).unwrap();
    tokens.truncate(encoded.n_bytes);
    (tokens, stored)
}

fn bench_level(group: &mut BenchmarkGroup<'_, WallTime>, level: Level, frames: &mut [i16], dark_image: &[i16]) {
    let isa = level.isa().name();
    let mut tokens = vec![0; drle::max_encoded_len(N_PIXELS)];
    let mut sum = vec![0; N_PIXELS];
    let plain = Correction::threshold(THRESHOLD);
    let fused = Correction { dark: Some(dark_image), threshold: Some(THRESHOLD) };
    for (name, correction) in [("encode", &plain), ("dark+threshold+sum+encode", &fused)] {
        let frame = &frames[..N_PIXELS];
        let (expected, _) = expected(frame, correction);
        let n_bytes = drle::encode(level, &[frame], correction, None, &mut tokens).unwrap().n_bytes;
        assert!(tokens[..n_bytes] == expected, "{name} {isa}");
        stream(group, format!("{name}/{isa}"), frames, |frame| {
            // What the sum holds without overflow is not reached: a few thousand frames are measured.
            let sum = correction.dark.is_some().then_some(&mut sum[..]);
            black_box(drle::encode(level, &[frame], correction, sum, &mut tokens).unwrap());
        });
    }
    let (stream_of_first, stored) = expected(&frames[..N_PIXELS], &plain);
    let mut decoded = vec![-1; frames.len()];
    stream(group, format!("decode/{isa}"), &mut decoded, |frame| {
        drle::decode(level, &stream_of_first, as_bytes_mut(frame)).unwrap();
    });
    drle::decode(level, &stream_of_first, as_bytes_mut(&mut decoded[..N_PIXELS])).unwrap();
    assert!(decoded[..N_PIXELS] == stored, "decode {isa}");
}

fn fused_pass(criterion: &mut Criterion) {
    let dark_image: Vec<i16> = (0..N_PIXELS).map(|at| (at % 3) as i16).collect();
    for regime in ["all dark", "0.1 %", "0.56 %", "5.5 %", "hot rows", "12-bit noise"] {
        let mut frames = frames(regime);
        let mut group = criterion.benchmark_group(format!("dark/{regime}"));
        group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400)).sample_size(20);
        group.throughput(Throughput::Bytes(2 * N_PIXELS as u64));
        stream(&mut group, "memory read".into(), &mut frames, |frame| {
            black_box(read(frame));
        });
        for level in Level::available() {
            bench_level(&mut group, *level, &mut frames, &dark_image);
        }
        stream(&mut group, "memset".into(), &mut frames, |frame| frame.fill(0));
        group.finish();
    }
}

criterion_group!(benches, fused_pass);
criterion_main!(benches);
