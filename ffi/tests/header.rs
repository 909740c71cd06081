//! The committed header and the library agree.

use darkchunk_core::chunk::Compression;
use darkchunk_core::codec::blosc::{Compressor, Shuffle};
use darkchunk_hdf5::Api;

const HEADER: &str = include_str!("../include/darkchunk.h");

fn functions_of_the_table() -> Vec<&'static str> {
    let list = HEADER.split("#define DC_HDF5_FUNCTIONS(X) \\").nth(1).expect("the list").split("#define").next();
    let names = list.expect("its end").split("X(").skip(1).map(|name| name.split(')').next().expect("a name"));
    let extra = HEADER.split("dc_function fn_").skip(1).filter(|name| name.starts_with("H5"));
    names.chain(extra.map(|name| name.split(';').next().expect("a name"))).collect()
}

#[test]
fn the_table_of_functions_has_the_order_of_the_core() {
    assert_eq!(functions_of_the_table(), Api::NAMES);
}

#[test]
fn the_version_is_the_crates() {
    let of = |name: &str| HEADER.split(&format!("#define DC_VERSION{name} ")).nth(1)?.lines().next();
    let [major, minor, patch] = ["_MAJOR", "_MINOR", "_PATCH"].map(|name| of(name).expect("defined"));
    assert_eq!(format!("{major}.{minor}.{patch}"), env!("CARGO_PKG_VERSION"));
    assert_eq!(of(""), Some(concat!("\"", env!("CARGO_PKG_VERSION"), "\"")));
}

#[test]
fn the_filter_numbers_are_those_of_the_codecs() {
    let number = |name: &str| -> u32 {
        let text = HEADER.split(&format!("{name} = ")).nth(1).expect("defined");
        text.split([',', ' ']).next().and_then(|number| number.parse().ok()).expect("a number")
    };
    let expected = [
        ("DC_DRLE", Compression::drle(1)),
        ("DC_BITSHUFFLE", Compression::bitshuffle_lz4()),
        ("DC_BLOSC", Compression::blosc(5, Shuffle::Byte, Compressor::Lz4)),
        ("DC_LZ4", Compression::lz4()),
        ("DC_ZSTD", Compression::zstd(3)),
        ("DC_BOUNDED", Compression::bounded_exact()),
    ];
    for (name, compression) in expected {
        assert_eq!(Some(number(name)), compression.filter, "{name}");
    }
}

/// Every function that the header declares is in the library, and the library has no other `dc_` function.
#[test]
fn the_header_declares_what_the_library_has() {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).expect("the sources");
    let text = |file: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(file.ok()?.path()).ok();
    let sources: Vec<String> = files.filter_map(text).collect();
    let names = |source| str::split(source, "extern \"C\" fn ").skip(1).filter_map(|text| text.split('(').next());
    let mut defined: Vec<&str> =
        sources.iter().flat_map(|source| names(source)).filter(|name| name.starts_with("dc_")).collect();
    let declared = HEADER
        .lines()
        .filter(|line| line.contains('(') && !line.starts_with([' ', '#', '/', '*']) && !line.starts_with("static"));
    let declared = declared.filter_map(|line| line.split('(').next()?.rsplit([' ', '*']).next());
    let mut declared: Vec<&str> = declared.filter(|name| name.starts_with("dc_")).collect();
    defined.sort_unstable();
    declared.sort_unstable();
    assert_eq!(declared, defined);
}
