//! An HDF5 that is found at run time, for programs that link none.
//!
//! [`find`] takes the first of these that is an HDF5 of 1.10.3 or later:
//!
//! 1. one that is in the process already: that of the program itself, h5py's, any other. So no second one gets in;
//! 2. the file that `DARKCHUNK_HDF5` names. If it cannot be used that is an error, and nothing else is looked for;
//! 3. the one in the h5py wheel of a Python: `DARKCHUNK_PYTHON`, that of the active environment (`VIRTUAL_ENV`), or
//!    `python3`, whichever has one. h5py is not imported;
//! 4. Debian's `libhdf5_serial.so.*`, or another `libhdf5.so.*` where the system has its libraries; Homebrew's;
//! 5. conda's, in `CONDA_PREFIX`.
//!
//! Nothing is looked for in the current folder: a program may be started in one that somebody else fills. What was
//! loaded stays so until the process ends, also what cannot be used. Where nothing can be, the error has all the reasons.
//!
//! HDF5 is mostly built without a lock of its own. A table from here has one that all such tables share. It knows nothing of
//! other users of the same library in the process: h5py guards its own with `h5py._objects.phil`, which a caller from
//! Python must hold.
//!
//! ```no_run
//! let hdf5 = darkchunk_hdf5::load::find()?;
//! println!("HDF5 {:?} from {}", hdf5.library()?.version()?, hdf5.origin());
//! # Ok::<(), darkchunk_hdf5::Error>(())
//! ```

#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use crate::tools::Tools;
use crate::{Api, Error, Library, Result};

mod lock;
pub(crate) mod module;
mod places;
mod table;

use module::Module;
use places::Place;
pub use table::table;

/// Whose an HDF5 is that the program was linked with.
const PROGRAM: &str = "this program";

/// An HDF5 that was found in the process or loaded into it.
#[derive(Debug, Clone)]
pub struct Loaded {
    api: Api,
    tools: Tools,
    origin: String,
}

impl Loaded {
    /// The table of its functions, with a lock.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Where it came from: a file, or the program itself.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// It, to be worked with.
    ///
    /// # Errors
    /// [`Error::Hdf5`] where it cannot be initialised.
    pub fn library(&self) -> Result<Library> {
        // SAFETY: the table was filled from one library by its names, and the library is never unloaded; it has a lock.
        unsafe { Library::with_tools(&self.api, self.tools) }
    }
}

/// The first HDF5 that is found: [where](self).
///
/// # Errors
/// [`Error::NoLibrary`] says what was looked for, and what to do.
pub fn find() -> Result<Loaded> {
    let mut tried = Vec::new();
    if let Some(loaded) = program(&mut tried).or_else(|| first_of([places::in_process()], &mut tried)) {
        return Ok(loaded);
    }
    if let Some(named) = std::env::var_os("DARKCHUNK_HDF5").filter(|path| !path.is_empty()) {
        let named = Path::new(&named);
        return load(named).map_err(|why| {
            tried.insert(0, format!("DARKCHUNK_HDF5={}: {why}", named.display()));
            none(&tried)
        });
    }
    let system = [places::system, places::conda].into_iter().map(|place| place());
    let others = places::pythons().into_iter().map(|python| places::h5py(&python)).chain(system);
    first_of(others, &mut tried).ok_or_else(|| none(&tried))
}

fn none(tried: &[String]) -> Error {
    Error::NoLibrary { tried: tried.join("; ") }
}

/// An HDF5 that can be found, and whose it is.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) whose: String,
    pub(crate) file: PathBuf,
    pub(crate) loaded: std::result::Result<Loaded, String>,
}

/// All that can be found, each file once; the one that [`find`] takes is the first that can be loaded. A program with an HDF5 of its own sees
/// no other: what it exports would take the place of the same in a library that is loaded.
pub(crate) fn candidates() -> Vec<Candidate> {
    if let Some(loaded) = program(&mut Vec::new()) {
        let file = std::env::current_exe().unwrap_or_default();
        return vec![Candidate { whose: PROGRAM.to_owned(), file, loaded: Ok(loaded) }];
    }
    let mut places = vec![("in this process".to_owned(), places::in_process().files)];
    if let Some(named) = std::env::var_os("DARKCHUNK_HDF5").filter(|path| !path.is_empty()) {
        places.push(("DARKCHUNK_HDF5".to_owned(), vec![named.into()]));
    }
    places.extend(places::pythons().iter().flat_map(|python| places::packages(python).unwrap_or_default()));
    places.push(("the system".to_owned(), places::system().files));
    places.push(("conda".to_owned(), places::conda().files));
    let mut seen = HashSet::new();
    let files = places.into_iter().flat_map(|(whose, files)| files.into_iter().map(move |file| (whose.clone(), file)));
    let new = files.filter(|(_, file)| seen.insert(file.canonicalize().unwrap_or_else(|_| file.clone())));
    new.map(|(whose, file)| Candidate { whose, loaded: load(&file), file }).collect()
}

/// [`find`], and [`Loaded::library`].
///
/// # Errors
/// Theirs.
pub fn library() -> Result<Library> {
    find()?.library()
}

/// The HDF5 in the file `path`.
///
/// # Errors
/// [`Error::NoLibrary`] where it cannot be loaded, or is no HDF5, or one before 1.10.3.
///
/// # Safety
/// What the file does when it is loaded is safe, and if it has HDF5's names, they are HDF5's functions.
pub unsafe fn open(path: &Path) -> Result<Loaded> {
    load(path).map_err(|why| Error::NoLibrary { tried: format!("{}: {why}", path.display()) })
}

/// The HDF5 of a library that is open: the HDF5 itself or, but on Windows, one that needs it, such as an extension module of
/// h5py.
///
/// # Errors
/// [`Error::NoLibrary`] where it is no HDF5 of 1.10.3 or later, and needs none.
///
/// # Safety
/// `handle` is what `dlopen` or `LoadLibrary` has given, and is never closed. If there are HDF5's names, they are HDF5's
/// functions.
pub unsafe fn of_handle(handle: NonNull<c_void>) -> Result<Loaded> {
    // SAFETY: the caller's promise.
    let module = unsafe { Module::of_handle(handle) };
    let (api, tools) =
        fill(&module).map_err(|why| Error::NoLibrary { tried: format!("the library that was given: {why}") })?;
    Ok(Loaded { api, tools, origin: "the library that was given".to_owned() })
}

/// The HDF5 of a table that a program handed in, with the functions for whole files that no table has, where it is found by its names
/// among what is loaded; without them where it is not.
///
/// # Errors
/// As [`Library::new`].
///
/// # Safety
/// As [`Library::new`].
pub unsafe fn of_table(api: &Api) -> Result<Library> {
    let open = api.H5open.map(|open| open as *const ());
    let is_of = |module: &Module| {
        let found = module.symbol("H5open").map(|found| found.as_ptr().cast_const().cast::<()>());
        found.is_some() && found == open
    };
    let files = places::in_process().files;
    let modules = Module::program().into_iter().chain(files.iter().filter_map(|file| Module::open(file).ok()));
    let mut tools = Tools::default();
    if let Some(module) = modules.into_iter().find(is_of) {
        let look_up = |name: &str| module.symbol(name);
        // SAFETY: it has the `H5open` of the table, so it is that HDF5.
        tools = unsafe { table::tools(&look_up, &in_program) };
    }
    // SAFETY: the caller's promise; the tools are of the same library.
    unsafe { Library::with_tools(api, tools) }
}

/// The first that is one, in any of these places; or why there is none.
fn first_of(places: impl IntoIterator<Item = Place>, tried: &mut Vec<String>) -> Option<Loaded> {
    for Place { looked, files } in places {
        for file in &files {
            match load(file) {
                Ok(loaded) => return Some(loaded),
                Err(why) => tried.push(format!("{}: {why}", file.display())),
            }
        }
        if files.is_empty() {
            tried.push(looked);
        }
    }
    None
}

fn load(file: &Path) -> std::result::Result<Loaded, String> {
    let module = Module::open(file)?;
    let (api, tools) = fill(&module).map_err(|error| error.to_string())?;
    Ok(Loaded { api, tools, origin: file.display().to_string() })
}

/// The HDF5 that the program itself, or what is loaded for all to see, has; where that cannot be used, why.
fn program(tried: &mut Vec<String>) -> Option<Loaded> {
    let module = Module::program()?;
    module.symbol("H5get_libversion")?;
    match fill(&module) {
        Ok((api, tools)) => Some(Loaded { api, tools, origin: PROGRAM.to_owned() }),
        Err(why) => {
            tried.push(format!("{PROGRAM}: {why}"));
            None
        }
    }
}

/// What the program itself has of a name.
fn in_program(name: &str) -> Option<NonNull<c_void>> {
    Module::program().and_then(|program| program.symbol(name))
}

fn fill(module: &Module) -> Result<(Api, Tools)> {
    let look_up = |name: &str| module.symbol(name);
    // SAFETY: a library that has HDF5's names is HDF5; a `Module` is never unloaded.
    let api = unsafe { table(&look_up, &in_program) }?;
    // SAFETY: as above.
    let tools = unsafe { table::tools(&look_up, &in_program) };
    Ok((api, tools))
}

#[cfg(test)]
mod tests;
