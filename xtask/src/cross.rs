//! Release builds for every system, on this one, by cargo-zigbuild: it compiles the C parts with zig, and links for the
//! oldest glibc whatever the machine has. What zig's linker does not do is done otherwise:
//!
//! * macOS: it keeps every symbol. So rustc's own lld links, with the list of the system's symbols that zig brings.
//! * Windows: cargo-zigbuild drops rustc's list of exports by its name. So it is given another name.

use crate::dist::{PLUGINS, SONAME};
use crate::process::{cargo, output, program, run};
use crate::setup::environment;
use crate::targets::{System, Target};
use crate::workspace::{root, target};
use crate::{Result, licences};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// cargo-zigbuild, zig, and what checks the tag, pinned.
const TOOLS: &str = "xtask/requirements-wheel.txt";

/// The oldest macOS.
const MACOS: &str = "11.0";

/// All that a plugin exports.
pub(crate) const EXPORTS: [&str; 2] = ["H5PLget_plugin_info", "H5PLget_plugin_type"];

/// What a library may need of its system; in lower case.
const LINUX: [&str; 7] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];
const MUSL_NEEDS: [&str; 1] = ["libc.so"];
const MACOS_NEEDS: [&str; 1] = ["/usr/lib/libsystem.b.dylib"];
const WINDOWS: [&str; 6] =
    ["kernel32.dll", "ntdll.dll", "bcryptprimitives.dll", "ws2_32.dll", "userenv.dll", "advapi32.dll"];

/// The environment of cargo-zigbuild: its folder of programs, with Python.
pub(crate) fn tools() -> Result<PathBuf> {
    let python = environment(&target()?.join("wheel-tools"), &[TOOLS])?;
    python.parent().map(Path::to_path_buf).ok_or_else(|| "the environment of the tools has no folder".into())
}

/// What the C library is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// The Python package, whose command is a function of it.
    Python,
    /// Programs, beside which the command is a program.
    Programs,
}

/// Builds the plugins, the C library and the command; their folder. They are stripped and checked.
pub(crate) fn build(tools: &Path, to: &Target, purpose: For) -> Result<PathBuf> {
    let installed = output(program("rustup").args(["target", "list", "--installed"])).unwrap_or_default();
    if !installed.lines().any(|line| line == to.name) {
        run(program("rustup").args(["target", "add", to.name]))?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([tools.to_owned()].into_iter().chain(std::env::split_paths(&path)));
    let mut command = cargo();
    command.env("PATH", path.map_err(|e| format!("PATH: {e}"))?);
    // What is not wanted in the end is not made: it would be ten times as large.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "symbols").env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    // A folder of its own, so that a build of this system's own libraries does not wait.
    let built = target()?.join("cross");
    command.env("CARGO_TARGET_DIR", &built);
    let with_glibc = if to.glibc.is_empty() { to.name.into() } else { format!("{}.{}", to.name, to.glibc) };
    command.args(["zigbuild", "--release", "--target", &with_glibc, "--package", "darkchunk-ffi"]);
    command.args(["--package", "darkchunk-cli"]);
    if purpose == For::Programs {
        command.arg("--no-default-features");
    }
    link(tools, to, &mut command)?;
    run(command.args(PLUGINS.iter().flat_map(|plugin| ["--package", plugin])))?;
    let folder = built.join(to.name).join("release");
    check(tools, to, purpose, &folder)?;
    Ok(folder)
}

/// Tells cargo how to link for a system.
fn link(tools: &Path, to: &Target, command: &mut Command) -> Result {
    let variable = to.name.to_uppercase().replace('-', "_");
    let (linker, flags) = (format!("CARGO_TARGET_{variable}_LINKER"), format!("CARGO_TARGET_{variable}_RUSTFLAGS"));
    match to.system {
        // Else Rust links musl into each library, and no two of them could be in one process.
        System::Linux if to.is_musl() => {
            command.env("DARKCHUNK_SONAME", SONAME).env(flags, "-Ctarget-feature=-crt-static")
        }
        System::Linux => command.env("DARKCHUNK_SONAME", SONAME),
        System::Windows => command.env(linker, windows_linker(tools, to)?),
        System::MacOs => {
            let stubs = macos_stubs(tools)?;
            let options =
                format!("-Clinker-flavor=ld64.lld -Crpath -Clink-arg=-adhoc_codesign -Clink-arg=-L{}", stubs.display());
            command.env("MACOSX_DEPLOYMENT_TARGET", MACOS).env(linker, rust_lld()?).env(flags, options)
        }
    };
    Ok(())
}

/// The linker that comes with rustc.
fn rust_lld() -> Result<PathBuf> {
    let root = output(program("rustc").args(["--print", "sysroot"]))?;
    let version = output(program("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc does not say its host")?;
    let lld = Path::new(root.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    if lld.exists() { Ok(lld) } else { Err(format!("{} is not there", lld.display())) }
}

/// What a linker for macOS has to know of the system's library: zig's list of its symbols, which has one kind of arm64
/// for all. Rust's standard library asks for nothing else.
fn macos_stubs(tools: &Path) -> Result<PathBuf> {
    let folder = target()?.join("wheel/macos");
    let zig = zig_library(tools)?.join("libc/darwin/libSystem.tbd");
    let text = fs::read_to_string(&zig).map_err(|e| format!("{}: {e}", zig.display()))?;
    let text = text.replace("arm64e.x1-", "arm64e-").replace("arm64e-", "arm64-");
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for name in ["System", "c", "m", "iconv", "charset"] {
        let file = folder.join(format!("lib{name}.tbd"));
        fs::write(&file, &text).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(folder)
}

/// zig's own folder of libraries.
fn zig_library(tools: &Path) -> Result<PathBuf> {
    let code = "import pathlib, ziglang; print(pathlib.Path(ziglang.__file__).parent / 'lib')";
    Ok(PathBuf::from(output(program(tools.join("python")).args(["-c", code]))?.trim()))
}

/// A program that gives rustc's `list.def` another name and then links with zig.
fn windows_linker(tools: &Path, to: &Target) -> Result<PathBuf> {
    let folder = target()?.join("wheel");
    let script = folder.join(format!("link-{}.sh", to.name));
    let zig = format!("{}-windows-gnu", to.name.split('-').next().unwrap_or_default());
    let text = format!(
        r#"#!/bin/sh
# Made by `cargo xtask`: cargo-zigbuild drops a list of exports that is called list.def.
for argument do
    shift
    case $argument in
    *list.def)
        list=${{argument#-Wl,}}
        argument=${{list%list.def}}exports.def
        cp "$list" "$argument" || exit 1 ;;
    esac
    set -- "$@" "$argument"
done
exec "{}" zig cc -- -g -fno-sanitize=all -target {zig} "$@"
"#,
        tools.join("cargo-zigbuild").display()
    );
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    fs::write(&script, text).map_err(|e| format!("{}: {e}", script.display()))?;
    run(program("chmod").arg("+x").arg(&script))?;
    Ok(script)
}

/// The libraries export what they have to and nothing else, need nothing but the system, and are of this processor.
fn check(tools: &Path, to: &Target, purpose: For, folder: &Path) -> Result {
    let libraries: Vec<PathBuf> = PLUGINS.into_iter().chain(["darkchunk"]).map(|l| folder.join(to.shared(l))).collect();
    for found in examined(&tools.join("python"), &libraries)? {
        let file = found["file"].as_str().unwrap_or_default();
        let is_c = file.ends_with(&to.shared("darkchunk"));
        exports(&found, is_c.then_some(purpose))
            .and_then(|()| needs(&found, to))
            .map_err(|e| format!("{file}: {e}"))?;
    }
    Ok(())
}

/// What `xtask/python/binary.py` says of libraries.
pub(crate) fn examined(python: &Path, files: &[PathBuf]) -> Result<Vec<Value>> {
    let text = output(program(python).arg(root().join("xtask/python/binary.py")).args(files))?;
    serde_json::from_str(&text).map_err(|e| format!("binary.py: {e}"))
}

/// A plugin's two functions, or those of the C library; the command only where that is what it is for.
fn exports(found: &Value, c_library: Option<For>) -> Result {
    let mut names = strings(&found["exports"]);
    names.sort_unstable();
    let has_command = names.contains(&"dc_command");
    let is_right = c_library.map_or(names == EXPORTS, |purpose| {
        let is_complete = names.iter().all(|name| name.starts_with("dc_")) && names.len() > 20;
        is_complete && has_command == (purpose == For::Python)
    });
    let expected = c_library.map_or(EXPORTS.join(" and "), |purpose| format!("its dc_ functions for {purpose:?}"));
    if is_right { Ok(()) } else { Err(format!("exports {} names, not {expected}: {names:.20?}", names.len())) }
}

fn needs(found: &Value, to: &Target) -> Result {
    let allowed = |name: &str| match to.system {
        System::Linux if to.is_musl() => MUSL_NEEDS.contains(&name),
        System::Linux => LINUX.contains(&name),
        System::MacOs => MACOS_NEEDS.contains(&name),
        System::Windows => WINDOWS.contains(&name) || name.starts_with("api-ms-win-"),
    };
    let needed = strings(&found["needs"]);
    let more: Vec<&&str> = needed.iter().filter(|name| !allowed(&name.to_lowercase())).collect();
    if !more.is_empty() {
        return Err(format!("needs {more:?}, which not every machine has"));
    }
    if found["machine"] != to.machine() {
        return Err(format!("is for {}, not {}", found["machine"], to.machine()));
    }
    if to.system == System::MacOs && (found["minos"] != MACOS || found["is_signed"] != true) {
        return Err(format!("needs macOS {}, not {MACOS}, or is not signed", found["minos"]));
    }
    let name = found["name"].as_str().unwrap_or_default();
    let is_relative = to.system != System::MacOs || name.starts_with("@rpath/");
    if is_relative { Ok(()) } else { Err(format!("is called {name}, a place on this machine")) }
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The licences of what is in the libraries, with those of what zig links into them.
pub(crate) fn lay_out_licences(tools: &Path, to: &Target, folder: &Path) -> Result {
    let library = zig_library(tools)?;
    let compiler_rt = ("zig's compiler-rt (MIT)", library.join("../LICENSE"));
    let unwind = ("LLVM's libunwind (Apache-2.0 WITH LLVM-exception)", library.join("libunwind/LICENSE.TXT"));
    let mingw = ("mingw-w64's runtime (public domain, ZPL-2.1 and others)", library.join("libc/mingw/COPYING"));
    let parts = match to.system {
        System::Linux => vec![compiler_rt, unwind],
        System::Windows => vec![compiler_rt, unwind, mingw],
        System::MacOs => Vec::new(),
    };
    licences::lay_out(folder, &[], &parts)
}
