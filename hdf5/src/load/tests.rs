//! What is loaded stays in the process: so each search of these tests has a process of its own.

use std::process::Command;

use super::*;

const CHILD: &str = "DARKCHUNK_TEST_CHILD";

/// What a search finds, with these variables and none of the others that name an HDF5.
fn search(task: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "load::tests::child", "--nocapture"]).env(CHILD, task);
    for variable in ["DARKCHUNK_HDF5", "DARKCHUNK_PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH"] {
        command.env_remove(variable);
    }
    let output = command.envs(variables.iter().copied()).output().expect("started");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Not a test by itself: what [`search`] runs.
#[test]
fn child() {
    let found = match std::env::var(CHILD).as_deref() {
        Err(_) => return,
        Ok("not the system's") => {
            let places = places::pythons().into_iter().map(|python| places::h5py(&python)).chain([places::conda()]);
            let mut tried = Vec::new();
            first_of(places, &mut tried).ok_or_else(|| none(&tried))
        }
        Ok(_) => find(),
    };
    match found {
        Ok(loaded) => {
            let version = loaded.library().and_then(|library| library.version()).expect("a version");
            let again = find().expect("it is in the process");
            println!("found {version:?} {} again {}", loaded.origin(), again.origin());
        }
        Err(error) => println!("error {error}"),
    }
}

/// The library that the other tests of this crate use, or the reason why there is none.
fn here() -> String {
    let Loaded { origin, .. } = find().expect("the tests of this crate need an HDF5");
    origin
}

#[test]
fn a_named_file_is_taken_and_found_in_the_process_from_then_on() {
    let here = here();
    let found = search("all", &[("DARKCHUNK_HDF5", &here)]);
    let file = Path::new(&here).canonicalize().expect("a file");
    assert!(found.contains(&format!(" {here} again ")), "{found}");
    let again =
        found.trim_end().split(" again ").nth(1).and_then(|again| again.lines().next()).expect("a second search");
    assert_eq!(Path::new(again).canonicalize().ok(), Some(file), "{found}");
}

#[test]
fn a_named_file_that_is_no_hdf5_is_an_error_that_names_it() {
    let missing = search("all", &[("DARKCHUNK_HDF5", "/no/such/libhdf5.so")]);
    assert!(missing.contains("error no HDF5 could be used: DARKCHUNK_HDF5=/no/such/libhdf5.so: "), "{missing}");
    let library = if cfg!(target_vendor = "apple") { "libz.dylib" } else { "libc.so.6" };
    let other = search("all", &[("DARKCHUNK_HDF5", if cfg!(windows) { "kernel32.dll" } else { library })]);
    assert!(other.contains("lacks H5get_libversion"), "{other}");
}

#[test]
fn where_there_is_none_the_error_says_what_was_looked_for_and_what_to_do() {
    let variables = [("DARKCHUNK_PYTHON", "/no/such/python"), ("CONDA_PREFIX", "/no/such/conda"), ("PATH", "")];
    let error = search("not the system's", &variables);
    for words in
        ["/no/such/python cannot be asked", "no libhdf5 in /no/such/conda", "pip install h5py", "DARKCHUNK_HDF5"]
    {
        assert!(error.contains(words), "{words:?}: {error}");
    }
    assert!(places::system().looked.starts_with("no "), "{:?}", places::system());
}

/// An HDF5 1.8.5, as far as anybody asks.
#[cfg(target_os = "linux")]
fn old_hdf5() -> std::path::PathBuf {
    const SOURCE: &str =
        "int H5get_libversion(unsigned *a, unsigned *b, unsigned *c) { *a = 1; *b = 8; *c = 5; return 0; }";
    let folder =
        std::env::temp_dir().join(format!("darkchunk-old-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (source, library) = (folder.join("old.c"), folder.join("libhdf5.so.7"));
    std::fs::write(&source, SOURCE).expect("a file");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.expect("a C compiler").success());
    library
}

#[test]
#[cfg(target_os = "linux")]
fn an_hdf5_that_is_too_old_is_refused_and_stays_loaded() {
    let library = old_hdf5();
    // SAFETY: the file does nothing when it is loaded, and its one function is as HDF5's.
    let refused = unsafe { open(&library) }.expect_err("it is too old").to_string();
    assert!(refused.contains("this is HDF5 1.8.5, 1.10.3 or later is needed"), "{refused}");
    let is_loaded = module::loaded().contains(&library.canonicalize().expect("a file"));
    let _ = std::fs::remove_dir_all(library.parent().expect("a folder"));
    assert!(is_loaded, "what HDF5 has asked to be called would be gone");
}

#[test]
#[cfg(target_os = "linux")]
fn an_hdf5_of_the_process_that_cannot_be_used_is_named_with_its_reason() {
    let library = old_hdf5();
    let preloaded = library.to_str().expect("UTF-8");
    let error = search("all", &[("LD_PRELOAD", preloaded), ("DARKCHUNK_HDF5", "/no/such/libhdf5.so")]);
    let _ = std::fs::remove_dir_all(library.parent().expect("a folder"));
    for words in ["DARKCHUNK_HDF5=/no/such/libhdf5.so: ", "this program: ", preloaded, "this is HDF5 1.8.5"] {
        assert!(error.contains(words), "{words:?}: {error}");
    }
}

#[test]
fn a_table_of_nothing_lacks_its_first_function() {
    let nothing = |_: &str| None;
    // SAFETY: nothing is found.
    let refused = unsafe { table(&nothing, &nothing) }.expect_err("refused");
    assert_eq!(refused, Error::MissingFunction { name: "H5get_libversion" });
}
