//! What is good of a damaged file, in a new one: the file as HDF5 reads it, or where it cannot, DRLE frames by their bytes.

use std::fs;
use std::path::{Path, PathBuf};

use darkchunk_hdf5::copy::{self, Examined, Recovered};
use darkchunk_hdf5::salvage::{self, FoundReport};
use darkchunk_hdf5::{Error, File, Library};

use crate::convert::{copy_user_block, lost_leads};
use crate::temporary::{Temporary, unfinished};
use crate::verify::{self, State, Verdict};

/// How a file was recovered.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Object by object.
    Objects {
        /// What became of them.
        recovered: Recovered,
        /// Bytes that the file lacks at its end, which were read as zeros.
        n_cut_off: u64,
    },
    /// By a search of its bytes, because HDF5 cannot open it.
    Bytes {
        /// What was found.
        found: FoundReport,
        /// Why HDF5 cannot.
        reason: Error,
    },
}

/// What is told while a file is recovered, and asked whether to go on.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// An object begins.
    pub seen: &'a (dyn Fn(&str) + Sync),
    /// Whether it is to end early.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Watch<'_> {
    /// Nobody is told, and nothing ends it.
    pub const NONE: Watch<'static> = Watch { seen: &|_| {}, is_stopped: &|| false };

    /// Whether to go on.
    pub(crate) fn check(&self) -> darkchunk_hdf5::Result<()> {
        if (self.is_stopped)() { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// Recovers the file `from` into `to`, which must not be there.
///
/// # Errors
/// What went wrong; there is no new file then, nor where nothing was found.
pub fn recover(
    library: &Library,
    from: &Path,
    to: &Path,
    n_threads: usize,
    watch: &Watch<'_>,
) -> Result<Outcome, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", from.display());
    let n_bytes = fs::metadata(from).map_err(failed)?.len();
    let stated = fs::File::open(from).and_then(salvage::stated_len).map_err(failed)?;
    let n_cut_off = stated.unwrap_or(0).saturating_sub(n_bytes);
    // HDF5 refuses a file that lacks its end; a copy with zeros there it opens.
    let whole = match stated.filter(|_| n_cut_off > 0 && n_cut_off <= n_bytes.saturating_mul(1000)) {
        Some(stated) => Some(Lengthened::new(from, to, stated)?),
        None => None,
    };
    let readable = whole.as_ref().map_or(from, |whole| &whole.0);
    let new = Temporary(Some(unfinished(to)?));
    // After the kill of a recording that others could read (SWMR) the file opens in that way only.
    let opened = File::open(library, readable, false);
    let mut outcome = match opened.or_else(|error| File::open_swmr(library, readable).map_err(|_| error)) {
        Ok(source) => {
            objects(library, &source, readable, new.path(), (n_threads, whole.as_ref().map(|_| n_bytes)), watch)
                .map(|recovered| Outcome::Objects { recovered, n_cut_off })?
        }
        Err(reason) => bytes(library, from, new.path()).map(|found| Outcome::Bytes { found, reason })?,
    };
    if let Outcome::Objects { recovered, .. } = &mut outcome {
        recovered
            .warnings
            .extend(File::open(library, new.path(), false).ok().and_then(|new| leads_nowhere(library, &new, from, to)));
    }
    let is_nothing = matches!(&outcome, Outcome::Bytes { found, .. } if found.n_frames == 0);
    if !is_nothing {
        new.finish(to, |place, to| fs::rename(place, to)).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(outcome)
}

/// A warning, where the new file leads to another one by a name that is good from the folder of the old one only.
pub(crate) fn leads_nowhere(library: &Library, new: &File, from: &Path, to: &Path) -> Option<String> {
    let lost = lost_leads(library, new, from, to, &[]).ok()??;
    Some(format!("{lost}: move the new file beside the old one, or what it leads to beside the new one"))
}

/// A copy of a file with zeros at its end, which goes away.
struct Lengthened(PathBuf);

impl Lengthened {
    fn new(from: &Path, to: &Path, n_bytes: u64) -> Result<Self, String> {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let copy = Self(to.with_file_name(format!(".{name}.{}.lengthened", std::process::id())));
        let made = fs::copy(from, &copy.0)
            .and_then(|_| fs::OpenOptions::new().write(true).open(&copy.0))
            .and_then(|file| file.set_len(n_bytes));
        made.map_err(|error| format!("{}: {error}", copy.0.display()))?;
        Ok(copy)
    }
}

impl Drop for Lengthened {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn objects(
    library: &Library,
    source: &File,
    source_path: &Path,
    to: &Path,
    (n_threads, n_bytes): (usize, Option<u64>),
    watch: &Watch<'_>,
) -> Result<Recovered, String> {
    let text = |error: Error| error.to_string();
    let target = File::create_like(library, source, source_path, to).map_err(text)?;
    let mut examine = |path: &str| examined(verify::dataset(library, source.id(), path, n_threads, &|_| watch.check()));
    let mut seen = |path: &str| {
        (watch.seen)(path);
        watch.check()
    };
    let recovered = copy::recover(library, source.id(), target.id(), n_bytes, &mut examine, &mut seen).map_err(text)?;
    target.close().map_err(text)?;
    copy_user_block(source_path, to).map_err(|error| format!("{}: {error}", to.display()))?;
    fs::File::open(to).and_then(|file| file.sync_all()).map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(recovered)
}

fn examined(verdict: Verdict) -> Examined {
    let reason = || verdict.reason.clone().unwrap_or_else(|| "it is damaged".to_owned());
    match verdict.state {
        State::Damaged if verdict.report.is_damaged() => Examined::Damaged(verdict.report),
        State::Damaged | State::NotExamined => Examined::Unknown(reason()),
        State::Empty | State::Intact | State::Decodes | State::Readable | State::Elsewhere => Examined::Sound,
    }
}

fn bytes(library: &Library, from: &Path, to: &Path) -> Result<FoundReport, String> {
    let text = |error: Error| error.to_string();
    let source = fs::File::open(from).map_err(|error| format!("{}: {error}", from.display()))?;
    let target = File::create(library, to).map_err(text)?;
    let name = from.display().to_string();
    let found = salvage::scan(library, source, &name, target.id(), None).map_err(text)?;
    target.close().map_err(text)?;
    Ok(found)
}
