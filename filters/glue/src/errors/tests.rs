use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::*;

/// An HDF5 as far as errors go. Before 1.10 its identifiers have 32 bits.
const SOURCE: &str = "
    int minor = 10, n_pushed = 0;
    long long H5E_ERR_CLS_g = 1, H5E_PLINE_g = 2, H5E_CANTFILTER_g = 3;
    int H5get_libversion(unsigned *a, unsigned *b, unsigned *c) { *a = 1; *b = minor; *c = 0; return 0; }
    int H5Epush2(long long stack, const char *file, ...) { n_pushed++; return 0; }
    void caller(void) {}";

/// The addresses of what is in a library made of `SOURCE`, which stays loaded.
fn library(names: [&CStr; 3]) -> [*mut c_void; 3] {
    let folder = std::env::temp_dir().join(format!("darkchunk-errors-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (source, library) = (folder.join("hdf5.c"), folder.join("libhdf5-errors.so"));
    std::fs::write(&source, SOURCE).expect("a file");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(built.expect("a C compiler").success());
    let name = CString::new(library.as_os_str().as_bytes()).expect("a path");
    // SAFETY: the library does nothing when it is loaded.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    let _ = std::fs::remove_dir_all(folder);
    // SAFETY: a handle and a name.
    names.map(|name| unsafe { libc::dlsym(handle, name.as_ptr()) })
}

#[test]
fn an_hdf5_before_1_10_is_not_asked_to_take_a_text() {
    let [minor, n_pushed, caller] = library([c"minor", c"n_pushed", c"caller"]);
    let (minor, n_pushed) = (minor.cast::<i32>(), n_pushed.cast::<i32>());
    for (version, expected) in [(10, 1), (8, 1), (14, 2)] {
        // SAFETY: a variable of the library, which stays loaded.
        unsafe { minor.write(version) };
        push(Caller::at(caller), "lz4", c"filter", "a text");
        // SAFETY: a variable of the library, which stays loaded.
        assert_eq!(unsafe { n_pushed.read() }, expected, "1.{version}");
    }
}
