//! What an experiment makes of the frames: one pass over all of them, in their order, on the calling thread.

use darkchunk_metrics::technique::{Metrics, Technique, TechniqueReport};
use darkchunk_metrics::{Pair, Settings};

use super::Work;
use super::frames::{Stored, order};
use super::pass::Block;
use super::sample::{element_y, y_of};
use crate::Result;

pub(super) fn every_frame<P: Stored>(
    work: &Work,
    technique: &Technique,
    settings: &Settings,
) -> Result<TechniqueReport> {
    let technique = technique.of_frames(work.reference.n_frames);
    let new = Metrics::new(&technique, settings.shape, settings.rules.clone(), settings.noise);
    let mut metrics = new.map_err(super::setting)?;
    let (n_frames, step) = (work.reference.n_frames, work.block_frames());
    let (mut block, mut x_pixels, mut y_pixels) = (Block::default(), Vec::new(), Vec::new());
    let frame_bytes = work.reference.frame_bytes();
    let (element, element_y) = (work.reference.reader.element(), element_y(work));
    for first in (0..n_frames).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        work.read(first, step.min(n_frames - first), &mut block)?;
        let y = y_of(work, &block)?;
        for (x, y) in block.x.chunks_exact(frame_bytes).zip(y.chunks_exact(frame_bytes)) {
            P::read(x, order(element), &mut x_pixels);
            P::read(y, order(element_y), &mut y_pixels);
            metrics.add(&Pair::new(settings.shape, &x_pixels, &y_pixels).map_err(super::setting)?);
        }
    }
    Ok(metrics.report())
}
