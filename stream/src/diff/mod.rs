//! What two files, or parts of them, differ in: links, types, shapes, attributes, elements. What they are stored with (filters, chunks) is
//! no difference, nor is the order of links and attributes.
//!
//! Elements are the same where their bits are; those of another type (another width, or order of bytes) where their numbers are.

mod elements;

use std::collections::BTreeMap;

use darkchunk_hdf5::inspect::{self, DatasetInfo};
use darkchunk_hdf5::tree::{self, Kind};
use darkchunk_hdf5::values::{self, Attribute, Objects};
use darkchunk_hdf5::{File, Library};

pub use elements::{Elements, Largest};

/// The filter whose threshold counts.
const DRLE: u32 = 36114;

/// Files, and where in them.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The open file.
    pub file: &'a File,
    /// The group or dataset that is compared; `/` for all.
    pub path: &'a str,
    /// Whether what external links of the whole file lead to is taken for a part of it ([`tree::walk_merged`]).
    pub is_merged: bool,
}

/// How they are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads; 0 is one.
    pub n_threads: usize,
    /// Bytes of memory for elements, about; a chunk of each is handled in any case.
    pub memory: u64,
    /// Whether values below the threshold of DRLE that are 0 in the other count as equal.
    pub within_threshold: Threshold,
}

/// Which values count as equal to 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threshold {
    /// None but 0.
    #[default]
    None,
    /// Those below the threshold that a dataset's DRLE filter has, of either file.
    OfFilter,
    /// Those below this.
    Below(u64),
}

/// A difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where, below what is compared.
    pub path: String,
    /// What it is.
    pub what: What,
}

/// What is different, of the first and of the second.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Only one has it: its kind.
    Only(Which, &'static str),
    /// They are of other kinds, or links lead elsewhere.
    Kind(String, String),
    /// Other datatypes.
    Type(String, String),
    /// Other extents.
    Shape(String, String),
    /// Another limit of the extent.
    MaxShape(String, String),
    /// An attribute: its name, and what it is; `None` where there is none.
    Attribute(String, Option<String>, Option<String>),
    /// Elements.
    Elements(Elements),
    /// It could not be compared, and why.
    NotCompared(String),
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first.
    A,
    /// The second.
    B,
}

/// What was compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Datasets of which all elements were compared.
    pub n_datasets: u64,
    /// Elements of them.
    pub n_elements: u64,
    /// Those that count as equal because of the threshold.
    pub n_within_threshold: u64,
    /// Differences.
    pub n_differences: u64,
    /// What could not be compared.
    pub n_not_compared: u64,
}

/// What is told while files are compared.
pub trait Watch {
    /// This dataset begins.
    fn begin(&mut self, path: &str);
    /// So many bytes of it, of the first file, are done.
    fn seen(&mut self, n_bytes: u64);
    /// Whether the elements of this dataset are to be compared.
    fn wants(&mut self, _path: &str) -> bool {
        true
    }
    /// A difference was found; an error ends the comparison.
    ///
    /// # Errors
    /// Whatever ends it.
    fn found(&mut self, difference: Difference) -> Result<(), String>;
}

/// Compares what is at two places.
///
/// # Errors
/// Where one of the places is not there, or cannot be listed at all; what [`Watch::found`] says.
pub fn files(
    library: &Library,
    a: Side<'_>,
    b: Side<'_>,
    options: Options,
    watch: &mut dyn Watch,
) -> Result<Summary, String> {
    let text = |error: darkchunk_hdf5::Error| error.to_string();
    let (links_a, links_b) = (Links::of(library, a)?, Links::of(library, b)?);
    let objects = |side: Side<'_>| match side.is_merged {
        true => Objects::of_merged(library, side.file.id()),
        false => Objects::of(library, side.file.id()),
    };
    let (objects_a, objects_b) = (objects(a).map_err(text)?, objects(b).map_err(text)?);
    let mut work = Work {
        library,
        a: Place { side: a, links: links_a, objects: objects_a },
        b: Place { side: b, links: links_b, objects: objects_b },
        options,
        watch,
        summary: Summary::default(),
    };
    work.all()?;
    Ok(work.summary)
}

/// The links below a place, by their paths relative to it.
struct Links(BTreeMap<String, Kind>);

impl Links {
    fn of(library: &Library, side: Side<'_>) -> Result<Self, String> {
        let entries = match side.is_merged {
            true => tree::walk_merged(library, side.file.id()),
            false => tree::walk(library, side.file.id(), side.path),
        };
        let entries = entries.map_err(|error| error.to_string())?;
        Ok(Self(entries.into_iter().map(|entry| (relative(&entry.path, side.path), entry.kind)).collect()))
    }

    /// What is at a path, also where it is reached by a link to a group that was visited by another path.
    fn get(&self, path: &str, base: &str) -> Option<(&Kind, String)> {
        if let Some(kind) = self.0.get(path) {
            return Some((kind, path.to_owned()));
        }
        let same = path.rmatch_indices('/').find_map(|(at, _)| match self.0.get(&path[..at]) {
            Some(Kind::Same(first)) => Some(relative(first, base) + &path[at..]),
            _ => None,
        })?;
        self.0.get(&same).map(|kind| (kind, same))
    }
}

/// A path as it is below `base`: `/` is `base` itself.
fn relative(path: &str, base: &str) -> String {
    let rest = path.strip_prefix(base.trim_end_matches('/')).unwrap_or(path);
    if rest.is_empty() { "/".to_owned() } else { rest.to_owned() }
}

struct Place<'a> {
    side: Side<'a>,
    links: Links,
    objects: Objects,
}

impl Place<'_> {
    /// A path in the file.
    fn absolute(&self, path: &str) -> String {
        match (self.side.path.trim_end_matches('/'), path) {
            ("", path) => path.to_owned(),
            (base, "/") => base.to_owned(),
            (base, path) => format!("{base}{path}"),
        }
    }

    fn resolved(&self, path: &str) -> Option<(&Kind, String)> {
        let (kind, path) = self.links.get(path, self.side.path)?;
        match kind {
            // Another name of what is compared under its first one.
            Kind::Same(first) => {
                let first = relative(first, self.side.path);
                self.links.0.get(&first).map(|kind| (kind, first))
            }
            kind => Some((kind, path)),
        }
    }
}

struct Work<'a, 'w> {
    library: &'a Library,
    a: Place<'a>,
    b: Place<'a>,
    options: Options,
    watch: &'w mut dyn Watch,
    summary: Summary,
}

impl Work<'_, '_> {
    fn all(&mut self) -> Result<(), String> {
        let paths: Vec<String> = self.a.links.0.keys().cloned().collect();
        for path in &paths {
            self.link(path)?;
        }
        let only_b: Vec<(String, &'static str)> = {
            let is_new = |path: &&String| self.a.links.get(path, self.a.side.path).is_none();
            let named = |path: &String| (path.clone(), words(&self.b.links.0[path]));
            self.b.links.0.keys().filter(is_new).map(named).collect()
        };
        for (path, kind) in only_b {
            self.found(&path, What::Only(Which::B, kind))?;
        }
        Ok(())
    }

    fn found(&mut self, path: &str, what: What) -> Result<(), String> {
        match what {
            What::NotCompared(_) => self.summary.n_not_compared += 1,
            _ => self.summary.n_differences += 1,
        }
        self.watch.found(Difference { path: path.to_owned(), what })
    }

    fn link(&mut self, path: &str) -> Result<(), String> {
        let of_a = self.a.links.0[path].clone();
        let Some((of_b, _)) = self.b.links.get(path, self.b.side.path).map(|(kind, path)| (kind.clone(), path)) else {
            return self.found(path, What::Only(Which::A, words(&of_a)));
        };
        match (&of_a, &of_b) {
            (Kind::Soft(a), Kind::Soft(b)) if a == b => return Ok(()),
            (Kind::External { .. }, Kind::External { .. }) if of_a == of_b => return Ok(()),
            (Kind::Soft(_) | Kind::External { .. }, _) | (_, Kind::Soft(_) | Kind::External { .. }) => {
                return self.found(path, What::Kind(link_words(&of_a), link_words(&of_b)));
            }
            (Kind::Unreadable(error), _) => {
                return self.found(path, What::NotCompared(format!("in the first: {error}")));
            }
            (_, Kind::Unreadable(error)) => {
                return self.found(path, What::NotCompared(format!("in the second: {error}")));
            }
            _ => {}
        }
        let resolved = |place: &Place<'_>| place.resolved(path).map(|(kind, path)| (kind.clone(), path));
        let (Some((a, path_a)), Some((b, path_b))) = (resolved(&self.a), resolved(&self.b)) else {
            return self.found(path, What::NotCompared("its other name is outside of what is compared".to_owned()));
        };
        if matches!(of_a, Kind::Same(_)) && matches!(of_b, Kind::Same(_)) && path_a == path_b {
            return Ok(());
        }
        let is_alias = matches!(of_a, Kind::Same(_)) || matches!(of_b, Kind::Same(_));
        if is_alias && a == Kind::Group && b == Kind::Group {
            // What is below it has other names on the two sides: a group that two names lead to is not one that looks like it.
            return self.found(path, What::Kind(alias_words(&of_a), alias_words(&of_b)));
        }
        if std::mem::discriminant(&a) != std::mem::discriminant(&b) {
            return self.found(path, What::Kind(words(&a).to_owned(), words(&b).to_owned()));
        }
        self.object(path, &a, &self.a.absolute(&path_a), &self.b.absolute(&path_b))
    }

    fn object(&mut self, path: &str, kind: &Kind, a: &str, b: &str) -> Result<(), String> {
        self.attributes(path, a, b)?;
        match kind {
            Kind::Dataset => self.dataset(path, a, b),
            Kind::Datatype => {
                let of = |place: &Place<'_>, path| values::named_type(self.library, place.side.file.id(), path);
                match (of(&self.a, a), of(&self.b, b)) {
                    (Ok(a), Ok(b)) if a == b => Ok(()),
                    (Ok(a), Ok(b)) => self.found(path, What::Type(a, b)),
                    (Err(error), _) | (_, Err(error)) => self.found(path, What::NotCompared(error.to_string())),
                }
            }
            _ => Ok(()),
        }
    }

    fn attributes(&mut self, path: &str, a: &str, b: &str) -> Result<(), String> {
        let (of_a, of_b) = match (self.a.objects.attributes(a), self.b.objects.attributes(b)) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(error), _) | (_, Err(error)) => {
                return self.found(path, What::NotCompared(format!("its attributes: {error}")));
            }
        };
        let find = |all: &[Attribute], name: &str| all.iter().find(|attribute| attribute.name == name).cloned();
        for attribute in &of_a {
            let other = find(&of_b, &attribute.name);
            self.attribute(path, attribute, other.as_ref())?;
        }
        for attribute in of_b.iter().filter(|attribute| find(&of_a, &attribute.name).is_none()) {
            self.found(path, What::Attribute(attribute.name.clone(), None, Some(shown(attribute, 0))))?;
        }
        Ok(())
    }

    fn attribute(&mut self, path: &str, a: &Attribute, b: Option<&Attribute>) -> Result<(), String> {
        let Some(b) = b else { return self.found(path, What::Attribute(a.name.clone(), Some(shown(a, 0)), None)) };
        match (&a.values, &b.values) {
            (Err(error), _) | (_, Err(error)) => {
                self.found(path, What::NotCompared(format!("its attribute {}: {error}", a.name)))
            }
            (Ok(of_a), Ok(of_b)) => {
                let is_same = of_a.len() == of_b.len() && of_a.iter().zip(of_b).all(|(a, b)| elements::same(a, b));
                if is_same && a.dims == b.dims && a.datatype == b.datatype {
                    return Ok(());
                }
                let first = of_a.iter().zip(of_b).position(|(a, b)| !elements::same(a, b)).unwrap_or(0);
                self.found(path, What::Attribute(a.name.clone(), Some(shown(a, first)), Some(shown(b, first))))
            }
        }
    }

    fn dataset(&mut self, path: &str, a: &str, b: &str) -> Result<(), String> {
        let library = self.library;
        let of = |place: &Place<'_>, path: &str| inspect::dataset(library, place.side.file.id(), path);
        let (info_a, info_b) = match (of(&self.a, a), of(&self.b, b)) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(error), _) => return self.found(path, What::NotCompared(format!("in the first: {error}"))),
            (_, Err(error)) => return self.found(path, What::NotCompared(format!("in the second: {error}"))),
        };
        let is_same = values::same_type(library, (self.a.side.file.id(), a), (self.b.side.file.id(), b));
        let is_same = is_same.map_err(|error| error.to_string())?;
        if !is_same {
            self.found(path, What::Type(info_a.datatype.clone(), info_b.datatype.clone()))?;
        }
        if info_a.dims != info_b.dims {
            return self.found(path, What::Shape(extent(info_a.dims.as_deref()), extent(info_b.dims.as_deref())));
        }
        if info_a.max_dims != info_b.max_dims {
            self.found(path, What::MaxShape(limits(&info_a.max_dims), limits(&info_b.max_dims)))?;
        }
        self.elements(path, (a, &info_a), (b, &info_b), is_same)
    }

    fn elements(
        &mut self,
        path: &str,
        a: (&str, &DatasetInfo),
        b: (&str, &DatasetInfo),
        is_same: bool,
    ) -> Result<(), String> {
        if a.1.dims.as_ref().is_none_or(|dims| dims.contains(&0)) || !self.watch.wants(path) {
            return Ok(());
        }
        self.watch.begin(path);
        let threshold = threshold(self.options.within_threshold, a.1, b.1);
        let options = Options { n_threads: self.options.n_threads.max(1), ..self.options };
        let compared = if a.1.refers || b.1.refers {
            let (a, b) = ((&self.a.objects, a.0, a.1), (&self.b.objects, b.0, b.1));
            elements::referring(a, b, &mut |n| self.watch.seen(n)).map_err(|error| error.to_string())
        } else {
            let (a, b) = ((self.a.side.file, a.0), (self.b.side.file, b.0));
            let pair = elements::Pair::open(self.library, a, b, is_same, threshold);
            let compared = pair.and_then(|pair| pair.compare(options, &mut |n| self.watch.seen(n)));
            compared.map_err(|error| error.to_string())
        };
        match compared {
            Err(reason) => self.found(path, What::NotCompared(reason)),
            Ok(found) => {
                self.summary.n_datasets += 1;
                self.summary.n_elements += found.n_elements;
                self.summary.n_within_threshold += found.n_within_threshold;
                if found.n_different > 0 { self.found(path, What::Elements(found)) } else { Ok(()) }
            }
        }
    }
}

/// Below which values count as 0.
fn threshold(within: Threshold, a: &DatasetInfo, b: &DatasetInfo) -> Option<i128> {
    let drle = |info: &DatasetInfo| {
        let filter = info.filters.iter().find(|filter| filter.id == DRLE)?;
        filter.values.first().map(|threshold| i128::from(*threshold))
    };
    match within {
        Threshold::None => None,
        Threshold::Below(threshold) => Some(threshold.into()),
        Threshold::OfFilter => drle(a).max(drle(b)),
    }
}

fn words(kind: &Kind) -> &'static str {
    match kind {
        Kind::Group => "group",
        Kind::Dataset => "dataset",
        Kind::Datatype => "datatype",
        Kind::Same(_) => "another name",
        Kind::Soft(_) => "soft link",
        Kind::External { .. } => "external link",
        Kind::Unreadable(_) => "unreadable",
    }
}

fn alias_words(kind: &Kind) -> String {
    match kind {
        Kind::Same(first) => format!("another name of {first}"),
        kind => words(kind).to_owned(),
    }
}

fn link_words(kind: &Kind) -> String {
    match kind {
        Kind::Soft(target) => format!("soft link to {target}"),
        Kind::External { file, path } => format!("external link to {path} in {file}"),
        kind => words(kind).to_owned(),
    }
}

fn extent(dims: Option<&[u64]>) -> String {
    match dims {
        None => "empty".to_owned(),
        Some([]) => "one element".to_owned(),
        Some(dims) => dims.iter().map(u64::to_string).collect::<Vec<_>>().join(" x "),
    }
}

fn limits(dims: &[Option<u64>]) -> String {
    let limit = |dim: &Option<u64>| dim.map_or_else(|| "no limit".to_owned(), |dim| dim.to_string());
    dims.iter().map(limit).collect::<Vec<_>>().join(" x ")
}

/// An attribute with its value, and of an array the element that is the first to differ.
fn shown(attribute: &Attribute, first: usize) -> String {
    let Attribute { datatype, dims, values, .. } = attribute;
    let value = values.as_ref().ok().and_then(|values| values.get(first));
    match (dims.as_deref(), value) {
        (Some([]), Some(value)) => format!("{value} ({datatype})"),
        (Some(dims), Some(value)) => format!("{} of {datatype}, element {first}: {value}", extent(Some(dims))),
        (dims, _) => format!("{datatype}, {}", extent(dims)),
    }
}
