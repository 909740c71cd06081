//! The comparison of real numbers: every pixel, and no sample, as no noise is known.

use darkchunk_metrics::{FloatComparison, FloatLimits, FloatReport, Settings, Verdict};
use serde::Serialize;

use super::frames::{Element, Frames};
use super::{Data, Options, Progress, Test, Work, pass, setting};
use crate::{Reader, Result};

/// What was found of real numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundFloats {
    /// What was compared.
    #[serde(flatten)]
    pub data: Data,
    /// Which pixels counted, and the range that was given for PSNR.
    pub settings: Settings,
    /// How the range was given.
    pub range_from: &'static str,
    /// All numbers.
    pub report: FloatReport,
    /// What may be lost.
    pub limits: FloatLimits,
    /// Whether that was kept.
    pub verdict: Verdict,
}

/// Compares real numbers of 32 or 64 bits. Of the options noise, sample and technique are not used. `progress` is called on the calling
/// thread, now and then.
///
/// # Errors
/// As [`run`](super::run).
pub fn run_floats(
    reference: Reader,
    test: Test,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<FoundFloats> {
    let work = super::work(reference, test, options, Frames::of_floats)?;
    match work.reference.reader.element().n_bytes {
        4 => compare::<f32>(&work, progress),
        _ => compare::<f64>(&work, progress),
    }
}

fn compare<P: Element + Into<f64>>(work: &Work, progress: &mut dyn FnMut(Progress)) -> Result<FoundFloats> {
    // Refuses frames that no memory has room for.
    drop(darkchunk::pipeline::buffer(work.reference.frame_bytes())?);
    let (rules, data_range) = (work.options.rules.clone().unwrap_or_default(), work.options.data_range);
    let settings = Settings { rules, data_range, ..Settings::new(work.reference.shape) };
    let mut comparison = FloatComparison::new(settings.clone()).map_err(setting)?;
    let totals = pass::every_pixel::<P, _>(work, &mut comparison, progress)?;
    let report = comparison.report();
    Ok(FoundFloats {
        data: Data::of(work, &totals),
        settings,
        range_from: if data_range.is_some() { "given" } else { "max - min of the reference" },
        report,
        limits: FloatLimits::from(&work.options.limits),
        verdict: work.options.limits.judge_floats(&report),
    })
}
