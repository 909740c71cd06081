//! A file of results: the outputs, a status for each slice, and what made them.
//!
//! ```text
//! /entry                    NXentry
//!   process                 NXprocess
//!     program, version      darkchunk slices
//!     library, …            what was called ([`Provenance`])
//!     status                of each slice: 0 done, 1 skipped, 2 failed, 3 not reached
//! ```
//!
//! It is written under another name in the folder of its own, and gets its name when it is complete and on the disk
//! ([`manifest`]). No time is in it: the same run gives the same bytes, also one that resumes.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::results::{NewResult, NumberClass, NumberType, ResultDataset, nexus_group, texts};
use darkchunk_hdf5::{File, Library};

use sha2::{Digest, Sha256};

use super::input::Input;
use super::manifest::{self, Left, Manifest};
use super::output::{Outputs, Shape};
use super::plan::Plan;
use super::run::run_into;
use super::summary::{Kept, Summary};
use super::{Process, Status};
use crate::temporary::Temporary;
use crate::{Error, Result};

/// Where the group about the run is.
pub(super) const PROCESS: &str = "/entry/process";

/// Where it says what became of each slice.
pub(super) const STATUS: &str = "/entry/process/status";

/// What made the results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Names and texts, such as that of the library and its version.
    pub facts: Vec<(String, String)>,
    /// Names and lists of texts, such as its arguments.
    pub lists: Vec<(String, Vec<String>)>,
    /// What is not stored, but tells whether a part is still of the same run: for instance the size of the input's file, and when it was
    /// last written.
    pub state: String,
}

/// What else is written to a file before the first slice.
pub(super) type Mark<'a> = &'a dyn Fn(&File) -> Result<()>;

/// Calls `process` for all slices, as [`run`](fn@super::run) does, and writes a new file with the outputs. With `resume` slabs that an earlier
/// run of the same kind has finished are not done again.
///
/// # Errors
/// As [`run`](fn@super::run), and [`Error::Argument`] where the file is there already, or slabs of an earlier run are and it is not to be
/// resumed. There is no new file then; what is finished is left for a run that resumes ([`Error::Kept`]).
pub fn write(
    library: &Library,
    to: &Path,
    parts: (&[Input], &Plan),
    process: &dyn Process,
    keep_going: bool,
    (provenance, resume): (&Provenance, bool),
    seen: &dyn Fn(u64),
) -> Result<Summary> {
    let run = identity(parts.1, provenance);
    write_with(library, to, parts, process, keep_going, (provenance, &|_| Ok(()), &run, resume), seen)
}

/// The same, with a mark, and for a run that has another identity.
pub(super) fn write_with(
    library: &Library,
    to: &Path,
    (inputs, plan): (&[Input], &Plan),
    process: &dyn Process,
    keep_going: bool,
    (provenance, mark, run, resume): (&Provenance, Mark<'_>, &str, bool),
    seen: &dyn Fn(u64),
) -> Result<Summary> {
    let left = left(to, &[run, &growing_identity(plan, provenance)], resume)?;
    let (temporary, file) = begin(library, to, plan.rank.rank)?;
    // First all that has a name: one that an output takes as well is refused before the first slice.
    describe(library, &file, provenance)?;
    mark(&file)?;
    let status = status(library, &file, plan)?;
    let outputs = Outputs::create(library, &file, &plan.outputs)?;
    let mut outputs = outputs.noted_by(Manifest::begin(temporary.path(), run)?);
    let kept = match kept(&left, (inputs, plan), &mut outputs) {
        Ok(kept) => kept,
        Err(error) => {
            outputs.close().into_iter().for_each(Manifest::remove);
            return Err(error);
        }
    };
    let done = run_into(inputs, plan, process, keep_going, (Some(&mut outputs), kept), seen)
        .and_then(|summary| outputs.finish().and_then(|()| Ok(status.write(&summary.status)?)).map(|()| summary));
    let manifest = outputs.close();
    drop(status);
    // What is still in memory is written when it is closed: the disk may be full then.
    let closed = file.close();
    let summary = match done.and_then(|summary| Ok(closed.map(|()| summary)?)) {
        Ok(summary) => summary,
        Err(error) => return Err(keep(temporary, manifest, left, error)),
    };
    publish(temporary, to)?;
    manifest.into_iter().for_each(Manifest::remove);
    left.into_iter().for_each(Left::remove);
    Ok(summary)
}

/// What earlier runs have left, which is not to be lost by mistake.
pub(super) fn left(to: &Path, runs: &[&str], resume: bool) -> Result<Vec<Left>> {
    let left = manifest::left(to, runs)?;
    match left.last() {
        Some(last) if !resume && last.end() > 0 => Err(Error::Argument(format!(
            "an earlier run has begun {}, up to slice {}: --resume goes on with it; to begin anew remove {}",
            to.display(),
            last.end(),
            last.path().display()
        ))),
        _ => Ok(left),
    }
}

/// Copies what the earlier run finished that came furthest; of inputs that were growing as far as their chunks are still the same.
pub(super) fn kept(left: &[Left], (inputs, plan): (&[Input], &Plan), outputs: &mut Outputs) -> Result<Kept> {
    let (mut kept, own, mut growth) = (Kept::default(), plan.own_slices(), None);
    let Some(last) = left.last() else { return Ok(kept) };
    for (slab, chunks) in last.slabs() {
        let begin = own.start + kept.status.len() as u64;
        if let Some(state) = slab.state {
            let growth = match &mut growth {
                Some(growth) => growth,
                none => none.insert(plan.growth(inputs)?),
            };
            if slab.end > own.end || growth.state(plan, begin..slab.end) != state {
                break;
            }
        }
        kept.status.extend(&slab.status);
        if own.start + kept.status.len() as u64 != slab.end || slab.end > own.end {
            return Err(Error::Argument(format!("{} is of other slices: remove it", last.path().display())));
        }
        outputs.repeat(slab, &chunks)?;
        kept.failure = kept.failure.or(slab.failure.clone());
    }
    Ok(kept)
}

/// Leaves what is finished, if anything is, for a run that resumes: this run's, or that of an earlier one which came further. Of the
/// others nothing is left.
pub(super) fn keep(temporary: Temporary, manifest: Option<Manifest>, mut left: Vec<Left>, error: Error) -> Error {
    let end = manifest.as_ref().map_or(0, |manifest| manifest.end);
    let is_own = end > 0 && left.last().is_none_or(|last| last.end() <= end);
    let best = if is_own { None } else { left.pop_if(|last| last.end() > 0) };
    let end = best.as_ref().map_or(end, Left::end);
    // What is left of others is not needed once this is on the disk.
    if !is_own || temporary.sync().is_ok() {
        left.into_iter().for_each(Left::remove);
    }
    if is_own {
        temporary.keep();
    } else {
        manifest.into_iter().for_each(Manifest::remove);
    }
    if end > 0 { Error::Kept { error: Box::new(error), end } } else { error }
}

/// What runs have in common that may go on with each other: what is called with what, what it gives, and how its slices are shared.
pub(super) fn identity(plan: &Plan, provenance: &Provenance) -> String {
    identity_of(plan, provenance, false)
}

/// The same of a run whose inputs grow: without what that changes. Whether slabs are of the same chunks is known of each.
pub(super) fn growing_identity(plan: &Plan, provenance: &Provenance) -> String {
    identity_of(plan, &Provenance { state: "grows".to_owned(), ..provenance.clone() }, true)
}

fn identity_of(plan: &Plan, provenance: &Provenance, grows: bool) -> String {
    let known = |dims: &[u64], map: &[u32]| -> Vec<u64> {
        dims.iter().zip(map).map(|(dim, axis)| if grows && *axis == 1 { 0 } else { *dim }).collect()
    };
    let output = |shape: &'_ Shape| {
        let Shape { path, number, dims, map, chunk, .. } = shape;
        format!("{:?}", (path, number, known(dims, map), map, known(chunk, map)))
    };
    let outputs: Vec<_> = plan.outputs.iter().map(output).collect();
    let padding: Vec<_> = plan.geometries.iter().map(|geometry| geometry.padding).collect();
    let axes: Vec<u32> = (1..=plan.slicing.dims().len() as u32).collect();
    let text = format!(
        "{} {provenance:?} {outputs:?} {padding:?} {} {:?} {}",
        env!("CARGO_PKG_VERSION"),
        plan.limits.max_block,
        known(plan.slicing.dims(), &axes),
        plan.rank.n_ranks
    );
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes a file that has another name until it is finished, and opens it.
pub(super) fn begin(library: &Library, to: &Path, rank: u64) -> Result<(Temporary, File)> {
    if to.exists() {
        return Err(Error::Argument(format!("{} is there already", to.display())));
    }
    let place = unfinished(to, rank)?;
    let temporary = Temporary(Some(place.clone()));
    Ok((temporary, File::create(library, &place)?))
}

/// Closes it, and gives it its name.
pub(super) fn finish(temporary: Temporary, file: File, to: &Path) -> Result<()> {
    file.close()?;
    publish(temporary, to)
}

fn publish(temporary: Temporary, to: &Path) -> Result<()> {
    temporary.finish(to, give_name).map_err(|error| Error::Argument(format!("{}: {error}", to.display())))
}

/// Gives a file its name; one that has it by now is not replaced, where the file system can tell.
fn give_name(place: &Path, to: &Path) -> std::io::Result<()> {
    match fs::hard_link(place, to) {
        Ok(()) => fs::remove_file(place),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) => fs::rename(place, to),
    }
}

/// Makes a file of the name that it has until it is finished: in the same folder, and of no other process. Processes of several machines
/// may have the same number, but not the same rank; a file that a process of the same number has left is not touched.
pub(super) fn unfinished(to: &Path, rank: u64) -> Result<PathBuf> {
    let none = || Error::Argument(format!("{} is no name of a file", to.display()));
    let name = to.file_name().ok_or_else(none)?.to_string_lossy().into_owned();
    let mut number = u64::from(std::process::id());
    loop {
        let place = to.with_file_name(format!(".{name}.{rank}.{number}.tmp"));
        // The system's words for a folder that is missing are better than HDF5's.
        match fs::File::create_new(&place) {
            Ok(_) => return Ok(place),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Error::Argument(format!("{}: {error}", place.display()))),
        }
    }
}

/// Writes what is known before the first slice.
pub(super) fn describe(library: &Library, file: &File, provenance: &Provenance) -> Result<()> {
    nexus_group(library, file.id(), "/entry", "NXentry")?;
    nexus_group(library, file.id(), PROCESS, "NXprocess")?;
    let fact = |name: &str, text: &str| texts(library, file.id(), &format!("{PROCESS}/{name}"), &[text], false);
    fact("program", "darkchunk slices")?;
    fact("version", env!("CARGO_PKG_VERSION"))?;
    for (name, text) in &provenance.facts {
        fact(name, text)?;
    }
    for (name, list) in &provenance.lists {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        texts(library, file.id(), &format!("{PROCESS}/{name}"), &list, true)?;
    }
    Ok(())
}

/// Makes the dataset of what becomes of each slice.
fn status(library: &Library, file: &File, plan: &Plan) -> Result<ResultDataset> {
    let (dims, number) = (plan.slicing.dims(), NumberType::native(NumberClass::Unsigned, 1));
    let new = NewResult { path: STATUS, number, dims, chunk: None, filters: &[] };
    let status = ResultDataset::create(library, file.id(), new)?;
    status.describe("meaning", &meaning())?;
    Ok(status)
}

pub(super) fn meaning() -> String {
    let words = [
        (Status::Done, "done"),
        (Status::Skipped, "skipped"),
        (Status::Failed, "failed"),
        (Status::NotReached, "not reached"),
    ];
    words.map(|(status, words)| format!("{} {words}", status as u8)).join(", ")
}
