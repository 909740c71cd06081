//! Plots as SVG within the page: colours are the page's, so that both themes and paper have theirs.

use std::fmt::Write;

use darkchunk_metrics::technique::{Frc, FrcRing};
use darkchunk_metrics::{BiasAtMean, Lag};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Of labels: the height of a line, and a width that few characters exceed.
const LINE: f64 = 14.0;
const CHARACTER: f64 = 6.5;

/// An axis: from, to, and whether it is logarithmic.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) is_log: bool,
}

impl Axis {
    /// Where a number is, 0 to 1.
    fn place(&self, number: f64) -> f64 {
        let of = |number: f64| if self.is_log { number.max(f64::MIN_POSITIVE).log10() } else { number };
        (of(number) - of(self.from)) / (of(self.to) - of(self.from)).max(f64::MIN_POSITIVE)
    }

    /// Numbers to be shown.
    fn ticks(&self) -> Vec<f64> {
        if self.is_log {
            let (first, last) = (self.from.log10().ceil() as i32, self.to.log10().floor() as i32);
            let step = ((last - first) / 7 + 1).max(1);
            if last - first < 1 {
                let decades = first - 1..=last + 1;
                let numbers = decades.flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10f64.powi(power)));
                return numbers.filter(|tick| (self.from..=self.to).contains(tick)).collect();
            }
            return (first..=last).step_by(step as usize).map(|power| 10f64.powi(power)).collect();
        }
        let rough = (self.to - self.from) / 6.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = (self.from / step).ceil() as i64;
        (first..).map(|n| n as f64 * step).take_while(|tick| *tick <= self.to + step * 1e-9).collect()
    }
}

/// A plot within the page.
pub(crate) struct Plot {
    svg: String,
    x: Axis,
    y: Axis,
}

impl Plot {
    pub(crate) fn new(label: &str, x: (Axis, &str), y: (Axis, &str)) -> Self {
        let mut plot = Self { svg: String::new(), x: x.0, y: y.0 };
        let _ = write!(plot.svg, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">");
        for tick in plot.x.ticks() {
            let at = plot.at_x(tick);
            let (top, bottom) = (TOP, HEIGHT - BOTTOM);
            plot.line("grid", (at, top), (at, bottom));
            plot.text(at, bottom + 15.0, "middle", &shown(tick));
        }
        for tick in plot.y.ticks() {
            let at = plot.at_y(tick);
            plot.line("grid", (LEFT, at), (WIDTH - RIGHT, at));
            plot.text(LEFT - 6.0, at + 4.0, "end", &shown(tick));
        }
        plot.text((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0, "middle", x.1);
        let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
        let _ = write!(
            plot.svg,
            "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(12 {middle:.1}) rotate(-90)\">{}</text>",
            y.1
        );
        plot
    }

    fn at_x(&self, number: f64) -> f64 {
        LEFT + self.x.place(number).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, number: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(number).clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ =
            write!(self.svg, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
    }

    fn text(&mut self, x: f64, y: f64, anchor: &str, text: &str) {
        let _ =
            write!(self.svg, "<text class=\"label\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
    }

    /// A line through points.
    pub(crate) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let places = points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.at_x(*x), self.at_y(*y)));
        let places = places.collect::<Vec<_>>().join(" ");
        let _ = write!(self.svg, "<polyline class=\"{class}\" points=\"{places}\"/>");
    }

    /// A mark at a point, which says its numbers.
    pub(crate) fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        let (at_x, at_y, shown_x, shown_y) = (self.at_x(x), self.at_y(y), shown(x), shown(y));
        let _ = write!(
            self.svg,
            "<circle class=\"{class}\" cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"2.6\"><title>{shown_x}: {shown_y}</title></circle>"
        );
    }

    pub(crate) fn end(mut self) -> String {
        self.svg += "</svg>";
        self.svg
    }
}

/// A tick's number: `0.2`, `10⁴`.
fn shown(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude >= 1e5 || (magnitude > 0.0 && magnitude < 1e-3) {
        return format!("{number:.0e}");
    }
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How many pixels have which e / σ: bins of a 64th, from −32 to 32.
pub(super) fn histogram(bins: &[u64]) -> String {
    let zero = bins.len() / 2;
    let last = bins.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, _)| at.abs_diff(zero)).max().unwrap_or(1);
    let (side, most) = ((last as f64 / 64.0 * 1.1).clamp(0.25, 32.0), bins.iter().max().copied().unwrap_or(1).max(10));
    // Few enough bars for the width of the plot.
    let together = ((side * 128.0 / 160.0).ceil() as usize).max(1);
    let x = Axis { from: -side, to: side, is_log: false };
    let y = Axis { from: 0.7, to: most as f64 * together as f64 * 1.3, is_log: true };
    let mut plot = Plot::new("Errors in sigma", (x, "error / sigma of the pixel"), (y, "pixels"));
    let bottom = HEIGHT - BOTTOM;
    let reach = (side * 64.0) as usize;
    for first in (zero.saturating_sub(reach)..=(zero + reach).min(bins.len() - 1)).step_by(together) {
        let n: u64 = bins[first..(first + together).min(bins.len())].iter().sum();
        if n == 0 {
            continue;
        }
        let edge = |at: usize| (at as f64 - zero as f64 - 0.5) / 64.0;
        let (left, right, top) = (plot.at_x(edge(first)), plot.at_x(edge(first + together)), plot.at_y(n as f64));
        let (width, height) = ((right - left - 0.3).max(0.6), bottom - top);
        let _ = write!(
            plot.svg,
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }
    plot.end()
}

/// Bias by the mean, with three standard errors, and the limit.
pub(super) fn bias(points: &[BiasAtMean], limit: Option<f64>) -> String {
    let positive = points.iter().filter(|point| point.mean > 0.0);
    let means: Vec<f64> = positive.clone().map(|point| point.mean).collect();
    let (Some(from), Some(to)) = (means.first(), means.last()) else { return String::new() };
    let reach = |point: &BiasAtMean| point.in_sigma.abs() + 3.0 * point.error;
    let side = positive.clone().map(reach).fold(limit.unwrap_or(0.0) * 1.2, f64::max).max(1e-4) * 1.1;
    let x = Axis { from: from * 0.9, to: (to * 1.1).max(from * 2.0), is_log: true };
    let y = Axis { from: -side, to: side, is_log: false };
    let mut plot = Plot::new("Bias by intensity", (x, "mean of the pixels, in counts"), (y, "bias / sigma"));
    plot.line("axis", (LEFT, plot.at_y(0.0)), (WIDTH - RIGHT, plot.at_y(0.0)));
    for limit in limit.into_iter().flat_map(|limit| [limit, -limit]) {
        plot.line("limit", (LEFT, plot.at_y(limit)), (WIDTH - RIGHT, plot.at_y(limit)));
    }
    for point in positive {
        let (at, error) = (plot.at_x(point.mean), 3.0 * point.error);
        plot.line("error", (at, plot.at_y(point.in_sigma - error)), (at, plot.at_y(point.in_sigma + error)));
        let y = plot.at_y(point.in_sigma);
        let _ = write!(plot.svg, "<circle class=\"point\" cx=\"{at:.1}\" cy=\"{y:.1}\" r=\"2.6\"/>");
    }
    plot.end()
}

/// A curve before and one after; both may be empty. Labels of x and y; a logarithmic y shows what is above 0.
pub(super) fn curves(labels: (&str, &str), [before, after]: &[Vec<(f64, f64)>; 2], is_log: bool) -> String {
    let shown = |curve: &[(f64, f64)]| -> Vec<(f64, f64)> {
        curve.iter().filter(|(_, y)| y.is_finite() && (!is_log || *y > 0.0)).copied().collect()
    };
    let (before, after) = (shown(before), shown(after));
    let all = || before.iter().chain(&after);
    let range = |of: fn(&(f64, f64)) -> f64| {
        all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), at| (from.min(at), to.max(at)))
    };
    let ((left, right), (low, high)) = (range(|point| point.0), range(|point| point.1));
    if left >= right || low > high {
        return String::new();
    }
    let margin = (high - low).max(high.abs() * 1e-6).max(1e-6) * 0.05;
    let x = Axis { from: left, to: right, is_log: false };
    let y = match is_log {
        true => Axis { from: low * 0.9, to: high * 1.1, is_log },
        false => Axis { from: low - margin, to: high + margin, is_log },
    };
    let mut plot = Plot::new(labels.1, (x, labels.0), (y, labels.1));
    for (class, curve) in [("before", &before), ("after", &after)] {
        let point = |(x, y): &(f64, f64)| format!("{:.1},{:.1} ", plot.at_x(*x), plot.at_y(*y));
        let points: String = curve.iter().map(point).collect();
        let _ = write!(plot.svg, "<polyline class=\"{class}\" points=\"{}\"/>", points.trim_end());
    }
    plot.end()
}

/// A Fourier ring correlation, before and after, and its threshold.
pub(super) fn correlation(frc: &Frc) -> String {
    let of =
        |value: fn(&FrcRing) -> f64| frc.rings.iter().map(|ring| (ring.frequency, value(ring))).collect::<Vec<_>>();
    let (before, after) = (of(|ring| ring.before), of(|ring| ring.after));
    let least = before.iter().chain(&after).map(|(_, value)| *value).fold(-0.05, f64::min);
    let x = Axis { from: 0.0, to: 0.5, is_log: false };
    let y = Axis { from: least, to: 1.02, is_log: false };
    let mut plot = Plot::new("Fourier ring correlation", (x, "cycles a pixel"), (y, "correlation"));
    plot.curve("limit", &of(|ring| ring.half_bit));
    plot.curve("before", &before);
    plot.curve("after", &after);
    plot.end()
}

/// A codec in the plane of size and error.
pub(super) struct Point<'a> {
    pub(super) name: &'a str,
    pub(super) bits: f64,
    pub(super) error: f64,
    pub(super) passes: bool,
}

/// Bits a pixel and error of codecs.
pub(super) fn distortion(points: &[Point<'_>], unit: &str) -> String {
    let most = |of: fn(&Point<'_>) -> f64| points.iter().map(of).fold(0.0, f64::max).max(1e-3) * 1.15;
    let x = Axis { from: 0.0, to: most(|point| point.bits), is_log: false };
    let y = Axis { from: 0.0, to: most(|point| point.error), is_log: false };
    let label = format!("rms error, {unit}");
    let mut plot = Plot::new("Size and error", (x, "stored bits a pixel"), (y, &label));
    let mut names = Names::default();
    for point in points {
        let (x, y) = (plot.at_x(point.bits), plot.at_y(point.error));
        let class = if point.passes { "point" } else { "open" };
        let _ = write!(plot.svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\"/>");
        // Those without loss are in a row on the axis: only what is lossy has its name here.
        if point.error > 0.0 {
            let (x, y) = names.place((x, y), point.name);
            plot.text(x, y, "start", &super::html::escaped(point.name));
        }
    }
    plot.end()
}

/// Where names are: from, to, and the line that they stand on.
#[derive(Default)]
struct Names(Vec<(f64, f64, f64)>);

impl Names {
    /// The first place right and left of a point, and above, where its name is on no other, within the plot.
    fn place(&mut self, (x, y): (f64, f64), name: &str) -> (f64, f64) {
        let width = CHARACTER * name.chars().count() as f64;
        let mut places = (0..8).flat_map(|n| [x + 6.0, x - 6.0 - width].map(|x| (x, y - 4.0 - LINE * f64::from(n))));
        let is_free = |(x, y): &(f64, f64)| {
            let is_within = *x > LEFT && x + width < WIDTH;
            let meets = |(from, to, line): &(f64, f64, f64)| x < to && *from < x + width && (y - line).abs() < LINE;
            is_within && !self.0.iter().any(meets)
        };
        let (x, y) = places.find(is_free).unwrap_or((x + 6.0, y - 4.0));
        self.0.push((x, x + width, y));
        (x, y)
    }
}

/// ρ of all lags: within a frame, and to the frame before. Opposite lags within a frame are the same.
pub(super) fn autocorrelation(lags: &[Lag]) -> String {
    const CELL: f64 = 26.0;
    let most = lags.iter().map(|lag| lag.rho.abs()).fold(0.05, f64::max);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} 300\" role=\"img\" aria-label=\"Autocorrelation of errors\">");
    for (dt, left, title) in [(0, 30.0, "within a frame"), (1, 350.0, "to the frame before")] {
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{}\" y=\"14\" text-anchor=\"middle\">{title}</text>",
            left + 4.5 * CELL
        );
        let mut cell = |dx: i32, dy: i32, rho: f64| {
            let (x, y) = (left + f64::from(dx + 4) * CELL, 22.0 + f64::from(dy + 4) * CELL);
            let [r, g, b] = super::picture::signed(rho as f32, most as f32);
            let _ = write!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"rgb({r},{g},{b})\"><title>{dx} columns, {dy} rows: {rho:.4}</title></rect>",
                CELL - 1.0,
                CELL - 1.0
            );
        };
        for lag in lags.iter().filter(|lag| lag.dt == dt) {
            cell(lag.dx, lag.dy, lag.rho);
            if dt == 0 {
                cell(-lag.dx, -lag.dy, lag.rho);
            }
        }
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{}\" y=\"272\" text-anchor=\"middle\">4 columns and rows each way</text>",
            left + 4.5 * CELL
        );
    }
    let _ = write!(
        svg,
        "<text class=\"label\" x=\"320\" y=\"292\" text-anchor=\"middle\">blue -{most:.3}, white 0, red {most:.3}; the middle, 1, is left out</text></svg>"
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_axis() {
        let ticks = |from, to, is_log| Axis { from, to, is_log }.ticks();
        assert_eq!(ticks(-1.0, 1.0, false), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks(0.7, 2000.0, true), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(ticks(1800.0, 9000.0, true), [2000.0, 5000.0]);
        assert!(ticks(1.0, 1e12, true).len() <= 8);
        assert_eq!((shown(0.2), shown(1e6), shown(-3.0)), ("0.2".into(), "1e6".into(), "-3".into()));
    }

    #[test]
    fn plots_have_a_mark_for_each_number() {
        let mut bins = vec![0; 4097];
        (bins[2048], bins[2050], bins[2040]) = (100, 7, 1);
        assert_eq!(histogram(&bins).matches("class=\"bar\"").count(), 3);
        let point = BiasAtMean { mean: 5.0, n: 100, in_sigma: 0.01, error: 0.001 };
        let plot = bias(&[point, BiasAtMean { mean: 50.0, ..point }], Some(0.05));
        assert_eq!((plot.matches("<circle").count(), plot.matches("class=\"limit\"").count()), (2, 2));
        assert_eq!(bias(&[], None), "");
        let curve = vec![(1.0, 2.0), (2.0, 0.0), (3.0, 1.0)];
        let plot = curves(("radius", "counts"), &[curve.clone(), curve], true);
        assert_eq!((plot.matches("<polyline").count(), plot.matches("NaN").count()), (2, 0));
        assert_eq!(curves(("radius", "counts"), &[Vec::new(), vec![(1.0, f64::NAN)]], false), "");
        let ring = FrcRing { frequency: 0.1, n: 9, half_bit: 0.4, before: 0.9, after: -0.2 };
        let frc =
            Frc { rings: vec![ring, FrcRing { frequency: 0.5, ..ring }], before: None, after: None, mean_change: 0.0 };
        assert_eq!(correlation(&frc).matches("<polyline").count(), 3);
        let point = Point { name: "a<b", bits: 1.0, error: 0.1, passes: true };
        let plot = distortion(&[Point { name: "exact", error: 0.0, passes: false, ..point }, point], "sigma");
        assert_eq!((plot.matches("class=\"point\"").count(), plot.matches("class=\"open\"").count()), (1, 1));
        assert!(plot.contains("a&lt;b") && !plot.contains("exact"));
        let lag = Lag { dx: 1, dy: 0, dt: 0, rho: 0.1, n: 100 };
        assert_eq!(autocorrelation(&[lag, Lag { dt: 1, ..lag }]).matches("<rect").count(), 3);
    }
}
