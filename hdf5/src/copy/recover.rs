//! What is good of a damaged file, in a new one.
//!
//! All that can be read is copied. Of a dataset with damaged chunks that is saved which [`salvage`] finds, and two
//! attributes say what is not as it was measured: `darkchunk_damaged_frames`, ranges along the first axis (first, end),
//! and `darkchunk_note`.

use std::collections::HashMap;

use super::Copier;
use super::beyond::Cut;
use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5_tool};
use crate::object::{self, c_name};
use crate::salvage::{self, Report};
use crate::tree::{Entry, Kind};
use crate::{Error, Result};

/// What is known of a dataset before it is copied.
#[derive(Debug, Clone)]
pub enum Examined {
    /// Nothing is wrong, as far as can be known.
    Sound,
    /// Chunks have faults.
    Damaged(Report),
    /// It could not be examined, for this reason.
    Unknown(String),
}

/// What became of a file.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Objects that are as they were.
    pub n_whole: u64,
    /// Datasets of which not all is good.
    pub damaged: Vec<(String, Report)>,
    /// Datasets that were copied as they are, and may be damaged: they could not be examined, and why.
    pub not_examined: Vec<(String, String)>,
    /// What is not in the new file, and why.
    pub lost: Vec<(String, Error)>,
    /// References that lead nowhere now.
    pub warnings: Vec<String>,
}

/// Copies all that is good of the file `from` into `to`, a new file. `examine` says what is known of each dataset. `n_bytes` are those
/// that a file had which was cut off, and has zeros after them now. `seen` is told each path; an error that it returns ends
/// this.
///
/// # Errors
/// Where nothing can be read at all, or the new file cannot be written.
pub fn recover(
    library: &Library,
    from: Hid,
    to: Hid,
    n_bytes: Option<u64>,
    examine: &mut dyn FnMut(&str) -> Examined,
    seen: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<Recovered> {
    let mut copier = Copier::tolerant(library, from, to)?;
    let mut found = Recovered::default();
    let mut examined = HashMap::new();
    for Entry { path, .. } in copier.entries.iter().filter(|entry| entry.kind == Kind::Dataset) {
        seen(path)?;
        examined.insert(path.clone(), examine(path));
    }
    let cut = n_bytes.map(|n_bytes| Cut { library, file: from, n_bytes });
    copier.make(&HashMap::new(), &mut |path, made| {
        seen(path)?;
        let Some(examined) = examined.remove(path) else {
            match made {
                Ok(()) => found.n_whole += 1,
                Err(error) => found.lost.push((path.to_owned(), error)),
            }
            return Ok(());
        };
        // A copy of damaged chunks is no better than they are.
        if made.is_ok() && matches!(examined, Examined::Damaged(_)) {
            remove(library, to, path)?;
        }
        match saved(library, (from, to), path, made, examined) {
            Ok(what) => found.add(path, beyond(cut.as_ref(), path, what)),
            Err(error) => found.lost.push((path.to_owned(), error)),
        }
        Ok(())
    })?;
    attributes(&mut copier, &mut found);
    for (path, report) in &found.damaged {
        mark(library, to, path, report).map_err(|error| super::at(&format!("{path}, attribute {RANGES}"), error))?;
    }
    found.warnings = copier.warnings;
    Ok(found)
}

/// Saves what is good of a damaged dataset, and says what is known of its copy.
fn saved(
    library: &Library,
    (from, to): (Hid, Hid),
    path: &str,
    made: Result<()>,
    examined: Examined,
) -> Result<Examined> {
    let Examined::Damaged(before) = examined else { return made.map(|()| examined) };
    let report = salvage::salvage(library, from, path, to, path)?;
    // Chunks that others decode are copied as they are.
    Ok(Examined::Damaged(if report.is_damaged() { report } else { before }))
}

/// The same, with what is beyond the end of a file that was cut off.
fn beyond(cut: Option<&Cut<'_>>, path: &str, examined: Examined) -> Examined {
    let Some(cut) = cut else { return examined };
    let mut report = if let Examined::Damaged(report) = &examined { report.clone() } else { Report::default() };
    match cut.add(path, &mut report) {
        Ok(()) if report.is_damaged() => Examined::Damaged(report),
        Err(error) if !report.is_damaged() => Examined::Unknown(error.to_string()),
        _ => examined,
    }
}

impl Recovered {
    fn add(&mut self, path: &str, examined: Examined) {
        match examined {
            Examined::Sound => self.n_whole += 1,
            Examined::Damaged(report) => self.damaged.push((path.to_owned(), report)),
            Examined::Unknown(reason) => self.not_examined.push((path.to_owned(), reason)),
        }
    }
}

pub(super) fn remove(library: &Library, to: Hid, path: &str) -> Result<()> {
    let name = c_name(path)?;
    h5_tool!(library, H5Ldelete(to, name.as_ptr(), DEFAULT)).map(drop)
}

/// Copies attributes as far as they can be read.
fn attributes(copier: &mut Copier, found: &mut Recovered) {
    for Entry { path, kind } in copier.entries.clone() {
        let is_dataset = kind == Kind::Dataset;
        let is_there =
            |copier: &Copier| path == "/" || object::exists(&copier.library, copier.to, &path).unwrap_or(false);
        if !matches!(kind, Kind::Group | Kind::Dataset | Kind::Datatype) || !is_there(copier) {
            continue;
        }
        let lost = &mut found.lost;
        let copied = copier.values_left(&path, is_dataset, &mut |what, error| lost.push((what, error)));
        if let Err(error) = copied {
            lost.push((format!("{path} (attributes or references)"), error));
        }
    }
}

/// The attribute with the ranges.
const RANGES: &str = "darkchunk_damaged_frames";

/// An attribute has at most 64 kB.
const MAX_RANGES: usize = 2000;

/// These ranges in order, those that touch as one. The last one has all that there is no room for.
fn merged(mut ranges: Vec<[u64; 2]>) -> Vec<[u64; 2]> {
    ranges.retain(|[start, end]| start < end);
    ranges.sort_unstable();
    let mut merged: Vec<[u64; 2]> = Vec::new();
    for [start, end] in ranges {
        let is_full = merged.len() == MAX_RANGES;
        match merged.last_mut().filter(|last| is_full || start <= last[1]) {
            Some(last) => last[1] = last[1].max(end),
            None => merged.push([start, end]),
        }
    }
    merged
}

/// Says on the new dataset which frames are not as they were measured.
fn mark(library: &Library, to: Hid, path: &str, report: &Report) -> Result<()> {
    const NOTE: &str = "These ranges of the first axis (first, end) are not as they were measured: what could not be decoded is the \
                        fill value, what was beyond the end of the file is 0, and what a checksum contradicts may be wrong.";
    let dataset = object::open(library, to, path)?;
    let faults = report.faults.iter().flat_map(|fault| [&fault.frames, &fault.doubtful_frames]);
    let mut ranges: Vec<[u64; 2]> = faults.map(|frames| [frames.start, frames.end]).collect();
    // What an earlier recovery found to be damaged has good checksums now.
    let before = object::numbers::<u64>(&dataset, RANGES, 2 * MAX_RANGES)?.unwrap_or_default();
    ranges.extend(before.as_chunks::<2>().0);
    let ranges = merged(ranges);
    if ranges.is_empty() {
        return Ok(());
    }
    object::set_numbers(&dataset, RANGES, &[ranges.len() as u64, 2], ranges.as_flattened())?;
    object::set_string(&dataset, "darkchunk_note", NOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_whatever_their_order() {
        assert_eq!(merged(vec![[7, 9], [0, 2], [3, 3], [8, 12], [2, 4], [9, 8]]), [[0, 4], [7, 12]]);
    }

    #[test]
    fn no_damage_is_left_out_where_there_is_no_room_for_more_ranges() {
        let found = merged((0..5000).map(|n| [3 * n, 3 * n + 1]).collect());
        assert_eq!((found.len(), found[1998], found[1999]), (MAX_RANGES, [5994, 5995], [5997, 14_998]));
    }
}
