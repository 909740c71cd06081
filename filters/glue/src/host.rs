//! The functions of the calling HDF5 that tell of a dataset's type and filters.
//!
//! A table of function pointers, filled from the caller's own library. Tests fill it with functions of their own.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr::null_mut;

use crate::abi::Hid;
use crate::caller::{Caller, Module};

/// The most filter parameters HDF5 lets one ask for.
pub(crate) const MAX_PARAMETERS: usize = 256;
/// The most dimensions a dataset has.
const MAX_DIMENSIONS: usize = 32;

type GetFilter =
    unsafe extern "C" fn(Hid, c_uint, *mut c_uint, *mut usize, *mut c_uint, usize, *mut c_char, *mut c_uint) -> c_int;
type GetFilterById =
    unsafe extern "C" fn(Hid, c_int, *mut c_uint, *mut usize, *mut c_uint, usize, *mut c_char, *mut c_uint) -> c_int;
type ModifyFilter = unsafe extern "C" fn(Hid, c_int, c_uint, usize, *const c_uint) -> c_int;
type GetChunk = unsafe extern "C" fn(Hid, c_int, *mut u64) -> c_int;
type Ask<T> = unsafe extern "C" fn(Hid) -> T;

/// The functions, by HDF5's names.
#[allow(non_snake_case, reason = "they are HDF5's names")]
pub(crate) struct Functions {
    pub(crate) H5Pget_nfilters: Ask<c_int>,
    pub(crate) H5Pget_filter2: GetFilter,
    pub(crate) H5Pget_filter_by_id2: GetFilterById,
    pub(crate) H5Pmodify_filter: ModifyFilter,
    pub(crate) H5Pget_chunk: GetChunk,
    pub(crate) H5Tget_class: Ask<c_int>,
    pub(crate) H5Tget_size: Ask<usize>,
    pub(crate) H5Tget_precision: Ask<usize>,
    pub(crate) H5Tget_order: Ask<c_int>,
    pub(crate) H5Tget_sign: Ask<c_int>,
    pub(crate) H5Tget_super: Ask<Hid>,
    pub(crate) H5Tclose: Ask<c_int>,
}

/// One HDF5 library.
pub(crate) struct Host {
    functions: Functions,
    /// Held as long as its functions are used.
    module: Option<Module>,
}

/// Why there is no [`Host`]: nothing can be asked, and nothing can be said either.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown;

macro_rules! function {
    ($module:expr, $name:literal, $type:ty) => {{
        let address: core::ptr::NonNull<core::ffi::c_void> = $module.symbol($name).ok_or($crate::host::Unknown)?;
        // SAFETY: the function of this name has had this type since HDF5 1.10, and there is no `Host` of an older one.
        unsafe { core::mem::transmute::<*mut core::ffi::c_void, $type>(address.as_ptr()) }
    }};
}

pub(crate) use function;

impl Host {
    /// The HDF5 that is calling.
    pub(crate) fn of(caller: Caller) -> Result<Self, Unknown> {
        let module = caller.module().ok_or(Unknown)?;
        version(&module).filter(|version| *version >= OLDEST).ok_or(Unknown)?;
        let functions = Functions {
            H5Pget_nfilters: function!(module, c"H5Pget_nfilters", Ask<c_int>),
            H5Pget_filter2: function!(module, c"H5Pget_filter2", GetFilter),
            H5Pget_filter_by_id2: function!(module, c"H5Pget_filter_by_id2", GetFilterById),
            H5Pmodify_filter: function!(module, c"H5Pmodify_filter", ModifyFilter),
            H5Pget_chunk: function!(module, c"H5Pget_chunk", GetChunk),
            H5Tget_class: function!(module, c"H5Tget_class", Ask<c_int>),
            H5Tget_size: function!(module, c"H5Tget_size", Ask<usize>),
            H5Tget_precision: function!(module, c"H5Tget_precision", Ask<usize>),
            H5Tget_order: function!(module, c"H5Tget_order", Ask<c_int>),
            H5Tget_sign: function!(module, c"H5Tget_sign", Ask<c_int>),
            H5Tget_super: function!(module, c"H5Tget_super", Ask<Hid>),
            H5Tclose: function!(module, c"H5Tclose", Ask<c_int>),
        };
        Ok(Self { functions, module: Some(module) })
    }

    /// A host of these functions.
    ///
    /// # Safety
    /// They do what HDF5's functions of those names do.
    #[cfg(test)]
    pub(crate) unsafe fn with(functions: Functions) -> Self {
        Self { functions, module: None }
    }

    /// The library itself, but for functions of a test's own.
    pub(crate) fn module(&self) -> Option<&Module> {
        self.module.as_ref()
    }

    /// The library's version: major and minor.
    pub(crate) fn version(&self) -> Option<(c_uint, c_uint)> {
        version(self.module()?)
    }

    /// The flags and parameters of one filter of a pipeline.
    pub(crate) fn filter_parameters(&self, dcpl: Hid, id: c_int) -> Result<(c_uint, Vec<c_uint>), String> {
        let mut values = [0; MAX_PARAMETERS];
        let mut n_values = values.len();
        let mut flags = 0;
        let call = self.functions.H5Pget_filter_by_id2;
        // SAFETY: `values` has room for `n_values`, no name is asked for, and the last argument may be null.
        let status = unsafe {
            call(dcpl, id, &raw mut flags, &raw mut n_values, values.as_mut_ptr(), 0, null_mut(), null_mut())
        };
        if status < 0 {
            return Err("HDF5 does not tell the filter's parameters (H5Pget_filter_by_id2 failed)".to_owned());
        }
        match values.get(..n_values) {
            Some(values) => Ok((flags, values.to_vec())),
            None => {
                Err(format!("{n_values} filter parameters (cd_values) are more than any version of this filter has"))
            }
        }
    }

    /// Stores other parameters for a filter.
    pub(crate) fn modify_filter(&self, dcpl: Hid, id: c_int, flags: c_uint, values: &[c_uint]) -> Result<(), String> {
        let call = self.functions.H5Pmodify_filter;
        // SAFETY: `values` has the length that is given.
        let status = unsafe { call(dcpl, id, flags, values.len(), values.as_ptr()) };
        if status < 0 {
            return Err("HDF5 does not take the completed filter parameters (H5Pmodify_filter failed)".to_owned());
        }
        Ok(())
    }

    /// The numbers of all filters of a pipeline, in the order of encoding.
    pub(crate) fn filters(&self, dcpl: Hid) -> Result<Vec<c_int>, String> {
        Ok(self.pipeline(dcpl)?.into_iter().map(|(id, _)| id).collect())
    }

    /// The numbers and parameters of all filters of a pipeline, in the order of encoding; of more than [`MAX_PARAMETERS`]
    /// the first ones.
    pub(crate) fn pipeline(&self, dcpl: Hid) -> Result<Vec<(c_int, Vec<c_uint>)>, String> {
        let call = self.functions.H5Pget_nfilters;
        // SAFETY: any identifier may be given.
        let n_filters = unsafe { call(dcpl) };
        let n_filters = c_uint::try_from(n_filters).map_err(|_| "H5Pget_nfilters failed".to_owned())?;
        (0..n_filters).map(|index| self.filter_at(dcpl, index)).collect()
    }

    fn filter_at(&self, dcpl: Hid, index: c_uint) -> Result<(c_int, Vec<c_uint>), String> {
        let mut values = [0; MAX_PARAMETERS];
        let mut n_values = values.len();
        let mut flags = 0;
        let call = self.functions.H5Pget_filter2;
        // SAFETY: `values` has room for `n_values`, no name is asked for, and the last argument may be null.
        let id = unsafe {
            call(dcpl, index, &raw mut flags, &raw mut n_values, values.as_mut_ptr(), 0, null_mut(), null_mut())
        };
        if id < 0 {
            return Err("H5Pget_filter2 failed".to_owned());
        }
        Ok((id, values[..n_values.min(MAX_PARAMETERS)].to_vec()))
    }

    /// The chunk's shape in elements.
    pub(crate) fn chunk(&self, dcpl: Hid) -> Result<Vec<u64>, String> {
        let mut dims = [0; MAX_DIMENSIONS];
        let call = self.functions.H5Pget_chunk;
        // SAFETY: `dims` has room for as many dimensions as is said.
        let rank = unsafe { call(dcpl, MAX_DIMENSIONS as c_int, dims.as_mut_ptr()) };
        let shape = usize::try_from(rank).ok().and_then(|rank| dims.get(..rank)).filter(|shape| !shape.is_empty());
        shape
            .map(<[u64]>::to_vec)
            .ok_or_else(|| "the dataset has no chunks; give it a chunk shape, filters work on chunks".to_owned())
    }

    pub(crate) fn class(&self, datatype: Hid) -> c_int {
        self.ask(self.functions.H5Tget_class, datatype)
    }

    pub(crate) fn size(&self, datatype: Hid) -> usize {
        self.ask(self.functions.H5Tget_size, datatype)
    }

    pub(crate) fn precision(&self, datatype: Hid) -> usize {
        self.ask(self.functions.H5Tget_precision, datatype)
    }

    pub(crate) fn order(&self, datatype: Hid) -> c_int {
        self.ask(self.functions.H5Tget_order, datatype)
    }

    pub(crate) fn sign(&self, datatype: Hid) -> c_int {
        self.ask(self.functions.H5Tget_sign, datatype)
    }

    /// Bytes of the type that an array or enumeration is made of; 0 where that cannot be told.
    pub(crate) fn base_size(&self, datatype: Hid) -> usize {
        let base = self.ask(self.functions.H5Tget_super, datatype);
        if base < 0 {
            return 0;
        }
        let n_bytes = self.size(base);
        self.close_type(base);
        n_bytes
    }

    pub(crate) fn close_type(&self, datatype: Hid) {
        self.ask(self.functions.H5Tclose, datatype);
    }

    fn ask<T>(&self, call: Ask<T>, id: Hid) -> T {
        // SAFETY: one of the library's functions of an identifier; what is not of the right kind gets a negative answer.
        unsafe { call(id) }
    }
}

/// Before 1.10 identifiers had 32 bits.
const OLDEST: (c_uint, c_uint) = (1, 10);

/// The version of the module, if it is an HDF5.
fn version(module: &Module) -> Option<(c_uint, c_uint)> {
    type GetVersion = unsafe extern "C" fn(*mut c_uint, *mut c_uint, *mut c_uint) -> c_int;
    let address = module.symbol(c"H5get_libversion")?;
    // SAFETY: the function of this name has this type in every HDF5.
    let call = unsafe { core::mem::transmute::<*mut c_void, GetVersion>(address.as_ptr()) };
    let (mut major, mut minor, mut release) = (0, 0, 0);
    // SAFETY: three places for three numbers.
    let status = unsafe { call(&raw mut major, &raw mut minor, &raw mut release) };
    (status >= 0).then_some((major, minor))
}
