//! `wheel`: the Python package, `dist/wheels/darkchunk-…-py3-none-PLATFORM.whl`: plain Python over the C library, with the
//! plugins inside. Built by cargo-zigbuild (see [`crate::cross`]).

use crate::cross::{self, EXPORTS, For};
use crate::dist::{self, FILTERS, PLUGINS, lay_out, lay_out_stripped};
use crate::process::{output, program, pytest, run as run_program, succeeds};
use crate::setup::{environment, python};
use crate::tally::Tally;
use crate::targets::{System, TARGETS, Target};
use crate::workspace::{data, root, shown, target};
use crate::{Result, licences};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str = "the Python package, in dist/wheels
--target T: for this Rust target; without it x86_64-unknown-linux-gnu";

/// What the tests of the wheel need, pinned; the second is included by the first.
const REQUIREMENTS: [&str; 2] = ["python/tests/requirements.txt", "tests/hosts/requirements.txt"];

/// The same of `prove wheel`, which has more beside them.
const ALL_REQUIREMENTS: [&str; 3] = ["python/tests/requirements-full.txt", REQUIREMENTS[0], REQUIREMENTS[1]];

/// A wheel may have so many bytes: of Linux, where the plugins share the library's code; and of another system, where each has
/// its own, and zig's linker keeps more of what is not used.
const MAX_BYTES: u64 = 5_000_000;
const MAX_BYTES_ELSEWHERE: u64 = 10_000_000;

pub(crate) fn run(arguments: &[String]) -> Result {
    let wheel = build(&Target::from_arguments("wheel", arguments)?.unwrap_or(TARGETS[0]))?;
    println!("\npip install {}", wheel.display());
    Ok(())
}

/// The wheel of a target, checked.
pub(crate) fn build(to: &Target) -> Result<PathBuf> {
    let tools = cross::tools()?;
    let libraries = cross::build(&tools, to, For::Python)?;
    let folder = target()?.join("wheel").join(to.name);
    let library = libraries.join(to.shared("darkchunk"));
    let is_shared = to.system == System::Linux;
    if is_shared {
        let mut zig = program(tools.join("python"));
        let version = if to.glibc.is_empty() { String::new() } else { format!(".{}", to.glibc) };
        zig.args(["-m", "ziglang", "cc", "-target", &(to.name.replace("-unknown", "") + &version)]);
        share(&folder, &library, &zig, lay_out_stripped)?;
    } else {
        lay_out_stripped(&folder.join("plugins"), &PLUGINS.map(|name| libraries.join(to.shared(name))))?;
    }
    cross::lay_out_licences(&tools, to, &folder.join("licences"))?;
    let wheel = pack(&folder, (!is_shared).then_some(&*library), to.platform)?;
    check_tag(&tools, &wheel, to)?;
    check_size(&wheel, to)?;
    Ok(wheel)
}

/// The library and plugins that take their filters from it (`python/plugin.c`), in the folder `plugins`. HDF5 opens what begins
/// with `lib` in such a folder: the library does not.
fn share(folder: &Path, library: &Path, compiler: &Command, lay_out: fn(&Path, &[PathBuf]) -> Result) -> Result {
    let built = folder.join("built");
    fs::create_dir_all(&built).map_err(|e| format!("{}: {e}", built.display()))?;
    let shared = built.join("darkchunk.so");
    fs::copy(library, &shared).map_err(|e| format!("{}: {e}", library.display()))?;
    let mut files = vec![shared];
    for (name, filter) in PLUGINS.iter().zip(FILTERS) {
        let file = built.join(format!("lib{name}.so"));
        let mut compile = Command::new(compiler.get_program());
        compile.args(compiler.get_args()).args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-Os", "-s", "-fPIC"]);
        compile.args(["-shared", "-fvisibility=hidden"]).arg(format!("-DFILTER={filter}"));
        run_program(compile.arg(root().join("python/plugin.c")).arg("-o").arg(&file).arg("-ldl"))?;
        check_exports(&file)?;
        files.push(file);
    }
    lay_out(&folder.join("plugins"), &files)
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

/// Packs the plugins and licences that lie in `folder`, and a library that is not among the plugins, for this platform.
fn pack(folder: &Path, library: Option<&Path>, platform: &str) -> Result<PathBuf> {
    let wheels = root().join("dist/wheels");
    let version = env!("CARGO_PKG_VERSION");
    let mut pack = program(python()?);
    pack.arg(root().join("python/pack.py")).args(["--tag", platform, "--version", version]);
    pack.arg("--plugins").arg(folder.join("plugins")).arg("--licences").arg(folder.join("licences"));
    pack.args(library.map(|library| [Path::new("--library"), library]).into_iter().flatten());
    run_program(pack.arg("--out").arg(&wheels))?;
    Ok(wheels.join(format!("darkchunk-{version}-py3-none-{platform}.whl")))
}

/// The libraries need nothing newer than the tag says. Of macOS and Windows [`cross::build`] has looked, and of musl, which has
/// no versions of its symbols, that nothing else is needed; auditwheel knows the musl of the machine that it runs on alone.
fn check_tag(tools: &Path, wheel: &Path, to: &Target) -> Result {
    if to.system != System::Linux || to.is_musl() {
        return Ok(());
    }
    let shown = output(program(tools.join("python")).args(["-m", "auditwheel", "show"]).arg(wheel))?;
    let text = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.contains(&format!("consistent with the following platform tag: \"{}\"", to.platform)) {
        return Ok(());
    }
    Err(format!("auditwheel does not find {}:\n{shown}", to.platform))
}

fn check_size(wheel: &Path, to: &Target) -> Result {
    let n_bytes = fs::metadata(wheel).map_err(|e| format!("{}: {e}", wheel.display()))?.len();
    let most = if to.system == System::Linux { MAX_BYTES } else { MAX_BYTES_ELSEWHERE };
    let too_large = || format!("{} has {n_bytes} bytes, more than {most}", shown(wheel));
    if n_bytes <= most { Ok(()) } else { Err(too_large()) }
}

/// The wheel of what `dist` has built for this machine, and its tests: a sample.
pub(crate) fn test(tally: &mut Tally) {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        tests(tally, host(), false);
    } else {
        println!("note: the wheel is built and tested on Linux x86-64 only");
    }
}

/// The wheel of what `dist` has built for this machine.
fn host() -> Result<PathBuf> {
    let folder = target()?.join("wheel/host");
    share(&folder, &dist::library(), &program("cc"), lay_out)?;
    licences::lay_out(&folder.join("licences"), &[], &[])?;
    pack(&folder, None, "linux_x86_64")
}

/// The Python of an environment `target/NAME` that has this wheel and what else a file asks for.
pub(crate) fn environment_with(name: &str, requirements: &str) -> Result<PathBuf> {
    install(&host()?, &target()?.join(name), &[&[requirements], &REQUIREMENTS[..]].concat())
}

/// The manylinux wheel, and all of its tests.
pub(crate) fn prove(tally: &mut Tally) -> Result {
    tests(tally, build(&TARGETS[0]), true);
    Ok(())
}

/// Installs a wheel, offline, into an environment that has the hosts and no compiler, and tests it there.
fn tests(tally: &mut Tally, wheel: Result<PathBuf>, is_full: bool) {
    let mut installed = Err(String::new());
    tally.check("wheel", || {
        let (name, requirements) =
            if is_full { ("wheel-tests-full", &ALL_REQUIREMENTS[..]) } else { ("wheel-tests", &REQUIREMENTS[..]) };
        installed = wheel.and_then(|wheel| install(&wheel, &target()?.join(name), requirements));
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
    let mut pytest = pytest(&python);
    pytest.envs(netcdf.ok().map(|folder| ("DARKCHUNK_NETCDF", folder)));
    pytest.args(["-rs", "python/tests"]);
    pytest.env_remove("HDF5_PLUGIN_PATH").env_remove("DARKCHUNK_PLUGINS").env("DARKCHUNK_DATA", data());
    tally.step("tests of the wheel", if is_full { pytest.env("DARKCHUNK_FULL", "1") } else { &mut pytest });
}

/// The Python of an environment that has this wheel.
fn install(wheel: &Path, folder: &Path, requirements: &[&str]) -> Result<PathBuf> {
    let python = environment(folder, requirements)?;
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
