//! What a command needs beyond git, gcc, Rust and Python 3: found, or installed, or asked for by name.
//!
//! * Python packages at pinned versions, in `.venv`. Among them cmake and ninja, which build the HDF5 that
//!   `darkchunk-hdf5-static` links.
//! * Debian packages (`hdf5-tools` and others), with apt where it may: as root, or through `sudo` where that asks for no
//!   password. Elsewhere the error says what to install.
//!
//! What is there already is left alone; what is missing and cannot be had is an error, never skipped.

use crate::Result;
use crate::process::{cargo, is_installed, output, program, run, succeeds};
use crate::workspace::{root, shown};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The pinned packages of the host tests, the demo and the HDF5 build; the first includes the second.
const REQUIREMENTS: [&str; 2] = ["xtask/requirements.txt", "tests/hosts/requirements.txt"];

/// The Python of `.venv`, with the pinned packages in it.
pub(crate) fn python() -> Result<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf>> = OnceLock::new();
    PYTHON.get_or_init(|| environment(&root().join(".venv"), &REQUIREMENTS)).clone()
}

/// Makes the environment `folder` hold what the first file of `requirements` pins; the others are those that it
/// includes. Returns its Python. A stamp (the text of all files and the version of Python) says whether it does already.
pub(crate) fn environment(folder: &Path, requirements: &[&str]) -> Result<PathBuf> {
    let host = host_python()?;
    let mut stamp_text = output(program(&host).args(["-c", "import sys; print(sys.version)"]))?;
    for file in requirements {
        stamp_text += &fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))?;
    }
    let requirements = &root().join(requirements.first().ok_or("no requirements")?);
    let (stamp, python) = (folder.join("darkchunk-stamp"), python_in(folder));
    if fs::read_to_string(&stamp).is_ok_and(|text| text == stamp_text) && python.exists() {
        return Ok(python);
    }
    println!("== Python environment {} (pinned in {})", shown(folder), shown(requirements));
    if folder.exists() && !stamp.exists() {
        return Err(format!("{} is there and was not made by `cargo xtask`: move it elsewhere", folder.display()));
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    // First of all, so that a folder that was never completed is known as ours.
    let failed = |e: std::io::Error| format!("{}: {e}", stamp.display());
    fs::create_dir_all(folder).and_then(|()| fs::write(&stamp, "not complete")).map_err(failed)?;
    let pip = make_environment(&host, folder)?;
    install(pip, requirements)?;
    fs::write(&stamp, stamp_text).map_err(failed)?;
    Ok(python)
}

/// The folder, for `PYTHONPATH`, of a netCDF4 that has plugins of its own; what it needs besides is in `.venv`.
pub(crate) fn netcdf_with_plugins() -> Result<PathBuf> {
    const REQUIREMENTS: &str = "tests/hosts/requirements-netcdf.txt";
    let (folder, requirements) = (root().join(".venv-netcdf"), root().join(REQUIREMENTS));
    let stamp = folder.join("darkchunk-stamp");
    let failed = |e: std::io::Error| format!("{REQUIREMENTS} in {}: {e}", folder.display());
    let text = fs::read_to_string(&requirements).map_err(failed)?;
    if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == text) {
        return Ok(folder);
    }
    println!("== netCDF4 with its own plugins in {} (pinned in {REQUIREMENTS})", shown(&folder));
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    let mut pip = program(python()?);
    pip.args(["-m", "pip", "install", "--no-deps", "--target"]).arg(&folder);
    install(pip, &requirements)?;
    fs::write(&stamp, text).map_err(failed)?;
    Ok(folder)
}

fn install(mut pip: Command, requirements: &Path) -> Result {
    pip.args(["--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--requirement"]);
    run(pip.arg(requirements)).map_err(|e| {
        format!("{e}: the Python packages could not be installed; they need a network (or pip's own cache or mirror)")
    })
}

fn python_in(folder: &Path) -> PathBuf {
    folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// The user's Python, 3.11 at least (what the pinned wheels need). `DARKCHUNK_PYTHON` names another; `.venv`'s, which
/// `.cargo/config.toml` names where the user names none, is to be made with it.
fn host_python() -> Result<String> {
    let named =
        std::env::var("DARKCHUNK_PYTHON").ok().filter(|named| !Path::new(named).starts_with(root().join(".venv")));
    let name = named.unwrap_or_else(|| "python3".into());
    let is_new_enough = succeeds(program(&name).args(["-c", "import sys; sys.exit(sys.version_info < (3, 11))"]));
    let error =
        || format!("`{name}` is not there, or older than Python 3.11: install one, or name one in DARKCHUNK_PYTHON");
    is_new_enough.then(|| name.clone()).ok_or_else(error)
}

/// Makes a fresh environment and returns its `pip install`.
///
/// Debian's Python comes without `ensurepip`, which is in `python3-venv`: it is installed where it may be. Where not,
/// the system's pip serves the new environment from outside.
fn make_environment(python: &str, folder: &Path) -> Result<Command> {
    let has_ensurepip = || succeeds(program(python).args(["-c", "import ensurepip, venv"]));
    let installed = if has_ensurepip() { Ok(()) } else { apt_install(&["python3-venv"]) };
    if has_ensurepip() {
        run(program(python).args(["-m", "venv"]).arg(folder))?;
        let mut pip = program(python_in(folder));
        pip.args(["-m", "pip", "install"]);
        return Ok(pip);
    }
    let has_pip = succeeds(program(python).args(["-m", "pip", "--version"]));
    let bare = has_pip && succeeds(program(python).args(["-m", "venv", "--without-pip"]).arg(folder));
    if !bare {
        let why = installed.err().unwrap_or_default();
        return Err(format!("`{python} -m venv` does not work here and there is no pip. {why}"));
    }
    let mut pip = program(python);
    pip.args(["-m", "pip", "--python"]).arg(python_in(folder)).arg("install");
    Ok(pip)
}

/// A cargo that can build `darkchunk-hdf5-static`, whose HDF5 is built from source by cmake and ninja out of `.venv`.
pub(crate) fn cargo_with_cmake() -> Result<Command> {
    let python = python()?;
    let folder = python.parent().ok_or("the Python environment has no folder")?;
    let mut command = cargo();
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&rest)));
    command.env("PATH", path.map_err(|e| format!("PATH: {e}"))?);
    command.env("CMAKE", folder.join(format!("cmake{}", std::env::consts::EXE_SUFFIX)));
    if !cfg!(windows) {
        command.env("CMAKE_GENERATOR", "Ninja");
    }
    Ok(command)
}

/// The HDF5 libraries of this machine but h5py's, each a file: those of the other hosts in `.venv`, and Debian's.
pub(crate) fn other_hdf5() -> Vec<PathBuf> {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    // `lib` has one folder, named after the version of Python.
    let packages = entries(root().join(".venv/lib")).map(|python| python.join("site-packages"));
    let wheels = packages.flat_map(|packages| ["tables.libs", "netcdf4.libs"].map(|folder| packages.join(folder)));
    let folders = wheels.map(|folder| ("libhdf5-", folder));
    let debian = PathBuf::from(format!("/usr/lib/{}", multiarch()));
    let first = |(prefix, folder): (&str, PathBuf)| {
        let is_hdf5 = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().starts_with(prefix);
        entries(folder).filter(is_hdf5).min()
    };
    folders.chain([("libhdf5_serial.so.", debian)]).filter_map(first).collect()
}

/// The Python that Debian's packages are for.
pub(crate) const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// A system package, and what shows that it is there.
pub(crate) enum System {
    /// `h5dump` and `h5repack` of `hdf5-tools`.
    Hdf5Tools,
    /// `ncdump` of `netcdf-bin`.
    NetcdfTools,
    /// Headers and library of Debian's own HDF5 (`libhdf5-dev`).
    Hdf5Headers,
    /// `valgrind`.
    Valgrind,
    /// PyTables with LZO, for the system's own Python.
    Tables,
    /// Any package, by one of its files.
    File {
        /// Debian's name of it.
        package: &'static str,
        /// What is there when it is.
        path: &'static str,
    },
}

impl System {
    fn package(&self) -> &'static str {
        match self {
            Self::Hdf5Tools => "hdf5-tools",
            Self::NetcdfTools => "netcdf-bin",
            Self::Hdf5Headers => "libhdf5-dev",
            Self::Valgrind => "valgrind",
            Self::Tables => "python3-tables",
            Self::File { package, .. } => package,
        }
    }

    fn is_there(&self) -> bool {
        match self {
            Self::Hdf5Tools => is_installed("h5dump") && is_installed("h5repack"),
            Self::NetcdfTools => is_installed("ncdump"),
            Self::Hdf5Headers => hdf5_include().join("hdf5.h").exists(),
            Self::Valgrind => is_installed("valgrind"),
            Self::File { path, .. } => Path::new(path).exists(),
            Self::Tables => {
                succeeds(program(SYSTEM_PYTHON).args(["-c", "import tables; assert tables.which_lib_version('lzo')"]))
            }
        }
    }
}

/// Sees to it that these system packages are there.
///
/// # Errors
/// With the names of what is missing, where it cannot be installed.
pub(crate) fn system(needed: &[System]) -> Result {
    let missing: Vec<&str> = needed.iter().filter(|s| !s.is_there()).map(System::package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt_install(&missing)?;
    let still: Vec<&str> = needed.iter().filter(|s| !s.is_there()).map(System::package).collect();
    if still.is_empty() { Ok(()) } else { Err(format!("{} installed, but not found", still.join(", "))) }
}

/// Installs Debian packages, or says which are missing.
fn apt_install(packages: &[&str]) -> Result {
    let by_hand =
        format!("missing: {}. Install with: sudo apt-get install {}", packages.join(", "), packages.join(" "));
    if !is_installed("apt-get") {
        return Err(format!("missing: what Debian calls {}. Install it with your system's means", packages.join(", ")));
    }
    let as_root: &[&str] = if output(program("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        &["apt-get"]
    } else if succeeds(program("sudo").args(["-n", "true"])) {
        &["sudo", "-n", "apt-get"]
    } else {
        return Err(by_hand);
    };
    let apt = |arguments: &[&str]| {
        let mut command = program(as_root[0]);
        command.args(&as_root[1..]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    println!("== apt-get install {}", packages.join(" "));
    let install = [&["-qq", "install", "--yes", "--no-install-recommends"], packages].concat();
    if succeeds(&mut apt(&install)) {
        return Ok(());
    }
    // The lists may be missing or old: fetch them, then try again, this time with everything shown.
    run(&mut apt(&["-qq", "update"])).and_then(|()| run(&mut apt(&install))).map_err(|e| format!("{e}. {by_hand}"))
}

/// What compiles and links a C program against Debian's own HDF5.
pub(crate) fn hdf5_flags() -> Vec<String> {
    let library = format!("/usr/lib/{}/hdf5/serial", multiarch());
    vec![format!("-I{}", hdf5_include().display()), format!("-L{library}"), "-lhdf5".into()]
}

fn hdf5_include() -> PathBuf {
    PathBuf::from("/usr/include/hdf5/serial")
}

/// Debian's name for this machine's libraries, as gcc knows it.
fn multiarch() -> String {
    output(program("gcc").arg("-print-multiarch")).unwrap_or_default().trim().to_owned()
}
