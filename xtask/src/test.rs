//! `test`: everything that can be checked on this machine, each step whether or not one before it failed; the last line
//! is `N passed, M failed`.

use crate::process::{cargo, is_installed, program, pytest, run as run_program, succeeds};
use crate::setup::{self, System};
use crate::tally::Tally;
use crate::workspace::{data, root, target};
use crate::{Result, dist, fuzz, soundness, wheel};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str = "everything: format, lints, docs, Rust, C and Python host tests, minimum Rust version
--quick: format, lints and the Rust tests of what builds no HDF5";

/// The oldest Rust that builds the workspace; `rust-version` in Cargo.toml says the same.
pub(crate) const OLDEST_RUST: &str = "1.89";

/// In the tests' own profile, so that the C libraries, HDF5 among them, are built once for all steps.
const LINTS: [&str; 5] = ["clippy", "--profile", "test", "--all-targets", "--all-features"];

/// How long each fuzz target runs here; `cargo xtask prove fuzz` takes its time.
const FUZZ_SECONDS: u32 = 6;
/// The same inputs each time, as far as they are reached.
const FUZZ_SEED: u32 = 1;

/// What the tests at lower levels leave out, which `cargo xtask prove levels` does not.
const SLOW_AT_EVERY_LEVEL: &str = "every_changed_byte_is_an_error_or_a_whole_chunk";

pub(crate) fn run(arguments: &[String]) -> Result {
    let is_quick = match arguments {
        [] => false,
        [option] if option == "--quick" => true,
        _ => return Err(format!("test takes --quick or nothing, not `{}`", arguments.join(" "))),
    };
    let mut tally = Tally::default();
    tally.step("format", cargo().args(["fmt", "--all", "--check"]));
    if is_quick {
        tally.check("Python environment", || setup::python().map(drop));
        tally.step("lints", cargo().args(LINTS).args(["--quiet", "--", "-D", "warnings"]));
        tally.step("Rust tests", cargo().args(["test", "--no-fail-fast"]));
        return tally.finish();
    }
    checks(&mut tally);
    let mut build = workspace("test");
    tally.step("Rust tests: built", build.args(["--tests", "--no-run"]));
    // From here on it is mostly programs of one thread: two halves that take about as long.
    std::thread::scope(|scope| {
        let (is_built, built) = std::sync::mpsc::channel();
        let beside = scope.spawn(move || {
            let mut tally = Tally::beside();
            // Where nobody listens any more, the other half has panicked.
            let _ = is_built.send(tally.check("dist", dist::build));
            fuzzing(&mut tally, FUZZ_SECONDS, FUZZ_SEED);
            let has_miri = soundness::has_miri(&mut tally);
            soundness::miri_units(&mut tally, has_miri);
            soundness::miri_chunks(&mut tally, has_miri);
            tally
        });
        rust_tests(&mut tally);
        if built.recv() == Ok(true) {
            c_programs(&mut tally);
            hosts(&mut tally, false);
            wheel::test(&mut tally);
        }
        oldest_rust(&mut tally);
        match beside.join() {
            Ok(beside) => tally.absorb(beside),
            Err(_) => drop(tally.check("dist, fuzz and Miri", || Err("a panic, see above".into()))),
        }
    });
    tally.finish()
}

/// The core's codecs that are built alone; `blosc` has all.
const FEATURES: [&str; 3] = ["", "lz4", "zstd"];

/// cargo with this verb for the whole workspace; without cmake for all that builds no HDF5.
fn workspace(verb: &str) -> Command {
    let (mut cargo, scope) = match setup::cargo_with_cmake() {
        Ok(cargo) => (cargo, Some("--workspace")),
        Err(_) => (cargo(), None),
    };
    cargo.arg(verb).args(scope);
    cargo
}

/// Lints and documentation of the whole workspace.
fn checks(tally: &mut Tally) {
    tally.check("Python environment", || setup::cargo_with_cmake().map(drop));
    let [verb, more @ ..] = LINTS;
    tally.step("lints", workspace(verb).args(more).args(["--quiet", "--", "-D", "warnings"]));
    for codecs in FEATURES {
        let name = if codecs.is_empty() { "lints without codecs" } else { &format!("lints with {codecs} only") };
        let mut lints = cargo();
        lints.args(["clippy", "--profile", "test", "--package", "darkchunk", "--lib", "--quiet"]);
        lints.args(["--no-default-features", "--features", codecs, "--", "-D", "warnings"]);
        tally.step(name, &mut lints);
    }
    // Without private items, a public page that links to one is an error; with them, so is a broken link in one.
    for (name, more) in [("documentation", &[][..]), ("documentation of private items", &["--document-private-items"])]
    {
        let mut doc = workspace("doc");
        doc.args(["--profile", "test", "--no-deps", "--quiet"]).args(more);
        tally.step(name, doc.env("RUSTDOCFLAGS", "-D warnings"));
    }
}

/// All tests of the workspace, then on other HDF5 libraries and at lower levels. The examples, which lints have read, are not built.
fn rust_tests(tally: &mut Tally) {
    for (name, what) in [("Rust tests", "--tests"), ("Rust tests in the documentation", "--doc")] {
        tally.step(name, workspace("test").args([what, "--no-fail-fast"]).env("DARKCHUNK_DATA", data()));
    }
    other_hdf5(tally);
    levels(tally, false);
}

/// The tests of `darkchunk-hdf5` and `darkchunk-stream` on every other HDF5 that is here: those of PyTables' and netCDF4's wheels, and Debian's.
///
/// They are chosen by name out of all that were built: chosen by package, cargo would build them again, with fewer features of what they
/// depend on. So a test of the core that has the name of one of theirs runs, too.
fn other_hdf5(tally: &mut Tally) {
    tally.check("Debian's HDF5", || setup::system(&[System::Hdf5Tools]));
    for library in setup::other_hdf5() {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        let mut tests = workspace("test");
        for test in ["hdf5/tests", "stream/tests"].iter().flat_map(|folder| integration_tests(&root().join(folder))) {
            tests.args(["--test", &test]);
        }
        tests.arg("--no-fail-fast").env("DARKCHUNK_DATA", data());
        tally.step(&format!("Rust tests on {name}"), tests.env("DARKCHUNK_HDF5", &library));
    }
}

/// The tests that cargo finds in a folder: files, and folders with a `main.rs`.
fn integration_tests(folder: &Path) -> Vec<String> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_test =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == "rs") || path.join("main.rs").is_file();
    let mut names: Vec<String> =
        paths.filter(is_test).filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

/// The core's tests at each lower level of this processor: what is chosen there when nothing better is had. (The tests
/// of kernels, in the library, compare all levels with scalar anyway; the run above took the best.)
pub(crate) fn levels(tally: &mut Tally, is_full: bool) {
    for level in lower_levels() {
        let mut tests = if is_full { all_of_the_core() } else { sample_of_the_core() };
        tests.env("DARKCHUNK_MAX_LEVEL", level).env("DARKCHUNK_REQUIRE_LEVEL", level).env("DARKCHUNK_DATA", data());
        tally.step(&format!("Rust tests at level {level}"), &mut tests);
    }
}

fn all_of_the_core() -> Command {
    let mut tests = cargo();
    tests.args(["test", "--package", "darkchunk", "--no-fail-fast", "--test", "*", "--lib"]);
    tests
}

/// By name out of all that were built, as in [`other_hdf5`]: so a test of another package with such a name runs, too.
fn sample_of_the_core() -> Command {
    let mut tests = workspace("test");
    tests.arg("--no-fail-fast");
    tests.args(integration_tests(&root().join("tests")).iter().flat_map(|name| ["--test", name]));
    tests.args(["--", "--skip", SLOW_AT_EVERY_LEVEL]);
    tests
}

#[cfg(target_arch = "x86_64")]
fn lower_levels() -> Vec<&'static str> {
    let mut levels = vec!["scalar"];
    levels.extend(is_x86_feature_detected!("sse4.1").then_some("sse41"));
    levels.extend(is_x86_feature_detected!("avx2").then_some("avx2"));
    if is_x86_feature_detected!("avx512vbmi2")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("gfni")
    {
        return levels;
    }
    println!("note: this processor has no AVX-512 with VBMI2, VNNI and GFNI; those kernels are not tested here");
    levels.pop();
    levels
}

#[cfg(not(target_arch = "x86_64"))]
fn lower_levels() -> Vec<&'static str> {
    vec!["scalar"]
}

/// Whether the oldest Rust that is promised still builds all that is not a test or a benchmark.
fn oldest_rust(tally: &mut Tally) {
    let is_there = || succeeds(program("rustup").args(["run", OLDEST_RUST, "cargo", "--version"]));
    let name = format!("Rust {OLDEST_RUST}");
    let install = || {
        let arguments = ["toolchain", "install", OLDEST_RUST, "--profile", "minimal", "--no-self-update"];
        if is_there() { Ok(()) } else { run_program(program("rustup").args(arguments)) }
    };
    if let Err(message) = install() {
        tally.check(&name, || Err(format!("Rust {OLDEST_RUST} cannot be had: {message}")));
        return;
    }
    let arguments = ["run", OLDEST_RUST, "cargo", "check", "--quiet", "--target-dir"];
    match target() {
        // Of C the headers alone matter: it is not linked.
        Ok(target) => {
            tally.step(&name, program("rustup").args(arguments).arg(target.join("oldest-rust")).env("CFLAGS", "-O0"))
        }
        Err(message) => drop(tally.check(&name, || Err(message))),
    }
}

/// Every fuzz target for so long. A crash found later by a longer run is a test of its own.
pub(crate) fn fuzzing(tally: &mut Tally, seconds: u32, seed: u32) {
    tally.step("fuzz seeds", cargo().args(["test", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--lib"]));
    let is_ready = tally.check("fuzz targets", fuzz::set_up);
    for target in fuzz::targets().unwrap_or_default().iter().filter(|_| is_ready) {
        tally.check(&format!("fuzz {target}"), || fuzz::fuzz(target, seconds, seed)?.succeeded());
    }
}

/// Programs that tests of their own compile and run: they need arguments, or other libraries.
const NOT_ALONE: [&str; 2] = ["aravis_recorder", "killed"];

/// The C and C++ tests and examples: every warning an error, run as they are, under AddressSanitizer and UBSan, and under
/// valgrind.
fn c_programs(tally: &mut Tally) {
    if !tally.check("C set-up", || setup::system(&[System::Hdf5Headers, System::Valgrind])) {
        println!("note: C programs that need HDF5, or valgrind, will fail below");
    }
    for (folder, name) in [("ffi/tests", "C test"), ("examples", "C example")] {
        for source in c_sources(&root().join(folder)) {
            let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if !NOT_ALONE.contains(&stem.as_str()) {
                c_program(tally, &format!("{name} {stem}"), &source, &stem);
            }
        }
    }
}

fn c_sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut sources: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "c" || e == "cpp")).collect();
    sources.sort();
    sources
}

fn c_program(tally: &mut Tally, name: &str, source: &Path, stem: &str) {
    let folder = target().unwrap_or(root()).join("c");
    if let Err(error) = std::fs::create_dir_all(&folder) {
        tally.check(name, || Err(format!("{}: {error}", folder.display())));
        return;
    }
    let plain = folder.join(stem);
    let sanitized = folder.join(format!("{stem}-sanitized"));
    if tally.check(&format!("{name}: compiled"), || compile(source, &plain, &[])) {
        tally.step(name, &mut c_run(&plain, program(&plain), &folder));
        if is_installed("valgrind") {
            let mut valgrind = program("valgrind");
            valgrind.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
            valgrind.arg(format!("--suppressions={}", root().join("ffi/tests/valgrind.supp").display())).arg(&plain);
            tally
                .step(&format!("{name} under valgrind"), c_run(&plain, valgrind, &folder).env("DARKCHUNK_SAMPLE", "1"));
        }
    }
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    if tally.check(&format!("{name}: compiled, sanitized"), || compile(source, &sanitized, &sanitizers)) {
        tally.step(&format!("{name} with sanitizers"), &mut c_run(&sanitized, program(&sanitized), &folder));
    }
}

/// The arguments and the environment of a C program: the file it may write, and no plugin folder but ours.
fn c_run(program: &Path, mut command: Command, folder: &Path) -> Command {
    let output = folder.join(format!("{}.h5", program.file_name().unwrap_or_default().to_string_lossy()));
    let _ = std::fs::remove_file(&output);
    command.arg(output).env("HDF5_PLUGIN_PATH", dist::plugins());
    command
}

fn compile(source: &Path, executable: &Path, more: &[&str]) -> Result {
    let text = std::fs::read_to_string(source).map_err(|e| format!("{}: {e}", source.display()))?;
    let library = root().join("dist/lib");
    let is_c = source.extension().is_some_and(|extension| extension == "c");
    let mut gcc = program(if is_c { "gcc" } else { "g++" });
    gcc.arg(if is_c { "-std=c11" } else { "-std=c++17" });
    gcc.args(["-O1", "-g", "-Wall", "-Wextra", "-Werror"]).args(more);
    gcc.arg(format!("-I{}", root().join("dist/include").display())).arg(source).arg("-o").arg(executable);
    gcc.arg(format!("-L{}", library.display())).arg("-ldarkchunk").arg(format!("-Wl,-rpath,{}", library.display()));
    if text.contains("hdf5.h") {
        gcc.args(setup::hdf5_flags());
    }
    run_program(gcc.args(["-lm", "-lpthread", "-ldl"]))
}

/// The plugins in real hosts: h5py, PyTables and netCDF4, and Debian's own tools. Where `is_full`, all cases; else samples.
pub(crate) fn hosts(tally: &mut Tally, is_full: bool) {
    let pkg_config = System::File { package: "pkg-config", path: "/usr/bin/pkg-config" };
    tally.check("host set-up", || setup::system(&[System::Hdf5Tools, System::NetcdfTools, pkg_config]));
    let Ok(python) = setup::python() else {
        tally.check("host tests", || Err("no Python environment, see above".into()));
        return;
    };
    let netcdf = setup::netcdf_with_plugins();
    tally.check("netCDF4 with its own plugins", || netcdf.as_ref().map(drop).map_err(Clone::clone));
    let mut tests = pytest(&python);
    tests.envs(netcdf.ok().map(|folder| ("DARKCHUNK_NETCDF", folder)));
    tests.args(["-rs", "--durations=15", "tests/hosts"]);
    tests.env("HDF5_PLUGIN_PATH", dist::plugins()).env("DARKCHUNK_PLUGINS", dist::plugins());
    if is_full {
        tests.env("DARKCHUNK_FULL", "1");
    }
    let tomo = dist::example("h5io-tomo");
    tally.check("example libraries", || tomo.as_ref().map(drop).map_err(Clone::clone));
    tests.envs(tomo.ok().map(|library| ("DARKCHUNK_TOMO", library)));
    tally.step("host tests", tests.env("DARKCHUNK_DATA", data()));
    // `cargo xtask prove metrics` has the other oracles, too.
    tally.step("metrics beside numpy", pytest(&python).arg("tests/metrics"));
}
