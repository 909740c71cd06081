//! `info`: what is in a file, and what a reader needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use darkchunk_hdf5::inspect::{self, ChunkCount, DatasetInfo, Recorded};
use darkchunk_hdf5::promise::{self, Achieved};
use darkchunk_hdf5::tree::{self, Entry, Kind};
use darkchunk_hdf5::{Change, File, Library, load};
use serde_json::{Value, json};

use crate::input::{Input, Inputs};
use crate::output::{Style, bytes, complain, count, print, shown, wrapped};
use crate::{Found, Outcome};

/// Show what is in files: objects, types, shapes, filters in words, ratios
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  darkchunk info run12.h5\n  darkchunk info run12.h5:/entry/data/data -v\n  \
    darkchunk info -r /data/2026 --json | jq 'select(.ratio < 2) | .file'")]
pub(crate) struct Arguments {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    style: Style,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let library = load::library().map_err(|error| error.to_string())?;
    let mut worst = Found::Nothing;
    for input in arguments.inputs.all()? {
        let found = one_file(&library, &input, arguments.style).unwrap_or_else(|message| {
            complain(&message);
            Found::NotAll
        });
        worst = worst.max(found);
    }
    Ok(worst)
}

/// An entry, and what is known of it if it is a dataset.
struct Item {
    entry: Entry,
    info: Option<Result<DatasetInfo, darkchunk_hdf5::Error>>,
    /// What its chunks say, where they are the bounded codec's.
    achieved: Option<Result<Achieved, darkchunk_hdf5::Error>>,
    recorded: Option<Recorded>,
}

fn one_file(library: &Library, input: &Input, style: Style) -> Outcome {
    let file = input.open(library)?;
    let entries = input.entries(library, &file)?;
    let mut found = Found::Nothing;
    let mut needs = BTreeMap::new();
    if !style.json && !style.quiet {
        let size = std::fs::metadata(&input.file).map_or(0, |metadata| metadata.len());
        print(&format!("{}: {}\n", shown(&input.name()), bytes(size)))?;
    }
    let names = tree::other_names(&entries);
    for entry in &entries {
        let item = item(library, &file, entry, names.get(&*entry.path).map_or(&[], Vec::as_slice));
        if item.is_unreadable() {
            found = Found::Something;
        }
        if let Some(Ok(info)) = &item.info {
            needs.extend(info.plugins().map(|(filter, from)| (filter.id, (filter.words.clone(), from))));
        }
        if style.json {
            print(&format!("{}\n", as_json(input, &item)))?;
        } else if !style.quiet || item.is_unreadable() {
            print(&as_text(&item, style.verbose))?;
        }
    }
    if !style.json && !style.quiet {
        print(&needed(&needs))?;
    }
    Ok(found)
}

/// `names`: the other ones of the same object.
fn item(library: &Library, file: &File, entry: &Entry, names: &[&str]) -> Item {
    let info = (entry.kind == Kind::Dataset).then(|| inspect::dataset(library, file.id(), &entry.path));
    let is_bounded = matches!(&info, Some(Ok(info)) if info.promise().is_some());
    let achieved = is_bounded.then(|| promise::achieved(library, file.id(), &entry.path).transpose()).flatten();
    let recorded = |name| inspect::recorded(library, file.id(), name).ok().flatten();
    let mut names = std::iter::once(&*entry.path).chain(names.iter().copied());
    let recorded = if info.is_some() { names.find_map(recorded) } else { None };
    Item { recorded, entry: entry.clone(), info, achieved }
}

impl Item {
    fn is_unreadable(&self) -> bool {
        matches!(self.entry.kind, Kind::Unreadable(_)) || matches!(self.info, Some(Err(_)))
    }
}

/// What a reader needs who has only HDF5.
fn needed(needs: &BTreeMap<u32, (String, &'static str)>) -> String {
    let lines = needs.iter().map(|(id, (words, from))| {
        let name = words.split(',').next().unwrap_or_default();
        wrapped(2, &format!("to read {name} (filter {id}) HDF5 needs a plugin: {from}"))
    });
    lines.collect()
}

fn as_text(item: &Item, is_verbose: bool) -> String {
    let Item { entry, info, .. } = item;
    let depth = entry.path.trim_end_matches('/').matches('/').count();
    let name = entry.path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("/");
    let indent = 2 + 2 * depth.saturating_sub(1).min(12);
    let line = |text: String| wrapped(indent, &text);
    match (&entry.kind, info) {
        (Kind::Group, _) if depth == 0 => String::new(),
        (Kind::Group, _) => line(format!("{name}/")),
        (Kind::Datatype, _) => line(format!("{name}: a datatype")),
        (Kind::Same(first), _) => line(format!("{name} = {first}")),
        (Kind::Soft(target), _) => line(format!("{name} -> {target}")),
        (Kind::External { file, path }, _) => line(format!("{name} -> {path} in {file}")),
        (Kind::Unreadable(error), _) | (_, Some(Err(error))) => line(format!("{name}: cannot be read: {error}")),
        (Kind::Dataset, Some(Ok(info))) => {
            let lines = dataset_lines(info, item, is_verbose);
            let more = lines.iter().map(|text| wrapped(indent + 4, text));
            line(format!("{name}: {}", shape_and_type(info))) + &more.collect::<String>()
        }
        (Kind::Dataset, None) => line(name.to_owned()),
    }
}

fn shape_and_type(info: &DatasetInfo) -> String {
    match &info.dims {
        None => format!("{}, empty", info.datatype),
        Some(dims) if dims.is_empty() => format!("{}, one element", info.datatype),
        Some(dims) => format!("{}, {}", info.datatype, shape(dims)),
    }
}

fn shape(dims: &[u64]) -> String {
    dims.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}

fn dataset_lines(info: &DatasetInfo, Item { achieved, recorded, .. }: &Item, is_verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let filters: Vec<String> = info.filters.iter().map(|filter| filter.words.clone()).collect();
    let filters = if filters.is_empty() { "no filter".to_owned() } else { filters.join(" + ") };
    let is_small = info.chunk.is_none() && info.n_bytes < 4096;
    match &info.chunk {
        Some(chunk) => lines.push(format!("chunks of {}; {filters}", shape(chunk))),
        None if !is_small || is_verbose => lines.push(info.layout.to_owned()),
        None => {}
    }
    lines.extend(missing_line(&info.missing_files));
    if !is_small && info.n_bytes > 0 {
        let ratio = info.ratio().map(|ratio| format!(", ratio {ratio:.2}")).unwrap_or_default();
        lines.push(format!("{} in {}{ratio}", bytes(info.n_bytes), bytes(info.stored_bytes)));
    }
    lines.extend(info.chunks.as_ref().and_then(chunk_line));
    lines.extend(info.promise().map(|promise| format!("promised: {promise}")));
    lines.extend(achieved.as_ref().map(achieved_line));
    lines.extend(recorded.as_ref().and_then(recorded_line));
    lines.extend(recorded.iter().flat_map(|recorded| change_lines(&recorded.changes)));
    if is_verbose {
        lines.extend(
            info.filters.iter().map(|filter| format!("filter {} with cd_values {:?}", filter.id, filter.values)),
        );
        if !info.attributes.is_empty() {
            lines.push(format!("attributes: {}", info.attributes.join(", ")));
        }
    }
    lines
}

/// The files of a virtual dataset that are not there.
fn missing_line(files: &[PathBuf]) -> Option<String> {
    const SHOWN: usize = 5;
    let names: Vec<String> =
        files.iter().take(SHOWN).map(|file| shown(&file.display().to_string()).into_owned()).collect();
    let more = if files.len() > SHOWN { format!(" and {} more", files.len() - SHOWN) } else { String::new() };
    let is = if files.len() == 1 { "is" } else { "are" };
    (!files.is_empty())
        .then(|| format!("{}{more} {is} not there: what they have reads as the fill value", names.join(", ")))
}

/// What is unusual with the chunks.
fn chunk_line(chunks: &Result<ChunkCount, darkchunk_hdf5::Error>) -> Option<String> {
    let found = match chunks {
        Ok(found) => found,
        Err(error) => return Some(format!("its chunks cannot be counted: {error}")),
    };
    let n_missing = found.n_chunks - found.n_stored;
    let parts = [(n_missing, "never written"), (found.n_unfiltered, "stored without a filter")];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    (!parts.is_empty()).then(|| format!("of {}: {}", count(found.n_chunks, "chunk"), parts.join(", ")))
}

fn achieved_line(achieved: &Result<Achieved, darkchunk_hdf5::Error>) -> String {
    let found = match achieved {
        Ok(found) => found,
        Err(error) => return format!("what was achieved is not known: {error}"),
    };
    let sigma = match found.most_sigma {
        0 => String::new(),
        _ => format!(" ({:.4} standard deviations)", found.largest_sigma()),
    };
    let root = found.mean_square().sqrt();
    let (most, root) = match found.float {
        Some(float) => (format!("{:.4e}", float.most), format!("{root:.4e}")),
        None => (found.most.to_string(), format!("{root:.4}")),
    };
    let mut parts = vec![
        format!("largest error {most}{sigma}"),
        format!("mean error {:.3e}", found.mean()),
        format!("root mean square {root}"),
        format!("{} became 0", count(found.n_to_zero, "value")),
        format!("{} became another value", count(found.n_from_zero, "zero")),
    ];
    for (n, what) in [(found.n_exact, "stored exactly instead"), (found.n_unknown, "damaged")] {
        parts.extend((n > 0).then(|| format!("{} {what}", count(n, "chunk"))));
    }
    format!("achieved in {}: {}", count(found.n_chunks, "chunk"), parts.join(", "))
}

/// `None` where the file says nothing, as a master does.
fn recorded_line(recorded: &Recorded) -> Option<String> {
    let Recorded { software, frames, threshold, pixels_zeroed, zeroed_sum, pixels_saturated, .. } = recorded;
    let parts = [
        threshold.map(|threshold| format!("threshold {threshold}")),
        pixels_zeroed.map(|n| format!("{n} pixels that were not 0 are stored as 0")),
        zeroed_sum.map(|sum| format!("their sum is {sum}")),
        pixels_saturated.filter(|n| *n > 0).map(|n| format!("{n} pixels saturated")),
        frames.map(|n| format!("in {}", count(n, "frame"))),
    ];
    let by = software.as_ref().map_or(String::new(), |software| format!(" by {software}"));
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("as recorded{by}: {}", parts.join(", ")))
}

/// What was done to frames, from which one on.
fn change_lines(changes: &[Change]) -> Vec<String> {
    let of = |pair: &[Change]| {
        let [before, now] = pair else { return None };
        let threshold = now.threshold.filter(|_| now.threshold != before.threshold);
        let dark = now.dark.filter(|_| now.dark != before.dark);
        let parts = [
            threshold.map(|threshold| format!("threshold {threshold}")),
            dark.map(|dark| format!("another dark image, {dark} of changes/dark_images")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("from frame {} on: {}", now.frame, parts.join(", ")))
    };
    changes.windows(2).filter_map(of).collect()
}

fn as_json(input: &Input, Item { entry, info, achieved, recorded }: &Item) -> Value {
    let mut object = json!({ "verb": "info", "file": input.name(), "path": entry.path });
    let (kind, more) = match (&entry.kind, info) {
        (Kind::Group, _) => ("group", json!({})),
        (Kind::Datatype, _) => ("datatype", json!({})),
        (Kind::Same(first), _) => ("same", json!({ "target": first })),
        (Kind::Soft(target), _) => ("soft link", json!({ "target": target })),
        (Kind::External { file, path }, _) => ("external link", json!({ "target_file": file, "target": path })),
        (Kind::Unreadable(error), _) => ("unreadable", json!({ "reason": error.to_string() })),
        (_, Some(Err(error))) => ("unreadable", json!({ "reason": error.to_string() })),
        (Kind::Dataset, info) => {
            let fields = |info| fields(info, recorded.as_ref());
            ("dataset", info.as_ref().and_then(|info| info.as_ref().ok()).map_or(json!({}), fields))
        }
    };
    object["kind"] = kind.into();
    if let Some(Ok(achieved)) = achieved {
        object["achieved"] = achieved_fields(achieved);
    }
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

fn achieved_fields(found: &Achieved) -> Value {
    json!({
        "chunks": found.n_chunks,
        "chunks_exact": found.n_exact,
        "chunks_unknown": found.n_unknown,
        "pixels": found.n_pixels,
        "largest_error": found.float.map_or(json!(found.most), |float| json!(float.most)),
        "largest_error_sigma": found.largest_sigma(),
        "mean_error": found.mean(),
        "mean_square_error": found.mean_square(),
        "zeros_changed": found.n_from_zero,
        "changed_to_zero": found.n_to_zero,
    })
}

fn fields(info: &DatasetInfo, recorded: Option<&Recorded>) -> Value {
    let filters = info.filters.iter().map(|filter| {
        json!({ "id": filter.id, "words": filter.words, "cd_values": filter.values, "plugin_from": filter.plugin_from })
    });
    let counts = info.chunks.as_ref().and_then(|chunks| chunks.as_ref().ok());
    let recorded = recorded.map(|recorded| {
        let change = |Change { frame, threshold, dark }: &Change| {
            json!({ "frame": frame, "threshold": threshold, "dark_image": dark })
        };
        let changes = recorded.changes.iter().map(change);
        json!({
            "software": recorded.software,
            "frames": recorded.frames,
            "threshold": recorded.threshold,
            "pixels_zeroed": recorded.pixels_zeroed,
            "zeroed_sum": recorded.zeroed_sum,
            "pixels_saturated": recorded.pixels_saturated,
            "changes": changes.collect::<Vec<_>>(),
        })
    });
    json!({
        "type": info.datatype,
        "shape": info.dims,
        "max_shape": info.max_dims,
        "layout": info.layout,
        "chunk": info.chunk,
        "missing_files": info.missing_files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "filters": filters.collect::<Vec<_>>(),
        "bytes": info.n_bytes,
        "stored_bytes": info.stored_bytes,
        "ratio": info.ratio(),
        "chunks": counts.map(|count| count.n_chunks),
        "chunks_stored": counts.map(|count| count.n_stored),
        "chunks_unfiltered": counts.map(|count| count.n_unfiltered),
        "attributes": info.attributes,
        "promised": info.promise(),
        "recorded": recorded,
    })
}
