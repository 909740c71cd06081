//! The command with an HDF5 inside: in an environment in which there is no other, and no plugin.

use std::path::{Path, PathBuf};
use std::process::Command;

use darkchunk::chunk::{Compression, Processing};
use darkchunk_hdf5::{Dataset, File, Writer};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_darkchunk-static");

/// A folder of its own, which goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("darkchunk-static-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs it, and returns what it printed.
fn run(arguments: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear();
    for name in ["DARKCHUNK_HDF5", "HDF5_PLUGIN_PATH", "DARKCHUNK_PYTHON"] {
        command.env(name, "/no/such/place");
    }
    // The program of another test may have inherited a file that is open here, with its lock.
    command.env("HDF5_USE_FILE_LOCKING", "FALSE");
    let done = command.output().expect("it runs");
    let [out, error] = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    assert_eq!((done.status.code(), &*error), (Some(0), ""), "{arguments:?}: {out}");
    out
}

fn lines(arguments: &[&str]) -> Vec<Value> {
    let text = run(&[arguments, &["--json"]].concat());
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A file with frames.
fn record(path: &Path, compression: Compression) {
    let library = darkchunk_hdf5_static::library().expect("linked");
    let file = File::create(&library, path).expect("a file");
    let dataset = Dataset { frames_per_chunk: 2, ..Dataset::new(32, 48, compression) };
    let mut writer = Writer::create(&library, file.id(), &dataset, Processing::default()).expect("a dataset");
    for shot in 0..10_i16 {
        let frame: Vec<i16> = (0..32 * 48).map(|pixel| if pixel % 97 == shot { 900 + shot } else { 0 }).collect();
        writer.push(&frame).expect("taken");
    }
    writer.finish().expect("finished");
    drop(writer);
    file.close().expect("closed");
}

#[test]
fn files_are_shown_verified_and_converted_with_nothing_else_on_the_machine() {
    let folder = Folder::new("verbs");
    let first = folder.file("first.h5");
    record(Path::new(&first), Compression::bitshuffle_lz4());
    assert!(run(&["info", &first]).contains("bitshuffle, LZ4"));
    let mut before = first.clone();
    for spec in ["drle", "gzip:4", "blosc:zstd:5:bit", "zstd:3", "bounded:exact", "shuffle-gzip:1", "lz4", "none"] {
        let after = folder.file(&format!("{}.h5", spec.replace(':', "-")));
        let converted = lines(&["convert", &before, "-o", &after, "-d", &format!("data={spec}")]);
        assert!(converted.iter().any(|line| line["equal"] == true), "{spec}: {converted:?}");
        let states = lines(&["verify", &after]);
        assert!(
            states.len() > 1 && states.iter().all(|line| line["state"] != "damaged" && line["state"] != "not examined")
        );
        assert_eq!(run(&["diff", &first, &after]), "", "{spec}");
        before = after;
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_hdf5_that_is_used_is_the_programs_own() {
    let mut command = Command::new(PROGRAM);
    command.args(["plugins", "doctor", "--json"]).env_clear().env("DARKCHUNK_HDF5", "/no/such/place");
    let text = String::from_utf8(command.output().expect("it runs").stdout).expect("text");
    let hosts: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(hosts[0]["used"], PROGRAM);
    let own = hosts.iter().find(|host| host["hdf5"] == PROGRAM).expect("it is listed");
    let filters = own["filters"].as_array().expect("a list");
    assert!(filters.len() > 5 && filters.iter().all(|filter| filter["found"] == true), "{filters:?}");
}
