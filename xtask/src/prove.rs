//! `prove`: the full numbers of what `cargo xtask test` samples. A proof is one function here, and one row in [`PROOFS`].
//!
//! A proof takes as long as it needs, may need what a plain machine lacks, and prints its figures; the last line is
//! `N passed, M failed`.

use std::process::Command;

use crate::process::{cargo, program, pytest};
use crate::setup::System;
use crate::tally::Tally;
use crate::workspace::root;
use crate::{Result, dist, foreign, setup, soundness, test, wheel};

mod record;
mod slices;

pub(crate) const HELP: &str = "the full numbers of what `test` samples; without a name: which proofs there are
NAME...: these proofs, one after the other";

struct Proof {
    name: &'static str,
    help: &'static str,
    run: fn(&mut Tally) -> Result,
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "chains",
        help: "HDF5's filters before and after each of ours, written by us and by hdf5plugin, read by both",
        run: chains,
    },
    Proof {
        name: "replay",
        help: "what is left, and restored by the journal, after each of 30 000 writes, 120 kills, 420 full disks, on each HDF5",
        run: replay,
    },
    Proof {
        name: "record",
        help: "the recorder: thread sanitizer, fork, 20 full disks, 5 million frames, full rate, 1 kHz; DARKCHUNK_SECONDS: of each of these",
        run: record::run,
    },
    Proof {
        name: "reader",
        help: "the reader and H5Dread give the same, of 10 000 datasets, on each HDF5",
        run: reader,
    },
    Proof {
        name: "slices",
        help: "slices of 3000 datasets with three maps each, on each HDF5, and of 3000 what h5py reads; 20 kills, full disks, two MPIs; the talk's library \
            under sanitizers; tomo and tiff beside scikit-image, astra, algotom, tifffile",
        run: slices::run,
    },
    Proof {
        name: "metrics",
        help: "metrics beside numpy, scipy, scikit-image, pyFAI, scikit-beam, trackpy, PyAbel; false alarms of 1000 seeds; memory of 100 GB; \
            pages in Chromium, whose pictures are in target/pages then",
        run: metrics,
    },
    Proof {
        name: "convert",
        help: "darkchunk convert killed at 100 moments, stopped, on a full disk; 20 files, real ones among them; verify of 1000 files",
        run: convert,
    },
    Proof { name: "try", help: "darkchunk try: a sample against a full run, on six kinds of real data", run: trials },
    Proof { name: "mpio", help: "the writer on Debian's parallel HDF5, which is installed if need be", run: mpio },
    Proof {
        name: "sources",
        help: "the examples that record from cameras and detectors, with their packages, which are installed",
        run: sources,
    },
    Proof { name: "hosts", help: "the host tests, with all cases", run: hosts },
    Proof { name: "wheel", help: "the manylinux wheel, built by zig, and all orders of imports", run: wheel::prove },
    Proof { name: "wheels", help: "wheels and archives of all systems; qemu and wine run some", run: foreign::prove },
    Proof { name: "levels", help: "all of the core's tests at every lower level of this processor", run: levels },
    Proof { name: "sound", help: "Miri, qemu and sanitizers: as `cargo xtask sound`", run: sound },
    Proof { name: "fuzz", help: "every fuzz target for ten minutes; longer: `cargo xtask fuzz`", run: fuzz },
];

/// How long each target runs.
const FUZZ_SECONDS: u32 = 600;

pub(crate) fn run(names: &[String]) -> Result {
    if names.is_empty() {
        println!("usage: cargo xtask prove NAME...\n");
        for proof in PROOFS {
            println!("  {:12}{}", proof.name, proof.help);
        }
        return Ok(());
    }
    let known = |name: &String| PROOFS.iter().find(|proof| proof.name == name);
    let unknown = |name: &String| format!("there is no proof `{name}`; `cargo xtask prove` lists them");
    let proofs: Vec<&Proof> =
        names.iter().map(|name| known(name).ok_or_else(|| unknown(name))).collect::<Result<_>>()?;
    let mut tally = Tally::default();
    for proof in proofs {
        if let Err(message) = (proof.run)(&mut tally) {
            tally.check(proof.name, || Err(message));
        }
    }
    tally.finish()
}

fn chains(tally: &mut Tally) -> Result {
    host_program(tally, "filter chains", "tests/hosts/chains.py")
}

/// The source is whole at every moment, and `--resume` ends right.
fn convert(tally: &mut Tally) -> Result {
    dist::build()?;
    let mut pytest = pytest(setup::python()?);
    const TESTS: &str = "killed or full_disk or stopped or many_files or folder or memory or h5repack";
    pytest.args(["-s", "-k", TESTS]);
    pytest.args(["convert", "signals", "field"].map(|name| format!("tests/hosts/test_command_{name}.py")));
    pytest.env("DARKCHUNK_PROVE", "1");
    pytest.env("HDF5_PLUGIN_PATH", dist::plugins()).env("DARKCHUNK_PLUGINS", dist::plugins());
    tally.step("darkchunk convert", &mut pytest);
    Ok(())
}

/// A sample chooses what all frames would.
fn trials(tally: &mut Tally) -> Result {
    dist::build()?;
    let command = root().join("dist/bin").join(format!("darkchunk{}", std::env::consts::EXE_SUFFIX));
    let mut python = program(setup::python()?);
    tally.step("darkchunk try", python.arg(root().join("tests/hosts/trials.py")).arg(command));
    Ok(())
}

/// Aravis from Debian, the others from PyPI, in an environment of their own.
fn sources(tally: &mut Tally) -> Result {
    let header = |package, path| System::File { package, path };
    setup::system(&[
        System::Hdf5Headers,
        header("libaravis-dev", "/usr/include/aravis-0.8/arv.h"),
        header("libusb-1.0-0-dev", "/usr/include/libusb-1.0/libusb.h"),
        header("aravis-tools-cli", "/usr/bin/arv-fake-gv-camera-0.8"),
    ])?;
    dist::build()?;
    let mut aravis = pytest(setup::python()?);
    aravis.args(["-s", "tests/hosts/test_aravis.py"]);
    aravis.env("HDF5_PLUGIN_PATH", dist::plugins()).env("DARKCHUNK_PLUGINS", dist::plugins());
    tally.step("Aravis", &mut aravis);
    let python = wheel::environment_with("sources-tests", "examples/requirements.txt")?;
    let mut sources = pytest(python);
    sources.arg("python/tests/test_sources.py");
    tally.step("stream2 and GenTL", sources.env("DARKCHUNK_FULL", "1").env_remove("HDF5_PLUGIN_PATH"));
    Ok(())
}

fn hosts(tally: &mut Tally) -> Result {
    dist::build()?;
    test::hosts(tally, true);
    Ok(())
}

fn levels(tally: &mut Tally) -> Result {
    test::levels(tally, true);
    Ok(())
}

fn sound(tally: &mut Tally) -> Result {
    soundness::steps(tally);
    Ok(())
}

fn fuzz(tally: &mut Tally) -> Result {
    test::fuzzing(tally, FUZZ_SECONDS, crate::fuzz::ANY_SEED);
    Ok(())
}

/// What the writer leaves at every moment, when it is killed, and when the disk is full.
fn replay(tally: &mut Tally) -> Result {
    setup::python()?;
    setup::system(&[System::Hdf5Tools])?;
    for library in std::iter::once(None).chain(setup::other_hdf5().into_iter().map(Some)) {
        let mut tests = writer_tests(&["replay", "killed", "full_disk"]);
        let name = library.as_ref().and_then(|library| library.file_name());
        let name = name.map_or("h5py's HDF5".into(), |name| name.to_string_lossy());
        let chosen = library.as_ref().map(|library| ("DARKCHUNK_HDF5", library));
        tally.step(&format!("replay, {name}"), tests.envs(chosen));
        let mut tests = full("darkchunk-stream", &["replay", "full_disk", "recorder_disk"]);
        tally.step(&format!("journal, {name}"), tests.envs(chosen));
    }
    Ok(())
}

/// Datasets and selections at random, each time others: the seed is printed.
fn reader(tally: &mut Tally) -> Result {
    at_random(tally, "reader", "property::", "10000")
}

/// Tests of datasets of `darkchunk-stream` with so many cases, on each HDF5.
fn at_random(tally: &mut Tally, what: &str, tests: &str, cases: &str) -> Result {
    setup::python()?;
    setup::system(&[System::Hdf5Tools])?;
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = since.as_secs().to_string();
    println!("DARKCHUNK_SEED={seed}");
    for library in std::iter::once(None).chain(setup::other_hdf5().into_iter().map(Some)) {
        let name = library.as_ref().and_then(|library| library.file_name());
        let name = name.map_or("h5py's HDF5".into(), |name| name.to_string_lossy());
        let mut step = cargo();
        step.args(["test", "--package", "darkchunk-stream", "--test", "datasets", "--", tests, "--nocapture"]);
        step.env("DARKCHUNK_CASES", cases).env("DARKCHUNK_SEED", &seed);
        tally.step(&format!("{what}, {name}"), step.envs(library.as_ref().map(|library| ("DARKCHUNK_HDF5", library))));
    }
    Ok(())
}

/// What the metrics are compared with is in an environment of its own.
fn metrics(tally: &mut Tally) -> Result {
    let python = setup::environment(&root().join(".venv-metrics"), &["tests/metrics/requirements.txt"])?;
    tally.step("metrics beside oracles", pytest(python).arg("tests/metrics"));
    let mut seeds = full("darkchunk-metrics", &["numbers"]);
    tally.step("metrics, 1000 seeds", seeds.args(["truth::", "techniques::", "tomography::"]));
    setup::system(&[System::File { package: "chromium", path: "/usr/bin/chromium" }])?;
    dist::build()?;
    let (pages, python) = (root().join("target/pages"), setup::python()?);
    let of_hosts = |test: &[&str]| {
        let mut pytest = pytest(&python);
        pytest.arg("-s").args(test);
        pytest.env("DARKCHUNK_PROVE", "1").env("DARKCHUNK_SCREENSHOTS", &pages);
        pytest.env("HDF5_PLUGIN_PATH", dist::plugins()).env("DARKCHUNK_PLUGINS", dist::plugins());
        pytest
    };
    let of_virtual = ["tests/hosts/test_command_compare.py", "-k", "virtual"];
    tally.step("compare of a virtual dataset", &mut of_hosts(&of_virtual));
    tally.step("pages in a browser", &mut of_hosts(&["tests/hosts/test_pages.py"]));
    Ok(())
}

fn mpio(tally: &mut Tally) -> Result {
    const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/libhdf5_openmpi.so.103";
    setup::system(&[System::File { package: "libhdf5-openmpi-103-1", path: LIBRARY }])?;
    tally.step("MPI-IO", writer_tests(&["mpio"]).env("DARKCHUNK_HDF5", LIBRARY));
    Ok(())
}

/// Test programs of `darkchunk-hdf5` with the full numbers, which they print.
fn writer_tests(names: &[&str]) -> Command {
    full("darkchunk-hdf5", names)
}

/// The same of any package.
fn full(package: &str, names: &[&str]) -> Command {
    let mut tests = cargo();
    tests.args(["test", "--package", package]).args(names.iter().flat_map(|name| ["--test", name]));
    tests.args(["--", "--nocapture"]).env("DARKCHUNK_PROVE", "1");
    tests
}

/// A step that is a Python program with our plugins, built just now.
fn host_program(tally: &mut Tally, name: &str, path: &str) -> Result {
    dist::build()?;
    let mut python = program(setup::python()?);
    tally.step(name, python.arg(root().join(path)).env("DARKCHUNK_PLUGINS", dist::plugins()));
    Ok(())
}
