//! The peers of `bench`: downloaded with pip at pinned versions, built under `target/bench`, never committed.
//!
//! C bitshuffle and c-blosc are compiled from their source distributions with `-O3 -march=native`, single-threaded, as
//! someone who wants them fast would: bitshuffle with the LZ4 in its own sources and the Zstd of c-blosc's (its own
//! source distribution has none), c-blosc with its SSE2 and AVX2 paths. The wheels of bitshuffle and hdf5plugin stand
//! beside them: that is what most people run.

use crate::Result;
use crate::process::{output, program, run};
use crate::setup::environment;
use crate::workspace::{root, target};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = "benches/requirements.txt";
const BITSHUFFLE: &str = "0.5.2";
const BLOSC: &str = "1.11.4";
/// Changes where the recipe below does: what was built by another one is built again.
const RECIPE: &str = "2";

/// `target/bench`, where everything of `bench` lies.
pub(crate) fn folder() -> Result<PathBuf> {
    let folder = target()?.join("bench");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

/// The Python that has the peers' wheels.
pub(crate) fn python() -> Result<PathBuf> {
    environment(&folder()?.join("venv"), &[REQUIREMENTS])
}

/// Builds what is missing; the list of peers that the benchmark program loads.
pub(crate) fn build() -> Result<PathBuf> {
    let (python, folder) = (python()?, folder()?.join("peers"));
    let compiler = output(program("gcc").arg("-dumpfullversion"))?.trim().to_owned();
    let requirements = fs::read_to_string(root().join(REQUIREMENTS)).map_err(|e| format!("{REQUIREMENTS}: {e}"))?;
    let stamp = format!("{RECIPE} {compiler} {} {requirements}", folder.display());
    let list = folder.join("peers.json");
    let built = fs::read_to_string(&list).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    if built.is_some_and(|built| built["stamp"] == stamp.as_str()) {
        return Ok(list);
    }
    println!("== peers: C bitshuffle {BITSHUFFLE} and c-blosc of blosc {BLOSC}, with gcc {compiler} -O3 -march=native");
    let bitshuffle = source(&python, &folder, "bitshuffle", BITSHUFFLE)?;
    let blosc = source(&python, &folder, "blosc", BLOSC)?.join("blosc/c-blosc");
    let native = [compile_bitshuffle(&folder, &bitshuffle, &blosc)?, compile_blosc(&folder, &blosc)?];
    let text = serde_json::to_string_pretty(&described(&python, &compiler, &blosc, native, stamp)?);
    fs::write(&list, text.map_err(|e| e.to_string())?).map_err(|e| format!("{}: {e}", list.display()))?;
    Ok(list)
}

/// Downloads and unpacks the source distribution of `package`.
fn source(python: &Path, folder: &Path, package: &str, version: &str) -> Result<PathBuf> {
    let unpacked = folder.join(format!("{package}-{version}"));
    if unpacked.exists() {
        return Ok(unpacked);
    }
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut pip = with_path(python)?;
    pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-binary", ":all:"]);
    pip.args(["--no-deps", "--no-build-isolation", "--dest"]).arg(folder).arg(format!("{package}=={version}"));
    run(&mut pip)?;
    let archive = folder.join(format!("{package}-{version}.tar.gz"));
    run(program("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder))?;
    if unpacked.exists() { Ok(unpacked) } else { Err(format!("{} holds no {package}-{version}", archive.display())) }
}

/// The environment's Python, with its own programs (cmake) before, for the metadata of source distributions.
fn with_path(python: &Path) -> Result<Command> {
    let mut command = program(python);
    let own = python.parent().ok_or("a Python without a folder")?.to_path_buf();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(own).chain(std::env::split_paths(&rest)));
    command.env("PATH", path.map_err(|e| format!("PATH: {e}"))?);
    // bitshuffle's metadata asks where an HDF5 is; none is used.
    Ok(command).map(|mut command| {
        command.env("HDF5_DIR", "/nonexistent");
        command
    })
}

fn compile_bitshuffle(folder: &Path, bitshuffle: &Path, blosc: &Path) -> Result<PathBuf> {
    let zstd = blosc.join("internal-complibs/zstd-1.5.6");
    let mut gcc = gcc();
    // As its setup.py compiles it.
    gcc.args(["-ffast-math", "-std=c99", "-fno-strict-aliasing", "-DZSTD_SUPPORT"]);
    gcc.args(["-DBSHUF_VERSION_MAJOR=0", "-DBSHUF_VERSION_MINOR=5", "-DBSHUF_VERSION_POINT=2"]);
    for include in [bitshuffle.join("src"), bitshuffle.join("lz4"), zstd.clone()] {
        gcc.arg("-I").arg(include);
    }
    gcc.args(["bitshuffle", "bitshuffle_core", "iochain"].map(|name| bitshuffle.join(format!("src/{name}.c"))));
    gcc.arg(bitshuffle.join("lz4/lz4.c"));
    for part in ["common", "compress", "decompress"] {
        gcc.args(sources(&zstd.join(part))?);
    }
    link(gcc, folder.join("libbitshuffle_native.so"))
}

fn compile_blosc(folder: &Path, blosc: &Path) -> Result<PathBuf> {
    let lz4 = blosc.join("internal-complibs/lz4-1.10.0");
    let mut gcc = gcc();
    gcc.args(["-DHAVE_LZ4", "-I"]).arg(&lz4).arg("-I").arg(blosc.join("blosc"));
    let mut files = vec!["blosc", "blosclz", "fastcopy", "shuffle", "shuffle-generic", "bitshuffle-generic"];
    if cfg!(target_arch = "x86_64") {
        gcc.args(["-DSHUFFLE_SSE2_ENABLED", "-DSHUFFLE_AVX2_ENABLED"]);
        files.extend(["shuffle-sse2", "bitshuffle-sse2", "shuffle-avx2", "bitshuffle-avx2"]);
    }
    gcc.args(files.iter().map(|name| blosc.join(format!("blosc/{name}.c"))));
    gcc.args(["lz4.c", "lz4hc.c"].map(|name| lz4.join(name)));
    gcc.arg("-lpthread");
    link(gcc, folder.join("libblosc_native.so"))
}

fn gcc() -> Command {
    let mut gcc = program("gcc");
    gcc.args(["-shared", "-fPIC", "-O3", "-march=native", "-fno-semantic-interposition", "-Wl,-Bsymbolic"]);
    gcc.arg("-w");
    gcc
}

fn link(mut gcc: Command, library: PathBuf) -> Result<PathBuf> {
    run(gcc.arg("-o").arg(&library))?;
    Ok(library)
}

/// The C and (on x86-64, where Zstd has one) assembler files of a folder.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let is_source = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default();
        extension == "c" || (extension == "S" && cfg!(target_arch = "x86_64"))
    };
    Ok(entries.flatten().map(|entry| entry.path()).filter(is_source).collect())
}

/// The list: where each library lies, what it is, what it was built for.
fn described(python: &Path, gcc: &str, blosc: &Path, native: [PathBuf; 2], stamp: String) -> Result<Value> {
    let find = "import glob, os, bitshuffle, hdf5plugin; \
        print(glob.glob(os.path.join(os.path.dirname(bitshuffle.__file__), 'plugin', 'libh5bshuf*.so'))[0]); \
        print(hdf5plugin.PLUGIN_PATH); print(hdf5plugin.version)";
    let found = output(program(python).args(["-c", find]))?;
    let [wheel, plugins, version] = found.lines().collect::<Vec<_>>()[..] else {
        return Err(format!("the peers' wheels are not as expected: {found}"));
    };
    let [bitshuffle_native, blosc_native] = native;
    let header = fs::read_to_string(blosc.join("blosc/blosc.h")).map_err(|e| format!("blosc.h: {e}"))?;
    let blosc_version = header.split("BLOSC_VERSION_STRING").nth(1).and_then(|rest| rest.split('"').nth(1));
    let flags = format!("gcc {gcc} -O3 -march=native");
    let peer = |path: &Path, by: String, level: &str| json!({ "path": path, "by": by, "level": level });
    let in_plugin = |name: &str| Path::new(plugins).join(name);
    Ok(json!({
        "stamp": stamp,
        "bitshuffle_native": peer(&bitshuffle_native, format!("C bitshuffle {BITSHUFFLE}"), &flags),
        "bitshuffle_wheel": peer(Path::new(wheel), format!("C bitshuffle {BITSHUFFLE}"), "wheel"),
        "hdf5plugin_bitshuffle": peer(&in_plugin("libh5bshuf.so"), format!("hdf5plugin {version}"), "wheel"),
        "blosc_native": peer(&blosc_native, format!("c-blosc {}", blosc_version.unwrap_or("of unknown version")), &flags),
        "hdf5plugin_blosc": peer(&in_plugin("libh5blosc.so"), format!("hdf5plugin {version}"), "wheel"),
    }))
}
