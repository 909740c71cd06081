//! Which HDF5 finds which filter plugin, where, and why not.
//!
//! [`hosts`] looks at each libhdf5 that can be found: its search path is what it would have in a new process with these
//! variables. Plugins that are found on it are loaded, as HDF5 does it, to learn whose filters they have.

mod file;
mod install;

use std::collections::HashMap;
use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};

use crate::library::h5_tool;
use crate::load::{self, Candidate, Loaded};
use crate::{Library, Result, inspect, words};
use file::Known;
pub use file::Plugin;
pub use install::{DEFAULT_FOLDER, Installed, install, reached};

/// The variable that HDF5 takes its search path from.
pub const VARIABLE: &str = "HDF5_PLUGIN_PATH";

/// With `::` in it, HDF5 loads no plugins.
pub const PRELOAD: &str = "HDF5_PLUGIN_PRELOAD";

/// darkchunk's filters.
pub const FILTERS: [(u32, &str); 6] =
    [(36114, "DRLE"), (32008, "bitshuffle"), (32001, "Blosc"), (32004, "LZ4"), (32015, "Zstd"), (36115, "bounded")];

/// An HDF5 that can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Whose it is: h5py's, the system's.
    pub whose: String,
    /// Its file.
    pub file: PathBuf,
    /// Why it cannot be used; the rest is empty then.
    pub problem: Option<String>,
    /// Its version.
    pub version: Option<(u32, u32, u32)>,
    /// Whether it looks for plugins at all: not with `HDF5_PLUGIN_PRELOAD=::`.
    pub loads_plugins: bool,
    /// Its search path.
    pub folders: Vec<Folder>,
    /// Who answers for each of darkchunk's filters.
    pub filters: Vec<Answer>,
}

/// A place on a search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its path.
    pub path: String,
    /// What is wrong with it; nothing where nothing is.
    pub note: String,
    /// The files in it that HDF5 looks at, in its order.
    pub plugins: Vec<Plugin>,
}

/// Who has a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The filter's number.
    pub id: u32,
    /// Its name.
    pub name: &'static str,
    /// Whether it can be used.
    pub is_available: bool,
    /// The plugin that has it; `None` where nobody does, or the program itself.
    pub file: Option<PathBuf>,
}

/// Each HDF5 that can be found. The first without a problem is the one that this program uses.
#[must_use]
pub fn hosts() -> Vec<Host> {
    let mut known = Known::default();
    load::candidates().into_iter().map(|candidate| host(candidate, &mut known)).collect()
}

fn host(Candidate { whose, file, loaded }: Candidate, known: &mut Known) -> Host {
    let empty = Host {
        whose,
        file,
        problem: None,
        version: None,
        loads_plugins: true,
        folders: Vec::new(),
        filters: Vec::new(),
    };
    let examined = loaded.and_then(|loaded| examine(&loaded, known).map_err(|error| error.to_string()));
    match examined {
        Ok((version, loads_plugins, folders, filters)) => {
            Host { version: Some(version), loads_plugins, folders, filters, ..empty }
        }
        Err(problem) => Host { problem: Some(problem), ..empty },
    }
}

type Examined = ((u32, u32, u32), bool, Vec<Folder>, Vec<Answer>);

fn examine(loaded: &Loaded, known: &mut Known) -> Result<Examined> {
    let library = loaded.library()?;
    let version = library.version()?;
    let mut state = 0;
    let loads_plugins = h5_tool!(&library, H5PLget_loading_state(&raw mut state)).is_err() || state & 1 != 0;
    let ours = folder();
    let mut folders = Vec::new();
    for path in search_path(&library)? {
        let plugins = file::in_folder(Path::new(&path), known);
        let note = file::note(&path, version, ours.as_deref(), &plugins);
        folders.push(Folder { path, note, plugins });
    }
    let files: HashMap<u32, &Path> = folders
        .iter()
        .flat_map(|folder| &folder.plugins)
        .rev()
        .filter_map(|plugin| Some((plugin.id?, &*plugin.file)))
        .collect();
    let answer = |(id, name)| {
        let is_available = inspect::has_filter(&library, id);
        Answer { id, name, is_available, file: files.get(&id).filter(|_| is_available).map(|file| file.to_path_buf()) }
    };
    let filters = FILTERS.map(answer).to_vec();
    Ok((version, loads_plugins, folders, filters))
}

/// The places that a library looks through for plugins, in order, each once.
fn search_path(library: &Library) -> Result<Vec<String>> {
    let (mut n_folders, mut found) = (0, Vec::<String>::new());
    h5_tool!(library, H5PLsize(&raw mut n_folders))?;
    for index in 0..n_folders {
        let mut text = [0_u8; 8192];
        h5_tool!(library, H5PLget(index, text.as_mut_ptr().cast::<c_char>(), text.len()))?;
        // HDF5 ends what it writes with a zero.
        let path =
            CStr::from_bytes_until_nul(&text).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        if !found.contains(&path) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The folder of darkchunk's plugins: that which `DARKCHUNK_PLUGINS` names, or the one that was delivered with this program.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let is_ours = |folder: &PathBuf| folder.join(file::name_of(36114)).is_file();
    let named = std::env::var_os("DARKCHUNK_PLUGINS").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let program = std::env::current_exe().and_then(std::fs::canonicalize).ok();
    let beside = program
        .iter()
        .filter_map(|program| program.parent())
        .flat_map(|folder| ["../plugins", "plugins", "../lib/darkchunk/plugins"].map(|place| folder.join(place)));
    let found = named.into_iter().chain(beside).find(is_ours)?;
    Some(found.canonicalize().unwrap_or(found))
}

/// Who has the plugin of a filter that is not darkchunk's alone: for messages about files.
#[must_use]
pub fn source(id: u32) -> Option<&'static str> {
    words::source(id)
}

/// The version of the C library of this system, where that is glibc.
#[must_use]
pub fn glibc() -> Option<String> {
    file::glibc()
}
