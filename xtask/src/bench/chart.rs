//! The chart of the README: speed of each codec on one core, ours beside the best peer, as SVG.
//!
//! GitHub shows it on a light or a dark page: all colours are readable on both, and there is no background.

use super::record::Machine;
use super::rows::{NATIVE_BITSHUFFLE, NATIVE_BLOSC, OURS, Peer, Rows};
use crate::Result;
use std::fmt::Write as _;

/// What a pair of bars shows: the words beside it, the row's name, and the peer's build.
const BARS: [(&str, &str, Option<Peer>); 11] = [
    ("DRLE encode", "drle encode", None),
    ("DRLE encode after dark, threshold, sum", "dark + threshold + sum + DRLE", None),
    ("DRLE decode", "drle decode", None),
    ("bitshuffle-LZ4 encode", "bitshuffle-lz4 encode", Some(NATIVE_BITSHUFFLE)),
    ("bitshuffle-LZ4 decode", "bitshuffle-lz4 decode", Some(NATIVE_BITSHUFFLE)),
    ("bitshuffle-Zstd encode", "bitshuffle-zstd-1 encode", Some(NATIVE_BITSHUFFLE)),
    ("bitshuffle-Zstd decode", "bitshuffle-zstd-1 decode", Some(NATIVE_BITSHUFFLE)),
    ("Blosc shuffle-LZ4 encode", "blosc-shuffle-lz4 encode", Some(NATIVE_BLOSC)),
    ("Blosc shuffle-LZ4 decode", "blosc-shuffle-lz4 decode", Some(NATIVE_BLOSC)),
    ("LZ4 decode", "lz4 decode", Some(("liblz4", ""))),
    ("Zstd decode", "zstd-1 decode", Some(("libzstd", ""))),
];

/// Which frames.
const INPUT: &str = "0.56 % bright";

const WIDTH: f64 = 760.0;
const LABELS_WIDTH: f64 = 250.0;
const VALUES_WIDTH: f64 = 55.0;
const TOP: f64 = 62.0;
const BAR_HEIGHT: f64 = 11.0;
const PAIR_HEIGHT: f64 = 32.0;

const TEXT_COLOUR: &str = "#737b85";
const OURS_COLOUR: &str = "#2f81f7";
const PEER_COLOUR: &str = "#a57f3a";

/// Draws the chart.
///
/// # Errors
/// Where a row is missing: the record is not of a full run.
pub(super) fn draw(machine: &Machine) -> Result<String> {
    let rows = Rows(&machine.rows);
    let missing = |what: &str| format!("{}: no row `{what}`, {INPUT}", machine.name);
    let read = rows.limit("memory read").ok_or_else(|| missing("memory read"))?;
    let mut pairs = Vec::new();
    for (label, name, peer) in BARS {
        let ours = rows.ours(name, INPUT).ok_or_else(|| missing(name))?.gb_per_s;
        let theirs = peer.map(|peer| rows.peer(name, INPUT, peer).ok_or_else(|| missing(name))).transpose()?;
        pairs.push((label, ours, theirs.map(|row| row.gb_per_s)));
    }
    let most = pairs.iter().map(|pair| pair.1).fold(read, f64::max);
    let scale = (WIDTH - LABELS_WIDTH - VALUES_WIDTH) / most;
    let height = TOP + PAIR_HEIGHT * pairs.len() as f64 + 8.0;
    let mut svg = head(&machine.name, height);
    legend(&mut svg, LABELS_WIDTH + read * scale, read, height);
    for (index, (label, ours, theirs)) in pairs.into_iter().enumerate() {
        pair(&mut svg, TOP + PAIR_HEIGHT * index as f64, scale, label, (ours, theirs));
    }
    Ok(svg + "</svg>\n")
}

fn head(machine: &str, height: f64) -> String {
    let size = format!("width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\"");
    let mut svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" {size} role=\"img\">\n");
    let title = format!("GB/s of pixels on one core ({machine}), 1024 x 1024 int16 frames, {INPUT}");
    let _ = writeln!(svg, "<title>{title}</title>");
    let _ = writeln!(svg, "<style>text {{ font: 13px sans-serif; fill: {TEXT_COLOUR} }}</style>");
    text(&mut svg, 0.0, 16.0, "start", &title);
    svg
}

/// Whose bars are whose, and the line of the memory's speed.
fn legend(svg: &mut String, read_x: f64, read: f64, height: f64) {
    for (x, colour, words) in [(0.0, OURS_COLOUR, OURS), (110.0, PEER_COLOUR, "C library, compiled for this machine")] {
        rectangle(svg, x, 30.0, BAR_HEIGHT, colour);
        text(svg, x + 17.0, 40.0, "start", words);
    }
    let (top, bottom) = (TOP - 14.0, height - 4.0);
    let line = format!("x1=\"{read_x:.1}\" y1=\"{top}\" x2=\"{read_x:.1}\" y2=\"{bottom}\"");
    let _ = writeln!(svg, "<line {line} stroke=\"{TEXT_COLOUR}\" stroke-dasharray=\"4 3\"/>");
    text(svg, read_x - 6.0, TOP - 6.0, "end", &format!("memory read: {read:.0}"));
}

fn pair(svg: &mut String, y: f64, scale: f64, label: &str, (ours, theirs): (f64, Option<f64>)) {
    text(svg, LABELS_WIDTH - 8.0, y + if theirs.is_some() { 15.0 } else { 10.0 }, "end", label);
    let mut y = y;
    for (speed, colour) in [(Some(ours), OURS_COLOUR), (theirs, PEER_COLOUR)] {
        let Some(speed) = speed else { continue };
        rectangle(svg, LABELS_WIDTH, y, speed * scale, colour);
        text(svg, LABELS_WIDTH + speed * scale + 5.0, y + 10.0, "start", &format!("{speed:.1}"));
        y += BAR_HEIGHT + 2.0;
    }
}

fn rectangle(svg: &mut String, x: f64, y: f64, width: f64, colour: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" fill=\"{colour}\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}
