//! Where things are: the repository, its target folder, and how libraries are named here.

use crate::Result;
use crate::process::{cargo, output};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository")
}

/// Cargo's target folder, wherever the user's configuration puts it.
pub(crate) fn target() -> Result<&'static Path> {
    static TARGET: OnceLock<Result<PathBuf>> = OnceLock::new();
    let found = TARGET.get_or_init(|| {
        let metadata = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: serde_json::Value =
            serde_json::from_str(&metadata).map_err(|e| format!("cargo metadata: {e}"))?;
        metadata["target_directory"].as_str().map(PathBuf::from).ok_or("cargo metadata names no target folder".into())
    });
    found.as_deref().map_err(Clone::clone)
}

/// The file name of the shared library `name` on this system.
pub(crate) fn shared_library(name: &str) -> String {
    format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The folder of the real detector data: `DARKCHUNK_DATA`, or `../shared/data` beside the repository. It need not exist.
pub(crate) fn data() -> PathBuf {
    std::env::var_os("DARKCHUNK_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from)
}

/// `path` as shown to the user: relative to the repository where it lies in it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_depend_by_ranges_so_that_a_program_may_need_newer_ones() {
        let metadata =
            output(cargo().args(["metadata", "--no-deps", "--format-version", "1"])).expect("cargo metadata");
        let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
        let packages = metadata["packages"].as_array().expect("packages");
        let dependencies = packages.iter().filter_map(|p| p["dependencies"].as_array()).flatten();
        let requirements: Vec<(&str, &str)> =
            dependencies.filter_map(|d| Some((d["name"].as_str()?, d["req"].as_str()?))).collect();
        assert!(requirements.iter().any(|(name, _)| *name == "flate2"), "the core's are among them");
        let pinned: Vec<_> = requirements.iter().filter(|(_, range)| range.starts_with('=')).collect();
        assert!(pinned.is_empty(), "Cargo.lock pins; these do in Cargo.toml: {pinned:?}");
    }
}
