//! All metrics of raw frames, as JSON: `numbers ELEMENT HEIGHT WIDTH X Y RANGE [TECHNIQUE]`, X and Y files of frames one after the other,
//! in this machine's byte order. A technique is `radial=ROW,COLUMN,STEP`, `peaks=SIGMA`, `labels=FILE` (`uint32`), `line=FROM,TO` or
//! `tomography=ROW`; of the latter the images of the slice are printed, too, and the maps of
//! `covariance=ROW,COLUMN,STEP`. With `speed` in place of all it measures how fast each metric goes over all pixels.

use std::time::{Duration, Instant};

use darkchunk_metrics::technique::{Metrics, PeakSearch, Scan, Technique, TechniqueReport};
use darkchunk_metrics::{
    Beside, BiasByIntensity, BiasByNeighbours, Comparison, ErrorInSigma, Largest, Limits, Moments, NoiseModel, Pair,
    Pixel, Rules, Settings, Shape, Ssim, Tiles, ValueCounts,
};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ([element, height, width, x, y, range] | [element, height, width, x, y, range, _]) = &arguments[..] else {
        if arguments.first().is_some_and(|first| first == "speed") {
            return speed(arguments.get(1).map_or(Ok(200), |n| n.parse())?);
        }
        return Err("usage: numbers ELEMENT HEIGHT WIDTH X Y RANGE [TECHNIQUE], or: numbers speed [TURNS]".into());
    };
    let shape = Shape { height: height.parse()?, width: width.parse()? };
    let (x, y, range) = (std::fs::read(x)?, std::fs::read(y)?, range.parse()?);
    let technique = arguments.get(6).map(|text| technique(text)).transpose()?;
    match element.as_str() {
        "uint8" => numbers(shape, &x, &y, range, technique, u8::from_ne_bytes),
        "int16" => numbers(shape, &x, &y, range, technique, i16::from_ne_bytes),
        "uint16" => numbers(shape, &x, &y, range, technique, u16::from_ne_bytes),
        "int32" => numbers(shape, &x, &y, range, technique, i32::from_ne_bytes),
        "uint32" => numbers(shape, &x, &y, range, technique, u32::from_ne_bytes),
        other => Err(format!("no element type `{other}`: uint8, int16, uint16, int32, uint32").into()),
    }
}

fn numbers<P: Pixel, const N: usize>(
    shape: Shape,
    x: &[u8],
    y: &[u8],
    range: f64,
    technique: Option<Technique>,
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
    let technique = technique.map(|technique| of_technique(&technique, shape, &frames)).transpose()?;
    println!("{}", serde_json::to_string(&(report, verdict, technique))?);
    Ok(())
}

fn technique(text: &str) -> Result<Technique, Failure> {
    let (name, values) = text.split_once('=').ok_or("a technique is NAME=VALUES")?;
    let number = |at: usize| values.split(',').nth(at).unwrap_or_default().parse::<f64>();
    let label = |bytes: &[u8; 4]| u32::from_ne_bytes(*bytes);
    Ok(match name {
        "radial" => Technique::Radial { centre: (number(0)?, number(1)?), step: number(2)? },
        "covariance" => Technique::Covariance { centre: (number(0)?, number(1)?), step: number(2)? },
        "peaks" => Technique::Peaks(PeakSearch { min_snr: number(0)?, ..PeakSearch::default() }),
        "labels" => Technique::Correlation(std::fs::read(values)?.as_chunks().0.iter().map(label).collect()),
        "line" => Technique::Line(number(0)? as usize, number(1)? as usize),
        "tomography" => Technique::Tomography(Scan { rows: vec![number(0)? as usize], ..Scan::default() }),
        other => return Err(format!("no technique `{other}`").into()),
    })
}

/// A slice before and after.
type Slices = [Vec<f32>; 2];

/// The numbers, and the images of slices.
fn of_technique<P: Pixel>(
    technique: &Technique,
    shape: Shape,
    frames: &[(&[P], &[P])],
) -> Result<(TechniqueReport, Vec<Slices>), Failure> {
    let technique = technique.of_frames(frames.len() as u64);
    let mut metrics = Metrics::new(&technique, shape, Rules::default(), Some(NoiseModel::COUNTER))?;
    for (x, y) in frames {
        metrics.add(&Pair::new(shape, x, y)?);
    }
    let report = metrics.report();
    let images = match &report {
        TechniqueReport::Tomography(report) => report.slices.iter().map(|slice| slice.images.clone()).collect(),
        TechniqueReport::Covariance(report) => {
            vec![report.maps.each_ref().map(|map| map.iter().map(|c| *c as f32).collect())]
        }
        _ => Vec::new(),
    };
    Ok((report, images))
}

/// How fast each metric goes over frames, in bytes of x a second on one core: the least time of many turns, so that other work on the
/// machine counts little.
fn speed(n_turns: u32) -> Result<(), Failure> {
    let shape = Shape { height: 512, width: 512 };
    let size = (shape.height, shape.width);
    let projection = darkchunk_sim::regimes::projection(size, 1);
    let photons = darkchunk_sim::regimes::poisson_u32(size, 1.0, 1);
    let coarse: Vec<u16> = projection.iter().map(|x| x / 64 * 64 + 32).collect();
    let few: Vec<u32> = photons.iter().map(|x| if *x > 5 { x + 1 } else { *x }).collect();
    let gaps: Vec<bool> = (0..shape.n_pixels()).map(|at| at / shape.width % 128 > 3).collect();
    race("uint16, every pixel changed", shape, (&projection, &coarse, &[]), n_turns)?;
    race("uint16, every pixel changed, gaps", shape, (&projection, &coarse, &gaps), n_turns)?;
    race("uint16, exact", shape, (&projection, &projection, &[]), n_turns)?;
    race("uint32 photons, few changed", shape, (&photons, &few, &[]), n_turns)
}

/// x, y, and which pixels count.
type Frames<'a, P> = (&'a [P], &'a [P], &'a [bool]);

fn race<P: Pixel>(data: &str, shape: Shape, frames: Frames<'_, P>, n_turns: u32) -> Result<(), Failure> {
    let (x, y, valid) = frames;
    let noise = NoiseModel::COUNTER;
    let mask = (!valid.is_empty()).then(|| valid.iter().map(|valid| !valid).collect());
    let rules = Rules { mask, ..Rules::default() };
    let settings = Settings { noise: Some(noise), data_range: Some(1000.0), rules, ..Settings::new(shape) };
    let (empty, pair) = (Comparison::new(settings)?, Pair::new(shape, x, y)?);
    let beside = Beside { previous: Some(pair), next: Some(x) };
    let say = |metric: &str, turn: &mut dyn FnMut()| {
        let least = (0..n_turns).map(|_| timed(turn)).min().unwrap_or_default().as_secs_f64();
        println!("{data}|{metric}|{:.4}", size_of_val(x) as f64 / 1e9 / least);
    };
    say("memory read", &mut || {
        std::hint::black_box(x.iter().zip(y).fold(P::default(), |most, (x, y)| most.max(*x).max(*y)));
    });
    let mut moments = Moments::default();
    say("moments, maxima, zeros", &mut || moments.add(x, y, valid));
    let mut largest = Largest::default();
    say("largest errors", &mut || largest.add(shape, 0, x, y, valid));
    let mut tiles = Tiles::new(shape, Some(noise));
    say("flux, tiles", &mut || _ = tiles.add(0, x, y, valid));
    let mut bias = BiasByIntensity::default();
    say("bias by intensity", &mut || bias.add(x, y, valid));
    let mut neighbours = BiasByNeighbours::default();
    say("bias by neighbours", &mut || neighbours.add(shape, x, y, valid));
    let mut sigma = ErrorInSigma::new(noise);
    say("errors in sigma", &mut || sigma.add(x, y, valid));
    let mut all = empty.clone();
    say("all of these", &mut || all.add(0, &pair).unwrap_or_default());
    let mut ssim = Ssim::new(1000.0);
    say("SSIM", &mut || ssim.add(shape, 0, x, y, valid));
    let mut counts = ValueCounts::default();
    say("Kolmogorov-Smirnov", &mut || counts.add(x, y, valid));
    let mut sample = empty;
    say("all of the sample", &mut || sample.add_to_sample(0, &pair, &beside).unwrap_or_default());
    Ok(())
}

fn timed(turn: &mut dyn FnMut()) -> Duration {
    let begin = Instant::now();
    turn();
    begin.elapsed()
}
