//! What `bench` prints at the end: the rows through HDF5, and the ratios that the project promises, as measured.

use serde_json::Value;

/// One promise: what is divided by what.
struct Promise {
    what: &'static str,
    required: &'static str,
    aim: &'static str,
    measured: fn(&Rows<'_>) -> Vec<Option<f64>>,
}

const PROMISES: &[Promise] = &[
    Promise {
        what: "DRLE encode / memory read, 0.56 % bright",
        required: "0.70",
        aim: "0.90",
        measured: |rows| vec![rows.vs_limit("drle encode", "0.56 % bright")],
    },
    Promise {
        what: "DRLE encode / memory read, 5.5 % bright",
        required: "0.45",
        aim: "0.70",
        measured: |rows| vec![rows.vs_limit("drle encode", "5.5 % bright")],
    },
    Promise {
        what: "fused dark + threshold + sum + encode / memory read of the frames, 0.56 %: one frame; 8 at once",
        required: "0.50",
        aim: "0.75",
        measured: |rows| {
            let names = ["dark + threshold + sum + DRLE", "dark + threshold + sum + DRLE, 8 frames at once"];
            names.map(|name| rows.vs_limit(name, "0.56 % bright")).to_vec()
        },
    },
    Promise {
        what: "DRLE decode / memset, 0.56 %",
        required: "0.80",
        aim: "0.95",
        measured: |rows| vec![rows.vs_limit("drle decode", "0.56 % bright")],
    },
    Promise {
        what: "bitshuffle-LZ4 decode / C bitshuffle native, all dark; 0.1 %; 0.56 %; real EIGER uint32",
        required: "2.5",
        aim: "4",
        measured: |rows| {
            let inputs = ["all dark", "0.1 % bright", "0.56 % bright", "EIGER 4M uint32 (real)"];
            inputs.map(|input| rows.vs("bitshuffle-lz4 decode", input, NATIVE)).to_vec()
        },
    },
    Promise {
        what: "bitshuffle-LZ4 decode / the same, 5.5 % bright; Poisson 1",
        required: "1.5",
        aim: "2",
        measured: |rows| ["5.5 % bright", "Poisson 1"].map(|i| rows.vs("bitshuffle-lz4 decode", i, NATIVE)).to_vec(),
    },
    Promise {
        what: "bitshuffle-LZ4 encode / the same, all dark; 0.1 %; 0.56 %",
        required: "2",
        aim: "3",
        measured: |rows| {
            let inputs = ["all dark", "0.1 % bright", "0.56 % bright"];
            inputs.map(|input| rows.vs("bitshuffle-lz4 encode", input, NATIVE)).to_vec()
        },
    },
    Promise {
        what: "bitshuffle-LZ4 encode / the same, 5.5 %",
        required: "1.3",
        aim: "2",
        measured: |rows| vec![rows.vs("bitshuffle-lz4 encode", "5.5 % bright", NATIVE)],
    },
    Promise {
        what: "stored size / C bitshuffle's, 0.56 %; 5.5 % (at most)",
        required: "1.02",
        aim: "1.00",
        measured: |rows| ["0.56 % bright", "5.5 % bright"].map(|input| rows.stored_vs_native(input)).to_vec(),
    },
    Promise {
        what: "bitshuffle-Zstd level 1, default block / hdf5plugin wheel: decode, 0.56 %; 5.5 %",
        required: "2.5",
        aim: "5",
        measured: |rows| {
            ["0.56 % bright", "5.5 % bright"].map(|i| rows.vs("bitshuffle-zstd-1 decode", i, PLUGIN)).to_vec()
        },
    },
    Promise {
        what: "the same: encode, 0.56 %; 5.5 %",
        required: "1.8",
        aim: "3",
        measured: |rows| {
            ["0.56 % bright", "5.5 % bright"].map(|i| rows.vs("bitshuffle-zstd-1 encode", i, PLUGIN)).to_vec()
        },
    },
    Promise {
        what: "Blosc shuffle + LZ4 / c-blosc native: encode; decode, 0.56 %; encode; decode, 5.5 %",
        required: "1.2",
        aim: "2",
        measured: |rows| both_ways(rows, "blosc-shuffle-lz4"),
    },
    Promise {
        what: "Blosc bitshuffle + LZ4 / c-blosc native: encode; decode, 0.56 %; encode; decode, 5.5 %",
        required: "1.2",
        aim: "2",
        measured: |rows| both_ways(rows, "blosc-bitshuffle-lz4"),
    },
    Promise {
        what: "h5py read of DRLE / h5py + hdf5plugin read of its fastest filter, 0.56 %; 5.5 %",
        required: "1.3",
        aim: "2",
        measured: |rows| {
            let of = |input| rows.ours("h5py read drle", input).and_then(|row| row["vs_peer"].as_f64());
            vec![of("0.56 % bright"), of("5.5 % bright")]
        },
    },
    Promise {
        what: "whole recording, talk's table (c) / (a), 1.0 Mpixel, 0.56 %; 5.51 %; by processor time, the same; with 2 threads, the same",
        required: "15",
        aim: "30",
        measured: |rows| {
            let of = |n_threads, key: &'static str| {
                ["0.56 % bright", "5.51 % bright"].map(|input| {
                    rows.ours_by("talk record 1.0 Mpixel", input, n_threads).and_then(|row| row[key].as_f64())
                })
            };
            [of(1, "vs_peer"), of(1, "vs_peer_cpu"), of(2, "vs_peer")].concat()
        },
    },
];

/// The build of C that is compared with, as `level` of its rows begins and `by` says.
const NATIVE: (&str, &str) = ("C ", "gcc");
const PLUGIN: (&str, &str) = ("hdf5plugin", "wheel");
const BLOSC: (&str, &str) = ("c-blosc", "gcc");

fn both_ways(rows: &Rows<'_>, name: &str) -> Vec<Option<f64>> {
    let inputs = ["0.56 % bright", "5.5 % bright"];
    let ways = ["encode", "decode"].map(|way| format!("{name} {way}"));
    inputs.iter().flat_map(|input| ways.iter().map(|way| rows.vs(way, input, BLOSC))).collect()
}

/// Measured rows, to be asked.
struct Rows<'a>(&'a [Value]);

impl Rows<'_> {
    /// The row of ours by one thread, on the best level.
    fn ours(&self, name: &str, input: &str) -> Option<&Value> {
        self.ours_by(name, input, 1)
    }

    /// On the best level: the last one that was run.
    fn ours_by(&self, name: &str, input: &str, n_threads: usize) -> Option<&Value> {
        let mut rows = self.0.iter().rev();
        rows.find(|r| r["name"] == name && r["input"] == input && r["by"] == "darkchunk" && r["threads"] == n_threads)
    }

    fn peer(&self, name: &str, input: &str, (by, level): (&str, &str)) -> Option<&Value> {
        let begins = |value: &Value, text: &str| value.as_str().is_some_and(|value| value.starts_with(text));
        let is_it = |r: &&Value| r["name"] == name && r["input"] == input && r["threads"] == 1;
        self.0.iter().filter(is_it).find(|r| begins(&r["by"], by) && begins(&r["level"], level))
    }

    fn vs_limit(&self, name: &str, input: &str) -> Option<f64> {
        self.ours(name, input)?["vs_limit"].as_f64()
    }

    fn vs(&self, name: &str, input: &str, peer: (&str, &str)) -> Option<f64> {
        let ours = self.ours(name, input)?["gb_per_s"].as_f64()?;
        Some(ours / self.peer(name, input, peer)?["gb_per_s"].as_f64()?)
    }

    fn stored_vs_native(&self, input: &str) -> Option<f64> {
        let name = "bitshuffle-lz4 encode";
        let ours = self.ours(name, input)?["ratio"].as_f64()?;
        Some(self.peer(name, input, NATIVE)?["ratio"].as_f64()? / ours)
    }
}

/// Prints the rows through HDF5 (the codec rows were printed as they came) and the promises.
pub(crate) fn print(rows: &[Value]) {
    println!();
    rows.iter().filter(|row| row["section"] == "hdf5").for_each(print_row);
    println!("\nOne thread, best level, 1024 x 1024 int16 frames:\n");
    print!("{}", promises(rows));
    print!("\n{}", slower_levels(rows));
}

/// Each level that has one below it, behind that one.
const LEVELS: [(&str, &str); 4] = [("scalar", "sse41"), ("sse41", "avx2"), ("avx2", "avx512"), ("scalar", "neon")];

/// How much slower a level may be measured before it counts as slower.
const NOISE: f64 = 0.05;

/// Where a level is slower than the one below it: there, dispatch takes the wrong one. A sentence, or a list in Markdown.
fn slower_levels(rows: &[Value]) -> String {
    let of_level = |of: &Value, level: &str| {
        let is_it = |row: &&Value| {
            ["name", "input", "by", "threads"].iter().all(|key| row[key] == of[key]) && row["level"] == level
        };
        rows.iter().find(is_it)?["gb_per_s"].as_f64()
    };
    let (mut n_compared, mut slower) = (0, String::new());
    for (below, level) in LEVELS {
        for row in rows.iter().filter(|row| row["by"] == "darkchunk" && row["level"] == level) {
            let (Some(ours), Some(theirs)) = (row["gb_per_s"].as_f64(), of_level(row, below)) else { continue };
            n_compared += 1;
            if ours < theirs * (1.0 - NOISE) {
                let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
                let ratio = ours / theirs;
                slower += &format!("* {}, {}: {level} at {ratio:.2} of {below}\n", text("name"), text("input"));
            }
        }
    }
    match (n_compared, slower.is_empty()) {
        (0, _) => "Levels were not compared: only a run without `--quick` has all of them.\n".into(),
        (n, true) => format!("No level is slower than the one below it by more than 5 %, in {n} comparisons.\n"),
        (n, false) => format!("Slower than the level below by more than 5 %, of {n} comparisons:\n\n{slower}"),
    }
}

/// One row, one line.
pub(crate) fn print_row(row: &Value) {
    let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let number = |key: &str| row[key].as_f64().map_or_else(|| "-".into(), |value| format!("{value:.2}"));
    println!(
        "{:<30} {:<15} {:<18} {:>7} GB/s  x{:<8} {:>5} of {:<28} {:>6} of {}",
        text("name"),
        text("input"),
        text("by"),
        number("gb_per_s"),
        number("ratio"),
        number("vs_limit"),
        text("limit"),
        number("vs_peer"),
        text("peer"),
    );
}

/// Everything as a page of Markdown.
pub(crate) fn markdown(machine: &Value, rows: &[Value]) -> String {
    let fields = machine.as_object().into_iter().flatten();
    let machine: String = fields.map(|(key, value)| format!("* {key}: {}\n", value.as_str().unwrap_or("-"))).collect();
    let mut page = format!("## Machine\n\n{machine}\n## What is promised\n\n{}\n", promises(rows));
    page += &format!("## Levels\n\n{}\n## All rows\n\n", slower_levels(rows));
    page += "| what | input | by | built for | GB/s | ratio | / limit | limit | / peer | peer |\n";
    page += "|---|---|---|---|---|---|---|---|---|---|\n";
    for row in rows {
        let text = |key: &str| row[key].as_str().unwrap_or("").to_owned();
        let number = |key: &str| row[key].as_f64().map_or_else(String::new, |value| format!("{value:.2}"));
        let threads = row["threads"].as_u64().filter(|n| *n > 1).map(|n| format!(", {n} threads"));
        let cells = [
            text("name") + &threads.unwrap_or_default(),
            text("input"),
            text("by"),
            text("level"),
            number("gb_per_s"),
            number("ratio"),
            number("vs_limit"),
            text("limit"),
            number("vs_peer"),
            text("peer"),
        ];
        page += &format!("| {} |\n", cells.join(" | "));
    }
    page
}

/// The promises as a table in Markdown; what was not part of the run is a dash.
pub(crate) fn promises(rows: &[Value]) -> String {
    let rows = Rows(rows);
    let mut table = String::from("| what | at least | aim | measured |\n|---|---|---|---|\n");
    for promise in PROMISES {
        let numbers = (promise.measured)(&rows).into_iter();
        let measured: Vec<String> =
            numbers.map(|value| value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))).collect();
        let Promise { what, required, aim, .. } = promise;
        table += &format!("| {what} | {required} | {aim} | {} |\n", measured.join("; "));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_level_that_is_slower_than_the_one_below_is_named() {
        let row = |level: &str, speed: f64| {
            json!({ "name": "lz4 decode", "input": "all dark", "by": "darkchunk", "level": level, "threads": 1,
                    "gb_per_s": speed })
        };
        let slow = slower_levels(&[row("scalar", 1.0), row("sse41", 2.0), row("avx2", 1.5), row("avx512", 1.49)]);
        assert!(slow.contains("of 3 comparisons") && slow.contains("* lz4 decode, all dark: avx2 at 0.75 of sse41"));
        assert_eq!(slow.matches('*').count(), 1, "{slow}");
        assert!(slower_levels(&[row("scalar", 1.0), row("sse41", 2.0)]).starts_with("No level"));
        assert!(slower_levels(&[row("avx512", 1.0)]).contains("not compared"));
        let slow = slower_levels(&[row("scalar", 1.0), row("neon", 0.5)]);
        assert!(slow.contains("of 1 comparisons") && slow.contains("neon at 0.50 of scalar"), "{slow}");
    }

    #[test]
    fn ratios_are_of_the_best_level_to_the_named_build() {
        let row = |by: &str, level: &str, speed: f64| {
            json!({ "name": "bitshuffle-lz4 decode", "input": "5.5 % bright", "by": by, "level": level,
                    "threads": 1, "gb_per_s": speed })
        };
        let rows = [
            row("C bitshuffle 0.5.2", "gcc 12", 2.0),
            row("C bitshuffle 0.5.2", "wheel", 9.0),
            row("darkchunk", "scalar", 1.0),
            row("darkchunk", "avx512", 5.0),
        ];
        assert_eq!(Rows(&rows).vs("bitshuffle-lz4 decode", "5.5 % bright", NATIVE), Some(2.5));
        assert!(promises(&rows).contains("| 1.5 | 2 | 2.50; - |"));
    }
}
