//! All metrics of raw frames, as JSON: `numbers ELEMENT HEIGHT WIDTH X Y RANGE`, X and Y files of frames one after the other, in
//! this machine's byte order. With `speed` in place of the files it measures how fast the pass over all pixels is.

use std::time::{Duration, Instant};

use darkchunk_metrics::{Beside, Comparison, Limits, NoiseModel, Pair, Pixel, Settings, Shape};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [element, height, width, x, y, range] = &arguments[..] else {
        if arguments.first().is_some_and(|first| first == "speed") {
            return speed(arguments.get(1).map_or(Ok(20), |n| n.parse())?);
        }
        return Err("usage: numbers ELEMENT HEIGHT WIDTH X Y RANGE, or: numbers speed [TURNS]".into());
    };
    let shape = Shape { height: height.parse()?, width: width.parse()? };
    let (x, y, range) = (std::fs::read(x)?, std::fs::read(y)?, range.parse()?);
    match element.as_str() {
        "uint8" => numbers(shape, &x, &y, range, u8::from_ne_bytes),
        "int16" => numbers(shape, &x, &y, range, i16::from_ne_bytes),
        "uint16" => numbers(shape, &x, &y, range, u16::from_ne_bytes),
        "int32" => numbers(shape, &x, &y, range, i32::from_ne_bytes),
        "uint32" => numbers(shape, &x, &y, range, u32::from_ne_bytes),
        other => Err(format!("no element type `{other}`: uint8, int16, uint16, int32, uint32").into()),
    }
}

fn numbers<P: Pixel, const N: usize>(
    shape: Shape,
    x: &[u8],
    y: &[u8],
    range: f64,
    of: fn([u8; N]) -> P,
) -> Result<(), Failure> {
    let pixels = |bytes: &[u8]| bytes.as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect::<Vec<P>>();
    let (x, y) = (pixels(x), pixels(y));
    let settings = Settings { noise: Some(NoiseModel::COUNTER), data_range: Some(range), ..Settings::new(shape) };
    let mut comparison = Comparison::new(settings)?;
    let frames: Vec<(&[P], &[P])> = x.chunks(shape.n_pixels()).zip(y.chunks(shape.n_pixels())).collect();
    for (frame, (x, y)) in frames.iter().enumerate() {
        let pair = Pair::new(shape, x, y)?;
        let previous =
            frame.checked_sub(1).map(|before| Pair::new(shape, frames[before].0, frames[before].1)).transpose()?;
        let beside = Beside { previous, next: frames.get(frame + 1).map(|next| next.0) };
        comparison.add(frame as u64, &pair)?;
        comparison.add_to_sample(frame as u64, &pair, &beside)?;
    }
    let report = comparison.report();
    let verdict = Limits::default().judge(&report);
    println!("{}", serde_json::to_string(&(report, verdict))?);
    Ok(())
}

fn speed(n_turns: u32) -> Result<(), Failure> {
    let shape = Shape { height: 1024, width: 1024 };
    let x = darkchunk_sim::regimes::projection(shape_of(shape), 1);
    let photons = darkchunk_sim::regimes::poisson_u32(shape_of(shape), 1.0, 1);
    let step = |x: &u16| x / 64 * 64 + 32;
    let y: Vec<u16> = x.iter().map(step).collect();
    let few: Vec<u32> = photons.iter().map(|x| if *x > 5 { x + 1 } else { *x }).collect();
    turns("uint16 projections, every pixel changed", shape, &x, &y, n_turns)?;
    turns("uint16 projections, exact", shape, &x, &x, n_turns)?;
    turns("uint32 photons, few changed", shape, &photons, &few, n_turns)
}

fn shape_of(shape: Shape) -> (usize, usize) {
    (shape.height, shape.width)
}

fn turns<P: Pixel>(name: &str, shape: Shape, x: &[P], y: &[P], n_turns: u32) -> Result<(), Failure> {
    let settings = Settings { noise: Some(NoiseModel::COUNTER), data_range: Some(1000.0), ..Settings::new(shape) };
    let pair = Pair::new(shape, x, y)?;
    let beside = Beside { previous: Some(pair), next: Some(x) };
    let (mut all, mut sample) = (Duration::MAX, Duration::MAX);
    for _ in 0..n_turns {
        let mut comparison = Comparison::new(settings.clone())?;
        let begin = Instant::now();
        comparison.add(0, &pair)?;
        all = all.min(begin.elapsed());
        let begin = Instant::now();
        comparison.add_to_sample(0, &pair, &beside)?;
        sample = sample.min(begin.elapsed());
    }
    let speed = |time: Duration| size_of_val(x) as f64 / 1e9 / time.as_secs_f64();
    println!("{name}: every pixel {:.2} GB/s, sample {:.3} GB/s", speed(all), speed(sample));
    Ok(())
}
