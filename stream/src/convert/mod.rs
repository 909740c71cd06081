//! A file copied into a new one in which some datasets are stored otherwise.
//!
//! Everything is kept: groups, links, attributes, datatypes, references, datasets that stay as they are, whose chunks are
//! copied as they are stored. The others are decoded and encoded in threads. The new file is written under another name in the folder
//! of its own; it is compared with the old one, pixel by pixel, and flushed to the disk, before it gets its name. Until then,
//! whatever happens, there is the old file and no new one.

pub(crate) mod blocks;
mod elsewhere;
pub mod keep;
mod merge;
mod parts;
mod pixels;
pub(crate) mod plan;
mod regions;
mod rest;
pub mod spec;

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

pub use crate::temporary::left_unfinished;
use crate::temporary::{Temporary, keep_owner, publish, unfinished};
use darkchunk_hdf5::copy::Copier;
use darkchunk_hdf5::{File, Library, inspect, promise};
pub use elsewhere::check_leads;
pub(crate) use elsewhere::lost_leads;
use keep::Kept;
use parts::Parts;
pub use pixels::{Lost, Resources};
pub use plan::{Rules, Step, plan, rechunk, used};
use spec::Loss;

/// Where a conversion writes to, and how.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    /// The new file, which is replaced where it is there, and may be the old one.
    pub to: &'a Path,
    /// What the file that was there is called then.
    pub backup: Option<&'a Path>,
    /// Whether what is done is kept in a folder `.OUT.parts`, from which another run goes on.
    pub resume: bool,
    /// Whether what external links lead to is put in their place, as [`Rules::merge`] had it when the steps were planned.
    pub merge: bool,
}

/// What is told while a file is converted.
pub trait Watch {
    /// A dataset or object begins, in this phase.
    fn begin(&self, phase: Phase, path: &str);
    /// So many bytes of pixels are done.
    fn seen(&self, n_bytes: u64);
    /// Whether it is to end early: the source is as it was then, and there is no new file.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Objects are made, unchanged datasets copied.
    Copy,
    /// Pixels are encoded.
    Encode,
    /// Frames are looked at, which of them are kept.
    Look,
    /// Pixels are compared.
    Compare,
}

/// What became of a dataset that is stored otherwise now.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// Its path.
    pub path: String,
    /// Bytes that were stored before.
    pub old_bytes: u64,
    /// Bytes that are stored now.
    pub new_bytes: u64,
    /// Bytes that were decoded to be encoded anew, where that was done in one go.
    pub decoded_bytes: Option<u64>,
    /// Its filters now, in words.
    pub filters: String,
    /// What was taken away; `None` where each pixel is as it was.
    pub lost: Option<Lost>,
    /// Frames that are left out, and of how many; `None` where none could be.
    pub left_out: Option<(u64, u64)>,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Datasets that are stored otherwise.
    pub converted: Vec<Converted>,
    /// Datasets that are stored as they were.
    pub n_kept: usize,
    /// What could not be kept as it was.
    pub warnings: Vec<String>,
}

/// Converts the file `from` by `steps`.
///
/// # Errors
/// What went wrong, with the path of the dataset. There is no new file then, and what was there is as it was.
pub fn convert(
    library: &Library,
    from: &Path,
    output: Output<'_>,
    steps: &[Step],
    resources: Resources,
    watch: &dyn Watch,
) -> Result<Report, String> {
    let to = output.to;
    let failed = |error: std::io::Error| format!("{}: {error}", to.display());
    let mut parts = if output.resume { Some(Parts::open(from, to).map_err(failed)?) } else { None };
    if let Some(parts) = &mut parts {
        make_parts(library, from, (steps, output.merge), parts, resources, watch)?;
    }
    let kept = {
        let source = File::open(library, from, false).map_err(|error| error.to_string())?;
        keep::look(library, &source, steps, resources, watch)?
    };
    let place = unfinished(to)?;
    let mut temporary = Temporary(Some(place.clone()));
    let what = What { steps, is_merged: output.merge, kept: kept.as_ref() };
    let written = write(library, from, &place, what, parts.as_ref(), resources, watch)?;
    let report = proved(library, from, &place, what, written, resources, watch)?;
    if let Some(kept) = &kept {
        let path = &steps[kept.step].path;
        kept.mark(library, &place, path).map_err(|error| format!("{path}: {error}"))?;
    }
    note_promises(library, &place, steps)?;
    keep_owner(&place, to)
        .map_err(|error| format!("{}: {error}: nothing was replaced; write another file with -o", to.display()))?;
    if let Some(backup) = output.backup {
        // A second name of the old file, so that there is no moment without one.
        fs::hard_link(to, backup).map_err(|error| format!("{}: {error}", backup.display()))?;
    }
    publish(&place, from, to).map_err(failed)?;
    temporary.0 = None;
    parts.map_or(Ok(()), Parts::remove).map_err(failed)?;
    Ok(report)
}

/// What is to be in the new file.
#[derive(Clone, Copy)]
struct What<'a> {
    steps: &'a [Step],
    is_merged: bool,
    kept: Option<&'a Kept>,
}

impl What<'_> {
    /// Which frames of the dataset of a step are kept, where not all are.
    fn kept(&self, step: usize) -> Option<&Kept> {
        self.kept.filter(|kept| kept.step == step)
    }
}

/// Tells of bytes that are done, and says whether to go on.
fn go_on(watch: &dyn Watch, n_bytes: u64) -> crate::Result<()> {
    watch.seen(n_bytes);
    if watch.is_stopped() { Err(darkchunk_hdf5::Error::Stopped.into()) } else { Ok(()) }
}

/// Encodes each dataset into a file of its own, but for those that are there.
fn make_parts(
    library: &Library,
    from: &Path,
    (steps, is_merged): (&[Step], bool),
    parts: &mut Parts,
    resources: Resources,
    watch: &dyn Watch,
) -> Result<(), String> {
    let text = |error: darkchunk_hdf5::Error| error.to_string();
    let source = File::open(library, from, false).map_err(text)?;
    for (number, step) in steps.iter().enumerate() {
        let Step { path, storage, info, .. } = step;
        let Some(storage) = storage.as_ref().filter(|_| !step.is_verbatim) else { continue };
        watch.begin(Phase::Encode, path);
        let sources = if is_merged { parts::sources(library, &source, path) } else { Some(String::new()) };
        let line = sources.map(|sources| parts::line(number, path, storage, &sources));
        if line.as_ref().is_some_and(|line| parts.has(number, line)) {
            watch.seen(info.n_bytes);
            continue;
        }
        parts.begin(number).map_err(|error| format!("{path}: {error}"))?;
        let part = File::create(library, &parts.place(number)).map_err(text)?;
        Copier::part(library, source.id(), path, storage, part.id(), parts::NAME).map_err(text)?;
        let seen = |n_bytes| go_on(watch, n_bytes);
        pixels::encode(library, &source, (step, storage), (&part, parts::NAME), None, resources, &seen)
            .map_err(|error| format!("{path}: {error}"))?;
        part.close().map_err(text)?;
        if let Some(line) = line {
            parts.finished(number, line).map_err(|error| format!("{path}: {error}"))?;
        }
    }
    Ok(())
}

/// What was written, and how many bytes were decoded for each step.
type Written = (Report, Vec<Option<u64>>);

fn write(
    library: &Library,
    from: &Path,
    place: &Path,
    what: What<'_>,
    parts: Option<&Parts>,
    resources: Resources,
    watch: &dyn Watch,
) -> Result<Written, String> {
    let What { steps, is_merged, .. } = what;
    let text = |error: darkchunk_hdf5::Error| error.to_string();
    let source = File::open(library, from, false).map_err(text)?;
    let target = File::create_like(library, &source, from, place).map_err(text)?;
    let changed: HashMap<_, _> =
        steps.iter().filter_map(|step| Some((step.path.clone(), step.storage.clone()?))).collect();
    let make = if is_merged { Copier::merged } else { Copier::new };
    let mut copier = make(library, source.id(), target.id()).map_err(text)?;
    let mut made = |path: &str| {
        watch.begin(Phase::Copy, path);
        if watch.is_stopped() { Err(darkchunk_hdf5::Error::Stopped) } else { Ok(()) }
    };
    copier.objects(&changed, &mut made).map_err(text)?;
    let mut decoded = vec![None; steps.len()];
    for (number, step @ Step { path, storage, is_verbatim, .. }) in steps.iter().enumerate() {
        let Some(storage) = storage else { continue };
        let seen = |n_bytes| go_on(watch, n_bytes);
        let written = match parts {
            _ if *is_verbatim => {
                watch.begin(Phase::Copy, path);
                merge::copy(library, &source, path, &target, &storage.chunk, what.kept(number), &seen).map(|()| None)
            }
            Some(parts) => parts::join(library, &parts.place(number), &target, path, &seen).map(|()| None),
            None => {
                watch.begin(Phase::Encode, path);
                let kept = what.kept(number);
                pixels::encode(library, &source, (step, storage), (&target, path), kept, resources, &seen).map(Some)
            }
        };
        decoded[number] = written.map_err(|error| format!("{path}: {error}"))?;
    }
    copier.finish().map_err(text)?;
    let warnings = copier.warnings().to_vec();
    drop(copier);
    target.close().map_err(text)?;
    drop(source);
    copy_user_block(from, place).map_err(|error| format!("{}: {error}", place.display()))?;
    fs::File::open(place).and_then(|file| file.sync_all()).map_err(|error| format!("{}: {error}", place.display()))?;
    Ok((Report { n_kept: steps.len() - changed.len(), warnings, ..Report::default() }, decoded))
}

/// Compares the new file with the old one.
fn proved(
    library: &Library,
    from: &Path,
    place: &Path,
    what: What<'_>,
    (mut report, decoded): Written,
    resources: Resources,
    watch: &dyn Watch,
) -> Result<Report, String> {
    let open = |path| File::open(library, path, false).map_err(|error| error.to_string());
    let (source, target) = (open(from)?, open(place)?);
    let What { steps, is_merged, .. } = what;
    for (number, Step { path, info, storage, loss, .. }) in steps.iter().enumerate() {
        watch.begin(Phase::Compare, path);
        let failed = |error: crate::Error| format!("{path}: {error}: nothing was replaced");
        let seen = |n_bytes| go_on(watch, n_bytes);
        if storage.is_none() {
            pixels::compare_stored(library, &source, &target, path, &seen).map_err(failed)?;
            continue;
        }
        let kept = what.kept(number);
        let lost = pixels::compare(library, &source, &target, path, *loss, kept, resources, &seen).map_err(failed)?;
        let now = inspect::dataset(library, target.id(), path).map_err(|error| error.to_string())?;
        let words: Vec<_> = now.filters.iter().map(|filter| filter.words.clone()).collect();
        report.converted.push(Converted {
            path: path.clone(),
            old_bytes: info.stored_bytes,
            new_bytes: now.stored_bytes,
            decoded_bytes: decoded[number],
            filters: if words.is_empty() { "no filter".to_owned() } else { words.join(" + ") },
            lost: (*loss != Loss::None).then_some(lost),
            left_out: kept.map(Kept::count),
        });
    }
    rest::compare(library, (&source, &target), steps, is_merged, &mut report.warnings, watch)?;
    Ok(report)
}

/// Stores beside pixels that may have changed what was promised of them, and what came of it.
fn note_promises(library: &Library, place: &Path, steps: &[Step]) -> Result<(), String> {
    let lossy: Vec<_> = steps.iter().filter(|step| step.storage.is_some() && step.loss != Loss::None).collect();
    if lossy.is_empty() {
        return Ok(());
    }
    let file = File::open(library, place, true).map_err(|error| error.to_string())?;
    for Step { path, .. } in lossy {
        promise::store(library, file.id(), path).map_err(|error| format!("{path}: {error}"))?;
    }
    file.close().map_err(|error| error.to_string())
}

/// What stands before HDF5's part of the file.
pub(crate) fn copy_user_block(from: &Path, to: &Path) -> std::io::Result<()> {
    const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";
    let (mut source, mut at, mut found) = (fs::File::open(from)?, 0, [0; 8]);
    let n_bytes = source.metadata()?.len();
    while at < n_bytes {
        source.seek(SeekFrom::Start(at))?;
        source.read_exact(&mut found)?;
        if found == *SIGNATURE {
            break;
        }
        at = if at == 0 { 512 } else { 2 * at };
    }
    if at > 0 {
        source.seek(SeekFrom::Start(0))?;
        let mut target = fs::OpenOptions::new().write(true).open(to)?;
        std::io::copy(&mut source.take(at), &mut target)?;
        target.flush()?;
    }
    Ok(())
}
