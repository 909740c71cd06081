//! `sound`: tests run by Miri (which `test` does too), as another machine, and under sanitizers.
//!
//! * Miri finds undefined behaviour in plain Rust. It runs no C, and so not what calls the reference libraries; the tests
//!   that do are marked. Run a second time as a big-endian machine: stored bytes are the same everywhere.
//! * qemu runs the core's tests, C and all, as s390x, which is big-endian, and as aarch64, for the NEON kernels.
//! * The address sanitizer watches the plugins' glue, the golden chunks and the corpus of damaged ones.
//! * The thread sanitizer watches all that is done by several threads, also in a C program that calls the C library.
//! * The plugins themselves, built with the address sanitizer (and UBSan for the C in them), are given the corpus in every
//!   host: with gcc's sanitizer libraries in the process, which watch HDF5's reads of what the plugins return as well.

use crate::process::{output, program, run as run_program};
use crate::setup::{self, System};
use crate::tally::Tally;
use crate::workspace::{shared_library, target};
use crate::{Result, dist, fuzz};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str =
    "Miri, big-endian s390x and aarch64 under qemu, the address and the thread sanitizer, also on the plugins in hosts";

/// This machine; named, because flags are then for the program alone, and not for what builds it.
const HOST: &str = "x86_64-unknown-linux-gnu";
const BIG_ENDIAN: &str = "s390x-unknown-linux-gnu";

/// The tests of whole chunks that Miri can run.
const CHUNKS: [&str; 4] = ["--test", "golden", "--test", "drle"];

/// A machine that qemu plays, and what Debian calls it.
struct Machine {
    rust_target: &'static str,
    qemu: &'static str,
    gnu: &'static str,
    packages: [System; 3],
    /// The instruction set whose kernels must be among those tested.
    level: &'static str,
}

const MACHINES: [Machine; 2] = [
    Machine {
        rust_target: BIG_ENDIAN,
        qemu: "qemu-s390x-static",
        gnu: "s390x-linux-gnu",
        packages: [
            System::File { package: "qemu-user-static", path: "/usr/bin/qemu-s390x-static" },
            System::File { package: "gcc-s390x-linux-gnu", path: "/usr/bin/s390x-linux-gnu-gcc" },
            System::File { package: "libc6-dev-s390x-cross", path: "/usr/s390x-linux-gnu/include/stdio.h" },
        ],
        level: "scalar",
    },
    Machine {
        rust_target: "aarch64-unknown-linux-gnu",
        qemu: "qemu-aarch64-static",
        gnu: "aarch64-linux-gnu",
        packages: [
            System::File { package: "qemu-user-static", path: "/usr/bin/qemu-aarch64-static" },
            System::File { package: "gcc-aarch64-linux-gnu", path: "/usr/bin/aarch64-linux-gnu-gcc" },
            System::File { package: "libc6-dev-arm64-cross", path: "/usr/aarch64-linux-gnu/include/stdio.h" },
        ],
        level: "neon",
    },
];

pub(crate) fn run(arguments: &[String]) -> Result {
    if !arguments.is_empty() {
        return Err("sound takes no options".into());
    }
    let mut tally = Tally::default();
    steps(&mut tally);
    tally.finish()
}

/// All of it, as steps of `tally`.
pub(crate) fn steps(tally: &mut Tally) {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("note: Miri, qemu and the sanitizers are run on x86-64 Linux only");
        return;
    }
    let set_up = |machine: &&Machine| tally.check(&format!("{}: set-up", machine.gnu), || machine.set_up());
    let machines: Vec<&Machine> = MACHINES.iter().filter(set_up).collect();
    let has_miri = has_miri(tally);
    miri_units(tally, has_miri);
    miri_chunks(tally, has_miri);
    if has_miri {
        if machines.iter().any(|machine| machine.rust_target == BIG_ENDIAN) {
            let more = ["--lib", "--test", "drle_exceptions", "--target", BIG_ENDIAN];
            tally.step("Miri, big-endian", miri().args(CHUNKS).args(more));
        }
        for (name, command) in [("address sanitizer", address_sanitizer()), ("thread sanitizer", thread_sanitizer())] {
            match command {
                Ok(mut command) => tally.step(name, &mut command),
                Err(message) => drop(tally.check(name, || Err(message))),
            }
        }
        c_library_with_threads(tally);
        sanitized_plugins(tally);
    }
    for machine in machines {
        tally.step(&format!("{} under qemu", machine.gnu), &mut machine.tests());
    }
}

/// Whether Miri is there, or could be installed.
pub(crate) fn has_miri(tally: &mut Tally) -> bool {
    tally.check("Miri set-up", set_up)
}

/// Miri as this machine, over the unit tests; where it is there.
pub(crate) fn miri_units(tally: &mut Tally, has_miri: bool) {
    if has_miri {
        tally.step("Miri, unit tests", miri().arg("--lib"));
    }
}

/// The same over the tests of whole chunks.
pub(crate) fn miri_chunks(tally: &mut Tally, has_miri: bool) {
    if has_miri {
        tally.step("Miri, chunks", miri().args(CHUNKS));
    }
}

/// Nightly Rust with Miri and the standard library's source, of which Miri builds its own.
fn set_up() -> Result {
    fuzz::nightly()?;
    run_program(program("rustup").args(["component", "add", "--toolchain", "nightly", "miri", "rust-src"]))
}

/// What Miri can run in some minutes. It knows vector instructions in part only: so plain Rust.
fn miri() -> Command {
    let mut command = program("rustup");
    command.args(["run", "nightly", "cargo", "miri", "test", "--package", "darkchunk", "--no-fail-fast"]);
    // Without isolation: it reads the golden chunks and the environment.
    command.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("DARKCHUNK_MAX_LEVEL", "scalar");
    // It runs no C, but the crates of the reference libraries are not built without compiling theirs.
    command.env("CFLAGS", "-O0");
    command
}

fn address_sanitizer() -> Result<Command> {
    sanitized("address", &["--test", "golden", "--test", "corpus", "--test", "drle", "--test", "drle_exceptions"], &[])
}

/// With a standard library that is built for it: it must see what `Mutex` and `scope` order.
fn thread_sanitizer() -> Result<Command> {
    // Starts thousands of threads.
    let slow = ["--skip", "where_the_output_is_too_small_it_is_so_for_any_number_of_threads"];
    sanitized("thread", &["-Zbuild-std", "--test", "threads"], &slow)
}

/// All that a recorder's threads do, with HDF5 as it is: under the lock of its table, which the sanitizer sees.
pub(crate) fn recorder_with_thread_sanitizer() -> Result<Command> {
    set_up()?;
    let mut command = program("rustup");
    command.args(["run", "nightly", "cargo", "test", "-Zbuild-std", "--package", "darkchunk-stream"]);
    command.args(["--test", "recorder"]);
    sanitize(&mut command, "thread")?;
    Ok(command)
}

/// The C test, several threads of which have several threads work for them.
fn c_library_with_threads(tally: &mut Tally) {
    const NAME: &str = "thread sanitizer, C library";
    if let Some(test) = made(tally, &format!("{NAME}: built"), build_c_test_for_threads) {
        tally.step(NAME, &mut program(test));
    }
}

/// gcc compiles the C and links all with Rust's own runtime of the sanitizer: gcc's lacks functions that Rust's code calls.
fn build_c_test_for_threads() -> Result<PathBuf> {
    let mut build = program("rustup");
    build.args(["run", "nightly", "cargo", "build", "--quiet", "-Zbuild-std", "--package", "darkchunk-ffi"]);
    build.arg("--no-default-features");
    let folder = sanitize(&mut build, "thread")?;
    run_program(&mut build)?;
    let sysroot = output(program("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]))?;
    let runtime = Path::new(sysroot.trim()).join("lib/rustlib").join(HOST).join("lib/librustc-nightly_rt.tsan.a");
    let (object, test) = (folder.join("chunk.o"), folder.join("chunk"));
    let mut compile = program("gcc");
    compile.args(["-std=c11", "-O1", "-g", "-fsanitize=thread", "-Iffi/include", "-c", "ffi/tests/chunk.c", "-o"]);
    run_program(compile.arg(&object))?;
    let mut link = program("gcc");
    link.arg(object).arg(folder.join(HOST).join("debug/libdarkchunk.a"));
    link.arg("-Wl,--whole-archive").arg(runtime).arg("-Wl,--no-whole-archive");
    run_program(link.args(["-lm", "-lpthread", "-ldl", "-lrt", "-o"]).arg(&test))?;
    Ok(test)
}

fn sanitized(name: &str, what: &[&str], skipped: &[&str]) -> Result<Command> {
    let mut command = program("rustup");
    command.args(["run", "nightly", "cargo", "test", "--no-fail-fast"]);
    command.args(["--package", "darkchunk-filter", "--package", "darkchunk", "--lib"]).args(what);
    sanitize(&mut command, name)?;
    // The sanitizer's malloc is the test program's own, which this test takes for the C library's.
    command.args(["--", "--skip", "a_symbol_of_another_module_does_not_count"]).args(skipped);
    // A test asks for more memory than there is, and expects to be told so.
    command.env(format!("{}SAN_OPTIONS", name[..1].to_uppercase()), "allocator_may_return_null=1");
    Ok(command)
}

/// Has cargo build with a sanitizer: apart, as another `RUSTFLAGS` would build everything again, here and there. The C in
/// it gets the same sanitizer, by the crate that compiles it. Returns the folder.
fn sanitize(cargo: &mut Command, name: &str) -> Result<PathBuf> {
    let folder = target()?.join(format!("{name}-sanitizer"));
    cargo.args(["--target", HOST, "--target-dir"]).arg(&folder);
    cargo.env("RUSTFLAGS", format!("-Zsanitizer={name}")).env("CFLAGS", fuzz::FLAGS_OF_C);
    Ok(folder)
}

fn sanitized_plugins(tally: &mut Tally) {
    let hosts = || {
        let plugins = build_sanitized_plugins()?;
        // Debian's HDF5 is one of the hosts.
        setup::system(&[System::Hdf5Tools])?;
        let mut command = program(setup::python()?);
        command.arg("tests/corpus/sanitized.py").arg(plugins).arg(sanitizer_libraries()?);
        Ok(command)
    };
    if let Some(mut command) = made(tally, "plugins with sanitizers: built", hosts) {
        tally.step("plugins with sanitizers, in hosts", &mut command);
    }
}

/// What a step makes for the next one.
fn made<T>(tally: &mut Tally, name: &str, make: impl FnOnce() -> Result<T>) -> Option<T> {
    let mut made = None;
    tally.check(name, || make().map(|it| made = Some(it)));
    made
}

/// Returns their folder.
fn build_sanitized_plugins() -> Result<PathBuf> {
    let folder = target()?.join("sanitized-plugins");
    let mut build = program("rustup");
    build.args(["run", "nightly", "cargo", "build", "--quiet", "--target", HOST, "--target-dir"]).arg(&folder);
    build.args(dist::PLUGINS.iter().flat_map(|name| ["--package", name]));
    build.env("RUSTFLAGS", "-Zsanitizer=address");
    let undefined = "-fsanitize=address,undefined -fno-sanitize-recover=undefined";
    build.env("CFLAGS", format!("{undefined} {}", fuzz::FLAGS_OF_C));
    run_program(&mut build)?;
    // HDF5 opens all that lies in the folder.
    let plugins = folder.join("plugins");
    let failed = |e: std::io::Error| format!("{}: {e}", plugins.display());
    std::fs::create_dir_all(&plugins).map_err(failed)?;
    for name in dist::PLUGINS.map(shared_library) {
        std::fs::copy(folder.join(HOST).join("debug").join(&name), plugins.join(&name)).map_err(failed)?;
    }
    Ok(plugins)
}

/// gcc's, as nightly Rust has its own only for programs.
fn sanitizer_libraries() -> Result<String> {
    let path = |name: &str| output(program("gcc").arg(format!("-print-file-name={name}")));
    Ok(format!("{} {}", path("libasan.so")?.trim(), path("libubsan.so")?.trim()))
}

impl Machine {
    fn set_up(&self) -> Result {
        setup::system(&self.packages)?;
        run_program(program("rustup").args(["target", "add", self.rust_target]))
    }

    /// The core's tests: every kernel, every format.
    fn tests(&self) -> Command {
        let variable =
            |name: &str| format!("CARGO_TARGET_{}_{name}", self.rust_target.to_uppercase().replace('-', "_"));
        let compiler = format!("{}-gcc", self.gnu);
        let mut command = program("cargo");
        command.args(["test", "--package", "darkchunk", "--lib", "--tests", "--no-fail-fast"]);
        command.args(["--target", self.rust_target]);
        command.env(variable("LINKER"), &compiler).env(format!("CC_{}", self.rust_target), &compiler);
        command.env(variable("RUNNER"), format!("{} -L /usr/{}", self.qemu, self.gnu));
        command.env("DARKCHUNK_REQUIRE_LEVEL", self.level);
        // Four minutes under qemu.
        command.args(["--", "--skip", "every_changed_byte_is_an_error_or_a_whole_chunk"]);
        command
    }
}

#[cfg(test)]
mod tests {
    use crate::process::{output, program};
    use crate::workspace::root;

    /// What is shipped, by git: no tests, no benchmarks, no tools.
    fn sources() -> Vec<String> {
        let files = output(program("git").args(["ls-files", "*.rs"])).expect("git lists its files");
        let is_tool =
            |file: &str| ["benches/", "fuzz/", "xtask/", "sim/"].iter().any(|folder| file.starts_with(folder));
        let is_source = |file: &str| file.starts_with("src/") || file.contains("/src/");
        let is_test = |file: &str| file.contains("/tests") || file.ends_with("guarded.rs");
        files.lines().filter(|file| is_source(file) && !is_tool(file) && !is_test(file)).map(String::from).collect()
    }

    fn text(file: &str) -> String {
        std::fs::read_to_string(root().join(file)).expect(file)
    }

    /// Whether a file has the attribute for all that is in it.
    fn says(file: &str, attribute: &str) -> bool {
        text(file).lines().any(|line| line == format!("#![{attribute}(unsafe_code)]"))
    }

    /// A block, an `impl`, a function or an attribute; a comment is none.
    fn is_unsafe(file: &str) -> bool {
        let text = text(file);
        let mut code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        // A function; its type, of which `(` follows, is none.
        let words = ["unsafe {", "unsafe impl", "unsafe fn ", "unsafe extern \"C\" fn ", "#[unsafe("];
        code.any(|line| words.iter().any(|word| line.contains(word)))
    }

    /// The list in docs/design.md: the files and folders that it begins with.
    fn documented() -> Vec<String> {
        let design = text("docs/design.md");
        let section = design.split("## Unsafe code").nth(1).and_then(|rest| rest.split("\n## ").next());
        let lines = section.expect("the section on unsafe code").lines().filter(|line| line.starts_with("* `"));
        lines.filter_map(|line| line.split('`').nth(1)).map(String::from).collect()
    }

    #[test]
    fn the_compiler_refuses_unsafe_code_but_where_a_file_allows_it() {
        let is_root = |file: &&String| file.ends_with("src/lib.rs") || file.ends_with("src/main.rs");
        for file in sources().iter().filter(is_root) {
            let is_guarded = says(file, "deny") || says(file, "forbid") || says(file, "allow");
            assert!(
                is_guarded,
                "{file}: needs `#![deny(unsafe_code)]`, or forbid where nothing in the crate needs any"
            );
        }
    }

    #[test]
    fn unsafe_code_is_where_the_design_says() {
        let is_in = |file: &str, place: &str| file == place || file.starts_with(&format!("{place}/"));
        let allowing: Vec<String> = sources().into_iter().filter(|file| says(file, "allow")).collect();
        let places = documented();
        for file in &allowing {
            let is_known = places.iter().any(|place| is_in(file, place));
            assert!(is_known, "{file} allows unsafe code, and the list in docs/design.md does not say why");
        }
        for place in &places {
            assert!(allowing.iter().any(|file| is_in(file, place)), "docs/design.md: {place} has no unsafe code");
        }
    }

    /// A file inherits what the file allows that it is a module of.
    #[test]
    fn a_file_with_unsafe_code_says_so_itself() {
        // Its macro makes the plugins' exported symbols; each has its own permission.
        for file in sources().iter().filter(|file| *file != "filters/glue/src/lib.rs") {
            assert_eq!(is_unsafe(file), says(file, "allow"), "{file}: left: has unsafe code; right: allows it");
        }
    }
}
