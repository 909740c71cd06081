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
//! It is written under another name in the folder of its own, and gets its name when it is complete and on the disk. No time is in it: the
//! same run gives the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::results::{NewResult, NumberClass, NumberType, ResultDataset, nexus_group, texts};
use darkchunk_hdf5::{File, Library};

use super::input::Input;
use super::output::Outputs;
use super::plan::Plan;
use super::run::{Summary, run_into};
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

/// Calls `process` for all slices, as [`run`](fn@super::run) does, and writes a new file with the outputs.
///
/// # Errors
/// As [`run`](fn@super::run), and [`Error::Argument`] where the file is there already. There is no new file then.
pub fn write(
    library: &Library,
    to: &Path,
    parts: (&[Input], &Plan),
    process: &dyn Process,
    keep_going: bool,
    provenance: &Provenance,
    seen: &dyn Fn(u64),
) -> Result<Summary> {
    write_with(library, to, parts, process, keep_going, (provenance, &|_| Ok(())), seen)
}

/// The same, with a mark.
pub(super) fn write_with(
    library: &Library,
    to: &Path,
    (inputs, plan): (&[Input], &Plan),
    process: &dyn Process,
    keep_going: bool,
    (provenance, mark): (&Provenance, Mark<'_>),
    seen: &dyn Fn(u64),
) -> Result<Summary> {
    let (temporary, file) = begin(library, to, plan.rank.rank)?;
    // First all that has a name: one that an output takes as well is refused before the first slice.
    describe(library, &file, provenance)?;
    mark(&file)?;
    let status = status(library, &file, plan)?;
    let mut outputs = Outputs::create(library, &file, &plan.outputs)?;
    let summary = run_into(inputs, plan, process, keep_going, Some(&mut outputs), seen)?;
    drop(outputs);
    status.write(&summary.status)?;
    drop(status);
    finish(temporary, file, to)?;
    Ok(summary)
}

/// Makes a file that has another name until it is finished, and opens it.
pub(super) fn begin(library: &Library, to: &Path, rank: u64) -> Result<(Temporary, File)> {
    if to.exists() {
        return Err(Error::Argument(format!("{} is there already", to.display())));
    }
    let place = unfinished(to, rank)?;
    // The system's words for a folder that is missing are better than HDF5's. A file of another run is not touched.
    fs::File::create_new(&place).map_err(|error| Error::Argument(format!("{}: {error}", place.display())))?;
    let temporary = Temporary(Some(place.clone()));
    Ok((temporary, File::create(library, &place)?))
}

/// Closes it, and gives it its name.
pub(super) fn finish(temporary: Temporary, file: File, to: &Path) -> Result<()> {
    file.close()?;
    temporary.finish(to, publish).map_err(|error| Error::Argument(format!("{}: {error}", to.display())))
}

/// Gives a file its name; one that has it by now is not replaced, where the file system can tell.
fn publish(place: &Path, to: &Path) -> std::io::Result<()> {
    match fs::hard_link(place, to) {
        Ok(()) => fs::remove_file(place),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(error),
        Err(_) => fs::rename(place, to),
    }
}

/// The name that a file has until it is finished: in the same folder, and of no other process. Processes of several machines may have
/// the same number, but not the same rank.
fn unfinished(to: &Path, rank: u64) -> Result<PathBuf> {
    let none = || Error::Argument(format!("{} is no name of a file", to.display()));
    let name = to.file_name().ok_or_else(none)?.to_string_lossy().into_owned();
    Ok(to.with_file_name(format!(".{name}.{rank}.{}.tmp", std::process::id())))
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
