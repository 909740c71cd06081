//! A small disk: a tmpfs in a mount namespace of its own, made by `unshare`. This program is run again on it.

#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the disk is.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A command in a mount namespace of its own, in which `folder` is an empty disk of `n_bytes`.
fn on_disk(folder: &Path, n_bytes: u64, command: &str) -> Command {
    let mount = format!("mount -t tmpfs -o size={n_bytes} darkchunk '{}' && {command}", folder.display());
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", &mount]);
    shell
}

/// Whether this system lets a test make a disk; says so where it does not.
pub(crate) fn is_possible(folder: &Path) -> bool {
    let is_possible = on_disk(folder, 1 << 20, "true").output().is_ok_and(|output| output.status.success());
    if !is_possible {
        eprintln!("not run: this system lets nobody make a disk (unshare --map-root-user --mount)");
    }
    is_possible
}

/// Runs one test of this program with a disk of `n_bytes`, and the variable `DARKCHUNK_TEST_FULL_DISK` set.
pub(crate) fn run(test: &str, folder: &Path, n_bytes: u64, variable: &str) -> Output {
    let program = std::env::current_exe().expect("this program");
    let command = format!("exec '{}' {test} --exact --nocapture", program.display());
    on_disk(folder, n_bytes, &command).env("DARKCHUNK_TEST_FULL_DISK", variable).output().expect("a child")
}

/// How many disks are filled.
pub(crate) fn n_fills() -> u64 {
    if std::env::var_os("DARKCHUNK_PROVE").is_some() { 20 } else { 4 }
}
