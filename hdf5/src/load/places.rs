//! Where an HDF5 may be.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::module;

/// Files that may be one, the best first, and what to say if none is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) looked: String,
    pub(super) files: Vec<PathBuf>,
}

/// What is loaded: h5py's before others, as its users' files are open in it.
pub(super) fn in_process() -> Place {
    let mut files = module::loaded();
    files.retain(|file| is_hdf5(file));
    files.sort_by_key(|file| !file.components().any(|part| part.as_os_str().to_string_lossy().starts_with("h5py")));
    Place { looked: "none is in this process".to_owned(), files }
}

/// Whether a file's name is that of the C library: `libhdf5.so.310`, `libhdf5-9e18f0c6.so.320.0.0`,
/// `libhdf5_serial.so.103`, `libhdf5.310.dylib`, `hdf5.dll`; not that of what is built on it (`libhdf5_hl.so`).
fn is_hdf5(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if cfg!(windows) {
        return name.eq_ignore_ascii_case("hdf5.dll");
    }
    let Some(rest) = name.strip_prefix("libhdf5") else { return false };
    let variants = ["_serial", "_openmpi", "_mpich"];
    let rest = variants.iter().find_map(|variant| rest.strip_prefix(variant)).unwrap_or(rest);
    rest.starts_with(['.', '-']) && (rest.contains(".so") || rest.ends_with(".dylib"))
}

/// In the h5py wheel of a Python, or beside it where h5py uses conda's own.
pub(super) fn h5py(python: &Path) -> Place {
    let shown = python.display();
    let (looked, folders) = match ask(python, "h5py") {
        Ok((Some(package), prefix)) => {
            let looked = format!("no libhdf5 in the h5py of {shown} ({})", package.display());
            let beside = package.with_file_name("h5py.libs");
            (looked, vec![beside, package.join(".dylibs"), package, prefix.join("lib"), prefix.join("Library/bin")])
        }
        Ok((None, _)) => (format!("{shown} has no h5py"), Vec::new()),
        Err(why) => (format!("{shown} cannot be asked for its h5py: {why}"), Vec::new()),
    };
    Place { looked, files: folders.iter().flat_map(|folder| in_folder(folder)).collect() }
}

/// Packages of Python whose wheels have an HDF5 each: how they are called, and imported.
const PACKAGES: [(&str, &str); 3] = [("h5py", "h5py"), ("PyTables", "tables"), ("netCDF4", "netCDF4")];

/// The HDF5 in the wheel of each package of a Python, by the package; and what is in the Python's own folder.
pub(super) fn packages(python: &Path) -> Result<Vec<(String, Vec<PathBuf>)>, String> {
    let (mut found, mut prefixes) = (Vec::new(), Vec::new());
    for (shown, name) in PACKAGES {
        let (package, prefix) = ask(python, name)?;
        prefixes = vec![prefix.join("lib"), prefix.join("Library/bin")];
        let Some(package) = package else { continue };
        let beside = [name.to_owned(), name.to_lowercase()].map(|name| package.with_file_name(name + ".libs"));
        let folders = beside.into_iter().chain([package.join(".dylibs"), package]);
        found.push((shown.to_owned(), folders.flat_map(|folder| in_folder(&folder)).collect()));
    }
    found.push((python.display().to_string(), prefixes.iter().flat_map(|folder| in_folder(folder)).collect()));
    Ok(found)
}

/// The Pythons that are asked for their h5py.
pub(super) fn pythons() -> Vec<PathBuf> {
    let (program, usual) = if cfg!(windows) { ("Scripts/python.exe", "python") } else { ("bin/python", "python3") };
    let named = env::var_os("DARKCHUNK_PYTHON").filter(|python| !python.is_empty()).map(PathBuf::from);
    let active = env::var_os("VIRTUAL_ENV").map(|folder| Path::new(&folder).join(program));
    named.into_iter().chain(active).chain([usual.into()]).collect()
}

/// The folder of a package of a Python, and where that Python is.
fn ask(python: &Path, package: &str) -> Result<(Option<PathBuf>, PathBuf), String> {
    // What lies in the current folder is not looked at.
    const SCRIPT: &str = "import sys
if sys.path and not sys.path[0]: del sys.path[0]
import importlib.util
spec = importlib.util.find_spec(sys.argv[1])
print((list(spec.submodule_search_locations or ['']) if spec else [''])[0])
print(sys.prefix)";
    let output = Command::new(python).args(["-c", SCRIPT, package]).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().collect::<Vec<_>>()[..] {
        [package, prefix] => Ok(((!package.is_empty()).then(|| package.into()), prefix.into())),
        _ => Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("no answer").to_owned()),
    }
}

/// Where the system, or Homebrew, has its libraries.
pub(super) fn system() -> Place {
    let folders = system_folders();
    let shown: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let name = if cfg!(windows) {
        "hdf5.dll"
    } else if cfg!(target_vendor = "apple") {
        "libhdf5.*dylib"
    } else {
        "libhdf5_serial.so.* or libhdf5.so.*"
    };
    let looked = format!("no {name} in {}", shown.join(", "));
    Place { looked, files: folders.iter().flat_map(|folder| in_folder(folder)).collect() }
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn system_folders() -> Vec<PathBuf> {
    let named = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    // An empty or relative element means the current folder.
    let mut folders: Vec<PathBuf> = env::split_paths(&named).filter(|folder| folder.is_absolute()).collect();
    let debian = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
    folders.extend([debian.as_str(), "/usr/local/lib", "/usr/lib64", "/usr/lib"].map(PathBuf::from));
    folders.retain(|folder| folder.is_dir());
    folders
}

#[cfg(target_vendor = "apple")]
fn system_folders() -> Vec<PathBuf> {
    let named = env::var_os("HOMEBREW_PREFIX").map(|prefix| Path::new(&prefix).join("lib"));
    named.into_iter().chain(["/opt/homebrew/lib", "/usr/local/lib"].map(PathBuf::from)).collect()
}

/// Where The HDF Group's installer puts it: a folder a version.
#[cfg(windows)]
fn system_folders() -> Vec<PathBuf> {
    let programs = env::var_os("ProgramFiles").map(|folder| Path::new(&folder).join("HDF_Group/HDF5"));
    let versions = programs.into_iter().flat_map(std::fs::read_dir).flatten().flatten();
    versions.map(|version| version.path().join("bin")).collect()
}

/// In an active conda.
pub(super) fn conda() -> Place {
    let Some(prefix) = env::var_os("CONDA_PREFIX").map(PathBuf::from).filter(|prefix| prefix.is_absolute()) else {
        return Place { looked: "no conda is active".to_owned(), files: Vec::new() };
    };
    let folder = prefix.join(if cfg!(windows) { "Library/bin" } else { "lib" });
    Place { looked: format!("no libhdf5 in {}", folder.display()), files: in_folder(&folder) }
}

/// The HDF5 libraries of a folder: Debian's first, which has no MPI, then the newest. Those with an MPI are left out, as they
/// would start it.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_hdf5(path)).collect();
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    files.retain(|file| !name(file).starts_with("libhdf5_openmpi") && !name(file).starts_with("libhdf5_mpich"));
    files.sort_by_key(|file| (!name(file).starts_with("libhdf5_serial"), std::cmp::Reverse(numbers(&name(file)))));
    files
}

/// The numbers in a file's name, of which the first after `.so` counts the interface.
fn numbers(name: &str) -> Vec<u32> {
    let version = name.split_once(".so").map_or(name, |(_, version)| version);
    version.split('.').filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_c_library_is_known_by_its_name() {
        let is = |name: &str| is_hdf5(&Path::new("/usr/lib").join(name));
        for name in [
            "libhdf5.so",
            "libhdf5.so.103.3.0",
            "libhdf5-9e18f0c6.so.320.0.0",
            "libhdf5_serial.so.103",
            "libhdf5.310.dylib",
        ] {
            assert!(is(name), "{name}");
        }
        for name in [
            "libhdf5_hl.so",
            "libhdf5_serial_hl.so.100",
            "libhdf5_cpp.so.103",
            "libhdf5.a",
            "libhdf5.settings",
            "libhdf5_serialhl_fortran.so",
            "libh5drle.so",
            "hdf5.so",
        ] {
            assert!(!is(name), "{name}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn in_a_folder_debians_is_first_then_the_newest_and_none_with_an_mpi() {
        let folder = std::env::temp_dir().join(format!("darkchunk-places-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let names =
            ["libhdf5.so.103", "libhdf5.so.310.5.1", "libhdf5_openmpi.so.103", "libhdf5_serial.so.103", "libz.so"];
        for name in names {
            std::fs::write(folder.join(name), []).expect("a file");
        }
        let found = in_folder(&folder);
        std::fs::remove_dir_all(&folder).expect("removed");
        let found: Vec<_> = found.iter().map(|file| file.file_name().expect("a name")).collect();
        assert_eq!(found, ["libhdf5_serial.so.103", "libhdf5.so.310.5.1", "libhdf5.so.103"]);
    }
}
