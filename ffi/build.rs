//! Gives the C library the name by which programs ask for it, where `cargo xtask dist` names one.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DARKCHUNK_SONAME");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if let (Ok(name), "linux") = (std::env::var("DARKCHUNK_SONAME"), &*os) {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{name}");
    }
}
