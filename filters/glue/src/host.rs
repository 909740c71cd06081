//! The functions of the calling HDF5 that tell of a dataset's type and filters.
//!
//! A table of function pointers, filled from the caller's own library. Tests fill it with functions of their own.

#![allow(unsafe_code)]

use core::ffi::{c_int, c_uint};
use core::ptr::null_mut;

use darkchunk_hdf5_abi::Hid;
use darkchunk_hdf5_abi::constants::{H5D_FILL_VALUE_USER_DEFINED, H5S_MAX_RANK};
use darkchunk_hdf5_abi::datatype::{self, AskParts as _};

use crate::caller::{Caller, Module};
use crate::functions::{function, functions};

/// The most filter parameters HDF5 lets one ask for.
pub(crate) const MAX_PARAMETERS: usize = 256;

functions! {
    /// The functions, by HDF5's names.
    pub(crate) struct Functions {
        H5Pget_nfilters,
        H5Pget_filter2,
        H5Pget_filter_by_id2,
        H5Pmodify_filter,
        H5Pget_chunk,
        H5Pfill_value_defined,
        H5Pget_fill_value,
        H5Tget_class,
        H5Tget_size,
        H5Tget_precision,
        H5Tget_order,
        H5Tget_sign,
        H5Tget_fields,
        H5Tget_super,
        H5Tget_nmembers,
        H5Tget_member_type,
        H5Tis_variable_str,
        H5Tclose,
    }
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

impl Host {
    /// The HDF5 that is calling.
    pub(crate) fn of(caller: Caller) -> Result<Self, Unknown> {
        let module = caller.module().ok_or(Unknown)?;
        if !is_known(&module) {
            return Err(Unknown);
        }
        let functions = Functions::of(&module).ok_or(Unknown)?;
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
        let mut dims = [0; H5S_MAX_RANK];
        let call = self.functions.H5Pget_chunk;
        // SAFETY: `dims` has room for as many dimensions as is said.
        let rank = unsafe { call(dcpl, H5S_MAX_RANK as c_int, dims.as_mut_ptr()) };
        let shape = usize::try_from(rank).ok().and_then(|rank| dims.get(..rank)).filter(|shape| !shape.is_empty());
        shape
            .map(<[u64]>::to_vec)
            .ok_or_else(|| "the dataset has no chunks; give it a chunk shape, filters work on chunks".to_owned())
    }

    /// The fill value as an element of the datatype, which has at most four bytes; zeros where none was set.
    pub(crate) fn fill_value(&self, dcpl: Hid, datatype: Hid) -> Result<[u8; 4], String> {
        let (mut status, mut value) = (0, [0; 4]);
        let call = self.functions.H5Pfill_value_defined;
        // SAFETY: a place for the answer.
        if unsafe { call(dcpl, &raw mut status) } < 0 {
            return Err("HDF5 does not tell whether there is a fill value (H5Pfill_value_defined failed)".to_owned());
        }
        if status != H5D_FILL_VALUE_USER_DEFINED || datatype::Ask::size(self, datatype)? > value.len() {
            return Ok(value);
        }
        let call = self.functions.H5Pget_fill_value;
        // SAFETY: `value` has room for an element of the datatype.
        if unsafe { call(dcpl, datatype, value.as_mut_ptr().cast()) } < 0 {
            return Err("HDF5 does not tell the fill value (H5Pget_fill_value failed)".to_owned());
        }
        Ok(value)
    }
}

fn not_told(call: &str) -> String {
    format!("HDF5 does not tell the element type ({call} failed)")
}

/// An answer that is no failure.
fn told(answer: c_int, call: &str) -> Result<c_int, String> {
    if answer < 0 { Err(not_told(call)) } else { Ok(answer) }
}

/// A size that is no failure.
fn told_size(answer: usize, call: &str) -> Result<usize, String> {
    if answer == 0 {
        Err(format!("HDF5 does not tell the size of the element type ({call} failed)"))
    } else {
        Ok(answer)
    }
}

impl datatype::Ask for Host {
    type Error = String;

    fn class(&self, datatype: Hid) -> Result<c_int, String> {
        // SAFETY: any identifier may be given.
        told(unsafe { (self.functions.H5Tget_class)(datatype) }, "H5Tget_class")
    }

    fn size(&self, datatype: Hid) -> Result<usize, String> {
        // SAFETY: any identifier may be given.
        told_size(unsafe { (self.functions.H5Tget_size)(datatype) }, "H5Tget_size")
    }

    fn precision(&self, datatype: Hid) -> Result<usize, String> {
        // SAFETY: any identifier may be given.
        told_size(unsafe { (self.functions.H5Tget_precision)(datatype) }, "H5Tget_precision")
    }

    fn order(&self, datatype: Hid) -> Result<c_int, String> {
        // SAFETY: any identifier may be given.
        told(unsafe { (self.functions.H5Tget_order)(datatype) }, "H5Tget_order")
    }

    fn sign(&self, datatype: Hid) -> Result<c_int, String> {
        // SAFETY: any identifier may be given.
        told(unsafe { (self.functions.H5Tget_sign)(datatype) }, "H5Tget_sign")
    }

    fn fields(&self, datatype: Hid) -> Option<[usize; 5]> {
        let mut fields = [0; 5];
        let [sign, exponent, exponent_bits, mantissa, mantissa_bits] = fields.each_mut().map(|field| &raw mut *field);
        let call = self.functions.H5Tget_fields;
        // SAFETY: any identifier may be given, and there is a place for each answer.
        let status = unsafe { call(datatype, sign, exponent, exponent_bits, mantissa, mantissa_bits) };
        (status >= 0).then_some(fields)
    }

    fn base_size(&self, datatype: Hid) -> Result<usize, String> {
        let base = self.base(datatype)?;
        let n_bytes = self.size(base);
        self.close(base);
        n_bytes
    }
}

impl datatype::AskParts for Host {
    fn base(&self, datatype: Hid) -> Result<Hid, String> {
        // SAFETY: any identifier may be given.
        let base = unsafe { (self.functions.H5Tget_super)(datatype) };
        if base < 0 {
            return Err("HDF5 does not tell what the array type is made of (H5Tget_super failed)".to_owned());
        }
        Ok(base)
    }

    fn n_members(&self, datatype: Hid) -> Result<c_uint, String> {
        // SAFETY: any identifier may be given.
        let n_members = unsafe { (self.functions.H5Tget_nmembers)(datatype) };
        told(n_members, "H5Tget_nmembers").map(c_int::cast_unsigned)
    }

    fn member(&self, datatype: Hid, index: c_uint) -> Result<Hid, String> {
        // SAFETY: any identifier and index may be given.
        let member = unsafe { (self.functions.H5Tget_member_type)(datatype, index) };
        if member < 0 { Err(not_told("H5Tget_member_type")) } else { Ok(member) }
    }

    fn is_variable_string(&self, datatype: Hid) -> Result<bool, String> {
        // SAFETY: any identifier may be given.
        told(unsafe { (self.functions.H5Tis_variable_str)(datatype) }, "H5Tis_variable_str").map(|answer| answer != 0)
    }

    fn close(&self, datatype: Hid) {
        // SAFETY: any identifier may be given.
        unsafe { (self.functions.H5Tclose)(datatype) };
    }
}

/// Before 1.10 identifiers had 32 bits.
const OLDEST: (c_uint, c_uint) = (1, 10);

/// Whether the module is an HDF5 whose functions have the types that they are called with.
pub(crate) fn is_known(module: &Module) -> bool {
    version(module).is_some_and(|version| version >= OLDEST)
}

/// The version of the module, if it is an HDF5.
fn version(module: &Module) -> Option<(c_uint, c_uint)> {
    let call = function!(module, H5get_libversion)?;
    let (mut major, mut minor, mut release) = (0, 0, 0);
    // SAFETY: three places for three numbers.
    let status = unsafe { call(&raw mut major, &raw mut minor, &raw mut release) };
    (status >= 0).then_some((major, minor))
}
