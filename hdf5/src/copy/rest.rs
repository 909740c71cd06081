//! What a new file has not of an old one: for a file that was made of another source, such as a journal.

use std::collections::{HashMap, HashSet};

use super::{Copier, values};
use crate::api::Hid;
use crate::library::Library;
use crate::object;
use crate::tree::{self, Entry, Kind};
use crate::{Error, Result};

/// What became of the rest of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rest {
    /// Objects and links that were copied.
    pub n_copied: u64,
    /// What is not in the new file, and why: paths, and attributes with the path of their object.
    pub lost: Vec<(String, Error)>,
    /// References that lead nowhere now.
    pub warnings: Vec<String>,
}

/// Copies what the file `from` has and `to` has not: objects, links, and attributes, also of objects that both have. What `to` has stays
/// as it is. `seen` is told of each object, and may end it.
///
/// # Errors
/// Where nothing can be read at all; what `seen` says.
pub fn rest(library: &Library, from: Hid, to: Hid, seen: &mut dyn FnMut(&str) -> Result<()>) -> Result<Rest> {
    let mut copier = Copier::tolerant(library, from, to)?;
    let all = copier.entries.clone();
    let is_there = |path: &str| path == "/" || object::exists(library, to, path).unwrap_or(false);
    rename(&mut copier.entries, &is_there);
    copier.entries.retain(|entry| !is_there(&entry.path));
    let mut rest = Rest::default();
    for Entry { path, kind } in all.iter().filter(|entry| is_there(&entry.path)) {
        if let Kind::Unreadable(error) = kind {
            rest.lost.push((format!("{path} (its attributes, and what is below it)"), error.clone()));
        }
    }
    let mut made_here = HashSet::new();
    copier.make(&HashMap::new(), &mut |path, made| {
        match made {
            Ok(()) => drop(made_here.insert(path.to_owned())),
            // It came with a group that has two names.
            Err(_) if is_there(path) => {}
            Err(error) => rest.lost.push((path.to_owned(), error)),
        }
        seen(path)
    })?;
    rest.n_copied = made_here.len() as u64;
    for Entry { path, kind } in all {
        if matches!(kind, Kind::Group | Kind::Dataset | Kind::Datatype) && is_there(&path) {
            let has_references = kind == Kind::Dataset && made_here.contains(&path);
            if let Err(error) = attributes(&mut copier, &path, has_references, &mut rest.lost) {
                rest.lost.push((format!("{path} (attributes or references)"), error));
            }
        }
    }
    rest.warnings = copier.warnings;
    Ok(rest)
}

/// An object that the new file has by another of its names gets a link to it, and is not copied as the old file has it.
fn rename(entries: &mut [Entry], is_there: &dyn Fn(&str) -> bool) {
    let others: HashMap<String, String> = entries
        .iter()
        .filter(|entry| is_there(&entry.path))
        .filter_map(|entry| match &entry.kind {
            Kind::Same(first) if !is_there(first) => Some((first.clone(), entry.path.clone())),
            _ => None,
        })
        .collect();
    for entry in entries {
        if let Some(other) = others.get(&entry.path) {
            entry.kind = Kind::Same(other.clone());
        }
    }
}

/// Copies the attributes of an object that its copy has not.
fn attributes(copier: &mut Copier, path: &str, has_references: bool, lost: &mut Vec<(String, Error)>) -> Result<()> {
    let from = object::open(&copier.library, copier.from, path)?;
    let to = object::open(&copier.library, copier.to, path)?;
    for name in tree::attributes(&from)? {
        if !object::attribute_is_missing(&to, &name)? {
            continue;
        }
        if let Err(error) = values::attribute(copier, &from, &to, &name) {
            lost.push((format!("{path} (attribute {name})"), error));
        }
    }
    if has_references { values::references(copier, path, &from, &to) } else { Ok(()) }
}
