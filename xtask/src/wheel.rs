//! `wheel`: the Python package, `dist/wheels/darkchunk-…-py3-none-PLATFORM.whl`: plain Python over the C library, with the
//! plugins inside. Built by cargo-zigbuild, which links for the glibc that the tag names whatever the machine has.

use crate::dist::{self, PLUGINS, lay_out};
use crate::process::{cargo, output, program, run as run_program, succeeds};
use crate::setup::{environment, python};
use crate::tally::Tally;
use crate::workspace::{data, root, shared_library, shown, target};
use crate::{Result, licences};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "the Python package, in dist/wheels
--target T: for this Rust target; without it x86_64-unknown-linux-gnu";

/// cargo-zigbuild, zig, and what checks the tag, pinned.
const TOOLS: &str = "xtask/requirements-wheel.txt";

/// What the tests of the wheel need, pinned; the second is included by the first.
const REQUIREMENTS: [&str; 2] = ["python/tests/requirements.txt", "tests/hosts/requirements.txt"];

/// A wheel may have so many bytes.
const MAX_BYTES: u64 = 5_000_000;

/// All that a plugin exports.
const EXPORTS: [&str; 2] = ["H5PLget_plugin_info", "H5PLget_plugin_type"];

/// What can be built: Rust's name of the target, the oldest glibc, and the wheel's platform.
const TARGETS: [(&str, &str, &str); 1] = [("x86_64-unknown-linux-gnu", "2.17", "manylinux_2_17_x86_64")];

pub(crate) fn run(arguments: &[String]) -> Result {
    let target = match arguments {
        [] => TARGETS[0].0,
        [option, target] if option == "--target" => target,
        _ => return Err(format!("wheel takes --target T or nothing, not `{}`", arguments.join(" "))),
    };
    let wheel = build(target)?;
    println!("\npip install {}", wheel.display());
    Ok(())
}

/// The wheel of a target, checked.
fn build(target: &str) -> Result<PathBuf> {
    let known = || format!("there are: {}", TARGETS.map(|(name, ..)| name).join(", "));
    let (target, glibc, platform) =
        TARGETS.into_iter().find(|(name, ..)| *name == target).ok_or_else(|| format!("no `{target}`; {}", known()))?;
    let tools = tools()?;
    let libraries = compile(&tools, target, glibc)?;
    let folder = self::target()?.join("wheel").join(target);
    let plugins = folder.join("plugins");
    lay_out(&plugins, &PLUGINS.map(|name| libraries.join(shared_library(name))))?;
    lay_out(&folder.join("lib"), &[libraries.join(shared_library("darkchunk"))])?;
    for file in PLUGINS.map(shared_library).map(|name| plugins.join(name)) {
        strip_all(&file)?;
        check_exports(&file)?;
    }
    strip_all(&folder.join("lib").join(shared_library("darkchunk")))?;
    let wheel = pack(&folder, platform)?;
    check_tag(&tools, &wheel, platform)?;
    check_size(&wheel)?;
    Ok(wheel)
}

/// The folder of cargo-zigbuild, Python with zig, and auditwheel.
fn tools() -> Result<PathBuf> {
    let python = environment(&target()?.join("wheel-tools"), &[TOOLS])?;
    python.parent().map(Path::to_path_buf).ok_or_else(|| "the environment of the tools has no folder".into())
}

/// A release build for `target` and this glibc; the folder of the libraries.
fn compile(tools: &Path, target: &str, glibc: &str) -> Result<PathBuf> {
    let installed = output(program("rustup").args(["target", "list", "--installed"])).unwrap_or_default();
    if !installed.lines().any(|line| line == target) {
        run_program(program("rustup").args(["target", "add", target]))?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([tools.to_owned()].into_iter().chain(std::env::split_paths(&path)));
    let mut command = cargo();
    command.env("PATH", path.map_err(|e| format!("PATH: {e}"))?);
    command.args(["zigbuild", "--release", "--target", &format!("{target}.{glibc}"), "--package", "darkchunk-ffi"]);
    run_program(command.args(PLUGINS.iter().flat_map(|plugin| ["--package", plugin])))?;
    Ok(self::target()?.join(target).join("release"))
}

/// Takes out all symbols that the dynamic linker does not need.
fn strip_all(file: &Path) -> Result {
    run_program(program("strip").arg(file))
}

/// A plugin exports its two functions and nothing else: what it has inside cannot meet another library's.
fn check_exports(file: &Path) -> Result {
    let listed = output(program("nm").args(["-D", "--defined-only", "--format=posix"]).arg(file))?;
    let mut names: Vec<&str> = listed.lines().filter_map(|line| line.split(['@', ' ']).next()).collect();
    names.sort_unstable();
    if names == EXPORTS {
        return Ok(());
    }
    Err(format!("{} exports {} names, not {}: {names:.20?}", file.display(), names.len(), EXPORTS.join(" and ")))
}

/// Packs what lies in `folder` (plugins and lib), for this platform.
fn pack(folder: &Path, platform: &str) -> Result<PathBuf> {
    let (licences, wheels) = (folder.join("licences"), root().join("dist/wheels"));
    licences::lay_out(&licences)?;
    let version = env!("CARGO_PKG_VERSION");
    let mut pack = program(python()?);
    pack.arg(root().join("python/pack.py")).args(["--tag", platform, "--version", version]);
    pack.arg("--plugins").arg(folder.join("plugins")).arg("--licences").arg(licences).arg("--out").arg(&wheels);
    run_program(pack.arg("--library").arg(folder.join("lib").join(shared_library("darkchunk"))))?;
    Ok(wheels.join(format!("darkchunk-{version}-py3-none-{platform}.whl")))
}

/// The libraries need nothing newer than the tag says.
fn check_tag(tools: &Path, wheel: &Path, platform: &str) -> Result {
    let shown = output(program(tools.join("python")).args(["-m", "auditwheel", "show"]).arg(wheel))?;
    let text = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.contains(&format!("consistent with the following platform tag: \"{platform}\"")) {
        return Ok(());
    }
    Err(format!("auditwheel does not find {platform}:\n{shown}"))
}

fn check_size(wheel: &Path) -> Result {
    let n_bytes = fs::metadata(wheel).map_err(|e| format!("{}: {e}", wheel.display()))?.len();
    let too_large = || format!("{} has {n_bytes} bytes, more than {MAX_BYTES}", shown(wheel));
    if n_bytes <= MAX_BYTES { Ok(()) } else { Err(too_large()) }
}

/// The wheel of what `dist` has built for this machine, and its tests: a sample.
pub(crate) fn test(tally: &mut Tally) {
    let wheel = |(): ()| {
        let folder = target()?.join("wheel/host");
        let plugins = dist::plugins();
        lay_out(&folder.join("plugins"), &PLUGINS.map(|name| plugins.join(shared_library(name))))?;
        lay_out(&folder.join("lib"), &[root().join("dist/lib").join(shared_library("darkchunk"))])?;
        for name in PLUGINS {
            check_exports(&folder.join("plugins").join(shared_library(name)))?;
        }
        pack(&folder, "linux_x86_64")
    };
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        tests(tally, wheel(()), false);
    } else {
        println!("note: the wheel is built and tested on Linux x86-64 only");
    }
}

/// The manylinux wheel, and all of its tests.
pub(crate) fn prove(tally: &mut Tally) -> Result {
    tests(tally, build(TARGETS[0].0), true);
    Ok(())
}

/// Installs a wheel, offline, into an environment that has the hosts and no compiler, and tests it there.
fn tests(tally: &mut Tally, wheel: Result<PathBuf>, is_full: bool) {
    let mut installed = Err(String::new());
    tally.check("wheel", || {
        installed = wheel.and_then(|wheel| install(&wheel));
        installed.as_ref().map(drop).map_err(Clone::clone)
    });
    let Ok(python) = installed else { return };
    for (name, arguments) in [
        ("Python format", &["-m", "ruff", "format", "--no-cache", "--check", "python"][..]),
        ("Python lints", &["-m", "ruff", "check", "--no-cache", "python"]),
        (
            "Python types, mypy",
            &["-m", "mypy", "--cache-dir", "target/mypy", "--config-file", "python/pyproject.toml", "python/darkchunk"],
        ),
    ] {
        tally.step(name, program(&python).args(arguments));
    }
    if is_full {
        tally.step("Python types, pyright", program(&python).args(["-m", "pyright", "--project", "python"]));
    }
    let netcdf = crate::setup::netcdf_with_plugins();
    tally.check("netCDF4 with its own plugins", || netcdf.as_ref().map(drop).map_err(Clone::clone));
    let mut pytest = program(&python);
    pytest.envs(netcdf.ok().map(|folder| ("DARKCHUNK_NETCDF", folder)));
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", "python/tests"]);
    pytest.env_remove("HDF5_PLUGIN_PATH").env_remove("DARKCHUNK_PLUGINS").env("DARKCHUNK_DATA", data());
    tally.step("tests of the wheel", if is_full { pytest.env("DARKCHUNK_FULL", "1") } else { &mut pytest });
}

/// The Python of an environment that has this wheel.
fn install(wheel: &Path) -> Result<PathBuf> {
    let folder = target()?.join("wheel-tests");
    let python = environment(&folder, &REQUIREMENTS)?;
    let pip = ["-m", "pip", "--python"];
    let mut install = program(crate::setup::python()?);
    install.args(pip).arg(&python).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-index",
        "--no-deps",
    ]);
    run_program(install.arg("--force-reinstall").arg(wheel))?;
    let is_there = succeeds(program(&python).args(["-c", "import darkchunk"]));
    if is_there { Ok(python) } else { Err(format!("{} was installed, but cannot be imported", wheel.display())) }
}
