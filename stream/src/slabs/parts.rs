//! Results of several processes: each writes a file of its own, and whoever finds all of them there makes the master.
//!
//! ```text
//!  out_000000.h5 …    the parts, datasets as large as all, of which each has its slices
//!  out.h5             virtual datasets of them, with relative names, and all that is in a file of one process
//! ```

use std::path::{Path, PathBuf};

use super::input::Input;
use super::manifest::{self, Left};
use super::plan::Plan;
use super::rank::Rank;
use super::results::{Mark, PROCESS, Provenance, STATUS, begin, describe, finish, identity, write_with};
use super::summary::Summary;
use super::{Process, Status};
use crate::master::part_path;
use crate::{Error, Options, Reader, Result};
use darkchunk::pipeline::buffer;
use darkchunk_hdf5::virtual_dataset::{self, Blocks};
use darkchunk_hdf5::{File, Library, OpenDataset, values};

/// What one process has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its file.
    pub path: PathBuf,
    /// What became of its slices; nothing where the file was there already.
    pub summary: Option<Summary>,
    /// Slices that failed, also of a file that was there.
    pub n_failed: u64,
}

/// The attributes of the process's group by which parts know each other.
const RUN: &str = "run";
const RANK: &str = "rank";

/// Calls `process` for the slices of this process ([`Plan::with_rank`]), and writes them to a file beside `to`, which will be the master
/// ([`join_parts`]). With `resume` a part that is there and of the same run is not done again, nor
/// are slabs of one that was ended.
///
/// # Errors
/// As [`write`](fn@super::write); [`Error::Part`] for a file of another run.
pub fn write_part(
    library: &Library,
    to: &Path,
    (inputs, plan): (&[Input], &Plan),
    process: &dyn Process,
    keep_going: bool,
    (provenance, resume): (&Provenance, bool),
    seen: &dyn Fn(u64),
) -> Result<Part> {
    let (path, run) = (part_path(to, plan.rank.rank), identity(plan, provenance));
    let is_there = resume && path.exists();
    // With all parts a master of the same run may be there.
    if to.exists() && !is_there {
        return Err(Error::Argument(format!("{} is there already", to.display())));
    }
    let summary = if is_there {
        check(library, &path, &run, plan.rank)?;
        // Of a process that was killed when it had just finished; where another one is at it now, it removes them itself.
        manifest::left(&path, &[&run]).into_iter().flatten().for_each(Left::remove);
        None
    } else {
        let mark = |file: &File| {
            let rank = format!("{}/{}", plan.rank.rank, plan.rank.n_ranks);
            values::set_string(library, file.id(), PROCESS, RUN, &run)?;
            Ok(values::set_string(library, file.id(), PROCESS, RANK, &rank)?)
        };
        let what = (provenance, &mark as Mark<'_>, &*run, resume);
        Some(write_with(library, &path, (inputs, plan), process, keep_going, what, seen)?)
    };
    let n_failed = match &summary {
        Some(summary) => summary.n_failed,
        None => failed(library, &path)?,
    };
    Ok(Part { path, summary, n_failed })
}

/// Makes the master `to` where the files of all ranks are there, and it is not; else says which ranks are missing.
///
/// # Errors
/// [`Error::Part`] for a file of another run; what HDF5 and the system say.
pub fn join_parts(library: &Library, to: &Path, plan: &Plan, provenance: &Provenance) -> Result<Vec<u64>> {
    let missing: Vec<u64> = (0..plan.rank.n_ranks).filter(|rank| !part_path(to, *rank).exists()).collect();
    if missing.is_empty() && !to.exists() {
        join(library, to, plan, provenance, &identity(plan, provenance))?;
    }
    Ok(missing)
}

fn check(library: &Library, path: &Path, run: &str, rank: Rank) -> Result<()> {
    let part = |reason: String| Error::Part { path: path.display().to_string(), reason };
    let file = File::open(library, path, false).map_err(|error| part(error.to_string()))?;
    let text = |name: &str| values::string(library, file.id(), PROCESS, name).ok().flatten();
    if text(RUN).as_deref() != Some(run) {
        let reason = "it is of another run: of another library, other arguments, an input that has changed, or another number of ranks. \
                      Move it away, or give another name";
        return Err(part(reason.to_owned()));
    }
    if text(RANK) != Some(format!("{}/{}", rank.rank, rank.n_ranks)) {
        return Err(part("it is another rank's: it was renamed".to_owned()));
    }
    Ok(())
}

/// How many slices of a part have failed.
fn failed(library: &Library, path: &Path) -> Result<u64> {
    let file = File::open(library, path, false)?;
    let reader = Reader::open_path(library, file.id(), STATUS, Options::default())?;
    let dims = reader.dims().to_vec();
    let mut status = buffer(dims.iter().product::<u64>() as usize)?;
    reader.read(&vec![0; dims.len()], &dims, None, &mut status)?;
    Ok(status.iter().filter(|found| **found == Status::Failed as u8).count() as u64)
}

/// Makes the master, unless another process was faster.
fn join(library: &Library, to: &Path, plan: &Plan, provenance: &Provenance, run: &str) -> Result<()> {
    let ranks = || (0..plan.rank.n_ranks).map(|rank| Rank { rank, ..plan.rank });
    for rank in ranks() {
        check(library, &part_path(to, rank.rank), run, rank)?;
    }
    let first = File::open(library, &part_path(to, 0), false)?;
    let (temporary, file) = match begin(library, to, plan.rank.rank) {
        Err(_) if to.exists() => return Ok(()),
        begun => begun?,
    };
    describe(library, &file, provenance)?;
    let n_axes = plan.slicing.dims().len();
    let status: Vec<u32> = (1..=n_axes as u32).collect();
    let outputs = plan.outputs.iter().map(|shape| (&*shape.path, &shape.dims[..], &shape.map[..]));
    for (path, dims, map) in outputs.chain([(STATUS, plan.slicing.dims(), &status[..])]) {
        let parts = ranks().filter_map(|rank| {
            let (name, plan) = (part_path(to, rank.rank), plan.clone().with_rank(rank));
            let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (dataset, blocks) = (path.to_owned(), place(&plan, dims, map)?);
            Some(virtual_dataset::Part { file: name, dataset, dims: dims.to_vec(), from: blocks.clone(), to: blocks })
        });
        let like = OpenDataset::open(library, first.id(), path)?;
        virtual_dataset::create(library, file.id(), path, like.id(), dims, &parts.collect::<Vec<_>>())?;
    }
    values::set_string(library, file.id(), STATUS, "meaning", &super::results::meaning())?;
    match finish(temporary, file, to) {
        Err(_) if to.exists() => Ok(()),
        done => done,
    }
}

/// Where the slices of a process are in an output, if it has any.
fn place(plan: &Plan, dims: &[u64], map: &[u32]) -> Option<Blocks> {
    let range = plan.spans.range();
    let first = map.iter().position(|axis| *axis == 1)?;
    let (mut start, mut extent) = (vec![0; dims.len()], dims.to_vec());
    (start[first], extent[first]) = (range.start, range.end - range.start);
    (!extent.contains(&0)).then(|| Blocks::one(&start, &extent))
}
