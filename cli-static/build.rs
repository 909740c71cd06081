//! The program exports the HDF5 that is in it, where `darkchunk_hdf5::load` and plugins look first.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic-symbol=H5*"),
        Ok("macos") => println!("cargo::rustc-link-arg-bins=-Wl,-exported_symbol,_H5*"),
        _ => {}
    }
}
