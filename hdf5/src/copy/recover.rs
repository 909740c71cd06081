//! What is good of a damaged file, in a new one.
//!
//! All that can be read is copied. Of a dataset with damaged chunks that is saved which [`salvage`] finds, and two
//! attributes say what is not as it was measured: `darkchunk_damaged_frames`, ranges along the first axis (first, end),
//! and `darkchunk_note`.

use std::collections::HashMap;

use super::Copier;
use crate::api::Hid;
use crate::library::{DEFAULT, Library, h5_tool};
use crate::object::{self, c_name};
use crate::salvage::{self, Report};
use crate::tree::{Entry, Kind};
use crate::{Error, Result};

/// What became of a file.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Objects that are as they were.
    pub n_whole: u64,
    /// Datasets of which not all is good.
    pub damaged: Vec<(String, Report)>,
    /// What is not in the new file, and why.
    pub lost: Vec<(String, Error)>,
    /// References that lead nowhere now.
    pub warnings: Vec<String>,
}

/// Copies all that is good of the file `from` into `to`, a new file, with so many threads. `seen` is told each path.
///
/// # Errors
/// Where nothing can be read at all, or the new file cannot be written.
pub fn recover(
    library: &Library,
    from: Hid,
    to: Hid,
    n_threads: usize,
    seen: &mut dyn FnMut(&str),
) -> Result<Recovered> {
    let mut copier = Copier::tolerant(library, from, to)?;
    let mut found = Recovered::default();
    let mut damaged = HashMap::new();
    for Entry { path, kind } in &copier.entries {
        if *kind != Kind::Dataset {
            continue;
        }
        seen(path);
        if let Ok(report) = salvage::verify_with(library, from, path, n_threads, &|_| {})
            && report.is_damaged()
        {
            damaged.insert(path.clone(), report);
        }
    }
    copier.make(&HashMap::new(), &mut |path, made| {
        seen(path);
        let is_damaged = damaged.contains_key(path);
        match made {
            Ok(()) if !is_damaged => found.n_whole += 1,
            // A copy of damaged chunks is no better than they are.
            made => {
                if made.is_ok() {
                    remove(library, to, path)?;
                }
                let saved = match made {
                    Err(error) if !is_damaged => Err(error),
                    _ => salvage::salvage(library, from, path, to, path),
                };
                match saved {
                    Ok(report) => found.damaged.push((path.to_owned(), report)),
                    Err(error) => found.lost.push((path.to_owned(), error)),
                }
            }
        }
        Ok(())
    })?;
    attributes(&mut copier, &mut found);
    for (path, report) in &found.damaged {
        mark(library, to, path, report)?;
    }
    found.warnings = copier.warnings;
    Ok(found)
}

fn remove(library: &Library, to: Hid, path: &str) -> Result<()> {
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
        if let Err(error) = copier.values(&path, is_dataset) {
            found.lost.push((format!("{path} (attributes)"), error));
        }
    }
}

/// Says on the new dataset which frames are not as they were measured.
fn mark(library: &Library, to: Hid, path: &str, report: &Report) -> Result<()> {
    const NOTE: &str = "These ranges of the first axis (first, end) are not as they were measured: what could not be decoded is the \
                        fill value, and what a checksum contradicts may be wrong.";
    let dataset = object::open(library, to, path)?;
    let mut ranges: Vec<[u64; 2]> = Vec::new();
    let faults = report.faults.iter().flat_map(|fault| [&fault.frames, &fault.doubtful_frames]);
    for frames in faults.filter(|frames| !frames.is_empty()) {
        match ranges.last_mut().filter(|last| frames.start <= last[1] && frames.end >= last[0]) {
            Some(last) => *last = [last[0].min(frames.start), last[1].max(frames.end)],
            None => ranges.push([frames.start, frames.end]),
        }
    }
    if ranges.is_empty() {
        return Ok(());
    }
    // An attribute has at most 64 kB.
    ranges.truncate(2000);
    let dims = [ranges.len() as u64, 2];
    object::set_numbers(&dataset, "darkchunk_damaged_frames", &dims, ranges.as_flattened())?;
    object::set_string(&dataset, "darkchunk_note", NOTE)
}
