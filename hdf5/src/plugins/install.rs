//! Copying the plugins into a folder that HDF5 looks through by itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file::is_ours;

/// What the HDF5 of h5py's and PyTables' wheels, and most that are built from source, look through by default.
pub const DEFAULT_FOLDER: &str = "/usr/local/hdf5/lib/plugin";

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The file in the folder.
    pub file: PathBuf,
    /// Whether it is written now, or would be; else the same is there already.
    pub is_new: bool,
}

/// Copies the files of the folder `from` to `to`. A file of the same name that is not darkchunk's stays, with an error, unless `force`;
/// with `dry_run` nothing is written.
///
/// # Errors
/// What the system says, and where.
pub fn install(from: &Path, to: &Path, dry_run: bool, force: bool) -> Result<Vec<Installed>, String> {
    let failed = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let entries = fs::read_dir(from).map_err(|error| failed(from, error))?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|error| failed(from, error))?;
    files.sort();
    let targets: Vec<(PathBuf, PathBuf)> =
        files.into_iter().filter_map(|file| Some((to.join(file.file_name()?), file))).collect();
    if let Some((target, _)) = targets.iter().find(|(target, _)| !force && target.exists() && !is_ours(target)) {
        return Err(format!("{} is not darkchunk's: --force puts ours in its place", target.display()));
    }
    let mut done = Vec::new();
    for (target, file) in targets {
        let new = fs::read(&file).map_err(|error| failed(&file, error))?;
        let is_new = fs::read(&target).map_or(true, |old| old != new);
        if is_new && !dry_run {
            put(&new, &target).map_err(|error| failed(&target, error))?;
        }
        done.push(Installed { file: target, is_new });
    }
    Ok(done)
}

/// So that a program that loads it meets the old file or the new one, never half of one.
fn put(bytes: &[u8], target: &Path) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".new-{}-{name}", std::process::id()));
    let written = fs::write(&new, bytes).and_then(|()| make_executable(&new)).and_then(|()| fs::rename(&new, target));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(unix)]
fn make_executable(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_file: &Path) -> io::Result<()> {
    Ok(())
}

/// Which programs find plugins in a folder.
#[must_use]
pub fn reached(folder: &Path) -> Vec<String> {
    if folder == Path::new(DEFAULT_FOLDER) {
        return vec![
            "found by the HDF5 of h5py's, PyTables' and netCDF4's wheels, where HDF5_PLUGIN_PATH is not set."
                .to_owned(),
            "not by a netCDF4 that sets the variable to plugins of its own, nor by Debian's tools and conda's HDF5."
                .to_owned(),
        ];
    }
    let folder = folder.display();
    vec![format!("found where HDF5 looks through {folder} by default or HDF5_PLUGIN_PATH names it.")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("darkchunk-install-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn what_is_not_ours_stays_unless_it_is_forced() {
        let (from, to) = (folder("from"), folder("to").join("new"));
        fs::write(from.join("libh5x.so"), b"x darkchunk y").expect("written");
        let installed = |dry_run, force| install(&from, &to, dry_run, force);
        assert!(installed(true, false).expect("nothing is in the way")[0].is_new && !to.exists());
        assert!(installed(false, false).expect("written")[0].is_new);
        assert!(!installed(false, false).expect("it is there")[0].is_new);
        fs::write(to.join("libh5x.so"), b"somebody else's").expect("written");
        assert!(installed(false, false).expect_err("it stays").contains("is not darkchunk's"));
        assert_eq!(fs::read(to.join("libh5x.so")).expect("read"), b"somebody else's");
        assert!(installed(false, true).expect("forced")[0].is_new);
        assert_eq!(fs::read(to.join("libh5x.so")).expect("read"), b"x darkchunk y");
        assert_eq!(fs::read_dir(&to).expect("read").count(), 1);
        for folder in [&from, to.parent().expect("a folder")] {
            fs::remove_dir_all(folder).expect("removed");
        }
    }
}
