//! Tells the linker that a plugin stays loaded. HDF5 unloads a library whose filter it was not looking for, and all of
//! them at its end, when threads or thread-locals of the library may still be there.

fn main() {
    println!("cargo::rerun-if-changed=../pin.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if os == "linux" || os == "android" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
