//! A library in the process, by its file.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use libloading::Library;

/// A library that is loaded, and stays so until the process ends, whether it can be used or not: once a function of HDF5 was
/// called, the system calls HDF5 back when the process or a thread ends.
#[derive(Debug)]
pub(crate) struct Module(ManuallyDrop<Library>);

impl Module {
    /// Loads a file, with the libraries beside it that it needs. One that is in the process is not loaded again.
    pub(crate) fn open(file: &Path) -> Result<Self, String> {
        // SAFETY: the files that are asked for are HDF5's by name and place, or the caller vouches for them. HDF5 does
        // nothing when it is loaded, and is never unloaded.
        let library = unsafe { os::open(file) };
        library.map(Self::kept).map_err(|error| error.to_string())
    }

    /// The program itself, with what it was linked with.
    pub(crate) fn program() -> Option<Self> {
        os::program().map(Self::kept)
    }

    /// One that is open already.
    ///
    /// # Safety
    /// `handle` is what `dlopen` or `LoadLibrary` has given for a library, and that one is not closed.
    pub(super) unsafe fn of_handle(handle: NonNull<c_void>) -> Self {
        // SAFETY: the caller's promise; it is not closed from here either.
        Self::kept(unsafe { os::of_handle(handle) })
    }

    fn kept(library: Library) -> Self {
        Self(ManuallyDrop::new(library))
    }

    pub(crate) fn symbol(&self, name: &str) -> Option<NonNull<c_void>> {
        // SAFETY: nothing is done with what is there; all that is wanted is its address.
        let symbol = unsafe { self.0.get::<*mut c_void>(name.as_bytes()) }.ok()?;
        // SAFETY: as above; the library stays loaded, so the address stays true.
        NonNull::new(unsafe { symbol.try_as_raw_ptr() }?)
    }
}

/// The files of what is loaded, in the order in which that was, where the system tells.
pub(super) fn loaded() -> Vec<PathBuf> {
    let mut files = os::loaded();
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    files
}

#[cfg(unix)]
mod os {
    use std::ffi::c_void;
    use std::path::{Path, PathBuf};
    use std::ptr::NonNull;

    use libloading::Library;

    /// # Safety
    /// What the file does when it is loaded is safe.
    pub(super) unsafe fn open(file: &Path) -> Result<Library, libloading::Error> {
        // SAFETY: the caller's promise.
        unsafe { Library::new(file) }
    }

    pub(super) fn program() -> Option<Library> {
        Some(libloading::os::unix::Library::this().into())
    }

    /// # Safety
    /// `dlopen` has given `handle`.
    pub(super) unsafe fn of_handle(handle: NonNull<c_void>) -> Library {
        // SAFETY: the caller's promise.
        unsafe { libloading::os::unix::Library::from_raw(handle.as_ptr()) }.into()
    }

    #[cfg(not(target_vendor = "apple"))]
    pub(super) fn loaded() -> Vec<PathBuf> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        // Address, rights, offset, device, inode; then the file, which may have spaces in its name.
        let file = |line: &str| line.find('/').map(|at| PathBuf::from(&line[at..]));
        maps.lines().filter_map(file).collect()
    }

    #[cfg(target_vendor = "apple")]
    pub(super) fn loaded() -> Vec<PathBuf> {
        use std::ffi::{CStr, c_char};
        unsafe extern "C" {
            safe fn _dyld_image_count() -> u32;
            safe fn _dyld_get_image_name(index: u32) -> *const c_char;
        }
        let file = |index| {
            let name = std::ptr::NonNull::new(_dyld_get_image_name(index).cast_mut())?;
            // SAFETY: the linker's name of an image is a C string that lives as long as the image, which has just been there.
            let name = unsafe { CStr::from_ptr(name.as_ptr()) };
            name.to_str().ok().map(PathBuf::from)
        };
        (0.._dyld_image_count()).filter_map(file).collect()
    }
}

#[cfg(windows)]
mod os {
    use std::ffi::c_void;
    use std::path::{Path, PathBuf};
    use std::ptr::NonNull;

    use libloading::Library;
    use libloading::os::windows::{
        LOAD_LIBRARY_SEARCH_DEFAULT_DIRS, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR, Library as Windows,
    };

    const DLL: &str = "hdf5.dll";

    /// # Safety
    /// What the file does when it is loaded is safe.
    pub(super) unsafe fn open(file: &Path) -> Result<Library, libloading::Error> {
        if file == Path::new(DLL) {
            return Windows::open_already_loaded(DLL).map(Into::into);
        }
        let flags = LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS;
        // SAFETY: the caller's promise.
        unsafe { Windows::load_with_flags(file, flags) }.map(Into::into)
    }

    pub(super) fn program() -> Option<Library> {
        Windows::this().ok().map(Into::into)
    }

    /// # Safety
    /// `LoadLibrary` has given `handle`.
    pub(super) unsafe fn of_handle(handle: NonNull<c_void>) -> Library {
        // SAFETY: the caller's promise. A module's handle is its address.
        unsafe { Windows::from_raw(handle.as_ptr() as _) }.into()
    }

    /// Windows finds a library that is loaded by its bare name.
    pub(super) fn loaded() -> Vec<PathBuf> {
        if Windows::open_already_loaded(DLL).is_ok() { vec![DLL.into()] } else { Vec::new() }
    }
}
