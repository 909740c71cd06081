//! One file that shows the datasets of a measurement in several files as one each: virtual datasets of fixed extents.
//!
//! It is made of the files of the parts alone, whoever wrote them, on one machine or on several, and can be made again at any time: when
//! a part was restored, or another has come. Names are relative, so a folder can be moved as a whole; a part outside of the master's
//! folder has an absolute name.
//!
//! HDF5 reads what is in no file as the fill value, and says nothing. `frame_status` is 0 there, "missing", and [`Made`] says what is
//! in none of the parts. Each part keeps its own sum and counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::measurement::{self, Recorded};
use darkchunk_hdf5::virtual_dataset::{Blocks, Part};
use darkchunk_hdf5::{File, Library};

use crate::recorder::Share;
use crate::temporary::{Temporary, folder_of};
use crate::{Error, Result, journal};

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Made {
    /// The datasets of frames, with the frames that each has, missing ones among them.
    pub datasets: Vec<(String, u64)>,
    /// What is in none of the parts, a line each.
    pub gaps: Vec<String>,
    /// Parts beside which is a journal: they are still recorded, or are to be restored, and the master made again then.
    pub unfinished: Vec<PathBuf>,
}

/// An open part.
struct Open {
    path: PathBuf,
    /// As the master has it.
    name: String,
    file: File,
}

/// A dataset of a part.
struct Piece<'a> {
    open: &'a Open,
    recorded: Recorded,
    share: Share,
    n_frames: u64,
}

/// The files of the parts that a recorder has named after `master`, and that are there: `run_000000.h5` … for `run.h5`.
///
/// # Errors
/// [`Error::Part`] where the folder cannot be read.
pub fn parts_of(master: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder_of(master);
    let failed = |error: std::io::Error| refused(folder, &error.to_string());
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if number_of(master, &path).is_some() {
            parts.push(path);
        }
    }
    parts.sort_by_key(|path| number_of(master, path));
    Ok(parts)
}

/// The name of part `number` of a measurement whose master is `master`.
#[must_use]
pub fn part_path(master: &Path, number: u64) -> PathBuf {
    let stem = master.file_stem().unwrap_or_default().to_string_lossy();
    let extension =
        master.extension().map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()));
    master.with_file_name(format!("{stem}_{number:06}{extension}"))
}

fn number_of(master: &Path, path: &Path) -> Option<u64> {
    let digits: String = path.file_stem()?.to_str()?.rsplit('_').next()?.into();
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (part_path(master, number).file_name() == path.file_name()).then_some(number)
}

/// Makes the file `to` of these parts. One that is there is replaced, once the new one is whole.
///
/// # Errors
/// [`Error::Part`] says which part is no part, cannot be opened, or does not go with the others; [`Error::Hdf5`], also where the table of
/// functions was handed in (as [`journal::restore_file`]) or has no `H5Pset_virtual`.
pub fn make(library: &Library, parts: &[PathBuf], to: &Path) -> Result<Made> {
    let opened = parts.iter().map(|path| open(library, path, to)).collect::<Result<Vec<_>>>()?;
    let mut datasets: BTreeMap<String, Vec<Piece<'_>>> = BTreeMap::new();
    for part in &opened {
        for piece in pieces(library, part)? {
            datasets.entry(piece.recorded.path.clone()).or_default().push(piece);
        }
    }
    if datasets.is_empty() {
        let why = if parts.is_empty() {
            "there is no part of its name beside it: name the parts"
        } else {
            "its parts have no datasets"
        };
        return Err(refused(to, why));
    }
    let new = to.with_file_name(format!(".{}.{}.master", name_of(to), std::process::id()));
    let temporary = Temporary(Some(new.clone()));
    let file = File::create(library, &new)?;
    let mut made = Made::default();
    for (path, pieces) in &mut datasets {
        pieces.sort_by_key(|piece| piece.share.first);
        check(pieces)?;
        made.gaps.extend(gaps(path, pieces));
        made.datasets.push((path.clone(), join(library, &file, pieces)?));
    }
    file.close()?;
    temporary.finish(to, |new, to| std::fs::rename(new, to)).map_err(|error| refused(to, &error.to_string()))?;
    made.unfinished = parts.iter().filter(|path| journal::path_of(path).exists()).cloned().collect();
    Ok(made)
}

/// Opens a part, also one whose writer was killed while others could read it.
fn open(library: &Library, path: &Path, to: &Path) -> Result<Open> {
    let opened = File::open(library, path, false).or_else(|error| File::open_swmr(library, path).map_err(|_| error));
    let file = opened.map_err(|error| {
        let what = if journal::path_of(path).exists() {
            "it does not open, and its journal is beside it: end its recorder, or restore it with `darkchunk recover --in-place`; or leave it out"
        } else {
            "it does not open: leave it out"
        };
        refused(path, &format!("{what} ({error})"))
    })?;
    Ok(Open { path: path.to_owned(), name: relative(path, to)?, file })
}

/// The name of a part as a master has it.
fn relative(path: &Path, to: &Path) -> Result<String> {
    let failed = |error: std::io::Error| refused(path, &error.to_string());
    let part = path.canonicalize().map_err(failed)?;
    let folder = folder_of(to).canonicalize().map_err(failed)?;
    let name = part.strip_prefix(&folder).unwrap_or(&part);
    let name = name.to_str().ok_or_else(|| refused(path, "its name is not UTF-8: give it another"))?;
    Ok(if cfg!(windows) { name.replace('\\', "/") } else { name.to_owned() })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn pieces<'a>(library: &Library, open: &'a Open) -> Result<Vec<Piece<'a>>> {
    let found = measurement::recorded(library, open.file.id())?;
    if found.is_empty() {
        return Err(refused(
            &open.path,
            "it is no part of a measurement: a recorder writes one if it is told its share",
        ));
    }
    let piece = |recorded: Recorded| {
        let [_, first, frames, every] = recorded.part;
        let share = Share { first, frames, every };
        let n_frames = measurement::dims(library, open.file.id(), &recorded.path)?.first().copied().unwrap_or(0);
        if !share.is_sound() || share.index(n_frames) == u64::MAX {
            return Err(refused(&open.path, &format!("{share:?} of {} is no share", recorded.path)));
        }
        Ok(Piece { open, recorded, share, n_frames })
    };
    found.into_iter().map(piece).collect()
}

/// Refuses pieces that are not of one measurement, or of which two have the same frames.
fn check(pieces: &[Piece<'_>]) -> Result<()> {
    let Some(first) = pieces.first() else { return Ok(()) };
    let other = |piece: &Piece<'_>| piece.open.path.display().to_string();
    for piece in pieces {
        if piece.recorded.part[0] != first.recorded.part[0] || piece.share.every != first.share.every {
            let reason = format!("its share and that of {} are of two measurements", other(first));
            return Err(refused(&piece.open.path, &reason));
        }
    }
    for (piece, after) in pieces.iter().zip(&pieces[1..]) {
        if piece.meets(after) {
            let (path, other) = (&piece.recorded.path, other(after));
            let reason = format!("{path} has frames that {other} has, too: leave one of them out");
            return Err(refused(&piece.open.path, &reason));
        }
    }
    Ok(())
}

impl Piece<'_> {
    /// Whether it has a frame of the next one.
    fn meets(&self, after: &Self) -> bool {
        if self.share.every == 0 {
            return self.share.index(self.n_frames) > after.share.first && after.n_frames > 0;
        }
        after.share.first < self.share.first.saturating_add(self.share.frames)
    }

    /// One more than the index of the last frame of `n`.
    fn end(&self, n: u64) -> u64 {
        n.checked_sub(1).map_or(0, |last| self.share.index(last).saturating_add(1))
    }

    /// The parts of a master of what has the extent `dims` in this file.
    fn parts(&self, path: &str, dims: &[u64]) -> Vec<Part> {
        let [n, row @ ..] = dims else { return Vec::new() };
        let Share { first, frames, every } = self.share;
        let n_rows = if every == 0 { 0 } else { n / frames };
        let n_whole = n_rows * frames;
        let part = |at: u64, n: u64, to: Blocks| {
            let (mut start, mut shape) = (vec![0; dims.len()], vec![n]);
            start[0] = at;
            shape.extend(row);
            let from = Blocks::one(&start, &shape);
            Part { file: self.open.name.clone(), dataset: path.to_owned(), dims: dims.to_vec(), from, to }
        };
        let mut parts = Vec::new();
        if n_rows > 0 {
            parts.push(part(0, n_whole, Blocks::every(first, every, n_rows, frames, dims)));
        }
        if n_whole < *n {
            let to = Blocks::every(self.share.index(n_whole), 1, 1, n - n_whole, dims);
            parts.push(part(n_whole, n - n_whole, to));
        }
        parts
    }
}

/// What is in no file, of a dataset whose pieces are in order.
fn gaps(path: &str, pieces: &[Piece<'_>]) -> Vec<String> {
    let Some(first) = pieces.first() else { return Vec::new() };
    let Share { frames, every, .. } = first.share;
    if every > 0 {
        let has = |turn: u64| pieces.iter().any(|piece| piece.share.first / frames == turn);
        let missing = (0..(every / frames).min(1 << 16)).filter(|turn| !has(*turn));
        return missing.map(|turn| format!("{path}: the part of turn {turn} of {}", every / frames)).collect();
    }
    let (mut next, mut gaps) = (0, Vec::new());
    for piece in pieces {
        if piece.share.first > next {
            gaps.push(format!("{path}: frames {next} to {}", piece.share.first - 1));
        }
        let n = if piece.share.frames == 0 { piece.n_frames } else { piece.share.frames };
        next = piece.share.first.saturating_add(n);
    }
    gaps
}

/// Refuses a dataset or a column that has not the same rows in all pieces.
fn check_rows(library: &Library, path: &str, pieces: &[Piece<'_>], of_each: &[Vec<u64>]) -> Result<()> {
    for (piece, dims) in pieces.iter().zip(of_each) {
        if dims.is_empty() || dims.get(1..) != of_each[0].get(1..) {
            return Err(refused(&piece.open.path, &format!("{path} has rows of another shape than in the first part")));
        }
        measurement::same_type(library, path, piece.open.file.id(), pieces[0].open.file.id())
            .map_err(|error| refused(&piece.open.path, &error.to_string()))?;
    }
    Ok(())
}

/// Makes the virtual datasets of one dataset and its columns, and returns how many frames they have.
fn join(library: &Library, file: &File, pieces: &[Piece<'_>]) -> Result<u64> {
    let first = &pieces[0];
    measurement::prepare(library, file.id(), &first.recorded)?;
    let mut joined = Vec::new();
    for path in std::iter::once(&first.recorded.path).chain(&first.recorded.columns) {
        let dims = |piece: &Piece<'_>| measurement::dims(library, piece.open.file.id(), path);
        let of_each = pieces.iter().map(dims).collect::<darkchunk_hdf5::Result<Vec<_>>>()?;
        check_rows(library, path, pieces, &of_each)?;
        joined.push((path, of_each));
    }
    let ends =
        joined.iter().flat_map(|(_, of_each)| pieces.iter().zip(of_each).map(|(piece, dims)| piece.end(dims[0])));
    let n_frames = ends.max().unwrap_or(0);
    for (path, of_each) in joined {
        let parts: Vec<Part> = pieces.iter().zip(&of_each).flat_map(|(piece, dims)| piece.parts(path, dims)).collect();
        let mut dims = of_each[0].clone();
        dims[0] = n_frames;
        measurement::join(library, file.id(), (first.open.file.id(), path), &dims, &parts)?;
    }
    if let Some(dark) = &first.recorded.dark {
        let dims = measurement::dims(library, first.open.file.id(), dark)?;
        let all = Blocks::one(&vec![0; dims.len()], &dims);
        let name = first.open.name.clone();
        let part = Part { file: name, dataset: dark.clone(), dims: dims.clone(), from: all.clone(), to: all };
        measurement::join(library, file.id(), (first.open.file.id(), dark), &dims, &[part])?;
    }
    measurement::show(library, file.id(), &first.recorded)?;
    Ok(n_frames)
}

fn refused(path: &Path, reason: &str) -> Error {
    Error::Part { path: path.display().to_string(), reason: reason.to_owned() }
}
