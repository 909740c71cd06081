//! Which pixels count: not masked, no sentinels, not saturated. The others have to be exact.

use std::sync::Arc;

use crate::block::BLOCK_PIXELS;
use crate::isa::widest;
use crate::{Error, Pair, Pixel, Result, Shape};

/// Which pixels are measurements.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rules {
    /// Values of x that stand for "no measurement".
    pub sentinels: Vec<i64>,
    /// Values of x from here on are saturated.
    pub saturation: Option<i64>,
    /// Negative values of x stand for "no measurement".
    pub negative_is_masked: bool,
    /// For each pixel of a frame, whether it is masked.
    #[serde(skip)]
    pub mask: Option<Arc<[bool]>>,
}

/// What became of the pixels that do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Exactness {
    /// Masked pixels and sentinels.
    pub n_masked: u64,
    /// Those of them that changed.
    pub n_masked_changed: u64,
    /// Saturated pixels.
    pub n_saturated: u64,
    /// Those of them that changed.
    pub n_saturated_changed: u64,
    /// Measurements that became a sentinel, or a value from the saturation on.
    pub n_became_invalid: u64,
}

impl Exactness {
    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        self.n_masked += other.n_masked;
        self.n_masked_changed += other.n_masked_changed;
        self.n_saturated += other.n_saturated;
        self.n_saturated_changed += other.n_saturated_changed;
        self.n_became_invalid += other.n_became_invalid;
    }
}

impl Rules {
    /// Every pixel counts.
    #[must_use]
    pub fn are_empty(&self) -> bool {
        self.sentinels.is_empty() && self.saturation.is_none() && !self.negative_is_masked && self.mask.is_none()
    }

    /// Whether the pixel at this place of a frame counts, if it has this value of x.
    #[must_use]
    pub fn counts(&self, at: usize, x: i64) -> bool {
        let is_masked = self.mask.as_ref().and_then(|mask| mask.get(at)).is_some_and(|masked| *masked);
        !is_masked && self.is_measured(x)
    }

    /// # Errors
    /// [`Error::Setting`] for a mask of another shape.
    pub(crate) fn check(&self, shape: Shape) -> Result<()> {
        match &self.mask {
            Some(mask) if mask.len() != shape.n_pixels() => Err(Error::Setting(format!(
                "the mask has {} pixels, and a frame {} x {}",
                mask.len(),
                shape.height,
                shape.width
            ))),
            _ => Ok(()),
        }
    }

    fn is_measured(&self, x: i64) -> bool {
        let is_masked = self.sentinels.contains(&x) || (self.negative_is_masked && x < 0);
        !is_masked && self.saturation.is_none_or(|saturation| x < saturation)
    }

    /// Whether each pixel of a pair counts, in `valid`; what became of the others. `false` where all of them count, and `valid` is
    /// empty then.
    pub(crate) fn apply<P: Pixel>(&self, pair: &Pair<'_, P>, valid: &mut Vec<bool>, found: &mut Exactness) -> bool {
        valid.clear();
        if self.are_empty() || !self.may_exclude(pair) {
            return false;
        }
        valid.resize(pair.x.len(), true);
        for (at, valid) in valid.chunks_mut(BLOCK_PIXELS).enumerate() {
            let at = at * BLOCK_PIXELS..at * BLOCK_PIXELS + valid.len();
            let mask = self.mask.as_ref().map(|mask| &mask[at.clone()]);
            let block = Pair { shape: pair.shape, x: &pair.x[at.clone()], y: &pair.y[at] };
            apply_to_block(self, &block, mask, valid, found);
        }
        valid.contains(&false)
    }

    /// Without branches, so that vectors do it.
    #[inline(always)]
    fn apply_to_block<P: Pixel>(
        &self,
        block: &Pair<'_, P>,
        mask: Option<&[bool]>,
        valid: &mut [bool],
        found: &mut Exactness,
    ) {
        if let Some(mask) = mask {
            valid.iter_mut().zip(mask).for_each(|(valid, masked)| *valid = !masked);
        }
        self.leave_measured(block.x, valid);
        let excluded = |valid: &[bool]| {
            (count(block, valid, |valid, _| !valid), count(block, valid, |valid, changed| !valid & changed))
        };
        let (n_masked, n_masked_changed) = excluded(valid);
        self.leave_unsaturated(block.x, valid);
        let (n_all, n_all_changed) = excluded(valid);
        found.n_masked += n_masked;
        found.n_masked_changed += n_masked_changed;
        found.n_saturated += n_all - n_masked;
        found.n_saturated_changed += n_all_changed - n_masked_changed;
        // Of a measurement that is one after, too, nothing is left.
        let mut became = [false; BLOCK_PIXELS];
        let became = &mut became[..valid.len()];
        became.copy_from_slice(valid);
        self.leave_measured(block.y, became);
        self.leave_unsaturated(block.y, became);
        became.iter_mut().zip(&*valid).for_each(|(became, valid)| *became = valid & !*became);
        found.n_became_invalid += count(block, became, |became, changed| became & changed);
    }

    #[inline(always)]
    fn leave_unsaturated<P: Pixel>(&self, x: &[P], valid: &mut [bool]) {
        if let Some(saturation) = self.saturation {
            valid.iter_mut().zip(x).for_each(|(valid, x)| *valid &= x.value() < saturation);
        }
    }

    /// Makes those invalid whose value stands for no measurement.
    #[inline(always)]
    fn leave_measured<P: Pixel>(&self, x: &[P], valid: &mut [bool]) {
        for sentinel in &self.sentinels {
            valid.iter_mut().zip(x).for_each(|(valid, x)| *valid &= x.value() != *sentinel);
        }
        if self.negative_is_masked {
            valid.iter_mut().zip(x).for_each(|(valid, x)| *valid &= x.value() >= 0);
        }
    }

    /// Whether a pixel of either frame may be excluded: by the least and the greatest values, which are found fast.
    fn may_exclude<P: Pixel>(&self, pair: &Pair<'_, P>) -> bool {
        if self.mask.is_some() {
            return true;
        }
        let range = |frame: &[P]| {
            let first = frame[0];
            frame.iter().fold((first, first), |(least, most), pixel| (least.min(*pixel), most.max(*pixel)))
        };
        let ((x_least, x_most), (y_least, y_most)) = (range(pair.x), range(pair.y));
        let (least, most) = (x_least.min(y_least).value(), x_most.max(y_most).value());
        self.sentinels.iter().any(|sentinel| (least..=most).contains(sentinel))
            || self.saturation.is_some_and(|saturation| most >= saturation)
            || (self.negative_is_masked && least < 0)
    }
}

widest! {
    fn apply_to_block<P: Pixel>(
        rules: &Rules,
        block: &Pair<'_, P>,
        mask: Option<&[bool]>,
        valid: &mut [bool],
        found: &mut Exactness,
    ) {
        rules.apply_to_block(block, mask, valid, found);
    }
}

/// How many pixels are so, by a mark of theirs and whether they changed.
#[inline(always)]
fn count<P: Pixel>(block: &Pair<'_, P>, marks: &[bool], is: impl Fn(bool, bool) -> bool) -> u64 {
    let pixels = marks.iter().zip(block.x.iter().zip(block.y));
    pixels.fold(0u32, |n, (mark, (x, y))| n + u32::from(is(*mark, x != y))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(rules: &Rules, x: &[i32], y: &[i32]) -> (Vec<bool>, Exactness) {
        let (mut valid, mut found) = (Vec::new(), Exactness::default());
        let shape = Shape { height: 1, width: x.len() };
        let any = rules.apply(&Pair::new(shape, x, y).unwrap(), &mut valid, &mut found);
        (if any { valid } else { vec![true; x.len()] }, found)
    }

    #[test]
    fn each_kind_is_counted_and_changes_of_it_are() {
        let rules = Rules { sentinels: vec![99], saturation: Some(50), negative_is_masked: true, mask: None };
        let (valid, found) = apply(&rules, &[1, 99, 99, -1, 50, 60, 7, 8], &[2, 99, 98, -2, 50, 61, 99, 50]);
        assert_eq!(valid, [true, false, false, false, false, false, true, true]);
        let expected =
            Exactness { n_masked: 3, n_masked_changed: 2, n_saturated: 2, n_saturated_changed: 1, n_became_invalid: 2 };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_mask_excludes_its_pixels_whatever_they_are() {
        let rules = Rules { mask: Some([false, true, false].into()), ..Rules::default() };
        let (valid, found) = apply(&rules, &[1, 2, 3], &[1, 5, 3]);
        assert_eq!((valid, found.n_masked, found.n_masked_changed), (vec![true, false, true], 1, 1));
        assert!(rules.check(Shape { height: 2, width: 3 }).is_err());
    }

    #[test]
    fn frames_in_which_nothing_is_excluded_are_known_by_their_range() {
        let rules = Rules { sentinels: vec![65_535], saturation: Some(60_000), ..Rules::default() };
        assert_eq!(apply(&rules, &[1, 59_999], &[1, 59_998]), (vec![true, true], Exactness::default()));
        // A pixel that became a sentinel is noticed though x has none.
        assert_eq!(apply(&rules, &[1, 5], &[1, 65_535]).1.n_became_invalid, 1);
    }
}
