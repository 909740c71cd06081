//! `fuzz`: every fuzz target for a while, built by nightly Rust with the address sanitizer.
//!
//! Findings are kept under `fuzz/artifacts`, what was learnt of the formats under `fuzz/corpus`. A finding becomes a
//! test of its own before it is mended.

use crate::Result;
use crate::process::{program, run as run_program, succeeds};
use crate::workspace::{root, target};
use std::path::PathBuf;
use std::process::Command;

pub(crate) const HELP: &str = "fuzz the decoders, the encoders and the plugins' entry; fails on a crash
--seconds N: so long for each target
--target T: this one only";

const CARGO_FUZZ: &str = "0.13.1";

/// The inputs are small, so that more of them are tried.
const MOST_INPUT_BYTES: u32 = 4096;

struct Options {
    seconds: u32,
    target: Option<String>,
}

pub(crate) fn run(arguments: &[String]) -> Result {
    let options = read(arguments)?;
    let known = targets()?;
    let chosen = match options.target {
        Some(target) if known.contains(&target) => vec![target],
        Some(target) => return Err(format!("there is no fuzz target `{target}`: {}", known.join(", "))),
        None => known,
    };
    set_up()?;
    build()?;
    let mut crashed = Vec::new();
    for target in chosen {
        println!("\n== {target}");
        if run_program(&mut command(&target, options.seconds)?).is_err() {
            crashed.push(target);
        }
    }
    if crashed.is_empty() { Ok(()) } else { Err(format!("crashed: {}; see fuzz/artifacts", crashed.join(", "))) }
}

fn read(arguments: &[String]) -> Result<Options> {
    let mut options = Options { seconds: 0, target: None };
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--seconds" => {
                options.seconds = value.parse().map_err(|_| format!("--seconds takes a number, not `{value}`"))?;
            }
            [name, value] if name == "--target" => options.target = Some(value.clone()),
            other => return Err(format!("fuzz takes --seconds N and --target T, not `{}`", other.join(" "))),
        }
    }
    if options.seconds == 0 {
        return Err("fuzz needs --seconds N, the time for each target".into());
    }
    Ok(options)
}

/// The targets, by the files that hold them.
pub(crate) fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut names: Vec<String> =
        paths.filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}

/// Nightly Rust, which has the sanitizers and Miri.
pub(crate) fn nightly() -> Result {
    if succeeds(program("rustup").args(["run", "nightly", "rustc", "--version"])) {
        return Ok(());
    }
    let arguments = ["toolchain", "install", "nightly", "--profile", "minimal", "--no-self-update"];
    run_program(program("rustup").args(arguments)).map_err(|e| format!("nightly Rust is needed: {e}"))
}

/// Nightly Rust and cargo-fuzz.
pub(crate) fn set_up() -> Result {
    nightly()?;
    let tool = tool()?;
    if !tool.exists() {
        println!("== cargo-fuzz {CARGO_FUZZ}");
        let folder = tool.parent().and_then(|bin| bin.parent()).map(PathBuf::from).unwrap_or_default();
        let mut install = program("cargo");
        install.args(["install", "cargo-fuzz", "--quiet", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(folder);
        run_program(&mut install)?;
    }
    Ok(())
}

fn tool() -> Result<PathBuf> {
    let file = format!("cargo-fuzz{}", std::env::consts::EXE_SUFFIX);
    Ok(target()?.join(format!("tools-cargo-fuzz-{CARGO_FUZZ}")).join("bin").join(file))
}

fn cargo_fuzz(verb: &str) -> Result<Command> {
    let mut command = program("rustup");
    command.args(["run", "nightly"]).arg(tool()?).arg(verb);
    // gcc marks the scope of C's static tables for the sanitizer, which then takes them for dead locals.
    command.env("CFLAGS", "-fno-sanitize-address-use-after-scope");
    Ok(command)
}

/// Builds every target, so that the time of a run is spent fuzzing.
pub(crate) fn build() -> Result {
    run_program(&mut cargo_fuzz("build")?)
}

/// One target for so many seconds.
pub(crate) fn command(target: &str, seconds: u32) -> Result<Command> {
    let mut command = cargo_fuzz("run")?;
    command.arg(target).arg("--");
    command.args([format!("-max_total_time={seconds}"), format!("-max_len={MOST_INPUT_BYTES}")]);
    command.args(["-print_final_stats=1", "-verbosity=0", "-timeout=20"]);
    Ok(command)
}
