//! A plugin as a file: whose filter it has, and what is wrong with it.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use crate::load::module::Module;
use darkchunk_hdf5_abi::constants::{H5PL_TYPE_ERROR, H5PL_TYPE_FILTER};

/// In each file that darkchunk builds.
const MARK: &[u8] = b"darkchunk";

/// A file in a folder of plugins that HDF5 looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// The file.
    pub file: PathBuf,
    /// The filter that it has.
    pub id: Option<u32>,
    /// What it calls itself.
    pub name: String,
    /// Whether it is darkchunk's.
    pub is_ours: bool,
    /// Why it has no filter: it cannot be loaded, or is something else, or leads nowhere.
    pub problem: Option<String>,
}

/// What was found of files before.
pub(super) type Known = HashMap<PathBuf, Plugin>;

/// The beginning of HDF5's `H5Z_class2_t`.
#[repr(C)]
#[allow(dead_code, reason = "the table is HDF5's")]
struct Class {
    version: c_int,
    id: c_int,
    has_encoder: u32,
    has_decoder: u32,
    name: *const c_char,
}

/// The file that has one of darkchunk's filters.
pub(super) fn name_of(id: u32) -> String {
    let name = match id {
        36114 => "h5drle",
        32008 => "h5bitshuffle",
        32001 => "h5blosc",
        32004 => "h5lz4",
        32015 => "h5zstd",
        _ => "h5bounded",
    };
    format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}

/// The files that HDF5 looks at in a folder, in its order: that of the system.
pub(super) fn in_folder(folder: &Path, known: &mut Known) -> Vec<Plugin> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|file| is_candidate(file));
    files.map(|file| known.entry(file.clone()).or_insert_with(|| examine(file)).clone()).collect()
}

fn is_candidate(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if cfg!(windows) {
        return name.to_lowercase().ends_with(".dll");
    }
    name.starts_with("lib") && (name.contains(".so") || name.contains(".dylib"))
}

fn examine(file: PathBuf) -> Plugin {
    let empty = Plugin { file, id: None, name: String::new(), is_ours: false, problem: None };
    if empty.file.is_symlink() && !empty.file.exists() {
        return Plugin { problem: Some("is a dangling link".to_owned()), ..empty };
    }
    let is_ours = is_ours(&empty.file);
    match load(&empty.file) {
        Ok((id, name)) => Plugin { id: Some(id), name, is_ours, ..empty },
        Err(problem) => Plugin { is_ours, problem: Some(problem), ..empty },
    }
}

/// Whether a file is one that darkchunk built.
pub(super) fn is_ours(file: &Path) -> bool {
    std::fs::read(file).is_ok_and(|bytes| bytes.windows(MARK.len()).any(|part| part == MARK))
}

/// Loads a plugin, and asks it for its filter and its name.
fn load(file: &Path) -> Result<(u32, String), String> {
    let module = Module::open(file)?;
    let other = || "is no plugin of HDF5".to_owned();
    let kind = module.symbol("H5PLget_plugin_type").ok_or_else(other)?;
    let info = module.symbol("H5PLget_plugin_info").ok_or_else(other)?;
    // SAFETY: HDF5's interface of plugins: a function of this name has this type.
    let kind = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> c_int>(kind.as_ptr()) };
    // SAFETY: as above.
    let info = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const Class>(info.as_ptr()) };
    // SAFETY: HDF5 calls it so, of any plugin on its path.
    match unsafe { kind() } {
        H5PL_TYPE_FILTER => {}
        H5PL_TYPE_ERROR if is_ours(file) => return Err("needs darkchunk.so beside it".to_owned()),
        _ => return Err("is a plugin of HDF5, but no filter".to_owned()),
    }
    // SAFETY: as above.
    let class = unsafe { info() };
    // SAFETY: a filter's plugin hands out its table, or nothing.
    let class = unsafe { class.as_ref() }.ok_or("is a plugin without a filter")?;
    let id = u32::try_from(class.id).map_err(|_| "has a filter without a number")?;
    if class.name.is_null() {
        return Ok((id, String::new()));
    }
    // SAFETY: the table of a filter has its name as a C string, or nothing.
    let name = unsafe { CStr::from_ptr(class.name) };
    Ok((id, name.to_string_lossy().into_owned()))
}

/// What is wrong with a folder of a search path.
pub(super) fn note(folder: &str, version: (u32, u32, u32), ours: Option<&Path>, plugins: &[Plugin]) -> String {
    let place = Path::new(folder);
    if folder.is_empty() {
        return "empty: netCDF finds nothing with it".to_owned();
    }
    if !place.is_dir() {
        return note_on_missing(folder, version);
    }
    if let Err(error) = std::fs::read_dir(place) {
        return format!("cannot be read: {error}");
    }
    let name = |plugin: &Plugin| plugin.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(dangling) = plugins.iter().find(|plugin| plugin.file.is_symlink() && !plugin.file.exists()) {
        return format!("{} is a dangling link: HDF5 ends its search of this folder there", name(dangling));
    }
    let is_other = ours.is_none_or(|ours| place.canonicalize().map_or(true, |place| place != ours));
    let others: Vec<String> =
        plugins.iter().map(name).filter(|name| super::FILTERS.iter().any(|(id, _)| name_of(*id) == *name)).collect();
    if is_other && !others.is_empty() { format!("has another {}", others.join(", ")) } else { String::new() }
}

/// Defaults of HDF5 are mostly not there, which is no fault.
fn note_on_missing(folder: &str, version: (u32, u32, u32)) -> String {
    if version < (1, 12, 0) {
        return "is not there: HDF5 1.10 ends its search here".to_owned();
    }
    let named = std::env::var_os(super::VARIABLE).unwrap_or_default();
    let is_named = std::env::split_paths(&named).any(|named| named == Path::new(folder));
    if is_named { "is not there".to_owned() } else { String::new() }
}

/// The version of glibc, by its own function.
pub(super) fn glibc() -> Option<String> {
    let function = Module::program()?.symbol("gnu_get_libc_version")?;
    // SAFETY: the function of this name has this type in every glibc.
    let function =
        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const c_char>(function.as_ptr()) };
    // SAFETY: it takes nothing, and may be called at any time.
    let version = unsafe { function() };
    // SAFETY: what it gives is a C string that stays.
    let version = unsafe { CStr::from_ptr(version) };
    version.to_str().ok().map(str::to_owned)
}
