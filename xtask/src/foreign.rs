//! `prove wheels`: the wheels and archives of all systems, built, and run where this machine can: on itself, by qemu, by
//! wine. Of the others it says that they were not run.

use crate::process::{output, program, run};
use crate::setup::{self, System as Package};
use crate::tally::Tally;
use crate::targets::{System, TARGETS, Target};
use crate::workspace::{root, target};
use crate::{Result, archive, cross, wheel};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const QEMU: &str = "/usr/bin/qemu-aarch64-static";
const ARM_LIBC: &str = "/usr/aarch64-linux-gnu";
const MUSL: &str = "/lib/ld-musl-x86_64.so.1";
const WINE: &str = "/usr/lib/wine/wine64";

/// How a program for `to` is started here, with what has to be installed; None where it cannot be.
fn runner(to: &Target) -> Option<(&'static [&'static str], Vec<Package>)> {
    let file = |package, path| Package::File { package, path };
    match to.name {
        "x86_64-unknown-linux-gnu" if cfg!(all(target_os = "linux", target_arch = "x86_64")) => Some((&[], vec![])),
        "aarch64-unknown-linux-gnu" => {
            let packages = vec![file("qemu-user-static", QEMU), file("libc6-arm64-cross", ARM_LIBC)];
            Some((&[QEMU, "-L", ARM_LIBC], packages))
        }
        "x86_64-unknown-linux-musl" => Some((&[MUSL], vec![file("musl", MUSL)])),
        "x86_64-pc-windows-gnullvm" => Some((&[WINE], vec![file("wine64", WINE)])),
        _ => None,
    }
}

pub(crate) fn prove(tally: &mut Tally) -> Result {
    for to in &TARGETS {
        let (mut wheel, mut archive) = (Err(String::new()), Err(String::new()));
        tally.check(&format!("wheel of {}", to.name), || {
            wheel = wheel::build(to);
            wheel.as_ref().map(drop).map_err(Clone::clone)
        });
        tally.check(&format!("archive of {}", to.name), || {
            archive = archive::build(to);
            archive.as_ref().map(drop).map_err(Clone::clone)
        });
        let (Ok(wheel), Ok(archive)) = (wheel, archive) else { continue };
        match runner(to) {
            Some((start, packages)) => {
                let run = || setup::system(&packages).and_then(|()| try_out(to, &wheel, &archive, start));
                tally.check(&format!("{} is run", to.name), run);
            }
            None => println!("note: {} is built and looked at, and was not run", to.name),
        }
    }
    Ok(())
}

/// Unpacks an archive, compiles the C tests against it, and runs them; loads its plugins, and those of the wheel.
fn try_out(to: &Target, wheel: &Path, archive: &Path, start: &[&str]) -> Result {
    let folder = target()?.join("wheel").join(to.name);
    let in_wheel = unpack(wheel, &folder.join("unpacked-wheel"), &["zip"])?.join("darkchunk/plugins");
    let folder = unpack(archive, &folder.join("unpacked"), &[])?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let top = folder.join(name.trim_end_matches(".zip").trim_end_matches(".tar.gz"));
    if to.system == System::Windows {
        let out = top.join("bin/bcryptprimitives.dll");
        let mut zig = zig(to)?;
        zig.arg("-shared").arg(root().join("xtask/prove/bcryptprimitives.c")).arg("-o").arg(out);
        run(zig.arg("-ladvapi32"))?;
    }
    for source in ["ffi/tests/array.c", "ffi/tests/chunk.c"] {
        let test = compile(to, &top, source)?;
        run(&mut started(&top, start, &test))?;
    }
    let loader = compile(to, &top, "xtask/prove/plugins.c")?;
    for plugins in [top.join("plugins"), in_wheel] {
        let found = fs::read_dir(&plugins).map_err(|e| format!("{}: {e}", plugins.display()))?.flatten();
        // The wheel's have a library beside them, which is none.
        let found =
            found.map(|entry| entry.path()).filter(|path| path.file_stem().is_some_and(|name| name != "darkchunk"));
        let said = output(started(&top, start, &loader).args(found))?;
        println!("{said}");
        let n = said.lines().count();
        if n != crate::dist::PLUGINS.len() {
            return Err(format!("{n} plugins of {} say what they are", plugins.display()));
        }
    }
    Ok(())
}

/// Unpacks a file into a new folder, which is returned.
fn unpack(file: &Path, folder: &Path, format: &[&str]) -> Result<PathBuf> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let unpack = "import shutil, sys; shutil.unpack_archive(*sys.argv[1:])";
    run(program(setup::python()?).args(["-c", unpack]).arg(file).arg(folder).args(format))?;
    Ok(folder.to_owned())
}

/// A C program for this system.
fn compile(to: &Target, top: &Path, source: &str) -> Result<PathBuf> {
    let stem = Path::new(source).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let out = top.join("bin").join(to.program(&stem));
    let mut zig = zig(to)?;
    zig.arg(format!("-I{}", top.join("include").display())).arg(root().join(source)).arg("-o").arg(&out);
    run(zig.arg(format!("-L{}", top.join("lib").display())).args(["-ldarkchunk", "-lpthread"]))?;
    Ok(out)
}

/// zig's C compiler for this system.
fn zig(to: &Target) -> Result<Command> {
    let processor = to.name.split('-').next().unwrap_or_default();
    let system = match to.system {
        System::Windows => "windows-gnu".into(),
        System::Linux if to.is_musl() => "linux-musl".into(),
        System::Linux => format!("linux-gnu.{}", to.glibc),
        System::MacOs => "macos".into(),
    };
    let mut zig = program(cross::tools()?.join("python"));
    zig.args(["-m", "ziglang", "cc", "-target", &format!("{processor}-{system}"), "-std=c11", "-O1"]);
    // Else zig makes programs for musl that load no library.
    zig.args(to.is_musl().then_some("-dynamic"));
    Ok(zig)
}

/// A program that finds the libraries of the archive.
fn started(top: &Path, start: &[&str], file: &Path) -> Command {
    let words: Vec<&std::ffi::OsStr> = start.iter().map(std::ffi::OsStr::new).chain([file.as_os_str()]).collect();
    let mut command = program(words[0]);
    command.args(&words[1..]).env("LD_LIBRARY_PATH", top.join("lib")).env("WINEDEBUG", "-all");
    command.env("WINEPREFIX", root().join("target/wine"));
    command
}
