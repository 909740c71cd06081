//! A file without its filters, in a folder of memory, for programs that read it with one core or lack a plugin; gone when it is dropped.
//!
//! The folder has the file under its own name. Other files of its folder are there as links, so that external links and virtual datasets lead
//! where they did; those among them that the file leads to are decompressed, too.

mod room;
mod signals;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::chunk_map::StoredDataset;
use darkchunk_hdf5::tree::{self, Kind};
use darkchunk_hdf5::{File, Library};

use crate::convert::spec::{Loss, Spec};
use crate::convert::{self, Output, Resources, Rules, Step, Watch};
pub use room::available;
pub use signals::{Signal, Signals};

/// How the folders are called, before the number of the process.
const PREFIX: &str = "darkchunk-with-";

/// Room that is left free.
const MARGIN: u64 = 16 << 20;

/// More files beside the source are not linked.
const MAX_BESIDE: usize = 10_000;

/// A file that is to be decompressed.
struct Source {
    file: PathBuf,
    steps: Vec<Step>,
    n_bytes: u64,
}

/// What is to be done, before anything is written.
pub struct Plan {
    /// The file, then those beside it that it leads to.
    sources: Vec<Source>,
    folder: PathBuf,
}

/// A file without its filters.
#[derive(Debug)]
pub struct Unpacked {
    folder: PathBuf,
    file: PathBuf,
    /// What was put into the folder.
    made: Vec<Made>,
    /// The folder, locked: so that others see that it is in use.
    _lock: Option<fs::File>,
}

/// What was put into the folder, as it was then: what a program has put in its place is not ours.
#[derive(Debug)]
struct Made {
    place: PathBuf,
    file: Option<(u64, std::time::SystemTime)>,
}

impl Made {
    fn new(place: PathBuf) -> Self {
        let file = as_it_is(&place);
        Self { place, file }
    }

    /// Whether it is still that: the same link, or a file that nobody has written to.
    fn is_still_there(&self) -> bool {
        self.place.symlink_metadata().is_ok_and(|now| now.is_symlink() == self.file.is_none())
            && as_it_is(&self.place) == self.file
    }
}

/// The length of a file and when it was written to; `None` for a link.
fn as_it_is(place: &Path) -> Option<(u64, std::time::SystemTime)> {
    let found = place.symlink_metadata().ok().filter(|found| !found.is_symlink())?;
    Some((found.len(), found.modified().ok()?))
}

impl Plan {
    /// Looks at the file, and at the room in the folder `into`.
    ///
    /// # Errors
    /// What cannot be read; a filter that is missing; too little room.
    pub fn new(library: &Library, file: &Path, into: &Path) -> Result<Self, String> {
        let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        let file = file.canonicalize().map_err(|error| failed(file, error))?;
        let folder = into.canonicalize().map_err(|error| failed(into, error))?;
        let (mut sources, mut seen, mut open) = (Vec::new(), HashSet::new(), vec![file]);
        while let Some(file) = open.pop() {
            if !seen.insert(file.clone()) {
                continue;
            }
            let (source, others) = look(library, &file)?;
            sources.push(source);
            open.extend(others);
        }
        let plan = Self { sources, folder };
        plan.check_room()?;
        Ok(plan)
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        self.sources.iter().fold(0, |n, source| n.saturating_add(source.n_bytes))
    }

    /// Bytes of pixels that are decoded and compared.
    #[must_use]
    pub fn n_pixel_bytes(&self) -> u64 {
        let steps = self.sources.iter().flat_map(|source| &source.steps).filter(|step| step.storage.is_some());
        steps.fold(0, |n, step| n.saturating_add(step.info.n_bytes.saturating_mul(2)))
    }

    fn check_room(&self) -> Result<(), String> {
        let (needed, folder) = (self.n_bytes(), self.folder.display());
        match available(&self.folder) {
            Some(available) if needed.saturating_add(MARGIN) > available => Err(format!(
                "{folder} has room for {available} bytes, {needed} are needed: name another folder with --into, such as one on a disk"
            )),
            _ => Ok(()),
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// What went wrong; nothing is left then.
    pub fn make(self, library: &Library, resources: Resources, watch: &dyn Watch) -> Result<Unpacked, String> {
        remove_left(&self.folder);
        let folder = self.folder.join(format!("{PREFIX}{}", std::process::id()));
        let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        let lock = create(&folder).map_err(|error| failed(&folder, error))?;
        let first = self.sources.first().map(|source| source.file.clone()).unwrap_or_default();
        let file = folder.join(first.file_name().unwrap_or_default());
        let mut unpacked = Unpacked { folder, file, made: Vec::new(), _lock: lock };
        for Source { file, steps, .. } in &self.sources {
            let place = unpacked.folder.join(file.file_name().unwrap_or_default());
            if steps.iter().any(|step| step.storage.is_some()) {
                let output = Output { to: &place, backup: None, resume: false, merge: false };
                convert::convert(library, file, output, steps, resources, watch)
                    .map_err(|error| format!("{}: {error}", file.display()))?;
            } else {
                link(file, &place).map_err(|error| failed(&place, error))?;
            }
            unpacked.made.push(Made::new(place));
        }
        unpacked.link_beside(&first).map_err(|error| failed(&first, error))?;
        Ok(unpacked)
    }
}

/// The folder in which a process puts its files below `into`: whoever ends it suddenly may remove it.
#[must_use]
pub fn folder_of_this_process(into: &Path) -> PathBuf {
    into.join(format!("{PREFIX}{}", std::process::id()))
}

/// What is to be done with a file, and the files beside it that it leads to.
fn look(library: &Library, path: &Path) -> Result<(Source, Vec<PathBuf>), String> {
    let failed = |error: String| format!("{}: {error}", path.display());
    let file = File::open(library, path, false).map_err(|error| failed(error.to_string()))?;
    let default = Spec { filters: Some(Vec::new()), loss: Loss::None };
    let rules = Rules { default, ..Rules::default() };
    let mut steps = convert::plan(library, &file, &rules).map_err(failed)?;
    // What has no filter is not decoded, however it is stored.
    for step in steps.iter_mut().filter(|step| step.info.filters.is_empty()) {
        step.storage = None;
    }
    let changed = steps.iter().filter(|step| step.storage.is_some());
    let grown = changed.fold(0_u64, |n, step| n.saturating_add(padded(step)));
    let length = path.metadata().map_err(|error| failed(error.to_string()))?.len();
    let n_bytes = if grown == 0 { 0 } else { length.saturating_add(grown) };
    let sources = sources(library, &file, &steps);
    if let Some(outside) = sources.iter().find(|source| n_bytes > 0 && leads_out(source)) {
        return Err(failed(format!(
            "it leads to {}, out of its folder, which would be another place: use `darkchunk convert --to none` beside it",
            outside.display()
        )));
    }
    let others = beside(library, path, &sources);
    Ok((Source { file: path.to_owned(), steps, n_bytes }, others))
}

/// Bytes of all chunks of a dataset without filters: those at the edge are whole.
fn padded(step: &Step) -> u64 {
    let dims = step.info.dims.as_deref().unwrap_or_default();
    let chunk = step.storage.as_ref().map(|storage| &storage.chunk[..]).unwrap_or_default();
    let axes = dims.iter().zip(chunk).map(|(dim, chunk)| dim.next_multiple_of((*chunk).max(1)));
    axes.fold(step.info.element_bytes, u64::saturating_mul)
}

/// Whether a path that is not absolute begins in another folder.
fn leads_out(source: &Path) -> bool {
    source.is_relative() && source.components().any(|part| part == std::path::Component::ParentDir)
}

/// The files that the external links and virtual datasets of a file name.
fn sources(library: &Library, file: &File, steps: &[Step]) -> Vec<PathBuf> {
    let links =
        tree::walk(library, file.id(), "/").unwrap_or_default().into_iter().filter_map(|entry| match entry.kind {
            Kind::External { file, .. } => Some(PathBuf::from(file)),
            _ => None,
        });
    let virtuals = steps.iter().filter(|step| step.info.layout.contains("virtual")).flat_map(|step| {
        let sources = StoredDataset::open_path(library, file.id(), &step.path).and_then(|dataset| dataset.sources());
        sources.map(|found| found.sources).unwrap_or_default().into_iter().filter_map(|source| source.file)
    });
    links.chain(virtuals).collect()
}

/// Those of the files that are in the folder of this one, and can be opened.
fn beside(library: &Library, path: &Path, sources: &[PathBuf]) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let found = sources.iter().filter_map(|source| folder.join(source).canonicalize().ok());
    // Those that cannot be opened stay as they are.
    let is_beside = |other: &PathBuf| other.parent() == Some(folder) && File::open(library, other, false).is_ok();
    found.filter(is_beside).collect()
}

impl Unpacked {
    /// The file, by the name that it has.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Links to what is in the folder of the source.
    fn link_beside(&mut self, source: &Path) -> std::io::Result<()> {
        let folder = source.parent().unwrap_or(Path::new("/"));
        for entry in fs::read_dir(folder)?.take(MAX_BESIDE) {
            let entry = entry?;
            let place = self.folder.join(entry.file_name());
            if place.symlink_metadata().is_err() {
                link(&entry.path(), &place)?;
                self.made.push(Made::new(place));
            }
        }
        Ok(())
    }

    /// Removes it, but for what a program has written there: the folder of that, if there is any.
    #[must_use]
    pub fn remove(mut self) -> Option<PathBuf> {
        // What is left from here on is the program's.
        let folder = std::mem::take(&mut self.folder);
        for made in self.made.iter().filter(|made| made.is_still_there()) {
            let _ = fs::remove_file(&made.place);
        }
        fs::remove_dir(&folder).is_err().then_some(folder)
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if !self.folder.as_os_str().is_empty() {
            // Links are removed, and not what they lead to.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Removes what processes have left that are gone.
fn remove_left(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(PREFIX).filter(|number| number.chars().all(|digit| digit.is_ascii_digit()));
        // In a container each one may have the same number.
        let own = std::process::id().to_string();
        let is_there = |number: &str| number != own && Path::new("/proc").join(number).exists();
        let is_gone = |number: &str| Path::new("/proc/self").exists() && !is_there(number);
        // A process of another container has a number that is not seen here, and its lock is.
        let is_free = || fs::File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if number.is_some_and(is_gone) && is_free() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(unix)]
fn link(to: &Path, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, place)
}

#[cfg(not(unix))]
fn link(to: &Path, place: &Path) -> std::io::Result<()> {
    if to.is_file() { fs::copy(to, place).map(drop) } else { Ok(()) }
}

/// Makes the folder, which nobody else may look into, and locks it where the file system has locks.
#[cfg(unix)]
fn create(folder: &Path) -> std::io::Result<Option<fs::File>> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder)?;
    let lock = fs::File::open(folder)?;
    Ok(lock.try_lock().is_ok().then_some(lock))
}

#[cfg(not(unix))]
fn create(folder: &Path) -> std::io::Result<Option<fs::File>> {
    fs::create_dir(folder).map(|()| None)
}
