//! The goals: ratios to limits and peers, at least and at best, and what was measured of them; and whether each kernel level is
//! faster than the one below it.

use super::record::{Machine, Row};
use super::rows::{NATIVE_BITSHUFFLE, NATIVE_BLOSC, OURS, PLUGIN, Rows};
use std::fmt::Write as _;

/// One goal: what is divided by what.
struct Goal {
    what: &'static str,
    at_least: &'static str,
    aim: &'static str,
    measured: fn(&Rows<'_>) -> Vec<Option<f64>>,
}

const GOALS: &[Goal] = &[
    Goal {
        what: "DRLE encode / memory read, 0.56 % bright",
        at_least: "0.70",
        aim: "0.90",
        measured: |rows| vec![rows.vs_limit("drle encode", "0.56 % bright")],
    },
    Goal {
        what: "DRLE encode / memory read, 5.5 % bright",
        at_least: "0.45",
        aim: "0.70",
        measured: |rows| vec![rows.vs_limit("drle encode", "5.5 % bright")],
    },
    Goal {
        what: "fused dark + threshold + sum + encode / memory read of the frames, 0.56 %: one frame; 8 at once",
        at_least: "0.50",
        aim: "0.75",
        measured: |rows| {
            let names = ["dark + threshold + sum + DRLE", "dark + threshold + sum + DRLE, 8 frames at once"];
            names.map(|name| rows.vs_limit(name, "0.56 % bright")).to_vec()
        },
    },
    Goal {
        what: "DRLE decode / memset, 0.56 %",
        at_least: "0.80",
        aim: "0.95",
        measured: |rows| vec![rows.vs_limit("drle decode", "0.56 % bright")],
    },
    Goal {
        what: "bitshuffle-LZ4 decode / C bitshuffle native, all dark; 0.1 %; 0.56 %; real EIGER uint32",
        at_least: "2.5",
        aim: "4",
        measured: |rows| {
            let inputs = ["all dark", "0.1 % bright", "0.56 % bright", "EIGER 4M uint32 (real)"];
            inputs.map(|input| rows.vs("bitshuffle-lz4 decode", input, NATIVE_BITSHUFFLE)).to_vec()
        },
    },
    Goal {
        what: "bitshuffle-LZ4 decode / the same, 5.5 % bright; Poisson 1",
        at_least: "1.5",
        aim: "2",
        measured: |rows| {
            ["5.5 % bright", "Poisson 1"].map(|i| rows.vs("bitshuffle-lz4 decode", i, NATIVE_BITSHUFFLE)).to_vec()
        },
    },
    Goal {
        what: "bitshuffle-LZ4 encode / the same, all dark; 0.1 %; 0.56 %",
        at_least: "2",
        aim: "3",
        measured: |rows| {
            let inputs = ["all dark", "0.1 % bright", "0.56 % bright"];
            inputs.map(|input| rows.vs("bitshuffle-lz4 encode", input, NATIVE_BITSHUFFLE)).to_vec()
        },
    },
    Goal {
        what: "bitshuffle-LZ4 encode / the same, 5.5 %",
        at_least: "1.3",
        aim: "2",
        measured: |rows| vec![rows.vs("bitshuffle-lz4 encode", "5.5 % bright", NATIVE_BITSHUFFLE)],
    },
    Goal {
        what: "stored size / C bitshuffle's, 0.56 %; 5.5 % (at most)",
        at_least: "1.02",
        aim: "1.00",
        measured: |rows| ["0.56 % bright", "5.5 % bright"].map(|input| stored_vs_native(rows, input)).to_vec(),
    },
    Goal {
        what: "bitshuffle-Zstd level 1, default block / hdf5plugin wheel: decode, 0.56 %; 5.5 %",
        at_least: "2.5",
        aim: "5",
        measured: |rows| {
            ["0.56 % bright", "5.5 % bright"].map(|i| rows.vs("bitshuffle-zstd-1 decode", i, PLUGIN)).to_vec()
        },
    },
    Goal {
        what: "the same: encode, 0.56 %; 5.5 %",
        at_least: "1.8",
        aim: "3",
        measured: |rows| {
            ["0.56 % bright", "5.5 % bright"].map(|i| rows.vs("bitshuffle-zstd-1 encode", i, PLUGIN)).to_vec()
        },
    },
    Goal {
        what: "Blosc shuffle + LZ4 / c-blosc native: encode; decode, 0.56 %; encode; decode, 5.5 %",
        at_least: "1.2",
        aim: "2",
        measured: |rows| both_ways(rows, "blosc-shuffle-lz4"),
    },
    Goal {
        what: "Blosc bitshuffle + LZ4 / c-blosc native: encode; decode, 0.56 %; encode; decode, 5.5 %",
        at_least: "1.2",
        aim: "2",
        measured: |rows| both_ways(rows, "blosc-bitshuffle-lz4"),
    },
    Goal {
        what: "h5py read of DRLE / h5py + hdf5plugin read of its fastest filter, 0.56 %; 5.5 %",
        at_least: "1.3",
        aim: "2",
        measured: |rows| {
            ["0.56 % bright", "5.5 % bright"].map(|input| vs_fastest_peer(rows, "h5py read drle", input)).to_vec()
        },
    },
    Goal {
        what: "whole recording, talk's table (c) / (a), 1.0 Mpixel, 0.56 %; 5.51 %; by processor time, the same; with 2 threads, the same",
        at_least: "15",
        aim: "30",
        measured: |rows| {
            let inputs = ["0.56 % bright", "5.51 % bright"];
            let wall = |n_threads| inputs.map(|input| vs_talk_baseline(rows, input, n_threads));
            [wall(1), inputs.map(|input| vs_talk_baseline_cpu(rows, input)), wall(2)].concat()
        },
    },
];

fn both_ways(rows: &Rows<'_>, name: &str) -> Vec<Option<f64>> {
    let inputs = ["0.56 % bright", "5.5 % bright"];
    let ways = ["encode", "decode"].map(|way| format!("{name} {way}"));
    inputs.iter().flat_map(|input| ways.iter().map(|way| rows.vs(way, input, NATIVE_BLOSC))).collect()
}

/// Stored bytes of ours divided by C bitshuffle's.
fn stored_vs_native(rows: &Rows<'_>, input: &str) -> Option<f64> {
    let name = "bitshuffle-lz4 encode";
    Some(rows.peer(name, input, NATIVE_BITSHUFFLE)?.ratio? / rows.ours(name, input)?.ratio?)
}

fn vs_fastest_peer(rows: &Rows<'_>, name: &str, input: &str) -> Option<f64> {
    let ours = rows.ours(name, input)?;
    Some(ours.gb_per_s / rows.fastest_peer(ours)?.gb_per_s)
}

fn vs_talk_baseline(rows: &Rows<'_>, input: &str, n_threads: u64) -> Option<f64> {
    let ours = rows.ours_with(TALK, input, n_threads)?;
    Some(ours.gb_per_s / rows.talk_baseline(ours)?.gb_per_s)
}

fn vs_talk_baseline_cpu(rows: &Rows<'_>, input: &str) -> Option<f64> {
    let ours = rows.ours(TALK, input)?;
    Some(ours.gb_per_s_cpu? / rows.talk_baseline(ours)?.gb_per_s_cpu?)
}

/// The recording of the talk that a goal is about.
const TALK: &str = "talk record 1.0 Mpixel";

/// The goals as a table in Markdown, a column for each machine; what was not part of a run is a dash.
pub(super) fn table(machines: &[Machine]) -> String {
    let names: String = machines.iter().map(|machine| format!(" {} |", machine.name)).collect();
    let mut table = format!("| what | at least | aim |{names}\n|---|---|---|{}\n", "---|".repeat(machines.len()));
    for Goal { what, at_least, aim, measured } in GOALS {
        let columns = machines.iter().map(|machine| {
            let numbers = measured(&Rows(&machine.rows)).into_iter();
            let numbers = numbers.map(|value| value.map_or_else(|| "-".into(), |value| format!("{value:.2}")));
            format!(" {} |", numbers.collect::<Vec<String>>().join("; "))
        });
        let _ = writeln!(table, "| {what} | {at_least} | {aim} |{}", columns.collect::<String>());
    }
    table
}

/// The goal about the talk alone.
pub(super) fn talk_line(rows: Vec<Row>) -> String {
    let machine = Machine { name: "measured".into(), rows };
    table(&[machine]).lines().filter(|line| line.contains("talk")).collect()
}

/// Each level that has one below it, after that one.
const LEVELS: [(&str, &str); 4] = [("scalar", "sse41"), ("sse41", "avx2"), ("avx2", "avx512"), ("scalar", "neon")];

/// How much slower a level may be measured before it counts as slower.
const NOISE: f64 = 0.05;

/// Where a level is slower than the one below it: there, dispatch takes the wrong one. A sentence, or a list in Markdown.
pub(super) fn slower_levels(rows: &[Row]) -> String {
    let same = |a: &Row, b: &Row| (&a.name, &a.input, &a.by, a.threads) == (&b.name, &b.input, &b.by, b.threads);
    let (mut n_compared, mut slower) = (0, String::new());
    for (below, level) in LEVELS {
        for row in rows.iter().filter(|row| row.by == OURS && row.level == level) {
            let Some(other) = rows.iter().find(|other| other.level == below && same(row, other)) else { continue };
            let ratio = row.gb_per_s / other.gb_per_s;
            n_compared += 1;
            if ratio < 1.0 - NOISE {
                let _ = writeln!(slower, "* {}, {}: {level} at {ratio:.2} of {below}", row.name, row.input);
            }
        }
    }
    match (n_compared, slower.is_empty()) {
        (0, _) => "Levels were not compared: only a run without `--quick` has all of them.\n".into(),
        (n, true) => format!("No level is slower than the one below it by more than 5 %, in {n} comparisons.\n"),
        (n, false) => format!("Slower than the level below by more than 5 %, of {n} comparisons:\n\n{slower}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(level: &str, gb_per_s: f64) -> Row {
        let text = |text: &str| text.to_owned();
        let (name, input, by) = (text("bitshuffle-lz4 decode"), text("5.5 % bright"), text(OURS));
        Row { name, input, by, level: text(level), threads: 1, gb_per_s, ..Row::default() }
    }

    #[test]
    fn a_level_that_is_slower_than_the_one_below_is_named() {
        let slow = slower_levels(&[row("scalar", 1.0), row("sse41", 2.0), row("avx2", 1.5), row("avx512", 1.49)]);
        assert!(slow.contains("of 3 comparisons"), "{slow}");
        assert!(slow.contains("* bitshuffle-lz4 decode, 5.5 % bright: avx2 at 0.75 of sse41"), "{slow}");
        assert_eq!(slow.matches('*').count(), 1, "{slow}");
        assert!(slower_levels(&[row("scalar", 1.0), row("sse41", 2.0)]).starts_with("No level"));
        assert!(slower_levels(&[row("avx512", 1.0)]).contains("not compared"));
        let slow = slower_levels(&[row("scalar", 1.0), row("neon", 0.5)]);
        assert!(slow.contains("of 1 comparisons") && slow.contains("neon at 0.50 of scalar"), "{slow}");
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let peer = Row { by: "C bitshuffle 0.5.2".into(), ..row("gcc 12", 2.0) };
        let machine = Machine { name: "here".into(), rows: vec![peer, row("avx512", 5.0)] };
        assert!(table(&[machine]).contains("| 1.5 | 2 | 2.50; - |"));
    }
}
