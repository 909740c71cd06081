//! `dist`: what is handed to users: `dist/plugins` (six libraries and nothing else, because HDF5 opens every library in
//! a plugin folder), `dist/bin`, `dist/lib`, `dist/include`, and `dist/licences`.

use crate::process::{cargo, program, run as run_program, succeeds};
use crate::targets::Target;
use crate::workspace::{root, shared_library, shown, target};
use crate::{Result, archive, licences, setup};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str =
    "release build: dist/plugins (HDF5_PLUGIN_PATH), dist/bin, dist/lib, dist/include, dist/licences
--target T: an archive of these for this Rust target, in dist/archives
--static: dist/static/bin/darkchunk-static, the command with an HDF5 inside, which is built from source";

/// The name by which a Linux program asks for the C library: it changes when a program must be compiled again.
pub(crate) const SONAME: &str = "libdarkchunk.so.0";

/// The plugins' crates and libraries.
pub(crate) const PLUGINS: [&str; 6] = ["h5drle", "h5bitshuffle", "h5blosc", "h5lz4", "h5zstd", "h5bounded"];

/// The numbers of their filters.
pub(crate) const FILTERS: [u32; 6] = [36114, 32008, 32001, 32004, 32015, 36115];

/// Where the plugins lie: the value for `HDF5_PLUGIN_PATH`.
pub(crate) fn plugins() -> PathBuf {
    root().join("dist/plugins")
}

/// The C library that programs load.
pub(crate) fn library() -> PathBuf {
    root().join("dist/lib").join(shared_library("darkchunk"))
}

pub(crate) fn run(arguments: &[String]) -> Result {
    if arguments == ["--static"] {
        return build_static();
    }
    if let Some(to) = Target::from_arguments("dist", arguments)? {
        println!("\n{}", shown(&archive::build(&to)?));
        return Ok(());
    }
    build()?;
    println!("\nexport HDF5_PLUGIN_PATH={}", plugins().display());
    Ok(())
}

/// Builds the library of an example, which is not handed out.
pub(crate) fn example(package: &str) -> Result<PathBuf> {
    run_program(cargo().args(["build", "--release", "--package", package]))?;
    Ok(target()?.join("release").join(shared_library(&package.replace('-', "_"))))
}

/// Builds everything and lays it out.
pub(crate) fn build() -> Result {
    let mut command = cargo();
    command.env("DARKCHUNK_SONAME", SONAME);
    command.args(["build", "--release", "--package", "darkchunk-ffi", "--package", "darkchunk-cli"]);
    run_program(command.args(PLUGINS.iter().flat_map(|plugin| ["--package", plugin])))?;
    let release = target()?.join("release");
    lay_out(&plugins(), &PLUGINS.map(|name| release.join(shared_library(name))))?;
    lay_out(&root().join("dist/bin"), &[release.join(format!("darkchunk{}", std::env::consts::EXE_SUFFIX))])?;
    lay_out(&root().join("dist/lib"), &libraries(&release))?;
    link_soname(&root().join("dist/lib"))?;
    lay_out(
        &root().join("dist/include"),
        &["darkchunk.h", "darkchunk.hpp", "h5io.h"].map(|name| root().join("ffi/include").join(name)),
    )?;
    licences::lay_out(&root().join("dist/licences"), &[], &[])
}

/// Builds the command with an HDF5 inside.
fn build_static() -> Result {
    run_program(setup::cargo_with_cmake()?.args(["build", "--release", "--package", "darkchunk-cli-static"]))?;
    let program = target()?.join("release").join(format!("darkchunk-static{}", std::env::consts::EXE_SUFFIX));
    let folder = root().join("dist/static");
    lay_out(&folder.join("bin"), &[program])?;
    licences::lay_out(&folder.join("licences"), &["darkchunk-cli-static"], &[])
}

/// Linux finds a program's library by its [`SONAME`].
#[cfg(target_os = "linux")]
fn link_soname(folder: &Path) -> Result {
    let link = folder.join(SONAME);
    if link.is_symlink() {
        return Ok(());
    }
    std::os::unix::fs::symlink(shared_library("darkchunk"), &link).map_err(|e| format!("{}: {e}", link.display()))
}

#[cfg(not(target_os = "linux"))]
fn link_soname(_: &Path) -> Result {
    Ok(())
}

/// The C library in the forms that linkers of this system take.
fn libraries(release: &Path) -> Vec<PathBuf> {
    let names: &[&str] = if cfg!(windows) {
        &["darkchunk.dll", "darkchunk.dll.lib", "darkchunk.lib"]
    } else if cfg!(target_os = "macos") {
        &["libdarkchunk.dylib", "libdarkchunk.a"]
    } else {
        &["libdarkchunk.so", "libdarkchunk.a"]
    };
    names.iter().map(|name| release.join(name)).collect()
}

/// Makes `folder` hold copies of `files` and nothing else. A file is made ready beside the folder and then moved into its
/// place, so that a program that has the old one loaded, or another `cargo xtask`, never meets half of one, or none.
pub(crate) fn lay_out(folder: &Path, files: &[PathBuf]) -> Result {
    lay_out_with(folder, files, strip)
}

/// The same for libraries that have no debug information.
pub(crate) fn lay_out_stripped(folder: &Path, files: &[PathBuf]) -> Result {
    lay_out_with(folder, files, |_, _| ())
}

fn lay_out_with(folder: &Path, files: &[PathBuf], prepare: fn(&Path, &Path)) -> Result {
    let failed = |what: &Path, e: std::io::Error| format!("{}: {e}", what.display());
    fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    for file in files {
        let name = file.file_name().unwrap_or_default();
        let place = folder.join(name);
        let new = folder.with_file_name(format!("new-{}-{}", std::process::id(), name.to_string_lossy()));
        fs::copy(file, &new).map_err(|e| failed(file, e))?;
        prepare(&new, &place);
        let n_bytes = fs::metadata(&new).map_err(|e| failed(&new, e))?.len();
        fs::rename(&new, &place).map_err(|e| failed(&place, e))?;
        println!("{:9} KB  {}", n_bytes.div_ceil(1024), shown(&place));
    }
    for entry in fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let path = entry.map_err(|e| failed(folder, e))?.path();
        if !path.is_symlink() && !files.iter().any(|file| file.file_name() == path.file_name()) {
            fs::remove_file(&path).map_err(|e| failed(&path, e))?;
        }
    }
    Ok(())
}

/// Takes the debug information out of a library or program, most of its size, where the system has the tool. It is going to
/// `place`.
fn strip(file: &Path, place: &Path) {
    let is_binary = file.extension().is_none_or(|e| e == "so" || e == "dylib" || e == "a");
    if is_binary && !cfg!(windows) && !succeeds(program("strip").arg("-S").arg(file)) {
        println!("note: `strip` is missing or fails; {} keeps its debug information", shown(place));
    }
}
