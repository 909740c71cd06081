//! The sample of frames: which they are, what they say of range and noise, and what costs too much for every pixel.

use darkchunk::element::ElementType;
use darkchunk_metrics::{Beside, Comparison, NoiseModel, Pair, Repeats, Rules};

use super::codec::Cost;
use super::frames::{Stored, order};
use super::pass::{Block, decoded};
use super::preview::Preview;
use super::{Source, Work};
use crate::{Error, Result};

/// Frames that are shown.
const N_SHOWN: usize = 3;

/// The frames of the sample, in order: one at random of each of as many equal parts. The first and the last frame only where there are no
/// others, as they have no frame before or after.
pub(super) fn choose(work: &Work) -> Vec<u64> {
    let n_frames = work.reference.n_frames;
    let (first, end) = if n_frames > 2 { (1, n_frames - 1) } else { (0, n_frames) };
    let n = work.options.n_sampled.clamp(1, end - first);
    let edge = |part: u64| first + (u128::from(end - first) * u128::from(part) / u128::from(n)) as u64;
    let random = |part: u64| split_mix(work.options.seed ^ split_mix(part.wrapping_add(0x9e37_79b9_7f4a_7c15)));
    (0..n).map(|part| edge(part) + random(part) % (edge(part + 1) - edge(part)).max(1)).collect()
}

fn split_mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// What the frames of the sample say.
#[derive(Debug, Default)]
pub(super) struct Looked {
    range: Option<(i64, i64)>,
    repeats: Repeats,
}

impl Looked {
    pub(super) fn range(&self) -> Option<f64> {
        self.range.map(|(least, most)| (most - least) as f64).filter(|range| *range > 0.0)
    }

    pub(super) fn noise(&self) -> Result<NoiseModel> {
        self.repeats.model().ok_or_else(|| {
            Error::Argument(
                "the noise cannot be found from repeats: it takes three frames that follow each other and differ"
                    .into(),
            )
        })
    }
}

/// Looks at x alone.
pub(super) fn look<P: Stored>(work: &Work, rules: &Rules, sample: &[u64]) -> Result<Looked> {
    let mut looked = Looked::default();
    let wants_repeats = work.options.noise == super::Noise::Repeats;
    if work.options.data_range.is_some() && !wants_repeats {
        return Ok(looked);
    }
    let element = work.reference.reader.element();
    let mut bytes = darkchunk::pipeline::buffer(work.reference.frame_bytes())?;
    for frame in sample {
        let mut read = |frame: u64| -> Result<Vec<P>> {
            let mut pixels = Vec::new();
            work.reference.read(frame, &mut bytes)?;
            P::read(&bytes, order(element), &mut pixels);
            Ok(pixels)
        };
        let x = read(*frame)?;
        let valid: Vec<bool> = x.iter().enumerate().map(|(at, x)| rules.counts(at, x.value())).collect();
        for x in x.iter().zip(&valid).filter(|(_, valid)| **valid).map(|(x, _)| x.value()) {
            let range = looked.range.get_or_insert((x, x));
            *range = (range.0.min(x), range.1.max(x));
        }
        if wants_repeats && *frame > 0 && frame + 1 < work.reference.n_frames {
            looked.repeats.add([&read(frame - 1)?, &x, &read(frame + 1)?], &valid);
        }
    }
    Ok(looked)
}

/// Frames of the sample that follow each other, read with those beside them.
struct Window {
    first: u64,
    end: u64,
    block: Block,
}

/// Adds the sample to the comparison, and returns the frames that are shown.
pub(super) fn add<P: Stored>(work: &Work, sample: &[u64], comparison: &mut Comparison) -> Result<Vec<Preview>> {
    let shown = shown(sample);
    let noise = comparison.settings().noise;
    let mut previews = Vec::new();
    let windows: Vec<(u64, u64)> = if work.options.all {
        let step = (8 << 20) / work.reference.frame_bytes() as u64 + 1;
        (0..work.reference.n_frames)
            .step_by(step as usize)
            .map(|first| (first, (first + step).min(work.reference.n_frames)))
            .collect()
    } else {
        sample.iter().map(|frame| (*frame, frame + 1)).collect()
    };
    let empty = Comparison::new(comparison.settings().clone()).map_err(super::setting)?;
    for batch in windows.chunks(work.n_threads()) {
        let read: Vec<Window> = batch.iter().map(|(first, end)| window(work, *first, *end)).collect::<Result<_>>()?;
        let parts: Vec<Result<(Comparison, Vec<Preview>)>> = std::thread::scope(|scope| {
            let (empty, shown, noise) = (&empty, &shown[..], noise.as_ref());
            let one = |window| scope.spawn(move || one_window::<P>(work, window, empty.clone(), shown, noise));
            let threads: Vec<_> = read.iter().map(one).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
        });
        for part in parts {
            let (part, more) = part?;
            comparison.merge(&part);
            previews.extend(more);
        }
    }
    Ok(previews)
}

pub(super) fn panicked() -> Error {
    Error::Argument("a thread that compared frames ended unexpectedly".into())
}

/// Frames that are shown: the first, the middle and the last of the sample.
fn shown(sample: &[u64]) -> Vec<u64> {
    let mut places = vec![0, sample.len() / 2, sample.len() - 1];
    places.dedup();
    places.truncate(N_SHOWN);
    places.into_iter().map(|at| sample[at]).collect()
}

/// Reads the frames from `first` to `end`, those beside them, and what the codec needs to make y of them.
fn window(work: &Work, first: u64, end: u64) -> Result<Window> {
    let unit = work.unit_frames();
    let begin = first.saturating_sub(1) / unit * unit;
    let after = ((end + 1).div_ceil(unit) * unit).min(work.reference.n_frames);
    let mut block = Block::default();
    work.read(begin, after - begin, &mut block)?;
    Ok(Window { first, end, block })
}

fn one_window<P: Stored>(
    work: &Work,
    window: &Window,
    mut comparison: Comparison,
    shown: &[u64],
    noise: Option<&NoiseModel>,
) -> Result<(Comparison, Vec<Preview>)> {
    let (shape, frame_bytes) = (work.reference.shape, work.reference.frame_bytes());
    let y = y_of(work, &window.block)?;
    let element_y = element_y(work);
    let frames = |bytes: &[u8], element| -> Vec<Vec<P>> {
        let frame = |bytes: &[u8]| {
            let mut pixels = Vec::new();
            P::read(bytes, order(element), &mut pixels);
            pixels
        };
        bytes.chunks_exact(frame_bytes).map(frame).collect()
    };
    let (x, y) = (frames(&window.block.x, work.reference.reader.element()), frames(&y, element_y));
    let pair = |at: usize| Pair::new(shape, &x[at], &y[at]).map_err(super::setting);
    let mut previews = Vec::new();
    for frame in window.first..window.end {
        let at = (frame - window.block.first) as usize;
        let previous = at.checked_sub(1).map(pair).transpose()?;
        let beside = Beside { previous, next: x.get(at + 1).map(Vec::as_slice) };
        comparison.add_to_sample(frame, &pair(at)?, &beside).map_err(super::setting)?;
        if shown.contains(&frame) {
            previews.push(Preview::new(frame, &pair(at)?, noise, &comparison.settings().rules));
        }
    }
    Ok((comparison, previews))
}

pub(super) fn element_y(work: &Work) -> ElementType {
    match &work.test {
        Source::Dataset(test) => test.reader.element(),
        Source::Codec(_) => work.reference.reader.element(),
    }
}

/// y of a block that begins and ends with units.
pub(super) fn y_of(work: &Work, block: &Block) -> Result<Vec<u8>> {
    let Source::Codec(applied) = &work.test else { return Ok(block.y.clone()) };
    let unit_bytes = applied.chunk_frames as usize * work.reference.frame_bytes();
    let mut y = Vec::with_capacity(block.x.len());
    for (x, first) in block.x.chunks(unit_bytes).zip((block.first..).step_by(applied.chunk_frames as usize)) {
        y.extend_from_slice(&decoded(work, first, x, &[], &mut Cost::default())?.0);
    }
    Ok(y)
}
