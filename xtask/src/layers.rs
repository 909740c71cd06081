//! Which crate may use which: the layers, by cargo's own account of the workspace. Tests only.

use crate::process::{cargo, output};
use serde_json::Value;

/// Every crate of the workspace with those of the workspace that it may use, but for its tests. The core uses none; the
/// plugins use the core, HDF5's interface and their glue, and never what calls HDF5 as a program does; only the command with
/// an HDF5 inside uses the crate that links one.
const LAYERS: [(&str, &[&str]); 20] = [
    ("darkchunk", &[]),
    ("darkchunk-hdf5-abi", &[]),
    ("darkchunk-metrics", &[]),
    ("darkchunk-sim", &[]),
    ("darkchunk-hdf5", &["darkchunk", "darkchunk-hdf5-abi"]),
    ("darkchunk-hdf5-static", &["darkchunk-hdf5"]),
    ("darkchunk-stream", &["darkchunk", "darkchunk-hdf5", "darkchunk-metrics"]),
    ("darkchunk-ffi", &["darkchunk", "darkchunk-cli", "darkchunk-filter", "darkchunk-hdf5", "darkchunk-stream"]),
    ("darkchunk-cli", &["darkchunk", "darkchunk-hdf5", "darkchunk-metrics", "darkchunk-stream"]),
    (
        "darkchunk-cli-static",
        &[
            "darkchunk",
            "darkchunk-cli",
            "darkchunk-filter",
            "darkchunk-hdf5",
            "darkchunk-hdf5-abi",
            "darkchunk-hdf5-static",
        ],
    ),
    ("darkchunk-filter", &["darkchunk", "darkchunk-hdf5-abi"]),
    ("h5bitshuffle", PLUGIN),
    ("h5blosc", PLUGIN),
    ("h5bounded", PLUGIN),
    ("h5drle", PLUGIN),
    ("h5lz4", PLUGIN),
    ("h5zstd", PLUGIN),
    ("h5io-tomo", &[]),
    ("darkchunk-benches", &["darkchunk", "darkchunk-sim"]),
    ("xtask", &[]),
];
const PLUGIN: &[&str] = &["darkchunk", "darkchunk-filter"];

/// What tests may use besides.
const IN_TESTS: &[&str] = &["darkchunk", "darkchunk-sim"];

/// Other crates that only some may use: HDF5 itself, what loads a library, what has threads that live on.
const GUARDED: [(&str, &[&str]); 6] = [
    ("hdf5-metno-sys", &["darkchunk-hdf5-static"]),
    ("libz-sys", &["darkchunk-hdf5-static"]),
    ("hdf5-metno", &[]),
    ("libloading", &["darkchunk-hdf5", "darkchunk-stream", "darkchunk-benches"]),
    ("rayon", &[]),
    ("crossbeam-channel", &["darkchunk-stream"]),
];

struct Dependency {
    from: String,
    to: String,
    is_for_tests: bool,
}

fn metadata() -> Value {
    let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"])).expect("cargo metadata");
    serde_json::from_str(&text).expect("JSON")
}

fn dependencies(metadata: &Value) -> Vec<Dependency> {
    let packages = metadata["packages"].as_array().expect("packages");
    let of = |package: &Value| {
        let from = package["name"].as_str().expect("a name").to_owned();
        let dependencies = package["dependencies"].as_array().cloned().unwrap_or_default();
        dependencies.into_iter().map(move |dependency| Dependency {
            from: from.clone(),
            to: dependency["name"].as_str().expect("a name").to_owned(),
            is_for_tests: dependency["kind"] == "dev",
        })
    };
    packages.iter().flat_map(of).collect()
}

fn layer(name: &str) -> Option<&'static [&'static str]> {
    LAYERS.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, may_use)| *may_use)
}

#[test]
fn every_crate_has_a_layer() {
    let metadata = metadata();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        assert!(layer(name).is_some(), "{name} is new: say in LAYERS which crates it may use");
    }
    assert_eq!(metadata["packages"].as_array().map(Vec::len), Some(LAYERS.len()), "LAYERS names a crate that is gone");
}

#[test]
fn a_crate_uses_only_what_stands_below_it() {
    for Dependency { from, to, is_for_tests } in dependencies(&metadata()) {
        if layer(&to).is_none() {
            continue;
        }
        let may_use = layer(&from).unwrap_or_default();
        let may = may_use.contains(&to.as_str()) || (is_for_tests && IN_TESTS.contains(&to.as_str()));
        assert!(may, "{from} uses {to}, which LAYERS does not allow");
    }
}

#[test]
fn hdf5_and_threads_that_live_on_are_where_they_may_be() {
    let dependencies = dependencies(&metadata());
    for (guarded, users) in GUARDED {
        let found: Vec<&str> =
            dependencies.iter().filter(|found| found.to == guarded).map(|found| found.from.as_str()).collect();
        let others: Vec<_> = found.iter().filter(|user| !users.contains(user)).collect();
        assert!(others.is_empty(), "{others:?} use {guarded}");
    }
}

#[test]
fn a_plain_build_builds_no_hdf5() {
    let metadata = metadata();
    let defaults = metadata["workspace_default_members"].as_array().expect("default members");
    let names: Vec<&str> = defaults.iter().filter_map(Value::as_str).collect();
    assert!(names.len() > 5, "{names:?}");
    assert!(!names.iter().any(|name| name.contains("-static")), "{names:?}");
}
