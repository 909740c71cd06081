//! From the levels of a chunk to its bytes: planes, the models, the symbols, and of each frame the shortest form.

use super::coding::{Coding, MAX_FIRST_TABLES, Model, Reference};
use super::decode::levels_checksum;
use super::encode::{ChunkEncoder, assemble};
use super::fit::{Fit, Sample};
use super::front::{Achieved, Front};
use super::levels::Levels;
use super::mask;
use super::numbers;
use super::planes::{PAD, Plane};
use super::segment::{Exceptions, HAS_EXCEPTIONS, Mode, head_byte};
use super::symbols::{Frame, Predicted, Sparse, SymbolCounts};
use super::tables::{self, Counts, MAX_TABLES};
use crate::Result;
use crate::cpu::Level;
use crate::kernels::predict::classes::{N_CLASSES, threshold};
use crate::kernels::predict::{Scale, WEIGHT_BITS};
use crate::kernels::quantise::{LevelTable, Quantiser};
use crate::kernels::rans::{Encoder, MAX_LANES, N_TOKENS};

/// A chunk whose levels are known.
pub(super) struct Work<'a> {
    pub(super) encoder: &'a ChunkEncoder<'a>,
    pub(super) quantiser: &'a Quantiser,
    pub(super) frames: Vec<Levels>,
    pub(super) sentinels: Vec<u32>,
    pub(super) achieved: Achieved,
    /// The levels of the least and the greatest value.
    pub(super) ends: (i64, i64),
}

/// How the frames of a chunk are predicted.
struct Prediction {
    reference: Reference,
    mean: Option<(Levels, Plane)>,
    model: Fit,
    first: Option<Fit>,
}

/// The symbols of all frames, and of the stored reference before them.
struct Symbols {
    predicted: Vec<Predicted>,
    sparse: Vec<Option<Sparse>>,
    counts: SymbolCounts,
    first_counts: SymbolCounts,
    sparse_counts: [Counts; 2],
}

/// The tables of a model, and for each class the number of its table.
struct Tabled {
    model: Model,
    of_class: [u8; N_CLASSES],
}

impl Work<'_> {
    fn width(&self) -> usize {
        self.encoder.header.width as usize
    }

    fn height(&self) -> usize {
        self.encoder.header.height as usize
    }

    pub(super) fn chunk(&self, src: &[u8]) -> Result<Vec<u8>> {
        let scale = self.scale();
        let mut planes: Vec<Plane> = self.frames.iter().map(|frame| self.plane(frame, &scale)).collect();
        let prediction = self.prediction(&mut planes);
        let symbols = self.symbols(&planes, &prediction, &scale);
        let model = tabled(&prediction.model, &symbols.counts.of_classes(), &scale, MAX_TABLES);
        let first_scale = if prediction.mean.is_some() { Scale { origin: 0, shift: 0, ..scale } } else { scale };
        let first = prediction
            .first
            .as_ref()
            .map(|fit| tabled(fit, &symbols.first_counts.of_classes(), &first_scale, MAX_FIRST_TABLES));
        let has_sparse = symbols.sparse.iter().any(Option::is_some);
        let table = LevelTable::new(self.quantiser.clone(), self.ends.0, self.ends.1);
        let coding = Coding {
            levels: self.ends,
            levels_checksum: levels_checksum(&table),
            reference: prediction.reference,
            n_lanes: self.n_lanes(),
            scale,
            model: model.model.clone(),
            first: first.as_ref().map(|first| first.model.clone()),
            sparse: has_sparse.then(|| symbols.sparse_counts.each_ref().map(tables::frequencies)),
        };
        let segments = self.segments(src, &coding, &symbols, &model, first.as_ref());
        let mut sets = Vec::new();
        mask::put_chunk(&mut sets, self.sentinels.len(), self.first_mask(), self.width());
        let sets = mask::split(&sets, self.sentinels.len())?;
        let sentinels = self.sentinels.clone();
        let front =
            Front { header: self.encoder.header, achieved: self.achieved, sentinels, sets, coding: Some(coding) };
        assemble(&front, &segments)
    }

    /// Enough lanes for vectors, and few where frames are small: each costs about 2 bytes a frame.
    fn n_lanes(&self) -> usize {
        let by_size = (self.encoder.header.frame_pixels() / 2048).max(1).next_power_of_two();
        by_size.min(self.width().next_power_of_two()).min(MAX_LANES)
    }

    /// Planes have levels to four times those of all but one pixel in a thousand, if there is room; else about these.
    fn scale(&self) -> Scale {
        let value = |level: i32| self.encoder.header.element.value(level);
        let n = self.encoder.header.frame_pixels();
        let sample = (0..4096_u64).filter_map(|i| {
            let at = (i * 2_654_435_761 % (n as u64 * self.frames.len().max(1) as u64)) as usize;
            let frame = self.frames.get(at / n)?;
            let is_masked = frame.mask.get(at % n).is_some_and(|masked| *masked != 0);
            (!is_masked).then(|| value(frame.levels[at % n]))
        });
        let mut sample: Vec<i64> = sample.collect();
        sample.sort_unstable();
        let at = |share: usize| sample.get(sample.len() * share / 1000).or(sample.last()).copied().unwrap_or(0);
        let (low, high) = (at(1), at(999));
        let (least, most) = ((4 * low).min(0), (4 * high).max(16));
        if let (Ok(least), Ok(most)) = (i16::try_from(least), i16::try_from(most)) {
            return Scale { origin: 0, shift: 0, least, most };
        }
        let half = (high - low) + 16;
        let shift = (0..=16).find(|shift| half >> shift <= i16::MAX.into()).unwrap_or(16);
        let most = (half >> shift).min(i16::MAX.into()) as i16;
        Scale { origin: (low + (high - low) / 2) as i32, shift, least: -most, most }
    }

    fn plane(&self, frame: &Levels, scale: &Scale) -> Plane {
        let mut plane = Plane::new(self.height(), self.width());
        self.enter(&mut plane, frame, scale);
        plane
    }

    /// Enters the pixels in a plane that has the rows before the first one.
    fn enter(&self, plane: &mut Plane, frame: &Levels, scale: &Scale) {
        let width = self.width();
        for (y, levels) in frame.levels.chunks(width).enumerate() {
            plane.enter(self.encoder.level, (y, 0), levels, scale, frame.mask.get(y * width..(y + 1) * width));
            plane.pad(y);
        }
        plane.end();
    }

    /// Gives frames the rows before their first one, of what they are predicted from. Masked pixels of the first row change with these.
    fn begin(&self, planes: &mut [Plane], mean: Option<&Plane>, scale: &Scale) {
        for index in 0..planes.len() {
            let (before, from) = planes.split_at_mut(index);
            let Some((plane, frame)) = from.first_mut().zip(self.frames.get(index)) else { continue };
            plane.begin(mean.or(before.last()));
            if !frame.mask.is_empty() {
                self.enter(plane, frame, scale);
            }
        }
    }

    fn prediction(&self, planes: &mut [Plane]) -> Prediction {
        let header = &self.encoder.header;
        let scale = self.scale();
        let asked = self.encoder.reference.filter(|_| header.may_have_reference() && planes.len() > 1);
        let without = |planes: &[Plane]| Prediction {
            reference: Reference::None,
            mean: None,
            model: self.fit(planes, None, false),
            first: None,
        };
        match asked {
            _ if !header.may_have_reference() => without(planes),
            Some(Reference::None) => without(planes),
            Some(Reference::Previous) => {
                self.begin(planes, None, &scale);
                let model = self.fit(&planes[1..], Some(&planes[..planes.len() - 1]), false);
                let first = self.fit(&planes[..1], None, false);
                Prediction { reference: Reference::Previous, mean: None, model, first: Some(first) }
            }
            asked => {
                let (levels, plane) = self.mean(planes, &scale);
                let mean = std::slice::from_ref(&plane);
                let first = self.fit(mean, None, false);
                let model = self.fit(planes, Some(mean), true);
                // What a reference saves in all frames must be more than what it costs.
                if asked.is_none() {
                    let without = without(planes);
                    let saved = without.model.cost.saturating_sub(model.cost) * planes.len() as u64;
                    if saved <= first.cost + (1 << 16) {
                        return without;
                    }
                }
                self.begin(planes, Some(&plane), &scale);
                Prediction { reference: Reference::Mean, mean: Some((levels, plane)), model, first: Some(first) }
            }
        }
    }

    /// The mean of the frames, as levels of a plane.
    fn mean(&self, planes: &[Plane], scale: &Scale) -> (Levels, Plane) {
        let width = self.width();
        let mut sums = vec![0_i64; width];
        let mut levels = Vec::with_capacity(self.encoder.header.frame_pixels());
        for y in 0..self.height() {
            sums.fill(0);
            for plane in planes {
                let row = &plane.row(y as isize)[PAD..];
                sums.iter_mut().zip(row).for_each(|(sum, pixel)| *sum += i64::from(*pixel));
            }
            levels.extend(sums.iter().map(|sum| rounded_mean(*sum, planes.len())));
        }
        let mask = self.frames.first().map_or_else(Vec::new, |frame| frame.mask.clone());
        let levels = Levels { levels, mask, exceptions: Vec::new() };
        let plane = self.plane(&levels, &Scale { origin: 0, shift: 0, ..*scale });
        (levels, plane)
    }

    fn fit(&self, planes: &[Plane], references: Option<&[Plane]>, is_mean: bool) -> Fit {
        let reference = |index: usize| references.and_then(|all| all.get(index).or(all.last()));
        let frames: Vec<_> = planes.iter().enumerate().map(|(index, plane)| (plane, reference(index))).collect();
        if !self.encoder.header.has_planes() || frames.is_empty() {
            return Fit { taps: Vec::new(), bias: mean_sum(planes, self.height()), cost: 0 };
        }
        Sample { level: self.encoder.level, frames, is_mean, height: self.height(), width: self.width() }.fit()
    }

    fn symbols(&self, planes: &[Plane], prediction: &Prediction, scale: &Scale) -> Symbols {
        let mut symbols = Symbols {
            predicted: Vec::new(),
            sparse: Vec::new(),
            counts: SymbolCounts::new(),
            first_counts: SymbolCounts::new(),
            sparse_counts: [[0; N_TOKENS]; 2],
        };
        let model = bare(&prediction.model);
        let first = prediction.first.as_ref().map(bare);
        let width = self.width();
        if let Some(((levels, plane), first)) = prediction.mean.as_ref().zip(first.as_ref()) {
            let scale = &Scale { origin: 0, shift: 0, ..*scale };
            let frame = Frame { level: self.encoder.level, levels, plane, reference: None, scale, width };
            symbols.predicted.push(frame.predicted(first, &mut symbols.first_counts));
        }
        for (index, (levels, plane)) in self.frames.iter().zip(planes).enumerate() {
            let reference = match prediction.reference {
                Reference::None => None,
                Reference::Mean => prediction.mean.as_ref().map(|(_, plane)| plane),
                Reference::Previous => index.checked_sub(1).and_then(|before| planes.get(before)),
            };
            let frame = Frame { level: self.encoder.level, levels, plane, reference, scale, width };
            let predicted = match first.as_ref().filter(|_| prediction.reference == Reference::Previous && index == 0) {
                Some(first) => frame.predicted(first, &mut symbols.first_counts),
                None => frame.predicted(&model, &mut symbols.counts),
            };
            symbols.predicted.push(predicted);
            symbols.sparse.push(Sparse::new(levels, &mut symbols.sparse_counts));
        }
        symbols
    }

    fn segments(
        &self,
        src: &[u8],
        coding: &Coding,
        symbols: &Symbols,
        model: &Tabled,
        first: Option<&Tabled>,
    ) -> Vec<Vec<u8>> {
        let mut encoders = Encoders {
            level: self.encoder.level,
            model: (Encoder::new(&model.model.tables), &model.of_class),
            first: first.map(|first| (Encoder::new(&first.model.tables), &first.of_class)),
            sparse: coding.sparse.as_ref().map(|sparse| Encoder::new(sparse)),
            n_lanes: coding.n_lanes,
            width: self.width(),
        };
        let (before, predicted) = symbols.predicted.split_at(symbols.predicted.len() - self.frames.len());
        let reference = before.iter().map(|predicted| {
            let head = vec![head_byte(Mode::Taps, true, false)];
            encoders.predicted(predicted, true, head)
        });
        let mut segments: Vec<Vec<u8>> = reference.collect();
        let frame_bytes = self.encoder.header.frame_bytes();
        for (index, predicted) in predicted.iter().enumerate() {
            let is_first = coding.reference == Reference::Previous && index == 0;
            let best = self.shortest(index, predicted, symbols.sparse[index].as_ref(), is_first, &mut encoders);
            segments.push(if best.len() > frame_bytes && coding.reference != Reference::Previous {
                [&[head_byte(Mode::Raw, false, false)], &src[index * frame_bytes..(index + 1) * frame_bytes]].concat()
            } else {
                best
            });
        }
        segments
    }

    /// The mask of the chunk.
    fn first_mask(&self) -> &[u8] {
        self.frames.first().map_or(&[], |frame| &frame.mask)
    }

    /// The shortest of the coded forms of a frame.
    fn shortest(
        &self,
        index: usize,
        predicted: &Predicted,
        sparse: Option<&Sparse>,
        is_first: bool,
        encoders: &mut Encoders<'_>,
    ) -> Vec<u8> {
        let frame = &self.frames[index];
        let has_mask = frame.mask != self.first_mask();
        let mut sets = Vec::new();
        if has_mask {
            mask::put_frame(&mut sets, self.sentinels.len(), self.first_mask(), &frame.mask);
        }
        let has_exceptions = if frame.exceptions.is_empty() { 0 } else { HAS_EXCEPTIONS };
        if has_exceptions != 0 {
            Exceptions::put(&frame.exceptions, &mut sets);
        }
        let head = |mode| [&[head_byte(mode, is_first, has_mask) | has_exceptions], &sets[..]].concat();
        let mut best = encoders.predicted(predicted, is_first, head(Mode::Taps));
        let sparse = sparse.and_then(|sparse| encoders.sparse(sparse, head(Mode::Sparse)));
        let constant = constant(frame).map(|level| {
            let mut out = head(Mode::Constant);
            numbers::put_signed(&mut out, level.into());
            out
        });
        for other in sparse.into_iter().chain(constant) {
            if other.len() < best.len() {
                best = other;
            }
        }
        best
    }
}

/// An encoder and the table of each class, for both models; and one for runs and values.
struct Encoders<'a> {
    level: Level,
    model: (Encoder, &'a [u8; N_CLASSES]),
    first: Option<(Encoder, &'a [u8; N_CLASSES])>,
    sparse: Option<Encoder>,
    n_lanes: usize,
    width: usize,
}

impl Encoders<'_> {
    /// A predicted frame after the `out` that its segment begins with.
    fn predicted(&mut self, predicted: &Predicted, is_first: bool, mut out: Vec<u8>) -> Vec<u8> {
        let (encoder, of_class) = match &mut self.first {
            Some(first) if is_first => first,
            _ => &mut self.model,
        };
        let (stream, bits) = predicted.encode(self.level, encoder, of_class, self.width, self.n_lanes);
        numbers::put_bytes(&mut out, &stream);
        out.extend_from_slice(bits);
        out
    }

    fn sparse(&mut self, sparse: &Sparse, mut out: Vec<u8>) -> Option<Vec<u8>> {
        let (stream, bits) = sparse.encode(self.sparse.as_mut()?);
        numbers::put(&mut out, sparse.n_values() as u64);
        numbers::put_bytes(&mut out, &stream);
        out.extend_from_slice(bits);
        Some(out)
    }
}

/// The level that all pixels have, those that are masked excepted.
fn constant(frame: &Levels) -> Option<i32> {
    let is_masked = |at: usize| frame.mask.get(at).is_some_and(|masked| *masked != 0);
    let mut levels = frame.levels.iter().enumerate().filter(|(at, _)| !is_masked(*at)).map(|(_, level)| *level);
    let first = levels.next().unwrap_or(0);
    levels.all(|level| level == first).then_some(first)
}

/// The mean of what planes hold, as a sum: the prediction where there are no taps.
fn mean_sum(planes: &[Plane], height: usize) -> i32 {
    let (mut sum, mut n) = (0_i64, 0_i64);
    for plane in planes {
        for y in 0..height {
            let row = plane.row(y as isize);
            let pixels = &row[PAD..row.len() - PAD];
            sum += pixels.iter().map(|pixel| i64::from(*pixel)).sum::<i64>();
            n += pixels.len() as i64;
        }
    }
    ((sum << WEIGHT_BITS) / n.max(1)) as i32
}

/// A model without tables.
fn bare(fit: &Fit) -> Model {
    Model { taps: fit.taps.clone(), bias: fit.bias, ..Model::default() }
}

fn tabled(fit: &Fit, counts: &[Counts], scale: &Scale, most: usize) -> Tabled {
    let clusters = tables::cluster(counts, most);
    let thresholds = clusters[1..].iter().map(|(class, _)| threshold(*class, scale)).collect();
    let tables = clusters.iter().map(|(_, counts)| tables::frequencies(counts)).collect();
    let of_class = std::array::from_fn(|class| clusters[1..].iter().filter(|(first, _)| *first <= class).count() as u8);
    Tabled { model: Model { thresholds, tables, ..bare(fit) }, of_class }
}

/// The mean of `n` pixels of planes from their sum, rounded.
fn rounded_mean(sum: i64, n: usize) -> i32 {
    let n = n as i64;
    (2 * sum + n).div_euclid(2 * n) as i32
}

#[cfg(test)]
mod tests {
    use super::rounded_mean;

    #[test]
    fn the_mean_of_many_frames_does_not_overflow() {
        for n in [1_usize, 2, 32_769, 65_537, 33_000_000] {
            for pixel in [i16::MIN, -1, 0, 1, i16::MAX] {
                assert_eq!(rounded_mean(i64::from(pixel) * n as i64, n), i32::from(pixel), "{n} frames");
            }
        }
        assert_eq!([rounded_mean(3, 2), rounded_mean(-3, 2), rounded_mean(4, 3)], [2, -1, 1]);
    }
}
