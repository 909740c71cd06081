//! What the tests of the reader share: datasets of every kind whose content is known.

#![allow(dead_code, unused_imports, reason = "each test program uses its part")]

pub(crate) mod bitshuffled;
pub(crate) mod cases;
pub(crate) mod copies;
#[path = "../../../hdf5/tests/common/hdf5.rs"]
pub(crate) mod hdf5;
#[path = "../../../hdf5/tests/common/maker.rs"]
pub(crate) mod maker;
pub(crate) mod virtuals;

use std::path::{Path, PathBuf};

pub(crate) fn path(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.h5"));
    let _ = std::fs::remove_file(&path);
    let _ = std::fs::remove_file(path.with_extension("h5.journal"));
    path
}
