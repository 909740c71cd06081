//! The tables that documents show of the recorded results.

use super::record::{Machine, Part, Row};
use super::rows::{NATIVE_BITSHUFFLE, OURS, PLUGIN, Peer, Rows};
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

/// `docs/benchmarks.md`: a table for each machine that ran `bench read`.
pub(super) fn reader_of(machines: &[Machine]) -> String {
    let ran = machines.iter().filter(|machine| machine.rows.iter().any(|row| row.part() == Part::Reader));
    ran.map(|machine| format!("{}:\n\n{}", machine.name, reader(&machine.rows))).collect::<Vec<_>>().join("\n")
}

/// The reader beside others; a row for each thing that it was made to read.
pub(super) fn reader(rows: &[Row]) -> String {
    let ours = |row: &&Row| row.part() == Part::Reader && row.by == OURS && row.level.starts_with("reader");
    let firsts: Vec<&Row> = rows.iter().filter(ours).filter(|row| row.threads == 1).collect();
    let head =
        "| what | frames | h5py, hdf5plugin | h5py, our plugin | another way | reader | 2 threads | most threads |";
    let mut table = format!("{head}\n|---|---|---:|---:|---|---:|---:|---:|\n");
    for first in firsts {
        let same = || rows.iter().filter(|row| (&row.name, &row.input) == (&first.name, &first.input));
        let plugin = same().find(|row| row.by == OURS && !ours(row));
        let peer = same().find(|row| row.by.starts_with(PLUGIN.0));
        let others = same().filter(|row| row.by != OURS && !row.by.starts_with(PLUGIN.0)).collect();
        let ours = |most: bool| {
            let mut found = same().filter(|row| row.level == first.level);
            if most { found.max_by_key(|row| row.threads) } else { found.rfind(|row| row.threads == 2) }
        };
        let what = format!("{}{}", first.name.trim_start_matches("read "), first.level.trim_start_matches("reader"));
        let most = ours(true).filter(|row| row.threads > 2);
        let _ = writeln!(
            table,
            "| {what} | {} | {} | {} | {} | {} | {} | {} |",
            first.input,
            speed(peer),
            speed(plugin),
            fastest_of_each(others),
            times(first, plugin),
            ours(false).map_or_else(String::new, |row| times(row, plugin)),
            most.map_or_else(String::new, |row| format!("{}, {}", times(row, plugin), row.threads)),
        );
    }
    table
}

/// Of each of these ways, fastest first: its speed, and with how many threads.
fn fastest_of_each(mut rows: Vec<&Row>) -> String {
    rows.sort_by(|a, b| b.gb_per_s.total_cmp(&a.gb_per_s));
    let mut ways: Vec<&Row> = Vec::new();
    for row in rows {
        if ways.iter().all(|way| way.by != row.by) {
            ways.push(row);
        }
    }
    let shown = ways.iter().map(|row| format!("{} ({}, {})", speed(Some(row)), row.by, threads(row.threads)));
    shown.collect::<Vec<_>>().join("; ")
}

fn threads(n: u64) -> String {
    if n == 1 { "1 thread".into() } else { format!("{n} threads") }
}

fn speed(row: Option<&Row>) -> String {
    row.map_or_else(String::new, |row| {
        let digits = if row.gb_per_s < 0.1 { 4 } else { 2 };
        format!("{:.digits$}", row.gb_per_s)
    })
}

/// A speed, and beside it how many times that of `plugin` it is.
fn times(row: &Row, plugin: Option<&Row>) -> String {
    let times = plugin.map(|plugin| format!(" (x{:.1})", row.gb_per_s / plugin.gb_per_s));
    speed(Some(row)) + &times.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_stands_beside_h5py_with_the_same_plugin() {
        let row = |by: &str, level: &str, threads, gb_per_s| Row {
            name: "read all bitshuffle-lz4".into(),
            input: "in".into(),
            by: by.into(),
            level: level.into(),
            threads,
            gb_per_s,
            ..Row::default()
        };
        let rows = [
            row(OURS, "plugin, h5py", 1, 2.0),
            row(OURS, "reader", 1, 3.0),
            row(OURS, "reader", 2, 5.0),
            row("hdf5plugin 7.1.0", "wheel, h5py", 1, 1.0),
            row("another", "wheel", 2, 1.5),
        ];
        let expected =
            "| all bitshuffle-lz4 | in | 1.00 | 2.00 | 1.50 (another, 2 threads) | 3.00 (x1.5) | 5.00 (x2.5) |  |";
        assert_eq!(reader(&rows).lines().nth(2), Some(expected));
    }

    #[test]
    fn frames_a_second_have_three_digits() {
        let of = |frames: f64| frames_per_s(frames * FRAME_BYTES / 1e9);
        assert_eq!([of(11_473.0), of(1020.4), of(345.4), of(9_996.0)], ["11 500", "1 020", "345", "10 000"]);
    }
}
