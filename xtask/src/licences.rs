//! `licences`: the notices of all that is linked into what users are handed, made from the dependency tree by cargo-about.
//!
//! The text is kept in the repository, so that `dist` needs neither the tool nor a network; a test compares it with the
//! dependency tree. The notices of Rust's standard library come with the compiler that `dist` is built by.

use crate::Result;
use crate::process::{cargo, output, program, run as run_program};
use crate::workspace::{root, shown, target};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str =
    "write the licence notices of what is linked in, after a change of Cargo.lock (installs cargo-about)";

const CARGO_ABOUT: &str = "0.9.3";

/// A crate whose dependencies are those of all plugins and, with more, of the C library.
const MANIFEST: &str = "filters/drle/Cargo.toml";

pub(crate) fn run(arguments: &[String]) -> Result {
    if let Some(argument) = arguments.first() {
        return Err(format!("licences takes no `{argument}`"));
    }
    let tool = tool()?;
    // The tool itself asks nobody for anything.
    run_program(cargo().args(["fetch", "--locked"]))?;
    let folder = folder();
    let mut about = program(tool);
    about.args(["generate", "--offline", "--fail", "--manifest-path", MANIFEST, "--config"]);
    about.arg(folder.join("about.toml")).arg("--output-file").arg(third_party());
    run_program(about.arg(folder.join("third-party.hbs")))?;
    trim(&third_party())?;
    println!("{}", shown(&third_party()));
    Ok(())
}

fn folder() -> PathBuf {
    root().join("xtask/licences")
}

fn third_party() -> PathBuf {
    folder().join("THIRD-PARTY.txt")
}

/// What lies beside the libraries: our own licences, those of what is linked in, and those of Rust's standard library.
///
/// # Errors
/// Where the compiler comes without its notices.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let own = ["LICENSE-MIT", "LICENSE-APACHE"].map(|name| root().join(name));
    Ok([&own[..], &[third_party(), standard_library()?]].concat())
}

/// The compiler's file, under the name that THIRD-PARTY.txt gives it.
fn standard_library() -> Result<PathBuf> {
    let sysroot = output(program("rustc").args(["--print", "sysroot"]))?;
    let source = Path::new(sysroot.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    let copy = target()?.join("rust-standard-library.html");
    fs::copy(&source, &copy).map_err(|e| {
        format!("{}: {e}. Rust's own builds have this file: use rustup's toolchain for `dist`", source.display())
    })?;
    Ok(copy)
}

/// Installs cargo-about where it is missing, under `target`.
fn tool() -> Result<PathBuf> {
    let folder = target()?.join(format!("tools-cargo-about-{CARGO_ABOUT}"));
    let tool = folder.join("bin").join(format!("cargo-about{}", std::env::consts::EXE_SUFFIX));
    if !tool.exists() {
        println!("== cargo-about {CARGO_ABOUT}");
        let mut install = cargo();
        install.args(["install", "cargo-about", "--quiet", "--locked", "--features", "cli", "--version", CARGO_ABOUT]);
        run_program(install.arg("--root").arg(folder))?;
    }
    Ok(tool)
}

/// Ends lines where their text ends, and the file with one line's end.
fn trim(path: &Path) -> Result {
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let text = fs::read_to_string(path).map_err(failed)?;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    fs::write(path, format!("{}\n", lines.join("\n").trim_end())).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist;
    use std::collections::BTreeSet;

    /// What is linked into `crates` on any system, but for our own packages, as "name version".
    fn linked(crates: &[&str]) -> BTreeSet<String> {
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--edges", "normal", "--target", "all", "--prefix", "none"]);
        let tree = output(tree.args(crates.iter().flat_map(|name| ["--package", name]))).expect("cargo tree");
        let foreign = tree.lines().filter(|line| !line.is_empty() && !line.contains(&*root().to_string_lossy()));
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        foreign.map(words).map(|words| format!("{} {}", words[0], words[1].trim_start_matches('v'))).collect()
    }

    fn noticed() -> BTreeSet<String> {
        let text = fs::read_to_string(third_party()).expect("THIRD-PARTY.txt");
        let is_entry = |line: &&str| {
            line.starts_with("  ")
                && line.trim().split(' ').count() == 2
                && line.ends_with(|c: char| c.is_ascii_digit())
        };
        text.lines().filter(is_entry).map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn the_notices_are_of_exactly_what_is_linked_in() {
        let crates = [&dist::PLUGINS[..], &["darkchunk-ffi"]].concat();
        assert_eq!(linked(&crates), noticed(), "run `cargo xtask licences` after a change of Cargo.lock");
    }

    #[test]
    fn the_c_libraries_inside_of_crates_have_their_notices() {
        let text = fs::read_to_string(third_party()).expect("THIRD-PARTY.txt");
        for notice in
            ["LZ4 Library\nCopyright", "For Zstandard software\n\nCopyright", "Copyright 2011, The Snappy-Rust"]
        {
            assert!(text.contains(notice), "{notice}");
        }
    }
}
