//! Running other programs: with their output streamed, and with an environment that does not come from cargo.

use crate::Result;
use crate::workspace::root;
use std::ffi::OsStr;
use std::process::{Command, Stdio};

/// A program, run in the repository's root. What `cargo run` put into the environment for this program is taken out, so
/// that a nested cargo finds what it would find in the user's shell and rebuilds nothing.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        let is_cargos =
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|p| name.starts_with(p));
        if is_cargos || matches!(&*name, "CARGO" | "OUT_DIR" | "RUST_RECURSION_COUNT") {
            command.env_remove(&*name);
        }
    }
    match library_path() {
        Some(path) => command.env("LD_LIBRARY_PATH", path),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
    command
}

/// The user's `LD_LIBRARY_PATH`: without the folders of the Rust toolchain and of the target that `cargo run` adds, from
/// which a host could load a library that it does not load otherwise.
fn library_path() -> Option<std::ffi::OsString> {
    let path = std::env::var_os("LD_LIBRARY_PATH")?;
    let is_cargos = |folder: &std::path::Path| {
        folder
            .components()
            .any(|c| c.as_os_str() == ".rustup" || c.as_os_str() == "toolchains" || c.as_os_str() == "target")
    };
    let kept: Vec<_> = std::env::split_paths(&path).filter(|folder| !is_cargos(folder)).collect();
    (!kept.is_empty()).then(|| std::env::join_paths(kept).unwrap_or_default())
}

/// The cargo of the user's toolchain.
pub(crate) fn cargo() -> Command {
    program("cargo")
}

/// The pytest of a Python. A test that takes half an hour hangs: it ends pytest, which says where each thread is.
pub(crate) fn pytest(python: impl AsRef<OsStr>) -> Command {
    let mut command = program(python);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    command.args(["-o", "faulthandler_timeout=1800", "-o", "faulthandler_exit_on_timeout=true"]);
    command
}

/// The command as a user would type it.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs `command` with its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|e| not_started(command, &e))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", line(command))) }
}

/// Runs `command` and returns what it prints; its errors go where ours go.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| not_started(command, &e))?;
    if !output.status.success() {
        return Err(format!("`{}` failed ({})", line(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}` printed something that is not text", line(command)))
}

/// Whether `command` runs and succeeds; it prints nothing.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Whether a program of this name is found.
pub(crate) fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|folder| folder.join(name).is_file() || folder.join(format!("{name}.exe")).is_file())
}

pub(crate) fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("`{}` cannot be started: {error}", command.get_program().to_string_lossy())
}
