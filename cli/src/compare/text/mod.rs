//! The report as text of 80 columns; numbers with their meaning, for both reports.

mod technique;

use darkchunk_metrics::{Check, NOTHING_MEASURED, Verdict};
use darkchunk_stream::compare::{Data, Found};

use super::Names;
use crate::output::{bytes, wrapped};

/// A metric: its name, its number, what it means.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) number: String,
    pub(super) meaning: String,
}

pub(super) fn report(names: &Names, found: &Found, is_verbose: bool) -> String {
    let mut text = wrapped(0, &verdict(&found.verdict));
    text += &wrapped(2, &format!("reference: {}", names.reference));
    text += &wrapped(2, &format!("test: {}", names.test));
    for line in facts(found) {
        text += &wrapped(2, &line);
    }
    text += &checks(&found.verdict);
    for line in lines(found) {
        text += &wrapped(2, &format!("{}: {}", line.name, line.number));
        if is_verbose {
            text += &wrapped(6, &line.meaning);
        }
    }
    text
}

/// A line for each limit.
pub(super) fn checks(verdict: &Verdict) -> String {
    let line = |check: &Check| {
        let mark = if check.is_kept { "kept  " } else { "BROKEN" };
        let (found, limit) = (number(check.found), number(check.limit));
        wrapped(2, &format!("{mark} {}: {found} (limit {limit}): {}", check.name, check.text))
    };
    verdict.checks.iter().map(line).collect()
}

/// `PASSES` or `FAILS`, and why.
pub(super) fn verdict(verdict: &Verdict) -> String {
    let broken: Vec<&Check> = verdict.checks.iter().filter(|check| !check.is_kept).collect();
    let names = broken.iter().map(|check| check.name).collect::<Vec<_>>().join(", ");
    let n = verdict.checks.len();
    if broken.is_empty() {
        format!("PASSES: all {n} limits are kept")
    } else {
        let nothing = broken.iter().find(|check| check.name == NOTHING_MEASURED);
        let why = nothing.map_or(String::new(), |check| format!("; {}", check.text));
        format!("FAILS: {} of {n} limits are broken: {names}{why}", broken.len())
    }
}

/// What was compared.
pub(super) fn data_facts(data: &Data) -> Vec<String> {
    let (height, width) = (data.shape.height, data.shape.width);
    let mut facts = vec![format!(
        "{} frames of {height} x {width} pixels, {}, {}",
        data.n_frames,
        data.element,
        bytes(data.n_bytes)
    )];
    if let (Some(stored), Some(ratio), Some(bits)) = (data.test_stored, data.ratio(), data.bits_a_pixel()) {
        facts.push(format!("stored in {}: ratio {ratio:.2}, {bits:.3} bits a pixel", bytes(stored)));
    }
    if let Some(speed) = data.speed {
        let of = |speed: f64| {
            if speed < 1e8 { format!("{:.1} MB/s", speed / 1e6) } else { format!("{:.2} GB/s", speed / 1e9) }
        };
        facts.push(format!("on one core here: encoded at {}, decoded at {}", of(speed.encode), of(speed.decode)));
    }
    facts.push(format!("CRC-32 of the elements: {:08x} and {:08x}", data.reference_crc32, data.test_crc32));
    facts
}

/// The same, and how counts were compared.
pub(super) fn facts(found: &Found) -> Vec<String> {
    let mut facts = data_facts(&found.data);
    match &found.settings.noise {
        Some(noise) => facts.push(format!(
            "variance of a pixel: {} (x - {}) + {}, {}",
            number(noise.gain),
            number(noise.offset),
            number(noise.read_variance),
            found.noise_from
        )),
        None => facts.push("no model of the noise: nothing is said in sigma".into()),
    }
    facts.push(match found.sample.as_slice() {
        [] => "SSIM and others of all frames".into(),
        frames => format!("SSIM and others of {} frames: {}", frames.len(), listed(frames)),
    });
    facts
}

fn listed(frames: &[u64]) -> String {
    let shown: Vec<String> = frames.iter().take(16).map(u64::to_string).collect();
    shown.join(", ") + if frames.len() > 16 { ", ..." } else { "" }
}

/// All metrics in order.
pub(super) fn lines(found: &Found) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(found) = &found.technique {
        technique::of_technique(found, &mut lines);
    }
    in_sigma(found, &mut lines);
    in_counts(found, &mut lines);
    of_sample(found, &mut lines);
    lines
}

fn add(lines: &mut Vec<Line>, name: &'static str, number: String, meaning: &str) {
    lines.push(Line { name, number, meaning: meaning.to_owned() });
}

fn in_sigma(found: &Found, lines: &mut Vec<Line>) {
    let Some(sigma) = &found.report.sigma else { return };
    add(
        lines,
        "error in sigma",
        format!(
            "at most {}; 99.9 % of pixels {}; rms {}",
            number(sigma.max),
            number(sigma.quantile_999),
            number(sigma.rms)
        ),
        "How far a pixel is from what was measured, in units of its own noise. Below 1 the change is smaller than what another exposure would change.",
    );
    add(
        lines,
        "noise inflation",
        format!("{:.4}", sigma.inflation),
        "By how much the noise of a pixel grew. Steps of one sigma give 1.041: as if 8 % fewer photons had been counted.",
    );
    if let Some(flux) = &found.report.flux {
        add(
            lines,
            "flux of frames",
            format!(
                "rms {} sigma; worst {} sigma in frame {}",
                number(flux.rms_in_sigma),
                number(flux.worst_in_sigma),
                flux.worst_frame
            ),
            "The sum of a frame's counts, in units of its own noise: whether normalisation and dose still hold.",
        );
    }
    if let Some(tile) = &found.report.tiles.worst {
        let place = format!("frame {}, from row {}, column {}", tile.frame.unwrap_or(0), tile.row, tile.column);
        add(
            lines,
            "worst tile",
            format!("rms {} sigma: {place}", number(tile.value)),
            "The square of 32 x 32 pixels with the largest errors, of all frames: damage in one place does not hide in a mean.",
        );
    }
}

fn in_counts(found: &Found, lines: &mut Vec<Line>) {
    let (errors, pixels) = (&found.report.errors, &found.report.pixels);
    add(
        lines,
        "error in counts",
        format!("at most {}; 100th largest {}; rms {}", errors.max_error, errors.max_error_100th, number(errors.rmse)),
        "Without regard to noise: what an absolute bound promises.",
    );
    add(
        lines,
        "bias",
        format!("{} +- {} counts", number(errors.bias), number(found.report.tiles.bias_error)),
        "The mean of all errors, and how well it is known. Averages over many pixels are off by it.",
    );
    let relative = errors.flux.map_or("-".into(), |flux| format!("{:+.2e}", flux));
    add(lines, "sum of all counts", relative, "Its relative change.");
    let parts = |p: [f64; 3]| p.map(|part| format!("{:.2}", 100.0 * part)).join(", ");
    add(
        lines,
        "zeros",
        format!(
            "{} became another value; {} pixels became 0, with {} counts; pixels of 0, 1, 2 counts: {} % before, {} % after",
            pixels.n_from_zero,
            pixels.n_to_zero,
            pixels.counts_to_zero,
            parts(pixels.p_before),
            parts(pixels.p_after)
        ),
        "Whether single photons are kept.",
    );
    let psnr = errors.psnr.map_or("infinite".into(), |psnr| format!("{psnr:.2} dB"));
    add(
        lines,
        "PSNR",
        format!("{psnr} for a range of {}", number(errors.psnr_range)),
        "The range over the rms error. It knows no noise: compare it only between codecs on the same data.",
    );
    let r = |r: Option<f64>| r.map_or("-".into(), |r| format!("{r:.6}"));
    add(
        lines,
        "correlation",
        format!("of x and y {}, of errors and x {}", r(errors.pearson), r(errors.error_correlation)),
        "The second is 0 where errors do not depend on the intensity.",
    );
}

fn of_sample(found: &Found, lines: &mut Vec<Line>) {
    let sample = &found.report.sample;
    if let (Some(ssim), Some((worst, frame)), Some(range)) =
        (sample.ssim, sample.ssim_worst_frame, found.settings.data_range)
    {
        add(
            lines,
            "SSIM",
            format!("{ssim:.6}; worst {worst:.6} in frame {frame}; range {} ({})", number(range), found.range_from),
            "Likeness to the eye, 1 for the same. It depends on the range that it is computed for.",
        );
    }
    if let Some(ks) = sample.ks {
        add(
            lines,
            "Kolmogorov-Smirnov",
            format!("D = {:.4}, p = {:.2e}", ks.d, ks.p),
            "How far the distributions of values are apart. Levels of a quantiser show here, though harmless.",
        );
    }
    if let Some(lag) = sample.autocorrelation_worst {
        add(
            lines,
            "autocorrelation of errors",
            format!("rho = {:.4} at {} columns, {} rows, {} frames", lag.rho, lag.dx, lag.dy, lag.dt),
            "0 for errors that are independent; otherwise averages over neighbours do not reduce them.",
        );
    }
    if let Some(dispersion) = sample.dispersion {
        add(
            lines,
            "variance over mean in time",
            format!("{:.4} before, {:.4} after", dispersion.before, dispersion.after),
            "For a scene that stands still: 1 for photons.",
        );
    }
    if let Some(spots) = &sample.spots {
        add(
            lines,
            "spots",
            format!("{:.1} a frame; {} lost. {}", spots.spots_per_frame, spots.n_lost, spots.text()),
            "Groups of pixels above 0. A hit that is lost cannot be found again.",
        );
    }
    add(
        lines,
        "ghosts",
        sample.ghost.text(),
        "Whether errors follow another frame, as they may if frames are predicted from each other.",
    );
    add(lines, "shadows", sample.shadow.text(), "Whether pixels round hot pixels and bright spots are pulled one way.");
}

/// A number with four digits that count.
pub(super) fn number(number: f64) -> String {
    let magnitude = number.abs();
    if number == 0.0 || (magnitude >= 1.0 && number.fract() == 0.0 && magnitude < 1e9) {
        return format!("{number}");
    }
    match magnitude {
        1e-3..1.0 => format!("{number:.4}"),
        1.0..10.0 => format!("{number:.3}"),
        10.0..1000.0 => format!("{number:.2}"),
        1000.0..1e9 => format!("{number:.0}"),
        _ => format!("{number:.2e}"),
    }
}
