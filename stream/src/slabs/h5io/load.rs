//! A library's file, and its table.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::abi::{ABI, ANY, CONTEXT, Entry, ONE, Table};
use super::{About, text};
use crate::identity::state;
use crate::slabs::{InputPlan, Plan, Provenance};
use crate::{Error, Result};

/// The symbol of a library.
const SYMBOL: &[u8] = b"h5io_library\0";

/// Bytes of a table that every library has: up to `get_error_code`.
const LEAST: usize = std::mem::offset_of!(Table, set_padding);

/// A library that is loaded, and stays so until the process ends.
#[derive(Debug)]
pub struct Loaded {
    about: About,
    table: Table,
    _library: Option<ManuallyDrop<libloading::Library>>,
}

impl About {
    /// What a library's file tells, before it is loaded.
    pub(super) fn of(file: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| Error::Argument(format!("{}: {error}", file.display()));
        // A name without a folder would be looked for elsewhere.
        let place = file.canonicalize().map_err(failed)?;
        let bytes = std::fs::read(&place).map_err(failed)?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { file: place, sha256, name: None, version: None })
    }

    /// What is stored about a run of it.
    #[must_use]
    pub fn provenance(&self, file: &Path, arguments: &[String], plan: &Plan) -> Provenance {
        let text = |path: &Path| path.display().to_string();
        let fact = |name: &str, text: String| (name.to_owned(), text);
        let list = |name: &str, of: &dyn Fn(&InputPlan) -> String| {
            (name.to_owned(), plan.inputs().iter().map(of).collect::<Vec<_>>())
        };
        Provenance {
            facts: vec![
                fact("library", text(&self.file)),
                fact("library_name", self.name.clone().unwrap_or_default()),
                fact("library_version", self.version.clone().unwrap_or_default()),
                fact("library_sha256", self.sha256.clone()),
                fact("input_file", text(&file.canonicalize().unwrap_or(file.to_owned()))),
            ],
            lists: vec![
                ("arguments".to_owned(), arguments.to_vec()),
                list("inputs", &|input| input.path.clone()),
                list("slicing_maps", &|input| format!("{:?}", input.map)),
            ],
            state: state(file).unwrap_or_default(),
        }
    }
}

impl Loaded {
    /// Loads a file. What it does then, and in its functions, it does in this process.
    ///
    /// # Errors
    /// [`Error::Argument`] where it is missing, no library, or none of `h5io.h`; the system's words are among those of the message.
    pub fn open(file: &Path) -> Result<Self> {
        let failed = |why: String| Error::Argument(format!("{}: {why}", file.display()));
        let about = About::of(file)?;
        // SAFETY: the user names a library that is to run in this process.
        let library = unsafe { libloading::Library::new(&about.file) };
        let library = ManuallyDrop::new(library.map_err(|error| failed(format!("it cannot be loaded: {error}")))?);
        // SAFETY: the symbol has this type by `h5io.h`.
        let entry = unsafe { library.get::<Entry>(SYMBOL) };
        let none = |_| failed("it has no h5io_library: does its source end with H5IO_LIBRARY(…)?".into());
        let entry = *entry.map_err(none)?;
        // SAFETY: as above.
        let table = unsafe { entry(ABI) };
        // SAFETY: the library's table, or NULL.
        let table = unsafe { read(table) }.map_err(failed)?;
        let about = About { name: name_of(table.name), version: name_of(table.version), ..about };
        Ok(Self { about, table, _library: Some(library) })
    }

    /// A library that is in this process already, by its table; `file` and `sha256` say where it is from.
    ///
    /// # Errors
    /// [`Error::Argument`] where the table is NULL, or none of this version of `h5io.h`.
    ///
    /// # Safety
    /// `table` is NULL or a table of `h5io.h`. Its functions and strings stay as long as this and what has begun with it.
    pub unsafe fn of_table(table: *const c_void, file: &Path, sha256: &str) -> Result<Self> {
        // SAFETY: the caller's promise.
        let table = unsafe { read(table.cast()) };
        let table = table.map_err(|why| Error::Argument(format!("{}: {why}", file.display())))?;
        let (file, sha256) = (file.to_owned(), sha256.to_owned());
        let about = About { file, sha256, name: name_of(table.name), version: name_of(table.version) };
        Ok(Self { about, table, _library: None })
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// What it is.
    #[must_use]
    pub fn about(&self) -> About {
        self.about.clone()
    }
}

/// The words of a table.
fn name_of(words: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: NULL, or a constant string of a library that stays loaded.
    unsafe { text(words) }
}

/// Copies as much of a table as the library has.
///
/// # Safety
/// NULL, or it points to a size, and to as many bytes.
unsafe fn read(table: *const Table) -> std::result::Result<Table, String> {
    if table.is_null() {
        return Err(format!("it cannot serve this host, which has ABI {ABI}: compile it with this host's h5io.h"));
    }
    // SAFETY: the caller's promise: the size is there.
    let known = unsafe { table.cast::<u32>().read_unaligned() } as usize;
    if known < LEAST {
        return Err(format!("its table has {known} bytes: with its seven functions it has {LEAST}"));
    }
    let mut found = Table::EMPTY;
    let (from, to) = (table.cast::<u8>(), (&raw mut found).cast::<u8>());
    // SAFETY: as many bytes as both have. Any bytes of a C table are one here: a null function is `None`.
    unsafe { std::ptr::copy_nonoverlapping(from, to, known.min(size_of::<Table>())) };
    check(&found)?;
    Ok(found)
}

fn check(table: &Table) -> std::result::Result<(), String> {
    if table.abi != ABI {
        return Err(format!("it has ABI {}, this host {ABI}: compile it with this host's h5io.h", table.abi));
    }
    if ![ONE, CONTEXT, ANY].contains(&table.threads) {
        return Err(format!("its table says {} of threads: h5io_one, h5io_context or h5io_any", table.threads));
    }
    let functions = [
        ("h5io_init", table.h5io_init.is_some()),
        ("request_input", table.request_input.is_some()),
        ("set_input_slice", table.set_input_slice.is_some()),
        ("request_output", table.request_output.is_some()),
        ("process", table.process.is_some()),
        ("processing_complete", table.processing_complete.is_some()),
        ("get_error_code", table.get_error_code.is_some()),
    ];
    match functions.iter().find(|(_, is_there)| !is_there) {
        Some((name, _)) => Err(format!("its table has no {name}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(table: *const Table) -> String {
        // SAFETY: NULL, or a whole table.
        unsafe { read(table) }.expect_err("refused")
    }

    #[test]
    fn a_table_that_cannot_be_used_is_refused_by_what_it_lacks() {
        assert!(refusal(std::ptr::null()).contains("cannot serve"));
        let whole = Table { struct_size: size_of::<Table>() as u32, abi: ABI, ..Table::EMPTY };
        assert!(refusal(&raw const whole).contains("no h5io_init"));
        for (table, words) in [
            (Table { struct_size: LEAST as u32 - 1, ..whole }, "its table has"),
            (Table { abi: ABI + 1, ..whole }, "it has ABI 2"),
            (Table { threads: 3, ..whole }, "says 3 of threads"),
        ] {
            assert!(refusal(&raw const table).contains(words), "{words}");
        }
    }

    #[test]
    fn a_file_that_is_no_library_is_an_error_with_its_name() {
        for (file, words) in [("/nowhere/lib.so", "/nowhere/lib.so: "), (file!(), "")] {
            let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
            let error = Loaded::open(&place).expect_err("no library").to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
