//! `licences`: the texts that go with our libraries: our own two, and those of every crate that is linked into them and the command, with
//! the C code that such a crate brings.

use crate::Result;
use crate::dist::PLUGINS;
use crate::process::{cargo, output};
use crate::workspace::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "prints the licences of what is linked into our libraries";

/// Our own, and the file of the others' in `dist/licences`.
const OURS: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];
const OTHERS: &str = "THIRD-PARTY.txt";

/// How deep below a crate's folder licences are looked for: those of C code lie in `zstd/` and `liblz4/lib/`.
const DEPTH: usize = 2;

pub(crate) fn run(arguments: &[String]) -> Result {
    if let Some(argument) = arguments.first() {
        return Err(format!("licences takes no `{argument}`"));
    }
    print!("{}", third_party(&[])?);
    Ok(())
}

/// Makes `folder` hold the licences and nothing else. `more`: packages besides our libraries and the command; `parts`: what is linked in
/// besides crates, each with its text.
pub(crate) fn lay_out(folder: &Path, more: &[&str], parts: &[(&str, PathBuf)]) -> Result {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut text = third_party(more)?;
    for (name, file) in parts {
        let content = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
        text += &format!("\n{}\n{name}\n\n{}\n", "=".repeat(78), content.trim_end());
    }
    fs::create_dir_all(folder).map_err(failed)?;
    for name in OURS {
        fs::copy(root().join(name), folder.join(name)).map_err(failed)?;
    }
    fs::write(folder.join(OTHERS), text).map_err(failed)?;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != OTHERS && !OURS.contains(&&*name) {
            fs::remove_file(path).map_err(failed)?;
        }
    }
    Ok(())
}

/// The licences of all others, a crate after another.
fn third_party(more: &[&str]) -> Result<String> {
    let mut text = "darkchunk's libraries and its command contain the following, besides its own code (MIT OR Apache-2.0) and Rust's \
                    standard library (MIT OR Apache-2.0, by the Rust project).\n"
        .to_owned();
    for linked in crates(more)? {
        text += &format!("\n{}\n{} {}: {}\n", "=".repeat(78), linked.name, linked.version, linked.licence);
        let files = files(&linked.folder, DEPTH);
        // The text of this one is the same for all.
        if files.is_empty() && linked.licence.split(" OR ").any(|licence| licence == "Apache-2.0") {
            text += "\nIt is used under the Apache License, which is beside this file: LICENSE-APACHE.\n";
        } else if files.is_empty() {
            return Err(format!("{} {} has no text of its licence", linked.name, linked.version));
        }
        for file in files {
            let name = file.strip_prefix(&linked.folder).unwrap_or(&file);
            let content = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
            text += &format!("\n-- {} --\n\n{}\n", name.display(), content.trim_end());
        }
    }
    Ok(text)
}

/// A crate that is linked into one of our libraries.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Linked {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
}

/// Those that are not ours, by name.
fn crates(more: &[&str]) -> Result<BTreeSet<Linked>> {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages: BTreeMap<&str, &Value> = rows(&metadata["packages"]).map(|p| (text(&p["id"]), p)).collect();
    let nodes: BTreeMap<&str, &Value> = rows(&metadata["resolve"]["nodes"]).map(|n| (text(&n["id"]), n)).collect();
    let is_root = |id: &&str| {
        let name = text(&packages[id]["name"]);
        name == "darkchunk-ffi" || name == "darkchunk-cli" || PLUGINS.contains(&name) || more.contains(&name)
    };
    let mut waiting: Vec<&str> = packages.keys().copied().filter(is_root).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop().filter(|id| packages.contains_key(id)) {
        if !is_macro(packages[id]) && seen.insert(id) {
            waiting.extend(rows(&nodes[id]["deps"]).filter(|d| is_linked(d)).map(|d| text(&d["pkg"])));
        }
    }
    let others = seen.into_iter().map(|id| packages[id]).filter(|p| !p["source"].is_null());
    Ok(others.map(linked).collect())
}

fn linked(package: &Value) -> Linked {
    let folder = Path::new(text(&package["manifest_path"])).parent().unwrap_or(Path::new("")).to_owned();
    let [name, version, licence] = ["name", "version", "license"].map(|key| text(&package[key]).to_owned());
    Linked { name, version, licence, folder }
}

/// Whether it is needed at run time, on some system.
fn is_linked(dependency: &Value) -> bool {
    rows(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null())
}

/// Whether it runs in the compiler only.
fn is_macro(package: &Value) -> bool {
    rows(&package["targets"]).flat_map(|target| rows(&target["kind"])).any(|kind| kind == "proc-macro")
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The licences in a folder and some levels below it, in order.
fn files(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_dir());
    let is_licence = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"].iter().any(|start| name.starts_with(start))
    };
    let below = folders.iter().filter(|_| depth > 0).flat_map(|folder| self::files(folder, depth - 1));
    files.into_iter().filter(is_licence).chain(below).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_linked_crate_and_its_c_code_has_its_licence_in_the_text() {
        let text = third_party(&[]).expect("each crate has one");
        for part in ["zstd-sys", "-- zstd/LICENSE --", "lz4-sys", "-- liblz4/lib/LICENSE --", "flate2", "snap", "clap"]
        {
            assert!(text.contains(part), "{part}");
        }
        for part in ["proptest", "criterion", "syn", "darkchunk-sim", "hdf5-metno"] {
            assert!(!text.lines().any(|line| line.starts_with(&format!("{part} "))), "{part} is not linked");
        }
    }

    #[test]
    fn what_has_an_hdf5_inside_has_hdf5s_licence_and_zlibs() {
        let text = third_party(&["darkchunk-cli-static"]).expect("each crate has one");
        for part in ["hdf5-metno-src", "-- ext/hdf5/LICENSE --", "libz-sys", "-- src/zlib/LICENSE --"] {
            assert!(text.contains(part), "{part}");
        }
    }
}
