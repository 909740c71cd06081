//! Whole chunks of any shape and element type, as HDF5 hands them to a filter: bytes in, bytes out.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use darkchunk_core::chunk::Filter;
use darkchunk_core::codec::ChunkLayout;
use darkchunk_core::element::{ElementType, IntegerParts};
use darkchunk_core::{Error, Exec, Threads};

use crate::status::{Failure, Status, guard, reference, require, set, set_values, slice, slice_mut};
use crate::types::check_size;

/// `dc_array`
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Array {
    size: usize,
    filter: u32,
    values: *const u32,
    n_values: usize,
    number: c_int,
    is_big_endian: c_int,
    element_bytes: usize,
    base_bytes: usize,
    dims: *const u64,
    n_dims: usize,
    n_threads: usize,
}

/// A `dc_array` as the core knows it.
struct Plan<'a> {
    id: u32,
    values: &'a [u32],
    layout: ChunkLayout,
    n_bytes: usize,
    exec: Exec,
}

impl Plan<'_> {
    /// Reads a `dc_array`.
    ///
    /// # Safety
    /// `array` is null or a `dc_array` whose arrays are as long as it says.
    unsafe fn read<'a>(array: *const Array) -> Result<Plan<'a>, Failure> {
        // SAFETY: the caller's promise.
        let array = unsafe { reference(array, "array") }?;
        check_size(array.size, size_of::<Array>(), "dc_array")?;
        // SAFETY: the caller's promise.
        let values = unsafe { slice(array.values, array.n_values, "array.values") }?;
        // SAFETY: the caller's promise.
        let dims = unsafe { slice(array.dims, array.n_dims, "array.dims") }?;
        if dims.is_empty() || dims.contains(&0) {
            return Err(Failure::Argument(format!("a chunk has one or more dimensions, none of them 0, not {dims:?}")));
        }
        let layout = ChunkLayout::new(element(array)?, dims.to_vec());
        let n_bytes = layout.chunk_bytes()? as usize;
        Ok(Plan { id: array.filter, values, layout, n_bytes, exec: Threads::new(array.n_threads).into() })
    }

    /// The parameters as they are to be stored.
    fn stored(&self) -> Result<Vec<u32>, Failure> {
        Ok(Filter::localise(self.id, self.values, &self.layout)?)
    }

    fn check_pixels(&self, what: &'static str, found: usize) -> Result<(), Failure> {
        let expected = self.n_bytes;
        if found == expected { Ok(()) } else { Err(Error::BufferSize { what, expected, found }.into()) }
    }
}

fn element(array: &Array) -> Result<ElementType, Failure> {
    let Array { number, element_bytes, base_bytes, .. } = *array;
    if element_bytes == 0 || base_bytes == 0 || element_bytes % base_bytes != 0 {
        return Err(Failure::Argument(format!(
            "array.element_bytes is {element_bytes} and array.base_bytes {base_bytes}: the first is a multiple of the \
             second, and neither is 0"
        )));
    }
    let is_signed = match number {
        0 => return Ok(ElementType::from_parts(element_bytes, base_bytes, None)),
        1 => false,
        2 => true,
        3 if (element_bytes, base_bytes) == (4, 4) => return Ok(ElementType::float(4, array.is_big_endian != 0)),
        3 => {
            return Err(Failure::Argument(format!(
                "array.number is 3, float32, with elements of {element_bytes} bytes: give 0"
            )));
        }
        _ => return Err(Failure::Argument(format!("array.number is {number}: give 0, 1, 2 or 3"))),
    };
    let is_big_endian = Some(array.is_big_endian != 0);
    let parts = IntegerParts { is_signed, n_bits: 8 * element_bytes, is_big_endian };
    Ok(ElementType::from_parts(element_bytes, base_bytes, Some(parts)))
}

/// The parameters as they are to be stored.
///
/// # Safety
/// As `darkchunk.h` says of its arguments; so everywhere below.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_array_cd_values(
    array: *const Array,
    values: *mut u32,
    capacity: usize,
    n_values: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let stored = unsafe { Plan::read(array) }?.stored()?;
        // SAFETY: promised by the caller.
        unsafe { set_values(&stored, values, capacity, n_values) }
    })
}

/// Bytes that are enough for such a chunk, encoded.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_array_max_encoded_len(array: *const Array, n_bytes: *mut usize) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(array) }?;
        let filter = Filter::from_cd_values(plan.id, &plan.stored()?)?;
        // SAFETY: promised by the caller.
        unsafe { set(n_bytes, filter.max_encoded_len(plan.n_bytes), "n_bytes") }
    })
}

/// Encodes one chunk.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_array_encode(
    array: *const Array,
    src: *const c_void,
    src_len: usize,
    dst: *mut c_void,
    dst_len: usize,
    n_bytes: *mut usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(array) }?;
        // SAFETY: promised by the caller.
        let src = unsafe { slice(src.cast::<u8>(), src_len, "src") }?;
        // SAFETY: promised by the caller.
        let dst = unsafe { slice_mut(dst.cast::<u8>(), dst_len, "dst") }?;
        require(n_bytes, "n_bytes")?;
        plan.check_pixels("src", src.len())?;
        let filter = Filter::from_cd_values(plan.id, &plan.stored()?)?;
        let n = filter.encode(plan.exec, src, dst)?;
        // SAFETY: promised by the caller.
        unsafe { set(n_bytes, n, "n_bytes") }
    })
}

/// Decodes one chunk, by the parameters that are stored with it.
///
/// # Safety
/// As `darkchunk.h` says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dc_array_decode(
    array: *const Array,
    src: *const c_void,
    src_len: usize,
    dst: *mut c_void,
    dst_len: usize,
) -> Status {
    guard(|| {
        // SAFETY: promised by the caller.
        let plan = unsafe { Plan::read(array) }?;
        // SAFETY: promised by the caller.
        let src = unsafe { slice(src.cast::<u8>(), src_len, "src") }?;
        // SAFETY: promised by the caller.
        let dst = unsafe { slice_mut(dst.cast::<u8>(), dst_len, "dst") }?;
        plan.check_pixels("dst", dst.len())?;
        let filter = Filter::from_cd_values(plan.id, plan.values)?;
        Ok(filter.decode(plan.exec, src, dst)?)
    })
}
