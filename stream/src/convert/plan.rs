//! Which datasets are to be stored otherwise, and how.

use darkchunk::element::ElementClass;
use darkchunk::pipeline::{self, Pipeline};
use darkchunk_hdf5::copy::NewStorage;
use darkchunk_hdf5::inspect::{self, DatasetInfo, FilterInfo};
use darkchunk_hdf5::tree::{self, Entry, Kind};
use darkchunk_hdf5::{File, Library};

use super::keep::Rule;
use super::merge;
use super::pixels::DRLE;
use super::spec::{Loss, Spec, matches};
use crate::filters::Chain;

/// Datasets of fewer bytes stay as they are, unless a pattern names them.
const SMALL_BYTES: u64 = 4096;

/// Bytes of a chunk where the dataset has none, and is no stack of frames.
const CHUNK_BYTES: u64 = 1 << 20;

/// What a user asks for.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// For all datasets of pixels that no pattern names.
    pub default: Spec,
    /// For datasets by a pattern; the first that matches.
    pub patterns: Vec<(String, Spec)>,
    /// The shape of a chunk; an axis of 0 is whole. `None` keeps that of the dataset.
    pub chunk: Option<Vec<u64>>,
    /// Whether pixels may be changed.
    pub lossy: bool,
    /// Whether pixels may be changed that a lossy filter has changed before.
    pub force: bool,
    /// Whether what is in other files becomes a part of the new one: what external links lead to, virtual datasets, external data.
    pub merge: bool,
    /// Frames are left out for which one of these does not hold.
    pub keep: Vec<Rule>,
    /// Of which dataset; `None`: the largest of three axes or more.
    pub keep_of: Option<String>,
    /// Whether a pattern may mean no dataset of this file, as it means one of another.
    pub may_miss: bool,
}

/// What is done with a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its path.
    pub path: String,
    /// As it is now.
    pub info: DatasetInfo,
    /// How it is to be stored; `None` as it is.
    pub storage: Option<NewStorage>,
    /// What that takes away.
    pub loss: Loss,
    /// Whether a virtual dataset has the chunks of its sources, as they are stored.
    pub is_verbatim: bool,
    /// Which of its frames are kept; all without a rule.
    pub keep: Vec<Rule>,
}

/// What is done with each dataset of a file.
///
/// # Errors
/// What cannot be read; a target that a dataset cannot have; what must be allowed first.
pub fn plan(library: &Library, file: &File, rules: &Rules) -> Result<Vec<Step>, String> {
    let entries = entries(library, file, rules.merge)?;
    let mut unused: Vec<&str> = rules.patterns.iter().map(|(pattern, _)| &**pattern).collect();
    let mut steps = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Dataset) {
        let mut info = inspect::dataset(library, file.id(), &entry.path)
            .map_err(|error| format!("{} cannot be read: {error}", entry.path))?;
        let named = rules.patterns.iter().find(|(pattern, _)| matches(pattern, &entry.path));
        unused.retain(|pattern| named.is_none_or(|(named, _)| named != pattern));
        let spec = named.map_or(&rules.default, |(_, spec)| spec);
        let elsewhere = rules.merge && merge::is_elsewhere(&info);
        let (storage, is_verbatim) = if elsewhere {
            merge::storage(library, file, &entry.path, &mut info, spec, rules)
                .map(|(new, is_same)| (Some(new), is_same))
        } else {
            storage(&info, spec, named.is_some(), rules).map(|storage| (storage, false))
        }
        .map_err(|why| format!("{}: {why}", entry.path))?;
        if let Some((storage, _)) = &storage {
            storage.filters_of(&info).map_err(|why| {
                format!("{} has elements of {}: {why}; leave it as it is with -d {0}=keep", entry.path, info.datatype)
            })?;
        }
        if storage.is_some() && !is_verbatim {
            check_filters(library, &entry.path, &info)
                .map_err(|why| format!("{why}, or leave the dataset as it is with -d {}=keep", entry.path))?;
        }
        let (storage, loss) = storage.map_or((None, Loss::None), |(storage, loss)| (Some(storage), loss));
        steps.push(Step { path: entry.path.clone(), info, storage, loss, is_verbatim, keep: Vec::new() });
    }
    if let Some(pattern) = unused.first().filter(|_| !rules.may_miss) {
        return Err(format!("no dataset is meant by {pattern}: `darkchunk info` lists them"));
    }
    if !rules.keep.is_empty() {
        leave_out(&mut steps, rules)?;
    }
    Ok(steps)
}

/// The same where one dataset gets other chunks, and all others stay as they are. Without a target it keeps its filters.
///
/// # Errors
/// As [`plan`]; where there is no such dataset.
pub fn rechunk(
    library: &Library,
    file: &File,
    path: &str,
    chunk: Vec<u64>,
    to: Option<Spec>,
    lossy: bool,
) -> Result<Vec<Step>, String> {
    let info = inspect::dataset(library, file.id(), path).map_err(|error| format!("{path}: {error}"))?;
    let spec = to.map_or_else(|| kept(path, &info), Ok)?;
    let rules = Rules { chunk: Some(chunk), lossy, may_miss: true, ..Rules::default() };
    let mut steps = plan(library, file, &rules)?;
    let step = steps.iter_mut().find(|step| step.path == path).ok_or_else(|| format!("there is no dataset {path}"))?;
    check_filters(library, path, &info)?;
    let asked = storage(&info, &spec, true, &rules).map_err(|why| format!("{path}: {why}"))?;
    (step.storage, step.loss) = asked.map_or((None, Loss::None), |(storage, loss)| (Some(storage), loss));
    Ok(steps)
}

/// Which of the patterns of `rules` are the first to mean a dataset of a file.
///
/// # Errors
/// What cannot be read.
pub fn used<'a>(library: &Library, file: &File, rules: &'a Rules) -> Result<Vec<&'a str>, String> {
    let entries = entries(library, file, rules.merge)?;
    let datasets = entries.iter().filter(|entry| entry.kind == Kind::Dataset);
    let first =
        |entry: &Entry| rules.patterns.iter().map(|(pattern, _)| &**pattern).find(|it| matches(it, &entry.path));
    Ok(datasets.filter_map(first).collect())
}

/// Notes at its dataset which frames are kept.
fn leave_out(steps: &mut [Step], rules: &Rules) -> Result<(), String> {
    if !rules.lossy {
        return Err("--keep leaves frames out: --lossy allows it".to_owned());
    }
    let is_stack = |step: &Step| step.info.dims.as_ref().is_some_and(|dims| dims.len() > 2);
    let step = match &rules.keep_of {
        Some(path) => steps.iter_mut().find(|step| step.path == *path).ok_or(format!("there is no dataset {path}"))?,
        None => {
            let stacks = steps.iter_mut().filter(|step| is_stack(step));
            stacks.max_by_key(|step| step.info.n_bytes).ok_or("there is no dataset of frames: three axes or more")?
        }
    };
    let (path, info) = (&step.path, &step.info);
    if step.storage.is_none() {
        if let Some(why) = why_not(info) {
            return Err(format!("{path}: no frame can be left out: {why}"));
        }
        let whole = chunk(info, info.dims.as_deref().unwrap_or_default(), None)?;
        step.is_verbatim = info.chunk.is_some();
        let filters = merge::as_stored(info);
        step.storage = Some(NewStorage { chunk: whole, filters, is_localised: true });
    }
    let n = step.storage.as_ref().and_then(|storage| storage.chunk.first()).copied().unwrap_or(0);
    if n != 1 {
        return Err(format!(
            "{path}: a chunk has {n} frames, and only whole chunks can be left out: give them one, such as --chunk 1,0,0 with --to"
        ));
    }
    step.keep.clone_from(&rules.keep);
    Ok(())
}

/// All links, with what they lead to in other files where these are merged.
fn entries(library: &Library, file: &File, is_merged: bool) -> Result<Vec<Entry>, String> {
    let text = |error: darkchunk_hdf5::Error| error.to_string();
    if !is_merged {
        return tree::walk(library, file.id(), "/").map_err(text);
    }
    let entries = tree::walk_merged(library, file.id()).map_err(text)?;
    match entries.iter().find_map(|Entry { path, kind }| Some((path, reason(kind)?))) {
        Some((path, reason)) => Err(format!("{path}: {reason}")),
        None => Ok(entries),
    }
}

fn reason(kind: &Kind) -> Option<&darkchunk_hdf5::Error> {
    if let Kind::Unreadable(reason) = kind { Some(reason) } else { None }
}

fn storage(
    info: &DatasetInfo,
    spec: &Spec,
    is_named: bool,
    rules: &Rules,
) -> Result<Option<(NewStorage, Loss)>, String> {
    let Some(filters) = &spec.filters else { return Ok(None) };
    if let Some(why) = why_not(info) {
        return if is_named { Err(why.to_owned()) } else { Ok(None) };
    }
    if info.n_bytes < SMALL_BYTES && !is_named {
        return Ok(None);
    }
    asked(info, filters, spec.loss, rules)
}

/// The filters that are asked for; `None` where the dataset has them already.
pub(super) fn asked(
    info: &DatasetInfo,
    filters: &[(u32, Vec<u32>)],
    loss: Loss,
    rules: &Rules,
) -> Result<Option<(NewStorage, Loss)>, String> {
    let dims = info.dims.as_deref().unwrap_or_default();
    let chunk = chunk(info, dims, rules.chunk.as_deref())?;
    if is_same(info, &chunk, filters) {
        return Ok(None);
    }
    if loss != Loss::None && !rules.lossy {
        return Err("this changes pixels: --lossy allows it".to_owned());
    }
    if let Some(before) = info.filters.iter().find(|filter| filter.is_lossy())
        && loss != Loss::None
        && !rules.force
    {
        return Err(format!(
            "it was stored by {} before: a second loss is added to the first; --force allows it",
            before.words
        ));
    }
    // What is below 0 becomes 0 by any threshold. Without --lossy the first such pixel is an error.
    let is_signed = info.element.class == ElementClass::Signed;
    let has_drle = filters.iter().any(|(id, _)| *id == DRLE);
    let loss = if loss == Loss::None && rules.lossy && is_signed && has_drle { Loss::Threshold(1) } else { loss };
    Ok(Some((NewStorage { chunk, filters: filters.to_vec(), is_localised: false }, loss)))
}

/// Why a dataset cannot be stored otherwise.
pub(crate) fn why_not(info: &DatasetInfo) -> Option<&'static str> {
    match &info.dims {
        None => Some("it has no elements"),
        Some(dims) if dims.contains(&0) => Some("it has no elements"),
        Some(dims) if dims.is_empty() => Some("it has no chunks and cannot have any"),
        _ if info.refers => {
            Some("its elements refer to other places of the file (strings or sequences of variable length, references)")
        }
        _ if info.chunk.is_none() && !info.is_in_one_piece => Some("its data are in other files or datasets"),
        _ => None,
    }
}

/// The shape of a chunk.
pub(crate) fn chunk(info: &DatasetInfo, dims: &[u64], asked: Option<&[u64]>) -> Result<Vec<u64>, String> {
    if let Some(asked) = asked {
        if asked.len() != dims.len() {
            return Err(format!("it has {} axes, --chunk has {}", dims.len(), asked.len()));
        }
        let whole = |(asked, dim): (&u64, &u64)| if *asked == 0 { *dim } else { *asked };
        let clipped = asked.iter().zip(dims).map(whole).zip(&info.max_dims);
        return Ok(clipped.map(|(chunk, most)| most.map_or(chunk, |most| chunk.min(most))).collect());
    }
    if let Some(chunk) = &info.chunk {
        return Ok(chunk.clone());
    }
    // A frame, or as many rows as are a chunk.
    let mut chunk = vec![1; dims.len()];
    let n_frame = if dims.len() > 2 { 2 } else { 0 };
    let mut room = (CHUNK_BYTES / info.element_bytes.max(1)).max(1);
    for (axis, dim) in dims.iter().enumerate().rev() {
        let is_frame = axis + n_frame >= dims.len();
        chunk[axis] = if is_frame { *dim } else { room.min(*dim).max(1) };
        room /= chunk[axis].max(1);
        if room == 0 || (n_frame > 0 && !is_frame) {
            room = 1;
        }
    }
    if n_frame > 0 {
        chunk[..dims.len() - 2].fill(1);
    }
    Ok(chunk)
}

/// Whether a dataset is stored so already.
fn is_same(info: &DatasetInfo, chunk: &[u64], filters: &[(u32, Vec<u32>)]) -> bool {
    info.chunk.as_deref() == Some(chunk)
        && info.filters.len() == filters.len()
        && info.filters.iter().zip(filters).all(|(found, (id, values))| {
            found.id == *id && info.localised(*id, values).is_some_and(|values| values == found.values)
        })
}

/// The filters that a dataset has. Stored parameters are made to fit other chunks as those that a user gives are.
fn kept(path: &str, info: &DatasetInfo) -> Result<Spec, String> {
    let filters = merge::as_stored(info);
    let can_write = |(id, values): &(u32, Vec<u32>)| {
        let pipeline = Pipeline::new([(*id, &values[..])]);
        pipeline.is_ok_and(|pipeline| !pipeline.steps().iter().any(|step| matches!(step, pipeline::Step::Other { .. })))
    };
    match filters.iter().zip(&info.filters).find(|(filter, _)| !can_write(filter)) {
        Some((_, FilterInfo { words, .. })) => {
            Err(format!("{path}: it is stored by {words}, which darkchunk cannot write: name another filter with --to"))
        }
        None => Ok(Spec { filters: Some(filters), loss: Loss::None }),
    }
}

/// Refuses a dataset with a filter that nothing here can undo.
fn check_filters(library: &Library, path: &str, info: &DatasetInfo) -> Result<(), String> {
    let Some(missing) = info.filters.iter().find(|filter| is_missing(library, filter)) else { return Ok(()) };
    let from = missing.plugin_from.unwrap_or("HDF5's own builds");
    Err(format!(
        "{path}: it is stored by {} (filter {}), which is not here: {from} has it; name its folder in HDF5_PLUGIN_PATH",
        missing.words, missing.id
    ))
}

/// Whether nothing here can undo a filter.
pub(super) fn is_missing(library: &Library, FilterInfo { id, values, .. }: &FilterInfo) -> bool {
    let chain = Chain::new([(*id, &values[..])]);
    chain.is_ok_and(|chain| chain.unknown().is_some()) && !inspect::has_filter(library, *id)
}
