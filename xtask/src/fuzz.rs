//! `fuzz`: every fuzz target for a while, built by nightly Rust with the address sanitizer.
//!
//! It starts from seeds: golden, bad, simulated and (where there are any) real chunks, written under `fuzz/seeds`. Findings
//! are kept under `fuzz/artifacts`, what was learnt of the formats under `fuzz/corpus`. A finding becomes a test of its
//! own before it is mended.

use crate::process::{line, not_started, program, run as run_program, succeeds};
use crate::workspace::{data, root, target};
use crate::{Result, setup};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub(crate) const HELP: &str =
    "fuzz the decoders, the encoders and the plugins' entry; fails on a crash (installs nightly Rust)
--seconds N: so long for each target; needed
--target T: this one only
--json FILE: executions, coverage and corpus of each target, as JSON too";

const CARGO_FUZZ: &str = "0.13.1";

/// For C that is built with the address sanitizer, as cc does where Rust is: gcc marks the scope of static tables, which the
/// sanitizer then takes for dead locals.
pub(crate) const FLAGS_OF_C: &str = "-fno-sanitize-address-use-after-scope";

/// The inputs are small, so that more of them are tried.
const MAX_INPUT_BYTES: u32 = 4096;

struct Options {
    seconds: u32,
    target: Option<String>,
    json: Option<PathBuf>,
}

/// What libFuzzer says of a run. Coverage is in its own units: edges, and `features`, which count how often each is taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    executions: u64,
    /// Of the seeds and the corpus of earlier runs.
    coverage_at_start: u64,
    coverage: u64,
    features: u64,
    n_inputs: u64,
    is_crashed: bool,
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
    let mut outcomes = Vec::new();
    for target in chosen {
        println!("\n== {target}");
        let outcome = fuzz(&target, options.seconds, ANY_SEED)?;
        outcomes.push((target, outcome));
    }
    print!("{}", table(&outcomes));
    if let Some(path) = options.json {
        let text = format!("{:#}\n", json(&outcomes));
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let crashed: Vec<&str> = outcomes.iter().filter(|row| row.1.is_crashed).map(|row| row.0.as_str()).collect();
    if crashed.is_empty() { Ok(()) } else { Err(format!("crashed: {}; see fuzz/artifacts", crashed.join(", "))) }
}

fn read(arguments: &[String]) -> Result<Options> {
    let mut options = Options { seconds: 0, target: None, json: None };
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--seconds" => {
                options.seconds = value.parse().map_err(|_| format!("--seconds takes a number, not `{value}`"))?;
            }
            [name, value] if name == "--target" => options.target = Some(value.clone()),
            [name, value] if name == "--json" => options.json = Some(value.into()),
            other => {
                let other = other.join(" ");
                return Err(format!("fuzz takes --seconds N, --target T and --json FILE, not `{other}`"));
            }
        }
    }
    if options.seconds == 0 {
        return Err("fuzz needs --seconds N, the time for each target".into());
    }
    Ok(options)
}

fn table(outcomes: &[(String, Outcome)]) -> String {
    let mut text = format!(
        "\n{:20}{:>13}{:>18}{:>10}{:>10}{:>8}\n",
        "target", "executions", "coverage: seeds", "then", "features", "inputs"
    );
    for (target, outcome) in outcomes {
        let Outcome { executions, coverage_at_start, coverage, features, n_inputs, .. } = outcome;
        let numbers = format!("{executions:13}{coverage_at_start:18}{coverage:10}{features:10}{n_inputs:8}");
        text += &format!("{target:20}{numbers}{}\n", if outcome.is_crashed { "  crashed" } else { "" });
    }
    text
}

fn json(outcomes: &[(String, Outcome)]) -> serde_json::Value {
    let row = |(target, outcome): &(String, Outcome)| {
        serde_json::json!({
            "target": target,
            "executions": outcome.executions,
            "coverage_at_start": outcome.coverage_at_start,
            "coverage": outcome.coverage,
            "features": outcome.features,
            "inputs": outcome.n_inputs,
            "crashed": outcome.is_crashed,
        })
    };
    outcomes.iter().map(row).collect()
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

/// Nightly Rust, cargo-fuzz, the targets and their seeds, so that the time of a run is spent fuzzing.
pub(crate) fn set_up() -> Result {
    tool_set_up()?;
    run_program(&mut cargo_fuzz("build")?)?;
    seeds()
}

fn tool_set_up() -> Result {
    nightly()?;
    let tool = tool()?;
    if !tool.exists() {
        println!("== cargo-fuzz {CARGO_FUZZ}");
        let folder = tool.parent().and_then(|bin| bin.parent()).map(PathBuf::from).unwrap_or_default();
        let mut install = program("cargo");
        // It only starts others, so nothing is gained by optimising it.
        install.args(["install", "cargo-fuzz", "--quiet", "--debug", "--locked", "--version", CARGO_FUZZ, "--root"]);
        install.arg(folder);
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
    command.env("CFLAGS", FLAGS_OF_C);
    Ok(command)
}

fn folder(kind: &str, target: &str) -> PathBuf {
    root().join("fuzz").join(kind).join(target)
}

/// Writes the seeds anew: those of chunks that are no longer in the repository shall not stay.
fn seeds() -> Result {
    let out = folder("seeds", "");
    if out.exists() {
        fs::remove_dir_all(&out).map_err(|e| format!("{}: {e}", out.display()))?;
    }
    let mut maker = program("cargo");
    maker.args(["run", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--example", "seeds", "--"]).arg(out);
    if data().exists() {
        let real = target()?.join("real-chunks");
        run_program(program(setup::python()?).arg("fuzz/real_chunks.py").arg(data()).arg(&real))?;
        maker.arg(real);
    }
    run_program(&mut maker)
}

/// libFuzzer takes another one each time.
pub(crate) const ANY_SEED: u32 = 0;

/// One target for so many seconds. What libFuzzer says is passed on, but for a line at every new input.
pub(crate) fn fuzz(target: &str, seconds: u32, seed: u32) -> Result<Outcome> {
    let mut command = command(target, seconds, seed)?;
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(|e| not_started(&command, &e))?;
    let mut outcome = Outcome::default();
    if let Some(stderr) = child.stderr.take() {
        for text in BufReader::new(stderr).split(b'\n') {
            let text = text.map_err(|e| format!("reading from `{}`: {e}", line(&command)))?;
            let text = String::from_utf8_lossy(&text);
            if outcome.take(&text) {
                eprintln!("{text}");
            }
        }
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    outcome.is_crashed = !status.success();
    Ok(outcome)
}

fn command(target: &str, seconds: u32, seed: u32) -> Result<Command> {
    let corpus = folder("corpus", target);
    fs::create_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
    let mut command = cargo_fuzz("run")?;
    command.arg(target).arg(corpus).arg(folder("seeds", target)).arg("--");
    command.args([format!("-max_total_time={seconds}"), format!("-max_len={MAX_INPUT_BYTES}")]);
    command.args(["-print_final_stats=1", "-timeout=20", &format!("-seed={seed}")]);
    Ok(command)
}

impl Outcome {
    /// An error where it crashed, which libFuzzer has described.
    pub(crate) fn succeeded(&self) -> Result {
        if self.is_crashed { Err("crashed; see fuzz/artifacts".into()) } else { Ok(()) }
    }

    /// Reads a line of libFuzzer. Returns whether a user wants to see it.
    fn take(&mut self, text: &str) -> bool {
        if let Some(n) = text.strip_prefix("stat::number_of_executed_units:") {
            self.executions = n.trim().parse().unwrap_or(0);
        }
        let Some(status) = text.strip_prefix('#').filter(|status| status.contains("cov: ")) else {
            // A line at every new input, at every function that is new to it, and for each word of its dictionary.
            let is_noise = text.starts_with('#') || text.contains("NEW_FUNC") || text.contains("# Uses: ");
            return !is_noise;
        };
        let words: Vec<&str> = status.split_whitespace().collect();
        let after = |name: &str| {
            let number = words.iter().skip_while(|word| **word != name).nth(1);
            number.and_then(|number| number.split('/').next()?.parse().ok())
        };
        self.coverage = after("cov:").unwrap_or(self.coverage);
        self.features = after("ft:").unwrap_or(self.features);
        self.n_inputs = after("corp:").unwrap_or(self.n_inputs);
        let is_start = words.contains(&"INITED");
        if is_start {
            self.coverage_at_start = self.coverage;
        }
        is_start || words.contains(&"DONE")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let mut outcome = Outcome::default();
        assert!(outcome.take("INFO: Running with entropic power schedule (0xFF, 100)."));
        assert!(outcome.take("#150\tINITED cov: 1200 ft: 3000 corp: 140/90Kb exec/s: 75 rss: 90Mb"));
        assert!(!outcome.take("\"\\000\\004\" # Uses: 12"));
        assert!(!outcome.take("\tNEW_FUNC[1/2]: 0x5581 in a function of src/codec/mod.rs:1"));
        assert!(
            !outcome.take("#161\tNEW    cov: 1210 ft: 3017 corp: 141/91Kb lim: 4096 exec/s: 80 rss: 91Mb L: 9/4096")
        );
        assert!(outcome.take("#9000\tDONE   cov: 1300 ft: 3400 corp: 180/99Kb lim: 4096 exec/s: 450 rss: 120Mb"));
        assert!(outcome.take("stat::number_of_executed_units: 9000"));
        let expected = Outcome {
            executions: 9000,
            coverage_at_start: 1200,
            coverage: 1300,
            features: 3400,
            n_inputs: 180,
            is_crashed: false,
        };
        assert_eq!(outcome, expected);
        let text = table(&[("levels".into(), outcome)]);
        assert_eq!(
            text.lines().last(),
            Some("levels                       9000              1200      1300      3400     180")
        );
    }
}
