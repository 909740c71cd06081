//! A whole file restored: what its journal has, and what the file that was left has besides.

use std::fs;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::copy;
use darkchunk_hdf5::{File, Library};

use super::restore::{Restored, RestoredDataset, restore_datasets};
use super::{lock, path_of};
use crate::recover::{Watch, leads_nowhere};
use crate::{Error, Result};

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredFile {
    /// What its journal has.
    pub restored: Restored,
    /// The datasets of the journal.
    pub datasets: Vec<RestoredDataset>,
    /// What else the file has.
    pub rest: Rest,
}

/// What became of what a file has besides its journal's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rest {
    /// It was copied, as far as this says.
    Copied(copy::Rest),
    /// Nothing of it could be copied, for this reason.
    NotCopied(Error),
}

impl Rest {
    /// What is not in the new file and why, a line each; empty where nothing is lost.
    #[must_use]
    pub fn lost(&self) -> Vec<String> {
        match self {
            Self::Copied(rest) => rest.lost.iter().map(|(path, error)| format!("{path}: {error}")).collect(),
            Self::NotCopied(error) => vec![format!("what is not in the journal: {error}")],
        }
    }
}

/// Makes the file `to`, which must not be there, of the journal of `file` ([`restore`](super::restore())) and of what `file` has besides,
/// where HDF5 opens it: dark image, attributes, other datasets. That needs functions which a table that a C program hands in does
/// not have: [`load::of_table`](https://docs.rs/darkchunk-hdf5) finds them. The new file is on the disk then.
///
/// # Errors
/// As [`restore`](super::restore()), and where `watch` ends it: there is no new file then. Where what is besides cannot be copied that is no
/// error: [`Rest`] says so.
pub fn restore_file(library: &Library, file: &Path, to: &Path, watch: &Watch<'_>) -> Result<RestoredFile> {
    let (restored, datasets) = restore_datasets(library, file, to, watch)?;
    let added = add_rest(library, file, to, watch).and_then(|rest| sync(to).map(|()| rest));
    let rest = added.inspect_err(|_| drop(fs::remove_file(to)))?;
    Ok(RestoredFile { restored, datasets, rest })
}

fn add_rest(library: &Library, file: &Path, to: &Path, watch: &Watch<'_>) -> Result<Rest> {
    (watch.seen)("what is besides");
    // After the kill of a recording that others could read (SWMR) the file opens in that way only.
    let source = match File::open(library, file, false).or_else(|_| File::open_swmr(library, file)) {
        Ok(source) => source,
        Err(error) => return Ok(Rest::NotCopied(error.into())),
    };
    let target = File::open(library, to, true)?;
    let mut rest = copy::rest(library, source.id(), target.id(), &mut |_| watch.check());
    target.close()?;
    if let Ok(rest) = &mut rest {
        // Opened anew: HDF5 2 may end the program over the links of a group that it has just copied into.
        rest.warnings.extend(leads_nowhere(library, &File::open(library, to, false)?, file, to));
    }
    watch.check()?;
    Ok(rest.map_or_else(|error| Rest::NotCopied(error.into()), Rest::Copied))
}

/// Where [`restore_in_place`] keeps a file as the crash has left it: its name with `.left` appended.
#[must_use]
pub fn left_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".left");
    name.into()
}

/// The same in place: the new file gets the name of `file`, which is kept, with its journal, as [`left_of`] says. It takes the
/// room of both. A recorder may use `file` again then.
///
/// # Errors
/// As [`restore_file`]; [`Error::Restore`] where a file of those names is there already, or `file` is open elsewhere; [`Error::Journal`]
/// where a recorder still writes to it.
pub fn restore_in_place(library: &Library, file: &Path, watch: &Watch<'_>) -> Result<RestoredFile> {
    let left = left_of(file);
    for taken in [left.clone(), path_of(&left)] {
        if taken.exists() {
            return Err(refused(&taken, "it is there already, kept by an earlier restore: move it away"));
        }
    }
    is_free(file)?;
    // A file that is read while it is written (SWMR) is not locked by HDF5. This lock also keeps out a second restore.
    let _journal = lock::of_left(&path_of(file))?;
    crate::reserve::remove_left(file);
    let new = new_name(file);
    let made = restore_file(library, file, &new, watch)?;
    let replaced = fs::metadata(file)
        .and_then(|old| fs::set_permissions(&new, old.permissions()))
        .and_then(|()| replace(file, &left, &new));
    replaced.map_err(|error| {
        let _ = fs::remove_file(&new);
        refused(file, &error.to_string())
    })?;
    Ok(made)
}

/// A name beside a file that nobody else takes.
fn new_name(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.{}.restored", std::process::id()))
}

/// The journal goes first: where it is not beside the file any more, but beside what is left, nothing is restored twice.
fn replace(file: &Path, left: &Path, new: &Path) -> std::io::Result<()> {
    fs::rename(path_of(file), path_of(left))?;
    let renamed = fs::rename(file, left).and_then(|()| {
        fs::rename(new, file).inspect_err(|_| {
            let _ = fs::rename(left, file);
        })
    });
    renamed.inspect_err(|_| {
        let _ = fs::rename(path_of(left), path_of(file));
    })
}

/// Refuses a file that a program has open to write: HDF5 locks it.
fn is_free(file: &Path) -> Result<()> {
    let opened = fs::File::open(file).map_err(|error| refused(file, &error.to_string()))?;
    match opened.try_lock() {
        Err(fs::TryLockError::WouldBlock) => {
            Err(refused(file, "a program has it open: end that first, or restore it into another file"))
        }
        // Not every file system has locks.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(()),
    }
}

fn sync(to: &Path) -> Result<()> {
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(|error| refused(to, &error.to_string()))
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Restore { path: path.display().to_string(), reason: reason.to_owned() }
}
