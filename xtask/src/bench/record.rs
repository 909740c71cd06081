//! Recorded results: a CSV file a machine, one row for each thing measured, and beside it a text that describes the machine.
//!
//! Only what was measured is stored; ratios between rows are computed where they are shown (by `cargo xtask bench report`).

use super::machine;
use crate::Result;
use crate::workspace::root;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The columns, in the order of [`Row`].
const HEADER: &str =
    "name,input,by,level,threads,gb_per_s,gb_per_s_median,ratio,vs_limit,vs_peer_median,vs_one_thread,gb_per_s_cpu";

/// One thing that was done to one input by one implementation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    /// What was done: `drle encode`, `memory read`, `h5py read lz4`, `talk record 1.0 Mpixel`.
    pub(super) name: String,
    pub(super) input: String,
    /// Whose code: `darkchunk`, `machine` for limits, or a peer with its version.
    pub(super) by: String,
    /// The kernel level of ours; what a peer was built with.
    pub(super) level: String,
    pub(super) threads: u64,
    /// Best turn, 10^9 bytes of pixels a second.
    pub(super) gb_per_s: f64,
    /// Median turn.
    pub(super) gb_per_s_median: Option<f64>,
    /// Pixel bytes divided by stored bytes.
    pub(super) ratio: Option<f64>,
    /// Speed divided by the limit's (memory read, memset, no filter), raced together.
    pub(super) vs_limit: Option<f64>,
    /// Ours divided by the fastest peer: the median over the turns, in each of which both ran.
    pub(super) vs_peer_median: Option<f64>,
    /// Speed divided by that with one thread, wall-clock time.
    pub(super) vs_one_thread: Option<f64>,
    /// Speed by processor time, where `gb_per_s` is by wall-clock time and one thread works.
    pub(super) gb_per_s_cpu: Option<f64>,
}

/// Which command measures a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// `bench`: codecs, and through h5py.
    Codecs,
    /// `bench talk`.
    Talk,
    /// `bench read`.
    Reader,
}

impl Row {
    /// A row as the measuring programs write it.
    pub(super) fn from_json(row: &Value) -> Result<Self> {
        let text = |key: &str| row[key].as_str().map(str::to_owned).ok_or_else(|| format!("a row has no {key}: {row}"));
        Ok(Self {
            name: text("name")?,
            input: text("input")?,
            by: text("by")?,
            level: text("level")?,
            threads: row["threads"].as_u64().ok_or_else(|| format!("a row has no threads: {row}"))?,
            gb_per_s: row["gb_per_s"].as_f64().ok_or_else(|| format!("a row has no gb_per_s: {row}"))?,
            gb_per_s_median: row["gb_per_s_median"].as_f64(),
            ratio: row["ratio"].as_f64(),
            vs_limit: row["vs_limit"].as_f64(),
            vs_peer_median: row["vs_peer_median"].as_f64(),
            vs_one_thread: row["vs_one_thread"].as_f64(),
            gb_per_s_cpu: row["gb_per_s_cpu"].as_f64(),
        })
    }

    pub(super) fn part(&self) -> Part {
        match self.name.split_once(' ') {
            Some(("talk", _)) => Part::Talk,
            Some(("read", _)) => Part::Reader,
            _ => Part::Codecs,
        }
    }

    /// Whether it went through HDF5, with h5py.
    pub(super) fn is_h5py(&self) -> bool {
        self.name.starts_with("h5py ")
    }

    fn to_line(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(String::new, significant);
        let cells = [
            quoted(&self.name),
            quoted(&self.input),
            quoted(&self.by),
            quoted(&self.level),
            self.threads.to_string(),
            significant(self.gb_per_s),
            number(self.gb_per_s_median),
            number(self.ratio),
            number(self.vs_limit),
            number(self.vs_peer_median),
            number(self.vs_one_thread),
            number(self.gb_per_s_cpu),
        ];
        cells.join(",")
    }

    fn from_line(line: &str) -> Result<Self> {
        let wrong = || format!("`{line}` is not a row of {HEADER}");
        let cells: [String; 12] = cells(line).try_into().map_err(|_| wrong())?;
        let [name, input, by, level, threads, gb_per_s, median, ratio, vs_limit, vs_peer, vs_one_thread, cpu] = cells;
        let number = |cell: String| match &*cell {
            "" => Ok(None),
            cell => cell.parse().map(Some).map_err(|_| wrong()),
        };
        Ok(Self {
            name,
            input,
            by,
            level,
            threads: threads.parse().map_err(|_| wrong())?,
            gb_per_s: number(gb_per_s)?.ok_or_else(wrong)?,
            gb_per_s_median: number(median)?,
            ratio: number(ratio)?,
            vs_limit: number(vs_limit)?,
            vs_peer_median: number(vs_peer)?,
            vs_one_thread: number(vs_one_thread)?,
            gb_per_s_cpu: number(cpu)?,
        })
    }
}

/// Four significant digits: no measurement here is better.
fn significant(value: f64) -> String {
    let magnitude = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    let decimals = usize::try_from(3 - magnitude).unwrap_or(0);
    format!("{value:.decimals$}")
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

/// The cells of a line: a quoted one may hold commas, and quotes twice.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    cells.push(cell);
    cells
}

/// All rows of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Row>> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(format!("{}: the first line is not `{HEADER}`", path.display()));
    }
    lines.map(|line| Row::from_line(line).map_err(|e| format!("{}: {e}", path.display()))).collect()
}

/// Stores `rows` in the file, in the place of those of the same part, and describes the machine in a text beside it.
pub(super) fn write(path: &Path, part: Part, rows: &[Row]) -> Result {
    let mut all = if path.exists() { read(path)? } else { Vec::new() };
    all.retain(|row| row.part() != part);
    all.extend_from_slice(rows);
    all.sort_by_key(Row::part);
    let lines: String = all.iter().map(|row| row.to_line() + "\n").collect();
    save(path, &format!("{HEADER}\n{lines}"))?;
    let description = path.with_extension("txt");
    let before = fs::read_to_string(&description).unwrap_or_default();
    save(&description, &described(&before, part, &machine()))?;
    println!("\nwritten: {} and {}", path.display(), description.display());
    Ok(())
}

fn save(path: &Path, text: &str) -> Result {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The description of a machine: a name, what the machine says of itself, when each part was measured, and notes. Name and
/// notes are written by hand, and stay.
fn described(before: &str, part: Part, machine: &[(&str, String)]) -> String {
    let (facts, notes) = before.split_once("\n\n").unwrap_or((before, ""));
    let old = |key: &str| facts.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    let value = |key: &str| machine.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value);
    let measured = format!("{}, commit {}", value("date"), value("commit"));
    let mut text = format!("name: {}\n", old("name").unwrap_or(value("processor")));
    for (key, value) in machine.iter().filter(|(key, _)| !matches!(*key, "date" | "commit")) {
        let _ = writeln!(text, "{key}: {value}");
    }
    for (name, of) in [("bench", Part::Codecs), ("bench talk", Part::Talk), ("bench read", Part::Reader)] {
        if let Some(when) = if of == part { Some(&*measured) } else { old(name) } {
            let _ = writeln!(text, "{name}: {when}");
        }
    }
    if notes.is_empty() { text } else { format!("{text}\n{notes}") }
}

/// A machine that results were recorded on.
pub(super) struct Machine {
    /// The name by hand: `AMD Zen 5`.
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

/// Those of `files`; of all that are in the repository where none is given.
pub(super) fn machines(files: &[String]) -> Result<Vec<Machine>> {
    let files = if files.is_empty() { recorded()? } else { files.iter().map(PathBuf::from).collect() };
    files.iter().map(|path| Ok(Machine { name: name(path)?, rows: read(path)? })).collect()
}

fn name(path: &Path) -> Result<String> {
    let description = path.with_extension("txt");
    let text = fs::read_to_string(&description).map_err(|e| format!("{}: {e}", description.display()))?;
    let name = text.lines().find_map(|line| line.strip_prefix("name: "));
    name.map(str::to_owned).ok_or_else(|| format!("{}: no line `name: `", description.display()))
}

/// The folder of the recorded results.
pub(super) fn folder() -> PathBuf {
    root().join("benches/record")
}

fn recorded() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder()).map_err(|e| format!("{}: {e}", folder().display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "csv")).collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            name: "lz4, blocks of 64 KiB decode".into(),
            input: "a \"quoted\" one".into(),
            by: "darkchunk".into(),
            level: "avx2".into(),
            threads: 2,
            gb_per_s: 12.34,
            ratio: Some(1234.0),
            ..Row::default()
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = row().to_line();
        assert_eq!(line, "\"lz4, blocks of 64 KiB decode\",\"a \"\"quoted\"\" one\",darkchunk,avx2,2,12.34,,1234,,,,");
        assert_eq!(Row::from_line(&line), Ok(row()));
    }

    #[test]
    fn a_line_with_another_number_of_cells_or_no_number_is_an_error() {
        assert!(Row::from_line("a,b,c,d,1,2.0,,,,,").is_err());
        assert!(Row::from_line("a,b,c,d,1,fast,,,,,,").is_err());
        assert!(Row::from_line("a,b,c,d,1,,,,,,,").is_err());
    }

    #[test]
    fn numbers_have_four_significant_digits() {
        assert_eq!(
            [0.0123456, 9.99999, 47.891, 12345.6, 0.0].map(significant),
            ["0.01235", "10.000", "47.89", "12346", "0.000"]
        );
    }

    #[test]
    fn name_notes_and_the_other_part_of_a_description_stay() {
        let machine =
            [("processor", "AMD EPYC".to_owned()), ("commit", "abc".to_owned()), ("date", "today".to_owned())];
        let first = described("", Part::Codecs, &machine);
        assert_eq!(first, "name: AMD EPYC\nprocessor: AMD EPYC\nbench: today, commit abc\n");
        let by_hand = first.replace("name: AMD EPYC", "name: AMD Zen 5") + "\nQuiet.\n";
        let second = described(&by_hand, Part::Talk, &machine);
        let facts = "name: AMD Zen 5\nprocessor: AMD EPYC\nbench: today, commit abc\nbench talk: today, commit abc\n";
        assert_eq!(second, format!("{facts}\nQuiet.\n"));
    }

    #[test]
    fn every_recorded_file_is_read_and_described() {
        let machines = machines(&[]).expect("the recorded results");
        assert!(!machines.is_empty());
        for machine in machines {
            for part in [Part::Codecs, Part::Talk] {
                assert!(machine.rows.iter().any(|row| row.part() == part), "{}: {part:?}", machine.name);
            }
        }
    }
}
