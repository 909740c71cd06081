//! The table HDF5 reads from a plugin. The same from HDF5 1.10 to 2.2.

#![allow(unsafe_code)]

use core::ffi::{c_char, c_int, c_uint, c_void};

use darkchunk::codec::Codec;
use darkchunk::cpu::Level;
use darkchunk_hdf5_abi::Hid;
use darkchunk_hdf5_abi::constants::H5Z_CLASS_T_VERS;

use crate::threads::exec;
use crate::{caller, entry, guard};

type CanApply = unsafe extern "C" fn(Hid, Hid, Hid) -> c_int;
type SetLocal = unsafe extern "C" fn(Hid, Hid, Hid) -> c_int;
type Filter = unsafe extern "C" fn(c_uint, usize, *const c_uint, usize, *mut usize, *mut *mut c_void) -> usize;

/// `H5Z_class2_t`: one filter as HDF5 sees it.
#[repr(C)]
#[derive(Debug)]
pub struct Class {
    version: c_int,
    id: c_int,
    encoder_present: c_uint,
    decoder_present: c_uint,
    name: *const c_char,
    can_apply: Option<CanApply>,
    set_local: Option<SetLocal>,
    filter: Filter,
}

// SAFETY: the table is never written, and `name` points to a static.
unsafe impl Sync for Class {}

/// What HDF5 and its tools have room for, the NUL included: half of the smallest buffer known.
const MAX_NAME_BYTES: usize = 64;

impl Class {
    /// The table of one codec. `name` is what HDF5 stores and its tools print: [`c_names`] of the codec's own name first.
    ///
    /// # Panics
    /// Where `name` does not end in NUL, or is too long; in a static, that is when it is compiled.
    pub const fn new<C: Codec>(name: &'static [u8]) -> Self {
        assert!(!name.is_empty() && name[name.len() - 1] == 0, "the name ends in NUL");
        assert!(C::NAME.len() < MAX_NAME_BYTES, "the name is too long for readers");
        Self {
            version: H5Z_CLASS_T_VERS,
            id: C::FILTER_ID.cast_signed(),
            encoder_present: 1,
            decoder_present: 1,
            name: name.as_ptr().cast(),
            // What could be refused here is refused in `set_local`, which can say why and which HDF5 also heeds for
            // optional filters.
            can_apply: None,
            set_local: Some(entry::set_local::<C>),
            filter: entry::filter::<C>,
        }
    }
}

/// `name` and after it `version`, each with a NUL after it. HDF5 reads the first; the second is for those who look into
/// the library's file, and is in it because the first is. `N` is two more than their lengths.
///
/// # Panics
/// Where it is not, or a text has a NUL in it; in a static, that is when it is compiled.
pub const fn c_names<const N: usize>(name: &str, version: &str) -> [u8; N] {
    assert!(name.len() + version.len() + 2 == N, "N is the length of both and two more");
    let mut bytes = [0; N];
    let mut i = 0;
    while i < name.len() + version.len() {
        let is_name = i < name.len();
        let byte = if is_name { name.as_bytes()[i] } else { version.as_bytes()[i - name.len()] };
        assert!(byte != 0, "a name has no NUL in it");
        bytes[if is_name { i } else { i + 1 }] = byte;
        i += 1;
    }
    bytes
}

/// What is done when HDF5 asks a plugin for its table: the library stays in memory from here on (HDF5 unloads what does
/// not match, while thread-locals may be left), panics are kept from stderr, and what is set once a process is set.
pub fn prepare() {
    caller::pin();
    guard::silence();
    exec();
    let _ = Level::current();
}
