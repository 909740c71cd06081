//! `prove slices`: slices at random, runs that are ended at random, and the libraries under sanitizers.

use std::path::{Path, PathBuf};

use super::at_random;
use crate::process::{program, pytest, run as run_program};
use crate::setup::{self, System};
use crate::tally::Tally;
use crate::workspace::{data, root, target};
use crate::{Result, dist, wheel};

/// Images and threads that the talk's library is called with.
const CALLS: [&str; 5] = ["4", "3", "1024", "1024", "24"];

pub(super) fn run(tally: &mut Tally) -> Result {
    at_random(tally, "slices", "slabs::", "3000")?;
    let file = |package, path| System::File { package, path };
    setup::system(&[file("libopenmpi-dev", "/usr/bin/mpicc.openmpi"), file("openmpi-bin", "/usr/bin/mpirun.openmpi")])?;
    dist::build()?;
    beside_others(tally)?;
    let mut pytest = pytest(setup::python()?);
    pytest.args(["-s", "-rs", "tests/hosts/test_command_slices_ended.py"]);
    pytest.env("DARKCHUNK_PROVE", "1");
    pytest.env("HDF5_PLUGIN_PATH", dist::plugins()).env("DARKCHUNK_PLUGINS", dist::plugins());
    tally.step("slices: ended at random moments, MPI, isolated", &mut pytest);
    for (compiler, language) in [("gcc", &["-std=c99"][..]), ("g++", &["-std=c++11", "-x", "c++"])] {
        for sanitizers in ["address,undefined", "thread"] {
            let name = format!("the talk's library, {compiler}, {sanitizers}");
            tally.check(&name, || sanitized(compiler, language, sanitizers));
        }
    }
    Ok(())
}

/// The example libraries, and slices in Python, beside others' work.
fn beside_others(tally: &mut Tally) -> Result {
    let python = wheel::environment_with("sources-tests", "python/tests/requirements.txt")?;
    let mut beside = pytest(python);
    beside.arg("python/tests/test_slices.py");
    tally.step("slices beside h5py", beside.env("DARKCHUNK_CASES", "3000"));
    let tiffinfo = System::File { package: "libtiff-tools", path: "/usr/bin/tiffinfo" };
    tally.check("libtiff-tools", || setup::system(&[tiffinfo]));
    let python = setup::environment(&target()?.join("slices-tests"), &["tests/slices/requirements.txt"])?;
    let command = root().join("dist/bin").join(format!("darkchunk{}", std::env::consts::EXE_SUFFIX));
    let mut oracles = pytest(python);
    oracles.args(["-s", "tests/slices"]);
    oracles.env("DARKCHUNK_COMMAND", command).env("DARKCHUNK_TOMO", dist::example("h5io-tomo")?);
    oracles.env("HDF5_PLUGIN_PATH", dist::plugins()).env("DARKCHUNK_DATA", data());
    tally.step("slices beside oracles", &mut oracles);
    Ok(())
}

/// Runs the talk's library in threads, both it and its host with sanitizers.
fn sanitized(compiler: &str, language: &[&str], sanitizers: &str) -> Result {
    let folder = target()?.join("c");
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let compile = |compiler: &str, language: &[&str], more: &[&str], source: &Path, to: &PathBuf| {
        let mut command = program(compiler);
        command.args(["-O1", "-g", "-fno-sanitize-recover=all", &format!("-fsanitize={sanitizers}")]).args(more);
        command.arg("-I").arg(root().join("ffi/include")).arg("-o").arg(to).args(language).arg(source);
        run_program(command.args(["-x", "none", "-lpthread", "-ldl"]))
    };
    let (library, host) = (folder.join("talk-sanitized.so"), folder.join("slices-host"));
    compile(compiler, language, &["-shared", "-fPIC"], &root().join("examples/slices/talk.c"), &library)?;
    compile("gcc", &["-std=c99"], &[], &root().join("tests/hosts/slices/host.c"), &host)?;
    // The thread sanitizer of older compilers wants addresses that are not random.
    run_program(program("setarch").arg("-R").arg(host).arg(library).args(CALLS))
}
