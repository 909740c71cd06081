//! The tables that documents show of the recorded results.

use super::record::Machine;
use super::rows::{NATIVE_BITSHUFFLE, PLUGIN, Peer, Rows};
use crate::Result;
use std::fmt::Write as _;

/// The README's table: what a user does, our row, and what is used instead. All on frames of [`FRAME_BYTES`].
const USES: [(&str, &str, &str, Peer); 6] = [
    ("Record: dark image, threshold, sum, DRLE, write", TALK, "PyTables, shuffle + LZO", ("(a)", "")),
    ("h5py write, DRLE", "h5py write drle", "hdf5plugin, its fastest: LZ4", PLUGIN),
    ("h5py read, DRLE", "h5py read drle", "hdf5plugin, its fastest: LZ4", PLUGIN),
    ("h5py write, bitshuffle-LZ4", "h5py write bitshuffle-lz4", "hdf5plugin, the same filter", PLUGIN),
    ("h5py read, bitshuffle-LZ4", "h5py read bitshuffle-lz4", "hdf5plugin, the same filter", PLUGIN),
    ("h5py read, bitshuffle-Zstd", "h5py read bitshuffle-zstd-1", "hdf5plugin, the same filter", PLUGIN),
];
const TALK: &str = "talk record 1.0 Mpixel";
const INPUT: &str = "0.56 % bright";
/// 1024 x 1024 pixels of 16 bits.
const FRAME_BYTES: f64 = 2.0 * 1024.0 * 1024.0;

/// `docs/benchmarks.md`: frames of real detectors, as their rows are named, and in the table.
const DETECTORS: [(&str, &str); 5] = [
    ("EIGER 4M uint32 (real)", "EIGER 4M, uint32"),
    ("PILATUS 6M int32 (real)", "PILATUS 6M, int32"),
    ("JUNGFRAU photons int16 (real)", "JUNGFRAU photons, int16"),
    ("MiniPIX tracks 3 s int16 (real)", "MiniPIX tracks, int16"),
    ("Siemens star uint16 (real)", "Siemens star, uint16"),
];

/// The README's table.
pub(super) fn uses(machine: &Machine) -> Result<String> {
    let rows = Rows(&machine.rows);
    let head = ["", "frames/s", "GB/s", "ratio", "instead", "frames/s", "GB/s", "ratio"];
    let mut table = format!("| {} |\n|---|---:|---:|---:|---|---:|---:|---:|\n", head.join(" | "));
    for (what, name, instead, peer) in USES {
        let missing = || format!("{}: no row `{name}`, {INPUT}", machine.name);
        let ours = rows.ours(name, INPUT).ok_or_else(missing)?;
        let theirs = rows.peer(name, INPUT, peer).or_else(|| rows.fastest_peer(ours)).ok_or_else(missing)?;
        let numbers = |gb_per_s: f64, ratio: Option<f64>| {
            format!("{} | {gb_per_s:.1} | {:.0}", frames_per_s(gb_per_s), ratio.unwrap_or(f64::NAN))
        };
        let (ours, theirs) = (numbers(ours.gb_per_s, ours.ratio), numbers(theirs.gb_per_s, theirs.ratio));
        let _ = writeln!(table, "| {what} | {ours} | {instead} | {theirs} |");
    }
    Ok(table)
}

/// Three significant digits, thousands apart.
fn frames_per_s(gb_per_s: f64) -> String {
    let frames = gb_per_s * 1e9 / FRAME_BYTES;
    let unit = 10_f64.powf(frames.log10().floor() - 2.0).max(1.0);
    let frames = ((frames / unit).round() * unit) as u64;
    if frames < 1000 { frames.to_string() } else { format!("{} {:03}", frames / 1000, frames % 1000) }
}

/// `docs/benchmarks.md`: bitshuffle on frames of real detectors, ours and C bitshuffle's.
pub(super) fn detectors(machine: &Machine) -> Result<String> {
    let rows = Rows(&machine.rows);
    let mut table = String::from("| frames | LZ4: ratio | encode | decode | Zstd: ratio | encode | decode |\n");
    table += "|---|---:|---:|---:|---:|---:|---:|\n";
    for (input, words) in DETECTORS {
        let missing = || format!("{}: not all rows of bitshuffle, {input}", machine.name);
        let speeds = |name: &str| {
            let (ours, theirs) = (rows.ours(name, input)?, rows.peer(name, input, NATIVE_BITSHUFFLE)?);
            Some(format!("{:.1} ({:.1})", ours.gb_per_s, theirs.gb_per_s))
        };
        let _ = write!(table, "| {words} |");
        for codec in ["bitshuffle-lz4", "bitshuffle-zstd-1"] {
            let (encode, decode) = (format!("{codec} encode"), format!("{codec} decode"));
            let ratio = rows.ours(&encode, input).and_then(|row| row.ratio).ok_or_else(missing)?;
            let (encode, decode) = (speeds(&encode).ok_or_else(missing)?, speeds(&decode).ok_or_else(missing)?);
            let _ = write!(table, " {ratio:.1} | {encode} | {decode} |");
        }
        table.push('\n');
    }
    Ok(table)
}

/// `docs/benchmarks.md`: each recorded machine.
pub(super) fn processors(machines: &[Machine]) -> Result<String> {
    let head = "| one core | memory read | DRLE encode | decode | bitshuffle-LZ4 encode | decode | record, frames/s | by two threads |";
    let mut table = format!("{head}\n|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for machine in machines {
        let rows = Rows(&machine.rows);
        let missing = |what: &str| format!("{}: no row `{what}`, {INPUT}", machine.name);
        let speed = |name: &str, threads| -> Result<f64> {
            Ok(rows.ours_with(name, INPUT, threads).ok_or_else(|| missing(name))?.gb_per_s)
        };
        let read = rows.limit("memory read").ok_or_else(|| missing("memory read"))?;
        let _ = write!(table, "| {} | {read:.0} |", machine.name);
        for name in ["drle encode", "drle decode", "bitshuffle-lz4 encode", "bitshuffle-lz4 decode"] {
            let _ = write!(table, " {:.1} |", speed(name, 1)?);
        }
        let _ = writeln!(table, " {} | {} |", frames_per_s(speed(TALK, 1)?), frames_per_s(speed(TALK, 2)?));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_a_second_have_three_digits() {
        let of = |frames: f64| frames_per_s(frames * FRAME_BYTES / 1e9);
        assert_eq!([of(11_473.0), of(1020.4), of(345.4), of(9_996.0)], ["11 500", "1 020", "345", "10 000"]);
    }
}
