//! MPI, through a small library that is compiled for the one at hand (`ffi/mpi/darkchunk_mpi.c`) and opened at run time.
//!
//! It hands out the parts of a run to whichever process is free, and tells all the worst error. Data do not go through it.

#![allow(unsafe_code)]

use std::ffi::{OsString, c_int};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use super::Rank;
use crate::{Error, Result};

/// `DARKCHUNK_MPI_ABI`
const ABI: c_int = 1;

/// More than any run has parts: after this was added, none is left.
const ALL: i64 = 1 << 40;

/// What the library is called where it is beside the program.
const NAME: &str = "libdarkchunk_mpi.so";

type Begin = unsafe extern "C" fn(c_int, *mut c_int, *mut c_int) -> c_int;
type Add = unsafe extern "C" fn(i64, *mut i64) -> c_int;
type Worst = unsafe extern "C" fn(c_int, *mut c_int) -> c_int;
type Plain = unsafe extern "C" fn() -> c_int;

/// MPI, begun; it ends when this is dropped. It is for the thread that has begun it.
#[derive(Debug)]
pub struct Mpi {
    rank: Rank,
    add: Add,
    serve: Plain,
    worst: Worst,
    end: Plain,
    _library: ManuallyDrop<Library>,
    /// MPI wants to be called on one thread.
    _one_thread: std::marker::PhantomData<*const ()>,
}

#[cfg(unix)]
use libloading::os::unix::Library;
#[cfg(windows)]
use libloading::os::windows::Library;

/// The library: what the variable `DARKCHUNK_MPI` names, none where that is `no`; else a file beside the program.
#[must_use]
pub fn find(variable: Option<OsString>) -> Option<PathBuf> {
    match variable {
        Some(path) if path == "no" || path.is_empty() => None,
        Some(path) => Some(path.into()),
        None => Some(std::env::current_exe().ok()?.with_file_name(NAME)).filter(|path| path.is_file()),
    }
}

impl Mpi {
    /// Begins MPI, of which the launcher says that this process is `expected`.
    ///
    /// # Errors
    /// [`Error::Argument`] where the library cannot be loaded, is of another version, or of another MPI than the launcher.
    pub fn begin(library: &Path, expected: Rank) -> Result<Self> {
        let failed = |why: &str| Error::Argument(format!("{}: {why}", library.display()));
        let loaded = load(library).map_err(|error| failed(&format!("it cannot be loaded: {error}")))?;
        let none = |error: libloading::Error| failed(&format!("it is not made of darkchunk_mpi.c: {error}"));
        let (mut rank, mut n_ranks) = (0, 0);
        // SAFETY: the functions have these types in `darkchunk_mpi.c`; the library stays loaded.
        let begin = unsafe { loaded.get::<Begin>(b"darkchunk_mpi_begin\0") }.map_err(none)?;
        // SAFETY: as above.
        let add = *unsafe { loaded.get::<Add>(b"darkchunk_mpi_add\0") }.map_err(none)?;
        // SAFETY: as above.
        let serve = *unsafe { loaded.get::<Plain>(b"darkchunk_mpi_serve\0") }.map_err(none)?;
        // SAFETY: as above.
        let worst = *unsafe { loaded.get::<Worst>(b"darkchunk_mpi_worst\0") }.map_err(none)?;
        // SAFETY: as above.
        let end = *unsafe { loaded.get::<Plain>(b"darkchunk_mpi_end\0") }.map_err(none)?;
        // SAFETY: as `darkchunk_mpi.c` declares it; both numbers live through the call.
        let code = unsafe { begin(ABI, &raw mut rank, &raw mut n_ranks) };
        if code != 0 {
            return Err(failed("it is of another version of darkchunk_mpi.c: compile it anew"));
        }
        let rank = Rank { rank: u64::try_from(rank).unwrap_or(0), n_ranks: u64::try_from(n_ranks).unwrap_or(1) };
        let mpi = Self {
            rank,
            add,
            serve,
            worst,
            end,
            _library: ManuallyDrop::new(loaded),
            _one_thread: std::marker::PhantomData,
        };
        if rank == expected {
            return Ok(mpi);
        }
        Err(failed(&format!(
            "its MPI sees rank {} of {}, the launcher {} of {}: compile it with the mpicc that belongs to this mpiexec",
            rank.rank, rank.n_ranks, expected.rank, expected.n_ranks
        )))
    }

    /// This process.
    #[must_use]
    pub fn rank(&self) -> Rank {
        self.rank
    }

    /// The next of `n` parts that nobody has had; in ascending order.
    #[must_use]
    pub fn next(&self, n: u64) -> Option<u64> {
        u64::try_from(self.add(1)).ok().filter(|part| *part < n)
    }

    /// No process gets another part.
    pub fn stop(&self) {
        self.add(ALL);
    }

    fn add(&self, n: i64) -> i64 {
        let mut before = 0;
        // SAFETY: as `darkchunk_mpi.c` declares it, on the thread that began; the number lives through the call.
        unsafe { (self.add)(n, &raw mut before) };
        before
    }

    /// Lets MPI serve the other processes; to be called now and then.
    pub fn serve(&self) {
        // SAFETY: as above.
        unsafe { (self.serve)() };
    }

    /// Waits for all processes, which call this as well, and gives the highest of their codes.
    #[must_use]
    pub fn worst(&self, code: u8) -> u8 {
        let mut worst = c_int::from(code);
        // SAFETY: as above.
        unsafe { (self.worst)(c_int::from(code), &raw mut worst) };
        u8::try_from(worst).unwrap_or(u8::MAX)
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        // SAFETY: as above; the last call.
        unsafe { (self.end)() };
    }
}

/// Its symbols are for all, because some MPIs load parts of their own that look for them.
#[cfg(unix)]
fn load(library: &Path) -> std::result::Result<Library, libloading::Error> {
    use libloading::os::unix::{RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: the user names a library that is to run in this process.
    unsafe { Library::open(Some(library), RTLD_NOW | RTLD_GLOBAL) }
}

#[cfg(windows)]
fn load(library: &Path) -> std::result::Result<Library, libloading::Error> {
    // SAFETY: the user names a library that is to run in this process.
    unsafe { Library::new(library) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_none_is_an_error_with_its_name() {
        let error =
            Mpi::begin(Path::new("/nowhere/libdarkchunk_mpi.so"), Rank::ALONE).expect_err("missing").to_string();
        assert!(error.contains("/nowhere/libdarkchunk_mpi.so: it cannot be loaded"), "{error}");
        assert_eq!(find(Some("no".into())), None);
        assert_eq!(find(Some("/a/b.so".into())), Some("/a/b.so".into()));
    }
}
